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
fn services_of_the_root_are_opened() {
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
    for more in [&[][..], &["-i", "/etc/nsswitch.conf"], &["-i", "/etc/nsswitch.conf", "--companions", "none"]] {
        let all = [&["build", "--force", "--root", &from, "-o", &to], more, &["--", "getent"]].concat();
        run(env!("CARGO_BIN_EXE_slimroot"), &all);
        let (found, said) = asked(&out, &["passwd", "alice"]);
        assert!(found && said.contains("/home/alice"), "{more:?}: {said}");
        let (found, said) = asked(&out, &["hosts", "x.localhost"]);
        assert!(found, "{more:?}: {said}");
        // Passwords must not be packed.
        assert!(!out.join("var/lib/extrausers/shadow").exists());
        assert!(!asked(&out, &["group", "crew"]).0, "the file does not name the service for groups");
    }
    // A service without a module would only be complained about.
    fs::write(root.join("etc/nsswitch.conf"), "passwd: files sss extrausers\nhosts: files dns\n").expect("written");
    run(env!("CARGO_BIN_EXE_slimroot"), &["build", "--force", "--root", &from, "-o", &to, "--", "getent"]);
    assert!(asked(&out, &["passwd", "alice"]).0);
    let kept = fs::read_to_string(out.join("etc/nsswitch.conf")).expect("packed");
    assert_eq!(kept, "passwd: files extrausers\nhosts: files dns\n");
}
