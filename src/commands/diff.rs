//! `slimroot diff`: compares two images made by any tool.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::access::ImageAccess;
use crate::error::Error;
use crate::image_reader::Reference;
use crate::ledger::{Diff, Growth, Snapshot};
use crate::pack::{Watch, run_of};

/// Format of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// Text for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// Markdown for a comment on a pull request: a few lines, with the rest folded.
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The first image: a plan, a lock, a directory, or an image such as oci:DIR[:TAG], docker-archive:FILE[:REF] or
    /// NAME:TAG.
    pub(crate) before: String,
    /// The second image, which may be of another kind.
    pub(crate) after: String,
    #[command(flatten)]
    access: ImageAccess,
    /// Exits with 5 if the second image is larger than the first by more than this: 5% or 2MB.
    #[arg(long, value_name = "PERCENT|SIZE")]
    fail_if_grows: Option<String>,
    /// Exits with 5 if the files of the second image are larger than this together, such as 60MB.
    #[arg(long, value_name = "SIZE")]
    budget: Option<String>,
    /// Lists every difference, however many there are. JSON always has all.
    #[arg(long)]
    pub(crate) all: bool,
    /// Writes a page that shows both images and what differs: one HTML file that needs no network. An older file is
    /// replaced.
    #[cfg(feature = "page")]
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DiffFormat,
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Diff, Error> {
    let growth = options.fail_if_grows.as_deref().map(growth).transpose()?;
    let budget = options.budget.as_deref().map(|text| super::bytes("--budget", text)).transpose()?;
    let names = [&options.before, &options.after];
    if !names.iter().any(|name| is_remote(name)) {
        #[cfg(feature = "page")]
        let writes = options.report.as_slice();
        #[cfg(not(feature = "page"))]
        let writes = &[];
        super::fence::raise_for(&names.map(|name| place(name)), writes);
    }
    let before = snapshot(&options.before, &options.access, watch)?;
    let after = snapshot(&options.after, &options.access, watch)?;
    let mut diff = Diff::of((&options.before, &before), (&options.after, &after))?;
    diff.limit(growth, budget);
    #[cfg(feature = "page")]
    if let Some(to) = &options.report {
        super::report::write_to(to, &crate::page::Sheet::of_diff(diff.clone(), &before, &after))?;
    }
    Ok(diff)
}

/// The file or directory for a name.
pub(super) fn place(name: &str) -> PathBuf {
    Reference::parse(name).map_or_else(|| PathBuf::from(name), |reference| reference.path().to_path_buf())
}

/// True if a name can only be a plan or a lock.
pub(super) fn is_plan(name: &str) -> bool {
    Reference::parse(name).is_none() && !Path::new(name).is_dir()
}

/// True if a name is an image in a registry.
pub(super) fn is_remote(name: &str) -> bool {
    Reference::parse(name).is_some_and(|reference| !matches!(reference.address(), Ok(None)))
}

/// Returns the contents of an image, a directory, or a plan.
pub(super) fn snapshot(name: &str, access: &ImageAccess, watch: &Watch<'_>) -> Result<Snapshot, Error> {
    if is_plan(name) {
        return Snapshot::read(Path::new(name));
    }
    let input = access.open(name, watch)?;
    let run = input.image.as_ref().map(run_of);
    Snapshot::of_tree(input.root, run)
}

/// `5%` or a size.
fn growth(text: &str) -> Result<Growth, Error> {
    let Some(percent) = text.strip_suffix('%') else {
        return super::bytes("--fail-if-grows", text).map(Growth::Bytes);
    };
    let bad = || {
        Error::new("bad-argument", format!("--fail-if-grows {text} is neither a percentage nor a size"))
            .help("use for example 5%, 0.5% or 2MB")
    };
    let (whole, part) = percent.split_once('.').unwrap_or((percent, "0"));
    let is_number = |text: &str| !text.is_empty() && text.len() <= 6 && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 2 {
        return Err(bad());
    }
    let hundredths = format!("{part:0<2}").parse::<u64>().map_err(|_| bad())?;
    Ok(Growth::Hundredths(whole.parse::<u64>().map_err(|_| bad())? * 100 + hundredths))
}

#[cfg(test)]
mod tests {
    use super::{Growth, growth};

    #[test]
    fn growth_is_a_percentage_or_a_size() {
        for (text, expected) in [
            ("5%", Growth::Hundredths(500)),
            ("0.5%", Growth::Hundredths(50)),
            ("0.05%", Growth::Hundredths(5)),
            ("2MB", Growth::Bytes(2_000_000)),
        ] {
            assert_eq!(growth(text).ok(), Some(expected), "{text}");
        }
        for text in ["%", "-1%", "1.%", "1.234%", "x", "1e2%"] {
            assert!(growth(text).is_err(), "{text}");
        }
    }
}
