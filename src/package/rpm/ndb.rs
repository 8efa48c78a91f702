//! ndb, the rpm database of SUSE: `Packages.db` has slots that refer to blobs of 16-byte blocks (rpm's
//! lib/backend/ndb/rpmpkg.c), all little-endian.

use super::store::{File, MAX_HEADER, Store, Take, long};
use crate::package::MAX_PACKAGES;
use crate::root::Source;

const MAGIC: &[u8] = b"RpmP";
const SLOT: &[u8] = b"Slot";
const BLOB: &[u8] = b"BlbS";
const PAGE: usize = 4096;
const SLOT_SIZE: usize = 16;
/// The file header takes the space of the first two slots.
const FIRST_SLOT: usize = 2 * SLOT_SIZE;
const BLOCK: usize = 16;
const BLOB_HEAD: usize = 16;
/// Offset of the number of slot pages in the file header.
const SLOT_PAGES: usize = 12;

/// An open database.
pub(super) struct Ndb(File);

impl Ndb {
    /// Opens a database; `None` if the format is invalid.
    pub(super) fn open(source: Box<dyn Source>) -> Option<Self> {
        let file = File::new(source)?;
        (file.bytes(0, MAGIC.len())? == MAGIC && file.long(4)? == 0).then_some(Self(file))
    }

    /// Numbers and offsets of all blobs.
    fn slots(&self) -> Option<Vec<(usize, usize)>> {
        let end = self.0.long(SLOT_PAGES)?.checked_mul(PAGE)?.min(self.0.size);
        let mut found = Vec::new();
        for page in (0..end).step_by(PAGE) {
            let bytes = self.0.bytes(page, PAGE.min(end - page))?;
            let first = if page == 0 { FIRST_SLOT } else { 0 };
            for slot in (first..bytes.len()).step_by(SLOT_SIZE) {
                let (package, block) = (long(&bytes, slot + 4, false)?, long(&bytes, slot + 8, false)?);
                if &bytes[slot..slot + 4] != SLOT || found.len() > MAX_PACKAGES {
                    return None;
                }
                if block != 0 {
                    found.push((package, block.checked_mul(BLOCK)?));
                }
            }
        }
        found.sort_unstable();
        Some(found)
    }
}

impl Store for Ndb {
    fn each(&self, take: Take<'_>) -> Option<()> {
        // Blobs do not overlap, so together they are at most as long as the file. This bounds the work on damaged files.
        let mut left = self.0.size;
        for (package, blob) in self.slots()? {
            let head = self.0.bytes(blob, BLOB_HEAD)?;
            if &head[..4] != BLOB || long(&head, 4, false)? != package {
                return None;
            }
            let length = long(&head, 12, false).filter(|length| *length <= MAX_HEADER)?;
            left = left.checked_sub(length)?;
            take(package as u64, &self.0.bytes(blob + BLOB_HEAD, length)?)?;
        }
        Some(())
    }
}
