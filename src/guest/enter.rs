//! Entering the sandbox: the steps that a child takes between fork and exec to make the root its `/`.
//!
//! They must happen there, because only a single-threaded process can create a user namespace, and slimroot has more
//! threads. They are prepared as a list of [`Step`]s with their C strings; the child only makes system calls.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySets, UnshareFlags};
use seccompiler::sock_filter;

use super::calls;
use crate::path::RootPath;

/// Devices that programs expect (file-hierarchy(7)); none of them leads to a disk.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Mount points of the sandbox, as paths on the host.
pub(super) struct Mounts<'a> {
    pub(super) proc: Option<PathBuf>,
    pub(super) dev: Option<PathBuf>,
    pub(super) tmp: Option<PathBuf>,
    /// The directory mounted at `tmp`; without it, an empty tmpfs.
    pub(super) scratch: Option<&'a Path>,
}

enum Step {
    /// Creates namespaces; in a new user namespace, the process is root.
    Unshare(UnshareFlags),
    Write(CString, Vec<u8>),
    /// Makes all further mounts invisible outside.
    Private,
    Bind(CString, CString),
    ReadOnly(CString, MountFlags),
    Memory(CString, CString),
    /// Mounts a read-only /proc, because its kernel settings affect the host. True if the host's own /proc may be bound
    /// instead.
    Proc(CString, bool),
    File(CString),
    Dir(CString),
    Chroot(CString),
    /// Makes the root `/` and unmounts everything else.
    Pivot(CString),
    /// Brings up the loopback interface of the new network namespace, which needs a privilege that is dropped later.
    Loopback,
    Cwd(CString),
    Umask,
    /// Drops all privileges, now and after any exec.
    Powerless,
    /// Refuses system calls, now and after any exec. The last step, because others need such calls.
    Calls(Vec<sock_filter>),
}

/// The steps for one child.
pub(super) struct Sandbox {
    steps: Vec<Step>,
    /// True if the child has a PID namespace, so that all of its processes end with it; only possible as root.
    pub(super) has_own_processes: bool,
}

fn c(path: impl AsRef<Path>) -> CString {
    // Host paths contain no NUL.
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap_or_default()
}

impl Sandbox {
    /// No sandbox, for a root that is the host's own `/`.
    pub(super) fn plain(cwd: &RootPath) -> Self {
        Self { steps: vec![Step::Umask, cwd_of(cwd)], has_own_processes: false }
    }

    /// Only a chroot.
    pub(super) fn chroot(root: &Path, cwd: &RootPath) -> Self {
        let steps =
            vec![Step::Umask, Step::Chroot(c(root)), cwd_of(cwd), Step::Powerless, Step::Calls(calls::filter())];
        Self { steps, has_own_processes: false }
    }

    /// A read-only root with its own mounts and without network.
    pub(super) fn apart(root: &Path, cwd: &RootPath, mounts: &Mounts<'_>) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        let mut steps = vec![Step::Umask];
        let own = UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
        if is_root {
            steps.push(Step::Unshare(own));
        } else {
            let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            steps.push(Step::Unshare(own | UnshareFlags::NEWUSER));
            // user_namespaces(7), "Defining user and group ID mappings".
            for (file, text) in
                [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {uid} 1")), ("gid_map", format!("0 {gid} 1"))]
            {
                steps.push(Step::Write(c(format!("/proc/self/{file}")), text.into_bytes()));
            }
        }
        steps.push(Step::Private);
        steps.push(Step::Bind(c(root), c(root)));
        for place in std::iter::once(root.to_path_buf()).chain(mounts_below(root)) {
            steps.push(Step::ReadOnly(c(&place), kept_flags(&place)));
        }
        if let Some(proc) = &mounts.proc {
            // In a user namespace, the kernel protects other processes; for real root it does not.
            steps.push(Step::Proc(c(proc), !is_root));
        }
        if let Some(dev) = &mounts.dev {
            steps.push(Step::Memory(c(dev), c("mode=755,size=64m")));
            for device in DEVICES {
                steps.push(Step::File(c(dev.join(device))));
                steps.push(Step::Bind(c(Path::new("/dev").join(device)), c(dev.join(device))));
            }
            steps.push(Step::Dir(c(dev.join("shm"))));
        }
        if let Some(tmp) = &mounts.tmp {
            steps.push(match mounts.scratch {
                Some(scratch) => Step::Bind(c(scratch), c(tmp)),
                None => Step::Memory(c(tmp), c("mode=1777,size=1g")),
            });
        }
        steps.push(Step::Loopback);
        steps.push(Step::Pivot(c(root)));
        steps.push(cwd_of(cwd));
        steps.push(Step::Powerless);
        steps.push(Step::Calls(calls::filter()));
        Self { steps, has_own_processes: is_root }
    }

    /// Runs the steps in the child between fork and exec.
    #[expect(unsafe_code, reason = "the steps must be taken between fork and exec")]
    pub(super) fn install(self, command: &mut Command) {
        let steps = self.steps;
        // SAFETY: the closure runs in a child that has only the forking thread, where another thread's lock is never
        // released, so it must not allocate. It only makes system calls with strings prepared beforehand.
        unsafe { command.pre_exec(move || steps.iter().try_for_each(take)) };
    }
}

/// Puts the children of this thread into a PID namespace that ends with the first of them.
#[expect(unsafe_code, reason = "rustix marks unshare so for the sake of other flags")]
pub(super) fn own_processes() -> Result<(), Errno> {
    // SAFETY: NEWPID does not affect this process or its threads, only children of this thread.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWPID) }
}

fn cwd_of(cwd: &RootPath) -> Step {
    Step::Cwd(CString::new(cwd.as_bytes()).unwrap_or_default())
}

/// Mount points below a root (proc_pid_mountinfo(5): the fifth field, blanks as octal escapes).
fn mounts_below(root: &Path) -> Vec<PathBuf> {
    let text = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let places = text.split(|b| *b == b'\n').filter_map(|line| line.split(|b| *b == b' ').nth(4));
    let places = places.map(|place| PathBuf::from(OsString::from_vec(unescaped(place))));
    places.filter(|place| place.starts_with(root) && place != root).collect()
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                out.push(byte);
                rest = &after[3..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// Flags that a bind mount in a user namespace must keep (mount_namespaces(7), "Restrictions").
pub(super) fn kept_flags(root: &Path) -> MountFlags {
    let Ok(stat) = rustix::fs::statvfs(root) else { return MountFlags::empty() };
    let known = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    known.into_iter().filter(|(has, _)| stat.f_flag.contains(*has)).map(|(_, keeps)| keeps).collect()
}

#[expect(unsafe_code, reason = "rustix marks unshare so for the sake of one flag")]
fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: FILES, the unsafe flag, is not set, and this process has one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Drops all of root's capabilities (capabilities(7)), and those that a set-id program would gain. The process can
/// still open root's files, but the root is read-only.
fn give_up_rights() -> Result<(), Errno> {
    use rustix::thread::CapabilitySet;
    for capability in CapabilitySet::all().iter() {
        // Failures are harmless: capabilities unknown to the kernel (EINVAL) and those we may not drop (EPERM) cannot
        // be gained either, see below.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    rustix::thread::set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    // An exec by root would regain them from the bounding set; these bits disable root's special treatment.
    let _ = rustix::thread::set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED,
    );
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    // Checks the state that the exec will find.
    for capability in CapabilitySet::all().iter() {
        if rustix::thread::capability_is_in_bounding_set(capability).unwrap_or(false)
            && !rustix::thread::capabilities_secure_bits()?.contains(CapabilitiesSecureBits::NO_ROOT)
            && rustix::process::geteuid().is_root()
        {
            return Err(Errno::PERM);
        }
    }
    Ok(())
}

/// netdevice(7): SIOCSIFFLAGS.
#[expect(unsafe_code, reason = "rustix has no call for it")]
pub(super) fn put_up_loopback() -> io::Result<()> {
    const SET_FLAGS: rustix::ioctl::Opcode = 0x8914;
    const UP_AND_RUNNING: u16 = 0x41;
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: u16,
        rest: [u8; 22],
    }
    let mut request = Request { name: [0; 16], flags: UP_AND_RUNNING, rest: [0; 22] };
    request.name[..2].copy_from_slice(b"lo");
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: the call reads a request of this layout, which is at least as long as struct ifreq on every machine.
    unsafe {
        rustix::ioctl::ioctl(&socket, rustix::ioctl::Setter::<SET_FLAGS, Request>::new(request))?;
    }
    Ok(())
}

/// Marks all inherited descriptors, such as those that a CI system leaves open, as close-on-exec.
#[expect(unsafe_code, reason = "descriptors that others opened are known by number alone")]
pub(super) fn keep_descriptors() {
    for entry in std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: the number may meanwhile refer to another file or to none, but setting the flag is harmless: all
            // files of this process have it.
            let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
            let _ = rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC);
        }
    }
}

fn take(step: &Step) -> io::Result<()> {
    let none: Option<&CStr> = None;
    match step {
        Step::Unshare(flags) => unshare(*flags)?,
        Step::Write(path, text) => {
            let file = rustix::fs::openat(CWD, path.as_c_str(), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            rustix::io::write(&file, text)?;
        }
        Step::Private => {
            rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        }
        Step::Bind(from, to) => rustix::mount::mount_bind_recursive(from.as_c_str(), to.as_c_str())?,
        Step::ReadOnly(place, kept) => {
            rustix::mount::mount_remount(place.as_c_str(), MountFlags::BIND | MountFlags::RDONLY | *kept, c"")?;
        }
        Step::Memory(place, options) => {
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            rustix::mount::mount(c"tmpfs", place.as_c_str(), c"tmpfs", flags, Some(options.as_c_str()))?;
        }
        Step::Proc(place, may_share) => {
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
            // Only the owner of the PID namespace may mount a new /proc.
            match rustix::mount::mount(c"proc", place.as_c_str(), c"proc", flags, none) {
                Err(_) if *may_share => rustix::mount::mount_bind_recursive(c"/proc", place.as_c_str())?,
                other => other?,
            }
        }
        Step::File(path) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
            drop(rustix::fs::openat(CWD, path.as_c_str(), flags, Mode::from_raw_mode(0o644))?);
        }
        Step::Dir(path) => {
            rustix::fs::mkdirat(CWD, path.as_c_str(), Mode::from_raw_mode(0o755))?;
            rustix::fs::chmod(path.as_c_str(), Mode::from_raw_mode(0o1777))?;
        }
        Step::Chroot(root) => {
            rustix::process::chdir(root.as_c_str())?;
            rustix::process::chroot(c".")?;
        }
        Step::Pivot(root) => {
            // pivot_root(2), "pivot_root(".", ".")": the old root is on top of the new one until it is unmounted.
            rustix::process::chdir(root.as_c_str())?;
            rustix::process::pivot_root(c".", c".")?;
            rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
            rustix::process::chdir(c"/")?;
        }
        // Ignore failures: most programs need no network.
        Step::Loopback => drop(put_up_loopback()),
        Step::Powerless => give_up_rights()?,
        Step::Calls(filter) if filter.is_empty() => {}
        // A kernel without filters (ENOSYS, EINVAL) leaves the rest of the sandbox.
        Step::Calls(filter) => match seccompiler::apply_filter(filter) {
            Err(seccompiler::Error::Seccomp(error) | seccompiler::Error::Prctl(error))
                if !matches!(Errno::from_io_error(&error), Some(Errno::NOSYS | Errno::INVAL)) =>
            {
                return Err(error);
            }
            _ => {}
        },
        Step::Cwd(cwd) => rustix::process::chdir(cwd.as_c_str())?,
        // A fixed umask gives generated files the same modes for every user.
        Step::Umask => drop(rustix::process::umask(Mode::from_raw_mode(0o022))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_of_mount_points_are_read_back() {
        assert_eq!(unescaped(br"/a\040b\134"), br"/a b\");
        assert_eq!(unescaped(br"/a\9"), br"/a\9");
    }
}
