//! The world of the fuzz targets: a root in memory with a loader, libraries and programs of a kilobyte each, in which a
//! target puts its bytes where a parser meets them. The whole way is run, not the parser alone, so that nothing has to be
//! public for it, and so that what a parser lets through is tried on the rooms above it.
//!
//! `fuzz/make-seeds.sh` says how the files of `world/` and `seeds/` were made; `fuzz/run.sh` runs each target for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use slimroot::check::{Evidence, find};
use slimroot::closure::{Closure, Companions, Request};
use slimroot::loader::Objects;
use slimroot::plan::{Plan, PlannedTree, Settings};
use slimroot::profile::Profile;
use slimroot::root::{MemTree, Root};

macro_rules! world {
    ($name:literal) => {
        include_bytes!(concat!("../world/", $name)).as_slice()
    };
}

/// Looks at imports, and so at symbol tables.
static CURIOUS: LazyLock<Profile> = LazyLock::new(|| Profile::parse(CURIOUS_TEXT, "curious").expect("a profile"));
const CURIOUS_TEXT: &str = r#"
format = 1
name = "curious"
summary = "asks for what is imported"
[[when]]
imports = ["dlopen", "getpwuid"]
anywhere = true
[[when]]
soname = "libfuzz*"
[[take]]
paths = ["/etc/*.conf"]
why = "a pattern"
"#;

/// A root with these programs, all of them in /bin:
/// `prog` needs liba.so and libb.so of the glibc kind of loader, `musl` the same of musl's;
/// `host` needs libfuzz.so, `guest` has /lib/fuzz-ld.so as its loader: neither file is there yet.
pub fn world() -> MemTree {
    let mut tree = MemTree::default();
    tree.file("/bin/prog", 0o755, world!("prog"))
        .file("/bin/musl", 0o755, world!("musl"))
        .file("/bin/host", 0o755, world!("host"))
        .file("/bin/guest", 0o755, world!("guest"))
        .file("/lib64/ld.so", 0o755, world!("ld.so"))
        .file("/lib/ld-musl-x86_64.so.1", 0o755, world!("ld-musl.so"))
        .file("/usr/lib/liba.so", 0o644, world!("liba.so"))
        .file("/usr/lib/libb.so", 0o644, world!("libb.so"))
        .file("/usr/lib/libd.so", 0o644, world!("libd.so"))
        .file("/etc/a.conf", 0o644, "a\n")
        .link("/lib/libb.so", "../usr/lib/libb.so");
    tree
}

/// The same root with interpreters by their names. They are programs that do nothing, because nothing is run.
pub fn interpreters() -> MemTree {
    let mut tree = world();
    for path in [
        "/bin/sh",
        "/usr/bin/env",
        "/usr/bin/node",
        "/usr/bin/perl",
        "/usr/bin/php",
        "/usr/bin/python3",
        "/usr/bin/ruby",
        "/usr/sbin/php-fpm",
        "/opt/java/bin/java",
        "/usr/share/dotnet/dotnet",
    ] {
        tree.file(path, 0o755, world!("prog"));
    }
    tree.file("/usr/lib/python3.11/os.py", 0o644, "")
        .file("/opt/java/lib/modules", 0o644, "")
        .dir("/usr/share/dotnet/host/fxr/8.0.1", 0o755)
        .dir("/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1", 0o755);
    tree
}

/// Separates the parts of an input.
const CUT: &[u8] = b"\n%%\n";

/// The parts of an input for several files, which lines `%%` separate. Missing parts are empty.
pub fn parts<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut rest = Some(bytes);
    std::array::from_fn(|number| {
        let whole = rest.take().unwrap_or_default();
        match whole.windows(CUT.len()).position(|part| part == CUT).filter(|_| number + 1 < N) {
            Some(at) => {
                rest = Some(&whole[at + CUT.len()..]);
                &whole[..at]
            }
            None => whole,
        }
    })
}

/// An entry of [`archive`].
pub struct Entry<'a> {
    /// The type flag.
    pub kind: u8,
    pub name: &'a [u8],
    pub link: &'a [u8],
    /// The size that the header states.
    pub size: u64,
    pub body: &'a [u8],
}

impl<'a> Entry<'a> {
    /// A regular file.
    pub fn file(name: &'a str, body: &'a [u8]) -> Self {
        Self { kind: b'0', name: name.as_bytes(), link: b"", size: body.len() as u64, body }
    }
}

/// A tar archive whose checksums are right.
pub fn archive<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let mut header = [0_u8; 512];
        let (name, link) = (&entry.name[..entry.name.len().min(100)], &entry.link[..entry.link.len().min(100)]);
        header[..name.len()].copy_from_slice(name);
        for (at, text) in [(100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"), (257, b"ustar\x0000")] {
            header[at..at + 8].copy_from_slice(text);
        }
        // base-256, as GNU tar writes a number that does not fit into octal digits.
        header[124] = 0x80;
        header[128..136].copy_from_slice(&entry.size.to_be_bytes());
        header[156] = entry.kind;
        header[157..157 + link.len()].copy_from_slice(link);
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(entry.body);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// What is asked for when this program is the entry.
pub fn request(entry: &str) -> Request {
    Request {
        entry: entry.to_owned(),
        env: BTreeMap::from([("PATH".to_owned(), "/bin:/usr/bin".to_owned())]),
        companions: Companions::All,
        automatic: vec![CURIOUS.clone()],
        ..Request::default()
    }
}

/// From the request to the plan, as `build` goes; errors are answers.
pub fn pack(tree: &MemTree, request: &Request) {
    let root = Root::new(Arc::new(tree.clone()));
    let objects = Objects::new(&root);
    let Ok(closure) = Closure::build(&objects, request) else { return };
    let settings = Settings { strip: true, ..Settings::default() };
    let Ok(plan) = Plan::build(&objects, request, &closure, &settings) else { return };
    let planned = Root::new(Arc::new(PlannedTree::new(&plan, root.tree())));
    let _ = find(&Evidence::new(&objects, &closure, &planned, &plan.run, false));
}
