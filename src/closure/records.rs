//! What tells scanners and lawyers which packages an image holds parts of: records in the form of the distribution, and
//! licences. A package of which only documents ship is not recorded: it would be blamed for code that is not there.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use super::{NodeKind, Reason, Request, Unmatched};
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::{Need, Profile};

/// The names under which both are switched off.
const RECORDS: &str = "package-records";
const LICENCES: &str = "licences";
const RECORD_MODE: u32 = 0o644;

impl Request {
    /// Without records and licences: no finding is about them, and the database need not be read for them.
    #[must_use]
    pub fn without_records(mut self) -> Self {
        self.profiles.retain(|profile| profile.name != RECORDS && profile.name != LICENCES);
        self
    }
}

impl Build<'_> {
    /// Adds the records of every package that a file in the image came with.
    pub(super) fn package_records(&mut self) -> Result<(), Error> {
        let is_on = |name: &str| self.request.profiles.iter().any(|profile: &Profile| profile.name == name);
        let (with_records, with_licences) = (is_on(RECORDS), is_on(LICENCES));
        if !with_records && !with_licences {
            return Ok(());
        }
        let Some(database) = self.database()? else { return Ok(()) };
        let is_file = |node: &NodeKind| matches!(node, NodeKind::File(_));
        let files: Vec<RootPath> =
            self.closure.nodes.iter().filter(|(_, node)| is_file(node)).map(|(path, _)| path.clone()).collect();
        let owners: BTreeMap<RootPath, String> = database.owners(&files)?;
        let is_document = |path: &RootPath| path.as_bytes().starts_with(b"/usr/share/doc/");
        let packages: BTreeSet<String> =
            owners.iter().filter(|(path, _)| !is_document(path)).map(|(_, package)| package.clone()).collect();
        let reason = |profile: &str, why: &str| Reason::Profile { profile: profile.to_owned(), why: why.to_owned() };
        for package in packages.iter().filter(|_| with_licences) {
            let copyright = format!("/usr/share/doc/{package}/copyright");
            let why = reason(LICENCES, "licences must go with what they cover; scanners read them there");
            self.closure.take(self.root, None, &RootPath::root(), copyright.as_bytes(), why)?;
        }
        if !with_records {
            return Ok(());
        }
        let is_shipped = |path: &RootPath| {
            let followed = self.root.follow(path.as_bytes());
            followed.is_ok_and(|followed| {
                followed.found().is_some_and(|(real, _)| {
                    self.closure.nodes.contains_key(real)
                        || self.closure.nodes.range(real.clone()..).nth(1).is_some_and(|(next, _)| next.is_within(real))
                })
            })
        };
        let records = database.records(&packages, &is_shipped)?;
        for (path, bytes) in records {
            let kind = NodeKind::MadeFile { mode: RECORD_MODE, bytes: bytes.into() };
            self.closure.add(None, path, kind, reason(RECORDS, "scanners match advisories by it"));
        }
        Ok(())
    }

    /// `--package`: what a package brought, with its commands and libraries.
    pub(super) fn package(&mut self, name: &str) -> Result<(), Error> {
        let contents = match self.database()? {
            Some(database) => database.contents(name)?,
            None => Vec::new(),
        };
        if contents.is_empty() {
            let unmatched = Unmatched { who: "--package".to_owned(), what: name.to_owned(), need: Need::Required };
            self.closure.unmatched.push(unmatched);
            return Ok(());
        }
        for path in contents {
            self.packaged(name, &path)?;
        }
        Ok(())
    }
}
