//! Images whose layers, names and documents are lies.

use std::path::Path;

use serde_json::json;

use crate::support::hostile::{Head, Layout, base, file, gzip, head, padded, pax, seal, tar};

/// One entry without content.
fn entry(name: &[u8], kind: u8, link: &[u8], mode: u64) -> Vec<u8> {
    head(&Head { name, kind, link, mode, ..Head::default() })
}

fn link(name: &str, target: &[u8]) -> Vec<u8> {
    entry(name.as_bytes(), b'2', target, 0o777)
}

/// A header with another byte at an offset, its checksum right again.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut block = head(&Head { name: b"x/f", size: 4, ..Head::default() });
    block[at..at + bytes.len()].copy_from_slice(bytes);
    seal(&mut block);
    [block, padded(b"data")].concat()
}

/// Makes an image with the base and a layer of this name; returns the command line.
pub(super) fn make(scratch: &Path, name: &str) -> Vec<String> {
    let place = scratch.join("image");
    let long = vec![b'n'; 10_000];
    let slashes = b"d/".repeat(3000);
    let layer = match name {
        "plain" => tar(&[file("x/f", 0o644, b"data")]),
        "empty" => Vec::new(),
        "zeros" => vec![0; 4096],
        "garbage" => (0..4096_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
        "parent" => tar(&[file("../outside", 0o644, b"data")]),
        "parent-inside" => tar(&[file("x/../../outside", 0o644, b"data")]),
        "absolute" => tar(&[file("/outside", 0o644, b"data")]),
        "through-link" => tar(&[link("x", b"../../.."), file("x/outside", 0o644, b"data")]),
        "link-out" => tar(&[link("etc/passwd", b"../../../../../../outside")]),
        "hard-link-out" => tar(&[entry(b"x", b'1', b"../../outside", 0o644)]),
        "hard-link-to-itself" => tar(&[entry(b"x", b'1', b"x", 0o644)]),
        "hard-link-to-nothing" => tar(&[entry(b"x", b'1', b"nothing", 0o644)]),
        "link-loop" => tar(&[link("bin/x", b"x")]),
        "link-of-10kB" => tar(&[pax(&[("linkpath", &long)]), link("x", b"y")]),
        "name-of-10kB" => tar(&[pax(&[("path", &long)]), file("x", 0o644, b"")]),
        "path-of-3000-parts" => tar(&[pax(&[("path", &slashes)]), file("x", 0o644, b"")]),
        "name-with-nul" => tar(&[pax(&[("path", b"a\0b")]), file("x", 0o644, b"")]),
        "name-with-escape" => tar(&[file("x/\x1b[31m\n::error::x", 0o644, b"data")]),
        "name-not-utf8" => tar(&[entry(b"x/\xff\xfe", b'0', b"", 0o644)]),
        "device" => tar(&[entry(b"x", b'3', b"", 0o666)]),
        "pipe" => tar(&[entry(b"x", b'6', b"", 0o666)]),
        "unknown-kind" => tar(&[entry(b"x", b'Z', b"", 0o644)]),
        "set-id" => tar(&[file("x/su", 0o6755, b"\x7fELF")]),
        "mode-of-all-bits" => tar(&[with(100, b"7777777\0")]),
        "mode-no-number" => tar(&[with(100, b"notanum\0")]),
        "size-negative" => tar(&[with(124, &[0xff; 12])]),
        "size-huge" => tar(&[with(124, b"77777777777\0")]),
        // More than the limit of the run on the size of files.
        "file-of-1536MB" => gzip(&[(&head(&Head { name: b"zeros", size: 1536 << 20, ..Head::default() }), 1536 << 20)]),
        "size-no-number" => tar(&[with(124, b"xxxxxxxxxxx\0")]),
        "owner-minus-one" => tar(&[with(108, b"\x80\0\0\0\xff\xff\xff\xff")]),
        "time-negative" => tar(&[with(136, &[0xff; 12])]),
        "checksum-wrong" => {
            let mut bytes = tar(&[file("x", 0o644, b"data")]);
            bytes[148] ^= 1;
            bytes
        }
        "cut-in-header" => tar(&[file("x", 0o644, b"data")])[..300].to_vec(),
        "cut-in-content" => tar(&[file("x", 0o644, &[b'a'; 4000])])[..1500].to_vec(),
        "gzip-cut" => {
            let bytes = gzip(&[(&tar(&[file("x", 0o644, b"data")]), 0)]);
            bytes[..bytes.len() / 2].to_vec()
        }
        "gzip-bomb" => gzip(&[(&head(&Head { name: b"x", size: 8 << 30, ..Head::default() }), 1 << 30)]),
        "gzip-tail" => gzip(&[(&tar(&[file("x", 0o644, b"data")]), 1 << 30)]),
        "pax-of-1GB" => gzip(&[(&head(&Head { name: b"p", kind: b'x', size: 1 << 30, ..Head::default() }), 1 << 30)]),
        "long-name-of-1GB" => {
            gzip(&[(&head(&Head { name: b"l", kind: b'L', size: 1 << 30, ..Head::default() }), 1 << 30)])
        }
        "pax-no-length" => {
            let header = head(&Head { name: b"p", kind: b'x', size: 8, ..Head::default() });
            tar(&[header, padded(b"nonsense"), file("x", 0o644, b"")])
        }
        "attribute-of-1MB" => tar(&[pax(&[("SCHILY.xattr.user.a", &vec![b'a'; 1 << 20])]), file("x", 0o644, b"")]),
        // Memory of attributes of many files.
        "attributes-of-126MB" => {
            let value = |at: usize| format!("{at:08}").repeat(7500).into_bytes();
            let one = |at| [pax(&[("SCHILY.xattr.user.a", &value(at))]), file(&format!("f{at}"), 0o644, b"")].concat();
            tar(&(0..2100).map(one).collect::<Vec<_>>())
        }
        "attributes-alike-of-126MB" => {
            let value = vec![b'a'; 60_000];
            let one = |at| [pax(&[("SCHILY.xattr.user.a", &value)]), file(&format!("f{at}"), 0o644, b"")].concat();
            tar(&(0..2100).map(one).collect::<Vec<_>>())
        }
        "whiteouts-of-what-it-has" => {
            let deep = |at: usize, name: &str| file(&format!("{}{name}", "d/".repeat(at)), 0o644, b"");
            tar(&(0..40)
                .flat_map(|at| [deep(at, ".wh.d"), deep(at + 1, "f"), deep(at, ".wh..wh..opq")])
                .collect::<Vec<_>>())
        }
        "attribute-of-capabilities" => {
            tar(&[pax(&[("SCHILY.xattr.security.capability", b"x")]), file("x", 0o755, b"")])
        }
        "whiteout-of-root" => tar(&[file(".wh.", 0o644, b""), file(".wh..", 0o644, b"")]),
        "whiteout-of-parent" => tar(&[file("x/.wh...", 0o644, b"")]),
        "opaque-root" => tar(&[file(".wh..wh..opq", 0o644, b"")]),
        "root-is-a-file" => tar(&[entry(b"./", b'0', b"", 0o644)]),
        "root-is-a-link" => tar(&[link(".", b"/outside")]),
        "directory-becomes-file" => tar(&[file("etc", 0o644, b"data")]),
        "file-becomes-directory" => tar(&[file("bin/x/f", 0o644, b"data")]),
        "directories-40-deep" => tar(&[entry("d/".repeat(40).as_bytes(), b'5', b"", 0o755)]),
        "same-name-1000-times" => tar(&vec![file("x", 0o644, b"data"); 1000]),
        "farm-of-10000" => {
            let mut all = vec![file("x", 0o644, b"data")];
            all.extend((0..10_000).map(|at| entry(format!("f{at}").as_bytes(), b'1', b"x", 0o644)));
            tar(&all)
        }
        _ => return document(scratch, name),
    };
    vec!["check".to_owned(), Layout::new(&place, vec![base(), layer]).write()]
}

/// An image with a good layer and a document that lies.
fn document(scratch: &Path, name: &str) -> Vec<String> {
    let place = scratch.join("image");
    let layout = Layout::new(&place, vec![base()]);
    let escape = "\u{1b}[31m\n::error::x";
    let image = match name {
        "config-user" => layout.config(json!({ "Entrypoint": ["/bin/x"], "User": escape })).write(),
        "config-workdir" => layout.config(json!({ "Entrypoint": ["/bin/x"], "WorkingDir": escape })).write(),
        "config-workdir-out" => {
            layout.config(json!({ "Entrypoint": ["/bin/x"], "WorkingDir": "../../outside" })).write()
        }
        "config-entrypoint" => layout.config(json!({ "Entrypoint": [escape] })).write(),
        "config-entrypoint-empty" => layout.config(json!({ "Entrypoint": [] })).write(),
        "config-env" => {
            layout.config(json!({ "Entrypoint": ["/bin/x"], "Env": [escape, "=", "A", "LD_PRELOAD=/x"] })).write()
        }
        "config-ports" => layout.config(json!({ "Entrypoint": ["/bin/x"], "ExposedPorts": { escape: {} } })).write(),
        "config-kinds" => layout.config(json!({ "Entrypoint": 7 })).write(),
        "config-of-100k-labels" => {
            let labels: serde_json::Map<_, _> = (0..100_000).map(|at| (format!("l{at}"), json!("v"))).collect();
            layout.config(json!({ "Entrypoint": ["/bin/x"], "Labels": labels })).write()
        }
        "config-of-8MB" => {
            layout.config(json!({ "Entrypoint": ["/bin/x"], "Env": ["A=".to_owned() + &"a".repeat(8 << 20)] })).write()
        }
        "config-of-1M-values" => {
            layout.config(json!({ "Entrypoint": ["/bin/x"], "Healthcheck": { "Test": vec!["a"; 1 << 20] } })).write()
        }
        "config-no-object" => layout.config(json!([])).write(),
        "architecture" => layout.write_with(escape, &|_| ()),
        "manifest-no-layers" => layout.write_with("amd64", &|manifest| manifest["layers"] = json!([])),
        "manifest-layers-missing" => layout.write_with("amd64", &|manifest| manifest["layers"] = json!(null)),
        "manifest-size-wrong" => layout.write_with("amd64", &|manifest| manifest["layers"][0]["size"] = json!(1)),
        "manifest-size-negative" => layout.write_with("amd64", &|manifest| manifest["layers"][0]["size"] = json!(-1)),
        "manifest-digest-path" => {
            layout.write_with("amd64", &|manifest| manifest["layers"][0]["digest"] = json!("sha256:../../../outside"))
        }
        "manifest-digest-kind" => {
            layout.write_with("amd64", &|manifest| manifest["layers"][0]["digest"] = json!("md5:00"))
        }
        "manifest-media-type" => {
            layout.write_with("amd64", &|manifest| manifest["layers"][0]["mediaType"] = json!(escape))
        }
        "manifest-2000-layers" => layout.write_with("amd64", &|manifest| {
            let one = manifest["layers"][0].clone();
            manifest["layers"] = json!(vec![one; 2000]);
        }),
        "index-deep" => {
            let image = layout.write();
            std::fs::write(place.join("index.json"), "[".repeat(200_000)).expect("written");
            image
        }
        "index-huge" => {
            let image = layout.write();
            let file = std::fs::File::options().write(true).open(place.join("index.json")).expect("open");
            file.set_len(1 << 40).expect("sized");
            image
        }
        "index-empty" => {
            let image = layout.write();
            std::fs::write(place.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).expect("written");
            image
        }
        _ => panic!("there is no image {name}"),
    };
    vec!["check".to_owned(), image]
}
