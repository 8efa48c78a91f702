//! php-fpm's configuration: included files, directories of sockets, logs and working files of its pools, and files that
//! settings load (the manual, FPM configuration; php-fpm creates none of these directories).

use std::collections::BTreeSet;
use std::rc::Rc;

use super::table::table;
use crate::error::Error;
use crate::language::source::application as app;
use crate::language::{Call, Needs};
use crate::path::RootPath;
use crate::root::RootGlob;

const MAX_FILE: usize = 1 << 20;
const MAX_FILES: usize = 512;
pub(super) fn find(call: &Call<'_>, needs: &mut Needs) -> Result<(), Error> {
    let mut open: Vec<(RootPath, String)> = Vec::new();
    let named = mains(call.args);
    for pattern in
        named.iter().map(String::as_str).chain(table().fpm.configurations.iter().filter(|_| named.is_empty()))
    {
        open.extend(matching(call, pattern)?.into_iter().map(|file| (file, "php-fpm reads it".to_owned())));
    }
    let mut seen = BTreeSet::new();
    while let Some((file, why)) = open.pop() {
        if seen.len() == MAX_FILES {
            call.root.leave_unread(&file, format!("included settings after {MAX_FILES} files are not read"));
            break;
        }
        if !seen.insert(file.clone()) {
            continue;
        }
        let Some((_, text)) = call.root.read_followed(file.as_bytes(), MAX_FILE)? else { continue };
        needs.files.push((file.clone(), why));
        for (key, value) in settings(&String::from_utf8_lossy(&text)) {
            if key == "include" {
                let why = format!("{file} includes it");
                let found = matching(call, &value)?;
                if let Some(dir) = RootPath::new(&value).and_then(|path| path.parent()).filter(|_| found.is_empty()) {
                    // An include pattern without a match is an error only if its directory does not exist either.
                    needs.files.extend(call.dir(&dir.to_string())?.map(|dir| (dir, why.clone())));
                }
                open.extend(found.into_iter().map(|file| (file, why.clone())));
            } else {
                setting(call, &file, &key, &value, needs)?;
            }
        }
    }
    Ok(())
}

/// Files given with `-y FILE` or `--fpm-config FILE`.
fn mains(args: &[String]) -> Vec<String> {
    let mut words = args.iter();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        if word == "-y" || word == "--fpm-config" {
            found.extend(words.next().cloned());
        } else if let Some(file) = word.strip_prefix("--fpm-config=").or_else(|| word.strip_prefix("-y")) {
            found.push(file.to_owned());
        }
    }
    found
}

fn matching(call: &Call<'_>, pattern: &str) -> Result<Vec<RootPath>, Error> {
    if !pattern.contains(['*', '?', '[']) {
        return Ok(call.file(pattern)?.into_iter().collect());
    }
    if !pattern.starts_with('/') {
        return Ok(Vec::new());
    }
    let mut found = call.root.matching(&RootGlob::new(pattern)?)?;
    found.retain(|path| call.root.follow(path.as_bytes()).is_ok_and(|followed| followed.file().is_some()));
    Ok(found)
}

/// Keys and values. For `php_admin_value[x]` and the like, the key is the name of the setting after `php:`.
fn settings(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(';')).filter_map(|line| line.split_once('='));
    let name = |key: &str| match key.split_once('[') {
        Some((kind, name)) if kind.starts_with("php_") => format!("php:{}", name.trim_end_matches(']')),
        _ => key.to_owned(),
    };
    let value = |value: &str| value.split(" ;").next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned();
    lines.map(|(key, said)| (name(key.trim()), value(said))).collect()
}

fn setting(call: &Call<'_>, file: &RootPath, key: &str, value: &str, needs: &mut Needs) -> Result<(), Error> {
    let Some(path) = RootPath::new(value).filter(|_| value.starts_with('/')) else { return Ok(()) };
    let of_php = key.strip_prefix("php:");
    let is_written =
        table().fpm.written.contain(key) || of_php.is_some_and(|name| table().settings.written.contain(name));
    let dir = match of_php {
        _ if is_written => path.parent(),
        Some(name) if table().settings.directories.contain(name) => Some(path.clone()),
        _ => None,
    };
    if let Some(dir) = dir {
        if call.root.follow(dir.as_bytes())?.dir().is_some() {
            needs.files.push((dir, format!("{file} has {key} there")));
        } else if !dir.as_bytes().starts_with(b"/proc") {
            needs.notes.push(format!(
                "{file} has {key} in {dir}, which the root does not have: mkdir it in the builder stage"
            ));
        }
    }
    if table().fpm.homes.contain(key)
        && let Some(dir) = call.dir(value)?.filter(|dir| !app::is_wide(dir))
    {
        needs.claims.push(app::application_claim(dir, "application", Rc::new(|_, _| false)));
    }
    if of_php.is_some_and(|name| table().settings.loaded.contain(name))
        && let Some(loaded) = call.file(value)?
    {
        needs.files.push((loaded, format!("{file} has {key}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_pools_are_read() {
        let text = "[app]\nlisten = /run/php/x.sock ; why\n;pid = /no\nphp_admin_value[error_log] = \"/var/log/a\"\n";
        let is = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(settings(text), [is("listen", "/run/php/x.sock"), is("php:error_log", "/var/log/a")]);
        let args = ["-F", "-y", "/a", "--fpm-config=/b"].map(str::to_owned);
        assert_eq!(mains(&args), ["/a", "/b"]);
    }
}
