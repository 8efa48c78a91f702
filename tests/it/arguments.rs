//! Arguments and environment variables that name files through symlinks. The packed program reads the same files as in
//! the builder root.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::roots::{run, slimroot};

/// Prints the files of its arguments, then the file of a variable.
const PROGRAM: &str = r#"#include <stdio.h>
#include <stdlib.h>
static int show(const char *path) {
    char line[64];
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file || !fgets(line, sizeof line, file)) return printf("no %s\n", path), 1;
    return printf("%s", line), 0;
}
int main(int n, char **words) {
    int failed = getenv("SETTINGS") ? show(getenv("SETTINGS")) : 0;
    for (int at = 1; at < n; at++) failed |= show(words[at]);
    return failed;
}
"#;

/// A root with a release behind a symlink, as deployment tools create it.
fn root(place: &Path) {
    fs::create_dir_all(place.join("app/releases/3/conf")).expect("made");
    fs::create_dir_all(place.join("bin")).expect("made");
    fs::create_dir_all(place.join("tmp")).expect("made");
    fs::write(place.join("app/releases/3/conf/real.conf"), "settings\n").expect("written");
    fs::write(place.join("app/releases/3/data"), "data\n").expect("written");
    symlink("releases/3", place.join("app/current")).expect("linked");
    symlink("real.conf", place.join("app/releases/3/conf/app.conf")).expect("linked");
    symlink("/app/current/data", place.join("app/data")).expect("linked");
    let (source, to) = (place.with_extension("c"), place.join("bin/show").display().to_string());
    fs::write(&source, PROGRAM).expect("written");
    run("gcc", &["-static", "-o", &to, &source.display().to_string()]);
}

#[test]
fn files_are_read_by_the_paths_that_a_command_has_for_them() {
    let place = tempfile::tempdir().expect("a place");
    let builder = place.path().join("builder");
    root(&builder);
    let cases: [(&str, &str, &[&str]); 6] = [
        ("/", "", &["/app/current/conf/app.conf"]),
        ("/app/current", "", &["conf/app.conf", "data"]),
        ("/app/current/conf", "", &["../data", "./app.conf"]),
        ("/", "", &["app/current/data", "/app/data"]),
        ("/", "SETTINGS=/app/current/conf/app.conf", &[]),
        ("/app", "SETTINGS=/app/data", &["current/data"]),
    ];
    for (at, (dir, variable, words)) in cases.into_iter().enumerate() {
        let packed = place.path().join(format!("packed-{at}"));
        let (from, to) = (builder.display().to_string(), format!("dir:{}", packed.display()));
        let mut line = vec!["build", "--root", &from, "-o", &to, "-w", dir];
        line.extend(if variable.is_empty() { vec![] } else { vec!["-e", variable] });
        line.extend(["--", "/bin/show"]);
        line.extend(words);
        let built = slimroot(&line);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let says = |root: &Path| {
            let mut command = Command::new("unshare");
            command.args(["--root", &root.display().to_string(), "--wd", dir, "/bin/show"]).args(words).env_clear();
            command.envs(variable.split_once('='));
            let out = command.output().expect("unshare");
            (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
        };
        let wanted = says(&builder);
        assert_eq!(wanted.0, Some(0), "{wanted:?}");
        assert_eq!(says(&packed), wanted, "{dir} {variable} {words:?}");
    }
}
