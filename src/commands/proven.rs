//! `build --verify`: packs into a temporary directory, runs the program there and in the builder root, and with `--fix`
//! adds what was missed, until nothing is. Only then is the output written.

use std::collections::BTreeSet;
use std::path::Path;

use super::verify;
use crate::cleanup::Known;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::pack::{PackRequest, Packed, Watch, pack_watched};
use crate::proof::{Experiment, Kind, Place, Proof, Verdict, end, prove};

/// Maximum number of times that a program is packed and run. Each adds something, or is the last.
const MAX_ROUNDS: usize = 12;

/// What runs have missed, as options of `build`.
#[derive(Default)]
struct Added {
    include: BTreeSet<String>,
    bins: BTreeSet<String>,
}

impl Added {
    /// Adds what a run has missed; false if that is nothing new. A directory comes with all that is in it, so it is added
    /// only if nothing else was missed.
    fn extend(&mut self, proof: &Proof) -> bool {
        let before = self.len();
        let of_kind = |is_dir: bool| {
            proof.missed.iter().filter(move |one| one.kind != Kind::Cache && (one.kind == Kind::Directory) == is_dir)
        };
        for missed in of_kind(false) {
            match missed.kind {
                Kind::Program => self.bins.insert(missed.path.clone()),
                _ => self.include.insert(escaped(&missed.path)),
            };
        }
        if self.len() == before {
            self.include.extend(of_kind(true).map(|missed| escaped(&missed.path)));
        }
        self.len() > before
    }

    fn len(&self) -> usize {
        self.include.len() + self.bins.len()
    }

    fn to(&self, request: &PackRequest) -> PackRequest {
        let mut request = request.clone();
        request.include.extend(self.include.iter().cloned());
        request.bins.extend(self.bins.iter().cloned());
        request
    }

    /// Lines for slimroot.toml.
    fn lines(&self) -> Vec<String> {
        let line = |key: &str, values: &BTreeSet<String>| {
            let values: Vec<String> =
                values.iter().map(|value| toml::Value::String(value.clone()).to_string()).collect();
            (!values.is_empty()).then(|| format!("for slimroot.toml: {key} = [{}]", values.join(", ")))
        };
        line("include", &self.include).into_iter().chain(line("bins", &self.bins)).collect()
    }
}

/// A path as a pattern that matches only itself.
fn escaped(path: &str) -> String {
    path.chars().map(|c| if "[]*?".contains(c) { format!("[{c}]") } else { c.to_string() }).collect()
}

/// Packs a request whose program is proven.
pub(super) fn run(
    request: &PackRequest,
    options: &verify::TrialOptions,
    is_fixed: bool,
    watch: &Watch<'_>,
) -> Result<Packed, Error> {
    let unwritable = |error| Error::unwritable(&"the temporary directory", error);
    let folder = tempfile::Builder::new().prefix("slimroot-").tempdir().map_err(unwritable)?;
    let _known = Known::new(folder.path());
    let builder = verify::open(&request.root, watch)?.0;
    let mut added = Added::default();
    for round in 1.. {
        let place = folder.path().join(round.to_string());
        let (packed, proof) = attempt(&added.to(request), &place, &builder, options, watch)?;
        let Some(proof) = proof else { return Ok(packed) };
        if proof.verdict == Verdict::Missed && is_fixed && round < MAX_ROUNDS && added.extend(&proof) {
            continue;
        }
        if proof.verdict != Verdict::Proven {
            return Ok(refused(packed, &proof, &added));
        }
        let mut packed = pack_watched(&added.to(request), watch)?;
        packed.notes.push(format!("verified: it {} in the image as in the builder root", end(&proof.packed)));
        packed.notes.extend(added.lines());
        return Ok(packed);
    }
    Err(Error::new("internal", "the rounds have no end"))
}

/// Packs once, and runs the program of the image; no proof if there are findings at error level.
fn attempt(
    request: &PackRequest,
    place: &Path,
    builder: &Place,
    options: &verify::TrialOptions,
    watch: &Watch<'_>,
) -> Result<(Packed, Option<Proof>), Error> {
    let image = format!("oci:{}", place.display());
    let trial = PackRequest {
        outputs: vec![image.clone()],
        compression: Some("none".to_owned()),
        dry_run: false,
        books: Default::default(),
        ..request.clone()
    };
    let packed = pack_watched(&trial, watch)?;
    crate::cleanup::placing_failed();
    if !packed.is_whole() {
        return Ok((packed, None));
    }
    let (root, config) = verify::open(Path::new(&image), watch)?;
    let _ = std::fs::remove_dir_all(place);
    let config = config.unwrap_or_default();
    let experiment: Experiment = verify::of_image(options.experiment(config.line())?, config);
    let proof = prove(&root, Some(builder), &experiment, watch.stop)?;
    Ok((packed, Some(proof)))
}

/// The report of an image that is not written.
fn refused(mut packed: Packed, proof: &Proof, added: &Added) -> Packed {
    packed.outputs.clear();
    packed.notes.extend(added.lines());
    if proof.verdict == Verdict::FailsInBoth {
        let says = format!("{} {} in the builder root too", proof.line.join(" "), end(&proof.packed));
        let finding = Finding::new("run-fails-in-both", Level::Error, proof.line[0].clone(), says);
        packed.findings.push(finding.help("give conditions under which it works, such as --env, --ready or --for"));
        return packed;
    }
    for says in &proof.differences {
        packed.findings.push(Finding::new("run-differs", Level::Error, proof.line[0].clone(), says.clone()));
    }
    for missed in proof.missed.iter().filter(|missed| missed.kind != Kind::Cache) {
        let level = if missed.kind == Kind::Directory { Level::Note } else { Level::Error };
        let says = format!("{}: {}", missed.path, missed.how);
        let mut finding = Finding::new("run-missed", level, missed.path.clone(), says).help(missed.option.clone());
        finding.wanted_by = missed.askers.first().cloned();
        packed.findings.push(finding);
    }
    packed
}
