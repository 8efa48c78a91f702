//! Seccomp profiles: the system calls that the packed objects can make, as a list for docker, podman and OCI runtimes.
//!
//! The list is a superset. It is read from machine code: the imports of all packed objects are followed through the functions
//! of the libc to the instructions that make system calls. Where the number of a call is computed, so that it cannot be read,
//! the profile permits everything that docker's default profile permits, and says why.

mod code;
mod reach;
mod texts;

use std::collections::BTreeSet;
use std::io::Write;

use serde::Deserialize;
use serde_json::json;
use syscalls::x86_64::Sysno;

use crate::elf::{self, Class, parse_code};
use crate::embedded;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::path::RootPath;
use crate::plan::{Content, ItemKind};
use crate::root::Root;
use crate::world::tables::{Words, table};

use code::{ANY_CALL, functions};
use reach::{Object, numbers};

/// Maximum size of an object.
const MAX_OBJECT: usize = 512 << 20;
/// Maximum size of a text that may name functions.
const MAX_TEXT: usize = 16 << 20;
/// Number of bytes in which a file that is no text has a zero.
const HEAD: usize = 512;
const MAGIC: &[u8] = b"\x7fELF";
/// EM_X86_64.
const X86_64: u16 = 62;
/// The functions that look up others by name (dlsym(3)).
const LOOKUPS: [&[u8]; 2] = [b"dlsym", b"dlvsym"];
/// The flags of clone(2) that make namespaces, which docker's default profile refuses.
const NAMESPACES: u32 = 0x7E02_0000;
/// The error for calls that are not permitted: libcs then do without the call (errno(3), ENOSYS).
const NOT_THERE: u32 = 38;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Calls {
    permitted: Words,
    always: Words,
    for_scripts: Words,
    foreign: Words,
}

table! {
    /// What profiles permit.
    fn calls() -> Calls = "system_calls"
}

/// A list of system calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The names of the permitted calls.
    pub permitted: BTreeSet<&'static str>,
    /// Objects whose calls cannot be read, and why not: everything that docker's default profile permits is permitted.
    pub unreadable: Vec<(RootPath, &'static str)>,
    /// Number of calls that docker's default profile permits.
    pub by_default: usize,
}

impl Profile {
    /// The profile for a planned image.
    ///
    /// # Errors
    /// `seccomp-machine` for another machine than x86-64; `unreadable`.
    pub fn of(ledger: &Ledger<'_>) -> Result<Self, Error> {
        let mut found = Found::default();
        let mut texts = Vec::new();
        for (path, item) in &*ledger.plan.items {
            match &item.kind {
                ItemKind::File(Content::FromRoot { path: origin, .. }) if !found.read(ledger.root, path, origin)? => {
                    texts.push(origin.clone());
                }
                // The program of a health check.
                ItemKind::File(Content::Made(bytes)) if bytes.starts_with(MAGIC) => found.object(path, bytes)?,
                _ => {}
            }
        }
        found.read_texts(ledger.root, &texts)?;
        let known: BTreeSet<&'static str> =
            Sysno::iter().map(|call| call.name()).filter(|name| calls().permitted.contain(name)).collect();
        let by_default = known.len();
        let is_named = |name: &str| calls().always.contain(name) || found.by_texts.contains(name.as_bytes());
        let permitted = match found.unreadable.is_empty() {
            true => {
                let made = numbers(&found.objects, &found.named, &calls().for_scripts);
                let names = made.iter().filter_map(|number| Sysno::new(usize::try_from(*number).ok()?));
                let made: BTreeSet<&'static str> = names.map(|call| call.name()).collect();
                known.into_iter().filter(|name| made.contains(name) || is_named(name)).collect()
            }
            false => known,
        };
        Ok(Self { permitted, unreadable: found.unreadable, by_default })
    }

    /// What the profile permits, in a sentence.
    pub fn says(&self) -> String {
        match self.unreadable.as_slice() {
            [] => format!(
                "the seccomp profile permits {} of the {} system calls that docker's default profile permits",
                self.permitted.len(),
                self.by_default
            ),
            [(path, why), others @ ..] => {
                let others = match others.len() {
                    0 => String::new(),
                    number => format!(" ({number} more like it)"),
                };
                format!(
                    "the seccomp profile permits all {} system calls that docker's default profile permits: {path} {why}{others}",
                    self.by_default
                )
            }
        }
    }

    /// The profile as JSON, in the form that docker, podman and Kubernetes read.
    ///
    /// # Errors
    /// `output-unwritable`, `disk-full`.
    pub fn write(&self, out: &mut dyn Write, to: &impl std::fmt::Display) -> Result<(), Error> {
        let plain: Vec<&str> = self.permitted.iter().copied().filter(|name| *name != "clone").collect();
        let mut rules = vec![json!({"names": plain, "action": "SCMP_ACT_ALLOW"})];
        if self.permitted.contains("clone") {
            let flags = json!([{"index": 0, "value": NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]);
            rules.push(json!({"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": flags}));
        }
        // Its flags are in memory, where a filter cannot see them; libcs then use clone(2).
        rules.push(json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": NOT_THERE}));
        let profile = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": NOT_THERE,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": rules,
        });
        let text = serde_json::to_string_pretty(&profile).unwrap_or_default();
        writeln!(out, "{text}").map_err(|error| Error::unwritable(to, error))
    }
}

/// The numbers of the system calls that an object of x86-64 can make if others use all its functions; empty for other files.
pub fn numbers_of(bytes: &[u8]) -> BTreeSet<u64> {
    let Ok(map) = parse_code(bytes) else { return BTreeSet::new() };
    let further = map.exports.iter().map(|(name, _)| name.clone()).collect();
    let functions = functions(&map, bytes);
    numbers(&[Object { map, functions }], &further, &calls().for_scripts)
}

/// The objects of an image, and what else names their functions.
#[derive(Default)]
struct Found {
    objects: Vec<Object>,
    unreadable: Vec<(RootPath, &'static str)>,
    /// Names of system calls in texts.
    by_texts: BTreeSet<Vec<u8>>,
    /// Names of functions in texts.
    named: BTreeSet<Vec<u8>>,
}

impl Found {
    /// Reads a file; returns false if it is a text.
    fn read(&mut self, root: &Root, path: &RootPath, origin: &RootPath) -> Result<bool, Error> {
        let head = root.head(origin, MAGIC.len())?;
        if head != MAGIC {
            let archive = if embedded::may_be_archive(&head) { embedded::read(root, origin)? } else { None };
            if archive.is_some_and(|archive| !archive.objects.is_empty()) {
                self.unreadable.push((path.clone(), "contains objects that are unpacked at run time"));
            }
            return Ok(false);
        }
        if embedded::unread(root, origin)?.is_some() {
            self.unreadable.push((path.clone(), "has a payload that slimroot does not read"));
        }
        self.object(path, &root.read(origin, MAX_OBJECT)?)?;
        Ok(true)
    }

    /// Reads an object.
    fn object(&mut self, path: &RootPath, bytes: &[u8]) -> Result<(), Error> {
        let Ok(object) = elf::parse(bytes) else { return Ok(()) };
        if object.is_relocatable() {
            return Ok(());
        }
        if (object.target.class, object.target.machine) != (Class::Elf64, X86_64) {
            if object.target.machine != X86_64 && object.target.class == Class::Elf64 {
                let machine = elf::machine_name(object.target.machine);
                return Err(Error::new("seccomp-machine", format!("{path} is for {machine}"))
                    .help("--seccomp reads machine code of x86-64 only: build without it"));
            }
            self.unreadable.push((path.clone(), "has code of 32 bits"));
            return Ok(());
        }
        let Ok(map) = parse_code(bytes) else {
            self.unreadable.push((path.clone(), "has tables that cannot be read"));
            return Ok(());
        };
        if map.is_go {
            self.unreadable.push((path.clone(), "is a Go program, which makes system calls by itself"));
            return Ok(());
        }
        let functions = functions(&map, bytes);
        let is_libc = map.exports.iter().any(|(name, _)| name == ANY_CALL);
        // The dynamic loader needs nothing of others, and looks up functions of the libc without dlsym.
        let is_loader = map.imports.is_empty() && !is_libc;
        if is_loader || LOOKUPS.iter().any(|name| map.imports.contains(*name)) {
            self.named.extend(words(bytes).map(<[u8]>::to_vec));
        }
        self.objects.push(Object { map, functions });
        Ok(())
    }

    /// Reads the names of functions from texts of languages that call them by name.
    fn read_texts(&mut self, root: &Root, texts: &[RootPath]) -> Result<(), Error> {
        for path in texts {
            let text = root.head(path, MAX_TEXT)?;
            if text.iter().take(HEAD).any(|byte| *byte == 0) {
                continue;
            }
            if text.len() == MAX_TEXT {
                self.unreadable.push((path.clone(), "is a text that is too large to be searched for system calls"));
            }
            let by_name = calls().foreign.occur_in(&text);
            let called = texts::called(&text, by_name);
            self.by_texts.extend(called.names.iter().map(|name| name.to_vec()));
            if called.any {
                self.unreadable.push((path.clone(), "calls syscall(2) with a number that slimroot does not know"));
            }
            if !by_name {
                continue;
            }
            self.named.extend(words(&text).map(<[u8]>::to_vec));
        }
        self.unreadable.sort();
        self.unreadable.dedup();
        Ok(())
    }
}

/// The words of a file that could be names of C functions.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    bytes.split(move |byte| !is_part(byte)).filter(|word| word.len() > 2 && word.len() < 64)
}
