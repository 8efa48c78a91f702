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

    /// The same pattern for somebody who takes directories with all that they hold: `**` at its end adds nothing then, and
    /// naming each directory below would have it taken once for each above.
    #[must_use]
    pub fn for_whole_directories(mut self) -> Self {
        while self.parts.len() > 1 && matches!(self.parts.last(), Some(Part::AnyDepth)) {
            self.parts.pop();
        }
        self
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
        let mut reached = vec![Reached { spelled: RootPath::root(), dir: Some(RootPath::root()) }];
        for (index, part) in glob.parts.iter().enumerate() {
            let is_last = index + 1 == glob.parts.len();
            let mut next = Vec::new();
            for from in reached {
                let Some(dir) = &from.dir else { continue };
                match part {
                    Part::Name(name) => next.extend(self.entry(&from.spelled, dir, name)?),
                    Part::Pattern(pattern) => {
                        let wanted = |name: &[u8]| pattern.matches_with(&String::from_utf8_lossy(name), OPTIONS);
                        for name in self.list(dir)?.iter().filter(|name| wanted(name)) {
                            next.extend(self.entry(&from.spelled, dir, name)?);
                        }
                    }
                    Part::AnyDepth => {
                        self.walk_below(&from, &mut |found| {
                            if is_last || found.dir.is_some() {
                                next.push(found);
                            }
                        })?;
                        next.push(from);
                    }
                }
            }
            if matches!(part, Part::AnyDepth) {
                // After another `**` a directory is reached in more than one way.
                next.sort_by(|a, b| a.spelled.cmp(&b.spelled));
                next.dedup_by(|a, b| a.spelled == b.spelled);
            }
            reached = next;
        }
        let mut found: Vec<RootPath> = reached.into_iter().map(|reached| reached.spelled).collect();
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Everything below a directory, as spelled under it; links in it are named, not entered.
    ///
    /// # Errors
    /// `unreadable` if a directory may not be listed.
    pub fn below(&self, dir: &RootPath) -> Result<Vec<RootPath>, Error> {
        let real = self.follow(dir.as_bytes())?.dir().cloned();
        let mut found = Vec::new();
        self.walk_below(&Reached { spelled: dir.clone(), dir: real }, &mut |below| found.push(below.spelled))?;
        Ok(found)
    }

    /// Goes through all that lies below a directory. The real directory is kept beside the spelled one: following each path
    /// from `/` on would take the cube of the depth.
    fn walk_below(&self, from: &Reached, take: &mut dyn FnMut(Reached)) -> Result<(), Error> {
        let mut open: Vec<(RootPath, RootPath)> =
            from.dir.iter().map(|dir| (from.spelled.clone(), dir.clone())).collect();
        while let Some((spelled, dir)) = open.pop() {
            for name in self.list(&dir)? {
                let (spelled, real) = (spelled.join(&name), dir.join(&name));
                let is_dir = self.meta(&real)?.is_some_and(|meta| meta.kind == FileKind::Dir);
                if is_dir {
                    open.push((spelled.clone(), real.clone()));
                }
                take(Reached { spelled, dir: is_dir.then_some(real) });
            }
        }
        Ok(())
    }

    /// An entry of a directory, if it is there; a dangling link is.
    fn entry(&self, spelled: &RootPath, dir: &RootPath, name: &[u8]) -> Result<Option<Reached>, Error> {
        let real = dir.join(name);
        let Some(meta) = self.meta(&real)? else { return Ok(None) };
        let dir = match meta.kind {
            FileKind::Dir => Some(real),
            FileKind::Link => self.follow(real.as_bytes())?.dir().cloned(),
            _ => None,
        };
        Ok(Some(Reached { spelled: spelled.join(name), dir }))
    }
}

/// A path on the way through a pattern, and the real directory there if it leads to one.
struct Reached {
    spelled: RootPath,
    dir: Option<RootPath>,
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
