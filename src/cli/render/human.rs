//! Results as text for people.

use super::style;
use crate::commands::check::Checked;
use crate::commands::why::Why;
use crate::digest::Digest;
use crate::engine::WORDS;
use crate::error::{Error, Kind};
use crate::finding::{Finding, Level};
use crate::layer::CacheUse;
use crate::ledger::Outdated;
use crate::output::WrittenIndex;
use crate::pack::{Group, Packed, Resent};
use crate::registry::{Address, PREFIX};
pub(super) use crate::text::size;

use super::text::Text;

/// Groups smaller than this fraction of the total (one in this many) are combined.
const SMALL: u64 = 100;
/// Maximum number of note-level findings listed per code; the rest are only counted.
const MAX_NOTES: usize = 5;

pub(super) fn error(error: &Error) -> Text {
    let mut out = Text::default();
    let says = format!("error[{}]: {error}", error.code);
    // Errors in the user's own files include several lines of context.
    match crate::error::kind_of(error) {
        Kind::BadProfile | Kind::Policy => out.lines(&says),
        _ => out.line(says),
    }
    let page = format!("slimroot explain {}", error.code);
    out.line(format!("  help       {}", error.help.as_deref().unwrap_or(&page)));
    out
}

pub(super) fn findings(findings: &[Finding]) -> Text {
    let mut out = Text::default();
    let mut shown = std::collections::BTreeMap::<&str, usize>::new();
    for finding in findings {
        let count = shown.entry(finding.code).or_default();
        *count += 1;
        let is_quiet = finding.level == Level::Note && style::get().is_quiet;
        if !is_quiet && (finding.level != Level::Note || *count <= MAX_NOTES || style::get().is_verbose) {
            out.add(&self::finding(finding));
        }
    }
    for (code, count) in shown {
        let is_note = |finding: &&Finding| finding.code == code && finding.level == Level::Note;
        let is_short = !style::get().is_verbose && !style::get().is_quiet;
        if is_short && count > MAX_NOTES && findings.iter().any(|finding| is_note(&finding)) {
            out.line(format!("note[{code}]: {} more; -v lists all", count - MAX_NOTES));
        }
    }
    out
}

fn finding(finding: &Finding) -> Text {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let mut out = Text::default();
    out.line(format!("{level}[{}]: {}", finding.code, finding.says));
    let mut row = |word: &str, text: &str| {
        out.line(format!("  {word:<10} {text}"));
    };
    if style::get().is_verbose && !finding.rest.is_empty() {
        row("also", &finding.rest.join(", "));
    }
    if let Some(wanted_by) = &finding.wanted_by {
        row("needed by", wanted_by);
    }
    for (number, reason) in finding.because.iter().enumerate() {
        row(if number == 0 { "because" } else { "" }, reason);
    }
    for (number, step) in finding.searched.iter().enumerate() {
        let place = if step.candidate.is_empty() { String::new() } else { format!("{}  ", step.candidate) };
        row(
            if number == 0 { "searched" } else { "" },
            &format!("{:>2} {:<16} {place}{}", number + 1, step.source, step.outcome),
        );
    }
    if let Some(why) = &finding.ranked {
        row("ranked", why);
    }
    for (number, help) in finding.help.iter().enumerate() {
        row(if number == 0 { "help" } else { "" }, help);
    }
    out
}

pub(super) fn packed(packed: &Packed) -> Text {
    let mut out = Text::default();
    let mut row = |word: &str, text: &str| {
        out.line(format!("{word:<10} {text}"));
    };
    let did = match (packed.is_whole(), packed.dry_run) {
        (false, _) => "not packed",
        (true, true) => "would pack",
        (true, false) => "packed",
    };
    let line: Vec<String> = packed.entry.iter().chain(&packed.command).cloned().collect();
    row(did, &super::page::command(&line));
    if !packed.command.is_empty() {
        row(
            "arguments",
            &format!(
                "{} (default arguments; docker run IMAGE ARGUMENTS replaces them)",
                super::page::command(&packed.command)
            ),
        );
    }
    let links = plural(packed.links, "link");
    let directories = if packed.directories == 1 { "directory" } else { "directories" };
    let files = plural(packed.files, "file");
    row("contains", &format!("{files}, {links}, {} {directories}: {}", packed.directories, size(packed.bytes)));
    if let Some(root) = packed.root_bytes.filter(|root| *root > 0) {
        let left = root.saturating_sub(packed.bytes);
        let tenths = (u128::from(left) * 1000 / u128::from(root)) as u64;
        row("removed", &format!("{} of {} ({}.{} %)", size(left), size(root), tenths / 10, tenths % 10));
    }
    row("runs as", &format!("{} on linux/{}", packed.user, packed.architecture));
    if !packed.inherited.is_empty() {
        let names: Vec<&str> = packed.inherited.iter().filter_map(|one| one.split('=').next()).collect();
        row("inherits", &format!("{} of this process (turn off with --no-inherit)", names.join(", ")));
    }
    let is_verbose = style::get().is_verbose;
    let (large, small): (Vec<&Group>, Vec<&Group>) =
        packed.groups.iter().partition(|group| is_verbose || group.bytes.saturating_mul(SMALL) >= packed.bytes);
    let sum = |value: fn(&Group) -> u64| small.iter().map(|group| value(group)).sum::<u64>();
    let rest = (sum(|group| group.bytes), sum(|group| group.files as u64), format!("{} smaller groups", small.len()));
    let groups = large.iter().map(|group| (group.bytes, group.files as u64, group.reason.clone()));
    for (number, (bytes, files, reason)) in groups.chain((!small.is_empty()).then_some(rest)).enumerate() {
        let word = if number == 0 { "contents" } else { "" };
        row(word, &format!("{:>10}  {files:>6}  {reason}", size(bytes)));
    }
    if !packed.programs.is_empty() {
        row("programs", &packed.programs.join(", "));
    }
    if is_verbose {
        for applied in &packed.automatic {
            let added = match applied.files {
                0 => "adds nothing".to_owned(),
                files => format!("{}, {}", plural(files, "file"), size(applied.bytes)),
            };
            let off = format!("turn off with --no-profile {}", applied.profile);
            row("auto", &format!("{}: {} ({added}; {off})", applied.profile, applied.because));
        }
    } else if !packed.automatic.is_empty() {
        let names: Vec<&str> =
            packed.automatic.iter().filter(|one| one.files > 0).map(|one| one.profile.as_str()).collect();
        if !names.is_empty() {
            row("profiles", &format!("{} (-v says why; --no-profile NAME turns one off)", names.join(", ")));
        }
    }
    // Last in its line: at 80 columns it has a line of its own.
    let digest = |digest: &dyn std::fmt::Display| if is_verbose { format!("  {digest}") } else { String::new() };
    for written in &packed.outputs {
        row("wrote", &written.destination);
        if let Some(layer) = &written.layer {
            let packed = match layer.codec.name() {
                "none" => "not compressed".to_owned(),
                codec => format!("{codec}, {} as tar", size(layer.tar_size)),
            };
            row("", &format!("layer    {} {packed}{}", size(layer.size), digest(&layer.digest)));
        }
        for layer in &written.layers {
            row("", &format!("layer    {:>10}  {}{}", size(layer.size), layer.title, digest(&layer.digest)));
        }
        if let Some(manifest) = &written.manifest {
            row("", &format!("manifest {manifest}"));
        }
        for referrer in &written.referrers {
            row("", &format!("referrer {referrer}"));
        }
    }
    for image in &packed.platforms {
        row("platform", &format!("{}: {}, {}", image.platform, plural(image.files, "file"), size(image.bytes)));
    }
    for twin in packed.outputs.iter().filter_map(|written| written.twin.as_ref()) {
        row("debug", &format!("{}, with a shell: {} more", twin.name, size(twin.layer.size)));
        row("", &format!("manifest {}", twin.manifest));
    }
    for resent in &packed.since {
        row("sends", &self::resent(resent));
    }
    if let Some(used) = packed.cache.as_ref().filter(|_| is_verbose) {
        row("cache", &self::cache(used));
    }
    // An output without a configuration does not record the entrypoint, so show it as Dockerfile statements.
    let has_no_config = packed.outputs.iter().any(|written| written.config.is_none());
    if has_no_config && packed.platforms.is_empty() {
        for (number, statement) in packed.dockerfile.iter().enumerate() {
            let word = if number == 0 { "Dockerfile" } else { "" };
            out.whole(format!("{word:<10} {statement}"));
        }
    }
    let mut row = |word: &str, text: &str| out.line(format!("{word:<10} {text}"));
    let notes = packed.notes.iter().chain(packed.outputs.iter().flat_map(|written| &written.notes));
    for note in notes {
        row("note", note);
    }
    out
}

/// A line for each package: its name, the version in the image, and that in the root.
pub(super) fn outdated(found: &Outdated) -> Text {
    let mut out = Text::default();
    let width = found.packages.iter().map(|one| one.name.chars().count()).max().unwrap_or_default().min(40);
    for one in &found.packages {
        let root = one.root.as_deref().unwrap_or("(not there)");
        out.line(format!("{:<width$}  {} -> {root}", one.name, one.image));
    }
    out.line(format!("{} packages have another version, {} the same", found.packages.len(), found.same));
    out
}

fn cache(used: &CacheUse) -> String {
    let CacheUse { taken, compressed, refused, not_stored } = used;
    let mut text = format!("{taken} blocks taken, {compressed} compressed");
    if *refused > 0 {
        text += &format!("; damaged and replaced: {refused}");
    }
    if *not_stored > 0 {
        text += &format!("; could not be stored: {not_stored}");
    }
    text
}

fn resent(resent: &Resent) -> String {
    let Resent { image, sent_layers, sent_bytes, kept_layers, kept_bytes, .. } = resent;
    let sent = format!("{} in {}", size(*sent_bytes), plural(*sent_layers, "layer"));
    match resent.is_there {
        true => format!("{sent}; {} in {} are in {image}", size(*kept_bytes), plural(*kept_layers, "layer")),
        false => format!("{sent}; there is no {image} yet"),
    }
}

/// The image references and digests that were written, a line each: NAME:TAG@DIGEST, or the digest alone.
pub(super) fn images(packed: &Packed) -> Text {
    let mut out = Text::default();
    for written in &packed.outputs {
        let Some(digest) = &written.manifest else { continue };
        out.add(&named_digest(&written.destination, digest));
    }
    out
}

/// NAME:TAG@DIGEST, or the digest alone.
pub(super) fn named_digest(destination: &str, digest: &Digest) -> Text {
    let mut out = Text::default();
    let at = |name: &str| format!("{name}@");
    let named = match destination.split_once(':') {
        Some((word, name)) if WORDS.contains(&word) => at(name),
        // The tag is written out, because a registry may have a port.
        _ if destination.starts_with(PREFIX) => {
            Address::parse(destination).map_or(String::new(), |address| at(address.full().trim_start_matches(PREFIX)))
        }
        // TRANSPORT:PLACE[:REFERENCE]
        _ => destination.splitn(3, ':').nth(2).map_or(String::new(), at),
    };
    out.whole(format!("{named}{digest}"));
    out
}

pub(super) fn index(index: &WrittenIndex) -> Text {
    let mut out = Text::default();
    out.line(format!("{:<10} {}", "wrote", index.destination));
    for image in &index.images {
        out.line(format!("{:<10} {:<14} {}", "", image.platform, image.manifest));
    }
    out.line(format!("{:<10} index    {}", "", index.manifest));
    out
}

pub(super) fn checked(checked: &Checked) -> Text {
    let mut out = findings(&checked.findings);
    let count = |level: Level| checked.findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings, notes) = (count(Level::Error), count(Level::Warning), count(Level::Note));
    let objects = plural(checked.objects, "ELF file");
    out.line(match errors + warnings {
        0 => format!("{}: no problems found; checked {objects}", checked.entry),
        _ => format!(
            "{}: {}, {}, {}; checked {objects}",
            checked.entry,
            plural(errors, "error"),
            plural(warnings, "warning"),
            plural(notes, "note")
        ),
    });
    if errors == 0 {
        out.line(
            "check executes nothing: it does not see names that a program computes, or what it reads from networks and \
             databases.",
        );
    }
    out
}

pub(super) fn why(why: &Why) -> Text {
    let mut out = Text::default();
    if !why.packed {
        let cause = if why.in_root { "nothing needs it" } else { "the root does not have it" };
        let places = if why.places.is_empty() { std::slice::from_ref(&why.path) } else { &why.places };
        for path in places {
            out.line(format!("{path} is not in the image: {cause}"));
        }
    }
    for chain in &why.chains {
        out.line(&chain.path);
        for step in &chain.reasons {
            out.line(format!("  {}", step.path));
            out.line(format!("      {} [{}]", step.because, step.rule));
        }
    }
    if why.is_cut {
        out.line(format!("there are more paths with the name {}: give one of them", why.path));
    }
    out
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
