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
#[command(next_help_heading = "Contents")]
pub(crate) struct ImageOptions {
    /// Another program to pack, as if it were the entry. Repeatable.
    #[arg(long = "bin", value_name = "PATH")]
    pub(crate) bin: Vec<String>,
    /// Profile to apply: a name from `slimroot profiles`, or a file. Repeatable.
    #[arg(long = "profile", short = 'p', value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// Folder with your own profiles. They work like the built-in ones and replace those of the same name.
    #[arg(long = "profiles", hide_short_help = true, value_name = "DIR")]
    pub(crate) profiles: Option<PathBuf>,
    /// Files to add, such as '/srv/www/**'. Repeatable.
    ///
    /// A pattern of absolute paths in the root, quoted for the shell. Directories include their contents.
    #[arg(long = "include", short = 'i', value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Adds the files that a run used, as recorded by `slimroot trace` or `strace -f`. Repeatable.
    #[arg(long = "trace", hide_short_help = true, value_name = "FILE")]
    pub(crate) trace: Vec<PathBuf>,
    /// Copies a file or directory of the root to another path in the image and keeps modes and owners. Repeatable.
    #[arg(long = "copy", hide_short_help = true, value_name = "SRC:DST")]
    pub(crate) copy: Vec<String>,
    /// Distribution package to add. Repeatable.
    ///
    /// Its documentation, manuals, translations and headers stay out.
    #[arg(long = "package", value_name = "NAME")]
    pub(crate) package: Vec<String>,
    /// PEM file on this machine with CA certificates that the image trusts too. Repeatable.
    #[arg(long = "ca", value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// Files to leave out, such as '/app/test/**'. Repeatable.
    ///
    /// A pattern. Files that a program needs are packed anyway; a finding then says what needs them.
    #[arg(long = "exclude", short = 'x', value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Packs no shell and no busybox.
    ///
    /// A note names each file that would start one.
    #[arg(long)]
    pub(crate) no_shell: bool,
    /// Profile not to apply automatically. Repeatable.
    #[arg(long = "no-profile", value_name = "NAME")]
    pub(crate) no_profile: Vec<String>,
    /// Rule to turn off: an id that `slimroot why` and `slimroot explain` print. Repeatable.
    #[arg(long = "no-rule", hide_short_help = true, value_name = "ID")]
    pub(crate) no_rule: Vec<String>,
    /// Packages whose other files (helpers, plug-ins, data, configuration) are packed too.
    #[arg(long, hide_short_help = true, value_enum, default_value_t, value_name = "WHOSE")]
    pub(crate) companions: CompanionOption,
    /// Applies only the profiles of --profile, and those that are always applied, such as base.
    #[arg(long, hide_short_help = true)]
    pub(crate) no_auto: bool,
    /// Packs Python bytecode, compiled by the root's own interpreter. Without this option none is packed.
    #[arg(long, hide_short_help = true, value_enum, value_name = "WHICH")]
    pub(crate) pyc: Option<PycOption>,
    /// Replaces the Java runtime with one that has only the modules that the jars need, using jlink of the root's JDK.
    /// jlink orders some tables randomly, so another build may give another digest.
    #[arg(long, hide_short_help = true)]
    pub(crate) jlink: bool,
}

impl ImageOptions {
    /// The request with these options added.
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
    /// The request with these options added.
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
