//! Trees in memory as tests write them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use slimroot::root::{MemTree, Root};

use super::elf::{Elf, LOADER};

/// The content of a path.
#[derive(Clone, PartialEq, Eq)]
pub enum File {
    Text(String),
    Program(String),
    Elf(Elf),
    Bytes(Vec<u8>),
    Link(String),
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) | Self::Program(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Link(target) => write!(f, "-> {target}"),
            Self::Elf(elf) => {
                let parts = [
                    ("interp", elf.interp.iter().filter(|path| *path != LOADER).cloned().collect::<Vec<_>>()),
                    ("needed", elf.needed.clone()),
                    ("runpath", elf.runpath.iter().cloned().collect()),
                    ("imports", elf.imports.clone()),
                    ("strings", elf.strings.clone()),
                    ("dlopen", elf.dlopen.iter().flat_map(|note| note.soname.clone()).collect()),
                ];
                let parts = parts.iter().filter(|(_, list)| !list.is_empty());
                let parts: Vec<String> = parts.map(|(name, list)| format!("{name}={}", list.join(","))).collect();
                write!(f, "ELF {}", parts.join(" "))
            }
        }
    }
}

/// A tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(pub BTreeMap<String, File>);

impl Files {
    /// A loader, a C library, a shell and the usual wrappers.
    pub fn base() -> Self {
        let mut files = Self::default();
        files.put(LOADER, File::Bytes(Elf::loader()));
        files.put("/lib/x86_64-linux-gnu/libc.so.6", File::Elf(Elf::library("libc.so.6", &[])));
        for path in ["/bin/sh", "/usr/bin/env", "/usr/bin/tini", "/usr/bin/node", "/usr/bin/python3"] {
            files.put(path, File::Elf(Elf::program(&["libc.so.6"])));
        }
        files
    }

    pub fn put(&mut self, path: &str, file: File) {
        self.0.insert(path.to_owned(), file);
    }

    /// The database of dpkg with these packages; none for no package.
    pub fn dpkg(&mut self, packages: &[Package]) {
        let mut status = String::new();
        for Package { name, source, depends, files } in packages {
            status += &format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nSource: {source}\nVersion: 1\n"
            );
            if !depends.is_empty() {
                status += &format!("Depends: {}\n", depends.join(", "));
            }
            status.push('\n');
            // A list names the directories above its files too.
            let paths: BTreeSet<&str> = files
                .iter()
                .flat_map(|path| path.match_indices('/').skip(1).map(|(at, _)| &path[..at]).chain([path.as_str()]))
                .collect();
            let list: String = paths.iter().map(|path| format!("{path}\n")).collect();
            self.put(&format!("/var/lib/dpkg/info/{name}.list"), File::Text(list));
        }
        if !packages.is_empty() {
            self.put("/var/lib/dpkg/status", File::Text(status));
        }
    }

    pub fn root(&self) -> Root {
        let mut tree = MemTree::default();
        for (path, file) in &self.0 {
            match file {
                File::Text(text) => tree.file(path, 0o644, text.as_str()),
                File::Program(text) => tree.file(path, 0o755, text.as_str()),
                File::Elf(elf) => tree.file(path, 0o755, elf.bytes()),
                File::Bytes(bytes) => tree.file(path, 0o755, bytes.clone()),
                File::Link(target) => tree.link(path, target),
            };
        }
        Root::new(Arc::new(tree))
    }
}

/// A package of dpkg's database.
#[derive(Clone, Debug)]
pub struct Package {
    pub name: String,
    pub source: String,
    pub depends: Vec<String>,
    pub files: Vec<String>,
}
