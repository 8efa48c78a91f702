//! What goes into an image, as the commands that ask about one state it: options in, a request out.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::RootOptions;
use crate::closure::{Companions, Request};
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::Profile;
use crate::root::RootGlob;
use crate::trust::Authority;

/// Whose packages bring their files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CompanionOption {
    /// Those of the entries, and of every library that they load.
    #[default]
    All,
    /// Those of the entries.
    Entry,
    /// Nobody's.
    None,
}

/// Of which Python sources bytecode is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PycOption {
    /// Of none: the smallest image, and Python compiles at every start.
    #[default]
    None,
    /// Of those that a start of the entry loads. It is started to see them, so another start may give another digest.
    Used,
    /// Of all in the image: the same digest every time.
    All,
}

/// What goes in besides what the entry itself names.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ImageOptions {
    /// Another program that the entry starts. Repeatable.
    #[arg(long = "bin", value_name = "PATH")]
    pub(crate) bin: Vec<String>,
    /// A profile: a name of `slimroot profiles`, or a file. Repeatable.
    #[arg(long = "profile", short = 'p', value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// A folder of profiles: they are known like the compiled-in ones, and take the place of those of their names.
    #[arg(long = "profiles", value_name = "DIR")]
    pub(crate) profiles: Option<PathBuf>,
    /// Files to add: a quoted pattern inside the root; directories come with all they hold. Repeatable.
    #[arg(long = "include", short = 'i', value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Places a file or directory of the root elsewhere in the image, with its own modes and owners. Repeatable.
    #[arg(long = "copy", value_name = "SRC:DST")]
    pub(crate) copy: Vec<String>,
    /// A package of the distribution, without documents, manuals, translations and headers. Repeatable.
    #[arg(long = "package", value_name = "NAME")]
    pub(crate) package: Vec<String>,
    /// A PEM file of this machine with authorities to trust, besides those of the root. Repeatable.
    #[arg(long = "ca", value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// What patterns and profiles shall not add. Repeatable.
    #[arg(long = "exclude", short = 'x', value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Leaves a profile out that would be applied by itself. Repeatable.
    #[arg(long = "no-profile", value_name = "NAME")]
    pub(crate) no_profile: Vec<String>,
    /// What else the package of the entry brought (helpers, plug-ins, data, configuration) comes too, and of the packages of its libraries.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) companions: CompanionOption,
    /// Applies no profile by itself; base and those named stay.
    #[arg(long)]
    pub(crate) no_auto: bool,
    /// Makes Python bytecode by running the root's own interpreter. Without it none is packed.
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(crate) pyc: Option<PycOption>,
    /// Links the Java runtime anew with the modules that the jars need, by running the JDK of the root. Its jlink may
    /// order tables by chance, so another build may give another digest.
    #[arg(long)]
    pub(crate) jlink: bool,
}

/// The request of an entry with what the options declare.
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
        ..super::request(root, line)?
    })
}

/// The authorities of all files, each once.
fn authorities(files: &[PathBuf]) -> Result<Vec<Authority>, Error> {
    let mut found: Vec<Authority> = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = std::fs::read(file)
            .map_err(|error| Error::new("bad-ca-file", format!("--ca {name}: it cannot be read")).because(error))?;
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
            .help("both are absolute paths without `..`: the first in the root, the second in the image")
    })
}

/// A profile by its name, or out of a file.
pub(super) fn profile(name: &str) -> Result<Profile, Error> {
    if !name.contains('/') && !name.ends_with(".toml") {
        return Profile::builtin(name);
    }
    let text = std::fs::read_to_string(name)
        .map_err(|error| Error::new("unknown-profile", format!("cannot read the profile {name}")).because(error))?;
    Profile::parse(&text, name)
}

/// The profiles of a folder, which take the place of compiled-in ones of their names.
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

/// Compiled-in profiles, with those of the user's folder above them.
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

/// Profiles that are applied when the closure shows the need.
fn automatic(image: &ImageOptions, known: &[Profile]) -> Vec<Profile> {
    let is_asked = |profile: &Profile| {
        let is_named = |names: &[String]| names.contains(&profile.name);
        !profile.default && !image.no_auto && !is_named(&image.no_profile) && !is_named(&image.profile)
    };
    known.iter().filter(|profile| is_asked(profile)).cloned().collect()
}
