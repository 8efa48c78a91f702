//! Headers of a layer. The checksums are right, so that the extended headers of pax and GNU tar are reached, which the
//! target `image` seldom does.
//!
//! Each entry is a line `KIND NAME>LINK>SIZE` without the first blank, then its body up to a line `%%`. Without a number
//! as SIZE, the header states the size of the body.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use slimroot::image_reader::{ReadOptions, Reference, read};
use slimroot::registry::Access;
use slimroot_fuzz::{Entry, archive, parts};

fn entry(part: &[u8]) -> Option<Entry<'_>> {
    let (kind, rest) = part.split_first()?;
    let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    let body = rest.get(end + 1..).unwrap_or_default();
    let mut words = rest[..end].splitn(3, |b| *b == b'>');
    let (name, link, size) = (words.next()?, words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let size = std::str::from_utf8(size).ok().and_then(|text| text.parse().ok()).unwrap_or(body.len() as u64);
    Some(Entry { kind: *kind, name, link, size, body })
}

fuzz_target!(|bytes: &[u8]| {
    let layer = archive(parts::<12>(bytes).into_iter().filter_map(entry));
    let manifest = br#"[{"Config":"c","RepoTags":null,"Layers":["l"]}]"#;
    let config = br#"{"architecture":"amd64","config":{"Cmd":["/x"]}}"#;
    let files = [("manifest.json", &manifest[..]), ("c", &config[..]), ("l", &layer[..])];
    let image = archive(files.map(|(name, body)| Entry::file(name, body)));
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(&image).is_err() {
        return;
    }
    let Some(reference) = Reference::parse(&format!("docker-archive:{}", file.path().display())) else { return };
    let _ = read(
        &reference,
        &ReadOptions { progress: &|_, _| (), stop: &|| false, access: &Access::default(), platform: None },
    );
});
