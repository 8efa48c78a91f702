//! System calls of a tracer that none of the used crates provides: ptrace(2) with raw signal numbers, and starting a
//! process to which a tracer attaches before it executes its program. All unsafe code of this module is here.

use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use seccompiler::sock_filter;

/// Requests (linux/ptrace.h).
const CONT: i64 = 7;
const SYSCALL: i64 = 24;
const GETEVENTMSG: i64 = 0x4201;
const SEIZE: i64 = 0x4206;
const LISTEN: i64 = 0x4208;
const GET_SYSCALL_INFO: i64 = 0x420e;
/// Options: mark stops of calls, follow fork, vfork, clone and exec, stop at exit and at calls of the filter, and kill
/// all processes with the tracer, so that none outlives it.
const OPTIONS: u64 = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x40 | 0x80 | 0x10_0000;
/// Exit status of a child that did not reach its program.
const NOT_STARTED: i32 = 127;

/// The continuation of a stopped process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    /// To the next event.
    On,
    /// To the end of the current call.
    ToEndOfCall,
    /// Not at all: it was stopped by a signal, and only another one continues it.
    Listen,
}

/// A system call at which a process has stopped (PTRACE_GET_SYSCALL_INFO; the same on all machines).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallStop {
    /// The filter stopped it; with the filter's data.
    Begin { arguments: [u64; 6], data: u32 },
    /// The call has ended; with its result, a negative error number if it failed.
    End { result: i64 },
    /// Anything else.
    Other,
}

fn checked(result: i64) -> io::Result<i64> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[expect(unsafe_code, reason = "rustix has no ptrace")]
fn ptrace(request: i64, pid: i32, address: u64, data: u64) -> io::Result<i64> {
    // SAFETY: the requests of this file write to no memory of this process, except those that get a pointer as `data`
    // from a caller that owns the memory.
    checked(unsafe { libc::syscall(libc::SYS_ptrace, request, i64::from(pid), address, data) })
}

/// Attaches this thread to a process as its tracer.
pub(super) fn seize(pid: i32) -> io::Result<()> {
    ptrace(SEIZE, pid, 0, OPTIONS).map(drop)
}

/// Lets a stopped process go on, with a signal unless it is 0.
pub(super) fn go(pid: i32, how: Go, signal: i32) {
    let request = match how {
        Go::On => CONT,
        Go::ToEndOfCall => SYSCALL,
        Go::Listen => LISTEN,
    };
    // The process may have been killed meanwhile; then its end is the next event.
    let _ = ptrace(request, pid, 0, u64::try_from(signal).unwrap_or_default());
}

/// The message of an event: a new process, or the former number of a thread that executed a program.
pub(super) fn message(pid: i32) -> Option<i32> {
    let mut message = [0_u64; 1];
    ptrace(GETEVENTMSG, pid, 0, message.as_mut_ptr() as u64).ok()?;
    i32::try_from(message[0]).ok()
}

/// The call at which a process has stopped.
pub(super) fn call(pid: i32) -> CallStop {
    // struct ptrace_syscall_info: kind and machine, instruction, stack, then the number of the call and its arguments and
    // the filter's data, or the result.
    let mut info = [0_u64; 11];
    if ptrace(GET_SYSCALL_INFO, pid, size_of_val(&info) as u64, info.as_mut_ptr() as u64).is_err() {
        return CallStop::Other;
    }
    match info[0] & 0xff {
        2 => CallStop::End { result: info[3].cast_signed() },
        3 => {
            let data = u32::try_from(info[10] & 0xffff_ffff).unwrap_or_default();
            CallStop::Begin { arguments: [info[4], info[5], info[6], info[7], info[8], info[9]], data }
        }
        _ => CallStop::Other,
    }
}

/// Waits for the next event of a process that this thread traces: its number and the raw status. `None` if there is none
/// left. Other children of this program are not touched.
#[expect(unsafe_code, reason = "rustix knows no real-time signals, which libraries of threads use")]
pub(super) fn wait() -> io::Result<Option<(i32, i32)>> {
    let mut status = 0_i32;
    loop {
        // SAFETY: the status is a local variable.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        if pid != -1 {
            return Ok(Some((pid, status)));
        }
        match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EINTR) => {}
            error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            error => return Err(error),
        }
    }
}

/// Sends a signal to a process; it need not exist any more.
#[expect(unsafe_code, reason = "rustix knows no real-time signals")]
pub(crate) fn kill(pid: i32, signal: i32) {
    // SAFETY: sending a signal touches no memory.
    let _ = unsafe { libc::kill(pid, signal) };
}

/// Reads memory of a process; returns how many bytes were read.
#[expect(unsafe_code, reason = "rustix has no process_vm_readv")]
pub(super) fn read_memory(pid: i32, address: u64, buffer: &mut [u8]) -> usize {
    let Ok(address) = usize::try_from(address) else { return 0 };
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: buffer.len() };
    // SAFETY: the kernel writes at most `iov_len` bytes to the buffer, and checks the other process's addresses.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(read) {
        Ok(read) => read,
        // The seccomp profile of docker before version 23 permits ptrace(2), but not this call.
        Err(_) if [libc::EPERM, libc::ENOSYS].contains(&errno()) => peek(pid, address as u64, buffer),
        Err(_) => 0,
    }
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or_default()
}

/// Reads memory of a stopped process word by word.
fn peek(pid: i32, address: u64, buffer: &mut [u8]) -> usize {
    const WORD: usize = size_of::<usize>();
    const PEEK_DATA: i64 = 2;
    let mut read = 0;
    while read < buffer.len() {
        let at = address.saturating_add(read as u64);
        let skipped = (at % WORD as u64) as usize;
        let mut word = 0_usize;
        if ptrace(PEEK_DATA, pid, at - skipped as u64, (&raw mut word) as u64).is_err() {
            break;
        }
        let bytes = &word.to_ne_bytes()[skipped..];
        let length = bytes.len().min(buffer.len() - read);
        buffer[read..read + length].copy_from_slice(&bytes[..length]);
        read += length;
    }
    read
}

/// A program to start, ready for execve(2).
pub(crate) struct Program {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Program {
    /// Prepares a program with its arguments (the first is its own name) and environment (`NAME=VALUE`).
    ///
    /// # Errors
    /// `InvalidInput` for text with a NUL byte.
    pub(crate) fn new(path: &[u8], arguments: &[Vec<u8>], environment: &[Vec<u8>]) -> io::Result<Self> {
        let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::from);
        Ok(Self {
            path: text(path)?,
            arguments: arguments.iter().map(|one| text(one)).collect::<Result<_, _>>()?,
            environment: environment.iter().map(|one| text(one)).collect::<Result<_, _>>()?,
        })
    }
}

/// Arguments for starting a process.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Program,
    /// Namespaces that it gets (clone(2), CLONE_NEW*).
    pub(crate) namespaces: u32,
    /// Its standard input, output and error; those of this process if there are none.
    pub(crate) stdio: Option<[OwnedFd; 3]>,
    /// True if it is the first of a session of its own.
    pub(crate) own_session: bool,
    /// Runs in this process as soon as the child exists: it writes its user mapping.
    pub(crate) beside: &'a (dyn Fn(i32) -> io::Result<()> + Sync),
    /// Steps of the child before its tracer attaches. They must not allocate memory.
    pub(crate) prepare: &'a (dyn Fn() -> io::Result<()> + Sync),
    /// Runs in this process after that, before the child goes on.
    pub(crate) prepared: &'a (dyn Fn(i32) -> io::Result<()> + Sync),
    /// Last steps of the child, with the filter in force. They must not allocate memory.
    pub(crate) finish: &'a (dyn Fn() -> io::Result<()> + Sync),
}

/// A process that was started.
pub(super) struct Running {
    pub(super) pid: i32,
    report: io::PipeReader,
}

impl Running {
    /// Why its program was not executed, asked after the process has ended; `None` if it was.
    pub(super) fn failure(mut self) -> Option<io::Error> {
        let mut word = [0; 4];
        let code = matches!(self.report.read(&mut word), Ok(4)).then(|| i32::from_ne_bytes(word));
        code.map(io::Error::from_raw_os_error)
    }
}

/// Starts a process that stops at the calls of a filter, with this thread as its tracer.
///
/// # Errors
/// Those of its creation, of its preparation and of attaching to it. That its program cannot be executed is known later
/// ([`Running::failure`]).
pub(super) fn start(start: &Start<'_>, filter: &[sock_filter]) -> io::Result<Running> {
    let (arguments, environment) = (pointers(&start.program.arguments), pointers(&start.program.environment));
    let (mut report, to_report) = io::pipe()?;
    let (from_go, mut go) = io::pipe()?;
    let ends = Ends { report: to_report.as_raw_fd(), go: from_go.as_raw_fd(), held: go.as_raw_fd() };
    let pid = fork(start.namespaces)?;
    if pid == 0 {
        child(start, filter, &arguments, &environment, &ends);
    }
    drop((to_report, from_go));
    let attached = (|| {
        (start.beside)(pid)?;
        go.write_all(&[1])?;
        let mut word = [0; 4];
        report.read_exact(&mut word)?;
        match i32::from_ne_bytes(word) {
            0 => {}
            code => return Err(io::Error::from_raw_os_error(code)),
        }
        (start.prepared)(pid)?;
        seize(pid)?;
        go.write_all(&[1])
    })();
    match attached {
        Ok(()) => Ok(Running { pid, report }),
        Err(error) => {
            kill(pid, libc::SIGKILL);
            reap(pid);
            Err(error)
        }
    }
}

/// Ends of the pipes, in the child.
struct Ends {
    report: RawFd,
    go: RawFd,
    /// The parent's end, closed so that the child notices if the parent dies.
    held: RawFd,
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}

#[expect(unsafe_code, reason = "the standard library creates no namespaces")]
fn fork(namespaces: u32) -> io::Result<i32> {
    let flags = i64::from(namespaces) | i64::from(libc::SIGCHLD);
    // SAFETY: without CLONE_VM the child has its own copy of all memory, as after fork(2).
    let pid = checked(unsafe { libc::syscall(libc::SYS_clone, flags, 0_u64, 0_u64, 0_u64, 0_u64) })?;
    i32::try_from(pid).map_err(io::Error::other)
}

#[expect(unsafe_code, reason = "the process is this thread's child")]
fn reap(pid: i32) {
    let mut status = 0;
    // SAFETY: the status is a local variable.
    while unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) } == -1
        && io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
    {}
}

/// The child. It has only this thread, where another thread's lock is never released, so it allocates nothing.
#[expect(unsafe_code, reason = "only system calls are safe between fork and exec")]
fn child(
    start: &Start<'_>,
    filter: &[sock_filter],
    arguments: &[*const libc::c_char],
    environment: &[*const libc::c_char],
    ends: &Ends,
) -> ! {
    let failed = match steps(start, filter, ends) {
        Err(error) => error,
        Ok(()) => {
            // SAFETY: path, arguments and environment are C strings, and the lists end with null; the caller holds them.
            unsafe { libc::execve(start.program.path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
            io::Error::last_os_error()
        }
    };
    tell(ends.report, failed.raw_os_error().unwrap_or(libc::EIO));
    // SAFETY: ends the process without running anything of the parent's.
    unsafe { libc::_exit(NOT_STARTED) }
}

/// The steps of the child up to execve(2).
#[expect(unsafe_code, reason = "only system calls are safe between fork and exec")]
fn steps(start: &Start<'_>, filter: &[sock_filter], ends: &Ends) -> io::Result<()> {
    // SAFETY: descriptors and signals of this process alone; the set of signals is a local variable.
    unsafe {
        libc::close(ends.held);
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        // The standard library ignores it; programs expect the default.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        if start.own_session {
            libc::setsid();
        }
        for (number, end) in start.stdio.iter().flatten().enumerate() {
            checked(i64::from(libc::dup2(end.as_raw_fd(), i32::try_from(number).unwrap_or_default())))?;
        }
    }
    await_go(ends.go)?;
    (start.prepare)()?;
    tell(ends.report, 0);
    await_go(ends.go)?;
    apply(filter)?;
    (start.finish)()
}

fn await_go(pipe: RawFd) -> io::Result<()> {
    let mut byte = 0_u8;
    // SAFETY: one byte is read into a local variable.
    #[expect(unsafe_code, reason = "only system calls are safe between fork and exec")]
    let read = unsafe { libc::read(pipe, (&raw mut byte).cast(), 1) };
    // The parent has died.
    if read == 1 { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ECANCELED)) }
}

#[expect(unsafe_code, reason = "only system calls are safe between fork and exec")]
fn tell(pipe: RawFd, code: i32) {
    let word = code.to_ne_bytes();
    // SAFETY: four bytes of a local variable are written.
    let _ = unsafe { libc::write(pipe, word.as_ptr().cast(), word.len()) };
}

/// Puts a filter in force. With CAP_SYS_ADMIN this works without forbidding new privileges, so that set-user-ID programs
/// keep theirs.
#[expect(unsafe_code, reason = "seccompiler always forbids new privileges")]
pub(crate) fn apply(filter: &[sock_filter]) -> io::Result<()> {
    const SET_MODE_FILTER: u64 = 1;
    if filter.is_empty() {
        return Ok(());
    }
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or(u16::MAX),
        filter: filter.as_ptr().cast_mut().cast(),
    };
    let set = || {
        // SAFETY: `sock_filter` of seccompiler has the layout of the kernel's, and the filter outlives the call.
        checked(unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, 0_u64, (&raw const program) as u64) })
    };
    if set().is_err_and(|error| error.raw_os_error() == Some(libc::EACCES)) {
        rustix::thread::set_no_new_privs(true)?;
        set()?;
    }
    Ok(())
}

/// Gives an open file a number that execve(2) keeps.
#[expect(unsafe_code, reason = "the number is chosen by the caller")]
pub(crate) fn place(file: &OwnedFd, number: i32) -> io::Result<()> {
    // SAFETY: descriptors of this process alone; the number is that of no open file.
    checked(i64::from(unsafe { libc::dup2(file.as_raw_fd(), number) })).map(drop)
}

/// Makes a TCP socket.
#[expect(unsafe_code, reason = "the standard library makes no socket without connecting it")]
pub(crate) fn socket(is_v6: bool) -> io::Result<OwnedFd> {
    let family = if is_v6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: the result is a new descriptor.
    unsafe {
        let number = libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        checked(i64::from(number))?;
        Ok(OwnedFd::from_raw_fd(number))
    }
}

/// Makes this thread one of a user, so that it may look at the processes of that user. Only this thread: the calls of the C
/// library would change all of them.
#[expect(unsafe_code, reason = "the C library has no call for one thread")]
pub(super) fn become_user(uid: u32, gid: u32) {
    // SAFETY: changes the rights of this thread alone.
    unsafe {
        libc::syscall(libc::SYS_setresgid, gid, gid, 0_u32);
        libc::syscall(libc::SYS_setresuid, uid, uid, 0_u32);
        // After a change of the user, nobody may trace this program and its children, unless it is dumpable.
        libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
}

/// Reads or writes the registers of a stopped process; see `registers.rs`.
pub(super) fn registers(pid: i32, is_read: bool, words: &mut [u64]) -> io::Result<()> {
    const GET_SET: i64 = 0x4204;
    const STATUS: u64 = 1;
    let mut part = libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: size_of_val(words) };
    let request = if is_read { GET_SET } else { GET_SET + 1 };
    ptrace(request, pid, STATUS, (&raw mut part) as u64).map(drop)
}

/// Rules of Landlock (linux/landlock.h) that refuse to write, to remove, to make and to move files, except below some
/// directories. Its crate allocates where a child may not; the numbers of its calls are the same on all machines.
#[expect(unsafe_code, reason = "the crate for Landlock allocates between fork and exec")]
pub(crate) fn fence(except: &[std::path::PathBuf]) -> io::Result<OwnedFd> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    const CREATE: i64 = 444;
    const ADD: i64 = 445;
    const BENEATH: u64 = 1;
    const WRITES: u64 = 0x2 | 0x1ff0 | 0x2000;
    #[repr(C, packed)]
    struct Rule {
        rights: u64,
        parent: i32,
    }
    let handled = WRITES;
    // SAFETY: the kernel reads eight bytes of a local variable, and the result is a new descriptor.
    let rules = unsafe {
        let number = checked(libc::syscall(CREATE, &raw const handled, size_of_val(&handled), 0_u64))?;
        OwnedFd::from_raw_fd(i32::try_from(number).map_err(io::Error::other)?)
    };
    for place in except {
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
        let Ok(parent) = openat(CWD, place, flags, Mode::empty()) else { continue };
        let rule = Rule { rights: WRITES, parent: parent.as_raw_fd() };
        // SAFETY: the kernel reads a rule of this layout.
        unsafe { libc::syscall(ADD, rules.as_raw_fd(), BENEATH, &raw const rule, 0_u64) };
    }
    Ok(rules)
}

/// Puts rules of Landlock in force for this process.
#[expect(unsafe_code, reason = "the crate for Landlock allocates between fork and exec")]
pub(crate) fn restrict(rules: &OwnedFd) -> io::Result<()> {
    const RESTRICT: i64 = 446;
    // SAFETY: restricts this process alone.
    checked(unsafe { libc::syscall(RESTRICT, rules.as_raw_fd(), 0_u64) }).map(drop)
}

/// Makes a TCP socket with a given number, closed by execve(2): this process's network is that of its tracer's probes.
#[expect(unsafe_code, reason = "the standard library makes no socket without connecting it")]
pub(crate) fn socket_at(number: i32, is_v6: bool) -> io::Result<()> {
    let family = if is_v6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: descriptors of this process alone; the number is that of no open file.
    unsafe {
        let socket = libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        checked(i64::from(socket))?;
        let placed = checked(i64::from(libc::dup3(socket, number, libc::O_CLOEXEC)));
        libc::close(socket);
        placed.map(drop)
    }
}

/// Connects a socket.
#[expect(unsafe_code, reason = "the standard library connects only sockets of its own")]
pub(crate) fn connect(socket: &OwnedFd, to: std::net::SocketAddr) -> io::Result<()> {
    // struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)).
    let mut bytes = Vec::new();
    match to {
        std::net::SocketAddr::V4(to) => {
            bytes.extend_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            bytes.extend_from_slice(&to.port().to_be_bytes());
            bytes.extend_from_slice(&to.ip().octets());
            bytes.extend_from_slice(&[0; 8]);
        }
        std::net::SocketAddr::V6(to) => {
            bytes.extend_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
            bytes.extend_from_slice(&to.port().to_be_bytes());
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&to.ip().octets());
            bytes.extend_from_slice(&[0; 4]);
        }
    }
    let size = libc::socklen_t::try_from(bytes.len()).unwrap_or_default();
    // SAFETY: the address is as long as told, and the kernel only reads it.
    checked(i64::from(unsafe { libc::connect(socket.as_raw_fd(), bytes.as_ptr().cast(), size) })).map(drop)
}
