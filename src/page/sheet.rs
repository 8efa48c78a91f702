//! Data of a page from any source: a planned image, a finished one, or two that are compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::advice;
use super::omitted::{self, LeftOutTable};
use super::retained::{Demands, Retained};
use crate::closure::Closure;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::image_reader::LayerOf;
use crate::layer::Part;
use crate::ledger::{Diff, Kind, Ledger, Noted, Package, Record, Run, Snapshot};
use crate::path::RootPath;
use crate::plan::ItemKind;
use crate::root::RootGlob;

/// The kind of a page of a finished image whose entry was followed.
const CHECKED: &str = "checked image";

/// The contents of a page.
#[derive(Default)]
pub struct Sheet {
    /// Kind of page, in a few words.
    pub kind: &'static str,
    /// The name of the image, or of both.
    pub title: String,
    /// Entries by path. Directories are listed only if something requires the directory itself.
    pub rows: Vec<Row>,
    /// Packages with files in the image.
    pub packages: Vec<Package>,
    /// Reasons, each once.
    pub reasons: Vec<Why>,
    /// Kinds of reasons, each once.
    pub groups: Vec<String>,
    /// Its layers, as the image describes them: a title and the command that created each.
    pub layers: Vec<(String, String)>,
    /// Run settings of the image, if known.
    pub run: Option<Run>,
    /// Findings; `None` if no checks were run.
    pub findings: Option<Vec<Problem>>,
    /// Files of the builder's root that are not in the image, if there is such a root.
    pub left_out: Option<LeftOutTable>,
    /// Sentences for the top of the page.
    pub notes: Vec<String>,
    /// Differences, if the page compares two images.
    pub diff: Option<Diff>,
}

/// An entry. Numbers refer to the lists of the [`Sheet`].
pub struct Row {
    /// Its record in the ledger.
    pub record: Record,
    /// Its package.
    pub package: Option<usize>,
    /// The last step of the shortest chain that leads to it.
    pub reason: Option<usize>,
    /// The row from which that step comes.
    pub from: Option<usize>,
    /// The kind of its reason.
    pub group: Option<usize>,
    /// The row without which it would not be packed.
    pub keeper: Option<usize>,
    /// Files that are packed only because of it, including itself, and their bytes.
    pub brings: (usize, u64),
    /// Number of files that require it.
    pub asked_by: usize,
    /// Bytes in the first image of a comparison; `None` if it is not in that image.
    pub before: Option<u64>,
    /// True if it is in the image; in a comparison, in the second one.
    pub is_there: bool,
    /// True if it is in both images of a comparison and differs.
    pub is_changed: bool,
}

/// A reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Why {
    /// The reason as a clause.
    pub says: String,
    /// The rule that found it.
    pub rule: String,
    /// Advice on how to leave the file out.
    pub advice: String,
    /// True if `--exclude` leaves such files out.
    pub is_excludable: bool,
}

/// A finding.
pub struct Problem {
    /// Its severity.
    pub level: &'static str,
    /// Its code.
    pub code: String,
    /// The subject.
    pub subject: String,
    /// The message.
    pub says: String,
    /// The chain of reasons, the places that were searched, and remedies, as lines with titles.
    pub details: Vec<(&'static str, Vec<String>)>,
}

impl Problem {
    fn of(finding: &Finding) -> Self {
        let level = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        let searched = finding.searched.iter().map(|place| match place.candidate.is_empty() {
            true => format!("{}: {}", place.source, place.outcome),
            false => format!("{}: {} {}", place.source, place.candidate, place.outcome),
        });
        let mut details = vec![
            ("needed by", finding.wanted_by.iter().cloned().collect()),
            ("because", finding.because.clone()),
            ("searched", searched.collect()),
            ("help", finding.help.clone()),
            ("level set by you", finding.ranked.iter().cloned().collect()),
        ];
        details.retain(|(_, lines): &(_, Vec<String>)| !lines.is_empty());
        let (subject, says) = (finding.subject.clone(), finding.says.clone());
        Self { level, code: finding.code.to_owned(), subject, says, details }
    }

    fn noted(noted: &Noted) -> Self {
        let level = match noted.level.as_str() {
            "error" => "error",
            "warning" => "warning",
            _ => "note",
        };
        let (code, subject, says) = (noted.code.clone(), noted.subject.clone(), noted.says.clone());
        Self { level, code, subject, says, details: Vec::new() }
    }
}

/// A list of distinct values.
struct Numbered<T> {
    list: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T: Clone + Eq + std::hash::Hash> Numbered<T> {
    fn new() -> Self {
        Self { list: Vec::new(), numbers: HashMap::new() }
    }

    fn number(&mut self, value: T) -> usize {
        *self.numbers.entry(value).or_insert_with_key(|value| {
            self.list.push(value.clone());
            self.list.len() - 1
        })
    }
}

impl Sheet {
    /// The page of a planned image. `exclude` are the patterns of files to leave out.
    ///
    /// # Errors
    /// `unreadable`, `bad-package-database`.
    pub fn of_plan(ledger: &Ledger<'_>, exclude: &[RootGlob]) -> Result<Self, Error> {
        let run = ledger.run();
        let title = run.entrypoint.iter().chain(&run.command).cloned().collect::<Vec<_>>().join(" ");
        let records = ledger.plan.items.iter().map(|(path, item)| ledger.record(path, item));
        let mut sheet = Self { kind: "planned image", title, ..Self::default() };
        sheet.fill(records, ledger.packages.iter(), Some(ledger.closure));
        sheet.run = Some(run);
        sheet.findings = Some(ledger.findings.iter().map(Problem::of).collect());
        sheet.left_out = omitted::table(ledger, exclude)?;
        let strippable = ledger.plan.notes.strippable;
        if strippable > 0 {
            sheet.notes.push(format!(
                "Debug sections and symbol tables have {} of these bytes: --strip leaves them out.",
                crate::text::size(strippable)
            ));
        }
        Ok(sheet)
    }

    /// The page of a finished image made by any tool, of a directory, or of a plan in a file.
    pub fn of_snapshot(title: &str, snapshot: &Snapshot, layers: &[LayerOf]) -> Self {
        let mut sheet = Self { kind: "finished image", title: title.to_owned(), ..Self::default() };
        sheet.layers = super::html::described(layers);
        sheet.fill(snapshot.entries.values().cloned(), snapshot.packages.values(), None);
        sheet.run.clone_from(&snapshot.run);
        sheet.findings = snapshot.findings.as_ref().map(|all| all.iter().map(Problem::noted).collect());
        sheet
    }

    /// The page of a finished image that was checked: with findings, and with the reasons that lead from its entry.
    pub fn of_checked(
        title: &str,
        (snapshot, layers): (&Snapshot, &[LayerOf]),
        closure: &Closure,
        findings: &[Finding],
    ) -> Self {
        let mut sheet = Self { kind: CHECKED, title: title.to_owned(), ..Self::default() };
        sheet.layers = super::html::described(layers);
        sheet.fill(snapshot.entries.values().cloned(), snapshot.packages.values(), Some(closure));
        sheet.run.clone_from(&snapshot.run);
        sheet.findings = Some(findings.iter().map(Problem::of).collect());
        sheet
    }

    /// The page of findings alone, for an entry that cannot start.
    pub fn of_findings(title: &str, findings: &[Finding]) -> Self {
        let findings = Some(findings.iter().map(Problem::of).collect());
        Self { kind: "check", title: title.to_owned(), findings, ..Self::default() }
    }

    /// The page of a comparison.
    pub fn of_diff(diff: Diff, before: &Snapshot, after: &Snapshot) -> Self {
        let title = format!("{} → {}", diff.before.name, diff.after.name);
        let mut sheet = Self { kind: "comparison", title, ..Self::default() };
        let mut entries = after.entries.clone();
        for (path, record) in &before.entries {
            entries.entry(path.clone()).or_insert_with(|| record.clone());
        }
        let mut packages = after.packages.clone();
        packages.extend(before.packages.iter().map(|(id, package)| (id.clone(), package.clone())));
        sheet.fill(entries.into_values(), packages.values(), None);
        let changed: BTreeSet<&str> = diff.changed.iter().map(|both| both.path.as_str()).collect();
        for row in &mut sheet.rows {
            row.before = before.entries.get(&row.record.path).map(|record| record.size);
            row.is_there = after.entries.contains_key(&row.record.path);
            row.is_changed = changed.contains(row.record.path.to_string().as_str());
        }
        sheet.sum_packages();
        sheet.run.clone_from(&after.run);
        sheet.diff = Some(diff);
        sheet
    }

    fn fill<'p>(
        &mut self,
        records: impl Iterator<Item = Record>,
        packages: impl Iterator<Item = &'p Package>,
        closure: Option<&Closure>,
    ) {
        self.packages = packages.filter(|package| package.files > 0 || closure.is_none()).cloned().collect();
        let ids: BTreeMap<&str, usize> =
            self.packages.iter().enumerate().map(|(number, package)| (package.id.as_str(), number)).collect();
        let is_shown = |record: &Record| {
            record.kind != Kind::Dir || closure.is_some_and(|closure| closure.reasons(&record.path).next().is_some())
        };
        let row = |record: Record| Row {
            package: record.package.as_deref().and_then(|id| ids.get(id).copied()),
            reason: None,
            from: None,
            group: None,
            keeper: None,
            brings: (usize::from(record.is_file()), record.size),
            asked_by: 0,
            before: None,
            is_there: true,
            is_changed: false,
            record,
        };
        self.rows = records.filter(is_shown).map(row).collect();
        drop(ids);
        match closure {
            Some(closure) => self.reasons_of(closure),
            None => self.recorded_reasons(),
        }
        self.sum_packages();
    }

    /// Files and bytes of packages in the image.
    fn sum_packages(&mut self) {
        let mut used = BTreeMap::<usize, (usize, u64)>::new();
        for row in self.rows.iter().filter(|row| row.is_there) {
            if let Some(package) = row.package {
                let sum = used.entry(package).or_default();
                *sum = (sum.0 + usize::from(row.record.is_file()), sum.1 + row.record.size);
            }
        }
        for (number, package) in self.packages.iter_mut().enumerate() {
            (package.files, package.bytes) = used.get(&number).copied().unwrap_or_default();
        }
    }

    fn numbers(&self) -> HashMap<RootPath, usize> {
        self.rows.iter().enumerate().map(|(number, row)| (row.record.path.clone(), number)).collect()
    }

    /// Reasons from the closure.
    fn reasons_of(&mut self, closure: &Closure) {
        let numbers = self.numbers();
        let (mut reasons, mut groups) = (Numbered::new(), Numbered::new());
        let retained = self.retained(closure, &numbers);
        for (path, edge) in closure.last_steps() {
            let Some(row) = numbers.get(path).and_then(|number| self.rows.get_mut(*number)) else { continue };
            let (advice, is_excludable) = advice::of(&edge.reason, edge.rule);
            let (says, rule) = (edge.reason.says(edge.from.as_ref()), edge.rule.to_owned());
            row.reason = Some(reasons.number(Why { says, rule, advice, is_excludable }));
            row.from = edge.from.as_ref().and_then(|from| numbers.get(from).copied());
            row.group = closure.group(path).map(|group| groups.number(group));
        }
        for (row, known) in self.rows.iter_mut().zip(retained) {
            (row.keeper, row.asked_by) = (known.keeper, known.asked_by);
            row.brings = (known.files, known.bytes);
        }
        (self.reasons, self.groups) = (reasons.list, groups.list);
    }

    fn retained(&self, closure: &Closure, numbers: &HashMap<RootPath, usize>) -> Vec<Retained> {
        let mut demands = Demands { count: self.rows.len(), starts: Vec::new(), edges: Vec::new() };
        for edge in closure.graph().edges() {
            let Some(to) = numbers.get(&edge.to).copied() else { continue };
            match edge.from.as_ref().map(|from| numbers.get(from).copied()) {
                Some(Some(from)) => demands.edges.push((from, to)),
                // A requirer that is not on the page counts as the request.
                Some(None) | None => demands.starts.push(to),
            }
        }
        let record = |number: usize| &self.rows[number].record;
        demands.retained(&|number| (usize::from(record(number).is_file()), record(number).size))
    }

    /// Reasons from a plan: one for each entry.
    fn recorded_reasons(&mut self) {
        let numbers = self.numbers();
        let texts: HashMap<String, usize> =
            numbers.into_iter().map(|(path, number)| (path.to_string(), number)).collect();
        let (mut reasons, mut groups) = (Numbered::new(), Numbered::new());
        for row in &mut self.rows {
            let (Some(rule), Some(says)) = (row.record.rule.clone(), row.record.because.clone()) else { continue };
            let advice = advice::of_rule(&rule);
            row.reason = Some(reasons.number(Why { says, rule, advice, is_excludable: false }));
            row.from = row.record.from.as_ref().and_then(|from| texts.get(from).copied());
            row.group = row.record.group.clone().map(|group| groups.number(group));
        }
        (self.reasons, self.groups) = (reasons.list, groups.list);
    }

    /// True if files have reasons.
    pub fn has_reasons(&self) -> bool {
        !self.reasons.is_empty()
    }

    /// Sets the layer of each file of a planned image.
    pub fn cut(&mut self, layers: &[Part]) {
        if layers.len() < 2 {
            return;
        }
        let numbers = self.numbers();
        for (number, part) in (0_u32..).zip(layers) {
            // Directories are in every layer that has files in them.
            for (path, _) in part.plan.items.iter().filter(|(_, item)| item.kind != ItemKind::Dir) {
                if let Some(row) = numbers.get(path) {
                    self.rows[*row].record.layer = number;
                }
            }
        }
        self.layers = layers.iter().map(|part| (part.title.clone(), String::new())).collect();
    }

    /// Bytes of files to which no chain of reasons leads, if an image was checked.
    pub fn unreached(&self) -> Option<u64> {
        let is_checked = self.has_reasons() && self.left_out.is_none() && self.kind == CHECKED;
        let unreached = self.rows.iter().filter(|row| row.reason.is_none()).map(|row| row.record.size);
        is_checked.then(|| unreached.sum())
    }

    /// Number of files and their bytes.
    pub fn totals(&self) -> (usize, u64) {
        let there = self.rows.iter().filter(|row| row.is_there);
        there.fold((0, 0), |(files, bytes), row| (files + usize::from(row.record.is_file()), bytes + row.record.size))
    }
}
