//! `--owner-map`: other owners for the files of the image than those of the root.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ItemKind, Plan};
use crate::error::Error;

const SET_ID: u32 = 0o6000;

/// New owners and groups by old ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerMap {
    uids: BTreeMap<u32, u32>,
    gids: BTreeMap<u32, u32>,
}

impl OwnerMap {
    /// Parses texts such as `1000:1000=0:0`. Owners and groups are mapped separately.
    ///
    /// # Errors
    /// `bad-argument` for another form, for an invalid ID, and for an ID that is mapped twice.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, Error> {
        let mut map = Self::default();
        for text in texts.iter().map(AsRef::as_ref) {
            let bad = |why: &str| {
                Error::new("bad-argument", format!("--owner-map {text}: {why}"))
                    .help("write UID:GID=UID:GID in numbers, such as 1000:1000=0:0: the old owner and group, and the new ones")
            };
            let ids = |part: &str| -> Option<(u32, u32)> {
                let id = |text: &str| text.parse::<u32>().ok().filter(|id| *id != u32::MAX);
                let (uid, gid) = part.split_once(':')?;
                Some((id(uid)?, id(gid)?))
            };
            let both = text.split_once('=').and_then(|(old, new)| Some((ids(old)?, ids(new)?)));
            let Some((old, new)) = both else { return Err(bad("not of the form UID:GID=UID:GID")) };
            let is_other = |known: Option<u32>, new: u32| known.is_some_and(|known| known != new);
            if is_other(map.uids.insert(old.0, new.0), new.0) || is_other(map.gids.insert(old.1, new.1), new.1) {
                return Err(bad("an ID is mapped twice"));
            }
        }
        Ok(map)
    }
}

impl Plan {
    /// Changes owners. Set-id bits and capabilities of changed files are removed, as chown(2) does: otherwise everybody
    /// who runs the file would get the rights of the new owner.
    pub(super) fn map_owners(&mut self, map: &OwnerMap) {
        if *map == OwnerMap::default() {
            return;
        }
        for (path, item) in Arc::make_mut(&mut self.items).iter_mut() {
            let uid = map.uids.get(&item.uid).copied().unwrap_or(item.uid);
            let gid = map.gids.get(&item.gid).copied().unwrap_or(item.gid);
            if (uid, gid) == (item.uid, item.gid) {
                continue;
            }
            (item.uid, item.gid) = (uid, gid);
            let is_file = matches!(item.kind, ItemKind::File(_) | ItemKind::HardLink(_));
            if is_file && (item.mode & SET_ID != 0 || !item.xattrs.is_empty()) {
                item.mode &= !SET_ID;
                item.xattrs.clear();
                self.notes.rights_dropped.push(path.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_pairs_of_numbers_and_mapped_once() {
        let is_good = |texts: &[&str]| OwnerMap::parse(texts).is_ok();
        assert!(is_good(&["1000:1000=0:0", "1001:1000=0:0"]));
        for bad in ["1000=0", "a:b=0:0", "1000:1000", "1000:1000=0", "-1:0=0:0", "0:0=4294967295:0", "1000:=0:"] {
            assert!(!is_good(&[bad]), "{bad}");
        }
        assert!(!is_good(&["1000:1000=0:0", "1000:1001=1:0"]));
    }
}
