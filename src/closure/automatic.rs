//! Profiles that are applied by themselves, because what was resolved so far shows the need of them.

use std::collections::BTreeSet;

use super::build::Build;
use super::clues::{Sign, Signs};
use super::open::Opened;
use super::{Reason, Started};
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::Profile;

/// A profile that was applied by itself.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Fired {
    /// Its name.
    pub profile: String,
    /// The sign: which object, and what of it.
    pub because: String,
    /// Files that came in by it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Build<'_> {
    /// Applies a profile that is asked for, in the process that shows its signs if one does.
    pub(super) fn asked(&mut self, profile: &Profile) -> Result<(), Error> {
        let object = match profile.when.is_empty() {
            true => None,
            false => {
                let signs = self.signs()?;
                self.first_sign(profile, &signs)?.and_then(|sign| sign.object)
            }
        };
        self.hosted_by(object.as_ref(), |build| build.profile(profile, true))
    }

    /// Applies the profiles whose signs are there.
    pub(super) fn automatic(&mut self) -> Result<(), Error> {
        let request = self.request;
        if request.automatic.is_empty() {
            return Ok(());
        }
        // What one profile's configuration names may show the need of another.
        loop {
            let known = self.closure.named_modules.len();
            self.fire_shown()?;
            if self.closure.named_modules.len() == known {
                return Ok(());
            }
        }
    }

    /// Applies the profiles whose signs are there now.
    fn fire_shown(&mut self) -> Result<(), Error> {
        let request = self.request;
        let signs = self.signs()?;
        for profile in &request.automatic {
            if self.closure.fired.iter().any(|fired| fired.profile == profile.name) {
                continue;
            }
            let shown = match self.closure.wanted.get(profile.name.as_str()) {
                Some(sign) => Some(sign.clone()),
                None => self.first_sign(profile, &signs)?,
            };
            if let Some(sign) = shown {
                let object = sign.object.clone();
                self.hosted_by(object.as_ref(), |build| build.fire(profile, &sign))?;
            }
        }
        Ok(())
    }

    fn first_sign(&mut self, profile: &Profile, signs: &Signs) -> Result<Option<Sign>, Error> {
        for clue in &profile.when {
            if let Some(sign) = self.sign(clue, signs)? {
                return Ok(Some(sign));
            }
        }
        Ok(None)
    }

    /// Applies a profile with those that it extends.
    fn fire(&mut self, profile: &Profile, sign: &Sign) -> Result<(), Error> {
        self.apply(profile, sign.says.clone())?;
        for name in &profile.extends {
            let extended = self.request.automatic.iter().find(|other| other.name == *name);
            let is_new = !self.closure.fired.iter().any(|fired| fired.profile == *name);
            if let Some(extended) = extended.filter(|_| is_new) {
                let says = format!("the profile {} brings it", profile.name);
                self.fire(extended, &Sign { says, object: sign.object.clone() })?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, profile: &Profile, because: String) -> Result<(), Error> {
        let first = self.closure.edges.len();
        self.profile(profile, false)?;
        let closure = &self.closure;
        // What has no older reason came in by this profile.
        let is_new = |path: &&RootPath| closure.reached.get(*path).and_then(|edges| edges.first()) >= Some(&first);
        let paths: BTreeSet<&RootPath> = closure.edges[first..].iter().map(|edge| &edge.to).filter(is_new).collect();
        let new = || paths.iter().filter_map(|path| closure.nodes.get(*path));
        let is_file =
            |node: &&super::NodeKind| matches!(node, super::NodeKind::File(_) | super::NodeKind::MadeFile { .. });
        let files = new().filter(is_file).count();
        // Names of one inode are one file in the image too.
        let mut inodes = BTreeSet::new();
        let bytes = new().map(|node| match node {
            super::NodeKind::File(meta) if meta.links > 1 && !inodes.insert(meta.identity) => 0,
            node => node.size(),
        });
        let bytes = bytes.sum();
        self.closure.fired.push(Fired { profile: profile.name.clone(), because, files, bytes });
        Ok(())
    }

    /// Opens the libraries of a profile in every process that an entry starts with.
    pub(super) fn open_rule(&mut self, profile: &Profile) -> Result<(), Error> {
        let hosts: Vec<Started> =
            self.closure.processes.iter().filter(|s| s.required && s.process.inherited == 0).cloned().collect();
        for rule in &profile.open {
            for host in &hosts {
                for name in &rule.sonames {
                    let reason = Reason::Profile { profile: profile.name.clone(), why: rule.why.clone() };
                    if !matches!(self.open(&host.process, name.as_bytes(), None, reason)?, Opened::Absent) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
