//! Scans Python sources for hints that tests, build tools, Tk or a shell are needed. A single word is enough to keep
//! something, because nothing is parsed.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem::find;

use super::fonts;
use super::table::table;
use crate::error::Error;
use crate::language::source::application::is_leftover;
use crate::language::source::literals::Named;
use crate::language::source::names::{Files, UNPARSED};
use crate::path::RootPath;
use crate::root::{FileKind, Root, Visit};

/// Maximum size of a source file that is scanned.
const MAX_SOURCE: usize = 8 << 20;

/// The top-level modules that a source imports.
pub(super) fn imports(text: &str) -> impl Iterator<Item = String> + '_ {
    let lines = text.lines().map(str::trim_start);
    let named = lines.filter_map(|line| line.strip_prefix("import ").or_else(|| line.strip_prefix("from ")));
    let parts = named.flat_map(|rest| rest.split(" import ").next().unwrap_or_default().split(','));
    parts
        .filter_map(|part| part.trim().split(['.', ' ', ';', '#']).next().map(str::to_owned))
        .filter(|name| !name.is_empty())
}

/// Hints in the sources of installed packages and of the application.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// True if setuptools or pkg_resources is imported by other code than its own.
    pub(super) uses_setuptools: bool,
    /// True if a shell is started.
    pub(super) runs_shell: bool,
    /// True if `ctypes.util` is used.
    pub(super) finds_libraries: bool,
    /// True if the application mentions tkinter or turtle.
    pub(super) app_names_tk: bool,
    /// Programs that are started and libraries that are opened by name.
    pub(super) named: Named,
    /// Top-level modules that the launch itself imports: none of their files are left out.
    pub(super) asked: BTreeSet<String>,
    /// Files of fonts that the application names, each with a source.
    pub(super) fonts: BTreeMap<String, RootPath>,
    /// Test directories to which code outside of them refers.
    used_tests: BTreeSet<RootPath>,
    /// Names of files that no interpreter reads but a source names, each with the top directory of the source's package.
    named_files: BTreeSet<(RootPath, Vec<u8>)>,
}

impl Texts {
    /// Scans all sources in these directories, without those in `passed`.
    pub(super) fn read(
        root: &Root,
        sites: &[RootPath],
        apps: &[RootPath],
        passed: &BTreeSet<RootPath>,
    ) -> Result<Self, Error> {
        let mut texts = Self::default();
        for (dir, is_app) in sites.iter().map(|dir| (dir, false)).chain(apps.iter().map(|dir| (dir, true))) {
            // Names travel within an application, and within an installed package.
            let (mut files, mut top) = (Files::default(), Vec::new());
            root.visit(dir, &mut |path, meta| {
                if passed.contains(path) {
                    return Ok(Visit::Pass);
                }
                if meta.kind == FileKind::File && path.name().ends_with(b".py") {
                    let inside = path.as_bytes()[dir.as_bytes().len()..].trim_ascii();
                    let package = inside.split(|b| *b == b'/').find(|part| !part.is_empty()).unwrap_or_default();
                    if !is_app && package != top {
                        top = package.to_vec();
                        super::calls::read(&mut texts.named, &std::mem::take(&mut files), is_app);
                    }
                    let text = root.read(path, MAX_SOURCE)?;
                    texts.source(dir, path, &text, is_app);
                    if is_app {
                        texts.named.keep_beside(root, path, &text);
                    }
                    let matters = super::calls::matters(&text);
                    if let Some(text) = files.add(path, text, matters).filter(|_| matters) {
                        root.leave_unread(path, UNPARSED);
                        super::calls::scan(&mut texts.named, path, &text, is_app);
                    }
                }
                let is_out = is_leftover(path)
                    || sites.contains(path)
                    || !is_app && (is_tool(dir, path) || table().leftovers.tests.contain(path.name()));
                Ok(if is_out { Visit::Pass } else { Visit::Enter })
            })?;
            super::calls::read(&mut texts.named, &files, is_app);
        }
        Ok(texts)
    }

    /// Scans a script that lies in none of these directories.
    pub(super) fn script(&mut self, root: &Root, script: &RootPath) -> Result<(), Error> {
        let text = root.read(script, MAX_SOURCE)?;
        self.source(&script.parent().unwrap_or_else(RootPath::root), script, &text, true);
        self.named.keep_beside(root, script, &text);
        if !self.calls(script, text) {
            root.leave_unread(script, UNPARSED);
        }
        Ok(())
    }

    /// Scans source text in the arguments of an interpreter.
    pub(super) fn argument(&mut self, interpreter: &RootPath, text: &str) {
        self.source(&RootPath::root(), interpreter, text.as_bytes(), true);
        self.calls(interpreter, text.as_bytes().to_vec());
    }

    /// Follows the calls of a source; false if it cannot be parsed.
    fn calls(&mut self, path: &RootPath, text: Vec<u8>) -> bool {
        let mut files = Files::default();
        let left = files.add(path, text, true);
        if let Some(text) = &left {
            super::calls::scan(&mut self.named, path, text, true);
        }
        super::calls::read(&mut self.named, &files, true);
        left.is_none()
    }

    fn source(&mut self, site: &RootPath, path: &RootPath, text: &[u8], is_app: bool) {
        let calls = &table().calls;
        self.runs_shell |= calls.runs_shell.occur_in(text);
        self.finds_libraries |= calls.finds_signs.occur_in(text);
        // setuptools is a build tool: a module that needs it at run time imports it at top level. pkg_resources belongs
        // to setuptools but is used at run time.
        let found = |word: &str, is_need: &dyn Fn(&[u8], usize) -> bool| {
            memchr::memmem::find_iter(text, word.as_bytes()).any(|at| is_need(text, at))
        };
        let is_top = |text: &[u8], at: usize| at == 0 || text[at - 1] == b'\n';
        let is_untried = |text: &[u8], at: usize| !is_tried(text, at);
        self.uses_setuptools |= found("import setuptools", &is_top)
            || found("from setuptools", &is_top)
            || found("import pkg_resources", &is_untried)
            || found("from pkg_resources", &is_untried);
        self.app_names_tk |= is_app && calls.tk.occur_in(text);
        if is_app {
            fonts::named(path, text, &mut self.fonts);
            self.named.keep_paths(path, text);
        }
        self.name_files(site, path, text);
        let package = path.parent().unwrap_or_else(|| site.clone());
        for at in memchr::memmem::find_iter(text, b"test") {
            self.test_word(site, &package, text, at);
        }
    }

    /// Remembers texts that end like files that stay out of packages: `open(join(dirname(__file__), "part.c"))`.
    fn name_files(&mut self, site: &RootPath, path: &RootPath, text: &[u8]) {
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+');
        for ending in table().leftovers.endings.iter() {
            for at in memchr::memmem::find_iter(text, ending.as_bytes()) {
                let end = at + ending.len();
                let start = text[..at].iter().rposition(|b| !is_part(b)).map_or(0, |last| last + 1);
                if start < at && matches!(text.get(end), Some(b'"' | b'\'')) {
                    self.named_files.insert((top_of(site, path), text[start..end].to_vec()));
                }
            }
        }
    }

    /// True for a file that a source of its package names.
    pub(super) fn is_named_file(&self, site: &RootPath, path: &RootPath) -> bool {
        self.named_files.contains(&(top_of(site, path), path.name().to_vec()))
    }

    /// Handles the word `test` or `tests` in a source: with the text before it, it may be the name of a test directory.
    fn test_word(&mut self, site: &RootPath, package: &RootPath, text: &[u8], at: usize) {
        let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let name: &[u8] = if text[at..].starts_with(b"tests") { b"tests" } else { b"test" };
        if text.get(at + name.len()).is_some_and(is_word) || at == 0 {
            return;
        }
        let before = &text[..at];
        if before.ends_with(b".") {
            let start = before.iter().rposition(|b| !is_word(b) && *b != b'.').map_or(0, |last| last + 1);
            let dotted = &before[start..before.len() - 1];
            if dotted.is_empty() || dotted.starts_with(b".") {
                // `from .tests import x`, `from ..tests import x`
                let ups = dotted.iter().take_while(|b| **b == b'.').count();
                let mut dir = package.clone();
                for _ in 0..ups {
                    dir = dir.parent().unwrap_or_else(RootPath::root);
                }
                self.used_tests.insert(dir.join(name));
            } else {
                let mut dir = site.clone();
                for part in dotted.split(|b| *b == b'.').filter(|part| !part.is_empty()) {
                    dir = dir.join(part);
                }
                self.used_tests.insert(dir.join(name));
            }
        } else if before.ends_with(b"import ") {
            // `from . import tests`
            let line = &before[before.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1)..];
            if find(line, b"from .").is_some() {
                self.used_tests.insert(package.join(name));
            }
        }
    }

    /// True for a test directory to which no code outside of it refers.
    pub(super) fn is_unused_test(&self, path: &RootPath) -> bool {
        table().leftovers.tests.contain(path.name()) && !self.used_tests.contains(path)
    }
}

/// The directory of a package directly in the directory of modules; for a module without one, that directory.
fn top_of(site: &RootPath, path: &RootPath) -> RootPath {
    let above = path.ancestors();
    above.into_iter().find(|dir| dir.parent().as_ref() == Some(site)).unwrap_or_else(|| site.clone())
}

/// True if the import is the first statement of a `try` block, so that its failure is handled.
fn is_tried(text: &[u8], at: usize) -> bool {
    let line = text[..at].iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let mut before = text[..line].split(|b| *b == b'\n').rev().map(<[u8]>::trim_ascii);
    let last = before.find(|line| !line.is_empty() && !line.starts_with(b"#"));
    last.is_some_and(|line| line.ends_with(b"try:")) && text[line..at].iter().all(|b| matches!(b, b' ' | b'\t'))
}

/// True for build tools, whose own sources give no hints about the application.
fn is_tool(site: &RootPath, path: &RootPath) -> bool {
    let known = &table().leftovers;
    path.parent().as_ref() == Some(site)
        && (known.installers.contain(path.name()) || known.builders.contain(path.name()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn test_folders_are_kept_where_something_names_them() {
        let mut tree = MemTree::default();
        tree.file("/s/django/core.py", 0o644, "from django.test import Client\n")
            .file("/s/django/test/__init__.py", 0o644, "")
            .file("/s/rel/__init__.py", 0o644, "from .tests import x\n")
            .file("/s/rel/tests/__init__.py", 0o644, "")
            .file("/s/dot/__init__.py", 0o644, "from . import tests\n")
            .file("/s/dot/tests/__init__.py", 0o644, "")
            .file("/s/plain/__init__.py", 0o644, "# latest contest.testing\n")
            .file("/s/plain/tests/a.py", 0o644, "import plain.tests\n")
            .file("/s/soft/x.py", 0o644, "try:\n    import pkg_resources\nexcept ImportError:\n    pass\n")
            .file("/s/run/x.py", 0o644, "subprocess.run('x', shell=True)\n");
        let root = Root::new(Arc::new(tree));
        let path = |text: &str| RootPath::new(text).expect("a path");
        let texts = Texts::read(&root, &[path("/s")], &[], &BTreeSet::new()).expect("readable");
        let unused = |text: &str| texts.is_unused_test(&path(text));
        assert_eq!(
            ["/s/django/test", "/s/rel/tests", "/s/dot/tests", "/s/plain/tests"].map(unused),
            [false, false, false, true]
        );
        assert!(texts.runs_shell && !texts.uses_setuptools && !texts.finds_libraries);
    }
}
