//! The table of all files, which is shown instead of the map if scripts do not run.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::html::{count, safe};
use super::sheet::{Row, Sheet};
use crate::ledger::Kind;
use crate::path::{RootPath, show};

/// Maximum number of listed files. If there are more, the largest are listed; the map has all.
const MAX_FILES: usize = 20_000;

/// A name that reorders no text around it (Unicode, UAX 9). No letter of ASCII is written from the right, so that most
/// of ten thousand names need no element.
fn isolated(name: &str) -> Markup {
    html! { @if name.is_ascii() { (name) } @else { bdi { (name) } } }
}

/// The table, by directory.
pub(super) fn table(sheet: &Sheet) -> Markup {
    let mut shown: Vec<&Row> = sheet.rows.iter().filter(|row| row.record.kind != Kind::Dir).collect();
    let all = shown.len();
    if all > MAX_FILES {
        shown.sort_by(|a, b| b.record.size.cmp(&a.record.size).then_with(|| a.record.path.cmp(&b.record.path)));
        shown.truncate(MAX_FILES);
        shown.sort_by(|a, b| a.record.path.cmp(&b.record.path));
    }
    let mut dirs: BTreeMap<RootPath, Vec<&Row>> = BTreeMap::new();
    for row in shown {
        dirs.entry(row.record.path.parent().unwrap_or_else(RootPath::root)).or_default().push(row);
    }
    let has_reasons = sheet.has_reasons();
    let is_compared = sheet.diff.is_some();
    html! {
        noscript {
            section #files {
                h2 { "Files " span.count { (count(all)) } }
                p.quiet { "This browser runs no scripts here, so there is a table instead of the map." }
                @if all > MAX_FILES { p { "The largest " (count(MAX_FILES)) " files are listed." } }
                table.files {
                    thead { tr {
                        th { "Name" }
                        @if is_compared { th.number { "Bytes before" } }
                        th.number { "Bytes" }
                        @if has_reasons { th { "Why" } }
                    } }
                    @for (dir, rows) in &dirs {
                        tbody {
                            tr { th colspan="4" { (isolated(&safe(&dir.to_string()))) } }
                            @for row in rows {
                                tr {
                                    td { (isolated(&safe(&show(row.record.path.name())))) }
                                    @if is_compared { td { @if let Some(bytes) = row.before { (bytes) } } }
                                    td { @if row.is_there { (row.record.size) } }
                                    @if let Some(reason) = row.reason { td { a href={ "#r" (reason) } { (reason) } } }
                                }
                            }
                        }
                    }
                }
                @if has_reasons {
                    h3 { "Reasons" }
                    ol start="0" { @for (number, why) in sheet.reasons.iter().enumerate() { li id={ "r" (number) } { (safe(&why.says)) } } }
                }
            }
        }
    }
}
