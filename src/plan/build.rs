//! Turns a closure into a plan: adds parent directories, fixes metadata, finds hard links and writes the loader's
//! cache.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Content, Item, ItemKind, Items, Notes, Plan, RunSettings, Settings, tree::PlannedTree, user};
use crate::closure::{Closure, NodeKind, Request, Started};
use crate::elf::machine_name;
use crate::error::Error;
use crate::loader::{self, CACHE_PATH, Cache, Objects, Process, Reads};
use crate::path::{RootPath, show};
use crate::root::{FileKind, Meta, Root};

/// Maximum size of a cache that is read.
const MAX_CACHE: usize = 64 << 20;
/// File capabilities are the only extended attribute that programs need. The others describe the builder's disk (labels
/// of its security module, overlayfs data) or serve the user's own tools.
const KEPT_XATTR: &[u8] = b"security.capability";
/// The prefix of names that mark deleted files (OCI image specification, layer.md, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";
/// Mode of directories that do not exist in the root.
const MADE_DIR: u32 = 0o755;

impl Plan {
    /// Plans the image of a closure.
    ///
    /// # Errors
    /// `bad-argument` for an unknown user, `mixed-architectures`, `unreadable`, and `internal` if a program resolves
    /// differently in the image than in the root.
    pub fn build(
        objects: &Objects<'_>,
        request: &Request,
        closure: &Closure,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let root = objects.root();
        let mut plan = Self { epoch: settings.epoch, ..Self::default() };
        plan.add_nodes(root, closure)?;
        for (from, to) in &request.copies {
            plan.copy(root, from, to)?;
        }
        plan.strip(objects, closure, settings.strip)?;
        plan.add_workdir(root, settings)?;
        if reads_cache(closure) {
            plan.add_cache(root, closure)?;
        }
        plan.run = run_settings(root, request, closure, settings, &plan)?;
        plan.add_volumes(root, settings)?;
        plan.map_owners(&settings.owners);
        plan.note_kept(closure);
        plan.prove(root, closure)?;
        Ok(plan)
    }

    fn add_nodes(&mut self, root: &Root, closure: &Closure) -> Result<(), Error> {
        let mut first_names: HashMap<(u64, u64), RootPath> = HashMap::new();
        for (path, node) in closure.graph.nodes().iter() {
            self.add_parents(root, path)?;
            if path.is_root() {
                continue;
            }
            if path.name().starts_with(WHITEOUT) {
                let says =
                    format!("the name of {path} marks a deleted file in a layer, so engines would not unpack it");
                return Err(Error::new("whiteout-name", says).help(format!("leave it out with --exclude '{path}'")));
            }
            let item = match node {
                NodeKind::Dir(meta) => self.settled(root, path, meta, ItemKind::Dir)?,
                NodeKind::Link(meta, text) => Item::new(ItemKind::Link(text.to_vec()), 0o777, (meta.uid, meta.gid)),
                NodeKind::MadeDir { mode, owner } => Item::new(ItemKind::Dir, *mode, *owner),
                NodeKind::MadeFile { mode, bytes } => {
                    Item::new(ItemKind::File(Content::Made(Arc::clone(bytes))), *mode, (0, 0))
                }
                NodeKind::File(meta) => {
                    let first = if meta.links > 1 {
                        first_names.entry(meta.identity).or_insert_with(|| path.clone())
                    } else {
                        path
                    };
                    let kind = if first != path {
                        ItemKind::HardLink(first.clone())
                    } else {
                        ItemKind::File(Content::FromRoot {
                            path: path.clone(),
                            size: meta.size,
                            stamp: meta.stamp,
                            stripped: None,
                        })
                    };
                    self.settled(root, path, meta, kind)?
                }
            };
            self.items_mut().insert(path.clone(), item);
        }
        Ok(())
    }

    /// Removes debug sections and symbol tables from the resolved ELF files, or only measures them.
    fn strip(&mut self, objects: &Objects<'_>, closure: &Closure, does_it: bool) -> Result<(), Error> {
        let loaded = closure.processes.iter().flat_map(|started| &started.process.loaded).map(|object| &object.real);
        let known: BTreeSet<&RootPath> = loaded.chain(closure.entries.iter().map(|entry| &entry.real)).collect();
        for item in Arc::make_mut(&mut self.items).values_mut() {
            let ItemKind::File(Content::FromRoot { path, size, stripped, .. }) = &mut item.kind else { continue };
            if !known.contains(path) {
                continue;
            }
            let Some(found) = objects.stripped(path)? else { continue };
            self.notes.strippable += size.saturating_sub(found.size());
            if does_it {
                *stripped = Some(Arc::new(found));
            }
        }
        Ok(())
    }

    /// An item with the mode, the owner and the kept attributes of a path in the root.
    pub(super) fn settled(&mut self, root: &Root, path: &RootPath, meta: &Meta, kind: ItemKind) -> Result<Item, Error> {
        let mut item = Item::new(kind, meta.mode, (meta.uid, meta.gid));
        if meta.kind == FileKind::File {
            for (name, value) in root.tree().xattrs(path)? {
                if name == KEPT_XATTR {
                    item.xattrs.push((name, value));
                } else {
                    *self.notes.dropped_xattrs.entry(show(&name).into_owned()).or_default() += 1;
                }
            }
        }
        Ok(item)
    }

    pub(super) fn add_parents(&mut self, root: &Root, path: &RootPath) -> Result<(), Error> {
        // Upwards, until one is known: in deep directories nearly all are.
        let is_new = |dir: &RootPath| !dir.is_root() && !self.items.contains_key(dir);
        let above = std::iter::successors(path.parent(), RootPath::parent);
        let mut missing: Vec<RootPath> = above.take_while(is_new).collect();
        while let Some(above) = missing.pop() {
            let item = match root.meta(&above)?.filter(|meta| meta.kind == FileKind::Dir) {
                Some(meta) => self.settled(root, &above, &meta, ItemKind::Dir)?,
                None => Item::new(ItemKind::Dir, MADE_DIR, (0, 0)),
            };
            self.items_mut().insert(above, item);
        }
        Ok(())
    }

    /// Adds the working directory. Otherwise the runtime would create it with another owner.
    fn add_workdir(&mut self, root: &Root, settings: &Settings) -> Result<(), Error> {
        let Some(workdir) = &settings.workdir else { return Ok(()) };
        self.add_dir(root, workdir, (0, 0))
    }

    /// Adds the directories of volumes. An engine would create them as root, and the program could not write to them.
    fn add_volumes(&mut self, root: &Root, settings: &Settings) -> Result<(), Error> {
        let (uid, gid) = self.run.user.split_once(':').unwrap_or((&self.run.user, "0"));
        let owner = (uid.parse().unwrap_or(0), gid.parse().unwrap_or(0));
        settings.volumes.iter().try_for_each(|volume| self.add_dir(root, volume, owner))
    }

    /// Adds a directory as the root has it, or with this owner. Symlinks of the image on the path are followed.
    fn add_dir(&mut self, root: &Root, dir: &RootPath, owner: (u32, u32)) -> Result<(), Error> {
        if dir.is_root() {
            return Ok(());
        }
        let mut place = RootPath::root();
        for part in dir.relative().split(|b| *b == b'/') {
            place = match PlannedTree::new(self, root.tree()).followed(&place.join(part))? {
                Some(real) => real,
                None => {
                    let made = place.join(part);
                    self.add_parents(root, &made)?;
                    let meta = root.meta(&made)?.filter(|meta| meta.kind == FileKind::Dir);
                    let item = meta.map_or_else(
                        || Item::new(ItemKind::Dir, MADE_DIR, if made == *dir { owner } else { (0, 0) }),
                        |meta| Item::new(ItemKind::Dir, meta.mode, (meta.uid, meta.gid)),
                    );
                    self.items_mut().insert(made.clone(), item);
                    made
                }
            };
        }
        Ok(())
    }

    /// Adds the loader's cache: the builder's entries whose files are in the image, in the same order.
    fn add_cache(&mut self, root: &Root, closure: &Closure) -> Result<(), Error> {
        let Some((real, bytes)) = root.read_followed(CACHE_PATH, MAX_CACHE)? else { return Ok(()) };
        let Some(little) = target(closure).map(|target| target.little_endian) else { return Ok(()) };
        let Some(cache) = Cache::parse(&bytes, little) else { return Ok(()) };
        let mut kept = Vec::new();
        for entry in &cache.entries {
            let Some(value) = &entry.value else { continue };
            let followed = root.follow(value)?;
            let is_packed = followed.file().is_some_and(|(real, _)| self.items.contains_key(real))
                && followed.hops.iter().all(|hop| self.items.contains_key(&hop.link));
            if is_packed && entry.key.is_some() {
                kept.push(entry);
            }
        }
        let made = Content::Made(Cache::write(&kept, little).into());
        for hop in root.follow(CACHE_PATH)?.hops {
            self.add_parents(root, &hop.link)?;
            self.items_mut().insert(hop.link, Item::new(ItemKind::Link(hop.text), 0o777, (0, 0)));
        }
        self.add_parents(root, &real)?;
        self.items_mut().insert(real, Item::new(ItemKind::File(made), 0o644, (0, 0)));
        Ok(())
    }

    /// The items, to be changed. No planned tree shares them meanwhile, so they are not copied.
    pub(super) fn items_mut(&mut self) -> &mut Items {
        Arc::make_mut(&mut self.items)
    }

    fn note_kept(&mut self, closure: &Closure) {
        const SET_ID: u32 = 0o6000;
        for (path, item) in &*self.items {
            if matches!(item.kind, ItemKind::File(_)) {
                if item.mode & SET_ID != 0 {
                    self.notes.set_id.push(path.clone());
                }
                if !item.xattrs.is_empty() {
                    self.notes.capabilities.push(path.clone());
                }
            }
        }
        self.notes.not_packed = closure.not_packed.iter().cloned().collect();
    }

    /// Resolves all processes again in the planned tree. A different result is a bug in slimroot, and the image is not
    /// written.
    fn prove(&self, root: &Root, closure: &Closure) -> Result<(), Error> {
        let planned = Root::new(Arc::new(PlannedTree::new(self, root.tree())));
        let objects = Objects::new(&planned);
        for Started { process, conditions, .. } in
            closure.processes.iter().filter(|started| started.process.inherited == 0)
        {
            let entry = &process.loaded[0].path;
            let again = loader::load(&objects, entry, conditions, None)?;
            if answers(&again) != answers(process) {
                let differs = answers(process)
                    .into_iter()
                    .find(|(name, path)| answers(&again).get(name) != Some(path))
                    .map_or_else(String::new, |(name, _)| format!(": {}", show(&name)));
                let says = format!("{} would load other files in the image than in the root{differs}", show(entry));
                return Err(
                    Error::new("internal", says).help("please report this bug with the output of slimroot deps")
                );
            }
        }
        Ok(())
    }
}

/// All names that a process looks up, with the files that were found.
fn answers(process: &Process) -> BTreeMap<Vec<u8>, Option<RootPath>> {
    let mut found = BTreeMap::new();
    for object in &process.loaded {
        for need in &object.needs {
            let answer = match &need.answer {
                loader::Answer::Object { index, .. } => Some(process.loaded[*index].real.clone()),
                _ => None,
            };
            found.insert([object.path.as_slice(), b" needs ", &need.name].concat(), answer);
        }
    }
    found
}

fn reads_cache(closure: &Closure) -> bool {
    let reads = |started: &Started| started.process.reads.iter().any(|(what, _)| *what == Reads::Cache);
    closure.processes.iter().any(reads)
}

fn target(closure: &Closure) -> Option<crate::elf::Target> {
    closure.processes.iter().find(|started| started.required).map(|started| started.process.loaded[0].elf.target)
}

fn run_settings(
    root: &Root,
    request: &Request,
    closure: &Closure,
    settings: &Settings,
    plan: &Plan,
) -> Result<RunSettings, Error> {
    let mut targets = closure.processes.iter().filter(|started| started.required);
    let first = targets.next();
    if let Some(first) = first
        && let Some(other) = targets
            .find(|started| started.process.loaded[0].elf.target.machine != first.process.loaded[0].elf.target.machine)
    {
        let (a, b) = (&first.process.loaded[0], &other.process.loaded[0]);
        let says = format!(
            "{} is built for {}, but {} for {}",
            show(&a.path),
            machine_name(a.elf.target.machine),
            show(&b.path),
            machine_name(b.elf.target.machine)
        );
        return Err(Error::new("mixed-architectures", says).help("pack each into its own image"));
    }
    let (architecture, variant) = first.map_or(("unknown", ""), |first| platform(&first.process.loaded[0].elf.target));
    let mut env: BTreeMap<String, String> = closure.env.clone();
    env.insert("PATH".to_owned(), crate::closure::DEFAULT_PATH.to_owned());
    env.extend(request.env.clone());
    let (entrypoint, command) = command(request, closure, settings.command_words);
    Ok(RunSettings {
        entrypoint,
        command,
        env,
        workdir: settings.workdir.as_ref().map(|path| show(path.as_bytes()).into_owned()).unwrap_or_default(),
        user: user::choose(root, closure, settings, plan)?,
        ports: settings.ports.clone(),
        labels: settings.labels.clone(),
        architecture: architecture.to_owned(),
        variant: variant.to_owned(),
        volumes: settings.volumes.iter().map(|path| show(path.as_bytes()).into_owned()).collect(),
        details: settings.details.clone(),
    })
}

/// Entrypoint and Cmd. A replaced command (`npm start`) is no longer split: all of it becomes the entrypoint.
fn command(request: &Request, closure: &Closure, command_words: usize) -> (Vec<String>, Vec<String>) {
    let Some(entry) = closure.entries.first() else { return (Vec::new(), Vec::new()) };
    let is_as_asked = entry.asked == request.entry && entry.args == request.args;
    let program = show(entry.path.as_bytes()).into_owned();
    let mut words: Vec<String> = std::iter::once(program).chain(entry.args.iter().cloned()).collect();
    let fixed = match (1 + request.args.len()).saturating_sub(command_words) {
        0 => 0,
        fixed if is_as_asked => fixed,
        _ => words.len(),
    };
    let command = words.split_off(fixed);
    (words, command)
}

/// Architecture and variant by their Go names, as the image specification requires (config.md, "architecture").
pub fn platform(target: &crate::elf::Target) -> (&'static str, &'static str) {
    const ARM_HARD: u32 = 0x400;
    let is_64 = target.class == crate::elf::Class::Elf64;
    match (machine_name(target.machine).as_str(), is_64, target.little_endian) {
        ("x86_64", ..) => ("amd64", ""),
        ("i386", ..) => ("386", ""),
        ("aarch64", ..) => ("arm64", ""),
        ("arm", ..) if target.flags & ARM_HARD != 0 => ("arm", "v7"),
        ("arm", ..) => ("arm", "v5"),
        ("riscv", true, _) => ("riscv64", ""),
        ("ppc64", _, true) => ("ppc64le", ""),
        ("ppc64", _, false) => ("ppc64", ""),
        ("s390", true, _) => ("s390x", ""),
        ("mips", true, true) => ("mips64le", ""),
        ("mips", true, false) => ("mips64", ""),
        ("mips", false, true) => ("mipsle", ""),
        ("mips", false, false) => ("mips", ""),
        ("loongarch", true, _) => ("loong64", ""),
        _ => ("unknown", ""),
    }
}

impl Item {
    pub(super) fn new(kind: ItemKind, mode: u32, (uid, gid): (u32, u32)) -> Self {
        Self { kind, mode, uid, gid, xattrs: Vec::new() }
    }
}

impl Notes {
    /// True if there are no notes.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}
