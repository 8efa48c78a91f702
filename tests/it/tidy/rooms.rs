//! Which room may know which, and which crate is named where.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{PACKAGES, SourceFile, code, sources};

/// Rooms by layer, the lowest first. A room knows only what lies in layers under its own, in whichever package it is.
const LAYERS: &[&[&str]] = &[
    &["path", "digest", "cleanup", "text"],
    &["error"],
    &["root", "elf", "config", "dockerfile", "engine", "registry", "watch"],
    &["profile", "loader", "package", "trust", "image_reader", "guest", "zipped"],
    &["world"],
    &["language", "embedded"],
    &["closure"],
    &["finding", "plan"],
    &["layer"],
    &["image"],
    &["output"],
    &["check", "proof"],
    &["ledger"],
    &["sbom", "seccomp"],
    &["attest"],
    &["page"],
    &["pack"],
    &["commands", "cli"],
];

/// Rooms that lie in a package of their own, and in which.
const MOVED: &[(&str, &str)] = &[
    ("path", "slimroot_rootfs"),
    ("digest", "slimroot_rootfs"),
    ("root", "slimroot_rootfs"),
    ("elf", "slimroot_ldso"),
    ("loader", "slimroot_ldso"),
];

/// Crates and the rooms that may name them.
const FENCES: &[(&str, &[&str])] = &[
    ("goblin", &["elf"]),
    ("scroll", &["elf"]),
    ("glob", &["root"]),
    ("tar", &["layer", "image_reader"]),
    ("sha2", &["digest"]),
    ("oci_spec", &["layer", "image", "output"]),
    ("libdeflater", &["layer"]),
    ("zstd", &["layer", "image_reader"]),
    ("flate2", &["elf", "embedded"]),
    ("miniz_oxide", &["image_reader"]),
    ("clap", &["commands", "cli"]),
    ("indicatif", &["cli"]),
    ("signal_hook", &["cli"]),
    ("landlock", &["commands"]),
    ("ureq", &["registry"]),
    ("rustls", &["registry"]),
    ("rustls_native_certs", &["registry"]),
    ("base64", &["page", "registry"]),
    ("maud", &["page"]),
    (
        "memchr",
        &[
            "check", "closure", "elf", "embedded", "language", "ledger", "loader", "package", "profile", "proof",
            "seccomp", "world", "zipped",
        ],
    ),
    ("regex", &["check", "proof"]),
    ("tree_sitter", &["language"]),
    ("tree_sitter_bash", &["language"]),
    ("tree_sitter_javascript", &["language"]),
    ("tree_sitter_python", &["language"]),
    ("zip", &["zipped"]),
    ("aho_corasick", &["world", "check"]),
    ("strsim", &["profile"]),
    ("rusqlite", &["package"]),
    ("seccompiler", &["guest", "watch"]),
    ("libc", &["cleanup", "watch"]),
    ("sha1", &["sbom", "trust"]),
    ("shlex", &["text", "config"]),
    ("iced_x86", &["seccomp"]),
    ("syscalls", &["seccomp"]),
];

/// The words that stand after a prefix such as `crate::`.
fn named_after<'a>(code: &'a str, prefix: &str) -> impl Iterator<Item = &'a str> {
    code.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn every_package_of_the_workspace_is_looked_at() {
    let crates = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")).expect("listed");
    let mut folders: BTreeSet<String> =
        crates.map(|entry| format!("crates/{}/src", entry.expect("an entry").file_name().display())).collect();
    folders.insert("src".to_owned());
    assert_eq!(folders, PACKAGES.iter().map(|(_, folder)| (*folder).to_owned()).collect());
}

#[test]
fn rooms_know_only_what_lies_under_them() {
    let layer = |room: &str| LAYERS.iter().position(|rooms| rooms.contains(&room));
    let mut broken = BTreeSet::new();
    for SourceFile { package, room, path, text } in sources() {
        let home = MOVED.iter().find(|(moved, _)| *moved == room).map(|(_, home)| *home);
        // Each package has errors.
        if !["lib", "main", "error"].contains(&room.as_str()) {
            assert_eq!(package, home.unwrap_or("slimroot"), "{} lies in the wrong package", path.display());
        }
        let Some(own) = layer(&room) else {
            assert!(["lib", "main"].contains(&room.as_str()), "{room} has no layer");
            continue;
        };
        let code = code(&text);
        let prefixes = ["crate::"].into_iter().map(str::to_owned).chain(PACKAGES.iter().map(|(p, _)| format!("{p}::")));
        for prefix in prefixes {
            for other in named_after(&code, &prefix) {
                if let Some(theirs) = layer(other)
                    && other != room
                    && theirs >= own
                    && !(["commands", "cli"].contains(&room.as_str()) && ["commands", "cli"].contains(&other))
                {
                    broken.insert(format!("{}: {room} (layer {own}) knows {other} (layer {theirs})", path.display()));
                }
            }
        }
        // Inside slimroot the rooms of the other packages have the names that they always had.
        if package == "slimroot"
            && room != "error"
            && (code.contains("slimroot_ldso") || code.contains("slimroot_rootfs"))
        {
            broken.insert(format!("{} names a package: write crate::ROOM", path.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn crates_stay_in_their_rooms() {
    let mut broken = BTreeSet::new();
    for SourceFile { room, path, text, .. } in sources() {
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

/// Each kept grammar is behind one file.
#[test]
fn one_file_knows_each_grammar() {
    for (grammar, file) in [("bash", "shell"), ("javascript", "node"), ("python", "python")] {
        let knows = |file: &SourceFile| code(&file.text).contains(&format!("tree_sitter_{grammar}"));
        let files: Vec<PathBuf> = sources().into_iter().filter(knows).map(|file| file.path).collect();
        assert!(files.len() == 1 && files[0].ends_with(format!("language/{file}/tree.rs")), "{files:?}");
    }
    let knows = |file: &SourceFile| code(&file.text).contains("tree_sitter");
    assert_eq!(sources().iter().filter(|file| knows(file)).count(), 3);
}

/// Languages are folders that know `source` and the room's front door, but not each other; `source` knows none of them.
#[test]
fn no_language_looks_into_the_folder_of_another() {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/language");
    let folders: BTreeSet<String> = fs::read_dir(&room)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert!(folders.len() > 5 && folders.contains("source"), "{folders:?}");
    let (mut broken, mut named) = (BTreeSet::new(), 0);
    for SourceFile { path, text, .. } in sources() {
        let Ok(inside) = path.strip_prefix(&room) else { continue };
        let mut module: Vec<String> =
            inside.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
        module.retain(|part| part != "mod");
        let Some(own) = module.first().filter(|own| folders.contains(*own)).cloned() else { continue };
        module.insert(0, "language".to_owned());
        for known in paths(&code(&text), &module) {
            if let [room, folder, ..] = known.as_slice()
                && room == "language"
                && folders.contains(folder)
            {
                named += 1;
                if *folder != own && folder != "source" {
                    broken.insert(format!("{}: {}", path.display(), known.join("::")));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(named > 50, "the test no longer finds the paths: {named}");
}

/// The paths that a module names through `use`, `crate::`, `super::` and `self::`, from the top of the package.
fn paths(code: &str, module: &[String]) -> Vec<Vec<String>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let tests = code.find("mod tests {").unwrap_or(code.len());
    let mut add = |text: &str, at: usize| {
        let mut base = module.to_vec();
        base.extend((at > tests).then(|| "tests".to_owned()));
        for (nth, part) in text.split("::").enumerate() {
            match part {
                "crate" if nth == 0 => base.clear(),
                "self" => {}
                "super" => drop(base.pop()),
                part => base.push(part.to_owned()),
            }
        }
        found.push(base);
    };
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            if code[..at].ends_with(is_part) {
                continue;
            }
            let end = code[at..].find(|c: char| !is_part(c)).map_or(code.len(), |end| at + end);
            let path = &code[at..end];
            match (path.strip_suffix("::"), code[end..].starts_with('{')) {
                (Some(start), true) => {
                    let list = code[end..].split(';').next().unwrap_or_default();
                    // The first part of each item of a list tells the module, however deep the list goes.
                    for item in list.split([',', '{', '}']).filter_map(|item| item.split_whitespace().next()) {
                        add(&format!("{start}::{item}"), at);
                    }
                }
                _ => add(path.trim_end_matches(':'), at),
            }
        }
    }
    found
}

#[test]
fn what_is_unsafe_stays_in_three_files() {
    let is_unsafe = |file: &SourceFile| code(&file.text).contains("unsafe {");
    let files: Vec<PathBuf> = sources().into_iter().filter(is_unsafe).map(|file| file.path).collect();
    let known = ["src/cleanup/guard.rs", "src/guest/enter.rs", "src/watch/kernel.rs"];
    assert!(files.len() == known.len(), "{files:?}");
    assert!(files.iter().all(|file| known.iter().any(|known| file.ends_with(known))), "{files:?}");
}
