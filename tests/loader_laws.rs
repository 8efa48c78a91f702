//! Loader rules: small worlds (`fixtures/laws`), in which the real loaders of glibc and musl judge the answers of
//! `slimroot deps`.

#![allow(unreachable_pub, reason = "support modules are compiled into each test on their own")]
#[path = "support/laws.rs"]
mod laws;
#[path = "support/need.rs"]
mod need;
#[path = "support/roots.rs"]
mod roots;

use std::collections::BTreeSet;
use std::process::Command;

use laws::{Family, Law, World, glibc, glibc_from, musl};
use serde_json::Value;

/// The answer of a loader.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// Paths as the loader composes them, in load order, without entry, interpreter and vdso.
    loaded: Vec<String>,
    /// Names that were not found.
    missing: BTreeSet<String>,
    /// Files at which the loader aborts.
    fatal: BTreeSet<String>,
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(|line| line.trim().to_owned()).collect()
}

/// `LD_TRACE_LOADED_OBJECTS` of glibc: `name => path (0x…)`, `name => not found`, `path (0x…)`.
fn glibc_trace(world: &World, law: &Law) -> Answer {
    let output = world.run(law, &["LD_TRACE_LOADED_OBJECTS=1"]);
    let mut answer = Answer { loaded: Vec::new(), missing: BTreeSet::new(), fatal: BTreeSet::new() };
    for line in lines(&output.stdout) {
        let (name, path) = line.split_once(" => ").unwrap_or((&line, &line));
        let path = path.split(" (0x").next().unwrap_or_default().to_owned();
        if path == "not found" {
            answer.missing.insert(name.to_owned());
        } else {
            answer.loaded.push(path);
        }
    }
    // "PROG: error while loading shared libraries: FILE: why"
    for line in lines(&output.stderr) {
        if let Some((_, rest)) = line.split_once("error while loading shared libraries: ") {
            answer.fatal.insert(rest.split(": ").next().unwrap_or_default().to_owned());
        }
    }
    answer
}

/// A real run, which prints its own objects; or the loader's message if it aborts.
fn run(world: &World, law: &Law) -> Answer {
    let output = world.run(law, &[]);
    let names = lines(&output.stdout);
    // The first object is the program itself.
    let loaded = names.into_iter().skip(1).filter(|name| !name.is_empty()).collect();
    let mut answer = Answer { loaded, missing: BTreeSet::new(), fatal: BTreeSet::new() };
    for line in lines(&output.stderr) {
        let Some(rest) = line.strip_prefix("Error loading shared library ") else { continue };
        let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
        if ["Exec format error", "Is a directory", "Invalid argument"].iter().any(|fatal| why.starts_with(fatal)) {
            answer.fatal.insert(name.to_owned());
        } else {
            answer.missing.insert(name.to_owned());
        }
    }
    assert!(output.status.success() || !output.stderr.is_empty(), "{:?}", output.status);
    answer
}

fn slimroot(world: &World, law: &Law) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    command.args(["deps", "--format", "json", "--cwd", &law.cwd, "--root"]).arg(world.root());
    command.args(law.env.iter().map(|(name, value)| format!("--env={name}={value}"))).arg("/bin/prog");
    let output = command.output().expect("slimroot runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.map(|each| each[key].as_str().unwrap_or_default().to_owned()).collect()
}

/// Our answer in the same form. A file for a higher CPU level is moved to the position where the loader has it.
fn ours(told: &Value, truth: &Answer) -> Answer {
    let interpreter = told["interpreter"].as_str().unwrap_or_default();
    let mut loaded = texts(&told["objects"], "path");
    loaded.drain(..1);
    loaded.retain(|path| path != interpreter);
    for variant in told["variants"].as_array().into_iter().flatten() {
        let better = variant["path"].as_str().unwrap_or_default();
        let plain = better.split("/glibc-hwcaps/").next().unwrap_or_default();
        if truth.loaded.iter().any(|path| path == better) {
            for path in loaded
                .iter_mut()
                .filter(|path| path.starts_with(plain) && path.ends_with(better.rsplit('/').next().unwrap_or_default()))
            {
                better.clone_into(path);
            }
        }
    }
    Answer {
        loaded,
        missing: texts(&told["missing"], "name").into_iter().collect(),
        fatal: texts(&told["errors"], "path").into_iter().collect(),
    }
}

/// Tests one rule; returns the difference, if there is one.
fn diverges(law: &Law, family: &Family) -> Option<String> {
    let world = World::build(law, family);
    let judge = law.judge.as_deref().unwrap_or(if family.name == "glibc" { "trace" } else { "run" });
    let mut truth = if family.name == "glibc" && judge != "run" { glibc_trace(&world, law) } else { run(&world, law) };
    let told = slimroot(&world, law);
    let interpreter = told["interpreter"].as_str().unwrap_or_default().to_owned();
    let is_other = |path: &String| *path != interpreter && !path.contains("vdso") && !path.contains("linux-gate");
    truth.loaded.retain(is_other);
    let mut ours = ours(&told, &truth);
    match judge {
        // If the loader aborts, the objects loaded before do not matter, and the name at which it aborts does not count
        // as missing.
        "fatal" => {
            assert!(!truth.fatal.is_empty(), "the loader does not die: {truth:?}");
            (truth.loaded, truth.missing) = (Vec::new(), BTreeSet::new());
            (ours.loaded, ours.missing) = (Vec::new(), BTreeSet::new());
            // The loader reports the file or the requested name.
            let is_named =
                |path: &String| ours.fatal.iter().any(|own| own == path || own.ends_with(&format!("/{path}")));
            if truth.fatal.iter().all(is_named) {
                return None;
            }
        }
        "set" => {
            truth.loaded.sort();
            ours.loaded.sort();
        }
        _ => {
            // If a library is missing, musl ends the process without a list of loaded objects.
            if family.name == "musl" && !truth.missing.is_empty() {
                ours.loaded.clear();
                truth.loaded.clear();
            }
        }
    }
    (truth != ours).then(|| format!("the loader  {truth:?}\n  slimroot    {ours:?}"))
}

#[expect(clippy::print_stdout, reason = "how many laws there are is worth a line")]
fn judge_all(family: &Family, at_least: usize) {
    let folder = format!("{}/fixtures/laws/{}", env!("CARGO_MANIFEST_DIR"), family.name);
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of laws") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a law");
        let law: Law = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if family.is_older && law.judge.as_deref() == Some("run") {
            continue;
        }
        count += 1;
        if let Some(how) = diverges(&law, family) {
            failed.push(format!("{}: {}\n  {how}", path.file_stem().unwrap_or_default().display(), law.law));
        }
    }
    failed.sort();
    assert!(count >= at_least, "only {count} laws in the folder");
    assert!(failed.is_empty(), "{} of {count} laws diverge\n{}", failed.len(), failed.join("\n"));
    println!("{count} laws of {} hold", family.name);
}

#[test]
fn the_laws_of_glibc_hold() {
    if need::all(&["gcc", "unshare", "python3"]) {
        judge_all(&glibc(), 70);
    }
}

#[test]
fn the_laws_of_musl_hold() {
    if need::all(&["musl-gcc", "unshare", "python3"]) {
        judge_all(&musl(), 20);
    }
}

/// glibc 2.41: no legacy subdirectories, and different messages.
#[test]
fn the_laws_of_a_newer_glibc_hold() {
    if need::all(&["gcc", "unshare", "python3", "mmdebstrap"]) {
        judge_all(&glibc_from(&roots::glibc_of("trixie"), false), 70);
    }
}

/// glibc 2.31: no glibc-hwcaps, and the loader does not contain its release.
#[test]
fn the_laws_of_an_older_glibc_hold() {
    if need::all(&["gcc", "unshare", "python3", "mmdebstrap"]) {
        judge_all(&glibc_from(&roots::glibc_of("bullseye"), true), 60);
    }
}
