//! Runs of a file, runs where the kernel grants no namespaces, problems that are no missing paths, and what SIGKILL leaves.
//! Judges: the program itself, the kernel's lists of processes and mounts, TMPDIR, and Python's parsers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::hostile::slowdown;
use crate::support::need;
use crate::support::runs::text;

const SLIMROOT: &str = env!("CARGO_BIN_EXE_slimroot");

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("a mode");
        let fixture = Self { dir };
        fixture.pack("/", "builder", &["--bin", "/bin/sh", "--bin", "/bin/cat"]);
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Packs perl and shell from a root.
    fn pack(&self, root: &str, name: &str, options: &[&str]) -> PathBuf {
        let out = self.path(name);
        let mut command = Command::new(SLIMROOT);
        command.current_dir(self.dir.path()).args(["build", "--root", root, "--companions", "none", "-o"]);
        command.arg(format!("dir:{}", out.display())).args(options).args([
            "--",
            "/usr/bin/perl",
            "-MPOSIX",
            "-MIO::Socket::INET",
            "-e1",
        ]);
        let output = command.output().expect("slimroot runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        out
    }

    fn file(&self, name: &str, content: &str) {
        let place = self.path(name);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::write(&place, content).expect("written");
        fs::set_permissions(&place, PermissionsExt::from_mode(0o755)).expect("a mode");
    }

    fn verify(&self, before: &[&str], options: &[&str], line: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "120"]).args(before).args([SLIMROOT, "verify", "--root"]).arg(self.path("builder"));
        command.args(options).arg(self.path("packed")).arg("--").args(line).output().expect("slimroot runs")
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

#[test]
fn a_file_has_several_runs() {
    if !need::all(&["perl", "timeout", "python3"]) {
        return;
    }
    let fixture = Fixture::new();
    fixture.file("builder/srv/data", "word\n");
    fixture.pack(fixture.path("builder").to_str().expect("text"), "packed", &["--bin", "/bin/cat", "--bin", "/bin/sh"]);
    let file = fixture.path("slimroot.verify.toml");
    let good = r#"
[[run]]
name = "input"
line = ["/bin/cat"]
input = "a word"
stdout = "^a word$"

[[run]]
name = "status"
line = ["/usr/bin/perl", "-e", "exit 3"]
status = 3

[[run]]
name = "server"
line = ["/usr/bin/perl", "-MIO::Socket::INET", "-e", '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8124", Listen => 5) or die; while ($c = $s->accept) { read($c, $r, 4); while (<$c> =~ /\S/) {} read($c, $b, 2) if $r eq "POST"; print $c "HTTP/1.1 200 OK\r\n\r\n$r$b"; close $c }']
ready = "tcp:8124"
probe = [{ url = "http://127.0.0.1:8124/", match = "^GET" }, { url = "http://127.0.0.1:8124/", body = "hi", match = "^POSThi$" }]
"#;
    fs::write(&file, good).expect("written");
    let with = |options: &[&str]| {
        let options = [&["--file", file.to_str().expect("text")], options].concat();
        fixture.verify(&[], &options, &["/bin/cat"])
    };
    let output = with(&["--format", "json"]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["runs"].as_array().map(Vec::len), Some(3));
    // One run that needs a file which is not packed.
    fs::write(&file, format!("{good}\n[[run]]\nname = 'data'\nline = ['/bin/cat', '/srv/data']\n")).expect("written");
    let output = with(&["--format", "junit"]);
    assert_eq!(output.status.code(), Some(1));
    let parses = "import sys, xml.etree.ElementTree as e; s = e.parse(sys.stdin).getroot()\n\
                  print(s.get('failures'), [c.get('name') for c in s if c.find('failure') is not None])";
    assert_eq!(piped(&["python3", "-c", parses], &output.stdout), "2 ['data', '/srv/data']\n");
    let log = json(&with(&["--format", "sarif"]));
    let rules: Vec<_> =
        log["runs"][0]["results"].as_array().expect("results").iter().map(|one| &one["ruleId"]).collect();
    assert!(rules.contains(&&Value::from("run-missed")) && rules.contains(&&Value::from("run-differs")), "{log}");
    fs::write(&file, "[[run]]\nlines = []\n").expect("written");
    assert_eq!(with(&[]).status.code(), Some(2));
}

fn piped(line: &[&str], input: &[u8]) -> String {
    use std::io::Write;
    let (read, mut write) = std::io::pipe().expect("a pipe");
    let child =
        Command::new(line[0]).args(&line[1..]).stdin(read).stdout(std::process::Stdio::piped()).spawn().expect("runs");
    write.write_all(input).expect("written");
    drop(write);
    text(&child.wait_with_output().expect("ended").stdout)
}

#[test]
fn without_namespaces_a_chroot_does_and_no_root_changes() {
    if !need::all(&["perl", "timeout", "setpriv", "find"]) {
        return;
    }
    let fixture = Fixture::new();
    fixture.file("builder/srv/data", "word\n");
    let root = fixture.path("builder");
    fixture.pack(root.to_str().expect("text"), "packed", &["--bin", "/bin/cat", "--include", "/srv/data"]);
    // What is left to root in a RUN step.
    let caps = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+sys_chroot";
    let before = ["setpriv", &format!("--bounding-set={caps}"), &format!("--inh-caps={caps}")];
    let script = "open F, '/srv/data' or die 'no data'; print <F>; open P, '/proc/self/status' or die 'no proc'; \
                  open N, '>/dev/null' or die 'no null'; open W, '>/srv/new' and print 'wrote'; open T, '>/tmp/new' or die 'no tmp'; \
                  $pid = fork; waitpid $pid, 0 if $pid; print `/bin/cat /srv/data` if $pid";
    let line = ["/usr/bin/perl", "-e", script];
    for user in ["65532:65532", "0:0"] {
        let states = || [root.as_path(), &fixture.path("packed")].map(state);
        let good = states();
        let output = fixture.verify(&before, &["--format", "json", "--user", user], &line);
        let report = json(&output);
        if user == "0:0" && report["isolation"].is_null() {
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{user}: {report}");
        assert_eq!(report["isolation"], "chroot");
        assert_eq!(report["packed"]["status"], 0);
        let mut after = states();
        // /tmp of the builder root is the one place that the program may write to.
        after[0] = after[0].lines().filter(|line| !line.starts_with("tmp")).map(|line| format!("{line}\n")).collect();
        let before: String =
            good[0].lines().filter(|line| !line.starts_with("tmp")).map(|line| format!("{line}\n")).collect();
        assert_eq!([before, good[1].clone()], after, "{user}");
    }
    fs::remove_file(fixture.path("packed/srv/data")).expect("removed");
    let output = fixture.verify(&before, &[], &line);
    let said = text(&output.stdout);
    assert!(output.status.code() == Some(1) && said.contains("/srv/data") && said.contains("only chroot"), "{said}");
}

/// Names, sizes, modes and change times of a whole tree.
fn state(dir: &Path) -> String {
    let output = Command::new("find").arg(dir).args(["-printf", "%P %s %m %C@\n"]).output().expect("find runs");
    text(&output.stdout)
}

#[test]
fn problems_of_a_run_have_the_codes_of_check() {
    if !need::all(&["perl", "timeout"]) {
        return;
    }
    let fixture = Fixture::new();
    fixture.file("builder/etc/passwd", "root:x:0:0::/:/bin/sh\nweb-user:x:33:33::/:/bin/sh\n");
    fixture.file("builder/usr/share/zoneinfo/Here", "TZif2");
    fs::create_dir_all(fixture.path("builder/var/lib/own")).expect("made");
    std::os::unix::fs::chown(fixture.path("builder/var/lib/own"), Some(65532), Some(65532)).expect("owned");
    let options = ["--include", "/etc/passwd", "--include", "/var/lib/own"];
    fixture.pack(fixture.path("builder").to_str().expect("text"), "packed", &options);
    fixture.file("packed/etc/passwd", "root:x:0:0::/:/bin/sh\n");
    let _ = fs::remove_file(fixture.path("packed/usr/share/zoneinfo/Here"));
    fs::create_dir_all(fixture.path("packed/var/lib/own")).expect("made");
    std::os::unix::fs::chown(fixture.path("packed/var/lib/own"), Some(0), Some(0)).expect("owned");
    let cases: [(&str, &str, &str); 4] = [
        ("user-unknown", "web-user", "getpwnam('web-user') or die \"no user web-user\\n\""),
        ("write-refused", "/var/lib/own/file", "open F, '>/var/lib/own/file' or die \"no file\\n\""),
        ("zone-data-missing", "/usr/share/zoneinfo/Here", "open F, '/usr/share/zoneinfo/Here' or die \"no zone\\n\""),
        ("low-port", "80/tcp", "IO::Socket::INET->new(LocalPort => 80, Listen => 1) or die \"no port\\n\""),
    ];
    for (code, subject, script) in cases {
        let output =
            fixture.verify(&[], &["--format", "sarif"], &["/usr/bin/perl", "-MIO::Socket::INET", "-e", script]);
        let log = json(&output);
        let results = log["runs"][0]["results"].as_array().expect("results").clone();
        let is_it = |one: &&Value| {
            one["ruleId"] == code
                && one["message"]["text"]
                    .as_str()
                    .is_some_and(|says| says.contains(subject) && says.contains("seen in a run"))
        };
        assert!(results.iter().any(|one| is_it(&one)), "{code}: {log}");
        let wanted = if code == "low-port" { 4 } else { 1 };
        assert_eq!(output.status.code(), Some(wanted), "{code}: {log}");
    }
}

#[test]
fn a_killed_run_of_an_image_leaves_nothing_and_a_signal_ends_it_at_once() {
    if !need::all(&["perl", "timeout"]) {
        return;
    }
    let fixture = Fixture::new();
    let archive = format!("oci-archive:{}", fixture.path("image.tar").display());
    let line = format!("sleep {}", 86_400 + std::process::id() % 10_000 + 1);
    let mut build = Command::new(SLIMROOT);
    build.args(["build", "--no-auto", "--companions", "none", "-o", &archive, "--root"]).arg(fixture.path("builder"));
    let built = build.args(["--", "/usr/bin/perl", "-e", &line]).output().expect("slimroot runs");
    assert!(built.status.success(), "{}", text(&built.stderr));
    let tmp = fixture.path("tmp");
    fs::create_dir(&tmp).expect("made");
    let running = || {
        let lines = fs::read_dir("/proc").expect("listed").flatten().map(|entry| entry.path().join("cmdline"));
        let is_it =
            |text: &Vec<u8>| text.starts_with(b"/usr/bin/perl") && String::from_utf8_lossy(text).contains(&line);
        lines.filter_map(|file| fs::read(file).ok()).filter(is_it).count()
    };
    let until = |limit: Duration, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() && begun.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        is_so()
    };
    let mounts = || fs::read_to_string("/proc/self/mounts").expect("mounts");
    let before = mounts();
    for signal in ["KILL", "INT"] {
        let mut slimroot = Command::new(SLIMROOT)
            .args(["verify", &archive])
            .env("TMPDIR", &tmp)
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("slimroot runs");
        assert!(until(Duration::from_secs(30), &|| running() == 1), "the program does not run");
        assert!(fs::read_dir(&tmp).expect("listed").count() > 0, "no image is unpacked: the test shows nothing");
        let begun = Instant::now();
        Command::new("kill").args(["-s", signal, &slimroot.id().to_string()]).status().expect("kill runs");
        slimroot.wait().expect("ended");
        // A busy machine is slower than the second that is promised.
        assert!(
            begun.elapsed() < Duration::from_secs(3).mul_f64(slowdown()),
            "{signal}: it took {:?}",
            begun.elapsed()
        );
        assert!(until(Duration::from_secs(10), &|| running() == 0), "{signal}: processes are left");
        let is_empty = || fs::read_dir(&tmp).expect("listed").count() == 0;
        assert!(until(Duration::from_secs(10), &is_empty), "{signal}: files are left in TMPDIR");
        assert_eq!(mounts(), before);
    }
}
