//! The page as HTML. Templates escape text and attributes; hidden characters in names are made visible first.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::omitted::LeftOutTable;
use super::sheet::{Problem, Sheet};
use super::{changes, data, files};
use crate::digest::Digest;
use crate::error::Error;
use crate::text;

const STYLE: &str = include_str!("page.css");
/// Layout of the map, then the page itself.
const SCRIPTS: [&str; 2] = [include_str!("layout.js"), include_str!("page.js")];
/// Width of a bar.
const FULL: u64 = 1000;

/// Text without hidden characters. The template escapes it.
pub(super) fn safe(text: &str) -> Cow<'_, str> {
    text::line(text)
}

/// Bytes as text.
pub(super) fn size(bytes: u64) -> String {
    text::size(bytes)
}

/// A number with marks between groups of three digits.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(super) fn plural(number: usize, word: &str) -> String {
    format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" })
}

/// The whole page.
pub(super) fn page(sheet: &Sheet) -> Result<String, Error> {
    let script = SCRIPTS.join("\n");
    let data = data::json(sheet)?;
    let has_files = !sheet.rows.is_empty();
    let title = format!("{} — slimroot", safe(&sheet.title));
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&script));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "slimroot " (env!("CARGO_PKG_VERSION")) };
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(sheet))
                main {
                    @if has_files { section #window hidden aria-label="Map" {} }
                    @if let Some(diff) = &sheet.diff { (changes::section(diff)) }
                    @if let Some(findings) = &sheet.findings { (self::findings(findings)) }
                    @if let Some(table) = &sheet.left_out { (left_out(table)) }
                    @if sheet.packages.iter().any(|package| package.files > 0) { (packages(sheet)) }
                    @if has_files { (layers(sheet)) }
                    @if let Some(run) = &sheet.run { (changes::settings(run)) }
                    @if has_files { (files::table(sheet)) }
                }
                footer {
                    p { "Made by slimroot " (env!("CARGO_PKG_VERSION")) ". This page is one file. It opens no \
                                                                         connections, and its Content Security Policy \
                                                                         forbids them." }
                }
                @if has_files {
                    script type="application/json" id="data" { (PreEscaped(data)) }
                    script { (PreEscaped(&script)) }
                }
            }
        }
    };
    Ok(markup.into_string() + "\n")
}

/// The page loads and sends nothing, and no other script or style than these two is used.
fn policy(script: &str) -> String {
    let digest = |text: &str| STANDARD.encode(Digest::of(text.as_bytes()).as_bytes());
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'",
        digest(script),
        digest(STYLE)
    )
}

fn header(sheet: &Sheet) -> Markup {
    let (files, bytes) = sheet.totals();
    let findings = sheet.findings.as_deref();
    let of_level = |level: &str| findings.into_iter().flatten().filter(|one| one.level == level).count();
    let packages = sheet.packages.iter().filter(|package| package.files > 0).count();
    html! {
        header {
            p.kind { span.mark aria-hidden="true" {} "slimroot · " (sheet.kind) }
            h1 { bdi { (safe(&sheet.title)) } }
            div.figures {
                @if !sheet.rows.is_empty() {
                    div { b { (size(bytes)) } span { @if sheet.diff.is_some() { "after" } @else { "in the image" } } }
                    @if let Some(diff) = &sheet.diff {
                        div { b { (changes::signed(diff.grown())) } span { "from " (size(diff.before.bytes)) " before" } }
                    }
                    div { b { (count(files)) } span { (if files == 1 { "file" } else { "files" }) } }
                    @if packages > 0 { div { b { (count(packages)) } span { (if packages == 1 { "package" } else { "packages" }) } } }
                }
                @if let Some(bytes) = sheet.unreached() {
                    div { b { (size(bytes)) } span { "no reason leads to" } }
                }
                @if let Some(table) = &sheet.left_out {
                    div { b { (size(table.bytes)) } span { "left out" } }
                }
                @if findings.is_some() {
                    @let (errors, warnings) = (of_level("error"), of_level("warning"));
                    div.errors[errors > 0].warnings[errors == 0 && warnings > 0] {
                        b { (count(errors + warnings)) }
                        span { @if errors + warnings == 0 { "errors or warnings" } @else { @if errors > 0 { (plural(errors, "error")) ", " } (plural(warnings, "warning")) } }
                    }
                }
            }
            @if let Some(table) = &sheet.left_out { (before_and_after(bytes, table)) }
            @if let Some(diff) = &sheet.diff { (changes::both(diff)) }
            @for note in &sheet.notes { p.note { (safe(note)) } }
        }
    }
}

/// A bar of two parts.
pub(super) fn bar(part: u64, whole: u64) -> Markup {
    let width = |part: u64| u128::from(part) * u128::from(FULL) / u128::from(whole.max(1));
    html! {
        svg.bar viewBox={ "0 0 " (FULL) " 1" } preserveAspectRatio="none" aria-hidden="true" {
            rect.part width=(width(part.min(whole))) height="1" {}
        }
    }
}

/// Renders the part of the builder's root that is in the image.
fn before_and_after(bytes: u64, table: &LeftOutTable) -> Markup {
    let whole = bytes.saturating_add(table.bytes);
    let tenths = u128::from(bytes) * 1000 / u128::from(whole.max(1));
    html! {
        div.span {
            (bar(bytes, whole))
            p { "Before: a root of " b { (size(whole)) } ". After: " b { (size(bytes)) } ", " (tenths / 10) "." (tenths % 10) " % of it." }
        }
    }
}

fn findings(findings: &[Problem]) -> Markup {
    let mut codes: Vec<&str> = Vec::new();
    for one in findings {
        if !codes.contains(&one.code.as_str()) {
            codes.push(&one.code);
        }
    }
    html! {
        section #findings {
            h2 { "Findings " span.count { (count(findings.len())) } }
            @if findings.is_empty() { p.quiet { "Nothing was found." } }
            @for code in codes {
                @let own: Vec<_> = findings.iter().filter(|one| one.code == code).collect();
                details.finding open[own.iter().any(|one| one.level == "error")] {
                    summary {
                        span class={ "level " (own[0].level) } { (own[0].level) }
                        code { (safe(code)) }
                        span.quiet { (plural(own.len(), "finding")) }
                        span.first { (safe(&own[0].says)) }
                    }
                    @if let Some(page) = crate::check::explain(code) { p.page { (page) } }
                    ul { @for one in own { (problem(one)) } }
                }
            }
        }
    }
}

fn problem(one: &Problem) -> Markup {
    html! {
        li {
            p { @if !one.subject.is_empty() { code { bdi { (safe(&one.subject)) } } " " } (safe(&one.says)) }
            @if !one.details.is_empty() {
                dl {
                    @for (title, lines) in &one.details {
                        dt { (title) }
                        @for line in lines { dd { bdi { (safe(line)) } } }
                    }
                }
            }
        }
    }
}

fn left_out(table: &LeftOutTable) -> Markup {
    html! {
        section #left-out {
            h2 { "Left out " span.count { (size(table.bytes)) } }
            p.quiet {
                "Files of the builder's root that are not in the image, and the option that adds them. --package leaves \
                 out documentation, manuals, translations and headers; --include adds exactly what it names."
            }
            @let rules = {
                let mut rules: Vec<_> = table.rules.iter().collect();
                rules.sort_by_key(|(_, _, bytes)| std::cmp::Reverse(*bytes));
                rules
            };
            ul.rules {
                @for (rule, files, bytes) in rules {
                    li { b { (size(*bytes)) } " " (safe(rule)) " " span.quiet { (plural(*files, "file")) } }
                }
            }
            div.scroll tabindex="0" { table {
                thead { tr { th { "Package or directory" } th.number { "Bytes" } th {} th.number { "Files" } th { "Option that adds it" } } }
                tbody {
                    @for row in &table.rows {
                        tr title=(safe(&table.rules[row.rule].0)) {
                            th scope="row" { bdi { (safe(&row.what)) } }
                            td.number { (size(row.bytes)) }
                            td { (bar(row.bytes, table.rows[0].bytes)) }
                            td.number { (count(row.files)) }
                            td { @match &row.option { Some(option) => code.copy { (option) }, None => span.quiet { "its name cannot be pasted safely" } } }
                        }
                    }
                    @if table.rest.0 > 0 {
                        tr {
                            th scope="row" { "… " (plural(table.rest.0, "smaller one")) }
                            td.number { (size(table.rest.2)) } td {} td.number { (count(table.rest.1)) }
                            td { code { "slimroot plan --all" } " lists all" }
                        }
                    }
                }
            } }
        }
    }
}

fn packages(sheet: &Sheet) -> Markup {
    let mut all: Vec<_> = sheet.packages.iter().filter(|package| package.files > 0).collect();
    all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.id.cmp(&b.id)));
    let largest = all.first().map_or(0, |package| package.bytes);
    html! {
        section #packages {
            h2 { "Packages " span.count { (count(all.len())) } }
            div.scroll tabindex="0" { table {
                thead { tr { th { "Package" } th { "Version" } th.number { "Bytes" } th {} th.number { "Files" } th { "Licence" } } }
                tbody {
                    @for package in all {
                        tr {
                            th scope="row" { a href={ "#package=" (safe(&package.id)) } { bdi { (safe(&package.id)) } } }
                            td { bdi { (safe(&package.about.version)) } }
                            td.number { (size(package.bytes)) }
                            td { (bar(package.bytes, largest)) }
                            td.number { (count(package.files)) }
                            td.quiet { (safe(package.about.licence.as_deref().unwrap_or_default())) }
                        }
                    }
                }
            } }
        }
    }
}

/// A digest, shortened as engines show it.
fn short(digest: &str) -> &str {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    hex.get(..12).unwrap_or(hex)
}

/// Titles and commands of layers, for a page.
pub(super) fn described(layers: &[crate::image_reader::LayerOf]) -> Vec<(String, String)> {
    let title = |layer: &crate::image_reader::LayerOf| match &layer.digest {
        Some(digest) => format!("{}, {} stored", short(digest), size(layer.size)),
        None => format!("{} stored", size(layer.size)),
    };
    layers.iter().map(|layer| (title(layer), layer.made_by.clone())).collect()
}

fn layers(sheet: &Sheet) -> Markup {
    let mut sums: Vec<(usize, u64)> = vec![(0, 0); sheet.layers.len()];
    for row in sheet.rows.iter().filter(|row| row.is_there) {
        let at = usize::try_from(row.record.layer).unwrap_or_default();
        if sums.len() <= at {
            sums.resize(at + 1, (0, 0));
        }
        sums[at] = (sums[at].0 + usize::from(row.record.is_file()), sums[at].1 + row.record.size);
    }
    let largest = sums.iter().map(|sum| sum.1).max().unwrap_or_default();
    let described = |at: usize| sheet.layers.get(at).map_or(("", ""), |(title, made_by)| (title, made_by));
    let is_told = sheet.layers.iter().any(|(_, made_by)| !made_by.is_empty());
    html! {
        @if sums.len() > 1 || !sheet.layers.is_empty() {
            section #layers {
                h2 { "Layers " span.count { (count(sums.len())) } }
                p.quiet { "Bytes of a layer that are visible in the image: files that a higher layer replaces or \
                           removes do not count." }
                div.scroll tabindex="0" { table {
                    thead { tr { th { "Layer" } th.number { "Bytes" } th {} th.number { "Files" } @if is_told { th { "Made by" } } } }
                    tbody {
                        @for (at, (files, bytes)) in sums.iter().enumerate() {
                            tr {
                                th scope="row" { (at) span.quiet { " " (safe(described(at).0)) } }
                                td.number { (size(*bytes)) }
                                td { (bar(*bytes, largest)) }
                                td.number { (count(*files)) }
                                @if is_told { td.maker { bdi { (safe(described(at).1)) } } }
                            }
                        }
                    }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn digits_are_grouped() {
        let shown: Vec<_> = [0, 999, 1_000, 1_234_567].into_iter().map(count).collect();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
