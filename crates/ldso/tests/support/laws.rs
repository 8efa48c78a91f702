//! Worlds of loader rules: built with gcc in a scratch root, and run in a chroot.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;

/// Prints all objects of the process with the loader's names.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
static int show(struct dl_phdr_info *i, size_t s, void *d) { puts(i->dlpi_name); return 0; }
int main(void) { return dl_iterate_phdr(show, 0); }
"#;

/// Enters a root for good: proc for $ORIGIN, then directory, user and program. Python, because a chroot has no shell.
const ENTER: &str = r#"
import os, sys
root, cwd, uid, count, *rest = sys.argv[1:]
words, env = rest[:int(count)], rest[int(count):]
os.chroot(root); os.chdir(cwd)
if uid != "0": os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
os.execve(words[0], words, dict(e.split("=", 1) for e in env))
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "each test reads what it needs")]
pub struct Law {
    pub law: String,
    prog: Object,
    #[serde(default = "prog_at")]
    prog_at: String,
    #[serde(default)]
    libs: Vec<Object>,
    /// Programs besides the entry.
    #[serde(default)]
    programs: Vec<Object>,
    #[serde(default)]
    symlinks: BTreeMap<String, String>,
    #[serde(default)]
    hardlinks: BTreeMap<String, String>,
    #[serde(default)]
    dirs: Vec<String>,
    #[serde(default)]
    texts: BTreeMap<String, String>,
    #[serde(default)]
    ldconfig: bool,
    cache_format: Option<String>,
    #[serde(default)]
    patch: Vec<Patch>,
    #[serde(default)]
    cut: BTreeMap<String, usize>,
    #[serde(default)]
    after: BTreeMap<String, String>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default = "top")]
    pub cwd: String,
    #[serde(default = "plain_mode")]
    pub mode: u32,
    pub judge: Option<String>,
    #[serde(default)]
    modes: BTreeMap<String, String>,
    #[serde(default)]
    owners: BTreeMap<String, u32>,
}

fn prog_at() -> String {
    "/bin/prog".to_owned()
}

fn top() -> String {
    "/".to_owned()
}

fn plain_mode() -> u32 {
    0o755
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    #[serde(default)]
    out: String,
    soname: Option<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
    /// C source instead of the default.
    source: Option<String>,
    /// The version script of a library.
    versions: Option<String>,
    /// C source and version script of the stubs that the object is linked against.
    stub: Option<String>,
    stub_versions: Option<String>,
    /// A compiler that replaces the default one.
    compiler: Option<String>,
}

/// The offset of a section in its file, from readelf.
fn section(file: &Path, name: &str) -> usize {
    let output = Command::new("readelf").args(["-W", "-S"]).arg(file).output().expect("readelf runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut found = words.filter_map(|words| {
        let at = words.iter().position(|word| *word == name)?;
        usize::from_str_radix(words.get(at + 3)?, 16).ok()
    });
    found.next().unwrap_or_else(|| panic!("{} has no section {name}", file.display()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    file: String,
    /// The section that the offset is relative to; default: the start of the file.
    section: Option<String>,
    at: usize,
    bytes: Vec<u8>,
}

#[allow(dead_code, reason = "each test reads what it needs")]
/// A C library: its compiler, and the files of this machine that all its roots contain.
pub struct Family {
    pub name: &'static str,
    pub compiler: &'static str,
    pub base: &'static [(&'static str, &'static str)],
    /// The directory that its files are copied from.
    pub from: PathBuf,
    /// True if compiled programs do not run with this library. They are then built without start files, and only
    /// traced.
    pub is_older: bool,
}

pub fn glibc() -> Family {
    Family {
        name: "glibc",
        compiler: "gcc",
        base: &[
            ("/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"),
            ("/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6"),
        ],
        from: PathBuf::from("/"),
        is_older: false,
    }
}

#[allow(dead_code, reason = "each test takes the releases it needs")]
/// The glibc of another release, from a root of that release.
pub fn glibc_from(root: &Path, is_older: bool) -> Family {
    Family { from: root.to_path_buf(), is_older, ..glibc() }
}

pub fn musl() -> Family {
    Family {
        name: "musl",
        compiler: "musl-gcc",
        base: &[("/usr/lib/x86_64-linux-musl/libc.so", "/lib/ld-musl-x86_64.so.1")],
        from: PathBuf::from("/"),
        is_older: false,
    }
}

/// A file of a root, with symlinks resolved inside the root.
fn in_root(root: &Path, path: &str) -> PathBuf {
    let mut place = root.join(path.trim_start_matches('/'));
    if fs::symlink_metadata(&place).is_err() {
        // The symlinks of merged directories belong to another package.
        place = root.join("usr").join(path.trim_start_matches('/'));
    }
    while let Ok(text) = fs::read_link(&place) {
        place = if text.is_absolute() {
            root.join(text.strip_prefix("/").expect("absolute"))
        } else {
            place.parent().expect("a parent").join(text)
        };
    }
    place
}

/// A world after building it.
pub struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn at(&self, path: &str) -> PathBuf {
        let place = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        place
    }

    pub fn build(law: &Law, family: &Family) -> Self {
        let world = Self { dir: tempfile::tempdir().expect("a directory") };
        for (from, to) in family.base {
            fs::copy(in_root(&family.from, from), world.at(to)).expect("the C library");
        }
        for dir in ["proc", "tmp", "etc", law.cwd.trim_start_matches('/')] {
            fs::create_dir_all(world.root().join(dir)).expect("made");
        }
        for dir in &law.dirs {
            fs::create_dir_all(world.at(dir)).expect("made");
        }
        for lib in &law.libs {
            let soname = lib.soname.as_ref().map(|soname| format!("-Wl,-soname,{soname}"));
            let args = ["-shared", "-fPIC", "-nostartfiles"].into_iter().map(str::to_owned).chain(soname);
            world.compile(family, lib, args.collect(), &lib.out);
        }
        world.compile(family, &law.prog, Vec::new(), &law.prog_at);
        for program in &law.programs {
            world.compile(family, program, Vec::new(), &program.out);
        }
        fs::set_permissions(world.at(&law.prog_at), fs::Permissions::from_mode(law.mode)).expect("a mode");
        for (link, text) in &law.symlinks {
            symlink(text, world.at(link)).expect("linked");
        }
        for (path, text) in &law.texts {
            fs::write(world.at(path), text).expect("written");
        }
        for (name, first) in &law.hardlinks {
            fs::hard_link(world.at(first), world.at(name)).expect("linked");
        }
        if law.ldconfig {
            let root = world.root();
            let format = law.cache_format.as_deref().unwrap_or("new");
            let made =
                Command::new("/sbin/ldconfig").args(["-c", format, "-r"]).arg(&root).output().expect("ldconfig runs");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        for patch in &law.patch {
            let mut bytes = fs::read(world.at(&patch.file)).expect("read");
            let at = patch.at + patch.section.as_deref().map_or(0, |name| section(&world.at(&patch.file), name));
            bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
            fs::write(world.at(&patch.file), bytes).expect("written");
        }
        for (path, length) in &law.cut {
            let bytes = fs::read(world.at(path)).expect("read");
            fs::write(world.at(path), &bytes[..*length]).expect("written");
        }
        for (path, text) in &law.after {
            fs::write(world.at(path), text).expect("written");
        }
        for path in &law.remove {
            let path = world.at(path);
            if path.is_dir() && !path.is_symlink() { fs::remove_dir(path) } else { fs::remove_file(path) }
                .expect("removed");
        }
        for (path, uid) in &law.owners {
            std::os::unix::fs::chown(world.at(path), Some(*uid), Some(*uid)).expect("an owner");
        }
        for (path, mode) in &law.modes {
            let mode = u32::from_str_radix(mode, 8).expect("an octal mode");
            fs::set_permissions(world.at(path), fs::Permissions::from_mode(mode)).expect("a mode");
        }
        world
    }

    /// Compiles an object with exactly these DT_NEEDED names, each from a stub with that SONAME.
    fn compile(&self, family: &Family, object: &Object, args: Vec<String>, out: &str) {
        let scratch = tempfile::tempdir_in(self.dir.path()).expect("a directory");
        let source = scratch.path().join("source.c");
        let is_library = args.iter().any(|arg| arg == "-shared");
        let usual = if is_library { "int here(void) { return 1; }" } else { PROGRAM };
        let usual = if family.is_older && !is_library { "void _start(void) { for (;;); }" } else { usual };
        fs::write(&source, object.source.as_deref().unwrap_or(usual)).expect("written");
        let compiler = object.compiler.as_deref().unwrap_or(family.compiler);
        let version_script = |name: &str, text: &Option<String>| {
            text.as_ref().map(|text| {
                let path = scratch.path().join(name);
                fs::write(&path, text).expect("written");
                format!("-Wl,--version-script={}", path.display())
            })
        };
        let gcc = |args: &[String], out: &Path| {
            let made = Command::new(compiler)
                .args(["-Wl,--no-as-needed", "-Wl,--unresolved-symbols=ignore-all", "-o"])
                .arg(out)
                .args(args)
                .output()
                .expect("the compiler runs");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        let mut all = vec![source.display().to_string()];
        all.extend(args);
        all.extend(object.args.iter().cloned());
        all.extend(version_script("versions.map", &object.versions));
        let stub_source = scratch.path().join("stub.c");
        fs::write(&stub_source, object.stub.as_deref().unwrap_or_default()).expect("written");
        for (number, name) in object.needs.iter().enumerate() {
            let stub = scratch.path().join(format!("stub{number}.so"));
            let args = ["-shared", "-nostdlib"].map(str::to_owned).into_iter();
            let args = args.chain([format!("-Wl,-soname,{name}"), stub_source.display().to_string()]);
            let args = args.chain(version_script("stub.map", &object.stub_versions));
            gcc(&args.collect::<Vec<_>>(), &stub);
            all.push(stub.display().to_string());
        }
        if is_library {
            all.push("-nostdlib".to_owned());
        } else if family.is_older {
            all.push("-nostartfiles".to_owned());
        }
        gcc(&all, &self.at(out));
    }

    #[allow(dead_code, reason = "each test calls what it needs")]
    /// Runs the program in a chroot of the world; a set-uid program as another user, so that the bit has an effect.
    pub fn run(&self, law: &Law, more_env: &[&str]) -> Output {
        let uid = if law.mode & 0o6000 == 0 { "0" } else { "1000" };
        self.run_as(law, uid, more_env)
    }

    /// Runs the program in a chroot of the world as a user.
    pub fn run_as(&self, law: &Law, uid: &str, more_env: &[&str]) -> Output {
        self.run_words(law, uid, &["/bin/prog"], more_env)
    }

    /// Runs a command line in a chroot of the world, in the circumstances of the law.
    pub fn run_words(&self, law: &Law, uid: &str, words: &[&str], more_env: &[&str]) -> Output {
        let root = self.root();
        fs::set_permissions(self.dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount -t proc proc \"$0/proc\" && exec python3 -c \"$@\""]);
        command.arg(&root).args([ENTER]).arg(&root).args([law.cwd.as_str(), uid, &words.len().to_string()]);
        command.args(words).args(law.env.iter().map(|(name, value)| format!("{name}={value}"))).args(more_env);
        command.output().expect("unshare runs")
    }
}

#[allow(dead_code, reason = "each test reads what it needs")]
/// The laws of a C library by name.
pub fn laws(family: &str) -> BTreeMap<String, Law> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = here.ancestors().map(|dir| dir.join("fixtures/laws").join(family));
    let folder = folders.into_iter().find(|folder| folder.is_dir()).expect("the folder of laws");
    let each = fs::read_dir(folder).expect("listed").map(|entry| {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a law");
        let law = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_stem().expect("a name").to_string_lossy().into_owned(), law)
    });
    each.collect()
}
