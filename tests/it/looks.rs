//! What a person sees: colours and widths on a terminal that script(1) makes, what a script reads, advice that fits the root.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::need;
use crate::support::runs::text;

fn root(dir: &Path) {
    for file in ["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "/bin/true", "/bin/ls"] {
        let place = dir.join("root").join(file.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(file, place).expect("copied");
    }
}

fn run(dir: &Path, line: &str) -> Output {
    let line = format!("{} {line}", env!("CARGO_BIN_EXE_slimroot"));
    Command::new("sh").args(["-c", &line]).current_dir(dir).env_remove("NO_COLOR").output().expect("sh runs")
}

#[test]
fn a_script_reads_the_reference_and_digest_of_an_image_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    root(dir.path());
    let output = run(dir.path(), "build --root root -o oci-archive:x.tar:localhost/x:1 -- /bin/true");
    let told = text(&output.stdout);
    let index =
        Command::new("tar").args(["-xOf", "x.tar", "index.json"]).current_dir(dir.path()).output().expect("tar");
    let index: serde_json::Value = serde_json::from_slice(&index.stdout).expect("JSON");
    let digest = index["manifests"][0]["digest"].as_str().expect("a digest");
    assert_eq!(told, format!("localhost/x:1@{digest}\n"));
    assert!(text(&output.stderr).contains("packed     /bin/true"));
    for (output, name) in [("oci-archive:tagged.tar", "1"), ("docker-archive:named.tar", "localhost/x:2")] {
        let tagged = run(dir.path(), &format!("build -q --root root -t {name} -o {output} -- /bin/true"));
        assert!(text(&tagged.stdout).starts_with(&format!("{name}@sha256:")), "{tagged:?}");
    }
    let quiet = run(dir.path(), "build -q --root root -o out -- /bin/true");
    assert!(quiet.status.success() && quiet.stdout.is_empty() && quiet.stderr.is_empty(), "{quiet:?}");
    let [short, long] = ["", "-v"].map(|v| run(dir.path(), &format!("build {v} --root root --dry-run -- /bin/true")));
    assert!(text(&short.stdout).lines().count() < 24, "{}", text(&short.stdout));
    assert!(text(&long.stdout).contains("\nauto       ") || !text(&short.stdout).contains("\nprofiles "));
}

#[test]
fn a_terminal_gets_colours_and_lines_that_fit() {
    let dir = tempfile::tempdir().expect("a directory");
    root(dir.path());
    let line = "check --root root /bin/ls";
    assert!(!text(&run(dir.path(), line).stdout).contains('\u{1b}'));
    assert!(
        text(&run(dir.path(), &format!("--color always {line}")).stdout)
            .contains("\u{1b}[1m\u{1b}[31merror[missing-library]")
    );
    if !need::all(&["script", "stty"]) {
        return;
    }
    let on_terminal = |before: &str, line: &str| {
        let line = format!("stty cols 80; {before} {} {line}", env!("CARGO_BIN_EXE_slimroot"));
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(dir.path()).env_remove("NO_COLOR").env("TERM", "xterm");
        text(&command.output().expect("script runs").stdout)
    };
    let told = on_terminal("", line);
    assert!(told.contains("\u{1b}[1m\u{1b}[31merror[missing-library]"), "{told}");
    assert!(
        !on_terminal("NO_COLOR=1", line).contains("[31m")
            && !on_terminal("", &format!("--color never {line}")).contains("[31m")
    );
    let packed = on_terminal("", "--color never build -v --root root -o oci:layout:x -- /bin/true 2>/dev/null");
    assert!(packed.contains("sha256:"), "{packed}");
    for line in packed.lines().map(str::trim_end) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // A digest is alone in its line, so that no row goes on behind it.
    let digests = packed.lines().map(str::trim).filter(|line| line.contains("sha256:"));
    assert!(digests.clone().count() >= 2 && digests.into_iter().all(|line| line.split(' ').count() == 1), "{packed}");
    // Every digest is in one piece.
    let whole = |word: &str| word.strip_prefix("sha256:").is_none_or(|hex| hex.len() == 64);
    assert!(packed.split_whitespace().all(whole), "{packed}");
}

#[test]
fn advice_is_of_the_roots_own_distribution_and_never_leads_into_another_root() {
    let dir = tempfile::tempdir().expect("a directory");
    root(dir.path());
    let place = |path: &str| dir.path().join("root").join(path);
    // An earlier output in the builder holds the library.
    let ldd = Command::new("ldd").arg("/bin/ls").output().expect("ldd runs");
    let told = text(&ldd.stdout);
    let (name, from) = told
        .lines()
        .filter_map(|line| line.trim().split_once(" => "))
        .find(|(name, _)| !name.starts_with("libc."))
        .map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap_or_default().to_owned()))
        .expect("a library of ls");
    for path in ["rootfs/etc", "rootfs/usr/lib"] {
        fs::create_dir_all(place(path)).expect("made");
    }
    fs::copy(&from, place("rootfs/usr/lib").join(&name)).expect("copied");
    let nested = text(&run(dir.path(), "check --root root /bin/ls").stdout);
    assert!(nested.contains(&format!("{name} is not in the root")) && !nested.contains("rootfs"), "{nested}");
    fs::create_dir_all(place("opt/lib")).expect("made");
    fs::copy(&from, place("opt/lib").join(&name)).expect("copied");
    assert!(text(&run(dir.path(), "check --root root /bin/ls").stdout).contains("/opt/lib"));
}
