//! Fonts that sources name by their files alone: Pillow looks for them in the directories of fonts (`ImageFont.truetype`).

use std::collections::BTreeMap;

use memchr::memmem;

use super::table::table;
use crate::error::Error;
use crate::language::Needs;
use crate::path::RootPath;
use crate::root::{Root, RootGlob};

/// Maximum length of the name of a file.
const MAX_NAME: usize = 255;

/// Adds the names of font files in a source: whole literals without a directory.
pub(super) fn named(path: &RootPath, text: &[u8], found: &mut BTreeMap<String, RootPath>) {
    for ending in table().fonts.endings.iter() {
        for at in memmem::find_iter(text, ending.as_bytes()) {
            let end = at + ending.len();
            let Some(quote) = text.get(end).filter(|byte| matches!(byte, b'"' | b'\'')) else { continue };
            let before = &text[at.saturating_sub(MAX_NAME)..at];
            let Some(start) = before.iter().rposition(|byte| byte == quote) else { continue };
            let name = [&before[start + 1..], ending.as_bytes()].concat();
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_. +".contains(byte);
            if let Ok(name) = String::from_utf8(name)
                && name.bytes().all(|byte| is_name(&byte))
            {
                found.entry(name).or_insert_with(|| path.clone());
            }
        }
    }
}

/// Adds the files with these names in the directories of fonts.
pub(super) fn add(root: &Root, names: &BTreeMap<String, RootPath>, needs: &mut Needs) -> Result<(), Error> {
    for (name, source) in names {
        for place in table().fonts.places.iter() {
            let Ok(glob) = RootGlob::new(&format!("{place}/**/{name}")) else { continue };
            let why = format!("{source} names it, and fonts are looked up in {place}");
            needs.files.extend(root.matching(&glob)?.into_iter().map(|file| (file, why.clone())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_of_fonts_count() {
        let text = b"a = truetype('Deja Sans.ttf', 9); b = \"Libre.otf\"; c = 'fonts/own.ttf'; # x.ttf";
        let mut found = BTreeMap::new();
        named(&RootPath::root(), text, &mut found);
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["Deja Sans.ttf", "Libre.otf"]);
    }
}
