//! The root: the builder's file system, in which everything is looked up and which lookups never leave.
//!
//! A [`Tree`] answers queries about real paths. [`Root`] adds operations common to all trees: following symlinks with a
//! record of each ([`Root::follow`]), and glob patterns ([`Root::matching`]).

mod dir;
mod follow;
mod glob;
mod mem;
mod stand_in;
mod tree;
mod visit;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;

pub use dir::DirTree;
pub use follow::{End, Followed, Hop};
pub use glob::{GlobSet, RootGlob};
pub use mem::{MemSource, MemTree};
pub use stand_in::StandIn;
pub use tree::{FileKind, Meta, Source, Tree, Xattr};
pub use visit::Visit;

use crate::error::Error;
use crate::path::RootPath;

/// A tree with a cache. Each path is queried once per run, so the answers are consistent.
pub struct Root {
    tree: Arc<dyn Tree>,
    metas: RefCell<Metas>,
    links: RefCell<HashMap<RootPath, Vec<u8>, RandomState>>,
    /// Directories whose paths contain no symlinks.
    walked: RefCell<HashSet<Vec<u8>, RandomState>>,
    /// The names in directories in which many names are looked up, by the path of the directory as spelled.
    names: RefCell<HashMap<Vec<u8>, Option<Names>>>,
    unread: RefCell<BTreeSet<(RootPath, String)>>,
}

/// The names in a directory.
type Names = HashSet<Vec<u8>, RandomState>;

/// Metadata by path. The hash table is sparse, so it contains only indexes.
#[derive(Default)]
struct Metas {
    /// Indexes in `known`; `None` for a path that does not exist.
    places: HashMap<RootPath, Option<u32>, RandomState>,
    known: Vec<Meta>,
}

/// Reads that end before this offset count as reads of the head of a file.
const HEAD: usize = 4096;

/// Directory entries that this process has read.
static LOOKED_AT: AtomicU64 = AtomicU64::new(0);

/// The number of directory entries that this process has read, for progress messages.
pub fn looked_at() -> u64 {
    LOOKED_AT.load(Ordering::Relaxed)
}

impl Root {
    /// Opens a directory of the host.
    ///
    /// # Errors
    /// `root-missing` or `unreadable`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self::new(Arc::new(DirTree::open(path.as_ref())?)))
    }

    /// Uses any tree as a root.
    pub fn new(tree: Arc<dyn Tree>) -> Self {
        let (metas, links, walked, names) = Default::default();
        Self { tree, metas, links, walked, names, unread: RefCell::default() }
    }

    /// The underlying tree, for threads that only use real paths.
    pub fn tree(&self) -> &Arc<dyn Tree> {
        &self.tree
    }

    /// The metadata of the entry at a real path; see [`Tree::meta`].
    ///
    /// # Errors
    /// `unreadable`.
    pub fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        if self.tree.is_in_memory() {
            return self.tree.meta(path);
        }
        match self.cached(path) {
            Some((_, meta)) => Ok(meta),
            None => self.asked(path),
        }
    }

    /// The metadata of the entry at a real path, and the path as the cache has it. A caller that keeps the path shares
    /// its bytes with the cache.
    fn shared_meta(&self, path: RootPath) -> Result<(RootPath, Option<Meta>), Error> {
        if self.tree.is_in_memory() {
            let meta = self.tree.meta(&path)?;
            return Ok((path, meta));
        }
        if let Some(known) = self.cached(&path) {
            return Ok(known);
        }
        let meta = self.asked(&path)?;
        Ok((path, meta))
    }

    fn cached(&self, path: &RootPath) -> Option<(RootPath, Option<Meta>)> {
        let metas = self.metas.borrow();
        let (path, place) = metas.places.get_key_value(path)?;
        Some((path.clone(), place.and_then(|place| metas.known.get(place as usize).copied())))
    }

    fn asked(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        let meta = self.tree.meta(path)?;
        LOOKED_AT.fetch_add(1, Ordering::Relaxed);
        let mut metas = self.metas.borrow_mut();
        let place = u32::try_from(metas.known.len());
        if let Ok(place) = place {
            metas.places.insert(path.clone(), meta.map(|_| place));
            metas.known.extend(meta);
        }
        Ok(meta)
    }

    /// Clears the cached metadata. Earlier results keep theirs, and a file that changes meanwhile is detected when it
    /// is read.
    pub fn forget(&self) {
        self.metas.replace(Metas::default());
        self.names.take();
    }

    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error> {
        if let Some(known) = self.links.borrow().get(path) {
            return Ok(known.clone());
        }
        let text = self.tree.link_text(path)?;
        self.links.borrow_mut().insert(path.clone(), text.clone());
        Ok(text)
    }

    /// The names in the directory at a real path, sorted.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn list(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        self.tree.list(path)
    }

    /// False if the directory at an absolute path has no entry with this name, or does not exist. For directories in
    /// which many names are looked up, such as those of PATH: each is listed once.
    ///
    /// # Errors
    /// `unreadable` if a component of the path cannot be accessed. A directory that cannot be listed may have the name.
    pub fn may_have(&self, dir: &[u8], name: &[u8]) -> Result<bool, Error> {
        if let Some(known) = self.names.borrow().get(dir) {
            return Ok(known.as_ref().is_none_or(|names| names.contains(name)));
        }
        let names = match self.follow(dir)?.dir() {
            Some(real) => self.list(real).ok().map(|names| names.into_iter().collect::<Names>()),
            None => Some(Names::default()),
        };
        let may_have = names.as_ref().is_none_or(|names| names.contains(name));
        self.names.borrow_mut().insert(dir.to_vec(), names);
        Ok(may_have)
    }

    /// Opens the regular file at a real path.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn open_file(&self, path: &RootPath) -> Result<Box<dyn Source>, Error> {
        self.tree.open(path)
    }

    /// The contents of the regular file at a real path, at most `limit` bytes. The file is [unread](Self::unread) if it
    /// has more, unless the limit is so low that the caller reads only the head.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn read(&self, path: &RootPath, limit: usize) -> Result<Vec<u8>, Error> {
        let source = self.tree.open(path)?;
        let size = source.meta().size;
        if size > limit as u64 && limit >= HEAD {
            self.leave_unread(path, format!("it has {size} bytes, of which slimroot reads the first {limit}"));
        }
        Self::start_of(path, &*source, limit)
    }

    /// The first bytes of the regular file at a real path, for callers that need no more.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn head(&self, path: &RootPath, length: usize) -> Result<Vec<u8>, Error> {
        Self::start_of(path, &*self.tree.open(path)?, length)
    }

    fn start_of(path: &RootPath, source: &dyn Source, length: usize) -> Result<Vec<u8>, Error> {
        let size = usize::try_from(source.meta().size).unwrap_or(usize::MAX).min(length);
        let mut bytes = vec![0; size];
        let read = source.read_at(0, &mut bytes).map_err(|error| Error::unreadable(path, error))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Follows `path` and reads the regular file there; `None` if there is none.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn read_followed(&self, path: &[u8], limit: usize) -> Result<Option<(RootPath, Vec<u8>)>, Error> {
        match self.follow(path)?.file() {
            Some((real, _)) => Ok(Some((real.clone(), self.read(real, limit)?))),
            None => Ok(None),
        }
    }

    /// Follows `path` and reads the first bytes of the regular file there; `None` if there is none.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn head_followed(&self, path: &[u8], length: usize) -> Result<Option<(RootPath, Vec<u8>)>, Error> {
        match self.follow(path)?.file() {
            Some((real, _)) => Ok(Some((real.clone(), self.head(real, length)?))),
            None => Ok(None),
        }
    }

    /// True for a file that is smaller than the limit; the others are [unread](Self::unread).
    pub fn is_within(&self, path: &RootPath, meta: &Meta, limit: usize) -> bool {
        let is_within = meta.size < limit as u64;
        if !is_within {
            self.leave_unread(
                path,
                format!("it has {} bytes: slimroot reads no file of {limit} bytes or more", meta.size),
            );
        }
        is_within
    }

    /// Records that a limit kept something from being read; `says` is a sentence without its subject, the path.
    pub fn leave_unread(&self, path: &RootPath, says: impl Into<String>) {
        self.unread.borrow_mut().insert((path.clone(), says.into()));
    }

    /// Files that were not read, or not completely, because of a limit, sorted; with the limit as a clause.
    pub fn unread(&self) -> Vec<(RootPath, String)> {
        self.unread.borrow().iter().cloned().collect()
    }
}
