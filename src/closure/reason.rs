//! Why a path is in the image.

use std::sync::Arc;

use crate::elf::Priority;
use crate::loader::{FoundBy, Via};
use crate::path::{RootPath, show};

/// Why a path is in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// What the image starts.
    Entry,
    /// A program that the user says the entry starts.
    Bin,
    /// The program's ELF interpreter.
    Interpreter,
    /// DT_NEEDED, DT_FILTER or DT_AUXILIARY.
    Needed {
        /// The name as written.
        name: Vec<u8>,
        /// How it was found.
        by: FoundBy,
        /// Which directory element led to it.
        via: Option<Via>,
    },
    /// Preloaded by the variable or the file.
    Preload,
    /// LD_AUDIT, DT_AUDIT or DT_DEPAUDIT has it watch the process.
    Audit,
    /// `.note.dlopen` says that the object may open it.
    Dlopen {
        /// The soname of the note that was found.
        name: String,
        /// What it serves.
        feature: Option<String>,
        /// How much it is missed.
        priority: Priority,
    },
    /// The program holds its name and imports what opens libraries by name.
    Opens {
        /// The name as it stands in the program.
        name: Vec<u8>,
    },
    /// A program holds its path, or that of a directory above it, as a whole string.
    Names {
        /// The path as it stands in the program.
        text: Vec<u8>,
    },
    /// A better CPU loads it instead of the plain file.
    Variant {
        /// The CPU level.
        level: String,
    },
    /// A file that the loader itself reads.
    LoaderReads,
    /// The `#!` line of a script names it.
    Shebang,
    /// `env` of a `#!` line looks it up.
    EnvCommand,
    /// A symbolic link on the way to what is asked for.
    Hop {
        /// The path as it is used.
        path: Vec<u8>,
        /// Why the path is used.
        to: Arc<Reason>,
    },
    /// A path that is used goes through this directory and out again by `..`.
    PassedThrough {
        /// The path as used.
        path: Vec<u8>,
    },
    /// `--include`.
    Included {
        /// The pattern.
        pattern: String,
    },
    /// It belongs to how the program is called.
    Home {
        /// The group under which the summary counts it.
        group: &'static str,
        /// In words.
        why: String,
    },
    /// A program of the root made it, because the user asked for that.
    Made {
        /// The group under which the summary counts it.
        group: &'static str,
        /// In words.
        why: String,
    },
    /// A program that the call starts.
    Command {
        /// In words.
        why: String,
    },
    /// It came with the package of the entry.
    Companion {
        /// The package.
        package: String,
    },
    /// Configuration that a profile reads names it.
    Configured {
        /// The profile.
        profile: String,
        /// The configuration file.
        file: RootPath,
        /// The line; 0 where the command itself says it.
        line: usize,
        /// The statement.
        says: String,
    },
    /// A profile takes or makes it.
    Profile {
        /// The profile.
        profile: String,
        /// Its own words.
        why: String,
    },
}

impl Reason {
    /// The group under which the summary counts it.
    pub fn group(&self) -> String {
        match self {
            Self::Entry | Self::Bin => "entry".to_owned(),
            Self::Hop { to, .. } => to.group(),
            Self::Included { pattern } => format!("include {pattern}"),
            Self::Profile { profile, .. } | Self::Configured { profile, .. } => format!("profile {profile}"),
            Self::Shebang | Self::EnvCommand => "script interpreter".to_owned(),
            Self::Dlopen { .. } | Self::Opens { .. } => "libraries opened by name".to_owned(),
            Self::Names { .. } => "files whose paths programs contain".to_owned(),
            Self::Variant { .. } => "CPU variant".to_owned(),
            Self::Home { group, .. } | Self::Made { group, .. } => (*group).to_owned(),
            Self::Command { .. } => "programs it starts".to_owned(),
            Self::Companion { package } => format!("package {package}"),
            _ => "shared libraries and loader".to_owned(),
        }
    }

    /// Orders reasons for one path: the lowest is the one that is shown. What a process surely does comes first, then
    /// the user's words, then what belongs to an application or package, then profiles.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Entry => 0,
            Self::Bin => 1,
            Self::Shebang | Self::EnvCommand => 2,
            Self::Interpreter => 3,
            Self::Needed { .. } => 4,
            Self::Preload | Self::Audit => 5,
            Self::LoaderReads => 6,
            Self::Variant { .. } => 7,
            Self::Dlopen { .. } => 8,
            Self::Opens { .. } => 9,
            Self::Command { .. } => 10,
            Self::Home { .. } | Self::Made { .. } => 11,
            Self::Included { .. } => 12,
            Self::Companion { .. } => 13,
            Self::Names { .. } => 14,
            Self::Configured { .. } => 15,
            Self::Profile { .. } => 16,
            Self::Hop { to, .. } => to.rank(),
            Self::PassedThrough { .. } => 17,
        }
    }

    /// The profile behind it.
    pub fn profile(&self) -> Option<&str> {
        match self {
            Self::Profile { profile, .. } | Self::Configured { profile, .. } => Some(profile),
            Self::Hop { to, .. } => to.profile(),
            _ => None,
        }
    }

    /// True if a profile is behind it.
    pub fn is_profile(&self) -> bool {
        self.profile().is_some()
    }

    /// One clause that fits after "because"; `from` is whoever asks for it.
    pub fn says(&self, from: Option<&RootPath>) -> String {
        if let (Self::Hop { path, to }, None) = (self, from) {
            return format!("a link on the way to {}: {}", show(path), to.says(None));
        }
        let asker = from;
        let from = from.map_or_else(|| "the command line".to_owned(), ToString::to_string);
        match self {
            Self::Entry => "it is the entry".to_owned(),
            Self::Bin => "named by --bin".to_owned(),
            Self::Interpreter => format!("{from} names it as its ELF interpreter"),
            Self::Needed { name, by, via } => {
                let via = via.as_ref().map_or(String::new(), |via| format!(": {via}"));
                format!("{from} needs {} (found by {}{via})", show(name), by.as_str())
            }
            Self::Preload => format!("preloaded into {from}"),
            Self::Audit => format!("it audits {from}"),
            Self::Dlopen { name, feature, priority } => {
                let feature = feature.as_ref().map_or(String::new(), |feature| format!(" for {feature}"));
                let priority = format!("{priority:?}").to_lowercase();
                format!("{from} may open {name}{feature} (its .note.dlopen, {priority})")
            }
            Self::Opens { name } => format!("{from} imports dlopen and contains the name {}", show(name)),
            Self::Names { text } => format!("{from} contains the path {}", show(text)),
            Self::Variant { level } => format!("{from} loads it on a CPU of level {level}"),
            Self::LoaderReads => format!("{from} reads it to find libraries"),
            Self::Shebang => format!("the #! line of {from} names it"),
            Self::EnvCommand => format!("the #! line of {from} has env look it up in PATH"),
            Self::Hop { path, .. } => format!("a link on the way to {}, which {from} uses", show(path)),
            Self::PassedThrough { path } => format!("{from} uses the path {}", show(path)),
            Self::Included { pattern } => format!("it matches --include {pattern}"),
            Self::Home { why, .. } | Self::Made { why, .. } | Self::Command { why } => why.clone(),
            Self::Companion { package } => match asker {
                Some(asker) => format!("it is in the package {package}, which is packed with {asker}"),
                None => format!("it is in the package {package}, which is asked for"),
            },
            Self::Configured { profile, line: 0, says, .. } => format!("profile {profile}: the command says {says}"),
            Self::Configured { profile, file, line, says } => format!("profile {profile}: {file}:{line} says {says}"),
            Self::Profile { profile, why } => format!("profile {profile}: {why}"),
        }
    }
}
