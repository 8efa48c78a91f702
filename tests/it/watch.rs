//! The watcher: strace(1), another tracer, judges what it sees.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::need;

/// Threads, cancellation (a real-time signal), calls of 32 bits, a stop by a signal, and a thread that executes a program.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *by_thread(void *unused) { open("/etc/by-thread", O_RDONLY); return unused; }
static void *sleeps(void *unused) { for (;;) pause(); return unused; }
static void *executes(void *unused) { execl("/bin/true", "true", (char *)0); _exit(9); return unused; }
static char wide[] = "/etc/by-32-bits";

int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, by_thread, 0);
    pthread_join(thread, 0);
    pthread_create(&thread, 0, sleeps, 0);
    pthread_cancel(thread);
    pthread_join(thread, 0);
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(5), "b"(wide), "c"(0) : "memory");
#endif
    int self = getpid();
    if (fork() == 0) {
        usleep(50000);
        kill(self, SIGCONT);
        _exit(0);
    }
    raise(SIGSTOP);
    open("/etc/after-a-stop", O_RDONLY);
    chdir("/usr");
    open("share/../lib/relative", O_RDONLY);
    wait(0);
    pthread_create(&thread, 0, executes, 0);
    pthread_join(thread, 0);
    return 8;
}
"#;

fn trace(dir: &Path, command: &[&str]) -> (Output, Vec<Value>) {
    let file = dir.join("trace.jsonl");
    let mut line = Command::new("timeout");
    line.args(["-s", "KILL", "60", env!("CARGO_BIN_EXE_slimroot"), "trace", "-o"]).arg(&file).arg("--").args(command);
    let output = line.current_dir("/").output().expect("slimroot runs");
    let text = fs::read_to_string(&file).expect("a trace");
    (output, text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

/// Absolute paths with the answer of the kernel: true if there is something.
type Paths = BTreeSet<(String, bool)>;

fn of_trace(lines: &[Value]) -> Paths {
    let asked = lines.iter().filter(|line| !["map", "list", "bind"].contains(&line["act"].as_str().unwrap_or("map")));
    let found = asked.map(|line| (line["path"].as_str().expect("text").to_owned(), line["errno"].is_null()));
    found.filter(|(path, _)| is_stable(path)).collect()
}

/// Names that are others in every run.
fn is_stable(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("/tmp/") && !path.starts_with("/proc/")
}

fn of_strace(dir: &Path, command: &[&str]) -> Paths {
    let file = dir.join("strace");
    let mut line = Command::new("strace");
    let calls = "trace=open,openat,openat2,creat,stat,lstat,newfstatat,statx,access,faccessat,faccessat2,readlink,\
                 readlinkat,execve,chdir,mkdir,mkdirat,statfs";
    line.args(["-f", "-s", "4096", "-e", calls, "-o"]).arg(&file).args(command);
    assert!(line.current_dir("/").output().expect("strace runs").stdout.len() < 1 << 20);
    let text = fs::read_to_string(&file).expect("output of strace");
    let mut found = Paths::new();
    let mut begun: std::collections::BTreeMap<&str, String> = Default::default();
    for line in text.lines() {
        let (pid, rest) = line.split_once(' ').expect("a process");
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(pid, start.to_owned());
            continue;
        }
        let whole = match rest.trim_start().strip_prefix("<... ") {
            Some(end) => begun.remove(pid).unwrap_or_default() + end,
            None => rest.to_owned(),
        };
        let path = whole.split('"').nth(1).filter(|path| is_stable(path));
        if let Some(path) = path.filter(|_| !whole.contains(" = ?")) {
            let is_found = !whole.rsplit(" = ").next().unwrap_or_default().starts_with("-1");
            let path = Path::new(path).components().collect::<std::path::PathBuf>();
            found.insert((path.to_str().expect("text").to_owned(), is_found));
        }
    }
    found
}

fn agree(dir: &Path, command: &[&str]) {
    let (_, lines) = trace(dir, command);
    let (ours, theirs) = (of_trace(&lines), of_strace(dir, command));
    assert!(theirs.len() > 8, "{theirs:?}");
    let missed: Vec<_> = theirs.difference(&ours).collect();
    assert!(missed.is_empty(), "{command:?}: only strace saw {missed:?}");
    // Relative paths are resolved here alone.
    let is_relative = |path: &str| path.starts_with("/usr/share/../lib") || command[0].ends_with("gcc");
    let more: Vec<_> = ours.difference(&theirs).filter(|(path, _)| !is_relative(path)).collect();
    assert!(more.is_empty(), "{command:?}: strace did not see {more:?}");
}

#[test]
fn it_sees_what_strace_sees() {
    if !need::all(&["strace", "gcc", "perl", "timeout"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (source, program) = (dir.path().join("threads.c"), dir.path().join("threads"));
    fs::write(&source, PROGRAM).expect("written");
    let [source, program] = [&source, &program].map(|path| path.to_str().expect("text"));
    let built = Command::new("gcc").args(["-no-pie", "-pthread", "-w", "-o", program, source]).status();
    assert!(built.expect("gcc runs").success());
    agree(dir.path(), &[program]);
    agree(dir.path(), &["/bin/sh", "-c", "ls / | cat; cat /etc/none; /usr/bin/perl -e 'require POSIX; -e \"/x\"'"]);
    agree(dir.path(), &["/usr/bin/gcc", "-w", "-pthread", "-o", "/dev/null", source]);

    let (output, lines) = trace(dir.path(), &[program]);
    assert_eq!(output.status.code(), Some(0), "the thread that executes /bin/true ends the program");
    let paths = of_trace(&lines);
    let expected = ["/etc/by-thread", "/etc/after-a-stop", "/usr/share/../lib/relative"];
    let expected = expected.iter().chain(cfg!(target_arch = "x86_64").then_some(&"/etc/by-32-bits"));
    for path in expected {
        assert!(paths.contains(&((*path).to_owned(), false)), "{path} is not in {paths:?}");
    }
    assert!(paths.contains(&("/bin/true".to_owned(), true)), "{paths:?}");
}

#[test]
fn it_ends_as_its_command_does_and_with_it() {
    if !need::all(&["timeout", "sh", "sleep"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let status = |command: &[&str]| trace(dir.path(), command).0.status.code();
    assert_eq!(status(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(status(&["sh", "-c", "kill -KILL $$"]), Some(137));
    assert_eq!(status(&["/etc/hostname"]), Some(126));

    // Without its tracer nothing goes on.
    let mark = format!("{}", 86_400 + std::process::id() % 10_000);
    let mut slimroot = Command::new(env!("CARGO_BIN_EXE_slimroot"))
        .args(["trace", "-o"])
        .arg(dir.path().join("killed"))
        .args(["--", "sh", "-c", "sleep $0 & exec sleep $0", &mark])
        .spawn()
        .expect("slimroot runs");
    let is_running = || {
        let lines = fs::read_dir("/proc").expect("listed").flatten().map(|entry| entry.path().join("cmdline"));
        lines.filter_map(|file| fs::read(file).ok()).any(|line| line == format!("sleep\0{mark}\0").into_bytes())
    };
    let wait = |wanted: bool| {
        for _ in 0..6_000 {
            if is_running() == wanted {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        false
    };
    assert!(wait(true), "the command does not run");
    slimroot.kill().expect("killed");
    slimroot.wait().expect("ended");
    assert!(wait(false), "processes are left");
    assert!(!dir.path().join("killed").exists());
}

/// Known only to whoever runs it.
const ENV: [(&str, &str); 2] = [("C", "c"), ("N", "seven")];

/// A script that names its files by variables of its environment: no analysis finds them, a trace does.
#[test]
fn a_trace_adds_what_a_run_has_used() {
    if !need::all(&["strace", "chroot", "timeout"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    let libraries = ["/bin/sh", "/bin/cat", "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"];
    for file in libraries {
        let place = root.join(&file[1..]);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(file, place).expect("a file of this machine");
    }
    fs::create_dir_all(root.join("data")).expect("made");
    fs::write(root.join("data/seven"), "7\n").expect("written");
    let script = "#!/bin/sh\n${C}at /data/$N\n";
    fs::write(root.join("start"), script).expect("written");
    fs::set_permissions(root.join("start"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let root = root.to_str().expect("text");
    let pack = |options: &[&str]| {
        let out = tempfile::tempdir_in(dir.path()).expect("a directory").keep().join("packed");
        let mut line = Command::new(env!("CARGO_BIN_EXE_slimroot"));
        line.args(["build", "--root", root, "--companions", "none", "-o"]).arg(format!("dir:{}", out.display()));
        let output = line.args(options).args(["--", "/start"]).output().expect("slimroot runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (out, String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let run = |packed: &Path| {
        let output = Command::new("chroot").arg(packed).args(["/start"]).envs(ENV).output().expect("chroot runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(run(&pack(&[]).0), "", "it works without a trace: the test shows nothing");

    let ours = dir.path().join("ours.jsonl");
    let mut line = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    line.args(["trace", "-o"]).arg(&ours).args(["--", "chroot", root, "/start"]).envs(ENV);
    assert!(line.output().expect("slimroot runs").status.success());
    let theirs = dir.path().join("strace.txt");
    let mut line = Command::new("strace");
    line.args(["-f", "-o"]).arg(&theirs).args(["chroot", root, "/start"]).envs(ENV);
    assert!(line.output().expect("strace runs").status.success());
    for file in [&ours, &theirs] {
        let (packed, report) = pack(&["--trace", file.to_str().expect("text")]);
        assert_eq!(run(&packed), "7\n", "{}", file.display());
        assert!(report.contains("seen in a run"), "{report}");
        assert!(packed.join("start").exists() && packed.join("data/seven").exists());
    }
    let none = dir.path().join("none.jsonl");
    fs::write(&none, "hello\n").expect("written");
    let mut line = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    line.args(["build", "--root", root, "--dry-run", "--trace"]).arg(&none).args(["--", "/start"]);
    let output = line.output().expect("slimroot runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[bad-trace]"));
}

/// A kernel that refuses process_vm_readv(2), as docker before version 23 makes it do, hides nothing: the trace is the same.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_container_that_forbids_reading_other_processes_hides_nothing() {
    if !need::all(&["python3"]) {
        return;
    }
    const REFUSE: &str = r#"
import ctypes, os, struct, sys
LOAD, IS, ANSWER, ALLOW, REFUSE = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050001
steps = [(LOAD, 0, 0, 0), (IS, 0, 1, 310), (ANSWER, 0, 0, REFUSE), (ANSWER, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0
assert libc.process_vm_readv(os.getpid(), None, 0, None, 0, 0) == -1 and ctypes.get_errno() == 1
os.execv(sys.argv[1], sys.argv[1:])
"#;
    let dir = tempfile::tempdir().expect("a directory");
    let command = ["/bin/sh", "-c", "cat /etc/hostname /etc/absent; exec /bin/true"];
    let (_, expected) = trace(dir.path(), &command);
    let file = dir.path().join("refused.jsonl");
    let mut line = Command::new("python3");
    line.args(["-c", REFUSE, env!("CARGO_BIN_EXE_slimroot"), "trace", "-o"]).arg(&file).arg("--").args(command);
    let output = line.current_dir("/").output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&file).expect("a trace");
    let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    // A python3 that is a script changes the environment, and with it what a shell looks up elsewhere.
    let of_etc = |lines: &[Value]| -> Paths {
        of_trace(lines).into_iter().filter(|(path, _)| path.starts_with("/etc/") || path.starts_with("/bin/")).collect()
    };
    let found = of_etc(&found);
    assert!(found.contains(&("/etc/absent".to_owned(), false)), "{found:?}");
    assert_eq!(found, of_etc(&expected));
}
