//! `slimroot verify`. The judge is the kernel: a program of a packed root from which a file is missing either works as
//! before or not, and `verify` must say the same, and name the file.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::need;

const SLIMROOT: &str = env!("CARGO_BIN_EXE_slimroot");
/// Opens a library and a file by names that it computes.
const PLUGINS: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    char name[64], line[64];
    snprintf(name, sizeof name, "lib%s.so.%d", words[1], count - 1);
    void *library = dlopen(name, RTLD_NOW);
    if (!library) { puts("no library"); return 3; }
    snprintf(name, sizeof name, "/srv/%s/text", words[1]);
    FILE *file = fopen(name, "r");
    puts(file && fgets(line, sizeof line, file) ? line : "no text");
    return 0;
}
"#;
const SERVER: &str = r#"#!/usr/bin/perl
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8123', Listen => 9, ReuseAddr => 1) or die "no port: $!";
while (my $client = $server->accept) {
    my $line = <$client>;
    while (<$client> =~ /\S/) {}
    my ($status, $body) = ("404 Not Found", "none");
    if ($line =~ m{^GET /page }) {
        ($status, $body) = open(my $page, '<', join('/', '', 'srv', 'page')) ? ("200 OK", <$page>) : ("500 Error", "");
    }
    print $client "HTTP/1.1 $status\r\nDate: " . rand() . "\r\n\r\n$body";
    close $client;
}
"#;

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    /// A builder root with what this machine has.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("a mode");
        let built = Command::new(SLIMROOT)
            // The working directory of the tests is not the application's.
            .args(["build", "--root", "/", "--no-inherit", "--companions", "none"])
            .args(["--bin", "/bin/sh", "--bin", "/bin/cat"])
            .args(["--bin", "/bin/false", "--include", "/lib/x86_64-linux-gnu/libz.so.1", "-o"])
            .arg(format!("dir:{}", dir.path().join("builder").display()))
            .args(["--", "/usr/bin/perl", "-MIO::Socket::INET", "-MPOSIX", "-e", "1"])
            .output()
            .expect("slimroot runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        let place = self.path("builder").join(name);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::write(&place, text).expect("written");
        fs::set_permissions(&place, PermissionsExt::from_mode(0o755)).expect("a mode");
    }

    fn compile(&self, source: &str, name: &str) {
        let file = self.path("source.c");
        fs::write(&file, source).expect("written");
        let place = self.path("builder").join(name);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        assert!(Command::new("gcc").arg(&file).arg("-o").arg(place).status().expect("gcc runs").success());
    }

    fn pack(&self, name: &str, options: &[&str], line: &[&str]) -> PathBuf {
        let out = self.path(name);
        let mut command = Command::new(SLIMROOT);
        command.args(["build", "--root"]).arg(self.path("builder")).args(["--no-auto", "--companions", "none", "-o"]);
        command.arg(format!("dir:{}", out.display())).args(options).arg("--").args(line);
        let output = command.output().expect("slimroot runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        out
    }

    fn verify(&self, before: &[&str], target: &Path, options: &[&str], line: &[&str]) -> Proof {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "120"]).args(before).args([SLIMROOT, "verify", "--format", "json", "--root"]);
        command.arg(self.path("builder")).args(options).arg(target).arg("--").args(line);
        let output = command.output().expect("slimroot runs");
        Proof { report: serde_json::from_slice(&output.stdout).unwrap_or_default(), output }
    }
}

struct Proof {
    output: Output,
    report: Value,
}

impl Proof {
    fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn missed(&self) -> BTreeSet<String> {
        let missed = self.report["missed"].as_array().into_iter().flatten();
        missed.filter_map(|missed| missed["path"].as_str().map(str::to_owned)).collect()
    }

    fn shows(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.output.stderr), self.report)
    }
}

/// Everything below a directory that is no directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("listed").flatten() {
            match entry.file_type().expect("a kind").is_dir() {
                true => open.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// What a program in a root does, by chroot(1).
fn judged(root: &Path, line: &[&str]) -> (Option<i32>, Vec<u8>, Vec<u8>) {
    let mut command = Command::new("chroot");
    command.args(["--userspec=65532:65532"]).arg(root).args(line).env_clear();
    let output = command.env("PATH", "/usr/bin:/bin:/usr/sbin").output().expect("chroot runs");
    (output.status.code(), output.stdout, output.stderr)
}

/// Names, sizes, modes and change times of a whole tree.
fn state(dir: &Path) -> String {
    let output = Command::new("find").arg(dir).args(["-printf", "%P %s %m %C@\n"]).output().expect("find runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_missing_file_is_named_if_and_only_if_the_program_needs_it() {
    if !need::all(&["gcc", "perl", "chroot", "timeout", "find"]) {
        return;
    }
    let fixture = Fixture::new();
    fixture.compile(PLUGINS, "usr/bin/plugins");
    fixture.file("srv/z/text", "text\n");
    fixture.file("srv/list/one", "1\n");
    fixture.file("usr/bin/start", "#!/bin/sh\nfor f in /srv/list/*; do cat $f; done\nexec plugins z\n");
    let (mut removed, mut needed) = (0, 0);
    for (name, options, line) in [(
        "start",
        &["--include", "/srv/**", "--include", "/lib/x86_64-linux-gnu/libz.so.1", "--bin", "/usr/bin/plugins"][..],
        &["/usr/bin/start"][..],
    )] {
        let packed = fixture.pack(name, options, line);
        let good = judged(&packed, line);
        let (before, builder) = (state(&packed), state(&fixture.path("builder")));
        let proof = fixture.verify(&[], &packed, &[], line);
        assert!(proof.code() == Some(0) && good.0 == Some(0), "{name}: {}", proof.shows());
        assert_eq!((before, builder), (state(&packed), state(&fixture.path("builder"))), "a root was written to");
        for file in files(&packed) {
            let aside = fixture.path("aside");
            fs::rename(&file, &aside).expect("moved");
            let is_needed = judged(&packed, line) != good;
            let proof = fixture.verify(&[], &packed, &[], line);
            let path = format!("/{}", file.strip_prefix(&packed).expect("inside").display());
            let is_named = proof.missed().iter().any(|missed| is_by(&fixture.path("builder"), missed, &path));
            fs::rename(&aside, &file).expect("moved back");
            removed += 1;
            if is_needed {
                needed += 1;
                assert!(proof.code() == Some(1) && is_named, "{name} without {path}: {}", proof.shows());
            } else {
                assert_ne!(proof.code(), Some(1), "{name} works without {path}: {}", proof.shows());
            }
        }
    }
    assert!(removed > 10 && needed > 6, "{removed} files were removed, {needed} were needed");
}

/// True if a path leads to a removed file, or through a removed link.
fn is_by(root: &Path, missed: &str, removed: &str) -> bool {
    let real = |path: &str| {
        let output =
            Command::new("chroot").arg(root).args(["/bin/sh", "-c", "cd -P ${1%/*} && pwd -P", "-", path]).output();
        let dir = String::from_utf8_lossy(&output.expect("chroot runs").stdout).trim_end().to_owned();
        format!("{dir}/{}", path.rsplit('/').next().unwrap_or_default())
    };
    missed == removed || missed.starts_with(&format!("{removed}/")) || real(missed) == real(removed)
}

#[test]
fn servers_are_asked_in_a_network_of_their_own() {
    if !need::all(&["perl", "timeout", "find", "setpriv"]) {
        return;
    }
    let fixture = Fixture::new();
    fixture.file("srv/page", "a page\n");
    fixture.file("usr/bin/server", SERVER);
    let line = ["/usr/bin/server"];
    let packed = fixture.path("packed");
    assert!(
        Command::new("cp").arg("-a").arg(fixture.path("builder")).arg(&packed).status().expect("cp runs").success()
    );
    let asks = [
        "--ready",
        "tcp:8123",
        "--probe",
        "http://127.0.0.1:8123/page",
        "--probe",
        "http://127.0.0.1:8123/nothing=404",
        "--limit",
        "60s",
    ];
    let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
    let proof = fixture.verify(&[], &packed, &asks, &line);
    assert_eq!(proof.code(), Some(0), "{}", proof.shows());
    assert_eq!(proof.report["packed"]["stopped"], true);
    let statuses: Vec<_> =
        proof.report["packed"]["answers"].as_array().expect("answers").iter().map(|a| &a["status"]).collect();
    assert_eq!(statuses, [200, 404]);
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut asked = Command::new(nobody[0]);
    asked.args(&nobody[1..]).args(["unshare", "--user", "--map-root-user", "--mount", "true"]);
    if asked.output().expect("setpriv runs").status.success() {
        let proof = fixture.verify(&nobody, &packed, &asks, &line);
        assert_eq!(proof.code(), Some(0), "as nobody: {}", proof.shows());
    }
    fs::remove_file(packed.join("srv/page")).expect("removed");
    let proof = fixture.verify(&[], &packed, &asks, &line);
    assert_eq!(proof.code(), Some(1), "{}", proof.shows());
    assert!(proof.missed().contains("/srv/page") && proof.shows().contains("answers 500"), "{}", proof.shows());
    assert_eq!(mounts, fs::read_to_string("/proc/self/mounts").expect("mounts"));
}

#[test]
fn exit_codes_tell_what_happened_and_nothing_is_left() {
    if !need::all(&["perl", "timeout", "setpriv"]) {
        return;
    }
    let fixture = Fixture::new();
    let packed = fixture.pack("packed", &["--bin", "/bin/false", "--bin", "/usr/bin/perl"], &["/bin/cat"]);
    let code = |before: &[&str], options: &[&str], line: &[&str]| {
        let proof = fixture.verify(before, &packed, options, line);
        (proof.code(), String::from_utf8_lossy(&proof.output.stderr).into_owned())
    };
    assert_eq!(code(&[], &[], &["/bin/cat"]).0, Some(0));
    assert_eq!(code(&[], &["--ready", "udp:1"], &["/bin/cat"]).0, Some(2));
    assert_eq!(code(&[], &["--probe", "http://example.org/"], &["/bin/cat"]).0, Some(2));
    assert_eq!(code(&[], &["--user", "none"], &["/bin/cat"]).0, Some(2));
    assert_eq!(code(&[], &[], &["/bin/false"]).0, Some(4));
    let nothing = "-sys_admin,-sys_chroot";
    let no_root = ["setpriv", &format!("--bounding-set={nothing}"), &format!("--inh-caps={nothing}")];
    let (status, said) = code(&no_root, &[], &["/bin/cat"]);
    assert!(status == Some(3) && said.contains("error[cannot-watch]"), "{status:?} {said}");
    // Limits: time and processes.
    let forks = ["/usr/bin/perl", "-e", "fork while 1"];
    assert_eq!(code(&[], &["--processes", "50"], &forks).0, Some(4));
    assert_eq!(code(&[], &["--limit", "300ms"], &["/usr/bin/perl", "-e", "sleep 99"]).0, Some(4));
    assert_eq!(code(&[], &["--for", "300ms"], &["/usr/bin/perl", "-e", "sleep 99"]).0, Some(0));

    // Killed in the middle.
    let tmp = fixture.path("tmp");
    fs::create_dir(&tmp).expect("made");
    let mark = format!("sleep {}", 86_400 + std::process::id() % 10_000);
    let mut slimroot = Command::new(SLIMROOT)
        .args(["verify", "--limit", "60s"])
        .arg(&packed)
        .args(["--", "/usr/bin/perl", "-e", &format!("fork; {mark}")])
        .env("TMPDIR", &tmp)
        .spawn()
        .expect("slimroot runs");
    let running = || {
        let lines = fs::read_dir("/proc").expect("listed").flatten().map(|entry| entry.path().join("cmdline"));
        let is_it =
            |line: &Vec<u8>| line.starts_with(b"/usr/bin/perl") && String::from_utf8_lossy(line).contains(&mark);
        lines.filter_map(|file| fs::read(file).ok()).filter(is_it).count()
    };
    let wait = |wanted: usize| {
        (0..6_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            running() == wanted
        })
    };
    assert!(wait(2), "the program does not run");
    slimroot.kill().expect("killed");
    slimroot.wait().expect("ended");
    assert!(wait(0), "processes are left");
    assert_eq!(fs::read_dir(&tmp).expect("listed").count(), 0);
    assert!(
        !fs::read_to_string("/proc/self/mounts").expect("mounts").contains(fixture.dir.path().to_str().expect("text"))
    );
}

#[test]
fn a_build_is_mended_until_its_program_is_proven() {
    if !need::all(&["gcc", "perl", "chroot", "timeout"]) {
        return;
    }
    let fixture = Fixture::new();
    fixture.compile(PLUGINS, "usr/bin/plugins");
    fixture.file("srv/z/text", "text\n");
    let line = ["/usr/bin/plugins", "z"];
    let build = |options: &[&str]| {
        let out = fixture.path("out");
        let _ = fs::remove_dir_all(&out);
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "120", SLIMROOT, "build", "--no-auto", "--companions", "none", "--root"]);
        command.arg(fixture.path("builder")).arg("-o").arg(format!("dir:{}", out.display()));
        let output = command.args(options).arg("--").args(line).output().expect("slimroot runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr), out)
    };
    let (code, _, out) = build(&[]);
    assert!(code == Some(0) && judged(&out, &line).0 != Some(0), "it works without a run: the test shows nothing");
    let (code, said, out) = build(&["--verify"]);
    assert!(code == Some(1) && said.contains("error[run-missed]") && !out.exists(), "{said}");
    let (code, said, out) = build(&["--verify", "--fix"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("for slimroot.toml: include = [") && said.contains("/srv/z/text"), "{said}");
    assert_eq!(judged(&out, &line), (Some(0), b"text\n\n".to_vec(), Vec::new()));
    let (code, said, _) = build(&["--verify", "--fix", "--for", "1d"]);
    assert!(code == Some(2) && said.contains("error[bad-argument]"), "{said}");
}
