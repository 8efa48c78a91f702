//! Package records for vulnerability scanners, and licence files. A package of which only documentation is packed is
//! not recorded, because scanners would report vulnerabilities in code that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::closure::graph::Graph;
use crate::closure::rules;
use crate::closure::state::State;
use crate::closure::{NodeKind, Reason, Request};
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::Profile;
use crate::root::Root;

/// The names by which each can be disabled.
const RECORDS: &str = "package-records";
const LICENCES: &str = "licences";
const RECORD_MODE: u32 = 0o644;
const DOCUMENTS: [&str; 2] = ["/usr/share/doc/", "/usr/share/licenses/"];

impl Request {
    /// The request without records and licences, for callers that need neither, so that the package database is not
    /// read for them.
    #[must_use]
    pub fn without_records(mut self) -> Self {
        self.profiles.retain(|profile| profile.name != RECORDS && profile.name != LICENCES);
        self
    }
}

/// Adds the records of every package that owns a file in the image.
pub(super) fn add(state: &mut State<'_>) -> Result<(), Error> {
    let is_left_out = state.request.no_rules.iter().any(|id| id == rules::RECORDS);
    let is_on = |name: &str| state.request.profiles.iter().any(|profile: &Profile| profile.name == name);
    let (with_records, with_licences) = (is_on(RECORDS), is_on(LICENCES));
    if is_left_out || !with_records && !with_licences {
        return Ok(());
    }
    let (world, root) = (&*state.world, state.world.root);
    let Some(database) = world.database()? else { return Ok(()) };
    let is_file = |node: &NodeKind| matches!(node, NodeKind::File(_));
    let files: Vec<RootPath> =
        state.graph.nodes().iter().filter(|(_, node)| is_file(node)).map(|(path, _)| path.clone()).collect();
    let owners: BTreeMap<RootPath, String> = world.owners(&files)?;
    let is_document = |path: &RootPath| DOCUMENTS.iter().any(|dir| path.as_bytes().starts_with(dir.as_bytes()));
    let packages: BTreeSet<String> =
        owners.iter().filter(|(path, _)| !is_document(path)).map(|(_, package)| package.clone()).collect();
    let reason =
        |profile: &str, why: &str| Arc::new(Reason::Profile { profile: profile.to_owned(), why: why.to_owned() });
    let why = reason(LICENCES, "licences must go with what they cover; scanners read them there");
    for package in packages.iter().filter(|_| with_licences) {
        for licence in database.licences(package) {
            state.graph.take(root, None, &RootPath::root(), licence.as_bytes(), (rules::RECORDS, &why))?;
        }
    }
    if !with_records {
        return Ok(());
    }
    let records = database.records(&packages, &|path| is_packed(root, &state.graph, path).unwrap_or(false))?;
    let why = reason(RECORDS, "scanners match advisories by it");
    for (path, bytes) in records {
        let kind = NodeKind::MadeFile { mode: RECORD_MODE, bytes: bytes.into() };
        state.graph.add(None, &path, kind, rules::RECORDS, &why);
    }
    Ok(())
}

/// True if a path in a package's file list is in the image; for a directory, if something in it is.
fn is_packed(root: &Root, graph: &Graph, path: &RootPath) -> Result<bool, Error> {
    let place = match path.parent() {
        Some(parent) if !parent.is_root() => match root.follow(parent.as_bytes())?.dir() {
            Some(real) => real.join(path.name()),
            None => return Ok(false),
        },
        _ => path.clone(),
    };
    let next = graph.nodes().range(place.clone()..).next();
    Ok(next.is_some_and(|(next, _)| next.is_within(&place)))
}
