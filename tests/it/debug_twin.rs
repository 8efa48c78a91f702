//! The second image with a shell. skopeo says which layers it shares; podman runs the shell.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::engines::Podman;
use crate::support::need;
use crate::support::roots::run;
use crate::support::runs::{slimroot, state, text, told, world};

/// Exit codes: wrong arguments, failed.
const USAGE: i32 = 2;
const FAILED: i32 = 3;

fn layers(image: &str) -> Vec<String> {
    let inspected: Value = serde_json::from_str(&run("skopeo", &["inspect", image])).expect("JSON");
    let all = inspected["Layers"].as_array().expect("layers").iter();
    all.map(|layer| layer.as_str().expect("a digest").to_owned()).collect()
}

/// Copies this machine's static busybox into the root of a world.
fn install(world: &Path) {
    let busybox = run("sh", &["-c", "command -v busybox"]);
    fs::copy(busybox.trim(), world.join("root/bin/busybox")).expect("copied");
}

#[test]
fn a_second_image_shares_all_layers_and_has_a_shell() {
    if !need::all(&["skopeo", "podman", "busybox"]) {
        return;
    }
    let world = world();
    install(world.path());
    let at = |name: &str| world.path().join(name).display().to_string();
    let (layout, archive) =
        (format!("oci:{}:v1", at("out")), format!("docker-archive:{}:localhost/app:1", at("a.tar")));
    let root = at("root");
    for layers in ["one", "split"] {
        let options = ["--debug-tag", "debug", "--layers", layers, "--force", "-o", &layout, "-o", &archive];
        told(&[&["build", "--root", &root][..], &options, &["--", "/bin/true"]].concat());
        let (plain, twin) = (self::layers(&layout), self::layers(&format!("{layout}-debug")));
        assert_eq!(twin[..plain.len()], plain);
        assert_eq!(twin.len(), plain.len() + 1);
        let podman = Podman::new();
        podman.run(&["load", "-q", "-i", &at("a.tar")]);
        let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--runtime", "runc"];
        let start = ["run", "--rm", "--network=none", "--entrypoint", "sh"];
        let script = ["localhost/app:1-debug", "-c", "echo $0 | tr a-z A-Z; id -u; /bin/true && ls /busybox | wc -l"];
        let said = podman.run(&[&start[..], &limits, &script].concat());
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[..2], ["SH", "65532"], "{said}");
        assert!(lines[2].parse::<usize>().expect("a number") > 100, "{said}");
        // The image without a suffix has none.
        let plain =
            podman.run(&["image", "inspect", "--format", "{{len .RootFS.Layers}} {{.Config.Env}}", "localhost/app:1"]);
        assert!(!plain.contains("busybox"), "{plain}");
    }
    // In a layout that is there, both tags are replaced and others stay.
    let other = format!("oci:{}:other", at("out"));
    told(&["build", "--root", &root, "-o", &other, "--", "/bin/true"]);
    told(&["build", "--root", &root, "-o", &layout, "--debug-tag", ".shell", "--", "/bin/true"]);
    let index: Value =
        serde_json::from_slice(&fs::read(world.path().join("out/index.json")).expect("read")).expect("JSON");
    let name = |entry: &Value| entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned);
    let mut names: Vec<String> = index["manifests"].as_array().expect("entries").iter().filter_map(name).collect();
    names.sort();
    assert_eq!(names, ["other", "v1", "v1-debug", "v1.shell"]);
}

#[test]
fn what_is_no_static_shell_is_refused_and_leaves_nothing() {
    let world = world();
    let at = |name: &str| world.path().join(name).display().to_string();
    let (root, out) = (at("root"), format!("oci:{}:v1", at("out")));
    fs::write(world.path().join("text"), "no program").expect("written");
    let before = state(world.path());
    let refused = |options: &[&str], code: &str, exit: i32| {
        let fixed = ["build", "--root", &root, "-o"];
        let output = slimroot(&[&fixed[..], options, &["--", "/bin/true"]].concat());
        let says = text(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{options:?}: {says}");
        assert!(says.contains(&format!("error[{code}]")), "{options:?}: {says}");
        assert_eq!(state(world.path()), before, "{options:?}");
        says
    };
    let code = "debug-shell-missing";
    assert!(refused(&[&out, "--debug-tag", "debug"], code, FAILED).contains("busybox-static"));
    for (file, why) in
        [("text", "is not an ELF program"), ("root/bin/true", "is not static"), ("nothing", "cannot be read")]
    {
        let says = refused(&[&out, "--debug-tag", "debug", "--debug-shell", &at(file)], code, FAILED);
        assert!(says.contains(why), "{says}");
    }
    refused(&[&out, "--debug-tag", "a/b"], "bad-argument", USAGE);
    refused(&[&out, "--debug-tag", &"x".repeat(130)], "bad-argument", USAGE);
    refused(&[&at("dir"), "--debug-tag", "debug"], "bad-argument", USAGE);

    // One in the root that needs libraries is named.
    let place = world.path().join("root/bin/busybox");
    fs::copy(world.path().join("root/bin/true"), &place).expect("copied");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("set");
    let output = slimroot(&["build", "--root", &root, "-o", &out, "--debug-tag", "debug", "--", "/bin/true"]);
    assert!(text(&output.stderr).contains("/bin/busybox is not static"), "{}", text(&output.stderr));
}
