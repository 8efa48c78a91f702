//! Java classes: the constants of those that start programs (The Java Virtual Machine Specification, 4.4).

use std::collections::BTreeSet;

use serde::Deserialize;

use super::zip::MAX_CLASS;
use super::{Embedded, MAX_ALL};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root, Visit};
use crate::world::tables::{Words, own_settings, table};

const MAGIC: &[u8] = b"\xca\xfe\xba\xbe";
/// Maximum length in bytes of a constant that is kept.
const MAX_LENGTH: usize = 256;
/// Maximum number of constants that are kept for a file.
const MAX_CONSTANTS: usize = 1 << 16;

/// Maximum size and number of the files of settings of a jar that are read.
const MAX_SETTINGS: u64 = 64 << 10;
const MAX_SETTINGS_FILES: usize = 256;
/// Maximum number of classes that are read in a directory.
const MAX_FILES: usize = 1 << 16;

/// Constants of the classes in a file.
#[derive(Debug, Default)]
pub struct Constants {
    /// True if a class starts programs.
    pub starts_programs: bool,
    /// Absolute paths.
    pub paths: BTreeSet<String>,
    /// Words and command lines.
    pub words: BTreeSet<String>,
    /// The words that are in a class that starts programs.
    pub started: BTreeSet<String>,
    /// The texts of settings beside the classes of a jar.
    pub settings: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Classes {
    starters: Words,
    runtime: String,
    method: String,
    directories: Words,
    settings: Words,
}

table! {
    fn classes() -> Classes = "classes"
}

impl Constants {
    /// True if there are classes.
    pub fn is_of_java(&self) -> bool {
        !self.words.is_empty() || !self.paths.is_empty()
    }

    /// The indexes of the names of files that code may open by relative paths: a constant is the name, or a path that
    /// begins with it, or frameworks search for such a name themselves.
    pub fn names(&self, names: &[&[u8]]) -> BTreeSet<usize> {
        let is_named = |name: &[u8]| {
            let is_it = |word: &String| {
                let word = word.strip_prefix("./").unwrap_or(word).as_bytes();
                word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            };
            classes().directories.contain(name) || classes().settings.begin(name) || self.words.iter().any(is_it)
        };
        (0..names.len()).filter(|at| is_named(names[*at])).collect()
    }

    /// True for a member of a jar that is a file of settings, unless there are too many.
    pub(super) fn takes_settings(&self, name: &str, size: u64) -> bool {
        let is_settings = own_settings().endings.iter().any(|ending| name.ends_with(ending.as_str()));
        is_settings
            && !name.starts_with("META-INF/")
            && size <= MAX_SETTINGS
            && self.settings.len() < MAX_SETTINGS_FILES
    }

    /// Adds those of a class; false if there are too many.
    pub(super) fn add(&mut self, class: &[u8]) -> bool {
        let Some(pool) = Pool::read(class) else { return true };
        let is_starter = pool.starts_programs();
        self.starts_programs |= is_starter;
        for text in pool.strings() {
            if self.paths.len() + self.words.len() >= MAX_CONSTANTS {
                return false;
            }
            if text.starts_with('/') {
                self.paths.insert(text.to_owned());
            } else if text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.') {
                self.words.insert(text.to_owned());
                if is_starter {
                    self.started.insert(text.to_owned());
                }
            }
        }
        true
    }
}

/// The constants of a class.
pub(super) fn in_file(root: &Root, file: &RootPath) -> Result<Embedded, Error> {
    let mut found = Embedded::default();
    found.constants.add(&root.head(file, usize::try_from(MAX_CLASS).unwrap_or(0))?);
    Ok(found)
}

/// The constants of the classes in a directory. What else lies there is packed as files.
pub(super) fn in_dir(root: &Root, dir: &RootPath) -> Result<Embedded, Error> {
    let mut files = Vec::new();
    let mut found = Embedded::default();
    root.visit(dir, &mut |path, meta| {
        if meta.kind == FileKind::File && path.name().ends_with(b".class") {
            files.push((path.clone(), meta.size));
        }
        Ok(if files.len() < MAX_FILES { Visit::Enter } else { Visit::End })
    })?;
    if files.len() >= MAX_FILES {
        found.cut.push(format!("… (more than {MAX_FILES} classes)"));
    }
    let mut left = MAX_ALL;
    for (path, size) in files {
        if size > MAX_CLASS.min(left) {
            found.cut.push(path.to_string());
            continue;
        }
        left -= size;
        let class = root.head(&path, usize::try_from(size).unwrap_or(0))?;
        if !found.constants.add(&class) {
            found.cut.push("… (more names in its classes than are looked up)".to_owned());
            break;
        }
    }
    Ok(found)
}

/// The constant pool of a class.
#[derive(Default)]
struct Pool<'c> {
    texts: Vec<Option<&'c str>>,
    /// Indexes of the texts that are string literals, and of those that are names of classes.
    strings: Vec<u16>,
    classes: Vec<u16>,
}

impl<'c> Pool<'c> {
    fn read(class: &'c [u8]) -> Option<Self> {
        let mut rest = class.strip_prefix(MAGIC)?.get(4..)?;
        let count = usize::from(number(take(&mut rest, 2)?));
        let mut pool = Self { texts: vec![None; count], ..Self::default() };
        let mut index = 1;
        while index < count {
            match take(&mut rest, 1)?[0] {
                1 => {
                    let length = usize::from(number(take(&mut rest, 2)?));
                    let text = take(&mut rest, length)?;
                    pool.texts[index] = std::str::from_utf8(text).ok().filter(|text| text.len() <= MAX_LENGTH);
                }
                7 => pool.classes.push(number(take(&mut rest, 2)?)),
                8 => pool.strings.push(number(take(&mut rest, 2)?)),
                16 | 19 | 20 => _ = take(&mut rest, 2)?,
                15 => _ = take(&mut rest, 3)?,
                3 | 4 | 9..=12 | 17 | 18 => _ = take(&mut rest, 4)?,
                // A constant of eight bytes counts twice (4.4.5).
                5 | 6 => {
                    take(&mut rest, 8)?;
                    index += 1;
                }
                _ => return None,
            }
            index += 1;
        }
        Some(pool)
    }

    fn text(&self, index: u16) -> Option<&'c str> {
        self.texts.get(usize::from(index)).copied().flatten()
    }

    fn strings(&self) -> impl Iterator<Item = &'c str> {
        self.strings.iter().filter_map(|index| self.text(*index))
    }

    fn starts_programs(&self) -> bool {
        let known = classes();
        let mut names = self.classes.iter().filter_map(|index| self.text(*index));
        let calls = || self.texts.iter().flatten().any(|text| *text == known.method);
        names.any(|name| known.starters.contain(name) || name == known.runtime && calls())
    }
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn number(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_class_has_no_constants() {
        for class in [&b""[..], b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbe\0\0\0\x41\xff\xff\x01\xff\xff", b"PK\x03\x04"] {
            let mut found = Constants::default();
            found.add(class);
            assert!(!found.starts_programs && found.paths.is_empty() && found.words.is_empty());
        }
    }
}
