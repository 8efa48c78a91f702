//! The entries of a plan by path. A plan may have a million of them. They are added nearly in order, which would leave
//! a B-tree half empty, so they are stored in chunks that are filled.

use std::iter::{Flatten, Map};
use std::ops::RangeFrom;
use std::slice;

use super::Item;
use crate::path::RootPath;

/// The maximum number of entries of a chunk. An insertion moves at most this number.
const CHUNK: usize = 256;

type Entry = (RootPath, Item);

/// The entries of a plan, sorted by path.
#[derive(Clone, Debug, Default)]
pub struct Items {
    /// Sorted, and none of them empty.
    chunks: Vec<Vec<Entry>>,
}

/// Each path with its entry.
pub type Iter<'a> = Map<Flatten<slice::Iter<'a, Vec<Entry>>>, fn(&'a Entry) -> (&'a RootPath, &'a Item)>;

impl Items {
    /// Each path with its entry.
    pub fn iter(&self) -> Iter<'_> {
        self.chunks.iter().flatten().map(|(path, item)| (path, item))
    }

    /// Each path with its entry, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&RootPath, &mut Item)> {
        self.chunks.iter_mut().flatten().map(|(path, item)| (&*path, item))
    }

    /// The paths.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &RootPath> {
        self.iter().map(|(path, _)| path)
    }

    /// The entries.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Item> {
        self.iter().map(|(_, item)| item)
    }

    /// The entries, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.iter_mut().map(|(_, item)| item)
    }

    /// The entry at a path.
    pub fn get(&self, path: &RootPath) -> Option<&Item> {
        let chunk = self.chunks.get(self.chunk(path))?;
        chunk.binary_search_by(|(known, _)| known.cmp(path)).ok().map(|place| &chunk[place].1)
    }

    /// True if there is an entry at the path.
    pub fn contains_key(&self, path: &RootPath) -> bool {
        self.get(path).is_some()
    }

    /// The entry at this path and those after it.
    pub fn range(&self, range: RangeFrom<RootPath>) -> impl Iterator<Item = (&RootPath, &Item)> {
        let at = self.chunk(&range.start);
        let is_before = move |entry: &&Entry| entry.0 < range.start;
        self.chunks[at..].iter().flatten().skip_while(is_before).map(|(path, item)| (path, item))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Sets the entry at a path; returns the one before it.
    pub fn insert(&mut self, path: RootPath, item: Item) -> Option<Item> {
        let at = self.chunk(&path);
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push(vec![(path, item)]);
            return None;
        };
        match chunk.binary_search_by(|(known, _)| known.cmp(&path)) {
            Ok(place) => return Some(std::mem::replace(&mut chunk[place].1, item)),
            Err(place) if chunk.len() < CHUNK => chunk.insert(place, (path, item)),
            // Items that arrive in order fill chunk after chunk.
            Err(CHUNK) => self.chunks.insert(at + 1, vec![(path, item)]),
            Err(place) => {
                let mut rest = chunk.split_off(CHUNK / 2);
                match place.checked_sub(CHUNK / 2) {
                    Some(place) => rest.insert(place, (path, item)),
                    None => chunk.insert(place, (path, item)),
                }
                self.chunks.insert(at + 1, rest);
            }
        }
        None
    }

    /// The place of the chunk in which a path is, or would be.
    fn chunk(&self, path: &RootPath) -> usize {
        self.chunks.partition_point(|chunk| chunk[0].0 <= *path).saturating_sub(1)
    }
}

impl FromIterator<(RootPath, Item)> for Items {
    fn from_iter<T: IntoIterator<Item = (RootPath, Item)>>(entries: T) -> Self {
        let mut items = Self::default();
        for (path, item) in entries {
            items.insert(path, item);
        }
        items
    }
}

impl<'a> IntoIterator for &'a Items {
    type Item = (&'a RootPath, &'a Item);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::ItemKind;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// The judge is the map of the standard library.
        #[test]
        fn items_are_a_map(numbers in prop::collection::vec(0..3000_u32, 0..2000), is_sorted in any::<bool>()) {
            let mut numbers = numbers;
            if is_sorted {
                numbers.sort_unstable();
            }
            let (mut items, mut map) = (Items::default(), BTreeMap::new());
            for (nth, number) in numbers.iter().enumerate() {
                let path = RootPath::root().join(number.to_string().as_bytes());
                let item = Item::new(ItemKind::Dir, u32::try_from(nth).expect("few"), (0, 0));
                prop_assert_eq!(items.insert(path.clone(), item.clone()), map.insert(path, item));
            }
            prop_assert!(items.iter().eq(&map) && items.iter().rev().eq(map.iter().rev()));
            prop_assert_eq!((items.len(), items.is_empty()), (map.len(), map.is_empty()));
            for number in [0, 7, 15, 1500, 2999, 4000] {
                let path = RootPath::root().join(number.to_string().as_bytes());
                prop_assert_eq!(items.get(&path), map.get(&path));
                prop_assert!(items.range(path.clone()..).eq(map.range(path..)));
            }
        }
    }
}
