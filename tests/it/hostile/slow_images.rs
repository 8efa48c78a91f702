//! Images that take long to read or to push, and signals meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use slimroot::digest::Digest;

use super::signals::{at_once, signalled};
use super::{names, scratch, slimroot, text};
use crate::support::hostile::{Head, Layout, base, file, gzip, head, root, tar};
use crate::support::registry::Slow;

/// A compressed layer of one file of 1 GiB, which takes seconds to read.
fn long_layer() -> Vec<u8> {
    gzip(&[(&head(&Head { name: b"zeros", size: 1 << 30, ..Head::default() }), 1 << 30)])
}

/// An archive as `docker save` writes it.
fn docker_archive(path: &Path, layers: &[Vec<u8>]) -> String {
    let config = json!({ "architecture": "amd64", "os": "linux", "config": { "Entrypoint": ["/bin/x"] } }).to_string();
    let names: Vec<String> = (0..layers.len()).map(|at| format!("layer{at}")).collect();
    let manifest = json!([{ "Config": "config", "Layers": names, "RepoTags": ["app:1"] }]).to_string();
    let mut files = vec![file("config", 0o644, config.as_bytes()), file("manifest.json", 0o644, manifest.as_bytes())];
    files.extend(names.iter().zip(layers).map(|(name, layer)| file(name, 0o644, layer)));
    fs::write(path, tar(&files)).expect("written");
    format!("docker-archive:{}", text(path))
}

/// An image in a registry that sends its layer slowly.
fn slow_image(layer: &[u8]) -> String {
    let config = json!({ "architecture": "amd64", "os": "linux", "config": { "Entrypoint": ["/bin/x"] } }).to_string();
    let blob = |kind: &str, bytes: &[u8]| {
        json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "size": bytes.len(),
                "digest": Digest::of(bytes).to_string() })
    };
    let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json", config.as_bytes()), "layers": [blob("layer.v1.tar", layer)] });
    let slow = Digest::of(layer).to_string();
    let blobs = [config.into_bytes(), layer.to_vec()].map(|bytes| (Digest::of(&bytes).to_string(), bytes)).into();
    let port = Slow { manifest: manifest.to_string().into_bytes(), blobs, slow }.serve();
    format!("docker://127.0.0.1:{port}/a:1")
}

/// Judge: the kernel says when the process is gone, and the disk what it left.
#[test]
fn a_signal_ends_the_reading_and_pushing_of_images_at_once() {
    let dir = scratch();
    let (out, temporary) = (dir.path().join("out"), dir.path().join("tmp"));
    fs::create_dir(&out).expect("made");
    fs::create_dir(&temporary).expect("made");
    let layers = vec![base(), long_layer()];
    let layout = Layout::new(&dir.path().join("layout"), layers.clone()).write();
    let archive = docker_archive(&dir.path().join("image.tar"), &layers);
    let root = root(dir.path());
    // Bytes that do not compress, so that the push takes longer than buffers of the kernel hide.
    let noise: Vec<u8> = (0..1_u32 << 18).flat_map(|at| Digest::of(&at.to_le_bytes()).hex().into_bytes()).collect();
    fs::write(root.join("noise"), &noise[..16 << 20]).expect("written");
    let registry = slow_image(&[base(), vec![0; 1 << 20]].concat());
    let pushed = format!("docker://127.0.0.1:{}/a:1", Slow { slow: "none".to_owned(), ..Slow::default() }.serve());
    let place = format!("oci-archive:{}", text(&out.join("image")));
    let root = text(&root);
    let push = [
        "build",
        "--root",
        &root,
        "-i",
        "/noise",
        "--compression",
        "none",
        "-o",
        &place,
        "-o",
        &pushed,
        "--",
        "/bin/x",
    ];
    let mut runs: Vec<(Vec<&str>, u64)> = Vec::new();
    for image in [layout.as_str(), &archive, &registry] {
        for after in [150, 400] {
            runs.push((vec!["check", image], after));
            runs.push((vec!["build", "--root", image, "-o", &place, "--", "/bin/x"], after));
        }
    }
    runs.extend([(push.to_vec(), 1200), (push.to_vec(), 1800)]);
    let mut slow = Vec::new();
    for (number, (args, after)) in runs.iter().enumerate() {
        let signal = [Signal::TERM, Signal::INT, Signal::HUP][number % 3];
        let command: &mut Command = &mut slimroot();
        command.args(args).env("TMPDIR", &temporary);
        let (took, code, said) = signalled(command, Duration::from_millis(*after), signal);
        assert_eq!(code, Some(130), "{args:?} after {after} ms: {said}");
        assert!(said.contains("error[interrupted]"), "{said}");
        assert_eq!(names(&out), [""; 0], "{args:?} after {after} ms leaves something: {said}");
        assert_eq!(names(&temporary), [""; 0], "{args:?} after {after} ms leaves something: {said}");
        slow.extend(took.filter(|took| *took > at_once()).map(|took| (args, after, took)));
    }
    // A machine that does other work may hold some of them up.
    assert!(slow.len() * 4 <= runs.len(), "{slow:?}");
}
