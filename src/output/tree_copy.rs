//! Creates the entries of a plan on disk, in a new directory that only we can access until it is complete.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::aside::own_ids;
use crate::error::Error;
use crate::layer::{PassOptions, Tap, interrupted};
use crate::path::RootPath;
use crate::plan::{Content, Item, ItemKind, Plan, changed, unchanged};
use crate::root::{Source, Tree};

/// Number of copying threads; more would only wait for the same disk.
const COPIERS: usize = 2;
/// A value above every file index: stops copying.
const OVER: usize = usize::MAX / 2;
/// Number of bytes copied between two checks for cancellation.
const CHUNK: usize = 8 << 20;

/// A tree being written.
pub(super) struct TreeCopy {
    base: PathBuf,
    epoch: u64,
    open: Option<(File, PathBuf, Item)>,
    /// The owner of new files before chown.
    own: (u32, u32),
    owner_lost: AtomicUsize,
    xattr_lost: AtomicUsize,
}

impl TreeCopy {
    pub(super) fn new(base: &Path) -> Self {
        Self {
            base: base.to_path_buf(),
            epoch: 0,
            open: None,
            own: own_ids(),
            owner_lost: AtomicUsize::new(0),
            xattr_lost: AtomicUsize::new(0),
        }
    }

    pub(super) fn set_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    fn place(&self, path: &RootPath) -> PathBuf {
        self.base.join(OsStr::from_bytes(path.relative()))
    }

    /// Copies everything inside the kernel, files on several threads.
    pub(super) fn copy_all(&self, tree: &dyn Tree, plan: &Plan, options: &PassOptions<'_>) -> Result<(), Error> {
        for (path, item) in &*plan.items {
            if (options.stop)() {
                return Err(interrupted());
            }
            if matches!(item.kind, ItemKind::Dir | ItemKind::Link(_)) {
                self.make(path, item)?;
            }
        }
        let files: Vec<(&RootPath, &Item)> =
            plan.items.iter().filter(|(_, item)| matches!(item.kind, ItemKind::File(_))).collect();
        let (next, done, all) = (AtomicUsize::new(0), AtomicU64::new(0), plan.bytes());
        let is_over = || next.load(Ordering::Relaxed) >= OVER;
        let copier = || -> Result<(), Error> {
            while let Some((path, item)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.copy_file(tree, path, item, &is_over) {
                    next.store(OVER, Ordering::Relaxed);
                    return Err(error);
                }
                if let ItemKind::File(content) = &item.kind {
                    done.fetch_add(content.size(), Ordering::Relaxed);
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let start = |_| std::thread::Builder::new().spawn_scoped(scope, copier).ok();
            let helpers: Vec<_> = (0..COPIERS).map_while(start).collect();
            if helpers.is_empty() {
                return copier();
            }
            while helpers.iter().any(|helper| !helper.is_finished()) {
                if (options.stop)() {
                    next.store(OVER, Ordering::Relaxed);
                }
                (options.progress)(done.load(Ordering::Relaxed), all);
                std::thread::sleep(std::time::Duration::from_micros(500));
            }
            let ended = helpers.into_iter().map(|helper| helper.join().unwrap_or(Ok(())));
            let mut failed: Vec<Error> = ended.filter_map(Result::err).collect();
            // Report the cause: other copiers only return "interrupted".
            failed.sort_by_key(|error| error.code == "interrupted");
            failed.into_iter().next().map_or(Ok(()), Err)
        })?;
        if (options.stop)() {
            return Err(interrupted());
        }
        for (path, item) in &*plan.items {
            if (options.stop)() {
                return Err(interrupted());
            }
            if matches!(item.kind, ItemKind::HardLink(_)) {
                self.make(path, item)?;
            }
        }
        Ok(())
    }

    fn copy_file(
        &self,
        tree: &dyn Tree,
        path: &RootPath,
        item: &Item,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        let ItemKind::File(content) = &item.kind else { return Ok(()) };
        let place = self.place(path);
        let mut file = File::create_new(&place).map_err(|error| Error::unwritable(&place.display(), error))?;
        match content {
            Content::Made(bytes) => {
                file.write_all(bytes).map_err(|error| Error::unwritable(&place.display(), error))?;
            }
            content @ Content::FromRoot { path, .. } => {
                let source = content.open(tree)?;
                copy_bytes(&*source, path, content.size(), (&mut file, &place), is_over)?;
            }
        }
        self.settle(&file, item).map_err(|error| Error::unwritable(&place.display(), error))
    }

    /// Creates a directory, a symlink or a hard link.
    fn make(&self, path: &RootPath, item: &Item) -> Result<(), Error> {
        let place = self.place(path);
        let made = match &item.kind {
            ItemKind::Dir => fs::create_dir(&place),
            ItemKind::Link(text) => std::os::unix::fs::symlink(OsStr::from_bytes(text), &place)
                .and_then(|()| self.own(CWD, &place, item))
                .and_then(|()| Ok(rustix::fs::utimensat(CWD, &place, &self.times(), AtFlags::SYMLINK_NOFOLLOW)?)),
            ItemKind::HardLink(first) => fs::hard_link(self.place(first), &place),
            ItemKind::File(_) => Ok(()),
        };
        made.map_err(|error| Error::unwritable(&place.display(), error))
    }

    fn times(&self) -> Timestamps {
        let time = Timespec { tv_sec: i64::try_from(self.epoch).unwrap_or(i64::MAX), tv_nsec: 0 };
        Timestamps { last_access: time, last_modification: time }
    }

    /// Sets owner, attributes, mode and times of a file, in an order in which no step undoes another.
    fn settle(&self, file: &File, item: &Item) -> io::Result<()> {
        self.give_away(item, |uid, gid| rustix::fs::fchown(file, Some(uid), Some(gid)))?;
        rustix::fs::fchmod(file, Mode::from_raw_mode(item.mode))?;
        for (name, value) in &item.xattrs {
            match rustix::fs::fsetxattr(file, OsStr::from_bytes(name), value, XattrFlags::empty()) {
                Err(Errno::PERM | Errno::NOTSUP) => {
                    self.xattr_lost.fetch_add(1, Ordering::Relaxed);
                }
                other => other?,
            }
        }
        Ok(rustix::fs::futimens(file, &self.times())?)
    }

    /// Sets the owner of entries that are accessed by path: symlinks and directories.
    fn own(&self, dir: BorrowedFd<'_>, place: &Path, item: &Item) -> io::Result<()> {
        self.give_away(item, |uid, gid| {
            rustix::fs::chownat(dir, place, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        })
    }

    /// Sets the owner of an entry. Only root can, and in a user namespace only to mapped IDs (chown returns EINVAL for
    /// others).
    fn give_away(&self, item: &Item, chown: impl FnOnce(Uid, Gid) -> Result<(), Errno>) -> io::Result<()> {
        if (item.uid, item.gid) == self.own {
            return Ok(());
        }
        match chown(Uid::from_raw(item.uid), Gid::from_raw(item.gid)) {
            Err(Errno::PERM | Errno::INVAL) => {
                self.owner_lost.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            other => Ok(other?),
        }
    }

    /// Finishes the directories, deepest first, and returns notes about failures.
    pub(super) fn finish(&mut self, plan: &Plan, stop: &dyn Fn() -> bool) -> Result<Vec<String>, Error> {
        for (path, item) in plan.items.iter().rev().filter(|(_, item)| item.kind == ItemKind::Dir) {
            if stop() {
                return Err(interrupted());
            }
            let place = self.place(path);
            let settle = || -> io::Result<()> {
                self.own(CWD, &place, item)?;
                rustix::fs::chmodat(CWD, &place, Mode::from_raw_mode(item.mode), AtFlags::empty())?;
                Ok(rustix::fs::utimensat(CWD, &place, &self.times(), AtFlags::empty())?)
            };
            settle().map_err(|error| Error::unwritable(&place.display(), error))?;
        }
        let top = rustix::fs::chmodat(CWD, &self.base, Mode::from_raw_mode(0o755), AtFlags::empty())
            .and_then(|()| rustix::fs::utimensat(CWD, &self.base, &self.times(), AtFlags::empty()));
        top.map_err(|errno| Error::unwritable(&self.base.display(), errno))?;
        let (owners, xattrs) = (*self.owner_lost.get_mut(), *self.xattr_lost.get_mut());
        let mut notes = Vec::new();
        if owners > 0 {
            notes.push(format!("{owners} entries belong to you, not to their owner: only root may give files away (archives keep the owner)"));
        }
        if xattrs > 0 {
            notes.push(format!(
                "{xattrs} files lost their capabilities: this disk or user cannot store them (archives keep them)"
            ));
        }
        Ok(notes)
    }
}

/// Copies a file inside the kernel, which shares blocks if the file system can; otherwise by reading and writing.
fn copy_bytes(
    source: &dyn Source,
    path: &RootPath,
    size: u64,
    (file, place): (&mut File, &Path),
    is_over: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let mut at = 0;
    if let Some(from) = source.descriptor() {
        while at < size {
            if is_over() {
                return Err(interrupted());
            }
            let wanted = usize::try_from(size - at).unwrap_or(usize::MAX).min(CHUNK);
            let mut offset = at;
            match rustix::fs::copy_file_range(from, Some(&mut offset), file.as_fd(), None, wanted) {
                Ok(0) => return Err(changed(path)),
                Ok(copied) => at += copied as u64,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => break,
                Err(errno) => return Err(Error::unwritable(&place.display(), errno)),
            }
        }
    }
    let mut buffer = vec![0; if at < size { 256 << 10 } else { 0 }];
    while at < size {
        if is_over() {
            return Err(interrupted());
        }
        let wanted = usize::try_from(size - at).unwrap_or(usize::MAX).min(buffer.len());
        let read = source.read_at(at, &mut buffer[..wanted]).map_err(|error| Error::unreadable(path, error))?;
        if read < wanted {
            return Err(changed(path));
        }
        file.write_all(&buffer[..read]).map_err(|error| Error::unwritable(&place.display(), error))?;
        at += read as u64;
    }
    unchanged(source, path)
}

impl Tap for TreeCopy {
    fn begin(&mut self, path: &RootPath, item: &Item) -> Result<(), Error> {
        if !matches!(item.kind, ItemKind::File(_)) {
            return self.make(path, item);
        }
        let place = self.place(path);
        let file = File::create_new(&place).map_err(|error| Error::unwritable(&place.display(), error))?;
        self.open = Some((file, place, item.clone()));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some((file, place, _)) = &mut self.open else { return Ok(()) };
        file.write_all(bytes).map_err(|error| Error::unwritable(&place.display(), error))
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some((file, place, item)) = self.open.take() else { return Ok(()) };
        // Only now, because a write clears set-id bits and capabilities.
        self.settle(&file, &item).map_err(|error| Error::unwritable(&place.display(), error))
    }
}
