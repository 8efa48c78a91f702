//! Profiles with real programs: each fixture is a Debian program that works with its profile and fails without it. The
//! program is the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use serde::Deserialize;
use slimroot::digest::Digest;
use slimroot::profile::BUILTIN;

use crate::support::need;
use crate::support::roots::{root, slimroot};
use crate::{Needs, case, plain};

static NEEDS: Needs = Needs::new(&["mmdebstrap", "unshare", "chroot", "timeout"]);

/// Files that are not needed to run anything, and large parts of packages that no fixture needs.
const NOT_UNPACKED: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/icons/Adwaita/[0-9s]*",
    "/usr/share/i18n/*",
    "/usr/share/poppler/cMap/*",
    "/usr/include/*",
    "/usr/lib/jvm/*/lib/server/*.jsa",
    "/usr/lib/*/libvulkan_[ir]*",
    "/usr/lib/*/perl/*/CORE/*",
    "/usr/lib/python3*/__pycache__/*",
    "/usr/lib/*/libLLVM-14*",
    "/usr/lib/postgresql/*/lib/bitcode/*",
];
/// Prevents that packages start daemons or create databases during installation.
const BEFORE: &str = r#"printf '#!/bin/sh\nexit 101\n' > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"
mkdir -p "$1/etc/postgresql-common" "$1/usr/share/man/man1"; echo create_main_cluster=false > "$1/etc/postgresql-common/createcluster.conf""#;
/// The mounts of an engine, apart from /proc.
const MOUNTS: &str = r#"mount --rbind /dev "$0/dev"; mount --rbind /sys "$0/sys""#;
/// Time limit for a program.
const SECONDS: u32 = 120;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    packages: Vec<String>,
    /// The name of a separate root, shared by all fixtures with this name.
    #[serde(default)]
    apart: String,
    #[serde(default)]
    prepare: String,
    entry: Option<String>,
    #[serde(default)]
    bins: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    asked: bool,
    #[serde(default)]
    called: bool,
    #[serde(default)]
    args: Vec<String>,
    companions: Option<String>,
    mounts: Option<String>,
    seconds: Option<u32>,
    #[serde(default)]
    packs: Vec<String>,
    #[serde(default)]
    leaves: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    run: Vec<String>,
    #[serde(default)]
    user: u32,
    #[serde(default)]
    input: String,
    expect: String,
    without: Option<String>,
}

fn fixtures() -> BTreeMap<String, Fixture> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles")).expect("fixtures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path).expect("a fixture");
            let fixture = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            all.insert(path.file_stem().expect("a name").to_string_lossy().into_owned(), fixture);
        }
    }
    all
}

/// The profile that a fixture proves. The part after a dot distinguishes fixtures of the same profile.
fn profile_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// A Debian root with the packages of all fixtures that share it. A different list of packages gives another root.
fn debian(fixtures: &BTreeMap<String, Fixture>, apart: &str) -> PathBuf {
    let ours = || fixtures.values().filter(|fixture| fixture.apart == apart);
    let packages: BTreeSet<&str> = ours().flat_map(|fixture| fixture.packages.iter().map(String::as_str)).collect();
    let prepares: BTreeSet<&str> = ours().map(|fixture| fixture.prepare.as_str()).collect();
    let mut args = vec!["--variant=apt".to_owned(), "--dpkgopt=force-unsafe-io".to_owned()];
    args.push("--aptopt=Apt::Install-Recommends \"false\"".to_owned());
    args.extend(NOT_UNPACKED.iter().map(|pattern| format!("--dpkgopt=path-exclude={pattern}")));
    args.push(format!("--include={}", packages.into_iter().collect::<Vec<_>>().join(",")));
    args.push(format!("--essential-hook={BEFORE}"));
    args.extend(
        prepares
            .iter()
            .filter(|script| !script.is_empty())
            .map(|script| format!("--customize-hook=chroot \"$1\" sh -ec '{}'", script.replace('\'', "'\\''"))),
    );
    let digest = Digest::of(args.join("\n").as_bytes()).hex();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    root(&format!("bookworm-profiles-{}", &digest[..12]), "bookworm", &args)
}

/// Packs with or without the profile, runs the program, and returns its output.
fn said(name: &str, fixture: &Fixture, debian: &Path, with_it: bool) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("out").display().to_string();
    let companions = fixture.companions.as_deref().unwrap_or("none");
    let mut args = ["build", "--companions", companions, "--root"].map(str::to_owned).to_vec();
    args.extend([debian.display().to_string(), "-o".to_owned(), format!("dir:{out}")]);
    args.extend(fixture.env.iter().flat_map(|(name, value)| ["-e".to_owned(), format!("{name}={value}")]));
    args.extend(fixture.bins.iter().flat_map(|bin| ["--bin".to_owned(), bin.clone()]));
    args.push("-v".to_owned());
    match (fixture.asked, with_it) {
        (true, true) => args.extend(["-p".to_owned(), name.to_owned()]),
        (false, false) => args.extend(["--no-profile".to_owned(), name.to_owned()]),
        _ => {}
    }
    args.extend(["--".to_owned(), fixture.entry.as_ref().unwrap_or(&fixture.run[0]).clone()]);
    args.extend(fixture.run[1..].iter().filter(|_| fixture.called).chain(&fixture.args).cloned());
    let packed = slimroot(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let report = text(&packed.stdout) + &text(&packed.stderr);
    assert!(packed.status.success(), "{name} is not packed: {report}");
    let is_told = report.lines().any(|line| line.starts_with("auto ") && line.contains(&format!(" {name}: ")));
    assert_eq!(is_told, with_it && !fixture.asked, "{name}: {report}");
    let is_there = |path: &&String| Path::new(&format!("{out}{path}")).exists();
    let absent: Vec<_> = fixture.packs.iter().filter(|path| with_it && !is_there(path)).collect();
    let present: Vec<_> = fixture.leaves.iter().filter(is_there).collect();
    assert!(absent.is_empty() && present.is_empty(), "{name}: without {absent:?}, with {present:?}: {report}");
    for (path, text) in &fixture.files {
        fs::write(format!("{out}{path}"), text).expect("written");
    }
    let user = format!("--userspec={0}:{0}", fixture.user);
    let (mounts, seconds) = (fixture.mounts.as_deref().unwrap_or(MOUNTS), fixture.seconds.unwrap_or(SECONDS));
    let enter = format!("mount -t proc proc \"$0/proc\"\n{mounts}\nexec timeout {seconds} \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "sh", "-ec", &enter, &out, "chroot", &user, &out]).args(&fixture.run);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/tmp").envs(&fixture.env);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("unshare runs");
    // Ignore the broken pipe of a program that stops before it reads.
    let _ = child.stdin.take().expect("a pipe").write_all(fixture.input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    text(&output.stdout) + &text(&output.stderr)
}

/// The failure as a message.
fn wrong(fixture: &Fixture, with: &str, without: &str) -> Option<String> {
    if !with.contains(&fixture.expect) {
        return Some(format!("does not say {:?} with its profile: {with}", fixture.expect));
    }
    let want = match &fixture.without {
        Some(want) => without.contains(want) && !with.contains(want),
        None => !without.contains(&fixture.expect),
    };
    (!want).then(|| format!("shows no want without its profile: {without}\nwith it: {with}"))
}

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: String| case(format!("profiles::{name}"), move || runs_with_its_profile_and_wants_it(&name));
    let mut all: Vec<Trial> = fixtures().into_keys().map(trial).collect();
    all.push(plain("profiles::what_configuration_names_and_is_not_there_stops_the_program", || {
        what_configuration_names_and_is_not_there_stops_the_program();
    }));
    all.push(plain("profiles::every_profile_is_proven", every_profile_is_proven));
    all
}

fn runs_with_its_profile_and_wants_it(name: &str) -> Vec<String> {
    if !NEEDS.are_met() {
        return Vec::new();
    }
    let fixtures = fixtures();
    let fixture = &fixtures[name];
    let debian = debian(&fixtures, &fixture.apart);
    let profile = profile_of(name);
    let (with, without) = (said(profile, fixture, &debian, true), said(profile, fixture, &debian, false));
    wrong(fixture, &with, &without).into_iter().collect()
}

/// A missing file of a configuration is reported, and the program itself fails because of it.
fn what_configuration_names_and_is_not_there_stops_the_program() {
    if !need::all(&["mmdebstrap", "chroot"]) {
        return;
    }
    let debian = debian(&fixtures(), "");
    let conf = debian.join("opt/own/broken.conf");
    fs::write(&conf, "load_module /opt/own/gone.so;\nevents {}\n").expect("written");
    let line = ["/usr/sbin/nginx", "-t", "-c", "/opt/own/broken.conf"];
    let real = Command::new("chroot").arg(&debian).args(line).output().expect("chroot runs");
    let real = String::from_utf8_lossy(&real.stderr).into_owned();
    assert!(real.contains("/opt/own/gone.so\" failed"), "{real}");
    let root = debian.display().to_string();
    let told = slimroot(&[&["check", "--root", &root, "--"], line.as_slice()].concat());
    let told = String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
    assert!(told.contains("error[config-missing]: /opt/own/broken.conf:1 says load_module /opt/own/gone.so"), "{told}");
}

/// Profiles that are proved by other tests: `base` by all, records and licences by `pains`, languages by `samples` and
/// `layouts`.
const PROVEN_ELSEWHERE: [&str; 10] = [
    "base",
    "dotnet",
    "dotnet-icu",
    "java",
    "java-certificates",
    "licences",
    "node",
    "package-records",
    "python",
    "ruby",
];

/// Profiles whose programs no test runs yet: only their own examples, or nothing, say that they work.
const NOT_RUN: [&str; 8] = ["circus", "fips", "openldap", "readline", "run-parts", "s6-overlay", "shadow", "tex"];

/// Profiles that worlds apply by their triggers.
fn in_worlds() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/worlds");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("worlds") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a world");
        let world: toml::Table = toml::from_str(&text).expect("TOML");
        let names = world.get("builtin").and_then(toml::Value::as_array).into_iter().flatten();
        found.extend(names.filter_map(toml::Value::as_str).map(str::to_owned));
    }
    found
}

fn every_profile_is_proven() {
    let known: BTreeSet<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
    let (fixtures, worlds) = (fixtures(), in_worlds());
    let proven = fixtures.keys().map(|name| profile_of(name)).chain(PROVEN_ELSEWHERE);
    let proven: BTreeSet<&str> = proven.chain(worlds.iter().map(String::as_str)).collect();
    let open: BTreeSet<&str> = known.difference(&proven).copied().collect();
    assert_eq!(open, NOT_RUN.into_iter().collect());
    assert!(proven.is_subset(&known), "{proven:?}");
}
