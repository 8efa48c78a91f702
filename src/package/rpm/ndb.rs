//! ndb, the rpm database of SUSE: `Packages.db` has slots that refer to blobs of 16-byte blocks (rpm's
//! lib/backend/ndb/rpmpkg.c), all little-endian.

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

/// The headers of a database; `None` if the format is invalid.
pub(super) fn headers(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let word = |at: usize| usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok();
    if !bytes.starts_with(MAGIC) || word(4)? != 0 {
        return None;
    }
    let end = word(SLOT_PAGES)?.checked_mul(PAGE)?.min(bytes.len());
    let mut found = Vec::new();
    // Blobs do not overlap, so together they are at most as long as the file. This bounds the work on damaged files.
    let mut left = bytes.len();
    for slot in (FIRST_SLOT..end).step_by(SLOT_SIZE) {
        let (package, block) = (word(slot + 4)?, word(slot + 8)?);
        if bytes.get(slot..slot + 4)? != SLOT {
            return None;
        }
        if block == 0 {
            continue;
        }
        let blob = block.checked_mul(BLOCK)?;
        if bytes.get(blob..blob.checked_add(4)?)? != BLOB || word(blob + 4)? != package {
            return None;
        }
        let start = blob + BLOB_HEAD;
        let length = word(blob + 12)?;
        left = left.checked_sub(length)?;
        found.push((package, bytes.get(start..start.checked_add(length)?)?.to_vec()));
    }
    found.sort_by_key(|(package, _)| *package);
    Some(found.into_iter().map(|(_, header)| header).collect())
}
