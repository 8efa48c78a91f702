//! Following links inside a root, as the kernel does it for a process whose `/` is that root: absolute link texts
//! and `..` stay inside, at most 40 links, and every hop is kept because every link on the way must be packed.

use super::Root;
use super::tree::{FileKind, Meta};
use crate::error::Error;
use crate::path::RootPath;

/// Links that Linux follows on one path (`MAXSYMLINKS` in fs/namei.c).
const MAX_LINKS: usize = 40;
/// Longest path, without the closing NUL (`PATH_MAX`).
const MAX_PATH: usize = 4095;
/// Longest part of a path (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// A symbolic link met on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where the link lies.
    pub link: RootPath,
    /// What it says, unchanged.
    pub text: Vec<u8>,
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Something is there.
    Found(RootPath, Meta),
    /// Nothing is there: this real path does not exist (ENOENT).
    Missing(RootPath),
    /// A part on the way is no directory (ENOTDIR).
    NotDirectory(RootPath),
    /// More than 40 links (ELOOP).
    Loop,
    /// A path or a part of it is longer than Linux takes (ENAMETOOLONG).
    TooLong,
}

/// A path followed to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Where it led.
    pub end: End,
    /// The links on the way, in the order they were met.
    pub hops: Vec<Hop>,
    /// Directories that the path went into and left again by `..`: they must exist in the image for the path to
    /// work there.
    pub passed: Vec<RootPath>,
}

impl Followed {
    /// The real path and what is there, if anything is.
    pub fn found(&self) -> Option<(&RootPath, &Meta)> {
        match &self.end {
            End::Found(path, meta) => Some((path, meta)),
            _ => None,
        }
    }

    /// The real path, if it leads to a regular file.
    pub fn file(&self) -> Option<(&RootPath, &Meta)> {
        self.found().filter(|(_, meta)| meta.kind == FileKind::File)
    }

    /// The real path, if it leads to a directory.
    pub fn dir(&self) -> Option<&RootPath> {
        self.found().filter(|(_, meta)| meta.kind == FileKind::Dir).map(|(path, _)| path)
    }
}

impl Root {
    /// Follows a path; a relative one counts from the directory `cwd`.
    ///
    /// The source of each rule is path_resolution(7) and Linux's fs/namei.c.
    ///
    /// # Errors
    /// `unreadable` if a part may not be looked at. Nothing else is an error: see [`End`].
    pub fn follow_from(&self, cwd: &RootPath, path: &[u8]) -> Result<Followed, Error> {
        if path.is_empty() || path.contains(&0) {
            return Ok(Followed { end: End::Missing(cwd.clone()), hops: Vec::new(), passed: Vec::new() });
        }
        let mut start = Walk { at: RootPath::root(), hops: Vec::new(), passed: Vec::new() };
        if path[0] != b'/' && !cwd.is_root() {
            // The working directory itself may be reached by links.
            let followed = self.follow(cwd.as_bytes())?;
            let Some(dir) = followed.dir() else { return Ok(followed) };
            start.at = dir.clone();
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
            // What lies deep would otherwise be walked to from `/` for each of its files.
            Some(at) => self.walk(Walk { at, hops: Vec::new(), passed: Vec::new() }, &path[cut + 1..])?,
            None => self.follow_from(&RootPath::root(), path)?,
        };
        let is_plain = followed.hops.is_empty() && followed.passed.is_empty();
        if let Some(real) = followed.dir().filter(|real| is_plain && real.as_bytes() == path) {
            self.walked.borrow_mut().insert(real.as_bytes().to_vec());
        }
        Ok(followed)
    }

    fn walk(&self, mut walk: Walk, path: &[u8]) -> Result<Followed, Error> {
        // Parts still to walk, the next one last.
        let mut rest: Vec<Vec<u8>> = Vec::new();
        let mut must_be_dir = push_parts(&mut rest, path);
        let mut meta = self.meta(&walk.at)?;
        while let Some(part) = rest.pop() {
            if meta.is_none_or(|meta| meta.kind != FileKind::Dir) {
                let at = walk.at.clone();
                return Ok(walk.ended(End::NotDirectory(at)));
            }
            if part.len() > MAX_NAME {
                return Ok(walk.ended(End::TooLong));
            }
            match part.as_slice() {
                b"." => continue,
                b".." => {
                    walk.passed.push(walk.at.clone());
                    walk.at = walk.at.parent().unwrap_or_else(RootPath::root);
                    meta = self.meta(&walk.at)?;
                    continue;
                }
                _ => {}
            }
            let next = walk.at.join(&part);
            meta = self.meta(&next)?;
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
                    let ends_in_slash = push_parts(&mut rest, &text);
                    // A link text that ends in a slash demands a directory only as the last thing walked.
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

/// Puts the parts of `path` before those in `rest`; says whether the path demands a directory at its end.
fn push_parts(rest: &mut Vec<Vec<u8>>, path: &[u8]) -> bool {
    let parts = path.split(|b| *b == b'/').filter(|part| !part.is_empty());
    let at = rest.len();
    rest.extend(parts.map(<[u8]>::to_vec));
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
