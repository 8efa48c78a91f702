//! `--strip`, judged by running the stripped programs, by readelf, and by the sizes of GNU strip.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::need;

const PROGRAM: &str =
    "#include <stdio.h>\nint twice(int);\nint main(void) { printf(\"%d\\n\", twice(21)); return 0; }\n";
const LIBRARY: &str = "static int hidden(int x) { return 2 * x; }\nint twice(int x) { return hidden(x); }\n";

fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}

/// A root with a program and its library, both with debug information.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().expect("a directory") };
        for file in ["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"] {
            let place = world.at(file);
            fs::create_dir_all(place.parent().expect("a parent")).expect("made");
            fs::copy(file, place).expect("the C library");
        }
        for dir in ["/bin", "/usr/lib", "/etc"] {
            fs::create_dir_all(world.at(dir)).expect("made");
        }
        fs::write(world.dir.path().join("p.c"), PROGRAM).expect("written");
        fs::write(world.dir.path().join("l.c"), LIBRARY).expect("written");
        let text = |path: PathBuf| path.display().to_string();
        let (library, program) = (text(world.at("/usr/lib/libtwice.so.1")), text(world.at("/bin/prog")));
        let (p, l) = (text(world.dir.path().join("p.c")), text(world.dir.path().join("l.c")));
        run("gcc", &["-g3", "-shared", "-fPIC", "-Wl,-soname,libtwice.so.1", "-o", &library, &l]);
        run("gcc", &["-g3", "-o", &program, &p, &library]);
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path.trim_start_matches('/'))
    }

    fn pack(&self, name: &str, more: &[&str]) -> PathBuf {
        let out = self.dir.path().join(name);
        let (root, to) = (self.at("/").display().to_string(), format!("dir:{}", out.display()));
        let args = [&["build", "--root", &root, "-o", &to], more, &["--", "/bin/prog"]].concat();
        run(env!("CARGO_BIN_EXE_slimroot"), &args);
        out
    }
}

fn says(root: &Path) -> String {
    let output = run("chroot", &[&root.display().to_string(), "/bin/prog"]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_is_stripped_runs_and_is_as_small_as_gnu_strip_makes_it() {
    if !need::all(&["gcc", "strip", "readelf", "chroot"]) {
        return;
    }
    let world = World::new();
    let plain = world.pack("plain", &[]);
    let stripped = world.pack("stripped", &["--strip"]);
    assert_eq!((says(&plain).as_str(), says(&stripped).as_str()), ("42\n", "42\n"));
    for path in ["bin/prog", "usr/lib/libtwice.so.1"] {
        let (ours, original) = (stripped.join(path), plain.join(path));
        let theirs = world.dir.path().join("gnu");
        fs::copy(&original, &theirs).expect("copied");
        run("strip", &["--strip-unneeded", &theirs.display().to_string()]);
        assert!(size(&ours) < size(&original), "{path} is as large as it was");
        let (own, gnu) = (size(&ours), size(&theirs));
        assert!(own <= gnu + gnu / 20, "{path}: {own} bytes, GNU strip {gnu}");
        let told = run("readelf", &["-aW", &ours.display().to_string()]);
        let complaints = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(complaints.is_empty(), "{path}: {complaints}");
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            text.contains(".note.gnu.build-id") && text.contains(".dynsym") && !text.contains(".debug_info"),
            "{path}"
        );
    }
    // The parts for the loader do not move: program headers are identical, byte by byte.
    let head = |root: &Path| fs::read(root.join("bin/prog")).expect("read")[64..64 + 13 * 56].to_vec();
    assert_eq!(head(&plain), head(&stripped));
}

#[test]
fn data_behind_a_program_is_never_cut_off() {
    if !need::all(&["gcc", "chroot"]) {
        return;
    }
    let world = World::new();
    let program = world.at("/bin/prog");
    let mut file = fs::OpenOptions::new().append(true).open(&program).expect("opened");
    file.write_all(b"an archive that the program reads out of itself").expect("appended");
    drop(file);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    let stripped = world.pack("stripped", &["--strip"]);
    assert_eq!(fs::read(stripped.join("bin/prog")).expect("read"), fs::read(&program).expect("read"));
    assert_eq!(says(&stripped), "42\n");
}

/// A section that only the program itself knows is kept, wherever it is.
#[test]
fn unknown_sections_stay() {
    if !need::all(&["gcc", "objcopy", "readelf"]) {
        return;
    }
    let world = World::new();
    let program = world.at("/bin/prog").display().to_string();
    let data = world.dir.path().join("data");
    fs::write(&data, "kept by name").expect("written");
    run("objcopy", &["--add-section", &format!(".dep-v0={}", data.display()), &program]);
    let stripped = world.pack("stripped", &["--strip"]);
    assert!(size(&stripped.join("bin/prog")) < size(&world.at("/bin/prog")));
    let told = run("readelf", &["-p", ".dep-v0", &stripped.join("bin/prog").display().to_string()]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("kept by name"));
    assert_eq!(says(&stripped), "42\n");
}
