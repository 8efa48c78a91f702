//! Libraries that other libraries name in their texts and may open (elf-resolution §6). Most of these are never opened in
//! the image, so they are told and not packed; the program's own are packed.

use std::collections::BTreeSet;

use super::build::Build;
use super::strings::library_names;
use crate::error::Error;
use crate::loader::{self, Role};
use crate::path::{RootPath, show};

/// A library that is named by another and not packed.
#[derive(Clone, Debug)]
pub struct Suggested {
    /// Who names it.
    pub by: RootPath,
    /// The name.
    pub name: String,
    /// What it leads to.
    pub real: RootPath,
    /// Bytes of it, and of what it needs that is not packed either.
    pub bytes: u64,
}

impl Build<'_> {
    /// Finds what libraries name and the closure does not hold. Last of all, since profiles may bring it.
    pub(super) fn suggestions(&mut self) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let mut found: Vec<Suggested> = Vec::new();
        for started in &self.closure.processes {
            let process = &started.process;
            for (index, object) in process.loaded.iter().enumerate().skip(process.inherited) {
                if object.role == Role::Entry || !seen.insert(&object.real) || !self.is_opener(&object.real)? {
                    continue;
                }
                for name in library_names(self.root, &object.real)? {
                    let opened = loader::open(self.objects, process, index, &name, &self.conditions)?;
                    let new = opened.as_ref().map_or(&[][..], |opened| &opened.loaded[opened.inherited..]);
                    let Some(plugin) = new.first() else { continue };
                    let is_known = found.iter().any(|known| known.real == plugin.real);
                    if is_known || self.closure.nodes.contains_key(&plugin.real) {
                        continue;
                    }
                    let absent = new.iter().filter(|object| !self.closure.nodes.contains_key(&object.real));
                    let sizes = absent.map(|object| Ok(self.root.meta(&object.real)?.map_or(0, |meta| meta.size)));
                    let bytes = sizes.sum::<Result<u64, Error>>()?;
                    let (by, name) = (object.real.clone(), show(&name).into_owned());
                    found.push(Suggested { by, name, real: plugin.real.clone(), bytes });
                }
            }
        }
        self.closure.suggested = found;
        Ok(())
    }
}
