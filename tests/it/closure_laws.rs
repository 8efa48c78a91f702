//! Laws of the closure, on random trees in memory. The judge is the closure itself, asked twice: the same program behind
//! another launcher, with one more word of the user, in another order, in its own image.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use proptest::test_runner::{TestCaseError, TestRunner};
use slimroot::closure::{Closure, Edge, NodeKind, Reason, Request};
use slimroot::digest::Digest;
use slimroot::error::Error;
use slimroot::language::Certainty;
use slimroot::layer::{Blob, Codec, PassOptions, pack};
use slimroot::loader::Objects;
use slimroot::path::{RootPath, show};
use slimroot::plan::{Plan, PlannedTree, Settings};
use slimroot::root::Root;

use crate::support::elf::{self, Elf};
use crate::support::files::{File, Files};
use crate::support::trees::{self, Asked, Words};

/// Cases of one law. `LAW_CASES` asks for another number.
fn cases(count: u32) -> ProptestConfig {
    let cases = std::env::var("LAW_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(count);
    // One seed for all runs: a change that breaks a law fails here and now, not in somebody else's run. `LAW_SEED` tries
    // another.
    let seed = std::env::var("LAW_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let rng_seed = RngSeed::Fixed(seed);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4000, rng_seed, ..ProptestConfig::default() }
}

/// The closure; `None` for a request that is refused, as for an entry that is not there.
fn closure(root: &Root, request: &Request) -> Option<Closure> {
    Closure::build(&Objects::new(root), request).ok()
}

fn paths(closure: &Closure) -> BTreeSet<&RootPath> {
    closure.graph().nodes().keys().collect()
}

/// Libraries that a process misses, and whether that fails the build.
fn missing(closure: &Closure) -> BTreeMap<(RootPath, String), (bool, Certainty)> {
    let mut found = BTreeMap::new();
    for started in closure.processes() {
        for missing in &started.process.missing {
            let requester = started.process.loaded[missing.needed_by].real.clone();
            let level =
                found.entry((requester, show(&missing.name).into_owned())).or_insert((false, Certainty::Possible));
            level.0 |= started.required;
            level.1 = level.1.max(started.certainty);
        }
    }
    found
}

fn tell(edge: &Edge) -> String {
    format!("{} [{}] {}", edge.to, edge.rule, edge.reason.says(edge.from.as_ref()))
}

/// Everything of the first is in the second, and what the first misses the second misses at least as badly.
fn holds(less: &Closure, more: &Closure, what: &str) -> Result<(), TestCaseError> {
    let (inside, outside) = (paths(less), paths(more));
    let lost: Vec<String> =
        inside.difference(&outside).map(|path| less.reasons(path).map(tell).collect::<Vec<_>>().join("; ")).collect();
    prop_assert!(lost.is_empty(), "{what} loses {lost:#?}");
    let known = missing(more);
    for (need, level) in missing(less) {
        let other = known.get(&need);
        // Files that only lie there are opened in the order in which they come: one that is opened early answers the
        // needs of those after it, so what such a file misses is told only while nothing packed answers it.
        let is_packed = || more.graph().nodes().keys().any(|path| path.name() == need.1.as_bytes());
        if !level.0 && other.is_none() && is_packed() {
            continue;
        }
        prop_assert!(
            other.is_some_and(|other| other.0 >= level.0 && other.1 >= level.1),
            "{what}: {} misses {} as {level:?}, then as {other:?}",
            need.0,
            need.1
        );
    }
    Ok(())
}

fn check<S: Strategy>(count: u32, strategy: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: std::fmt::Debug,
{
    let result = TestRunner::new(cases(count)).run(strategy, law);
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// The same words behind each launcher. The scripts lie in the tree in every case.
fn launchers(files: &mut Files, words: &Words) -> Vec<(&'static str, Words)> {
    let line = format!("exec {}", words.join(" "));
    let text = |line: &str| File::Program(format!("#!/bin/sh\n{line}\n"));
    let program = &words[0];
    let beside = match program.rsplit_once('/') {
        Some((dir, _)) if dir.starts_with('/') => format!("{dir}/law-beside"),
        _ => "/usr/local/bin/law-beside".to_owned(),
    };
    files.put("/usr/local/bin/law-start", text(&line));
    files.put(&beside, text(&line));
    files.put("/usr/local/bin/law-inner", text(&line));
    files.put("/usr/local/bin/law-outer", text("exec /usr/local/bin/law-inner"));
    files.put("/usr/local/bin/law-handed", text("set -e\nexec \"$@\""));
    let with = |first: &[&str]| first.iter().map(|word| (*word).to_owned()).chain(words.iter().cloned()).collect();
    vec![
        ("sh -c", vec!["sh".to_owned(), "-c".to_owned(), line]),
        ("a start script", vec!["/usr/local/bin/law-start".to_owned()]),
        ("a script beside it", vec![beside]),
        ("two scripts", vec!["law-outer".to_owned()]),
        ("a script that starts its arguments", with(&["law-handed"])),
        ("env", with(&["env"])),
        ("env with a variable", with(&["env", "LAW=1"])),
        ("tini", with(&["tini", "--"])),
    ]
}

#[test]
fn a_program_has_one_closure_whoever_starts_it() {
    check(2500, &(trees::worlds(), any::<Index>()), |((mut files, asked), which)| {
        let launchers = launchers(&mut files, &asked.entry);
        let root = files.root();
        let Some(own) = closure(&root, &asked.request()) else { return Ok(()) };
        let (how, entry) = launchers[which.index(launchers.len())].clone();
        let behind = Asked { entry, ..asked.clone() };
        let Some(behind) = closure(&root, &behind.request()) else {
            return Err(TestCaseError::fail(format!("{how} is refused")));
        };
        holds(&own, &behind, how)
    });
}

/// One more word of the user.
#[derive(Clone, Debug)]
enum More {
    Bin(String),
    Include(&'static str),
    Package(&'static str),
    Profile(usize),
}

fn more() -> impl Strategy<Value = More> {
    use proptest::sample::select;
    prop_oneof![
        4 => prop_oneof![select(&trees::PROGRAMS[..]), select(&trees::SCRIPTS[..])]
            .prop_map(|bin| More::Bin(bin.to_owned())),
        2 => select(&["/app/**", "/opt/x", "/usr/lib/one", "/etc", "/usr/lib/*.so.1", "/usr/bin/*"][..])
            .prop_map(More::Include),
        1 => select(&trees::PACKAGES[..]).prop_map(|(name, _)| More::Package(name)),
        2 => (0..5_usize).prop_map(More::Profile),
    ]
}

/// The closures of a request and of the same with one more word; `None` if the word says nothing new, or names what is
/// not there, which is an error and no loss.
fn widened(files: &Files, asked: &Asked, more: &More) -> Option<(Closure, Closure)> {
    let mut wider = asked.clone();
    match more {
        More::Bin(bin) => wider.bins.push(bin.clone()),
        More::Include(glob) => wider.includes.push(glob),
        More::Package(name) => wider.packages.push(name),
        More::Profile(at) if !wider.profiles.contains(at) => wider.profiles.push(*at),
        More::Profile(_) => return None,
    }
    let root = files.root();
    Some((closure(&root, &asked.request())?, closure(&root, &wider.request())?))
}

/// Rules that pack a file once for a package, and leave it to an application whose directory it lies in.
const LEAVE_TO_OWNERS: [&str; 3] = ["package-files", "same-source", "named-paths"];

#[test]
fn more_words_of_the_user_remove_nothing() {
    check(3000, &(trees::worlds(), more()), |((files, asked), more)| {
        let Some((before, after)) = widened(&files, &asked, &more) else { return Ok(()) };
        holds(&before, &after, "the wider request")?;
        // A --bin may make its directory an application's, or be the program for which a package comes from then on. Who
        // answers for a file of the package, and in whose process it is opened, changes by that; the file stays.
        let has_new_owner = |path: &RootPath| {
            before.reasons(path).any(|edge| LEAVE_TO_OWNERS.contains(&edge.rule))
                && after
                    .reasons(path)
                    .any(|edge| LEAVE_TO_OWNERS.contains(&edge.rule) || matches!(*edge.reason, Reason::Home { .. }))
        };
        let required = before.processes().iter().filter(|started| started.required);
        let started: BTreeSet<&RootPath> =
            required.flat_map(|started| &started.process.loaded).map(|object| &object.real).collect();
        for edge in before.graph().edges() {
            let is_kept = after.reasons(&edge.to).any(|other| other.from == edge.from && other.reason == edge.reason);
            let is_left = LEAVE_TO_OWNERS.contains(&edge.rule) && has_new_owner(&edge.to)
                || edge.from.as_ref().is_some_and(has_new_owner);
            // In the other process a need of such a plug-in may be found by another way.
            let is_found_otherwise = || {
                let Reason::Needed { name, .. } = &*edge.reason else { return false };
                let is_started = edge.from.as_ref().is_some_and(|from| started.contains(from));
                let needs = |other: &Edge| matches!(&*other.reason, Reason::Needed { name: also, .. } if also == name);
                !is_started && after.reasons(&edge.to).any(|other| other.from == edge.from && needs(other))
            };
            prop_assert!(is_kept || is_left || is_found_otherwise(), "a reason is lost: {}", tell(edge));
        }
        Ok(())
    });
}

fn shuffled<T: Clone>(list: &[T], order: &[Index]) -> Vec<T> {
    let mut left = list.to_vec();
    let mut out = Vec::new();
    for index in order.iter().cycle().take(list.len()) {
        out.push(left.remove(index.index(left.len())));
    }
    out
}

/// Every line that a user may see of a closure.
fn lines(closure: &Closure) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, node) in closure.graph().nodes().iter() {
        let what = match node {
            NodeKind::File(_) => "file".to_owned(),
            NodeKind::Dir(_) => "directory".to_owned(),
            NodeKind::Link(_, text) => show(text).into_owned(),
            NodeKind::MadeFile { bytes, mode } => format!("{mode:o} {}", show(bytes)),
            NodeKind::MadeDir { mode, owner } => format!("{mode:o} {owner:?}"),
        };
        lines.push(format!("{path}: {what}"));
        lines.push(format!("{path} is of the group {:?}", closure.group(path)));
        lines.extend(closure.why(path).into_iter().map(|edge| format!("{path} because {}", tell(edge))));
    }
    lines.extend(closure.notes().iter().map(|note| format!("{note:?}")));
    lines.extend(missing(closure).into_iter().map(|missing| format!("{missing:?}")));
    lines.extend(closure.env().iter().map(|set| format!("{set:?}")));
    lines
}

#[test]
fn the_order_of_words_changes_nothing() {
    let order = proptest::collection::vec(any::<Index>(), 3);
    check(2500, &(trees::worlds(), order), |((files, asked), order)| {
        let root = files.root();
        let other = Asked {
            bins: shuffled(&asked.bins, &order),
            includes: shuffled(&asked.includes, &order),
            packages: shuffled(&asked.packages, &order),
            profiles: shuffled(&asked.profiles, &order),
            automatic: shuffled(&asked.automatic, &order),
            ..asked.clone()
        };
        let (first, second) = (closure(&root, &asked.request()), closure(&root, &other.request()));
        prop_assert_eq!(first.is_some(), second.is_some());
        let (Some(first), Some(second)) = (first, second) else { return Ok(()) };
        let (first, second) = (lines(&first), lines(&second));
        let known: BTreeSet<&String> = first.iter().collect();
        let also: BTreeSet<&String> = second.iter().collect();
        let (only_first, only_second): (Vec<_>, Vec<_>) =
            (known.difference(&also).collect(), also.difference(&known).collect());
        prop_assert!(first == second, "only in one order {only_first:#?}, only in the other {only_second:#?}");
        Ok(())
    });
}

/// The plan of a closure, as `pack` makes it.
fn plan(root: &Root, request: &Request, closure: &Closure) -> Result<Plan, Error> {
    Plan::build(&Objects::new(root), request, closure, &Settings { epoch: 1, ..Settings::default() })
}

/// The digest of the layer that a plan becomes.
fn diff_id(root: &Root, plan: &Plan) -> Digest {
    let file = std::fs::File::options().write(true).open("/dev/null").expect("a sink");
    let options = PassOptions { threads: 1, cache: None, progress: &|_, _| (), stop: &|| false };
    let blobs = vec![("a layer".to_owned(), Blob { codec: Codec::None, file })];
    pack(&**root.tree(), plan, blobs, &mut [], &options).expect("written")[0].diff_id
}

#[test]
fn an_image_is_its_own_closure() {
    check(2000, &trees::worlds(), |(files, asked)| {
        let root = files.root();
        let request = asked.request();
        let Some(first) = closure(&root, &request) else { return Ok(()) };
        let planned = plan(&root, &request, &first);
        prop_assert!(planned.is_ok(), "no plan: {:?}", planned.err());
        let planned = planned.expect("checked");
        let image = Root::new(Arc::new(PlannedTree::new(&planned, root.tree())));
        // Rules about packages need the database, which stays in the builder: without it packages name nothing.
        let request = Request { packages: Vec::new(), ..request };
        let again = Closure::build(&Objects::new(&image), &request);
        prop_assert!(again.is_ok(), "the image is refused: {:?}", again.err());
        let again = again.expect("checked");
        let (before, after) = (planned.items.keys().collect::<BTreeSet<_>>(), paths(&again));
        let added: Vec<String> = after
            .difference(&before)
            .filter(|path| !path.is_root())
            .map(|path| again.reasons(path).map(tell).collect::<Vec<_>>().join("; "))
            .collect();
        prop_assert!(added.is_empty(), "the image has more to pack {added:#?}");
        let has_packages = files.0.contains_key("/var/lib/dpkg/status");
        if !has_packages {
            holds(&first, &again, "the image")?;
            let replanned = plan(&image, &request, &again);
            prop_assert!(replanned.is_ok(), "no plan of the image: {:?}", replanned.err());
            let replanned = replanned.expect("checked");
            let other = planned.items.keys().filter(|path| !replanned.items.contains_key(path));
            prop_assert_eq!(other.collect::<Vec<_>>(), Vec::<&RootPath>::new(), "left out of the image's image");
            prop_assert_eq!(diff_id(&root, &planned), diff_id(&image, &replanned), "another digest");
        }
        // The entry loads the same files.
        let loaded = |closure: &Closure| -> Vec<RootPath> {
            let first = closure.processes().iter().find(|started| started.required);
            first.iter().flat_map(|started| &started.process.loaded).map(|object| object.real.clone()).collect()
        };
        prop_assert_eq!(loaded(&first), loaded(&again));
        Ok(())
    });
}

/// Time that this thread has run: a busy machine does not make a test fail (proc(5), schedstat).
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says it");
    Duration::from_nanos(text.split(' ').next().and_then(|ran| ran.parse().ok()).expect("a number"))
}

/// Time in which every closure here ends. Code that is not optimised takes several times as long.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });

/// Builds the closure of an entry within the limit.
fn quickly(files: &Files, words: &[&str]) -> Closure {
    let root = files.root();
    let args = words[1..].iter().map(|word| (*word).to_owned()).collect();
    let request = Request { entry: words[0].to_owned(), args, ..Request::default() };
    let before = processor_time();
    let closure = Closure::build(&Objects::new(&root), &request).expect("a closure");
    let took = processor_time().saturating_sub(before);
    assert!(took < LIMIT, "{words:?} took {took:?}");
    closure
}

fn codes(closure: &Closure) -> BTreeSet<&str> {
    closure.notes().iter().map(|note| note.code).collect()
}

fn scripts(list: &[(&str, String)]) -> Files {
    let mut files = Files::base();
    for (path, text) in list {
        files.put(path, File::Program(format!("#!/bin/sh\n{text}\n")));
    }
    files
}

#[test]
fn a_script_of_ten_thousand_commands_is_read_and_its_end_is_told() {
    let lines: Vec<String> = (0..10_000).map(|at| format!("env NUMBER={at} /usr/bin/one {at}")).collect();
    let mut files = scripts(&[("/app/run.sh", lines.join("\n"))]);
    files.put("/usr/bin/one", File::Elf(Elf::program(&["libc.so.6"])));
    let closure = quickly(&files, &["/app/run.sh"]);
    assert!(closure.graph().contains(&RootPath::new("/usr/bin/one").expect("a path")));
    assert!(!codes(&closure).is_empty(), "a limit was reached and nothing is told");
}

#[test]
fn scripts_that_start_each_other_end() {
    let exec = |path: &str| format!("exec {path} \"$@\"");
    let mut files = scripts(&[
        ("/app/a.sh", exec("/app/b.sh")),
        ("/app/b.sh", exec("/app/c.sh")),
        ("/app/c.sh", format!("/usr/bin/env X=1 /app/a.sh more\n{}", exec("/app/a.sh"))),
    ]);
    files.put("/app/data.txt", File::Text("x".to_owned()));
    let closure = quickly(&files, &["/app/a.sh"]);
    for path in ["/app/a.sh", "/app/b.sh", "/app/c.sh", "/app/data.txt"] {
        assert!(closure.graph().contains(&RootPath::new(path).expect("a path")), "{path}");
    }
}

/// A script that starts itself with another argument each time: every launch is a new one, so a limit must end it.
#[test]
fn a_script_that_starts_itself_ends_and_is_told() {
    let files = scripts(&[("/app/a.sh", "exec /app/a.sh \"again$1\" \"$@\"".to_owned())]);
    let closure = quickly(&files, &["/app/a.sh"]);
    assert!(codes(&closure).contains("starts-cut"), "{:?}", closure.notes());
    let files =
        scripts(&[("/app/a.sh", "/app/a.sh x \"$@\" &\n/app/a.sh y \"$@\" &\nexec /app/a.sh z \"$@\"".to_owned())]);
    let closure = quickly(&files, &["/app/a.sh"]);
    // The same words again are no new launch, so nothing is cut.
    assert!(!codes(&closure).contains("starts-cut"), "{:?}", closure.notes());
}

#[test]
fn more_scripts_than_the_limit_of_depth_are_told() {
    let names: Vec<String> = (0..40).map(|at| format!("/opt/s{at}/run")).collect();
    let list: Vec<(&str, String)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            (name.as_str(), names.get(at + 1).map_or("true".to_owned(), |next| format!("exec {next} --of {at}")))
        })
        .collect();
    let closure = quickly(&scripts(&list), &["/opt/s0/run"]);
    assert!(codes(&closure).contains("starts-cut"), "{:?}", closure.notes());
    let note = closure.notes().iter().find(|note| note.code == "starts-cut").expect("told");
    assert!(note.subject.starts_with("/opt/s"), "it names the script that was not looked at: {note:?}");
}

/// The message of the one limit of a script that was reached.
fn cut(closure: &Closure) -> &str {
    let cuts: Vec<&str> =
        closure.notes().iter().filter(|note| note.code == "script-cut").map(|note| note.says.as_str()).collect();
    assert_eq!(cuts.len(), 1, "{:?}", closure.notes());
    cuts[0]
}

#[test]
fn more_matches_of_a_pattern_than_the_limit_are_told() {
    let files = |count: usize| {
        let mut files = scripts(&[("/app/run.sh", "for part in /srv/parts/*; do cat \"$part\"; done".to_owned())]);
        (0..count).for_each(|at| files.put(&format!("/srv/parts/{at:03}"), File::Text("x".to_owned())));
        quickly(&files, &["/app/run.sh"])
    };
    assert!(cut(&files(257)).contains("/srv/parts/*, which matches 257 files"));
    assert!(!codes(&files(256)).contains("script-cut"), "the limit itself is no excess");
}

#[test]
fn more_scripts_than_the_limit_are_told() {
    let names: Vec<String> = (0..70).map(|at| format!("/srv/parts/{at:02}.inc")).collect();
    let lines: Vec<String> = names.iter().map(|name| format!(". {name}")).collect();
    let mut files = scripts(&[("/app/run.sh", lines.join("\n"))]);
    names.iter().for_each(|name| files.put(name, File::Text("true\n".to_owned())));
    let closure = quickly(&files, &["/app/run.sh"]);
    for name in &names {
        assert!(closure.graph().contains(&RootPath::new(name).expect("a path")), "{name}");
    }
    let cuts: Vec<&str> =
        closure.notes().iter().filter(|note| note.code == "script-cut").map(|note| note.says.as_str()).collect();
    let told: Vec<&str> = names[64..].iter().map(String::as_str).collect();
    assert!(told.iter().all(|name| cuts.iter().any(|cut| cut.contains(name))), "{cuts:?}");
}

#[test]
fn eval_deeper_than_the_limit_is_told() {
    let closure = |levels: usize| {
        let inner = |at: usize| format!("A{}='eval \"$A{at}\"'\n", at + 1);
        let text = format!("A0=/usr/bin/one\n{}eval \"$A{levels}\"", (0..levels).map(inner).collect::<String>());
        let mut files = scripts(&[("/app/run.sh", text)]);
        files.put("/usr/bin/one", File::Elf(Elf::program(&["libc.so.6"])));
        quickly(&files, &["/app/run.sh"])
    };
    assert!(!codes(&closure(8)).contains("script-cut"));
    assert!(cut(&closure(20)).contains("deeper than"));
}

#[test]
fn a_directory_of_five_languages_has_everything_of_each() {
    let mut files = scripts(&[(
        "/app/run.sh",
        ["node server.js", "python3 main.py", "perl p.pl", "ruby r.rb", "php i.php"].join("\n"),
    )]);
    for program in ["perl", "ruby", "php"] {
        files.put(&format!("/usr/bin/{program}"), File::Elf(Elf::program(&["libc.so.6"])));
    }
    let sources = ["server.js", "main.py", "p.pl", "r.rb", "i.php", "data.txt"];
    for name in sources {
        files.put(&format!("/app/{name}"), File::Text("\n".to_owned()));
    }
    files.put(
        "/app/run.sh",
        match files.0.get("/app/run.sh") {
            Some(File::Program(text)) => File::Program(text.replace("#!/bin/sh\n", "#!/bin/sh\ncd /app\n")),
            _ => unreachable!("it was put there"),
        },
    );
    let closure = quickly(&files, &["/app/run.sh"]);
    for name in sources {
        assert!(closure.graph().contains(&RootPath::new(format!("/app/{name}")).expect("a path")), "{name}");
    }
}

/// Sixteen libraries whose notes name all sixteen: each note is followed once, not once for each way that leads to it.
#[test]
fn notes_that_name_each_other_are_followed_once() {
    let names: Vec<String> = (0..16).map(|index| format!("lib{index}.so")).collect();
    let note = |name: &String| elf::Note { soname: vec![name.clone()], priority: None };
    let notes: Vec<elf::Note> = names.iter().map(note).collect();
    let mut files = Files::base();
    files.put("/bin/prog", File::Elf(Elf { dlopen: notes[..1].to_vec(), ..Elf::program(&["libc.so.6"]) }));
    for name in &names {
        files.put(&format!("/usr/lib/{name}"), File::Elf(Elf { dlopen: notes.clone(), ..Elf::library(name, &[]) }));
    }
    let closure = quickly(&files, &["/bin/prog"]);
    for name in &names {
        assert!(closure.graph().contains(&RootPath::new(format!("/usr/lib/{name}")).expect("a path")), "{name}");
    }
    let most = 1 + 1 + names.len() * names.len();
    assert!(closure.processes().len() <= most, "{} processes for {most} notes", closure.processes().len());
}
