//! The command line: messages, codes and exit codes for bad input, and the effects of settings. The roots are small and
//! created here; `engines.rs` and `corpus.rs` run packed programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::need;

/// A root with this machine's C library and /bin/true under several names.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().expect("a directory") };
        for file in ["/bin/true", "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"] {
            let place = world.place(file);
            fs::create_dir_all(place.parent().expect("a parent")).expect("made");
            fs::copy(file, place).expect("a file of this machine");
        }
        world
    }

    fn place(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path.trim_start_matches('/'))
    }

    fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let place = self.place(path);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::write(&place, content).expect("written");
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("a mode");
        self
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn slimroot(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
        command.arg(args[0]).arg("--root").arg(self.place("/")).args(&args[1..]);
        command.current_dir(self.dir.path()).env_remove("SOURCE_DATE_EPOCH").output().expect("slimroot runs")
    }

    /// Exit code and error code of a build that fails.
    fn fails(&self, args: &[&str]) -> (Option<i32>, String) {
        let before = names(self.dir.path());
        let output = self.slimroot(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(names(self.dir.path()), before, "something was left behind: {said}");
        let code = said.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default().to_owned();
        assert!(said.contains("help") || output.status.code() == Some(0), "no hint: {said}");
        (output.status.code(), code)
    }

    fn builds(&self, args: &[&str]) -> Value {
        let output = self.slimroot(&[&["build", "--format", "json"], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn each_bad_entry_has_its_own_code() {
    let world = World::new();
    let whole = fs::read("/bin/true").expect("read");
    let mut foreign = whole.clone();
    foreign[18..20].copy_from_slice(&[183, 0]);
    world
        .file("/app/text", "no program, no script")
        .file("/app/empty", "")
        .file("/app/cut", &whole[..100])
        .file("/app/foreign", foreign)
        .file("/app/nothing", "#!\n")
        .file("/app/dos", "#!/bin/true\r\n")
        .file("/app/python", "#!/usr/bin/env python3\n")
        .file("/app/absent", "#!/usr/bin/python3\n")
        .file("/app/self", "#!/app/self\n");
    symlink("ring", world.place("/app/ring2")).expect("linked");
    symlink("ring2", world.place("/app/ring")).expect("linked");
    symlink("gone", world.place("/app/dangling")).expect("linked");
    for (entry, exit, code) in [
        ("/app/none", 3, "entry-missing"),
        ("none", 3, "entry-missing"),
        ("/app/dangling", 3, "entry-missing"),
        ("/app", 3, "entry-is-directory"),
        ("/app/text", 3, "not-elf"),
        ("/app/empty", 3, "not-elf"),
        ("/app/cut", 3, "bad-elf"),
        ("/app/ring", 3, "link-loop"),
        ("/app/nothing", 3, "bad-shebang"),
        ("/app/dos", 3, "shebang-cr"),
        ("/app/self", 3, "bad-shebang"),
        ("/app/python", 3, "interpreter-missing"),
        ("/app/absent", 3, "interpreter-missing"),
        ("/app/foreign", 1, "wrong-machine"),
    ] {
        assert_eq!(world.fails(&["build", "-o", "out", "--", entry]), (Some(exit), code.to_owned()), "{entry}");
    }
    for (entry, help) in [
        ("/app/dangling", "a symlink on the path has no target"),
        ("./none", "a relative path is relative to the working directory"),
        ("/app/none", "paths are looked up inside --root"),
    ] {
        let said = world.slimroot(&["build", "--dry-run", "--", entry]);
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains(help), "{entry}: {said}");
    }
    let rm = fs::remove_file(world.place("/lib64/ld-linux-x86-64.so.2"));
    rm.expect("removed");
    assert_eq!(world.fails(&["build", "-o", "out", "--", "true"]), (Some(1), "interpreter-missing".to_owned()));
}

#[test]
fn a_chain_of_reasons_names_who_asks() {
    let world = World::new();
    symlink("lib", world.place("/lib-by-link")).expect("linked");
    let told = world.slimroot(&["why", "--format", "json", "/lib/x86_64-linux-gnu/libc.so.6", "--", "true"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let chains = told["chains"].as_array().cloned().unwrap_or_default();
    let steps: Vec<_> =
        chains[0]["reasons"].as_array().into_iter().flatten().map(|step| step["because"].clone()).collect();
    assert_eq!(steps, ["it is the entry", "/bin/true needs libc.so.6 (found by default: /lib/x86_64-linux-gnu/)"]);
    let told = world.slimroot(&["why", "/lib-by-link", "--", "true"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stdout).contains("nothing needs it"));
    let told = world.slimroot(&["why", "/usr/lib/none", "--", "true"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stdout).contains("the root does not have it"));
}

#[test]
fn a_file_name_stands_for_the_paths_with_it() {
    let world = World::new();
    fs::create_dir_all(world.place("/opt/spare")).expect("made");
    fs::write(world.place("/opt/spare/libspare.so.1"), "").expect("written");
    let why = |name: &str| {
        let output = world.slimroot(&["why", name, "--", "true"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let full = why("/lib/x86_64-linux-gnu/libc.so.6");
    assert_eq!(full.0, Some(0));
    assert_eq!(why("libc.so.6"), full);
    let spare = "/opt/spare/libspare.so.1 is not in the image: nothing needs it\n".to_owned();
    assert_eq!(why("libspare.so.1"), (Some(1), spare));
    assert_eq!(
        why("libnone.so.1"),
        (Some(1), "libnone.so.1 is not in the image: the root does not have it\n".to_owned())
    );
    for number in 0..17 {
        fs::create_dir(world.place(&format!("/opt/{number}"))).expect("made");
        fs::write(world.place(&format!("/opt/{number}/many")), "").expect("written");
    }
    let (code, says) = why("many");
    assert!(code == Some(1) && says.lines().count() == 17 && says.contains("more paths with the name many"), "{says}");
}

#[test]
fn entries_for_different_machines_are_not_mixed() {
    let world = World::new();
    let mut foreign = fs::read("/bin/true").expect("read")[..64].to_vec();
    // ET_EXEC for AArch64, without program headers: a static program.
    foreign[16..20].copy_from_slice(&[2, 0, 183, 0]);
    foreign[56..58].copy_from_slice(&[0, 0]);
    world.file("/app/foreign", foreign);
    let args = ["build", "-o", "out", "--bin", "/app/foreign", "--", "true"];
    assert_eq!(world.fails(&args), (Some(3), "mixed-architectures".to_owned()));
}

#[test]
fn each_bad_word_has_its_own_code() {
    let world = World::new();
    world.file("/../bad.toml", "[[take]]\nwhy = \"x\"\n").file("/../other.toml", "entri = [\"true\"]\n");
    fs::create_dir(world.dir.path().join("full")).expect("made");
    fs::write(world.dir.path().join("full/mine"), "mine").expect("written");
    for (args, exit, code) in [
        (&["-o", "ociarchive:x"][..], 2, "unknown-transport"),
        (&["-o", "full"], 3, "output-exists"),
        (&["-o", "oci:full"], 3, "output-exists"),
        (&["-o", "tar:full/mine"], 3, "output-exists"),
        (&["-o", "no/such/place"], 3, "output-unwritable"),
        (&["-o", "tar:full/mine/x"], 3, "output-unwritable"),
        (&[], 2, "bad-argument"),
        (&["-o", "out", "--include", "app/*"], 2, "bad-glob"),
        (&["-o", "out", "--exclude", "/["], 2, "bad-glob"),
        (&["-o", "out", "--env", "NAME"], 2, "bad-argument"),
        (&["-o", "out", "--user", "nobody-here"], 2, "bad-argument"),
        (&["-o", "out", "--expose", "http"], 2, "bad-argument"),
        (&["-o", "out", "--workdir", "srv"], 2, "bad-argument"),
        (&["-o", "out", "--compression", "lz4"], 2, "bad-argument"),
        (&["-o", "out", "--cpu", "v3"], 2, "bad-argument"),
        (&["-o", "out", "-p", "nope"], 2, "unknown-profile"),
        (&["-o", "out", "-p", "./bad.toml"], 2, "bad-profile"),
        (&["-o", "out", "--config", "other.toml"], 2, "bad-config"),
        (&["-o", "out", "--allow", "mising-library"], 2, "unknown-code"),
    ] {
        let all = [&["build"], args, &["--", "true"]].concat();
        assert_eq!(world.fails(&all), (Some(exit), code.to_owned()), "{args:?}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    let output = command.args(["deps", "--root", "/no/such/root", "true"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[root-missing]"));
}

#[test]
fn what_may_not_be_read_is_not_called_missing() {
    if !need::all(&["setpriv"]) {
        return;
    }
    let world = World::new();
    let libc = world.place("/lib/x86_64-linux-gnu/libc.so.6");
    fs::set_permissions(&libc, fs::Permissions::from_mode(0o000)).expect("a mode");
    fs::set_permissions(world.dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let binary = world.dir.path().join("slimroot");
    fs::copy(env!("CARGO_BIN_EXE_slimroot"), &binary).expect("copied");
    let output = Command::new("setpriv")
        .args(["--reuid", "1000", "--regid", "1000", "--clear-groups"])
        .arg(&binary)
        .args(["check", "--root"])
        .arg(world.place("/"))
        .arg("true")
        .output()
        .expect("setpriv runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("error[unreadable]") && said.contains("libc.so.6"), "{said}");
}

#[test]
fn settings_of_a_file_are_those_of_the_options_and_options_win() {
    let world = World::new();
    world.file("/srv/a.txt", "a").file("/srv/b.txt", "b");
    let toml = "entry = [\"true\", \"--version\"]\ninclude = [\"/srv/*.txt\"]\nexclude = [\"/srv/b.txt\"]\n\
                env = { A = \"1\", B = \"2\" }\nworkdir = \"/srv\"\nuser = \"7:8\"\nexpose = [\"80\"]\n\
                labels = { l = \"m\" }\noutputs = [\"oci:out:v1\"]\n";
    fs::write(world.dir.path().join("slimroot.toml"), toml).expect("written");
    let told = world.builds(&["--config", "slimroot.toml", "--env", "B=3", "--user", "9"]);
    assert_eq!(told["entry"], serde_json::json!(["/usr/bin/true".replace("/usr", ""), "--version"]));
    let layout = world.out();
    let index = oci_spec::image::ImageIndex::from_file(layout.join("index.json")).expect("an index");
    let blob = |digest: &str| layout.join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
    let manifest = blob(index.manifests()[0].digest().as_ref());
    let manifest = oci_spec::image::ImageManifest::from_file(manifest).expect("a manifest");
    let config =
        oci_spec::image::ImageConfiguration::from_file(blob(manifest.config().digest().as_ref())).expect("a config");
    let run = config.config().clone().expect("run settings");
    let env = run.env().clone().unwrap_or_default();
    assert!(env.contains(&"A=1".to_owned()) && env.contains(&"B=3".to_owned()), "{env:?}");
    assert_eq!(run.user().as_deref(), Some("9:0"));
    assert_eq!(run.working_dir().as_deref(), Some("/srv"));
    assert_eq!(run.exposed_ports().clone(), Some(vec!["80/tcp".to_owned()]));
    assert_eq!(run.labels().clone().and_then(|labels| labels.get("l").cloned()).as_deref(), Some("m"));
    let listing =
        world.slimroot(&["why", "--include", "/srv/*.txt", "--exclude", "/srv/b.txt", "/srv/b.txt", "--", "true"]);
    assert_eq!(listing.status.code(), Some(1));
}

#[test]
fn links_hard_links_and_odd_files_are_packed_by_rule() {
    let world = World::new();
    world.file("/app/data", "x").file("/other/deep/file", "y").file("/bin/tool", "z");
    fs::hard_link(world.place("/app/data"), world.place("/app/twin")).expect("linked");
    symlink("/other/deep", world.place("/app/to-dir")).expect("linked");
    symlink("gone", world.place("/app/dangling")).expect("linked");
    symlink("..", world.place("/app/up")).expect("linked");
    rustix::fs::mkfifoat(rustix::fs::CWD, world.place("/app/pipe"), rustix::fs::Mode::from_raw_mode(0o644))
        .expect("a pipe");
    fs::set_permissions(world.place("/bin/tool"), fs::Permissions::from_mode(0o4755)).expect("a mode");
    let told = world.builds(&["-o", "out", "--include", "/app/**", "--include", "/bin/tool", "--", "true"]);
    let codes: Vec<_> = told["findings"].as_array().into_iter().flatten().map(|each| each["code"].clone()).collect();
    assert_eq!(codes, ["dangling-link", "not-packed", "set-id"]);
    let out = world.out();
    let inode = |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::symlink_metadata(out.join(name)).expect("there"));
    assert_eq!(inode("app/data"), inode("app/twin"));
    assert_eq!(fs::read_link(out.join("app/to-dir")).expect("a link"), Path::new("/other/deep"));
    assert_eq!(fs::read(out.join("other/deep/file")).expect("packed"), b"y");
    assert_eq!(fs::read_link(out.join("app/dangling")).expect("a link"), Path::new("gone"));
    assert!(!out.join("app/pipe").exists());
    assert!(!out.join("bin/true.bak").exists());
}

#[test]
fn a_name_that_means_deleted_is_refused() {
    let world = World::new();
    world.file("/app/.wh.x", "x");
    assert_eq!(
        world.fails(&["build", "-o", "out", "--include", "/app/**", "--", "true"]),
        (Some(3), "whiteout-name".to_owned())
    );
}

#[test]
fn an_image_on_stdout_is_alone_there() {
    let world = World::new();
    let output = world.slimroot(&["build", "-o", "tar:-", "--", "true"]);
    assert!(output.status.success());
    let mut archive = tar::Archive::new(output.stdout.as_slice());
    let names: Vec<_> =
        archive.entries().expect("entries").map(|entry| entry.expect("an entry").path_bytes().into_owned()).collect();
    assert!(names.contains(&b"bin/true".to_vec()));
    assert!(String::from_utf8_lossy(&output.stderr).contains("packed"));
}

#[test]
fn source_date_epoch_is_every_time_of_an_image() {
    let world = World::new();
    let build = |epoch: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
        command.args(["build", "-o", "tar:-", "--root"]).arg(world.place("/")).args(["--", "true"]);
        command.env_remove("SOURCE_DATE_EPOCH").envs(epoch.map(|epoch| ("SOURCE_DATE_EPOCH", epoch)));
        command.output().expect("slimroot runs")
    };
    // Without the variable the time is not 0: the program in `fixtures/profiles/perl.time.toml` reads 0 as "missing".
    for (epoch, wanted) in [(Some("1700000000"), 1_700_000_000), (None, 315_619_200)] {
        let output = build(epoch);
        let mut archive = tar::Archive::new(output.stdout.as_slice());
        let times: Vec<u64> = archive
            .entries()
            .expect("entries")
            .map(|entry| entry.expect("an entry").header().mtime().expect("a time"))
            .collect();
        assert!(times.len() > 3 && times.iter().all(|time| *time == wanted), "{times:?}");
    }
    // RFC 3339 has no year 10000, so skopeo would not read the configuration.
    for bad in ["yesterday", "", "-1", "253402300800"] {
        assert_eq!(build(Some(bad)).status.code(), Some(2), "{bad}");
    }
}

/// A zip archive has no time before 1980, by the clock of the place where it is made: west of Greenwich that is later.
#[test]
fn packed_files_fit_into_zip_archives_everywhere() {
    let world = World::new();
    world.builds(&["-o", "out", "--", "true"]);
    let script = "import sys, zipfile\nzipfile.ZipFile(sys.argv[1], 'w').write(sys.argv[2])\n";
    for zone in ["Etc/GMT+12", "UTC", "Etc/GMT-14"] {
        let zip = Command::new("python3")
            .args(["-c", script, "made.zip", "out/bin/true"])
            .current_dir(world.dir.path())
            .env("TZ", zone)
            .output()
            .expect("python3 runs");
        assert!(zip.status.success(), "{zone}: {}", String::from_utf8_lossy(&zip.stderr));
    }
}

/// A directory has no configuration. The instructions in the report match the configuration of the image written in the
/// same run.
#[test]
fn statements_of_a_dockerfile_say_what_the_configuration_says() {
    let world = World::new();
    let layout = world.dir.path().join("layout");
    let oci = format!("oci:{}", layout.display());
    let settings = ["-e", "A=b \\ \"c\" $d", "-e", "PATH=/bin", "-w", "/srv", "-u", "7:8", "--expose", "53/udp"];
    let told = world.builds(&[&settings[..], &["-o", "out", "-o", &oci, "--", "true", "two words", "\"q\""]].concat());
    let lines: Vec<&str> = told["dockerfile"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    let config = told["outputs"][1]["config"].as_str().expect("a digest").trim_start_matches("sha256:").to_owned();
    let text = fs::read(layout.join("blobs/sha256").join(config)).expect("the configuration");
    let config: Value = serde_json::from_slice(&text).expect("JSON");
    let (env, entrypoint) = (&config["config"]["Env"], &config["config"]["Entrypoint"]);
    assert_eq!((env[0].as_str(), env[1].as_str()), (Some("A=b \\ \"c\" $d"), Some("PATH=/bin")));
    assert_eq!(
        lines[..5],
        [r#"ENV A="b \\ \"c\" \$d""#, "ENV PATH=\"/bin\"", "WORKDIR /srv", "EXPOSE 53/udp", "USER 7:8"]
    );
    let words = lines[5].strip_prefix("ENTRYPOINT ").expect("the last line");
    assert_eq!(&serde_json::from_str::<Value>(words).expect("JSON"), entrypoint);
}

#[test]
fn a_dry_run_decides_and_writes_nothing() {
    let world = World::new();
    let told = world.builds(&["--dry-run", "-o", "out", "--", "true"]);
    assert_eq!((told["dry_run"].clone(), world.out().exists()), (Value::Bool(true), false));
    assert!(told["files"].as_u64().unwrap_or_default() >= 3);
}

#[test]
fn every_code_has_its_page_and_the_nearest_is_named() {
    let world = World::new();
    let run = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).output().expect("runs");
    let listed = String::from_utf8(run(&["explain"]).stdout).expect("text");
    let codes: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert!(codes.len() > 30, "{listed}");
    for code in codes {
        let page = run(&["explain", code]);
        assert!(page.status.success() && page.stdout.len() > 80, "{code}");
    }
    let unknown = run(&["explain", "missing-libary"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean missing-library?"));
    for args in
        [&["man"][..], &["completions", "bash"], &["profiles", "list"], &["profiles", "show", "base"], &["--help"]]
    {
        assert!(run(args).status.success(), "{args:?}");
    }
    assert_eq!(run(&["build", "--no-such-option"]).status.code(), Some(2));
    drop(world);
}

#[test]
fn levels_come_from_the_settings_with_a_reason_and_the_command_line_has_the_last_word() {
    let world = World::new();
    world.file("/srv/.env", "KEY=1").file("/srv/a.txt", "a");
    let ranked = |level: &str| {
        format!(
            "entry = [\"true\"]\ninclude = [\"/srv/**\"]\n[[findings]]\ncode = \"secret\"\nsubject = \"/srv/.env\"\n\
             level = \"{level}\"\nwhy = \"it is an example\"\n"
        )
    };
    let settings = world.dir.path().join("slimroot.toml");
    let told = |more: &[&str]| {
        let args = [&["build", "--dry-run", "--format", "json", "--config", "slimroot.toml"], more].concat();
        let output = world.slimroot(&args);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let findings = told["findings"].as_array().cloned().unwrap_or_default();
        let found = findings.into_iter().find(|finding| finding["code"] == "secret");
        (output.status.code(), found)
    };
    fs::write(&settings, "entry = [\"true\"]\ninclude = [\"/srv/**\"]\n").expect("written");
    let (exit, found) = told(&[]);
    assert_eq!((exit, found.as_ref().map(|finding| finding["subject"].clone())), (Some(1), Some("/srv/.env".into())));
    // The exact path shows that the user means it.
    assert_eq!(told(&["--include", "/srv/.env"]), (Some(0), None));
    assert_eq!(told(&["--exclude", "/srv/.env"]), (Some(0), None));
    fs::write(&settings, ranked("warn")).expect("written");
    let (exit, found) = told(&[]);
    let found = found.expect("a finding");
    assert_eq!((exit, &found["level"], &found["ranked"]), (Some(0), &"warning".into(), &"it is an example".into()));
    fs::write(&settings, ranked("allow")).expect("written");
    assert_eq!(told(&[]), (Some(0), None));
    assert_eq!(told(&["--deny", "secret"]), (Some(0), None), "what is allowed is gone before it could be denied");
    fs::write(&settings, ranked("allow").replace("why", "because")).expect("written");
    assert_eq!(world.fails(&["build", "--config", "slimroot.toml", "-o", "out"]), (Some(2), "bad-config".to_owned()));
}

/// The required members of SARIF 2.1.0 (sections 3.13, 3.14, 3.19, 3.27).
#[test]
fn sarif_has_a_rule_for_each_result_and_a_place_in_the_image() {
    let world = World::new();
    fs::remove_file(world.place("/lib64/ld-linux-x86-64.so.2")).expect("removed");
    let output = world.slimroot(&["check", "--format", "sarif", "--as-is", "/bin/true"]);
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results");
    let missing = results.iter().find(|result| result["ruleId"] == "interpreter-missing").expect("a result");
    assert_eq!(missing["level"], "error");
    assert_eq!(missing["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "bin/true");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(!result["message"]["text"].as_str().unwrap_or_default().is_empty());
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap_or_default()));
    }
}

#[test]
fn an_image_is_a_root_and_says_how_it_is_run() {
    let world = World::new();
    world.file("/etc/passwd", "app:x:77:88::/:/bin/false\n");
    let first =
        ["build", "-o", "oci:first:v1", "-e", "MODE=x", "-u", "77", "--expose", "8080", "--", "/bin/true", "--help"];
    assert!(world.slimroot(&first).status.success());
    let output = Command::new(env!("CARGO_BIN_EXE_slimroot"))
        .args(["build", "--root", "oci:first:v1", "--format", "json", "-o", "dir:second"])
        .current_dir(world.dir.path())
        .output()
        .expect("slimroot runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["entry"], &told["user"]), (&serde_json::json!(["/bin/true", "--help"]), &"77:88".into()));
    assert!(world.dir.path().join("second/bin/true").exists());
    // A tampered image is refused as root.
    let blobs = world.dir.path().join("first/blobs/sha256");
    let layer = fs::read_dir(&blobs)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path())
        .max_by_key(|path| fs::metadata(path).expect("a file").len());
    let layer = layer.expect("a layer");
    let mut bytes = fs::read(&layer).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&layer, bytes).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_slimroot"))
        .args(["check", "oci:first:v1"])
        .current_dir(world.dir.path())
        .output()
        .expect("slimroot runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("error[bad-image]"), "{said}");
}

/// A layer with an entry outside its tree, and other malicious images.
#[test]
fn hostile_images_are_refused() {
    let world = World::new();
    let at = |name: &str| world.dir.path().join(name);
    let archive = |name: &str, entry: &str, target: Option<&str>| {
        let mut layer = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..entry.len()].copy_from_slice(entry.as_bytes());
        header.set_mode(0o644);
        header.set_size(0);
        header.set_entry_type(if target.is_some() { tar::EntryType::Link } else { tar::EntryType::Regular });
        if let Some(target) = target {
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        }
        header.set_cksum();
        layer.append(&header, &[][..]).expect("appended");
        let layer = layer.into_inner().expect("a layer");
        let mut image = tar::Builder::new(fs::File::create(at(name)).expect("made"));
        let manifest = r#"[{"Config":"config.json","RepoTags":["x:1"],"Layers":["layer.tar"]}]"#;
        for (name, bytes) in [
            ("manifest.json", manifest.as_bytes()),
            ("config.json", br#"{"architecture":"amd64","config":{"Cmd":["/bin/x"]}}"#),
            ("layer.tar", &layer),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            image.append_data(&mut header, name, bytes).expect("appended");
        }
        image.finish().expect("finished");
    };
    archive("up.tar", "../../etc/evil", None);
    archive("link.tar", "x", Some("../../etc/passwd"));
    fs::write(at("text.tar"), "no tar at all, but long enough to be looked at".repeat(30)).expect("written");
    for name in ["up.tar", "link.tar", "text.tar"] {
        let output = Command::new(env!("CARGO_BIN_EXE_slimroot"))
            .args(["check", &format!("docker-archive:{}", at(name).display())])
            .output()
            .expect("slimroot runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("error[bad-image]"), "{name}: {said}");
        assert_eq!(output.status.code(), Some(3), "{name}");
    }
}

#[test]
fn copies_packages_and_records_are_in_the_image() {
    let world = World::new();
    world
        .file("/web/dist/index.html", "hello")
        .file("/usr/lib/tool/data", "d")
        .file("/usr/share/doc/tool/copyright", "free")
        .file("/usr/share/doc/tool/changelog", "long")
        .file("/var/lib/dpkg/status", "Package: tool\nVersion: 1\nArchitecture: all\n\nPackage: other\nVersion: 2\n")
        .file("/var/lib/dpkg/info/tool.list", "/.\n/usr/lib/tool/data\n/usr/share/doc/tool/copyright\n/usr/share/doc/tool/changelog\n")
        .file("/var/lib/dpkg/info/tool.md5sums", "0123456789abcdef0123456789abcdef  usr/lib/tool/data\n0123456789abcdef0123456789abcdef  usr/share/doc/tool/changelog\n")
        .file("/var/lib/dpkg/info/other.list", "/.\n/usr/bin/other\n");
    world.builds(&["--copy", "/web/dist:/srv/www", "--package", "tool", "-o", "dir:out", "--", "true"]);
    let read = |path: &str| fs::read_to_string(world.out().join(path)).ok();
    assert_eq!(read("srv/www/index.html").as_deref(), Some("hello"));
    assert_eq!(
        (read("usr/lib/tool/data").as_deref(), read("usr/share/doc/tool/copyright").as_deref()),
        (Some("d"), Some("free"))
    );
    assert_eq!(read("usr/share/doc/tool/changelog"), None);
    let record = read("var/lib/dpkg/status.d/tool").unwrap_or_default();
    assert_eq!(record, "Package: tool\nVersion: 1\nArchitecture: all\n");
    let sums = read("var/lib/dpkg/status.d/tool.md5sums").unwrap_or_default();
    assert_eq!(sums, "0123456789abcdef0123456789abcdef  usr/lib/tool/data\n");
    assert_eq!(read("var/lib/dpkg/status.d/other"), None, "nothing of it is packed");
    assert_eq!(world.fails(&["build", "--package", "none", "-o", "none", "--", "true"]).1, "nothing-matched");
    assert_eq!(world.fails(&["build", "--copy", "/gone:/x", "-o", "none", "--", "true"]).1, "nothing-matched");
    assert_eq!(world.fails(&["build", "--copy", "relative:/x", "-o", "none", "--", "true"]).1, "bad-argument");
}

#[test]
fn profiles_hold_their_own_examples() {
    let told = Command::new(env!("CARGO_BIN_EXE_slimroot")).args(["profiles", "test"]).output().expect("slimroot runs");
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success() && said.contains("examples pass"), "{said}");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("own.toml");
    let own = "format = 1\nname = \"own\"\nsummary = \"x\"\n[[take]]\nwhy = \"x\"\npaths = [\"/a/*\"]\nexclude = [\"/a/no\"]\n\
               [[example]]\nroot = [\"/a/yes\", \"/a/no\"]\npacks = [\"/a/yes\"]\nleaves = [\"/a/no\"]\n";
    let test = |text: &str| {
        fs::write(&file, text).expect("written");
        let args = ["profiles", "test", &file.display().to_string()];
        Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).output().expect("slimroot runs").status.code()
    };
    assert_eq!((test(own), test(&own.replace("leaves = [\"/a/no\"]", "leaves = [\"/a/yes\"]"))), (Some(0), Some(1)));
}
