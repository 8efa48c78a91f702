//! Patterns of paths with holes: `{name}` stands for what a probe or a configuration says.

use std::collections::BTreeMap;

use crate::root::RootGlob;

/// Paths that one pattern may become.
const MAX_FILLED: usize = 64;

/// What stands for each name in braces.
pub type Values = BTreeMap<String, Vec<String>>;

/// A pattern of paths in the root that may have holes.
#[derive(Clone, Debug)]
pub struct Place {
    text: String,
    /// What it names where every probe gives its defaults.
    globs: Vec<RootGlob>,
}

impl Place {
    /// Stands for the directory of the file that names something.
    pub const NAMING: &str = "/.";

    /// Reads a pattern; `defaults` has every name that may stand in braces.
    ///
    /// # Errors
    /// A sentence, for a pattern that is none or a name that nothing gives.
    pub(super) fn new(text: &str, defaults: &Values) -> Result<Self, String> {
        if let Some(unknown) = holes(text).find(|name| !defaults.contains_key(*name)) {
            return Err(format!("no probe of this profile is called {unknown}, which {text} needs"));
        }
        let filled = fill(text, defaults).into_iter();
        let globs = filled.map(|path| RootGlob::new(&path).map_err(|error| error.says)).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), globs })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it names where every probe gives its defaults.
    pub fn globs(&self) -> &[RootGlob] {
        &self.globs
    }

    /// What it names with these values; one that makes no pattern of a path names nothing.
    pub fn filled(&self, values: &Values) -> Vec<RootGlob> {
        if holes(&self.text).next().is_none() {
            return self.globs.clone();
        }
        fill(&self.text, values).iter().filter_map(|path| RootGlob::new(path).ok()).collect()
    }
}

/// The names in braces.
fn holes(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// A text with each value in its holes.
fn fill(text: &str, values: &Values) -> Vec<String> {
    let mut filled = vec![String::new()];
    for (index, part) in text.split('{').enumerate() {
        let hole = part.split_once('}').filter(|_| index > 0);
        let (values, rest) = match hole {
            Some((name, rest)) => (values.get(name).map_or(&[][..], Vec::as_slice), rest),
            None => {
                filled.iter_mut().for_each(|path| path.push_str(part));
                continue;
            }
        };
        filled = filled
            .iter()
            .flat_map(|path| values.iter().map(move |value| format!("{path}{value}{rest}")))
            .take(MAX_FILLED)
            .collect();
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_with_each_value() {
        let values = Values::from([("a".to_owned(), vec!["/x".to_owned(), "/y".to_owned()])]);
        let place = Place::new("{a}/*.so", &values).expect("a place");
        let shown = |globs: &[RootGlob]| globs.iter().map(|glob| glob.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(shown(place.globs()), ["/x/*.so", "/y/*.so"]);
        let found = Values::from([("a".to_owned(), vec!["/opt/z".to_owned()])]);
        assert_eq!(shown(&place.filled(&found)), ["/opt/z/*.so"]);
        assert!(place.filled(&Values::new()).is_empty());
        assert!(Place::new("{b}/x", &values).is_err());
        assert!(Place::new("{a", &values).is_err());
    }
}
