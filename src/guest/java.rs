//! A Java runtime that contains only the modules that the jars need: the root's own JDK finds them with jdeps and links
//! them with jlink (jdeps(1), jlink(1)).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::scratch::Scratch;
use super::{Ended, Guest, Job, Refused};
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::{DirTree, FileKind, Root, Tree};

/// Modules that no class refers to: service providers, and modules that configuration files and frameworks load by
/// name.
const SERVICES: &[&str] = &[
    "java.instrument",
    "java.logging",
    "java.management",
    "java.naming",
    "java.scripting",
    "java.security.jgss",
    "java.security.sasl",
    "java.smartcardio",
    "java.sql",
    "java.xml",
    "java.xml.crypto",
    "jdk.charsets",
    "jdk.crypto.cryptoki",
    "jdk.crypto.ec",
    "jdk.jfr",
    "jdk.localedata",
    "jdk.management",
    "jdk.management.agent",
    "jdk.naming.dns",
    "jdk.naming.rmi",
    "jdk.net",
    "jdk.random",
    "jdk.security.auth",
    "jdk.security.jgss",
    "jdk.unsupported",
    "jdk.zipfs",
];
/// Directories that contain JDKs.
const JDKS: &[&str] = &["/usr/lib/jvm", "/opt", "/opt/java", "/usr/java", "/usr/local"];
const MAX_RELEASE: usize = 64 << 10;
const LIMIT: Duration = Duration::from_secs(600);
const MAX_OUTPUT: usize = 1 << 20;
/// From this release on, jlink has another name for "no compression".
const ZIP_NAMES: u32 = 21;

/// The runtime to replace.
pub struct Runtime<'a> {
    /// The home directory of the runtime.
    pub home: &'a RootPath,
    /// Jars and class directories that it runs.
    pub classes: &'a [RootPath],
    /// Jars among them that contain jars and classes in directories of their own.
    pub nested: &'a [RootPath],
    /// The environment of the image.
    pub env: &'a BTreeMap<String, String>,
}

/// A linked runtime.
#[derive(Debug)]
pub struct Linked {
    /// The host directory that contains it; removed with this value.
    pub folder: Scratch,
    /// The home directory of the runtime inside the folder.
    pub home: &'static str,
    /// The program that linked it.
    pub by: RootPath,
    /// Its modules; jlink adds those that they require.
    pub modules: Vec<String>,
    /// The reason why all modules of the JDK are included, if jdeps could not determine the needed ones.
    pub all_because: Option<String>,
}

/// Links a runtime for jars.
///
/// # Errors
/// [`Refused`] if there is no JDK of the same version or it cannot be run here; `unreadable`.
pub fn link(
    guest: &Guest,
    root: &Root,
    runtime: &Runtime<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Result<Linked, Refused>, Error> {
    let Some(version) = version(root, runtime.home)? else {
        return Ok(Err(Refused(format!("{} does not state its Java version", runtime.home))));
    };
    let Some(jdk) = jdk(root, runtime, &version)? else {
        let why = format!("the root has no JDK of version {version} with jlink and jmods");
        return Ok(Err(Refused(why)));
    };
    let folder = Scratch::new().map_err(|error| Error::unwritable(&std::env::temp_dir().display(), error))?;
    let Some(place) = guest.scratch(folder.path()) else {
        return Ok(Err(Refused("the root has no /tmp to link a runtime in".to_owned())));
    };
    let available = modules_of(root, &jdk)?;
    let strip = if has_objcopy(root)? { "--strip-debug" } else { "--strip-java-debug-attributes" };
    let tools = Tools { guest, jdk, place, strip, folder, stop };
    Ok(tools.link(runtime, &version, &available))
}

struct Tools<'a> {
    guest: &'a Guest,
    jdk: RootPath,
    place: String,
    /// The option that removes debug information; it covers native libraries only if the root has objcopy.
    strip: &'static str,
    folder: Scratch,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Tools<'_> {
    fn link(self, runtime: &Runtime<'_>, version: &str, available: &BTreeSet<String>) -> Result<Linked, Refused> {
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
        let (needed, all_because) = match self.needed(runtime, major) {
            Ok(needed) => (needed, None),
            Err(Refused(why)) if why.contains("cannot be run here") => return Err(Refused(why)),
            Err(Refused(why)) => (available.clone(), Some(why)),
        };
        let services = SERVICES.iter().map(|name| (*name).to_owned());
        let modules: BTreeSet<String> = needed.into_iter().chain(services).collect();
        let modules: Vec<String> = modules.intersection(available).cloned().collect();
        let compress = if major >= ZIP_NAMES { "--compress=zip-0" } else { "--compress=0" };
        let words = [
            "--module-path",
            &format!("{}/jmods", self.jdk),
            "--add-modules",
            &modules.join(","),
            self.strip,
            "--no-man-pages",
            "--no-header-files",
            compress,
            "--output",
            &format!("{}/{HOME}", self.place),
        ];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        self.run("jlink", &RootPath::root(), words)?;
        Ok(Linked { by: self.jdk.join(b"bin").join(b"jlink"), folder: self.folder, home: HOME, modules, all_because })
    }

    /// The modules that the classes refer to.
    fn needed(&self, runtime: &Runtime<'_>, major: u32) -> Result<BTreeSet<String>, Refused> {
        let mut classes: Vec<String> = runtime.classes.iter().map(|path| show(path.as_bytes()).into_owned()).collect();
        let lost = |error: std::io::Error| Refused(format!("a jar cannot be unpacked: {error}"));
        for (at, jar) in runtime.nested.iter().enumerate() {
            let inside = format!("nested-{at}");
            let folder = self.folder.path().join(&inside);
            std::fs::create_dir(&folder).map_err(lost)?;
            let Some(cwd) = RootPath::new(format!("{}/{inside}", self.place)) else { continue };
            let words = ["--extract", "--file", &show(jar.as_bytes()), "BOOT-INF", "WEB-INF"];
            self.run("jar", &cwd, words.map(str::to_owned).to_vec())?;
            let unpacked = self.folder.below(&inside).and_then(|folder| unpacked(&folder));
            let unpacked = unpacked.map_err(|error| Refused(format!("a jar cannot be unpacked: {error}")))?;
            classes.extend(unpacked.into_iter().map(|path| format!("{cwd}/{path}")));
        }
        if classes.is_empty() {
            return Err(Refused("no jar and no class is packed that could say which modules it needs".to_owned()));
        }
        let mut words: Vec<String> =
            ["--print-module-deps", "--ignore-missing-deps", "--multi-release", &major.to_string()]
                .map(str::to_owned)
                .to_vec();
        words.extend(classes);
        let ended = self.run("jdeps", &RootPath::root(), words)?;
        let said = String::from_utf8_lossy(&ended.output).into_owned();
        let modules = said.lines().last().unwrap_or_default().trim();
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if !modules.split(',').all(is_name) {
            return Err(Refused(format!("jdeps says {}", show(modules.as_bytes()))));
        }
        Ok(modules.split(',').map(str::to_owned).collect())
    }

    fn run(&self, tool: &str, cwd: &RootPath, words: Vec<String>) -> Result<Ended, Refused> {
        let program = self.jdk.join(b"bin").join(tool.as_bytes());
        // Do not let the tool write performance data to the scratch directory.
        let own = ["-J-XX:-UsePerfData".to_owned(), format!("-J-Djava.io.tmpdir={}", self.place)];
        let job = Job {
            program: &program,
            args: own.into_iter().chain(words).collect(),
            env: [("LC_ALL", "C.UTF-8"), ("PATH", super::PATH)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            cwd,
            input: Vec::new(),
            scratch: Some(self.folder.path()),
            limit: LIMIT,
            max_output: MAX_OUTPUT,
            stop: self.stop,
        };
        let ended = self.guest.run(&job)?;
        if ended.status == Some(0) {
            return Ok(ended);
        }
        let said = String::from_utf8_lossy(&ended.output).into_owned();
        // These tools report errors on stdout or stderr.
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(|line| show(line.as_bytes()));
        let said = if ended.complaint.is_empty() { last.unwrap_or_default().into_owned() } else { ended.complaint };
        Err(Refused(format!("{tool} failed: {said}")))
    }
}

/// The directory inside the folder in which a runtime is linked.
const HOME: &str = "runtime";

/// Unpacked jars and class directories, relative to the folder.
fn unpacked(folder: &DirTree) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let is_dir = |path: &RootPath| -> Result<bool, Error> {
        Ok(folder.meta(path)?.is_some_and(|meta| meta.kind == FileKind::Dir))
    };
    for place in ["BOOT-INF", "WEB-INF"] {
        let inside = RootPath::root().join(place.as_bytes());
        if is_dir(&inside.join(b"classes"))? {
            found.push(format!("{place}/classes"));
        }
        for libraries in ["lib", "lib-provided"] {
            let dir = inside.join(libraries.as_bytes());
            if !is_dir(&dir)? {
                continue;
            }
            for name in folder.list(&dir)? {
                if name.ends_with(b".jar") {
                    found.push(format!("{place}/{libraries}/{}", String::from_utf8_lossy(&name)));
                }
            }
        }
    }
    Ok(found)
}

/// `JAVA_VERSION` in the `release` file of a Java home.
fn version(root: &Root, home: &RootPath) -> Result<Option<String>, Error> {
    let read = root.read_followed(home.join(b"release").as_bytes(), MAX_RELEASE)?;
    let text = read.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="));
    Ok(value.map(|value| value.trim_matches('"').to_owned()).filter(|value| !value.is_empty()))
}

/// The JDK that contains a runtime, or another one of the same version.
fn jdk(root: &Root, runtime: &Runtime<'_>, version_wanted: &str) -> Result<Option<RootPath>, Error> {
    let mut places = vec![runtime.home.clone()];
    places.extend(runtime.home.parent());
    places.extend(runtime.env.get("JAVA_HOME").and_then(RootPath::new));
    let beside = runtime.home.parent().into_iter().chain(JDKS.iter().filter_map(RootPath::new));
    for dir in beside {
        let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        places.extend(root.list(&real)?.iter().map(|name| real.join(name)));
    }
    for place in places {
        let Some(real) = root.follow(place.as_bytes())?.dir().cloned() else { continue };
        let has = |path: RootPath, kind: FileKind| -> Result<bool, Error> {
            Ok(root.follow(path.as_bytes())?.found().is_some_and(|(_, meta)| meta.kind == kind))
        };
        if has(real.join(b"bin").join(b"jlink"), FileKind::File)?
            && has(real.join(b"jmods"), FileKind::Dir)?
            && version(root, &real)?.as_deref() == Some(version_wanted)
        {
            return Ok(Some(real));
        }
    }
    Ok(None)
}

fn has_objcopy(root: &Root) -> Result<bool, Error> {
    for dir in super::PATH.split(':') {
        if root.follow(format!("{dir}/objcopy").as_bytes())?.file().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The modules that a JDK can link.
fn modules_of(root: &Root, jdk: &RootPath) -> Result<BTreeSet<String>, Error> {
    let Some(real) = root.follow(jdk.join(b"jmods").as_bytes())?.dir().cloned() else { return Ok(BTreeSet::new()) };
    let names = root.list(&real)?;
    let stems = names.iter().filter_map(|name| name.strip_suffix(b".jmod"));
    Ok(stems.map(|stem| String::from_utf8_lossy(stem).into_owned()).collect())
}
