//! Programs of the root that are run, and what they leave for slimroot to read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use slimroot::guest::{Guest, Job};
use slimroot::path::RootPath;
use slimroot::root::{DirTree, Root};

use super::{archived, names, scratch, text};
use crate::support::hostile::{compiled, limited, misbehaves, root, slowdown, wait, write_program};

/// A guest that tries to get out: it looks for a way from `..`, opens what it was handed, becomes more than it is, and
/// writes to the settings of the kernel.
const ESCAPE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
static void leave(const char *how) { int f = open(PLACE, O_CREAT|O_WRONLY|O_APPEND, 0666); if (f >= 0) { write(f, how, strlen(how)); close(f); } }
int main(void) {
  char line[64]; int i;
  for (i = 3; i < 256; i++) { if (fchdir(i) == 0) { leave("a directory that was handed on\n"); } if (lseek(i, 0, SEEK_SET) == 0 && read(i, line, 8) == 8 && !memcmp(line, "handed-o", 8)) leave("handed"), fprintf(stderr, "read a file that was handed on\n"), mkdir("/tmp/HANDED", 0777); }
  leave("at once\n");
  mkdir("/tmp/jail", 0777);
  int here = open("/", O_RDONLY|O_DIRECTORY);
  if (chroot("/tmp/jail") == 0) { fchdir(here); for (i = 0; i < 64; i++) chdir(".."); chroot("."); leave("chroot\n"); }
  chdir("/"); for (i = 0; i < 64; i++) chdir(".."); leave("..\n");
  if (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER|CLONE_NEWNS) == 0) { umount2("/", MNT_DETACH); leave("unmounted\n"); mount("none", "/tmp", "tmpfs", 0, ""); }
  for (i = 1; i < 400; i++) { snprintf(line, sizeof line, "/proc/%d/root", i); if (chroot(line) == 0 || (chdir(line) == 0)) { char p[256]; snprintf(p, sizeof p, "/proc/%d/root%s", i, PLACE); int f = open(p, O_CREAT|O_WRONLY, 0666); if (f >= 0) { write(f, "proc\n", 5); close(f); } } }
  int core = open("/proc/sys/kernel/core_pattern", O_WRONLY); if (core >= 0) mkdir("/tmp/CORE", 0777);
  if (mknod("/tmp/disk", S_IFBLK|0600, makedev(8, 0)) == 0) mkdir("/tmp/DISK", 0777);
  if (setuid(0) == 0 && setgid(0) == 0 && chown("/tmp/jail", 7, 7) == 0) mkdir("/tmp/CHOWN", 0777);
  char *p = getenv("PYTHONPYCACHEPREFIX");
  REST
  return 0;
}
"#;

/// A root whose interpreter of Python is this program.
fn python_root(dir: &Path, code: &str) -> PathBuf {
    let root = root(dir);
    for sub in ["usr/bin", "usr/lib/python3.11/encodings", "app"] {
        fs::create_dir_all(root.join(sub)).expect("made");
    }
    for source in ["usr/lib/python3.11/os.py", "usr/lib/python3.11/encodings/__init__.py"] {
        fs::write(root.join(source), "").expect("written");
    }
    write_program(&root.join("usr/bin/python3.11"), &compiled(code));
    symlink("python3.11", root.join("usr/bin/python3")).expect("linked");
    write_program(&root.join("app/main.py"), b"#!/usr/bin/python3\nprint(1)\n");
    root
}

/// Judge: nothing lies on this machine where the guest wrote, and no file that was open was read.
#[test]
fn a_guest_stays_in_its_root() {
    let dir = scratch();
    let canary = dir.path().join("PWNED");
    let handed = dir.path().join("handed");
    fs::write(&handed, "handed-on to a child").expect("written");
    let code = ESCAPE.replace("PLACE", &format!("{:?}", text(&canary))).replace("REST", "");
    let root = python_root(dir.path(), &code);
    for which in ["all", "used"] {
        let line = format!(
            "exec 7<{} 8<{} 9</; exec \"$0\" build --root {} --dry-run --pyc {which} -- /app/main.py",
            text(&handed),
            text(dir.path()),
            text(&root)
        );
        let ran = wait(Command::new("sh").args(["-c", &line, env!("CARGO_BIN_EXE_slimroot")]), Duration::from_secs(60));
        assert_eq!(misbehaves(&ran), None, "{which}: {ran:?}");
        assert!(!canary.exists(), "{which}: {:?}", fs::read_to_string(&canary));
        assert!(!ran.err.contains("handed on"), "{which}: {ran:?}");
    }
    assert_eq!(names(&root.join("tmp")), [""; 0], "the root was written to");
}

/// Calls that no guest may make, by their names in the kernel's headers; the last four are to look unknown.
const CALLS: [&str; 49] = [
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "open_tree_attr",
    "name_to_handle_at",
    "open_by_handle_at",
    "setns",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "kcmp",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "fanotify_init",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "reboot",
    "swapon",
    "swapoff",
    "quotactl",
    "quotactl_fd",
    "acct",
    "syslog",
    "iopl",
    "ioperm",
    "vm86",
    "vm86old",
    "lookup_dcookie",
    "clone",
    "unshare",
    "clone3",
    "io_uring_setup",
];
/// Makes each call with arguments that none accepts, and says the error; then starts a child as any program does.
const CALLER: &str = r#"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include HEADER
static long make(long number) {
#ifdef OLD
  long answer;
  __asm__ volatile("int $0x80" : "=a"(answer) : "a"(number), "b"(-1L), "c"(-1L), "d"(-1L), "S"(-1L), "D"(-1L) : "r8", "r9", "r10", "r11", "memory");
  return (int)answer < 0 ? -(int)answer : 0;
#else
  return syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 ? errno : 0;
#endif
}
static void *thread(void *nothing) { return nothing; }
int main(void) {
  CALLS
  pthread_t other; int status = 1;
  if (pthread_create(&other, NULL, thread, NULL) || pthread_join(other, NULL)) return 1;
  pid_t child = fork(); if (child == 0) _exit(0);
  waitpid(child, &status, 0);
  return status;
}
"#;

/// Judge: the kernel's headers and its answers, of both kinds of calls that it takes. Outside, the same program is told that
/// its arguments are wrong.
#[test]
fn a_guest_is_refused_what_only_administrators_call() {
    let kinds: &[(&str, &str)] = if cfg!(target_arch = "x86_64") {
        &[("<asm/unistd_64.h>", ""), ("<asm/unistd_32.h>", "#define OLD\n")]
    } else {
        &[("<asm/unistd.h>", "")]
    };
    for (header, define) in kinds {
        let calls: String = CALLS
            .iter()
            .map(|name| {
                format!("\n#ifdef __NR_{name}\nprintf(\"{name} %ld\\n\", make(__NR_{name}));fflush(stdout);\n#endif\n")
            })
            .collect();
        let code = CALLER.replace("HEADER", header).replace("CALLS", &calls);
        let dir = scratch();
        let place = python_root(dir.path(), &format!("{define}{code}"));
        let root = Root::new(Arc::new(DirTree::open(&place).expect("a root")));
        let guest = Guest::of(&place, &root).expect("a guest");
        let (program, cwd) = (RootPath::new("/usr/bin/python3.11").expect("a path"), RootPath::root());
        let job = Job {
            program: &program,
            args: Vec::new(),
            env: std::collections::BTreeMap::new(),
            cwd: &cwd,
            input: Vec::new(),
            scratch: None,
            limit: Duration::from_secs(20),
            max_output: 1 << 16,
            stop: &|| false,
        };
        let inside = guest.run(&job).expect("it runs");
        assert_eq!(inside.status, Some(0), "{header}: {inside:?}");
        let inside = String::from_utf8(inside.output).expect("text");
        assert!(inside.lines().count() > 30, "{header}: {inside}");
        for line in inside.lines() {
            let expected = if line.starts_with("clone3 ") || line.starts_with("io_uring") { "38" } else { "1" };
            assert_eq!(line.rsplit(' ').next(), Some(expected), "{header}: {line}");
        }
        let outside = Command::new(place.join("usr/bin/python3.11")).output().expect("it runs");
        assert!(outside.status.success(), "{header}: {outside:?}");
        let outside = String::from_utf8(outside.stdout).expect("text");
        let differ = outside.lines().zip(inside.lines()).filter(|(out, inside)| out != inside).count();
        assert!(differ > 10, "{header}: the machine refuses them to everybody: {outside}");
    }
}

/// Judge: the clock. The record of a start is replaced by a pipe, a device, a link to an endless file, a directory.
#[test]
fn the_record_of_a_start_is_not_waited_for() {
    for (what, make) in [
        ("pipe", "mkfifo(b, 0666)"),
        ("link", "symlink(\"/dev/zero\", b)"),
        ("link to a file of this machine", "symlink(\"/etc/passwd\", b)"),
        ("directory", "mkdir(b, 0777)"),
        ("hole", "({ int f = open(b, O_CREAT|O_WRONLY, 0666); ftruncate(f, 1L << 40); })"),
    ] {
        let dir = scratch();
        let code = format!(
            "#define _GNU_SOURCE\n#include <fcntl.h>\n#include <stdlib.h>\n#include <string.h>\n#include <sys/stat.h>\n#include <unistd.h>\n\
             int main(void){{char b[4096];char*p=getenv(\"PYTHONPYCACHEPREFIX\");if(!p)return 0;strcpy(b,p);\
             strcpy(strrchr(b,'/'),\"/seen\");unlink(b);{make};return 0;}}"
        );
        let root = python_root(dir.path(), &code);
        let ran = limited(&["build", "--root", &text(&root), "--dry-run", "--pyc", "used", "--", "/app/main.py"]);
        assert_eq!(misbehaves(&ran), None, "{what}: {ran:?}");
        assert!(ran.took < Duration::from_secs(40).mul_f64(slowdown()), "{what}: {ran:?}");
    }
}

/// Judge: the bytes of what was packed. The JDK of the root leaves a link, or a directory with one, in the place of its result.
#[test]
fn a_link_in_the_place_of_a_runtime_is_not_followed() {
    const CANARY: &str = "host-canary-91c4";
    for leave in
        ["symlink(HOST, out)", "(mkdir(out, 0777), chdir(out), symlink(HOST, \"lib\"), symlink(HOST, \"bin\"))"]
    {
        let dir = scratch();
        let root = root(dir.path());
        let host = dir.path().join("host");
        for sub in ["bin", "lib/server"] {
            fs::create_dir_all(host.join(sub)).expect("made");
        }
        for file in ["bin/key", "key", "lib/key", "lib/modules"] {
            fs::write(host.join(file), CANARY).expect("written");
        }
        let home = root.join("usr/lib/jvm/java-17");
        for sub in ["bin", "lib/server", "jmods"] {
            fs::create_dir_all(home.join(sub)).expect("made");
        }
        fs::create_dir(root.join("app")).expect("made");
        fs::write(home.join("release"), "JAVA_VERSION=\"17.0.1\"\nMODULES=\"java.base\"\n").expect("written");
        fs::write(home.join("lib/modules"), "m").expect("written");
        fs::write(home.join("jmods/java.base.jmod"), "m").expect("written");
        fs::write(root.join("app/a.jar"), [&b"PK\x05\x06"[..], &[0; 18]].concat()).expect("written");
        let gcc = |args: &[&str]| {
            let ran = Command::new("gcc").current_dir(&home).args(args).output().expect("gcc runs");
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        };
        fs::write(home.join("l.c"), "int JLI_Launch(void){return 0;}").expect("written");
        fs::write(home.join("p.c"), "int JLI_Launch(void); int main(void){return JLI_Launch();}").expect("written");
        gcc(&["-shared", "-fPIC", "-Wl,-soname,libjli.so", "-o", "lib/libjli.so", "l.c"]);
        gcc(&["-o", "bin/java", "p.c", "lib/libjli.so", "-Wl,-rpath,$ORIGIN/../lib"]);
        fs::copy(home.join("lib/libjli.so"), home.join("lib/server/libjvm.so")).expect("copied");
        let told = Command::new("ldd").arg(home.join("bin/java")).output().expect("ldd runs");
        for word in String::from_utf8_lossy(&told.stdout).split_whitespace().filter(|word| word.starts_with("/lib")) {
            let place = root.join(&word[1..]);
            fs::create_dir_all(place.parent().expect("a directory")).expect("made");
            fs::copy(word, place).expect("copied");
        }
        let link = format!(
            "#include <string.h>\n#include <sys/stat.h>\n#include <unistd.h>\n#define HOST {:?}\n\
             int main(int n, char **a) {{ for (int i = 1; i + 1 < n; i++) if (!strcmp(a[i], \"--output\")) \
             {{ char *out = a[i + 1]; {leave}; }} return 0; }}",
            text(&host)
        );
        write_program(&home.join("bin/jlink"), &compiled(&link));
        for tool in ["jdeps", "jar"] {
            write_program(&home.join("bin").join(tool), &compiled("int main(void){return 1;}"));
        }
        let archive = dir.path().join("out.tar");
        let options = "--jlink --allow not-made -- /usr/lib/jvm/java-17/bin/java -jar /app/a.jar";
        let ran = archived(&root, &archive, options);
        assert_eq!(misbehaves(&ran), None, "{ran:?}");
        let packed = fs::read(&archive).unwrap_or_default();
        assert!(memchr::memmem::find(&packed, CANARY.as_bytes()).is_none(), "{leave}: {ran:?}");
        let all = format!("{}{}", ran.out, ran.err);
        assert!(!all.contains("no Java runtime"), "the JDK was not run: {all}");
    }
}
