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
const DOCUMENTS: [&str; 2] = ["/usr/share/doc/", "/usr/share/licenses/"];

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
        let is_document = |path: &RootPath| DOCUMENTS.iter().any(|dir| path.as_bytes().starts_with(dir.as_bytes()));
        let packages: BTreeSet<String> =
            owners.iter().filter(|(path, _)| !is_document(path)).map(|(_, package)| package.clone()).collect();
        let reason = |profile: &str, why: &str| Reason::Profile { profile: profile.to_owned(), why: why.to_owned() };
        for package in packages.iter().filter(|_| with_licences) {
            for licence in database.licences(package) {
                let why = reason(LICENCES, "licences must go with what they cover; scanners read them there");
                self.closure.take(self.root, None, &RootPath::root(), licence.as_bytes(), why)?;
            }
        }
        if !with_records {
            return Ok(());
        }
        let is_shipped = |path: &RootPath| self.is_packed(path).unwrap_or(false);
        let records = database.records(&packages, &is_shipped)?;
        for (path, bytes) in records {
            let kind = NodeKind::MadeFile { mode: RECORD_MODE, bytes: bytes.into() };
            self.closure.add(None, path, kind, reason(RECORDS, "scanners match advisories by it"));
        }
        Ok(())
    }

    /// Whether a path of a list is in the image: a directory is, if something in it is.
    fn is_packed(&self, path: &RootPath) -> Result<bool, Error> {
        let place = match path.parent() {
            Some(parent) if !parent.is_root() => match self.root.follow(parent.as_bytes())?.dir() {
                Some(real) => real.join(path.name()),
                None => return Ok(false),
            },
            _ => path.clone(),
        };
        let next = self.closure.nodes.range(place.clone()..).next();
        Ok(next.is_some_and(|(next, _)| next.is_within(&place)))
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
