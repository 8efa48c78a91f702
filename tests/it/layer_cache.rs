//! The cache of compressed blocks: it changes no byte of an image, whatever lies in it. The judge is the run without it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use slimroot::digest::Digest;
use slimroot::layer::{Cache, CacheUse, Codec, PassOptions};
use slimroot::output::{Destination, WriteOptions, write};
use slimroot::path::RootPath;
use slimroot::plan::{Content, Item, ItemKind, Plan};
use slimroot::root::MemTree;

use crate::support::roots::run;
use crate::support::runs::{told, world};

/// Files of 5 MB in all, a large one and many small ones; those of the application are first, and as long as `app` says.
fn plan(app: usize) -> Plan {
    let mut state = 7_u64;
    let mut noise = |size: usize| -> Vec<u8> {
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b"etaoin shrdlu\n01234567890ABCDEFGH"[usize::from((state >> 56) as u8) % 33]
        };
        std::iter::repeat_with(next).take(size).collect()
    };
    let mut files = vec![("/usr/lib/large".to_owned(), noise(2_000_000))];
    files.extend((0..300).map(|number| (format!("/usr/share/{number}"), noise(10_000))));
    files.push(("/app/main".to_owned(), noise(app)));
    let mut plan = Plan::default();
    for (name, bytes) in files {
        let kind = ItemKind::File(Content::Made(bytes.as_slice().into()));
        let item = Item { kind, mode: 0o644, uid: 0, gid: 0, xattrs: Vec::new() };
        Arc::make_mut(&mut plan.items).insert(RootPath::new(&name).expect("a clean path"), item);
    }
    plan.run.architecture = "amd64".to_owned();
    plan
}

/// Writes the plan; returns the digest of the layer, and what the cache was good for.
fn written(plan: &Plan, level: u8, threads: usize, cache: Option<(&Path, u64)>) -> (Digest, CacheUse) {
    let dir = tempfile::tempdir().expect("a directory");
    let destination = Destination::parse(&format!("oci:{}:1", dir.path().join("image").display())).expect("a place");
    let cache = cache.map(|(dir, size)| Cache::open(dir, size).expect("a cache"));
    let options = WriteOptions {
        codec: Some(Codec::Gzip(level)),
        parts: &[],
        twin: None,
        force: false,
        access: &slimroot::registry::Access::default(),
        attached: &[],
        pass: PassOptions { threads, cache: cache.as_ref(), progress: &|_, _| (), stop: &|| false },
    };
    let written = write(&MemTree::default(), plan, &[destination], &options).expect("written");
    let layer = written[0].layer.clone().expect("a layer");
    (layer.digest, cache.map(|cache| cache.finish()).unwrap_or_default())
}

const ROOM: u64 = 1 << 30;

/// The entries of a cache.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir.join("slimroot-blocks")).expect("listed").map(|entry| entry.expect("read").path()).collect();
    found.sort();
    found
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    entries(dir).into_iter().map(|path| (path.clone(), fs::read(path).expect("read"))).collect()
}

#[test]
fn it_changes_no_byte_cold_or_warm_at_any_level_and_thread_count() {
    let plan = plan(1000);
    let dir = tempfile::tempdir().expect("a directory");
    for level in [1, 6, 9] {
        let (without, _) = written(&plan, level, 2, None);
        let (cold, used) = written(&plan, level, 2, Some((dir.path(), ROOM)));
        assert_eq!((cold, used.taken), (without, 0), "level {level}");
        assert!(used.compressed > 4, "{used:?}");
        for threads in [1, 2, 8] {
            let (warm, again) = written(&plan, level, threads, Some((dir.path(), ROOM)));
            assert_eq!(warm, without, "level {level}, {threads} threads");
            let all = CacheUse { taken: used.compressed, ..CacheUse::default() };
            assert_eq!(again, all, "level {level}, {threads} threads");
        }
    }
}

#[test]
fn after_a_change_of_the_first_file_most_is_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_, first) = written(&plan(1000), 6, 2, Some((dir.path(), ROOM)));
    let (changed, used) = written(&plan(77_777), 6, 2, Some((dir.path(), ROOM)));
    assert_eq!(changed, written(&plan(77_777), 6, 2, None).0);
    assert!(used.compressed <= 2 && used.taken + 2 >= first.compressed, "{first:?}, then {used:?}");
}

/// An entry with the right checksum of its own.
fn forged(deflated: &[u8]) -> Vec<u8> {
    [b"slimblk1", &crc32fast::hash(deflated).to_le_bytes()[..], deflated].concat()
}

#[test]
fn damaged_and_hostile_entries_are_replaced() {
    let plan = plan(1000);
    let (without, _) = written(&plan, 6, 2, None);
    let dir = tempfile::tempdir().expect("a directory");
    written(&plan, 6, 2, Some((dir.path(), ROOM)));
    let good = contents(dir.path());
    let (path, bytes) = good.first_key_value().expect("an entry");
    let other = good.values().nth(1).expect("another");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    // Ends the stream where the block ends; a second member with other files would follow.
    let mut block = Vec::new();
    let mut decoder = flate2::read::DeflateDecoder::new(&bytes[12..]);
    // The entry is no whole stream: reading it ends with an error after all of the block.
    let _ = decoder.read_to_end(&mut block);
    let mut ended = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    ended.write_all(&block).expect("compressed");
    let mut ended = ended.finish().expect("compressed");
    assert!(block.len() > 100_000);
    ended.extend(b"\x1f\x8b\x08 another member \0\0\xff\xff");
    let endless = vec![0; 3 << 20];
    let cases: [(&str, Vec<u8>); 9] = [
        ("empty", Vec::new()),
        ("a head alone", bytes[..12].to_vec()),
        ("cut", bytes[..bytes.len() - 1].to_vec()),
        ("longer", [bytes.as_slice(), b"x"].concat()),
        ("a flipped bit", flipped),
        ("another block", other.clone()),
        ("an end before the end", forged(&ended)),
        ("stops in the middle", forged(&bytes[12..bytes.len() - 40])),
        ("too large", endless),
    ];
    for (name, content) in cases {
        fs::write(path, content).expect("written");
        let (digest, used) = written(&plan, 6, 2, Some((dir.path(), ROOM)));
        assert_eq!((digest, used.refused, used.compressed), (without, 1, 1), "{name}");
        assert_eq!(contents(dir.path()), good, "{name}: replaced");
    }
    type Make = fn(&Path);
    let kinds: [(&str, Make); 3] = [
        ("a link to a good entry", |path| {
            let kept = path.with_file_name("kept");
            fs::rename(path, &kept).expect("moved");
            symlink(kept, path).expect("linked");
        }),
        ("a link to a device", |path| {
            fs::remove_file(path).expect("removed");
            symlink("/dev/zero", path).expect("linked");
        }),
        ("a pipe", |path| {
            fs::remove_file(path).expect("removed");
            run("mkfifo", &[&path.display().to_string()]);
        }),
    ];
    for (name, make) in kinds {
        make(path);
        let (digest, used) = written(&plan, 6, 2, Some((dir.path(), ROOM)));
        assert_eq!((digest, used.refused), (without, 1), "{name}");
        assert_eq!(fs::symlink_metadata(path).ok().map(|meta| meta.is_file()), Some(true), "{name}");
        let _ = fs::remove_file(path.with_file_name("kept"));
    }
    fs::remove_file(path).expect("removed");
    fs::create_dir(path).expect("made");
    assert_eq!(written(&plan, 6, 2, Some((dir.path(), ROOM))).0, without);
    written(&plan, 6, 2, Some((dir.path(), ROOM)));
    assert_eq!(contents(dir.path()), good, "a directory is replaced at last");
}

#[test]
fn the_least_recently_used_goes_first() {
    let dir = tempfile::tempdir().expect("a directory");
    written(&plan(1000), 6, 2, Some((dir.path(), ROOM)));
    let size = |paths: &[PathBuf]| paths.iter().map(|path| fs::metadata(path).expect("there").len()).sum::<u64>();
    let old = entries(dir.path());
    let room = size(&old);
    // Neither what somebody else has put beside the entries nor what a run is writing goes.
    fs::write(dir.path().join("mine"), "mine").expect("written");
    let (stale, new) = (old[0].with_file_name("new-1-2-3"), old[0].with_file_name("new-4-5-6"));
    let long_ago = SystemTime::now() - Duration::from_secs(7200);
    for path in old.iter().chain([&stale]) {
        let file = fs::File::options().append(true).create(true).open(path).expect("open");
        file.set_modified(long_ago).expect("set");
    }
    fs::write(&new, "being written").expect("written");
    // Another level has other blocks.
    let (_, used) = written(&plan(1000), 7, 2, Some((dir.path(), room)));
    assert_eq!((used.taken, used.not_stored), (0, 0));
    assert!(new.exists() && !stale.exists() && dir.path().join("mine").exists());
    fs::remove_file(new).expect("removed");
    let now = entries(dir.path());
    assert!(size(&now) <= room, "{} of {room}", size(&now));
    assert_eq!(now.iter().filter(|path| !old.contains(path)).count() as u64, used.compressed, "the new ones stay");
    let (digest, _) = written(&plan(1000), 6, 2, Some((dir.path(), 1000)));
    assert_eq!(digest, written(&plan(1000), 6, 2, None).0);
    assert!(size(&entries(dir.path())) <= room);
}

#[test]
fn many_runs_share_it() {
    let plan = plan(1000);
    let (without, _) = written(&plan, 6, 2, None);
    let dir = tempfile::tempdir().expect("a directory");
    std::thread::scope(|scope| {
        for number in 0..6_u64 {
            // Some have room for next to nothing, and remove what others have written.
            let room = if number % 2 == 0 { ROOM } else { 500_000 };
            let (plan, path) = (&plan, dir.path());
            scope.spawn(move || {
                for _ in 0..3 {
                    let (digest, used) = written(plan, 6, 2, Some((path, room)));
                    assert_eq!((digest, used.refused), (without, 0));
                }
            });
        }
    });
}

#[test]
fn a_command_takes_it_behind_its_fence_and_tells() {
    let dir = world();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (root, cache) = (at("root"), at("deep/cache"));
    let build = |name: &str, more: &[&str]| -> serde_json::Value {
        let output = format!("oci:{}:1", at(name));
        let args =
            [&["build", "--root", &root, "-o", &output, "--format", "json"], more, &["--", "/bin/true"]].concat();
        serde_json::from_str(&told(&args)).expect("JSON")
    };
    let without = build("a", &[]);
    let cold = build("b", &["--cache", &cache, "--cache-size", "100MB"]);
    let warm = build("c", &["--cache", &cache]);
    assert!(without["cache"].is_null());
    for one in [&cold, &warm] {
        assert_eq!(one["outputs"][0]["manifest"], without["outputs"][0]["manifest"]);
    }
    assert_eq!((&cold["cache"]["taken"], &warm["cache"]["compressed"]), (&0.into(), &0.into()));
    assert_eq!(warm["cache"]["taken"], cold["cache"]["compressed"]);
    assert!(warm["cache"]["taken"].as_u64() > Some(1), "{warm}");
    let output = format!("oci:{}:1", at("d"));
    fs::write(at("file"), "").expect("written");
    let refused = crate::support::runs::slimroot(&[
        "build",
        "--root",
        &root,
        "-o",
        &output,
        "--cache",
        &at("file"),
        "--",
        "/bin/true",
    ]);
    let said = crate::support::runs::text(&refused.stderr);
    assert!(said.contains("cache-unusable") && !Path::new(&at("d")).exists(), "{said}");
}
