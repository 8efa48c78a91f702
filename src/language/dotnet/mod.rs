//! .NET: an application started through its dll, through the apphost next to the dll, or as a single file; the host,
//! the frameworks that the host selects, and the files that these open by name (dotnet/runtime, docs/design/features:
//! `host-components.md`, `host-probing.md`).

mod bundle;
mod host;
mod table;

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Deserialize;

use self::host::{Framework, RollForward, RuntimeConfig, Version};
use self::table::table;
use super::source::application as app;
use super::source::interpreters::Tongue;
use super::source::json;
use super::source::platform::Platform;
use super::{Call, Claim, Needs, Scope};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{Root, RootGlob};

const MAX_JSON: usize = 32 << 20;
/// Maximum size of the settings of an application or framework.
const MAX_SETTINGS: usize = 1 << 20;
/// Upper size limit of an apphost, which starts an application but does not contain it.
const MAX_APPHOST: u64 = 4 << 20;
/// Maximum number of framework references followed.
const MAX_FRAMEWORKS: usize = 64;
/// Optional parts to leave out of a directory, in addition to files for other platforms.
#[derive(Clone, Copy, Default)]
struct Spares {
    /// Files that only debuggers and tracers read.
    debuggers: bool,
}

/// An application and the options passed to its host.
struct App {
    /// The application's dll.
    dll: RootPath,
    /// Options of the host, with their values.
    options: Vec<(String, String)>,
    /// The .NET installation; `None` if the application is self-contained.
    installation: Option<RootPath>,
}

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    if let Some((_, real)) = call.program(|name| Tongue::Dotnet.is_run_by(name))? {
        let installation = real.parent().unwrap_or_else(RootPath::root);
        if call.root.follow(installation.join(b"host").join(b"fxr").as_bytes())?.dir().is_none() {
            return Ok(needs);
        }
        match by_words(call, installation.clone())? {
            Some(found) => application(call, &found, &mut needs)?,
            None => sdk(call, installation, &mut needs),
        }
        return Ok(needs);
    }
    // Every host is written in C++, so a program without libstdc++ is not one.
    if !call.sonames.iter().any(|name| name.starts_with(b"libstdc++.so")) {
        return Ok(needs);
    }
    let Some(real) = call.programs.last().map(|path| call.root.follow(path.as_bytes())).transpose()? else {
        return Ok(needs);
    };
    let Some((real, meta)) = real.file().map(|(real, meta)| (real.clone(), meta.size)) else { return Ok(needs) };
    if let Some(bundle) = bundle::read(call.root, &real)? {
        single_file(call, &real, &bundle, &mut needs)?;
    } else if meta <= MAX_APPHOST
        && let Some(dll) = started_by(call.root, &real)?
    {
        let own = dll.parent().unwrap_or_else(RootPath::root).join(b"libhostfxr.so");
        let brings_its_own = call.root.follow(own.as_bytes())?.file().is_some();
        let installation = if brings_its_own { None } else { installed(call, &mut needs)? };
        if installation.is_none() && !brings_its_own {
            needs.notes.push(format!("{real} needs an installation of .NET, and the root has none where it looks"));
        }
        application(call, &App { dll, options: Vec::new(), installation }, &mut needs)?;
    }
    Ok(needs)
}

/// `dotnet [exec] [options] app.dll`.
fn by_words(call: &Call<'_>, installation: RootPath) -> Result<Option<App>, Error> {
    let mut options = Vec::new();
    let mut words = call.args.iter().map(String::as_str).peekable();
    words.next_if(|word| table().host.exec.contain(word));
    while let Some(word) = words.next() {
        if table().host.options.contain(word) {
            options.extend(words.next().map(|value| (word.to_owned(), value.to_owned())));
        } else if !word.starts_with('-') {
            let dll = call.file(word)?.filter(|dll| dll.name().ends_with(b".dll") || dll.name().ends_with(b".exe"));
            return Ok(dll.map(|dll| App { dll, options, installation: Some(installation) }));
        }
    }
    Ok(None)
}

/// A command of the SDK may need any file of the installation.
fn sdk(call: &Call<'_>, installation: RootPath, needs: &mut Needs) {
    let Some(word) = call.args.first() else { return };
    needs.notes.push(format!(
        "`dotnet {word}` is a command of the SDK, so all of {installation} is packed; to run an application, give its \
         dll"
    ));
    let why = format!("{installation} is the installation of .NET");
    needs.claims.push(Claim {
        dir: installation,
        without: Rc::new(|_, _| false),
        group: ".NET",
        why,
        scope: Scope::Own,
    });
}

/// The dll that an apphost starts. Its path, relative to the apphost, is embedded in the apphost.
fn started_by(root: &Root, program: &RootPath) -> Result<Option<RootPath>, Error> {
    let bytes = root.read(program, usize::try_from(MAX_APPHOST).unwrap_or(usize::MAX))?;
    if memchr::memmem::find(&bytes, b"hostfxr_main").is_none() {
        return Ok(None);
    }
    let dir = program.parent().unwrap_or_else(RootPath::root);
    for end in memchr::memmem::find_iter(&bytes, b".dll\0") {
        let start = bytes[..end].iter().rposition(|byte| *byte == 0).map_or(0, |zero| zero + 1);
        let followed = root.follow_from(&dir, &bytes[start..end + 4])?;
        if let Some((real, _)) = followed.file() {
            return Ok(Some(real.clone()));
        }
    }
    Ok(None)
}

/// The installation that an apphost without its own runtime finds.
fn installed(call: &Call<'_>, needs: &mut Needs) -> Result<Option<RootPath>, Error> {
    let machine = machine(call);
    let variables = [format!("DOTNET_ROOT_{}", machine.to_uppercase()), "DOTNET_ROOT".to_owned()];
    if let Some(dir) = variables.iter().find_map(|name| call.env.get(name)).filter(|dir| !dir.is_empty()) {
        return call.dir(dir);
    }
    for name in [format!("/etc/dotnet/install_location_{machine}"), "/etc/dotnet/install_location".to_owned()] {
        let Some((file, text)) = call.root.read_followed(name.as_bytes(), 1 << 16)? else { continue };
        needs.files.push((file.clone(), "it says where .NET is installed".to_owned()));
        let text = String::from_utf8_lossy(&text).into_owned();
        return call.dir(text.lines().next().unwrap_or_default().trim());
    }
    for dir in table().host.installations.iter() {
        if let Some(found) = call.dir(dir)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn application(call: &Call<'_>, found: &App, needs: &mut Needs) -> Result<(), Error> {
    let dir = found.dll.parent().unwrap_or_else(RootPath::root);
    let stem = String::from_utf8_lossy(found.dll.name()).into_owned();
    let stem = stem.rsplit_once('.').map_or(stem.as_str(), |(stem, _)| stem).to_owned();
    let option = |name: &str| found.options.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let settings = match option("--runtimeconfig").map_or(Ok(None), |word| call.file(word))? {
        Some(file) => Some((file.clone(), call.root.read(&file, MAX_SETTINGS)?)),
        None => call
            .root
            .read_followed(dir.join(format!("{stem}.runtimeconfig.json").as_bytes()).as_bytes(), MAX_SETTINGS)?,
    };
    let config = settings.and_then(|(_, text)| RuntimeConfig::parse(&text)).unwrap_or_default();
    let mut frameworks = Vec::new();
    if let Some(installation) = &found.installation
        && !config.is_self_contained()
    {
        frameworks = shared(call, installation, &config, option("--roll-forward"), option("--fx-version"), needs)?;
    }
    for above in [Some(dir.clone()), Some(call.cwd.clone())].into_iter().flatten() {
        let Some(real) = call.dir(&above.to_string())?.filter(|dir| !app::is_wide(dir)) else { continue };
        if !needs.claims.iter().any(|home| real.is_within(&home.dir)) {
            let spares = Spares { debuggers: config.includes_lenient() };
            needs.claims.push(claim(call, spares, real, "application", "the application's directory"));
        }
    }
    if app::is_wide(&dir) {
        for name in call.root.list(&dir)?.iter().filter(|name| name.starts_with(format!("{stem}.").as_bytes())) {
            needs.files.push((dir.join(name), "it belongs to the application".to_owned()));
        }
        needs.notes.push(format!("{} is in {dir}: only files with its name are packed from there", found.dll));
    }
    let deps = option("--depsfile").map_or(Ok(None), |word| call.file(word))?;
    let deps = deps.unwrap_or_else(|| dir.join(format!("{stem}.deps.json").as_bytes()));
    let mut probed: Vec<String> = config.options.additional_probing_paths.words().to_vec();
    let developer = dir.join(format!("{stem}.runtimeconfig.dev.json").as_bytes());
    if let Some((_, text)) = call.root.read_followed(developer.as_bytes(), MAX_SETTINGS)? {
        let config = RuntimeConfig::parse(&text).unwrap_or_default();
        probed.extend(config.options.additional_probing_paths.words().iter().cloned());
    }
    let own = found.options.iter().filter(|(name, _)| name == "--additionalprobingpath");
    probed.extend(own.map(|(_, value)| value.clone()));
    listed(call, &deps, &dir, &frameworks, &probed, needs)?;
    opened(call, &config, &format!("{} is an application of .NET", found.dll), &dir, needs)
}

/// A single-file program, which contains its application.
fn single_file(call: &Call<'_>, real: &RootPath, bundle: &bundle::Bundle, needs: &mut Needs) -> Result<(), Error> {
    let config = RuntimeConfig::parse(&bundle.settings).unwrap_or_default();
    if !config.references().is_empty() {
        match installed(call, needs)? {
            Some(installation) => {
                shared(call, &installation, &config, None, None, needs)?;
            }
            None => needs.notes.push(format!("{real} needs an installation of .NET, and the root has none")),
        }
    }
    let unpacked = call.env.get("DOTNET_BUNDLE_EXTRACT_BASE_DIR").map_or(Ok(None), |word| call.dir(word))?;
    if let Some(unpacked) = unpacked.filter(|dir| !app::is_wide(dir)) {
        needs.claims.push(claim(
            call,
            Spares::default(),
            unpacked,
            "application",
            "where single-file programs have unpacked their files",
        ));
    } else if let Some(first) = bundle.unpacked.first() {
        needs.notes.push(format!(
            "{real} unpacks {} files at its start, {first} among them: start it once in the builder with \
             DOTNET_BUNDLE_EXTRACT_BASE_DIR set for both and chmod what it unpacks, or set that to a writable directory in which programs may run",
            bundle.unpacked.len()
        ));
    }
    let dir = real.parent().unwrap_or_else(RootPath::root);
    for own in [&dir, call.cwd] {
        if let Some(own) = call.dir(&own.to_string())?.filter(|dir| !app::is_wide(dir)) {
            needs.claims.push(claim(call, Spares::default(), own, "application", "the application's directory"));
        }
    }
    opened(call, &config, &format!("{real} is a single-file program of .NET"), &dir, needs)
}

/// Claims the host of an installation and the frameworks that the host selects; returns the framework directories.
fn shared(
    call: &Call<'_>,
    installation: &RootPath,
    config: &RuntimeConfig,
    roll_forward: Option<&str>,
    exactly: Option<&str>,
    needs: &mut Needs,
) -> Result<Vec<RootPath>, Error> {
    let hosts = installation.join(b"host").join(b"fxr");
    match versions(call.root, &hosts)?.into_iter().max_by(|one, other| one.0.cmp(&other.0)) {
        Some((_, dir)) => {
            needs.claims.push(claim(call, Spares::default(), dir, ".NET", "the host of .NET that picks the frameworks"))
        }
        None => needs.notes.push(format!("{hosts} contains no version of the host")),
    }
    let variable = call.env.get("DOTNET_ROLL_FORWARD").map(String::as_str);
    let over = roll_forward.or(variable).and_then(RollForward::parse);
    let mut open: Vec<(Framework, RollForward)> =
        config.references().into_iter().map(|(framework, own)| (framework, over.unwrap_or(own))).collect();
    let mut wanted: BTreeMap<String, (Version, RollForward)> = BTreeMap::new();
    let mut picked: BTreeMap<String, RootPath> = BTreeMap::new();
    for _ in 0..MAX_FRAMEWORKS {
        let Some((framework, policy)) = open.pop() else { break };
        let name = framework.name.clone();
        // The file may contain any text, so make sure that the name is a single path component.
        if name.is_empty() || name.contains('/') || name == ".." {
            continue;
        }
        let mut asked = Version::parse(&framework.version).map(|version| (version, policy));
        if let Some(exact) = exactly.filter(|_| name == "Microsoft.NETCore.App") {
            asked = Version::parse(exact).map(|version| (version, RollForward::Disable));
        }
        let Some((version, policy)) = asked else { continue };
        let merged = match wanted.get(&name) {
            Some((known, stricter)) => (version.max(known.clone()), policy.min(*stricter)),
            None => (version, policy),
        };
        if wanted.get(&name) == Some(&merged) {
            continue;
        }
        let places = versions(call.root, &installation.join(b"shared").join(name.as_bytes()))?;
        let installed: Vec<Version> = places.iter().map(|(version, _)| version.clone()).collect();
        let found = merged.1.pick(&merged.0, &installed);
        let found = found.and_then(|found| places.iter().find(|(version, _)| version == found));
        wanted.insert(name.clone(), merged);
        let Some((_, dir)) = found else {
            needs.notes.push(format!("{name} {} is not installed in {installation}", framework.version));
            continue;
        };
        let file = dir.join(format!("{name}.runtimeconfig.json").as_bytes());
        if let Some((_, text)) = call.root.read_followed(file.as_bytes(), MAX_SETTINGS)? {
            open.extend(RuntimeConfig::parse(&text).unwrap_or_default().references());
        }
        picked.insert(name, dir.clone());
    }
    if let Some((framework, _)) = open.first() {
        needs.cut(format!("more than {MAX_FRAMEWORKS} frameworks are needed: {} was not searched", framework.name));
    }
    for (name, dir) in &picked {
        let version = Version::parse(&String::from_utf8_lossy(dir.name()));
        let spares = Spares { debuggers: version.is_some_and(|version| version.is_lenient()) };
        needs.claims.push(claim(
            call,
            spares,
            dir.clone(),
            ".NET",
            &format!("the version of {name} that the host picks"),
        ));
    }
    Ok(picked.into_values().collect())
}

/// Subdirectories whose names are versions.
fn versions(root: &Root, dir: &RootPath) -> Result<Vec<(Version, RootPath)>, Error> {
    let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for name in root.list(&real)? {
        let version = Version::parse(&String::from_utf8_lossy(&name));
        if let Some(version) = version
            && let Some(place) = root.follow(real.join(&name).as_bytes())?.dir()
        {
            found.push((version, place.clone()));
        }
    }
    Ok(found)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Deps {
    runtime_target: Target,
    targets: BTreeMap<String, BTreeMap<String, Assets>>,
    libraries: BTreeMap<String, Library>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Target {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Assets {
    runtime: BTreeMap<String, serde_json::Value>,
    native: BTreeMap<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Library {
    path: Option<String>,
}

/// Assets that `X.deps.json` lists and the application directory lacks. The host searches its probing paths for them.
fn listed(
    call: &Call<'_>,
    deps: &RootPath,
    dir: &RootPath,
    frameworks: &[RootPath],
    probed: &[String],
    needs: &mut Needs,
) -> Result<(), Error> {
    let Some((file, text)) = call.root.read_followed(deps.as_bytes(), MAX_JSON)? else { return Ok(()) };
    let Some(read) = json::read::<Deps>(call.root, &file, &text) else { return Ok(()) };
    let mut absent = Vec::new();
    for (library, assets) in read.targets.get(&read.runtime_target.name).into_iter().flatten() {
        for asset in assets.runtime.keys().chain(assets.native.keys()) {
            let name = asset.rsplit('/').next().unwrap_or_default();
            let mut places = std::iter::once(dir).chain(frameworks).map(|dir| format!("{dir}/{name}"));
            let is_there = |place: String| Ok(call.file(&place)?.is_some());
            if places.try_fold(false, |known, place| Ok::<_, Error>(known || is_there(place)?))? {
                continue;
            }
            let folder = read.libraries.get(library).and_then(|library| library.path.clone());
            let folder = folder.unwrap_or_else(|| library.to_lowercase());
            let mut found = None;
            for above in probed {
                found = found.or(call.file(&format!("{above}/{folder}/{asset}"))?);
            }
            match found {
                Some(found) => needs.files.push((found, format!("{file} lists it"))),
                None => absent.push(name.to_owned()),
            }
        }
    }
    if let Some(first) = absent.first() {
        needs
            .notes
            .push(format!("{file} lists {} files that are nowhere in the root, {first} among them", absent.len()));
    }
    Ok(())
}

/// Profiles for the libraries that the runtime opens by name, and files named in environment variables.
fn opened(call: &Call<'_>, config: &RuntimeConfig, sign: &str, dir: &RootPath, needs: &mut Needs) -> Result<(), Error> {
    needs.profiles.push((&table().profile, sign.to_owned()));
    let variable = call.env.get("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT");
    let is_invariant = match variable {
        Some(value) => value == "1" || value.eq_ignore_ascii_case("true"),
        None => config.is_on("System.Globalization.Invariant"),
    };
    if !is_invariant {
        needs.profiles.push((&table().profile_of_cultures, format!("{sign} that knows cultures")));
        if !has_icu(call.root, dir)? {
            needs.notes.push(
                "no libicuuc is in the root: .NET ends at its start without it, unless \
                 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT is 1"
                    .to_owned(),
            );
        }
    }
    for name in table().host.file_variables.iter() {
        for word in call.env.get(name).into_iter().flat_map(|list| list.split([':', ';'])) {
            let Some(file) = call.file(word)? else { continue };
            let above = file.parent().filter(|dir| !app::is_wide(dir));
            match above.filter(|_| name == "DOTNET_STARTUP_HOOKS") {
                Some(above) => {
                    needs.claims.push(claim(call, Spares::default(), above, ".NET", &format!("{name} names {word}")))
                }
                None => needs.files.push((file, format!("{name} names it"))),
            }
        }
    }
    Ok(())
}

fn has_icu(root: &Root, dir: &RootPath) -> Result<bool, Error> {
    let own = format!("{dir}/libicuuc.so*");
    for pattern in
        ["/usr/lib/libicuuc.so*", "/usr/lib/*/libicuuc.so*", "/usr/lib64/libicuuc.so*", "/lib/*/libicuuc.so*", &own]
    {
        if !root.matching(&RootGlob::new(pattern)?)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn machine(call: &Call<'_>) -> String {
    let cpu = Platform::of(call.target.as_ref(), call.is_musl).cpu;
    match cpu.as_str() {
        "ia32" => "x86".to_owned(),
        "ppc64" => "ppc64le".to_owned(),
        "loong64" => "loongarch64".to_owned(),
        _ => cpu,
    }
}

fn claim(call: &Call<'_>, spares: Spares, dir: RootPath, group: &'static str, what: &str) -> Claim {
    let why = format!("{dir} is {what}");
    let (machine, is_musl) = (machine(call), call.is_musl);
    let dumps = table().host.dump_variables.iter().any(|name| call.env.contains_key(name));
    let without = move |_: &Root, path: &RootPath| {
        let name = path.name();
        let is_debugger = !dumps && table().leftovers.debuggers.contain(name);
        let is_asset = path.parent().is_some_and(|dir| dir.name() == b"runtimes");
        let is_tracer = table().leftovers.tracers.contain(name);
        app::is_leftover(path)
            || spares.debuggers && (is_debugger || is_tracer)
            || is_asset && is_foreign(&String::from_utf8_lossy(name), &machine, is_musl)
    };
    Claim { dir, without: Rc::new(without), group, why, scope: Scope::Own }
}

/// True if a runtime identifier (`win-x64`, `linux-musl-arm64`, `unix`) is for a platform other than the image's.
fn is_foreign(identifier: &str, machine: &str, is_musl: bool) -> bool {
    let last = identifier.rsplit('-').next().unwrap_or_default();
    let is_other_machine = !machine.is_empty() && table().platforms.machines.contain(last) && last != machine;
    let is_other_libc = !is_musl && identifier.starts_with("linux-musl") || identifier.starts_with("linux-bionic");
    is_other_machine || is_other_libc || table().platforms.other_systems.begin(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_other_machines_are_foreign() {
        for identifier in
            ["win", "win-x64", "win10-arm64", "osx.10.12-x64", "linux-arm64", "linux-musl-x64", "browser-wasm"]
        {
            assert!(is_foreign(identifier, "x64", false), "{identifier}");
        }
        for identifier in ["unix", "linux", "linux-x64", "debian.12-x64", "any"] {
            assert!(!is_foreign(identifier, "x64", false), "{identifier}");
        }
        assert!(!is_foreign("linux-musl-x64", "x64", true));
    }
}
