//! A layer of somebody's image: bytes as the layer of a docker archive, which is then unpacked.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use slimroot::image_reader::{ReadOptions, Reference, read};
use slimroot::registry::Access;

fuzz_target!(|layer: &[u8]| {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    let manifest = br#"[{"Config":"c","RepoTags":null,"Layers":["l"]}]"#;
    let config = br#"{"architecture":"amd64","config":{"Cmd":["/x"]}}"#;
    for (name, bytes) in [("manifest.json", &manifest[..]), ("c", &config[..]), ("l", layer)] {
        let mut header = [0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let padding = vec![0; bytes.len().next_multiple_of(512) - bytes.len()];
        if file.write_all(&header).and_then(|()| file.write_all(bytes)).and_then(|()| file.write_all(&padding)).is_err()
        {
            return;
        }
    }
    if file.write_all(&[0; 1024]).is_err() {
        return;
    }
    let Some(reference) = Reference::parse(&format!("docker-archive:{}", file.path().display())) else { return };
    let access = Access::default();
    let options = ReadOptions { progress: &|_, _| (), stop: &|| false, access: &access, platform: None };
    let _ = read(&reference, &options);
});
