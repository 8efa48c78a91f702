//! Python bytecode, compiled by the root's own interpreter, and the modules loaded at start-up.
//!
//! The bytecode is of the unchecked, hash-based kind (PEP 552): it contains no timestamp, and is valid as long as its
//! source is unchanged. The same root gives the same bytes: sources are compiled in order, in batches of a fixed size,
//! each by a separate interpreter without site packages and with a fixed hash seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::scratch::{self, Scratch};
use super::{Guest, Job, Refused};
use crate::path::RootPath;
use crate::root::DirTree;

const COMPILE: &str = include_str!("compile.py");
const STARTED: &str = include_str!("started.py");
/// Number of sources per interpreter. Earlier sources influence the bytes, so the number must not depend on the
/// machine.
const PORTION: usize = 256;
const MAX_WORKERS: usize = 8;
const PORTION_LIMIT: Duration = Duration::from_secs(300);
/// Maximum size of the bytecode of one batch.
const MAX_OUTPUT: usize = 512 << 20;
/// Maximum duration of a trial start, and the time without a new module after which it counts as complete.
const START_LIMIT: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(4);
/// Maximum size of the output of a trial start, which is not used.
const MAX_SAID: usize = 1 << 20;
/// Maximum size of the record of opened files.
const MAX_SEEN: u64 = 64 << 20;
/// Variables that the interpreter needs to run at all, and those that determine the location and kind of bytecode.
const KEPT_ENV: [&str; 4] = ["LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONPYCACHEPREFIX"];

/// An interpreter of the root, with the environment of the image.
pub struct Interpreter<'a> {
    /// The program.
    pub program: &'a RootPath,
    /// The environment of the image.
    pub env: &'a BTreeMap<String, String>,
}

/// The bytecode of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytecode {
    /// The source.
    pub source: RootPath,
    /// The path at which the interpreter looks for it.
    pub path: RootPath,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// The result of compiling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Bytecode by source.
    pub bytecode: Vec<Bytecode>,
    /// Number of sources that do not compile.
    pub not_compiled: usize,
}

impl Guest {
    /// Compiles sources.
    ///
    /// # Errors
    /// [`Refused`] if the interpreter cannot be run here or fails.
    pub fn bytecode(
        &self,
        interpreter: &Interpreter<'_>,
        sources: &[RootPath],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Made, Refused> {
        let portions: Vec<&[RootPath]> = sources.chunks(PORTION).collect();
        let done: Vec<Mutex<Option<Result<Made, Refused>>>> = portions.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS).min(portions.len());
        std::thread::scope(|scope| {
            let work = || {
                while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < portions.len()) {
                    let made = self.portion(interpreter, portions[at], stop);
                    // If the interpreter fails, the other batches are pointless.
                    if made.is_err() {
                        next.store(portions.len(), Ordering::Relaxed);
                    }
                    *done[at].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(made);
                }
            };
            let started = (0..workers).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok());
            if started.count() == 0 {
                work();
            }
        });
        let mut all = Made::default();
        let mut refused = None;
        for portion in done {
            match portion.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
                Some(Ok(made)) => {
                    all.bytecode.extend(made.bytecode);
                    all.not_compiled += made.not_compiled;
                }
                Some(Err(why)) => refused = refused.or(Some(why)),
                None => {}
            }
        }
        refused.map_or(Ok(all), Err)
    }

    fn portion(
        &self,
        interpreter: &Interpreter<'_>,
        sources: &[RootPath],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Made, Refused> {
        let kept = interpreter.env.iter().filter(|(name, _)| KEPT_ENV.contains(&name.as_str()));
        let mut env: BTreeMap<String, String> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        env.insert("PYTHONHASHSEED".to_owned(), "0".to_owned());
        env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
        let job = Job {
            program: interpreter.program,
            args: ["-S", "-s", "-c", COMPILE].map(str::to_owned).to_vec(),
            env,
            cwd: &RootPath::root(),
            input: sources.iter().map(RootPath::as_bytes).collect::<Vec<_>>().join(&0),
            scratch: None,
            limit: PORTION_LIMIT,
            max_output: MAX_OUTPUT,
            stop,
        };
        let ended = self.run(&job)?;
        let made = parse(&ended.output).filter(|_| ended.status == Some(0));
        made.ok_or_else(|| {
            Refused(format!("{} could not compile sources: {}", interpreter.program, complaint(&ended.complaint)))
        })
    }

    /// The sources that a program of the image opens at start-up: until it ends, opens no more for a while, or reaches
    /// the time limit.
    ///
    /// # Errors
    /// [`Refused`] if it cannot be started here or opened no sources that we could see.
    pub fn sources_of_start(
        &self,
        program: &RootPath,
        args: &[String],
        env: &BTreeMap<String, String>,
        cwd: &RootPath,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<BTreeSet<RootPath>, Refused> {
        let lost = |error: std::io::Error| Refused(format!("there is no directory for recording a start: {error}"));
        let folder = Scratch::new().map_err(lost)?;
        // Workers may run as another user.
        let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
        std::fs::set_permissions(folder.path(), everyone).map_err(lost)?;
        std::fs::write(folder.path().join("sitecustomize.py"), STARTED).map_err(lost)?;
        let Some(place) = self.scratch(folder.path()) else {
            return Err(Refused("the root has no /tmp for recording a start".to_owned()));
        };
        let mut env = env.clone();
        let path = env.get("PYTHONPATH").map_or(place.clone(), |path| format!("{place}:{path}"));
        env.insert("PYTHONPATH".to_owned(), path);
        env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
        // A directory without bytecode, so that the sources are opened.
        env.insert("PYTHONPYCACHEPREFIX".to_owned(), format!("{place}/none"));
        env.entry("HOME".to_owned()).or_insert_with(|| "/root".to_owned());
        let tree = folder.tree().map_err(|error| Refused(error.to_string()))?;
        let quiet = Quiet::new(&tree);
        let is_done = || stop() || quiet.is_long();
        let job = Job {
            program,
            args: args.to_vec(),
            env,
            cwd,
            input: Vec::new(),
            scratch: Some(folder.path()),
            limit: START_LIMIT,
            max_output: MAX_SAID,
            stop: &is_done,
        };
        let ended = self.run(&job);
        let found = read_seen(&tree);
        match ended {
            _ if !found.is_empty() => Ok(found),
            Err(why) => Err(why),
            Ok(ended) => Err(Refused(format!(
                "its start loaded no files that could be recorded: {}",
                complaint(&ended.complaint)
            ))),
        }
    }
}

fn complaint(said: &str) -> &str {
    if said.is_empty() { "it says nothing" } else { said }
}

/// Measures how long a record has not grown.
struct Quiet<'a> {
    scratch: &'a DirTree,
    last: Mutex<(u64, Instant)>,
}

impl<'a> Quiet<'a> {
    fn new(scratch: &'a DirTree) -> Self {
        Self { scratch, last: Mutex::new((0, Instant::now())) }
    }

    /// True if the record has grown and then stopped growing for a while.
    fn is_long(&self) -> bool {
        let size = scratch::size(self.scratch, &seen());
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if size != last.0 {
            *last = (size, Instant::now());
        }
        size > 0 && last.1.elapsed() >= QUIET || size > MAX_SEEN
    }
}

/// The path of the record in the scratch directory.
fn seen() -> RootPath {
    RootPath::root().join(b"seen")
}

/// The sources in a record; bytecode counts as its source.
fn read_seen(scratch: &DirTree) -> BTreeSet<RootPath> {
    let bytes = scratch::read(scratch, &seen(), MAX_SEEN);
    bytes.split(|b| *b == 0).filter_map(RootPath::new).map(|path| source_of(&path).unwrap_or(path)).collect()
}

/// `a/x.py` of `a/__pycache__/x.cpython-311.pyc` (PEP 3147).
fn source_of(bytecode: &RootPath) -> Option<RootPath> {
    let folder = bytecode.parent().filter(|folder| folder.name() == b"__pycache__")?;
    let stem = bytecode.name().strip_suffix(b".pyc")?.split(|b| *b == b'.').next()?;
    Some(folder.parent()?.join(&[stem, b".py"].concat()))
}

/// Parses the output of `compile.py`; `None` if it is malformed.
fn parse(answer: &[u8]) -> Option<Made> {
    let mut made = Made::default();
    let mut rest = answer;
    while !rest.is_empty() {
        let source = RootPath::new(part(&mut rest)?)?;
        let (path, bytes) = (part(&mut rest)?, part(&mut rest)?);
        match RootPath::new(path).filter(|path| path.name().ends_with(b".pyc")) {
            Some(path) => made.bytecode.push(Bytecode { source, path, bytes: bytes.to_vec() }),
            None => made.not_compiled += 1,
        }
    }
    Some(made)
}

/// Takes a part, which is preceded by its length in four bytes.
fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let part = after.get(..length)?;
    *rest = &after[length..];
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let put = |parts: &[&[u8]]| {
            let each = |part: &&[u8]| [&u32::try_from(part.len()).expect("small").to_be_bytes(), *part].concat();
            parts.iter().flat_map(each).collect::<Vec<u8>>()
        };
        let good = put(&[b"/a/x.py", b"/a/__pycache__/x.cpython-311.pyc", b"code", b"/a/bad.py", b"", b""]);
        let made = parse(&good).expect("an answer");
        assert_eq!((made.bytecode.len(), made.not_compiled), (1, 1));
        assert_eq!(made.bytecode[0].path.to_string(), "/a/__pycache__/x.cpython-311.pyc");
        assert_eq!(parse(&good[..good.len() - 1]), None);
        assert_eq!(parse(&put(&[b"a/x.py", b"/y.pyc", b""])), None);
        // Only bytecode paths are accepted as output.
        assert_eq!(parse(&put(&[b"/a/x.py", b"/etc/passwd", b"x"])).expect("an answer").not_compiled, 1);
    }

    #[test]
    fn bytecode_leads_back_to_its_source() {
        let source = |path| source_of(&RootPath::new(path).expect("a path")).map(|path| path.to_string());
        assert_eq!(source("/a/__pycache__/x.cpython-311.opt-1.pyc").as_deref(), Some("/a/x.py"));
        assert_eq!(source("/a/x.pyc"), None);
    }
}
