//! The second image for debugging: all layers of the first, and one with a static program that is a shell
//! (`profiles/tables/debug.toml`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::PackRequest;
use crate::closure::DEFAULT_PATH;
use crate::elf;
use crate::error::Error;
use crate::output::{Destination, Twin};
use crate::path::{RootPath, show};
use crate::plan::{Content, Item, ItemKind, Plan, platform};
use crate::root::Root;
use crate::world::tables::{Directories, table};

/// Maximum size of the program.
const MAX_SIZE: usize = 64 << 20;
/// Maximum length of the name of a command.
const MAX_NAME: usize = 32;
/// Maximum number of commands.
const MAX_COMMANDS: usize = 1000;

/// The program.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Debugging {
    places: Directories,
    name: String,
    dir: String,
    shell: String,
    commands: String,
}

table! {
    /// The table.
    fn debugging() -> Debugging = "debug"
}

/// The suffix of the second image's tag, with the character that separates it.
///
/// # Errors
/// `bad-argument` if no tag can end so, or if no destination has an image.
pub(super) fn suffix(request: &PackRequest, destinations: &[Destination]) -> Result<Option<String>, Error> {
    let Some(text) = &request.debug_tag else { return Ok(None) };
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || !text.chars().all(is_part) {
        return Err(Error::new("bad-argument", format!("--debug-tag {} cannot end a tag", show(text.as_bytes())))
            .help("write for example --debug-tag debug: app:1.4 gets a second image app:1.4-debug"));
    }
    if !destinations.iter().any(Destination::has_config) && !request.dry_run {
        return Err(Error::new("bad-argument", "--debug-tag needs a destination that has an image")
            .help("dir: and tar: have only files; use oci:, oci-archive:, docker-archive: or docker://"));
    }
    let suffix = if text.starts_with(['.', '_', '-']) { text.clone() } else { format!("-{text}") };
    for destination in destinations {
        destination.refuse_suffix(&suffix)?;
    }
    Ok(Some(suffix))
}

/// The second image of a plan.
///
/// # Errors
/// `debug-shell-missing`, `unreadable`, and `bad-argument` if the image has the program's place itself.
pub(super) fn twin(request: &PackRequest, suffix: String, root: &Root, plan: &Plan) -> Result<Twin, Error> {
    let table = debugging();
    let dir = RootPath::new(&table.dir).unwrap_or_else(RootPath::root);
    if plan.items.contains_key(&dir) {
        return Err(Error::new("bad-argument", format!("the image has {dir}, where --debug-tag puts its shell"))
            .help("move it elsewhere with --copy, or leave out --debug-tag"));
    }
    let bytes = match &request.debug_shell {
        Some(file) => of_machine(file, plan)?,
        None => of_root(root, plan)?,
    };
    let commands = commands(&bytes);
    let item = |kind, mode| Item { kind, mode, uid: 0, gid: 0, xattrs: Vec::new() };
    let mut items = BTreeMap::from([
        (dir.clone(), item(ItemKind::Dir, 0o755)),
        (dir.join(table.name.as_bytes()), item(ItemKind::File(Content::Made(bytes.into())), 0o755)),
    ]);
    for command in commands {
        items.entry(dir.join(&command)).or_insert_with(|| item(ItemKind::Link(table.name.clone().into_bytes()), 0o777));
    }
    let mut run = plan.run.clone();
    let path = run.env.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
    *path = format!("{path}:{}", table.dir);
    Ok(Twin {
        suffix,
        plan: Plan { items: Arc::new(items.into_iter().collect()), run, epoch: plan.epoch, ..Plan::default() },
    })
}

/// The program of the root.
fn of_root(root: &Root, plan: &Plan) -> Result<Vec<u8>, Error> {
    let mut refused = String::new();
    for place in debugging().places.iter() {
        let followed = root.follow(place.as_bytes())?;
        let Some((real, meta)) = followed.found().filter(|(_, meta)| meta.kind == crate::root::FileKind::File) else {
            continue;
        };
        if meta.size > MAX_SIZE as u64 {
            continue;
        }
        let bytes = root.read(real, MAX_SIZE)?;
        match defect(&bytes, plan) {
            None => return Ok(bytes),
            Some(why) => refused = format!(": {real} {why}"),
        }
    }
    Err(Error::new("debug-shell-missing", format!("the root has no static program for --debug-tag{refused}")).help(
        "install busybox-static in the builder stage (Debian, Ubuntu, Alpine), or give such a file with --debug-shell",
    ))
}

/// The program in a file of this machine.
fn of_machine(file: &Path, plan: &Plan) -> Result<Vec<u8>, Error> {
    let bad = |why: String| {
        Error::new("debug-shell-missing", format!("--debug-shell {} {why}", file.display()))
            .help("give a static busybox for the image's machine")
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).and_then(|open| match open.metadata()?.is_file() {
        true => open.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes),
        false => Err(std::io::Error::other("not a regular file")),
    });
    opened.map_err(|error| bad("cannot be read".to_owned()).because(error))?;
    if bytes.len() > MAX_SIZE {
        return Err(bad(format!("has more than {} MiB", MAX_SIZE >> 20)));
    }
    match defect(&bytes, plan) {
        None => Ok(bytes),
        Some(why) => Err(bad(why)),
    }
}

/// Why a program cannot be the shell of an image, as a clause; `None` if it can.
fn defect(bytes: &[u8], plan: &Plan) -> Option<String> {
    let Ok(object) = elf::parse(bytes) else { return Some("is not an ELF program".to_owned()) };
    let wanted = &plan.run.architecture;
    let architecture = platform(&object.target).0;
    if architecture != *wanted {
        return Some(format!("is for {architecture}, the image for {wanted}"));
    }
    if !object.is_static_program() {
        return Some("is not static: its libraries would be missing".to_owned());
    }
    let shell = &debugging().shell;
    let has_shell = commands(bytes).iter().any(|command| command == shell.as_bytes());
    (!has_shell).then(|| format!("has no command {shell}"))
}

/// The commands of a program that is many in one file, as it lists them.
fn commands(bytes: &[u8]) -> Vec<Vec<u8>> {
    let marks = debugging().commands.as_bytes();
    let Some(at) = bytes.windows(marks.len()).position(|window| window == marks) else { return Vec::new() };
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'[' | b'+');
    let mut found: Vec<Vec<u8>> = Vec::new();
    for name in bytes[at..].split(|b| *b == 0).take(MAX_COMMANDS) {
        // The list is sorted, and nothing else follows it in order.
        let is_next = found.last().is_none_or(|last| last.as_slice() < name);
        if name.is_empty() || name.len() > MAX_NAME || !name.iter().all(is_part) || !is_next {
            break;
        }
        found.push(name.to_vec());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_the_list() {
        let bytes = b"\x7fELF text\0[\0[[\0ash\0sh\0zcat\0BusyBox v1\0";
        let expected: Vec<Vec<u8>> = [&b"["[..], b"[[", b"ash", b"sh", b"zcat"].map(<[u8]>::to_vec).to_vec();
        assert_eq!(commands(bytes), expected);
        assert!(commands(b"[\0[").is_empty() && commands(b"").is_empty());
    }
}
