//! The script of the GitHub Action, run as a runner does it: inputs and event as variables, results in files. Bash runs it,
//! and a stand-in for GitHub's client keeps the comments.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::need;

/// Keeps the comments of a pull request in a folder: lists them, adds one, replaces one.
const CLIENT: &str = r#"#!/bin/bash
cd "$COMMENTS"
for word; do case $word in body=@*) body=${word#body=@} ;; */comments/[0-9]*) id=${word##*/} ;; esac; done
case " $* " in
*" --paginate "*) for file in *; do [ -e "$file" ] && tail -n 1 "$file" | grep -qxF '<!-- slimroot -->' && echo "$file"; done; true ;;
*" POST "*) cp "$body" "$((100 + $(ls | wc -l)))" ;;
*" PATCH "*) [ -e "$id" ] && cp "$body" "$id" ;;
*) exit 1 ;;
esac
"#;

struct Runner {
    dir: tempfile::TempDir,
}

impl Runner {
    /// A runner with slimroot and GitHub's client in PATH, and a root with /bin/true of this machine.
    fn new() -> Self {
        let runner = Self { dir: tempfile::tempdir().expect("a directory") };
        for folder in ["bin", "temp", "comments", "work"] {
            fs::create_dir(runner.at(folder)).expect("made");
        }
        symlink(env!("CARGO_BIN_EXE_slimroot"), runner.at("bin/slimroot")).expect("a link");
        runner.program("bin/gh", CLIENT);
        for file in ["/bin/true", "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"] {
            let place = runner.at("root").join(file.trim_start_matches('/'));
            fs::create_dir_all(place.parent().expect("a parent")).expect("made");
            fs::copy(file, place).expect("a file of this machine");
        }
        runner
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn program(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).expect("written");
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    fn action(&self, inputs: &[(&str, &str)]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/action.sh");
        let path = format!("{}:/usr/bin:/bin", self.at("bin").display());
        for file in ["output", "summary"] {
            let _ = fs::remove_file(self.at(file));
        }
        Command::new(script)
            .env_clear()
            .env("PATH", path)
            .env("RUNNER_TEMP", self.at("temp"))
            .env("GITHUB_OUTPUT", self.at("output"))
            .env("GITHUB_STEP_SUMMARY", self.at("summary"))
            .env("GITHUB_REPOSITORY", "owner/app")
            .env("COMMENTS", self.at("comments"))
            .envs(inputs.iter().copied())
            .current_dir(self.at("work"))
            .output()
            .expect("bash")
    }

    #[track_caller]
    fn ends(&self, code: i32, inputs: &[(&str, &str)]) {
        let output = self.action(inputs);
        let said = [&output.stdout[..], &output.stderr].concat();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&said));
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    /// What the step hands to later steps.
    fn outputs(&self) -> BTreeMap<String, String> {
        let text = self.text("output");
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn comments(&self) -> Vec<String> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.at("comments")).expect("listed").map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files.iter().map(|file| fs::read_to_string(file).expect("text")).collect()
    }
}

#[test]
fn the_action_packs_checks_compares_and_comments_once() {
    if !need::all(&["bash"]) {
        return;
    }
    let runner = Runner::new();
    let root = runner.at("root").display().to_string();
    let inputs = [
        ("IMAGE", root.as_str()),
        ("ENTRY", "true\n--an argument"),
        ("OUTPUT", "oci-archive:app.tar:app:1"),
        ("COMMENT", "true"),
        ("PULL_REQUEST", "7"),
    ];
    runner.ends(0, &inputs);
    let outputs = runner.outputs();
    assert_eq!(outputs["image"], "oci-archive:app.tar:app:1");
    assert!(outputs["digest"].starts_with("sha256:") && outputs["digest"].len() == 71, "{outputs:?}");
    for (key, schema) in [("findings", "slimroot.check"), ("sarif", "sarif-2.1.0")] {
        let document = fs::read_to_string(&outputs[key]).expect("a file");
        assert!(
            serde_json::from_str::<serde_json::Value>(&document).is_ok() && document.contains(schema),
            "{document}"
        );
    }
    let settings = crate::support::roots::run(
        env!("CARGO_BIN_EXE_slimroot"),
        &["plan", "--format", "json", "--root", &format!("oci-archive:{}:app:1", runner.at("work/app.tar").display())],
    );
    assert!(settings.contains("--an argument"), "a line is one argument: {settings}");
    // Somebody else's comment stays, and the second run replaces that of the first.
    fs::write(runner.at("comments/99"), "what about `<!-- slimroot -->`?\n").expect("written");
    let base = "oci-archive:app.tar:app:1";
    let again = [&inputs[..2], &[("OUTPUT", "oci-archive:new.tar:app:1"), ("BASE", base)], &inputs[3..]].concat();
    runner.ends(0, &again);
    let comments = runner.comments();
    assert_eq!(comments.len(), 2, "{comments:?}");
    let comment = comments.iter().find(|text| text.ends_with("\n<!-- slimroot -->")).expect("a comment");
    assert!(comment.starts_with("### slimroot\n") && comment.contains("Image size"), "{comment}");
    assert!(runner.text("summary").contains("packed"), "{}", runner.text("summary"));
}

#[test]
fn budgets_findings_and_mistakes_end_the_step_with_the_code_of_slimroot() {
    if !need::all(&["bash"]) {
        return;
    }
    let runner = Runner::new();
    let root = runner.at("root").display().to_string();
    let pack = [("IMAGE", root.as_str()), ("ENTRY", "true"), ("OUTPUT", "oci-archive:app.tar:app:1")];
    runner.ends(5, &[&pack[..], &[("BUDGET", "1kB")]].concat());
    assert!(!runner.at("work/app.tar").exists() && !runner.outputs().contains_key("image"));
    assert!(runner.text("summary").contains("budget"), "{}", runner.text("summary"));
    runner.ends(0, &pack);
    // A finished image has a budget too.
    let image = ("IMAGE", "oci-archive:app.tar:app:1");
    runner.ends(0, &[image, ("BUDGET", "100MB")]);
    runner.ends(5, &[image, ("BUDGET", "1kB")]);
    assert!(runner.text("summary").contains("\n:x: "), "{}", runner.text("summary"));
    // An image without its C library.
    fs::remove_file(runner.at("root/lib/x86_64-linux-gnu/libc.so.6")).expect("removed");
    runner.ends(1, &[pack[0], pack[1], ("OUTPUT", "oci-archive:broken.tar:app:1")]);
    assert!(runner.text("summary").contains("libc.so.6"), "{}", runner.text("summary"));
    runner.ends(3, &[("IMAGE", "oci-archive:absent.tar")]);
    runner.ends(2, &[image, ("BUDGET", "much")]);
    let mistaken = runner.action(&[("IMAGE", &root), ("ENTRY", "no-such-program"), pack[2]]);
    let said = String::from_utf8_lossy(&mistaken.stderr).into_owned();
    assert!(mistaken.status.code() > Some(1) && said.contains("no-such-program"), "{said}");
}

/// Names of files in an image of somebody else are text in the page, and inputs are no commands.
#[test]
fn text_of_others_is_neither_markup_nor_a_command() {
    if !need::all(&["bash"]) {
        return;
    }
    let runner = Runner::new();
    let root = runner.at("root").display().to_string();
    let odd = "$(touch made) `touch made` <img src=x> @owner";
    fs::write(runner.at("root/bin").join(odd.replace('/', "")), "#!/no/such/shell\n").expect("written");
    let entry = format!("/bin/{odd}");
    let output = runner.action(&[("IMAGE", &root), ("ENTRY", &entry), ("OUTPUT", "oci-archive:app.tar:app:1")]);
    assert!(!output.status.success());
    let summary = runner.text("summary");
    assert!(!summary.contains("<img") && !summary.contains("@owner"), "{summary}");
    assert!(!runner.at("work/made").exists());
}

/// Without slimroot in PATH the script installs the release, and refuses one whose digest is another.
#[test]
fn the_action_installs_a_release_and_compares_its_digest() {
    if !need::all(&["bash", "curl", "tar", "sha256sum"]) {
        return;
    }
    let runner = Runner::new();
    fs::remove_file(runner.at("bin/slimroot")).expect("removed");
    let name = format!("slimroot-9.9.9-linux-{}", std::env::consts::ARCH);
    let release = runner.at("owner/slimroot/releases/download/v9.9.9");
    fs::create_dir_all(release.join(&name)).expect("made");
    symlink(env!("CARGO_BIN_EXE_slimroot"), release.join(&name).join("slimroot")).expect("a link");
    let script =
        format!("cd '{}' && tar -czf {name}.tar.gz {name} && sha256sum {name}.tar.gz > SHA256SUMS", release.display());
    crate::support::roots::run("bash", &["-c", &script]);
    let server = format!("file://{}", runner.dir.path().display());
    let root = runner.at("root").display().to_string();
    let inputs = [
        ("IMAGE", root.as_str()),
        ("ENTRY", "true"),
        ("OUTPUT", "oci-archive:app.tar:app:1"),
        ("GITHUB_SERVER_URL", server.as_str()),
        ("ACTION_REPOSITORY", "owner/slimroot"),
        ("ACTION_REF", "v9.9.9"),
    ];
    runner.ends(0, &inputs);
    fs::write(release.join("SHA256SUMS"), format!("{}  {name}.tar.gz\n", "0".repeat(64))).expect("written");
    fs::remove_file(runner.at("work/app.tar")).expect("removed");
    assert!(!runner.action(&inputs).status.success());
    assert!(!runner.at("work/app.tar").exists());
    // A branch is no release.
    let branch = [&inputs[..5], &[("ACTION_REF", "main")]].concat();
    runner.ends(2, &branch);
}

/// The files that GitHub reads follow the schemas that come with a validator.
#[test]
fn files_for_github_follow_its_schemas() {
    let Some(bin) = super::sbom::judges() else { return };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![("github-actions", here.join("action.yml"))];
    for (schema, folder) in [("github-workflows", "workflows"), ("github-issue-forms", "ISSUE_TEMPLATE")] {
        for entry in fs::read_dir(here.join(".github").join(folder)).expect("listed") {
            let path = entry.expect("an entry").path();
            let is_config = path.file_name().is_some_and(|name| name == "config.yml");
            files.push((if is_config { "github-issue-config" } else { schema }, path));
        }
    }
    assert!(files.len() > 5, "{files:?}");
    let judged = |schema: &str, path: &Path| {
        let schema = format!("vendor.{schema}");
        let program = Command::new(bin.join("check-jsonschema")).args(["--builtin-schema", &schema]).arg(path).output();
        let output = program.expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (schema, path) in &files {
        let (is_right, told) = judged(schema, path);
        assert!(is_right, "{}: {told}", path.display());
    }
    assert!(!judged("github-actions", &files[1].1).0, "the validator accepts anything");
}
