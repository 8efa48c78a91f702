//! Options for the contents of an image, shared by several commands, and their conversion into a request.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::RootOptions;
use crate::closure::{Companions, Request, rule_pages};
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::{Profile, nearest};
use crate::root::RootGlob;
use crate::trust::Authority;

/// Packages whose other files are packed too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CompanionOption {
    /// The packages of the entries and of all libraries that they load.
    #[default]
    All,
    /// The packages of the entries only.
    Entry,
    /// No packages.
    None,
}

/// Python sources that are compiled to bytecode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PycOption {
    /// No sources: the smallest image, but Python compiles at every start.
    #[default]
    None,
    /// Files loaded during a trial start of the entry. Another start may load other files and give another digest.
    Used,
    /// All sources in the image: the same digest every time.
    All,
}

/// Options that add files besides the entry and its dependencies, or leave some out.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ImageOptions {
    /// Another program to pack, which the entry starts. Repeatable.
    #[arg(long = "bin", value_name = "PATH")]
    pub(crate) bin: Vec<String>,
    /// A profile to apply: a name from `slimroot profiles`, or a file. Repeatable.
    #[arg(long = "profile", short = 'p', value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// A folder with your own profiles. They work like the built-in ones and replace those of the same name.
    #[arg(long = "profiles", value_name = "DIR")]
    pub(crate) profiles: Option<PathBuf>,
    /// Files to add: a quoted pattern of absolute paths in the root; directories include their contents. Repeatable.
    #[arg(long = "include", short = 'i', value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Copies a file or directory of the root to another path in the image and keeps modes and owners. Repeatable.
    #[arg(long = "copy", value_name = "SRC:DST")]
    pub(crate) copy: Vec<String>,
    /// A distribution package to add, without documentation, manuals, translations and headers. Repeatable.
    #[arg(long = "package", value_name = "NAME")]
    pub(crate) package: Vec<String>,
    /// A PEM file on this machine with CA certificates to trust in addition to those of the root. Repeatable.
    #[arg(long = "ca", value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// Files to leave out (only of patterns and profiles). Repeatable.
    #[arg(long = "exclude", short = 'x', value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// A profile not to apply automatically. Repeatable.
    #[arg(long = "no-profile", value_name = "NAME")]
    pub(crate) no_profile: Vec<String>,
    /// A rule to leave out: an id that `slimroot why` and `slimroot explain` print. Repeatable.
    #[arg(long = "no-rule", value_name = "ID")]
    pub(crate) no_rule: Vec<String>,
    /// Packages whose other files (helpers, plug-ins, data, configuration) are packed too.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) companions: CompanionOption,
    /// Applies only the profiles that are always applied, such as base, and those given with --profile.
    #[arg(long)]
    pub(crate) no_auto: bool,
    /// Packs Python bytecode, compiled by the root's own interpreter. Without this option none is packed.
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(crate) pyc: Option<PycOption>,
    /// Replaces the Java runtime by one that has only the modules that the jars need, using jlink of the root's JDK.
    /// jlink orders some tables randomly, so another build may give another digest.
    #[arg(long)]
    pub(crate) jlink: bool,
}

/// The request for an entry with these options.
pub(crate) fn request_of(root: &RootOptions, image: &ImageOptions, line: &[String]) -> Result<Request, Error> {
    let globs = |texts: &[String]| texts.iter().map(|text| RootGlob::new(text)).collect::<Result<Vec<_>, _>>();
    let known = known_profiles(image)?;
    Ok(Request {
        bins: image.bin.clone(),
        companions: match image.companions {
            CompanionOption::All => Companions::All,
            CompanionOption::Entry => Companions::Entry,
            CompanionOption::None => Companions::None,
        },
        automatic: automatic(image, &known),
        profiles: profiles(image, &known)?,
        known,
        packages: image.package.clone(),
        include: globs(&image.include)?.into_iter().map(RootGlob::for_whole_directories).collect(),
        copies: image.copy.iter().map(|text| copy(text)).collect::<Result<_, _>>()?,
        exclude: globs(&image.exclude)?,
        authorities: authorities(&image.ca)?,
        no_rules: image.no_rule.iter().map(|id| known_rule(id)).collect::<Result<_, _>>()?,
        ..super::request(root, line)?
    })
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
        let text = std::fs::read(file).map_err(|error| {
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
pub(super) fn profile(name: &str) -> Result<Profile, Error> {
    if !name.contains('/') && !name.ends_with(".toml") {
        return Profile::builtin(name);
    }
    let text = std::fs::read_to_string(name)
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
fn known_profiles(image: &ImageOptions) -> Result<Vec<Profile>, Error> {
    let mut known = Profile::builtins()?;
    if let Some(dir) = &image.profiles {
        for own in folder(dir)? {
            known.retain(|profile| profile.name != own.name);
            known.push(own);
        }
    }
    Ok(known)
}

fn profiles(image: &ImageOptions, known: &[Profile]) -> Result<Vec<Profile>, Error> {
    for name in image.no_profile.iter().filter(|name| !known.iter().any(|profile| profile.name == **name)) {
        Profile::builtin(name)?;
    }
    let is_default = |profile: &Profile| profile.default && !image.no_profile.contains(&profile.name);
    let mut found: Vec<Profile> = known.iter().filter(|profile| is_default(profile)).cloned().collect();
    for name in &image.profile {
        let own = known.iter().find(|profile| profile.name == *name).cloned();
        let profile = own.map_or_else(|| profile(name), Ok)?;
        found.retain(|known| known.name != profile.name);
        found.push(profile);
    }
    Ok(found)
}

/// The profiles that are applied if one of their triggers matches.
fn automatic(image: &ImageOptions, known: &[Profile]) -> Vec<Profile> {
    let is_asked = |profile: &Profile| {
        let is_named = |names: &[String]| names.contains(&profile.name);
        !profile.default && !image.no_auto && !is_named(&image.no_profile) && !is_named(&image.profile)
    };
    known.iter().filter(|profile| is_asked(profile)).cloned().collect()
}
