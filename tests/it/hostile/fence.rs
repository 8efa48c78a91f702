//! The fence around slimroot itself.

use std::fs;
use std::process::Command;

use super::{scratch, slimroot, text};
use crate::support::hostile::root;

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
