//! Makes inventories: of a planned image, with the closure's relations, and of any directory or unpacked image.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use sha1::Digest as _;

use super::inventory::{Component, Distribution, Hashes, Inventory};
use super::languages;
use crate::closure::Reason;
use crate::digest::HashingWriter;
use crate::error::Error;
use crate::ledger::{Ledger, entries_of};
use crate::package;
use crate::path::RootPath;
use crate::plan::PlannedTree;
use crate::root::{FileKind, Root};

/// Maximum number of entries of a tree.
const MAX_ENTRIES: usize = 4_000_000;
/// Directories of licences and documentation.
const DOCUMENTS: [&str; 2] = ["/usr/share/doc/", "/usr/share/licenses/"];
/// Number of bytes per read.
const READ: usize = 256 << 10;

impl Inventory {
    /// The inventory of a planned image.
    ///
    /// # Errors
    /// `unreadable`, `changed-while-packing`, `bad-package-database`.
    pub fn of_ledger(name: &str, ledger: &Ledger<'_>) -> Result<Self, Error> {
        let image = Root::new(Arc::new(PlannedTree::new(ledger.plan, ledger.root.tree())));
        let distro = Distribution::of(ledger.root)?;
        let mut found = Self { name: name.to_owned(), epoch: ledger.plan.epoch, distro, ..Self::default() };
        let paths: Vec<RootPath> = ledger.plan.items.keys().cloned().collect();
        found.files = hashed(&image, &paths)?;
        let mut components: Vec<Component> = Vec::new();
        for package in &ledger.packages {
            let mut component = Component::of_package(&package.about, &found.distro);
            let is_own = |path: &&RootPath| ledger.owner_of(path) == Some(package.id.as_str());
            component.files = found.files.keys().filter(is_own).cloned().collect();
            // As in the records of the image: these packages contain nothing that could be vulnerable.
            if !component.files.iter().all(is_document) {
                components.push(component);
            }
        }
        components.extend(languages::found(&image, &found.files)?);
        found.set_components(components);
        found.relate(ledger);
        Ok(found)
    }

    /// Relations from the reasons of the closure.
    fn relate(&mut self, ledger: &Ledger<'_>) {
        let owners = self.owners();
        let (mut depends, mut links) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for edge in ledger.closure.graph().edges() {
            let Some(from) = &edge.from else { continue };
            if let (Some(a), Some(b)) = (owners.get(from), owners.get(&edge.to))
                && a != b
            {
                depends.insert((*a, *b));
            }
            let is_link = matches!(&*edge.reason, Reason::Needed { .. } | Reason::Interpreter);
            if is_link && self.files.contains_key(from) && self.files.contains_key(&edge.to) {
                links.insert((from.clone(), edge.to.clone()));
            }
        }
        (self.depends, self.links) = (depends, links);
    }

    /// The inventory of a directory or an unpacked image.
    ///
    /// # Errors
    /// `unreadable`, `bad-package-database`, `bad-argument` for too many entries.
    pub fn of_tree(name: &str, epoch: u64, root: &Root) -> Result<Self, Error> {
        let Some(entries) = entries_of(root, MAX_ENTRIES)? else {
            return Err(Error::new("bad-argument", format!("{name} has more than {MAX_ENTRIES} entries"))
                .help("give the directory of an image, not of a whole machine"));
        };
        let mut found = Self { name: name.to_owned(), epoch, distro: Distribution::of(root)?, ..Self::default() };
        let paths: Vec<RootPath> = entries.into_iter().map(|(path, _)| path).collect();
        found.files = hashed(root, &paths)?;
        let mut components = Vec::new();
        if let Some(database) = package::recorded(root)? {
            let files: Vec<RootPath> = found.files.keys().cloned().collect();
            let owners = database.owners(&files)?;
            let mut of: BTreeMap<String, Component> = BTreeMap::new();
            for id in database.names() {
                if let Some(about) = database.about(&id)? {
                    of.insert(id, Component::of_package(&about, &found.distro));
                }
            }
            for (path, owner) in owners {
                if let Some(component) = of.get_mut(&owner) {
                    component.files.insert(path);
                }
            }
            components.extend(of.into_values());
        }
        components.extend(languages::found(root, &found.files)?);
        found.set_components(components);
        Ok(found)
    }
}

/// True for licences and documentation.
pub(crate) fn is_document(path: &RootPath) -> bool {
    DOCUMENTS.iter().any(|dir| path.as_bytes().starts_with(dir.as_bytes()))
}

/// The digests of all regular files among these paths.
fn hashed(root: &Root, paths: &[RootPath]) -> Result<BTreeMap<RootPath, Hashes>, Error> {
    let mut found = BTreeMap::new();
    let mut buffer = vec![0; READ];
    for path in paths {
        let Some(meta) = root.tree().meta(path)?.filter(|meta| meta.kind == FileKind::File) else { continue };
        let source = root.open_file(path)?;
        let (mut sha1, mut sha256) = (sha1::Sha1::new(), HashingWriter::new(std::io::sink()));
        let mut at = 0;
        while at < meta.size {
            let read = source.read_at(at, &mut buffer).map_err(|error| Error::unreadable(path, error))?;
            if read == 0 {
                return Err(crate::plan::changed(path));
            }
            sha1.update(&buffer[..read]);
            // Writing to a sink cannot fail.
            let _ = sha256.write_all(&buffer[..read]);
            at += read as u64;
        }
        let sha1 = sha1.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        found.insert(path.clone(), Hashes { sha1, sha256: sha256.finish().1.hex() });
    }
    Ok(found)
}
