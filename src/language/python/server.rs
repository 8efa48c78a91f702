//! Directories that Python application servers use: options in gunicorn's GUNICORN_CMD_ARGS, and configuration files in
//! Python among the arguments (gunicorn's documentation, settings).

use super::table::table;
use crate::error::Error;
use crate::language::source::application as app;
use crate::language::{Call, Needs};
use crate::path::RootPath;

const MAX_FILE: usize = 1 << 20;

/// Returns the module directories and adds the files to `needs`.
pub(super) fn dirs(call: &Call<'_>, needs: &mut Needs) -> Result<Vec<RootPath>, Error> {
    let mut told: Vec<(String, String)> = Vec::new();
    let known = &table().servers;
    let variables = known.variables.iter().filter_map(|name| call.env.get(name));
    let words: Vec<&str> = variables.flat_map(|words| words.split_whitespace()).collect();
    told.extend(options(&words));
    let configs = words.iter().copied().chain(call.args.iter().map(String::as_str));
    for word in configs.filter(|word| word.ends_with(".py")) {
        let word = word.rsplit(['=', ':']).next().unwrap_or_default();
        let Some(file) = call.file(word)? else { continue };
        if let Some((_, text)) = call.root.read_followed(file.as_bytes(), MAX_FILE)? {
            told.extend(assignments(&String::from_utf8_lossy(&text)));
            needs.files.push((file, format!("{word} is an argument of the command")));
        }
    }
    let mut found = Vec::new();
    for (name, value) in told {
        for part in value.split(',').filter(|part| part.starts_with('/')) {
            if known.directories.contain(&name) {
                found.extend(call.dir(part)?.filter(|dir| !app::is_wide(dir)));
            } else if known.files.contain(&name)
                && let Some(file) = call.file(part)?
            {
                needs.files.push((file, format!("the setting {name} names it")));
            }
        }
    }
    Ok(found)
}

/// `--chdir /srv`, `--chdir=/srv`.
fn options(words: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(option) = word.strip_prefix("--") else { continue };
        let (name, value) = match option.split_once('=') {
            Some(pair) => pair,
            None => (option, words.get(at + 1).copied().unwrap_or_default()),
        };
        found.push((name.replace('-', "_"), value.trim_matches(['"', '\'']).to_owned()));
    }
    found
}

/// `name = "text"` at the start of a line.
fn assignments(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let text = value[1..].split(quote).next()?;
        Some((name.trim_end().to_owned(), text.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_words_and_from_sources() {
        let is = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let words = ["--chdir=/srv/a", "-w", "2", "--pythonpath", "/opt/b,/opt/c"];
        assert_eq!(options(&words), [is("chdir", "/srv/a"), is("pythonpath", "/opt/b,/opt/c")]);
        let text = "bind = f'x'\nchdir = '/srv/a'  # why\nworkers = 2\nlogconfig=\"/etc/l\"\n";
        assert_eq!(assignments(text), [is("chdir", "/srv/a"), is("logconfig", "/etc/l")]);
    }
}
