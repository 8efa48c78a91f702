//! Differences between two images, and run settings of an image, as tables.

use maud::{Markup, html};

use super::html::{count, plural, safe, size};
use crate::ledger::{Change, Diff, Noted, Run};

/// Maximum number of rows of a table; the rest is only counted.
const MAX_ROWS: usize = 500;

/// A difference in bytes.
pub(super) fn signed(grown: i128) -> String {
    let sign = match grown {
        0 => "±",
        grown if grown < 0 => "−",
        _ => "+",
    };
    format!("{sign}{}", size(u64::try_from(grown.unsigned_abs()).unwrap_or(u64::MAX)))
}

/// Both sizes as bars of one scale.
pub(super) fn both(diff: &Diff) -> Markup {
    let whole = diff.before.bytes.max(diff.after.bytes);
    html! {
        div.span.both {
            @for (word, side) in [("Before", &diff.before), ("After", &diff.after)] {
                (super::html::bar(side.bytes, whole))
                p { (word) ": " b { (size(side.bytes)) } " in " (plural(side.files, "file")) ", " bdi { (safe(&side.name)) } }
            }
        }
    }
}

/// The sections of a comparison.
pub(super) fn section(diff: &Diff) -> Markup {
    let noted = |all: &[Noted], is_new: bool| -> Vec<Change> {
        let says = |one: &Noted| Some(format!("{}: {}", one.level, one.says));
        all.iter()
            .map(|one| Change {
                name: format!("{} {}", one.code, one.subject),
                before: if is_new { None } else { says(one) },
                after: if is_new { says(one) } else { None },
            })
            .collect()
    };
    let rights = diff.changed.iter().flat_map(|both| {
        let own =
            both.changes.iter().filter(|change| matches!(change.name.as_str(), "mode" | "owner" | "kind" | "target"));
        own.map(|change| Change { name: format!("{} {}", both.path, change.name), ..change.clone() })
    });
    let findings = [noted(&diff.new_findings, true), noted(&diff.gone_findings, false)].concat();
    let groups = diff.groups.iter().map(|group| Change {
        name: group.name.clone(),
        before: Some(size(group.before)),
        after: Some(size(group.after)),
    });
    html! {
        section #changes {
            h2 { "What changed" }
            @if diff.is_empty() { p.quiet { "Nothing differs." } }
            @for broken in &diff.broken { p.broken { (safe(broken)) } }
            @if !(diff.added.is_empty() && diff.removed.is_empty() && diff.changed.is_empty()) {
                p.quiet {
                    (plural(diff.added.len(), "path")) " added, " (count(diff.removed.len())) " removed, " (count(diff.changed.len()))
                    " changed. The map has each of them."
                }
            }
            (table("Settings", &diff.settings))
            (table("Packages", &diff.packages))
            (table("Libraries", &diff.libraries))
            (table("Rights, kinds and targets", &rights.collect::<Vec<_>>()))
            (table("Findings", &findings))
            (table("Size by group", &groups.collect::<Vec<_>>()))
            (table("Reasons", &diff.reasons))
        }
    }
}

fn table(title: &str, rows: &[Change]) -> Markup {
    html! {
        @if !rows.is_empty() {
            details.changes open[rows.len() <= 40] {
                summary { (title) " " span.count { (count(rows.len())) } }
                div.scroll tabindex="0" { table {
                    thead { tr { th { "Name" } th { "Before" } th { "After" } } }
                    tbody {
                        @for row in rows.iter().take(MAX_ROWS) {
                            tr {
                                th scope="row" { bdi { (safe(&row.name)) } }
                                td.before { bdi { (safe(row.before.as_deref().unwrap_or("–"))) } }
                                td.after { bdi { (safe(row.after.as_deref().unwrap_or("–"))) } }
                            }
                        }
                    }
                } }
                @if rows.len() > MAX_ROWS {
                    p.quiet { "… " (count(rows.len() - MAX_ROWS)) " more; slimroot diff --all lists them." }
                }
            }
        }
    }
}

/// Renders the run settings of the image.
pub(super) fn settings(run: &Run) -> Markup {
    html! {
        section #settings {
            h2 { "Settings" }
            div.scroll tabindex="0" { table { tbody {
                @for (name, value) in run.rows() {
                    tr { th scope="row" { bdi { (safe(&name)) } } td { code { bdi { (safe(&value)) } } } }
                }
            } } }
        }
    }
}
