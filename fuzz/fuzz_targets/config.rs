//! A configuration file, read in each grammar for what it names, and a probe of the same bytes.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot::profile::Profile;
use slimroot_fuzz::{pack, request, world};

const GRAMMARS: [&str; 5] = ["braces", "lines", "keys", "pam", "xml"];
const TEXT: &str = r#"
format = 1
name = "reader"
summary = "reads"
[[probe]]
name = "p"
soname = "liba.so"
pattern = "dir={};"
default = ["/usr/lib"]
[[probe]]
name = "q"
pattern = "{}/lib"
[[read]]
why = "w"
grammar = "GRAMMAR"
files = ["/etc/x.conf", "{q}/x.conf"]
arguments = ["-c", ""]
names = [
    { directives = ["include", ".include"], what = "config", in = [".", "{main}"], need = "required" },
    { directives = ["define"], what = "variable" },
    { directives = ["base"], what = "{p}" },
    { directives = ["providers"], keys = true, what = "module", suffix = ".so", except = ["a"], in = ["{p}"] },
    { directives = ["module", "load_module"], word = 0, what = "module", suffix = ".so", in = ["{p}"], need = "expected" },
    { directives = ["dir"], with = "prefix=xdg", what = "file", in = ["{$HOME}"] },
    { directives = ["dir", "argument"], what = "file" },
    { directives = ["root"], what = "told" },
]
otherwise = ["{p}/*.so"]
"#;
static READERS: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    GRAMMARS.iter().map(|name| Profile::parse(&TEXT.replace("GRAMMAR", name), name).expect("a profile")).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let mut tree = world();
    tree.file("/etc/x.conf", 0o644, bytes).file("/etc/d/y.conf", 0o644, bytes).link("/etc/d/x.conf", "../x.conf");
    let mut library = include_bytes!("../world/liba.so").to_vec();
    library.extend_from_slice(bytes);
    tree.file("/usr/lib/liba.so", 0o644, library);
    for reader in READERS.iter() {
        pack(&tree, &Request { profiles: vec![reader.clone()], ..request("/bin/prog") });
    }
    let automatic = Request { automatic: READERS.clone(), args: vec!["-c/etc/d".to_owned()], ..request("/bin/prog") };
    pack(&tree, &automatic);
});
