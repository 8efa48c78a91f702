//! Patterns of paths with placeholders: `{name}` stands for a value from a probe or a configuration file.

use std::collections::BTreeMap;

use crate::root::RootGlob;

/// Limit for the patterns that one pattern with placeholders expands to.
const MAX_FILLED: usize = 64;

/// The values of each placeholder.
pub type Values = BTreeMap<String, Vec<String>>;

/// A pattern of paths in the root, possibly with placeholders.
#[derive(Clone, Debug)]
pub struct Place {
    text: String,
    /// The pattern with the default values of all probes.
    globs: Vec<RootGlob>,
}

impl Place {
    /// Stands for the directory of the configuration file with the statement.
    pub const NAMING: &str = "/.";

    /// Parses a pattern; `defaults` has all known placeholders.
    ///
    /// # Errors
    /// A message, for an invalid pattern or an unknown placeholder.
    pub(super) fn new(text: &str, defaults: &Values) -> Result<Self, String> {
        if let Some(unknown) = holes(text).find(|name| !defaults.contains_key(*name)) {
            return Err(format!("{text} uses {unknown}, but no probe of this profile has that name"));
        }
        let filled = fill(text, defaults).into_iter();
        let globs = filled.map(|path| RootGlob::new(&path).map_err(|error| error.says)).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), globs })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern with the default values of all probes.
    pub fn globs(&self) -> &[RootGlob] {
        &self.globs
    }

    /// The pattern with these values; results that are not valid patterns are dropped.
    pub fn filled(&self, values: &Values) -> Vec<RootGlob> {
        if holes(&self.text).next().is_none() {
            return self.globs.clone();
        }
        fill(&self.text, values).iter().filter_map(|path| RootGlob::new(path).ok()).collect()
    }
}

/// The names of the placeholders.
fn holes(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// The text with its placeholders replaced, once for each combination of values.
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
