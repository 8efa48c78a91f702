//! Glob patterns for paths inside a root. The `glob` crate only does the matching. We list directories ourselves,
//! because its own walk would follow symlinks out of the root.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use glob::{MatchOptions, Pattern};

use super::Root;
use super::tree::FileKind;
use crate::error::Error;
use crate::path::RootPath;

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// An absolute pattern. `*`, `?` and `[…]` match within one component; `**` as a whole component crosses directories.
#[derive(Clone, Debug)]
pub struct RootGlob {
    text: String,
    whole: Pattern,
    /// The leading components without wildcards.
    start: RootPath,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Name(Vec<u8>),
    /// One `*` between these texts.
    Star(Vec<u8>, Vec<u8>),
    Pattern(Pattern),
    AnyDepth,
}

impl Part {
    /// True if the part matches this name; `**` does not count.
    fn covers(&self, name: &[u8]) -> bool {
        match self {
            Self::Name(wanted) => wanted == name,
            Self::Star(before, after) => {
                name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
            }
            Self::Pattern(pattern) => pattern.matches_with(&String::from_utf8_lossy(name), OPTIONS),
            Self::AnyDepth => false,
        }
    }
}

impl RootGlob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// `bad-glob` if it is not absolute, contains `..`, or is not a glob.
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
                part => match part.split_once('*') {
                    _ if part.contains(['?', '[']) => Part::Pattern(compile(part)?),
                    Some((_, after)) if after.contains('*') => Part::Pattern(compile(part)?),
                    Some((before, after)) => Part::Star(before.as_bytes().to_vec(), after.as_bytes().to_vec()),
                    None => Part::Name(part.as_bytes().to_vec()),
                },
            });
        }
        let mut start = RootPath::root();
        for part in &parts {
            let Part::Name(name) = part else { break };
            start = start.join(name);
        }
        Ok(Self { text: text.to_owned(), whole, start, parts })
    }

    /// The pattern for a caller that takes whole directories. A trailing `**` is dropped, because it adds nothing:
    /// without this, a directory would be taken again for every parent that matches.
    #[must_use]
    pub fn for_whole_directories(mut self) -> Self {
        while self.parts.len() > 1 && matches!(self.parts.last(), Some(Part::AnyDepth)) {
            self.parts.pop();
        }
        self
    }

    /// A pattern for a name anywhere below a directory, whose own path is matched literally.
    ///
    /// # Errors
    /// `bad-glob` if the name is not a glob.
    pub fn below(dir: &RootPath, name: &str) -> Result<Self, Error> {
        Self::new(&format!("{}/**/{name}", Self::literal(dir)))
    }

    /// Escapes a path so that a pattern matches it literally.
    pub fn literal(path: &RootPath) -> String {
        Pattern::escape(&String::from_utf8_lossy(path.as_bytes()))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True if the pattern matches this path or a parent directory: a matched directory includes its contents.
    pub fn covers(&self, path: &RootPath) -> bool {
        // The leading directory excludes most patterns.
        if !path.is_within(&self.start) {
            return false;
        }
        let mut names = path.relative().split(|b| *b == b'/').filter(|name| !name.is_empty());
        if !self.parts.iter().any(|part| matches!(part, Part::AnyDepth)) {
            return self.parts.iter().all(|part| names.next().is_some_and(|name| part.covers(name)));
        }
        // The other parts match components in their order, which rules out most paths.
        let mut single = self.parts.iter().filter(|part| !matches!(part, Part::AnyDepth));
        if !single.all(|part| names.any(|name| part.covers(name))) {
            return false;
        }
        let text = String::from_utf8_lossy(path.as_bytes());
        let ends = text.char_indices().filter(|(at, c)| *c == '/' && *at > 0).map(|(at, _)| at);
        ends.chain([text.len()]).any(|end| self.whole.matches_with(&text[..end], OPTIONS))
    }
}

/// A set of patterns. A path is compared only with patterns whose leading components match.
pub struct GlobSet<'g> {
    by_start: HashMap<&'g [u8], Vec<&'g RootGlob>, RandomState>,
}

impl<'g> FromIterator<&'g RootGlob> for GlobSet<'g> {
    fn from_iter<I: IntoIterator<Item = &'g RootGlob>>(globs: I) -> Self {
        let mut by_start: HashMap<_, Vec<_>, _> = HashMap::default();
        for glob in globs {
            by_start.entry(glob.start.as_bytes()).or_default().push(glob);
        }
        Self { by_start }
    }
}

impl GlobSet<'_> {
    /// True if one of the patterns [covers](RootGlob::covers) the path.
    pub fn covers(&self, path: &RootPath) -> bool {
        let bytes = path.as_bytes();
        let ends = bytes.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let starts = ends.chain([bytes.len()]).map(|end| &bytes[..end]);
        let is_covered =
            |start: &[u8]| self.by_start.get(start).is_some_and(|globs| globs.iter().any(|glob| glob.covers(path)));
        is_covered(b"/") || starts.filter(|start| start.len() > 1).any(is_covered)
    }
}

impl Root {
    /// The paths that match a pattern, sorted and as spelled by the pattern. A matched directory stands for its
    /// contents, see [`Root::below`]. Single components follow symlinks to directories, `**` does not.
    ///
    /// # Errors
    /// `unreadable` if a directory on the way cannot be listed.
    pub fn matching(&self, glob: &RootGlob) -> Result<Vec<RootPath>, Error> {
        let mut reached = vec![Reached { spelled: RootPath::root(), dir: Some(RootPath::root()) }];
        for (index, part) in glob.parts.iter().enumerate() {
            let is_last = index + 1 == glob.parts.len();
            let mut next = Vec::new();
            for from in reached {
                let Some(dir) = &from.dir else { continue };
                match part {
                    Part::Name(name) => next.extend(self.entry(&from.spelled, dir, name)?),
                    Part::Star(..) | Part::Pattern(_) => {
                        for name in self.list(dir)?.iter().filter(|name| part.covers(name)) {
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
                // Two `**` can reach the same directory in several ways.
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

    /// Everything below a directory, with the directory as spelled. Symlinks are included but not followed.
    ///
    /// # Errors
    /// `unreadable` if a directory cannot be listed.
    pub fn below(&self, dir: &RootPath) -> Result<Vec<RootPath>, Error> {
        let real = self.follow(dir.as_bytes())?.dir().cloned();
        let mut found = Vec::new();
        self.walk_below(&Reached { spelled: dir.clone(), dir: real }, &mut |below| found.push(below.spelled))?;
        Ok(found)
    }

    /// Walks everything below a directory. The real path is kept next to the spelled one, because following each path
    /// from `/` would take time cubic in the depth.
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

    /// An entry of a directory, if it exists; a dangling symlink does.
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

/// A path that matches the first components of a pattern, and its real path if it is a directory.
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
    fn a_pattern_covers_what_the_crate_matches() {
        let patterns = [
            "/a*",
            "/*b",
            "/a*b",
            "/*",
            "/*a*",
            "/?b",
            "/[ab]/*",
            "/b/*/a",
            "/**/ab",
            "/a/**/b*",
            "/a/**",
            "/**/a/**/b",
            "/**/*b/a*",
            "/a/*/**",
        ];
        let names = ["a", "b", "ab", "aab", ".a"];
        let mut paths = vec![RootPath::root()];
        for depth in 0..3 {
            let last: Vec<RootPath> =
                paths.iter().filter(|path| path.relative().split(|b| *b == b'/').count() >= depth).cloned().collect();
            paths.extend(last.iter().flat_map(|path| names.iter().map(|name| path.join(name.as_bytes()))));
        }
        for pattern in patterns {
            let glob = RootGlob::new(pattern).expect("a pattern");
            let judge = Pattern::new(pattern).expect("a pattern");
            let mut covered = 0;
            for path in &paths {
                let mut above = Some(path.clone());
                let mut is_matched = false;
                while let Some(one) = above.filter(|one| !one.is_root()) {
                    is_matched |= judge.matches_with(&one.to_string(), OPTIONS);
                    above = one.parent();
                }
                assert_eq!(glob.covers(path), is_matched, "{pattern} and {path}");
                covered += usize::from(is_matched);
            }
            assert!(covered > 0 && covered < paths.len(), "{pattern} covers {covered} of {}", paths.len());
        }
    }

    #[test]
    fn a_set_covers_exactly_what_one_of_its_patterns_covers() {
        let patterns = ["/**/b.py", "/app", "/app/lib/*.so", "/app/lib/deep/**", "/*", "/srv/a", "/usr/share/*/x", "/"];
        let paths =
            ["/", "/app", "/app2", "/app/lib/x.so", "/app/lib/x.so.d", "/app/lib/deep/b", "/srv", "/usr/share/y/x/z"];
        let globs: Vec<RootGlob> = patterns.iter().map(|text| RootGlob::new(text).expect("a pattern")).collect();
        // Every choice of patterns.
        for choice in 0..1_u32 << globs.len() {
            let chosen = || globs.iter().enumerate().filter(|(at, _)| choice >> at & 1 == 1).map(|(_, glob)| glob);
            let set: GlobSet<'_> = chosen().collect();
            for path in paths.iter().filter_map(RootPath::new) {
                assert_eq!(set.covers(&path), chosen().any(|glob| glob.covers(&path)), "{path} and {choice:b}");
            }
        }
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
