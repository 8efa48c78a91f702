//! Limits: each is in the table of docs/limits.md, and a rule that meets one tells it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use slimroot::check;
use slimroot::closure::{Closure, Companions, Request};
use slimroot::error::ERROR_CODES;
use slimroot::loader::Objects;

use crate::support::elf::Elf;
use crate::support::files::{File, Files, Package};

/// Words of the table that are no codes; it explains them itself.
const WORDS: [&str; 6] = ["format", "shown", "unknown", "damaged", "pace", "registry"];

fn sources() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> =
        ["src", "crates/ldso/src", "crates/rootfs/src"].iter().map(|dir| top.join(dir)).collect();
    let mut files = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// `const MAX_X: T = VALUE;` as file, name and value.
fn limits_of_the_source() -> BTreeSet<[String; 3]> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for file in sources() {
        let text = std::fs::read_to_string(&file).expect("read");
        let shown = file.strip_prefix(top).expect("below").to_string_lossy().into_owned();
        for line in text.lines().map(str::trim) {
            let Some((before, rest)) = line.split_once("const ") else { continue };
            let Some((name, rest)) = rest.split_once(": ") else { continue };
            let is_limit = name.split('_').any(|part| matches!(part, "MAX" | "LIMIT"));
            let Some((_, value)) = rest.split_once(" = ").filter(|_| is_limit && !before.contains("//")) else {
                continue;
            };
            found.insert([shown.clone(), name.to_owned(), value.trim_end_matches(';').to_owned()]);
        }
    }
    found
}

/// Rows of the table as file, name and value, and the word in the last column.
fn rows() -> Vec<([String; 3], String)> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/limits.md")).expect("the table");
    let cells = |line: &str| -> Option<Vec<String>> {
        let cells: Vec<String> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").map(str::to_owned).collect();
        (cells.len() == 4 && cells[0].ends_with(".rs")).then_some(cells)
    };
    let row = |cells: Vec<String>| {
        let word = cells[3].trim_matches('`').to_owned();
        ([cells[0].clone(), cells[1].clone(), cells[2].clone()], word)
    };
    text.lines().filter_map(cells).map(row).collect()
}

#[test]
fn every_limit_is_in_the_table_with_what_happens_beyond_it() {
    let (known, rows) = (limits_of_the_source(), rows());
    assert!(known.len() > 200, "{} limits found", known.len());
    let listed: BTreeSet<[String; 3]> = rows.iter().map(|(row, _)| row.clone()).collect();
    let missing: Vec<_> = known.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/limits.md lacks {missing:#?}");
    let codes: BTreeSet<&str> =
        check::checks().map(|check| check.code).chain(ERROR_CODES.iter().map(|known| known.code)).collect();
    for (row, word) in &rows {
        assert!(WORDS.contains(&word.as_str()) || codes.contains(word.as_str()), "{row:?}: no code {word}");
    }
}

/// The notes about what was not read, as `PATH: SENTENCE`.
fn unread(files: &Files, entry: &str) -> Vec<String> {
    let root = files.root();
    let request = Request { entry: entry.to_owned(), companions: Companions::All, ..Request::default() };
    let closure = Closure::build(&Objects::new(&root), &request).expect("a closure");
    let notes = closure.notes().iter().filter(|note| note.code == "read-in-part");
    notes.map(|note| format!("{}: {}", note.subject, note.says)).collect()
}

#[test]
fn what_a_limit_leaves_unread_is_told() {
    let script = |length: usize| format!("#!/bin/sh\n{}\nexec /bin/true\n", "# comment\n".repeat(length / 10));
    let with = |text: String| {
        let mut files = Files::base();
        files.put("/start", File::Program(text));
        files
    };
    assert_eq!(unread(&with(script(1000)), "/start"), [""; 0]);
    let told = unread(&with(script(600 << 10)), "/start");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("/start: it has ") && told[0].ends_with("the first 524288"), "{told:?}");
}

#[test]
fn files_of_a_named_directory_beyond_the_limit_are_told() {
    let with = |count: usize| {
        let mut files = Files::base();
        let tool = Elf { strings: vec!["/usr/lib/tool".to_owned()], ..Elf::program(&["libc.so.6"]) };
        files.put("/usr/bin/tool", File::Elf(tool));
        for at in 0..count {
            files.put(&format!("/usr/lib/tool/{at}"), File::Text(String::new()));
        }
        let (name, source) = ("tool".to_owned(), "tool".to_owned());
        files.dpkg(&[Package { name, source, depends: Vec::new(), files: vec!["/usr/bin/tool".to_owned()] }]);
        files
    };
    assert_eq!(unread(&with(4000), "/usr/bin/tool"), [""; 0]);
    let told = unread(&with(4100), "/usr/bin/tool");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("/usr/lib/tool: ") && told[0].contains("4096 files"), "{told:?}");
}

#[test]
fn strings_of_sources_beyond_the_limit_are_told() {
    let with = |count: usize| {
        let mut files = Files::base();
        files.put("/usr/bin/perl", File::Elf(Elf::program(&["libc.so.6"])));
        let calls: String = (0..count).map(|at| format!("route('/srv/{at}');\n")).collect();
        files.put("/srv/app", File::Program(format!("#!/usr/bin/perl\n{calls}")));
        files
    };
    assert_eq!(unread(&with(16_000), "/srv/app"), [""; 0]);
    let told = unread(&with(17_000), "/srv/app");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("/srv/app: ") && told[0].ends_with("up to 16384 of a kind"), "{told:?}");
}
