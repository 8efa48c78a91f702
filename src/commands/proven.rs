//! `build --verify`: packs into a temporary directory, runs the program there and in the builder root, and with `--fix`
//! adds missing files until none is missing. Only then is the output written.

use std::collections::BTreeSet;
use std::path::Path;

use super::verify;
use crate::cleanup::Guarded;
use crate::error::Error;
use crate::pack::{PackRequest, Packed, Watch, pack_watched};
use crate::proof::{Experiment, Kind, Place, Proof, Verdict, end, prove, read_suite};
use crate::registry::Access;

/// Maximum number of times that a program is packed and run. Each round adds files, or is the last.
const MAX_ROUNDS: usize = 12;

/// Paths and programs that runs lacked, as options of `build`.
#[derive(Default)]
struct Added {
    include: BTreeSet<String>,
    bins: BTreeSet<String>,
}

impl Added {
    /// Adds files that a run lacked; false if there are no new ones. A directory adds all of its contents, so it is
    /// added only if nothing else is missing.
    fn extend(&mut self, proofs: &[Proof]) -> bool {
        let before = self.len();
        let failed = || proofs.iter().filter(|proof| proof.verdict == Verdict::Missed);
        let of_kind = |is_dir: bool| {
            let missed = failed().flat_map(|proof| &proof.missed);
            missed.filter(move |one| one.kind != Kind::Cache && (one.kind == Kind::Directory) == is_dir)
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
        if self.len() == before {
            // Accounts, and finally names that are missing in listings.
            let unknown = failed().flat_map(|proof| &proof.observed).filter(|one| one.code == "user-unknown");
            let files = unknown.flat_map(|one| &one.help).filter_map(|help| help.strip_prefix("--include "));
            self.include.extend(files.map(escaped));
            let listed = failed().flat_map(|proof| &proof.listings);
            for listing in listed.filter(|one| one.count == one.absent.len() && !is_of_commands(&one.path)) {
                self.include.extend(listing.absent.iter().map(|name| escaped(&format!("{}/{name}", listing.path))));
            }
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

/// True for directories of commands, where missing names are only other programs.
fn is_of_commands(dir: &str) -> bool {
    dir == "/" || crate::world::tables::system().commands.iter().any(|known| known == dir)
}

/// A path as a pattern that matches only itself.
fn escaped(path: &str) -> String {
    path.chars().map(|c| if "[]*?".contains(c) { format!("[{c}]") } else { c.to_string() }).collect()
}

/// Packs a request, and writes it only if the run proves it.
pub(super) fn run(
    request: &PackRequest,
    options: &verify::TrialOptions,
    file: Option<&Path>,
    is_fixed: bool,
    watch: &Watch<'_>,
) -> Result<Packed, Error> {
    let unwritable = |error| Error::unwritable(&"the temporary directory", error);
    let folder = Guarded::new().map_err(unwritable)?;
    let builder = verify::open(&request.root, &request.access, request.platform.as_ref(), watch)?.0;
    let mut added = Added::default();
    for round in 1.. {
        let place = folder.path().join(round.to_string());
        let (packed, proofs) = attempt(&added.to(request), &place, &builder, (options, file), watch)?;
        let Some(proofs) = proofs else { return Ok(packed) };
        if is_fixed && round < MAX_ROUNDS && added.extend(&proofs) {
            continue;
        }
        if proofs.iter().any(|proof| proof.verdict != Verdict::Proven) {
            return Ok(refused(packed, &proofs, &added));
        }
        let mut packed = pack_watched(&added.to(request), watch)?;
        for proof in &proofs {
            let name = if proof.name.is_empty() { "it" } else { &proof.name };
            packed.notes.push(format!("verified: {name} {} in the image as in the builder root", end(&proof.packed)));
        }
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
    (options, file): (&verify::TrialOptions, Option<&Path>),
    watch: &Watch<'_>,
) -> Result<(Packed, Option<Vec<Proof>>), Error> {
    let image = format!("oci:{}", place.display());
    let trial = PackRequest {
        outputs: vec![image.clone()],
        compression: Some("none".to_owned()),
        dry_run: false,
        documents: Default::default(),
        ..request.clone()
    };
    let packed = pack_watched(&trial, watch)?;
    crate::cleanup::placing_failed();
    if !packed.is_whole() {
        return Ok((packed, None));
    }
    let (root, config) = verify::open(Path::new(&image), &Access::default(), None, watch)?;
    let _ = std::fs::remove_dir_all(place);
    let config = config.unwrap_or_default();
    let experiment: Experiment = verify::of_image(options.experiment(config.line())?, config);
    let runs = match file {
        Some(file) => read_suite(file, &experiment)?,
        None => vec![experiment],
    };
    let proofs = runs.iter().map(|run| prove(&root, Some(builder), run, watch.stop)).collect::<Result<_, _>>()?;
    Ok((packed, Some(proofs)))
}

/// The report of an image that is not written.
fn refused(mut packed: Packed, proofs: &[Proof], added: &Added) -> Packed {
    packed.outputs.clear();
    packed.notes.extend(added.lines());
    for proof in proofs.iter().filter(|proof| proof.verdict != Verdict::Proven) {
        packed.findings.extend(proof.findings());
    }
    packed
}
