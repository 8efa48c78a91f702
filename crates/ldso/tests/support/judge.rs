//! The judge of the loader laws: what the real loader made of a world, against what somebody else says of it.

use std::collections::BTreeSet;

use super::laws::{Family, Law, World, laws};

/// The answer of a loader about a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Paths as composed, in load order, without entry, interpreter and vdso.
    pub loaded: Vec<String>,
    /// Names not found.
    pub missing: BTreeSet<String>,
    /// Files that the process dies of.
    pub fatal: BTreeSet<String>,
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

/// A real run, which prints its own objects; or what the loader said when it died.
fn run(world: &World, law: &Law) -> Answer {
    let output = world.run(law, &[]);
    let names = lines(&output.stdout);
    // The first is the program itself.
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

/// An answer about a world: every object except the entry, including the interpreter.
pub struct Told {
    pub answer: Answer,
    /// PT_INTERP.
    pub interpreter: String,
    /// Files that only a better CPU loads.
    pub variants: Vec<String>,
}

impl Told {
    /// In the form of the truth; a file that only a better CPU loads is put where the judge has it.
    fn compared_with(&self, truth: &Answer) -> Answer {
        let mut answer = self.answer.clone();
        answer.loaded.retain(|path| *path != self.interpreter);
        for better in self.variants.iter().filter(|better| truth.loaded.contains(better)) {
            let plain = better.split("/glibc-hwcaps/").next().unwrap_or_default();
            let name = better.rsplit('/').next().unwrap_or_default();
            for path in answer.loaded.iter_mut().filter(|path| path.starts_with(plain) && path.ends_with(name)) {
                better.clone_into(path);
            }
        }
        answer
    }
}

/// The truth of a law by the loader itself.
pub fn truth(world: &World, law: &Law, family: &Family) -> Answer {
    let is_traced = family.name == "glibc" && law.judge.as_deref() != Some("run");
    if is_traced { glibc_trace(world, law) } else { run(world, law) }
}

/// True for a path that a loader lists without being asked: its own, or the kernel's object.
pub fn is_own(path: &str, interpreter: &str) -> bool {
    path == interpreter || path.contains("vdso") || path.contains("linux-gate")
}

/// One law; the divergence in words, if there is one.
fn diverges(law: &Law, family: &Family, ask: fn(&World, &Law) -> Told) -> Option<String> {
    let world = World::build(law, family);
    let judge = law.judge.as_deref().unwrap_or(if family.name == "glibc" { "trace" } else { "run" });
    let mut truth = truth(&world, law, family);
    let told = ask(&world, law);
    truth.loaded.retain(|path| !is_own(path, &told.interpreter));
    let mut ours = told.compared_with(&truth);
    match judge {
        // Once a loader dies, what it had loaded before says nothing; and a name it died of is no missing one.
        "fatal" => {
            assert!(!truth.fatal.is_empty(), "the loader does not die: {truth:?}");
            (truth.loaded, truth.missing) = (Vec::new(), BTreeSet::new());
            (ours.loaded, ours.missing) = (Vec::new(), BTreeSet::new());
            // The loader names the file or the name it was asked for.
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
            // A process that ends for a missing library has no list of what it loaded.
            if family.name == "musl" && !truth.missing.is_empty() {
                ours.loaded.clear();
                truth.loaded.clear();
            }
        }
    }
    (truth != ours).then(|| format!("the loader  {truth:?}\n  slimroot    {ours:?}"))
}

/// Judges the laws of a C library that `is_wanted` picks.
#[expect(clippy::print_stdout, reason = "how many laws there are is worth a line")]
pub fn judge_all(family: &Family, at_least: usize, is_wanted: fn(&Law) -> bool, ask: fn(&World, &Law) -> Told) {
    let mut failed = Vec::new();
    let mut count = 0;
    for (name, law) in laws(family.name) {
        if !is_wanted(&law) || family.is_older && law.judge.as_deref() == Some("run") {
            continue;
        }
        count += 1;
        if let Some(how) = diverges(&law, family, ask) {
            failed.push(format!("{}: {}\n  {how}", name, law.law));
        }
    }
    failed.sort();
    assert!(count >= at_least, "only {count} laws in the folder");
    assert!(failed.is_empty(), "{} of {count} laws diverge\n{}", failed.len(), failed.join("\n"));
    println!("{count} laws of {} hold", family.name);
}
