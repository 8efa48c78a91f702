//! gzip layers: one member, which every reader reads to the end. The judges are other decoders.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use slimroot::digest::Digest;
use slimroot::layer::{Codec, PassOptions};
use slimroot::output::{Destination, WriteOptions, write};
use slimroot::path::RootPath;
use slimroot::plan::{Content, Item, ItemKind, Plan};
use slimroot::root::MemTree;

use crate::support::engines::Podman;
use crate::support::need;
use crate::support::roots::run;

/// A plan of a few blocks: text, bytes that cannot be compressed, zeros, and the smallest file at the end.
fn plan() -> Plan {
    let mut state = 7_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let text: Vec<u8> = (0..2_500_000).map(|_| b"etaoin shrdlu\n"[usize::from(noise()) % 14]).collect();
    let random: Vec<u8> = (0..1_500_000).map(|_| noise()).collect();
    let mut plan = Plan::default();
    for (name, bytes) in [("/a", text), ("/b", random), ("/c", vec![0; 1_200_000]), ("/d", b"x".to_vec())] {
        let kind = ItemKind::File(Content::Made(bytes.as_slice().into()));
        let item = Item { kind, mode: 0o644, uid: 0, gid: 0, xattrs: Vec::new() };
        Arc::make_mut(&mut plan.items).insert(RootPath::new(name).expect("a clean path"), item);
    }
    plan.run.architecture = "amd64".to_owned();
    plan
}

/// Writes the plan to `plain.tar` and to a layout with gzip layers; returns both streams.
fn written(dir: &Path, level: u8, threads: usize) -> (Vec<u8>, Vec<u8>) {
    let at = |word: &str, name: &str| format!("{word}:{}/{name}", dir.display());
    let outputs = [at("tar", "plain.tar"), at("oci", &format!("layout{level}-{threads}:v1"))];
    let destinations: Vec<_> = outputs.iter().map(|text| Destination::parse(text).expect("a destination")).collect();
    let pass = PassOptions { threads, cache: None, progress: &|_, _| (), stop: &|| false };
    let access = slimroot::registry::Access::default();
    let options = WriteOptions {
        codec: Some(Codec::Gzip(level)),
        parts: &[],
        twin: None,
        force: true,
        access: &access,
        attached: &[],
        pass,
    };
    let told = write(&MemTree::default(), &plan(), &destinations, &options).expect("written");
    let layer = told[1].layer.clone().expect("a layer");
    let blob = dir.join(format!("layout{level}-{threads}/blobs/sha256")).join(layer.digest.hex());
    let (plain, packed) = (fs::read(dir.join("plain.tar")).expect("read"), fs::read(blob).expect("read"));
    assert_eq!((Digest::of(&plain), Digest::of(&packed)), (layer.diff_id, layer.digest));
    (plain, packed)
}

#[test]
fn a_reader_of_one_member_reads_all_at_every_level() {
    let dir = tempfile::tempdir().expect("a directory");
    for level in 1..=12 {
        let (plain, packed) = written(dir.path(), level, 2);
        let mut decoder = flate2::bufread::GzDecoder::new(packed.as_slice());
        let mut decoded = Vec::new();
        decoder.read_to_end(&mut decoded).expect("gzip");
        assert!(decoded == plain, "level {level}");
        assert!(decoder.into_inner().is_empty(), "level {level}: something follows the first member");
    }
}

#[test]
fn no_thread_count_changes_a_byte() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_, first) = written(dir.path(), 6, 1);
    for threads in [2, 3, 8] {
        assert!(written(dir.path(), 6, threads).1 == first, "{threads} threads");
    }
}

#[test]
fn gzip_python_and_node_read_all() {
    if !need::all(&["gzip", "python3", "node"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (plain, packed) = written(dir.path(), 6, 2);
    let file = dir.path().join("layer.tar.gz");
    fs::write(&file, packed).expect("written");
    let file = file.display().to_string();
    run("gzip", &["-t", &file]);
    let listing = "import sys, tarfile; print(*[(m.name, m.size) for m in tarfile.open(sys.argv[1], 'r|gz')])";
    assert_eq!(run("python3", &["-c", listing, &file]).trim(), "('a', 2500000) ('b', 1500000) ('c', 1200000) ('d', 1)");
    let script = "const z = require('zlib'), h = require('crypto').createHash('sha256');
        h.update(z.gunzipSync(require('fs').readFileSync(process.argv[1]))); console.log('sha256:' + h.digest('hex'))";
    assert_eq!(run("node", &["-e", script, &file]).trim(), Digest::of(&plain).to_string());
}

#[test]
fn go_programs_unpack_all() {
    if !need::all(&["skopeo", "umoci", "podman"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    written(dir.path(), 6, 2);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let layout = format!("oci:{}:v1", at("layout6-2"));
    // Other compression makes skopeo decompress the layer and check its diff ID.
    let options = ["--insecure-policy", "copy", "-q", "--dest-compress-format", "zstd", "--dest-compress"];
    run("skopeo", &[&options[..], &[&layout, &format!("dir:{}", at("copy"))]].concat());
    run("umoci", &["unpack", "--image", &format!("{}:v1", at("layout6-2")), &at("bundle")]);
    let archive = format!("oci-archive:{}:x", at("archive.tar"));
    run("skopeo", &["--insecure-policy", "copy", "-q", &layout, &archive]);
    Podman::new().run(&["load", "-q", "-i", &at("archive.tar")]);
    let unpacked = |name: &str| fs::metadata(dir.path().join("bundle/rootfs").join(name)).map(|meta| meta.len()).ok();
    assert_eq!(["a", "b", "c", "d"].map(unpacked), [Some(2_500_000), Some(1_500_000), Some(1_200_000), Some(1)]);
}
