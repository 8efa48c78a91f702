//! The proof: runs the program of a packed root under watch, and the same in the builder root, and names what differs and
//! what was missed.
//!
//! A run proves only what it exercised: what it did not touch is never called superfluous.

mod missed;
mod probe;
mod run;
mod unpack;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use missed::{Kind, Missed};
pub use probe::{Answer, Probe, ready};
pub use run::Outcome;

use crate::cleanup::Known;
use crate::error::Error;
use crate::guest::{Isolation, Trial};
use crate::path::RootPath;
use crate::plan::Identity;
use crate::root::{Root, Tree};
use crate::world::find_program;

/// A program with the conditions of its runs. Both roots get the same.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The program and its arguments.
    pub line: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub workdir: RootPath,
    /// Its user, as in an image: `NAME|UID[:GROUP|GID]`.
    pub user: String,
    /// The signal that ends it.
    pub stop_signal: i32,
    /// An address at which it accepts connections when it is ready.
    pub ready: Option<SocketAddr>,
    /// Requests to it.
    pub probes: Vec<Probe>,
    /// How long it runs; without this and without probes, until it ends.
    pub lasts: Option<Duration>,
    /// How long it may run at most.
    pub limit: Duration,
    /// True if it shares the network of this machine.
    pub net: bool,
    /// Maximum memory of each process and of files in memory, in bytes.
    pub memory: u64,
    /// Maximum number of processes and threads.
    pub processes: usize,
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Both runs look the same, or the run is good and there is no other.
    Proven,
    /// The packed run differs from that in the builder root, or is not good.
    Missed,
    /// Both fail in the same way.
    FailsInBoth,
}

/// The report.
#[derive(Debug, serde::Serialize)]
pub struct Proof {
    /// Name and version of the document's schema.
    pub schema: &'static str,
    /// The command.
    pub line: Vec<String>,
    /// What the kernel granted.
    pub isolation: Isolation,
    /// The result.
    pub verdict: Verdict,
    /// The run of the packed root.
    pub packed: Outcome,
    /// The run of the builder root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builder: Option<Outcome>,
    /// How the runs differ, or what is not good.
    pub differences: Vec<String>,
    /// What two runs in the builder root do differently, and is not compared.
    pub unsteady: Vec<&'static str>,
    /// What was missed, in order.
    pub missed: Vec<Missed>,
    /// Number of paths that neither root has.
    pub absent_in_both: usize,
    /// Programs in the packed root that no run has touched.
    pub untouched_programs: Vec<String>,
}

/// Findings of runs, with their pages for `slimroot explain`.
pub const PAGES: &[(&str, &str)] = &[
    (
        "run-differs",
        "The program of the image behaves otherwise than in the builder root, with the same arguments, environment, user and \
         network: its exit status, its output, or its answers to probes. Something that it needs is not in the image, and \
         is usually among the paths of run-missed.",
    ),
    (
        "run-missed",
        "The program looked this path up in vain, and the builder root has it; or the run in the builder root used it, \
         and the image does not have it. The message tells which, and the option that adds it. If the program behaves as \
         in the builder root all the same, this is no more than a hint.",
    ),
    (
        "run-fails-in-both",
        "The program fails in the builder root in the same way as in the image, so its run proves nothing. It may need \
         arguments, an environment, a network (--net), or a server that is not there.",
    ),
];

/// A root to run programs of: a directory, or an image that is unpacked.
pub struct Place {
    dir: PathBuf,
    root: Root,
    _unpacked: Option<(tempfile::TempDir, Known)>,
}

impl Place {
    /// A directory.
    ///
    /// # Errors
    /// `root-missing`, `unreadable`.
    pub fn of_dir(dir: &Path) -> Result<Self, Error> {
        let root = Root::open(dir)?;
        let dir = dir.canonicalize().map_err(|error| Error::unreadable(&dir.display(), error))?;
        Ok(Self { dir, root, _unpacked: None })
    }

    /// The files of an image, in a temporary directory.
    ///
    /// # Errors
    /// `unreadable`, `unwritable`, `disk-full`, `interrupted`.
    pub fn of_image(tree: &dyn Tree, stop: &dyn Fn() -> bool) -> Result<Self, Error> {
        let unwritable = |error| Error::unwritable(&"the temporary directory", error);
        let folder = tempfile::Builder::new().prefix("slimroot-").tempdir().map_err(unwritable)?;
        let known = Known::new(folder.path());
        // Programs run as the image's user.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).map_err(unwritable)?;
        unpack::unpack(tree, folder.path(), stop)?;
        let (dir, root) = (folder.path().to_path_buf(), Root::open(folder.path())?);
        Ok(Self { dir, root, _unpacked: Some((folder, known)) })
    }
}

/// Runs an experiment in the packed root and, if there is one, in the builder root.
///
/// # Errors
/// `cannot-watch`, `interrupted`, `bad-argument` for an unknown user, `unreadable`; `entry-missing` if the builder root has
/// no such program either.
pub fn prove(
    packed: &Place,
    builder: Option<&Place>,
    experiment: &Experiment,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Proof, Error> {
    // Names of users are those of the image.
    let identity = Identity::of(&experiment.user, &packed.root)?;
    let Some(identity) = identity else {
        let says = format!("the user {} is not in the accounts of the packed root", experiment.user);
        return Err(Error::new("bad-argument", says).help("give numbers, such as --user 65532:65532"));
    };
    let user = (identity.uid, identity.gids.first().copied().unwrap_or_default());
    let start = |place: &Place, isolation: Isolation| start(place, isolation, experiment, user, stop);
    let (run, isolation) = match start(packed, Isolation::Overlay) {
        Ok(run) => (run, Isolation::Overlay),
        Err(error) if error.code == "cannot-watch" => (start(packed, Isolation::ReadOnly)?, Isolation::ReadOnly),
        Err(error) => return Err(error),
    };
    let other = builder.map(|builder| start(builder, isolation)).transpose()?;
    let mut differences = match &other {
        Some(other) => differences(&run, other, experiment),
        None => faults(&run, experiment),
    };
    let mut unsteady = Vec::new();
    if let (Some(builder), Some(other), true) = (builder, &other, differences.iter().any(Difference::is_of_output)) {
        let again = start(builder, isolation)?;
        for difference in self::differences(&again, other, experiment) {
            differences.retain(|known| known.what != difference.what);
            unsteady.push(difference.what);
        }
    }
    let verdict = match &other {
        _ if !differences.is_empty() => Verdict::Missed,
        Some(other) if !other.is_good(experiment) => Verdict::FailsInBoth,
        _ => Verdict::Proven,
    };
    let (missed, absent_in_both) = match builder {
        Some(builder) => {
            missed::missed(&packed.root, &builder.root, &run.trace, other.as_ref().map(|other| &other.trace))?
        }
        None => (Vec::new(), 0),
    };
    let untouched_programs = untouched(&packed.root, &run)?;
    Ok(Proof {
        schema: "slimroot.verify.v1",
        line: experiment.line.clone(),
        isolation,
        verdict,
        differences: differences.into_iter().map(|difference| difference.says).collect(),
        unsteady,
        packed: run,
        builder: other,
        missed,
        absent_in_both,
        untouched_programs,
    })
}

fn start(
    place: &Place,
    isolation: Isolation,
    experiment: &Experiment,
    user: (u32, u32),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Outcome, Error> {
    let name = experiment.line.first().map(String::as_str).unwrap_or_default();
    let path = experiment.env.get("PATH").map_or(crate::closure::DEFAULT_PATH, String::as_str);
    let program = match find_program(&place.root, name.as_bytes(), &experiment.workdir, path) {
        Ok(program) => program.as_bytes().to_vec(),
        // The kernel says so too, and the run is compared.
        Err(error) if error.code == "entry-missing" => name.as_bytes().to_vec(),
        Err(error) => return Err(error),
    };
    let arguments: Vec<Vec<u8>> = experiment.line.iter().map(|word| word.clone().into_bytes()).collect();
    let mut env = experiment.env.clone();
    env.entry("PATH".to_owned()).or_insert_with(|| crate::closure::DEFAULT_PATH.to_owned());
    env.entry("HOME".to_owned()).or_insert_with(|| "/".to_owned());
    let environment: Vec<Vec<u8>> = env.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect();
    let trial = Trial {
        root: &place.dir,
        program: &program,
        arguments: &arguments,
        environment: &environment,
        workdir: experiment.workdir.as_bytes(),
        user,
        net: experiment.net,
        sockets: &run::sockets(experiment),
        memory: experiment.memory,
        processes: experiment.processes,
    };
    let outcome = run::run(&trial, isolation, experiment, stop);
    if stop() {
        return Err(Error::new("interrupted", "ended by a signal; nothing is left behind"));
    }
    outcome.map_err(|error| {
        let says = format!("{name} of {} cannot be run under watch here", place.dir.display());
        Error::new("cannot-watch", says)
            .because(error)
            .help("it needs namespaces of its own: run slimroot as root, or where user namespaces are allowed")
    })
}

/// One way in which two runs differ.
struct Difference {
    what: &'static str,
    says: String,
}

impl Difference {
    fn is_of_output(&self) -> bool {
        self.what != "end"
    }
}

fn differences(run: &Outcome, other: &Outcome, experiment: &Experiment) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |what: &'static str, says: String| found.push(Difference { what, says });
    let (own, theirs) = (end(run), end(other));
    if own != theirs {
        differ("end", format!("it {own}; in the builder root it {theirs}"));
    }
    if run.ready != other.ready {
        let says = if run.ready { "accepts connections only here" } else { "accepts no connection" };
        differ("end", format!("it {says}, unlike in the builder root"));
    }
    for (name, at) in [("standard output", 0), ("standard error", 1)] {
        if run.output[at] != other.output[at] {
            let line = first_difference(&run.output[at], &other.output[at]);
            differ(name, format!("{name} differs from that in the builder root{line}"));
        }
    }
    for (probe, (answer, known)) in experiment.probes.iter().zip(run.answers.iter().zip(&other.answers)) {
        if answer.status != known.status {
            let says = format!("{} answers {}; in the builder root {}", probe.text, shown(answer), shown(known));
            differ("end", says);
        } else if answer.body != known.body {
            differ("an answer", format!("{} answers with another body than in the builder root", probe.text));
        }
    }
    found
}

/// What is not good of a run that is compared with no other.
fn faults(run: &Outcome, experiment: &Experiment) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut fault = |says: String| found.push(Difference { what: "end", says });
    let is_end = (run.stopped || run.status == Some(0)) && run.failure.is_none() && run.cut.is_none();
    if !is_end {
        fault(format!("it {}", end(run)));
    }
    if experiment.ready.is_some() && !run.ready {
        fault("it accepts no connection".to_owned());
    }
    for (probe, answer) in experiment.probes.iter().zip(&run.answers) {
        if !probe.is_met(answer) {
            fault(format!("{} answers {}", probe.text, shown(answer)));
        }
    }
    found
}

/// How a run ended, as a verb.
pub(crate) fn end(run: &Outcome) -> String {
    match (&run.failure, run.cut, run.stopped, run.status, run.signal) {
        (Some(failure), ..) => format!("cannot be executed: {failure}"),
        (_, Some(cut), ..) => format!("was ended because {cut}"),
        (_, _, true, ..) => "ran until it was stopped".to_owned(),
        (.., Some(status), _) => format!("ended with status {status}"),
        (.., signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
    }
}

fn shown(answer: &Answer) -> String {
    match (answer.status, &answer.failure) {
        (Some(status), _) => status.to_string(),
        (None, Some(failure)) => format!("nothing ({failure})"),
        (None, None) => "nothing".to_owned(),
    }
}

/// The first line that differs, shortened.
fn first_difference(own: &[u8], theirs: &[u8]) -> String {
    const MAX: usize = 160;
    let lines = |text: &[u8]| -> Vec<Vec<u8>> { text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() };
    let (own, theirs) = (lines(own), lines(theirs));
    let at = own.iter().zip(&theirs).position(|(a, b)| a != b).unwrap_or(own.len().min(theirs.len()));
    let line = |lines: &[Vec<u8>]| {
        let line = lines.get(at).map(|line| crate::path::show(&line[..line.len().min(MAX)]).into_owned());
        line.filter(|line| !line.is_empty()).map_or_else(|| "nothing".to_owned(), |line| format!("`{line}`"))
    };
    format!(" in line {}: {} instead of {}", at + 1, line(&own), line(&theirs))
}

/// Programs in directories of commands that no process has executed or mapped.
fn untouched(root: &Root, run: &Outcome) -> Result<Vec<String>, Error> {
    let mut touched = std::collections::BTreeSet::new();
    for path in run.trace.reached().keys() {
        touched.extend(root.follow(path)?.found().map(|(real, _)| real.clone()));
    }
    let mut found = std::collections::BTreeSet::new();
    for dir in crate::world::tables::system().commands.iter() {
        let Some(dir) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        for name in root.list(&dir)? {
            let path = dir.join(&name);
            let real = root.follow(path.as_bytes())?.file().map(|(real, _)| real.clone());
            if real.is_some_and(|real| !touched.contains(&real)) {
                found.insert(path.to_string());
            }
        }
    }
    Ok(found.into_iter().collect())
}
