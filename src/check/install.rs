//! Commands that install missing packages with the root's own package manager (`profiles/tables/packages.toml`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Evidence;
use crate::error::Error;
use crate::root::Root;
use crate::world::tables::{Words, table};

/// Files that name the distribution (os-release(5)).
const RELEASES: [&[u8]; 2] = [b"/etc/os-release", b"/usr/lib/os-release"];
const MAX_RELEASE: usize = 1 << 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    manager: Vec<Manager>,
    package: Vec<Package>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manager {
    name: String,
    distributions: Words,
    install: String,
    search: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    files: Words,
    names: BTreeMap<String, String>,
}

table! {
    /// The package managers and packages.
    fn packages() -> Table = "packages"
}

impl Evidence<'_> {
    /// The command that installs the package of a file; `None` if the distribution or the file is unknown.
    pub(super) fn install(&self, file: &str) -> Result<Option<String>, Error> {
        command(self.root(), file)
    }
}

fn command(root: &Root, file: &str) -> Result<Option<String>, Error> {
    let Some(package) = packages().package.iter().find(|package| package.files.contain(file)) else { return Ok(None) };
    let Some(manager) = manager(root)? else { return Ok(None) };
    let name = package.names.get(&manager.name);
    Ok(name.map(|name| format!("{} in the builder stage", manager.install.replace("{package}", name))))
}

/// The command that finds the package of a file; `None` if the distribution is unknown, or if a name of the root needs
/// quotes in a shell.
pub(crate) fn search(root: &Root, file: &str) -> Result<Option<String>, Error> {
    let is_plain = file.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c)) && !file.starts_with('-');
    let Some(manager) = manager(root)?.filter(|_| is_plain) else { return Ok(None) };
    Ok(Some(manager.search.replace("{file}", file)))
}

/// The package manager of the root's distribution, or of a similar one.
fn manager(root: &Root) -> Result<Option<&'static Manager>, Error> {
    for release in RELEASES {
        let Some((_, text)) = root.read_followed(release, MAX_RELEASE)? else { continue };
        let text = String::from_utf8_lossy(&text).into_owned();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        let (id, like) = (value("ID"), value("ID_LIKE"));
        for word in std::iter::once(id.as_str()).chain(like.split_whitespace()) {
            if let Some(known) = packages().manager.iter().find(|manager| manager.distributions.contain(word)) {
                return Ok(Some(known));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn the_command_is_that_of_the_distribution() {
        let of = |release: &str, file: &str| {
            let mut tree = MemTree::default();
            tree.file("/etc/os-release", 0o644, release);
            command(&Root::new(Arc::new(tree)), file).expect("readable")
        };
        let is = |text: &str| Some(format!("{text} in the builder stage"));
        assert_eq!(of("ID=alpine\n", "libstdc++.so.6"), is("apk add libstdc++"));
        assert_eq!(
            of("NAME=\"x\"\nID=\"mint\"\nID_LIKE=\"ubuntu debian\"\n", "libGL.so.1"),
            is("apt-get install libgl1")
        );
        assert_eq!(of("ID=plan9\n", "libGL.so.1"), None);
        let mut tree = MemTree::default();
        tree.file("/etc/os-release", 0o644, "ID=fedora\n");
        let root = Root::new(Arc::new(tree));
        assert_eq!(search(&root, "liba.so.1").expect("readable").as_deref(), Some("dnf provides '*/liba.so.1'"));
        assert_eq!(search(&root, "liba; rm").expect("readable"), None);
        assert_eq!(of("ID=debian\n", "libunknown.so.1"), None);
    }

    #[test]
    fn every_package_has_a_name_for_every_manager() {
        for package in &packages().package {
            assert!(packages().manager.iter().all(|manager| package.names.contains_key(&manager.name)), "{package:?}");
        }
    }
}
