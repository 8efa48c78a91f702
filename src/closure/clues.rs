//! Signs of a need: what of a profile's clues the closure shows.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use super::strings::texts_in;
use super::{Reason, Started};
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::profile::{Clue, EntryKind, fits};

/// What shows a clue.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    /// In words.
    pub(super) says: String,
    /// The object that shows it, if one does.
    pub(super) object: Option<RootPath>,
}

/// What the processes of the entries show.
pub(super) struct Signs {
    /// SONAMEs with the object that has each.
    sonames: BTreeMap<Vec<u8>, RootPath>,
    /// The same of plug-ins: what came with the packages of the entries, or is opened by name.
    plug_ins: BTreeMap<Vec<u8>, RootPath>,
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
    pub(super) fn signs(&self) -> Result<Signs, Error> {
        let mut signs = Signs {
            sonames: BTreeMap::new(),
            plug_ins: self.plug_ins(),
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
                signs.sonames.entry(object.name().to_vec()).or_insert_with(|| object.real.clone());
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

    /// SONAMEs of what plug-ins and helper programs load, with one that loads each.
    fn plug_ins(&self) -> BTreeMap<Vec<u8>, RootPath> {
        let mut found = BTreeMap::new();
        for process in self.closure.processes.iter().filter(|started| !started.required).map(|started| &started.process)
        {
            let Some(first) = process.loaded.get(process.inherited) else { continue };
            let is_plugged =
                |edge: &super::Edge| matches!(edge.reason, Reason::Companion { .. } | Reason::Opens { .. });
            if self.closure.reasons(&first.real).any(is_plugged) {
                for object in &process.loaded[process.inherited..] {
                    found.insert(object.name().to_vec(), first.real.clone());
                }
            }
        }
        found
    }

    /// What shows a clue; `None` if nothing does.
    pub(super) fn sign(&mut self, clue: &Clue, signs: &Signs) -> Result<Option<Sign>, Error> {
        let mut shown = Sign { says: String::new(), object: None };
        if let Some(wanted) = &clue.soname {
            let in_table = |table: &BTreeMap<Vec<u8>, RootPath>| {
                table.iter().find(|(soname, _)| fits(wanted, soname)).map(|(soname, by)| (soname.clone(), by.clone()))
            };
            if let Some((soname, object)) = in_table(&signs.sonames) {
                shown.add(format!("{} is loaded", show(&soname)), Some(&object));
            } else if let Some((soname, by)) = in_table(&signs.plug_ins).filter(|_| clue.plug_ins) {
                shown.add(format!("{by}, which the entry may open, loads {}", show(&soname)), Some(&by));
            } else {
                return Ok(None);
            }
        }
        if !clue.imports.is_empty() {
            let table = if clue.anywhere { &signs.anywhere } else { &signs.entry };
            let found = clue.imports.iter().find_map(|name| Some((name, table.get(name.as_bytes())?)));
            let Some((name, object)) = found else { return Ok(None) };
            shown.add(format!("{object} imports {name}"), Some(object));
        }
        if !clue.strings.is_empty() {
            let Some((program, text)) = self.string_in(&clue.strings, &signs.started)? else { return Ok(None) };
            shown.add(format!("{program} holds the text {}", text.trim_end_matches('\0')), Some(&program));
        }
        if !clue.modules.is_empty() {
            let Some((program, name)) = self.module_in(&clue.modules, &signs.started)? else { return Ok(None) };
            shown.add(format!("{program} is built with {name}"), Some(&program));
        }
        if let Some(wanted) = &clue.interpreter {
            let mut programs = signs.programs.iter().filter(|_| self.is_script());
            let Some(program) = programs.find(|path| fits(wanted, path.name())) else { return Ok(None) };
            shown.add(format!("the entry is a script for {}", show(program.name())), Some(program));
        }
        let Some(around) = self.around(clue)? else { return Ok(None) };
        around.into_iter().for_each(|says| shown.add(says, None));
        Ok(if self.nested(clue, signs, &mut shown)? { Some(shown) } else { None })
    }

    /// What shows the parts of a clue that are about the request and the root.
    fn around(&self, clue: &Clue) -> Result<Option<Vec<String>>, Error> {
        let mut said = Vec::new();
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
        if let Some(kind) = clue.entry {
            if self.entry_kind() != Some(kind) {
                return Ok(None);
            }
            said.push(format!("the entry is of the kind {kind:?}").to_lowercase());
        }
        Ok(Some(said))
    }

    /// Whether the clues that stand in a clue are shown, and by what.
    fn nested(&mut self, clue: &Clue, signs: &Signs, shown: &mut Sign) -> Result<bool, Error> {
        for inner in &clue.all {
            let Some(sign) = self.sign(inner, signs)? else { return Ok(false) };
            shown.add(sign.says, sign.object.as_ref());
        }
        let mut is_any = clue.any.is_empty();
        for inner in &clue.any {
            if let Some(sign) = self.sign(inner, signs)? {
                shown.add(sign.says, sign.object.as_ref());
                is_any = true;
                break;
            }
        }
        for inner in &clue.not {
            is_any &= self.sign(inner, signs)?.is_none();
            shown.add(format!("not ({inner})"), None);
        }
        Ok(is_any)
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

    /// The first program that holds one of some texts, and which. All that any profile asks of a program is looked for in
    /// one reading of it.
    fn string_in(
        &mut self,
        texts: &[String],
        programs: &BTreeSet<RootPath>,
    ) -> Result<Option<(RootPath, String)>, Error> {
        for program in programs {
            if !self.texts.contains_key(program) {
                let profiles = self.request.automatic.iter().chain(&self.request.profiles);
                let all: Vec<&str> = profiles.flat_map(|profile| &profile.when).flat_map(Clue::texts).collect();
                let held = texts_in(self.root, program, &all)?;
                self.texts.insert(program.clone(), held.into_iter().map(|at| all[at].to_owned()).collect());
            }
            if let Some(text) = texts.iter().find(|text| self.texts[program].contains(*text)) {
                return Ok(Some((program.clone(), text.clone())));
            }
        }
        Ok(None)
    }
}

impl Sign {
    fn add(&mut self, says: String, object: Option<&RootPath>) {
        if !self.says.is_empty() {
            self.says.push_str(" and ");
        }
        self.says.push_str(&says);
        if self.object.is_none() {
            self.object = object.cloned();
        }
    }
}
