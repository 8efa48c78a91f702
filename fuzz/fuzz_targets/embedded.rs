//! A file with other files in it: a jar, a zip application, a program of PyInstaller.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use slimroot::embedded;
use slimroot::path::RootPath;
use slimroot::root::{MemTree, Root};

fuzz_target!(|bytes: &[u8]| {
    let mut tree = MemTree::default();
    tree.file("/file", 0o755, bytes.to_vec());
    let (root, file) = (Root::new(Arc::new(tree)), RootPath::new("/file").expect("a path"));
    if let Some(found) = embedded::read(&root, &file).expect("readable") {
        let _ = (found.wants(|_| true), found.constants.names(&[b"config"]));
    }
    let _ = embedded::unread(&root, &file).expect("readable");
});
