//! Unpacked libraries whose names packed libraries contain and which these may open. Most of them are never opened in
//! the image, so they are only reported. Those named by programs are packed.

use std::collections::BTreeSet;

use crate::closure::state::State;
use crate::error::Error;
use crate::loader::{self, Role};
use crate::path::{RootPath, show};

/// A library that another one names and that is not packed.
#[derive(Clone, Debug)]
pub struct Suggested {
    /// The library that contains the name.
    pub by: RootPath,
    /// The name.
    pub name: String,
    /// The file.
    pub real: RootPath,
    /// Size of the file and of its dependencies that are not packed either.
    pub bytes: u64,
}

/// Finds libraries that are named but not packed.
///
/// # Errors
/// `unreadable`.
pub(super) fn find(state: &State<'_>) -> Result<Vec<Suggested>, Error> {
    let (world, root) = (&*state.world, state.world.root);
    let mut seen = BTreeSet::new();
    let mut found: Vec<Suggested> = Vec::new();
    for started in state.processes.as_slice() {
        let process = &started.process;
        for (index, object) in process.loaded.iter().enumerate().skip(process.inherited) {
            if object.role == Role::Entry || !seen.insert(&object.real) || !world.opens_libraries(&object.real)? {
                continue;
            }
            for name in world.library_names(&object.real)?.iter() {
                let opened = loader::open(world.objects, process, index, name, &started.conditions)?;
                let new = opened.as_ref().map_or(&[][..], |opened| &opened.loaded[opened.inherited..]);
                let Some(plugin) = new.first() else { continue };
                let is_known = found.iter().any(|known| known.real == plugin.real);
                if is_known || state.graph.contains(&plugin.real) {
                    continue;
                }
                let absent = new.iter().filter(|object| !state.graph.contains(&object.real));
                let sizes = absent.map(|object| Ok(root.meta(&object.real)?.map_or(0, |meta| meta.size)));
                let bytes = sizes.sum::<Result<u64, Error>>()?;
                let (by, name) = (object.real.clone(), show(name).into_owned());
                found.push(Suggested { by, name, real: plugin.real.clone(), bytes });
            }
        }
    }
    Ok(found)
}
