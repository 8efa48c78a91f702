//! Layers, images and outputs: the library writes small plans; GNU tar, other decoders, pinned digests and the file
//! system judge the results.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use slimroot::error::Error;
use slimroot::layer::{Codec, PassOptions};
use slimroot::output::{Destination, WriteOptions, Written, write};
use slimroot::path::RootPath;
use slimroot::plan::{Content, Item, ItemKind, Plan};
use slimroot::registry::Access;
use slimroot::root::{DirTree, MemTree, Tree};

fn path(text: impl AsRef<[u8]>) -> RootPath {
    RootPath::new(text).expect("a clean path")
}

fn item(kind: ItemKind, mode: u32) -> Item {
    Item { kind, mode, uid: 0, gid: 0, xattrs: Vec::new() }
}

fn made(bytes: impl AsRef<[u8]>) -> ItemKind {
    ItemKind::File(Content::Made(bytes.as_ref().into()))
}

/// A plan with one entry of every kind that tar supports.
fn plan() -> Plan {
    let mut plan = Plan { epoch: 1_700_000_000, ..Plan::default() };
    let mut put = |text: &[u8], item: Item| Arc::make_mut(&mut plan.items).insert(path(text), item);
    for dir in [&b"/bin"[..], b"/etc", b"/tmp", b"/deep", b"/names"] {
        put(dir, item(ItemKind::Dir, if dir == b"/tmp" { 0o1777 } else { 0o755 }));
    }
    put(b"/bin/tool", Item { uid: 3, gid: 5_000_000, ..item(made("program"), 0o4755) });
    put(b"/bin/twin", item(ItemKind::HardLink(path("/bin/tool")), 0o4755));
    put(b"/bin/link", item(ItemKind::Link(b"../etc/conf".to_vec()), 0o777));
    put(b"/bin/far", item(ItemKind::Link([&b"/"[..], &b"x".repeat(150)].concat()), 0o777));
    put(b"/etc/conf", item(made("a = 1\n"), 0o640));
    put(b"/etc/empty", item(made(""), 0o644));
    let capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    let xattrs = vec![(b"security.capability".to_vec(), capability)];
    put(b"/bin/ping", Item { xattrs, ..item(made("ping"), 0o755) });
    put(b"/names/caf\xe9", item(made("latin"), 0o644));
    for length in [99, 100, 101, 155, 156, 255] {
        put(format!("/names/{}", "n".repeat(length)).as_bytes(), item(made(length.to_string()), 0o644));
    }
    let mut deep = "/deep".to_owned();
    for _ in 0..30 {
        deep.push('/');
        deep.push_str(&"d".repeat(100));
        put(deep.as_bytes(), item(ItemKind::Dir, 0o755));
    }
    put(format!("{deep}/leaf").as_bytes(), item(made("leaf"), 0o600));
    plan
}

fn write_to(
    tree: &dyn Tree,
    plan: &Plan,
    outputs: &[String],
    codec: Option<Codec>,
    threads: usize,
) -> Result<Vec<Written>, Error> {
    write_forced(tree, plan, outputs, codec, threads, false)
}

fn write_forced(
    tree: &dyn Tree,
    plan: &Plan,
    outputs: &[String],
    codec: Option<Codec>,
    threads: usize,
    force: bool,
) -> Result<Vec<Written>, Error> {
    let destinations: Vec<_> = outputs.iter().map(|text| Destination::parse(text).expect("a destination")).collect();
    let pass = PassOptions { threads, cache: None, progress: &|_, _| (), stop: &|| false };
    write(
        tree,
        plan,
        &destinations,
        &WriteOptions { codec, parts: &[], twin: None, force, access: &Access::default(), attached: &[], pass },
    )
}

/// Three MiB of hardly compressible data, so that several blocks and threads are used.
fn noise() -> Vec<u8> {
    let mut state = 1_u32;
    let step = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 24) as u8 & 0x3f
    };
    (0..3_500_000).map(|_| step(&mut state)).collect()
}

#[test]
fn gnu_tar_reads_every_header_as_planned() {
    let dir = tempfile::tempdir().expect("a directory");
    let tar = dir.path().join("layer.tar");
    let plan = plan();
    write_to(&MemTree::default(), &plan, &[format!("tar:{}", tar.display())], None, 2).expect("written");
    let listing = Command::new("tar")
        .args(["--list", "--verbose", "--numeric-owner", "--full-time", "--utc", "--quoting-style=escape", "-f"])
        .arg(&tar)
        .env("LC_ALL", "C")
        .output()
        .expect("GNU tar runs");
    assert!(listing.status.success() && listing.stderr.is_empty(), "{}", String::from_utf8_lossy(&listing.stderr));
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    let lines: Vec<Vec<&str>> = listing.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), plan.items.len());
    let find = |name: &str| lines.iter().find(|line| line[5] == name).cloned().unwrap_or_default();
    assert_eq!(find("bin/tool"), ["-rwsr-xr-x", "3/5000000", "7", "2023-11-14", "22:13:20", "bin/tool"]);
    assert_eq!(find("tmp/")[0], "drwxrwxrwt");
    assert_eq!(find("bin/twin")[6..], ["link", "to", "bin/tool"]);
    assert_eq!(find("bin/link")[6..], ["->", "../etc/conf"]);
    assert_eq!(find("bin/far")[7].len(), 151);
    assert_eq!(find("etc/conf")[..3], ["-rw-r-----", "0/0", "6"]);
    assert!(!find("names/caf\\351").is_empty());
    for length in [99, 100, 101, 155, 156, 255] {
        assert!(!find(&format!("names/{}", "n".repeat(length))).is_empty(), "{length}");
    }
}

#[test]
fn the_tar_crate_reads_contents_and_attributes() {
    let dir = tempfile::tempdir().expect("a directory");
    let tar = dir.path().join("layer.tar");
    write_to(&MemTree::default(), &plan(), &[format!("tar:{}", tar.display())], None, 2).expect("written");
    let bytes = fs::read(&tar).expect("read");
    assert!(bytes.ends_with(&[0; 1024]) && bytes.len().is_multiple_of(512));
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut contents = BTreeMap::new();
    let mut capability = Vec::new();
    for entry in archive.entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let name = entry.path_bytes().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("content");
        if name == b"bin/ping" {
            for extension in entry.pax_extensions().expect("pax").into_iter().flatten().flatten() {
                capability.push((extension.key_bytes().to_vec(), extension.value_bytes().len()));
            }
        }
        contents.insert(name, text);
    }
    assert_eq!(capability, [(b"SCHILY.xattr.security.capability".to_vec(), 20)]);
    assert_eq!(contents[&b"bin/tool"[..]], "program");
    assert_eq!(contents[&b"names/caf\xe9"[..]], "latin");
    let deep = contents.iter().find(|(name, _)| name.ends_with(b"/leaf"));
    assert_eq!(deep.map(|(name, text)| (name.len(), text.as_str())), Some((4 + 30 * 101 + 5, "leaf")));
}

#[test]
fn digests_are_pinned_and_no_thread_count_changes_them() {
    let mut plan = plan();
    Arc::make_mut(&mut plan.items).insert(path("/noise"), item(made(noise()), 0o644));
    let mut seen = BTreeMap::new();
    for codec in [Codec::GZIP, Codec::ZSTD, Codec::None] {
        for threads in [1, 2, 3, 8] {
            let dir = tempfile::tempdir().expect("a directory");
            let output = format!("oci-archive:{}/a.tar:localhost/x:1", dir.path().display());
            let written = write_to(&MemTree::default(), &plan, &[output], Some(codec), threads).expect("written");
            let layer = written[0].layer.clone().expect("a layer");
            let archive = slimroot::digest::Digest::of(&fs::read(dir.path().join("a.tar")).expect("read"));
            let found = (layer.diff_id.to_string(), layer.digest.to_string(), archive.to_string());
            let first = seen.entry(codec.name()).or_insert_with(|| found.clone());
            assert_eq!(*first, found, "{} with {threads} threads", codec.name());
        }
    }
    // A change of these digests is visible to users: add it to the changelog under its own heading.
    let pinned: Vec<String> = seen.values().map(|(_, digest, _)| digest["sha256:".len()..][..16].to_owned()).collect();
    assert_eq!((seen["gzip"].0.clone(), pinned), (seen["none"].0.clone(), PINNED.map(str::to_owned).to_vec()));
}

/// First digits of the layer's digest with gzip, without compression, and with zstd.
const PINNED: [&str; 3] = ["2d9a7df9509edae5", "417f530a2b2f87c6", "42b4a3ca5801ff09"];

#[test]
fn other_decoders_give_the_tar_stream_back() {
    let mut plan = plan();
    Arc::make_mut(&mut plan.items).insert(path("/noise"), item(made(noise()), 0o644));
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let outputs = [format!("tar:{}", at("plain.tar")), format!("oci:{}:v1", at("gz"))];
    let written = write_to(&MemTree::default(), &plan, &outputs, None, 2).expect("written");
    let plain = fs::read(at("plain.tar")).expect("read");
    let layer = written[1].layer.clone().expect("a layer");
    assert_eq!(layer.diff_id, slimroot::digest::Digest::of(&plain));
    let blob = fs::read(dir.path().join("gz/blobs/sha256").join(layer.digest.hex())).expect("read");
    assert_eq!(slimroot::digest::Digest::of(&blob), layer.digest);
    assert_eq!(blob[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let mut decoded = Vec::new();
    flate2::read::GzDecoder::new(blob.as_slice()).read_to_end(&mut decoded).expect("gzip");
    assert!(decoded == plain);
    let output = format!("oci:{}", at("zst"));
    let written = write_to(&MemTree::default(), &plan, &[output], Some(Codec::ZSTD), 2).expect("written");
    let layer = written[0].layer.clone().expect("a layer");
    let blob = dir.path().join("zst/blobs/sha256").join(layer.digest.hex());
    let decoded = zstd::decode_all(fs::File::open(blob).expect("open")).expect("zstd");
    assert!(decoded == plain);
}

#[test]
fn a_layout_keeps_the_images_of_other_tags() {
    let dir = tempfile::tempdir().expect("a directory");
    let layout = dir.path().join("layout");
    let mut plan = plan();
    let put = |text: &str, plan: &Plan| {
        let output = format!("oci:{}:{text}", layout.display());
        write_to(&MemTree::default(), plan, &[output], None, 1).expect("written")[0].manifest.expect("a manifest")
    };
    let first = put("one", &plan);
    plan.run.user = "7:7".to_owned();
    let second = put("two", &plan);
    plan.run.user = "8:8".to_owned();
    let third = put("one", &plan);
    let index = oci_spec::image::ImageIndex::from_file(layout.join("index.json")).expect("an index");
    let found: Vec<String> = index.manifests().iter().map(|entry| entry.digest().to_string()).collect();
    assert_eq!(found, [second.to_string(), third.to_string()]);
    assert!(layout.join("blobs/sha256").join(first.hex()).exists());
    assert_eq!(names(&layout), ["blobs", "index.json", "oci-layout"]);
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("listed");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_directory_has_what_the_plan_says_under_any_umask() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().expect("a directory");
    let tar_too = [format!("dir:{}/a", dir.path().display()), format!("tar:{}/a.tar", dir.path().display())];
    let plan = plan();
    write_to(&MemTree::default(), &plan, &tar_too, None, 1).expect("written");
    write_to(&MemTree::default(), &plan, &[format!("{}/b", dir.path().display())], None, 1).expect("written");
    for base in ["a", "b"] {
        let base = dir.path().join(base);
        let meta = |name: &str| fs::symlink_metadata(base.join(name)).expect("there");
        assert_eq!(meta("tmp").mode() & 0o7777, 0o1777);
        assert_eq!(meta("etc/conf").mode() & 0o7777, 0o640);
        assert_eq!(meta("bin/tool").mode() & 0o7777, 0o4755);
        assert_eq!(meta("bin/tool").ino(), meta("bin/twin").ino());
        assert_eq!(fs::read_link(base.join("bin/link")).expect("a link"), Path::new("../etc/conf"));
        for name in ["tmp", "etc/conf", "bin/link", "."] {
            assert_eq!(meta(name).mtime(), 1_700_000_000, "{name}");
        }
        assert_eq!(meta(".").mode() & 0o7777, 0o755);
    }
}

#[test]
fn what_exists_is_not_touched_unless_forced() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("full")).expect("made");
    fs::write(dir.path().join("full/mine"), "mine").expect("written");
    fs::write(dir.path().join("file"), "mine").expect("written");
    fs::create_dir(dir.path().join("empty")).expect("made");
    let at = |word: &str, name: &str| vec![format!("{word}:{}/{name}", dir.path().display())];
    let put = |outputs: &[String], force| {
        write_forced(&MemTree::default(), &plan(), outputs, None, 1, force).map(|_| ()).map_err(|error| error.code)
    };
    for (word, name) in [
        ("dir", "full"),
        ("dir", "file"),
        ("tar", "file"),
        ("oci", "full"),
        ("oci-archive", "file"),
        ("docker-archive", "file"),
        ("oci", "file"),
        ("tar", "full"),
    ] {
        assert_eq!(put(&at(word, name), false), Err("output-exists"), "{word}:{name}");
    }
    assert_eq!(put(&at("dir", "no/such/dir"), false), Err("output-unwritable"));
    assert_eq!(put(&at("oci-archive", "no/file"), false), Err("output-unwritable"));
    assert_eq!(names(dir.path()), ["empty", "file", "full"]);
    assert_eq!(fs::read(dir.path().join("full/mine")).expect("read"), b"mine");
    assert_eq!(put(&at("dir", "empty"), false), Ok(()));
    assert_eq!(put(&at("dir", "full"), true), Ok(()));
    assert_eq!(put(&at("tar", "file"), true), Ok(()));
    assert_eq!(names(dir.path()), ["empty", "file", "full"]);
    assert_eq!(names(&dir.path().join("full")), ["bin", "deep", "etc", "names", "tmp"]);
}

/// A root on disk with one large file, and its plan.
fn on_disk() -> (tempfile::TempDir, Plan) {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("big"), vec![7; 2_000_000]).expect("written");
    let tree = DirTree::open(dir.path()).expect("a tree");
    let meta = tree.meta(&path("/big")).expect("readable").expect("there");
    let content = Content::FromRoot { path: path("/big"), size: meta.size, stamp: meta.stamp, stripped: None };
    let mut plan = Plan::default();
    Arc::make_mut(&mut plan.items).insert(path("/big"), item(ItemKind::File(content), 0o644));
    (dir, plan)
}

#[test]
fn a_file_that_changed_stops_everything_and_leaves_nothing() {
    for change in ["grow", "shrink", "touch", "remove"] {
        let (root, plan) = on_disk();
        let tree = DirTree::open(root.path()).expect("a tree");
        let big = root.path().join("big");
        match change {
            "grow" => fs::write(&big, vec![7; 2_000_001]).expect("written"),
            "shrink" => fs::write(&big, vec![7; 10]).expect("written"),
            "touch" => fs::write(&big, vec![8; 2_000_000]).expect("written"),
            _ => fs::remove_file(&big).expect("removed"),
        }
        let out = tempfile::tempdir().expect("a directory");
        let expected = if change == "remove" { "unreadable" } else { "changed-while-packing" };
        for outputs in [
            vec!["dir:{}/d"],
            vec!["oci:{}/o"],
            vec!["dir:{}/d", "oci-archive:{}/a", "tar:{}/t", "docker-archive:{}/x"],
        ] {
            let outputs: Vec<String> =
                outputs.iter().map(|text| text.replace("{}", &out.path().display().to_string())).collect();
            let error = write_to(&tree, &plan, &outputs, None, 2).err().map(|error| error.code);
            assert_eq!(error, Some(expected), "{change} {outputs:?}");
            assert_eq!(names(out.path()), [""; 0], "{change} {outputs:?}");
        }
    }
}

#[test]
fn a_run_that_is_stopped_leaves_nothing() {
    let (root, plan) = on_disk();
    let tree: Arc<dyn Tree> = Arc::new(DirTree::open(root.path()).expect("a tree"));
    for (word, after) in [("dir", 0), ("oci", 3), ("tar", 5)] {
        let out = tempfile::tempdir().expect("a directory");
        let asked = AtomicU64::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) >= after;
        let destination = Destination::parse(&format!("{word}:{}/x", out.path().display())).expect("a destination");
        let pass = PassOptions { threads: 2, cache: None, progress: &|_, _| (), stop: &stop };
        let access = Access::default();
        let options =
            WriteOptions { codec: None, parts: &[], twin: None, force: false, access: &access, attached: &[], pass };
        let error = write(&*tree, &plan, &[destination], &options).err().map(|error| error.code);
        assert_eq!(error, Some("interrupted"), "{word}");
        assert_eq!(names(out.path()), [""; 0], "{word}");
    }
}
