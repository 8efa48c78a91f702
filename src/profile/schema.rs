//! The TOML form of a profile, and its validation into a [`Profile`].

use serde::Deserialize;

use super::raw_read::{RawProbe, RawRead, defaults, probes};
use super::{
    EntryKind, Example, Make, MakeContent, MakeDir, Need, Open, Place, Profile, StartFiles, Take, Trigger, Values,
    toml_complaint,
};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::RootGlob;

/// The version of the schema.
const FORMAT: u32 = 1;
/// Maximum nesting of tables in a `when`.
const MAX_NESTED: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    format: u32,
    name: String,
    summary: String,
    note: Option<String>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    extends: Vec<String>,
    #[serde(default)]
    when: Vec<RawTrigger>,
    #[serde(default)]
    probe: Vec<RawProbe>,
    #[serde(default)]
    take: Vec<RawTake>,
    #[serde(default)]
    read: Vec<RawRead>,
    #[serde(default)]
    open: Vec<RawOpen>,
    #[serde(default)]
    start: Vec<RawStart>,
    #[serde(default)]
    make: Vec<RawMake>,
    #[serde(default)]
    dir: Vec<RawDir>,
    #[serde(default)]
    env: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    example: Vec<RawExample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExample {
    #[serde(default)]
    root: Vec<String>,
    #[serde(default)]
    files: std::collections::BTreeMap<String, String>,
    packs: Vec<String>,
    #[serde(default)]
    leaves: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrigger {
    soname: Option<String>,
    #[serde(default, rename = "plug-ins")]
    plug_ins: bool,
    #[serde(default)]
    imports: Vec<String>,
    #[serde(default)]
    strings: Vec<String>,
    #[serde(default)]
    modules: Vec<String>,
    #[serde(default)]
    command: Vec<String>,
    env: Option<String>,
    path: Option<String>,
    package: Option<String>,
    interpreter: Option<String>,
    entry: Option<EntryKind>,
    #[serde(default)]
    anywhere: bool,
    #[serde(default)]
    all: Vec<RawTrigger>,
    #[serde(default)]
    any: Vec<RawTrigger>,
    #[serde(default)]
    not: Vec<RawTrigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOpen {
    why: String,
    sonames: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStart {
    why: String,
    paths: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTake {
    why: String,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    first: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    elf: bool,
    #[serde(default, rename = "links-only")]
    links_only: bool,
    #[serde(default, rename = "glibc-before")]
    glibc_before: Option<String>,
    #[serde(default = "optional")]
    need: Need,
}

pub(super) fn optional() -> Need {
    Need::Optional
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMake {
    path: String,
    why: String,
    #[serde(default = "file_mode")]
    mode: String,
    text: Option<String>,
    accounts: Option<Vec<String>>,
    services: Option<String>,
    #[serde(default)]
    locked: bool,
}

fn file_mode() -> String {
    "0644".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDir {
    path: String,
    why: String,
    mode: String,
    #[serde(default)]
    owner: String,
}

pub(super) fn parse(text: &str, origin: &str) -> Result<Profile, Error> {
    let bad = |why: String| {
        Error::new("bad-profile", format!("{origin}: {why}"))
            .help("slimroot profiles show base prints a complete profile; profiles/README.md describes all keys")
    };
    let raw: RawProfile = toml::from_str(text).map_err(|error| bad(toml_complaint(text, &error)))?;
    if raw.format != FORMAT {
        return Err(bad(format!("format = {} is not supported, this version of slimroot reads {FORMAT}", raw.format)));
    }
    let path =
        |text: &str| RootPath::new(text).ok_or_else(|| bad(format!("{text} is not an absolute path without `..`")));
    let mode = |text: &str| {
        let digits = text.strip_prefix('0').filter(|digits| digits.len() <= 4);
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 8).ok());
        value.ok_or_else(|| bad(format!("mode {text} is not an octal number with a leading 0, such as 0644")))
    };
    let mut profile = Profile {
        name: raw.name,
        summary: raw.summary,
        note: raw.note,
        default: raw.default,
        extends: raw.extends,
        when: Vec::new(),
        probe: Vec::new(),
        take: Vec::new(),
        read: Vec::new(),
        open: raw.open.into_iter().map(|open| Open { sonames: open.sonames, why: open.why }).collect(),
        start: Vec::new(),
        make: Vec::new(),
        dir: Vec::new(),
        env: raw.env,
        example: Vec::new(),
        text: text.to_owned(),
    };
    let triggers = raw.when.into_iter().map(|trigger| self::trigger(trigger, 0));
    profile.when = triggers.collect::<Result<_, _>>().map_err(bad)?;
    profile.probe = probes(raw.probe).map_err(bad)?;
    let taken =
        raw.take.iter().flat_map(|take| take.paths.iter().chain(&take.first).chain(&take.exclude)).map(String::as_str);
    let texts: Vec<&str> = taken.chain(raw.read.iter().flat_map(RawRead::texts)).collect();
    let texts: Vec<&str> =
        texts.into_iter().chain(raw.start.iter().flat_map(|start| start.paths.iter().map(String::as_str))).collect();
    let values: Values = defaults(&profile.probe, &raw.read, &texts);
    let places = |texts: &[String]| -> Result<Vec<Place>, Error> {
        texts.iter().map(|text| Place::new(text, &values).map_err(bad)).collect()
    };
    for take in raw.take {
        if take.paths.is_empty() == take.first.is_empty() {
            return Err(bad(format!("a take needs either paths or first (why = {:?})", take.why)));
        }
        profile.take.push(Take {
            paths: places(&take.paths)?,
            first: places(&take.first)?,
            exclude: places(&take.exclude)?,
            why: take.why,
            elf: take.elf,
            links_only: take.links_only,
            glibc_before: take.glibc_before.as_deref().map(release).transpose().map_err(bad)?,
            need: take.need,
        });
    }
    for start in raw.start {
        profile.start.push(StartFiles { why: start.why, paths: places(&start.paths)? });
    }
    profile.read = raw.read.into_iter().map(|read| read.valid(&values)).collect::<Result<_, _>>().map_err(bad)?;
    for make in raw.make {
        let content = match (make.text, make.accounts, make.services, make.locked) {
            (Some(text), None, None, false) => MakeContent::Text(text),
            (None, Some(lines), None, false) => MakeContent::Accounts(lines),
            (None, None, Some(text), false) => MakeContent::Services(text),
            (None, None, None, true) => MakeContent::Locked,
            _ => return Err(bad(format!("make of {} needs one of text, accounts, services and locked", make.path))),
        };
        profile.make.push(Make { path: path(&make.path)?, why: make.why, mode: mode(&make.mode)?, content });
    }
    for dir in raw.dir {
        let owner = match dir.owner.split_once(':') {
            None if dir.owner.is_empty() => Some((0, 0)),
            Some((uid, gid)) => uid.parse().ok().zip(gid.parse().ok()),
            None => None,
        };
        let owner = owner.ok_or_else(|| bad(format!("owner {} is not UID:GID", dir.owner)))?;
        profile.dir.push(MakeDir { path: path(&dir.path)?, why: dir.why, mode: mode(&dir.mode)?, owner });
    }
    for example in raw.example {
        let paths = |texts: &[String]| texts.iter().map(|text| path(text)).collect::<Result<Vec<_>, _>>();
        profile.example.push(Example {
            root: paths(&example.root)?,
            files: example.files.into_iter().map(|(at, text)| Ok((path(&at)?, text))).collect::<Result<_, Error>>()?,
            packs: paths(&example.packs)?,
            leaves: paths(&example.leaves)?,
        });
    }
    Ok(profile)
}

/// One trigger with its nested ones.
fn trigger(raw: RawTrigger, depth: usize) -> Result<Trigger, String> {
    if depth > MAX_NESTED {
        return Err(format!("a when is nested more than {MAX_NESTED} deep"));
    }
    let RawTrigger { soname, plug_ins, imports, strings, modules, command, env, path, package, interpreter, .. } = raw;
    let (entry, anywhere, all, any, not) = (raw.entry, raw.anywhere, raw.all, raw.any, raw.not);
    let path = path.map(|text| RootGlob::new(&text).map_err(|error| error.says)).transpose()?;
    if anywhere && imports.is_empty() {
        return Err("anywhere must be in the same table as imports".to_owned());
    }
    if plug_ins && soname.is_none() {
        return Err("plug-ins must be in the same table as soname".to_owned());
    }
    let nested = |triggers: Vec<RawTrigger>| {
        triggers.into_iter().map(|raw| trigger(raw, depth + 1)).collect::<Result<Vec<_>, _>>()
    };
    let (all, any, not) = (nested(all)?, nested(any)?, nested(not)?);
    let says = Trigger { soname, plug_ins, imports, strings, modules, command, env, ..Trigger::default() };
    let trigger = Trigger { path, package, interpreter, entry, anywhere, all, any, not, ..says };
    if depth == 0 && !trigger.shows_something() {
        let says = "soname, imports, strings, modules, command, env, path, package, interpreter or entry, itself or in its all or any";
        return Err(format!("a when needs {says}: `not` alone matches nearly everything"));
    }
    if depth > 0 && !trigger.shows_something() && trigger.not.is_empty() {
        return Err("a table in all, any or not is empty".to_owned());
    }
    Ok(trigger)
}

impl Trigger {
    /// True if it has a positive condition, not only `not`.
    fn shows_something(&self) -> bool {
        let has_text = self.soname.is_some() || self.env.is_some() || self.package.is_some();
        let is_of_program = self.interpreter.is_some() || self.entry.is_some() || self.path.is_some();
        let lists = [&self.imports, &self.strings, &self.modules, &self.command];
        let has_list = lists.iter().any(|list| !list.is_empty());
        has_text
            || is_of_program
            || has_list
            || self.all.iter().any(Self::shows_something)
            || !self.any.is_empty() && self.any.iter().all(Self::shows_something)
    }
}

/// Parses a release of glibc, `2.N`.
fn release(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    numbers.ok_or_else(|| format!("glibc-before {text} is not a release such as 2.34"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        let text = format!("format = 1\nname = \"t\"\nsummary = \"t\"\n{text}");
        parse(&text, "t.toml").err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn mistakes_name_the_line_and_the_nearest_key() {
        assert_eq!(complaint("[[tak]]\n"), "t.toml: line 4: unknown key tak; did you mean take?");
        assert_eq!(
            complaint("[[take]]\nwhy = \"x\"\npath = [\"/a\"]\n"),
            "t.toml: line 6: unknown key path; did you mean paths?"
        );
        assert!(complaint("[[take]]\nwhy = \"x\"\n").contains("either paths or first"));
        assert!(complaint("[[dir]]\npath = \"/t\"\nwhy = \"x\"\nmode = \"1777\"\n").contains("not an octal number"));
        assert!(complaint("[[take]]\nwhy = \"x\"\npaths = [\"etc/*\"]\n").contains("not an absolute path"));
        assert!(complaint("[[take]]\nwhy = \"x\"\npaths = [\"{etc}/*\"]\n").contains("no probe of this profile"));
        assert!(complaint("[[probe]]\nname = \"x\"\npattern = \"{}\"\n").contains("at least 4"));
        let read = "[[read]]\nwhy = \"x\"\ngrammar = \"lines\"\nfiles = [\"/a\"]\n";
        let named = complaint(&format!("{read}names = [{{ directives = [\"a\"], what = \"b\" }}]\n"));
        assert!(named.contains("is not config, module"), "{named}");
    }

    #[test]
    fn signs_nest_and_what_is_wrongly_nested_is_told() {
        let when = |text: &str| complaint(&format!("[[when]]\n{text}\n"));
        assert_eq!(
            when("soname = \"a\"\nall = [{ any = [{ env = \"A\" }, { env = \"B\" }] }]\nnot = [{ env = \"C\" }]"),
            ""
        );
        assert!(when("not = [{ env = \"A\" }]").contains("nearly everything"));
        assert!(when("any = [{ env = \"A\" }, { not = [{ env = \"B\" }] }]").contains("nearly everything"));
        assert!(when("all = { env = \"A\" }").contains("name = [{ … }]"));
        assert!(when("all = [{}]\nenv = \"A\"").contains("is empty"));
        assert!(when("env = \"A\"\nany = [{ sonam = \"x\" }]").contains("did you mean soname?"));
        assert!(when("anywhere = true\nall = [{ imports = [\"a\"] }]").contains("in the same table"));
        let deep = (0..10).fold("{ env = \"A\" }".to_owned(), |inner, _| format!("{{ all = [{inner}] }}"));
        assert!(when(&format!("env = \"A\"\nall = [{deep}]")).contains("more than 8 deep"));
    }

    #[test]
    fn every_builtin_profile_is_valid_and_named_as_its_file() {
        for (name, text) in super::super::BUILTIN {
            let profile = parse(text, name).expect("a valid profile");
            assert_eq!(profile.name, *name);
        }
    }
}
