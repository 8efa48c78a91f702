//! Architecture as a test: which room may know which, which crate is named where, and lists that follow folders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use slimroot::error::ErrorCode;

/// Packages of the workspace and where their sources lie. Cargo itself holds the walls between them.
const PACKAGES: &[(&str, &str)] =
    &[("slimroot", "src"), ("slimroot_ldso", "crates/ldso/src"), ("slimroot_rootfs", "crates/rootfs/src")];

/// Rooms by layer, the lowest first. A room knows only what lies in layers under its own, in whichever package it is.
const LAYERS: &[&[&str]] = &[
    &["path", "digest", "cleanup", "text"],
    &["error"],
    &["root", "elf", "config", "dockerfile", "engine", "registry", "watch"],
    &["profile", "loader", "package", "trust", "verify", "guest"],
    &["world"],
    &["language", "embedded"],
    &["closure"],
    &["finding", "plan"],
    &["layer"],
    &["image"],
    &["output"],
    &["check", "proof"],
    &["ledger"],
    &["sbom"],
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
    ("tar", &["layer", "verify"]),
    ("sha2", &["digest"]),
    ("oci_spec", &["layer", "image", "output"]),
    ("libdeflater", &["layer"]),
    ("zstd", &["layer", "verify"]),
    ("flate2", &["elf", "embedded", "verify"]),
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
            "world",
        ],
    ),
    ("regex", &["check", "proof"]),
    ("tree_sitter", &["language"]),
    ("tree_sitter_bash", &["language"]),
    ("tree_sitter_javascript", &["language"]),
    ("tree_sitter_python", &["language"]),
    ("zip", &["embedded", "language", "sbom"]),
    ("aho_corasick", &["world"]),
    ("strsim", &["profile"]),
    ("rusqlite", &["package"]),
    ("seccompiler", &["guest", "watch"]),
    ("libc", &["cleanup", "watch"]),
    ("sha1", &["sbom", "trust"]),
    ("shlex", &["text", "config"]),
];

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

/// The words that stand after a prefix such as `crate::`.
fn named_after<'a>(code: &'a str, prefix: &str) -> impl Iterator<Item = &'a str> {
    code.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

/// Code without comments: what a comment names is not known by the code.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
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

/// An error that no table explains would have no page and the exit code of a bug.
#[test]
fn every_error_code_is_explained() {
    let codes =
        |tables: &[&[ErrorCode]]| -> BTreeSet<&str> { tables.iter().copied().flatten().map(|c| c.code).collect() };
    let (own, ldso) = (slimroot::error::ERROR_CODES, slimroot_ldso::error::ERROR_CODES);
    let rootfs = slimroot_rootfs::error::ERROR_CODES;
    let (mut broken, mut used) = (BTreeSet::new(), BTreeSet::new());
    for SourceFile { package, path, text, .. } in sources() {
        let known = match package {
            "slimroot_rootfs" => codes(&[rootfs]),
            "slimroot_ldso" => codes(&[ldso, rootfs]),
            _ => codes(&[own]),
        };
        let code = code(&text);
        // The system's own type has a path before it: io::Error::new.
        for (at, call) in code.match_indices("Error::new(").filter(|(at, _)| !code[..*at].ends_with(':')) {
            let argument = code[at + call.len()..].trim_start();
            match argument.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                Some(code) if known.contains(code) => drop(used.insert(code.to_owned())),
                Some(code) => drop(broken.insert(format!("{}: {code} is in no table", path.display()))),
                None => drop(broken.insert(format!("{}: an error whose code is no literal", path.display()))),
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(used.len() > 20, "the test no longer finds the errors: {used:?}");
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

#[test]
fn every_file_says_what_it_holds_and_stays_readable() {
    for SourceFile { path, text, .. } in sources() {
        assert!(text.starts_with("//!") || text.starts_with("#![doc = "), "{} has no module comment", path.display());
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

/// Tables that hold names of programs, and the keys that hold them.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("interpreters", &["system-shell", "names", "beginning", "versioned"]),
    ("wrappers", &["names", "shell-text"]),
    ("node", &["names", "program", "no-ops"]),
    ("php", &["composer"]),
    ("python", &["finds-program", "tools"]),
    ("ruby", &["bundlers"]),
];

/// Words that are names of programs in tables, but mean something else in these files.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("src/cli/mod.rs", &["env"], "an option of slimroot"),
    ("src/commands/verify.rs", &["env"], "an option of slimroot"),
    ("src/cli/render/tree.rs", &["cargo"], "who built a program whose build information does not say"),
    ("src/config/healthcheck.rs", &["sh", "timeout"], "the shell that the specification names, and an option"),
    ("src/guest/calls.rs", &["chroot"], "a system call"),
    ("src/language/mod.rs", &["dotnet", "java", "node", "perl", "php", "python", "ruby"], "ids of rules"),
    ("src/language/php/mod.rs", &["php"], "`@php` in the scripts of composer.json"),
    ("src/language/ruby/bundle.rs", &["ruby"], "a directive of Gemfiles"),
    ("src/language/shell/run.rs", &["time"], "a reserved word of shells"),
    (
        "src/profile/builtin.rs",
        &["dotnet", "git", "java", "node", "perl", "php", "python", "ruby"],
        "names of profiles",
    ),
    ("src/package/about.rs", &["rpm"], "a type of package URLs"),
    ("src/sbom/languages.rs", &["cargo", "composer", "npm"], "types of package URLs"),
    ("src/pack/books.rs", &["env"], "a key of slimroot.toml"),
    ("src/profile/mod.rs", &["env"], "a key of profiles"),
];

/// Adds the text in a table under these keys, wherever they are.
fn collect(value: &toml::Value, keys: &[&str], is_under: bool, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::String(text) if is_under => drop(found.insert(text.rsplit('/').next().unwrap_or(text).to_owned())),
        toml::Value::Array(all) => all.iter().for_each(|value| collect(value, keys, is_under, found)),
        toml::Value::Table(table) => {
            table.iter().for_each(|(key, value)| collect(value, keys, keys.contains(&key.as_str()), found));
        }
        _ => {}
    }
}

/// The string literals of code, without escapes resolved, outside of tests and of the declarations of tables.
fn literals(code: &str) -> Vec<&str> {
    let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = code[at..].find('"').map(|open| at + open) {
        let before = &code[..open];
        if before.ends_with('\'') || before.ends_with("'\\") {
            at = open + 1;
            continue;
        }
        let hashes = before.len() - before.trim_end_matches('#').len();
        let is_raw = before.trim_end_matches('#').ends_with('r');
        let inside = &code[open + 1..];
        let end = if is_raw {
            inside.find(&format!("\"{}", "#".repeat(hashes)))
        } else {
            let mut is_escaped = false;
            inside.bytes().position(|b| {
                let is_end = b == b'"' && !is_escaped;
                is_escaped = b == b'\\' && !is_escaped;
                is_end
            })
        };
        let Some(end) = end else { break };
        let is_table = before.rsplit_once("table! {").is_some_and(|(_, inside)| !inside.contains("\n}"));
        found.extend((!is_table).then_some(&inside[..end]));
        at = open + end + 2;
    }
    found
}

/// A rule that names a program mends one case; a row in a table is data that anybody can add to.
#[test]
fn no_program_of_the_tables_is_named_in_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    for (table, keys) in PROGRAMS {
        let text = fs::read_to_string(root.join(format!("profiles/tables/{table}.toml"))).expect("a table");
        let table: toml::Table = toml::from_str(&text).expect("TOML");
        collect(&toml::Value::Table(table), keys, false, &mut names);
    }
    // Options of interpreters stand beside their names.
    names.retain(|name| name.starts_with(|c: char| c.is_ascii_alphanumeric()));
    assert!(names.len() > 80, "the test no longer finds the names: {names:?}");
    let allowed =
        |file: &str, word: &str| WORDS.iter().position(|(known, words, _)| *known == file && words.contains(&word));
    let (mut broken, mut used) = (BTreeSet::new(), BTreeSet::new());
    for SourceFile { path, text, .. } in sources() {
        let file = path.strip_prefix(root).expect("inside").display().to_string();
        for literal in literals(&code(&text)) {
            let word = literal.trim();
            // Of a path, only one in a directory of programs names a program.
            let is_path = |dir: &str| dir.ends_with("bin") && !dir.contains(' ');
            let word = word.rsplit_once('/').filter(|(dir, _)| is_path(dir)).map_or(word, |(_, name)| name);
            if names.contains(word) {
                match allowed(&file, word) {
                    Some(row) => drop(used.insert((row, word.to_owned()))),
                    None => drop(broken.insert(format!("{file}: {literal:?}"))),
                }
            }
        }
    }
    assert!(broken.is_empty(), "names of programs belong into profiles/tables/: {broken:#?}");
    let unused = WORDS.iter().map(|(_, words, _)| words.len()).sum::<usize>() - used.len();
    assert_eq!(unused, 0, "a word in WORDS is not needed: {used:?}");
}

/// Each table is parsed by one `table!`, which brings the test of its rows.
#[test]
fn tables_are_those_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/tables");
    let stem = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned()
    };
    let mut files: Vec<String> = fs::read_dir(folder).expect("listed").map(stem).collect();
    files.sort();
    let mut parsed = Vec::new();
    for SourceFile { text, .. } in sources() {
        for table in code(&text).split("table! {").skip(1) {
            let (_, rest) = table.split_once("= \"").expect("a name");
            parsed.push(rest.split('"').next().unwrap_or_default().to_owned());
        }
    }
    parsed.sort();
    assert_eq!(parsed, files);
}

#[test]
fn checks_are_those_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check");
    let stem = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().replace('_', "-")
    };
    let mut files: BTreeSet<String> = fs::read_dir(folder).expect("listed").map(stem).collect();
    files.remove("mod");
    files.remove("notes");
    files.remove("pasted");
    files.remove("install");
    let codes: Vec<String> = slimroot::check::CHECKS.iter().map(|check| check.code.to_owned()).collect();
    assert_eq!(codes, files.into_iter().collect::<Vec<_>>(), "mend src/check/mod.rs");
}

#[test]
fn readme_names_every_option_and_code_that_users_meet() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut readme = fs::read_to_string(top.join("README.md")).expect("README");
    let pages = fs::read_dir(top.join("docs")).expect("listed").map(|page| page.expect("an entry").path());
    for page in pages.filter(|page| page.extension().is_some_and(|end| end == "md")) {
        readme.push_str(&fs::read_to_string(page).expect("a page"));
    }
    let help =
        std::process::Command::new(env!("CARGO_BIN_EXE_slimroot")).args(["build", "--help"]).output().expect("runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let options = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned());
    let absent: BTreeSet<String> =
        options.filter(|option| option.len() > 3 && !readme.contains(option.as_str())).collect();
    assert!(absent.is_empty(), "neither README nor docs name {absent:?}");
}

/// The README is a landing page: what is longer is a page of its own, which the index names.
#[test]
fn readme_is_short_and_links_lead_somewhere() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(home.join("README.md")).expect("README");
    assert!(
        readme.lines().count() < 150
            && readme.contains("cargo test")
            && readme.contains("cargo run --release -- build")
    );
    let index = fs::read_to_string(home.join("docs/README.md")).expect("index");
    let mut broken = Vec::new();
    for page in fs::read_dir(home.join("docs")).expect("docs").filter_map(Result::ok) {
        let (path, name) = (page.path(), page.file_name().to_string_lossy().into_owned());
        if path.extension().is_some_and(|end| end == "md")
            && name != "README.md"
            && !index.contains(&format!("]({name})"))
        {
            broken.push(format!("docs/README.md does not name {name}"));
        }
    }
    let pages = fs::read_dir(home.join("docs")).expect("docs").filter_map(Result::ok).map(|entry| entry.path());
    for page in pages.chain(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| home.join(name))) {
        let Ok(text) = fs::read_to_string(&page) else { continue };
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !page.parent().expect("a folder").join(file).exists() {
                broken.push(format!("{}: {link} leads nowhere", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A file that no `mod` names is compiled into nothing, and its tests never run.
#[test]
fn every_test_file_is_a_module() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for (folder, root) in [("it", "main.rs"), ("cases", "main.rs"), ("support", "mod.rs")] {
        let text = fs::read_to_string(tests.join(folder).join(root)).expect("a root module");
        for entry in fs::read_dir(tests.join(folder)).expect("listed") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy();
            let is_named = || text.contains(&format!("mod {name};"));
            assert!(path.ends_with(root) || is_named(), "{folder}/{root} does not name {name}");
        }
    }
    let stray = fs::read_dir(&tests).expect("listed").map(|entry| entry.expect("an entry").path());
    let stray: Vec<PathBuf> = stray.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
    assert!(stray.is_empty(), "tests are in tests/it and tests/cases: {stray:?}");
}

/// True if an expression of SPDX is fulfilled by allowed licences alone. A slash is the old way to write OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (is_fulfilled, rest) = any_of(&words, allowed);
    is_fulfilled && rest.is_empty()
}

fn any_of<'w>(words: &'w [&'w str], allowed: &[String]) -> (bool, &'w [&'w str]) {
    let (mut is_any, mut rest) = all_of(words, allowed);
    while let ["OR", more @ ..] = rest {
        let (is_next, after) = all_of(more, allowed);
        (is_any, rest) = (is_any | is_next, after);
    }
    (is_any, rest)
}

fn all_of<'w>(words: &'w [&'w str], allowed: &[String]) -> (bool, &'w [&'w str]) {
    let has = |name: String| allowed.contains(&name);
    let (is_first, rest) = match words {
        ["(", inside @ ..] => {
            let (is_any, rest) = any_of(inside, allowed);
            (is_any, rest.strip_prefix(&[")"]).unwrap_or(rest))
        }
        [name, "WITH", exception, rest @ ..] => (has(format!("{name} WITH {exception}")), rest),
        [name, rest @ ..] => (has((*name).to_owned()), rest),
        [] => (false, words),
    };
    match rest {
        ["AND", more @ ..] => {
            let (is_next, rest) = all_of(more, allowed);
            (is_first & is_next, rest)
        }
        _ => (is_first, rest),
    }
}

#[test]
fn licences_are_fulfilled_as_their_expressions_say() {
    let allowed = ["MIT", "Zlib"].map(str::to_owned);
    for (expression, is_fulfilled) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Zlib", true),
        ("(MIT OR Zlib) AND GPL-3.0", false),
        ("MIT WITH exception", false),
        ("MIT WITH exception OR Zlib", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), is_fulfilled, "{expression}");
    }
}

/// What cargo-deny would say of deny.toml, where that is not installed: licences, sources, unwanted and double crates.
#[test]
fn crates_are_those_that_deny_toml_allows() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules: toml::Table = fs::read_to_string(home.join("deny.toml")).expect("rules").parse().expect("TOML");
    let names = |rows: &toml::Value| -> Vec<String> {
        let name = |row: &toml::Value| row.get("crate").unwrap_or(row).as_str().expect("a name").to_owned();
        rows.as_array().expect("a list").iter().map(name).collect()
    };
    let (allowed, skipped) = (names(&rules["licenses"]["allow"]), names(&rules["bans"]["skip"]));
    let unwanted = names(&rules["bans"]["deny"]);
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let told = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--all-features", "--filter-platform"])
        .arg(platform)
        .current_dir(home)
        .output()
        .expect("cargo");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let (mut broken, mut seen, mut used) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for package in told["packages"].as_array().expect("packages") {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, licence) = (text("name"), text("license"));
        if !is_allowed(licence, &allowed) {
            broken.insert(format!("{name}: the licence {licence:?}"));
        }
        used.extend(allowed.iter().filter(|allowed| licence.contains(allowed.as_str())).cloned());
        if unwanted.iter().any(|unwanted| unwanted == name) {
            broken.insert(format!("{name} is unwanted"));
        }
        if !seen.insert(name.to_owned()) && !skipped.iter().any(|skipped| skipped == name) {
            broken.insert(format!("{name} is there twice"));
        }
    }
    // Cargo.lock holds the crates of all platforms. The registry is the one of the first crate, which cargo chose.
    let lock: toml::Table = fs::read_to_string(home.join("Cargo.lock")).expect("a lock").parse().expect("TOML");
    let sources = lock["package"].as_array().expect("packages").iter().filter_map(|package| package.get("source"));
    let sources: BTreeSet<&str> = sources.filter_map(toml::Value::as_str).collect();
    assert!(sources.len() == 1 && sources.iter().all(|source| source.starts_with("registry+")), "{sources:?}");
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(used, allowed.into_iter().collect(), "a licence that no crate has needs no permission");
    assert!(seen.len() > 50, "the test no longer finds the crates");
}
