//! Options for the contents of an image, shared by several commands, and their conversion into a request.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::inherit::Inherited;
use crate::cli::RootOptions;
use crate::closure::{Companions, Pyc};
use crate::error::Error;
use crate::pack::PackRequest;

/// Packages whose other files are packed too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CompanionOption {
    /// The packages of the entries and of all libraries that they load.
    #[default]
    All,
    /// The packages of the entries only.
    Entry,
    /// No packages.
    None,
}

/// Python sources that are compiled to bytecode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PycOption {
    /// No sources: the smallest image, but Python compiles at every start.
    #[default]
    None,
    /// Files loaded during a trial start of the entry. Another start may load other files and give another digest.
    Used,
    /// All sources in the image: the same digest every time.
    All,
}

/// Options that add files besides the entry and its dependencies, or leave some out.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ImageOptions {
    /// Another program to pack, which the entry starts. Repeatable.
    #[arg(long = "bin", value_name = "PATH")]
    pub(crate) bin: Vec<String>,
    /// A profile to apply: a name from `slimroot profiles`, or a file. Repeatable.
    #[arg(long = "profile", short = 'p', value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// A folder with your own profiles. They work like the built-in ones and replace those of the same name.
    #[arg(long = "profiles", value_name = "DIR")]
    pub(crate) profiles: Option<PathBuf>,
    /// Files to add: a quoted pattern of absolute paths in the root; directories include their contents. Repeatable.
    #[arg(long = "include", short = 'i', value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// A trace of a run, by `slimroot trace` or `strace -f`: what the run has used is added. Repeatable.
    #[arg(long = "trace", value_name = "FILE")]
    pub(crate) trace: Vec<PathBuf>,
    /// Copies a file or directory of the root to another path in the image and keeps modes and owners. Repeatable.
    #[arg(long = "copy", value_name = "SRC:DST")]
    pub(crate) copy: Vec<String>,
    /// A distribution package to add, without documentation, manuals, translations and headers. Repeatable.
    #[arg(long = "package", value_name = "NAME")]
    pub(crate) package: Vec<String>,
    /// A PEM file on this machine with CA certificates to trust in addition to those of the root. Repeatable.
    #[arg(long = "ca", value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// Files to leave out (only of patterns and profiles). Repeatable.
    #[arg(long = "exclude", short = 'x', value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Packs no shell and no busybox, whoever asks for one; a note tells who does.
    #[arg(long)]
    pub(crate) no_shell: bool,
    /// A profile not to apply automatically. Repeatable.
    #[arg(long = "no-profile", value_name = "NAME")]
    pub(crate) no_profile: Vec<String>,
    /// A rule to leave out: an id that `slimroot why` and `slimroot explain` print. Repeatable.
    #[arg(long = "no-rule", value_name = "ID")]
    pub(crate) no_rule: Vec<String>,
    /// Packages whose other files (helpers, plug-ins, data, configuration) are packed too.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) companions: CompanionOption,
    /// Applies only the profiles that are always applied, such as base, and those given with --profile.
    #[arg(long)]
    pub(crate) no_auto: bool,
    /// Packs Python bytecode, compiled by the root's own interpreter. Without this option none is packed.
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(crate) pyc: Option<PycOption>,
    /// Replaces the Java runtime by one that has only the modules that the jars need, using jlink of the root's JDK.
    /// jlink orders some tables randomly, so another build may give another digest.
    #[arg(long)]
    pub(crate) jlink: bool,
}

impl ImageOptions {
    /// A request with what the options declare.
    pub(crate) fn fill(&self, mut request: PackRequest) -> PackRequest {
        request.bins.clone_from(&self.bin);
        request.profiles.clone_from(&self.profile);
        request.profiles_folder.clone_from(&self.profiles);
        request.no_profiles.clone_from(&self.no_profile);
        request.no_auto = self.no_auto;
        request.no_shell = self.no_shell;
        request.no_rules.clone_from(&self.no_rule);
        request.traces.clone_from(&self.trace);
        request.include.clone_from(&self.include);
        request.exclude.clone_from(&self.exclude);
        request.copies.clone_from(&self.copy);
        request.packages.clone_from(&self.package);
        request.ca.clone_from(&self.ca);
        request.jlink = self.jlink;
        request.companions = match self.companions {
            CompanionOption::All => Companions::All,
            CompanionOption::Entry => Companions::Entry,
            CompanionOption::None => Companions::None,
        };
        request.pyc = match self.pyc.unwrap_or_default() {
            PycOption::None => Pyc::None,
            PycOption::Used => Pyc::Used,
            PycOption::All => Pyc::All,
        };
        request
    }
}

impl RootOptions {
    /// A request with the circumstances that the options declare.
    pub(crate) fn fill(&self, mut request: PackRequest) -> Result<PackRequest, Error> {
        request.env = super::pairs("--env", &self.env)?;
        request.workdir.clone_from(&self.workdir);
        self.inherited(&request.root).fill(&mut request);
        request.cpu.clone_from(&self.cpu);
        request.interpreter.clone_from(&self.interpreter);
        request.platform.clone_from(&self.platform);
        request.access.ca.clone_from(&self.registry_ca);
        request.access.is_insecure = self.insecure;
        Ok(request)
    }

    /// The settings of this process that an image of this root inherits.
    pub(super) fn inherited(&self, root: &Path) -> Inherited {
        if self.no_inherit { Inherited::default() } else { Inherited::of(root) }
    }
}
