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
