//! Makes records from a plan, with the reasons of the closure and the packages of the root.

use std::collections::BTreeMap;
use std::io::Write;

use super::rows::{Kind, Package, ProcessRow, Record, Run};
use crate::closure::Closure;
use crate::digest::{Digest, HashingWriter};
use crate::error::Error;
use crate::finding::Finding;
use crate::layer::read_all;
use crate::loader::Objects;
use crate::package;
use crate::path::{RootPath, show};
use crate::plan::{Content, Item, ItemKind, Plan};
use crate::root::{Root, Source};

/// Number of bytes per read.
const READ: usize = 256 << 10;

/// A planned image with all its metadata.
pub struct Ledger<'a> {
    /// The builder's root.
    pub root: &'a Root,
    /// Why each path is in the image.
    pub closure: &'a Closure,
    /// The entries of the image.
    pub plan: &'a Plan,
    /// Problems.
    pub findings: &'a [Finding],
    /// The packages with files in the image, as the database names them.
    pub packages: Vec<Package>,
    owners: BTreeMap<RootPath, String>,
    sonames: BTreeMap<RootPath, String>,
}

impl<'a> Ledger<'a> {
    /// Combines the data about a planned image.
    ///
    /// # Errors
    /// `unreadable`, `bad-package-database`.
    pub fn new(root: &'a Root, closure: &'a Closure, plan: &'a Plan, findings: &'a [Finding]) -> Result<Self, Error> {
        let mut ledger = Self {
            root,
            closure,
            plan,
            findings,
            packages: Vec::new(),
            owners: BTreeMap::new(),
            sonames: sonames(root, closure, plan)?,
        };
        ledger.find_packages()?;
        Ok(ledger)
    }

    fn find_packages(&mut self) -> Result<(), Error> {
        let Some(database) = package::open(self.root)? else { return Ok(()) };
        let places = self.plan.items.iter().filter_map(|(path, item)| origin(path, item)).cloned();
        self.owners = database.owners(&places.collect::<Vec<_>>())?;
        let mut sums: BTreeMap<String, (usize, u64)> = BTreeMap::new();
        for (path, item) in &*self.plan.items {
            let Some(owner) = self.owner(path, item) else { continue };
            let sum = sums.entry(owner.to_owned()).or_default();
            match &item.kind {
                ItemKind::File(content) => *sum = (sum.0 + 1, sum.1 + content.size()),
                ItemKind::HardLink(_) => sum.0 += 1,
                _ => {}
            }
        }
        for (id, (files, bytes)) in sums {
            if let Some(about) = database.about(&id)? {
                self.packages.push(Package { id, about, files, bytes });
            }
        }
        Ok(())
    }

    /// The package that owns an item. Links such as /bin stand for directories that many packages share.
    fn owner(&self, path: &RootPath, item: &Item) -> Option<&str> {
        let is_shared = matches!(item.kind, ItemKind::Link(_)) && path.parent().is_some_and(|dir| dir.is_root());
        origin(path, item).filter(|_| !is_shared).and_then(|place| self.owners.get(place)).map(String::as_str)
    }

    /// The package that owns a path of the image.
    pub fn owner_of(&self, path: &RootPath) -> Option<&str> {
        self.plan.items.get(path).and_then(|item| self.owner(path, item))
    }

    /// The record of an item, without the digest of its contents.
    pub fn record(&self, path: &RootPath, item: &Item) -> Record {
        let (kind, size, target) = match &item.kind {
            ItemKind::Dir => (Kind::Dir, 0, None),
            ItemKind::Link(text) => (Kind::Link, 0, Some(show(text).into_owned())),
            ItemKind::HardLink(first) => (Kind::Hardlink, 0, Some(first.to_string())),
            ItemKind::File(content) => (Kind::File, content.size(), None),
        };
        let order = |edge: &&crate::closure::Edge| {
            (edge.reason.rank(), edge.from.clone(), edge.reason.says(edge.from.as_ref()), edge.rule)
        };
        let edge = self.closure.reasons(path).min_by_key(order);
        let (rule, because) = match edge {
            Some(edge) => (Some(edge.rule.to_owned()), Some(edge.reason.says(edge.from.as_ref()))),
            None if kind == Kind::Dir => (None, Some("a directory above packed files".to_owned())),
            None => (None, Some("made or copied by slimroot".to_owned())),
        };
        Record {
            path: path.clone(),
            kind,
            mode: format!("{:04o}", item.mode),
            uid: item.uid,
            gid: item.gid,
            size,
            digest: None,
            target,
            layer: 0,
            package: self.owner(path, item).map(str::to_owned),
            soname: self.sonames.get(path).cloned(),
            rule,
            because,
            from: edge.and_then(|edge| edge.from.as_ref()).map(ToString::to_string),
            group: edge.map(|edge| edge.reason.group()),
        }
    }

    /// All records in the order of the plan, each with its digest.
    ///
    /// # Errors
    /// `changed-while-packing`, `unreadable`, and any error of `each`.
    pub fn records(&self, each: &mut dyn FnMut(Record) -> Result<(), Error>) -> Result<(), Error> {
        for (path, item) in &*self.plan.items {
            let mut record = self.record(path, item);
            if let ItemKind::File(content) = &item.kind {
                record.digest = Some(self.digest(path, content)?.to_string());
            }
            each(record)?;
        }
        Ok(())
    }

    /// The digest of a planned file.
    pub(super) fn digest(&self, path: &RootPath, content: &Content) -> Result<Digest, Error> {
        let source = content.open(&**self.root.tree())?;
        digest_of(&*source, path, content.size())
    }

    /// Returns the run settings of the image.
    pub fn run(&self) -> Run {
        let run = self.plan.run.clone();
        Run {
            entrypoint: run.entrypoint,
            command: run.command,
            env: run.env,
            workdir: run.workdir,
            user: run.user,
            ports: run.ports,
            labels: run.labels,
            architecture: run.architecture,
            variant: run.variant,
        }
    }

    /// The processes, sorted by program.
    pub fn processes(&self) -> Vec<ProcessRow> {
        let row = |started: &crate::closure::Started| ProcessRow {
            program: started.process.subject().real.clone(),
            certainty: format!("{:?}", started.certainty).to_lowercase(),
            required: started.required,
            objects: started.own_objects().iter().map(|object| object.real.clone()).collect(),
            missing: started.process.missing.iter().map(|missing| show(&missing.name).into_owned()).collect(),
        };
        let mut rows: Vec<ProcessRow> = self.closure.processes.iter().map(row).collect();
        rows.sort_by(|a, b| (&a.program, &a.objects).cmp(&(&b.program, &b.objects)));
        rows
    }

    /// Files and bytes by the kind of their reason, the largest first.
    pub fn groups(&self) -> Vec<(String, usize, u64)> {
        group_sums(self.closure, self.plan)
    }
}

/// Files and bytes of a plan by the kind of their reason, the largest first.
pub fn group_sums(closure: &Closure, plan: &Plan) -> Vec<(String, usize, u64)> {
    let mut groups: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for (path, item) in &*plan.items {
        let ItemKind::File(content) = &item.kind else { continue };
        let sum = groups.entry(closure.group(path).unwrap_or_else(|| "made by slimroot".to_owned())).or_default();
        *sum = (sum.0 + 1, sum.1 + content.size());
    }
    let mut groups: Vec<_> = groups.into_iter().map(|(group, (files, bytes))| (group, files, bytes)).collect();
    groups.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    groups
}

/// The path of the root from which an item comes; `None` for directories, which many packages share, and for generated
/// files.
pub(crate) fn origin<'p>(path: &'p RootPath, item: &'p Item) -> Option<&'p RootPath> {
    match &item.kind {
        ItemKind::File(Content::FromRoot { path, .. }) => Some(path),
        ItemKind::Link(_) | ItemKind::HardLink(_) => Some(path),
        ItemKind::Dir | ItemKind::File(Content::Made(_)) => None,
    }
}

/// The sonames of libraries: of those that processes load, and of files named like a library.
fn sonames(root: &Root, closure: &Closure, plan: &Plan) -> Result<BTreeMap<RootPath, String>, Error> {
    let loaded = closure.processes.iter().flat_map(|started| started.own_objects());
    let mut found: BTreeMap<RootPath, String> = loaded
        .filter_map(|object| Some((object.real.clone(), show(object.elf.soname.as_deref()?).into_owned())))
        .collect();
    let objects = Objects::new(root);
    for (path, item) in &*plan.items {
        if let ItemKind::File(Content::FromRoot { path: place, .. }) = &item.kind
            && is_library_name(path)
            && !found.contains_key(path)
        {
            found.extend(soname(&objects, place)?.map(|soname| (path.clone(), soname)));
        }
    }
    Ok(found)
}

/// True for the name of a library, such as `libx.so.1`.
pub(super) fn is_library_name(path: &RootPath) -> bool {
    memchr::memmem::find(path.name(), b".so").is_some()
}

/// The soname of an ELF file; `None` for other files.
pub(super) fn soname(objects: &Objects<'_>, path: &RootPath) -> Result<Option<String>, Error> {
    let read = objects.read(path)?;
    Ok(read.elf.as_ref().ok().and_then(|elf| Some(show(elf.soname.as_deref()?).into_owned())))
}

/// The digest of an open file that has `size` bytes.
///
/// # Errors
/// `changed-while-packing` if it has fewer bytes or was written to meanwhile, `unreadable`.
pub fn digest_of(source: &dyn Source, path: &RootPath, size: u64) -> Result<Digest, Error> {
    let mut hasher = HashingWriter::new(std::io::sink());
    let mut buffer = vec![0; READ.min(usize::try_from(size).unwrap_or(READ)).max(1)];
    read_all(source, path, size, &mut buffer, &mut |bytes| {
        // Writing to a sink cannot fail.
        let _ = hasher.write_all(bytes);
        Ok(())
    })?;
    Ok(hasher.finish().1)
}
