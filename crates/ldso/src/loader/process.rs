//! One process, from its entry to the last library: the part that glibc and musl share. The [`Rules`] of each decide
//! which names are already loaded, where a name is searched and whether a file is accepted.

use std::rc::Rc;
use std::sync::Arc;

use super::constants::{Family, LoaderConstants, SHIM_PRELOAD};
use super::glibc::Glibc;
use super::musl::Musl;
use super::objects::Objects;
use super::search::{FoundBy, Search};
use super::{Answer, Conditions, Fault, Loaded, Missing, Need, PRELOAD_PATH, Process, Reads, Role};
use crate::elf::{ElfObject, Malformed, Want, WantKind};
use slimroot_rootfs::error::Error;
use slimroot_rootfs::path::{RootPath, show};
use slimroot_rootfs::root::{Meta, Root};

/// Maximum number of objects per process.
const MAX_OBJECTS: usize = 4096;
/// Maximum size of a preload list.
const MAX_LIST: usize = 1 << 20;

/// A name that needs no search.
pub(super) enum Known {
    Object(usize),
    Vdso,
}

/// The differences between loaders.
pub(super) trait Rules {
    /// The loaded object, or the vDSO, that matches this name.
    fn known(&mut self, loaded: &[Rc<Loaded>], name: &[u8]) -> Option<Known>;

    /// Searches for a dependency of an object.
    fn search(&mut self, loaded: &[Rc<Loaded>], requester: usize, name: &[u8]) -> Result<Search, Error>;

    /// The names that a newly loaded object matches.
    fn names(&self, requested: &[u8], path: &[u8]) -> Vec<Vec<u8>>;

    /// Called when a search found the file of an object that is already loaded.
    fn same_file(&mut self, index: usize, known: &mut Loaded, requested: &[u8]);

    /// The class and description of a defect for which the loader refuses a file that its search accepted.
    fn refuse(&self, elf: &ElfObject) -> Option<(&'static str, &'static str)>;

    /// Names to preload; `list` is the value of the variable or file.
    fn preloads(&self, list: Option<&[u8]>) -> Vec<Vec<u8>>;

    /// Marks the following searches as searches for preloads or audit libraries (`__RTLD_SECURE` of glibc).
    fn set_preloading(&mut self, _is_on: bool) {}

    /// True if DT_FILTER and DT_AUXILIARY are supported.
    fn has_filters(&self) -> bool;

    /// Adds information collected on the way: variants, files read.
    fn finish(self: Box<Self>, process: &mut Process);
}

/// Computes what the loader of `entry` would load. `entry` is the path by which it will be called.
///
/// With a `host`, the entry is opened in that process as with dlopen: objects already loaded by the host match first.
///
/// # Errors
/// `unreadable`, and `bad-elf` or `not-elf` if the entry itself is not a usable ELF object. All other problems are part
/// of the result.
pub fn load(
    objects: &Objects<'_>,
    entry: &[u8],
    conditions: &Conditions,
    host: Option<&Process>,
) -> Result<Process, Error> {
    let root = objects.root();
    let followed = root.follow_from(&conditions.cwd, entry)?;
    let Some((real, meta)) = followed.file() else {
        return Err(Error::new("entry-missing", format!("{} is not a file in the root", show(entry))));
    };
    let elf = entry_elf(objects, entry, real)?;
    if let Some(defect) = elf.interp_defect.as_ref().filter(|_| host.is_none()) {
        return Err(damaged(entry, defect));
    }
    let loaded = Loaded {
        path: entry.to_vec(),
        real: real.clone(),
        elf: Arc::clone(&elf),
        role: Role::Entry,
        loader: None,
        needs: Vec::new(),
        identity: meta.identity,
        names: Vec::new(),
    };
    if let Some(host) = host {
        let plugin = Loaded { role: Role::Plugin, names: vec![entry.to_vec()], ..loaded };
        let mut run = Run::in_host(objects, conditions, host);
        if let Some(run) = &mut run {
            run.process.loaded.push(Rc::new(plugin));
            run.queue()?;
        }
        return Ok(run.map_or_else(|| host.clone(), Run::finish));
    }
    let mut process = Process {
        interpreter: elf.interp.clone(),
        constants: None,
        loaded: vec![Rc::new(loaded)],
        inherited: 0,
        missing: Vec::new(),
        faults: Vec::new(),
        warnings: Vec::new(),
        variants: Vec::new(),
        reads: Vec::new(),
        audits: Vec::new(),
        secure: is_secure(root, real, meta)?,
    };
    if !start(objects, &mut process, conditions)? {
        return Ok(process);
    }
    let Some(constants) = process.constants.clone() else { return Ok(process) };
    let mut run = Run { objects, rules: rules(objects, conditions, &constants, &process), process };
    run.preload(conditions)?;
    run.queue()?;
    let mut process = run.finish();
    audit(objects, &mut process, conditions)?;
    Ok(process)
}

/// Loads the audit libraries, each in a namespace with only the entry and the loader; their dependencies are searched
/// as if the entry needed them. The loader reports and drops one that it cannot load (rtld.c, `load_audit_modules`).
fn audit(objects: &Objects<'_>, process: &mut Process, conditions: &Conditions) -> Result<(), Error> {
    if process.constants.as_ref().is_none_or(|constants| constants.family == Family::Musl) {
        return Ok(());
    }
    let elf = Arc::clone(&process.loaded[0].elf);
    let lists = conditions.audit.iter().chain(&elf.audit);
    let is_valid = |name: &&[u8]| !(name.is_empty() || process.secure && name.contains(&b'/'));
    for name in lists.flat_map(|list| list.split(|b| *b == b':')).filter(is_valid) {
        let mut alone = process.clone();
        alone.loaded.truncate(2);
        alone.loaded.iter_mut().for_each(|object| Rc::make_mut(object).needs.clear());
        let mut run = Run::in_host(objects, conditions, &alone);
        run.iter_mut().for_each(|run| run.rules.set_preloading(true));
        match run.map(|run| run.open(0, name)).transpose()?.flatten() {
            Some(opened) => process.audits.push(opened),
            None => {
                let says =
                    "it cannot be loaded for auditing: the loader prints a message and continues without it".to_owned();
                process.warnings.push(Fault { class: "audit-failed", path: name.to_vec(), says });
            }
        }
    }
    Ok(())
}

/// Computes what dlopen of `name` by the object `requester` adds to a process; `None` if nothing is found. The loader
/// chain of the new object starts with itself.
///
/// # Errors
/// `unreadable`.
pub fn open(
    objects: &Objects<'_>,
    host: &Process,
    requester: usize,
    name: &[u8],
    conditions: &Conditions,
) -> Result<Option<Process>, Error> {
    match Run::in_host(objects, conditions, host) {
        Some(run) => run.open(requester, name),
        None => Ok(None),
    }
}

fn entry_elf(objects: &Objects<'_>, entry: &[u8], real: &RootPath) -> Result<Arc<ElfObject>, Error> {
    match &objects.read(real)?.elf {
        Ok(elf) => Ok(Arc::clone(elf)),
        Err(defect) if defect.class == "not-elf" || defect.class == "too-short" => {
            Err(Error::new("not-elf", format!("{} is neither an ELF program nor a script with a #! line", show(entry)))
                .help("add a `#!` line, or name the interpreter: slimroot build -- INTERPRETER FILE"))
        }
        Err(defect) => Err(damaged(entry, defect)),
    }
}

fn damaged(entry: &[u8], defect: &Malformed) -> Error {
    Error::new("bad-elf", format!("{} is damaged ({}): {defect}", show(entry), defect.class))
        .help("build or install it again in the builder stage")
}

/// True if the kernel sets AT_SECURE, because of set-uid or set-gid bits or file capabilities (ld.so(8),
/// "Secure-execution mode").
fn is_secure(root: &Root, real: &RootPath, meta: &Meta) -> Result<bool, Error> {
    const SET_ID: u32 = 0o6000;
    if meta.mode & SET_ID != 0 {
        return Ok(true);
    }
    Ok(root.tree().xattrs(real)?.iter().any(|(name, _)| name == b"security.capability"))
}

/// Finds the interpreter; returns false if there is nothing further to load.
fn start(objects: &Objects<'_>, process: &mut Process, conditions: &Conditions) -> Result<bool, Error> {
    let elf = Arc::clone(&process.loaded[0].elf);
    let interpreter = match &elf.interp {
        Some(interp) => interp.clone(),
        None if elf.is_static_program() || elf.wants.is_empty() => return Ok(false),
        None => match plugin_loader(objects, &elf, conditions)? {
            Some(interp) => interp,
            None => {
                let says = "it is a library or plug-in, and the root has no loader for its machine".to_owned();
                let path = process.loaded[0].path.clone();
                process.faults.push(Fault { class: "unknown-loader", path, says });
                return Ok(false);
            }
        },
    };
    let followed = objects.root().follow_from(&conditions.cwd, &interpreter)?;
    let Some((real, meta)) = followed.file() else {
        let says = format!(
            "its interpreter {} is not in the root: the kernel will say \"no such file\" of the program itself",
            show(&interpreter)
        );
        process.faults.push(Fault { class: "interpreter-missing", path: process.loaded[0].path.clone(), says });
        return Ok(false);
    };
    let read = objects.read(real)?;
    let bad = |says: String| Fault { class: "interpreter-bad", path: interpreter.clone(), says };
    let loader = match &read.elf {
        Ok(loader) if loader.target.machine != elf.target.machine || loader.target.class != elf.target.class => {
            process
                .faults
                .push(bad(format!("the interpreter is built for {}, the program for {}", loader.target, elf.target)));
            return Ok(false);
        }
        Ok(loader) => Arc::clone(loader),
        Err(defect) => {
            process.faults.push(bad(format!("the interpreter is not a usable ELF object: {defect}")));
            return Ok(false);
        }
    };
    let constants = objects.constants(real, &loader)?;
    let mut loaded = Loaded {
        path: interpreter.clone(),
        real: real.clone(),
        elf: loader,
        role: Role::Interpreter,
        loader: None,
        needs: Vec::new(),
        identity: meta.identity,
        names: vec![interpreter],
    };
    let Some(started) = &constants.shim_for else {
        process.constants = Some(constants);
        process.loaded.push(Rc::new(loaded));
        return Ok(true);
    };
    // The shim launches the real loader and is gone afterwards.
    loaded.role = Role::Shim;
    let shim = loaded.path.clone();
    process.loaded.push(Rc::new(loaded));
    let followed = objects.root().follow_from(&conditions.cwd, started)?;
    let found = match followed.file() {
        Some((real, meta)) => objects.read(real)?.elf.as_ref().ok().map(|elf| (real, meta, Arc::clone(elf))),
        None => None,
    };
    let Some((real, meta, elf)) = found else {
        let says = format!("its interpreter {} starts {}, which is not in the root", show(&shim), show(started));
        process.faults.push(Fault { class: "interpreter-missing", path: process.loaded[0].path.clone(), says });
        return Ok(false);
    };
    process.constants = Some(objects.constants(real, &elf)?);
    process.loaded.push(Rc::new(Loaded {
        path: started.clone(),
        real: real.clone(),
        elf,
        role: Role::Interpreter,
        loader: None,
        needs: Vec::new(),
        identity: meta.identity,
        names: vec![started.clone()],
    }));
    Ok(true)
}

/// The loader for a plug-in: the one that the user named, or the only one for its machine in the root.
fn plugin_loader(objects: &Objects<'_>, elf: &ElfObject, conditions: &Conditions) -> Result<Option<Vec<u8>>, Error> {
    if let Some(named) = &conditions.interpreter {
        return Ok(Some(named.clone()));
    }
    let root = objects.root();
    let mut seen = Vec::new();
    for dir in ["/lib64", "/lib", "/usr/lib64", "/usr/lib"] {
        let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        for name in root.list(&real)? {
            let is_loader = [&b"ld-"[..], b"ld.so", b"ld64.so"].iter().any(|start| name.starts_with(start));
            if !is_loader || !name.windows(3).any(|part| part == b".so") {
                continue;
            }
            let path = [dir.as_bytes(), b"/", &name].concat();
            let Some(file) = root.follow(&path)?.file().map(|(real, _)| real.clone()) else { continue };
            let fits = |found: &ElfObject| {
                found.target.machine == elf.target.machine && found.target.class == elf.target.class
            };
            if objects.read(&file)?.elf.as_ref().is_ok_and(|found| fits(found)) && !seen.iter().any(|(_, f)| *f == file)
            {
                seen.push((path, file));
            }
        }
    }
    Ok(if seen.len() == 1 { seen.pop().map(|(path, _)| path) } else { None })
}

fn rules<'a>(
    objects: &'a Objects<'_>,
    conditions: &'a Conditions,
    constants: &Rc<LoaderConstants>,
    process: &Process,
) -> Box<dyn Rules + 'a> {
    match constants.family {
        Family::Musl => Box::new(Musl::new(objects, conditions, Rc::clone(constants), process)),
        Family::Glibc | Family::Unknown => Box::new(Glibc::new(objects, conditions, Rc::clone(constants), process)),
    }
}

struct Run<'a, 'r> {
    objects: &'a Objects<'r>,
    rules: Box<dyn Rules + 'a>,
    process: Process,
}

impl<'a, 'r> Run<'a, 'r> {
    /// Continues a running process; `None` if it has no loader.
    fn in_host(objects: &'a Objects<'r>, conditions: &'a Conditions, host: &Process) -> Option<Self> {
        let constants = host.constants.clone()?;
        let process = Process {
            interpreter: host.interpreter.clone(),
            constants: Some(Rc::clone(&constants)),
            loaded: host.loaded.clone(),
            inherited: host.loaded.len(),
            missing: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            variants: Vec::new(),
            reads: Vec::new(),
            audits: Vec::new(),
            secure: host.secure,
        };
        let rules = rules(objects, conditions, &constants, &process);
        Some(Self { objects, rules, process })
    }

    /// Loads the preloads before the entry's own dependencies, on behalf of the entry. A failing preload is only a
    /// warning.
    fn preload(&mut self, conditions: &Conditions) -> Result<(), Error> {
        let mut names = match &conditions.preload {
            Some(_) => self.rules.preloads(conditions.preload.as_deref()),
            None => Vec::new(),
        };
        if self.process.loaded.iter().any(|object| object.role == Role::Shim) {
            names.insert(0, SHIM_PRELOAD.to_vec());
        }
        let is_glibc = self.process.constants.as_ref().is_some_and(|constants| constants.family != Family::Musl);
        if is_glibc && let Some((_, text)) = self.objects.root().read_followed(PRELOAD_PATH, MAX_LIST)? {
            self.process.reads.push((Reads::PreloadList, PRELOAD_PATH.to_vec()));
            names.extend(super::glibc::preload_list(&text));
        }
        self.rules.set_preloading(true);
        for name in names {
            let missing = self.process.missing.len();
            let faults = self.process.faults.len();
            let want = Want { kind: WantKind::Needed, name };
            let first_new = self.process.loaded.len();
            let answer = self.answer(0, &want)?;
            if let Some(loaded) = self.process.loaded.get_mut(first_new) {
                Rc::make_mut(loaded).role = Role::Preload;
            }
            if self.process.missing.len() > missing {
                self.process.missing.truncate(missing);
                self.process.faults.truncate(faults);
                let says = "it cannot be preloaded: the loader prints a message and continues without it".to_owned();
                self.process.warnings.push(Fault { class: "preload-failed", path: want.name, says });
            } else if let Answer::Object { index, via, .. } = answer {
                let answer = Answer::Object { index, by: FoundBy::Preload, via };
                self.process.object_mut(0).needs.push(Need { name: want.name, kind: want.kind, answer });
            }
        }
        self.rules.set_preloading(false);
        Ok(())
    }

    /// The result of opening a name, if it is found.
    fn open(mut self, requester: usize, name: &[u8]) -> Result<Option<Process>, Error> {
        let want = Want { kind: WantKind::Needed, name: name.to_vec() };
        let Answer::Object { index, .. } = self.answer(requester, &want)? else { return Ok(None) };
        if index >= self.process.inherited {
            let plugin = self.process.object_mut(index);
            (plugin.loader, plugin.role) = (None, Role::Plugin);
        }
        self.rules.set_preloading(false);
        self.queue()?;
        Ok(Some(self.finish()))
    }

    /// Loads breadth first: objects in load order, dependencies in file order.
    fn queue(&mut self) -> Result<(), Error> {
        let mut at = self.process.inherited;
        while at < self.process.loaded.len() {
            if self.process.loaded.len() > MAX_OBJECTS {
                let says = format!("more than {MAX_OBJECTS} objects in one process");
                let path = self.process.subject().path.clone();
                self.process.faults.push(Fault { class: "limit", path, says });
                return Ok(());
            }
            let elf = Arc::clone(&self.process.loaded[at].elf);
            for want in &elf.wants {
                if want.kind != WantKind::Needed && !self.rules.has_filters() {
                    continue;
                }
                let answer = self.answer(at, want)?;
                self.process.object_mut(at).needs.push(Need { name: want.name.clone(), kind: want.kind, answer });
            }
            at += 1;
        }
        Ok(())
    }

    fn answer(&mut self, requester: usize, want: &Want) -> Result<Answer, Error> {
        let process = &mut self.process;
        match self.rules.known(&process.loaded, &want.name) {
            Some(Known::Vdso) => return Ok(Answer::Vdso),
            Some(Known::Object(index)) => {
                let is_loader = process.loaded[index].role == Role::Interpreter;
                let by = if is_loader { FoundBy::Interpreter } else { FoundBy::Loaded };
                return Ok(Answer::Object { index, by, via: None });
            }
            None => {}
        }
        let mut search = self.rules.search(&process.loaded, requester, &want.name)?;
        let Some(found) = search.found.take() else { return Ok(self.missed(requester, want, search)) };
        let is_same = |known: &Rc<Loaded>| {
            !matches!(known.role, Role::Entry | Role::Interpreter | Role::Shim) && known.identity == found.meta.identity
        };
        if let Some(index) = process.loaded.iter().position(is_same) {
            self.rules.same_file(index, process.object_mut(index), &want.name);
            return Ok(Answer::Object { index, by: found.by, via: found.via });
        }
        let read = self.objects.read(&found.real)?;
        let refused = match &read.elf {
            Ok(elf) => self.rules.refuse(elf).map(|(class, says)| (class, says.to_owned())),
            Err(defect) => Some((defect.class, defect.to_string())),
        };
        if let Some((class, says)) = refused {
            process.faults.push(Fault { class, path: found.path.clone(), says: says.clone() });
            search.fatal = Some((found.path, says));
            return Ok(self.missed(requester, want, search));
        }
        let Ok(elf) = &read.elf else { return Ok(self.missed(requester, want, search)) };
        process.loaded.push(Rc::new(Loaded {
            names: self.rules.names(&want.name, &found.path),
            path: found.path,
            real: found.real,
            elf: Arc::clone(elf),
            role: Role::Library,
            loader: Some(requester),
            needs: Vec::new(),
            identity: found.meta.identity,
        }));
        Ok(Answer::Object { index: process.loaded.len() - 1, by: found.by, via: found.via })
    }

    fn missed(&mut self, requester: usize, want: &Want, search: Search) -> Answer {
        if want.kind == WantKind::Auxiliary && search.fatal.is_none() {
            return Answer::Absent;
        }
        if let Some((path, says)) = &search.fatal
            && !self.process.faults.iter().any(|fault| fault.path == *path)
        {
            let class = class_of(says);
            self.process.faults.push(Fault { class, path: path.clone(), says: says.clone() });
        }
        self.process.missing.push(Missing { name: want.name.clone(), needed_by: requester, search });
        Answer::Missing(self.process.missing.len() - 1)
    }

    fn finish(self) -> Process {
        let mut process = self.process;
        self.rules.finish(&mut process);
        process
    }
}

/// The class of a fatal candidate; the search stores it as `class: sentence`.
fn class_of(says: &str) -> &'static str {
    const CLASSES: &[&str] = &["too-short", "not-elf", "wrong-byte-order", "bad-ident", "bad-type", "not-regular"];
    CLASSES.iter().find(|class| says.starts_with(**class)).copied().unwrap_or("bad-elf")
}
