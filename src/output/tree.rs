//! `dir:PATH`: the files of the image as a directory, for `COPY --from` and `podman run --rootfs`.

use std::io;
use std::path::PathBuf;

use super::place::DirPlace;
use super::tree_copy::TreeCopy;
use super::{Destination, Finished, Naming, Output, Prepared, Transport, WriteOptions};
use crate::error::Error;
use crate::layer::{Codec, PassOptions, Tap};
use crate::plan::Plan;
use crate::root::Tree;

pub(super) const TRANSPORT: Transport = Transport { word: "dir", naming: Naming::None, start };

struct DirTree {
    path: PathBuf,
    copy: TreeCopy,
    place: DirPlace,
}

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    let place = DirPlace::start(&destination.path, options.force)?;
    Ok(Box::new(DirTree { path: destination.path.clone(), copy: TreeCopy::new(place.aside()), place }))
}

impl Output for DirTree {
    fn codec(&self) -> Option<Codec> {
        None
    }

    fn staging(&self) -> PathBuf {
        self.path.clone()
    }

    fn tap(&mut self, plan: &Plan) -> Option<&mut dyn Tap> {
        self.copy.set_epoch(plan.epoch);
        Some(&mut self.copy)
    }

    fn write_directly(&mut self, tree: &dyn Tree, plan: &Plan, options: &PassOptions<'_>) -> Result<bool, Error> {
        self.copy.set_epoch(plan.epoch);
        self.copy.copy_all(tree, plan, options)?;
        Ok(true)
    }

    fn prepare(&mut self, plan: &Plan, _: Option<&Finished>, stop: &dyn Fn() -> bool) -> Result<Prepared, Error> {
        let notes = self.copy.finish(plan, stop)?;
        Ok(Prepared { bytes: plan.bytes(), notes, ..Prepared::default() })
    }

    fn place(&mut self) -> Result<(), Error> {
        self.place.place()
    }

    fn take_back(&mut self) -> io::Result<()> {
        self.place.take_back()
    }

    fn settle(self: Box<Self>) -> Vec<String> {
        self.place.settle()
    }
}
