//! `slimroot build`: from an entry to an image.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::config::Config;
use super::made;
use super::subject::{Subject, Watch, bytes_of};
use crate::check::{Evidence, Ranking, find, rank};
use crate::cli::{Format, RankOptions, RootOptions};
use crate::closure::{Closure, Companions, Fired, Request};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::layer::{Codec, PassOptions};
use crate::loader::Objects;
use crate::output::{Destination, WriteOptions, Written, write};
use crate::path::{RootPath, show};
use crate::plan::{ItemKind, Plan, PlannedTree, Settings};
use crate::profile::Profile;
use crate::root::{DirTree, Root, RootGlob};
use crate::trust::Authority;

/// How long the report waits for the size of the root once the image is written.
const MEASURE_PATIENCE: Duration = Duration::from_secs(1);

/// Bytes from which on it is worth a line that --strip would save them.
const WORTH_STRIPPING: u64 = 500_000;

/// Compression threads without the user's word: more only take memory, since one thread reads and hashes.
const MAX_THREADS: usize = 8;

/// Whose packages bring their files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CompanionOption {
    /// Those of the entries, and of every library that they load.
    #[default]
    All,
    /// Those of the entries.
    Entry,
    /// Nobody's.
    None,
}

/// Of which Python sources bytecode is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PycOption {
    /// Of none: the smallest image, and Python compiles at every start.
    #[default]
    None,
    /// Of those that a start of the entry loads. It is started to see them, so another start may give another digest.
    Used,
    /// Of all in the image: the same digest every time.
    All,
}

/// What goes in besides what the entry itself names.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ImageOptions {
    /// Another program that the entry starts. Repeatable.
    #[arg(long = "bin", value_name = "PATH")]
    pub(crate) bin: Vec<String>,
    /// A profile: a name of `slimroot profiles`, or a file. Repeatable.
    #[arg(long = "profile", short = 'p', value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// A folder of profiles: they are known like the compiled-in ones, and take the place of those of their names.
    #[arg(long = "profiles", value_name = "DIR")]
    pub(crate) profiles: Option<PathBuf>,
    /// Files to add: a quoted pattern inside the root; directories come with all they hold. Repeatable.
    #[arg(long = "include", short = 'i', value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Places a file or directory of the root elsewhere in the image, with its own modes and owners. Repeatable.
    #[arg(long = "copy", value_name = "SRC:DST")]
    pub(crate) copy: Vec<String>,
    /// A package of the distribution, without documents, manuals, translations and headers. Repeatable.
    #[arg(long = "package", value_name = "NAME")]
    pub(crate) package: Vec<String>,
    /// A PEM file of this machine with authorities to trust, besides those of the root. Repeatable.
    #[arg(long = "ca", value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// What patterns and profiles shall not add. Repeatable.
    #[arg(long = "exclude", short = 'x', value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Leaves a profile out that is always applied. Repeatable.
    #[arg(long = "no-profile", value_name = "NAME")]
    pub(crate) no_profile: Vec<String>,
    /// What else the package of the entry brought (helpers, plug-ins, data, configuration) comes too, and of the packages of its libraries.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) companions: CompanionOption,
    /// Applies no profile by itself; base and those named stay.
    #[arg(long)]
    pub(crate) no_auto: bool,
    /// Makes Python bytecode by running the root's own interpreter. Without it none is packed.
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(crate) pyc: Option<PycOption>,
    /// Links the Java runtime anew with the modules that the jars need, by running the JDK of the root.
    #[arg(long)]
    pub(crate) jlink: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    #[command(flatten)]
    pub(crate) image: ImageOptions,
    #[command(flatten)]
    pub(crate) rank: RankOptions,
    /// Where the image goes: dir:PATH (or PATH), tar:FILE, oci:DIR[:TAG], oci-archive:FILE[:TAG],
    /// docker-archive:FILE[:REF]; FILE - is stdout. Repeatable: files are read once.
    #[arg(long = "output", short = 'o', value_name = "DEST")]
    pub(crate) output: Vec<String>,
    /// User of the image: NAME or UID, with :GROUP or :GID. Without it that of the service unit that starts the entry,
    /// else 65532:65532.
    #[arg(long, short = 'u', value_name = "NAME|UID[:GID]")]
    pub(crate) user: Option<String>,
    /// Port of the image, such as 8080 or 53/udp. Repeatable.
    #[arg(long, value_name = "PORT")]
    pub(crate) expose: Vec<String>,
    /// Label of the image. Repeatable.
    #[arg(long, short = 'l', value_name = "K=V")]
    pub(crate) label: Vec<String>,
    /// A file with the same settings; options go before it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Compression of layers: gzip[:1-12], zstd[:1-19] or none.
    #[arg(long, value_name = "CODEC[:LEVEL]")]
    pub(crate) compression: Option<String>,
    /// Compression threads; never changes a byte of the output.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Leaves debug sections and symbol tables out of ELF files; nothing that is loaded changes or moves.
    #[arg(long)]
    pub(crate) strip: bool,
    /// Replaces an existing output, in one step at the end.
    #[arg(long)]
    pub(crate) force: bool,
    /// Decides and reports, but writes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The program or script that the image starts, and its fixed arguments.
    #[arg(last = true, value_name = "ENTRY")]
    pub(crate) entry: Vec<String>,
}

/// What was packed.
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
    /// Bytes of all files of the root, if that could be measured.
    pub(crate) root_bytes: Option<u64>,
    pub(crate) groups: Vec<Group>,
    pub(crate) outputs: Vec<Written>,
    pub(crate) findings: Vec<Finding>,
    /// Profiles that were applied by themselves, with the sign of each.
    pub(crate) automatic: Vec<Fired>,
    pub(crate) notes: Vec<String>,
    pub(crate) dry_run: bool,
}

/// What came in for one kind of reason.
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

/// The request of an entry with what the options declare.
pub(crate) fn request_of(root: &RootOptions, image: &ImageOptions, line: &[String]) -> Result<Request, Error> {
    let globs = |texts: &[String]| texts.iter().map(|text| RootGlob::new(text)).collect::<Result<Vec<_>, _>>();
    let known = known_profiles(image)?;
    Ok(Request {
        bins: image.bin.clone(),
        companions: match image.companions {
            CompanionOption::All => Companions::All,
            CompanionOption::Entry => Companions::Entry,
            CompanionOption::None => Companions::None,
        },
        automatic: automatic(image, &known),
        profiles: profiles(image, &known)?,
        known,
        packages: image.package.clone(),
        include: globs(&image.include)?,
        copies: image.copy.iter().map(|text| copy(text)).collect::<Result<_, _>>()?,
        exclude: globs(&image.exclude)?,
        authorities: authorities(&image.ca)?,
        ..super::request(root, line)?
    })
}

/// The authorities of all files, each once.
fn authorities(files: &[PathBuf]) -> Result<Vec<Authority>, Error> {
    let mut found: Vec<Authority> = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = std::fs::read(file)
            .map_err(|error| Error::new("bad-ca-file", format!("--ca {name}: it cannot be read")).because(error))?;
        for authority in Authority::parse_file(&text, &name)? {
            if !found.contains(&authority) {
                found.push(authority);
            }
        }
    }
    Ok(found)
}

/// `SRC:DST`, both absolute.
fn copy(text: &str) -> Result<(RootPath, RootPath), Error> {
    let paths = text.split_once(':').and_then(|(from, to)| Some((RootPath::new(from)?, RootPath::new(to)?)));
    paths.ok_or_else(|| {
        Error::new("bad-argument", format!("--copy {text} is not of the form /SRC:/DST"))
            .help("both are absolute paths without `..`: the first in the root, the second in the image")
    })
}

/// A profile by its name, or out of a file.
pub(super) fn profile(name: &str) -> Result<Profile, Error> {
    if !name.contains('/') && !name.ends_with(".toml") {
        return Profile::builtin(name);
    }
    let text = std::fs::read_to_string(name)
        .map_err(|error| Error::new("unknown-profile", format!("cannot read the profile {name}")).because(error))?;
    Profile::parse(&text, name)
}

/// The profiles of a folder, which take the place of compiled-in ones of their names.
fn folder(dir: &std::path::Path) -> Result<Vec<Profile>, Error> {
    let unreadable = |error| Error::new("unknown-profile", format!("cannot list {}", dir.display())).because(error);
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            names.push(path);
        }
    }
    names.sort();
    names.iter().map(|path| profile(&path.to_string_lossy())).collect()
}

/// Compiled-in profiles, with those of the user's folder above them.
fn known_profiles(image: &ImageOptions) -> Result<Vec<Profile>, Error> {
    let mut known = Profile::builtins()?;
    if let Some(dir) = &image.profiles {
        for own in folder(dir)? {
            known.retain(|profile| profile.name != own.name);
            known.push(own);
        }
    }
    Ok(known)
}

fn profiles(image: &ImageOptions, known: &[Profile]) -> Result<Vec<Profile>, Error> {
    for name in image.no_profile.iter().filter(|name| !known.iter().any(|profile| profile.name == **name)) {
        Profile::builtin(name)?;
    }
    let is_default = |profile: &Profile| profile.default && !image.no_profile.contains(&profile.name);
    let mut found: Vec<Profile> = known.iter().filter(|profile| is_default(profile)).cloned().collect();
    for name in &image.profile {
        let own = known.iter().find(|profile| profile.name == *name).cloned();
        let profile = own.map_or_else(|| profile(name), Ok)?;
        found.retain(|known| known.name != profile.name);
        found.push(profile);
    }
    Ok(found)
}

/// Profiles that are applied when the closure shows the need.
fn automatic(image: &ImageOptions, known: &[Profile]) -> Vec<Profile> {
    let is_asked = |profile: &Profile| {
        let is_named = |names: &[String]| names.contains(&profile.name);
        !profile.default && !image.no_auto && !is_named(&image.no_profile) && !is_named(&image.profile)
    };
    known.iter().filter(|profile| is_asked(profile)).cloned().collect()
}

/// Seconds of every time in the image (reproducible-builds.org, SOURCE_DATE_EPOCH).
fn epoch() -> Result<u64, Error> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => Ok(0),
        Ok(text) => text.trim().parse().map_err(|_| {
            Error::new("bad-argument", format!("SOURCE_DATE_EPOCH is {text}, not a number of seconds since 1970"))
        }),
    }
}

fn codec(text: &str) -> Result<Codec, Error> {
    let (name, level) = text.split_once(':').map_or((text, None), |(name, level)| (name, Some(level)));
    let bad = || {
        Error::new("bad-argument", format!("--compression {text} is not known"))
            .help("gzip, gzip:1 to gzip:12, zstd, zstd:1 to zstd:19, or none")
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
        return Err(Error::new("bad-argument", "no entry: nothing says what the image starts")
            .help("slimroot build -o dir:out -- /usr/bin/curl"));
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
        Some(measuring) => measuring.finish(options.dry_run),
        None => bytes_of(root.tree()),
    };
    Ok(report(&merged, &closure, &plan, findings, outputs, root_bytes))
}

/// Where files go out without a configuration, whoever runs them chooses the user: what the default user may not do is
/// only a warning then.
fn user_rankings(has_user: bool) -> Vec<Ranking> {
    let codes: &[&str] = if has_user { &[] } else { &["entry-not-executable", "entry-not-readable"] };
    let lowered = |code: &&str| Ranking {
        code: (*code).to_owned(),
        subject: None,
        level: Some(Level::Warning),
        why: Some("no --user, and the output has no configuration that names one".to_owned()),
    };
    codes.iter().map(lowered).collect()
}

/// Takes over what an image that is the root says of how it is run, where the user says nothing.
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
        return Err(Error::new("bad-argument", "no destination: nothing says where the image goes")
            .help("-o dir:rootfs for COPY --from, -o oci-archive:app.tar for an image; --dry-run only reports"));
    }
    if found.iter().filter(|destination| destination.is_stdout()).count() > 1 {
        return Err(Error::new("bad-argument", "two destinations write to stdout"));
    }
    Ok(found)
}

/// The size of the root, summed up on a thread of its own while the image is written.
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
    fn finish(self, is_dry: bool) -> Option<u64> {
        let started = Instant::now();
        let patience = if is_dry { MEASURE_PATIENCE / 2 } else { MEASURE_PATIENCE };
        let sum = self.sum.recv_timeout(patience.saturating_sub(started.elapsed())).ok().flatten();
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
    let mut notes: Vec<String> = closure.notes.clone();
    if !options.strip && plan.notes.strippable >= WORTH_STRIPPING {
        let megabytes = plan.notes.strippable as f64 / 1e6;
        notes.push(format!("--strip would leave out {megabytes:.1} MB of debug sections and symbol tables"));
    }
    for (name, count) in &plan.notes.dropped_xattrs {
        notes.push(format!("the attribute {name} of {count} files is not kept: only capabilities are"));
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
    }
}
