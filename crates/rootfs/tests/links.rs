//! Following links: random trees, judged by the kernel's own openat2 with RESOLVE_IN_ROOT.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proptest::prelude::*;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use slimroot_rootfs::root::{DirTree, End, Root};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// An entry of the tree.
#[derive(Clone, Debug)]
enum Made {
    Dir,
    File,
    Link(String),
}

fn some_path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just(String::new()),
    ];
    (any::<bool>(), proptest::collection::vec(part, 1..6)).prop_map(|(absolute, parts)| {
        let text = parts.join("/");
        match (absolute, text.is_empty()) {
            (true, _) => format!("/{text}"),
            (false, true) => ".".to_owned(),
            (false, false) => text,
        }
    })
}

fn some_tree() -> impl Strategy<Value = Vec<(String, Made)>> {
    let place = proptest::collection::vec(proptest::sample::select(&NAMES[..]), 1..4).prop_map(|parts| parts.join("/"));
    let made = prop_oneof![
        3 => Just(Made::Dir),
        1 => Just(Made::File),
        4 => some_path().prop_map(Made::Link),
    ];
    proptest::collection::vec((place, made), 1..25)
}

/// Makes what can be made: a place below a file or link is passed over, as is one that is taken.
fn make(base: &Path, tree: &[(String, Made)]) {
    for (place, made) in tree {
        let path = base.join(place);
        let parent = path.parent().unwrap_or(base);
        let is_inside = parent.ancestors().take_while(|dir| *dir != base).all(|dir| !dir.is_symlink());
        if !is_inside || std::fs::create_dir_all(parent).is_err() {
            continue;
        }
        let _ = match made {
            Made::Dir => std::fs::create_dir(&path),
            Made::File => std::fs::write(&path, "x"),
            Made::Link(text) => std::os::unix::fs::symlink(text, &path),
        };
    }
}

/// The answer of the kernel: device and inode of the file, or the error.
fn kernel(base: &Path, path: &str) -> Result<(u64, u64), Errno> {
    let dir = rustix::fs::open(base, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = rustix::fs::openat2(&dir, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), inside)?;
    let stat = rustix::fs::fstat(found)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn ours(root: &Root, path: &str) -> Result<(u64, u64), Errno> {
    let followed = root.follow(path.as_bytes()).map_err(|error| {
        error.source.and_then(|source| source.raw_os_error()).map_or(Errno::IO, Errno::from_raw_os_error)
    })?;
    match followed.end {
        End::Found(_, meta) => Ok(meta.identity),
        End::Missing(_) => Err(Errno::NOENT),
        End::NotDirectory(_) => Err(Errno::NOTDIR),
        End::Loop => Err(Errno::LOOP),
        End::TooLong => Err(Errno::NAMETOOLONG),
    }
}

/// True if a directory has a symlink of this name.
fn has_link(base: &Path, dir: &str, name: &str) -> bool {
    let open = |from: &rustix::fd::OwnedFd, path: &str, flags| {
        rustix::fs::openat2(from, path, OFlags::PATH | flags, Mode::empty(), ResolveFlags::IN_ROOT)
    };
    let found = rustix::fs::open(base, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
        .and_then(|base| open(&base, dir, OFlags::DIRECTORY))
        .and_then(|dir| open(&dir, name, OFlags::NOFOLLOW))
        .and_then(rustix::fs::fstat);
    found.is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn links_lead_where_the_kernel_says(tree in some_tree(), paths in proptest::collection::vec(some_path(), 1..12)) {
        let base = tempfile::tempdir().expect("a directory");
        make(base.path(), &tree);
        let root = Root::open(base.path()).expect("a root");
        let by_hand = Root::new(std::sync::Arc::new(DirTree::open_by_hand(base.path()).expect("a root")));
        for path in &paths {
            let truth = kernel(base.path(), path);
            prop_assert_eq!(ours(&root, path), truth, "{} by openat2", path);
            prop_assert_eq!(ours(&by_hand, path), truth, "{} by hand", path);
            // Asked again, the answer comes from what is known of the directory.
            prop_assert_eq!(ours(&root, path), truth, "{} again", path);
        }
        for (dir, name) in paths.iter().filter(|path| path.starts_with('/')).flat_map(|dir| NAMES.map(|name| (dir, name))) {
            let entry = kernel(base.path(), &format!("{dir}/{name}"));
            let may_have = root.may_have(dir.as_bytes(), name.as_bytes()).expect("readable");
            prop_assert!(may_have || entry.is_err(), "{} has {}", dir, name);
            if kernel(base.path(), dir).is_err() || matches!(entry, Err(Errno::NOENT)) && !has_link(base.path(), dir, name) {
                prop_assert!(!may_have, "{} has no {}", dir, name);
            }
        }
    }
}

#[test]
fn chains_and_lengths_end_where_linux_ends_them() {
    let base = tempfile::tempdir().expect("a directory");
    std::fs::write(base.path().join("l0"), "x").expect("written");
    for number in 1..=42 {
        let (text, link) = (format!("l{}", number - 1), base.path().join(format!("l{number}")));
        std::os::unix::fs::symlink(text, link).expect("linked");
    }
    std::fs::create_dir(base.path().join("dir")).expect("made");
    let root = Root::open(base.path()).expect("a root");
    let long_name = "n".repeat(256);
    let long_path = "/dir/..".repeat(600);
    for path in ["/l40", "/l41", "/l42", "/l1/", "/l0/x", "/dir/", "/dir/.", "/l0/.", &long_name, &long_path, "/.."] {
        assert_eq!(ours(&root, path), kernel(base.path(), path), "{path}");
    }
}

#[test]
fn a_directory_swapped_for_a_link_leads_nowhere_outside() {
    let base = tempfile::tempdir().expect("a directory");
    let outside = tempfile::tempdir().expect("a directory");
    std::fs::write(outside.path().join("secret"), "x").expect("written");
    let link = base.path().join("dir");
    std::os::unix::fs::symlink(outside.path(), &link).expect("linked");
    for root in [
        Root::open(base.path()).expect("a root"),
        Root::new(std::sync::Arc::new(DirTree::open_by_hand(base.path()).expect("a root"))),
    ] {
        // Even asked for the real path, as if it had been a directory a moment ago.
        let real = slimroot_rootfs::path::RootPath::new(b"/dir/secret").expect("a path");
        assert!(root.open_file(&real).is_err());
        assert_eq!(root.meta(&real).ok().flatten(), None);
        let through = [outside.path().as_os_str().as_bytes(), b"/secret"].concat();
        assert_eq!(root.follow(&through).ok().and_then(|followed| followed.file().map(|_| ())), None);
    }
}
