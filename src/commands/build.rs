//! `slimroot build`: packs an entry into an image.

use std::path::PathBuf;

use clap::Args;

use super::config::Config;
use super::contents::ImageOptions;
use super::run_options::RunOptions;
use crate::cli::{self, RankOptions, RootOptions};
use crate::error::Error;
use crate::image_reader::Platform;
use crate::layer::Cache;
use crate::pack::{Attach, Documents, PackRequest, Packed, Watch, pack_watched};
use crate::sbom::Format;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    #[command(flatten)]
    pub(crate) image: ImageOptions,
    #[command(flatten)]
    pub(crate) run: RunOptions,
    #[command(flatten)]
    pub(crate) rank: RankOptions,
    #[command(flatten)]
    pub(crate) documents: DocumentOptions,
    /// Where to write the image: dir:PATH (or PATH), tar:FILE, oci:DIR[:TAG], oci-archive:FILE[:TAG],
    /// docker-archive:FILE[:REF], docker://HOST/NAME[:TAG]; FILE - is stdout. Repeatable: files are read only once.
    #[arg(long = "output", short = 'o', value_name = "DEST")]
    pub(crate) output: Vec<String>,
    /// User of the image: NAME or UID, optionally with :GROUP or :GID. Default: the user of the service unit that
    /// starts the entry, or else 65532:65532.
    #[arg(long, short = 'u', value_name = "NAME|UID[:GID]")]
    pub(crate) user: Option<String>,
    /// Port that the image exposes, such as 8080 or 53/udp. Repeatable.
    #[arg(long, value_name = "PORT")]
    pub(crate) expose: Vec<String>,
    /// Label of the image. Repeatable.
    #[arg(long, short = 'l', value_name = "K=V")]
    pub(crate) label: Vec<String>,
    /// A file with the same settings; command-line options take precedence.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Compression of layers: gzip[:1-12], zstd[:1-19] or none.
    #[arg(long, value_name = "CODEC[:LEVEL]")]
    pub(crate) compression: Option<String>,
    /// Layers of the image: one, or split[:2-6], cut by how often files change: loader and C library, distribution,
    /// interpreter, language packages, records, application.
    #[arg(long, value_name = "one|split[:N]")]
    pub(crate) layers: Option<String>,
    /// An earlier image, such as docker://HOST/NAME:TAG: the report says how much of the new one a push must send.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) since: Option<String>,
    /// Writes a second image with this suffix on its tag: the same layers, and one more with a static busybox and its
    /// shell, for docker run --entrypoint sh and kubectl debug.
    #[arg(long, value_name = "SUFFIX", allow_hyphen_values = true)]
    pub(crate) debug_tag: Option<String>,
    /// File on this machine with the static busybox of the second image. Default: that of the root.
    #[arg(long, value_name = "FILE", requires = "debug_tag")]
    pub(crate) debug_shell: Option<PathBuf>,
    /// Number of compression threads; the output is the same for any number.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Directory for compressed blocks, such as a BuildKit cache mount or a CI cache: unchanged data is not compressed
    /// again. Several runs can share it; the output is the same with and without it. Only for gzip.
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Maximum size of the cache, such as 500MB; the least recently used blocks are removed first. Default: 2GiB.
    #[arg(long, value_name = "SIZE", requires = "cache")]
    pub(crate) cache_size: Option<String>,
    /// Removes debug sections and symbol tables from ELF files; loaded segments do not change or move.
    #[arg(long)]
    pub(crate) strip: bool,
    /// Changes the owner and group before the = to those after it, such as 1000:1000=0:0. Owners and groups are mapped
    /// separately; a file whose owner or group changes loses set-id bits and capabilities. Repeatable.
    #[arg(long = "owner-map", value_name = "UID:GID=UID:GID")]
    pub(crate) owner_map: Vec<String>,
    /// Replaces an existing output, atomically at the end.
    #[arg(long)]
    pub(crate) force: bool,
    /// Shows what would be packed; writes no image.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Runs the packed program and the original in the builder root, and compares them, before anything is written.
    /// Writes the image only if they behave the same. See `slimroot verify`.
    #[arg(long)]
    pub(crate) verify: bool,
    /// With --verify, a file with several runs, such as slimroot.verify.toml; see `slimroot verify`.
    #[arg(long, requires = "verify", value_name = "FILE")]
    pub(crate) verify_file: Option<PathBuf>,
    /// With --verify, adds files that the run lacked and tries again until none is missing; prints the lines for
    /// slimroot.toml.
    #[arg(long, requires = "verify")]
    pub(crate) fix: bool,
    #[command(flatten)]
    pub(crate) trial: super::verify::TrialOptions,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: cli::Format,
    /// The program or script that the image starts, with its fixed arguments.
    #[arg(last = true, value_name = "ENTRY")]
    pub(crate) entry: Vec<String>,
}

/// Documents besides the image, and limits for it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DocumentOptions {
    /// Writes the plan as JSON: every path with mode, owner, size, digest, package, rule and reason. An older file is
    /// replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan_out: Option<PathBuf>,
    /// Writes a lock: the plan without the files of your own application. An older file is replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Writes nothing if the image differs from this lock in packages, libraries, reasons, owners, modes, user or ports
    /// (exit code 5).
    #[arg(long, value_name = "FILE")]
    pub(crate) locked: Option<PathBuf>,
    /// Writes an inventory of what is packed: spdx-json=FILE or cyclonedx-json=FILE. An older file is replaced.
    /// Repeatable.
    #[arg(long, value_name = "FORMAT=FILE")]
    pub(crate) sbom: Vec<String>,
    /// Packs an inventory into the image as /usr/share/sbom/NAME.spdx.json or .cdx.json: spdx-json or cyclonedx-json.
    /// Repeatable.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) sbom_inside: Vec<String>,
    /// Attaches a document to the image in oci: and docker:// outputs, as an OCI referrer: spdx-json, cyclonedx-json,
    /// provenance, or an inventory as an in-toto statement: in-toto:spdx-json, in-toto:cyclonedx-json. Repeatable.
    #[arg(long, value_name = "DOCUMENT")]
    pub(crate) attach: Vec<String>,
    /// Writes the build provenance as a SLSA predicate, for signing. An older file is replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) provenance: Option<PathBuf>,
    /// Writes a seccomp profile for docker, podman and Kubernetes: the system calls that the packed machine code can make
    /// (x86-64). An older file is replaced.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) seccomp: Option<PathBuf>,
    /// Writes a page that shows what is in the image, why, what was left out, and the findings: one HTML file that
    /// needs no network. An older file is replaced.
    #[cfg(feature = "page")]
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// The largest size of the image's files together, such as 60MB. A larger image is not written (exit code 5).
    #[arg(long, value_name = "SIZE")]
    pub(crate) budget: Option<String>,
}

impl DocumentOptions {
    fn documents(&self, config: &Config) -> Result<Documents, Error> {
        Ok(Documents {
            plan_out: self.plan_out.clone(),
            #[cfg(feature = "page")]
            report: self.report.clone(),
            all: false,
            lock: self.lock.clone(),
            locked: self.locked.clone(),
            lock_rules: config.lock_rules(),
            allowed: config.allowed(),
            sboms: self.sbom.iter().map(|text| sbom(text)).collect::<Result<_, _>>()?,
            sbom_inside: self.sbom_inside.iter().map(|text| Format::parse(text)).collect::<Result<_, _>>()?,
            attach: self.attach.iter().map(|text| Attach::parse(text)).collect::<Result<_, _>>()?,
            provenance: self.provenance.clone(),
            seccomp: self.seccomp.clone(),
            budget: self.budget.as_deref().map(|text| super::bytes("--budget", text)).transpose()?,
        })
    }
}

/// `FORMAT=FILE`.
fn sbom(text: &str) -> Result<(Format, PathBuf), Error> {
    let (format, file) = super::pair("--sbom", text)?;
    match file.is_empty() {
        true => Err(Error::new("bad-argument", format!("--sbom {text} has no file name"))),
        false => Ok((Format::parse(&format)?, PathBuf::from(file))),
    }
}

/// The request of these options, and the settings of the process in it.
pub(super) fn request(options: &Options) -> Result<(PackRequest, Vec<String>), Error> {
    let config = options.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let merged = config.under(options);
    let request = PackRequest::new(&merged.root.root, merged.entry.clone());
    let mut request = merged.run.fill(merged.image.fill(merged.root.fill(request)?))?;
    request.user = merged.user;
    request.ports = merged.expose;
    request.labels = super::pairs("--label", &merged.label)?;
    request.strip = merged.strip;
    request.owner_map = merged.owner_map;
    request.outputs = merged.output;
    request.compression = merged.compression;
    request.layers = merged.layers;
    request.since = merged.since;
    request.debug_tag = merged.debug_tag;
    request.debug_shell = merged.debug_shell;
    request.threads = merged.threads;
    request.cache = merged.cache;
    request.cache_size = merged.cache_size.map(|text| super::bytes("--cache-size", &text)).transpose()?;
    request.force = options.force;
    request.dry_run = options.dry_run;
    request.rankings = config.rankings(&merged.rank)?;
    request.documents = options.documents.documents(&config)?;
    let inherited = merged.root.inherited(&request.root).taken(&request);
    Ok((request, inherited))
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Packed, Error> {
    let (request, inherited) = request(options)?;
    // The fence permits writing only to existing directories, so create it now.
    if let Some(dir) = request.cache.as_deref().filter(|_| !request.dry_run) {
        Cache::prepare(dir)?;
    }
    if options.verify {
        let packed = super::proven::run(&request, &options.trial, options.verify_file.as_deref(), options.fix, watch)?;
        return Ok(Packed { inherited, ..packed });
    }
    if let Some(option) = options.trial.given() {
        return Err(Error::new("bad-argument", format!("{option} has no effect without --verify"))
            .help("add --verify, which runs the packed program before the image is written"));
    }
    let fence = super::fence::raise(&request)?;
    if request.platform.as_ref().is_some_and(Platform::is_all) {
        return Ok(Packed { fence, inherited, ..super::platforms::run(&request, watch)? });
    }
    Ok(Packed { fence, inherited, ..pack_watched(&request, watch)? })
}
