//! From a request to a closure: entries and their processes first, then what they may open, then what the user and
//! the profiles declare.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::script::{HEAD, MAX_CHAIN, env_command, parse_shebang};
use super::{Closure, Reason, Request, Started};
use crate::error::Error;
use crate::loader::{self, Answer, Conditions, FoundBy, Objects, Process, Role};
use crate::package::{self, Packages};
use crate::path::{RootPath, show};
use crate::profile::Profile;
use crate::root::{End, FileKind, Root};

impl Closure {
    /// Finds everything that the request needs.
    ///
    /// Missing libraries and the like are not errors here: they are kept in [`Closure::processes`], and
    /// [`crate::check`] makes findings of them.
    ///
    /// # Errors
    /// `entry-missing`, `entry-is-directory`, `entry-not-regular`, `not-elf`, `bad-elf`, `bad-shebang`,
    /// `interpreter-missing` (of a script), `unreadable`.
    pub fn build(root: &Root, objects: &Objects<'_>, request: &Request) -> Result<Self, Error> {
        let level = request.cpu.as_deref().and_then(|level| level.strip_prefix("x86-64-v")?.parse().ok());
        let closure = Self { conditions: request.conditions(), cpu_level: level.unwrap_or(1), ..Self::default() };
        let mut build = Build::new(root, objects, request, closure);
        build.entry(&request.entry, &request.args, Reason::Entry)?;
        for bin in &request.bins {
            build.entry(bin, &[], Reason::Bin)?;
        }
        if request.processes_only {
            return Ok(build.closure);
        }
        build.companions()?;
        build.named_paths()?;
        for (from, _) in &request.copies {
            build.copied(from)?;
        }
        for pattern in &request.include {
            build.include(pattern)?;
        }
        for package in &request.packages {
            build.package(package)?;
        }
        for profile in &request.profiles {
            build.asked(profile)?;
        }
        build.want_trust()?;
        build.automatic()?;
        build.name_services()?;
        build.suggestions()?;
        build.package_records()?;
        build.trust()?;
        Ok(build.closure)
    }
}

impl Closure {
    /// What one profile makes of a root, without any entry.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn of_profile(root: &Root, profile: &Profile) -> Result<Self, Error> {
        let request = Request::default();
        let objects = Objects::new(root);
        let mut build = Build::new(root, &objects, &request, Self::default());
        build.profile(profile, true)?;
        Ok(build.closure)
    }
}

pub(super) struct Build<'a> {
    pub(super) root: &'a Root,
    pub(super) objects: &'a Objects<'a>,
    pub(super) request: &'a Request,
    pub(super) conditions: Conditions,
    pub(super) closure: Closure,
    /// How many calls lie above what is being added.
    pub(super) depth: usize,
    /// Whether what is being added is sure to be started, not only named by a word.
    pub(super) is_sure: bool,
    /// The environment in which programs are started.
    pub(super) env: BTreeMap<String, String>,
    /// Commands that were followed: directory and words.
    pub(super) started: BTreeSet<(RootPath, Vec<String>)>,
    /// Whether objects that were asked about start programs.
    pub(super) starters: BTreeMap<RootPath, bool>,
    /// Which of the texts that profiles ask for stand in each program.
    pub(super) texts: BTreeMap<RootPath, BTreeSet<String>>,
    /// Other texts that objects were asked for, and whether they hold them.
    pub(super) held: BTreeMap<(RootPath, Vec<u8>), bool>,
    /// The process in which plug-ins of what is being added are opened: its place in [`Closure::processes`].
    pub(super) host: Option<usize>,
    /// Whether what is being added is a script of a package that its own program starts: it has no application.
    pub(super) is_kin: bool,
    /// What lies in PATH and came with a package, once somebody has asked for it.
    pub(super) commands_with_owners: OnceCell<Rc<BTreeMap<RootPath, String>>>,
    /// The root's package database, once somebody has asked for it.
    database: OnceCell<Option<Rc<dyn Packages + 'a>>>,
}

/// What is started to start one program.
#[derive(Default)]
pub(super) struct Chain {
    /// Scripts in the order in which they interpret each other, as called.
    pub(super) scripts: Vec<RootPath>,
    /// Programs in machine code, as called.
    pub(super) programs: Vec<RootPath>,
}

impl<'a> Build<'a> {
    fn new(root: &'a Root, objects: &'a Objects<'a>, request: &'a Request, closure: Closure) -> Self {
        Self {
            root,
            objects,
            request,
            conditions: request.conditions(),
            closure,
            depth: 0,
            is_sure: true,
            starters: BTreeMap::new(),
            texts: BTreeMap::new(),
            held: BTreeMap::new(),
            host: None,
            is_kin: false,
            env: request.env.clone(),
            started: BTreeSet::new(),
            commands_with_owners: OnceCell::new(),
            database: OnceCell::new(),
        }
    }

    /// Where programs are looked up.
    pub(super) fn path(&self) -> &str {
        self.env.get("PATH").map_or(super::DEFAULT_PATH, String::as_str)
    }

    /// The package database of the root, read once; `None` if it has none that is known.
    pub(super) fn database(&self) -> Result<Option<Rc<dyn Packages + 'a>>, Error> {
        if let Some(known) = self.database.get() {
            return Ok(known.clone());
        }
        let opened = package::open(self.root)?.map(Rc::from);
        Ok(self.database.get_or_init(|| opened).clone())
    }

    /// The packages that files came with; none of a root without a database.
    pub(super) fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        self.database()?.map_or_else(|| Ok(BTreeMap::new()), |database| database.owners(paths))
    }
}

impl Build<'_> {
    /// The path by which a program is called: a bare name is looked up in PATH as execvp does, without falling back
    /// to anything outside of the root.
    pub(super) fn find_program(&self, asked: &[u8]) -> Result<RootPath, Error> {
        let missing = |says: String| Error::new("entry-missing", says);
        if asked.contains(&b'/') {
            let spelled = if asked.starts_with(b"/") {
                asked.to_vec()
            } else {
                [self.conditions.cwd.as_bytes(), b"/", asked].concat()
            };
            let followed = self.root.follow(&spelled)?;
            return match (&followed.end, followed.found()) {
                (_, Some((real, meta))) => match meta.kind {
                    // `..` has a meaning only along the way: the image is told the real path then.
                    FileKind::File => Ok(RootPath::new(&spelled).unwrap_or_else(|| real.clone())),
                    FileKind::Dir => Err(Error::new("entry-is-directory", format!("{} is a directory", show(asked)))
                        .help(format!("name a program in it; to add its files use --include '{}/**'", show(&spelled)))),
                    _ => Err(Error::new("entry-not-regular", format!("{} is no regular file", show(asked)))),
                },
                (End::Loop, _) => {
                    Err(Error::new("link-loop", format!("{} leads through more than 40 links", show(asked)))
                        .help("two links probably name each other: readlink them one by one"))
                }
                (End::Missing(at), _) if at.as_bytes() != spelled => {
                    // Behind links of directories, as that of a merged /usr, the name is still the one that was asked for.
                    let is_dangling = !asked.ends_with(at.name());
                    let help = match (is_dangling, asked.starts_with(b"/")) {
                        (true, _) if !followed.hops.is_empty() => {
                            "a link on the way leads nowhere; its target may have been left in another stage"
                        }
                        (_, false) => "a relative path counts from the working directory: --workdir says which it is",
                        _ => "paths are looked up inside --root; a bare name is searched in PATH there",
                    };
                    Err(missing(format!("{} is not in the root: {at} does not exist", show(asked))).help(help))
                }
                _ => Err(missing(format!("{} is not in the root", show(asked)))
                    .help("paths are looked up inside --root; a bare name is searched in PATH there")),
            };
        }
        for dir in self.path().split(':').filter(|dir| !dir.is_empty()) {
            let candidate = [dir.as_bytes(), b"/", asked].concat();
            if self.root.follow_from(&self.conditions.cwd, &candidate)?.file().is_some() {
                let absolute = if dir.starts_with('/') {
                    candidate
                } else {
                    [self.conditions.cwd.as_bytes(), b"/", &candidate].concat()
                };
                if let Some(path) = RootPath::new(absolute) {
                    return Ok(path);
                }
            }
        }
        Err(missing(format!("{} is in no directory of PATH in the root ({})", show(asked), self.path()))
            .help("give a path such as /app/server, or --env PATH=…, or install it in the builder stage"))
    }

    /// Adds a program: a script with its interpreters, or an ELF file with its process.
    pub(super) fn program(
        &mut self,
        from: Option<&RootPath>,
        path: &RootPath,
        reason: Reason,
        chain: &mut Chain,
    ) -> Result<(), Error> {
        let cwd = self.conditions.cwd.clone();
        let Some(real) = self.closure.take(self.root, from, &cwd, path.as_bytes(), reason)? else {
            return Err(Error::new("entry-missing", format!("{path} is no file in the root")));
        };
        let head = self.root.read(&real, HEAD)?;
        let Some(shebang) = parse_shebang(path.as_bytes(), &head)? else {
            chain.programs.push(path.clone());
            return self.start(path.as_bytes(), &real);
        };
        if chain.scripts.len() == MAX_CHAIN || chain.scripts.contains(path) {
            return Err(Error::new(
                "bad-shebang",
                format!("{path} is one of more than {MAX_CHAIN} scripts that interpret each other"),
            )
            .help("the kernel gives up with \"too many levels of symbolic links\""));
        }
        chain.scripts.push(path.clone());
        let followed = self.root.follow_from(&cwd, &shebang.interpreter)?;
        if followed.file().is_none() {
            let name = show(&shebang.interpreter);
            return Err(Error::new(
                "interpreter-missing",
                format!("{path} is a script for {name}, which is not in the root"),
            )
            .help("install that interpreter in the builder stage, or change the #! line"));
        }
        let interpreter = match RootPath::new(&shebang.interpreter) {
            Some(path) => path,
            None => followed.file().map_or_else(RootPath::root, |(real, _)| real.clone()),
        };
        self.program(Some(&real), &interpreter, Reason::Shebang, chain)?;
        if let Some(command) = env_command(&shebang) {
            let found = self.find_program(&command).map_err(|error| match error.code {
                "entry-missing" => Error::new(
                    "interpreter-missing",
                    format!("{path} is a script for {}, which is in no directory of PATH in the root", show(&command)),
                )
                .help("install it in the builder stage, or give its directory by --env PATH=…"),
                _ => error,
            })?;
            self.program(Some(&real), &found, Reason::EnvCommand, chain)?;
        }
        Ok(())
    }

    /// Resolves the process of an ELF program and adds what it loads, for each CPU that loads something else too.
    fn start(&mut self, path: &[u8], real: &RootPath) -> Result<(), Error> {
        if self.closure.processes.iter().any(|started| started.process.loaded[0].path == path) {
            return Ok(());
        }
        let process = loader::load(self.objects, path, &self.conditions, None)?;
        if self.request.processes_only {
            self.closure.processes.push(Started {
                process,
                required: true,
                is_command: self.depth > 0 && !self.is_sure,
            });
            return Ok(());
        }
        self.add_process(&process, real)?;
        for audit in &process.audits {
            if let Some(library) = audit.loaded.get(audit.inherited) {
                let (path, library) = (library.path.clone(), library.real.clone());
                self.closure.take(self.root, Some(real), &self.conditions.cwd, &path, Reason::Audit)?;
                self.add_process(audit, &library)?;
                self.closure.processes.push(Started { process: audit.clone(), required: false, is_command: false });
            }
        }
        self.add_named_libraries(&process, real)?;
        let levels: BTreeSet<String> = process.variants.iter().map(|variant| variant.level.clone()).collect();
        self.closure.processes.push(Started { process, required: true, is_command: self.depth > 0 && !self.is_sure });
        if self.request.cpu.is_none() {
            for level in levels {
                let conditions = Conditions { cpu: Some(level.clone()), ..self.conditions.clone() };
                let process = loader::load(self.objects, path, &conditions, None)?;
                self.add_variant(&process, &level)?;
            }
        }
        Ok(())
    }

    /// Adds the objects of a process beyond those it inherits, what the loader reads for them, and what their notes name.
    pub(super) fn add_process(&mut self, process: &Process, subject: &RootPath) -> Result<(), Error> {
        self.add_objects(process, subject)?;
        self.add_dlopened(process)
    }

    pub(super) fn add_objects(&mut self, process: &Process, subject: &RootPath) -> Result<(), Error> {
        let cwd = self.conditions.cwd.clone();
        for object in &process.loaded[process.inherited..] {
            if matches!(object.role, Role::Interpreter | Role::Shim) {
                self.closure.take(self.root, Some(subject), &cwd, &object.path, Reason::Interpreter)?;
            }
        }
        for object in &process.loaded[process.inherited..] {
            for need in &object.needs {
                let Answer::Object { index, by, via } = &need.answer else { continue };
                let target = &process.loaded[*index];
                let reason = match by {
                    FoundBy::Preload => Reason::Preload,
                    by => Reason::Needed { name: need.name.clone(), by: *by, via: via.clone() },
                };
                self.closure.take(self.root, Some(&object.real), &cwd, &target.path, reason)?;
            }
        }
        let reader = process.loaded.iter().find(|object| object.role == Role::Interpreter);
        let reader = reader.map_or_else(|| subject.clone(), |object| object.real.clone());
        for (what, path) in &process.reads {
            // The cache is written anew by the plan, with the lines that the image has files for.
            if *what != loader::Reads::Cache {
                self.closure.take(self.root, Some(&reader), &cwd, path, Reason::LoaderReads)?;
            }
        }
        Ok(())
    }

    fn add_variant(&mut self, process: &Process, level: &str) -> Result<(), Error> {
        let cwd = self.conditions.cwd.clone();
        for object in process.loaded.iter().filter(|object| object.role == Role::Library) {
            let from = object.loader.map(|at| process.loaded[at].real.clone());
            let reason = Reason::Variant { level: level.to_owned() };
            if !self.closure.nodes.contains_key(&object.real) {
                self.closure.take(self.root, from.as_ref(), &cwd, &object.path, reason)?;
            }
        }
        Ok(())
    }
}
