//! From words to a request: profiles by name, patterns, authorities, levels.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::PackRequest;
use crate::closure::{Request, rule_pages};
use crate::error::Error;
use crate::loader::CPU_LEVELS;
use crate::path::RootPath;
use crate::profile::{Profile, nearest};
use crate::root::RootGlob;
use crate::trust::Authority;
use crate::watch;

/// The request of a closure.
pub(crate) fn request_of(request: &PackRequest) -> Result<Request, Error> {
    let globs = |texts: &[String]| texts.iter().map(|text| RootGlob::new(text)).collect::<Result<Vec<_>, _>>();
    let known = known_profiles(request)?;
    Ok(Request {
        bins: request.bins.clone(),
        companions: request.companions,
        pyc: request.pyc,
        automatic: automatic(request, &known),
        profiles: profiles(request, &known)?,
        known,
        traces: request.traces.iter().map(|file| watch::read(file).map(Arc::new)).collect::<Result<_, _>>()?,
        packages: request.packages.clone(),
        no_shell: request.no_shell,
        include: globs(&request.include)?.into_iter().map(RootGlob::for_whole_directories).collect(),
        copies: request.copies.iter().map(|text| copy(text)).collect::<Result<_, _>>()?,
        exclude: globs(&request.exclude)?,
        authorities: authorities(&request.ca)?,
        no_rules: request.no_rules.iter().map(|id| known_rule(id)).collect::<Result<_, _>>()?,
        ..start_of(request)?
    })
}

/// The request of an entry alone.
pub(crate) fn start_of(request: &PackRequest) -> Result<Request, Error> {
    let line = request.line();
    Ok(Request {
        entry: line.first().cloned().unwrap_or_default(),
        args: line.into_iter().skip(1).collect(),
        healthcheck: request.healthcheck.as_ref().and_then(crate::config::Healthcheck::command),
        packs_probe: request.healthcheck.as_ref().is_some_and(|check| check.packs_probe),
        env: request.env.clone(),
        workdir: request.workdir.as_deref().map(workdir).transpose()?,
        cpu: request.cpu.as_deref().map(cpu).transpose()?,
        interpreter: request.interpreter.as_ref().map(|path| path.clone().into_bytes()),
        ..Request::default()
    })
}

fn workdir(text: &str) -> Result<RootPath, Error> {
    RootPath::new(text)
        .ok_or_else(|| Error::new("bad-argument", format!("--workdir {text} is not an absolute path without `..`")))
}

fn cpu(level: &str) -> Result<String, Error> {
    // The psABI calls the baseline x86-64.
    match level == "x86-64" || level == "x86-64-v1" || CPU_LEVELS.concat().contains(&level) {
        true => Ok(level.to_owned()),
        false => Err(Error::new("bad-argument", format!("--cpu {level} is not a CPU level of glibc"))
            .help(format!("use x86-64, {}", CPU_LEVELS.concat().join(", ")))),
    }
}

pub(crate) fn port(text: &str) -> Result<String, Error> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match number.parse::<u16>() {
        Ok(1..) if matches!(protocol, "tcp" | "udp" | "sctp") => Ok(format!("{number}/{protocol}")),
        _ => Err(Error::new("bad-argument", format!("--expose {text} is not a port such as 8080 or 53/udp"))),
    }
}

/// An id of a rule.
fn known_rule(id: &str) -> Result<String, Error> {
    let known = || rule_pages().into_iter().map(|(id, _)| id);
    if known().any(|known| known == id) {
        return Ok(id.to_owned());
    }
    let near = nearest(id, known()).map_or(String::new(), |near| format!("; did you mean {near}?"));
    Err(Error::new("bad-argument", format!("--no-rule {id}: there is no such rule{near}"))
        .help("slimroot explain lists the rules"))
}

/// The CA certificates of all files, without duplicates.
fn authorities(files: &[PathBuf]) -> Result<Vec<Authority>, Error> {
    let mut found: Vec<Authority> = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = crate::text::read_bytes(file).map_err(|error| {
            Error::new("bad-ca-file", format!("--ca {name}: the file cannot be read")).because(error)
        })?;
        for authority in Authority::parse_file(&text, &name)? {
            if !found.contains(&authority) {
                found.push(authority);
            }
        }
    }
    Ok(found)
}

/// `SRC:DST`, both absolute.
fn copy(text: &str) -> Result<(RootPath, RootPath), Error> {
    let paths = text.split_once(':').and_then(|(from, to)| Some((RootPath::new(from)?, RootPath::new(to)?)));
    paths.ok_or_else(|| {
        Error::new("bad-argument", format!("--copy {text} is not of the form /SRC:/DST"))
            .help("use two absolute paths without `..`: SRC in the root and DST in the image")
    })
}

/// A built-in profile by its name, or a profile file.
pub(crate) fn profile(name: &str) -> Result<Profile, Error> {
    if !name.contains('/') && !name.ends_with(".toml") {
        return Profile::builtin(name);
    }
    let text = crate::text::read_file(name.as_ref())
        .map_err(|error| Error::new("unknown-profile", format!("cannot read the profile {name}")).because(error))?;
    Profile::parse(&text, name)
}

/// The profiles of a folder, sorted by name.
fn folder(dir: &Path) -> Result<Vec<Profile>, Error> {
    let unreadable = |error| Error::new("unknown-profile", format!("cannot list {}", dir.display())).because(error);
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            names.push(path);
        }
    }
    names.sort();
    names.iter().map(|path| profile(&path.to_string_lossy())).collect()
}

/// The built-in profiles; those of the user's folder replace them by name.
fn known_profiles(request: &PackRequest) -> Result<Vec<Profile>, Error> {
    let mut known = Profile::builtins()?;
    if let Some(dir) = &request.profiles_folder {
        for own in folder(dir)? {
            known.retain(|profile| profile.name != own.name);
            known.push(own);
        }
    }
    Ok(known)
}

fn profiles(request: &PackRequest, known: &[Profile]) -> Result<Vec<Profile>, Error> {
    for name in request.no_profiles.iter().filter(|name| !known.iter().any(|profile| profile.name == **name)) {
        Profile::builtin(name)?;
    }
    let is_default = |profile: &Profile| profile.default && !request.no_profiles.contains(&profile.name);
    let mut found: Vec<Profile> = known.iter().filter(|profile| is_default(profile)).cloned().collect();
    for name in &request.profiles {
        let own = known.iter().find(|profile| profile.name == *name).cloned();
        let profile = own.map_or_else(|| profile(name), Ok)?;
        found.retain(|known| known.name != profile.name);
        found.push(profile);
    }
    Ok(found)
}

/// The profiles that are applied if one of their triggers matches.
fn automatic(request: &PackRequest, known: &[Profile]) -> Vec<Profile> {
    let is_asked = |profile: &Profile| {
        let is_named = |names: &[String]| names.contains(&profile.name);
        !profile.default && !request.no_auto && !is_named(&request.no_profiles) && !is_named(&request.profiles)
    };
    known.iter().filter(|profile| is_asked(profile)).cloned().collect()
}
