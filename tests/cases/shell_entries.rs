//! Shell scripts as entries (`fixtures/shell`): every run gives the same output in the image as in the builder root,
//! and missing commands are reported before a shell prints "not found".

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::roots;
use crate::{Needs, case};

static NEEDS: Needs = Needs::new(&["mmdebstrap", "unshare", "mount", "chroot", "timeout"]);

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Packages that the scripts need and that are not in Debian's minimal set.
const PACKAGES: &str = "--include=redis-server,nginx-light,python3,python3-django,gunicorn,gosu,tini,dumb-init,jq,\
                        gettext-base,sqlite3,curl,openssl,netcat-openbsd";
/// Mounts the scripts over the builder root, for this process only, and continues there.
const OVERLAY: &str = r#"set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/merged"
shift 2
exec "$@""#;
/// Runs a shell command line in a root.
const ENTER: &str = r#"set -e
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
root=$1 words=$2; shift 2
eval "exec env -i \"\$@\" timeout -k 1 60 chroot \"\$root\" $words""#;

struct Script {
    name: String,
    runs: Vec<String>,
    env: Vec<String>,
    lacks: BTreeSet<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shell")
}

fn scripts() -> Vec<Script> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "sh") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a script");
        let all = |key: &str| -> Vec<String> {
            let start = format!("# {key}:");
            text.lines().filter_map(|line| line.strip_prefix(&start)).map(|rest| rest.trim().to_owned()).collect()
        };
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        found.push(Script { name, runs: all("run"), env: all("env"), lacks: all("lacks").into_iter().collect() });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The layer with the scripts and their tree.
fn layer(into: &Path) {
    roots::run("cp", &["-a", &folder().join("root").display().to_string(), &into.display().to_string()]);
    for script in scripts() {
        let place = into.join("app").join(&script.name);
        fs::copy(folder().join(&script.name), &place).expect("copied");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
}

/// A separate directory to mount the builder root in.
struct Builder {
    lower: String,
    place: tempfile::TempDir,
}

impl Builder {
    fn new(lower: &str) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        for name in ["upper", "work", "merged"] {
            fs::create_dir(place.path().join(name)).expect("made");
        }
        Self { lower: lower.to_owned(), place }
    }

    fn merged(&self) -> String {
        self.place.path().join("merged").display().to_string()
    }

    fn there(&self, words: &[&str]) -> Output {
        let place = self.place.path().display().to_string();
        let start = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", OVERLAY, "overlay", &self.lower, &place];
        Command::new("unshare").args(start).args(words).output().expect("unshare runs")
    }
}

/// The command for a run in a root, with the environment.
fn run(root: &str, script: &Script, words: &str) -> Vec<String> {
    let line = format!("/app/{} {words}", script.name);
    let start = ["sh", "-c", ENTER, "enter", root, &line, PATH].map(str::to_owned);
    start.into_iter().chain(script.env.iter().cloned()).collect()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}\n{}{}", output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn pack(builder: &Builder, script: &Script, out: &Path) -> Output {
    let to = format!("dir:{}", out.display());
    let (root, first) = (builder.merged(), script.runs.first().cloned().unwrap_or_default());
    let env: String = script.env.iter().map(|pair| format!("--env '{pair}' ")).collect();
    let slimroot = env!("CARGO_BIN_EXE_slimroot");
    let line = format!(
        "exec {slimroot} build --root {root} -o {to} --user 0:0 --format json {env} -- /app/{} {first}",
        script.name
    );
    builder.there(&["sh", "-c", &line])
}

/// All failures of one script.
fn wrong(lower: &str, script: &Script) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("out");
    let packed = pack(&Builder::new(lower), script, &out);
    if !packed.status.success() {
        return vec![format!("is not packed: {}", said(&packed))];
    }
    let report: Value = serde_json::from_slice(&packed.stdout).expect("a report");
    let findings = report["findings"].as_array().into_iter().flatten();
    let missing = findings.filter(|finding| finding["code"] == "command-missing");
    let told: BTreeSet<String> = missing.filter_map(|one| Some(one["subject"].as_str()?.to_owned())).collect();
    let mut wrong = Vec::new();
    if told != script.lacks {
        wrong.push(format!("lacks {told:?}, not {:?}", script.lacks));
    }
    let mut all = String::new();
    for words in &script.runs {
        let builder = Builder::new(lower);
        let there = run(&builder.merged(), script, words);
        let wanted = said(&builder.there(&there.iter().map(String::as_str).collect::<Vec<_>>()));
        let here = run(&out.display().to_string(), script, words);
        let start = ["--mount", "--pid", "--fork", "--kill-child"];
        let got = said(&Command::new("unshare").args(start).args(here).output().expect("unshare runs"));
        if wanted != got {
            wrong.push(format!("`{words}` says\n{got}\nand in the builder root\n{wanted}"));
        }
        if script.lacks.is_empty() && wanted.contains("not found") {
            wrong.push(format!("`{words}` does not run in the builder root: {wanted}"));
        }
        all.push_str(&wanted);
    }
    let is_heard = |word: &String| {
        all.lines()
            .any(|line| line.contains(word.as_str()) && (line.contains("not found") || line.contains("No such file")))
    };
    wrong.extend(script.lacks.iter().filter(|word| !is_heard(word)).map(|word| format!("no shell misses {word}")));
    wrong
}

/// The builder root under the layer with the scripts.
struct Lower {
    /// Removes the layer at the end.
    _dir: tempfile::TempDir,
    option: String,
}

impl Lower {
    fn new() -> Self {
        let args = ["--variant=minbase", "--dpkgopt=force-unsafe-io", PACKAGES];
        let root = roots::root("bookworm-shell", "bookworm", &args);
        let dir = tempfile::tempdir().expect("a directory");
        let scripts = dir.path().join("scripts");
        layer(&scripts);
        Self { option: format!("{}:{}", scripts.display(), root.display()), _dir: dir }
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    let all = scripts();
    assert!(all.len() >= 12 && all.iter().all(|script| !script.runs.is_empty()), "{} scripts", all.len());
    let lower = Arc::new(OnceLock::new());
    let trial = |script: Script| {
        let lower = Arc::clone(&lower);
        case(format!("shell_entries::{}", script.name), move || {
            if NEEDS.are_met() { wrong(&lower.get_or_init(Lower::new).option, &script) } else { Vec::new() }
        })
    };
    all.into_iter().map(trial).collect()
}
