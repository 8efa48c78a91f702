//! The commands. Each turns options into library calls and returns a value; only `cli::render` prints.

pub(crate) mod access;
pub(crate) mod build;
mod buildkit;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod contents;
pub(crate) mod deps;
pub(crate) mod diff;
pub(crate) mod dockerfile;
pub(crate) mod explain;
mod fence;
pub(crate) mod index;
mod inherit;
pub(crate) mod outdated;
pub(crate) mod plan;
mod platforms;
pub(crate) mod profiles;
mod proven;
#[cfg(feature = "page")]
pub(crate) mod report;
pub(crate) mod run_options;
pub(crate) mod sbom;
pub(crate) mod slim;
pub(crate) mod trace;
pub(crate) mod verify;
pub(crate) mod vex;
pub(crate) mod why;

use std::collections::BTreeMap;

use crate::check::Ranking;
use crate::cli::RankOptions;
use crate::error::Error;
use crate::finding::Level;

/// Splits `K=V`.
fn pair(option: &str, text: &str) -> Result<(String, String), Error> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Error::new("bad-argument", format!("{option} {text} is not of the form NAME=VALUE"))),
    }
}

fn pairs(option: &str, texts: &[String]) -> Result<BTreeMap<String, String>, Error> {
    texts.iter().map(|text| pair(option, text)).collect()
}

fn rankings(options: &RankOptions) -> Result<Vec<Ranking>, Error> {
    let mut found = Vec::new();
    for (texts, level) in
        [(&options.deny, Some(Level::Error)), (&options.warn, Some(Level::Warning)), (&options.allow, None)]
    {
        for text in texts {
            found.push(Ranking::parse(text, level)?);
        }
    }
    Ok(found)
}

/// A size such as `500`, `60MB` or `1.5 GiB`, in bytes.
fn bytes(option: &str, text: &str) -> Result<u64, Error> {
    const UNITS: [(&str, u64); 8] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.trim_end().strip_suffix(name)?.trim_end(), *unit)))
        .unwrap_or((text.trim_end(), 1));
    let bad = || {
        Error::new("bad-argument", format!("{option} {text} is not a size"))
            .help("use a size such as 60MB, 1.5GiB or 500000")
    };
    let (whole, tenths) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 12 || tenths.len() > 6 || number.ends_with('.') {
        return Err(bad());
    }
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().unwrap_or(0));
    let (Some(whole), Some(part)) = (digits(whole), digits(tenths)) else { return Err(bad()) };
    let scale = 10_u64.pow(u32::try_from(tenths.len()).unwrap_or(0));
    whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(part * unit / scale)).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in
            [("500", 500), ("60MB", 60_000_000), ("1.5 GiB", 1_610_612_736), ("2kB", 2000), ("7B", 7)]
        {
            assert_eq!(bytes("--budget", text).ok(), Some(expected), "{text}");
        }
        for text in ["", "MB", "-1MB", "1.MB", "1e3", "9999999999999GB", "1.5.5MB", "5%", "+1"] {
            assert!(bytes("--budget", text).is_err(), "{text}");
        }
    }
}
