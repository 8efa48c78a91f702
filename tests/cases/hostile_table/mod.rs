//! A table of hostile inputs (`tests/hostile/*.txt`): what is made at which path of which world, and how the run ends.
//! Every row is a test of its own. The kernel limits each run and measures it, and the disk says what was written.

mod images;
mod made;
mod run;
mod worlds;

use std::collections::BTreeSet;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::support::need;

/// The tables, by file.
const TABLES: [&str; 3] = ["files", "elf", "images"];

/// One line of a table.
struct Row {
    world: String,
    path: String,
    made: String,
    /// The exit code, and the code of an error or finding that is printed.
    ends: i32,
    code: Option<String>,
}

impl Row {
    /// Columns are separated by spaces; `#` begins a comment.
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (world, path, made, ends, code) = match words[..] {
            [] => return None,
            [first, ..] if first.starts_with('#') => return None,
            [world, path, made, ends] => (world, path, made, ends, None),
            [world, path, made, ends, code] => (world, path, made, ends, Some(code.to_owned())),
            _ => panic!("not a row: {line}"),
        };
        let ends = ends.parse().unwrap_or_else(|_| panic!("not an exit code: {line}"));
        Some(Self { world: world.into(), path: path.into(), made: made.into(), ends, code })
    }

    fn holds(&self) -> Result<(), Failed> {
        // Only root makes devices.
        if self.made == "zero" && !need::all(&["mknod"]) {
            return Ok(());
        }
        let scratch = run::Scratch::new();
        let args = if self.world == "image" {
            images::make(scratch.path(), &self.made)
        } else {
            let world = worlds::make(&self.world, scratch.path());
            made::make(&scratch.path().join("root"), &self.path, &self.made);
            world
        };
        let ran = scratch.run(&args);
        let found = ran.judge(self.ends, self.code.as_deref());
        if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
    }
}

fn rows() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let read = |name: &&str| std::fs::read_to_string(folder.join(format!("{name}.txt"))).expect("a table");
    TABLES.iter().map(read).flat_map(|text| text.lines().filter_map(Row::parse).collect::<Vec<_>>()).collect()
}

pub(crate) fn trials() -> Vec<Trial> {
    let name = |row: &Row| format!("hostile_table::{} {} {}", row.world, row.path, row.made);
    let trial = |row: Row| Trial::test(name(&row), move || row.holds());
    let mut trials: Vec<Trial> = rows().into_iter().map(trial).collect();
    let names: BTreeSet<String> = trials.iter().map(|trial| trial.name().to_owned()).collect();
    let (count, distinct) = (trials.len(), names.len());
    trials.push(Trial::test("hostile_table::rows_are_many_and_distinct", move || {
        match (count >= 150, count == distinct) {
            (true, true) => Ok(()),
            _ => Err(format!("{count} rows, {distinct} of them distinct").into()),
        }
    }));
    trials
}
