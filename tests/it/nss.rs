//! With the root's nsswitch.conf included, a real program finds users and hosts through the modules in it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::need;
use crate::support::roots::{root, run};

const FILES: [(&str, &str); 4] = [
    ("etc/nsswitch.conf", "passwd: files extrausers\ngroup: files\nhosts: files [NOTFOUND=continue] myhostname dns\n"),
    ("var/lib/extrausers/passwd", "alice:x:2001:2001:Alice:/home/alice:/bin/sh\n"),
    ("var/lib/extrausers/group", "crew:x:2001:\n"),
    ("var/lib/extrausers/shadow", "alice:!:::::::\n"),
];

fn asked(image: &Path, words: &[&str]) -> (bool, String) {
    let output = Command::new("chroot").arg(image).arg("getent").args(words).output().expect("chroot runs");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn services_of_a_kept_file_are_opened() {
    if !need::all(&["mmdebstrap", "chroot", "cp"]) {
        return;
    }
    let modules = "--include=libnss-extrausers,libnss-myhostname";
    let cached = root("bookworm-nss", "bookworm", &["--variant=minbase", "--dpkgopt=force-unsafe-io", modules]);
    let dir = tempfile::tempdir().expect("a directory");
    let (root, out) = (dir.path().join("root"), dir.path().join("out"));
    run("cp", &["-a", &cached.display().to_string(), &root.display().to_string()]);
    for (path, text) in FILES {
        fs::create_dir_all(root.join(path).parent().expect("a parent")).expect("made");
        fs::write(root.join(path), text).expect("written");
    }
    let (from, to) = (root.display().to_string(), format!("dir:{}", out.display()));
    for (more, is_kept) in [
        (&[][..], false),
        (&["-i", "/etc/nsswitch.conf"], true),
        (&["-i", "/etc/nsswitch.conf", "--companions", "none"], true),
    ] {
        let all = [&["build", "--force", "--root", &from, "-o", &to], more, &["--", "getent"]].concat();
        run(env!("CARGO_BIN_EXE_slimroot"), &all);
        let (found, said) = asked(&out, &["passwd", "alice"]);
        assert_eq!((found, said.contains("/home/alice")), (is_kept, is_kept), "{more:?}: {said}");
        let (found, said) = asked(&out, &["hosts", "x.localhost"]);
        assert_eq!(found, is_kept, "{more:?}: {said}");
        // Passwords must not be packed.
        assert!(!out.join("var/lib/extrausers/shadow").exists());
        assert!(!asked(&out, &["group", "crew"]).0, "the file does not name the service for groups");
    }
}
