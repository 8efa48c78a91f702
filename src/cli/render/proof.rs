//! The result of `verify`, as text for people and as JUnit.

use super::text::Text;
use crate::guest::Isolation;
use crate::proof::{Kind, Missed, Proof, Verdict, end};

/// Maximum number of missed paths that are listed of each kind.
const MAX_LISTED: usize = 12;

pub(super) fn human(proof: &Proof) -> Text {
    let mut out = Text::default();
    let is_missed = proof.verdict == Verdict::Missed;
    for (number, says) in proof.differences.iter().enumerate() {
        out.line(format!("{} {says}", if number == 0 { "error[run-differs]:" } else { "                   " }));
    }
    for kind in KINDS {
        missed(&mut out, proof, kind, is_missed);
    }
    let mut row = |word: &str, text: &str| out.line(format!("{word:<10} {text}"));
    row(
        match proof.verdict {
            Verdict::Proven => "proven",
            Verdict::Missed => "missed",
            Verdict::FailsInBoth => "fails",
        },
        &super::page::command(&proof.line),
    );
    row("packed", &format!("{}, {} ms", end(&proof.packed), proof.packed.milliseconds));
    if let Some(builder) = &proof.builder {
        row("builder", &format!("{}, {} ms", end(builder), builder.milliseconds));
    }
    row(
        "isolation",
        match proof.isolation {
            Isolation::Overlay => "own namespaces; changes go to an overlay in memory",
            Isolation::ReadOnly => "own namespaces; the root is read-only, since the kernel grants no overlay",
        },
    );
    for what in &proof.unsteady {
        row("unsteady", &format!("{what}: two runs in the builder root differ too, so it is not compared"));
    }
    if proof.absent_in_both > 0 {
        row("absent", &format!("{} paths that it looks up are in neither root", proof.absent_in_both));
    }
    if !proof.untouched_programs.is_empty() {
        let first: Vec<&str> = proof.untouched_programs.iter().take(5).map(String::as_str).collect();
        let more = if proof.untouched_programs.len() > first.len() { ", …" } else { "" };
        let count = proof.untouched_programs.len();
        row(
            "untouched",
            &format!("{count} packed programs, which this run does not prove: {}{more}", first.join(", ")),
        );
    }
    out
}

const KINDS: [Kind; 7] =
    [Kind::Library, Kind::Program, Kind::Module, Kind::Data, Kind::Settings, Kind::Directory, Kind::Cache];

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
        out.line(format!("{level}[run-missed]: {word} {}: {}", missed.path, missed.how));
        let askers: Vec<&str> = missed.askers.iter().take(4).map(String::as_str).collect();
        out.line(format!("  asked by   {}", askers.join(", started by ")));
        out.line(format!("  help       {}", missed.option));
    }
    if found.len() > MAX_LISTED {
        out.line(format!("{level}[run-missed]: {} more; use --format json to list all", found.len() - MAX_LISTED));
    }
}

/// A JUnit document: one case for the run, and one for each path that was missed if the run is not proven.
pub(super) fn junit(proof: &Proof) -> String {
    let is_missed = proof.verdict == Verdict::Missed;
    let mut cases = String::new();
    let seconds = |milliseconds: u64| format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    let name = escaped(&proof.line.join(" "));
    let time = seconds(proof.packed.milliseconds);
    let mut failures = usize::from(proof.verdict != Verdict::Proven);
    cases.push_str(&format!("  <testcase classname=\"slimroot.verify\" name=\"{name}\" time=\"{time}\""));
    match proof.verdict {
        Verdict::Proven => cases.push_str("/>\n"),
        Verdict::Missed => {
            let says = escaped(&proof.differences.join("; "));
            cases.push_str(&format!(">\n    <failure message=\"{says}\"/>\n  </testcase>\n"));
        }
        Verdict::FailsInBoth => {
            let says = escaped(&format!("it {} in both roots", end(&proof.packed)));
            cases.push_str(&format!(">\n    <failure message=\"{says}\"/>\n  </testcase>\n"));
        }
    }
    let mut count = 1;
    for missed in proof.missed.iter().filter(|missed| is_missed && missed.kind != Kind::Cache) {
        (count, failures) = (count + 1, failures + 1);
        let (path, says) = (escaped(&missed.path), escaped(&format!("{}: {}", missed.how, missed.option)));
        cases.push_str(&format!(
            "  <testcase classname=\"slimroot.verify.missed\" name=\"{path}\">\n    <failure message=\"{says}\"/>\n  </testcase>\n"
        ));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"slimroot verify\" tests=\"{count}\" failures=\"{failures}\">\n{cases}</testsuite>\n"
    )
}

/// Text in an attribute of XML 1.0, which has no place for control characters.
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
