//! The SBOM generator protocol of BuildKit (moby/buildkit, docs/attestations/sbom-protocol.md): targets by environment
//! variables, and a statement with SPDX for each.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::attest::predicate_type;
use crate::error::Error;
use crate::image::statement;
use crate::output::Document;
use crate::pack::epoch;
use crate::root::Root;
use crate::sbom::{Format, Inventory, write};

/// The variables of the protocol.
const SOURCE: &str = "BUILDKIT_SCAN_SOURCE";
const EXTRAS: &str = "BUILDKIT_SCAN_SOURCE_EXTRAS";
const DESTINATION: &str = "BUILDKIT_SCAN_DESTINATION";

/// Writes an inventory of each target. BuildKit adds the subject, which only BuildKit knows.
///
/// # Errors
/// `bad-argument` without the variables, and those of reading and writing.
pub(super) fn run() -> Result<(), Error> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let needed = |name: &str| {
        given(name).ok_or_else(|| {
            Error::new("bad-argument", format!("--buildkit: the variable {name} is not set"))
                .help("BuildKit sets it when it runs a generator: docker buildx build --sbom=generator=IMAGE")
        })
    };
    let (source, destination) = (needed(SOURCE)?, needed(DESTINATION)?);
    let mut targets = vec![source];
    // "If the variable is not set, is empty, or contains a directory that does not exist, then no extras".
    if let Some(extras) = given(EXTRAS).filter(|extras| extras.is_dir()) {
        let unreadable = |error| Error::unreadable(&extras.display(), error);
        let mut more = Vec::new();
        for entry in std::fs::read_dir(&extras).map_err(unreadable)? {
            more.push(entry.map_err(unreadable)?.path());
        }
        more.sort();
        targets.extend(more.into_iter().filter(|path| path.is_dir()));
    }
    let files: Vec<PathBuf> = targets.iter().map(|target| place(&destination, target)).collect();
    super::fence::raise_for(&targets, &files);
    for (target, to) in targets.iter().zip(&files) {
        one(target, to)?;
    }
    Ok(())
}

fn place(destination: &Path, target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(Format::Spdx.ending());
    destination.join(name)
}

fn one(target: &Path, to: &Path) -> Result<(), Error> {
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let inventory = Inventory::of_tree(&name, epoch()?, &Root::open(target)?)?;
    let mut text = Vec::new();
    write(Format::Spdx, &inventory, &mut text, &to.display())?;
    let made = statement(predicate_type(Format::Spdx), None, &text);
    let unwritable = |error| Error::unwritable(&to.display(), error);
    Document::write(to, &mut |out: &mut dyn Write| out.write_all(&made).map_err(unwritable))?.place()
}
