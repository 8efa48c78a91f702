//! Profiles that know when they are needed: signs of the need in what was resolved so far.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use super::{Reason, Started};
use crate::error::Error;
use crate::loader;
use crate::path::{RootPath, show};
use crate::profile::{Clue, EntryKind, Profile};

/// Bytes of a program that are searched for strings at a time, and by how much the pieces overlap.
const PIECE: usize = 1 << 20;
const OVERLAP: usize = 256;

/// A profile that was applied by itself.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Fired {
    /// Its name.
    pub profile: String,
    /// The sign: which object, and what of it.
    pub because: String,
    /// Files that came in by it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What the processes of the entries show.
struct Signs {
    /// SONAMEs with the object that has each.
    sonames: BTreeMap<Vec<u8>, RootPath>,
    /// Imported names with the first object that imports each.
    anywhere: BTreeMap<Vec<u8>, RootPath>,
    /// The same of the entries and of what they surely start alone.
    entry: BTreeMap<Vec<u8>, RootPath>,
    /// The programs of the entries, and those that they surely start.
    programs: BTreeSet<RootPath>,
    /// These, and those that they may start: a server is what it is behind a script too.
    started: BTreeSet<RootPath>,
}

impl Build<'_> {
    /// Applies the profiles whose signs are there.
    pub(super) fn automatic(&mut self) -> Result<(), Error> {
        let request = self.request;
        if request.automatic.is_empty() {
            return Ok(());
        }
        // What one profile's configuration names may show the need of another.
        loop {
            let known = self.closure.named_modules.len();
            self.fire_shown()?;
            if self.closure.named_modules.len() == known {
                return Ok(());
            }
        }
    }

    /// Applies the profiles whose signs are there now.
    fn fire_shown(&mut self) -> Result<(), Error> {
        let request = self.request;
        let signs = self.signs()?;
        for profile in &request.automatic {
            if self.closure.fired.iter().any(|fired| fired.profile == profile.name) {
                continue;
            }
            let mut shown =
                self.closure.wanted.iter().find(|(name, _)| *name == profile.name).map(|(_, sign)| sign.clone());
            let clues = if shown.is_none() { profile.when.as_slice() } else { &[] };
            for clue in clues {
                if let Some(sign) = self.sign(clue, &signs)? {
                    shown = Some(sign);
                    break;
                }
            }
            if let Some(because) = shown {
                self.fire(profile, because)?;
                for name in &profile.extends {
                    let extended = request.automatic.iter().find(|other| other.name == *name);
                    let is_new = !self.closure.fired.iter().any(|fired| fired.profile == *name);
                    if let Some(extended) = extended.filter(|_| is_new) {
                        self.fire(extended, format!("the profile {} brings it", profile.name))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn fire(&mut self, profile: &Profile, because: String) -> Result<(), Error> {
        let first = self.closure.edges.len();
        self.profile(profile, false)?;
        let closure = &self.closure;
        // What has no older reason came in by this profile.
        let is_new = |path: &&RootPath| closure.reached.get(*path).and_then(|edges| edges.first()) >= Some(&first);
        let paths: BTreeSet<&RootPath> = closure.edges[first..].iter().map(|edge| &edge.to).filter(is_new).collect();
        let new = || paths.iter().filter_map(|path| closure.nodes.get(*path));
        let is_file =
            |node: &&super::NodeKind| matches!(node, super::NodeKind::File(_) | super::NodeKind::MadeFile { .. });
        let files = new().filter(is_file).count();
        // Names of one inode are one file in the image too.
        let mut inodes = BTreeSet::new();
        let bytes = new().map(|node| match node {
            super::NodeKind::File(meta) if meta.links > 1 && !inodes.insert(meta.identity) => 0,
            node => node.size(),
        });
        let bytes = bytes.sum();
        self.closure.fired.push(Fired { profile: profile.name.clone(), because, files, bytes });
        Ok(())
    }

    fn signs(&self) -> Result<Signs, Error> {
        let mut signs = Signs {
            sonames: BTreeMap::new(),
            anywhere: BTreeMap::new(),
            entry: BTreeMap::new(),
            programs: BTreeSet::new(),
            started: BTreeSet::new(),
        };
        let mut seen = BTreeSet::new();
        let is_named = |started: &&Started| {
            let module = started.process.loaded.get(started.process.inherited);
            module.is_some_and(|module| self.closure.named_modules.contains(&module.real))
        };
        // A program that a package brought for its own programs needs what it would need as an entry.
        let is_helper =
            |started: &&Started| started.process.loaded[0].elf.interp.is_some() && started.process.inherited == 0;
        let counts = |started: &&Started| started.required || is_named(started) || is_helper(started);
        for started in self.closure.processes.iter().filter(counts) {
            for (index, object) in started.process.loaded.iter().enumerate().skip(started.process.inherited) {
                let is_started = index == 0 && started.required;
                let is_program = is_started && !started.is_command;
                if is_started {
                    signs.started.insert(object.real.clone());
                }
                if is_program {
                    signs.programs.insert(object.real.clone());
                }
                if !seen.insert(object.real.clone()) {
                    continue;
                }
                // One without DT_SONAME is known by the name of its file, as the loader knows it.
                let soname = object.elf.soname.clone().unwrap_or_else(|| object.real.name().to_vec());
                signs.sonames.entry(soname).or_insert_with(|| object.real.clone());
                for name in self.objects.imports(&object.real)? {
                    if is_program {
                        signs.entry.entry(name.clone()).or_insert_with(|| object.real.clone());
                    }
                    signs.anywhere.entry(name).or_insert_with(|| object.real.clone());
                }
            }
        }
        Ok(signs)
    }

    /// What shows a clue, in words; `None` if nothing does.
    fn sign(&self, clue: &Clue, signs: &Signs) -> Result<Option<String>, Error> {
        let mut said = Vec::new();
        if let Some(wanted) = &clue.soname {
            let fits = |soname: &Vec<u8>| match wanted.strip_suffix('*') {
                Some(start) => soname.starts_with(start.as_bytes()),
                None => soname == wanted.as_bytes(),
            };
            let Some((soname, _)) = signs.sonames.iter().find(|(soname, _)| fits(soname)) else { return Ok(None) };
            said.push(format!("{} is loaded", show(soname)));
        }
        if !clue.imports.is_empty() {
            let table = if clue.anywhere { &signs.anywhere } else { &signs.entry };
            let found = clue.imports.iter().find_map(|name| Some((name, table.get(name.as_bytes())?)));
            let Some((name, object)) = found else { return Ok(None) };
            said.push(format!("{object} imports {name}"));
        }
        if !clue.strings.is_empty() {
            let Some((program, text)) = self.string_in(&clue.strings, &signs.started)? else { return Ok(None) };
            said.push(format!("{program} holds the text {}", text.trim_end_matches('\0')));
        }
        if !clue.modules.is_empty() {
            let Some((program, name)) = self.module_in(&clue.modules, &signs.started)? else { return Ok(None) };
            said.push(format!("{program} is built with {name}"));
        }
        if let Some(name) = &clue.env {
            let Some(value) = self.request.env.get(name) else { return Ok(None) };
            said.push(format!("{name} is {value}"));
        }
        if let Some(pattern) = &clue.path {
            let Some(path) = self.root.matching(pattern)?.into_iter().next() else { return Ok(None) };
            said.push(format!("the root has {path}"));
        }
        if let Some(name) = &clue.package {
            let Some(database) = self.database()? else { return Ok(None) };
            if database.contents(name)?.is_empty() {
                return Ok(None);
            }
            said.push(format!("the package {name} is installed"));
        }
        if let Some(wanted) = &clue.interpreter {
            let programs =
                signs.programs.iter().filter(|_| self.is_script()).map(|path| show(path.name()).into_owned());
            let fits = |name: &String| wanted.strip_suffix('*').map_or(name == wanted, |start| name.starts_with(start));
            let Some(name) = programs.into_iter().find(fits) else { return Ok(None) };
            said.push(format!("the entry is a script for {name}"));
        }
        if let Some(kind) = clue.entry {
            if self.entry_kind() != Some(kind) {
                return Ok(None);
            }
            said.push(format!("the entry is of the kind {kind:?}").to_lowercase());
        }
        let Some(nested) = self.nested(clue, signs)? else { return Ok(None) };
        said.extend(nested);
        Ok(Some(said.join(" and ")))
    }

    /// What shows the clues that stand in a clue.
    fn nested(&self, clue: &Clue, signs: &Signs) -> Result<Option<Vec<String>>, Error> {
        let mut said = Vec::new();
        for inner in &clue.all {
            let Some(sign) = self.sign(inner, signs)? else { return Ok(None) };
            said.push(sign);
        }
        let mut shown = clue.any.is_empty();
        for inner in &clue.any {
            if let Some(sign) = self.sign(inner, signs)? {
                said.push(sign);
                shown = true;
                break;
            }
        }
        for inner in &clue.not {
            shown &= self.sign(inner, signs)?.is_none();
            said.push(format!("not ({inner})"));
        }
        Ok(shown.then_some(said))
    }

    /// Whether the entry is a script: what runs it is another file then.
    fn is_script(&self) -> bool {
        self.entry_kind() == Some(EntryKind::Script)
    }

    fn entry_kind(&self) -> Option<EntryKind> {
        let entry = self.closure.entries.first()?;
        let own = self.closure.processes.iter().find(|started| started.process.loaded[0].real == entry.real);
        Some(match own {
            None => EntryKind::Script,
            Some(started) if started.process.facts.is_some() => EntryKind::Dynamic,
            Some(_) => EntryKind::Static,
        })
    }

    fn module_in(&self, names: &[String], programs: &BTreeSet<RootPath>) -> Result<Option<(RootPath, String)>, Error> {
        for program in programs {
            let built = self.objects.build_info(program)?.unwrap_or_default();
            if let Some(name) = names.iter().find(|name| built.modules.contains_key(*name)) {
                return Ok(Some((program.clone(), name.clone())));
            }
        }
        Ok(None)
    }

    fn string_in(&self, texts: &[String], programs: &BTreeSet<RootPath>) -> Result<Option<(RootPath, String)>, Error> {
        for program in programs {
            let source = self.root.open_file(program)?;
            let mut buffer = vec![0; PIECE + OVERLAP];
            let mut at = 0;
            loop {
                let read = source.read_at(at, &mut buffer).map_err(|error| Error::unreadable(program, error))?;
                let found = texts.iter().find(|text| memchr::memmem::find(&buffer[..read], text.as_bytes()).is_some());
                if let Some(text) = found {
                    return Ok(Some((program.clone(), text.clone())));
                }
                if read < buffer.len() {
                    break;
                }
                at += PIECE as u64;
            }
        }
        Ok(None)
    }

    /// Opens the libraries of a profile in the process of the entry.
    pub(super) fn open_rule(&mut self, profile: &Profile) -> Result<(), Error> {
        let hosts: Vec<Started> =
            self.closure.processes.iter().filter(|s| s.required && s.process.inherited == 0).cloned().collect();
        let cwd = self.conditions.cwd.clone();
        for rule in &profile.open {
            for host in &hosts {
                for name in &rule.sonames {
                    let opened = loader::open(self.objects, &host.process, 0, name.as_bytes(), &self.conditions)?;
                    let Some(opened) = opened else { continue };
                    if let Some(plugin) = opened.loaded.get(opened.inherited) {
                        let reason = Reason::Profile { profile: profile.name.clone(), why: rule.why.clone() };
                        let (path, real) = (plugin.path.clone(), plugin.real.clone());
                        self.closure.take(self.root, None, &cwd, &path, reason)?;
                        self.add_process(&opened, &real)?;
                        self.closure.processes.push(Started { process: opened, required: false, is_command: false });
                    }
                    break;
                }
            }
        }
        Ok(())
    }
}
