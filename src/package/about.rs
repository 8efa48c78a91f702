//! Metadata of one package in a database.

use serde::{Deserialize, Serialize};

/// A package manager, by the type that package URLs give its packages (purl specification, PURL-TYPES).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// dpkg, of Debian.
    Deb,
    /// apk, of Alpine.
    Apk,
    /// rpm, of Fedora, Red Hat and SUSE.
    Rpm,
}

impl Manager {
    /// The type in a package URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
        }
    }
}

/// A package as its database describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its manager.
    pub manager: Manager,
    /// Its name.
    pub name: String,
    /// Its version as the manager prints it: `[EPOCH:]VERSION[-RELEASE]`.
    pub version: String,
    /// The source package; its own name if the database names none.
    pub source: String,
    /// The version of the source package, if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    /// Its architecture in the manager's terms.
    pub architecture: String,
    /// Its licences as the package states them, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// The licences in a machine-readable copyright file: the first line of each `License` field, without duplicates, in
/// order (Debian's copyright-format 1.0). `None` for other copyright files.
pub(super) fn licences_of_copyright(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let is_known = text.lines().take(20).any(|line| line.starts_with("Format:") && line.contains("copyright-format"));
    if !is_known {
        return None;
    }
    let mut found: Vec<&str> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("License:")) {
        let name = line.trim();
        if !name.is_empty() && !found.contains(&name) {
            found.push(name);
        }
    }
    (!found.is_empty()).then(|| found.join(", "))
}

#[cfg(test)]
mod tests {
    use super::licences_of_copyright;

    #[test]
    fn only_machine_readable_files_name_licences() {
        let text = b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n\
                     License: GPL-2+\n text\n\nLicense: Expat\n\nLicense: GPL-2+\n";
        assert_eq!(licences_of_copyright(text).as_deref(), Some("GPL-2+, Expat"));
        assert_eq!(licences_of_copyright(b"License: MIT\n"), None);
    }
}
