//! `dir:PATH`: the files of the image as a directory, for `COPY --from` and `podman run --rootfs`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::aside::{Aside, exists, parent};
use super::tree_copy::TreeCopy;
use super::{Destination, Finished, Output, Put, Transport, WriteOptions};
use crate::error::Error;
use crate::layer::{Codec, PassOptions, Tap};
use crate::plan::Plan;
use crate::root::Tree;

pub(super) const TRANSPORT: Transport = Transport { word: "dir", has_reference: false, start };

struct DirTree {
    path: PathBuf,
    copy: TreeCopy,
    aside: Aside,
    placing: Placing,
}

/// How the directory gets into place.
enum Placing {
    /// By a rename, over nothing or an empty directory.
    Rename,
    /// By changing places with what is there.
    Exchange,
    /// The destination cannot be renamed over (a mount point, or a parent that is not ours): its entries are moved in.
    MoveEntries,
}

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    // A path such as `out/.` has no name to put something beside.
    let path: PathBuf = destination.path.components().collect();
    let (aside, placing) = match fs::symlink_metadata(&path) {
        Err(_) => (Aside::dir(&path)?, Placing::Rename),
        Ok(meta) if !meta.is_dir() => {
            return Err(exists(&path).help("name a directory that is empty or not there yet"));
        }
        Ok(_) => {
            let is_empty = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
            if !is_empty && !options.force {
                return Err(exists(&path).help(
                    "--force replaces it once the new output is complete; an empty directory is taken as it is",
                ));
            }
            let beside = if is_mount_point(&path) { None } else { Aside::dir(&path).ok() };
            match beside {
                Some(aside) if is_empty => (aside, Placing::Rename),
                Some(aside) => (aside, Placing::Exchange),
                None if is_empty => (Aside::inside(&path)?, Placing::MoveEntries),
                None => return Err(exists(&path).help("it is a mount point with files in it: empty it first")),
            }
        }
    };
    Ok(Box::new(DirTree { copy: TreeCopy::new(aside.path()), path, aside, placing }))
}

fn is_mount_point(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    // A name without parent is `.` or `/`.
    path.file_name().is_none() || device(path) != device(parent(path))
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

    fn alone(&mut self, tree: &dyn Tree, plan: &Plan, options: &PassOptions<'_>) -> Result<bool, Error> {
        self.copy.set_epoch(plan.epoch);
        self.copy.copy_all(tree, plan, options)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, plan: &Plan, _: Option<&Finished>) -> Result<Put, Error> {
        let mut this = *self;
        let notes = this.copy.finish(plan)?;
        match this.placing {
            Placing::Rename => this.aside.place(&this.path)?,
            Placing::Exchange => this.aside.exchange(&this.path)?,
            Placing::MoveEntries => move_entries(this.aside.path(), &this.path)
                .map_err(|error| Error::unwritable(&this.path.display(), error))?,
        }
        Ok(Put { bytes: plan.bytes(), has_image: false, notes })
    }
}

fn move_entries(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
