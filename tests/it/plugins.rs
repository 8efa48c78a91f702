//! A plug-in that no object lists as a dependency is resolved in the process that opens it, with the run path of that
//! program, whether it is the entry or another program. The program itself is the judge.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::roots::{self, run};

/// Opens each plug-in of its directory; the names are not in the program.
const HOST: &str = r#"
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
int plugins(const char *dir) {
    int loaded = 0;
    DIR *all = opendir(dir);
    for (struct dirent *one; all && (one = readdir(all));) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, one->d_name);
        void *opened = one->d_name[0] == '.' ? NULL : dlopen(path, RTLD_NOW);
        int (*value)(void) = opened ? (int (*)(void))dlsym(opened, "value") : NULL;
        if (value) { printf("%d\n", value()); loaded++; }
        else if (one->d_name[0] != '.') fprintf(stderr, "%s\n", dlerror());
    }
    return loaded;
}
"#;
const PROGRAM: &str =
    "int plugins(const char *); int main(int n, char **words) { return plugins(words[n - 1]) == 1 ? 0 : 1; }";
const PROFILE: &str = r#"
format = 1
name = "host"
summary = "plug-ins of libhost"
[[when]]
SIGN
[[take]]
why = "plug-ins of libhost"
paths = ["/usr/lib/host"]
elf = true
"#;

fn compile(root: &Path, source: &str, to: &str, flags: &[&str]) {
    let place = root.join(to);
    fs::create_dir_all(place.parent().expect("a directory")).expect("made");
    let file = root.with_extension("c");
    fs::write(&file, source).expect("written");
    let (file, place) = (file.display().to_string(), place.display().to_string());
    let search = [format!("-L{}/usr/lib", root.display()), format!("-L{}/opt/app/lib", root.display())];
    let words: Vec<&str> = ["-o", &place, &file].into_iter().chain(flags.iter().copied()).collect();
    run("gcc", &words.iter().copied().chain(search.iter().map(String::as_str)).collect::<Vec<_>>());
}

/// A root with this machine's C library, and a program whose plug-in needs a library that only the program's run path
/// finds.
fn root(place: &Path) {
    for file in ["/bin/sh", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"] {
        let to = place.join(&file[1..]);
        fs::create_dir_all(to.parent().expect("a directory")).expect("made");
        fs::copy(file, &to).expect("copied");
    }
    let library = ["-shared", "-fPIC", "-Wl,-soname"];
    compile(place, HOST, "usr/lib/libhost.so", &[&library[..], &["-Wl,libhost.so.1"]].concat());
    fs::rename(place.join("usr/lib/libhost.so"), place.join("usr/lib/libhost.so.1")).expect("renamed");
    let value = "int inner(void) { return 42; }";
    compile(place, value, "opt/app/lib/libinner.so.1", &[&library[..], &["-Wl,libinner.so.1"]].concat());
    let plugin = "int inner(void); int value(void) { return inner(); }";
    compile(place, plugin, "usr/lib/host/plugin.so", &["-shared", "-fPIC", "-l:libinner.so.1"]);
    let old_path = "-Wl,--disable-new-dtags,-rpath,/opt/app/lib,--allow-shlib-undefined";
    compile(place, PROGRAM, "opt/app/bin/program", &["-l:libhost.so.1", old_path]);
    let script = place.join("app.sh");
    fs::write(&script, "#!/bin/sh\nexec /opt/app/bin/program /usr/lib/host\n").expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode");
}

#[test]
fn a_plug_in_is_opened_in_the_process_of_the_program_that_shows_the_need() {
    let place = tempfile::tempdir().expect("a place");
    let (builder, packed, profile) =
        (place.path().join("builder"), place.path().join("packed"), place.path().join("host.toml"));
    root(&builder);
    let says = |root: &Path| {
        let out = Command::new("chroot").arg(root).arg("/app.sh").output().expect("chroot");
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    assert_eq!(says(&builder), (Some(0), "42\n".to_owned()));
    for (at, sign) in ["soname = \"libhost.so.1\"", "strings = [\"libhost.so.1\"]"].into_iter().enumerate() {
        fs::write(&profile, PROFILE.replace("SIGN", sign)).expect("written");
        let packed = packed.with_extension(at.to_string());
        let to = format!("dir:{}", packed.display());
        let built = roots::slimroot(&[
            "build",
            "--root",
            &builder.display().to_string(),
            "-p",
            &profile.display().to_string(),
            "-o",
            &to,
            "--",
            "/app.sh",
        ]);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        assert_eq!(says(&packed), says(&builder), "{sign}");
    }
}
