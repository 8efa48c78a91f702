//! Variables of a script, and the environment of the programs that it starts.

use super::Reader;
use crate::error::Error;
use crate::language::shell::tree::Word;

impl Reader<'_, '_> {
    pub(super) fn assign(
        &mut self,
        name: &str,
        words: Option<&[Word]>,
        is_array: bool,
        is_added: bool,
    ) -> Result<(), Error> {
        let Some(words) = words else {
            self.known.add(name, None);
            return Ok(());
        };
        if is_array {
            let lines = self.lines(words, None, words.len());
            let list = format!("{name}[@]");
            for words in lines {
                if is_added { self.known.extend_lists(&list, &words) } else { self.known.add_list(&list, words) }
            }
            return Ok(());
        }
        let Some(word) = words.first() else { return Ok(()) };
        let values = self.known.values(word);
        let one = self.known.one(word);
        if name == "PATH" {
            // The old directories stay, because we do not know if the assignment is executed.
            self.path = format!("{one}:{}", self.path);
            self.env.insert(name.to_owned(), self.path.clone());
            return Ok(());
        }
        if name.ends_with("PATH") && self.is_exported(name) {
            // Keep the known elements of a directory list: in `/app/lib:$LD_LIBRARY_PATH` the variable is usually
            // empty.
            let known: Vec<&str> = one.split(':').filter(|part| !part.is_empty()).collect();
            self.env.insert(name.to_owned(), known.join(":"));
        } else if values.unknown.is_none() && !is_added && self.is_exported(name) {
            self.env.insert(name.to_owned(), one.clone());
        }
        if values.unknown.is_some() && name.ends_with("PATH") {
            self.known.add(name, Some(one));
        }
        if values.unknown.is_some() || is_added {
            self.known.add(name, None);
        }
        for value in values.known {
            self.known.add(name, Some(value));
        }
        Ok(())
    }

    /// True for a variable that is passed to started programs: inherited by the shell, or exported.
    fn is_exported(&self, name: &str) -> bool {
        self.exports_all || self.exported.contains(name) || self.call.env.contains_key(name)
    }

    /// Passes the variables to all programs started from here on.
    pub(super) fn export(&mut self, names: &[String]) {
        for name in names {
            self.exported.insert(name.clone());
            if let Some(value) = self.known.last(name) {
                self.env.insert(name.clone(), value);
            }
        }
    }
}
