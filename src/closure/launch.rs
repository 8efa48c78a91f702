//! Launches: programs as passed to execve(2), with the scripts and interpreters involved.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::process::ProcessId;
use super::script::{HEAD, MAX_CHAIN, env_command, parse_shebang};
use super::{Reason, path_of};
use crate::error::Error;
use crate::language::Certainty;
use crate::path::{RootPath, show};
use crate::root::Root;
use crate::world::find_program;
use crate::world::tables::has_applets;

/// The index of a launch in [`Launches`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaunchId(usize);

/// A program with its arguments, working directory and environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Launch {
    /// The path by which it is called.
    pub(super) program: RootPath,
    /// Its arguments, without its own name.
    pub(super) args: Vec<String>,
    /// Its working directory.
    pub(super) cwd: RootPath,
    /// Its environment, as far as it is known.
    pub(super) env: Rc<BTreeMap<String, String>>,
}

impl Launch {
    /// The properties that launches of one script share if they differ only in the order and number of their arguments.
    fn alike(&self) -> (RootPath, RootPath, BTreeSet<String>) {
        (self.program.clone(), self.cwd.clone(), self.args.iter().cloned().collect())
    }
}

/// A launch that was accepted.
pub(super) struct Launched {
    /// The launch.
    pub(super) launch: Launch,
    /// The real file of the program, from which the needs of the launch originate.
    pub(super) real: RootPath,
    /// Certainty that it runs; this never decreases.
    pub(super) certainty: Certainty,
    /// True if every run of the image reaches it: the entry, and programs with which it replaces itself.
    pub(super) is_certain: bool,
    /// True for a helper script of a package, whose directory is not an application.
    pub(super) is_helper: bool,
    /// The minimum number of launches between a root of the tree and this one.
    pub(super) depth: usize,
    /// The launches that start it; empty for the entry and each `--bin`.
    pub(super) starters: BTreeSet<LaunchId>,
    /// Scripts, as called, in the order in which each is interpreted by the next.
    pub(super) scripts: Vec<RootPath>,
    /// Programs in machine code, as called.
    pub(super) programs: Vec<RootPath>,
    /// The processes of these programs.
    pub(super) processes: Vec<ProcessId>,
    /// SONAMEs of the objects that they load.
    pub(super) sonames: BTreeSet<Vec<u8>>,
}

impl Launched {
    /// True if its program or a script of it has one of these file names.
    pub(super) fn is_called(&self, names: &BTreeSet<&str>) -> bool {
        self.names().any(|name| std::str::from_utf8(name).is_ok_and(|name| names.contains(name)))
    }

    /// The file names by which it is called: that of its program, and of a script that an interpreter gets.
    pub(super) fn called(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.launch.program).chain(self.scripts.first()).map(RootPath::name)
    }

    /// The file names by which its program and scripts are known.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let called = std::iter::once(&self.launch.program).chain(std::iter::once(&self.real));
        called.chain(&self.scripts).chain(&self.programs).map(RootPath::name).chain(self.applet())
    }

    /// The applet that is the first argument of a program with many: `busybox crond`.
    fn applet(&self) -> Option<&[u8]> {
        let is_many = has_applets(self.launch.program.name());
        self.launch.args.first().filter(|_| is_many).map(String::as_bytes)
    }

    /// The arguments behind the name of an applet.
    fn args(&self) -> &[String] {
        &self.launch.args[usize::from(self.applet().is_some())..]
    }
}

/// All launches, indexed by program, arguments, working directory and environment.
#[derive(Default)]
pub(super) struct Launches {
    all: Vec<Launched>,
    ids: BTreeMap<Launch, LaunchId>,
    /// Launches of scripts that have the same program, working directory and set of arguments.
    alike: HashMap<(RootPath, RootPath, BTreeSet<String>), Vec<LaunchId>>,
    /// The number of launches of each script.
    of_script: HashMap<RootPath, usize>,
    /// The entry and each `--bin`.
    pub(super) roots: Vec<LaunchId>,
}

impl Launches {
    pub(super) fn get(&self, id: LaunchId) -> &Launched {
        &self.all[id.0]
    }

    pub(super) fn get_mut(&mut self, id: LaunchId) -> &mut Launched {
        &mut self.all[id.0]
    }

    pub(super) fn find(&self, launch: &Launch) -> Option<LaunchId> {
        self.ids.get(launch).copied()
    }

    pub(super) fn insert(&mut self, launched: Launched) -> LaunchId {
        let id = LaunchId(self.all.len());
        self.ids.insert(launched.launch.clone(), id);
        if !launched.scripts.is_empty() {
            *self.of_script.entry(launched.launch.program.clone()).or_default() += 1;
            self.alike.entry(launched.launch.alike()).or_default().push(id);
        }
        self.all.push(launched);
        id
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of launches of a script; 0 for a program in machine code.
    pub(super) fn count_of_script(&self, program: &RootPath) -> usize {
        self.of_script.get(program).copied().unwrap_or(0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LaunchId, &Launched)> {
        self.all.iter().enumerate().map(|(at, launched)| (LaunchId(at), launched))
    }

    /// Arguments of the launches with at least this certainty, each with its working directory. The order does not
    /// depend on the order of discovery; the entry comes first.
    pub(super) fn arguments(
        &self,
        certainty: Certainty,
        is_wanted: impl Fn(&Launched) -> bool,
    ) -> Vec<(&RootPath, &[String])> {
        let counts = |launched: &&Launched| launched.certainty >= certainty && !launched.args().is_empty();
        let found = self.in_order().map(|id| self.get(id)).filter(counts).filter(|launched| is_wanted(launched));
        found.map(|one| (&one.launch.cwd, one.args())).collect()
    }

    /// All launches in an order that does not depend on the order of discovery; the entry comes first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = LaunchId> {
        let entry = self.roots.first().copied();
        let others = self.ids.values().copied().filter(move |id| entry != Some(*id));
        entry.into_iter().chain(others)
    }

    /// The launches that run a process.
    pub(super) fn of_process(&self, process: ProcessId) -> Vec<LaunchId> {
        self.iter().filter(|(_, launched)| launched.processes.contains(&process)).map(|(id, _)| id).collect()
    }

    /// The roots of the tree of launches above each launch, and itself if it is one. A root stays a root even if another
    /// launch starts it again.
    pub(super) fn roots_above(&self) -> BTreeMap<LaunchId, BTreeSet<LaunchId>> {
        let mut started: BTreeMap<LaunchId, Vec<LaunchId>> = BTreeMap::new();
        for (id, launched) in self.iter() {
            for starter in &launched.starters {
                started.entry(*starter).or_default().push(id);
            }
        }
        let mut above: BTreeMap<LaunchId, BTreeSet<LaunchId>> = BTreeMap::new();
        let is_root = |id: &LaunchId| self.roots.contains(id) || self.get(*id).starters.is_empty();
        for root in self.iter().map(|(id, _)| id).filter(is_root) {
            let mut open = vec![root];
            while let Some(id) = open.pop() {
                if above.entry(id).or_default().insert(root) {
                    open.extend(started.get(&id).into_iter().flatten());
                }
            }
        }
        above
    }

    /// The launch of the same script, on the way to the starter, whose arguments a launch only repeats. A script that
    /// calls itself with further arguments in several branches would otherwise double its launches at every step.
    pub(super) fn repeated(&self, launch: &Launch, starter: LaunchId) -> Option<LaunchId> {
        let alike = launch.alike();
        if launch.args.len() == alike.2.len() {
            return None;
        }
        let is_shorter = |id: &&LaunchId| self.get(**id).launch.args.len() < launch.args.len();
        let mut candidates = self.alike.get(&alike)?.iter().filter(is_shorter).peekable();
        candidates.peek()?;
        let above = self.ancestors(starter);
        candidates.find(|id| above.contain(**id)).copied()
    }

    /// The launch itself and those that start it, directly or through others.
    pub(super) fn ancestors(&self, id: LaunchId) -> Ancestors {
        let mut seen = vec![false; self.all.len()];
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut seen[id.0], true) {
                open.extend(self.get(id).starters.iter().filter(|starter| !seen[starter.0]));
            }
        }
        Ancestors(seen)
    }
}

/// A set of launches: true for each that belongs to it.
pub(super) struct Ancestors(Vec<bool>);

impl Ancestors {
    pub(super) fn contain(&self, id: LaunchId) -> bool {
        self.0[id.0]
    }
}

/// A file that a launch needs before its program runs.
pub(super) struct Step {
    pub(super) from: Option<RootPath>,
    pub(super) path: RootPath,
    pub(super) reason: Reason,
    /// True for a program in machine code.
    pub(super) is_program: bool,
}

/// The scripts and programs of a launch; after an error, those before the failing one.
pub(super) struct Chain {
    pub(super) steps: Vec<Step>,
    pub(super) scripts: Vec<RootPath>,
    pub(super) programs: Vec<RootPath>,
    pub(super) error: Option<Error>,
}

/// Follows `#!` lines from a program to the interpreters in machine code, as the kernel and env(1) do
/// (fs/binfmt_script.c).
///
/// # Errors
/// `unreadable`. Errors of the program itself are in the chain: `bad-shebang`, `shebang-cr`, `interpreter-missing`.
pub(super) fn chain(root: &Root, launch: &Launch, from: Option<&RootPath>, reason: Reason) -> Result<Chain, Error> {
    let mut chain = Chain { steps: Vec::new(), scripts: Vec::new(), programs: Vec::new(), error: None };
    let mut open = vec![(from.cloned(), launch.program.clone(), reason)];
    while let Some((from, path, reason)) = open.pop() {
        match step(root, launch, &mut chain, (from, &path, reason))? {
            Ok(next) => open.extend(next.into_iter().rev()),
            Err(error) => {
                chain.error = Some(error);
                break;
            }
        }
    }
    Ok(chain)
}

type Next = Vec<(Option<RootPath>, RootPath, Reason)>;

fn step(
    root: &Root,
    launch: &Launch,
    chain: &mut Chain,
    (from, path, reason): (Option<RootPath>, &RootPath, Reason),
) -> Result<Result<Next, Error>, Error> {
    let followed = root.follow_from(&launch.cwd, path.as_bytes())?;
    let Some((real, _)) = followed.file() else {
        return Ok(Err(Error::new("entry-missing", format!("{path} is not a file in the root"))));
    };
    let real = real.clone();
    let shebang = parse_shebang(path.as_bytes(), &root.head(&real, HEAD)?);
    let is_program = matches!(shebang, Ok(None));
    chain.steps.push(Step { from, path: path.clone(), reason, is_program });
    let shebang = match shebang {
        Ok(Some(shebang)) => shebang,
        Ok(None) => {
            chain.programs.push(path.clone());
            return Ok(Ok(Vec::new()));
        }
        Err(error) => return Ok(Err(error)),
    };
    if chain.scripts.len() == MAX_CHAIN || chain.scripts.contains(path) {
        let says = format!("{path} is one of more than {MAX_CHAIN} scripts that interpret each other");
        return Ok(Err(
            Error::new("bad-shebang", says).help("the kernel fails with \"too many levels of symbolic links\"")
        ));
    }
    chain.scripts.push(path.clone());
    let followed = root.follow_from(&launch.cwd, &shebang.interpreter)?;
    let Some((interpreter, _)) = followed.file() else {
        let says = format!("{path} is a script for {}, which is not in the root", show(&shebang.interpreter));
        return Ok(Err(Error::new("interpreter-missing", says)
            .help("install that interpreter in the builder stage, or change the #! line")));
    };
    let interpreter = RootPath::new(&shebang.interpreter).unwrap_or_else(|| interpreter.clone());
    let mut next = vec![(Some(real.clone()), interpreter, Reason::Shebang)];
    if let Some(command) = env_command(&shebang) {
        match find_program(root, &command, &launch.cwd, path_of(&launch.env)) {
            Ok(found) => next.push((Some(real), found, Reason::EnvCommand)),
            Err(error) if error.code == "entry-missing" => {
                let command = show(&command);
                let says = format!(
                    "{path} is a script for {command}, which is not in any directory of PATH in the \
                                    root"
                );
                return Ok(Err(Error::new("interpreter-missing", says)
                    .help("install it in the builder stage, or add its directory with --env PATH=…")));
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(next))
}
