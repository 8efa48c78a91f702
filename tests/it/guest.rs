//! `--pyc` and `--jlink`: the interpreter and the virtual machine judge the generated files by running them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::need;
use crate::support::roots::{root, run};

/// Files that are not needed to run anything.
const NOT_UNPACKED: [&str; 5] = [
    "/usr/share/doc/*",
    "/usr/share/man/*/*",
    "/usr/share/locale/*",
    "/usr/lib/jvm/*/lib/server/*.jsa",
    "/usr/share/info/*",
];
/// An application that forks a worker and never ends, and jars, one of which contains another.
const APPLICATION: &str = r#"set -e
mkdir -p "$1/app/inner" "$1/app/boot/BOOT-INF/lib"
cat > "$1/app/main.py" <<'END'
import os, sys, time
import helper
if sys.argv[1:] == ["once"]:
    sys.exit(print("answer", helper.answer()))
if sys.argv[1:] == ["fail"]:
    helper.fail()
if os.fork() == 0:
    import late
while True:
    time.sleep(60)
END
printf 'def answer():\n    return 42\n\n\ndef fail():\n    raise ValueError("here")\n' > "$1/app/helper.py"
printf 'import colorsys\n' > "$1/app/late.py"
printf 'x = 1\n' > "$1/app/never.py"
printf 'def (:\n' > "$1/app/broken.py"
cat > "$1/app/Hello.java" <<'END'
import java.security.KeyPairGenerator;
public class Hello {
    public static void main(String[] args) throws Exception {
        System.out.println("answer " + KeyPairGenerator.getInstance("EC").getAlgorithm());
    }
}
END
printf 'public class Inner { Object client = java.net.http.HttpClient.newHttpClient(); }\n' > "$1/app/Inner.java"
chroot "$1" sh -ec 'cd /app
javac -d classes Hello.java
javac -d inner Inner.java
jar --create --file hello.jar --main-class Hello -C classes .
jar --create --file boot/BOOT-INF/lib/inner.jar -C inner .
jar --create --file nested.jar --main-class Hello -C classes . -C boot .'
"#;
const NEEDED: [&str; 6] = ["mmdebstrap", "chroot", "setpriv", "unshare", "mount", "find"];

/// A Debian root with Python, a JDK and the application.
fn debian() -> PathBuf {
    let mut args: Vec<String> = NOT_UNPACKED.iter().map(|path| format!("--dpkgopt=path-exclude={path}")).collect();
    args.extend(
        ["--variant=apt", "--dpkgopt=force-unsafe-io", "--aptopt=Apt::Install-Recommends \"false\""].map(str::to_owned),
    );
    args.push("--include=python3,openjdk-17-jdk-headless,ca-certificates-java".to_owned());
    args.push(format!("--customize-hook={APPLICATION}"));
    root("bookworm-guest", "bookworm", &args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A build of a root for an entry in /app. `before` is a command prefix, for example to run it as another
/// user.
struct Build {
    out: tempfile::TempDir,
    report: Value,
}

impl Build {
    fn new(before: &[&str], root: &Path, options: &[&str], entry: &[&str]) -> Self {
        let out = tempfile::tempdir().expect("a directory");
        fs::set_permissions(out.path(), fs::Permissions::from_mode(0o777)).expect("a mode");
        let at = out.path().display();
        let (dir, image) = (format!("dir:{at}/root"), format!("oci:{at}/image"));
        let fixed = [
            "build",
            "--root",
            root.to_str().expect("text"),
            "-w",
            "/app",
            "--format",
            "json",
            "-o",
            &dir,
            "-o",
            &image,
        ];
        let mut line = before.to_vec();
        line.push(env!("CARGO_BIN_EXE_slimroot"));
        line.extend(fixed.iter().chain(options).chain(&["--"]).chain(entry));
        let report = serde_json::from_str(&run(line[0], &line[1..])).expect("a report");
        Self { out, report }
    }

    fn root(&self) -> PathBuf {
        self.out.path().join("root")
    }

    fn manifest(&self) -> &str {
        let outputs = self.report["outputs"].as_array().expect("outputs");
        outputs.iter().find_map(|output| output["manifest"].as_str()).expect("a manifest")
    }

    /// The message of `not-made`; empty if everything was generated.
    fn unmade(&self) -> String {
        let findings = self.report["findings"].as_array().expect("findings");
        let unmade = findings.iter().filter(|finding| finding["code"] == "not-made");
        unmade.map(|finding| finding["says"].as_str().expect("text")).collect::<Vec<_>>().join("; ")
    }

    fn has(&self, path: &str) -> bool {
        self.root().join(path.trim_start_matches('/')).exists()
    }

    /// Standard output and error of a program in the packed root, which is read-only.
    fn says(&self, line: &[&str]) -> (String, String) {
        let enter = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@""#;
        let output = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--propagation", "private", "sh", "-c", enter])
            .arg(self.root())
            .args(line)
            .output()
            .expect("unshare runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    }
}

/// Names, sizes, modes and change times of a whole tree, to detect any write.
fn state(root: &Path) -> String {
    run("find", &[root.to_str().expect("text"), "-printf", "%P %s %m %C@\n"])
}

const PYTHON: [&str; 2] = ["/usr/bin/python3", "/app/main.py"];

#[test]
fn all_bytecode_is_the_same_for_everybody_and_is_what_is_loaded() {
    if !need::all(&NEEDED) {
        return;
    }
    let debian = debian();
    let before = state(&debian);
    let all = Build::new(&["env", "PYTHONHASHSEED=1"], &debian, &["--pyc=all"], &PYTHON);
    let again = Build::new(&["env", "PYTHONHASHSEED=2"], &debian, &["--pyc=all"], &PYTHON);
    assert_eq!((all.manifest(), all.unmade().as_str()), (again.manifest(), ""));
    let none = Build::new(&["env"], &debian, &[], &PYTHON);
    assert!(!none.has("/app/__pycache__"));
    assert!(before == state(&debian), "the root was written to");

    // The interpreter reports from which file it loaded each module.
    let (told, log) = all.says(&[
        "/usr/bin/python3",
        "-v",
        "-c",
        "import sys; sys.path.insert(0, '/app'); import helper, json, sqlite3",
    ]);
    assert_eq!(told, "");
    let code: Vec<&str> = log.lines().filter(|line| line.starts_with("# code object from '")).collect();
    let is_bytecode = |line: &&&str| line.contains("__pycache__") && line.contains(".pyc'");
    assert!(code.iter().any(|line| line.contains("/app/__pycache__/helper.cpython-311.pyc")), "{log}");
    assert!(code.len() > 20 && code.iter().all(|line| is_bytecode(&line)), "{code:#?}");
    let (_, log) = none.says(&["/usr/bin/python3", "-v", "-c", "import json"]);
    assert!(!log.lines().any(|line| line.starts_with("# code object from '") && line.contains(".pyc'")), "{log}");

    // A traceback shows the path of the source in the image, and the line.
    let (_, failed) = all.says(&["/usr/bin/python3", "/app/main.py", "fail"]);
    assert!(failed.contains("File \"/app/helper.py\", line 6, in fail\n    raise ValueError(\"here\")"), "{failed}");
    // Unchecked bytecode: Python compares neither times nor the source.
    fs::write(all.root().join("app/helper.py"), "raise SystemExit(9)\n").expect("written");
    assert_eq!(all.says(&["/usr/bin/python3", "/app/main.py", "once"]).0, "answer 42\n");

    assert!(!all.has("/app/__pycache__/broken.cpython-311.pyc"));
    let notes = all.report["findings"].to_string();
    assert!(notes.contains("cannot compile: 1"), "{notes}");
    let why = run(
        env!("CARGO_BIN_EXE_slimroot"),
        &[
            "why",
            "--root",
            debian.to_str().expect("text"),
            "--pyc=all",
            "-w",
            "/app",
            "/app/__pycache__/helper.cpython-311.pyc",
            "--",
            PYTHON[0],
            PYTHON[1],
        ],
    );
    assert!(why.contains("bytecode of /app/helper.py, made by /usr/bin/python3.11 of the root (--pyc all)"), "{why}");
}

#[test]
fn used_bytecode_is_that_of_a_start_with_its_workers() {
    if !need::all(&NEEDED) {
        return;
    }
    let debian = debian();
    let before = state(&debian);
    let used = Build::new(&["env"], &debian, &["--pyc=used"], &PYTHON);
    assert_eq!(used.unmade(), "");
    for (module, is_loaded) in [
        ("app/__pycache__/helper", true),
        ("app/__pycache__/late", true),
        ("app/__pycache__/never", false),
        ("usr/lib/python3.11/__pycache__/colorsys", true),
        ("usr/lib/python3.11/__pycache__/sndhdr", false),
    ] {
        assert_eq!(used.has(&format!("/{module}.cpython-311.pyc")), is_loaded, "{module}");
    }
    assert!(before == state(&debian), "the root was written to");
    assert_eq!(used.says(&["/usr/bin/python3", "/app/main.py", "once"]).0, "answer 42\n");
}

/// As an ordinary user, in a builder stage, and without the right to create mounts.
#[test]
fn bytecode_is_made_wherever_that_is_possible_and_told_where_it_is_not() {
    if !need::all(&NEEDED) {
        return;
    }
    let debian = debian();
    let all = Build::new(&["env"], &debian, &["--pyc=all"], &PYTHON);

    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut asked = Command::new(nobody[0]);
    asked.args(&nobody[1..]).args(["unshare", "--user", "--map-root-user", "--mount", "true"]).stderr(Stdio::null());
    let by_nobody = Build::new(&nobody, &debian, &["--pyc=all"], &PYTHON);
    if asked.status().expect("setpriv runs").success() {
        assert_eq!((by_nobody.manifest(), by_nobody.unmade().as_str()), (all.manifest(), ""));
    } else {
        assert!(by_nobody.unmade().contains("cannot create mounts"), "{}", by_nobody.unmade());
    }

    let no_mounts = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
    let refused = Build::new(&no_mounts, &debian, &["--pyc=all"], &PYTHON);
    assert!(refused.unmade().contains("cannot create mounts"), "{}", refused.unmade());
    assert!(!refused.has("/app/__pycache__"));
    // A read-only root can be entered too, such as that of `RUN --mount=type=bind,from=builder`.
    let bound = tempfile::tempdir().expect("a directory");
    let script = r#"mount --bind "$0" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@""#;
    let read_only = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        script,
        debian.to_str().expect("text"),
        bound.path().to_str().expect("text"),
    ];
    let inside = Build::new(&[&read_only[..], &no_mounts[..]].concat(), bound.path(), &["--pyc=all"], &PYTHON);
    assert_eq!((inside.manifest(), inside.unmade().as_str()), (all.manifest(), ""));

    let image = format!("oci:{}/image", all.out.path().display());
    let of_image = Build::new(&["env"], Path::new(&image), &["--pyc=all"], &PYTHON);
    assert!(of_image.unmade().contains("the root is an image"), "{}", of_image.unmade());
}

#[test]
fn a_root_of_another_machine_keeps_its_sources() {
    if !need::all(&["mmdebstrap"]) {
        return;
    }
    let foreign =
        root("bookworm-s390x-python", "bookworm", &["--arch=s390x", "--variant=extract", "--include=python3-minimal"]);
    let script = foreign.join("usr/lib/python3.11/this_is_run.py");
    if !script.exists() {
        fs::write(&script, "x = 1\n").expect("written");
    }
    let packed =
        Build::new(&["env"], &foreign, &["--pyc=all"], &["/usr/bin/python3.11", "/usr/lib/python3.11/this_is_run.py"]);
    let bytecode = "/usr/lib/python3.11/__pycache__/this_is_run.cpython-311.pyc";
    // If the kernel starts such programs with an emulator, they run like any others.
    if fs::exists("/proc/sys/fs/binfmt_misc/qemu-s390x").is_ok_and(|is_there| is_there) {
        assert_eq!((packed.unmade().as_str(), packed.has(bytecode)), ("", true));
    } else {
        assert!(packed.unmade().contains("built for another machine"), "{}", packed.unmade());
        assert!(!packed.has(bytecode) && packed.has("/usr/lib/python3.11/os.py"));
    }
}

#[test]
fn a_linked_runtime_has_what_jars_need_and_the_builders_trust() {
    if !need::all(&NEEDED) {
        return;
    }
    let debian = debian();
    let before = state(&debian);
    let java = |options: &[&str], jar: &str| Build::new(&["env"], &debian, options, &["/usr/bin/java", "-jar", jar]);
    let (whole, linked, again) =
        (java(&[], "/app/hello.jar"), java(&["--jlink"], "/app/hello.jar"), java(&["--jlink"], "/app/hello.jar"));
    // jlink 17 randomly writes one of two orders of the same tables: the bytes differ, but not the contents.
    let told = |build: &Build| (build.report["files"].clone(), build.report["links"].clone(), build.unmade());
    assert_eq!(told(&linked), told(&again));
    assert_eq!(linked.unmade(), "");
    assert!(before == state(&debian), "the root was written to");
    let bytes = |build: &Build| build.report["bytes"].as_u64().expect("a number");
    assert!(bytes(&linked) + 40_000_000 < bytes(&whole), "{} of {}", bytes(&linked), bytes(&whole));
    assert_eq!(linked.says(&["/usr/bin/java", "-jar", "/app/hello.jar"]).0, "answer EC\n");

    let modules = |build: &Build| build.says(&["/usr/bin/java", "--list-modules"]).0;
    let has = |build: &Build, name: &str| modules(build).lines().any(|line| line.split('@').next() == Some(name));
    assert!(
        has(&linked, "jdk.crypto.ec") && !has(&linked, "jdk.compiler") && !has(&linked, "java.net.http"),
        "{}",
        modules(&linked)
    );
    let nested = java(&["--jlink"], "/app/nested.jar");
    assert!(has(&nested, "java.net.http"), "{}", modules(&nested));
    assert!(!nested.report["findings"].to_string().contains("all modules"), "{}", nested.report["findings"]);

    let home = "usr/lib/jvm/java-17-openjdk-amd64";
    let store = |root: &Path| fs::read_link(root.join(home).join("lib/security/cacerts")).expect("a link");
    assert_eq!(store(&linked.root()), store(&debian));
    let authorities = |root: &Path| fs::read(root.join("etc/ssl/certs/java/cacerts")).expect("a store");
    assert_eq!(authorities(&linked.root()), authorities(&debian));

    let python = Build::new(&["env"], &debian, &["--jlink"], &PYTHON);
    assert!(python.unmade().contains("no modular Java runtime"), "{}", python.unmade());
}
