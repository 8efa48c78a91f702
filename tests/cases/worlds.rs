//! One rule at a time: small worlds (`fixtures/worlds`), each a tree in memory, a launch, and what of the tree is packed by
//! which rule. A file is a test of its own, with the name of the file.
//!
//! A world says under `packs` which rule gives a reason for a path. A rule that gives none by itself, such as one that
//! applies profiles, is listed under `covers`: without it (`--no-rule`) the world must come out otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use slimroot::closure::{Closure, Companions, Request, rule_pages};
use slimroot::loader::Objects;
use slimroot::path::{RootPath, show};
use slimroot::profile::Profile;
use slimroot::root::RootGlob;
use slimroot::trust::Authority;
use slimroot::watch::{self, Trace};

use crate::support::elf::{Elf, LOADER};
use crate::support::files::{self, File, Files};

/// Rules that no world shows: every world has an entry, and bytecode is made by a Python that runs (`tests/it/guest.rs`).
const WITHOUT_WORLD: [&str; 2] = ["entry", "bytecode"];

/// A world as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct World {
    /// The rule that it shows, in a sentence.
    #[serde(rename = "world")]
    _says: String,
    entry: Vec<String>,
    #[serde(default)]
    bins: Vec<String>,
    workdir: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    companions: bool,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    copy: BTreeMap<String, String>,
    #[serde(default)]
    packages: Vec<String>,
    /// Certificates of `--ca`.
    /// The output of strace(1) of a run.
    #[serde(default)]
    strace: String,
    #[serde(default)]
    authorities: String,
    /// Profiles that the user asks for, and those that triggers apply.
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    automatic: Vec<String>,
    /// Built-in profiles that triggers may apply.
    #[serde(default)]
    builtin: Vec<String>,
    #[serde(default)]
    text: BTreeMap<String, String>,
    #[serde(default)]
    script: BTreeMap<String, String>,
    #[serde(default)]
    link: BTreeMap<String, String>,
    /// Programs for the usual loader, and libraries with the name of their file as soname.
    #[serde(default)]
    program: BTreeMap<String, Elf>,
    #[serde(default)]
    library: BTreeMap<String, Elf>,
    /// Zip files of libraries.
    #[serde(default)]
    archive: BTreeMap<String, BTreeMap<String, Elf>>,
    /// Jars of one class that starts programs, with its string constants.
    #[serde(default)]
    jar: BTreeMap<String, Vec<String>>,
    /// Classes, each as such a jar has them.
    #[serde(default)]
    class: BTreeMap<String, Vec<String>>,
    /// Modules of Elixir that call `System.cmd`, with their literals.
    #[serde(default)]
    beam: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    package: BTreeMap<String, Package>,
    #[serde(default)]
    packs: BTreeMap<String, String>,
    #[serde(default)]
    leaves: Vec<String>,
    /// Codes of all notes.
    #[serde(default)]
    notes: Vec<String>,
    /// Names of all libraries that are missing.
    #[serde(default)]
    missing: Vec<String>,
    /// Words of commands that name an application which is not there.
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    covers: Vec<String>,
}

/// A package of dpkg's database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    source: Option<String>,
    #[serde(default)]
    depends: Vec<String>,
    files: Vec<String>,
}

/// The constant pool of a class that uses `ProcessBuilder` and has these string literals (The Java Virtual Machine
/// Specification, 4.4).
fn class(constants: &[String]) -> Vec<u8> {
    let mut bytes = b"\xca\xfe\xba\xbe\0\0\0\x41".to_vec();
    let number = |number: usize| u16::try_from(number).expect("small").to_be_bytes();
    bytes.extend(number(2 * constants.len() + 3));
    let names = [(7, "java/lang/ProcessBuilder")].into_iter().chain(constants.iter().map(|text| (8, text.as_str())));
    for (at, (tag, text)) in names.enumerate() {
        bytes.push(1);
        bytes.extend(number(text.len()));
        bytes.extend(text.as_bytes());
        bytes.push(tag);
        bytes.extend(number(2 * at + 1));
    }
    bytes
}

/// A module that imports `Elixir.System:cmd/2` and has these literals, as the compiler of OTP 25 writes it.
fn beam(literals: &[String]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).expect("small").to_be_bytes();
    let mut atoms = number(2).to_vec();
    for name in ["Elixir.System", "cmd"] {
        atoms.push(u8::try_from(name.len()).expect("short"));
        atoms.extend(name.as_bytes());
    }
    let imports = [1, 1, 2, 2].map(number).concat();
    let mut terms = number(literals.len()).to_vec();
    for text in literals {
        terms.extend(number(text.len() + 6));
        terms.extend([131, 109]);
        terms.extend(number(text.len()));
        terms.extend(text.as_bytes());
    }
    let mut packed = number(terms.len()).to_vec();
    let mut encoder = flate2::write::ZlibEncoder::new(&mut packed, flate2::Compression::default());
    encoder.write_all(&terms).and_then(|()| encoder.try_finish()).expect("written");
    drop(encoder);
    let mut bytes = b"FOR1\0\0\0\0BEAM".to_vec();
    for (name, data) in [(b"AtU8", atoms), (b"ImpT", imports), (b"LitT", packed)] {
        bytes.extend(name);
        bytes.extend(number(data.len()));
        bytes.extend(&data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

impl World {
    fn files(&self) -> Files {
        let mut files = Files::base();
        let put = |files: &mut Files, all: &BTreeMap<String, String>, kind: fn(String) -> File| {
            all.iter().for_each(|(path, text)| files.put(path, kind(text.clone())));
        };
        put(&mut files, &self.text, File::Text);
        put(&mut files, &self.script, File::Program);
        put(&mut files, &self.link, File::Link);
        for (path, elf) in &self.program {
            files.put(path, File::Elf(Elf { interp: Some(LOADER.to_owned()), ..elf.clone() }));
        }
        for (path, elf) in &self.library {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            files.put(path, File::Elf(Elf { soname: Some(name), ..elf.clone() }));
        }
        for (path, members) in &self.archive {
            let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            for (name, elf) in members {
                archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("a member");
                archive.write_all(&elf.bytes()).expect("written");
            }
            files.put(path, File::Bytes(archive.finish().expect("an archive").into_inner()));
        }
        for (path, constants) in &self.jar {
            let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let (manifest, constants): (Vec<String>, Vec<String>) =
                constants.iter().cloned().partition(|text| text.starts_with("Class-Path: "));
            archive.start_file("META-INF/MANIFEST.MF", zip::write::SimpleFileOptions::default()).expect("a member");
            archive.write_all(manifest.join("\n").as_bytes()).expect("written");
            archive.start_file("App.class", zip::write::SimpleFileOptions::default()).expect("a member");
            archive.write_all(&class(&constants)).expect("written");
            files.put(path, File::Bytes(archive.finish().expect("an archive").into_inner()));
        }
        for (path, constants) in &self.class {
            files.put(path, File::Bytes(class(constants)));
        }
        for (path, literals) in &self.beam {
            files.put(path, File::Bytes(beam(literals)));
        }
        let package = |(name, package): (&String, &Package)| files::Package {
            name: name.clone(),
            source: package.source.clone().unwrap_or_else(|| name.clone()),
            depends: package.depends.clone(),
            files: package.files.clone(),
        };
        files.dpkg(&self.package.iter().map(package).collect::<Vec<_>>());
        files
    }

    fn request(&self) -> Request {
        let path = |text: &String| RootPath::new(text).expect("a path");
        let globs = |list: &[String]| list.iter().map(|glob| RootGlob::new(glob).expect("a pattern")).collect();
        let profiles = |list: &[String]| {
            list.iter().map(|text| Profile::parse(text, "a world").expect("a profile")).collect::<Vec<_>>()
        };
        let builtin = self.builtin.iter().map(|name| Profile::builtin(name).expect("a built-in profile"));
        let automatic: Vec<Profile> = profiles(&self.automatic).into_iter().chain(builtin).collect();
        Request {
            entry: self.entry[0].clone(),
            args: self.entry[1..].to_vec(),
            bins: self.bins.clone(),
            env: self.env.clone(),
            workdir: self.workdir.as_ref().map(path),
            copies: self.copy.iter().map(|(from, to)| (path(from), path(to))).collect(),
            include: globs(&self.include),
            exclude: globs(&self.exclude),
            packages: self.packages.clone(),
            authorities: authorities(&self.authorities),
            companions: if self.companions { Companions::All } else { Companions::None },
            profiles: profiles(&self.profiles),
            known: automatic.clone(),
            automatic,
            traces: self.traces(),
            ..Request::default()
        }
    }

    fn traces(&self) -> Vec<Arc<Trace>> {
        if self.strace.is_empty() {
            return Vec::new();
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &self.strace).expect("written");
        vec![Arc::new(watch::read(file.path()).expect("a trace"))]
    }

    /// Differences from the expectations of the world.
    fn differences(&self, request: &Request) -> Vec<String> {
        let root = self.files().root();
        let closure = match Closure::build(&Objects::new(&root), request) {
            Ok(closure) => closure,
            Err(error) => return vec![error.to_string()],
        };
        let mut found = Vec::new();
        let path = |text: &String| RootPath::new(text).expect("a path");
        for (file, rule) in &self.packs {
            let rules: BTreeSet<&str> = closure.reasons(&path(file)).map(|edge| edge.rule).collect();
            if !rules.contains(rule.as_str()) {
                found.push(format!("{file} is packed by {rules:?}, not by {rule}"));
            }
        }
        for file in self.leaves.iter().filter(|file| closure.graph().contains(&path(file))) {
            let why: Vec<String> =
                closure.reasons(&path(file)).map(|edge| edge.reason.says(edge.from.as_ref())).collect();
            found.push(format!("{file} is packed: {}", why.join("; ")));
        }
        let mut compare = |what: &str, wanted: &[String], got: BTreeSet<String>| {
            if wanted.iter().cloned().collect::<BTreeSet<_>>() != got {
                found.push(format!("{what}: {got:?} instead of {wanted:?}"));
            }
        };
        let says: Vec<&str> = closure.notes().iter().map(|note| note.says.as_str()).collect();
        let what = format!("notes ({})", says.join("; "));
        compare(&what, &self.notes, closure.notes().iter().map(|note| note.code.to_owned()).collect());
        let missing = closure.processes().iter().flat_map(|started| &started.process.missing);
        compare("missing", &self.missing, missing.map(|missing| show(&missing.name).into_owned()).collect());
        compare(
            "absent",
            &self.absent,
            closure.missing_applications().iter().map(|missing| missing.word.clone()).collect(),
        );
        found
    }
}

fn authorities(pem: &str) -> Vec<Authority> {
    if pem.is_empty() { Vec::new() } else { Authority::parse_file(pem.as_bytes(), "a world").expect("certificates") }
}

fn worlds() -> BTreeMap<String, World> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/worlds");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder of worlds") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a world");
        let world = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        found.insert(path.file_stem().expect("a name").to_string_lossy().into_owned(), world);
    }
    found
}

fn holds(world: &World) -> Result<(), Failed> {
    let request = world.request();
    let found = world.differences(&request);
    if !found.is_empty() {
        return Err(found.join("\n").into());
    }
    if world.packs.is_empty() && world.leaves.is_empty() && world.absent.is_empty() {
        return Err("it expects nothing".into());
    }
    for rule in &world.covers {
        let without = Request { no_rules: vec![rule.clone()], ..request.clone() };
        if world.differences(&without).is_empty() {
            return Err(format!("nothing changes without the rule {rule}").into());
        }
    }
    Ok(())
}

/// Every rule has a world, and worlds name no rule that is not there.
fn every_rule_has_a_world(worlds: &BTreeMap<String, World>) -> Result<(), Failed> {
    let named: BTreeSet<&str> =
        worlds.values().flat_map(|world| world.packs.values().chain(&world.covers)).map(String::as_str).collect();
    let known: BTreeSet<&str> = rule_pages().into_iter().map(|(id, _)| id).collect();
    let unknown: Vec<_> = named.difference(&known).collect();
    let without: Vec<_> = known.difference(&named).filter(|id| !WITHOUT_WORLD.contains(id)).collect();
    if unknown.is_empty() && without.is_empty() {
        return Ok(());
    }
    Err(format!("rules without a world: {without:?}; worlds of rules that are not there: {unknown:?}").into())
}

pub(crate) fn trials() -> Vec<Trial> {
    let worlds = worlds();
    let trial = |(name, world): (&String, &World)| {
        let world = world.clone();
        Trial::test(format!("worlds::{name}"), move || holds(&world))
    };
    let mut trials: Vec<Trial> = worlds.iter().map(trial).collect();
    trials.push(Trial::test("worlds::every_rule_has_a_world", move || every_rule_has_a_world(&worlds)));
    trials
}
