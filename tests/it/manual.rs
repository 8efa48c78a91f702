//! Manual pages and completions that packages carry: they are those of this command line, and other programs read them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{need, roots::run, roots::slimroot};

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read_to_string(&path).expect("text"))
    };
    fs::read_dir(folder).expect("listed").map(read).collect()
}

/// The lines in which a file is stale, for a message that fits a screen.
fn stale(name: &str, kept: &str, made: &str) -> Option<String> {
    let differs = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
    (kept != made)
        .then(|| format!("{name}, line {}", differs.unwrap_or(kept.lines().count().min(made.lines().count())) + 1))
}

#[test]
fn pages_and_completions_are_not_stale() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("made/man");
    let told = slimroot(&["man", "--out", &out.display().to_string()]);
    assert!(told.status.success() && told.stdout.is_empty(), "{}", String::from_utf8_lossy(&told.stderr));
    let (kept, made) = (files(&packaging().join("man")), files(&out));
    let mut broken: Vec<String> = Vec::new();
    if kept.keys().ne(made.keys()) {
        broken.push(format!("{:?} instead of {:?}", kept.keys(), made.keys()));
    }
    broken.extend(kept.iter().filter_map(|(name, text)| stale(name, text, made.get(name)?)));
    for (shell, name) in [("bash", "slimroot.bash"), ("zsh", "_slimroot"), ("fish", "slimroot.fish")] {
        let made = String::from_utf8(slimroot(&["completions", shell]).stdout).expect("text");
        let kept = fs::read_to_string(packaging().join("completions").join(name)).expect("completions");
        broken.extend(stale(name, &kept, &made));
    }
    assert!(broken.is_empty(), "run packaging/refresh: {broken:#?}");
}

#[test]
fn each_command_has_a_page_that_is_printed_too() {
    let help = String::from_utf8(slimroot(&["--help"]).stdout).expect("text");
    let (_, list) = help.split_once("Commands:\n").expect("commands");
    let commands: Vec<&str> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    let pages = files(&packaging().join("man"));
    for command in commands {
        let told = slimroot(&["man", command]);
        assert!(told.status.success(), "{command}");
        assert_eq!(
            pages.get(&format!("slimroot-{command}.1")).map(String::as_bytes),
            Some(&told.stdout[..]),
            "{command}"
        );
    }
    let unknown = slimroot(&["man", "biuld"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("slimroot has no command biuld"));
}

/// Bash itself loads the completions and says what may follow.
#[test]
fn bash_completes_commands_and_options() {
    if !need::all(&["bash"]) {
        return;
    }
    let asked = |words: &str| {
        let count = words.split(' ').count();
        let script = format!(
            "source \"$0\"; COMP_WORDS=({words}); COMP_CWORD={}; _slimroot slimroot \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            count - 1
        );
        run("bash", &["-c", &script, &packaging().join("completions/slimroot.bash").display().to_string()])
    };
    assert_eq!(asked("slimroot bui").trim(), "build");
    assert!(asked("slimroot build --outp").lines().any(|option| option == "--output"));
    assert!(asked("slimroot check --format ''").contains("sarif"));
}

/// The formatter of manual pages has nothing to complain about.
#[test]
fn manual_pages_are_formatted_without_warnings() {
    if !need::all(&["groff"]) {
        return;
    }
    for page in fs::read_dir(packaging().join("man")).expect("listed") {
        let page = page.expect("an entry").path();
        let told = Command::new("groff")
            .args(["-K", "utf8", "-man", "-Tutf8", "-ww", "-z"])
            .arg(&page)
            .output()
            .expect("groff");
        assert!(told.status.success() && told.stderr.is_empty(), "{}", String::from_utf8_lossy(&told.stderr));
    }
}
