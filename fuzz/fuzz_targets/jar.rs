//! Jars: the input as a whole jar, or as the manifest of one.
#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot_fuzz::{interpreters, pack, request};
use zip::CompressionMethod::Stored;
use zip::write::SimpleFileOptions;

fn with_manifest(text: &[u8]) -> Option<Vec<u8>> {
    let mut jar = zip::ZipWriter::new(Cursor::new(Vec::new()));
    jar.start_file("META-INF/MANIFEST.MF", SimpleFileOptions::default().compression_method(Stored)).ok()?;
    jar.write_all(text).ok()?;
    Some(jar.finish().ok()?.into_inner())
}

fuzz_target!(|bytes: &[u8]| {
    let jar = if bytes.starts_with(b"PK") { Some(bytes.to_vec()) } else { with_manifest(bytes) };
    let Some(jar) = jar else { return };
    let mut tree = interpreters();
    tree.file("/srv/app/a.jar", 0o644, jar.clone())
        .file("/srv/app/lib/b.jar", 0o644, jar)
        .link("/srv/app/lib/c.jar", "b.jar")
        .dir("/srv/app/classes", 0o755);
    for args in [&["-jar", "/srv/app/a.jar"][..], &["-cp", "/srv/app/lib/*:/srv/app/classes", "Main"]] {
        let args = args.iter().map(|word| (*word).to_owned()).collect();
        pack(&tree, &Request { args, ..request("/opt/java/bin/java") });
    }
});
