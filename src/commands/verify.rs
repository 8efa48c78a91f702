//! `slimroot verify`: runs and traces a packed program, and names missing files.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::access::ImageAccess;
use crate::error::Error;
use crate::image_reader::{self, Platform, ReadOptions, Reference, RunConfig};
use crate::pack::Watch;
use crate::path::RootPath;
use crate::proof::{Experiment, Place, Probe, Proof, prove, read_suite, ready, signal, time};
use crate::registry::Access;

/// The user for a directory, which specifies none: the default of images.
const NONROOT: &str = "65532:65532";
const SIGTERM: i32 = 15;

/// Output format of the proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProofFormat {
    /// Text for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One JUnit document, for CI systems.
    Junit,
    /// One SARIF 2.1.0 document, for code scanning.
    Sarif,
}

/// Options of a trial run.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrialOptions {
    /// Waits until the program accepts connections at this port of its own network: tcp:PORT.
    #[arg(long, value_name = "tcp:PORT")]
    pub(crate) ready: Option<String>,
    /// Request to send: http://127.0.0.1:PORT/PATH[=STATUS]; without a status, any below 400 is accepted. Repeatable.
    #[arg(long, value_name = "URL[=STATUS]")]
    pub(crate) probe: Vec<String>,
    /// Ends the program after this time, such as 10s; without this option, --ready and --probe, it runs until it ends.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) lasts: Option<String>,
    /// Maximum run time.
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(crate) limit: String,
    /// Lets the program use the network of this machine; without this option it has only its own loopback interface.
    #[arg(long)]
    pub(crate) net: bool,
    /// Maximum memory of each process, and of files that it makes, in megabytes.
    #[arg(long, value_name = "MB", default_value_t = 4096)]
    pub(crate) memory: u64,
    /// Maximum number of processes and threads at a time.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub(crate) processes: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The builder root to compare with: a directory or an image. The same command runs in it, and is observed in the
    /// same way.
    #[arg(long, value_name = "DIR|IMAGE")]
    pub(crate) root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) access: ImageAccess,
    #[command(flatten)]
    pub(crate) trial: TrialOptions,
    /// Environment variable. Repeatable.
    #[arg(long = "env", short = 'e', value_name = "K=V")]
    pub(crate) env: Vec<String>,
    /// Working directory.
    #[arg(long = "workdir", short = 'w', value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// User: that of the image, or 65532:65532 for a directory.
    #[arg(long, short = 'u', value_name = "NAME|UID[:GID]")]
    pub(crate) user: Option<String>,
    /// A file with several runs, such as slimroot.verify.toml: each with arguments, conditions and probes.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Also fails if the program looked for files that the image lacks, or if a server logs other lines, even if the
    /// program behaves as in the builder root.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ProofFormat,
    /// The packed root: a directory, or an image (oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF]).
    #[arg(value_name = "TARGET")]
    pub(crate) target: PathBuf,
    /// For a directory, the program with its arguments; for an image, arguments that replace its CMD.
    #[arg(last = true, value_name = "ARG")]
    pub(crate) line: Vec<String>,
}

/// The defaults of the command line.
impl Default for TrialOptions {
    fn default() -> Self {
        Self {
            ready: None,
            probe: Vec::new(),
            lasts: None,
            limit: "60s".to_owned(),
            net: false,
            memory: 4096,
            processes: 1024,
        }
    }
}

impl TrialOptions {
    /// An experiment with these conditions.
    pub(crate) fn experiment(&self, line: Vec<String>) -> Result<Experiment, Error> {
        Ok(Experiment {
            name: String::new(),
            line,
            input: Vec::new(),
            status: 0,
            says: [None, None],
            env: Default::default(),
            workdir: RootPath::root(),
            user: NONROOT.to_owned(),
            stop_signal: SIGTERM,
            ready: self.ready.as_deref().map(ready).transpose()?,
            probes: self.probe.iter().map(|text| Probe::parse(text)).collect::<Result<_, _>>()?,
            lasts: self.lasts.as_deref().map(|text| time("--for", text)).transpose()?,
            limit: time("--limit", &self.limit)?,
            net: self.net,
            memory: self.memory.saturating_mul(1_000_000),
            processes: self.processes,
        })
    }
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Vec<Proof>, Error> {
    let (access, platform) = (options.access.access(), options.access.platform.as_ref());
    let (packed, config) = open(&options.target, &access, platform, watch)?;
    let builder = options.root.as_deref().map(|root| open(root, &access, platform, watch)).transpose()?;
    let line = match &config {
        Some(config) if options.line.is_empty() => config.line(),
        Some(config) => config.entrypoint.iter().chain(&options.line).cloned().collect(),
        None => options.line.clone(),
    };
    if line.is_empty() && options.file.is_none() {
        return Err(Error::new("bad-argument", "no program: give the program that the directory starts")
            .help("for example: slimroot verify --root / rootfs -- /usr/bin/curl --version"));
    }
    let mut experiment = options.trial.experiment(line)?;
    if let Some(config) = config {
        experiment = of_image(experiment, config);
    }
    experiment.env.extend(super::pairs("--env", &options.env)?);
    if let Some(user) = &options.user {
        experiment.user.clone_from(user);
    }
    if let Some(dir) = &options.workdir {
        experiment.workdir = RootPath::new(dir).ok_or_else(|| {
            Error::new("bad-argument", format!("--workdir {dir} is not an absolute path without `..`"))
        })?;
    }
    let runs = match &options.file {
        Some(file) => read_suite(file, &experiment)?,
        None => vec![experiment],
    };
    let builder = builder.as_ref().map(|(place, _)| place);
    runs.iter().map(|run| prove(&packed, builder, run, watch.stop)).collect()
}

impl TrialOptions {
    /// An option that has no effect without a test run, if one is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--ready", self.ready.is_some()),
            ("--probe", !self.probe.is_empty()),
            ("--for", self.lasts.is_some()),
            ("--net", self.net),
        ];
        given.iter().find(|(_, is_given)| *is_given).map(|(option, _)| *option)
    }
}

/// An experiment with the run settings of an image.
pub(super) fn of_image(mut experiment: Experiment, config: RunConfig) -> Experiment {
    experiment.stop_signal = signal(&config.stop_signal).unwrap_or(SIGTERM);
    experiment.env = config.env;
    experiment.user = if config.user.is_empty() { "0:0".to_owned() } else { config.user };
    experiment.workdir = RootPath::new(&config.workdir).unwrap_or_else(RootPath::root);
    experiment
}

/// Opens a directory, or unpacks an image.
pub(crate) fn open(
    place: &Path,
    access: &Access,
    platform: Option<&Platform>,
    watch: &Watch<'_>,
) -> Result<(Place, Option<RunConfig>), Error> {
    let Some(reference) = place.to_str().and_then(Reference::parse) else {
        return Ok((Place::of_dir(place)?, None));
    };
    let options = ReadOptions { progress: &|_, _| (), stop: watch.stop, access, platform };
    let image = image_reader::read(&reference, &options)?;
    Ok((Place::of_image(&*image.tree, watch.stop)?, Some(image.run)))
}
