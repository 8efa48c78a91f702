//! `slimroot.toml`: the settings of `build` in a file. Command-line options take precedence; lists are joined.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::build::Options;
use super::contents::{CompanionOption, ImageOptions, PycOption};
use super::run_options::{FormatOption, RunOptions};
use crate::check::Ranking;
use crate::cli::{RankOptions, RootOptions};
use crate::error::Error;
use crate::finding::Level;
use crate::ledger::LockRules;
use crate::pack::Allowed;
use crate::profile::toml_complaint;

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Config {
    root: Option<PathBuf>,
    entry: Vec<String>,
    bins: Vec<String>,
    profiles: Vec<String>,
    profiles_folder: Option<PathBuf>,
    no_profiles: Vec<String>,
    no_rules: Vec<String>,
    no_auto: bool,
    no_inherit: bool,
    no_shell: bool,
    companions: CompanionOption,
    traces: Vec<PathBuf>,
    include: Vec<String>,
    copy: Vec<String>,
    packages: Vec<String>,
    ca: Vec<PathBuf>,
    exclude: Vec<String>,
    strip: bool,
    owner_map: Vec<String>,
    pyc: Option<PycOption>,
    jlink: bool,
    env: BTreeMap<String, String>,
    workdir: Option<String>,
    user: Option<String>,
    expose: Vec<String>,
    labels: BTreeMap<String, String>,
    cmd: Option<Vec<String>>,
    volumes: Vec<String>,
    stop_signal: Option<String>,
    healthcheck: Option<String>,
    author: Option<String>,
    tag: Option<String>,
    image_format: Option<FormatOption>,
    outputs: Vec<String>,
    compression: Option<String>,
    layers: Option<String>,
    threads: Option<usize>,
    cpu: Option<String>,
    findings: Vec<RankedCode>,
    allow: AllowTable,
    lock: LockTable,
}

/// The table `[lock]`: what a lock leaves out or adds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LockTable {
    changing: Vec<String>,
    digests: bool,
}

/// The table `[allow]`: what an image may contain.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AllowTable {
    sonames: Option<Vec<String>>,
    packages: Option<Vec<String>>,
    paths: Option<Vec<String>>,
}

/// A `[[findings]]` table: a new level for a code, with the user's reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RankedCode {
    code: String,
    subject: Option<String>,
    level: RankedLevel,
    why: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RankedLevel {
    Allow,
    Warn,
    Deny,
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// `bad-config`, with the line and, for an unknown key, the most similar known key.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bad = |why: String| {
            Error::new("bad-config", format!("{}: {why}", path.display()))
                .help("the keys are entry, bins, profiles, include, exclude, ca, env, workdir, user, expose, labels, outputs and others: see docs/options.md")
        };
        let text = crate::text::read_file(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
        toml::from_str(&text).map_err(|error| bad(toml_complaint(&text, &error)))
    }

    /// The entry with its arguments.
    pub(crate) fn entry(&self) -> &[String] {
        &self.entry
    }

    /// Returns the rules on what the image may contain.
    pub(crate) fn allowed(&self) -> Allowed {
        let AllowTable { sonames, packages, paths } = &self.allow;
        Allowed { sonames: sonames.clone(), packages: packages.clone(), paths: paths.clone() }
    }

    /// Returns the user's options for lock files.
    pub(crate) fn lock_rules(&self) -> LockRules {
        LockRules { changing: self.lock.changing.clone(), digests: self.lock.digests }
    }

    /// The user of the image.
    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The health check of the image, in the syntax of its option.
    pub(crate) fn healthcheck(&self) -> Option<&str> {
        self.healthcheck.as_deref()
    }

    /// The ports of the image.
    ///
    /// # Errors
    /// `bad-argument`.
    pub(crate) fn ports(&self) -> Result<std::collections::BTreeSet<String>, Error> {
        self.expose.iter().map(|text| crate::pack::port(text)).collect()
    }

    /// Levels of findings. Those of the file come first, because later ones take precedence.
    ///
    /// # Errors
    /// `unknown-code`.
    pub(crate) fn rankings(&self, options: &RankOptions) -> Result<Vec<Ranking>, Error> {
        let mut found = Vec::new();
        for ranked in &self.findings {
            let level = match ranked.level {
                RankedLevel::Allow => None,
                RankedLevel::Warn => Some(Level::Warning),
                RankedLevel::Deny => Some(Level::Error),
            };
            let parsed = Ranking::parse(&ranked.code, level)?;
            found.push(Ranking { subject: ranked.subject.clone(), why: Some(ranked.why.clone()), ..parsed });
        }
        found.extend(super::rankings(options)?);
        Ok(found)
    }

    /// The root options; the command line takes precedence over the file.
    pub(crate) fn root_under(&self, options: &RootOptions) -> RootOptions {
        let own = self.env.iter().map(|(name, value)| format!("{name}={value}"));
        RootOptions {
            root: match &self.root {
                Some(root) if options.root == Path::new("/") => root.clone(),
                _ => options.root.clone(),
            },
            // Later values take precedence, so those of the command line come last.
            env: own.chain(options.env.iter().cloned()).collect(),
            workdir: options.workdir.clone().or_else(|| self.workdir.clone()),
            cpu: options.cpu.clone().or_else(|| self.cpu.clone()),
            interpreter: options.interpreter.clone(),
            no_inherit: options.no_inherit || self.no_inherit,
            platform: options.platform.clone(),
            registry_ca: options.registry_ca.clone(),
            insecure: options.insecure,
        }
    }

    /// The content options; the command line takes precedence over the file.
    pub(crate) fn image_under(&self, options: &ImageOptions) -> ImageOptions {
        let joined = |own: &[String], more: &[String]| own.iter().chain(more).cloned().collect();
        ImageOptions {
            bin: joined(&self.bins, &options.bin),
            profile: joined(&self.profiles, &options.profile),
            profiles: options.profiles.clone().or_else(|| self.profiles_folder.clone()),
            trace: self.traces.iter().chain(&options.trace).cloned().collect(),
            include: joined(&self.include, &options.include),
            copy: joined(&self.copy, &options.copy),
            package: joined(&self.packages, &options.package),
            ca: self.ca.iter().chain(&options.ca).cloned().collect(),
            exclude: joined(&self.exclude, &options.exclude),
            no_profile: joined(&self.no_profiles, &options.no_profile),
            no_rule: joined(&self.no_rules, &options.no_rule),
            companions: match options.companions {
                CompanionOption::All => self.companions,
                named => named,
            },
            no_shell: options.no_shell || self.no_shell,
            no_auto: options.no_auto || self.no_auto,
            pyc: options.pyc.or(self.pyc),
            jlink: options.jlink || self.jlink,
        }
    }

    /// Run settings of the image.
    fn run_options(&self) -> RunOptions {
        RunOptions {
            entrypoint: None,
            cmd: self.cmd.as_ref().map(|words| serde_json::Value::from(words.as_slice()).to_string()),
            volume: self.volumes.clone(),
            stop_signal: self.stop_signal.clone(),
            healthcheck: self.healthcheck.clone(),
            author: self.author.clone(),
            tag: self.tag.clone(),
            image_format: self.image_format,
        }
    }

    /// All options; the command line takes precedence over the file.
    pub(crate) fn under(&self, options: &Options) -> Options {
        let joined = |own: &[String], more: &[String]| own.iter().chain(more).cloned().collect();
        let labels: Vec<String> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let either = |above: &[String], own: &[String]| if above.is_empty() { own.to_vec() } else { above.to_vec() };
        Options {
            root: self.root_under(&options.root),
            image: self.image_under(&options.image),
            run: options.run.over(&self.run_options()),
            rank: options.rank.clone(),
            documents: options.documents.clone(),
            output: either(&options.output, &self.outputs),
            user: options.user.clone().or_else(|| self.user.clone()),
            expose: joined(&self.expose, &options.expose),
            label: joined(&labels, &options.label),
            config: None,
            compression: options.compression.clone().or_else(|| self.compression.clone()),
            since: options.since.clone(),
            debug_tag: options.debug_tag.clone(),
            debug_shell: options.debug_shell.clone(),
            layers: options.layers.clone().or_else(|| self.layers.clone()),
            threads: options.threads.or(self.threads),
            cache: options.cache.clone(),
            cache_size: options.cache_size.clone(),
            strip: options.strip || self.strip,
            owner_map: joined(&self.owner_map, &options.owner_map),
            force: options.force,
            dry_run: options.dry_run,
            verify: options.verify,
            fix: options.fix,
            verify_file: options.verify_file.clone(),
            trial: options.trial.clone(),
            format: options.format,
            entry: either(&options.entry, &self.entry),
        }
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
