//! The plan file, as JSON with one row per line, or as lines for people.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use super::left_out::left_out;
use super::rows::{Kind, Record};
use super::source::Ledger;
use crate::error::Error;
use crate::plan::ItemKind;
use crate::root::RootGlob;

/// The schema of plan files.
pub const PLAN_SCHEMA: &str = "slimroot.plan.v1";

/// Further contents of a plan file.
pub struct PlanOptions<'a> {
    /// The options that made the plan.
    pub made_with: serde_json::Value,
    /// True if every file that was left out is listed.
    pub all: bool,
    /// Patterns of files to leave out.
    pub exclude: &'a [RootGlob],
}

/// Writes a JSON object field by field.
pub(crate) struct Document<'w> {
    out: &'w mut dyn Write,
    name: &'w dyn Display,
    is_first: bool,
}

impl<'w> Document<'w> {
    pub(crate) fn begin(out: &'w mut dyn Write, name: &'w dyn Display) -> Result<Self, Error> {
        let mut document = Self { out, name, is_first: true };
        document.put("{")?;
        Ok(document)
    }

    fn put(&mut self, text: &str) -> Result<(), Error> {
        self.out.write_all(text.as_bytes()).map_err(|error| Error::unwritable(&self.name, error))
    }

    fn key(&mut self, key: &str) -> Result<(), Error> {
        let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
        self.put(&format!("{comma}\n\"{key}\": "))
    }

    /// A field with a value on one line.
    pub(crate) fn field(&mut self, key: &str, value: &impl Serialize) -> Result<(), Error> {
        self.key(key)?;
        let text = line(value)?;
        self.put(&text)
    }

    /// A field with a list, one row per line. `fill` gets the function that adds a row.
    pub(crate) fn list<T: Serialize>(
        &mut self,
        key: &str,
        fill: impl FnOnce(&mut dyn FnMut(T) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.key(key)?;
        self.put("[")?;
        let mut is_first = true;
        fill(&mut |row| {
            let comma = if std::mem::take(&mut is_first) { "" } else { "," };
            let text = line(&row)?;
            self.put(&format!("{comma}\n{text}"))
        })?;
        self.put(if is_first { "]" } else { "\n]" })
    }

    /// A field with a list in memory.
    pub(crate) fn rows<T: Serialize>(&mut self, key: &str, rows: &[T]) -> Result<(), Error> {
        self.list(key, |add| rows.iter().try_for_each(&mut *add))
    }

    pub(crate) fn end(mut self) -> Result<(), Error> {
        self.put("\n}\n")?;
        self.out.flush().map_err(|error| Error::unwritable(&self.name, error))
    }
}

/// A value as JSON that is safe to print, on one line.
fn line(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::new("internal", format!("a row of a document is not JSON: {error}")))?;
    Ok(crate::text::json(&text).into_owned())
}

#[derive(Serialize)]
struct Group {
    reason: String,
    files: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct Totals {
    files: usize,
    links: usize,
    directories: usize,
    bytes: u64,
}

fn totals(ledger: &Ledger<'_>) -> Totals {
    let count = |wanted: fn(&ItemKind) -> bool| ledger.plan.items.values().filter(|item| wanted(&item.kind)).count();
    Totals {
        files: count(|kind| matches!(kind, ItemKind::File(_) | ItemKind::HardLink(_))),
        links: count(|kind| matches!(kind, ItemKind::Link(_))),
        directories: count(|kind| matches!(kind, ItemKind::Dir)),
        bytes: ledger.plan.bytes(),
    }
}

/// Writes a plan file: one JSON document whose lists have one row a line. Entries are written as they are read, so that
/// memory does not grow with them. The same root and options give the same bytes.
///
/// # Errors
/// `changed-while-packing`, `unreadable`, `output-unwritable`, `disk-full`.
pub fn write_plan(
    ledger: &Ledger<'_>,
    options: &PlanOptions<'_>,
    out: &mut dyn Write,
    name: &dyn Display,
) -> Result<(), Error> {
    let mut document = Document::begin(out, name)?;
    document.field("schema", &PLAN_SCHEMA)?;
    document.field("slimroot", &env!("CARGO_PKG_VERSION"))?;
    document.field("options", &options.made_with)?;
    document.field("epoch", &ledger.plan.epoch)?;
    document.field("image", &ledger.run())?;
    document.field("totals", &totals(ledger))?;
    let group = |(reason, files, bytes)| Group { reason, files, bytes };
    document.rows("groups", &ledger.groups().into_iter().map(group).collect::<Vec<_>>())?;
    document.rows("packages", &ledger.packages)?;
    document.rows("processes", &ledger.processes())?;
    document.rows("profiles", ledger.closure.applied_profiles())?;
    document.rows("findings", ledger.findings)?;
    match left_out(ledger, options.exclude)? {
        Some((sums, gone)) => {
            document.rows("left_out", &sums)?;
            if options.all {
                document.rows("left_out_files", &gone)?;
            }
        }
        None => document.field("left_out", &None::<()>)?,
    }
    document.list("entries", |add| ledger.records(add))?;
    document.end()
}

/// Writes a plan for people: a line for each entry, with mode, owner, size, package, path and reason.
///
/// # Errors
/// As [`write_plan`].
pub fn write_lines(
    ledger: &Ledger<'_>,
    options: &PlanOptions<'_>,
    out: &mut dyn Write,
    name: &dyn Display,
) -> Result<(), Error> {
    let mut put =
        |text: String| writeln!(out, "{}", crate::text::line(&text)).map_err(|error| Error::unwritable(&name, error));
    for (path, item) in &*ledger.plan.items {
        put(shown(&ledger.record(path, item), ledger))?;
    }
    if let Some((sums, gone)) = left_out(ledger, options.exclude)? {
        for sum in &sums {
            put(format!("# left out: {} files, {} bytes: {}", sum.files, sum.bytes, sum.rule))?;
        }
        for file in gone.iter().filter(|_| options.all) {
            put(format!("# left out: {}: {}", file.path, sums[file.rule].rule))?;
        }
    }
    out.flush().map_err(|error| Error::unwritable(&name, error))
}

fn shown(record: &Record, ledger: &Ledger<'_>) -> String {
    let letter = match record.kind {
        Kind::File => '-',
        Kind::Hardlink => 'h',
        Kind::Link => 'l',
        Kind::Dir => 'd',
        Kind::Other => '?',
    };
    let package = record.package.as_ref().and_then(|id| ledger.packages.iter().find(|package| package.id == *id));
    let package = package.map_or_else(|| "-".to_owned(), |package| format!("{}={}", package.id, package.about.version));
    let target = record.target.as_ref().map_or_else(String::new, |target| format!(" -> {target}"));
    let because = record.because.as_deref().unwrap_or_default();
    let rule = record.rule.as_ref().map_or_else(String::new, |rule| format!(" [{rule}]"));
    format!(
        "{letter}{} {}:{} {:>9} {package} {}{target}  # {because}{rule}",
        record.mode, record.uid, record.gid, record.size, record.path
    )
}
