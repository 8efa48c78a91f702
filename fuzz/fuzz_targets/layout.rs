//! Documents of an OCI layout: index.json, a manifest or a second index, a configuration, and the file of a layer.
//!
//! In a document, `@1` to `@3` stand for the digests of the blobs, which a mutation would never hit.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use slimroot::digest::Digest;
use slimroot::image_reader::{ReadOptions, Reference, read};
use slimroot::registry::Access;
use slimroot_fuzz::{Entry, archive, parts};

/// The document with digests in the places of `@1` and so on.
fn filled(document: &[u8], digests: &[String]) -> Vec<u8> {
    let mut pieces = document.split(|b| *b == b'@');
    let mut out = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let number = piece.first().and_then(|b| b.checked_sub(b'1')).map(usize::from);
        match number.and_then(|number| digests.get(number)) {
            Some(digest) => {
                out.extend_from_slice(digest.as_bytes());
                out.extend_from_slice(&piece[1..]);
            }
            None => {
                out.push(b'@');
                out.extend_from_slice(piece);
            }
        }
    }
    out
}

fuzz_target!(|bytes: &[u8]| {
    let [index, manifest, config, file] = parts::<4>(bytes);
    let layer = archive([Entry::file("etc/x", file)]);
    let of = |bytes: &[u8]| Digest::of(bytes).to_string();
    // A document can only name blobs that exist before it.
    let mut digests = [String::new(), String::new(), of(&layer)];
    let config = filled(config, &digests);
    digests[1] = of(&config);
    let manifest = filled(manifest, &digests);
    digests[0] = of(&manifest);
    let index = filled(index, &digests);
    let names = digests.map(|digest| format!("blobs/{}", digest.replace(':', "/")));
    let blobs = names.iter().map(String::as_str).zip([&manifest[..], &config[..], &layer[..]]);
    let files = std::iter::once(("index.json", &index[..])).chain(blobs);
    let image = archive(files.map(|(name, body)| Entry::file(name, body)));
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(&image).is_err() {
        return;
    }
    for tag in ["", ":v1"] {
        let Some(reference) = Reference::parse(&format!("oci-archive:{}{tag}", file.path().display())) else { return };
        if let Ok(image) = read(
            &reference,
            &ReadOptions { progress: &|_, _| (), stop: &|| false, access: &Access::default(), platform: None },
        ) {
            image.run.line();
        }
    }
});
