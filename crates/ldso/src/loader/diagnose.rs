//! Explains why a library is missing, from the contents of the root: the cause and a remedy.

use super::{Family, Missing, Objects, Process, conf_dirs};
use slimroot_rootfs::error::Error;
use slimroot_rootfs::path::{RootPath, show};
use slimroot_rootfs::root::{FileKind, Root};

/// Maximum number of names visited when searching the root for a missing library.
const MAX_NAMES: usize = 1_000_000;
/// Maximum number of places in a hint.
const MAX_PLACES: usize = 3;
/// Maximum number of files opened to read their SONAME.
const MAX_OPENED: usize = 4096;
/// Number of bytes searched for the keywords of a linker script (ldconfig's own limit).
const SCRIPT_HEAD: usize = 512;

/// Storage of podman, docker and containerd.
const STORES: [&[u8]; 3] = [b"/var/lib/containers", b"/var/lib/docker", b"/var/lib/containerd"];

/// Why a library is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The root does not contain it.
    Absent,
    /// It is in a directory that the loader does not search.
    Elsewhere,
    /// The loader finds it, but it is built for another machine or word size.
    OtherMachine,
    /// It is in a directory of ld.so.conf or one that ldconfig knows, but not in the cache.
    NotCached,
    /// The root contains another version of it.
    OtherVersion,
    /// Its directory is in the DT_RUNPATH of another object, which is not inherited.
    NotInherited,
    /// A file with another name has this SONAME: the symlink that ldconfig creates is missing.
    LinkAbsent,
    /// The loader finds a linker script.
    LinkerScript,
    /// The loader finds a file that it cannot use.
    Unusable,
    /// It exists only for better CPUs.
    BetterCpu,
}

/// The cause with remedies: commands or lines to paste.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Why it is missing.
    pub cause: Cause,
    /// Remedies, the best first.
    pub help: Vec<String>,
}

/// Paths of the shared libraries in a root.
pub struct LibraryNames(Vec<RootPath>);

impl LibraryNames {
    /// Finds every file in the root whose name looks like a library; skips the kernel's directories.
    ///
    /// # Errors
    /// `unreadable` if the metadata of an entry cannot be read.
    pub fn read(root: &Root) -> Result<Self, Error> {
        let mut found = Vec::new();
        let mut open = vec![RootPath::root()];
        let mut seen = 0;
        while let Some(dir) = open.pop() {
            // An unreadable directory only means fewer hints, so continue.
            let names = root.list(&dir).unwrap_or_default();
            if is_other_root(&dir, &names) {
                continue;
            }
            for name in names {
                seen += 1;
                let path = dir.join(&name);
                let is_kernels = dir.is_root() && matches!(name.as_slice(), b"proc" | b"sys" | b"dev");
                match root.tree().meta(&path)?.map(|meta| meta.kind) {
                    Some(FileKind::Dir) if !is_kernels && seen < MAX_NAMES => open.push(path),
                    Some(FileKind::File | FileKind::Link) if name.windows(3).any(|part| part == b".so") => {
                        found.push(path);
                    }
                    _ => {}
                }
            }
        }
        found.sort();
        Ok(Self(found))
    }

    fn named(&self, name: &[u8]) -> Vec<&RootPath> {
        self.0.iter().filter(|path| path.name() == name).take(MAX_PLACES).collect()
    }

    /// Other versions of the same library: `libssl.so.1.1` for `libssl.so.3`.
    fn relatives(&self, name: &[u8]) -> Vec<&RootPath> {
        let Some(stem) = name.windows(3).position(|part| part == b".so") else { return Vec::new() };
        let stem = &name[..stem + 3];
        let is_relative = |path: &&RootPath| path.name().starts_with(stem) && path.name() != name;
        self.0.iter().filter(is_relative).take(MAX_PLACES).collect()
    }

    /// A file with this SONAME; files with similar names are tried first.
    fn with_soname(&self, objects: &Objects<'_>, name: &[u8]) -> Result<Option<&RootPath>, Error> {
        let mut near = self.relatives(name);
        near.extend(self.0.iter().take(MAX_OPENED));
        for path in near {
            let Some(real) = objects.root().follow(path.as_bytes())?.file().map(|(real, _)| real.clone()) else {
                continue;
            };
            let read = objects.read(&real)?;
            if read.elf.as_ref().is_ok_and(|elf| elf.soname.as_deref() == Some(name)) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// True for a directory that contains another system: an earlier output, a chroot, the storage of a container engine.
/// Paths in it are useless for this root.
fn is_other_root(dir: &RootPath, names: &[Vec<u8>]) -> bool {
    let has = |name: &[u8]| names.iter().any(|known| known == name);
    !dir.is_root() && (has(b"etc") && has(b"usr") || STORES.contains(&dir.as_bytes()))
}

/// Explains why a library is missing, with remedies.
///
/// # Errors
/// `unreadable`.
pub fn diagnose(
    names: &LibraryNames,
    objects: &Objects<'_>,
    process: &Process,
    missing: &Missing,
) -> Result<Diagnosis, Error> {
    let base = missing.name.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let name = show(base);
    let requester = &process.loaded[missing.needed_by];
    let diagnosis = |cause: Cause, help: Vec<String>| Ok(Diagnosis { cause, help });
    match missing.reason() {
        "bad-file" => {
            let path = missing.search.fatal.as_ref().map(|(path, _)| path.clone()).unwrap_or_default();
            if is_linker_script(objects.root(), &path)? {
                let help = format!(
                    "{} is a linker script, which only compilers read: link against {name} of the run-time package, \
                     and remove the script in the builder stage",
                    show(&path)
                );
                return diagnosis(Cause::LinkerScript, vec![help]);
            }
            return diagnosis(Cause::Unusable, vec![format!("remove or replace {} in the builder stage", show(&path))]);
        }
        "wrong-class" | "wrong-machine" => {
            let target = &requester.elf.target;
            return diagnosis(Cause::OtherMachine, vec![format!("install {name} for {target} in the builder stage")]);
        }
        "cpu-level" => {
            let help = format!("--cpu LEVEL if every machine has such a CPU; else install the plain {name} too");
            return diagnosis(Cause::BetterCpu, vec![help]);
        }
        _ => {}
    }
    let is_musl = process.constants.as_ref().is_some_and(|constants| constants.family == Family::Musl);
    let places: Vec<_> = names.named(base);
    let dirs: Vec<RootPath> = places.iter().filter_map(|place| place.parent()).collect();
    for (place, dir) in places.iter().zip(&dirs) {
        if let Some(object) = process.loaded.iter().find(|object| runpath_covers(objects.root(), object, dir)) {
            return diagnosis(
                Cause::NotInherited,
                vec![
                    format!("patchelf --add-rpath {dir} {} in the builder stage", requester.real),
                    format!("or --env LD_LIBRARY_PATH={dir}"),
                    format!(
                        "{} is in a directory of the DT_RUNPATH of {}, which applies only to the dependencies of that \
                         object",
                        place,
                        show(&object.path)
                    ),
                ],
            );
        }
    }
    if let (Some(place), Some(dir)) = (places.first(), dirs.first()) {
        let known = if is_musl { Vec::new() } else { conf_dirs(objects.root())? };
        if known.contains(dir) {
            return diagnosis(
                Cause::NotCached,
                vec![
                    "run ldconfig in the builder stage".to_owned(),
                    format!("or --env LD_LIBRARY_PATH={dir}"),
                    format!("{place} exists, but the loader reads /etc/ld.so.cache and never /etc/ld.so.conf"),
                ],
            );
        }
        let mut help = match is_plain(&dir.to_string()) {
            true => vec![format!("the root has {place}: --env LD_LIBRARY_PATH={dir}")],
            false => vec![format!("the root has {place}: name its directory in LD_LIBRARY_PATH")],
        };
        if !is_musl && is_plain(&dir.to_string()) {
            help.push(format!("or: echo {dir} >/etc/ld.so.conf.d/local.conf && ldconfig, in the builder stage"));
        }
        return diagnosis(Cause::Elsewhere, help);
    }
    if let Some(file) = names.with_soname(objects, base)? {
        let dir = file.parent().unwrap_or_else(RootPath::root);
        return diagnosis(
            Cause::LinkAbsent,
            vec![
                match is_plain(&format!("{file}{dir}{name}")) {
                    true => {
                        format!("ln -s {} {dir}/{name} in the builder stage, or run ldconfig there", show(file.name()))
                    }
                    false => "run ldconfig in the builder stage".to_owned(),
                },
                format!("{file} has this SONAME, but loaders look for a file of that name"),
            ],
        );
    }
    let install = match is_plain(&name) {
        true => format!("install the package that contains {name} in the builder stage"),
        false => "install the package that contains it in the builder stage".to_owned(),
    };
    match names.relatives(base).as_slice() {
        [] => diagnosis(Cause::Absent, vec![install]),
        others => {
            let list: Vec<String> = others.iter().map(ToString::to_string).collect();
            let built = format!(
                "the root has another version ({}): build the program against that one, in this root",
                list.join(", ")
            );
            diagnosis(Cause::OtherVersion, vec![built, format!("or {install}")])
        }
    }
}

/// True if the text needs no quoting in a shell. Names come from untrusted files; any other name is kept out of
/// commands that a user may paste.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./+:@%=,".contains(c)) && !text.starts_with('-')
}

/// True if the object's DT_RUNPATH contains the directory.
fn runpath_covers(root: &Root, object: &super::Loaded, dir: &RootPath) -> bool {
    let runpath = object.elf.runpath.as_deref().unwrap_or_default();
    let origin = object.real.parent().unwrap_or_else(RootPath::root).to_string();
    runpath.split(|b| *b == b':').filter(|element| !element.is_empty()).any(|element| {
        let element = show(element).replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
        let followed = root.follow(element.as_bytes());
        followed.is_ok_and(|followed| followed.dir() == Some(dir))
    })
}

/// True for a linker script (recognised as ldconfig does).
fn is_linker_script(root: &Root, path: &[u8]) -> Result<bool, Error> {
    let Some((_, head)) = root.head_followed(path, SCRIPT_HEAD)? else { return Ok(false) };
    let text = String::from_utf8_lossy(&head);
    Ok(["GROUP", "INPUT", "GNU ld script"].iter().any(|sign| text.contains(sign)))
}
