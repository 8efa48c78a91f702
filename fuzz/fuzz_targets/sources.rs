//! Sources of Python, Node, Perl, PHP and Ruby, read for the programs and files that they name. The first byte chooses the
//! files; then come their texts, separated by lines `%%`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot_fuzz::{interpreters, pack, parts, request};

/// An interpreter, its script, and two files that are read with it.
const LANGUAGES: [[&str; 4]; 10] = [
    ["/usr/bin/python3", "main.py", "lib/a.py", "/usr/bin/pyvenv.cfg"],
    ["/usr/bin/python3", "main.py", "/usr/lib/python3/dist-packages/a.py", "/usr/lib/python3/dist-packages/a.pth"],
    ["/usr/bin/node", "main.js", "lib/a.js", "package.json"],
    ["/usr/bin/node", "main.js", "node_modules/a/package.json", "package-lock.json"],
    ["/usr/bin/node", "main.mjs", ".pnp.cjs", "node_modules/.package-lock.json"],
    ["/usr/bin/perl", "main.pl", "lib/A.pm", "app.psgi"],
    ["/usr/bin/php", "main.php", "lib/a.php", "vendor/composer/installed.json"],
    ["/usr/bin/php", "main.php", "composer.json", "php.ini"],
    ["/usr/bin/ruby", "main.rb", "Gemfile", "Gemfile.lock"],
    ["/usr/bin/ruby", "main.rb", "lib/a.rb", ".bundle/config"],
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let [interpreter, names @ ..] = LANGUAGES[usize::from(first.wrapping_sub(b'0')) % LANGUAGES.len()];
    let mut tree = interpreters();
    for (name, text) in names.iter().zip(parts::<3>(rest)) {
        let path = if name.starts_with('/') { (*name).to_owned() } else { format!("/srv/app/{name}") };
        tree.file(&path, 0o755, text);
    }
    tree.file("/srv/app/.bundle/config", 0o644, "BUNDLE_WITHOUT: \"test:x\"\n");
    let args = vec![format!("/srv/app/{}", names[0]), "prog".to_owned()];
    pack(&tree, &Request { args, ..request(interpreter) });
});
