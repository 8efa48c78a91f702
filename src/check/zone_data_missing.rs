//! The image has no data for the time zone in TZ.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::RootPath;

pub(super) const CHECK: Check = Check {
    code: "zone-data-missing",
    scope: Scope::Image,
    text: "The image sets TZ to the name of a time zone, but has no data for it. Nothing fails: C libraries silently \
           use UTC, so every local time is wrong. Install tzdata in the builder stage, or set TZ to a POSIX rule \
           (TZ=CET-1CEST,M3.5.0,M10.5.0/3).",
    find,
};

/// The default directory of zone data (tzset(3)).
const ZONES: &str = "/usr/share/zoneinfo";

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let Some(value) = evidence.run.env.get("TZ") else { return Ok(Vec::new()) };
    let name = value.strip_prefix(':').unwrap_or(value);
    // A POSIX rule is a name, in letters or angle brackets, followed by an offset (POSIX, "TZ").
    let after = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let is_rule = name.starts_with('<')
        || after.len() + 3 <= name.len() && after.starts_with(['+', '-'])
        || after.starts_with(|c: char| c.is_ascii_digit());
    if name.is_empty() || is_rule || matches!(name, "UTC" | "GMT" | "UCT" | "Universal" | "Zulu") {
        return Ok(Vec::new());
    }
    let dir = evidence.run.env.get("TZDIR").map_or(ZONES, String::as_str);
    let path = if name.starts_with('/') { name.to_owned() } else { format!("{dir}/{name}") };
    let is_there = RootPath::new(&path).is_some() && evidence.image.follow(path.as_bytes())?.file().is_some();
    if is_there {
        return Ok(Vec::new());
    }
    let says = format!("TZ is {value}, but the image has no {path}: local times will silently be UTC");
    let help = evidence.install("tzdata")?.unwrap_or_else(|| "install tzdata in the builder stage".to_owned());
    let finding = Finding::new(CHECK.code, Level::Warning, value.clone(), says);
    Ok(vec![finding.help(format!("{help}, and build the image again with --profile tzdata"))])
}
