//! Images that nobody vouches for: layouts with links, pipes and devices in the place of files, owners that no file can
//! have, archives that unpack to far more than they are. The judges are the kernel and the bytes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::hostile::{
    self, Head, Layout, base, blob_of, file, gzip, head, limited, misbehaves, padded, pax, run_for, tar,
};

const CANARY: &str = "host-canary-7f3a";

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
}

/// A run that is refused with this code, says nothing of the host, and is soon over.
fn refused(image: &str, code: &str, case: &str) {
    let ran = run_for(&["check", image], Duration::from_secs(30));
    assert_eq!(misbehaves(&ran), None, "{case}: {ran:?}");
    assert_eq!(ran.code, Some(3), "{case}: {ran:?}");
    assert!(ran.err.starts_with(&format!("error[{code}]")), "{case}: {ran:?}");
    let all = format!("{}{}", ran.out, ran.err);
    assert!(!all.contains(CANARY), "{case} tells the host's file: {all}");
}

#[test]
fn nothing_in_a_layout_is_followed_or_waited_for() {
    type Put = fn(&Path, &Path);
    let puts: [(&str, Put); 6] = [
        ("link to a file of the host", |place, host| symlink(host, place).expect("linked")),
        ("link to an endless device", |place, _| symlink("/dev/zero", place).expect("linked")),
        ("link to a blob of the layout", |place, _| symlink("oci-layout", place).expect("linked")),
        ("pipe", |place, _| mkfifo(place)),
        ("directory", |place, _| fs::create_dir(place).expect("made")),
        ("device", |place, _| {
            let made = Command::new("mknod").arg(place).args(["c", "1", "5"]).status().expect("mknod runs");
            assert!(made.success() || symlink("/dev/zero", place).is_ok());
        }),
    ];
    for (what, put) in puts {
        for part in ["index.json", "layer", "config", "manifest", "blobs", "blobs/sha256"] {
            let dir = scratch();
            let host = dir.path().join("host");
            fs::write(&host, format!("{CANARY}\n").repeat(100)).expect("written");
            let place = dir.path().join("layout");
            let layout = Layout::new(&place, vec![base()]);
            let image = layout.write();
            let index: serde_json::Value =
                serde_json::from_slice(&fs::read(place.join("index.json")).expect("read")).expect("JSON");
            let hex = |value: &serde_json::Value| value["digest"].as_str().expect("a digest")[7..].to_owned();
            let manifest = place.join("blobs/sha256").join(hex(&index["manifests"][0]));
            let parsed: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).expect("read")).expect("JSON");
            let victim = match part {
                "layer" => blob_of(&place, &base()),
                "config" => place.join("blobs/sha256").join(hex(&parsed["config"])),
                "manifest" => manifest,
                part => place.join(part),
            };
            let moved = dir.path().join("moved");
            fs::rename(&victim, &moved).expect("moved");
            // A link to the very directory or file that was there must be refused too: it is a link.
            if what == "link to a blob of the layout" {
                symlink(&moved, &victim).expect("linked");
            } else {
                put(&victim, &host);
            }
            let ran = run_for(&["check", &image], Duration::from_secs(20));
            assert_eq!(misbehaves(&ran), None, "{what} as {part}: {ran:?}");
            assert_eq!(ran.code, Some(3), "{what} as {part}: {ran:?}");
            assert!(!format!("{}{}", ran.out, ran.err).contains(CANARY), "{what} as {part}: {ran:?}");
        }
    }
}

#[test]
fn archives_that_are_no_regular_files_are_refused_at_once() {
    let dir = scratch();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe);
    for transport in ["oci-archive", "docker-archive"] {
        refused(&format!("{transport}:{}", pipe.display()), "image-missing", "pipe");
        refused(&format!("{transport}:/dev/zero"), "image-missing", "device");
        refused(&format!("{transport}:{}", dir.path().display()), "image-missing", "directory");
    }
}

#[test]
fn no_text_of_what_is_no_image_is_told() {
    let dir = scratch();
    let secret = format!("{CANARY}:*:20228:0:99999:7:::\n").repeat(40);
    // As an archive, as a document, and as a layer with its right digest.
    let plain = dir.path().join("shadow");
    fs::write(&plain, &secret).expect("written");
    refused(&format!("oci-archive:{}", plain.display()), "bad-image", "archive");
    let place = dir.path().join("document");
    let image = Layout::new(&place, vec![base()]).write();
    fs::write(place.join("index.json"), &secret).expect("written");
    refused(&image, "bad-image", "document");
    let text = format!("\"{CANARY}\"");
    fs::write(place.join("index.json"), &text).expect("written");
    refused(&image, "bad-image", "document of another kind");
    let image = Layout::new(&dir.path().join("layer"), vec![base(), secret.into_bytes()]).write();
    refused(&image, "bad-image", "layer");
}

/// Judge: the kernel would take each of these as "leave the owner"; root's set-uid bit would stay root's.
#[test]
fn owners_that_no_file_can_have_are_refused() {
    let with = |uid: u64, gid: u64| {
        let head = head(&Head { name: b"x/su", mode: 0o4755, uid, gid, size: 4, ..Head::default() });
        tar(&[head, padded(b"\x7fELF")])
    };
    let by_pax = |key: &str, id: &str| tar(&[pax(&[(key, id.as_bytes())]), file("x/su", 0o4755, b"\x7fELF")]);
    // All 8 bytes of the field: a negative number, and one that needs 56 bits.
    let raw = |bytes: [u8; 8]| {
        let mut block = head(&Head { name: b"x/su", mode: 0o4755, size: 4, ..Head::default() });
        block[108..116].copy_from_slice(&bytes);
        hostile::seal(&mut block);
        tar(&[block, padded(b"\x7fELF")])
    };
    let layers = [
        ("2^32-1", with(u64::from(u32::MAX), 0)),
        ("2^32", with(1 << 32, 0)),
        ("2^33 of the group", with(0, 1 << 33)),
        ("-1", raw([0xff; 8])),
        ("-2", raw([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe])),
        ("2^55", raw([0x80, 0x80, 0, 0, 0, 0, 0, 0])),
        ("pax 2^32-1", by_pax("uid", "4294967295")),
        ("pax 2^64", by_pax("gid", "18446744073709551616")),
        ("pax -1", by_pax("uid", "-1")),
        ("pax word", by_pax("uid", "root")),
    ];
    for (what, layer) in layers {
        let dir = scratch();
        let image = Layout::new(&dir.path().join("l"), vec![base(), layer]).write();
        let out = dir.path().join("out");
        let ran =
            limited(&["build", "--root", &image, "-o", &out.display().to_string(), "-i", "/x/**", "--", "/bin/x"]);
        assert_eq!(misbehaves(&ran), None, "{what}: {ran:?}");
        assert_eq!(ran.code, Some(3), "{what}: {ran:?}");
        assert!(ran.err.starts_with("error[owner-out-of-range]"), "{what}: {ran:?}");
        assert!(!out.exists(), "{what}");
    }
    // The largest owner there is goes through, and stat sees it.
    let dir = scratch();
    let image = Layout::new(&dir.path().join("l"), vec![base(), with(u64::from(u32::MAX) - 1, 7)]).write();
    let out = dir.path().join("out");
    let ran = limited(&["build", "--root", &image, "-o", &out.display().to_string(), "-i", "/x/**", "--", "/bin/x"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    if rustix::process::geteuid().is_root() {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(out.join("x/su")).expect("packed");
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (u32::MAX - 1, 7, 0o4755));
    }
}

#[test]
fn headers_that_lie_about_sizes_are_refused() {
    let size_of = |bytes: [u8; 12]| {
        let mut block = head(&Head { name: b"x/a", ..Head::default() });
        block[124..136].copy_from_slice(&bytes);
        hostile::seal(&mut block);
        tar(&[block])
    };
    let layers = [
        ("2^64 and more", size_of([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("negative", size_of([0xff; 12])),
        ("2^63", size_of([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        ("2^64-1", size_of([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        ("no number", size_of(*b"99999999999\0")),
        ("pax size", tar(&[pax(&[("size", b"18446744073709551615")]), file("x/a", 0o644, b"")])),
        ("pax size, no number", tar(&[pax(&[("size", b"0x10")]), file("x/a", 0o644, b"")])),
        (
            "pax record longer than its header",
            tar(&[
                [head(&Head { kind: b'x', size: 20, ..Head::default() }), padded(b"999999 path=x\n")].concat(),
                file("x/a", 0o644, b""),
            ]),
        ),
        ("a name that Linux does not take", tar(&[pax(&[("path", &[b'n'; 300])]), file("x/a", 0o644, b"")])),
        (
            "a link that Linux does not take",
            tar(&[pax(&[("linkpath", &[b'l'; 10_000])]), head(&Head { name: b"x/a", kind: b'2', ..Head::default() })]),
        ),
    ];
    for (what, layer) in layers {
        let dir = scratch();
        refused(&Layout::new(&dir.path().join("l"), vec![base(), layer]).write(), "bad-image", what);
    }
}

/// Each of these is a few megabytes that ask for gigabytes of memory; a run has one gigabyte and a minute.
#[test]
fn small_images_take_no_more_than_their_limits() {
    const GB: u64 = 1 << 30;
    let extended = |kind: u8| gzip(&[(&head(&Head { kind, size: 3 * GB, ..Head::default() }), 3 * GB)]);
    let file_of = |size| gzip(&[(&head(&Head { name: b"x/a", size, ..Head::default() }), 1 << 20)]);
    let many_attributes = || {
        let one = |at: usize| {
            let value = [format!("{at}").into_bytes(), vec![b'v'; 60 << 10]].concat();
            let keys: Vec<String> = (0..15).map(|at| format!("SCHILY.xattr.user.{at}")).collect();
            let records: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), value.as_slice())).collect();
            [pax(&records), file(&format!("x/{at}"), 0o644, b"")].concat()
        };
        gzip(&[(&tar(&(0..200).map(one).collect::<Vec<_>>()), 0)])
    };
    let long_names = || {
        let one = |at: usize| {
            let parts = (0..15).map(|part| format!("{at:06}-{part}{}", "a".repeat(240)));
            let path = parts.collect::<Vec<_>>().join("/");
            [pax(&[("path", path.as_bytes())]), file("x", 0o644, b"")].concat()
        };
        gzip(&[(&tar(&(0..34_000).map(one).collect::<Vec<_>>()), 0)])
    };
    let layers = [
        ("pax header", "bad-image", extended(b'x')),
        ("long name", "bad-image", extended(b'L')),
        ("long link", "bad-image", extended(b'K')),
        ("zeros behind the end", "bad-image", gzip(&[(&tar(&[]), 6 * GB)])),
        ("attributes", "image-too-large", many_attributes()),
        ("long names", "image-too-large", long_names()),
        ("a file of 70 GB", "bad-image", file_of(70 * GB)),
        ("a file of 6 GB", "bad-image", file_of(6 * GB)),
    ];
    for (what, code, layer) in layers {
        let dir = scratch();
        refused(&Layout::new(&dir.path().join("l"), vec![base(), layer]).write(), code, what);
    }
}

/// A global header says nothing that counts; it is passed over without being kept.
#[test]
fn shared_attributes_and_global_headers_take_no_memory() {
    let value = vec![b'v'; 60 << 10];
    let mut entries = vec![pax(&[("SCHILY.xattr.user.a", &value)]), file("x/a", 0o644, b"1")];
    for at in 0..20_000 {
        let name = format!("x/l{at}");
        entries.push(head(&Head { name: name.as_bytes(), kind: b'1', link: b"x/a", ..Head::default() }));
    }
    let global = head(&Head { kind: b'g', size: 1 << 30, ..Head::default() });
    for (what, layer) in [
        ("hard links", gzip(&[(&tar(&entries), 0)])),
        ("global header", gzip(&[(&global, 1 << 30), (&tar(&[file("x/a", 0o644, b"1")]), 0)])),
    ] {
        let dir = scratch();
        let ran = limited(&["check", &Layout::new(&dir.path().join("l"), vec![base(), layer]).write()]);
        assert_eq!(misbehaves(&ran), None, "{what}: {ran:?}");
        assert!(ran.code.is_some_and(|code| code < 2), "{what}: {ran:?}");
    }
}

/// Judge: the file that comes out is that of the last layer, and 500 times 5 MB are not read, which would take far longer.
#[test]
fn a_layer_that_is_named_again_is_read_once() {
    let dir = scratch();
    let mut layout = Layout::new(
        &dir.path().join("l"),
        vec![
            base(),
            gzip(&[
                (&[head(&Head { name: b"x/a", size: 200 << 20, ..Head::default() })].concat(), 200 << 20),
                (&[0; 1024], 0),
            ]),
            tar(&[file("x/b", 0o644, b"between"), file("x/a", 0o644, b"between")]),
        ],
    );
    layout.order = std::iter::once(0).chain((0..500).map(|at| 1 + at % 2)).collect();
    let image = layout.write();
    let out = dir.path().join("out");
    let ran = limited(&["build", "--root", &image, "-o", &out.display().to_string(), "-i", "/x/**", "--", "/bin/x"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::read(out.join("x/a")).expect("packed"), b"between");
    layout.order.push(1);
    let image = layout.write();
    let ran = limited(&[
        "build",
        "--root",
        &image,
        "--force",
        "-o",
        &out.display().to_string(),
        "-i",
        "/x/**",
        "--",
        "/bin/x",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::metadata(out.join("x/a")).expect("packed").len(), 200 << 20);
    layout.order = [0].into_iter().chain(std::iter::repeat_n(1, 4_000)).collect();
    refused(&layout.write(), "bad-image", "4000 layers");
}

/// Judge: GNU tar, which wrote the archive.
#[test]
fn layers_as_gnu_tar_writes_them_are_read() {
    let dir = scratch();
    let tree = dir.path().join("tree/x");
    let deep = tree.join("d".repeat(200)).join("e".repeat(200));
    fs::create_dir_all(&deep).expect("made");
    fs::write(deep.join("leaf"), "leaf").expect("written");
    symlink("t".repeat(300), tree.join("link")).expect("linked");
    let sparse = fs::File::create(tree.join("sparse")).expect("made");
    for at in (0..40_u64).map(|at| at << 20) {
        use std::os::unix::fs::FileExt;
        sparse.write_all_at(b"island", at).expect("written");
    }
    sparse.set_len(64 << 20).expect("sized");
    for format in ["gnu", "pax", "oldgnu", "ustar"] {
        let archive = dir.path().join(format);
        let mut tar = Command::new("tar");
        tar.args(["--format", format, "-cf"]).arg(&archive).arg("-C").arg(dir.path().join("tree"));
        tar.args(match format {
            "gnu" | "oldgnu" => ["-S", "x"].as_slice(),
            "ustar" => &["--exclude=link", "--exclude=ddd*", "x"],
            _ => &["x"],
        });
        let made = tar.output().expect("tar runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let image = Layout::new(&dir.path().join("l"), vec![base(), fs::read(&archive).expect("read")]).write();
        let out = dir.path().join(format!("out-{format}"));
        let ran =
            limited(&["build", "--root", &image, "-o", &out.display().to_string(), "-i", "/x/**", "--", "/bin/x"]);
        assert_eq!(ran.code, Some(0), "{format}: {ran:?}");
        let unpacked = dir.path().join(format!("unpacked-{format}"));
        fs::create_dir(&unpacked).expect("made");
        assert!(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&unpacked).status().expect("tar").success());
        let mut diff = Command::new("diff");
        diff.arg("-r").arg("--no-dereference").arg(unpacked.join("x")).arg(out.join("x"));
        let same = diff.output().expect("diff runs");
        assert!(same.status.success(), "{format}: {}", String::from_utf8_lossy(&same.stdout));
    }
}
