//! Architecture as a test: which room may know which, which crate is named where, and lists that follow folders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by layer, the lowest first. A room knows only what lies in layers under its own.
const LAYERS: &[&[&str]] = &[
    &["path", "digest", "cleanup", "text"],
    &["error"],
    &["root", "elf", "config"],
    &["profile", "loader", "package", "language", "trust", "verify", "guest"],
    &["closure"],
    &["finding", "plan"],
    &["layer"],
    &["image"],
    &["output"],
    &["check"],
    &["commands", "cli"],
];

/// Crates and the rooms that may name them.
const FENCES: &[(&str, &[&str])] = &[
    ("goblin", &["elf"]),
    ("scroll", &["elf"]),
    ("walkdir", &["root"]),
    ("glob", &["root"]),
    ("tar", &["layer", "verify"]),
    ("sha2", &["digest"]),
    ("oci_spec", &["layer", "image", "output"]),
    ("libdeflater", &["layer"]),
    ("zstd", &["layer", "verify"]),
    ("flate2", &["elf", "verify"]),
    ("clap", &["commands", "cli"]),
    ("indicatif", &["cli"]),
    ("signal_hook", &["cli"]),
    ("memchr", &["check", "closure", "elf", "language", "loader", "package", "profile"]),
    ("tree_sitter", &["language"]),
    ("tree_sitter_bash", &["language"]),
    ("zip", &["language"]),
    ("strsim", &["profile"]),
    ("rusqlite", &["package"]),
    ("sha1", &["trust"]),
    ("shlex", &["text"]),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("inside");
                let room = inside.components().next().expect("a part").as_os_str().to_string_lossy().into_owned();
                found.push((room.trim_end_matches(".rs").to_owned(), path, text));
            }
        }
    }
    found
}

/// Code without comments: what a comment names is not known by the code.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn rooms_know_only_what_lies_under_them() {
    let layer = |room: &str| LAYERS.iter().position(|rooms| rooms.contains(&room));
    let mut broken = BTreeSet::new();
    for (room, path, text) in sources() {
        let Some(own) = layer(&room) else {
            assert!(["lib", "main"].contains(&room.as_str()), "{room} has no layer");
            continue;
        };
        for rest in code(&text).split("crate::").skip(1) {
            let other: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if let Some(theirs) = layer(&other)
                && other != room
                && theirs >= own
                && !(["commands", "cli"].contains(&room.as_str()) && ["commands", "cli"].contains(&other.as_str()))
            {
                broken.insert(format!("{}: {room} (layer {own}) knows {other} (layer {theirs})", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn crates_stay_in_their_rooms() {
    let mut broken = BTreeSet::new();
    for (room, path, text) in sources() {
        let code = code(&text);
        for (name, rooms) in FENCES {
            let is_named = code.contains(&format!("use {name}::")) || code.contains(&format!(" {name}::"));
            if is_named && !rooms.contains(&room.as_str()) && !code.contains(&format!("mod {name};")) {
                broken.insert(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The kept grammar is behind one file.
#[test]
fn one_file_knows_the_shell_grammar() {
    let knows = |text: &str| code(text).contains("tree_sitter");
    let files: Vec<PathBuf> =
        sources().into_iter().filter(|(_, _, text)| knows(text)).map(|(_, path, _)| path).collect();
    assert!(files.len() == 1 && files[0].ends_with("language/shell_tree.rs"), "{files:?}");
}

#[test]
fn what_is_unsafe_stays_in_one_file() {
    let unsafe_files = sources().into_iter().filter(|(_, _, text)| code(text).contains("unsafe {"));
    let files: Vec<PathBuf> = unsafe_files.map(|(_, path, _)| path).collect();
    assert!(files.len() == 1 && files[0].ends_with("src/guest/enter.rs"), "{files:?}");
}

#[test]
fn every_file_says_what_it_holds_and_stays_readable() {
    for (_, path, text) in sources() {
        assert!(text.starts_with("//!"), "{} does not say what it holds", path.display());
        assert!(text.lines().count() < 600, "{} holds two ideas", path.display());
    }
}

#[test]
fn compiled_in_profiles_are_those_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.insert(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    let listed: Vec<String> = slimroot::profile::BUILTIN.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed, files.into_iter().collect::<Vec<_>>(), "mend src/profile/builtin.rs");
}

#[test]
fn checks_are_those_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check");
    let stem = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().replace('_', "-")
    };
    let mut files: BTreeSet<String> = fs::read_dir(folder).expect("listed").map(stem).collect();
    files.remove("mod");
    let codes: Vec<String> = slimroot::check::CHECKS.iter().map(|check| check.code.to_owned()).collect();
    assert_eq!(codes, files.into_iter().collect::<Vec<_>>(), "mend src/check/mod.rs");
}

#[test]
fn readme_names_every_option_and_code_that_users_meet() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README");
    let help =
        std::process::Command::new(env!("CARGO_BIN_EXE_slimroot")).args(["build", "--help"]).output().expect("runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let options = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned());
    let absent: BTreeSet<String> =
        options.filter(|option| option.len() > 3 && !readme.contains(option.as_str())).collect();
    assert!(absent.is_empty(), "README does not name {absent:?}");
}
