//! Roots that nobody vouches for, and runs that are disturbed: each case is run with limits on time and memory and judged by
//! the kernel and the bytes. What a terminal, a shell and an engine make of the text is asked of them.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use slimroot::guest::{Guest, Job};
use slimroot::path::RootPath;
use slimroot::root::{DirTree, Root};

use crate::support::hostile::{
    self, Layout, Ran, base, compiled, file, limited, misbehaves, program, root, tar, wait, write_program,
};

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn slimroot() -> Command {
    Command::new(env!("CARGO_BIN_EXE_slimroot"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Packs a root into an archive; options are separated by spaces.
fn archived(root: &Path, archive: &Path, options: &str) -> Ran {
    let (root, archive) = (text(root), format!("tar:{}", text(archive)));
    let fixed = ["build", "--root", &root, "-o", &archive];
    limited(&fixed.into_iter().chain(options.split(' ')).collect::<Vec<_>>())
}

/// Names in a directory, hidden ones too.
fn names(dir: &Path) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    found
}

fn chown(path: &Path, uid: u32) {
    std::os::unix::fs::chown(path, Some(uid), Some(uid)).expect("given away");
}

/// Judge: GNU tar, which lists the owners of what was packed.
#[test]
fn root_guesses_no_owner() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = scratch();
    let root = root(dir.path());
    write_program(&root.join("bin/helper"), program());
    fs::write(root.join("etc/private"), "key").expect("written");
    for (name, mode) in [("bin/helper", 0o6755), ("etc/private", 0o600)] {
        chown(&root.join(name), 1000);
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).expect("set");
    }
    chown(&root, 1000);
    let archive = dir.path().join("out.tar");
    let ran = archived(&root, &archive, "-i /etc/private -i /bin/helper -u 1000:1000 -- /bin/x");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let listed = Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(&archive).output().expect("tar runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for (name, mode) in [("bin/helper", "-rwsr-sr-x"), ("etc/private", "-rw-------")] {
        let line = listed.lines().find(|line| line.ends_with(name)).unwrap_or_else(|| panic!("{listed}"));
        assert!(line.starts_with(&format!("{mode} 1000/1000 ")), "{line}");
    }
}

/// Judge: the first and the last byte of what came out. Written to before, while and after it is read.
#[test]
fn a_file_that_is_written_to_is_never_packed_in_part() {
    const SIZE: u64 = 96 << 20;
    let dir = scratch();
    let root = root(dir.path());
    let big = root.join("big");
    let mut ended = [0, 0];
    for transport in ["tar", "dir", "oci-archive"] {
        for delay in [20, 60, 120, 200, 350, 600] {
            fs::write(&big, vec![b'A'; SIZE as usize]).expect("written");
            let out = dir.path().join("out");
            let _ = fs::remove_dir_all(&out);
            let _ = fs::remove_file(&out);
            let mut command = slimroot();
            command.args(["build", "--root", &text(&root), "-o", &format!("{transport}:{}", text(&out)), "-i", "/big"]);
            command.args(["--compression", "none", "--", "/bin/x"]).stdout(Stdio::null()).stderr(Stdio::piped());
            let child = command.spawn().expect("it starts");
            std::thread::sleep(Duration::from_millis(delay));
            // In place and of the same size, with the old time set again: only the change time is left to tell.
            let mut file = fs::File::options().write(true).open(&big).expect("open");
            let time = file.metadata().and_then(|meta| meta.modified()).expect("a time");
            file.write_all(b"B").and_then(|()| file.seek(SeekFrom::Start(SIZE - 1))).expect("sought");
            file.write_all(b"B").and_then(|()| file.set_modified(time)).expect("written");
            let ran = child.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            if ran.status.code() == Some(3) {
                assert!(said.starts_with("error[changed-while-packing]"), "{said}");
                assert_eq!(names(dir.path()), ["root"], "{transport}");
                ended[1] += 1;
                continue;
            }
            assert_eq!(ran.status.code(), Some(0), "{said}");
            ended[0] += 1;
            let packed = match transport {
                "dir" => fs::read(out.join("big")).expect("packed"),
                "tar" => {
                    let told = Command::new("tar").args(["-xOf", &text(&out), "big"]).output().expect("tar runs");
                    told.stdout
                }
                _ => {
                    // The layer is not compressed: the file lies in the archive as it is.
                    let bytes = fs::read(&out).expect("packed");
                    let start = memchr::memmem::find(&bytes, &[b'A'; 64]).expect("the file") as u64;
                    let start = if bytes[start as usize - 1] == b'B' { start - 1 } else { start };
                    bytes[start as usize..(start + SIZE) as usize].to_vec()
                }
            };
            let ends = (packed[0], packed[packed.len() - 1]);
            assert!(ends == (b'A', b'A') || ends == (b'B', b'B'), "{transport} after {delay} ms is torn: {ends:?}");
        }
    }
    assert!(ended[1] > 0, "no run was disturbed: {ended:?}");
}

/// How long a run went on after a signal, and how it ended.
fn signalled(command: &mut Command, after: Duration, signal: Signal) -> (Option<Duration>, Option<i32>, String) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    std::thread::sleep(after);
    let id = Pid::from_raw(child.id().cast_signed()).expect("a process");
    let begun = Instant::now();
    kill_process(id, signal).expect("sent");
    let ran = child.wait_with_output().expect("it ends");
    (Some(begun.elapsed()), ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// A root that takes long to plan and long to pack.
fn long_root(dir: &Path) -> PathBuf {
    let root = root(dir);
    for at in 0..3_000 {
        let sub = root.join(format!("x/{}", at % 60));
        fs::create_dir_all(&sub).expect("made");
        fs::write(sub.join(format!("f{at}")), vec![(at % 251) as u8; 40_000]).expect("written");
    }
    fs::write(root.join("x/big"), vec![7; 64 << 20]).expect("written");
    let script = format!("#!/bin/x\n{}", "if true; then cat /x/*; fi\n".repeat(8_000));
    write_program(&root.join("bin/script"), script.as_bytes());
    root
}

/// Judge: the kernel says when the process is gone, and the disk what it left.
#[test]
fn a_signal_ends_every_phase_at_once_and_leaves_nothing() {
    const LIMIT: Duration = Duration::from_millis(300);
    let dir = scratch();
    let root = long_root(dir.path());
    let temporary = dir.path().join("tmp");
    fs::create_dir(&temporary).expect("made");
    let out = dir.path().join("place");
    fs::create_dir(&out).expect("made");
    let whole = Instant::now();
    let build = |transport: &str| {
        let mut command = slimroot();
        command.args(["build", "--root", &text(&root), "-i", "/x/**", "--bin", "/bin/script", "-o"]);
        command.arg(format!("{transport}:{}/out", text(&out))).args(["--compression", "zstd:19", "--", "/bin/x"]);
        command.env("TMPDIR", &temporary);
        command
    };
    assert!(build("oci").output().expect("it runs").status.success());
    fs::remove_dir_all(out.join("out")).expect("removed");
    let whole = whole.elapsed();
    let (mut ended, mut slow) = (0, Vec::new());
    for (number, transport) in
        ["dir", "tar", "oci", "oci-archive", "docker-archive"].iter().cycle().take(30).enumerate()
    {
        let signal = [Signal::TERM, Signal::INT, Signal::HUP][number % 3];
        let after = whole * (number as u32 + 1) / 31;
        let (took, code, said) = signalled(&mut build(transport), after, signal);
        if code.is_none() && said.is_empty() && after < Duration::from_millis(300) {
            // It had not yet begun: the kernel itself ended it.
            continue;
        }
        if code == Some(0) {
            let _ = fs::remove_dir_all(out.join("out"));
            let _ = fs::remove_file(out.join("out"));
            assert_eq!(names(&out), [""; 0], "{said}");
            continue;
        }
        ended += 1;
        assert_eq!(code, Some(130), "{transport} after {after:?}: {said}");
        assert!(said.contains("error[interrupted]"), "{said}");
        assert_eq!(names(&out), [""; 0], "{transport} after {after:?} leaves something: {said}");
        assert_eq!(names(&temporary), [""; 0], "{transport} after {after:?} leaves something: {said}");
        slow.extend(took.filter(|took| *took > LIMIT).map(|took| (transport, after, took)));
    }
    assert!(ended > 10, "only {ended} runs were ended");
    // A machine that does other work may hold one of them up.
    assert!(slow.len() * 10 <= ended, "{slow:?} of {ended}");
}

/// Text that terminals obey, that CI systems obey, and that hides.
const HOSTILE: &str = "\u{1b}]0;pwn\u{7}\r\n::error::pwned ##[error]p ##vso[task.complete]\u{202e}\u{9b}2J\u{200b}\u{feff}\t'\"$(touch pwned)`id`\\";

/// Every kind of report on an image in which everything that can have a name has a hostile one.
#[test]
fn no_report_prints_what_a_terminal_or_a_ci_system_obeys() {
    let x = HOSTILE;
    let configs = [
        json!({ "Entrypoint": ["/bin/x"], "User": x }),
        json!({ "Entrypoint": ["/bin/x", x], "Cmd": [x] }),
        json!({ "Entrypoint": [format!("/bin/{x}")] }),
        json!({ "Entrypoint": [format!("/gone/{x}")] }),
        json!({ "Entrypoint": [format!("/bin/s{x}")] }),
        json!({ "Entrypoint": ["/bin/x"], "WorkingDir": x }),
        json!({ "Entrypoint": ["/bin/x"], "WorkingDir": format!("/{x}") }),
        json!({ "Entrypoint": ["/bin/x"], "ExposedPorts": { x: {} } }),
        json!({ "Entrypoint": ["/bin/x"], "Labels": { x: x } }),
        json!({ "Entrypoint": ["/bin/x"], "Env": [format!("A{x}=1"), format!("B={x}"), format!("LD_PRELOAD=/{x}")] }),
        json!({ "Entrypoint": ["x"], "Env": [format!("PATH=/{x}:/bin")] }),
    ];
    let script = format!("#!/bin/x\n/{x}\ncat /etc/{x}\n");
    let no_interpreter = format!("#!/gone/{}\n", x.replace(['\n', '\r'], " "));
    let dynamic = dynamic_program();
    for (number, config) in configs.into_iter().enumerate() {
        let dir = scratch();
        let mut name = format!("bin/{x}").into_bytes();
        name.truncate(100);
        let long =
            |text: &str, bytes: &[u8]| [hostile::pax(&[("path", text.as_bytes())]), file("x", 0o6755, bytes)].concat();
        let link = [
            hostile::pax(&[("path", format!("etc/l{x}").as_bytes()), ("linkpath", x.as_bytes())]),
            hostile::head(&hostile::Head { kind: b'2', ..hostile::Head::default() }),
        ];
        let layer = tar(&[
            long(&format!("bin/{x}"), program()),
            long(&format!("bin/s{x}"), script.as_bytes()),
            long(&format!("bin/i{x}"), no_interpreter.as_bytes()),
            long(&format!("bin/d{x}"), &dynamic),
            long(&format!("etc/{x}/.env"), b"SECRET=1"),
            long(&format!("etc/{x}.key"), b"-----BEGIN PRIVATE KEY-----\n"),
            link.concat(),
            file("etc/group", 0o644, format!("{x}:x:1:\n").as_bytes()),
            file(
                "usr/lib/systemd/system/a.service",
                0o644,
                format!("[Service]\nExecStart=/bin/x\nUser={x}\n").as_bytes(),
            ),
            file("etc/ld.so.conf", 0o644, format!("/{x}\n").as_bytes()),
            file(
                "var/lib/dpkg/status",
                0o644,
                format!("Package: {x}\nStatus: install ok installed\nVersion: {x}\n\n").as_bytes(),
            ),
        ]);
        let mut layout = Layout::new(&dir.path().join("l"), vec![base(), layer]).config(config);
        layout.annotations.insert("org.opencontainers.image.ref.name".to_owned(), x.to_owned());
        let image = layout.write_with(if number == 0 { x } else { "amd64" }, &|_| ());
        let out = dir.path().join("out");
        let d = format!("/bin/d{x}");
        let i = format!("/bin/i{x}");
        let s = format!("/bin/s{x}");
        let (out_dir, out_tar) = (text(&out), format!("tar:{}", text(&dir.path().join("out.tar"))));
        let runs: Vec<Vec<&str>> = vec![
            vec!["check", &image],
            vec!["check", "--format", "json", &image],
            vec!["check", "--format", "sarif", &image],
            vec!["check", "--root", &image, &d],
            vec!["check", "--root", &image, &i],
            vec!["check", "--root", &image, &s],
            vec!["build", "--root", &image, "-i", "/bin/**", "-i", "/etc/**", "--allow", "secret", "-o", &out_dir],
            vec!["build", "--root", &image, "--format", "json", "--dry-run", "-i", "/bin/**"],
            vec!["build", "--root", &image, "-i", "/etc/**", "--dry-run", "--", &s],
            vec!["build", "--root", &image, "-o", &out_tar, "--", "/bin/x"],
            vec!["deps", "--root", &image, &d],
            vec!["deps", "--root", &image, "--format", "list", &d],
            vec!["deps", "--root", &image, "--format", "dot", &d],
            vec!["deps", "--root", &image, "--format", "json", &d],
            vec!["why", "--root", &image, &d, "--", &s],
            vec!["why", "--root", &image, &s, "--format", "json", "--", &s],
        ];
        for args in runs {
            let ran = limited(&args);
            assert_eq!(misbehaves(&ran), None, "configuration {number}, {args:?}: {ran:?}");
        }
        if number == 0 {
            for tag in ["gone", "a\u{1b}[2Jb"] {
                let ran = limited(&["check", &format!("{image}:{tag}")]);
                assert_eq!(misbehaves(&ran), None, "{ran:?}");
            }
            let image =
                layout.write_with("amd64", &|manifest| manifest["layers"][0]["digest"] = json!(format!("sha256:{x}")));
            let ran = limited(&["check", &image]);
            assert_eq!(misbehaves(&ran), None, "{ran:?}");
        }
    }
}

/// A program that wants a library of a hostile name.
fn dynamic_program() -> Vec<u8> {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("l.c"), "int f(void){return 0;}").expect("written");
    fs::write(path("p.c"), "int f(void); int main(void){return f();}").expect("written");
    let gcc = |args: &[&str]| {
        let ran = Command::new("gcc").current_dir(dir.path()).args(args).output().expect("gcc runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    gcc(&["-shared", "-fPIC", "-Wl,-soname,lib\u{1b}[2J\n::error::$(touch PWN)\u{202e}.so", "-o", "l.so", "l.c"]);
    gcc(&["-o", "p", "p.c", "./l.so"]);
    fs::read(path("p")).expect("a program")
}

/// Judge: a shell that runs every command which a report offers leaves no trace.
#[test]
fn hints_that_are_pasted_run_nothing_else() {
    let dir = scratch();
    let evil = "$(touch${IFS}PWNED)`touch PWNED`';touch PWNED;'";
    let layer = tar(&[
        file(&format!("app/{evil}/.env"), 0o644, b"A=1"),
        file(&format!("app/{evil}/x.key"), 0o644, b"-----BEGIN PRIVATE KEY-----\n"),
    ]);
    let config = json!({ "Entrypoint": ["/bin/x"], "User": evil });
    let image = Layout::new(&dir.path().join("l"), vec![base(), layer]).config(config).write();
    let mut hints = 0;
    for args in [
        vec!["check", image.as_str()],
        vec!["build", "--root", &image, "-u", "0", "--dry-run", "-i", "/app/**", "--", "/bin/x"],
    ] {
        let ran = limited(&args);
        assert_eq!(misbehaves(&ran), None, "{ran:?}");
        for line in format!("{}{}", ran.out, ran.err).lines().filter(|line| line.trim_start().starts_with("help")) {
            hints += 1;
            let words = line.trim_start().trim_start_matches("help");
            let place = dir.path().join("shell");
            fs::create_dir_all(&place).expect("made");
            let _ = Command::new("sh").current_dir(&place).args(["-c", &format!("true {words}")]).output();
            let _ = Command::new("sh").current_dir(&place).args(["-c", &words.replace(", or ", "; true ")]).output();
            assert_eq!(names(&place), [""; 0], "{line}");
        }
    }
    assert!(hints > 0);
}

/// Judge: the parser of Dockerfiles of a builder, where there is one; else the lines themselves.
#[test]
fn a_value_adds_no_statement_to_a_dockerfile() {
    let dir = scratch();
    let values = [
        "x\nUSER 0\nRUN touch /pwned #",
        "x\\",
        "x\\\nRUN id",
        "$HOME ${PATH}",
        "a \"b\" 'c'",
        "x\r\nRUN id",
        "#",
        "",
        "x\u{2028}RUN id",
    ];
    let env: Vec<String> = values.iter().enumerate().map(|(at, value)| format!("V{at}={value}")).collect();
    let mut env = env;
    env.push("N\nRUN id=1".to_owned());
    let config = json!({ "Entrypoint": ["/bin/x", "a\nRUN id", "$HOME"], "Env": env,
                         "WorkingDir": "/tmp", "ExposedPorts": { "80/tcp": {} } });
    let image = Layout::new(&dir.path().join("l"), vec![base()]).config(config).write();
    let out = dir.path().join("out");
    let ran = limited(&["build", "--root", &image, "-u", "7:7", "-i", "/tmp", "-o", &text(&out)]);
    assert_eq!(misbehaves(&ran), None, "{ran:?}");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let at = ran.out.find("Dockerfile ").expect("statements");
    let statements: Vec<&str> =
        ran.out[at..].lines().take_while(|line| !line.starts_with("note")).map(|line| line[10..].trim()).collect();
    for statement in &statements {
        let word = statement.split(' ').next().unwrap_or_default();
        assert!(["ENV", "WORKDIR", "EXPOSE", "USER", "ENTRYPOINT", "#"].contains(&word), "{statements:?}");
    }
    let printed = |name: &str| statements.iter().find_map(|line| line.strip_prefix(&format!("ENV {name}=")));
    assert_eq!(printed("V0"), None, "{statements:?}");
    assert_eq!(printed("V3"), Some(r#""\$HOME \${PATH}""#));
    assert_eq!(printed("V4"), Some(r#""a \"b\" 'c'""#));
    assert!(Command::new("buildah").arg("--version").output().is_err() || statements.len() >= values.len());
}

/// Judge: the disk outside of the layout.
#[test]
fn an_output_follows_no_link_of_a_layout() {
    let dir = scratch();
    let root = root(dir.path());
    for part in ["blobs", "blobs/sha256", "index.json", "oci-layout"] {
        let layout = dir.path().join("layout");
        let outside = dir.path().join("outside");
        let _ = (fs::remove_dir_all(&layout), fs::remove_dir_all(&outside));
        fs::create_dir(&outside).expect("made");
        let build = |force: bool| {
            let output = format!("oci:{}:v1", text(&layout));
            let root = text(&root);
            let mut args = vec!["build", "--root", &root, "-o", &output, "--", "/bin/x"];
            if force {
                args.insert(1, "--force");
            }
            limited(&args)
        };
        assert_eq!(build(false).code, Some(0));
        let moved = if part.starts_with("blobs") { outside.join("empty") } else { outside.join("file") };
        fs::rename(layout.join(part), &moved).expect("moved");
        if part == "blobs" {
            fs::remove_dir_all(moved.join("sha256")).expect("emptied");
        }
        symlink(&moved, layout.join(part)).expect("linked");
        let before = Command::new("find").arg(&outside).args(["-printf", "%p %s %T@\n"]).output().expect("find").stdout;
        for force in [false, true] {
            let ran = build(force);
            assert_eq!(misbehaves(&ran), None, "{part}: {ran:?}");
            assert_ne!(ran.code, Some(0), "{part}: {ran:?}");
        }
        let after = Command::new("find").arg(&outside).args(["-printf", "%p %s %T@\n"]).output().expect("find").stdout;
        assert_eq!(String::from_utf8_lossy(&before), String::from_utf8_lossy(&after), "{part}");
    }
}

#[test]
fn an_archive_for_a_closed_stdout_is_an_error() {
    let dir = scratch();
    let root = root(dir.path());
    for transport in ["tar", "oci-archive", "docker-archive"] {
        let line = format!("exec \"$0\" build --root {} -o {transport}:- -- /bin/x >&-", text(&root));
        let ran = wait(Command::new("sh").args(["-c", &line, env!("CARGO_BIN_EXE_slimroot")]), Duration::from_secs(60));
        assert_eq!(ran.code, Some(3), "{transport}: {ran:?}");
        assert!(ran.err.starts_with("error[output-unwritable]"), "{transport}: {ran:?}");
    }
}

#[test]
fn of_several_runs_at_once_one_gets_the_place() {
    for transport in ["tar", "oci-archive", "docker-archive", "dir"] {
        let dir = scratch();
        let root = root(dir.path());
        fs::write(root.join("big"), vec![7; 8 << 20]).expect("written");
        let place = dir.path().join("place");
        fs::create_dir(&place).expect("made");
        let start = || {
            let mut command = slimroot();
            command.args([
                "build",
                "--root",
                &text(&root),
                "-i",
                "/big",
                "-o",
                &format!("{transport}:{}/out", text(&place)),
            ]);
            command.args(["--", "/bin/x"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
        };
        let runs: Vec<_> = (0..4).map(|_| start()).collect();
        let mut codes = Vec::new();
        for run in runs {
            let ran = run.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert!(ran.status.code() == Some(0) || said.starts_with("error[output-exists]"), "{transport}: {said}");
            codes.push(ran.status.code());
        }
        assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{transport}: {codes:?}");
        assert_eq!(names(&place), ["out"], "{transport}");
    }
}

/// Stands in for a reader that went wrong: it is called from within slimroot when that asks for the time of the files, and
/// tries what no reader does. `PLACE` is a directory with the root, the output and a file that is neither.
const WRONG: &str = r#"
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static void say(const char *what, int answer) { dprintf(2, "%s %d\n", what, answer < 0 ? errno : 0); }
static void wrong(void) {
  dprintf(2, "version %ld\n", syscall(444, 0L, 0L, 1L));
  say("reads-root", open(PLACE "/root/bin/x", O_RDONLY));
  say("reads-outside", open(PLACE "/outside", O_RDONLY));
  say("lists-outside", open(PLACE, O_RDONLY|O_DIRECTORY));
  say("writes-output", open(PLACE "/out/new", O_WRONLY|O_CREAT, 0644));
  say("writes-root", open(PLACE "/root/new", O_WRONLY|O_CREAT, 0644));
  say("writes-outside", open(PLACE "/outside", O_WRONLY));
  say("removes-outside", unlink(PLACE "/outside"));
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr = { htonl(0x7f000001) } };
  say("connects", connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof to));
  pid_t child = fork();
  if (child == 0) { execl(PLACE "/root/bin/x", "x", NULL); say("executes", -1); _exit(0); }
  waitpid(child, NULL, 0);
}
char *getenv(const char *name) {
  static int was; size_t length = strlen(name);
  if (!was && !strcmp(name, "SOURCE_DATE_EPOCH")) { was = 1; wrong(); }
  for (char **at = environ; at && *at; at++) if (!strncmp(*at, name, length) && (*at)[length] == '=') return *at + length + 1;
  return NULL;
}
"#;

/// Judge: the kernel, which answers code inside slimroot's own process.
#[test]
fn a_fence_keeps_slimroot_to_its_root_and_its_output() {
    let dir = scratch();
    let place = root(dir.path());
    assert_eq!(place, dir.path().join("root"));
    fs::create_dir(dir.path().join("out")).expect("made");
    fs::create_dir(dir.path().join("tmp")).expect("made");
    let (code, library) = (dir.path().join("wrong.c"), dir.path().join("wrong.so"));
    fs::write(&code, WRONG.replace("PLACE", &format!("{:?}", text(dir.path())))).expect("written");
    let built =
        Command::new("gcc").args(["-shared", "-fPIC", "-w", "-o"]).args([&library, &code]).output().expect("gcc");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let run = |more: &[&str]| {
        fs::write(dir.path().join("outside"), "x").expect("written");
        let mut command = slimroot();
        command.args(["build", "--root", &text(&place), "--format", "json", "--force", "-o"]);
        command.arg(format!("dir:{}/out/image", text(dir.path()))).args(more).args(["--", "/bin/x"]);
        let ran = command.env("LD_PRELOAD", &library).env("TMPDIR", dir.path().join("tmp")).output().expect("it runs");
        assert!(ran.status.success(), "{ran:?}");
        let report: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("a report");
        (String::from_utf8(ran.stderr).expect("text"), report["fence"].as_str().map(str::to_owned))
    };
    let answer = |said: &str, what: &str| -> Option<i64> {
        said.lines().find_map(|line| line.strip_prefix(what)?.trim().parse().ok())
    };
    let (said, fence) = run(&[]);
    let version = answer(&said, "version").expect("asked");
    if version < 2 {
        assert_eq!(fence, None, "{said}");
        return;
    }
    for allowed in ["reads-root", "writes-output"] {
        assert_eq!(answer(&said, allowed), Some(0), "{said}");
    }
    for refused in ["reads-outside", "lists-outside", "writes-root", "writes-outside", "removes-outside", "executes"] {
        assert_eq!(answer(&said, refused), Some(13), "{refused}: {said}");
    }
    if version >= 4 {
        assert_eq!(answer(&said, "connects"), Some(13), "{said}");
    }
    assert_eq!(fence.as_deref(), Some(if version >= 6 { "landlock" } else { "landlock, in part" }), "{said}");
    // Guests need mounts, so that there is no fence, and the report does not claim one.
    let (said, fence) = run(&["--pyc", "used"]);
    assert_eq!((answer(&said, "reads-outside"), fence), (Some(0), None), "{said}");
}

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
        assert!(ran.took < Duration::from_secs(40), "{what}: {ran:?}");
    }
}

/// Judge: the machine's own files. What a run that was killed left is gone after the next, what another run has is not.
#[test]
fn what_killed_runs_left_is_swept_by_the_next() {
    let dir = scratch();
    let root = long_root(dir.path());
    let place = dir.path().join("place");
    fs::create_dir(&place).expect("made");
    let command = |transport: &str| {
        let mut command = slimroot();
        command.args(["build", "--root", &text(&root), "-i", "/x/**", "--force", "-o"]);
        command.arg(format!("{transport}:{}/out", text(&place))).args(["--compression", "zstd:19", "--", "/bin/x"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let is_left = |place: &Path| names(place).iter().any(|name| name.starts_with('.'));
    for transport in ["dir", "tar", "oci-archive", "oci"] {
        let _ = (fs::remove_dir_all(place.join("out")), fs::remove_file(place.join("out")));
        let begun = Instant::now();
        assert!(command(transport).output().expect("it runs").status.success());
        let whole = begun.elapsed();
        let _ = (fs::remove_dir_all(place.join("out")), fs::remove_file(place.join("out")));
        for after in (1..60).rev().map(|at| whole * at / 60) {
            let mut child = command(transport).spawn().expect("it starts");
            std::thread::sleep(after);
            child.kill().expect("killed");
            child.wait().expect("waited for");
            if is_left(&place) {
                break;
            }
            let _ = (fs::remove_dir_all(place.join("out")), fs::remove_file(place.join("out")));
        }
        assert!(is_left(&place), "{transport}: no kill left anything");
        // Names that only look like ours stay.
        let strange = [".other.slimroot-1-0.file", ".out.slimroot-1-0.old", ".out.slimroot-2-0.dir"];
        fs::write(place.join(strange[0]), "mine").expect("written");
        fs::create_dir(place.join(strange[1])).expect("made");
        symlink(&root, place.join(strange[2])).expect("linked");
        // Files of a run that still works are locked.
        let live = fs::File::create(place.join(".out.slimroot-3-0.file")).expect("made");
        rustix::fs::flock(&live, rustix::fs::FlockOperation::LockExclusive).expect("locked");
        let ran = command(transport).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{said}");
        let expected = [strange[0], strange[1], strange[2], ".out.slimroot-3-0.file", "out"];
        assert_eq!(names(&place), expected, "{transport}: {said}");
        assert!(root.join("bin/x").exists(), "a link was followed");
        fs::remove_dir(place.join(strange[1])).expect("removed");
        for name in [strange[0], strange[2], ".out.slimroot-3-0.file"] {
            fs::remove_file(place.join(name)).expect("removed");
        }
        assert!(fs::symlink_metadata(place.join("out")).expect("packed").size() > 0);
    }
}

/// Judge: the clock. Deep directories, holes, and lists that are one file are bounded by what they are, not by its cube.
#[test]
fn deep_and_hollow_roots_are_soon_done_with() {
    let deep = |root: &Path| {
        let mut place = root.join("x");
        for _ in 0..700 {
            fs::create_dir(&place).expect("made");
            place.push("a");
        }
    };
    let hollow = |root: &Path| {
        let file = fs::File::options().write(true).open(root.join("bin/x")).expect("open");
        file.set_len(1 << 40).expect("sized");
    };
    let hollow_file = |root: &Path| {
        fs::create_dir(root.join("x")).expect("made");
        fs::File::create(root.join("x/hole")).and_then(|file| file.set_len(1 << 42)).expect("sized");
    };
    type Make<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Make<'_>, i32); 3] =
        [("700 directories", &deep, 0), ("a program of a terabyte", &hollow, 3), ("a hole", &hollow_file, 3)];
    for (what, make, code) in cases {
        let dir = scratch();
        let root = root(dir.path());
        make(&root);
        let ran = archived(&root, &dir.path().join("out"), "-i /x/** -- /bin/x");
        assert_eq!(misbehaves(&ran), None, "{what}: {ran:?}");
        assert_eq!(ran.code, Some(code), "{what}: {ran:?}");
        assert!(ran.took < Duration::from_secs(30), "{what}: {ran:?}");
    }
}

/// Judge: what lies in the image.
#[test]
fn secrets_are_found_by_name_and_by_content() {
    let dir = scratch();
    let root = root(dir.path());
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let token = |prefix: &str| format!("{prefix}{}", "q7Zt2LmX9vBn4KpR8sWd3FgH6jYc1AeT5uQo");
    let key = format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n");
    let json = format!("{{\"type\": \"service_account\", \"private_key\": \"{}\"}}", key.replace('\n', "\\n"));
    let files = [
        ("home/.docker/config.json", "{\"auths\": {\"r\": {\"auth\": \"YTpi\"}}}".to_owned()),
        ("etc/pip.conf", "[global]\nindex-url = https://me:secret@pypi.example/simple\n".to_owned()),
        ("app/key.json", json),
        ("app/store.jks", "x".to_owned()),
        ("app/blob.bin", key.clone()),
        ("app/pgp.asc", format!("-----BEGIN PGP PRIVATE KEY-----\nVersion: 1\n\n{line}\n")),
        ("app/terraform.tfstate", "{}".to_owned()),
        ("app/.htpasswd", "a:b".to_owned()),
        ("home/.vault-token", "x".to_owned()),
        ("home/.bash_history", "ls".to_owned()),
        ("app/settings.ini", format!("token = {}\n", token("ghp_"))),
        ("app/credentials.yml", "a: b".to_owned()),
        ("app/testdata/server.key", key.clone()),
    ];
    let public = [
        ("app/main.py", "MARK = '-----BEGIN PRIVATE KEY-----'\nprefix = 'ghp_'\n".to_owned()),
        (
            "app/readme.md",
            "Set GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx and AKIAIOSFODNN7EXAMPLE\n".to_owned(),
        ),
        ("app/.env.example", "A=\n".to_owned()),
        ("app/cert.pem", "-----BEGIN CERTIFICATE-----\n".to_owned()),
        ("app/truststore.jks", "x".to_owned()),
        ("app/config.json", "{\"auth\": \"none\"}".to_owned()),
        // What packages of Debian bring: openvpn, libnet-ssleay-perl and golang.
        ("usr/share/doc/vpn/examples/sample-keys/ca.key", key.clone()),
        ("app/usr/share/doc/ssl/examples/server_key.pem", key.clone()),
        ("usr/local/go/src/crypto/tls/testdata/example-key.pem", key.clone()),
    ];
    for (name, content) in files.iter().chain(&public) {
        fs::create_dir_all(root.join(name).parent().expect("a directory")).expect("made");
        fs::write(root.join(name), content).expect("written");
    }
    let out = dir.path().join("out");
    let token_env = format!("API={}", token("glpat-"));
    let settings = format!("--env {token_env} --label l={}", token("npm_"));
    let options = format!("-i /app/** -i /home/** -i /etc/** -i /usr/** --format json {settings} -- /bin/x");
    let ran = archived(&root, &out, &options);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(!out.exists(), "it was written");
    let told: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let mut found: Vec<String> = told["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|finding| finding["code"] == "secret")
        .map(|finding| finding["subject"].as_str().expect("a subject").trim_start_matches('/').to_owned())
        .collect();
    found.sort();
    let mut expected: Vec<String> =
        files.iter().map(|(name, _)| (*name).to_owned()).chain(["API".to_owned(), "l".to_owned()]).collect();
    expected.sort();
    assert_eq!(found, expected);
    assert!(!ran.out.contains(&token_env[4..]) || told["findings"].to_string().find(&token_env[4..]).is_none());
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
