//! A program needs the same files whoever starts it. Each program of `fixtures/launchers` is packed as the entry, and then
//! behind every kind of launcher of `support/launches.rs`. Runs judge: the packed directory answers as the builder root
//! does. What cannot run is judged by findings, which have to be those of the program as entry.
//!
//! `cargo test --test cases launchers::b5` runs one group. `SLIMROOT_TEST_BINARY` names another slimroot to be judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use libtest_mimic::Trial;
use serde::Deserialize;
use serde_json::Value;

use crate::support::corpus::judged;
use crate::support::launches::{self, Certainty, Launch, SHAPES, Shape, Start};
use crate::support::roots;
use crate::{Needs, case};

static NEEDS: Needs = Needs::new(&["mmdebstrap", "unshare", "mount", "timeout"]);
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PACKAGES: &str =
    "--include=gcc,libc6-dev,python3,python3-venv,nodejs,tini,openssl,ca-certificates,tzdata,netbase";
const VENV: &str = "--customize-hook=chroot \"$1\" python3 -m venv /opt/venv";
/// Mounts layers for this process alone; what is written goes to the upper one.
const OVERLAY: &str = r#"set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/merged"
shift 2
exec "$@""#;
/// Arguments of `timeout`, which stands outside, as a packed root has none.
const LIMIT: [&str; 4] = ["-k", "1", "120", "unshare"];
/// Runs a command in a root.
const ENTER: &str = r#"set -e
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
root=$1 cwd=$2; shift 2
exec env -i "$@""#;

/// A program, and what makes it a test.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Program {
    /// Read by people.
    #[expect(dead_code, reason = "says what the file is about")]
    about: String,
    /// Run by /bin/sh in the builder root, which has gcc.
    setup: String,
    entry: Vec<String>,
    /// Further options of slimroot; `{root}` is the builder root.
    #[serde(default)]
    options: Vec<String>,
    /// Environment of the image.
    #[serde(default)]
    env: BTreeMap<String, String>,
    workdir: Option<String>,
    /// Directory that the launcher changes to.
    cd: Option<String>,
    /// Variables that the launcher sets.
    #[serde(default)]
    export: BTreeMap<String, String>,
    /// Commands that the launcher runs before.
    #[serde(default)]
    before: Vec<Vec<String>>,
    /// A part of the output, which shows that the program did in the builder root what the test is about.
    #[serde(default)]
    says: String,
    /// Codes of errors with which slimroot refuses the program. It is then not run.
    #[serde(default)]
    errors: BTreeSet<String>,
    /// Paths that have to stay out, with everything below.
    #[serde(default)]
    without: Vec<String>,
    /// True if a launcher may add only its own files and those that it adds for another program.
    #[serde(default)]
    exact: bool,
    /// Commands that have to succeed in the packed root.
    #[serde(default)]
    also: Vec<Also>,
    /// Launchers that make no sense, and why.
    #[serde(default)]
    skip: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Also {
    run: Vec<String>,
    says: String,
}

/// The result of packing an entry.
struct Packed {
    exit: Option<i32>,
    /// Code and subject with the level.
    findings: BTreeMap<(String, String), String>,
    files: BTreeSet<String>,
    said: String,
    out: PathBuf,
    /// Removes the directory at the end.
    _dir: tempfile::TempDir,
}

/// The result of a run of the image.
#[derive(Default)]
struct Conditions {
    workdir: Option<String>,
    env: BTreeMap<String, String>,
}

/// A program in its builder root, and what it is as entry.
struct Case {
    program: Program,
    name: String,
    layer: OnceLock<tempfile::TempDir>,
    direct: OnceLock<Packed>,
}

fn builder_root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let args = ["--variant=minbase", "--dpkgopt=force-unsafe-io", PACKAGES, VENV];
        roots::root("bookworm-launchers", "bookworm", &args)
    })
}

/// Runs a command while layers are mounted at `merged` of a directory; an overlay is not visible outside.
fn over(layers: &[&Path], place: &Path, words: &[String]) -> Output {
    for name in ["upper", "work", "merged"] {
        fs::create_dir_all(place.join(name)).expect("made");
    }
    let lower: Vec<String> = layers.iter().map(|layer| layer.display().to_string()).collect();
    let start = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", OVERLAY, "overlay"];
    let place = place.display().to_string();
    Command::new("timeout")
        .args(LIMIT)
        .args(start)
        .args([&lower.join(":"), &place])
        .args(words)
        .output()
        .expect("unshare runs")
}

/// The command line that runs words in a root.
fn enter(root: &Path, conditions: &Conditions, words: &[String]) -> Vec<String> {
    let cwd = conditions.workdir.as_deref().unwrap_or("/");
    let root = root.display().to_string();
    let mut line: Vec<String> = ["sh", "-c", ENTER, "enter", &root, cwd, PATH].map(str::to_owned).to_vec();
    line.extend(conditions.env.iter().map(|(name, value)| format!("{name}={value}")));
    line.extend(["unshare", "--root", &root, "--wd", cwd].map(str::to_owned));
    line.extend(words.iter().cloned());
    line
}

fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().map_or_else(|| output.status.to_string(), |code| format!("exit {code}"));
    format!("{code}\n{}{}", text(&output.stdout), text(&output.stderr))
}

/// Paths of all that is not a directory.
fn files_of(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                open.push(entry.path());
            } else {
                let inside = entry.path().strip_prefix(root).expect("inside").display().to_string();
                found.insert(format!("/{inside}"));
            }
        }
    }
    found
}

impl Case {
    fn start(&self) -> Start {
        let Program { entry, before, cd, export, .. } = &self.program;
        Start { words: entry.clone(), before: before.clone(), cd: cd.clone(), export: export.clone() }
    }

    /// The files of the program, made once. Below `launcher` lie the programs that start it.
    fn layer(&self) -> &Path {
        let dir = self.layer.get_or_init(|| {
            let dir = tempfile::tempdir().expect("a directory");
            let mut script = format!("set -e\nmkdir -p /app /srv\n{}\nmkdir /launcher\n", self.program.setup);
            for (name, words) in [("own", &self.program.entry), ("other", &other_program().words)] {
                let source = launches::compiled_source(words);
                script += &format!("cat >/launcher/{name}.c <<'END'\n{source}END\n");
                script += &format!("gcc -o /launcher/{name} /launcher/{name}.c\n");
            }
            let words = ["/bin/sh", "-c", &script].map(str::to_owned);
            let made =
                over(&[builder_root()], dir.path(), &enter(&dir.path().join("merged"), &Conditions::default(), &words));
            assert!(made.status.success(), "{}: the set-up fails: {}", self.name, text(&made));
            fs::rename(dir.path().join("upper/launcher"), dir.path().join("launcher")).expect("moved");
            dir
        });
        dir.path()
    }

    fn launcher(&self, name: &str) -> PathBuf {
        self.layer().join("launcher").join(name)
    }

    /// Runs words over the program's layer and those of a launch.
    fn there(&self, scripts: &Path, place: &Path, words: &[String]) -> Output {
        over(&[scripts, &self.layer().join("upper"), builder_root()], place, words)
    }

    /// Working directory and environment of the image. What launchers set is an option where the program is the entry.
    fn conditions(&self, is_entry: bool) -> Conditions {
        let Program { workdir, cd, env, export, .. } = &self.program;
        let set = env.iter().chain(export.iter().filter(|_| is_entry));
        Conditions {
            workdir: cd.clone().filter(|_| is_entry).or_else(|| workdir.clone()),
            env: set.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    fn pack(&self, launch: &Launch, conditions: &Conditions, compiled: &str) -> Packed {
        let dir = tempfile::tempdir().expect("a directory");
        let (scripts, out) = (dir.path().join("scripts"), dir.path().join("out"));
        fs::create_dir(&scripts).expect("made");
        launch.lay_out(&scripts, &self.launcher(compiled));
        let root = dir.path().join("merged").display().to_string();
        let to = format!("dir:{}", out.display());
        let mut line = [&judged(), "build", "--root", &root, "-o", &to, "--user", "0:0", "--format", "json"]
            .map(str::to_owned)
            .to_vec();
        line.extend(conditions.workdir.iter().flat_map(|dir| ["--workdir".to_owned(), dir.clone()]));
        line.extend(conditions.env.iter().flat_map(|(name, value)| ["--env".to_owned(), format!("{name}={value}")]));
        line.extend(self.program.options.iter().map(|option| option.replace("{root}", &root)));
        line.extend(launch.options.iter().cloned());
        line.push("--".to_owned());
        line.extend(launch.entry.iter().cloned());
        let output = self.there(&scripts, dir.path(), &line);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let findings = report["findings"].as_array().into_iter().flatten();
        let findings = findings.map(|one| ((word(one, "code"), word(one, "subject")), word(one, "level"))).collect();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Packed { exit: output.status.code(), findings, files: files_of(&out), said, out, _dir: dir }
    }

    /// The program as entry, with the settings that launchers make given as options.
    fn direct(&self) -> Result<&Packed, String> {
        let direct = self.direct.get_or_init(|| {
            let launch = Launch::of(&self.program.entry);
            self.pack(&launch, &self.conditions(true), "own")
        });
        let is_refused = !self.program.errors.is_empty();
        if is_refused != (direct.exit == Some(1)) || !is_refused && direct.exit != Some(0) {
            return Err(format!("as entry: slimroot exits {:?}: {} {:?}", direct.exit, direct.said, direct.findings));
        }
        Ok(direct)
    }
}

fn other_program() -> Start {
    Start { words: vec!["/usr/bin/true".to_owned()], ..Start::default() }
}

fn few<'s>(all: impl Iterator<Item = &'s String>) -> String {
    let all: Vec<&String> = all.collect();
    let first: Vec<&str> = all.iter().take(12).map(|path| path.as_str()).collect();
    format!("{} ({})", all.len(), first.join(" "))
}

/// Errors that a program has to be refused with as entry, and paths that stay out.
fn wrong_as_entry(case: &Case) -> Vec<String> {
    let direct = match case.direct() {
        Ok(direct) => direct,
        Err(why) => return vec![why],
    };
    let errors = direct.findings.iter().filter(|(_, level)| *level == "error");
    let codes: BTreeSet<String> = errors.map(|((code, _), _)| code.clone()).collect();
    let mut wrong = Vec::new();
    if codes != case.program.errors {
        wrong.push(format!("errors are {codes:?}, not {:?}", case.program.errors));
    }
    wrong.extend(kept_out(case, direct));
    wrong.extend(wrong_runs(case, &Launch::of(&case.program.entry), direct, &case.conditions(true)));
    wrong
}

fn kept_out(case: &Case, packed: &Packed) -> Vec<String> {
    let is_below = |path: &&String| case.program.without.iter().any(|dir| Path::new(path.as_str()).starts_with(dir));
    let found: Vec<&String> = packed.files.iter().filter(is_below).collect();
    if found.is_empty() { Vec::new() } else { vec![format!("packs {}", few(found.into_iter()))] }
}

/// Runs the entry in the builder root and in the packed directory.
fn wrong_runs(case: &Case, launch: &Launch, packed: &Packed, conditions: &Conditions) -> Vec<String> {
    if packed.exit != Some(0) || !case.program.errors.is_empty() {
        return Vec::new();
    }
    let dir = tempfile::tempdir().expect("a directory");
    let scripts = dir.path().join("scripts");
    fs::create_dir(&scripts).expect("made");
    launch.lay_out(&scripts, &case.launcher("own"));
    let there = case.there(&scripts, dir.path(), &enter(&dir.path().join("merged"), conditions, &launch.entry));
    let alone = |words: &[String]| {
        let line = enter(&packed.out, conditions, words);
        let start = ["--mount", "--pid", "--fork", "--kill-child"];
        Command::new("timeout")
            .args(["-k", "1", "60", "unshare"])
            .args(start)
            .args(line)
            .output()
            .expect("unshare runs")
    };
    let (wanted, got) = (text(&there), text(&alone(&launch.entry)));
    let mut wrong = Vec::new();
    if !wanted.starts_with("exit 0\n") || !wanted.contains(&case.program.says) {
        wrong.push(format!("the builder root does not say {:?}: {wanted}", case.program.says));
    } else if wanted != got {
        wrong.push(format!("runs otherwise than in the builder root, which says\n{wanted}and not\n{got}"));
    }
    for also in &case.program.also {
        let said = text(&alone(&also.run));
        if !said.starts_with("exit 0\n") || !said.contains(&also.says) {
            wrong.push(format!("`{}` does not say {:?} but {said}", also.run.join(" "), also.says));
        }
    }
    wrong
}

/// All that is wrong with the program behind a launcher.
fn wrong_behind(case: &Case, shape: &Shape, launch: &Launch) -> Vec<String> {
    let direct = match case.direct() {
        Ok(direct) => direct,
        Err(why) => return vec![why],
    };
    let conditions = case.conditions(false);
    let packed = case.pack(launch, &conditions, "own");
    let mut wrong = Vec::new();
    if shape.certainty == Certainty::Sure && packed.exit != direct.exit
        || shape.certainty == Certainty::Likely && !matches!(packed.exit, Some(0 | 1))
    {
        wrong.push(format!("slimroot exits {:?}, and as entry {:?}: {}", packed.exit, direct.exit, packed.said));
    }
    if !matches!(packed.exit, Some(0 | 1)) {
        return wrong;
    }
    for ((code, subject), level) in &direct.findings {
        match packed.findings.get(&(code.clone(), subject.clone())) {
            None => wrong.push(format!("does not tell {level}[{code}] of {subject}")),
            Some(other) if other != level && shape.certainty == Certainty::Sure => {
                wrong.push(format!("tells {other}[{code}] of {subject}, which is {level} as entry"));
            }
            Some(_) => {}
        }
    }
    let known = direct.findings.keys().collect::<BTreeSet<_>>();
    let new = packed.findings.iter().filter(|(key, level)| *level == "error" && !known.contains(key));
    wrong.extend(new.map(|((code, subject), _)| format!("tells a false error[{code}] of {subject}")));
    if packed.exit == Some(0) && direct.exit == Some(0) {
        let absent: Vec<&String> = direct.files.difference(&packed.files).collect();
        if !absent.is_empty() {
            wrong.push(format!("leaves out what the entry brings: {}", few(absent.into_iter())));
        }
    }
    wrong.extend(kept_out(case, &packed));
    if case.program.exact {
        wrong.extend(wrong_files(case, shape, launch, direct, &packed));
    }
    wrong.extend(wrong_runs(case, launch, &packed, &conditions));
    wrong
}

/// Files that neither the program brings as entry, nor the launcher for another program.
fn wrong_files(case: &Case, shape: &Shape, launch: &Launch, direct: &Packed, packed: &Packed) -> Vec<String> {
    let other = (shape.make)(&other_program()).expect("the shape fits a program without arguments");
    let other = case.pack(&other, &case.conditions(false), "other");
    let own: BTreeSet<&String> = launch.files.iter().map(|(path, _)| path).collect();
    let is_new = |path: &&String| !direct.files.contains(*path) && !other.files.contains(*path) && !own.contains(path);
    let new: Vec<&String> = packed.files.iter().filter(is_new).collect();
    if new.is_empty() { Vec::new() } else { vec![format!("packs more than the entry does: {}", few(new.into_iter()))] }
}

/// A test for the program as entry, and one for each launcher.
fn trials_of(name: &str, program: Program) -> Vec<Trial> {
    let unknown = program.skip.keys().filter(|skipped| SHAPES.iter().all(|shape| shape.name != **skipped));
    assert_eq!(unknown.count(), 0, "{name} skips a launcher that does not exist");
    let program = Case { program, name: name.to_owned(), layer: OnceLock::new(), direct: OnceLock::new() };
    let program = Arc::new(program);
    let mut all = Vec::new();
    let own = Arc::clone(&program);
    all.push(case(format!("launchers::{name}::entry"), move || {
        if NEEDS.are_met() { wrong_as_entry(&own) } else { Vec::new() }
    }));
    for shape in SHAPES {
        if program.program.skip.contains_key(shape.name) {
            continue;
        }
        let Some(launch) = (shape.make)(&program.start()) else { continue };
        let own = Arc::clone(&program);
        all.push(case(format!("launchers::{name}::{}", shape.name), move || {
            if NEEDS.are_met() { wrong_behind(&own, shape, &launch) } else { Vec::new() }
        }));
    }
    all
}

pub(crate) fn trials() -> Vec<Trial> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/launchers");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let told = fs::read_to_string(&path).expect("a program");
        let program = toml::from_str(&told).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.insert(name, program);
    }
    found.into_iter().flat_map(|(name, program)| trials_of(&name, program)).collect()
}
