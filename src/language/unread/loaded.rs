//! Files that a script in a language which no rule reads loads or opens, by its words: `dofile("/opt/own/x.lua")`,
//! `include conf.mk`, `source [file join $dir .. lib x.tcl]`.

use super::super::Call;
use super::table::Row;
use crate::error::Error;
use crate::path::RootPath;

/// Maximum number of paths of a text.
const MAX_PATHS: usize = 256;
/// Maximum number of words in front of a file name that may be the directories of its path.
const MAX_DIRS: usize = 3;

/// The absolute paths that words of a text are: those of files and directories, and the directories of patterns.
pub(super) fn data(row: &Row, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in lines(row, text).flat_map(words).filter(|word| word.starts_with('/')) {
        let path = word.split(['?', '*']).next().unwrap_or_default();
        let path = if path.len() < word.len() { path.rsplit_once('/').map_or("", |(dir, _)| dir) } else { path };
        let path = path.trim_end_matches(['/', '.', '-', '+']);
        if path.len() > 1 && found.len() < MAX_PATHS && !found.iter().any(|known| known == path) {
            found.push(path.to_owned());
        }
    }
    found
}

/// The files with an ending of the language that words of a text name, which may be parts of one path. They lie in the
/// directory of the script or in the working directory.
///
/// # Errors
/// `unreadable`.
pub(super) fn files(call: &Call<'_>, row: &Row, script: &RootPath, text: &str) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    let own = script.parent().unwrap_or_else(RootPath::root);
    for line in lines(row, text) {
        let words: Vec<&str> = words(line).collect();
        for at in (0..words.len()).filter(|at| row.loads.end(words[*at].as_bytes())).take(MAX_PATHS) {
            for first in (at.saturating_sub(MAX_DIRS)..=at).rev() {
                let path = words[first..=at].join("/");
                let beside = call.root.follow_from(&own, path.as_bytes())?.file().map(|(real, _)| real.clone());
                let there = match beside {
                    None => call.root.follow_from(call.cwd, path.as_bytes())?.file().map(|(real, _)| real.clone()),
                    beside => beside,
                };
                if let Some(file) = there.filter(|file| file != script) {
                    found.push(file);
                    break;
                }
            }
        }
    }
    Ok(found)
}

/// The lines of a text that are no comments.
fn lines<'t>(row: &'t Row, text: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().filter(|line| !line.trim_start().starts_with(row.comment()))
}

/// The words of a line that may be paths or their parts.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.+/?*".contains(c))).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::table::row;
    use super::data;

    #[test]
    fn absolute_paths_are_found() {
        let found = |language: &str, text: &str| data(row(language).expect("a row"), text).join(" ");
        assert_eq!(found("lua", "dofile(\"/opt/own/x.lua\") -- y\n-- /no/path"), "/opt/own/x.lua");
        assert_eq!(
            found("lua", "package.path = '/opt/own/?.lua;/opt/b/?/init.lua;' .. package.path"),
            "/opt/own /opt/b"
        );
        assert_eq!(found("tclsh", "set f [open /etc/own/c.conf]\nexpr 4 / 2"), "/etc/own/c.conf");
    }
}
