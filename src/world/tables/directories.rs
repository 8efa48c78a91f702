//! Directories of Linux distributions.

use serde::Deserialize;

use super::table;
use crate::path::RootPath;

/// Absolute directories.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Directories(Vec<String>);

impl Directories {
    /// True if the path is one of these directories or is below one.
    pub(crate) fn cover(&self, path: &RootPath) -> bool {
        let rest = self.0.iter().filter_map(|dir| path.as_bytes().strip_prefix(dir.as_bytes()));
        rest.into_iter().any(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// True if the path is one of these directories itself.
    pub(crate) fn contain(&self, path: &RootPath) -> bool {
        self.0.iter().any(|dir| dir.as_bytes() == path.as_bytes())
    }

    /// The directories in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Directories of Linux distributions (`profiles/tables/directories.toml` documents each list).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct System {
    /// Files that packed programs do not read.
    pub(crate) not_run: Directories,
    /// Suffixes of files that only compilers and linkers read.
    pub(crate) not_run_endings: Vec<String>,
    /// Paths in a directory that show that it is a compiler tool chain.
    pub(crate) tool_chain_marks: Vec<String>,
    /// Add-on directories of other programs.
    pub(crate) add_ons: Directories,
    /// Names of files by which a package registers modules as add-ons of others.
    pub(crate) add_on_marks: Vec<String>,
    /// Directories of commands.
    pub(crate) commands: Directories,
    /// Directories of helper programs that only other programs start.
    pub(crate) helpers: Directories,
    /// Parents of directories named after a package.
    pub(crate) package_parents: Directories,
    /// Parents of private directories of software that no package manager installed.
    pub(crate) private_parents: Directories,
    /// Files that belong to the builder's machine.
    pub(crate) of_the_builder: Directories,
    /// Databases of package managers.
    pub(crate) package_databases: Directories,
    /// Directories that do not belong to a single application.
    pub(crate) shared: Directories,
    /// Directories of the system.
    pub(crate) system: Directories,
    /// Virtual file systems of the kernel.
    pub(crate) kernel: Directories,
    /// Directories that are filled at run time.
    pub(crate) at_run_time: Directories,
    /// Directories of what programs write for people to read.
    pub(crate) logs: Directories,
    /// Parents of application directories.
    pub(crate) application_parents: Directories,
    /// Ends of the names of settings.
    pub(crate) settings_endings: super::Words,
    /// Ends of the names of settings that may name scripts beside them; not those of manifests.
    pub(crate) script_settings_endings: super::Words,
    /// Names of directories that contain programs.
    pub(crate) program_names: Vec<String>,
    /// Names that development tools leave in an application's directory.
    pub(crate) leftovers: Vec<String>,
    /// Names of files that describe how an image is built.
    build_files: Vec<String>,
    /// Beginnings of such names.
    build_file_beginnings: Vec<String>,
    /// Names of directories of sources and build results.
    pub(crate) development: Vec<String>,
    /// Suffixes of sources.
    source_endings: Vec<String>,
    /// Names of a source's own file or directory in languages.
    pub(crate) own_file: super::Words,
    /// Words by which a source computes the directory above another.
    pub(crate) parent_of: super::Words,
    /// The file that marks a directory of a build tool's own files.
    pub(crate) cache_mark: String,
}

impl System {
    /// True for the name of a file that describes how the image of an application is built.
    pub(crate) fn is_build_file(&self, name: &[u8]) -> bool {
        self.build_files.iter().any(|known| known.as_bytes() == name)
            || self.build_file_beginnings.iter().any(|start| name.starts_with(start.as_bytes()))
    }

    /// True for the name of a source, which a compiled program does not read.
    pub(crate) fn is_source(&self, path: &RootPath) -> bool {
        self.source_endings.iter().any(|ending| path.name().ends_with(ending.as_bytes()))
    }
}

table! {
    /// The directories of a Linux system.
    pub(crate) fn system() -> System = "directories"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_covers_what_lies_below_it() {
        let path = |text: &str| RootPath::new(text).expect("a path");
        let commands = &system().commands;
        assert!(commands.cover(&path("/usr/bin/x")) && commands.contain(&path("/usr/bin")));
        assert!(!commands.cover(&path("/usr/binary")) && !commands.contain(&path("/usr/bin/x")));
    }
}
