//! Names of programs are in tables, not in code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{SourceFile, code, sources};

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
    ("src/cli/wording.rs", &["env", "man"], "an option and a command of slimroot"),
    ("src/commands/verify.rs", &["env"], "an option of slimroot"),
    ("src/cli/render/tree.rs", &["cargo"], "who built a program whose build information does not say"),
    ("src/config/healthcheck.rs", &["sh", "timeout"], "the shell that the specification names, and an option"),
    ("src/guest/calls.rs", &["chroot", "unshare"], "system calls"),
    ("src/language/mod.rs", &["dotnet", "java", "node", "perl", "php", "python", "ruby"], "ids of rules"),
    ("src/language/python/tree.rs", &["split"], "a method of texts"),
    ("src/language/php/mod.rs", &["php"], "`@php` in the scripts of composer.json"),
    ("src/language/ruby/bundle.rs", &["ruby"], "a directive of Gemfiles"),
    ("src/language/shell/run.rs", &["time"], "a reserved word of shells"),
    (
        "src/profile/builtin.rs",
        &["dotnet", "git", "java", "node", "npm", "perl", "php", "python", "ruby", "tar"],
        "names of profiles",
    ),
    ("src/output/mod.rs", &["tar"], "a destination"),
    ("src/output/tar_file.rs", &["tar"], "a destination"),
    ("src/pack/layers.rs", &["split"], "a value of an option"),
    ("src/profile/raw_read.rs", &["script"], "a value in profiles"),
    ("src/package/about.rs", &["rpm"], "a type of package URLs"),
    ("src/sbom/languages.rs", &["cargo", "composer", "npm"], "types of package URLs"),
    ("src/pack/documents.rs", &["env"], "a key of slimroot.toml"),
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
