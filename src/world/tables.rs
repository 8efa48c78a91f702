//! Tables of names used by rules: TOML files next to the profiles, compiled in and parsed once.

use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::path::RootPath;

/// The schema version of every table.
const FORMAT: u32 = 1;

/// A table as stored.
#[derive(Deserialize)]
struct Table<T> {
    format: u32,
    #[serde(flatten)]
    lists: T,
}

/// All tables as text, for the test that parses them.
const TEXTS: &[(&str, &str)] = &[
    ("directories", include_str!("../../profiles/tables/directories.toml")),
    ("imports", include_str!("../../profiles/tables/imports.toml")),
    ("variables", include_str!("../../profiles/tables/variables.toml")),
];

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
#[serde(rename_all = "kebab-case")]
pub(crate) struct System {
    /// Files that packed programs do not read.
    pub(crate) not_run: Directories,
    /// Suffixes of files that only compilers and linkers read.
    pub(crate) not_run_endings: Vec<String>,
    /// Paths in a directory that show that it is a tool chain.
    pub(crate) tool_chain_marks: Vec<String>,
    /// Add-on directories of other programs.
    pub(crate) add_ons: Directories,
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
    /// Directories that do not belong to a single application.
    pub(crate) shared: Directories,
    /// Directories of the system.
    pub(crate) system: Directories,
    /// Virtual file systems of the kernel.
    pub(crate) kernel: Directories,
    /// Directories that are filled at run time.
    pub(crate) at_run_time: Directories,
    /// Parents of application directories.
    pub(crate) application_parents: Directories,
    /// Names of directories that contain programs.
    pub(crate) program_names: Vec<String>,
    /// Names that development tools leave in an application's directory.
    pub(crate) leftovers: Vec<String>,
}

/// Imported functions that reveal the behaviour of a program.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Imports {
    /// Functions that start programs.
    pub(crate) starts_programs: Vec<String>,
    /// Functions that open libraries by name.
    pub(crate) opens_libraries: Vec<String>,
}

/// Environment variables.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Variables {
    read_at_start: Vec<String>,
}

impl Variables {
    /// True for a variable that a loader or an interpreter reads.
    pub(crate) fn is_read_at_start(&self, name: &str) -> bool {
        self.read_at_start.iter().any(|start| name.starts_with(start.as_str()))
    }
}

/// The environment variables used by rules.
pub(crate) fn variables() -> &'static Variables {
    static TABLE: OnceLock<Variables> = OnceLock::new();
    TABLE.get_or_init(|| parsed("variables"))
}

/// The directories of a Linux system.
pub(crate) fn system() -> &'static System {
    static TABLE: OnceLock<System> = OnceLock::new();
    TABLE.get_or_init(|| parsed("directories"))
}

/// The imported functions used by rules.
pub(crate) fn imports() -> &'static Imports {
    static TABLE: OnceLock<Imports> = OnceLock::new();
    TABLE.get_or_init(|| parsed("imports"))
}

/// Parses a compiled-in table.
///
/// # Panics
/// If the table is wrong. It is part of the program, and a test parses every one.
#[allow(clippy::panic, reason = "a wrong table is a defect of the program itself, which a test excludes")]
fn parsed<T: DeserializeOwned>(name: &str) -> T {
    let text = TEXTS.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
    match toml::from_str(text) {
        Ok(Table { format: FORMAT, lists }) => lists,
        Ok(Table { format, .. }) => panic!("profiles/tables/{name}.toml: format = {format} is not known"),
        Err(error) => panic!("profiles/tables/{name}.toml: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_valid() {
        assert!(variables().is_read_at_start("LD_PRELOAD") && !variables().is_read_at_start("GIT_DIR"));
        assert!(system().commands.iter().count() > 0 && !imports().starts_programs.is_empty());
    }

    #[test]
    fn a_directory_covers_what_lies_below_it() {
        let path = |text: &str| RootPath::new(text).expect("a path");
        let commands = &system().commands;
        assert!(commands.cover(&path("/usr/bin/x")) && commands.contain(&path("/usr/bin")));
        assert!(!commands.cover(&path("/usr/binary")) && !commands.contain(&path("/usr/bin/x")));
    }
}
