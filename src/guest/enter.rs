//! The door to the guest: what a child does between fork and exec so that the root becomes its `/`.
//!
//! It must happen there: a user namespace can only be made by a process with one thread, and slimroot has more. All of it
//! is settled beforehand as a list of [`Step`]s with their C strings; the child only makes system calls.

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

use crate::path::RootPath;

/// Devices that programs expect (file-hierarchy(7)); nothing that leads to a disk.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// What is mounted, and where on this machine.
pub(super) struct Mounts<'a> {
    pub(super) proc: Option<PathBuf>,
    pub(super) dev: Option<PathBuf>,
    pub(super) tmp: Option<PathBuf>,
    /// What the guest finds at `tmp`; without it an empty directory in memory.
    pub(super) scratch: Option<&'a Path>,
}

enum Step {
    /// Own namespaces; in that of users this process is root.
    Unshare(UnshareFlags),
    Write(CString, Vec<u8>),
    /// No mount from here on is seen outside.
    Private,
    Bind(CString, CString),
    ReadOnly(CString, MountFlags),
    Memory(CString, CString),
    /// /proc, not to be written to: the settings of the kernel in it are the machine's. Whether that of this machine will do.
    Proc(CString, bool),
    File(CString),
    Dir(CString),
    Chroot(CString),
    /// The root becomes `/`, and nothing else stays mounted.
    Pivot(CString),
    /// The loopback of an own network is put up, which later nobody may.
    Loopback,
    Cwd(CString),
    Umask,
    /// No rights but those of an ordinary process, now and after any exec.
    Powerless,
}

/// The steps of one child.
pub(super) struct Door {
    steps: Vec<Step>,
    /// Whether its processes end with it, being in a namespace of their own; only root can have that here.
    pub(super) has_own_processes: bool,
}

fn c(path: impl AsRef<Path>) -> CString {
    // A path of this machine holds no NUL.
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap_or_default()
}

impl Door {
    /// For a root that is this machine's own.
    pub(super) fn plain(cwd: &RootPath) -> Self {
        Self { steps: vec![Step::Umask, cwd_of(cwd)], has_own_processes: false }
    }

    /// Another root and nothing else.
    pub(super) fn chroot(root: &Path, cwd: &RootPath) -> Self {
        let steps = vec![Step::Umask, Step::Chroot(c(root)), cwd_of(cwd), Step::Powerless];
        Self { steps, has_own_processes: false }
    }

    /// Another root that cannot be written to, with mounts of its own and no network.
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
            // A namespace of users is kept out of the processes of others by the kernel; root is not.
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
        Self { steps, has_own_processes: is_root }
    }

    /// Has a command go through.
    #[expect(unsafe_code, reason = "the steps must be taken between fork and exec")]
    pub(super) fn lead(self, command: &mut Command) {
        let steps = self.steps;
        // SAFETY: the closure runs in a child that has only the forking thread, where nothing may take a lock that
        // another thread held, so nothing may be allocated. It makes system calls on strings that were made before.
        unsafe { command.pre_exec(move || steps.iter().try_for_each(take)) };
    }
}

/// Puts the children of this thread into a namespace of processes that ends with the first of them.
#[expect(unsafe_code, reason = "rustix marks unshare so for the sake of other flags")]
pub(super) fn own_processes() -> Result<(), Errno> {
    // SAFETY: NEWPID changes nothing for this process or its threads, only for children of this thread.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWPID) }
}

fn cwd_of(cwd: &RootPath) -> Step {
    Step::Cwd(CString::new(cwd.as_bytes()).unwrap_or_default())
}

/// Where other file systems are mounted in a root (proc_pid_mountinfo(5): the fifth field, blanks as octal numbers).
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

/// Flags that a mount in a user namespace must keep (mount_namespaces(7), "Restrictions").
fn kept_flags(root: &Path) -> MountFlags {
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
    // SAFETY: the flag that is unsafe, FILES, is not among those that are given, and this process has one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Gives up all rights of root (capabilities(7)), and those that a program with a set-id bit would get. The files of root
/// still open for it, but what it sees of them is not to be written to.
fn give_up_rights() -> Result<(), Errno> {
    use rustix::thread::CapabilitySet;
    for capability in CapabilitySet::all().iter() {
        // Those that the kernel does not know (EINVAL), and without the right to (EPERM), cannot be got either: see below.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    rustix::thread::set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    // An exec by root fills them again from the bounding set; these bits say that root is nobody special.
    let _ = rustix::thread::set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED,
    );
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    // As the exec will find it.
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
fn put_up_loopback() -> io::Result<()> {
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
    // SAFETY: the call reads a request of this form, which is as long as struct ifreq on every machine or longer.
    unsafe {
        rustix::ioctl::ioctl(&socket, rustix::ioctl::Setter::<SET_FLAGS, Request>::new(request))?;
    }
    Ok(())
}

/// Sees to it that no file which this process was started with, such as those that a CI system holds open, is handed on.
#[expect(unsafe_code, reason = "descriptors that others opened are known by number alone")]
pub(super) fn keep_descriptors() {
    for entry in std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: setting the flag on a number that meanwhile is another file, or none, does no harm: all files of this
            // process have it.
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
            // Only who owns the namespace of processes may have it anew.
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
            // pivot_root(2), "pivot_root(".", ".")": the old root lies over the new one for a moment.
            rustix::process::chdir(root.as_c_str())?;
            rustix::process::pivot_root(c".", c".")?;
            rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
            rustix::process::chdir(c"/")?;
        }
        // Programs that want no network do without.
        Step::Loopback => drop(put_up_loopback()),
        Step::Powerless => give_up_rights()?,
        Step::Cwd(cwd) => rustix::process::chdir(cwd.as_c_str())?,
        // What is made shall have the same modes whoever asks for it.
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
