//! Files whose paths a program contains: its settings, which only the group of its service may read, and its data. The
//! packed program gives the same output as in the builder root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::need;
use crate::support::roots::{run, slimroot};

const PROGRAM: &str = r#"#include <stdio.h>
static void show(const char *path) {
    char line[64];
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file)) { printf("no %s\n", path); return; }
    printf("%s says %s", path, line);
}
int main(void) {
    show("/etc/lab/lab.conf");
    char path[64];
    snprintf(path, sizeof path, "%s/%s", "/usr/local/share/lab", "table");
    show(path);
    return fopen("/etc/lab.secret", "r") == NULL && 0;
}
"#;

fn put(root: &Path, path: &str, mode: u32, text: &str) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().expect("a directory")).expect("made");
    fs::write(&place, text).expect("written");
    fs::set_permissions(&place, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn compile(root: &Path, path: &str, source: &str) {
    put(root, "tmp/x.c", 0o644, source);
    fs::create_dir_all(root.join(path).parent().expect("a directory")).expect("made");
    let (from, to) = (root.join("tmp/x.c").display().to_string(), root.join(path).display().to_string());
    run("gcc", &["-static", "-o", &to, &from]);
}

#[test]
fn what_a_program_names_comes_and_passwords_stay() {
    if !need::all(&["gcc", "chroot"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    compile(&root, "usr/local/bin/lab", PROGRAM);
    put(&root, "etc/lab/lab.conf", 0o640, "settings\n");
    put(&root, "etc/lab/key", 0o600, "mine\n");
    put(&root, "etc/lab.secret", 0o600, "mine\n");
    put(&root, "usr/local/share/lab/table", 0o644, "data\n");
    put(&root, "usr/local/share/other/table", 0o644, "data\n");
    let (from, out) = (root.display().to_string(), dir.path().join("out"));
    let to = format!("dir:{}", out.display());
    let packed = slimroot(&["build", "--root", &from, "-o", &to, "--", "lab"]);
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let says = String::from_utf8_lossy(&packed.stdout) + String::from_utf8_lossy(&packed.stderr);
    assert!(says.contains("--include '/etc/lab.secret' adds"), "{says}");
    let wanted = run("chroot", &[&from, "/usr/local/bin/lab"]);
    assert_eq!(run("chroot", &[&out.display().to_string(), "/usr/local/bin/lab"]), wanted);
    assert!(wanted.contains("settings") && wanted.contains("data"), "{wanted}");
    for left in ["etc/lab/key", "etc/lab.secret", "usr/local/share/other", "tmp/x.c"] {
        assert!(!out.join(left).exists(), "{left}");
    }
}
