//! What the probes of a profile find in the objects of the closure.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::build::Build;
use super::strings::pieces;
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::{Probe, Profile, Values, fits};

/// Objects that one probe looks at.
const MAX_OBJECTS: usize = 64;

impl Build<'_> {
    /// What stands for each name in the profile's paths: what was found in objects, or else the defaults; variables of
    /// the environment as `$NAME`, lists taken apart.
    pub(super) fn values(&self, profile: &Profile) -> Result<Values, Error> {
        let mut values = Values::new();
        let env = self.closure.env.iter().chain(&self.request.env);
        for (name, value) in env {
            let parts = value.split(':').filter(|part| part.starts_with('/')).map(str::to_owned).collect();
            values.insert(format!("${name}"), parts);
        }
        // Probes of one name are ways to one value: the first that finds it counts.
        let mut open = BTreeSet::new();
        for probe in &profile.probe {
            if values.get(&probe.name).is_some_and(|known: &Vec<String>| !known.is_empty()) {
                continue;
            }
            let found = self.probed(probe)?;
            if found.is_empty() {
                open.insert(probe.name.as_str());
            }
            values.insert(probe.name.clone(), found);
        }
        for probe in &profile.probe {
            if open.contains(probe.name.as_str())
                && let Some(known) = values.get_mut(&probe.name)
            {
                known.extend(probe.default.iter().cloned());
            }
        }
        Ok(values)
    }

    fn probed(&self, probe: &Probe) -> Result<Vec<String>, Error> {
        let mut found: Vec<String> = Vec::new();
        for object in self.probed_objects(probe).into_iter().take(MAX_OBJECTS) {
            pieces(self.root, &object, |piece, _| {
                let new = probe.values(piece);
                found.extend(new.into_iter().filter(|value| !found.contains(value)).collect::<Vec<_>>());
                ControlFlow::Continue(())
            })?;
        }
        Ok(found)
    }

    fn probed_objects(&self, probe: &Probe) -> BTreeSet<RootPath> {
        let mut objects = BTreeSet::new();
        for started in &self.closure.processes {
            for (index, object) in started.process.loaded.iter().enumerate().skip(started.process.inherited) {
                let is_meant = match &probe.soname {
                    None => index == 0 && started.required,
                    Some(wanted) => fits(wanted, object.name()),
                };
                if is_meant {
                    objects.insert(object.real.clone());
                }
            }
        }
        objects
    }
}
