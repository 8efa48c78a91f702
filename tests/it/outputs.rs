//! Problematic destinations: no existing file is lost, and a failed run leaves nothing behind. The kernel is the judge:
//! mounts, other users, access control lists and full disks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::need;
use crate::support::runs::text;

/// Exit codes: the output cannot be written; an argument is invalid.
const CANNOT_WRITE: i32 = 3;
const USAGE: i32 = 2;
/// An ordinary user.
const NOBODY: u32 = 65_534;

/// A root with this machine's C library and /bin/true, in a world-accessible directory for outputs.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().expect("a directory") };
        fs::set_permissions(world.at(""), fs::Permissions::from_mode(0o755)).expect("a mode");
        for file in ["bin/true", "lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"] {
            let place = world.at("root").join(file);
            fs::create_dir_all(place.parent().expect("a parent")).expect("made");
            fs::copy(Path::new("/").join(file), place).expect("a file of this machine");
        }
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn make(&self, dir: &str) -> &Self {
        fs::create_dir_all(self.at(dir)).expect("made");
        self
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.at(name), text).expect("written");
        self
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).expect("text")
    }

    /// The command `build ARGS -- /bin/true` in the directory of this world.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
        command.args(["build", "--root", "root"]).args(args).args(["--", "/bin/true"]);
        command.current_dir(self.dir.path()).env_remove("SOURCE_DATE_EPOCH");
        command
    }

    /// The same as an ordinary user, who may not have access to the build directory of the binary.
    fn as_nobody(&self, args: &[&str]) -> Output {
        let binary = self.at("slimroot");
        if !binary.exists() {
            fs::copy(env!("CARGO_BIN_EXE_slimroot"), &binary).expect("copied");
        }
        let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
        let mut command = Command::new("setpriv");
        command.args(ids).arg(binary).args(["build", "--root", "root"]).args(args).args(["--", "/bin/true"]);
        command.current_dir(self.dir.path()).output().expect("setpriv runs")
    }

    fn builds(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("slimroot runs");
        assert!(output.status.success(), "{args:?} {}", text(&output.stderr));
        text(&output.stderr)
    }

    /// A build that must fail and change nothing; returns the exit code and the error code.
    fn fails(&self, args: &[&str]) -> (Option<i32>, String) {
        let before = listing(self.dir.path());
        let output = self.command(args).output().expect("slimroot runs");
        let said = text(&output.stderr);
        assert_eq!(listing(self.dir.path()), before, "{args:?} {said}");
        assert!(said.contains("  help  "), "no hint: {args:?} {said}");
        (output.status.code(), code(&said))
    }
}

fn code(said: &str) -> String {
    said.split("error[").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default().to_owned()
}

fn exists() -> (Option<i32>, String) {
    (Some(CANNOT_WRITE), "output-exists".to_owned())
}

fn bad() -> (Option<i32>, String) {
    (Some(USAGE), "bad-argument".to_owned())
}

/// All files below a directory with mode, owner and size.
fn listing(dir: &Path) -> BTreeMap<PathBuf, (u32, u32, u32, u64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("listed") {
            let path = entry.expect("an entry").path();
            let meta = fs::symlink_metadata(&path).expect("there");
            let size = if meta.is_dir() { 0 } else { meta.size() };
            found.insert(path.clone(), (meta.mode(), meta.uid(), meta.gid(), size));
            if meta.is_dir() {
                open.push(path);
            }
        }
    }
    found
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("listed");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A mount, until dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts with these arguments of mount(8); `None` if this machine does not permit it.
    fn new(args: &[&str], place: &Path) -> Option<Self> {
        let output = Command::new("mount").args(args).arg(place).output().expect("mount runs");
        if output.status.success() {
            return Some(Self(place.to_path_buf()));
        }
        need::skip(&format!("mount {args:?}: {}", text(&output.stderr)));
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn force_never_replaces_what_is_being_packed() {
    let world = World::new();
    world.write("root/precious", "mine");
    symlink(".", world.at("alias")).expect("a link");
    for place in [
        "dir:root",
        "root/.",
        "dir:.",
        "dir:..",
        "dir:/",
        "dir:alias/root",
        "dir:alias/root/lib",
        "dir:root/lib/x86_64-linux-gnu",
        "dir:root/bin",
        "tar:root/bin/true",
        "oci-archive:alias/root/bin/true",
    ] {
        assert_eq!(world.fails(&["--force", "-o", place]), exists(), "{place}");
    }
    let absolute = format!("dir:{}", world.dir.path().display());
    assert_eq!(world.fails(&["--force", "-o", &absolute]), exists());
    // Also not with another destination that would be written first.
    assert_eq!(world.fails(&["--force", "-o", "tar:new.tar", "-o", "dir:root"]), exists());
}

#[test]
fn force_sees_what_is_packed_and_mounts_through_mounts() {
    if !need::all(&["mount", "umount"]) {
        return;
    }
    let world = World::new();
    world.make("other").make("deep/in/lib").make("holds/disk").write("holds/file", "mine");
    let root = world.at("root").display().to_string();
    let libraries = world.at("root/lib").display().to_string();
    let Some(_root) = Mounted::new(&["--bind", &root], &world.at("other")) else { return };
    let Some(_lib) = Mounted::new(&["--bind", &libraries], &world.at("deep/in/lib")) else { return };
    let Some(_disk) = Mounted::new(&["-t", "tmpfs", "none"], &world.at("holds/disk")) else { return };
    world.write("holds/disk/precious", "mine");
    for place in ["dir:other", "dir:other/lib", "dir:deep", "dir:deep/in", "dir:holds", "dir:holds/disk"] {
        assert_eq!(world.fails(&["--force", "-o", place]), exists(), "{place}");
    }
}

#[test]
fn a_former_output_inside_of_the_root_is_replaced() {
    let world = World::new();
    let arguments = ["--force", "-o", "dir:root/rootfs"];
    world.builds(&arguments);
    world.write("root/rootfs/old", "old");
    world.builds(&arguments);
    assert!(!world.at("root/rootfs/old").exists() && world.at("root/rootfs/bin/true").exists());
    assert!(world.at("root/bin/true").exists());
    assert_eq!(names(&world.at("root")), ["bin", "lib", "lib64", "rootfs"]);
}

#[test]
fn directories_of_a_lower_layer_are_replaced() {
    if !need::all(&["mount", "umount", "setpriv"]) {
        return;
    }
    let world = World::new();
    // On a separate disk: a layer of overlayfs cannot be on an overlayfs, such as the disk of a container.
    world.make("disk").make("merged");
    let Some(_disk) = Mounted::new(&["-t", "tmpfs", "none"], &world.at("disk")) else { return };
    world.make("disk/lower").make("disk/upper").make("disk/work");
    for name in ["good", "bad"] {
        world.builds(&["-o", &format!("dir:disk/lower/{name}")]);
        world.make(&format!("disk/lower/{name}/old/deep")).write(&format!("disk/lower/{name}/old/deep/file"), "mine");
    }
    // Files of another user cannot be moved away: everything must be restored.
    for path in listing(&world.at("disk/lower/bad")).keys().filter(|path| !path.ends_with("deep")) {
        std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).expect("given");
    }
    for dir in ["disk/lower", "disk/lower/bad", "disk/upper"] {
        chown(world.at(dir), Some(NOBODY), Some(NOBODY)).expect("given");
    }
    let at = |name: &str| world.at(name).display().to_string();
    let layers = format!("lowerdir={},upperdir={},workdir={}", at("disk/lower"), at("disk/upper"), at("disk/work"));
    let Some(_merged) = Mounted::new(&["-t", "overlay", "none", "-o", &layers], &world.at("merged")) else { return };
    world.builds(&["--force", "-o", "dir:merged/good"]);
    assert!(world.at("merged/good/bin/true").exists() && !world.at("merged/good/old").exists());
    assert_eq!(names(&world.at("merged")), ["bad", "good"]);
    let before = listing(&world.at("merged"));
    let output = world.as_nobody(&["--force", "-o", "dir:merged/bad"]);
    assert_eq!(
        (output.status.code(), code(&text(&output.stderr))),
        (Some(CANNOT_WRITE), "output-unwritable".to_owned())
    );
    assert_eq!(listing(&world.at("merged")), before);
}

#[test]
fn what_cannot_be_removed_is_told() {
    if !need::all(&["setpriv"]) {
        return;
    }
    let world = World::new();
    world.make("own/out/foreign").write("own/out/foreign/file", "");
    for dir in ["own", "own/out"] {
        chown(world.at(dir), Some(NOBODY), Some(NOBODY)).expect("given");
    }
    let output = world.as_nobody(&["--force", "-o", "dir:own/out"]);
    let said = text(&output.stderr);
    assert!(output.status.success() && world.at("own/out/bin/true").exists(), "{said}");
    let left = names(&world.at("own")).into_iter().find(|name| name.starts_with('.')).expect("something is left");
    assert!((text(&output.stdout) + &said).contains(&left), "{left} is not told: {said}");
}

#[test]
fn read_only_directories_are_replaced_by_an_ordinary_user() {
    if !need::all(&["setpriv"]) {
        return;
    }
    let world = World::new();
    world.make("own").make("mount");
    for dir in ["root/bin", "root/lib/x86_64-linux-gnu"] {
        fs::set_permissions(world.at(dir), fs::Permissions::from_mode(0o555)).expect("a mode");
    }
    chown(world.at("own"), Some(NOBODY), Some(NOBODY)).expect("given");
    for _ in 0..2 {
        let output = world.as_nobody(&["--force", "-o", "dir:own/out"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(names(&world.at("own")), ["out"]);
    }
    assert_eq!(fs::metadata(world.at("own/out/bin")).expect("there").mode() & 0o777, 0o555);
    // In a mount point files are moved one by one.
    let Some(_mount) = Mounted::new(&["-t", "tmpfs", "none", "-o", "mode=777"], &world.at("mount")) else { return };
    let output = world.as_nobody(&["-o", "dir:mount"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::metadata(world.at("mount/bin")).expect("there").mode() & 0o777, 0o555);
}

#[test]
fn one_output_that_fails_leaves_none() {
    let world = World::new();
    world.make("full/dir").write("full/dir/mine", "mine");
    let failed = |code: &str| (Some(CANNOT_WRITE), code.to_owned());
    for good in ["dir:one", "tar:one", "oci:one:a", "oci-archive:one"] {
        assert_eq!(world.fails(&["-o", good, "-o", "oci-archive:no/such"]), failed("output-unwritable"), "{good}");
        assert_eq!(world.fails(&["-o", good, "-o", "oci:full/dir"]), exists(), "{good}");
        // These destinations fail only when they are written.
        assert_eq!(world.fails(&["-o", good, "-o", "oci-archive:/dev/full"]), failed("disk-full"), "{good}");
        assert_eq!(world.fails(&["-o", "tar:/dev/full", "-o", good]), failed("disk-full"), "{good}");
    }
    if !need::all(&["mount", "umount"]) {
        return;
    }
    world.make("disk");
    let Some(_disk) = Mounted::new(&["-t", "tmpfs", "none", "-o", "size=256k"], &world.at("disk")) else { return };
    for full in ["tar:disk/two", "oci:disk/two"] {
        assert_eq!(world.fails(&["-o", "tar:one", "-o", "oci:first:a", "-o", full]), failed("disk-full"), "{full}");
    }
}

#[test]
fn what_may_not_be_replaced_is_found_before_other_outputs_are_in_place() {
    if !need::all(&["setpriv"]) {
        return;
    }
    let world = World::new();
    world.make("own").make("sticky/full").make("sticky/empty").write("sticky/full/mine", "").write("sticky/file", "");
    chown(world.at("own"), Some(NOBODY), Some(NOBODY)).expect("given");
    fs::set_permissions(world.at("sticky"), fs::Permissions::from_mode(0o1777)).expect("a mode");
    let before = listing(&world.at("sticky"));
    for place in
        ["tar:sticky/file", "oci-archive:sticky/file", "dir:sticky/full", "dir:sticky/empty", "oci:sticky/empty"]
    {
        let output = world.as_nobody(&["--force", "-o", "dir:own/one", "-o", place]);
        assert_eq!(output.status.code(), Some(CANNOT_WRITE), "{place} {}", text(&output.stderr));
        assert_eq!((listing(&world.at("sticky")), names(&world.at("own"))), (before.clone(), vec![]), "{place}");
    }
}

#[test]
fn the_longest_name_is_written() {
    let world = World::new();
    let (tree, layout) = ("d".repeat(255), "o".repeat(255));
    world.builds(&["-o", &format!("dir:{tree}"), "-o", &format!("oci:{layout}")]);
    assert_eq!(names(world.dir.path()), [tree, layout, "root".to_owned()]);
}

#[test]
fn outputs_do_not_share_a_place() {
    let world = World::new();
    symlink(".", world.at("alias")).expect("a link");
    for (one, other) in [
        ("tar:same", "oci-archive:same"),
        ("tar:same", "docker-archive:./alias/same:app"),
        ("dir:same", "dir:same/"),
        ("dir:same", "tar:same/inside"),
        ("oci:same", "dir:same"),
        ("oci:same", "oci:same:latest"),
    ] {
        assert_eq!(world.fails(&["-o", one, "-o", other]), bad(), "{one} {other}");
    }
}

/// The index of a layout, and its tags.
fn index(layout: &Path) -> (Value, Vec<String>) {
    let text = fs::read(layout.join("index.json")).expect("an index");
    let index: Value = serde_json::from_slice(&text).expect("JSON");
    let tag = |entry: &Value| entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned);
    let mut tags: Vec<String> = index["manifests"].as_array().expect("entries").iter().filter_map(tag).collect();
    tags.sort();
    (index, tags)
}

#[test]
fn tags_of_one_run_share_a_layout() {
    let world = World::new();
    world.make("empty");
    for layout in ["new", "empty"] {
        world.builds(&["-o", &format!("oci:{layout}:a"), "-o", &format!("oci:{layout}:b")]);
        world.builds(&["-o", &format!("oci:{layout}:b"), "-o", &format!("oci:{layout}:c")]);
        assert_eq!(index(&world.at(layout)).1, ["a", "b", "c"]);
        assert_eq!(names(&world.at(layout)), ["blobs", "index.json", "oci-layout"]);
        assert_eq!(names(&world.at(layout).join("blobs/sha256")).len(), 3);
    }
    assert_eq!(names(world.dir.path()), ["empty", "new", "root"]);
}

#[test]
fn mount_points_are_filled() {
    if !need::all(&["mount", "umount"]) {
        return;
    }
    let world = World::new();
    world.make("tmpfs").make("source").make("bind").make("source2").make("bind2");
    let Some(_tmpfs) = Mounted::new(&["-t", "tmpfs", "none"], &world.at("tmpfs")) else { return };
    let at = |name: &str| world.at(name).display().to_string();
    let Some(_bind) = Mounted::new(&["--bind", &at("source")], &world.at("bind")) else { return };
    let Some(_bind2) = Mounted::new(&["--bind", &at("source2")], &world.at("bind2")) else { return };
    // Two tags at once, because after the first one the directory is not empty for the second.
    for layout in ["tmpfs", "bind"] {
        world.builds(&["-o", &format!("oci:{layout}:a"), "-o", &format!("oci:{layout}:b")]);
        assert_eq!(index(&world.at(layout)).1, ["a", "b"]);
        assert_eq!(names(&world.at(layout)), ["blobs", "index.json", "oci-layout"]);
    }
    assert_eq!(names(&world.at("source")), ["blobs", "index.json", "oci-layout"]);
    world.builds(&["-o", "dir:bind2", "-o", "tar:tree.tar"]);
    assert!(world.at("source2/bin/true").exists());
    assert!(names(&world.at("bind2")).iter().all(|name| !name.starts_with('.')));
}

#[test]
fn a_directory_takes_nothing_from_where_it_lies() {
    if !need::all(&[]) {
        return;
    }
    let world = World::new();
    world.make("setgid").make("acl");
    chown(world.at("setgid"), None, Some(7)).expect("given");
    fs::set_permissions(world.at("setgid"), fs::Permissions::from_mode(0o2755)).expect("a mode");
    // An ACL in the format of linux/posix_acl_xattr.h: version 2, then tag, permissions and ID of each entry (acl(5)).
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, u32::MAX), (2, 7, 1234), (4, 5, u32::MAX), (0x10, 7, u32::MAX), (0x20, 5, u32::MAX)];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, may, id) in entries {
        list.extend([&tag.to_le_bytes()[..], &may.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(world.at("acl"), "system.posix_acl_default", &list, flags).is_err() {
        need::skip("a disk with access lists");
        return;
    }
    world.make("plain");
    for dir in ["plain", "setgid", "acl"] {
        world.builds(&["-o", &format!("dir:{dir}/alone")]);
        world.builds(&["-o", &format!("dir:{dir}/shared"), "-o", &format!("tar:{dir}.tar")]);
    }
    let relative = |dir: &str| {
        let dir = world.at(dir);
        let found = listing(&dir).into_iter();
        found.map(|(path, facts)| (path.strip_prefix(&dir).expect("below").to_path_buf(), facts)).collect::<Vec<_>>()
    };
    assert_eq!(relative("setgid"), relative("plain"));
    assert_eq!(relative("acl"), relative("plain"));
    for path in listing(&world.at("acl")).keys() {
        for name in ["system.posix_acl_default", "system.posix_acl_access"] {
            let found = rustix::fs::lgetxattr(path, name, &mut [0u8; 64][..]);
            assert!(found.is_err(), "{} has {name}", path.display());
        }
    }
}

#[test]
fn image_names_are_checked_before_anything_else() {
    let world = World::new();
    for place in [
        "docker-archive:a.tar:Upper/Case:1",
        "docker-archive:a.tar:App",
        "oci-archive:a.tar:me/app:",
        "oci-archive:a.tar:me//app",
        "oci:layout:-tag",
        "oci:layout:app@sha256:00",
    ] {
        assert_eq!(world.fails(&["-o", place]), bad(), "{place}");
        assert_eq!(world.fails(&["--dry-run", "-o", place]), bad(), "{place}");
    }
}

#[test]
fn what_stands_in_an_index_stays() {
    let world = World::new();
    world.builds(&["-o", "oci:layout:a"]);
    let (mut index_now, _) = index(&world.at("layout"));
    index_now["annotations"] = json!({"mine": "1"});
    let mut foreign = index_now["manifests"][0].clone();
    foreign["annotations"] = json!({"mine": "2"});
    foreign["platform"] = json!({"architecture": "arm64", "os": "linux", "os.version": "7"});
    index_now["manifests"].as_array_mut().expect("entries").push(foreign.clone());
    world.write("layout/index.json", &index_now.to_string());
    world.builds(&["-o", "oci:layout:b"]);
    let (after, tags) = index(&world.at("layout"));
    assert_eq!((&after["annotations"], tags), (&json!({"mine": "1"}), vec!["a".to_owned(), "b".to_owned()]));
    assert!(after["manifests"].as_array().expect("entries").contains(&foreign), "{after}");
}

#[test]
fn runs_at_the_same_time_keep_each_others_tags() {
    let world = World::new();
    world.make("empty");
    for layout in ["new", "empty"] {
        let tags: Vec<String> = (0..12).map(|number| format!("t{number:02}")).collect();
        let start = |tag: &String| {
            let mut command = world.command(&["-o", &format!("oci:{layout}:{tag}")]);
            command.stdout(std::process::Stdio::null()).spawn().expect("slimroot runs")
        };
        for mut run in tags.iter().map(start).collect::<Vec<_>>() {
            assert!(run.wait().expect("it ends").success());
        }
        assert_eq!(index(&world.at(layout)).1, tags);
        assert_eq!(names(&world.at(layout)), ["blobs", "index.json", "oci-layout"]);
    }
    assert_eq!(names(world.dir.path()), ["empty", "new", "root"]);
}

#[test]
fn a_damaged_index_is_found_before_anything_is_written() {
    let world = World::new();
    world.builds(&["-o", "oci:layout:a"]);
    fs::remove_dir_all(world.at("layout/blobs")).expect("removed");
    for damaged in ["{", "[]", r#"{"schemaVersion":2}"#] {
        world.write("layout/index.json", damaged);
        assert_eq!(world.fails(&["-o", "tar:first.tar", "-o", "oci:layout:b"]), exists(), "{damaged}");
        assert_eq!(world.read("layout/index.json"), damaged);
    }
    fs::remove_file(world.at("layout/index.json")).expect("removed");
    assert_eq!(world.fails(&["-o", "oci:layout:b"]).1, "unreadable");
}

#[test]
fn devices_and_pipes_are_written_to() {
    let world = World::new();
    world.builds(&["-o", "tar:file.tar", "-o", "oci-archive:file.oci:a"]);
    for force in [&[][..], &["--force"]] {
        let pipe = world.at("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        for (word, same) in [("tar:pipe", "file.tar"), ("oci-archive:pipe:a", "file.oci")] {
            let mut run = world.command(&[force, &["-o", word]].concat());
            let mut run = run.stdout(std::process::Stdio::null()).spawn().expect("slimroot runs");
            // If nothing is ever written, the timeout ends the reader.
            let read = Command::new("timeout").args(["60", "cat"]).arg(&pipe).output().expect("timeout runs");
            assert!(run.wait().expect("it ends").success());
            assert!(read.stdout == fs::read(world.at(same)).expect("read"), "{word} {force:?}");
            assert!(fs::symlink_metadata(&pipe).expect("there").file_type().is_fifo());
        }
        fs::remove_file(&pipe).expect("removed");
    }
    let _socket = std::os::unix::net::UnixListener::bind(world.at("socket")).expect("a socket");
    assert_eq!(world.fails(&["--force", "-o", "tar:socket"]), exists());
    if !need::all(&["mknod"]) {
        return;
    }
    let node = |name: &str, words: [&str; 3]| {
        let made = Command::new("mknod").arg(world.at(name)).args(words).status().expect("mknod runs");
        made.success() || need::skip("the right to make devices")
    };
    if node("null", ["c", "1", "3"]) && node("loop", ["b", "7", "250"]) {
        world.builds(&["--force", "-o", "tar:null"]);
        assert!(fs::symlink_metadata(world.at("null")).expect("there").file_type().is_char_device());
        assert_eq!(world.fails(&["--force", "-o", "tar:loop"]), exists());
    }
}

#[test]
fn stdout_by_any_name_holds_the_archive_alone() {
    let world = World::new();
    world.builds(&["-o", "tar:file.tar", "-o", "oci-archive:file.oci:a"]);
    for (place, same) in [
        ("tar:-", "file.tar"),
        ("tar:/dev/stdout", "file.tar"),
        ("oci-archive:-:a", "file.oci"),
        ("oci-archive:/dev/stdout:a", "file.oci"),
    ] {
        let output = world.command(&["--force", "-o", place]).output().expect("slimroot runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(output.stdout == fs::read(world.at(same)).expect("read"), "{place}");
    }
}
