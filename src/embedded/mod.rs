//! ELF objects inside other files: jars, zip applications and self-extracting programs unpack libraries at run time, and
//! the loader then looks for what those need. Formats that cannot be read are recognised, so that the user is told.

mod beam;
mod classes;
mod pyinstaller;
mod unread;
mod zip;

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

use crate::elf::{self, ElfObject};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root, Source};

pub use classes::Constants;
pub use unread::Unread;

/// Maximum size of an embedded object in bytes. It is read into memory.
const MAX_OBJECT: u64 = 96 << 20;
/// Maximum size of all objects that are read from one file.
const MAX_ALL: u64 = 1 << 30;
/// Maximum number of stored bytes that are read of one file: a compressed member can have pieces that yield nothing.
const MAX_READ: u64 = 2 << 30;
const MAGIC: &[u8; 4] = b"\x7fELF";

/// A file with other files in it.
#[derive(Debug, Default)]
pub struct Embedded {
    /// The ELF objects in it.
    pub objects: Vec<Object>,
    /// The constants of the Java classes in it.
    pub constants: Constants,
    /// Texts of an Erlang module that starts programs.
    pub literals: BTreeSet<String>,
    /// Names of members that are too large to be read.
    pub cut: Vec<String>,
}

/// An ELF object in a file.
#[derive(Debug)]
pub struct Object {
    /// Its name in the file.
    pub member: String,
    /// Its header and dynamic section.
    pub elf: ElfObject,
    /// Names that it imports.
    pub imports: Vec<Vec<u8>>,
}

impl Object {
    /// The name by which other objects need it: its SONAME, or the name of its file.
    pub fn name(&self) -> &[u8] {
        self.elf.soname.as_deref().unwrap_or_else(|| self.file_name())
    }

    /// The last component of its name in the file.
    pub fn file_name(&self) -> &[u8] {
        self.member.rsplit('/').next().unwrap_or_default().as_bytes()
    }
}

impl Embedded {
    /// The libraries that the objects need and that are not among them, each with the object that needs it.
    pub fn wants(&self, fits: impl Fn(&Object) -> bool) -> Vec<(&[u8], &Object)> {
        let ours: BTreeSet<&[u8]> =
            self.objects.iter().flat_map(|object| [object.name(), object.file_name()]).collect();
        let mut seen = BTreeSet::new();
        let fitting = self.objects.iter().filter(|object| fits(object));
        fitting
            .flat_map(|object| object.elf.needed().map(move |name| (name, object)))
            .filter(|(name, _)| !ours.contains(name) && seen.insert(*name))
            .collect()
    }

    /// Adds a member if it is an ELF object.
    fn add(&mut self, member: &str, size: u64, left: &mut u64, mut content: impl Read) -> io::Result<()> {
        let mut bytes = vec![0; MAGIC.len()];
        if content.read_exact(&mut bytes).is_err() || bytes != MAGIC {
            return Ok(());
        }
        if size > MAX_OBJECT.min(*left) {
            self.cut.push(member.to_owned());
            return Ok(());
        }
        // The stated size may be wrong.
        content.take(MAX_OBJECT.min(*left)).read_to_end(&mut bytes)?;
        *left = left.saturating_sub(size.max(bytes.len() as u64));
        if let Ok(elf) = elf::parse(bytes.as_slice()) {
            let imports = elf::parse_imports(bytes.as_slice(), &elf).unwrap_or_default();
            self.objects.push(Object { member: member.to_owned(), elf, imports });
        }
        Ok(())
    }
}

/// True for the first four bytes of zip files, Erlang's modules and scripts; a script can have a zip file behind it.
pub fn may_be_archive(magic: &[u8]) -> bool {
    magic == b"PK\x03\x04" || magic == b"FOR1" || magic.starts_with(b"#!")
}

/// The ELF objects in a file of a known format, or the classes in a directory; `None` if it is another file, or too
/// damaged to be opened by the program that it belongs to.
///
/// # Errors
/// `unreadable`.
pub fn read(root: &Root, file: &RootPath) -> Result<Option<Embedded>, Error> {
    if root.meta(file)?.is_some_and(|meta| meta.kind == FileKind::Dir) {
        return classes::in_dir(root, file).map(Some);
    }
    if file.name().ends_with(b".class") {
        return classes::in_file(root, file).map(Some);
    }
    let source = root.open_file(file)?;
    let mut content = Content { source: &*source, at: 0, left: MAX_READ };
    Ok(zip::read(&*source).or_else(|| pyinstaller::read(&mut content)).or_else(|| beam::read(&mut content)))
}

/// The format of a program's payload that is recognised, but not read.
///
/// # Errors
/// `unreadable`.
pub fn unread(root: &Root, file: &RootPath) -> Result<Option<&'static Unread>, Error> {
    let source = root.open_file(file)?;
    unread::find(&*source).map_err(|error| Error::unreadable(file, error))
}

/// A file of the root as a stream.
struct Content<'s> {
    source: &'s dyn Source,
    at: u64,
    /// Bytes that may still be read.
    left: u64,
}

impl Content<'_> {
    fn size(&self) -> u64 {
        self.source.meta().size
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.source.read_at(self.at, &mut buffer[..wanted])?;
        self.left -= read as u64;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Content<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
