//! The TOML form of probes and `[[read]]` tables, and their validation.

use serde::Deserialize;

use super::probe::HOLE;
use super::{CommandLine, Names, Need, Place, Probe, Read, Values, What};
use crate::config::Grammar;

/// Minimum length of the fixed text in the pattern of a probe.
const MIN_ANCHOR: usize = 4;
/// The placeholder for the directory of the main configuration file.
pub(super) const MAIN: &str = "main";
/// The placeholder for the working directories of the commands that trigger the profile.
pub const WORKDIR: &str = "workdir";
/// The placeholder for directories among the arguments of the command that triggers the profile.
pub const ARGUMENT: &str = "argument";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProbe {
    name: String,
    soname: Option<String>,
    pattern: String,
    #[serde(default)]
    default: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRead {
    why: String,
    grammar: Grammar,
    files: Vec<String>,
    #[serde(default)]
    arguments: Vec<String>,
    variables: Option<String>,
    #[serde(default, rename = "named-by")]
    named_by: Vec<String>,
    #[serde(default)]
    always: Vec<String>,
    names: Vec<RawNames>,
    #[serde(default)]
    otherwise: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNames {
    directives: Vec<String>,
    with: Option<String>,
    attribute: Option<String>,
    #[serde(default = "first")]
    word: usize,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    paths: bool,
    #[serde(default)]
    split: bool,
    between: Option<String>,
    until: Option<String>,
    begins: Option<String>,
    #[serde(default)]
    keys: bool,
    what: String,
    #[serde(default, rename = "in")]
    bases: Vec<String>,
    #[serde(default)]
    suffix: String,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default = "super::schema::optional")]
    need: Need,
    launch: Option<CommandLine>,
    #[serde(default)]
    language: String,
}

fn first() -> usize {
    1
}

pub(super) fn probes(raw: Vec<RawProbe>) -> Result<Vec<Probe>, String> {
    let valid = |raw: RawProbe| {
        let RawProbe { name, soname, pattern, default } = raw;
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || [MAIN, ARGUMENT, WORKDIR].contains(&name.as_str()) || !name.bytes().all(is_name) {
            return Err(format!(
                "the name of a probe has only lower-case letters, digits and dashes, and is none of {MAIN}, {ARGUMENT} and {WORKDIR}: {name:?}"
            ));
        }
        let Some((before, after)) = pattern.split_once(HOLE) else {
            return Err(format!("the pattern of the probe {name} has no {HOLE} for the value"));
        };
        let anchor = if before.is_empty() { after } else { before };
        if anchor.len() < MIN_ANCHOR || after.contains(HOLE) {
            return Err(format!(
                "the pattern of the probe {name} needs one {HOLE} and at least {MIN_ANCHOR} other characters"
            ));
        }
        Ok(Probe { name, soname, before: before.to_owned(), after: after.to_owned(), default })
    };
    raw.into_iter().map(valid).collect()
}

/// All placeholders with their defaults; environment variables have none.
pub(super) fn defaults(probes: &[Probe], reads: &[RawRead], texts: &[&str]) -> Values {
    let mut values = Values::from([MAIN, ARGUMENT, WORKDIR].map(|name| (name.to_owned(), Vec::new())));
    let sets = reads.iter().flat_map(|read| &read.names).filter_map(|names| value_name(&names.what));
    values.extend(sets.map(|name| (name.to_owned(), Vec::new())));
    for probe in probes {
        let known = values.entry(probe.name.clone()).or_default();
        let new = probe.default.iter().filter(|value| !known.contains(value)).cloned().collect::<Vec<_>>();
        known.extend(new);
    }
    let variables = texts.iter().flat_map(|text| text.split("{$").skip(1)).filter_map(|rest| rest.split_once('}'));
    values.extend(variables.map(|(name, _)| (format!("${name}"), Vec::new())));
    values
}

impl RawRead {
    /// All fields that may contain placeholders.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let bases = self.names.iter().flat_map(|names| &names.bases);
        self.files.iter().chain(&self.otherwise).chain(bases).map(String::as_str)
    }

    pub(super) fn valid(self, defaults: &Values) -> Result<Read, String> {
        let Self { why, grammar, files, arguments, variables, named_by, always, names, otherwise } = self;
        let places = |texts: &[String]| texts.iter().map(|text| Place::new(text, defaults)).collect::<Result<_, _>>();
        let names = names.into_iter().map(|names| names.valid(defaults)).collect::<Result<_, _>>()?;
        let (files, otherwise) = (places(&files)?, places(&otherwise)?);
        Ok(Read { why, grammar, files, arguments, variables, named_by, always, names, otherwise })
    }
}

impl RawNames {
    fn valid(self, defaults: &Values) -> Result<Names, String> {
        let what = match self.what.as_str() {
            "config" => What::Config,
            "module" => What::Module,
            "file" => What::File,
            "dir" => What::Dir,
            "command" => What::Command,
            "launch" => What::Launch,
            "programs" => What::Programs,
            "told" => What::Told,
            "variable" => What::Variable,
            "script" => What::Script,
            "text" => What::Text,
            what => match value_name(what) {
                Some(name) => What::Value(name.to_owned()),
                None => {
                    return Err(format!(
                        "what = {what:?} is not config, module, file, dir, command, launch, programs, told, script, text, variable or {{name}}"
                    ));
                }
            },
        };
        // A dot stands for the directory of the file with the statement.
        let base = |text: &String| Place::new(if text == "." { Place::NAMING } else { text }, defaults);
        let bases = self.bases.iter().map(base).collect::<Result<_, _>>()?;
        if self.launch.is_some() && what != What::Launch {
            return Err("launch belongs to what = \"launch\"".to_owned());
        }
        let is_script = matches!(what, What::Script | What::Text);
        if is_script == self.language.is_empty() {
            return Err("language is the interpreter of what = \"script\" or what = \"text\"".to_owned());
        }
        let launch = self.launch.unwrap_or_default();
        let Self { directives, with, attribute, word, after, paths, split, between, until, keys, suffix, .. } = self;
        let Self { except, need, language, begins, .. } = self;
        Ok(Names {
            directives,
            with,
            attribute,
            word,
            after,
            paths,
            split,
            between,
            until,
            begins,
            keys,
            what,
            bases,
            suffix,
            except,
            need,
            launch,
            language,
        })
    }
}

/// The name in `{name}`.
fn value_name(what: &str) -> Option<&str> {
    what.strip_prefix('{')?.strip_suffix('}')
}
