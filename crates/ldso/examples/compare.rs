//! Compares this crate with ldd, libtree and both programs called lddtree: how many of the loader laws each answers right.
//!
//! `cargo run -p slimroot-ldso --example compare [LDDTREE-RS]` needs Debian with libtree, pax-utils, python3-pyelftools,
//! bash-static and busybox-static, the rights of root, and the path of lddtree-rs if that is to take part. The judge is
//! the real loader. The comparison is lenient: order, spelling of paths and links do not count, only which files are
//! loaded and which names are missing; of a file that the process dies of any complaint will do.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "it measures; nobody links against it")]
#![allow(clippy::print_stdout, reason = "it prints a table")]

#[path = "../tests/support/judge.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod judge;
#[path = "../tests/support/laws.rs"]
mod laws;
#[path = "../tests/support/library.rs"]
mod library;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use judge::{Answer, truth};
use laws::{Family, Law, World, glibc, laws, musl};
use slimroot_ldso::rootfs::path::RootPath;
use slimroot_ldso::rootfs::root::Root;

/// The answer of a tool about a world.
struct Said {
    loaded: Vec<String>,
    missing: BTreeSet<String>,
    /// True if it reports a problem.
    complains: bool,
}

/// Lines of trees and lists: `NAME => PATH`, `NAME => not found`, `NAME not found` or `PATH`, with marks around it.
fn read(output: &Output, prefix: &Path) -> Said {
    let prefix = prefix.display().to_string();
    let mut said = Said {
        loaded: Vec::new(),
        missing: BTreeSet::new(),
        complains: !output.status.success() || !output.stderr.is_empty(),
    };
    for line in String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.contains('┊')) {
        let line = line.trim_matches(|c: char| c.is_whitespace() || "│├└─".contains(c));
        let line = line.split(" [").next().unwrap().split(" (").next().unwrap();
        let (name, path) = line.split_once(" => ").unwrap_or((line.trim_end_matches(" not found"), line));
        if path.ends_with("not found") || path == "None" {
            said.missing.insert(name.to_owned());
        } else if path.contains('/') {
            said.loaded.push(path.strip_prefix(&prefix).unwrap_or(path).to_owned());
        }
    }
    said.complains |= !said.missing.is_empty();
    said
}

/// Puts a program of this machine into a world.
fn lend(world: &World, from: &str, to: &str) {
    let to = world.root().join(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{from}: {error}"));
}

fn uid(law: &Law) -> &'static str {
    if law.mode & 0o6000 == 0 { "0" } else { "1000" }
}

fn ldd(world: &World, law: &Law) -> Said {
    lend(world, "/bin/bash-static", "bin/bash");
    lend(world, "/bin/busybox", "bin/cat");
    lend(world, "/usr/bin/ldd", "bin/ldd");
    read(&world.run_words(law, uid(law), &["/bin/bash", "/bin/ldd", "/bin/prog"], &["PATH=/bin"]), Path::new("//"))
}

/// Runs a dynamic program of this machine in the world, with libraries of its own beside it.
fn inside(world: &World, law: &Law, program: &str, args: &[&str]) -> Said {
    lend(world, "/lib64/ld-linux-x86-64.so.2", ".tool/ld.so");
    for name in ["libc.so.6", "libgcc_s.so.1"] {
        lend(world, &format!("/lib/x86_64-linux-gnu/{name}"), &format!(".tool/{name}"));
    }
    lend(world, program, ".tool/program");
    let words = [&["/.tool/ld.so", "--library-path", "/.tool", "/.tool/program"], args].concat();
    read(&world.run_words(law, uid(law), &words, &[]), Path::new("//"))
}

fn libtree(world: &World, law: &Law) -> Said {
    inside(world, law, "/usr/bin/libtree", &["-p", "-vvv", "/bin/prog"])
}

/// A tool that is given the root; the variables of the law are those of the tool.
fn from_outside(world: &World, law: &Law, program: &str, args: &[&str]) -> Said {
    // A loop of links holds one of them for good.
    let mut command = Command::new("timeout");
    command.args(["30", program]).args(args).env_clear().env("PATH", "/usr/bin:/bin").envs(&law.env);
    read(&command.output().unwrap(), &world.root())
}

fn lddtree(world: &World, law: &Law) -> Said {
    from_outside(world, law, "/usr/bin/lddtree", &["-a", "-R", world.root().to_str().unwrap(), "/bin/prog"])
}

/// With a root it reads ld.so.conf of this machine and no LD_LIBRARY_PATH, so that it does better inside.
fn lddtree_rs(world: &World, law: &Law) -> Said {
    inside(world, law, &std::env::args().nth(1).unwrap_or_default(), &["/bin/prog"])
}

fn own(world: &World, law: &Law) -> Said {
    let told = library::ask(world, law);
    let Answer { loaded, missing, fatal } = told.answer;
    // Files for better CPUs are listed beside those for every CPU.
    let is_better = |path: &String| {
        told.variants.iter().any(|better| {
            let plain = better.split("/glibc-hwcaps/").next().unwrap();
            path.starts_with(plain) && better.rsplit('/').next() == path.rsplit('/').next()
        })
    };
    let cpu = told.variants.first().cloned();
    let loaded = loaded.into_iter().map(|path| cpu.clone().filter(|_| is_better(&path)).unwrap_or(path));
    Said { loaded: loaded.collect(), complains: !missing.is_empty() || !fatal.is_empty(), missing }
}

/// The directories that Debian's glibc searches by default, in the file where Debian has them for other tools; the loader
/// itself never reads it.
fn configure(world: &World) {
    let conf = world.root().join("etc/ld.so.conf");
    let known = fs::read_to_string(&conf).unwrap_or_default();
    fs::write(conf, format!("{known}\n/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n")).unwrap();
}

/// Maps paths to files (inodes), so that two names of one file are equal; a path that does not exist stays a name.
fn files(world: &World, law: &Law, paths: &[String]) -> BTreeSet<String> {
    let root = Root::open(world.root()).unwrap();
    let cwd = RootPath::new(&law.cwd).unwrap();
    let interpreter = |path: &str| ["ld-linux", "ld-musl", "vdso", "linux-gate"].iter().any(|own| path.contains(own));
    let named = |path: &String| {
        let followed = root.follow_from(&cwd, path.as_bytes()).unwrap();
        match followed.file() {
            Some((real, _)) => {
                let inode = fs::metadata(world.root().join(real.to_string().trim_start_matches('/'))).unwrap().ino();
                (real.to_string(), format!("inode {inode}"))
            }
            None => (path.clone(), path.clone()),
        }
    };
    let entry = named(&"/bin/prog".to_owned()).1;
    paths.iter().map(named).filter(|(real, id)| !interpreter(real) && *id != entry).map(|(_, id)| id).collect()
}

fn is_right(world: &World, law: &Law, family: &Family, truth: &Answer, said: &Said) -> bool {
    if law.judge.as_deref() == Some("fatal") {
        return said.complains;
    }
    // A process of musl that ends for a missing library has no list of what it loaded.
    let is_listed = family.name == "glibc" || truth.missing.is_empty();
    said.missing == truth.missing && (!is_listed || files(world, law, &said.loaded) == files(world, law, &truth.loaded))
}

type Tool = (&'static str, fn(&World, &Law) -> Said);

fn main() {
    let mut tools: Vec<Tool> =
        vec![("slimroot-ldso", own), ("ldd", ldd), ("libtree", libtree), ("lddtree (pax-utils)", lddtree)];
    if std::env::args().nth(1).is_some_and(|program| PathBuf::from(program).is_file()) {
        tools.push(("lddtree-rs", lddtree_rs));
    }
    for family in [glibc(), musl()] {
        let all = laws(family.name);
        let mut right = vec![0; tools.len()];
        for (name, law) in &all {
            let world = World::build(law, &family);
            let truth = truth(&world, law, &family);
            let verdicts = tools.iter().map(|(tool, ask)| {
                if *tool == "libtree" && family.name == "glibc" {
                    configure(&world);
                }
                let mut said = ask(&world, law);
                // musl's libc is the loader, wherever a tool looks for it.
                said.missing.remove("libc.so");
                is_right(&world, law, &family, &truth, &said)
            });
            let verdicts: Vec<bool> = verdicts.collect();
            for (count, verdict) in right.iter_mut().zip(&verdicts) {
                *count += usize::from(*verdict);
            }
            let wrong = tools.iter().zip(&verdicts).filter(|(_, verdict)| !**verdict).map(|((tool, _), _)| *tool);
            println!("{} {name}: wrong {:?}", family.name, wrong.collect::<Vec<_>>());
        }
        for ((tool, _), right) in tools.iter().zip(right) {
            println!("{} of {}: {right} of {}", tool, family.name, all.len());
        }
    }
}
