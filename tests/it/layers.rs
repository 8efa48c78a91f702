//! Images of several layers. skopeo says which layers images have in common, umoci and podman what is in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::engines::Podman;
use crate::support::need;
use crate::support::roots::{cache, debian, run};
use crate::support::runs::{slimroot, text, told};

/// Two applications of a Debian's Perl, in places that no package owns.
struct Samples {
    dir: tempfile::TempDir,
}

impl Samples {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("layers").tempdir_in(cache()).expect("a directory");
        let samples = Self { dir };
        // A copy: a hard link would change the files of the root that other tests pack meanwhile.
        run("cp", &["-a", "--reflink=auto", &debian().display().to_string(), &samples.at("root")]);
        samples.write("a/main.pl", "print 'a ', 1 + 1, qq(\n);\n");
        samples.write("a/vendor/lib/X.pm", "package X; 1;\n");
        samples.write("b/main.pl", "print qq(b\n);\n");
        samples
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let place = self.dir.path().join("root/srv").join(name);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::write(place, text).expect("written");
    }

    /// Packs an application to a destination; returns the report.
    fn pack_to(&self, name: &str, out: &str, options: &[&str]) -> Value {
        let (root, script) = (self.at("root"), format!("/srv/{name}/main.pl"));
        let fixed = ["build", "--root", &root, "--no-auto", "--companions", "entry", "--format", "json", "-o", out];
        let report = told(&[&fixed[..], options, &["--", "perl", &script]].concat());
        serde_json::from_str(&report).expect("JSON")
    }

    /// Packs an application under a tag of the layout; returns the report.
    fn pack(&self, name: &str, tag: &str, options: &[&str]) -> Value {
        self.pack_to(name, &format!("oci:{}:{tag}", self.at("out")), options)
    }

    /// Digests of the layers of a tag, the lowest first, as skopeo reads them.
    fn layers(&self, tag: &str) -> Vec<String> {
        let inspected = run("skopeo", &["inspect", &format!("oci:{}:{tag}", self.at("out"))]);
        let inspected: Value = serde_json::from_str(&inspected).expect("JSON");
        let all = inspected["Layers"].as_array().expect("layers").iter();
        all.map(|layer| layer.as_str().expect("a digest").to_owned()).collect()
    }

    /// Digests of the layers of a tag, each with its size.
    fn sizes(&self, tag: &str) -> Vec<(String, u64)> {
        let manifest = run("skopeo", &["inspect", "--raw", &format!("oci:{}:{tag}", self.at("out"))]);
        let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
        let sized = |layer: &Value| {
            (layer["digest"].as_str().expect("a digest").to_owned(), layer["size"].as_u64().expect("a size"))
        };
        manifest["layers"].as_array().expect("layers").iter().map(sized).collect()
    }

    /// What each layer is, as the history of the image says.
    fn history(&self, tag: &str) -> Vec<String> {
        let config = run("skopeo", &["inspect", "--config", &format!("oci:{}:{tag}", self.at("out"))]);
        let config: Value = serde_json::from_str(&config).expect("JSON");
        let all = config["history"].as_array().expect("history").iter();
        all.map(|event| event["created_by"].as_str().expect("text").to_owned()).collect()
    }
}

/// Everything about the files below a directory: paths, modes, owners, links, contents.
fn listing(dir: &Path) -> String {
    let script = "cd \"$0\" && find . -printf '%P %y %m %U:%G %l %s %T@\\n' | grep -v '^ ' | sort \
                  && find . -type f -print0 | sort -z | xargs -0 sha256sum";
    let output = Command::new("sh").args(["-c", script]).arg(dir).output().expect("sh runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Times of directories are those of unpacking in the last layer that has them: the same in all layers.
    text(&output.stdout)
}

#[test]
fn applications_share_layers_and_a_change_sends_one_again() {
    if !need::all(&["skopeo", "umoci", "podman", "mmdebstrap"]) {
        return;
    }
    let samples = Samples::new();
    let report = samples.pack("a", "a", &["--layers", "split"]);
    samples.pack("b", "b", &["--layers", "split"]);
    let (a, b) = (samples.layers("a"), samples.layers("b"));
    let titles = samples.history("a");
    let kinds = ["loader and C library", "distribution", "interpreter", "language packages", "records and settings"];
    let kinds: Vec<String> =
        kinds.into_iter().chain(["application"]).map(|kind| format!("slimroot build: {kind}")).collect();
    assert_eq!(titles, kinds);
    assert_eq!(a.len(), kinds.len());
    let listed: Vec<&Value> = report["outputs"][0]["layers"].as_array().expect("layers").iter().collect();
    assert_eq!(listed.iter().map(|layer| layer["digest"].as_str().expect("text")).collect::<Vec<_>>(), a);

    // Another application of the same root has other packages and another application, and the same of all else.
    let differ: Vec<&String> =
        a.iter().zip(&titles).filter(|(layer, _)| !b.contains(layer)).map(|(_, title)| title).collect();
    let expected = [&kinds[3], &kinds[5]];
    // b has the modules of the distribution only, a those of its vendor directory too.
    assert_eq!(differ, expected);
    assert_eq!(b.len(), 6);

    // A change, and files that are added, change the last layer alone.
    samples.write("a/main.pl", "print qq(changed\n);\n");
    samples.write("a/more.txt", "more");
    let report = samples.pack("a", "changed", &["--layers", "split"]);
    let changed = samples.layers("changed");
    assert_eq!(changed[..5], a[..5]);
    assert_ne!(changed[5], a[5]);
    let sizes = |layer: &Value| layer["size"].as_u64().expect("a size");
    let all: Vec<u64> = report["outputs"][0]["layers"].as_array().expect("layers").iter().map(sizes).collect();
    assert!(all[5] < 2_000 && all.iter().sum::<u64>() > 2_000_000, "{all:?}");

    // What slimroot says of a push is what skopeo counts.
    let since = format!("oci:{}:a", samples.at("out"));
    let report = samples.pack("a", "changed", &["--layers", "split", "--since", &since]);
    let resent = &report["since"][0];
    let count = |is_there: bool| -> (u64, u64) {
        let sizes = samples.sizes("changed");
        let counted = sizes.iter().filter(|(layer, _)| a.contains(layer) == is_there).map(|(_, size)| *size);
        counted.fold((0, 0), |(number, sum), size| (number + 1, sum + size))
    };
    let number = |key: &str| resent[key].as_u64().expect("a number");
    assert_eq!((number("sent_layers"), number("sent_bytes")), count(false));
    assert_eq!((number("kept_layers"), number("kept_bytes")), count(true));
    assert_eq!(number("sent_layers"), 1);
    let nothing = format!("oci:{}:never", samples.at("out"));
    let report = samples.pack("a", "changed", &["--layers", "split", "--since", &nothing]);
    assert_eq!((&report["since"][0]["is_there"], &report["since"][0]["kept_layers"]), (&false.into(), &0.into()));

    // No number of threads changes a layer.
    samples.pack("a", "threads", &["--layers", "split", "--threads", "1"]);
    assert_eq!(samples.layers("threads"), changed);

    // What is unpacked is what a single layer has.
    samples.pack("a", "one", &[]);
    assert_eq!(samples.layers("one").len(), 1);
    for tag in ["one", "changed"] {
        run("umoci", &["unpack", "--image", &format!("{}:{tag}", samples.at("out")), &samples.at(tag)]);
    }
    let unpacked = |tag: &str| listing(&samples.dir.path().join(tag).join("rootfs"));
    assert!(unpacked("changed") == unpacked("one"), "the files differ");

    let archive = samples.at("changed.tar");
    samples.pack_to("a", &format!("docker-archive:{archive}:localhost/changed:1"), &["--layers", "split:3"]);
    let podman = Podman::new();
    podman.run(&["load", "-q", "-i", &archive]);
    let history = podman.run(&["history", "--format", "{{.CreatedBy}}", "localhost/changed:1"]);
    let history: BTreeSet<&str> = history.lines().collect();
    assert!(history.contains("slimroot build: application") && history.len() == 3, "{history:?}");
    let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--runtime", "runc"];
    let ran = podman.run(&[&["run", "--rm", "--network=none"], &limits[..], &["localhost/changed:1"]].concat());
    assert_eq!(ran, "changed\n");
}

/// Files, archives of one layer and directories beside an image of several layers.
#[test]
fn other_outputs_get_what_they_would_get_alone() {
    let world = crate::support::runs::world();
    let at = |name: &str| world.path().join(name).display().to_string();
    let build = |outputs: &[String], layers: &str| {
        let outputs: Vec<&str> = outputs.iter().flat_map(|output| ["-o", output.as_str()]).collect();
        let fixed = ["build", "--no-inherit", "--root"];
        told(&[&fixed[..], &[&at("root"), "--layers", layers], &outputs, &["--", "/bin/true"]].concat());
    };
    build(&[format!("tar:{}", at("one.tar")), format!("dir:{}", at("one")), format!("oci:{}", at("oci1"))], "one");
    build(&[format!("tar:{}", at("cut.tar")), format!("dir:{}", at("cut")), format!("oci:{}", at("oci2"))], "split:2");
    let read = |name: &str| fs::read(at(name)).expect("read");
    assert!(read("one.tar") == read("cut.tar"));
    assert_eq!(listing(Path::new(&at("one"))), listing(Path::new(&at("cut"))));
}

#[test]
fn other_words_are_refused() {
    for layers in ["two", "split:1", "split:7", "split:x"] {
        let output = slimroot(&["build", "--dry-run", "--layers", layers, "--", "true"]);
        assert_eq!(output.status.code(), Some(2), "{layers}");
        assert!(text(&output.stderr).contains("error[bad-argument]: --layers"), "{}", text(&output.stderr));
    }
}
