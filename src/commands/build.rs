//! `slimroot build`: packs an entry into an image.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::config::Config;
use super::contents::{ImageOptions, request_of};
use super::made;
use super::subject::{Subject, Watch, bytes_of};
use crate::check::{Evidence, Ranking, find, rank};
use crate::cli::{Format, RankOptions, RootOptions};
use crate::closure::{Closure, Fired};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::layer::{Codec, PassOptions};
use crate::loader::Objects;
use crate::output::{Destination, WriteOptions, Written, write};
use crate::path::show;
use crate::plan::{ItemKind, Plan, PlannedTree, Settings};
use crate::root::{DirTree, Root};

/// Time limits for measuring the size of the root after the image is written, or planned with `--dry-run`.
const MEASURE_LIMIT: Duration = Duration::from_secs(1);
const DRY_MEASURE_LIMIT: Duration = Duration::from_millis(200);
const PACE: Duration = Duration::from_millis(20);

/// The report suggests --strip if it would save at least this many bytes.
const STRIP_HINT_BYTES: u64 = 500_000;

/// Limit for the default number of compression threads. More only take memory, because one thread reads and hashes.
const MAX_THREADS: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    #[command(flatten)]
    pub(crate) image: ImageOptions,
    #[command(flatten)]
    pub(crate) rank: RankOptions,
    /// Where to write the image: dir:PATH (or PATH), tar:FILE, oci:DIR[:TAG], oci-archive:FILE[:TAG],
    /// docker-archive:FILE[:REF]; FILE - is stdout. Repeatable: files are read only once.
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
    /// Number of compression threads; the output is the same for any number.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Removes debug sections and symbol tables from ELF files; loaded segments do not change or move.
    #[arg(long)]
    pub(crate) strip: bool,
    /// Replaces an existing output, atomically at the end.
    #[arg(long)]
    pub(crate) force: bool,
    /// Shows what would be packed; writes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The program or script that the image starts, with its fixed arguments.
    #[arg(last = true, value_name = "ENTRY")]
    pub(crate) entry: Vec<String>,
}

/// The report of `build`.
#[derive(Debug, Serialize)]
pub(crate) struct Packed {
    pub(crate) schema: &'static str,
    pub(crate) entry: Vec<String>,
    pub(crate) user: String,
    pub(crate) architecture: String,
    pub(crate) files: usize,
    pub(crate) links: usize,
    pub(crate) directories: usize,
    pub(crate) bytes: u64,
    /// Total size of the root's files, if it could be measured.
    pub(crate) root_bytes: Option<u64>,
    pub(crate) groups: Vec<Group>,
    pub(crate) outputs: Vec<Written>,
    pub(crate) findings: Vec<Finding>,
    /// Profiles that were applied automatically, with the trigger of each.
    pub(crate) automatic: Vec<Fired>,
    pub(crate) notes: Vec<String>,
    pub(crate) dry_run: bool,
    /// The run settings as Dockerfile instructions.
    pub(crate) dockerfile: Vec<String>,
}

/// The files packed for one kind of reason.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) reason: String,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

impl Packed {
    pub(crate) fn is_whole(&self) -> bool {
        self.findings.iter().all(|finding| finding.level < Level::Error)
    }
}

const END_OF_YEAR_9999: u64 = 253_402_300_799;
/// The modification time of all files without SOURCE_DATE_EPOCH. Not 0, because some programs read 0 as "missing" or
/// "never": cron ignores such a table, and Perl's Template Toolkit such a template.
const FIRST_SECOND: u64 = 1;

/// The modification time of all files in the image, in seconds (reproducible-builds.org, SOURCE_DATE_EPOCH).
fn epoch() -> Result<u64, Error> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => Ok(FIRST_SECOND),
        // The image configuration needs a year of four digits (RFC 3339).
        Ok(text) => text.trim().parse().ok().filter(|seconds| *seconds <= END_OF_YEAR_9999).ok_or_else(|| {
            let says = format!(
                "SOURCE_DATE_EPOCH is {text:?}, which is not a number of seconds between 1970 and the year 9999"
            );
            Error::new("bad-argument", says)
        }),
    }
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

pub(super) fn port(text: &str) -> Result<String, Error> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match number.parse::<u16>() {
        Ok(1..) if matches!(protocol, "tcp" | "udp" | "sctp") => Ok(format!("{number}/{protocol}")),
        _ => Err(Error::new("bad-argument", format!("--expose {text} is not a port such as 8080 or 53/udp"))),
    }
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Packed, Error> {
    let config = options.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let mut merged = config.under(options);
    let destinations = destinations(&merged)?;
    let rankings = config.rankings(&merged.rank)?;
    let codec = merged.compression.as_deref().map(codec).transpose()?;
    let epoch = epoch()?;
    let mut subject = Subject::open(&merged.root, watch)?;
    adopt(&mut merged, &subject);
    if merged.entry.is_empty() {
        return Err(Error::new("bad-argument", "no entry: name the program that the image starts")
            .help("for example: slimroot build -o dir:out -- /usr/bin/curl"));
    }
    let settings = Settings {
        workdir: merged.root.workdir.as_deref().map(super::workdir).transpose()?,
        user: merged.user.clone(),
        ports: merged.expose.iter().map(|text| port(text)).collect::<Result<_, _>>()?,
        labels: super::pairs("--label", &merged.label)?,
        epoch,
        strip: merged.strip,
    };
    let mut request = request_of(&merged.root, &merged.image, &merged.entry)?;
    let dir = &merged.root.root;
    let linked = made::linked(&mut subject, dir, &merged.image, &mut request, watch)?;
    let root = &subject.root;
    let measuring = match &subject.image {
        None => Some(measure(&merged.root.root)?),
        Some(_) => None,
    };
    let objects = Objects::new(root);
    let closure = made::closure(&subject, dir, &objects, &request, (&merged.image, &linked), watch)?;
    let plan = Plan::build(&objects, &request, &closure, &settings)?;
    let planned = Root::new(Arc::new(PlannedTree::new(&plan, root.tree())));
    let is_image = destinations.iter().any(Destination::has_config);
    let rankings: Vec<Ranking> = user_rankings(is_image || merged.user.is_some()).into_iter().chain(rankings).collect();
    let findings = rank(find(&Evidence::new(&objects, &closure, &planned, &plan.run, false))?, &rankings);
    let is_whole = findings.iter().all(|finding| finding.level < Level::Error);
    let outputs = if is_whole && !options.dry_run {
        let available = || std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let threads = merged.threads.unwrap_or_else(available);
        let pass = PassOptions { threads, progress: watch.progress, stop: watch.stop };
        let options = WriteOptions { codec, force: options.force, pass };
        write(&**root.tree(), &plan, &destinations, &options)?
    } else {
        Vec::new()
    };
    let root_bytes = match measuring {
        Some(measuring) => measuring.finish(options.dry_run, watch.stop),
        None => bytes_of(root.tree()),
    };
    Ok(report(&merged, &closure, &plan, findings, outputs, root_bytes))
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

/// If the root is an image, uses its configuration for everything that the options do not set.
fn adopt(options: &mut Options, subject: &Subject) {
    options.root = subject.adopted(&options.root);
    let Some(image) = &subject.image else { return };
    if options.entry.is_empty() {
        options.entry = image.line();
    }
    if options.user.is_none() && !image.user.is_empty() {
        options.user = Some(image.user.clone());
    }
    options.expose.extend(image.ports.iter().cloned());
    let own = image.labels.iter().map(|(name, value)| format!("{name}={value}"));
    options.label = own.chain(options.label.iter().cloned()).collect();
}

fn destinations(options: &Options) -> Result<Vec<Destination>, Error> {
    let found = options.output.iter().map(|text| Destination::parse(text)).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() && !options.dry_run {
        return Err(Error::new("bad-argument", "no destination: use -o to say where to write the image")
            .help("use -o dir:rootfs for COPY --from, -o oci-archive:app.tar for an image, or --dry-run to see only the report"));
    }
    if found.iter().filter(|destination| destination.is_stdout()).count() > 1 {
        return Err(Error::new("bad-argument", "two destinations write to stdout"));
    }
    Ok(found)
}

/// Measures the size of the root on its own thread while the image is written.
struct Measuring {
    sum: std::sync::mpsc::Receiver<Option<u64>>,
    enough: Arc<AtomicBool>,
}

fn measure(root: &std::path::Path) -> Result<Measuring, Error> {
    let tree = DirTree::open(root)?;
    let enough = Arc::new(AtomicBool::new(false));
    let (send, sum) = std::sync::mpsc::channel();
    let is_enough = Arc::clone(&enough);
    std::thread::spawn(move || send.send(tree.measure(&|| is_enough.load(Ordering::Relaxed))));
    Ok(Measuring { sum, enough })
}

impl Measuring {
    fn finish(self, is_dry: bool, stop: &dyn Fn() -> bool) -> Option<u64> {
        let (begun, patience) = (Instant::now(), if is_dry { DRY_MEASURE_LIMIT } else { MEASURE_LIMIT });
        let sum = loop {
            match self.sum.recv_timeout(PACE) {
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < patience && !stop() => {}
                ended => break ended.ok().flatten(),
            }
        };
        self.enough.store(true, Ordering::Relaxed);
        sum
    }
}

fn report(
    options: &Options,
    closure: &Closure,
    plan: &Plan,
    findings: Vec<Finding>,
    outputs: Vec<Written>,
    root_bytes: Option<u64>,
) -> Packed {
    let count = |wanted: fn(&ItemKind) -> bool| plan.items.values().filter(|item| wanted(&item.kind)).count();
    let mut groups: std::collections::BTreeMap<String, (usize, u64)> = std::collections::BTreeMap::new();
    for (path, item) in &plan.items {
        let ItemKind::File(content) = &item.kind else { continue };
        let sum = groups.entry(closure.group(path).unwrap_or_else(|| "made by slimroot".to_owned())).or_default();
        *sum = (sum.0 + 1, sum.1 + content.size());
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|(reason, (files, bytes))| Group { reason, files, bytes }).collect();
    groups.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.reason.cmp(&b.reason)));
    let mut notes: Vec<String> = Vec::new();
    if !options.strip && plan.notes.strippable >= STRIP_HINT_BYTES {
        let megabytes = plan.notes.strippable as f64 / 1e6;
        notes.push(format!("--strip would save {megabytes:.1} MB of debug sections and symbol tables"));
    }
    for (name, count) in &plan.notes.dropped_xattrs {
        notes.push(format!(
            "the extended attribute {name} of {count} files is dropped: only file capabilities are kept"
        ));
    }
    for path in &plan.notes.capabilities {
        notes.push(format!("{} keeps its file capabilities", show(path.as_bytes())));
    }
    Packed {
        schema: "slimroot.build.v1",
        entry: plan.run.entrypoint.clone(),
        user: plan.run.user.clone(),
        architecture: plan.run.architecture.clone(),
        files: count(|kind| matches!(kind, ItemKind::File(_) | ItemKind::HardLink(_))),
        links: count(|kind| matches!(kind, ItemKind::Link(_))),
        directories: count(|kind| matches!(kind, ItemKind::Dir)),
        bytes: plan.bytes(),
        root_bytes,
        groups,
        outputs,
        findings,
        automatic: closure.fired.clone(),
        notes,
        dry_run: options.dry_run,
        dockerfile: super::dockerfile::statements(&plan.run),
    }
}
