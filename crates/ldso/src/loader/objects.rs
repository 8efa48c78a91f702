//! ELF files found by searches. Each is read once, regardless of how many entries need it. The mapping from names to
//! files is not cached here, because it belongs to one process.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::cache::Cache;
use super::constants::{LoaderConstants, read_constants};
use super::glibc::Subdir;
use super::{CACHE_PATH, Loaded};
use crate::elf::{self, BuildInfo, Bytes, ElfObject, Malformed, Stripped, Symbols, Target, Versions};
use slimroot_rootfs::error::Error;
use slimroot_rootfs::path::RootPath;
use slimroot_rootfs::root::{Root, Source};

/// Maximum size of the loader's cache.
const MAX_CACHE: usize = 64 << 20;
/// Size of an ELF file header.
const HEAD: usize = 64;
/// Size of the first read.
const FIRST: usize = 4096;
/// Maximum size of a loader that is read for its constants; real ones have a quarter of a megabyte.
const MAX_LOADER: usize = 16 << 20;

/// Maximum memory for imported names that are kept, in bytes. Those of further objects are read again each time.
const MAX_IMPORTS: usize = 16 << 20;

/// A file parsed as ELF.
#[derive(Debug)]
pub struct Read {
    /// The first bytes.
    pub head: Vec<u8>,
    /// The object, or the reason why it is not usable.
    pub elf: Result<Arc<ElfObject>, Malformed>,
    /// Its version tables, or why they cannot be read; empty for a file that is not an ELF object.
    pub versions: Result<Versions, Malformed>,
}

/// ELF files of a root, read once.
pub struct Objects<'r> {
    root: &'r Root,
    read: RefCell<HashMap<RootPath, Rc<Read>>>,
    imports: RefCell<HashMap<RootPath, Rc<Vec<Vec<u8>>>>>,
    /// Memory of `imports`.
    imports_size: Cell<usize>,
    constants: RefCell<HashMap<RootPath, Rc<LoaderConstants>>>,
    /// The loader's cache by byte order.
    cache: RefCell<HashMap<bool, Option<Rc<Cache>>>>,
    subdirs: RefCell<HashMap<Searched, Rc<Vec<Subdir>>>>,
    hosts: RefCell<Option<HostNames>>,
}

/// A directory of a search: its path, the working directory from which it counts, and the loader that searches it.
type Searched = (Vec<u8>, RootPath, Target, *const LoaderConstants);

/// The names of a process in which plug-ins are opened, each with the first object that has it. Many names are tried in
/// one process before the next, so only the last process is cached.
struct HostNames {
    loaded: Vec<Rc<Loaded>>,
    names: Rc<HashMap<Vec<u8>, usize>>,
}

/// A file whose first page is already in memory, which contains the headers and notes of nearly every object.
struct SourceBytes<'a> {
    source: &'a dyn Source,
    first: &'a [u8],
}

impl Bytes for SourceBytes<'_> {
    fn size(&self) -> u64 {
        self.source.meta().size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match from.checked_add(buffer.len()).and_then(|end| self.first.get(from..end)) {
            Some(known) => {
                buffer.copy_from_slice(known);
                Ok(known.len())
            }
            None => self.source.read_at(offset, buffer),
        }
    }
}

impl<'r> Objects<'r> {
    /// An empty cache for this root.
    pub fn new(root: &'r Root) -> Self {
        Self {
            root,
            read: RefCell::default(),
            imports: RefCell::default(),
            imports_size: Cell::default(),
            constants: RefCell::default(),
            cache: RefCell::default(),
            subdirs: RefCell::default(),
            hosts: RefCell::default(),
        }
    }

    /// The loader's cache, parsed once for each byte order.
    ///
    /// # Errors
    /// `unreadable`.
    pub(super) fn cache(&self, little_endian: bool) -> Result<Option<Rc<Cache>>, Error> {
        if let Some(known) = self.cache.borrow().get(&little_endian) {
            return Ok(known.clone());
        }
        let read = self.root.read_followed(CACHE_PATH, MAX_CACHE)?;
        let cache = read.and_then(|(_, bytes)| Cache::parse(&bytes, little_endian)).map(Rc::new);
        self.cache.borrow_mut().insert(little_endian, cache.clone());
        Ok(cache)
    }

    /// The subdirectories of a searched directory, found once for each loader and target. The loader's constants are
    /// kept here, so that their address identifies them.
    ///
    /// # Errors
    /// Those of `find`.
    pub(super) fn subdirs(
        &self,
        (dir, cwd): (&[u8], &RootPath),
        (target, constants): (Target, &Rc<LoaderConstants>),
        find: impl FnOnce() -> Result<Vec<Subdir>, Error>,
    ) -> Result<Rc<Vec<Subdir>>, Error> {
        let cwd = if dir.starts_with(b"/") { RootPath::root() } else { cwd.clone() };
        let key = (dir.to_vec(), cwd, target, Rc::as_ptr(constants));
        if let Some(known) = self.subdirs.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let found = Rc::new(find()?);
        self.subdirs.borrow_mut().insert(key, Rc::clone(&found));
        Ok(found)
    }

    /// The names of the objects of a process, each with the first object that has it.
    pub(super) fn names(&self, loaded: &[Rc<Loaded>]) -> Rc<HashMap<Vec<u8>, usize>> {
        let is_same = |known: &HostNames| {
            known.loaded.len() == loaded.len() && known.loaded.iter().zip(loaded).all(|(a, b)| Rc::ptr_eq(a, b))
        };
        if let Some(known) = self.hosts.borrow().as_ref().filter(|known| is_same(known)) {
            return Rc::clone(&known.names);
        }
        let mut names = HashMap::new();
        for (index, object) in loaded.iter().enumerate() {
            for name in object.all_names() {
                names.entry(name.to_vec()).or_insert(index);
            }
        }
        let names = Rc::new(names);
        *self.hosts.borrow_mut() = Some(HostNames { loaded: loaded.to_vec(), names: Rc::clone(&names) });
        names
    }

    /// The root that files are read from.
    pub fn root(&self) -> &'r Root {
        self.root
    }

    /// Parses the file at a real path as ELF.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn read(&self, real: &RootPath) -> Result<Rc<Read>, Error> {
        if let Some(known) = self.read.borrow().get(real) {
            return Ok(Rc::clone(known));
        }
        let source = self.root.open_file(real)?;
        let mut first = [0; FIRST];
        let wanted = usize::try_from(source.meta().size).unwrap_or(FIRST).min(FIRST);
        let length = source.read_at(0, &mut first[..wanted]).map_err(|error| Error::unreadable(real, error))?;
        let first = &first[..length];
        let bytes = SourceBytes { source: &*source, first };
        let elf = elf::parse(&bytes).map(Arc::new);
        let versions = elf.as_ref().map_or_else(|_| Ok(Versions::default()), |elf| elf::parse_versions(&bytes, elf));
        let head = first[..length.min(HEAD)].to_vec();
        let read = Rc::new(Read { head, elf, versions });
        self.read.borrow_mut().insert(real.clone(), Rc::clone(&read));
        Ok(read)
    }

    /// Names that the ELF file at a real path imports; empty if it is not ELF or its tables are damaged.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn imports(&self, real: &RootPath) -> Result<Rc<Vec<Vec<u8>>>, Error> {
        if let Some(known) = self.imports.borrow().get(real) {
            return Ok(Rc::clone(known));
        }
        let read = self.read(real)?;
        let Ok(elf) = &read.elf else { return Ok(Rc::default()) };
        let source = self.root.open_file(real)?;
        let names = elf::parse_imports(&SourceBytes { source: &*source, first: &[] }, elf).unwrap_or_default();
        let names = Rc::new(names);
        let size = names.iter().map(|name| name.len() + size_of::<Vec<u8>>()).sum::<usize>() + self.imports_size.get();
        if size <= MAX_IMPORTS {
            self.imports_size.set(size);
            self.imports.borrow_mut().insert(real.clone(), Rc::clone(&names));
        }
        Ok(names)
    }

    /// The build information of the program at a real path.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn build_info(&self, real: &RootPath) -> Result<Option<BuildInfo>, Error> {
        let read = self.read(real)?;
        let Ok(elf) = &read.elf else { return Ok(None) };
        let source = self.root.open_file(real)?;
        Ok(elf::parse_build_info(&SourceBytes { source: &*source, first: &[] }, elf))
    }

    /// The ELF file at a real path without debug sections and symbol tables; `None` if there is nothing to remove.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn stripped(&self, real: &RootPath) -> Result<Option<Stripped>, Error> {
        let source = self.root.open_file(real)?;
        Ok(elf::strip(&SourceBytes { source: &*source, first: &[] }))
    }

    /// The dynamic symbols of the ELF file at a real path; empty if it is not ELF or its tables are damaged. They are
    /// not cached, because they are large and used only once.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn symbols(&self, real: &RootPath) -> Result<Symbols, Error> {
        let read = self.read(real)?;
        let Ok(elf) = &read.elf else { return Ok(Symbols::default()) };
        let source = self.root.open_file(real)?;
        Ok(elf::parse_symbols(&SourceBytes { source: &*source, first: &[] }, elf).unwrap_or_default())
    }

    /// The build-time constants of the loader at a real path.
    pub(super) fn constants(&self, real: &RootPath, elf: &ElfObject) -> Result<Rc<LoaderConstants>, Error> {
        if let Some(known) = self.constants.borrow().get(real) {
            return Ok(Rc::clone(known));
        }
        let source = self.root.open_file(real)?;
        let size = usize::try_from(source.meta().size).unwrap_or(MAX_LOADER).min(MAX_LOADER);
        let constants = Rc::new(read_constants(size, elf, |offset, length| {
            let mut bytes = vec![0; length];
            let read = source.read_at(offset, &mut bytes).map_err(|error| Error::unreadable(real, error))?;
            bytes.truncate(read);
            Ok(bytes)
        })?);
        self.constants.borrow_mut().insert(real.clone(), Rc::clone(&constants));
        Ok(constants)
    }
}
