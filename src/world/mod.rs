//! Queries on a root that many rules need: strings and imports of objects, owners of files, programs in PATH. Every
//! result is cached, so rules need no caches of their own.

pub(crate) mod tables;

mod machine;
mod modules;
pub(crate) mod own;
mod packaged;
mod programs;
mod strings;

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::rc::Rc;

pub use modules::Unneeded;
pub(crate) use packaged::{is_library_dir, is_named_after, is_own_dir};
pub(crate) use programs::{find_program, program_in_path};
pub(crate) use strings::command_line;

use self::strings::Search;
use crate::error::Error;
use crate::loader::Objects;
use crate::package::{self, Packages};
use crate::path::RootPath;
use crate::profile::Probe;
use crate::root::{Root, RootGlob};

/// Absolute paths of a file.
type Paths = Rc<BTreeSet<Vec<u8>>>;
/// Names of libraries in a file.
type Names = Rc<Vec<Vec<u8>>>;
/// Paths below a directory, each with the packages that have it.
type Below = Rc<BTreeMap<RootPath, Vec<String>>>;
/// Values that a probe finds in a file.
type Values = Rc<Vec<String>>;

/// A root with its cached results.
pub(crate) struct World<'a> {
    /// The file system.
    pub(crate) root: &'a Root,
    /// Its ELF objects.
    pub(crate) objects: &'a Objects<'a>,
    database: OnceCell<Option<Box<dyn Packages + 'a>>>,
    owners: RefCell<HashMap<RootPath, Option<String>>>,
    contents: RefCell<HashMap<String, Rc<Vec<RootPath>>>>,
    below: RefCell<HashMap<RootPath, Below>>,
    needed: RefCell<HashMap<String, Option<Rc<BTreeSet<String>>>>>,
    unneeded: RefCell<HashMap<(String, RootPath), Option<Unneeded>>>,
    commands: RefCell<HashMap<String, Rc<BTreeMap<RootPath, String>>>>,
    starters: RefCell<HashMap<RootPath, bool>>,
    openers: RefCell<HashMap<RootPath, bool>>,
    texts: RefCell<HashMap<(RootPath, Vec<u8>), bool>>,
    triggers: RefCell<HashMap<RootPath, Rc<BTreeSet<String>>>>,
    trigger_search: OnceCell<Search<'static, String>>,
    probes: RefCell<HashMap<(RootPath, String), Values>>,
    matches: RefCell<HashMap<String, Option<RootPath>>>,
    paths: RefCell<HashMap<RootPath, Paths>>,
    libraries: RefCell<HashMap<RootPath, Names>>,
    lines: RefCell<HashMap<RootPath, Rc<BTreeSet<String>>>>,
    unowned: OnceCell<Vec<RootPath>>,
}

/// The cached result for a key, or a new one.
fn cached<K, V, Q>(cache: &RefCell<HashMap<K, V>>, key: &Q, find: impl FnOnce() -> Result<V, Error>) -> Result<V, Error>
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ToOwned<Owned = K> + ?Sized,
    V: Clone,
{
    if let Some(known) = cache.borrow().get(key) {
        return Ok(known.clone());
    }
    let found = find()?;
    cache.borrow_mut().insert(key.to_owned(), found.clone());
    Ok(found)
}

impl<'a> World<'a> {
    /// A root with an empty cache.
    pub(crate) fn new(objects: &'a Objects<'a>) -> Self {
        Self {
            root: objects.root(),
            objects,
            database: OnceCell::new(),
            owners: RefCell::default(),
            contents: RefCell::default(),
            below: RefCell::default(),
            needed: RefCell::default(),
            unneeded: RefCell::default(),
            commands: RefCell::default(),
            starters: RefCell::default(),
            openers: RefCell::default(),
            texts: RefCell::default(),
            triggers: RefCell::default(),
            trigger_search: OnceCell::new(),
            probes: RefCell::default(),
            matches: RefCell::default(),
            paths: RefCell::default(),
            libraries: RefCell::default(),
            lines: RefCell::default(),
            unowned: OnceCell::new(),
        }
    }

    /// The package database; `None` if the root has none of a known kind.
    ///
    /// # Errors
    /// `unreadable`, `bad-package-database`.
    pub(crate) fn database(&self) -> Result<Option<&(dyn Packages + 'a)>, Error> {
        if self.database.get().is_none() {
            let _ = self.database.set(package::open(self.root)?);
        }
        Ok(self.database.get().and_then(Option::as_deref))
    }

    /// The packages that own these real paths. Paths without an owner are omitted.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        let Some(database) = self.database()? else { return Ok(BTreeMap::new()) };
        let unknown: BTreeSet<RootPath> = {
            let known = self.owners.borrow();
            paths.iter().filter(|path| !known.contains_key(*path)).cloned().collect()
        };
        if !unknown.is_empty() {
            let unknown: Vec<RootPath> = unknown.into_iter().collect();
            let mut found = database.owners(&unknown)?;
            let mut known = self.owners.borrow_mut();
            for path in unknown {
                let owner = found.remove(&path);
                known.insert(path, owner);
            }
        }
        let known = self.owners.borrow();
        let owner = |path: &RootPath| Some((path.clone(), known.get(path)?.clone()?));
        Ok(paths.iter().filter_map(owner).collect())
    }

    /// The package that owns a real path.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn owner(&self, path: &RootPath) -> Result<Option<String>, Error> {
        Ok(self.owners(std::slice::from_ref(path))?.remove(path))
    }

    /// Files directly in /etc with the name of a settings file that belong to no package; none if the root has no
    /// package database, because then every file would be such a file.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn unowned_settings(&self) -> Result<&[RootPath], Error> {
        if let Some(known) = self.unowned.get() {
            return Ok(known);
        }
        let mut found = Vec::new();
        if let (Some(etc), Some(_)) = (self.root.follow(b"/etc")?.dir(), self.database()?) {
            let names = self.root.list(etc)?;
            let names = names.iter().filter(|name| tables::system().settings_endings.end(name));
            found = names.map(|name| etc.join(name)).collect();
            let owners = self.owners(&found)?;
            found.retain(|path| !owners.contains_key(path));
        }
        Ok(self.unowned.get_or_init(|| found))
    }

    /// The paths of a package, as spelled in its database.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn contents(&self, package: &str) -> Result<Rc<Vec<RootPath>>, Error> {
        cached(&self.contents, package, || {
            Ok(Rc::new(self.database()?.map_or_else(|| Ok(Vec::new()), |database| database.contents(package))?))
        })
    }

    /// The packaged files in the directories of a PATH, with the owner of each.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn commands(&self, path: &str) -> Result<Rc<BTreeMap<RootPath, String>>, Error> {
        cached(&self.commands, path, || {
            let mut commands = Vec::new();
            for dir in path.split(':').filter_map(RootPath::new) {
                let Some(real) = self.root.follow(dir.as_bytes())?.dir().cloned() else { continue };
                commands.extend(self.root.list(&real)?.iter().map(|name| real.join(name)));
            }
            Ok(Rc::new(self.owners(&commands)?))
        })
    }

    /// True if the object imports a function that starts programs.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn starts_programs(&self, real: &RootPath) -> Result<bool, Error> {
        cached(&self.starters, real, || {
            Ok(self.imports_one_of(real, &tables::imports().starts_programs)?
                || self.starts_by_wide_names(real)?
                || self.has_libc_that_starts_programs(real)?)
        })
    }

    /// True if the object is a static program whose libc has functions that start programs: it has their texts.
    fn has_libc_that_starts_programs(&self, real: &RootPath) -> Result<bool, Error> {
        let read = self.objects.read(real)?;
        if !read.elf.as_ref().is_ok_and(|elf| elf.is_static_program()) {
            return Ok(false);
        }
        let texts = tables::imports().starts_static_texts.iter().map(str::as_bytes);
        Ok(!self.whole_strings(real, texts)?.is_empty())
    }

    /// True if the object imports a function that starts programs by names in UTF-16.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn starts_by_wide_names(&self, real: &RootPath) -> Result<bool, Error> {
        let imports = self.objects.imports(real)?;
        Ok(imports.iter().any(|name| tables::imports().starts_by_wide_names.begin(name)))
    }

    /// True if the object imports a function that opens libraries by name.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn opens_libraries(&self, real: &RootPath) -> Result<bool, Error> {
        cached(&self.openers, real, || self.imports_one_of(real, &tables::imports().opens_libraries))
    }

    /// True if the object imports one of these names.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn imports_one_of(&self, real: &RootPath, names: &[String]) -> Result<bool, Error> {
        let imports = self.objects.imports(real)?;
        Ok(imports.iter().any(|name| names.iter().any(|wanted| wanted.as_bytes() == name.as_slice())))
    }

    /// True if the file contains the text.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn contains(&self, file: &RootPath, text: &[u8]) -> Result<bool, Error> {
        let key = (file.clone(), text.to_vec());
        cached(&self.texts, &key, || Ok(!strings::texts_in(self.root, file, &[text])?.is_empty()))
    }

    /// The indexes of the texts that the file contains; reads the file once.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn texts_in<T: AsRef<[u8]> + Clone>(
        &self,
        file: &RootPath,
        texts: &[T],
    ) -> Result<BTreeSet<usize>, Error> {
        strings::texts_in(self.root, file, texts)
    }

    /// The indexes of the names that the program may open by relative paths; reads the file once.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn relative_names(&self, file: &RootPath, names: &[&[u8]]) -> Result<BTreeSet<usize>, Error> {
        strings::relative_names(self.root, file, names)
    }

    /// The trigger texts that the program contains. `all` returns the texts of all triggers, which are the same for
    /// every program.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn trigger_texts(
        &self,
        program: &RootPath,
        all: impl FnOnce() -> Vec<String>,
    ) -> Result<Rc<BTreeSet<String>>, Error> {
        cached(&self.triggers, program, || {
            let search = self.trigger_search.get_or_init(|| Search::new(Cow::Owned(all())));
            Ok(Rc::new(search.texts_in(self.root, program)?.into_iter().cloned().collect()))
        })
    }

    /// Whole strings in the file that are library names.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn library_names(&self, file: &RootPath) -> Result<Names, Error> {
        cached(&self.libraries, file, || Ok(Rc::new(strings::library_names(self.root, file)?)))
    }

    /// The values that a probe finds in the object.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn probed(&self, object: &RootPath, probe: &Probe) -> Result<Values, Error> {
        let key = (object.clone(), format!("{} {} {}", probe.name, probe.before, probe.after));
        cached(&self.probes, &key, || {
            let mut found: Vec<String> = Vec::new();
            self.pieces(object, |piece| {
                let new = probe.values(piece);
                found.extend(new.into_iter().filter(|value| !found.contains(value)).collect::<Vec<_>>());
                ControlFlow::Continue(())
            })?;
            Ok(Rc::new(found))
        })
    }

    /// The first path that matches a pattern.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn first_match(&self, pattern: &RootGlob) -> Result<Option<RootPath>, Error> {
        cached(&self.matches, pattern.as_str(), || Ok(self.root.matching(pattern)?.into_iter().next()))
    }

    /// Whole strings in the file that are absolute paths.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn whole_paths(&self, file: &RootPath) -> Result<Paths, Error> {
        cached(&self.paths, file, || Ok(Rc::new(strings::whole_paths(self.root, file)?)))
    }

    /// The words with which a string in the file ends.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn ends_of_strings<'w>(
        &self,
        file: &RootPath,
        words: impl Iterator<Item = &'w [u8]>,
    ) -> Result<BTreeSet<&'w [u8]>, Error> {
        self.words_in(file, words, strings::ends_a_string)
    }

    /// Whole strings in the file that are command lines.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn command_lines(&self, file: &RootPath) -> Result<Rc<BTreeSet<String>>, Error> {
        cached(&self.lines, file, || Ok(Rc::new(strings::command_lines(self.root, file)?)))
    }

    /// The texts in the loaded segments of a program, also those without an end in Go and Rust. They are not cached,
    /// because they are large and used only once.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn machine_texts(&self, file: &RootPath) -> Result<BTreeSet<String>, Error> {
        machine::texts(self.root, self.objects, file)
    }

    /// The words that are whole strings in the file, or ends of strings that are neither paths nor sentences.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn strings_or_their_ends<'w>(
        &self,
        file: &RootPath,
        words: impl Iterator<Item = &'w [u8]>,
    ) -> Result<BTreeSet<&'w [u8]>, Error> {
        self.words_in(file, words, strings::is_string_or_its_end)
    }

    /// The words that are whole strings in the file.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn whole_strings<'w>(
        &self,
        file: &RootPath,
        words: impl Iterator<Item = &'w [u8]>,
    ) -> Result<BTreeSet<&'w [u8]>, Error> {
        self.words_in(file, words, strings::is_whole_string)
    }

    /// Those of the words that are whole strings of UTF-16 in the file.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn wide_strings<'w>(&self, file: &RootPath, words: &[&'w [u8]]) -> Result<BTreeSet<&'w [u8]>, Error> {
        let wide: Vec<Vec<u8>> = words.iter().map(|word| word.iter().flat_map(|byte| [*byte, 0]).collect()).collect();
        let found = strings::found_in(self.root, file, &wide, strings::is_wide_string)?;
        Ok(found.into_iter().map(|at| words[at]).collect())
    }

    /// Those of the names that are the last part of a string in the file.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn file_names<'w>(
        &self,
        file: &RootPath,
        names: impl Iterator<Item = &'w [u8]>,
    ) -> Result<BTreeSet<&'w [u8]>, Error> {
        self.words_in(file, names, strings::is_file_name)
    }

    /// The words for which this condition holds in the file.
    fn words_in<'w>(
        &self,
        file: &RootPath,
        words: impl Iterator<Item = &'w [u8]>,
        has: fn(&[u8], usize, usize) -> bool,
    ) -> Result<BTreeSet<&'w [u8]>, Error> {
        let words: Vec<&[u8]> = words.collect::<BTreeSet<_>>().into_iter().filter(|word| !word.is_empty()).collect();
        let found = strings::found_in(self.root, file, &words, has)?;
        Ok(found.into_iter().map(|at| words[at]).collect())
    }

    /// Visits the file piece by piece until the visitor breaks.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn pieces(&self, file: &RootPath, mut visit: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), Error> {
        strings::pieces(self.root, file, |piece, _| visit(piece))
    }

    /// True if the path leads to an ELF file.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn is_elf(&self, path: &RootPath) -> Result<bool, Error> {
        let read = self.root.head_followed(path.as_bytes(), 4)?;
        Ok(read.is_some_and(|(_, head)| head == b"\x7fELF"))
    }
}
