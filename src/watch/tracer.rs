//! The loop of the tracer: waits for stops, records the calls of a process, and lets it continue.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::calls::{self, CALLS, Call, Flags, Kind};
use super::kernel::{self, CallStop, Go, Start};
use super::registers::{self, Saved};
use super::trace::{Act, Process, Seen, Trace};

/// Events of ptrace(2), in the third byte of a status.
const EVENT_FORK: i32 = 1;
const EVENT_VFORK: i32 = 2;
const EVENT_CLONE: i32 = 3;
const EVENT_EXEC: i32 = 4;
const EVENT_EXIT: i32 = 6;
const EVENT_SECCOMP: i32 = 7;
const EVENT_STOP: i32 = 128;
/// Marks a stop at a call.
const CALL_MARK: i32 = 0x80;
/// Maximum lengths of a path (`PATH_MAX`), of a recorded argument, and of a memory map.
const MAX_PATH: usize = 4096;
const MAX_ARGUMENT: usize = 256;
const MAX_ARGUMENTS: usize = 64;
const MAX_MAP: usize = 4 << 20;
/// Flags of open(2) and values of socket addresses (the same on all machines of the filter).
const ACCESS_MODES: u64 = 3;
const CREATE: u64 = 0o100;
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Limits of a run.
#[derive(Default)]
pub(crate) struct Limits {
    /// Maximum number of processes and threads at a time.
    pub(crate) processes: usize,
    /// True if all processes end with the first one.
    pub(crate) end_with_first: bool,
    /// The directory of this machine that is `/` for the processes, if it has a path here.
    pub(crate) root: Option<PathBuf>,
    /// The descriptor number of this machine's `/` in the processes: lookups in [`OUTSIDE`] are redirected there,
    /// because their root has no such file systems.
    pub(crate) outside: Option<i32>,
    /// The user and group of the processes, if this process cannot read those of other users.
    pub(crate) user: Option<(u32, u32)>,
}

/// File systems of the kernel.
const OUTSIDE: [&[u8]; 3] = [b"proc", b"dev", b"sys"];

/// Result of a run.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// The exit status of the first process; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// The reason why its program could not be executed.
    pub(crate) failure: Option<io::Error>,
    /// True if there were too many processes.
    pub(crate) is_crowded: bool,
    /// Record of paths.
    pub(crate) trace: Trace,
}

/// Runs and traces a program until it and its children have ended. `began` is called with the ID of the first process.
///
/// # Errors
/// Those of starting and of waiting.
pub(crate) fn watch(start: &Start<'_>, limits: &Limits, began: &dyn Fn(i32)) -> io::Result<Ended> {
    let filter = calls::filter();
    if filter.is_empty() {
        return Err(io::Error::from(io::ErrorKind::Unsupported));
    }
    let running = kernel::start(start, &filter)?;
    if let Some((uid, gid)) = limits.user {
        kernel::become_user(uid, gid);
    }
    began(running.pid);
    let mut tracer = Tracer::new(running.pid, limits);
    while let Some((pid, status)) = kernel::wait()? {
        tracer.event(pid, status);
    }
    let failure = running.failure();
    Ok(Ended { failure, ..tracer.ended })
}

/// A call in progress.
struct Pending {
    call: &'static Call,
    path: Vec<u8>,
    act: Act,
    arguments: Vec<Vec<u8>>,
    /// Registers to restore at the end.
    saved: Option<Saved>,
}

/// A thread that is traced.
struct Thread {
    /// Its process.
    group: i32,
    pending: Option<Pending>,
}

struct Tracer<'a> {
    first: i32,
    limits: &'a Limits,
    threads: BTreeMap<i32, Thread>,
    /// The program of each process, as an index into the trace.
    programs: BTreeMap<i32, Option<usize>>,
    /// Successful uses of paths by each program.
    known: HashMap<(usize, Act), HashSet<Vec<u8>>>,
    ended: Ended,
}

impl<'a> Tracer<'a> {
    fn new(first: i32, limits: &'a Limits) -> Self {
        let mut tracer = Self {
            first,
            limits,
            threads: BTreeMap::new(),
            programs: BTreeMap::new(),
            known: HashMap::new(),
            ended: Ended::default(),
        };
        tracer.threads.insert(first, Thread { group: first, pending: None });
        tracer.programs.insert(first, None);
        tracer
    }

    fn event(&mut self, pid: i32, status: i32) {
        if status & 0x7f == 0 || status & 0xff != 0x7f {
            return self.gone(pid, status);
        }
        let (signal, event) = ((status >> 8) & 0xff, status >> 16);
        if !self.threads.contains_key(&pid) {
            self.new_thread(pid, None);
        }
        let how = match event {
            EVENT_FORK | EVENT_VFORK | EVENT_CLONE => {
                if let Some(child) = kernel::message(pid) {
                    self.new_thread(child, Some(pid));
                }
                self.how(pid)
            }
            EVENT_EXEC => {
                self.executed(pid);
                Go::ToEndOfCall
            }
            EVENT_EXIT => {
                self.leaves(pid);
                Go::On
            }
            EVENT_SECCOMP => self.begins(pid),
            // A stop by a signal, which lasts until SIGCONT; a SIGTRAP is that of a new thread.
            EVENT_STOP if signal == libc::SIGTRAP => self.how(pid),
            EVENT_STOP => Go::Listen,
            0 if signal == libc::SIGTRAP | CALL_MARK => {
                self.ends(pid);
                Go::On
            }
            0 => return kernel::go(pid, self.how(pid), signal),
            _ => self.how(pid),
        };
        kernel::go(pid, how, 0);
    }

    /// Decides how a thread continues after an event that is not about its call.
    fn how(&self, pid: i32) -> Go {
        let is_inside = self.threads.get(&pid).is_some_and(|thread| thread.pending.is_some());
        if is_inside { Go::ToEndOfCall } else { Go::On }
    }

    /// Handles a new thread or process. Events of the parent and the child can arrive in any order.
    fn new_thread(&mut self, pid: i32, parent: Option<i32>) {
        // If the child is seen before the event of its parent, ask the kernel for the parent.
        let group = status_field(pid, b"Tgid:").unwrap_or(pid);
        let parent = parent.or_else(|| status_field(pid, b"PPid:"));
        self.threads.entry(pid).or_insert(Thread { group, pending: None });
        let known = self.programs.get(&group).copied();
        if known.flatten().is_none() && group == pid {
            let above = parent.map(|parent| self.threads.get(&parent).map_or(parent, |thread| thread.group));
            let above = above.and_then(|above| self.programs.get(&above).copied().flatten());
            let started = above.and_then(|above| {
                let known = self.ended.trace.processes.get(above)?;
                let process = Process { pid, parent: Some(above), ..known.clone() };
                self.ended.trace.start(process)
            });
            self.programs.insert(group, started);
        }
        if self.threads.len() > self.limits.processes {
            self.ended.is_crowded = true;
            self.kill_all();
        }
    }

    fn kill_all(&self) {
        for pid in self.threads.keys() {
            kernel::kill(*pid, libc::SIGKILL);
        }
    }

    fn gone(&mut self, pid: i32, status: i32) {
        self.threads.remove(&pid);
        if pid == self.first {
            match status & 0x7f {
                0 => self.ended.status = Some((status >> 8) & 0xff),
                signal => self.ended.signal = Some(signal),
            }
            if self.limits.end_with_first {
                self.kill_all();
            }
        }
        self.programs.remove(&pid);
    }

    /// Handles a call that the filter has stopped.
    fn begins(&mut self, pid: i32) -> Go {
        let CallStop::Begin { arguments, data } = kernel::call(pid) else { return Go::On };
        let Some(call) = usize::try_from(data).ok().and_then(|index| CALLS.get(index)) else { return Go::On };
        match call.kind {
            Kind::List => {
                if let Some(path) = open_path(pid, arguments[0]) {
                    self.note(pid, Act::List, self.inside(path), 0, call.name);
                }
                return Go::On;
            }
            Kind::Connect | Kind::Bind => return self.address(pid, call, &arguments),
            _ => {}
        }
        let Some(path) = text(pid, arguments[call.path], MAX_PATH).filter(|path| !path.is_empty()) else {
            return Go::On;
        };
        let saved = self.leads_outside(pid, call, &path);
        let path = self.absolute(pid, call.from.map(|from| arguments[from]), path);
        let mut words = Vec::new();
        let act = match call.kind {
            Kind::Open(flags) if writes(pid, flags, &arguments) => Act::Write,
            Kind::Open(_) => Act::Open,
            Kind::Exec(at) => {
                words = list(pid, arguments[at]);
                Act::Exec
            }
            Kind::Change => Act::Write,
            _ => Act::Look,
        };
        if let (Some(path), Some(thread)) = (path, self.threads.get_mut(&pid)) {
            let program = self.programs.get(&thread.group).copied().flatten();
            // A repeated success of the same program is not new, so skip the second stop.
            if let (Some(program), None) = (program, &saved)
                && self.known.get(&(program, act)).is_some_and(|known| known.contains(&path))
            {
                return Go::On;
            }
            thread.pending = Some(Pending { call, path, act, arguments: words, saved });
        }
        self.how(pid)
    }

    /// Redirects a lookup in a kernel file system to that of this machine.
    fn leads_outside(&self, pid: i32, call: &Call, path: &[u8]) -> Option<Saved> {
        let directory = self.limits.outside?;
        let slashes = path.iter().position(|byte| *byte != b'/').filter(|slashes| *slashes > 0)?;
        let first = path[slashes..].split(|byte| *byte == b'/').next()?;
        let is_outside = OUTSIDE.contains(&first);
        is_outside.then(|| registers::redirect(pid, call, slashes as u64, directory)).flatten()
    }

    fn address(&mut self, pid: i32, call: &'static Call, arguments: &[u64; 6]) -> Go {
        let mut bytes = [0; 110];
        let size = usize::try_from(arguments[2]).unwrap_or_default().min(bytes.len());
        let read = kernel::read_memory(pid, arguments[1], &mut bytes[..size]);
        let act = if call.kind == Kind::Bind { Act::Bind } else { Act::Connect };
        let path = match bytes[..read] {
            [a, b, ref name @ ..] if u16::from_ne_bytes([a, b]) == AF_UNIX => {
                let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
                // Abstract names begin with a NUL and are not in a file system.
                if end == 0 {
                    return Go::On;
                }
                self.absolute(pid, None, name[..end].to_vec())
            }
            [a, b, high, low, ..] if act == Act::Bind && [AF_INET, AF_INET6].contains(&u16::from_ne_bytes([a, b])) => {
                Some(format!("{}/tcp", u16::from_be_bytes([high, low])).into_bytes())
            }
            _ => return Go::On,
        };
        if let (Some(path), Some(thread)) = (path, self.threads.get_mut(&pid)) {
            thread.pending = Some(Pending { call, path, act, arguments: Vec::new(), saved: None });
        }
        self.how(pid)
    }

    /// Handles the end of a call.
    fn ends(&mut self, pid: i32) {
        let CallStop::End { result } = kernel::call(pid) else { return };
        let Some(pending) = self.threads.get_mut(&pid).and_then(|thread| thread.pending.take()) else { return };
        if let Some(saved) = &pending.saved {
            registers::restore(pid, saved);
        }
        // Codes above 511 are internal to the kernel, for calls that it restarts.
        if let Some(errno) = i32::try_from(result.min(0).unsigned_abs()).ok().filter(|errno| *errno < 512) {
            let program = self.threads.get(&pid).and_then(|thread| self.programs.get(&thread.group).copied().flatten());
            if let Some(program) = program.filter(|_| errno == 0) {
                self.known.entry((program, pending.act)).or_default().insert(pending.path.clone());
            }
            self.note(pid, pending.act, pending.path, errno, pending.call.name);
        }
    }

    /// Handles the execution of a program, which replaces that of the process.
    fn executed(&mut self, pid: i32) {
        let former = kernel::message(pid).unwrap_or(pid);
        let pending = self.threads.get_mut(&former).and_then(|thread| thread.pending.take());
        if former != pid {
            self.threads.remove(&former);
        }
        self.threads.insert(pid, Thread { group: pid, pending: None });
        let parent = self.programs.get(&pid).copied().flatten();
        let Some(pending) = pending else { return };
        let Pending { call, path, act, arguments, .. } = pending;
        let arguments = arguments.into_iter().skip(1).collect();
        let started = self.ended.trace.start(Process { pid, parent, program: path.clone(), arguments });
        // The program before it made the call; for the first program of a run, the program itself.
        if let Some(process) = parent.or(started) {
            self.ended.trace.add(Seen { process, act, path, errno: 0, call: call.name });
        }
        self.programs.insert(pid, started);
        // Record the interpreters that the kernel has opened, of `#!` and of ELF.
        self.maps(pid);
    }

    /// Records the mapped files of a process just before its thread ends.
    fn leaves(&mut self, pid: i32) {
        if self.threads.get(&pid).is_some_and(|thread| thread.group == pid) {
            self.maps(pid);
        }
    }

    fn maps(&mut self, pid: i32) {
        let Some(text) = read_some(&format!("/proc/{pid}/maps"), MAX_MAP) else { return };
        let mut last: &[u8] = b"";
        let mut found = BTreeSet::new();
        for line in text.split(|byte| *byte == b'\n') {
            // proc_pid_maps(5): the path begins at the first slash, because all fields before it are numbers.
            let Some(path) = line.iter().position(|byte| *byte == b'/').map(|at| &line[at..]) else { continue };
            if path != last && !path.ends_with(b" (deleted)") {
                found.insert(path.to_vec());
                last = path;
            }
        }
        for path in found {
            let path = self.inside(path);
            self.note(pid, Act::Map, path, 0, "");
        }
    }

    fn note(&mut self, pid: i32, act: Act, path: Vec<u8>, errno: i32, call: &'static str) {
        let group = self.threads.get(&pid).map_or(pid, |thread| thread.group);
        if let Some(process) = self.programs.get(&group).copied().flatten() {
            self.ended.trace.add(Seen { process, act, path, errno, call });
        } else if act == Act::Exec && errno != 0 {
            // The first program of the run.
            let process = Process { pid, program: path.clone(), ..Process::default() };
            if let Some(process) = self.ended.trace.start(process) {
                self.ended.trace.add(Seen { process, act, path, errno, call });
            }
        }
    }

    /// A path as the process sees it.
    fn absolute(&self, pid: i32, from: Option<u64>, path: Vec<u8>) -> Option<Vec<u8>> {
        if path.first() == Some(&b'/') {
            return Some(plain(&path));
        }
        // AT_FDCWD is -100; the upper half of the argument is not defined.
        let from = from.map(|from| (from & 0xffff_ffff) as u32).filter(|from| from.cast_signed() != -100);
        let base = match from {
            Some(number) => open_path(pid, u64::from(number))?,
            None => read_link(&format!("/proc/{pid}/cwd"))?,
        };
        Some(plain(&[self.inside(base), path].join(&b'/')))
    }

    /// A path of this machine as a path in the root.
    fn inside(&self, path: Vec<u8>) -> Vec<u8> {
        let Some(root) = &self.limits.root else { return path };
        let inside = Path::new(std::ffi::OsStr::from_bytes(&path)).strip_prefix(root).ok();
        inside.map_or(path.clone(), |inside| [b"/", inside.as_os_str().as_bytes()].concat())
    }
}

/// True if an open writes or creates.
fn writes(pid: i32, flags: Flags, arguments: &[u64; 6]) -> bool {
    let flags = match flags {
        Flags::Creates => return true,
        Flags::Argument(at) => arguments[at],
        Flags::InMemory(at) => {
            let mut word = [0; 8];
            kernel::read_memory(pid, arguments[at], &mut word);
            u64::from_ne_bytes(word)
        }
    };
    flags & ACCESS_MODES != 0 || flags & CREATE != 0
}

/// A number in the status of a thread (proc_pid_status(5)).
fn status_field(pid: i32, name: &[u8]) -> Option<i32> {
    let status = read_some(&format!("/proc/{pid}/status"), 4096)?;
    let mut lines = status.split(|byte| *byte == b'\n');
    let field = lines.find_map(|line| line.strip_prefix(name))?;
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

fn open_path(pid: i32, number: u64) -> Option<Vec<u8>> {
    read_link(&format!("/proc/{pid}/fd/{}", number & 0xffff_ffff))
}

/// The target of a link in /proc; only of a path.
fn read_link(link: &str) -> Option<Vec<u8>> {
    let path = std::fs::read_link(link).ok()?.into_os_string();
    Some(path.as_bytes().to_vec()).filter(|path| path.first() == Some(&b'/'))
}

fn read_some(path: &str, limit: usize) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(limit as u64).read_to_end(&mut text).ok()?;
    Some(text)
}

/// A path without doubled slashes and without `.`.
fn plain(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let plain: Vec<u8> = parts.flat_map(|part| [b"/", part].concat()).collect();
    if plain.is_empty() { b"/".to_vec() } else { plain }
}

/// A C string in the memory of a process; `None` if it cannot be read.
fn text(pid: i32, address: u64, limit: usize) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    while found.len() < limit {
        // Not beyond the page, because the next one may not be mapped.
        let at = address.checked_add(found.len() as u64)?;
        let left = usize::try_from(4096 - at % 4096).ok()?;
        let mut buffer = [0; 4096];
        let part = &mut buffer[..left.min(256).min(limit - found.len())];
        let read = kernel::read_memory(pid, at, part);
        if read == 0 {
            return None;
        }
        match part[..read].iter().position(|byte| *byte == 0) {
            Some(end) => {
                found.extend_from_slice(&part[..end]);
                return Some(found);
            }
            None => found.extend_from_slice(&part[..read]),
        }
    }
    Some(found)
}

/// The arguments of execve(2), as pointers of this machine's size; for a 32-bit program, only its name is known.
fn list(pid: i32, address: u64) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    for number in 0..MAX_ARGUMENTS as u64 {
        let mut pointer = [0; size_of::<usize>()];
        let Some(at) = address.checked_add(number * size_of::<usize>() as u64) else { break };
        if kernel::read_memory(pid, at, &mut pointer) != pointer.len() {
            break;
        }
        let pointer = usize::from_ne_bytes(pointer) as u64;
        let Some(word) = (pointer != 0).then(|| text(pid, pointer, MAX_ARGUMENT)).flatten() else { break };
        words.push(word);
    }
    words
}
