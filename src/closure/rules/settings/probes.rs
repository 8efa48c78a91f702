//! Values that probes of a profile find in programs and libraries.

use std::collections::BTreeSet;

use crate::closure::state::State;
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::{ARGUMENT, Probe, Profile, Values, WORKDIR, fits};
use crate::root::RootGlob;

/// Maximum number of objects that one probe inspects.
const MAX_OBJECTS: usize = 64;

/// The values of each name in the paths of a profile: found in objects, or else the defaults. Environment variables are
/// available as `$NAME`; lists are split.
pub(in crate::closure::rules) fn values(state: &State<'_>, profile: &Profile) -> Result<Values, Error> {
    let mut values = Values::new();
    let env = state.env.iter().chain(&state.request.env);
    for (name, value) in env {
        let parts = value.split(':').filter(|part| part.starts_with('/')).map(str::to_owned).collect();
        values.insert(format!("${name}"), parts);
    }
    let (mut arguments, mut workdirs) = (Vec::new(), Vec::new());
    for id in state.configured_launches(profile) {
        let launch = &state.launches.get(id).launch;
        workdirs.push(literal(&launch.cwd));
        for word in &launch.args {
            let dir = state.world.root.follow_from(&launch.cwd, word.as_bytes())?.dir().cloned();
            arguments.extend(dir.filter(|dir| !dir.is_root()).map(|dir| literal(&dir)));
        }
    }
    values.extend([(ARGUMENT.to_owned(), arguments), (WORKDIR.to_owned(), workdirs)]);
    // Probes with the same name are alternatives: the first that finds a value is used.
    let mut open = BTreeSet::new();
    for probe in &profile.probe {
        if values.get(&probe.name).is_some_and(|known: &Vec<String>| !known.is_empty()) {
            continue;
        }
        let found = probed(state, probe)?;
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

/// A directory as the start of a pattern; the root itself is empty there.
fn literal(dir: &RootPath) -> String {
    if dir.is_root() { String::new() } else { RootGlob::literal(dir) }
}

fn probed(state: &State<'_>, probe: &Probe) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> = Vec::new();
    let mut objects = objects(state, probe).into_iter();
    for object in objects.by_ref().take(MAX_OBJECTS) {
        let values = state.world.probed(&object, probe)?;
        for value in values.iter() {
            if !found.contains(value) {
                found.push(value.clone());
            }
        }
    }
    if let Some(object) = objects.next() {
        let says = format!("objects after the first {MAX_OBJECTS} are not searched for values");
        state.world.root.leave_unread(&object, says);
    }
    Ok(found)
}

fn objects(state: &State<'_>, probe: &Probe) -> BTreeSet<RootPath> {
    let mut objects = BTreeSet::new();
    for started in state.processes.as_slice() {
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
