//! Run settings of the image: those of the request, completed by those of an input image.

use std::collections::BTreeSet;

use super::PackRequest;
use super::selection::port;
use crate::config::Healthcheck;
use crate::error::Error;
use crate::image_reader::RunConfig;
use crate::layer::Codec;
use crate::path::{RootPath, show};
use crate::plan::{Details, ImageFormat, OwnerMap, Plan, Settings};
use crate::root::Root;

/// Annotations of the image on which another is based (OCI image specification, annotations.md).
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// Settings that describe the container in which an image was built (docker image specification v1.2). Engines ignore
/// them.
const OF_BUILDER: [&str; 11] = [
    "ArgsEscaped",
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Domainname",
    "Hostname",
    "Image",
    "NetworkDisabled",
    "OpenStdin",
    "StdinOnce",
    "Tty",
];

impl PackRequest {
    /// The command that a container starts: the entry followed by its default arguments.
    pub(crate) fn line(&self) -> Vec<String> {
        self.entry.iter().chain(self.command.iter().flatten()).cloned().collect()
    }
}

/// Adds what an image says and the request does not; returns notes about what is lost.
pub(super) fn adopt(request: &mut PackRequest, image: &RunConfig) -> Vec<String> {
    let mut notes = Vec::new();
    if request.entry.is_empty() {
        request.entry.clone_from(&image.entrypoint);
        let own = || Some(image.command.clone()).filter(|words| !words.is_empty());
        request.command = request.command.take().or_else(own);
    }
    if request.user.is_none() && !image.user.is_empty() {
        request.user = Some(image.user.clone());
    }
    request.ports.extend(image.ports.iter().cloned());
    for (name, value) in &image.labels {
        request.labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
    for volume in &image.volumes {
        match RootPath::new(volume) {
            Some(_) => request.volumes.push(volume.clone()),
            None => notes.push(format!(
                "the volume {} of the image is dropped: it is not a clean path",
                show(volume.as_bytes())
            )),
        }
    }
    if !image.stop_signal.is_empty() {
        request.stop_signal.get_or_insert_with(|| image.stop_signal.clone());
    }
    if !image.author.is_empty() {
        request.author.get_or_insert_with(|| image.author.clone());
    }
    for (name, value) in &image.annotations {
        request.annotations.entry(name.clone()).or_insert_with(|| value.clone());
    }
    // The image replaces its input: what that one was based on is no longer known.
    for (key, value) in [(BASE_NAME, &image.name), (BASE_DIGEST, &image.digest)] {
        match value {
            Some(value) => drop(request.annotations.insert(key.to_owned(), value.clone())),
            None => drop(request.annotations.remove(key)),
        }
    }
    let lost: Vec<String> = image
        .others
        .iter()
        .filter(|name| !OF_BUILDER.contains(&name.as_str()))
        .map(|name| show(name.as_bytes()).into_owned())
        .collect();
    if !lost.is_empty() {
        notes.push(format!("settings of the image that are not kept: {}", lost.join(", ")));
    }
    notes
}

/// The settings of the plan, with notes.
pub(super) fn settings(
    request: &PackRequest,
    workdir: Option<RootPath>,
    epoch: u64,
    codec: Option<Codec>,
) -> Result<(Settings, Vec<String>), Error> {
    let (format, mut notes) = format(request, codec);
    if let Some(address) = request.healthcheck.as_ref().and_then(Healthcheck::address) {
        let address = show(address.as_bytes());
        notes.push(format!(
            "the health check adds a program to request {address}: --healthcheck {address} packs a probe of 6 kB \
             instead"
        ));
    }
    let details = Details {
        stop_signal: request.stop_signal.as_deref().map(signal).transpose()?.unwrap_or_default(),
        healthcheck: request.healthcheck.clone(),
        author: request.author.clone().unwrap_or_default(),
        annotations: request.annotations.clone(),
        format,
    };
    let settings = Settings {
        workdir,
        user: request.user.clone(),
        ports: request.ports.iter().map(|text| port(text)).collect::<Result<_, _>>()?,
        labels: request.labels.clone(),
        command_words: request.command.as_ref().map_or(0, Vec::len),
        volumes: request.volumes.iter().map(|text| volume(text)).collect::<Result<_, _>>()?,
        details,
        epoch,
        strip: request.strip,
        owners: OwnerMap::parse(&request.owner_map)?,
    };
    Ok((settings, notes))
}

/// Docker's media types keep a health check; engines drop it from an OCI image.
fn format(request: &PackRequest, codec: Option<Codec>) -> (ImageFormat, Vec<String>) {
    let is_checked = request.healthcheck.is_some();
    let is_zstd = matches!(codec, Some(Codec::Zstd(_)));
    match request.image_format {
        Some(ImageFormat::Oci) if is_checked => {
            let says = "podman and buildah ignore the health check of an OCI image: --image-format docker keeps it";
            (ImageFormat::Oci, vec![says.to_owned()])
        }
        None if is_checked && is_zstd => {
            let says = "the image is an OCI image, because its layers are compressed with zstd: podman and buildah \
                        ignore its health check";
            (ImageFormat::Oci, vec![says.to_owned()])
        }
        None if is_checked => {
            let says =
                "the image has docker's media types, because it has a health check: --image-format oci changes that";
            (ImageFormat::Docker, vec![says.to_owned()])
        }
        chosen => (chosen.unwrap_or_default(), Vec::new()),
    }
}

fn volume(text: &str) -> Result<RootPath, Error> {
    RootPath::new(text).filter(|path| !path.is_root()).ok_or_else(|| {
        Error::new("bad-argument", format!("--volume {text} is not an absolute path without `..`"))
            .help("write for example --volume /data")
    })
}

/// A signal by name or number (signal(7)), as engines accept it (moby/sys, signal/signal_linux.go).
fn signal(text: &str) -> Result<String, Error> {
    const MAX: u8 = 64;
    const NAMES: &str = "HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP \
                         TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS UNUSED RTMIN RTMAX";
    let is_number = text.parse::<u8>().is_ok_and(|number| (1..=MAX).contains(&number));
    let is_name = text.strip_prefix("SIG").is_some_and(|name| {
        let known = |name: &str| NAMES.split(' ').any(|known| known == name);
        let real_time =
            |sign| name.split_once(sign).is_some_and(|(base, more)| known(base) && more.parse::<u8>().is_ok());
        known(name) || real_time('+') || real_time('-')
    });
    if is_number || is_name {
        return Ok(text.to_owned());
    }
    Err(Error::new("bad-argument", format!("--stop-signal {} is not a signal", show(text.as_bytes())))
        .help("write for example SIGINT or 2"))
}

/// A health check from the command line.
///
/// # Errors
/// `bad-argument`.
#[cfg(feature = "cli")]
pub(crate) fn healthcheck(text: &str) -> Result<Healthcheck, Error> {
    Healthcheck::parse(text).map_err(|why| {
        Error::new("bad-argument", format!("--healthcheck {}: {why}", show(text.as_bytes())))
            .help("write for example --healthcheck http://127.0.0.1:8000/health, or --healthcheck '--interval=30s CMD PROGRAM ARGUMENTS'")
    })
}

/// Notes about volumes whose files are not in the image. Engines copy the files of a volume's directory into a new
/// volume.
pub(super) fn volume_notes(root: &Root, plan: &Plan, volumes: &BTreeSet<RootPath>) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    for volume in volumes {
        let Some(real) = root.follow(volume.as_bytes())?.dir().cloned() else { continue };
        let is_packed = |path: &RootPath| path != volume && path.is_within(volume);
        if !root.list(&real)?.is_empty() && !plan.items.range(volume.clone()..).any(|(path, _)| is_packed(path)) {
            let name = show(volume.as_bytes());
            notes.push(format!(
                "the volume {name} is empty in the image, but not in the root: --include {name} packs its files"
            ));
        }
    }
    Ok(notes)
}
