//! VEX: which vulnerabilities of a builder's components an image does not have, because the vulnerable files are not in
//! it. Every statement is proven by file lists.

mod certificates;
mod given;
mod reports;
mod write;

use std::collections::BTreeSet;

pub use given::Given;
pub use reports::{Name, Reported, parse_reports, reports};
pub use write::{VexAbout, VexFormat, write};

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;
use crate::sbom::{Component, Inventory, is_document};

/// dpkg's list of files that packages have moved aside (dpkg-divert(1)): lines of from, to and package.
const DIVERSIONS: &str = "/var/lib/dpkg/diversions";
const MAX_DIVERSIONS: usize = 4 << 20;

/// The reason why a vulnerability does not affect an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// No file of the component is in the image.
    ComponentAbsent,
    /// The files that the user named as those with the vulnerable code are not in the image.
    CodeAbsent,
}

/// A statement about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The name of the vulnerability.
    pub vulnerability: String,
    /// The package URL of the component, as reported, or else from the builder's inventory.
    pub component: String,
    /// The reason why it does not affect the image.
    pub because: Because,
    /// The evidence, as a sentence.
    pub proof: String,
}

/// Statements about the vulnerabilities of a report.
#[derive(Clone, Debug, Default)]
pub struct Vex {
    /// Statements that slimroot can prove, sorted, each once.
    pub stated: Vec<Stated>,
    /// Reports without a statement, with the reason.
    pub open: Vec<(Reported, &'static str)>,
    /// Number of files of the image that the builder does not have.
    pub foreign: usize,
}

/// Compares an image with its builder.
///
/// # Errors
/// `bad-argument` if the image has no file of the builder, or if a file in a report does not belong to the component;
/// `unreadable`.
pub fn vex(builder: (&Root, &Inventory), image: (&Root, &Inventory), reports: &[Reported]) -> Result<Vex, Error> {
    let copied = certificates::copied(builder, image)?;
    let ((root, builder), image) = (builder, image.1);
    let seen = Seen::of(image, copied);
    let known: BTreeSet<&str> = builder.files.values().map(|hashes| hashes.sha256.as_str()).collect();
    let is_own = |(path, hashes): &(&RootPath, &crate::sbom::Hashes)| {
        known.contains(hashes.sha256.as_str()) || builder.files.contains_key(*path)
    };
    let common = image.files.iter().filter(is_own).count();
    if common == 0 {
        return Err(Error::new(
            "bad-argument",
            "no file of the image is in the builder, so the builder proves nothing about it",
        )
        .help("give --builder the root from which the image was packed"));
    }
    let diversions = diversions(root)?;
    let mut found = Vex { foreign: image.files.len() - common, ..Vex::default() };
    for report in reports {
        match judged(report, builder, &seen, &diversions)? {
            Ok(stated) => found.stated.extend(stated),
            Err(why) => found.open.push((report.clone(), why)),
        }
    }
    let key = |one: &Stated| (one.vulnerability.clone(), one.component.clone());
    found.stated.sort_by_key(key);
    found.stated.dedup_by_key(|one| key(one));
    Ok(found)
}

/// Paths, contents and components of an image.
struct Seen<'a> {
    image: &'a Inventory,
    contents: BTreeSet<&'a str>,
    names: BTreeSet<String>,
    /// Files of the builder with certificates that are in a file of the image.
    copied: BTreeSet<RootPath>,
}

impl<'a> Seen<'a> {
    fn of(image: &'a Inventory, copied: BTreeSet<RootPath>) -> Self {
        let contents = image.files.values().map(|hashes| hashes.sha256.as_str()).collect();
        let names = image.components.iter().filter_map(|one| Name::of_purl(&one.purl)).map(Name::without_version);
        Self { image, contents, names: names.collect(), copied }
    }

    /// True if a file of the builder is in the image, by path, by content, by a certificate in it, or as the bytecode of a
    /// Python source.
    fn has(&self, path: &RootPath, builder: &Inventory) -> bool {
        self.image.files.contains_key(path)
            || self.copied.contains(path)
            || builder.files.get(path).is_some_and(|hashes| self.contents.contains(hashes.sha256.as_str()))
            || bytecode(path).is_some_and(|(dir, stem)| {
                let mut below = self.image.files.range(dir.clone()..).take_while(|(file, _)| file.is_within(&dir));
                below.any(|(file, _)| file.name().starts_with(&stem))
            })
    }
}

/// The directory of the bytecode of a Python source, and the prefix of its name (PEP 3147).
fn bytecode(path: &RootPath) -> Option<(RootPath, Vec<u8>)> {
    let stem = path.name().strip_suffix(b".py")?;
    Some((path.parent()?.join(b"__pycache__"), [stem, b"."].concat()))
}

/// The statements of a report, or why there are none.
fn judged(
    report: &Reported,
    builder: &Inventory,
    seen: &Seen<'_>,
    diversions: &[(RootPath, RootPath)],
) -> Result<Result<Vec<Stated>, &'static str>, Error> {
    let components: Vec<&Component> = builder.components.iter().filter(|one| report.name.is(one)).collect();
    if components.is_empty() {
        return Ok(Err("the builder has no such component"));
    }
    let mut found = Vec::new();
    for component in components {
        let absent = is_absent(component, builder, seen, diversions);
        let (because, proof) = match absent {
            Ok(count) => {
                let proof = format!(
                    "None of the {count} files of the component in the builder is in the image, by path or by content."
                );
                (Because::ComponentAbsent, proof)
            }
            Err(why) if report.files.is_empty() => return Ok(Err(why)),
            Err(_) => {
                refuse_others(report, component, builder)?;
                if report.files.iter().any(|path| seen.has(path, builder)) {
                    return Ok(Err("a file with the vulnerable code is in the image"));
                }
                let names: Vec<String> = report.files.iter().map(ToString::to_string).collect();
                let proof = format!(
                    "The files with the vulnerable code are not in the image, by path or by content: {}.",
                    names.join(", ")
                );
                (Because::CodeAbsent, proof)
            }
        };
        let named = report.name.purl().unwrap_or(&component.purl).to_owned();
        found.push(Stated { vulnerability: report.vulnerability.clone(), component: named, because, proof });
    }
    Ok(Ok(found))
}

/// The number of a component's files, if none of them is in the image; otherwise the reason why there is no statement.
/// Empty files and documentation are ignored.
fn is_absent(
    component: &Component,
    builder: &Inventory,
    seen: &Seen<'_>,
    diversions: &[(RootPath, RootPath)],
) -> Result<usize, &'static str> {
    if !component.has_all_files {
        return Err("the metadata of the component do not list all its files");
    }
    if Name::of_purl(&component.purl).is_none_or(|name| seen.names.contains(&name.without_version())) {
        return Err("the image has the component, or another version of it");
    }
    let empty = crate::digest::Digest::of(b"").hex();
    let is_code =
        |path: &&RootPath| !is_document(path) && builder.files.get(*path).is_some_and(|hashes| hashes.sha256 != empty);
    let moved = diversions.iter().filter(|(from, _)| component.files.contains(from)).map(|(_, to)| to);
    let files: Vec<&RootPath> = component.files.iter().filter(is_code).chain(moved).collect();
    if files.is_empty() {
        return Err("the component has no files in the builder");
    }
    match files.iter().any(|path| seen.has(path, builder)) {
        true => Err("the image has files of the component"),
        false => Ok(files.len()),
    }
}

/// Refuses files that are not those of the component.
fn refuse_others(report: &Reported, component: &Component, builder: &Inventory) -> Result<(), Error> {
    let is_other = |path: &&RootPath| {
        !builder.files.contains_key(path) || component.has_all_files && !component.files.contains(path)
    };
    match report.files.iter().find(is_other) {
        Some(path) => {
            let says = format!("{}: {path} is not a file of {} in the builder", report.vulnerability, component.name);
            Err(Error::new("bad-argument", says).help("name regular files by their real paths, not symlinks"))
        }
        None => Ok(()),
    }
}

/// Files of packages that are at other paths than in the package.
fn diversions(root: &Root) -> Result<Vec<(RootPath, RootPath)>, Error> {
    let Some((_, text)) = root.read_followed(DIVERSIONS.as_bytes(), MAX_DIVERSIONS)? else { return Ok(Vec::new()) };
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let pair = |rows: &[&[u8]]| Some((RootPath::new(rows[0])?, RootPath::new(rows[1])?));
    Ok(lines.chunks_exact(3).filter_map(pair).collect())
}
