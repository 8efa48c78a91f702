//! Files that programs of the root generate on request. `--jlink` changes the root: a linked runtime replaces the
//! root's own before the closure is computed. `--pyc` is a rule of the closure; this module provides the directory for
//! it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::PackRequest;
use super::input::{Input, Watch};
use crate::closure::{Closure, JavaRuntime, Note, Pyc, Request, Unmade, Workshop};
use crate::error::Error;
use crate::guest::{Guest, Refused, Runtime, Scratch, link};
use crate::loader::Objects;
use crate::path::RootPath;
use crate::root::{FileKind, Root, StandIn, Visit};

/// Parts of a Java runtime that may be changed in the builder: settings, policies, trusted CA certificates.
const KEPT_PARTS: [&[&[u8]]; 2] = [&[b"conf"], &[b"lib", b"security"]];

/// A linked runtime with its messages. Its folder must exist as long as its files are read.
#[derive(Default)]
pub(crate) struct Linked {
    _folder: Option<Scratch>,
    notes: Vec<String>,
    unmade: Vec<Unmade>,
}

fn guest(input: &Input, dir: &Path) -> Result<Result<Guest, Refused>, Error> {
    match input.image {
        Some(_) => Ok(Err(Refused("the root is an image, so its programs cannot be run: unpack it first".to_owned()))),
        None => Ok(Ok(Guest::of(dir, &input.root)?)),
    }
}

/// `--jlink`: replaces the Java runtime that the request packs by a linked one.
pub(crate) fn linked(
    input: &mut Input,
    asked: &PackRequest,
    request: &mut Request,
    watch: &Watch<'_>,
) -> Result<Linked, Error> {
    let unmade = |why: &str| {
        let unmade = Unmade { what: "--jlink".to_owned(), why: why.to_owned() };
        Ok(Linked { unmade: vec![unmade], ..Linked::default() })
    };
    if !asked.jlink {
        return Ok(Linked::default());
    }
    let guest = match guest(input, &asked.root)? {
        Ok(guest) => guest,
        Err(Refused(why)) => return unmade(&why),
    };
    // This closure only shows which runtime runs which classes. Errors of the entry are reported later, by the closure
    // in the root with the linked runtime.
    let Ok(closure) = Closure::build(&Objects::new(&input.root), &request.clone().without_records()) else {
        return Ok(Linked::default());
    };
    let Some(java) = closure.java_runtime(&input.root)? else {
        return unmade("no modular Java runtime is packed");
    };
    let JavaRuntime { home, classes, nested } = java;
    let runtime = Runtime { home: &home, classes: &classes, nested: &nested, env: &request.env };
    let made = match link(&guest, &input.root, &runtime, watch.stop)? {
        Ok(made) => made,
        Err(Refused(why)) => return unmade(&why),
    };
    let kept = kept(&input.root, &home)?;
    // The JDK of the root created it, so a symlink there could lead anywhere on this machine.
    let tree = match made.folder.below(made.home) {
        Ok(tree) => tree,
        Err(error) => return unmade(&format!("{} created no runtime: {error}", made.by)),
    };
    let tree = StandIn::new(Arc::clone(input.root.tree()), Box::new(tree), home.clone(), kept);
    input.root = Root::new(Arc::new(tree));
    request
        .stand_ins
        .insert(home, format!("made by {} of the root (--jlink): modules {}", made.by, made.modules.join(", ")));
    let all = |why| {
        format!("--jlink links all modules of the JDK, because jdeps could not determine which are needed: {why}")
    };
    Ok(Linked {
        _folder: Some(made.folder),
        notes: made.all_because.map(all).into_iter().collect(),
        unmade: Vec::new(),
    })
}

/// Parts of the root's runtime that the linked one keeps: the settings in [`KEPT_PARTS`], and symlinks out of the
/// runtime, which distributions use for settings in /etc.
fn kept(root: &Root, home: &RootPath) -> Result<BTreeSet<RootPath>, Error> {
    let mut found = BTreeSet::new();
    for parts in KEPT_PARTS {
        let place = parts.iter().fold(home.clone(), |place, part| place.join(part));
        if root.meta(&place)?.is_some() {
            found.insert(place);
        }
    }
    root.visit(home, &mut |path, meta| {
        if meta.kind == FileKind::Link
            && root.follow(path.as_bytes())?.file().is_some_and(|(real, _)| !real.is_within(home))
        {
            found.insert(path.clone());
        }
        Ok(Visit::Enter)
    })?;
    Ok(found)
}

/// The closure of a request, with the generated files.
pub(crate) fn closure(
    input: &Input,
    asked: &PackRequest,
    objects: &Objects<'_>,
    request: &Request,
    linked: &Linked,
    watch: &Watch<'_>,
) -> Result<Closure, Error> {
    let workshop = match request.pyc {
        Pyc::None => None,
        _ => Some(Workshop { guest: guest(input, &asked.root)?, stop: watch.stop }),
    };
    let mut closure = Closure::build_in(workshop.as_ref(), objects, request)?;
    let note = |says: &String| Note::new("jlink-all-modules", "--jlink", says.clone());
    closure.notes.extend(linked.notes.iter().map(note));
    closure.unmade.extend(linked.unmade.iter().cloned());
    Ok(closure)
}
