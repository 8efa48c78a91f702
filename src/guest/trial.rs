//! A trial: a program of a finished root, started as an engine starts a container, and traced.
//!
//! The root is never written to: changes go to an overlay in memory, or, if the kernel permits no overlay, the root is
//! read-only. The mounts are in a namespace of the trial and end with it, even if this process is killed.

use std::ffi::{CStr, CString};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind,
    mount_bind_recursive, mount_change, mount_remount, move_mount, open_tree,
};
use rustix::process::{Gid, Pid, PidfdFlags, PidfdGetfdFlags, Uid};
use rustix::thread::{CapabilitySet, UnshareFlags};
use seccompiler::sock_filter;

use super::fallback::{Fallback, OUTSIDE};
use super::{calls, enter};
use crate::watch::{self, Ended, Limits, Program, Start};

/// The descriptor number of the first socket for probes in the trial, far above those that programs inherit.
const FIRST_SOCKET: i32 = 700;
/// Capabilities of a container's root (Docker's and containerd's default).
const CAPABILITIES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);
const HOSTS: &[u8] = b"127.0.0.1 localhost\n::1 localhost\n";
/// Links that engines make in /dev.
const LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
];

/// A program of a root to run.
pub struct Trial<'a> {
    /// The root, as an absolute path of this machine.
    pub root: &'a Path,
    /// The program as an absolute path in the root.
    pub program: &'a [u8],
    /// Its arguments; the first is its own name.
    pub arguments: &'a [Vec<u8>],
    /// Its environment, `NAME=VALUE`.
    pub environment: &'a [Vec<u8>],
    /// Its working directory.
    pub workdir: &'a [u8],
    /// The user that it runs as, with its groups, the primary one first.
    pub user: (u32, &'a [u32]),
    /// Contents of /etc/passwd for the run, if changes go to an overlay.
    pub passwd: Option<&'a [u8]>,
    /// True if it shares the network of this machine.
    pub net: bool,
    /// For each probe, true if it connects to an IPv6 address.
    pub sockets: &'a [bool],
    /// Maximum size of files that it creates in memory, and of memory of each process, in bytes.
    pub memory: u64,
    /// Maximum number of processes and threads at a time.
    pub processes: usize,
}

/// Isolation that the kernel granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Own namespaces, and an overlay for changes.
    Overlay,
    /// Own namespaces, and a read-only root.
    ReadOnly,
    /// Only a chroot(2), into a copy of the packed root; writes are refused outside /tmp.
    Chroot,
}

impl Isolation {
    /// From the best to the weakest.
    pub const ALL: [Self; 3] = [Self::Overlay, Self::ReadOnly, Self::Chroot];

    /// Describes the isolation in a sentence.
    pub fn says(self) -> &'static str {
        match self {
            Self::Overlay => "separate namespaces; changes go to an overlay in memory",
            Self::ReadOnly => "separate namespaces; the root is read-only, since the kernel permits no overlay",
            Self::Chroot if super::has_fence() => {
                "only chroot, since the kernel permits no namespaces here: a copy of the image, with the network, \
                 processes, /proc and /dev of this machine; Landlock refuses writes outside of /tmp"
            }
            Self::Chroot => {
                "only chroot, since the kernel permits no namespaces here: a copy of the image, with the network, \
                 processes, /proc and /dev of this machine; only the user's permissions protect the builder root from \
                 changes"
            }
        }
    }
}

/// A trial that is running.
pub struct Begun {
    /// The first process.
    pub pid: i32,
    /// Sockets in the network of the trial.
    pub sockets: Vec<OwnedFd>,
}

impl Trial<'_> {
    /// Runs the program until it ends, with this thread as its tracer. `stdio` are its standard streams; `begun` is
    /// called when it runs.
    ///
    /// # Errors
    /// The kernel's error if it does not permit the isolation or the tracing.
    pub(crate) fn run(
        &self,
        isolation: Isolation,
        stdio: [OwnedFd; 3],
        begun: &(dyn Fn(Begun) + Sync),
    ) -> io::Result<Ended> {
        let program = Program::new(self.program, self.arguments, self.environment)?;
        enter::keep_descriptors();
        if isolation == Isolation::Chroot {
            return self.run_in_chroot(&program, stdio, begun);
        }
        let inside = Inside::new(self, isolation)?;
        let sockets = std::sync::Mutex::new(Vec::new());
        let lock = || sockets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let start = Start {
            program: &program,
            namespaces: inside.namespaces.bits(),
            stdio: Some(stdio),
            own_session: true,
            beside: &|pid| self.map_users(pid),
            prepare: &|| inside.enter(),
            prepared: &|pid| {
                *lock() = fetch(pid, self.sockets.len())?;
                Ok(())
            },
            finish: &|| inside.give_up(),
        };
        let limits = Limits { processes: self.processes, end_with_first: true, ..Limits::default() };
        watch::watch(&start, &limits, &|pid| begun(Begun { pid, sockets: std::mem::take(&mut *lock()) }))
    }

    fn run_in_chroot(
        &self,
        program: &Program,
        stdio: [OwnedFd; 3],
        begun: &(dyn Fn(Begun) + Sync),
    ) -> io::Result<Ended> {
        let fallback = Fallback::new(self)?;
        let start = Start {
            program,
            namespaces: 0,
            stdio: Some(stdio),
            own_session: true,
            beside: &|_| Ok(()),
            prepare: &|| fallback.enter(),
            prepared: &|_| Ok(()),
            finish: &|| fallback.give_up(),
        };
        let is_here = self.root == Path::new("/");
        let limits = Limits {
            processes: self.processes,
            end_with_first: true,
            root: Some(self.root.to_path_buf()).filter(|_| !is_here),
            outside: (!is_here).then_some(OUTSIDE),
            user: Some((self.user.0, self.user.1.first().copied().unwrap_or_default())),
        };
        let sockets = self.sockets.iter().map(|is_v6| watch::socket(*is_v6)).collect::<io::Result<Vec<_>>>()?;
        let sockets = std::sync::Mutex::new(sockets);
        let taken = || std::mem::take(&mut *sockets.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        watch::watch(&start, &limits, &|pid| begun(Begun { pid, sockets: taken() }))
    }

    /// user_namespaces(7), "Defining user and group ID mappings": this user becomes that of the image.
    fn map_users(&self, pid: i32) -> io::Result<()> {
        if rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        std::fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
        std::fs::write(format!("/proc/{pid}/uid_map"), format!("{} {uid} 1", self.user.0))?;
        std::fs::write(format!("/proc/{pid}/gid_map"), format!("{} {gid} 1", self.user.1.first().unwrap_or(&0)))
    }
}

/// Fetches the sockets that a process has created in its network namespace.
fn fetch(pid: i32, count: usize) -> io::Result<Vec<OwnedFd>> {
    let Some(pid) = Pid::from_raw(pid).filter(|_| count > 0) else { return Ok(Vec::new()) };
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let numbers = (FIRST_SOCKET..).take(count);
    let fetch = |number| rustix::process::pidfd_getfd(&process, number, PidfdGetfdFlags::empty());
    Ok(numbers.map(fetch).collect::<Result<_, _>>()?)
}

/// Connects a socket of a trial.
///
/// # Errors
/// Those of connect(2); after a refusal the socket can be tried again.
pub(crate) fn connect(socket: &OwnedFd, to: SocketAddr) -> io::Result<TcpStream> {
    watch::connect(socket, to)?;
    Ok(TcpStream::from(socket.try_clone()?))
}

/// Arguments for the child between fork and exec, prepared because it must not allocate.
struct Inside {
    namespaces: UnshareFlags,
    isolation: Isolation,
    is_root: bool,
    root: CString,
    workdir: CString,
    tmp_options: CString,
    overlay_options: CString,
    user: (Uid, Vec<Gid>),
    sockets: Vec<bool>,
    passwd: Option<Vec<u8>>,
    memory: u64,
    calls: Vec<sock_filter>,
}

impl Inside {
    fn new(trial: &Trial<'_>, isolation: Isolation) -> io::Result<Self> {
        use std::os::unix::ffi::OsStrExt;
        let is_root = rustix::process::geteuid().is_root();
        let mut namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
        namespaces.set(UnshareFlags::NEWNET, !trial.net);
        namespaces.set(UnshareFlags::NEWUSER, !is_root);
        let layers = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work";
        // Attributes of the overlay that a user namespace may set.
        let more = if is_root { "" } else { ",userxattr" };
        Ok(Self {
            namespaces,
            isolation,
            is_root,
            root: CString::new(trial.root.as_os_str().as_bytes())?,
            workdir: CString::new(trial.workdir)?,
            tmp_options: CString::new(format!("mode=755,size={}", trial.memory))?,
            overlay_options: CString::new(format!("{layers}{more}"))?,
            user: (Uid::from_raw(trial.user.0), trial.user.1.iter().map(|gid| Gid::from_raw(*gid)).collect()),
            sockets: trial.sockets.to_vec(),
            passwd: trial.passwd.map(<[u8]>::to_vec),
            memory: trial.memory,
            calls: calls::filter_for_containers(),
        })
    }

    /// Makes the root of the trial `/`.
    fn enter(&self) -> io::Result<()> {
        rustix::process::umask(Mode::from_raw_mode(0o022));
        mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let root = open_tree(CWD, self.root.as_c_str(), clone)?;
        let proc = open_tree(CWD, c"/proc", clone)?;
        let sys = open_tree(CWD, c"/sys", clone);
        // All of the trial's own mounts are in memory, over a directory that every machine has.
        let safe = MountFlags::NOSUID | MountFlags::NODEV;
        mount(c"tmpfs", c"/tmp", c"tmpfs", safe, Some(self.tmp_options.as_c_str()))?;
        for dir in [c"/tmp/lower", c"/tmp/upper", c"/tmp/work", c"/tmp/root", c"/tmp/dev"] {
            rustix::fs::mkdirat(CWD, dir, Mode::from_raw_mode(0o755))?;
        }
        move_mount(root, c"", CWD, c"/tmp/lower", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        match self.isolation {
            Isolation::Overlay => {
                let options = Some(self.overlay_options.as_c_str());
                mount(c"overlay", c"/tmp/root", c"overlay", MountFlags::empty(), options)?;
            }
            Isolation::ReadOnly | Isolation::Chroot => mount_bind_recursive(c"/tmp/lower", c"/tmp/root")?,
        }
        let devices = Self::devices(clone)?;
        rustix::process::chdir(c"/tmp/root")?;
        // pivot_root(2), "pivot_root(".", ".")": the old root is on top of the new one until it is unmounted.
        rustix::process::pivot_root(c".", c".")?;
        rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
        rustix::process::chdir(c"/")?;
        self.loopback();
        if self.isolation == Isolation::ReadOnly {
            let flags = MountFlags::BIND | MountFlags::RDONLY | enter::kept_flags(Path::new("/"));
            mount_remount(c"/", flags, c"")?;
        }
        self.furnish(&proc, sys.ok().as_ref(), &devices);
        for (number, is_v6) in self.sockets.iter().enumerate() {
            let number = FIRST_SOCKET + i32::try_from(number).unwrap_or_default();
            watch::socket_at(number, *is_v6)?;
        }
        Ok(rustix::process::chdir(self.workdir.as_c_str())?)
    }

    /// A /dev as in a container, as a detached mount.
    fn devices(clone: OpenTreeFlags) -> io::Result<OwnedFd> {
        const DEVICES: [(&CStr, &CStr); 5] = [
            (c"/dev/null", c"/tmp/dev/null"),
            (c"/dev/zero", c"/tmp/dev/zero"),
            (c"/dev/full", c"/tmp/dev/full"),
            (c"/dev/random", c"/tmp/dev/random"),
            (c"/dev/urandom", c"/tmp/dev/urandom"),
        ];
        let safe = MountFlags::NOSUID | MountFlags::NOEXEC;
        mount(c"tmpfs", c"/tmp/dev", c"tmpfs", safe, Some(c"mode=755,size=64m"))?;
        for (device, place) in DEVICES {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
            drop(rustix::fs::openat(CWD, place, flags, Mode::from_raw_mode(0o644))?);
            mount_bind(device, place)?;
        }
        let dir = rustix::fs::openat(CWD, c"/tmp/dev", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        for (target, name) in LINKS {
            rustix::fs::symlinkat(target, &dir, name)?;
        }
        rustix::fs::mkdirat(&dir, c"shm", Mode::from_raw_mode(0o1777))?;
        rustix::fs::chmod(c"/tmp/dev/shm", Mode::from_raw_mode(0o1777))?;
        Ok(open_tree(CWD, c"/tmp/dev", clone)?)
    }

    /// Mounts what engines put into every root. In a read-only root, only existing mount points are used.
    fn furnish(&self, proc: &OwnedFd, sys: Option<&OwnedFd>, devices: &OwnedFd) {
        let here = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        for (dir, mode) in [(c"/proc", 0o555), (c"/dev", 0o755), (c"/sys", 0o555), (c"/etc", 0o755), (c"/tmp", 0o1777)]
        {
            let _ = rustix::fs::mkdirat(CWD, dir, Mode::from_raw_mode(mode));
        }
        let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
        let none: Option<&CStr> = None;
        let read_only = MountFlags::BIND | safe;
        if mount(c"proc", c"/proc", c"proc", safe, none).is_err() {
            // If parts of the host's /proc are hidden, the kernel refuses to mount another one. Bind the host's,
            // read-only.
            let _ = move_mount(proc, c"", CWD, c"/proc", here);
            let _ = mount_remount(c"/proc", read_only, c"");
        }
        if mount(c"sysfs", c"/sys", c"sysfs", safe, none).is_err()
            && let Some(sys) = sys
        {
            let _ = move_mount(sys, c"", CWD, c"/sys", here);
            let _ = mount_remount(c"/sys", read_only, c"");
        }
        let _ = move_mount(devices, c"", CWD, c"/dev", here);
        let _ = mount(c"tmpfs", c"/tmp", c"tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=1777,size=1g"));
        // Engines mount these over what an image has. A read-only root keeps its own.
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let own = [(c"/etc/hosts", HOSTS), (c"/etc/resolv.conf", b""), (c"/etc/hostname", b"trial\n")];
        let passwd = self.passwd.as_deref().filter(|_| self.isolation == Isolation::Overlay);
        for (file, text) in own.into_iter().chain(passwd.map(|text| (c"/etc/passwd", text))) {
            if self.isolation == Isolation::Overlay {
                let _ = rustix::fs::unlinkat(CWD, file, AtFlags::empty());
            }
            if let Ok(file) = rustix::fs::openat(CWD, file, new, Mode::from_raw_mode(0o644)) {
                let _ = rustix::io::write(&file, text);
            }
        }
    }

    /// Brings up the loopback interface, with all ports for every user, as engines do.
    fn loopback(&self) {
        if !self.namespaces.contains(UnshareFlags::NEWNET) {
            return;
        }
        let _ = enter::put_up_loopback();
    }

    /// Switches to the image's user, irrevocably.
    fn give_up(&self) -> io::Result<()> {
        limit(self.memory);
        // Before the required privilege is dropped, so that set-user-ID programs still work.
        watch::apply(&self.calls)?;
        drop_capabilities();
        if self.is_root {
            become_user(self.user.0, &self.user.1)?;
        }
        Ok(())
    }
}

/// Limits this process: memory in bytes, and no dumps.
pub(super) fn limit(memory: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = setrlimit(Resource::Data, Rlimit { current: Some(memory), maximum: Some(memory) });
}

/// Drops capabilities that a container's root does not have.
pub(super) fn drop_capabilities() {
    for capability in CapabilitySet::all().iter().filter(|one| !CAPABILITIES.contains(*one)) {
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
}

/// Switches this process to a user; the first group is the primary one.
pub(super) fn become_user(user: Uid, groups: &[Gid]) -> io::Result<()> {
    let gid = groups.first().copied().unwrap_or(Gid::ROOT);
    rustix::thread::set_thread_groups(groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    Ok(rustix::thread::set_thread_res_uid(user, user, user)?)
}
