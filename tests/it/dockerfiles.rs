//! `slimroot dockerfile`: what it prints builds under buildah from a local base, and the image starts the same with the same
//! settings as the one of the original file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::need;

fn fixtures() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dockerfiles");
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}

fn printed(file: &Path, options: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_slimroot")).arg("dockerfile").arg(file).args(options).output();
    let output = output.expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_original_stays_and_every_setting_is_in_the_last_stage() {
    for file in fixtures() {
        let original = fs::read_to_string(&file).expect("read");
        let slim = printed(&file, &[]);
        let mut rest = slim.as_str();
        // All lines of the original are there, in order; the last FROM has got a name.
        for line in original.lines() {
            let at = rest.find(line).unwrap_or_else(|| panic!("{line} is lost in {slim}"));
            rest = &rest[at + line.len()..];
        }
        let last = slim.rsplit("FROM scratch\n").next().expect("a last stage");
        for name in
            ["ENV", "LABEL", "EXPOSE", "VOLUME", "WORKDIR", "USER", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"]
        {
            let has = |text: &str| text.lines().any(|line| line.starts_with(&format!("{name} ")));
            assert_eq!(has(&original), has(last), "{name} of {}: {last}", file.display());
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("Dockerfile");
    fs::write(&file, "ARG V=1\nFROM shop:$V\nONBUILD RUN x\nCMD [\"/x\"]\n").expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_slimroot")).arg("dockerfile").arg(&file).output().expect("runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("--base docker://shop:1") && told.contains("ONBUILD"), "{told}");
    for (text, why) in [("FROM a\n", "neither ENTRYPOINT nor CMD"), ("", "no FROM"), ("RUN x\n", "line 1")] {
        fs::write(dir.path().join("Dockerfile"), text).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_slimroot")).arg("dockerfile").current_dir(dir.path()).output();
        let output = output.expect("runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(why));
    }
}

/// A store of buildah in a folder.
struct Store(PathBuf);

impl Store {
    fn buildah(&self, args: &[&str], dir: &Path) -> Output {
        let at = |name: &str| self.0.join(name).display().to_string();
        let mut command = Command::new("buildah");
        command.args(["--root", &at("root"), "--runroot", &at("run"), "--storage-driver", "vfs"]);
        command.args(args).current_dir(dir).output().expect("buildah runs")
    }

    fn built(&self, file: &str, tag: &str, dir: &Path) {
        let args = ["bud", "--isolation", "chroot", "--format", "docker", "--pull-never", "-t", tag, "-f", file, "."];
        let output = self.buildah(&args, dir);
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }

    /// The settings of an image, without what names this build.
    fn settings(&self, tag: &str, dir: &Path) -> serde_json::Value {
        let output = self.buildah(&["inspect", "--type", "image", tag], dir);
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut config = all["Docker"]["config"].clone();
        for name in ["Image", "Hostname", "OnBuild", "Domainname"] {
            config.as_object_mut().expect("a configuration").remove(name);
        }
        if let Some(labels) = config["Labels"].as_object_mut() {
            labels.retain(|name, _| !name.starts_with("io.buildah"));
        }
        config
    }

    /// What the command of an image prints.
    fn said(&self, tag: &str, dir: &Path) -> String {
        let config = self.settings(tag, dir);
        let words = |name: &str| -> Vec<String> {
            config[name].as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
        };
        let line = [words("Entrypoint"), words("Cmd")].concat();
        let made = self.buildah(&["from", "--pull-never", tag], dir);
        let container = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let mut args = vec!["run", "--isolation", "chroot", &container, "--"];
        args.extend(line.iter().map(String::as_str));
        let output = self.buildah(&args, dir);
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

#[test]
fn what_is_printed_builds_and_answers_as_the_original() {
    if !need::all(&["buildah"]) {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").expect("a directory");
    let store = Store(dir.path().join("store"));
    let context = dir.path().join("context");
    // A base of this machine's shell and a few programs.
    for program in ["/bin/sh", "/bin/true", "/bin/chmod", "/bin/mkdir", "/usr/bin/printf"] {
        let ldd = Command::new("ldd").arg(program).output().expect("ldd runs");
        let libraries = String::from_utf8_lossy(&ldd.stdout).into_owned();
        let files = libraries.split_whitespace().filter(|word| word.starts_with('/')).chain([program]);
        for file in files {
            let place = context.join("base").join(file.trim_start_matches('/'));
            fs::create_dir_all(place.parent().expect("a parent")).expect("made");
            fs::copy(file, place).expect("copied");
        }
    }
    for made in ["base/tmp", "base/etc", "base/usr/local/bin", "base/proc", "base/dev"] {
        fs::create_dir_all(context.join(made)).expect("made");
    }
    fs::write(context.join("base/etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").expect("written");
    fs::copy(env!("CARGO_BIN_EXE_slimroot"), context.join("slimroot")).expect("copied");
    // The binary of the tests is not static: its libraries are in the base.
    for file in ["libgcc_s.so.1", "libm.so.6", "libstdc++.so.6"] {
        let from = Path::new("/lib/x86_64-linux-gnu").join(file);
        let from = if from.exists() { from } else { Path::new("/usr/lib/x86_64-linux-gnu").join(file) };
        if from.exists() {
            fs::copy(&from, context.join("base/lib/x86_64-linux-gnu").join(file)).expect("copied");
        }
    }
    fs::write(context.join("base.Dockerfile"), "FROM scratch\nCOPY base /\n").expect("written");
    store.built("base.Dockerfile", "local/base", &context);
    the_base_image_counts(&store, &context);
    for file in fixtures() {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        // The packer stage is from scratch and needs a static slimroot.
        if name == "from-scratch" {
            continue;
        }
        fs::copy(&file, context.join("fat.Dockerfile")).expect("copied");
        fs::write(context.join("slim.Dockerfile"), printed(&file, &[])).expect("written");
        let (fat, slim) = (format!("{name}:fat"), format!("{name}:slim"));
        store.built("fat.Dockerfile", &fat, &context);
        store.built("slim.Dockerfile", &slim, &context);
        same(&store, &fat, &slim, &context);
    }
}

/// Two images say the same and have the same settings.
fn same(store: &Store, fat: &str, slim: &str, context: &Path) {
    let said = store.said(fat, context);
    assert!(!said.trim().is_empty());
    assert_eq!(said, store.said(slim, context), "{fat}");
    let (mut old, mut new) = (store.settings(fat, context), store.settings(slim, context));
    // The default PATH is in every image; scratch gets it from the file alone.
    for one in [&mut old, &mut new] {
        let path =
            |word: &serde_json::Value| word.as_str().is_some_and(|word| word.starts_with("PATH=/usr/local/sbin"));
        if let Some(env) = one["Env"].as_array_mut() {
            env.retain(|word| !path(word));
            env.sort_by_key(ToString::to_string);
        }
    }
    assert_eq!(old, new, "{fat}");
}

/// A program that only the PATH of the base image has, with other settings that only the base image has.
fn the_base_image_counts(store: &Store, context: &Path) {
    let tool = "#!/bin/sh\nprintf '%s ' \"$TOOL_HOME\" \"$PWD\" \"$@\"\n";
    fs::write(context.join("tool"), tool).expect("written");
    let base = "FROM local/base\nCOPY tool /opt/tool/bin/tool\nRUN chmod 755 /opt/tool/bin/tool\n\
                ENV TOOL_HOME='/opt/$tool' PATH=/opt/tool/bin:$PATH\nWORKDIR /tmp\nUSER 1000:1000\nEXPOSE 80\nVOLUME /data\n\
                LABEL made=\"by us\"\nSTOPSIGNAL SIGINT\nHEALTHCHECK CMD [\"/bin/true\"]\nENTRYPOINT [\"tool\"]\nCMD [\"of-base\"]\n";
    fs::write(context.join("set.Dockerfile"), base).expect("written");
    store.built("set.Dockerfile", "local/set", context);
    assert!(store.buildah(&["push", "local/set", "docker-archive:set.tar"], context).status.success());
    for (name, text) in
        [("kept", "FROM local/set\n"), ("own", "FROM local/set\nENV PATH=/x:$PATH\nCMD [\"of-file\"]\n")]
    {
        let file = context.join("fat.Dockerfile");
        fs::write(&file, text).expect("written");
        let archive = format!("docker-archive:{}", context.join("set.tar").display());
        fs::write(context.join("slim.Dockerfile"), printed(&file, &["--base", &archive])).expect("written");
        let (fat, slim) = (format!("base-{name}:fat"), format!("base-{name}:slim"));
        store.built("fat.Dockerfile", &fat, context);
        store.built("slim.Dockerfile", &slim, context);
        same(store, &fat, &slim, context);
    }
}
