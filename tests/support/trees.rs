//! Random trees in memory and what is asked of them: programs with libraries in several directories, scripts that start
//! them, applications, packages and profiles. Small on purpose: what fails is read by a person.

use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use slimroot::closure::{Companions, Request};
use slimroot::path::RootPath;
use slimroot::profile::Profile;
use slimroot::root::RootGlob;

use super::elf::{Elf, LOADER, Note};
use super::files::{File, Files, Package};

pub const LIBRARIES: [&str; 5] = ["liba.so.1", "libb.so.1", "libc2.so.1", "libd.so.1", "libnss_extra.so.2"];
const LIBRARY_DIRS: [&str; 4] = ["/usr/lib", "/lib/x86_64-linux-gnu", "/app/lib", "/opt/x/lib"];
pub const PROGRAMS: [&str; 5] = ["/usr/bin/one", "/app/two", "/app/bin/three", "/opt/x/bin/four", "/usr/lib/one/five"];
pub const SCRIPTS: [&str; 4] = ["/usr/local/bin/start", "/app/run.sh", "/opt/x/bin/go", "/usr/lib/one/helper"];
const IMPORTS: [&str; 4] = ["dlopen", "execve", "getpwnam", "localtime"];
const STRINGS: [&str; 14] = [
    "liba.so.1",
    "libd.so.1",
    "/app/plug/plug.so",
    "/usr/bin/one",
    "/app/two",
    "/opt/x/bin/four",
    "/usr/lib/one",
    "/etc/one.conf",
    "/etc/one.d",
    "/usr/share/one",
    "/usr/share/one/table",
    "/opt/x/data",
    "two",
    "helper",
];
const RUN_PATHS: [&str; 4] = ["/app/lib", "$ORIGIN/../lib", "lib", "/opt/x/lib"];
const PLAIN: [(&str, &str); 17] = [
    ("/app/data.txt", "x"),
    ("/app/conf/app.ini", "x"),
    ("/app/.git/HEAD", "x"),
    ("/app/lib.sh", "one\n"),
    ("/app/main.py", "import os\nopen('/opt/x/data/d')\n"),
    ("/usr/lib/python3.11/os.py", ""),
    ("/app/server.js", "require('dep')\n"),
    ("/app/package.json", r#"{"dependencies":{"dep":"1"},"devDependencies":{"dev":"1"}}"#),
    ("/app/node_modules/dep/package.json", r#"{"name":"dep"}"#),
    ("/app/node_modules/dev/package.json", r#"{"name":"dev"}"#),
    ("/etc/one.conf", "x"),
    ("/etc/one.d/x", "x"),
    ("/etc/nsswitch.conf", "passwd: files extra\n"),
    ("/usr/share/one/table", "two\n"),
    ("/usr/share/zone/UTC", "x"),
    ("/opt/x/data/d", "x"),
    ("/usr/share/doc/one/copyright", "x"),
];
const PROFILES: [&str; 5] = [
    "format = 1\nname = 'zone'\nsummary = 's'\n[[when]]\nimports = ['localtime']\n\
     [[take]]\nwhy = 'zones'\npaths = ['/usr/share/zone']\nneed = 'expected'\n",
    "format = 1\nname = 'opener'\nsummary = 's'\n[[when]]\nsoname = 'liba.so.1'\n\
     [[open]]\nwhy = 'opened'\nsonames = ['libd.so.1']\n[[take]]\nwhy = 'settings'\npaths = ['/etc/one.d']\n",
    "format = 1\nname = 'data'\nsummary = 's'\n[[when]]\nstrings = ['/etc/one.conf']\n\
     [[take]]\nwhy = 'plug-ins'\npaths = ['/opt/x/data', '/app/plug']\nelf = true\n",
    "format = 1\nname = 'more'\nsummary = 's'\nextends = ['zone']\n[[when]]\nsoname = 'libd.so.1'\nplug-ins = true\n\
     [[take]]\nwhy = 'tables'\npaths = ['/usr/share/one']\n",
    "format = 1\nname = 'names'\nsummary = 's'\n[[when]]\nimports = ['getpwnam']\nanywhere = true\n\
     [[take]]\nwhy = 'services'\npaths = ['/etc/nsswitch.conf']\n",
];
const INCLUDES: [&str; 6] = ["/app/**", "/opt/x", "/usr/lib/one/*", "/app/plug/plug.so", "/usr/share/one", "/etc/**"];
pub const PACKAGES: [(&str, &str); 4] = [("one", "one"), ("one-data", "one"), ("libx", "libx"), ("base", "base")];

/// A program or script with its arguments, as a shell or a user writes it.
pub type Words = Vec<String>;

/// A request about a tree.
#[derive(Clone, Debug)]
pub struct Asked {
    pub entry: Words,
    pub bins: Vec<String>,
    pub includes: Vec<&'static str>,
    pub packages: Vec<&'static str>,
    /// Indices of profiles that are asked for, and of those that may apply themselves.
    pub profiles: Vec<usize>,
    pub automatic: Vec<usize>,
    pub companions: u8,
    pub workdir: Option<&'static str>,
    pub library_path: Option<&'static str>,
}

pub fn profile(at: usize) -> Profile {
    static PARSED: OnceLock<Vec<Profile>> = OnceLock::new();
    let parse = |text: &&str| Profile::parse(text, "a test").expect("a profile");
    PARSED.get_or_init(|| PROFILES.iter().map(parse).collect())[at].clone()
}

impl Asked {
    pub fn request(&self) -> Request {
        let path = |text: &str| RootPath::new(text).expect("a path");
        let library_path = self.library_path.map(|dirs| ("LD_LIBRARY_PATH".to_owned(), dirs.to_owned()));
        let automatic = self.automatic.iter().filter(|at| !self.profiles.contains(at));
        Request {
            entry: self.entry[0].clone(),
            args: self.entry[1..].to_vec(),
            bins: self.bins.clone(),
            env: library_path.into_iter().collect(),
            workdir: self.workdir.map(path),
            include: self.includes.iter().map(|glob| RootGlob::new(glob).expect("a pattern")).collect(),
            packages: self.packages.iter().map(|name| (*name).to_owned()).collect(),
            profiles: self.profiles.iter().map(|at| profile(*at)).collect(),
            automatic: automatic.map(|at| profile(*at)).collect(),
            known: (0..PROFILES.len()).map(profile).collect(),
            companions: [Companions::None, Companions::Entry, Companions::All][usize::from(self.companions)],
            ..Request::default()
        }
    }
}

fn few<T: Clone + std::fmt::Debug + 'static>(all: &'static [T], most: usize) -> impl Strategy<Value = Vec<T>> {
    subsequence(all, 0..=most.min(all.len()))
}

fn owned(list: Vec<&'static str>) -> Vec<String> {
    list.into_iter().map(str::to_owned).collect()
}

fn object() -> impl Strategy<Value = Elf> {
    let note = (select(&LIBRARIES[..]), select(&["required", "recommended", "suggested"][..]));
    let note =
        note.prop_map(|(name, priority)| Note { soname: vec![name.to_owned()], priority: Some(priority.to_owned()) });
    (
        few(&LIBRARIES[..4], 2),
        weighted(0.3, select(&RUN_PATHS[..])),
        few(&IMPORTS, 2),
        prop_oneof![2 => Just(Vec::new()).boxed(), 3 => few(&STRINGS, 3).boxed()],
        prop_oneof![6 => Just(Vec::new()).boxed(), 1 => vec(note, 1..2).boxed()],
    )
        .prop_map(|(needed, runpath, imports, strings, dlopen)| Elf {
            needed: owned(needed).into_iter().chain(["libc.so.6".to_owned()]).collect(),
            runpath: runpath.map(str::to_owned),
            imports: owned(imports),
            strings: owned(strings),
            dlopen,
            ..Elf::default()
        })
}

/// A program, script or interpreter with a source, and its arguments.
fn words() -> impl Strategy<Value = Words> {
    let program = prop_oneof![
        6 => select(&PROGRAMS[..]),
        4 => select(&SCRIPTS[..]),
        2 => select(&["one", "start", "./two", "four"][..]),
    ];
    let argument = prop_oneof![
        2 => select(&["-v", "--port=1", "/etc/one.conf", "/app/data.txt", "serve"][..]),
        1 => select(&PROGRAMS[..]),
    ];
    let plain = (program, vec(argument, 0..2))
        .prop_map(|(program, args)| std::iter::once(program).chain(args).map(str::to_owned).collect());
    let sources = ["node /app/server.js", "node server.js", "python3 /app/main.py", "python3 main.py"];
    let source = select(sources.to_vec()).prop_map(|line| line.split(' ').map(str::to_owned).collect());
    prop_oneof![5 => plain, 1 => source]
}

fn line() -> impl Strategy<Value = String> {
    let started = (words(), 0..9_usize).prop_map(|(words, how)| {
        let text = words.join(" ");
        match how {
            0 => text,
            1 => format!("{text} &"),
            2 => format!("sh -c '{text}'"),
            3 => format!("env A=1 {text}"),
            4 => format!("tini -- {text}"),
            5 => format!("if [ -f /etc/one.conf ]; then {text}; fi"),
            6 => format!("LD_LIBRARY_PATH=/opt/x/lib {text}"),
            _ => format!("exec {text}"),
        }
    });
    let other = select(
        &[
            "cd /app",
            "cd /opt/x",
            "export LD_LIBRARY_PATH=/app/lib",
            ". /app/lib.sh",
            "cat /app/data.txt",
            "exec \"$@\"",
            "PATH=/opt/x/bin:$PATH",
        ][..],
    );
    prop_oneof![3 => started, 1 => other.prop_map(str::to_owned)]
}

fn script() -> impl Strategy<Value = String> {
    let head = select(&["#!/bin/sh\n", "#!/usr/bin/env sh\n"][..]);
    (head, vec(line(), 1..4)).prop_map(|(head, lines)| format!("{head}{}\n", lines.join("\n")))
}

/// A package database: which package has which of the files.
fn database() -> impl Strategy<Value = Vec<Vec<&'static str>>> {
    let own: [&[&'static str]; 4] = [
        &[
            "/usr/bin/one",
            "/usr/lib/one/five",
            "/usr/lib/one/helper",
            "/etc/one.conf",
            "/etc/one.d/x",
            "/usr/share/doc/one/copyright",
        ],
        &["/usr/share/one/table", "/usr/lib/one/plugin.so", "/opt/x/bin/four"],
        &["/usr/lib/liba.so.1", "/usr/lib/libb.so.1", "/usr/share/zone/UTC"],
        &["/bin/sh", "/usr/bin/env", "/lib/x86_64-linux-gnu/libc.so.6"],
    ];
    Vec::from(own.map(|paths| subsequence(paths, 0..=paths.len())))
}

/// A tree.
fn files() -> impl Strategy<Value = Files> {
    let libraries = Vec::from(LIBRARIES.map(|_| (weighted(0.8, select(&LIBRARY_DIRS[..])), object())));
    let programs = Vec::from(PROGRAMS.map(|_| weighted(0.8, object())));
    let scripts = Vec::from(SCRIPTS.map(|_| of(script())));
    let plug_ins = ["/app/plug/plug.so", "/usr/lib/one/plugin.so"].map(|path| (Just(path), of(object())));
    let plug_ins = Vec::from(plug_ins);
    (libraries, programs, scripts, plug_ins, few(&PLAIN, PLAIN.len()), of(database())).prop_map(
        |(libraries, programs, scripts, plug_ins, plain, database)| {
            let mut files = Files::base();
            for (name, (dir, elf)) in LIBRARIES.iter().zip(libraries) {
                if let Some(dir) = dir {
                    let soname = Some((*name).to_owned());
                    files.put(&format!("{dir}/{name}"), File::Elf(Elf { soname, ..elf }));
                }
            }
            for (path, elf) in PROGRAMS.iter().zip(programs) {
                if let Some(elf) = elf {
                    files.put(path, File::Elf(Elf { interp: Some(LOADER.to_owned()), ..elf }));
                }
            }
            for (path, text) in SCRIPTS.iter().zip(scripts) {
                text.into_iter().for_each(|text| files.put(path, File::Program(text)));
            }
            for (path, elf) in plug_ins {
                elf.into_iter().for_each(|elf| files.put(path, File::Elf(elf)));
            }
            for (path, text) in plain {
                files.put(path, File::Text(text.to_owned()));
            }
            let Some(database) = database else { return files };
            let package = |((name, source), paths): (&(&str, &str), Vec<&str>)| Package {
                name: (*name).to_owned(),
                source: (*source).to_owned(),
                depends: if *name == "one" { vec!["one-data".to_owned()] } else { Vec::new() },
                files: paths.into_iter().map(str::to_owned).collect(),
            };
            files.dpkg(&PACKAGES.iter().zip(database).map(package).collect::<Vec<_>>());
            files
        },
    )
}

/// A request about a tree.
fn asked() -> impl Strategy<Value = Asked> {
    let bin = prop_oneof![select(&PROGRAMS[..]), select(&SCRIPTS[..])].prop_map(str::to_owned);
    let names = PACKAGES.map(|(name, _)| name).to_vec();
    let indices: Vec<usize> = (0..PROFILES.len()).collect();
    (
        words(),
        vec(bin, 0..3),
        few(&INCLUDES, 2),
        subsequence(names, 0..=2),
        subsequence(indices.clone(), 0..=2),
        subsequence(indices, 0..=PROFILES.len()),
        0..3_u8,
        weighted(0.3, select(&["/app", "/opt/x"][..])),
        weighted(0.2, select(&LIBRARY_DIRS[2..])),
    )
        .prop_map(|(entry, bins, includes, packages, profiles, automatic, companions, workdir, library_path)| {
            Asked { entry, bins, includes, packages, profiles, automatic, companions, workdir, library_path }
        })
}

/// A tree and what is asked of it: the entry and each `--bin` are there.
pub fn worlds() -> impl Strategy<Value = (Files, Asked)> {
    (files(), asked()).prop_map(|(mut files, asked)| {
        let entry = asked.entry[0].as_str();
        let paths = PROGRAMS.iter().chain(&SCRIPTS);
        let called = paths.filter(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            entry == **path || entry.trim_start_matches("./") == name || asked.bins.iter().any(|bin| bin == **path)
        });
        for path in called.filter(|path| !files.0.contains_key(**path)).collect::<Vec<_>>() {
            let is_script = SCRIPTS.contains(path);
            let script = || File::Program("#!/bin/sh\n".to_owned());
            files.put(path, if is_script { script() } else { File::Elf(Elf::program(&["libc.so.6"])) });
        }
        (files, asked)
    })
}
