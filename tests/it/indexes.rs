//! Images of several platforms. skopeo copies what slimroot joins and checks every digest; qemu runs the other machine's
//! program.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::need;
use crate::support::registry::members;
use crate::support::roots::{debian, debian_of, run};
use crate::support::runs::{slimroot, state, text, told, world};

/// The platforms of an index with the digests of their manifests, as skopeo reads it.
fn platforms(image: &str) -> Vec<(String, String)> {
    members(&serde_json::from_str(&run("skopeo", &["inspect", "--raw", image])).expect("JSON"))
}

/// Packs programs of two Debians, joins the images in every way, packs the index again, and runs the result.
#[test]
fn images_of_two_machines_become_one_and_are_packed_again() {
    if !need::all(&["skopeo", "umoci", "mmdebstrap", "qemu-aarch64-static"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (amd64, arm64) = (format!("oci:{}:amd64", at("parts")), format!("oci-archive:{}:arm64", at("arm64.tar")));
    for (root, out, program) in [(debian(), &amd64, "/bin/date"), (debian_of("arm64"), &arm64, "/usr/bin/sqlite3")] {
        let options = ["--no-auto", "--companions", "none", "--no-profile", "licences", "-o", out];
        told(&[&["build", "--root", &root.display().to_string()][..], &options, &["--", program]].concat());
    }
    let joined = format!("oci:{}:v1", at("joined"));
    told(&["index", "-o", &joined, &amd64, &arm64]);
    let found = platforms(&joined);
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["amd64", "arm64"]);
    // The manifest of a part is the same in the index.
    let part = run("skopeo", &["inspect", "--format", "{{.Digest}}", &amd64]);
    assert_eq!(part.trim(), found[0].1);
    let copy = |from: &str, to: &str| run("skopeo", &["--insecure-policy", "copy", "-q", "--all", from, to]);
    copy(&joined, &format!("oci:{}:v1", at("copied")));
    let archive = format!("oci-archive:{}:v1", at("joined.tar"));
    // An index as a part gives all of its images.
    told(&["index", "-o", &archive, &joined]);
    copy(&archive, &format!("oci:{}:v1", at("from-archive")));
    assert_eq!(platforms(&archive), found);

    // Another tag of a layout stays, and the same platform twice is refused.
    told(&["index", "-o", &format!("oci:{}:v2", at("joined")), &arm64]);
    assert_eq!(platforms(&joined), found);
    let before = state(dir.path());
    let twice = slimroot(&["index", "-o", &format!("oci:{}:v3", at("joined")), &joined, &amd64]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(text(&twice.stderr).contains("two of the images are for linux/amd64"), "{}", text(&twice.stderr));
    assert_eq!(state(dir.path()), before);

    // Each platform is packed again; what is small already stays as it is.
    let all = format!("oci:{}:v1", at("all"));
    let options = ["--platform", "all", "--layers", "split", "-o", &all, "--format", "json"];
    let report: Value = serde_json::from_str(&told(&[&["slim", &joined][..], &options].concat())).expect("JSON");
    let packed = report["platforms"].as_array().expect("platforms");
    let packed: Vec<(&str, &str)> = packed
        .iter()
        .map(|one| (one["platform"].as_str().expect("text"), one["manifest"].as_str().expect("text")))
        .collect();
    let found = platforms(&all);
    assert_eq!(packed, [("linux/amd64", found[0].1.as_str()), ("linux/arm64", found[1].1.as_str())]);
    let one = format!("oci:{}:arm64", at("one"));
    run("skopeo", &["--insecure-policy", "--override-arch", "arm64", "copy", "-q", &all, &one]);
    run("umoci", &["unpack", "--image", &format!("{}:arm64", at("one")), &at("bundle")]);
    let root = at("bundle/rootfs");
    let program = format!("{root}/usr/bin/sqlite3");
    let said = run("qemu-aarch64-static", &["-L", &root, &program, ":memory:", "select 6 * 7"]);
    assert_eq!(said.trim(), "42");
}

#[test]
fn what_is_no_index_is_told_and_leaves_nothing() {
    let world = world();
    let at = |name: &str| world.path().join(name).display().to_string();
    let (root, layout) = (at("root"), format!("oci:{}:v1", at("layout")));
    told(&["build", "--root", &root, "-o", &layout, "--", "/bin/true"]);
    let blobs = world.path().join("layout/blobs/sha256");
    let before = state(world.path());
    let refused = |args: &[&str], code: &str| {
        let output = slimroot(args);
        assert!(!output.status.success() && output.status.code() != Some(101), "{args:?}");
        assert!(text(&output.stderr).contains(&format!("error[{code}]")), "{args:?}: {}", text(&output.stderr));
        assert_eq!(state(world.path()), before, "{args:?}");
    };
    let new = format!("oci:{}:v1", at("new"));
    refused(&["index", "-o", &new, &root], "bad-argument");
    refused(&["index", "-o", &new, &format!("oci:{}:other", at("layout"))], "image-missing");
    refused(&["index", "-o", &format!("dir:{}", at("new")), &layout], "bad-argument");
    refused(&["index", "-o", &format!("docker-archive:{}", at("new")), &layout], "bad-argument");
    let build = ["build", "--platform", "all", "-o", &new, "--root"];
    refused(&[&build[..], &[&root, "--", "/bin/true"]].concat(), "bad-argument");
    refused(&[&build[..], &[&layout, "--debug-tag", "x", "--", "/bin/true"]].concat(), "bad-argument");

    // A blob that is not what its digest says.
    let largest = fs::read_dir(&blobs).expect("listed").map(|entry| entry.expect("an entry").path());
    let largest = largest.max_by_key(|path| fs::metadata(path).map_or(0, |meta| meta.len())).expect("a blob");
    let mut bytes = fs::read(&largest).expect("read");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&largest, bytes).expect("written");
    let before = state(world.path());
    for to in [&new, &format!("oci-archive:{}", at("new.tar"))] {
        let output = slimroot(&["index", "-o", to, &layout]);
        assert!(text(&output.stderr).contains("error[bad-image]"), "{}", text(&output.stderr));
        assert_eq!(state(world.path()), before);
    }
    assert!(!Path::new(&at("new")).exists());
}
