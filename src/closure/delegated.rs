//! Programs that configuration starts: told, not packed, since one of them may be larger than all that is packed, and
//! most are for what nobody asks.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use crate::path::{RootPath, show};

/// Programs that a note names.
const MAX_SHOWN: usize = 8;

impl Build<'_> {
    /// Tells the programs of command lines that are in the root and not packed, in one line for each file.
    pub(super) fn tell_commands(&mut self, commands: &[(RootPath, String)]) {
        // What each file starts, and what its lines start besides, by the shell.
        let mut found: BTreeMap<&RootPath, [BTreeSet<RootPath>; 2]> = BTreeMap::new();
        for (file, line) in commands {
            let programs = programs(line);
            let present = |name: &String| self.find_program(name.as_bytes()).ok();
            // What the first one leaves to the others is not there either.
            let Some(first) = programs.first().and_then(present) else { continue };
            let [starts, besides] = found.entry(file).or_default();
            besides.extend(programs[1..].iter().filter_map(present).filter(|path| !self.is_in(path)));
            starts.extend((!self.is_in(&first)).then_some(first));
        }
        for (file, [mut starts, besides]) in found {
            starts.retain(|path| !besides.contains(path));
            let Some(first) = starts.first() else { continue };
            let besides = match besides.is_empty() {
                true => String::new(),
                false => format!("; some lines start {} too, by /bin/sh", names(&besides)),
            };
            let starts = names(&starts);
            let note = format!("{file} starts {starts}, in the root and not packed: --bin {first} adds one{besides}");
            self.closure.notes.push(note);
        }
    }

    /// Whether what a path leads to is in the closure.
    fn is_in(&self, path: &RootPath) -> bool {
        let followed = self.root.follow(path.as_bytes());
        followed.is_ok_and(|followed| followed.file().is_some_and(|(real, _)| self.closure.nodes.contains_key(real)))
    }
}

/// Names of programs, as many as may be shown.
fn names(paths: &BTreeSet<RootPath>) -> String {
    let shown: Vec<_> = paths.iter().take(MAX_SHOWN).map(|path| show(path.name()).into_owned()).collect();
    match paths.len().saturating_sub(MAX_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The programs of a command line, as a shell would start them.
fn programs(line: &str) -> Vec<String> {
    let line = line.replace("\\n", "\n");
    let parts = line.split([';', '|', '&', '\n']).filter_map(|part| {
        let part = part.trim_start();
        match part.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => part.split_whitespace().next(),
        }
    });
    let is_plain = |name: &&str| !name.is_empty() && !name.contains(['%', '$', '`', '\'', '>', '<']);
    parts.filter(is_plain).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::programs;

    #[test]
    fn programs_stand_where_a_shell_starts_them() {
        assert_eq!(programs("\"gs\" -q \"-f%i\"; /bin/mv \"%o\" x"), ["gs", "/bin/mv"]);
        assert_eq!(programs("\"blender\" -b \"%i\"\\n\"convert\" x | dwebp -"), ["blender", "convert", "dwebp"]);
        assert!(programs("%x y").is_empty());
    }
}
