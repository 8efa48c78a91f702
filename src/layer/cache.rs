//! Compressed blocks of earlier runs, in a directory that many runs share.
//!
//! The directory is not trusted. A block is found by its checksums and used only if it decompresses to exactly the
//! bytes that would be compressed, so nobody who writes there can change the contents of an image. The entry's own
//! checksum detects damage that decompresses to the same bytes. Entries are files that are renamed into place: there
//! are no locks that could remain after a run.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::blob::BLOCK_SIZE;
use crate::error::Error;

/// The default size of a cache, in bytes.
pub const CACHE_SIZE: u64 = 2 << 30;

/// The subdirectory that the cache uses; nothing else in the user's directory is touched.
const FOLDER: &str = "slimroot-blocks";
/// First bytes of an entry. The checksum of the compressed bytes follows, then the bytes themselves.
const MAGIC: [u8; 8] = *b"slimblk1";
const HEAD: usize = MAGIC.len() + 4;
/// Largest entry: a block that cannot be compressed, with room for the headers of stored blocks.
const MAX_ENTRY: usize = HEAD + BLOCK_SIZE + (64 << 10);
/// The prefix of temporary names.
const NEW: &str = "new-";
/// After this time, a temporary file counts as left by a killed run.
const LEFT_AFTER: Duration = Duration::from_secs(3600);
/// A run removes old entries each time that it has written this part of the size, and at the end.
const PART: u64 = 8;

/// Statistics of a cache in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CacheUse {
    /// Blocks that were taken from the cache.
    pub taken: u64,
    /// Blocks that were compressed.
    pub compressed: u64,
    /// Entries that were damaged or did not match. They were replaced.
    pub refused: u64,
    /// Blocks that could not be stored.
    pub not_stored: u64,
}

/// A directory with compressed blocks.
#[derive(Debug)]
pub struct Cache {
    dir: OwnedFd,
    size: u64,
    /// Bytes written since old entries were removed.
    fresh: AtomicU64,
    taken: AtomicU64,
    compressed: AtomicU64,
    refused: AtomicU64,
    not_stored: AtomicU64,
}

impl Cache {
    /// Creates the directory if it is missing.
    ///
    /// # Errors
    /// `cache-unusable`.
    pub fn prepare(dir: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(dir).map_err(|error| unusable(dir, &error))
    }

    /// Opens the cache below `dir`, which keeps at most about `size` bytes. If the directory is not writable, the cache
    /// is only read.
    ///
    /// # Errors
    /// `cache-unusable`.
    pub fn open(dir: &Path, size: u64) -> Result<Self, Error> {
        Self::prepare(dir)?;
        let folder = || -> io::Result<OwnedFd> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let dir = rustix::fs::openat(CWD, dir, flags, Mode::empty())?;
            match rustix::fs::mkdirat(&dir, FOLDER, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST | Errno::ROFS | Errno::ACCESS | Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(rustix::fs::openat(&dir, FOLDER, flags | OFlags::NOFOLLOW, Mode::empty())?)
        };
        Ok(Self {
            dir: folder().map_err(|error| unusable(dir, &error))?,
            size,
            fresh: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            compressed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            not_stored: AtomicU64::new(0),
        })
    }

    /// Removes old entries if anything was stored; returns the statistics.
    pub fn finish(&self) -> CacheUse {
        if self.fresh.swap(0, Ordering::Relaxed) > 0 {
            self.make_room();
        }
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheUse {
            taken: value(&self.taken),
            compressed: value(&self.compressed),
            refused: value(&self.refused),
            not_stored: value(&self.not_stored),
        }
    }

    /// The compressed bytes of an entry if `is_right` accepts them; updates the statistics. The buffer has room for
    /// `more` bytes at the end.
    pub(super) fn take(&self, name: &str, more: usize, is_right: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Vec<u8>> {
        let found = match self.read(name, more) {
            Ok(found) => found.and_then(|mut bytes| is_right(&mut bytes).then_some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.compressed.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Err(_) => None,
        };
        let counter = if found.is_some() { &self.taken } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        if found.is_none() {
            self.compressed.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// The compressed bytes of an entry; `None` if it is not an entry or is damaged.
    fn read(&self, name: &str, more: usize) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.dir, name, flags, Mode::empty())?);
        let meta = file.metadata()?;
        let size = usize::try_from(meta.len()).unwrap_or(usize::MAX);
        if !meta.is_file() || !(HEAD..=MAX_ENTRY).contains(&size) {
            return Ok(None);
        }
        let mut head = [0; HEAD];
        file.read_exact(&mut head)?;
        let mut bytes = Vec::with_capacity(size - HEAD + more);
        (&file).take((MAX_ENTRY - HEAD) as u64).read_to_end(&mut bytes)?;
        if head != head_of(&bytes) {
            return Ok(None);
        }
        // The least recently used entries are removed first. An entry of another user keeps its time.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let _ = rustix::fs::futimens(&file, &Timestamps { last_access: now, last_modification: now });
        Ok(Some(bytes))
    }

    /// Stores compressed bytes. A failure is counted and otherwise ignored: the block is in the image in any case.
    pub(super) fn store(&self, name: &str, bytes: &[u8]) {
        let size = (HEAD + bytes.len()) as u64;
        if size > self.size || self.write(name, bytes).is_err() {
            self.not_stored.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let fresh = self.fresh.fetch_add(size, Ordering::Relaxed) + size;
        // Only the thread that exceeds the threshold removes old entries.
        if fresh > self.size / PART && fresh - size <= self.size / PART {
            self.make_room();
            self.fresh.store(1, Ordering::Relaxed);
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = new_name();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.dir, &new, flags, Mode::from_raw_mode(0o644))?);
        let written = file
            .write_all(&head_of(bytes))
            .and_then(|()| file.write_all(bytes))
            .and_then(|()| Ok(rustix::fs::renameat(&self.dir, &new, &self.dir, name)?));
        if written.is_err() {
            let _ = rustix::fs::unlinkat(&self.dir, &new, AtFlags::empty());
            // There may be a directory at the path of an entry. If it has files, it stays, and the block is compressed
            // each time.
            let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::REMOVEDIR);
        }
        written
    }

    /// Removes the least recently used entries until the rest fits, and temporary files of killed runs.
    fn make_room(&self) {
        let Ok(entries) = Dir::read_from(&self.dir) else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut kept = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Ok(stat) = rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                continue;
            }
            let used = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or_default());
            let is_new = name.to_bytes().starts_with(NEW.as_bytes());
            if is_new && used + LEFT_AFTER < now {
                let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
            } else if !is_new {
                kept.push((used, stat.st_mtime_nsec, name.to_owned(), u64::try_from(stat.st_size).unwrap_or_default()));
            }
        }
        let mut all: u64 = kept.iter().map(|(.., size)| size).sum();
        kept.sort();
        for (.., name, size) in kept {
            if all <= self.size {
                return;
            }
            let _ = rustix::fs::unlinkat(&self.dir, &name, AtFlags::empty());
            all = all.saturating_sub(size);
        }
    }
}

/// Returns the header for these compressed bytes.
fn head_of(bytes: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..MAGIC.len()].copy_from_slice(&MAGIC);
    head[MAGIC.len()..].copy_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    head
}

/// A temporary name. Runs in several containers may share the directory and have the same process ID.
fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{NEW}{}-{:x}-{}", std::process::id(), now.as_nanos(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn unusable(dir: &Path, error: &io::Error) -> Error {
    Error::new("cache-unusable", format!("{} cannot be used as a cache: {error}", PathBuf::from(dir).display()))
        .help("use a directory that you can write to, or remove --cache: the image is the same without it")
}
