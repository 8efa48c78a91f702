//! Lists follow folders, and documents follow the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use slimroot::error::ErrorCode;

use super::{SourceFile, code, sources};

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
    files.remove("entries");
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
