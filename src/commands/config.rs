//! `slimroot.toml`: the settings of `build` in a file. Options on the command line go before it; lists are joined.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::build::{CompanionOption, ImageOptions, Options};
use crate::cli::{RankOptions, RootOptions};
use crate::error::Error;
use crate::profile::toml_complaint;

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Config {
    root: Option<PathBuf>,
    entry: Vec<String>,
    bins: Vec<String>,
    profiles: Vec<String>,
    no_profiles: Vec<String>,
    no_auto: bool,
    companions: CompanionOption,
    include: Vec<String>,
    exclude: Vec<String>,
    env: BTreeMap<String, String>,
    workdir: Option<String>,
    user: Option<String>,
    expose: Vec<String>,
    labels: BTreeMap<String, String>,
    outputs: Vec<String>,
    compression: Option<String>,
    threads: Option<usize>,
    cpu: Option<String>,
    allow: Vec<String>,
    warn: Vec<String>,
    deny: Vec<String>,
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// `bad-config`, with the line and, for an unknown key, the nearest known one.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bad = |why: String| {
            Error::new("bad-config", format!("{}: {why}", path.display()))
                .help("the keys are entry, bins, profiles, include, exclude, env, workdir, user, expose, labels, outputs, …: see README")
        };
        let text = std::fs::read_to_string(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
        toml::from_str(&text).map_err(|error| bad(toml_complaint(&text, &error)))
    }

    /// These settings, with the options of the command line above them.
    pub(crate) fn under(self, options: &Options) -> Options {
        let joined = |own: Vec<String>, more: &[String]| own.into_iter().chain(more.iter().cloned()).collect();
        let pairs =
            |own: BTreeMap<String, String>| own.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
        let either = |above: &[String], own: Vec<String>| if above.is_empty() { own } else { above.to_vec() };
        let default_root = Path::new("/");
        Options {
            root: RootOptions {
                root: match self.root {
                    Some(root) if options.root.root == default_root => root,
                    _ => options.root.root.clone(),
                },
                // Later values win, so those of the command line come last.
                env: joined(pairs(self.env), &options.root.env),
                workdir: options.root.workdir.clone().or(self.workdir),
                cpu: options.root.cpu.clone().or(self.cpu),
                interpreter: options.root.interpreter.clone(),
            },
            image: ImageOptions {
                bin: joined(self.bins, &options.image.bin),
                profile: joined(self.profiles, &options.image.profile),
                include: joined(self.include, &options.image.include),
                exclude: joined(self.exclude, &options.image.exclude),
                no_profile: joined(self.no_profiles, &options.image.no_profile),
                companions: match options.image.companions {
                    CompanionOption::All => self.companions,
                    named => named,
                },
                no_auto: options.image.no_auto || self.no_auto,
            },
            rank: RankOptions {
                allow: joined(self.allow, &options.rank.allow),
                warn: joined(self.warn, &options.rank.warn),
                deny: joined(self.deny, &options.rank.deny),
            },
            output: either(&options.output, self.outputs),
            user: options.user.clone().or(self.user),
            expose: joined(self.expose, &options.expose),
            label: joined(pairs(self.labels), &options.label),
            config: None,
            compression: options.compression.clone().or(self.compression),
            threads: options.threads.or(self.threads),
            force: options.force,
            dry_run: options.dry_run,
            format: options.format,
            entry: either(&options.entry, self.entry),
        }
    }
}

impl Options {
    /// The options where there is no file.
    pub(crate) fn clone_settings(&self) -> Self {
        Config::default().under(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("slimroot.toml");
        std::fs::write(&path, text).expect("written");
        let error = Config::read(&path).err().map(|error| error.says).unwrap_or_default();
        error.rsplit("slimroot.toml: ").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn unknown_keys_name_their_line_and_the_nearest_key() {
        assert_eq!(complaint("entry = [\"x\"]\nlabel = {}\n"), "line 2: unknown key label; did you mean labels?");
        assert_eq!(complaint("user = 3\n"), "line 1: invalid type: integer `3`, expected a string");
        assert_eq!(complaint("entry = [\"x\"]\n"), "");
    }
}
