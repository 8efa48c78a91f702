//! `--platform all`: packs each image of an index, and combines the results into an index.

use super::index;
use crate::error::Error;
use crate::image_reader::{Platform, ReadOptions, Reference, Stock};
use crate::output::{Destination, Written};
use crate::pack::{PackRequest, Packed, PlatformPacked, Watch, pack_watched};
use crate::path::show;

/// Packs all platforms of the request's root. The report is that of the first, with a row for each.
///
/// # Errors
/// `bad-argument` if the root is not an image, for several destinations and for options that apply to one image; those
/// of packing and combining.
pub(super) fn run(request: &PackRequest, watch: &Watch<'_>) -> Result<Packed, Error> {
    let destination = destination(request)?;
    let platforms = platforms(request, watch)?;
    let work = tempfile::tempdir().map_err(|error| Error::unwritable(&"a temporary directory", error))?;
    let mut all: Option<Packed> = None;
    let mut places = Vec::new();
    for (number, platform) in platforms.iter().enumerate() {
        let name = show(platform.to_string().as_bytes()).into_owned();
        let place = format!("oci:{}:{number}", work.path().join("layout").display());
        let mut one = request.clone();
        one.platform = Some(platform.clone());
        one.outputs = vec![place.clone()];
        one.tag = None;
        let mut packed = pack_watched(&one, watch).map_err(|mut error| {
            error.says = format!("{name}: {}", error.says);
            error
        })?;
        packed.findings.iter_mut().for_each(|finding| finding.says = format!("{name}: {}", finding.says));
        packed.notes.iter_mut().for_each(|note| *note = format!("{name}: {note}"));
        places.push(index::reference(&place)?);
        let row = PlatformPacked {
            platform: name,
            files: packed.files,
            bytes: packed.bytes,
            manifest: packed.outputs.first().and_then(|written| written.manifest),
        };
        match &mut all {
            None => all = Some(Packed { platforms: vec![row], outputs: Vec::new(), ..packed }),
            Some(all) => {
                all.platforms.push(row);
                all.findings.append(&mut packed.findings);
                all.notes.append(&mut packed.notes);
            }
        }
    }
    let mut all = all.ok_or_else(|| Error::new("internal", "an index without images was packed"))?;
    if all.is_whole() && !request.dry_run {
        let joined = index::written(&places, &destination, request.force, &request.access, watch)?;
        all.outputs = vec![Written::of_index(&joined, &destination)];
    }
    Ok(all)
}

/// The destination of the index.
fn destination(request: &PackRequest) -> Result<Destination, Error> {
    let only = |what: &str| {
        Error::new("bad-argument", format!("--platform all cannot be combined with {what}"))
            .help("pack each platform separately, and combine the images with slimroot index")
    };
    if request.debug_tag.is_some() {
        return Err(only("--debug-tag"));
    }
    if request.since.is_some() {
        return Err(only("--since"));
    }
    if !request.documents.is_empty() {
        return Err(only("documents and limits such as --plan-out, --lock, --sbom or --budget"));
    }
    match request.outputs.as_slice() {
        [one] => {
            let destination = Destination::parse(one)?;
            request.tag.as_deref().map_or(Ok(destination.clone()), |tag| destination.named(tag))
        }
        _ => Err(only("more or fewer destinations than one")),
    }
}

/// The platforms of the root.
fn platforms(request: &PackRequest, watch: &Watch<'_>) -> Result<Vec<Platform>, Error> {
    let Some(reference) = Reference::parse(&request.root.to_string_lossy()) else {
        return Err(Error::new("bad-argument", "--platform all needs an image with several platforms as --root")
            .help("a directory has the files of one machine"));
    };
    let reading = ReadOptions { progress: &|_, _| (), stop: watch.stop, access: &request.access, platform: None };
    let images = Stock::open(&reference, &reading)?.images()?;
    Ok(images.into_iter().map(|image| image.platform).collect())
}
