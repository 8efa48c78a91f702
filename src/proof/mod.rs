//! The proof: runs and traces the program in a packed root and in the builder root, and names differences and missing
//! files.
//!
//! A run proves only what it exercised: untouched files are never called superfluous.

mod differ;
mod missed;
mod observed;
mod probe;
mod run;
mod suite;
mod survey;
mod unpack;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "cli")]
pub(crate) use differ::end;
pub use missed::{Kind, Missed};
pub use probe::{Answer, Probe, ready};
pub use run::Outcome;
pub use suite::{read as read_suite, signal, time};
pub use survey::{Listing, Untouched};

use crate::cleanup::Guarded;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::guest::{Isolation, Trial};
use crate::path::RootPath;
use crate::plan::Identity;
use crate::root::{Root, Tree};
use crate::world::find_program;
use differ::{Difference, What};

/// A program with the conditions of its runs, which are the same in both roots.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Name in the report; empty if the command is enough.
    pub name: String,
    /// The program and its arguments.
    pub line: Vec<String>,
    /// Its standard input.
    pub input: Vec<u8>,
    /// The expected exit status; 0 by default.
    pub status: i32,
    /// Patterns that its standard output and error must match.
    pub says: [Option<regex::bytes::Regex>; 2],
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
    /// Run time; without this and without probes, it runs until it ends.
    pub lasts: Option<Duration>,
    /// Maximum run time.
    pub limit: Duration,
    /// True if it shares the network of this machine.
    pub net: bool,
    /// Maximum memory of each process and of files in memory, in bytes.
    pub memory: u64,
    /// Maximum number of processes and threads.
    pub processes: usize,
}

impl Experiment {
    /// True for a program that answers requests or is stopped, instead of ending by itself.
    pub fn is_server(&self) -> bool {
        self.ready.is_some() || !self.probes.is_empty()
    }
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Both runs behave the same, or the run succeeds and there is no other.
    Proven,
    /// The packed run differs from that in the builder root, or fails.
    Missed,
    /// Both fail in the same way.
    FailsInBoth,
}

/// The report.
#[derive(Debug, serde::Serialize)]
pub struct Proof {
    /// Name and version of the document's schema.
    pub schema: &'static str,
    /// Name in the file of runs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The command.
    pub line: Vec<String>,
    /// Isolation that the kernel granted.
    pub isolation: Isolation,
    /// The result.
    pub verdict: Verdict,
    /// The run of the packed root.
    pub packed: Outcome,
    /// The run of the builder root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builder: Option<Outcome>,
    /// Differences between the runs, or failures.
    pub differences: Vec<String>,
    /// Failures of the run in the builder root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Differences in the log of a server whose answers are right: a failure only with --strict.
    pub noticed: Vec<String>,
    /// Parts that differ between two runs in the builder root, and so are not compared.
    pub unsteady: Vec<String>,
    /// Missing files, in order.
    pub missed: Vec<Missed>,
    /// Number of paths that neither root has.
    pub absent_in_both: usize,
    /// Other problems in the run, with the codes of `check`: accounts, ports, refused writes.
    pub observed: Vec<Finding>,
    /// Directories that the packed run listed and in which the builder root has more names.
    pub listings: Vec<Listing>,
    /// Packed files that the run did not use. They may be needed nevertheless.
    #[serde(flatten)]
    pub untouched: Untouched,
}

/// The code of a program that fails in both roots.
pub const FAILS_IN_BOTH: &str = "run-fails-in-both";

impl Proof {
    /// All problems as findings: differences of the runs, missing files, and other problems. Caches are omitted, and
    /// also directories if the program behaves as in the builder root.
    pub fn findings(&self) -> Vec<Finding> {
        let is_missed = self.verdict == Verdict::Missed;
        let level = if is_missed { Level::Error } else { Level::Warning };
        let subject = self.line.first().cloned().unwrap_or_default();
        let mut found = Vec::new();
        if self.verdict == Verdict::FailsInBoth {
            let says = format!("{} fails in the builder root too: {}", self.line.join(" "), self.faults.join("; "));
            let finding = Finding::new(FAILS_IN_BOTH, Level::Error, subject.clone(), says);
            found.push(finding.help("give conditions under which it works, such as --env, --ready or --for"));
        }
        for says in &self.differences {
            found.push(Finding::new("run-differs", Level::Error, subject.clone(), says.clone()));
        }
        for says in &self.noticed {
            found.push(Finding::new("run-differs", Level::Warning, subject.clone(), says.clone()));
        }
        for missed in &self.missed {
            let level = match missed.kind {
                Kind::Cache => continue,
                Kind::Directory if !is_missed => continue,
                Kind::Directory => Level::Note,
                _ => level,
            };
            let says = format!("{}: {} (seen in a run)", missed.path, missed.how);
            let mut finding = Finding::new(missed.kind.code(), level, missed.path.clone(), says);
            finding = finding.help(missed.option.clone());
            finding.wanted_by = missed.askers.first().cloned();
            found.push(finding);
        }
        found.extend(self.observed.iter().cloned());
        found
    }
}

/// Findings of runs, with their pages for `slimroot explain`.
pub const PAGES: &[(&str, &str)] = &[
    (
        "run-differs",
        "The packed program behaves differently than in the builder root, with the same arguments, environment, user \
         and network: its exit status, its output, or its answers to probes differ. Something that it needs is not in \
         the image, and is usually among the paths of run-missed.",
    ),
    (
        "run-missed",
        "The program looked up this path in the image, which lacks it, and the builder root has it; or the run in the \
         builder root used it, and the image does not have it. The message says which, and names the option that adds \
         it. If the program behaves as in the builder root nevertheless, this is only a hint.",
    ),
    (
        "run-fails-in-both",
        "The program fails in the builder root in the same way as in the image, so its run proves nothing. It may need \
         arguments, environment variables, a network (--net), or a server that is not running.",
    ),
    (
        "write-refused",
        "The packed program was not allowed to write, create, rename or remove a file: the file or its directory \
         belongs to another user, or is on a read-only file system. In the builder stage, give the directory to the \
         image's user (chown, or --owner-map), make it a volume, or configure the program to write to /tmp. If the \
         write is refused in the builder root too, this is only a note.",
    ),
];

/// The page of a finding of a run.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// A root to run programs of: a directory, or an image that is unpacked.
pub struct Place {
    dir: PathBuf,
    root: Root,
    unpacked: Option<Guarded>,
}

impl Place {
    /// A directory.
    ///
    /// # Errors
    /// `root-missing`, `unreadable`.
    pub fn of_dir(dir: &Path) -> Result<Self, Error> {
        let root = Root::open(dir)?;
        let dir = dir.canonicalize().map_err(|error| Error::unreadable(&dir.display(), error))?;
        Ok(Self { dir, root, unpacked: None })
    }

    /// The files of an image, in a temporary directory.
    ///
    /// # Errors
    /// `unreadable`, `unwritable`, `disk-full`, `interrupted`.
    pub fn of_image(tree: &dyn Tree, stop: &dyn Fn() -> bool) -> Result<Self, Error> {
        let unwritable = |error| Error::unwritable(&"the temporary directory", error);
        let folder = Guarded::new().map_err(unwritable)?;
        // Programs run as the image's user.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).map_err(unwritable)?;
        unpack::unpack(tree, folder.path(), stop)?;
        let (dir, root) = (folder.path().to_path_buf(), Root::open(folder.path())?);
        Ok(Self { dir, root, unpacked: Some(folder) })
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
    // Look up user names in the image.
    let identity = Identity::of(&experiment.user, &packed.root)?;
    let Some(identity) = identity else {
        let says = format!("the user {} is not in the accounts of the packed root", experiment.user);
        return Err(Error::new("bad-argument", says).help("use numbers, such as --user 65532:65532"));
    };
    let copy = std::cell::OnceCell::new();
    let start = |place: &Place, isolation: Isolation| {
        // Without an overlay, the packed root is a copy, so that it does not change.
        let is_packed = std::ptr::eq(place, packed) && place.unpacked.is_none();
        let place = match is_packed && isolation == Isolation::Chroot {
            true if copy.get().is_none() => {
                let made = Place::of_image(&**packed.root.tree(), stop)?;
                copy.get_or_init(|| made)
            }
            true => copy.get().unwrap_or(place),
            false => place,
        };
        let accounts = observed::with_account(&place.root, &packed.root, identity.uid)?;
        start(place, isolation, experiment, (&identity, accounts.as_deref()), stop)
    };
    let ((run, other), isolation) = isolated(|isolation| {
        let run = start(packed, isolation)?;
        Ok((run, builder.map(|builder| start(builder, isolation)).transpose()?))
    })?;
    let mut differences = match &other {
        Some(other) => differ::differences(&run, other, experiment),
        None => differ::faults(&run, experiment),
    };
    let mut unsteady = Vec::new();
    if let (Some(builder), Some(other), true) = (builder, &other, differences.iter().any(|one| one.what != What::End)) {
        let again = start(builder, isolation)?;
        for difference in differ::differences(&again, other, experiment) {
            if differences.iter().any(|known| known.what == difference.what) && difference.what != What::End {
                unsteady.push(difference.what);
            }
        }
        differences.retain(|known| !unsteady.contains(&known.what));
        differences.extend(always_lacking(&unsteady, &run, [other, &again], experiment, || start(packed, isolation))?);
    }
    // Clients of a server do not see its log.
    let is_of_log = |one: &Difference| experiment.is_server() && matches!(one.what, What::Stream(_));
    let (noticed, differences): (Vec<_>, Vec<_>) = differences.into_iter().partition(is_of_log);
    let verdict = match &other {
        _ if !differences.is_empty() => Verdict::Missed,
        Some(other) if !other.is_good(experiment) => Verdict::FailsInBoth,
        _ => Verdict::Proven,
    };
    let faults = match (verdict, &other) {
        (Verdict::FailsInBoth, Some(other)) => differ::faults(other, experiment),
        _ => Vec::new(),
    };
    let (missed, absent_in_both) = match builder {
        Some(builder) => {
            missed::missed(&packed.root, &builder.root, &run.trace, other.as_ref().map(|other| &other.trace))?
        }
        None => (Vec::new(), 0),
    };
    let listings = match builder {
        Some(builder) => survey::listings(&packed.root, &builder.root, &run.trace)?,
        None => Vec::new(),
    };
    let runs = observed::Runs { packed: &packed.root, builder: builder.map(|builder| &builder.root), run: &run };
    let observed = observed::observed(&runs, other.as_ref(), experiment, verdict, identity.uid)?;
    let untouched = survey::untouched(&packed.root, &run.trace)?;
    Ok(Proof {
        schema: "slimroot.verify.v1",
        name: experiment.name.clone(),
        line: experiment.line.clone(),
        isolation,
        verdict,
        differences: differences.into_iter().map(|difference| difference.says).collect(),
        faults: faults.into_iter().map(|fault| fault.says).collect(),
        noticed: noticed.into_iter().map(|difference| difference.says).collect(),
        unsteady: unsteady.iter().map(|what| what.name(experiment)).collect(),
        packed: run,
        builder: other,
        missed,
        absent_in_both,
        observed,
        listings,
        untouched,
    })
}

/// Lines that two runs in the packed root lack, although both runs in the builder root print them.
fn always_lacking(
    unsteady: &[What],
    run: &Outcome,
    others: [&Outcome; 2],
    experiment: &Experiment,
    again: impl Fn() -> Result<Outcome, Error>,
) -> Result<Vec<Difference>, Error> {
    let lacks = |run: &Outcome| -> Vec<Difference> {
        unsteady.iter().filter_map(|what| differ::lacks(*what, run, others, experiment)).collect()
    };
    let mut found = lacks(run);
    if !found.is_empty() {
        let second = lacks(&again()?);
        found.retain(|one| second.iter().any(|other| other.says == one.says));
    }
    Ok(found)
}

/// Runs a function with the best isolation that the kernel permits here.
fn isolated<T>(run: impl Fn(Isolation) -> Result<T, Error>) -> Result<(T, Isolation), Error> {
    let mut refused = None;
    for isolation in Isolation::ALL {
        match run(isolation) {
            Ok(outcome) => return Ok((outcome, isolation)),
            // The first error is the most informative.
            Err(error) if error.code == "cannot-watch" => refused = refused.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| Error::new("internal", "there is no way to run a program")))
}

fn start(
    place: &Place,
    isolation: Isolation,
    experiment: &Experiment,
    (identity, passwd): (&Identity, Option<&[u8]>),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Outcome, Error> {
    let name = experiment.line.first().map(String::as_str).unwrap_or_default();
    let path = experiment.env.get("PATH").map_or(crate::closure::DEFAULT_PATH, String::as_str);
    let program = match find_program(&place.root, name.as_bytes(), &experiment.workdir, path) {
        Ok(program) => program.as_bytes().to_vec(),
        // The kernel reports this too, and the run is compared.
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
        user: (identity.uid, &identity.gids),
        passwd,
        net: experiment.net,
        sockets: &run::sockets(experiment),
        memory: experiment.memory,
        processes: experiment.processes,
    };
    let outcome = run::run(&trial, isolation, experiment, stop);
    if stop() {
        return Err(Error::new("interrupted", "ended by a signal; no temporary files are left"));
    }
    outcome.map_err(|error| {
        let says = format!("{name} of {} cannot be traced here", place.dir.display());
        Error::new("cannot-watch", says)
            .because(error)
            .help("it needs separate namespaces: run slimroot as root, or where user namespaces are allowed")
    })
}
