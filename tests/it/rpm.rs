//! rpm roots: the real rpm builds and installs real packages, and then queries the packed image.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use slimroot::path::RootPath;
use slimroot::root::{MemTree, Root};

use crate::support::need;
use crate::support::roots::{run, slimroot};

const TOOLS: &[&str] = &["rpm", "rpmbuild", "gcc", "ldconfig", "chroot", "python3"];
/// The packages in each of the database formats.
const PACKAGES: &str = "greet-1.2-3.x86_64\ngreet-data-1.2-3.noarch\nlibgreet1-1.2-3.x86_64\n";
const PLACE: &str = "var/lib/rpm";
/// A database with two of its three packages in the log, as after a killed process.
const WITH_LOG: &str = r#"
import os, shutil, sqlite3, sys
whole, cut = sys.argv[1:]
db = sqlite3.connect(whole)
db.execute("pragma journal_mode = delete")
rows = db.execute("select hnum, blob from Packages where hnum > 1").fetchall()
db.execute("delete from Packages where hnum > 1"); db.commit()
db.execute("pragma journal_mode = wal"); db.execute("pragma wal_autocheckpoint = 0")
db.executemany("insert into Packages values (?, ?)", rows); db.commit()
shutil.copy(whole, cut); shutil.copy(whole + "-wal", cut + "-wal")
"#;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rpm").join(name)
}

/// Runs rpm in a root; it must succeed.
fn rpm(root: &Path, args: &[&str]) -> String {
    let root = root.display().to_string();
    run("rpm", &[&["--root", &root, "--dbpath", "/var/lib/rpm"], args].concat())
}

/// A root with the packages of the fixture and the base of Fedora: libraries in lib64.
fn builder(dir: &Path) -> PathBuf {
    let (top, root) = (dir.join("build"), dir.join("root"));
    let define = format!("_topdir {}", top.display());
    run("rpmbuild", &["-bb", "--define", &define, &fixture("greet.spec").display().to_string()]);
    for made in ["etc", "lib64", "usr/lib64"] {
        fs::create_dir_all(root.join(made)).expect("made");
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:\ndaemon:x:1:1::/:\n").expect("written");
    fs::write(root.join("etc/group"), "root:x:0:\ndaemon:x:1:\n").expect("written");
    fs::write(root.join("etc/ld.so.conf"), "/usr/lib64\n").expect("written");
    fs::copy("/lib64/ld-linux-x86-64.so.2", root.join("lib64/ld-linux-x86-64.so.2")).expect("the loader");
    fs::copy("/lib/x86_64-linux-gnu/libc.so.6", root.join("usr/lib64/libc.so.6")).expect("libc");
    rpm(&root, &["--initdb"]);
    for folder in ["x86_64", "noarch"] {
        for entry in fs::read_dir(top.join("RPMS").join(folder)).expect("built") {
            rpm(&root, &["-i", "--nodeps", &entry.expect("an entry").path().display().to_string()]);
        }
    }
    run("ldconfig", &["-r", &root.display().to_string()]);
    root
}

/// Packs and returns the bytes of the records, because rpm changes them when it reads them.
fn pack(root: &Path, out: &Path, args: &[&str]) -> Vec<u8> {
    let (from, to) = (root.display().to_string(), format!("dir:{}", out.display()));
    let packed = slimroot(&[&["build", "--force", "--root", &from, "-o", &to], args].concat());
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    fs::read(out.join(PLACE).join("rpmdb.sqlite")).unwrap_or_default()
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn rpm_knows_the_packages_of_an_image_and_what_of_them_is_there() {
    if !need::all(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (root, out) = (builder(dir.path()), dir.path().join("out"));
    let records = pack(&root, &out, &["--", "/usr/bin/greet"]);
    let ran = Command::new("chroot").arg(&out).arg("/usr/bin/greet").status().expect("chroot runs");
    assert_eq!(ran.code(), Some(1), "the program says 1");
    assert_eq!(sorted(&rpm(&out, &["-qa"])), PACKAGES);
    assert_eq!(rpm(&out, &["-qf", "/usr/share/greet/text"]), "greet-data-1.2-3.noarch\n");
    // Fails for a file that is missing without the state "not installed", or that differs in more than its time.
    rpm(&out, &["-V", "-a", "--nodeps", "--nomtime"]);
    let states = rpm(&out, &["-q", "--state", "greet"]);
    for line in [
        "normal        /etc/greet.conf",
        "normal        /usr/share/licenses/greet-1.2/LICENSE",
        "not installed /usr/share/doc/greet-1.2/README",
    ] {
        assert!(states.lines().any(|own| own == line), "{line}: {states}");
    }
    let home = fs::metadata(out.join("var/lib/greet")).expect("the directory of its state");
    assert_eq!((home.uid(), home.gid(), home.mode() & 0o7777), (1, 1, 0o750));
    assert!(!out.join("usr/lib/.build-id").exists());
    assert_eq!(records, pack(&root, &out, &["--", "/usr/bin/greet"]), "the same root makes the same records");

    // Packages without packed files have no record.
    pack(&root, &out, &["--companions", "none", "--", "/usr/bin/greet"]);
    assert_eq!(sorted(&rpm(&out, &["-qa"])), "greet-1.2-3.x86_64\nlibgreet1-1.2-3.x86_64\n");
    rpm(&out, &["-V", "-a", "--nodeps", "--nomtime"]);
    pack(&root, &out, &["--companions", "none", "--package", "greet-data", "--", "/usr/bin/greet"]);
    assert_eq!(sorted(&rpm(&out, &["-qa"])), PACKAGES);
    let root = root.display().to_string();
    let why = slimroot(&["why", "--root", &root, "/usr/share/greet/text", "--", "/usr/bin/greet"]);
    let says = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(says.contains("it is in the package greet-data, which is packed with /usr/bin/greet"), "{says}");
}

#[test]
fn every_kind_of_database_makes_the_same_records() {
    if !need::all(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (root, out) = (builder(dir.path()), dir.path().join("out"));
    let place = root.join(PLACE);
    let plain = pack(&root, &out, &["--", "/usr/bin/greet"]);
    let whole = dir.path().join("whole.sqlite");
    fs::rename(place.join("rpmdb.sqlite"), &whole).expect("moved");
    let texts = [&whole, &place.join("rpmdb.sqlite")].map(|path| path.display().to_string());
    run("python3", &["-c", WITH_LOG, &texts[0], &texts[1]]);
    assert_eq!(pack(&root, &out, &["--", "/usr/bin/greet"]), plain, "with two packages in the log");

    let mut made = Vec::new();
    for kind in ["Packages.db", "Packages"] {
        fs::remove_dir_all(&place).expect("removed");
        fs::create_dir_all(&place).expect("made");
        fs::copy(fixture(kind), place.join(kind)).expect("copied");
        made.push(pack(&root, &out, &["--", "/usr/bin/greet"]));
        assert_eq!(sorted(&rpm(&out, &["-qa"])), PACKAGES, "{kind}");
        rpm(&out, &["-q", "--state", "greet"]);
    }
    assert_eq!(made[0], made[1]);

    fs::write(place.join("Packages"), "no database").expect("written");
    let text = root.display().to_string();
    let refused = slimroot(&["build", "--dry-run", "--root", &text, "--", "/usr/bin/greet"]);
    let says = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(says.contains("bad-package-database") && refused.status.code() == Some(3), "{says}");
}

#[test]
fn damaged_databases_are_errors_or_fewer_packages() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/rpm");
    let mut state = 1_u64;
    let mut next = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let mut refused = 0;
    for (seed, name) in [("sqlite", "rpmdb.sqlite"), ("ndb", "Packages.db"), ("berkeley", "Packages")] {
        let whole = fs::read(seeds.join(seed)).expect("a seed");
        for round in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..round.min(8) {
                // Half of the changes are in the headers of the file and of the package.
                let at = if next(2) == 0 { next(bytes.len()) } else { next(200) };
                bytes[at] = [0, 1, 0x7f, 0xff, next(256) as u8][next(5)];
            }
            bytes.truncate(if round % 10 == 9 { next(whole.len()) } else { whole.len() });
            let mut tree = MemTree::default();
            tree.file(&format!("/var/lib/rpm/{name}"), 0o644, bytes);
            let root = Root::new(Arc::new(tree));
            let Ok(Some(database)) = slimroot::package::open(&root) else {
                refused += 1;
                assert_ne!(round, 0, "{name} is whole");
                continue;
            };
            let greet = RootPath::new("/usr/bin/greet").expect("a path");
            let owners = database.owners(std::slice::from_ref(&greet)).expect("known");
            assert!(round > 0 || owners[&greet] == "greet");
            database.contents("greet").expect("known");
            database.arch_all_parts("greet");
            database.licences("greet");
            let names = ["greet", "greet-data", "libgreet1"].map(str::to_owned).into();
            database.records(&names, &|path| *path == greet).expect("made");
        }
    }
    assert!(refused > 100, "{refused}");
}
