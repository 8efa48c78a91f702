//! Follows symlinks inside a root as the kernel does for a process whose `/` is that root: absolute targets and `..`
//! stay inside, at most 40 symlinks are followed, and each is recorded because it must be packed.

use std::borrow::Cow;

use super::Root;
use super::tree::{FileKind, Meta};
use crate::error::Error;
use crate::path::RootPath;

/// Maximum number of symlinks that Linux follows in one path (`MAXSYMLINKS` in fs/namei.c).
const MAX_LINKS: usize = 40;
/// Maximum length of a path, without the terminating NUL (`PATH_MAX`).
const MAX_PATH: usize = 4095;
/// Maximum length of a component (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// A symlink on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The path of the symlink.
    pub link: RootPath,
    /// Its target, unchanged.
    pub text: Vec<u8>,
}

/// The result of following a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The entry exists.
    Found(RootPath, Meta),
    /// The entry does not exist (ENOENT); this is the real path of the missing part.
    Missing(RootPath),
    /// A component on the way is not a directory (ENOTDIR).
    NotDirectory(RootPath),
    /// More than 40 symlinks (ELOOP).
    Loop,
    /// A path or component exceeds the limits of Linux (ENAMETOOLONG).
    TooLong,
}

/// A path with its symlinks followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The result.
    pub end: End,
    /// The symlinks on the way, in order.
    pub hops: Vec<Hop>,
    /// Directories that the path enters and leaves again with `..`. They must exist in the image, or the path will not
    /// work there.
    pub passed: Vec<RootPath>,
}

impl Followed {
    /// The real path and its metadata, if the entry exists.
    pub fn found(&self) -> Option<(&RootPath, &Meta)> {
        match &self.end {
            End::Found(path, meta) => Some((path, meta)),
            _ => None,
        }
    }

    /// The real path and its metadata, if it is a regular file.
    pub fn file(&self) -> Option<(&RootPath, &Meta)> {
        self.found().filter(|(_, meta)| meta.kind == FileKind::File)
    }

    /// The real path, if it is a directory.
    pub fn dir(&self) -> Option<&RootPath> {
        self.found().filter(|(_, meta)| meta.kind == FileKind::Dir).map(|(path, _)| path)
    }
}

impl Root {
    /// Follows a path; a relative one is resolved against the directory `cwd`.
    ///
    /// The rules come from path_resolution(7) and Linux's fs/namei.c.
    ///
    /// # Errors
    /// `unreadable` if a component cannot be accessed. All other outcomes are an [`End`].
    pub fn follow_from(&self, cwd: &RootPath, path: &[u8]) -> Result<Followed, Error> {
        if path.first() == Some(&b'/') {
            return self.follow(path);
        }
        let mut start = RootPath::root();
        if !path.is_empty() && !cwd.is_root() {
            // The path of the working directory may contain symlinks too.
            let followed = self.follow(cwd.as_bytes())?;
            let Some(dir) = followed.dir() else { return Ok(followed) };
            start = dir.clone();
        }
        self.whole(start, path)
    }

    /// Follows all components of a path, from a real directory on.
    fn whole(&self, at: RootPath, path: &[u8]) -> Result<Followed, Error> {
        let start = Walk { at, hops: Vec::new(), passed: Vec::new() };
        if path.is_empty() || path.contains(&0) {
            let at = start.at.clone();
            return Ok(start.ended(End::Missing(at)));
        }
        if path.len() > MAX_PATH {
            return Ok(start.ended(End::TooLong));
        }
        self.walk(start, path)
    }

    /// Follows an absolute path.
    ///
    /// # Errors
    /// As [`Root::follow_from`].
    pub fn follow(&self, path: &[u8]) -> Result<Followed, Error> {
        let cut = path.iter().rposition(|b| *b == b'/').unwrap_or_default();
        let is_walked = cut + 1 < path.len() && path.len() <= MAX_PATH && self.walked.borrow().contains(&path[..cut]);
        let dir = RootPath::new(&path[..cut]).filter(|_| is_walked && !path.contains(&0));
        let followed = match dir {
            // A shortcut: otherwise every file in a deep directory would be followed from `/` again.
            Some(at) => {
                let name = &path[cut + 1..];
                let is_plain = !matches!(name, b"." | b"..") && name.len() <= MAX_NAME;
                if is_plain && let Some(end) = self.end_of(at.join(name))? {
                    Followed { end, hops: Vec::new(), passed: Vec::new() }
                } else {
                    self.walk(Walk { at, hops: Vec::new(), passed: Vec::new() }, name)?
                }
            }
            None => self.whole(RootPath::root(), path)?,
        };
        let is_plain = followed.hops.is_empty() && followed.passed.is_empty();
        if let Some(real) = followed.dir().filter(|real| is_plain && real.as_bytes() == path) {
            let mut walked = self.walked.borrow_mut();
            if !walked.contains(real.as_bytes()) {
                walked.insert(real.as_bytes().to_vec());
            }
        }
        Ok(followed)
    }

    /// Resolves an entry of a directory; `None` for a symlink.
    fn end_of(&self, entry: RootPath) -> Result<Option<End>, Error> {
        Ok(match self.shared_meta(entry)? {
            (missing, None) => Some(End::Missing(missing)),
            (_, Some(meta)) if meta.kind == FileKind::Link => None,
            (found, Some(meta)) => Some(End::Found(found, meta)),
        })
    }

    fn walk(&self, mut walk: Walk, path: &[u8]) -> Result<Followed, Error> {
        // Remaining components, the next one last.
        let mut rest: Vec<Cow<'_, [u8]>> = Vec::new();
        let mut must_be_dir = push_parts(&mut rest, path, Cow::Borrowed);
        let mut meta = self.meta(&walk.at)?;
        while let Some(part) = rest.pop() {
            if meta.is_none_or(|meta| meta.kind != FileKind::Dir) {
                let at = walk.at.clone();
                return Ok(walk.ended(End::NotDirectory(at)));
            }
            if part.len() > MAX_NAME {
                return Ok(walk.ended(End::TooLong));
            }
            match &*part {
                b"." => continue,
                b".." => {
                    walk.passed.push(walk.at.clone());
                    walk.at = walk.at.parent().unwrap_or_else(RootPath::root);
                    meta = self.meta(&walk.at)?;
                    continue;
                }
                _ => {}
            }
            let (next, found) = self.shared_meta(walk.at.join(&part))?;
            meta = found;
            match meta {
                None => return Ok(walk.ended(End::Missing(next))),
                Some(found) if found.kind == FileKind::Link => {
                    if walk.hops.len() == MAX_LINKS {
                        return Ok(walk.ended(End::Loop));
                    }
                    let text = self.link_text(&next)?;
                    if text.first() == Some(&b'/') {
                        walk.at = RootPath::root();
                    }
                    meta = self.meta(&walk.at)?;
                    let last = rest.is_empty();
                    let ends_in_slash = push_parts(&mut rest, &text, |part| Cow::Owned(part.to_vec()));
                    // A trailing slash in a target requires a directory only if the symlink is the last component.
                    must_be_dir |= last && ends_in_slash;
                    walk.hops.push(Hop { link: next, text });
                }
                Some(_) => walk.at = next,
            }
        }
        match meta {
            Some(found) if must_be_dir && found.kind != FileKind::Dir => {
                let at = walk.at.clone();
                Ok(walk.ended(End::NotDirectory(at)))
            }
            Some(found) => {
                let at = walk.at.clone();
                Ok(walk.ended(End::Found(at, found)))
            }
            None => {
                let at = walk.at.clone();
                Ok(walk.ended(End::Missing(at)))
            }
        }
    }
}

/// Puts the components of `path` before those in `rest`; returns true if the path must end at a directory.
fn push_parts<'r, 'p>(rest: &mut Vec<Cow<'r, [u8]>>, path: &'p [u8], kept: impl Fn(&'p [u8]) -> Cow<'r, [u8]>) -> bool {
    let parts = path.split(|b| *b == b'/').filter(|part| !part.is_empty());
    let at = rest.len();
    rest.extend(parts.map(kept));
    rest[at..].reverse();
    path.last() == Some(&b'/') || path.ends_with(b"/.") || path == b"."
}

struct Walk {
    at: RootPath,
    hops: Vec<Hop>,
    passed: Vec<RootPath>,
}

impl Walk {
    fn ended(self, end: End) -> Followed {
        Followed { end, hops: self.hops, passed: self.passed }
    }
}
