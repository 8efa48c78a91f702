//! Evidence for profiles: what the programs of the image load, import and contain.

use std::collections::{BTreeMap, BTreeSet};

use super::launch::Launched;
use super::process::Started;
use super::rules::{EMBEDDED, SETTINGS};
use super::state::State;
use crate::error::Error;
use crate::language::{Certainty, LANGUAGES};
use crate::path::{RootPath, show};
use crate::profile::{EntryKind, Profile, Trigger, fits};
use crate::world::World;

/// Rules whose plug-ins are extension modules in the directories of a language, or modules that a profile takes. They count
/// like libraries needed by a program, as those of [`SETTINGS`] do.
const EXTENSIONS: [&str; 2] = [CLAIM, "profile-take"];
const CLAIM: &str = "claim";
/// Rules whose plug-ins a program may open.
const PLUG_INS: [&str; 3] = ["package-files", "same-source", "dlopen-name"];

/// Evidence that a profile is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sign {
    /// Description.
    pub(super) says: String,
    /// The object that is the evidence, if any.
    pub(super) object: Option<RootPath>,
}

/// Evidence found in processes. If several objects have the same property, the first by path is kept.
#[derive(Default)]
pub(super) struct Signs {
    /// SONAMEs of libraries that programs load.
    sonames: BTreeMap<Vec<u8>, RootPath>,
    /// SONAMEs of libraries that plug-ins load, with the plug-in.
    plug_ins: BTreeMap<Vec<u8>, RootPath>,
    /// Names that any object imports.
    anywhere: BTreeMap<Vec<u8>, RootPath>,
    /// Names imported by programs that run, either certainly or because of a literal call.
    entry: BTreeMap<Vec<u8>, RootPath>,
    /// Programs that run, either certainly or because of a literal call.
    programs: BTreeSet<RootPath>,
    /// All programs that are started, so that a server behind a start script is recognised.
    started: BTreeSet<RootPath>,
    /// File names of programs and scripts that run, either certainly or because of a literal call.
    commands: BTreeMap<Vec<u8>, RootPath>,
    /// Objects whose imports were read.
    seen: BTreeSet<RootPath>,
}

/// Keeps the path that sorts first.
fn keep(table: &mut BTreeMap<Vec<u8>, RootPath>, name: &[u8], object: &RootPath) {
    match table.get_mut(name) {
        Some(known) if *known <= *object => {}
        Some(known) => known.clone_from(object),
        None => _ = table.insert(name.to_vec(), object.clone()),
    }
}

/// `libodbc.so.2` for `libodbc-1a2b3c4d.so.2`: auditwheel puts a part of the file's digest into the names of the
/// libraries that it copies into a wheel.
fn without_hash(name: &[u8]) -> Option<Vec<u8>> {
    const MIN_DIGITS: usize = 8;
    let dash = name.iter().position(|byte| *byte == b'-')?;
    let (stem, rest) = (&name[..dash], &name[dash + 1..]);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)).count();
    (digits >= MIN_DIGITS && rest[digits..].starts_with(b".so")).then(|| [stem, &rest[digits..]].concat())
}

impl Signs {
    /// Adds the evidence in a process that is new or has become more certain.
    pub(super) fn add(&mut self, world: &World<'_>, started: &Started) -> Result<(), Error> {
        let process = &started.process;
        if !started.required
            && let Some(first) = started.own_objects().first()
            && PLUG_INS.iter().any(|rule| started.is_by(rule))
        {
            for object in started.own_objects() {
                keep(&mut self.plug_ins, object.name(), &first.real);
            }
        }
        // A helper program from a package has the same needs as an entry.
        let is_helper = process.loaded[0].elf.interp.is_some() && process.inherited == 0;
        // A program in the application's directory is there to be started, even if the command is not understood.
        let is_of_application = is_helper && started.is_by(CLAIM);
        // Libraries that source code opens by name, and those that embedded objects need.
        let is_opened = || started.is_by(EMBEDDED) || LANGUAGES.iter().any(|language| started.is_by(language.id));
        let is_module = started.is_by(SETTINGS);
        let is_extension = EXTENSIONS.iter().any(|rule| started.is_by(rule));
        if !started.required && !is_module && !is_helper && !is_extension && !is_opened() {
            return Ok(());
        }
        for (index, object) in process.loaded.iter().enumerate().skip(process.inherited) {
            let is_started = index == 0 && started.required;
            let is_program = is_started && started.certainty >= Certainty::Likely;
            // A server's module is a part of the server.
            if is_started || (is_module || is_of_application) && index == process.inherited {
                self.started.insert(object.real.clone());
            }
            if is_of_application && index == 0 {
                keep(&mut self.commands, object.name(), &object.real);
            }
            let is_new_program = is_program && self.programs.insert(object.real.clone());
            let is_new = self.seen.insert(object.real.clone());
            keep(&mut self.sonames, object.name(), &object.real);
            if let Some(name) = without_hash(object.name()) {
                keep(&mut self.sonames, &name, &object.real);
            }
            if !is_new && !is_new_program {
                continue;
            }
            for name in world.objects.imports(&object.real)?.iter() {
                if is_new_program {
                    keep(&mut self.entry, name, &object.real);
                }
                keep(&mut self.anywhere, name, &object.real);
            }
        }
        Ok(())
    }

    /// Adds the evidence in an ELF object inside another file, which a program unpacks and opens.
    pub(super) fn embedded(&mut self, file: &RootPath, name: &[u8], imports: &[Vec<u8>]) {
        keep(&mut self.sonames, name, file);
        if let Some(name) = without_hash(name) {
            keep(&mut self.sonames, &name, file);
        }
        imports.iter().for_each(|name| keep(&mut self.anywhere, name, file));
    }

    /// Adds the evidence in a launch that is new or has become more certain.
    pub(super) fn launched(&mut self, launched: &Launched) {
        if launched.certainty >= Certainty::Likely {
            for name in launched.names() {
                keep(&mut self.commands, name, &launched.real);
            }
        }
    }

    /// The evidence for a trigger; `None` if it does not fire.
    pub(super) fn of(&self, state: &State<'_>, trigger: &Trigger) -> Result<Option<Sign>, Error> {
        let mut shown = Sign { says: String::new(), object: None };
        if let Some(wanted) = &trigger.soname {
            let in_table = |table: &BTreeMap<Vec<u8>, RootPath>| {
                table.iter().find(|(soname, _)| fits(wanted, soname)).map(|(soname, by)| (soname.clone(), by.clone()))
            };
            if let Some((soname, object)) = in_table(&self.sonames) {
                shown.add(format!("{} is loaded", show(&soname)), Some(&object));
            } else if let Some((soname, by)) = in_table(&self.plug_ins).filter(|_| trigger.plug_ins) {
                shown.add(format!("{by}, which the entry may open, loads {}", show(&soname)), Some(&by));
            } else {
                return Ok(None);
            }
        }
        if !trigger.imports.is_empty() {
            let table = if trigger.anywhere { &self.anywhere } else { &self.entry };
            let found = trigger.imports.iter().find_map(|name| Some((name, table.get(name.as_bytes())?)));
            let Some((name, object)) = found else { return Ok(None) };
            shown.add(format!("{object} imports {name}"), Some(object));
        }
        if !trigger.strings.is_empty() {
            let Some((program, text)) = string_in(state, &trigger.strings, &self.started)? else { return Ok(None) };
            shown.add(format!("{program} contains {}", text.trim_end_matches('\0')), Some(&program));
        }
        if !trigger.modules.is_empty() {
            let Some((program, name)) = module_in(state, &trigger.modules, &self.started)? else { return Ok(None) };
            shown.add(format!("{program} is built with {name}"), Some(&program));
        }
        if !trigger.command.is_empty() {
            let found = trigger.command.iter().find_map(|name| Some((name, self.commands.get(name.as_bytes())?)));
            let Some((name, object)) = found else { return Ok(None) };
            shown.add(format!("{name} is started"), Some(object));
        }
        if let Some(wanted) = &trigger.interpreter {
            let mut programs = self.programs.iter().filter(|_| state.entry_kind() == Some(EntryKind::Script));
            let Some(program) = programs.find(|path| fits(wanted, path.name())) else { return Ok(None) };
            shown.add(format!("the entry is a script for {}", show(program.name())), Some(program));
        }
        let Some(around) = around(state, trigger)? else { return Ok(None) };
        around.into_iter().for_each(|says| shown.add(says, None));
        Ok(if self.nested(state, trigger, &mut shown)? { Some(shown) } else { None })
    }

    /// The programs and modules that contain a text of the triggers of a profile; none if its triggers have no texts.
    pub(super) fn holders(&self, state: &State<'_>, profile: &Profile) -> Result<BTreeSet<RootPath>, Error> {
        let texts: Vec<&str> = profile.when.iter().flat_map(Trigger::texts).collect();
        let mut found = BTreeSet::new();
        for program in self.started.iter().filter(|_| !texts.is_empty()) {
            let found_texts = state.world.trigger_texts(program, || trigger_texts(state))?;
            if texts.iter().any(|text| found_texts.contains(*text)) {
                found.insert(program.clone());
            }
        }
        Ok(found)
    }

    /// True if the nested triggers fire; adds their evidence.
    fn nested(&self, state: &State<'_>, trigger: &Trigger, shown: &mut Sign) -> Result<bool, Error> {
        for inner in &trigger.all {
            let Some(sign) = self.of(state, inner)? else { return Ok(false) };
            shown.add(sign.says, sign.object.as_ref());
        }
        let mut is_any = trigger.any.is_empty();
        for inner in &trigger.any {
            if let Some(sign) = self.of(state, inner)? {
                shown.add(sign.says, sign.object.as_ref());
                is_any = true;
                break;
            }
        }
        for inner in &trigger.not {
            is_any &= self.of(state, inner)?.is_none();
            shown.add(format!("not ({inner})"), None);
        }
        Ok(is_any)
    }
}

/// The evidence for the parts of a trigger that concern the request and the root.
fn around(state: &State<'_>, trigger: &Trigger) -> Result<Option<Vec<String>>, Error> {
    let mut said = Vec::new();
    if let Some(name) = &trigger.env {
        let Some(value) = state.request.env.get(name) else { return Ok(None) };
        said.push(format!("{name} is {value}"));
    }
    if let Some(pattern) = &trigger.path {
        let Some(path) = state.world.first_match(pattern)? else { return Ok(None) };
        said.push(format!("the root has {path}"));
    }
    if let Some(name) = &trigger.package {
        if state.world.contents(name)?.is_empty() {
            return Ok(None);
        }
        said.push(format!("the package {name} is installed"));
    }
    if let Some(kind) = trigger.entry {
        if state.entry_kind() != Some(kind) {
            return Ok(None);
        }
        said.push(format!("the entry is of the kind {kind:?}").to_lowercase());
    }
    Ok(Some(said))
}

/// The first program built with one of these Go modules or crates, and its name.
fn module_in(
    state: &State<'_>,
    names: &[String],
    programs: &BTreeSet<RootPath>,
) -> Result<Option<(RootPath, String)>, Error> {
    for program in programs {
        let built = state.world.objects.build_info(program)?.unwrap_or_default();
        if let Some(name) = names.iter().find(|name| built.modules.contains_key(*name)) {
            return Ok(Some((program.clone(), name.clone())));
        }
    }
    Ok(None)
}

/// The texts of the triggers of all profiles: each program is searched only once.
fn trigger_texts(state: &State<'_>) -> Vec<String> {
    let profiles = state.request.automatic.iter().chain(&state.request.profiles);
    profiles.flat_map(|profile| &profile.when).flat_map(Trigger::texts).map(str::to_owned).collect()
}

/// The first program that contains one of these strings, and the string.
fn string_in(
    state: &State<'_>,
    texts: &[String],
    programs: &BTreeSet<RootPath>,
) -> Result<Option<(RootPath, String)>, Error> {
    for program in programs {
        let found_texts = state.world.trigger_texts(program, || trigger_texts(state))?;
        if let Some(text) = texts.iter().find(|text| found_texts.contains(*text)) {
            return Ok(Some((program.clone(), text.clone())));
        }
    }
    Ok(None)
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

#[cfg(test)]
mod tests {
    use super::without_hash;

    #[test]
    fn copies_in_wheels_have_the_names_of_their_libraries() {
        assert_eq!(without_hash(b"libodbc-1a2b3c4d.so.2"), Some(b"libodbc.so.2".to_vec()));
        assert_eq!(without_hash(b"libpango-1.0.so.0"), None);
        assert_eq!(without_hash(b"libodbc.so.2"), None);
    }
}
