//! Packing in one call: the input is a [`PackRequest`], the result a [`Packed`]. The command line uses only this.

mod attached;
mod dockerfile;
mod documents;
mod generated;
mod input;
mod layers;
mod measuring;
mod platform;
mod selection;
mod settings;
mod since;
mod twin;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

pub use attached::Attach;
#[cfg(feature = "cli")]
pub(crate) use dockerfile::{quoted_by, statements_of};
#[cfg(feature = "cli")]
pub(crate) use documents::plan_options;
pub use documents::{Allowed, Documents};
pub(crate) use generated::{closure, linked};
#[cfg(feature = "cli")]
pub(crate) use input::run_of;
pub(crate) use input::{Input, Watch, bytes_of};
use measuring::measure;
pub use platform::PlatformPacked;
pub(crate) use selection::request_of;
#[cfg(feature = "cli")]
pub(crate) use selection::{port, profile, start_of};
#[cfg(feature = "cli")]
pub(crate) use settings::healthcheck;
pub use since::Resent;

use crate::check::{Evidence, Ranking, find, rank};
use crate::closure::{AppliedProfile, Closure, Companions, Pyc, Request};
use crate::config::Healthcheck;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::image_reader::{Platform, Reference};
use crate::layer::{CACHE_SIZE, Cache, CacheUse, Codec, PassOptions};
use crate::ledger::{Ledger, group_sums};
use crate::loader::Objects;
use crate::output::{Destination, WriteOptions, Written, place_documents, write_with};
use crate::path::show;
use crate::plan::{ImageFormat, ItemKind, Plan, PlannedTree};
use crate::registry::Access;
use crate::root::Root;

/// The report suggests --strip if it would save at least this many bytes.
const STRIP_HINT_BYTES: u64 = 500_000;

/// Limit for the default number of compression threads. More only take memory, because one thread reads and hashes.
const MAX_THREADS: usize = 8;

/// A request to pack an entry. The fields are the options of `slimroot build`, which documents them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PackRequest {
    /// The builder's file system: a directory, or an image as `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE` or
    /// `docker://HOST/NAME[:TAG|@DIGEST]`.
    pub root: PathBuf,
    /// The platform to take from an image that has several.
    pub platform: Option<Platform>,
    /// Settings for access to registries.
    pub access: Access,
    /// The program that the image starts, with its fixed arguments.
    pub entry: Vec<String>,
    /// Default arguments of the entry (Cmd), which `docker run IMAGE ARGUMENTS` replaces; without an entry, the whole
    /// command. `None` uses those of an input image, if its entrypoint is used too.
    pub command: Option<Vec<String>>,
    /// Environment of the image. Variables of an input image are added with lower precedence.
    pub env: BTreeMap<String, String>,
    /// Working directory of the image: an absolute path.
    pub workdir: Option<String>,
    /// The highest CPU level that all machines have, such as `x86-64-v3`.
    pub cpu: Option<String>,
    /// The loader of a plug-in or library as entry.
    pub interpreter: Option<String>,
    /// Further programs that the entry starts.
    pub bins: Vec<String>,
    /// Profiles to apply: names, or files.
    pub profiles: Vec<String>,
    /// A folder of profiles that take the place of built-in ones of their names.
    pub profiles_folder: Option<PathBuf>,
    /// Profiles that are not applied.
    pub no_profiles: Vec<String>,
    /// True if no profile is applied by its triggers.
    pub no_auto: bool,
    /// True if no shell is packed, whoever asks for it.
    pub no_shell: bool,
    /// Rules that are left out.
    pub no_rules: Vec<String>,
    /// Traces of runs whose files are added: of `slimroot trace`, or of `strace -f`.
    pub traces: Vec<PathBuf>,
    /// Patterns of files to add.
    pub include: Vec<String>,
    /// Patterns of files that neither patterns nor profiles add.
    pub exclude: Vec<String>,
    /// `SRC:DST`: files and directories that are placed elsewhere in the image.
    pub copies: Vec<String>,
    /// Packages of the distribution to add.
    pub packages: Vec<String>,
    /// PEM files of this machine with authorities to trust.
    pub ca: Vec<PathBuf>,
    /// Objects whose packages are packed with them.
    pub companions: Companions,
    /// Python sources for which the root's own interpreter makes bytecode.
    pub pyc: Pyc,
    /// True if the root's own JDK links a smaller Java runtime.
    pub jlink: bool,
    /// User of the image: `NAME|UID[:GROUP|GID]`.
    pub user: Option<String>,
    /// Ports of the image, such as `8080` or `53/udp`.
    pub ports: Vec<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the image's manifest besides the labels.
    pub annotations: BTreeMap<String, String>,
    /// Volumes of the image: absolute paths.
    pub volumes: Vec<String>,
    /// The signal that stops a container, such as `SIGINT` or `2`.
    pub stop_signal: Option<String>,
    /// The health check of the image. Its program is packed.
    pub healthcheck: Option<Healthcheck>,
    /// The author of the image.
    pub author: Option<String>,
    /// The name of the image in outputs that name none.
    pub tag: Option<String>,
    /// The media types of the image; `None` means docker's for an image with a health check, otherwise OCI's.
    pub image_format: Option<ImageFormat>,
    /// True if debug sections and symbol tables are left out.
    pub strip: bool,
    /// Other owners for the files of the image: `UID:GID=UID:GID`.
    pub owner_map: Vec<String>,
    /// Destinations of the image: `dir:PATH`, `tar:FILE`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
    /// `docker-archive:FILE[:REF]`, `docker://HOST/NAME[:TAG]`.
    pub outputs: Vec<String>,
    /// Compression of layers: `gzip[:1-12]`, `zstd[:1-19]` or `none`.
    pub compression: Option<String>,
    /// The layers of the image: `one`, `split` or `split:N`.
    pub layers: Option<String>,
    /// An image of before: the report says what a push of the new one sends again.
    pub since: Option<String>,
    /// Suffix of the tag of a second image that has a shell; `None` writes no second image.
    pub debug_tag: Option<String>,
    /// The static program with that shell: a file of this machine; `None` takes one of the root.
    pub debug_shell: Option<PathBuf>,
    /// Compression threads. They change no byte of the output.
    pub threads: Option<usize>,
    /// A directory with compressed blocks of earlier runs. It changes no byte of the output.
    pub cache: Option<PathBuf>,
    /// Size of the cache in bytes; `None` means [`CACHE_SIZE`].
    pub cache_size: Option<u64>,
    /// True if an existing output is replaced.
    pub force: bool,
    /// True if nothing is written.
    pub dry_run: bool,
    /// Levels that the user sets for findings.
    pub rankings: Vec<Ranking>,
    /// Documents besides the image, and limits for it.
    pub documents: Documents,
}

impl PackRequest {
    /// A request for an entry with its arguments, as the command line makes it without any option.
    pub fn new(root: impl Into<PathBuf>, entry: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            root: root.into(),
            platform: None,
            access: Access::default(),
            entry: entry.into_iter().map(Into::into).collect(),
            command: None,
            env: BTreeMap::new(),
            workdir: None,
            cpu: None,
            interpreter: None,
            bins: Vec::new(),
            profiles: Vec::new(),
            profiles_folder: None,
            no_profiles: Vec::new(),
            no_auto: false,
            no_shell: false,
            no_rules: Vec::new(),
            traces: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
            copies: Vec::new(),
            packages: Vec::new(),
            ca: Vec::new(),
            companions: Companions::All,
            pyc: Pyc::None,
            jlink: false,
            user: None,
            ports: Vec::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            volumes: Vec::new(),
            stop_signal: None,
            healthcheck: None,
            author: None,
            tag: None,
            image_format: None,
            strip: false,
            owner_map: Vec::new(),
            outputs: Vec::new(),
            compression: None,
            layers: None,
            since: None,
            debug_tag: None,
            debug_shell: None,
            threads: None,
            cache: None,
            cache_size: None,
            force: false,
            dry_run: false,
            rankings: Vec::new(),
            documents: Documents::default(),
        }
    }
}

/// The result of packing.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Packed {
    /// The version of this document.
    pub schema: &'static str,
    /// The entrypoint of the image with its fixed arguments.
    pub entry: Vec<String>,
    /// The default arguments (Cmd).
    pub command: Vec<String>,
    /// The user of the image, in numbers.
    pub user: String,
    /// The image's architecture, in the words of the OCI specification.
    pub architecture: String,
    /// Regular files.
    pub files: usize,
    /// Symlinks.
    pub links: usize,
    /// Directories.
    pub directories: usize,
    /// Bytes of all regular files, hard links once.
    pub bytes: u64,
    /// Total size of the root's files, if it could be measured.
    pub root_bytes: Option<u64>,
    /// The files by the kind of their reason.
    pub groups: Vec<Group>,
    /// Programs that are in the image because others start them, by name.
    pub programs: Vec<String>,
    /// The images of all platforms, if each of an index was packed; all else is of the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<PlatformPacked>,
    /// The outputs that were written.
    pub outputs: Vec<Written>,
    /// Bytes that a push sends again, for each output with an image, if there is an image to compare with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub since: Vec<Resent>,
    /// Statistics of the cache, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheUse>,
    /// Problems, with the level of each.
    pub findings: Vec<Finding>,
    /// Profiles that were applied automatically, with the trigger of each.
    pub automatic: Vec<AppliedProfile>,
    /// Facts about the output.
    pub notes: Vec<String>,
    /// True if nothing was written.
    pub dry_run: bool,
    /// The run settings as Dockerfile instructions.
    pub dockerfile: Vec<String>,
    /// The fence that the kernel held around the command; a call of the library has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<&'static str>,
    /// Settings of the process that the image got: `NAME=VALUE`, `workdir DIR`. A call of the library takes none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inherited: Vec<String>,
}

/// The files packed for one kind of reason.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Group {
    /// The kind of reason.
    pub reason: String,
    /// Their number.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Packed {
    /// True if no finding is an error.
    pub fn is_whole(&self) -> bool {
        self.findings.iter().all(|finding| finding.level < Level::Error)
    }
}

/// Packs a request: decides what is needed, checks it, and writes the outputs if no finding is an error.
///
/// Times in the image are those of `SOURCE_DATE_EPOCH`.
///
/// # Errors
/// Every code of [`crate::error::ERROR_CODES`].
pub fn pack(request: &PackRequest) -> Result<Packed, Error> {
    pack_watched(request, &Watch { progress: &|_, _| (), stop: &|| false })
}

/// Packs a request that can be watched and stopped.
pub(crate) fn pack_watched(request: &PackRequest, watch: &Watch<'_>) -> Result<Packed, Error> {
    let destinations = destinations(request)?;
    attached::refuse_without_place(request, &destinations)?;
    let codec = request.compression.as_deref().map(codec).transpose()?;
    let layering = request.layers.as_deref().map(layers::layering).transpose()?.unwrap_or_default();
    let suffix = twin::suffix(request, &destinations)?;
    let measuring = match Reference::parse(&request.root.to_string_lossy()) {
        None => Some(measure(&request.root).map_err(|error| input::advised(error, &request.root))?),
        Some(_) => None,
    };
    // The new image may take the place of the one before.
    let before = since::Before::read(request, watch)?;
    with_plan(request.clone(), &destinations, watch, &mut |made| {
        let Made { request, wanted, root, closure, plan, findings, notes } = made;
        let is_whole = findings.iter().all(|finding| finding.level < Level::Error);
        let mut prepared = documents::Prepared::default();
        let plan = &if is_whole { enclosed(made)? } else { Cow::Borrowed(*plan) };
        if is_whole && !request.documents.is_empty() {
            let ledger = Ledger::new(root, closure, plan, findings)?;
            documents::refuse(request, &ledger)?;
            prepared = documents::written(request, wanted, &ledger)?;
        }
        let parts = if is_whole { layers::parts(root, closure, plan, layering)? } else { Vec::new() };
        let document_notes = std::mem::take(&mut prepared.notes);
        #[cfg(feature = "page")]
        if request.documents.report.is_some() {
            let ledger = Ledger::new(root, closure, plan, findings)?;
            prepared.documents.extend(documents::page(request, wanted, &ledger, &parts)?);
        }
        let cache = if is_whole && !request.dry_run { opened(request)? } else { None };
        let outputs = if is_whole && !request.dry_run {
            let available = || std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
            let threads = request.threads.unwrap_or_else(available);
            let pass = PassOptions { threads, cache: cache.as_ref(), progress: watch.progress, stop: watch.stop };
            let twin = suffix.clone().map(|suffix| twin::twin(request, suffix, root, plan)).transpose()?;
            let options = WriteOptions {
                codec,
                parts: &parts,
                twin: twin.as_ref(),
                force: request.force,
                access: &request.access,
                attached: &prepared.attached,
                pass,
            };
            write_with(&**root.tree(), plan, &destinations, prepared.documents, &options)?
        } else {
            place_documents(prepared.documents)?;
            Vec::new()
        };
        let root_bytes = match &measuring {
            Some(measuring) => measuring.finish(request.dry_run, watch.stop),
            None => bytes_of(root.tree()),
        };
        let mut packed = report(request, closure, plan, findings.to_vec(), outputs, root_bytes);
        packed.notes.extend(notes.iter().cloned().chain(document_notes));
        packed.cache = cache.as_ref().map(Cache::finish);
        if let Some(before) = &before {
            packed.since = packed.outputs.iter().filter_map(|written| before.resent(written)).collect();
        }
        Ok(packed)
    })
}

/// Plans a request and hands its ledger to `then`. Nothing is written.
#[cfg(feature = "cli")]
pub(crate) fn planned<T>(
    request: PackRequest,
    watch: &Watch<'_>,
    then: &mut dyn FnMut(&PackRequest, &Request, &Ledger<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let destinations = destinations(&request)?;
    with_plan(request, &destinations, watch, &mut |made| {
        let Made { request, wanted, root, closure, plan, findings, .. } = made;
        then(request, wanted, &Ledger::new(root, closure, plan, findings)?)
    })
}

/// The plan with the documents that shall lie in the image.
fn enclosed<'a>(made: &Made<'a>) -> Result<Cow<'a, Plan>, Error> {
    if made.request.documents.sbom_inside.is_empty() {
        return Ok(Cow::Borrowed(made.plan));
    }
    let ledger = Ledger::new(made.root, made.closure, made.plan, made.findings)?;
    attached::with_inside(made.request, &ledger).map(Cow::Owned)
}

/// A request with all that was decided for it.
struct Made<'a> {
    request: &'a PackRequest,
    wanted: &'a Request,
    root: &'a Root,
    closure: &'a Closure,
    plan: &'a Plan,
    findings: &'a [Finding],
    /// Notes for the user.
    notes: &'a [String],
}

/// Decides what a request needs, checks it, and hands it to `then`.
fn with_plan<T>(
    mut request: PackRequest,
    destinations: &[Destination],
    watch: &Watch<'_>,
    then: &mut dyn FnMut(&Made<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let codec = request.compression.as_deref().map(codec).transpose()?;
    let epoch = epoch()?;
    let mut input = Input::open(&request, watch)?;
    let mut notes = input.adopt(&mut request);
    if request.line().is_empty() {
        return Err(Error::new("bad-argument", "no entry: give the program that the image starts")
            .help("for example: slimroot build -o dir:out -- /usr/bin/curl"));
    }
    let mut wanted = request_of(&request)?;
    let (settings, dropped) = settings::settings(&request, wanted.workdir.clone(), epoch, codec)?;
    notes.extend(dropped);
    let linked = linked(&mut input, &request, &mut wanted, watch)?;
    let root = &input.root;
    let objects = Objects::new(root);
    let closure = closure(&input, &request, &objects, &wanted, &linked, watch)?;
    root.forget();
    let plan = Plan::build(&objects, &wanted, &closure, &settings)?;
    notes.extend(settings::volume_notes(root, &plan, &settings.volumes)?);
    let planned = Root::new(Arc::new(PlannedTree::new(&plan, root.tree())));
    let has_user = destinations.iter().any(Destination::has_config) || request.user.is_some();
    let rankings: Vec<Ranking> = user_rankings(has_user).into_iter().chain(request.rankings.clone()).collect();
    let findings = rank(find(&Evidence::new(&objects, &closure, &planned, &plan.run, false))?, &rankings);
    let (request, wanted) = (&request, &wanted);
    then(&Made { request, wanted, root, closure: &closure, plan: &plan, findings: &findings, notes: &notes })
}

const END_OF_YEAR_9999: u64 = 253_402_300_799;
/// The modification time of all files without SOURCE_DATE_EPOCH: 2 January 1980. Not 0, which some programs read as
/// "missing" or "never": cron ignores such a table, and Perl's Template Toolkit such a template. Not before 1980 in any time
/// zone, because zip archives cannot express that (APPNOTE.TXT, 4.4.6): Python's zipfile refuses to add such a file.
const EARLIEST: u64 = 315_619_200;

/// The modification time of all files in the image, in seconds (reproducible-builds.org, SOURCE_DATE_EPOCH).
pub(crate) fn epoch() -> Result<u64, Error> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => Ok(EARLIEST),
        // The image configuration needs a year of four digits (RFC 3339).
        Ok(text) => text.trim().parse().ok().filter(|seconds| *seconds <= END_OF_YEAR_9999).ok_or_else(|| {
            let says = format!(
                "SOURCE_DATE_EPOCH is {text:?}, which is not a number of seconds between 1970 and the year 9999"
            );
            Error::new("bad-argument", says)
        }),
    }
}

/// The cache that a request names.
fn opened(request: &PackRequest) -> Result<Option<Cache>, Error> {
    let size = request.cache_size.unwrap_or(CACHE_SIZE);
    request.cache.as_deref().map(|dir| Cache::open(dir, size)).transpose()
}

fn codec(text: &str) -> Result<Codec, Error> {
    let (name, level) = text.split_once(':').map_or((text, None), |(name, level)| (name, Some(level)));
    let bad = || {
        Error::new("bad-argument", format!("--compression {text} is not supported"))
            .help("use gzip, gzip:1 to gzip:12, zstd, zstd:1 to zstd:19, or none")
    };
    let level = level.map(|level| level.parse::<u8>().map_err(|_| bad())).transpose()?;
    match (name, level) {
        ("gzip", None) => Ok(Codec::GZIP),
        ("gzip", Some(level @ 1..=12)) => Ok(Codec::Gzip(level)),
        ("zstd", None) => Ok(Codec::ZSTD),
        ("zstd", Some(level @ 1..=19)) => Ok(Codec::Zstd(level)),
        ("none", None) => Ok(Codec::None),
        _ => Err(bad()),
    }
}

/// Outputs without an image configuration do not fix the user. Missing permissions of the default user are only
/// warnings for them.
fn user_rankings(has_user: bool) -> Vec<Ranking> {
    let codes: &[&str] = if has_user { &[] } else { &["entry-not-executable", "entry-not-readable"] };
    let lowered = |code: &&str| Ranking {
        code: (*code).to_owned(),
        subject: None,
        level: Some(Level::Warning),
        why: Some("no --user is given, and the output has no image configuration that could name one".to_owned()),
    };
    codes.iter().map(lowered).collect()
}

fn destinations(request: &PackRequest) -> Result<Vec<Destination>, Error> {
    let parsed = |text: &String| {
        let destination = Destination::parse(text)?;
        request.tag.as_deref().map_or(Ok(destination.clone()), |tag| destination.named(tag))
    };
    let found = request.outputs.iter().map(parsed).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() && !request.dry_run {
        return Err(Error::new("bad-argument", "no destination: use -o to say where to write the image")
            .help("use -o dir:rootfs for COPY --from, -o oci-archive:app.tar for an image, or --dry-run to see only the report; slim writes an \
                   image of docker or podman back to its store with -t NAME"));
    }
    if found.iter().filter(|destination| destination.is_stdout()).count() > 1 {
        return Err(Error::new("bad-argument", "two destinations write to stdout"));
    }
    Ok(found)
}

fn report(
    request: &PackRequest,
    closure: &Closure,
    plan: &Plan,
    findings: Vec<Finding>,
    outputs: Vec<Written>,
    root_bytes: Option<u64>,
) -> Packed {
    let count = |wanted: fn(&ItemKind) -> bool| plan.items.values().filter(|item| wanted(&item.kind)).count();
    let group = |(reason, files, bytes)| Group { reason, files, bytes };
    let groups = group_sums(closure, plan).into_iter().map(group).collect();
    let files = plan.items.iter().filter(|(_, item)| matches!(item.kind, ItemKind::File(_)));
    let started = files.filter(|(path, _)| closure.is_started_by_others(path));
    let programs: std::collections::BTreeSet<String> =
        started.map(|(path, _)| show(path.name()).into_owned()).collect();
    let mut notes: Vec<String> = Vec::new();
    if !request.strip && plan.notes.strippable >= STRIP_HINT_BYTES {
        let megabytes = plan.notes.strippable as f64 / 1e6;
        notes.push(format!("--strip would save {megabytes:.1} MB of debug sections and symbol tables"));
    }
    for (name, count) in &plan.notes.dropped_xattrs {
        notes.push(format!(
            "the extended attribute {name} of {count} files is dropped: only file capabilities are kept"
        ));
    }
    for path in &plan.notes.rights_dropped {
        notes.push(format!(
            "{} loses its set-id bits or capabilities: --owner-map changes its owner",
            show(path.as_bytes())
        ));
    }
    for path in &plan.notes.capabilities {
        notes.push(format!("{} keeps its file capabilities", show(path.as_bytes())));
    }
    Packed {
        schema: "slimroot.build.v1",
        entry: plan.run.entrypoint.clone(),
        command: plan.run.command.clone(),
        user: plan.run.user.clone(),
        architecture: plan.run.architecture.clone(),
        files: count(|kind| matches!(kind, ItemKind::File(_) | ItemKind::HardLink(_))),
        links: count(|kind| matches!(kind, ItemKind::Link(_))),
        directories: count(|kind| matches!(kind, ItemKind::Dir)),
        bytes: plan.bytes(),
        root_bytes,
        groups,
        programs: programs.into_iter().collect(),
        platforms: Vec::new(),
        outputs,
        since: Vec::new(),
        cache: None,
        findings,
        automatic: closure.applied_profiles.clone(),
        notes,
        dry_run: request.dry_run,
        dockerfile: dockerfile::statements(&plan.run),
        fence: None,
        inherited: Vec::new(),
    }
}
