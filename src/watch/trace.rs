//! Record of the paths that a run used.

use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of different uses that are recorded in one run.
const MAX_SEEN: usize = 2_000_000;
/// Maximum number of programs that are recorded.
const MAX_PROCESSES: usize = 200_000;

/// Use of a path by a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Executed it.
    Exec,
    /// Mapped it into memory, as loaders do.
    Map,
    /// Opened it for reading.
    Open,
    /// Opened it for writing, created, renamed, changed or removed it.
    Write,
    /// Looked up its existence, properties or target.
    Look,
    /// Read the names in this directory.
    List,
    /// Connected to this socket.
    Connect,
    /// Bound a socket to this address: a path, or `PORT/tcp`.
    Bind,
}

impl Act {
    /// A verb in the past tense, with `it` as its object.
    pub fn says(self) -> &'static str {
        match self {
            Self::Exec => "executed it",
            Self::Map => "mapped it",
            Self::Open => "opened it",
            Self::Write => "wrote to it",
            Self::Look => "asked for it",
            Self::List => "listed it",
            Self::Connect => "connected to it",
            Self::Bind => "bound it",
        }
    }
}

/// One program of a process: a process that executes three programs counts three times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The process number.
    pub pid: i32,
    /// The program that started it or that it replaced, as an index.
    pub parent: Option<usize>,
    /// The program, as it was called.
    pub program: Vec<u8>,
    /// Its arguments, without its own name; long ones are truncated.
    pub arguments: Vec<Vec<u8>>,
}

/// One use of a path by a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The program, as an index into [`Trace::processes`].
    pub process: usize,
    /// The use.
    pub act: Act,
    /// The absolute path, as the process sees it; it may contain `..`.
    pub path: Vec<u8>,
    /// 0, or the number of the error (errno(3)).
    pub errno: i32,
    /// The system call; empty if there was none.
    pub call: &'static str,
}

/// Record of a run; equal uses are recorded once.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The programs, in the order in which they were started.
    pub processes: Vec<Process>,
    seen: BTreeSet<Seen>,
    /// Number of records that were dropped because of limits.
    pub lost: usize,
    /// Number of lines of a foreign trace that could not be used.
    pub unread: usize,
}

impl Trace {
    /// Adds a program; `None` if there are too many.
    pub fn start(&mut self, process: Process) -> Option<usize> {
        if self.processes.len() >= MAX_PROCESSES {
            self.lost += 1;
            return None;
        }
        self.processes.push(process);
        Some(self.processes.len() - 1)
    }

    /// Adds a use of a path.
    pub fn add(&mut self, seen: Seen) {
        if self.seen.len() >= MAX_SEEN {
            self.lost += 1;
            return;
        }
        self.seen.insert(seen);
    }

    /// All uses of paths, by program.
    pub fn seen(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter()
    }

    /// The program with this index, and the programs that started it, latest first. Forks that execute no program are
    /// omitted.
    pub fn askers(&self, process: usize) -> Vec<&Process> {
        let mut found: Vec<&Process> = Vec::new();
        let mut next = Some(process);
        while let Some(at) = next {
            let Some(one) = self.processes.get(at) else { break };
            if found.last().is_none_or(|last| last.program != one.program || last.arguments != one.arguments) {
                found.push(one);
            }
            // Parents always precede their children.
            next = one.parent.filter(|parent| *parent < at);
        }
        found
    }

    /// Paths that were used successfully, each with its strongest use in the order of [`Act`].
    pub fn reached(&self) -> BTreeMap<&[u8], &Seen> {
        let mut found: BTreeMap<&[u8], &Seen> = BTreeMap::new();
        for seen in self.seen.iter().filter(|seen| seen.errno == 0) {
            let known = found.entry(&seen.path).or_insert(seen);
            if seen.act < known.act {
                *known = seen;
            }
        }
        found
    }
}
