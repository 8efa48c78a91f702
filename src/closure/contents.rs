//! The contents of archives, each read once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::embedded::{self, Embedded};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// The archives that were read.
#[derive(Default)]
pub(super) struct Contents(RefCell<BTreeMap<RootPath, Option<Rc<Embedded>>>>);

impl Contents {
    /// Returns the contents of an archive; `None` if the file is none.
    ///
    /// # Errors
    /// `unreadable`.
    pub(super) fn of(&self, root: &Root, file: &RootPath) -> Result<Option<Rc<Embedded>>, Error> {
        if let Some(known) = self.0.borrow().get(file) {
            return Ok(known.clone());
        }
        let found = embedded::read(root, file)?.map(Rc::new);
        self.0.borrow_mut().insert(file.clone(), found.clone());
        Ok(found)
    }
}
