//! Architecture as a test: which room may know which, which crate is named where, and lists that follow folders.

mod licences;
mod lists;
mod names;
mod rooms;

use std::fs;
use std::path::{Path, PathBuf};

/// Packages of the workspace and where their sources lie. Cargo itself holds the walls between them.
const PACKAGES: &[(&str, &str)] =
    &[("slimroot", "src"), ("slimroot_ldso", "crates/ldso/src"), ("slimroot_rootfs", "crates/rootfs/src")];

/// A source file of the workspace.
struct SourceFile {
    package: &'static str,
    /// The module at the top of its package that it belongs to.
    room: String,
    path: PathBuf,
    text: String,
}

fn sources() -> Vec<SourceFile> {
    let mut found = Vec::new();
    for (package, folder) in PACKAGES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut open = vec![folder.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).expect("listed") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).expect("text");
                    let inside = path.strip_prefix(&folder).expect("inside");
                    let room = inside.components().next().expect("a part").as_os_str().to_string_lossy();
                    let room = room.trim_end_matches(".rs").to_owned();
                    found.push(SourceFile { package, room, path, text });
                }
            }
        }
    }
    found
}

/// Code without comments: what a comment names is not known by the code.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
