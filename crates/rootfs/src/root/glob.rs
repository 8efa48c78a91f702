//! Patterns of paths inside a root. The `glob` crate only compares; listing is done on our tree, because its own
//! walk would follow links out of the root.

use glob::{MatchOptions, Pattern};

use super::Root;
use super::tree::FileKind;
use crate::error::Error;
use crate::path::RootPath;

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// An absolute pattern: `*`, `?` and `[…]` stay within a part of the path, `**` as a whole part crosses directories.
#[derive(Clone, Debug)]
pub struct RootGlob {
    text: String,
    whole: Pattern,
    /// The parts before the first that is a pattern.
    start: RootPath,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Name(Vec<u8>),
    Pattern(Pattern),
    AnyDepth,
}

impl RootGlob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `bad-glob` if it is not absolute, holds `..`, or is no glob.
    pub fn new(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| {
            Error::new("bad-glob", format!("the pattern {text} {why}"))
                .help("patterns look like '/app/**' or '/usr/share/zoneinfo/Europe/*': absolute in the root, quoted for the shell")
        };
        let Some(clean) = RootPath::new(text) else {
            return Err(bad("is not an absolute path without `..`"));
        };
        let clean = String::from_utf8_lossy(clean.as_bytes()).into_owned();
        let compile = |text: &str| Pattern::new(text).map_err(|error| bad(&format!("is not a glob: {}", error.msg)));
        let whole = compile(&clean)?;
        let mut parts = Vec::new();
        for part in clean.split('/').filter(|part| !part.is_empty()) {
            parts.push(match part {
                "**" => Part::AnyDepth,
                part if part.contains(['*', '?', '[']) => Part::Pattern(compile(part)?),
                part => Part::Name(part.as_bytes().to_vec()),
            });
        }
        let mut start = RootPath::root();
        for part in &parts {
            let Part::Name(name) = part else { break };
            start = start.join(name);
        }
        Ok(Self { text: text.to_owned(), whole, start, parts })
    }

    /// The pattern of one name anywhere below a directory, whose own name is taken letter for letter.
    ///
    /// # Errors
    /// `bad-glob` if the name is no glob.
    pub fn below(dir: &RootPath, name: &str) -> Result<Self, Error> {
        Self::new(&format!("{}/**/{name}", Self::literal(dir)))
    }

    /// A path as the text of a pattern that names it letter for letter.
    pub fn literal(path: &RootPath) -> String {
        Pattern::escape(&String::from_utf8_lossy(path.as_bytes()))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern names this path or a directory above it: a directory stands for all that it holds.
    pub fn covers(&self, path: &RootPath) -> bool {
        // Most patterns are ruled out by the directory that they start with.
        if !path.is_within(&self.start) {
            return false;
        }
        if !self.parts.iter().any(|part| matches!(part, Part::AnyDepth)) {
            let mut names = path.relative().split(|b| *b == b'/').filter(|name| !name.is_empty());
            return self.parts.iter().all(|part| match (part, names.next()) {
                (Part::Name(wanted), Some(name)) => wanted == name,
                (Part::Pattern(pattern), Some(name)) => pattern.matches_with(&String::from_utf8_lossy(name), OPTIONS),
                _ => false,
            });
        }
        let text = String::from_utf8_lossy(path.as_bytes());
        let ends = text.char_indices().filter(|(at, c)| *c == '/' && *at > 0).map(|(at, _)| at);
        ends.chain([text.len()]).any(|end| self.whole.matches_with(&text[..end], OPTIONS))
    }
}

impl Root {
    /// The paths that a pattern names, as spelled by it and sorted; directories stand for all that they hold, see
    /// [`Root::below`]. Links to directories are followed for single parts, not by `**`.
    ///
    /// # Errors
    /// `unreadable` if a directory on the way may not be listed.
    pub fn matching(&self, glob: &RootGlob) -> Result<Vec<RootPath>, Error> {
        let mut reached = vec![RootPath::root()];
        for (index, part) in glob.parts.iter().enumerate() {
            let is_last = index + 1 == glob.parts.len();
            let mut next = Vec::new();
            for dir in reached {
                match part {
                    Part::Name(name) => next.push(dir.join(name)),
                    Part::Pattern(pattern) => {
                        let wanted = |name: &[u8]| pattern.matches_with(&String::from_utf8_lossy(name), OPTIONS);
                        let names = self.list_followed(&dir)?;
                        next.extend(names.iter().filter(|name| wanted(name)).map(|name| dir.join(name)));
                    }
                    Part::AnyDepth => {
                        for path in self.below(&dir)? {
                            if is_last || self.real_parent_meta(&path)? == Some(FileKind::Dir) {
                                next.push(path);
                            }
                        }
                        next.push(dir);
                    }
                }
            }
            if matches!(part, Part::AnyDepth) {
                // After another `**` a directory is reached in more than one way.
                next.sort();
                next.dedup();
            }
            reached = next;
        }
        let mut found = Vec::new();
        for path in reached {
            if self.is_there(&path)? {
                found.push(path);
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Everything below a directory, as spelled under it; links in it are named, not entered.
    ///
    /// # Errors
    /// `unreadable` if a directory may not be listed.
    pub fn below(&self, dir: &RootPath) -> Result<Vec<RootPath>, Error> {
        let mut found = Vec::new();
        let mut open = vec![dir.clone()];
        while let Some(dir) = open.pop() {
            for name in self.list_followed(&dir)? {
                let path = dir.join(&name);
                if self.real_parent_meta(&path)? == Some(FileKind::Dir) {
                    open.push(path.clone());
                }
                found.push(path);
            }
        }
        Ok(found)
    }

    fn list_followed(&self, dir: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        match self.follow(dir.as_bytes())?.dir() {
            Some(real) => self.list(real),
            None => Ok(Vec::new()),
        }
    }

    /// Whether there is an entry at the end of a spelled path; a dangling link is one.
    fn is_there(&self, path: &RootPath) -> Result<bool, Error> {
        Ok(self.real_parent_meta(path)?.is_some())
    }

    /// The kind of the entry itself, links above it followed.
    fn real_parent_meta(&self, path: &RootPath) -> Result<Option<FileKind>, Error> {
        let Some(parent) = path.parent() else { return Ok(Some(FileKind::Dir)) };
        let followed = self.follow(parent.as_bytes())?;
        let Some(real) = followed.dir() else { return Ok(None) };
        Ok(self.meta(&real.join(path.name()))?.map(|meta| meta.kind))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    fn root() -> Root {
        let mut tree = MemTree::default();
        tree.file("/app/main.py", 0o644, "")
            .file("/app/lib/a.py", 0o644, "")
            .file("/app/lib/deep/b.py", 0o644, "")
            .link("/srv", "app/lib")
            .link("/app/gone", "nowhere");
        Root::new(Arc::new(tree))
    }

    fn matching(pattern: &str) -> Vec<String> {
        let glob = RootGlob::new(pattern).expect("a pattern");
        let found = root().matching(&glob).expect("readable");
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn single_stars_stay_in_their_part_and_follow_links() {
        assert_eq!(matching("/*/a.py"), ["/srv/a.py"]);
        assert_eq!(matching("/app/*/a.py"), ["/app/lib/a.py"]);
        assert_eq!(matching("/app/g*"), ["/app/gone"]);
        assert_eq!(matching("/none/*"), [""; 0]);
    }

    #[test]
    fn double_stars_cross_directories() {
        assert_eq!(matching("/**/*.py"), ["/app/lib/a.py", "/app/lib/deep/b.py", "/app/main.py"]);
        assert_eq!(matching("/app/lib/**"), ["/app/lib", "/app/lib/a.py", "/app/lib/deep", "/app/lib/deep/b.py"]);
    }

    #[test]
    fn many_double_stars_name_a_path_once() {
        let mut tree = MemTree::default();
        tree.file(&"/a".repeat(16), 0o644, "");
        let glob = RootGlob::new(&format!("{}/a", "/**".repeat(16))).expect("a pattern");
        assert_eq!(Root::new(Arc::new(tree)).matching(&glob).expect("readable").len(), 16);
    }

    #[test]
    fn a_named_directory_covers_what_it_holds() {
        let covers = |pattern: &str, path: &str| {
            let path = RootPath::new(path).expect("a path");
            RootGlob::new(pattern).expect("a pattern").covers(&path)
        };
        assert!(covers("/app/lib", "/app/lib/deep/b.py"));
        assert!(covers("/app/*", "/app/lib/a.py"));
        assert!(covers("/app/**/*.py", "/app/main.py"));
        assert!(!covers("/app/*.py", "/app/lib/a.py"));
    }

    #[test]
    fn names_below_a_directory_are_covered_whatever_it_is_called() {
        let dir = RootPath::new("/app/[slug]").expect("a path");
        let glob = RootGlob::below(&dir, "cache").expect("a pattern");
        let covers = |path: &str| glob.covers(&RootPath::new(path).expect("a path"));
        assert!(covers("/app/[slug]/a/cache/x"));
        assert!(!covers("/app/s/a/cache/x"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["app/*", "/app/../x", "/app/[", "/app/***"] {
            assert_eq!(RootGlob::new(bad).err().map(|e| e.code), Some("bad-glob"), "{bad}");
        }
    }
}
