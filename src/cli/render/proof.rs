//! The result of `verify`, as text for people, as JUnit, and as JSON.

use super::text::Text;
use crate::finding::Level;
use crate::proof::{Kind, Missed, Proof, Untouched, Verdict, end};

/// Maximum number of missing paths that are listed for each kind.
const MAX_LISTED: usize = 12;

pub(super) fn human(proofs: &[Proof]) -> Text {
    let mut out = Text::default();
    for proof in proofs {
        one(&mut out, proof);
    }
    if proofs.len() > 1 {
        let proven = proofs.iter().filter(|proof| proof.verdict == Verdict::Proven).count();
        out.line(format!("{:<10} {proven} of {} runs are proven", "runs", proofs.len()));
        untouched(&mut out, &together(proofs));
    }
    out
}

/// Files that no run has touched.
fn together(proofs: &[Proof]) -> Untouched {
    let mut all = proofs.first().map(|proof| proof.untouched.clone()).unwrap_or_default();
    proofs.iter().for_each(|proof| all.and(&proof.untouched));
    all
}

/// The JSON document of several runs.
pub(super) fn document(proofs: &[Proof]) -> serde_json::Value {
    let worst = [Verdict::Missed, Verdict::FailsInBoth].into_iter();
    let worst = worst.into_iter().find(|verdict| proofs.iter().any(|proof| proof.verdict == *verdict));
    serde_json::json!({
        "schema": "slimroot.verify-runs.v1",
        "verdict": worst.unwrap_or(Verdict::Proven),
        "runs": proofs,
        "untouched": together(proofs),
    })
}

fn one(out: &mut Text, proof: &Proof) {
    let is_missed = proof.verdict == Verdict::Missed;
    for (number, says) in proof.differences.iter().enumerate() {
        out.line(format!("{} {says}", if number == 0 { "error[run-differs]:" } else { "                   " }));
    }
    for says in &proof.noticed {
        out.line(format!("warning[run-differs]: {says}"));
    }
    for kind in KINDS {
        missed(out, proof, kind, is_missed);
    }
    out.add(&super::human::findings(&proof.observed));
    let mut row = |word: &str, text: &str| out.line(format!("{word:<10} {text}"));
    let line = super::page::command(&proof.line);
    let word = match proof.verdict {
        Verdict::Proven => "proven",
        Verdict::Missed => "missed",
        Verdict::FailsInBoth => "fails",
    };
    row(word, &if proof.name.is_empty() { line } else { crate::text::line(&proof.name).into_owned() });
    row("packed", &format!("{}, {} ms", end(&proof.packed), proof.packed.milliseconds));
    if let Some(builder) = &proof.builder {
        row("builder", &format!("{}, {} ms", end(builder), builder.milliseconds));
    }
    row("isolation", proof.isolation.says());
    for what in &proof.unsteady {
        row(
            "unsteady",
            &format!(
                "{what}: two runs in the builder root differ too, so only their common lines are \
                                  compared"
            ),
        );
    }
    if proof.absent_in_both > 0 {
        row("absent", &format!("{} paths that it looked up are in neither root", proof.absent_in_both));
    }
    for listing in proof.listings.iter().take(if is_missed { MAX_LISTED } else { 0 }) {
        let first: Vec<&str> = listing.absent.iter().take(4).map(String::as_str).collect();
        let more = if listing.count > first.len() { ", …" } else { "" };
        row("listed", &format!("{}, which lacks {} names: {}{more}", listing.path, listing.count, first.join(", ")));
    }
    untouched(out, &proof.untouched);
}

fn untouched(out: &mut Text, untouched: &Untouched) {
    let kinds =
        [("programs", &untouched.programs), ("modules", &untouched.modules), ("libraries", &untouched.libraries)];
    for (what, paths) in kinds.into_iter().filter(|(_, paths)| !paths.is_empty()) {
        let first: Vec<&str> = paths.iter().take(3).map(String::as_str).collect();
        let more = if paths.len() > first.len() { ", …" } else { "" };
        let list = first.join(", ");
        out.line(format!("untouched  {} packed {what}, which this run did not use: {list}{more}", paths.len()));
    }
}

const KINDS: [Kind; 9] = [
    Kind::Library,
    Kind::Program,
    Kind::Module,
    Kind::Zone,
    Kind::Locale,
    Kind::Data,
    Kind::Settings,
    Kind::Directory,
    Kind::Cache,
];

fn missed(out: &mut Text, proof: &Proof, kind: Kind, is_missed: bool) {
    let found: Vec<&Missed> = proof.missed.iter().filter(|missed| missed.kind == kind).collect();
    let Some(first) = found.first() else { return };
    let word = format!("{kind:?}").to_lowercase();
    if kind == Kind::Cache || (kind == Kind::Directory && !is_missed) {
        out.line(format!("note[run-missed]: {} times {word}, such as {}", found.len(), first.path));
        return;
    }
    let level = if is_missed { "error" } else { "warning" };
    for missed in found.iter().take(MAX_LISTED) {
        let code = kind.code();
        out.line(format!("{level}[{code}]: {word} {}: {} (seen in a run)", missed.path, missed.how));
        let askers: Vec<&str> = missed.askers.iter().take(4).map(String::as_str).collect();
        out.line(format!("  asked by   {}", askers.join(", started by ")));
        out.line(format!("  help       {}", missed.option));
    }
    if found.len() > MAX_LISTED {
        out.line(format!("{level}[{}]: {} more; use --format json to list all", kind.code(), found.len() - MAX_LISTED));
    }
}

/// A JUnit document: a case for each run, and one for each finding at error level.
pub(super) fn junit(proofs: &[Proof]) -> String {
    let (mut cases, mut count, mut failures) = (String::new(), 0, 0);
    let mut case = |class: &str, name: &str, time: &str, failure: Option<&str>| {
        count += 1;
        cases.push_str(&format!("  <testcase classname=\"{class}\" name=\"{}\"{time}", escaped(name)));
        match failure {
            None => cases.push_str("/>\n"),
            Some(says) => {
                failures += 1;
                cases.push_str(&format!(">\n    <failure message=\"{}\"/>\n  </testcase>\n", escaped(says)));
            }
        }
    };
    for proof in proofs {
        let line = proof.line.join(" ");
        let name = if proof.name.is_empty() { &line } else { &proof.name };
        let milliseconds = proof.packed.milliseconds;
        let time = format!(" time=\"{}.{:03}\"", milliseconds / 1000, milliseconds % 1000);
        let why = match proof.verdict {
            Verdict::Proven => None,
            Verdict::Missed => Some(proof.differences.join("; ")),
            Verdict::FailsInBoth => Some(format!("it fails in both roots: {}", proof.faults.join("; "))),
        };
        case("slimroot.verify", name, &time, why.as_deref());
        for missed in proof.missed.iter().filter(|one| proof.verdict == Verdict::Missed && one.kind != Kind::Cache) {
            let says = format!("{}: {}", missed.how, missed.option);
            case("slimroot.verify.missed", &missed.path, "", Some(&says));
        }
        for finding in proof.observed.iter().filter(|finding| finding.level == Level::Error) {
            case(
                "slimroot.verify.observed",
                &finding.subject,
                "",
                Some(&format!("{}: {}", finding.code, finding.says)),
            );
        }
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"slimroot verify\" tests=\"{count}\" failures=\"{failures}\">\n{cases}</testsuite>\n"
    )
}

/// Escapes text for an attribute of XML 1.0, which cannot contain control characters.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in crate::text::line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
