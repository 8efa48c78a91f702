//! Ruby: the application's directory, its bundle and the gems in environment variables. The standard library and
//! installed gems are in the profile.

mod bundle;
mod ffi;
mod missing;
mod table;

use std::rc::Rc;

use self::table::table;
use super::source::application as app;
use super::source::interpreters::Tongue;
use super::source::parts;
use super::source::started;
use super::{Call, Needs, Start};
use crate::error::Error;
use crate::path::RootPath;

/// Directory of bundler's configuration; without this variable, `.bundle` next to the application (bundle-config(1)).
const APP_CONFIG: &str = "BUNDLE_APP_CONFIG";
const MAX_CONFIG: usize = 1 << 20;

/// BUNDLE_PATH in bundler's configuration, relative to the application.
fn bundles(call: &Call<'_>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let own = call.env.get(APP_CONFIG).map(|dir| (format!("{dir}/config"), call.cwd.to_string()));
    let beside = app::dirs(call)?.into_iter().map(|dir| (format!("{dir}/.bundle/config"), dir.to_string()));
    for (file, app) in own.into_iter().chain(beside) {
        let Some((_, text)) = call.root.read_followed(file.as_bytes(), MAX_CONFIG)? else { continue };
        let text = String::from_utf8_lossy(&text).into_owned();
        for path in text.lines().filter_map(|line| line.strip_prefix("BUNDLE_PATH:")) {
            let path = path.trim().trim_matches(['"', '\'']);
            found.push(if path.starts_with('/') { path.to_owned() } else { format!("{app}/{path}") });
        }
    }
    Ok(found)
}

/// Maximum size of a script that is scanned for the files it loads, and maximum number of scripts.
const MAX_SCRIPT: usize = 4 << 20;
const MAX_SCRIPTS: usize = 64;

/// Directories that a script adds to the load path and files that it loads by path, both relative to the script's
/// directory.
fn loaded(text: &str, own: &str) -> (Vec<String>, Vec<String>) {
    let (mut dirs, mut files) = (Vec::new(), Vec::new());
    for line in text.split(['\n', ';']).map(str::trim_start).filter(|line| !line.starts_with('#')) {
        let path = ["$LOAD_PATH", "$:"].iter().find_map(|name| line.strip_prefix(name));
        let words: Vec<&str> = line.split(['\'', '"']).skip(1).step_by(2).filter(|word| !word.is_empty()).collect();
        if path.is_some_and(|rest| rest.starts_with(".unshift") || rest.starts_with(".push") || rest.contains("<<")) {
            let joined = words.join("/");
            for word in words.iter().copied().chain([joined.as_str()]) {
                let word = word.replace("#{__dir__}", own);
                if word.chars().all(|c| matches!(c, '.' | '/')) {
                    continue;
                }
                dirs.push(if word.starts_with('/') { word } else { format!("{own}/{word}") });
            }
            // `File.expand_path('../../lib', __FILE__)` is relative to the file itself, so the first `..` only removes
            // its name.
            if line.contains("__FILE__") {
                dirs.extend(
                    words.iter().filter_map(|word| word.strip_prefix("../")).map(|rest| format!("{own}/{rest}")),
                );
            }
        } else if line.starts_with("require ") || line.starts_with("load ") || line.starts_with("require_relative ") {
            let Some(word) = words.first() else { continue };
            let word = word.replace("#{__dir__}", own);
            if word.starts_with('/') {
                files.push(word);
            } else if line.starts_with("require_relative") {
                files.push(format!("{own}/{word}"));
            }
        }
    }
    (dirs, files)
}

/// Follows the scripts of a call to the files that they load by path.
fn scripts(call: &Call<'_>, needs: &mut Needs) -> Result<Vec<RootPath>, Error> {
    let mut scripts: Vec<RootPath> = call.script()?.into_iter().collect();
    let mut at = 0;
    while let Some(script) = scripts.get(at).cloned() {
        at += 1;
        let Some((real, text)) = call.root.read_followed(script.as_bytes(), MAX_SCRIPT)? else { continue };
        let own = real.parent().map_or_else(String::new, |dir| dir.to_string());
        let (dirs, files) = loaded(&String::from_utf8_lossy(&text), &own);
        for dir in dirs {
            if let Some(dir) = call.dir(&dir)?.filter(|dir| !app::is_wide(dir)) {
                needs.claims.push(app::application_claim(dir, "application", Rc::new(|_, _| false)));
            }
        }
        for file in files {
            let file = if file.ends_with(".rb") { call.file(&file)? } else { call.file(&format!("{file}.rb"))? };
            let Some(file) = file.filter(|file| !scripts.contains(file)) else { continue };
            if scripts.len() >= MAX_SCRIPTS {
                call.root.leave_unread(
                    &real,
                    format!("of the scripts that it loads, those after {MAX_SCRIPTS} are not read"),
                );
            } else {
                needs.files.push((file.clone(), format!("{script} loads it")));
                scripts.push(file);
            }
        }
    }
    Ok(scripts)
}

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    if call.program(|name| Tongue::Ruby.is_run_by(name))?.is_none() {
        return Ok(Needs::default());
    }
    let mut needs = Needs {
        claims: app::whole_claims(call, "application")?,
        notes: app::lone_script_note(call)?.into_iter().collect(),
        ..Needs::default()
    };
    for name in table().gems.variables.iter() {
        for dir in call.env.get(name).iter().flat_map(|list| list.split(':')) {
            if let Some(dir) = call.dir(dir)?.filter(|dir| !app::is_wide(dir)) {
                needs.claims.push(app::application_claim(dir, "Ruby gems", Rc::new(|_, _| false)));
            }
        }
    }
    let mut dirs = bundles(call)?;
    let options = call.env.get("RUBYOPT").into_iter().flat_map(|words| words.split(' '));
    let words = call.args.iter().map(String::as_str).chain(options);
    dirs.extend(words.filter_map(|word| word.strip_prefix("-I")).map(str::to_owned));
    for dir in dirs {
        if let Some(dir) = call.dir(&dir)?.filter(|dir| !app::is_wide(dir)) {
            needs.claims.push(app::application_claim(dir, "Ruby gems", Rc::new(|_, _| false)));
        }
    }
    let scripts = scripts(call, &mut needs)?;
    parts::ask(call, &table().parts, &scripts, &mut needs)?;
    let own = needs.claims.iter().filter(|home| home.group == "application").map(|home| home.dir.clone());
    let own: Vec<RootPath> = own.collect();
    let sources = started::Sources { dirs: &own, scripts: &scripts, modules: &[] };
    started::ask(call, &table().starts, &sources, &mut needs)?;
    let mut sources: Vec<RootPath> = needs.claims.iter().map(|home| home.dir.clone()).collect();
    for dir in table().gems.places.iter() {
        sources.extend(call.root.follow(dir.as_bytes())?.dir().cloned());
    }
    ffi::ask(call, &sources, &mut needs)?;
    // `bundle exec puma` starts puma.
    let is_bundle = call.scripts.first().is_some_and(|script| table().bundlers.begin(script.name()));
    let names_bundler = |path: &RootPath| {
        let text = call.root.read_followed(path.as_bytes(), MAX_SCRIPT)?.map(|(_, text)| text).unwrap_or_default();
        Ok::<_, Error>(memchr::memmem::find(&text, b"bundler/setup").is_some())
    };
    let mut is_bundled = is_bundle || call.env.get("RUBYOPT").is_some_and(|words| words.contains("bundler/setup"));
    for script in &scripts {
        is_bundled = is_bundled || names_bundler(script)?;
    }
    if is_bundled {
        bundle::leave_out(call, &mut needs)?;
    }
    needs.missing_modules = missing::find(call, &needs)?;
    if is_bundle && call.args.first().is_some_and(|word| table().bundler_exec.contain(word)) && call.args.len() > 1 {
        let mut start = Start::of(call, call.args[1..].to_vec(), "bundler starts it".to_owned());
        let options = call.env.get("RUBYOPT").map_or_else(String::new, |words| format!("{words} "));
        start.env.insert("RUBYOPT".to_owned(), format!("{options}-rbundler/setup"));
        needs.starts.push(start);
    }
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_paths_and_files_are_counted_from_the_script() {
        let text = "$LOAD_PATH.unshift File.expand_path('../lib', __dir__)\n$:.unshift File.join(__dir__, '..', 'm')\n\
                    $: << File.expand_path('../../up', __FILE__)\nrequire '/opt/one'\nrequire_relative 'two'\nrequire 'json'\n";
        let (dirs, files) = loaded(text, "/s/bin");
        for wanted in ["/s/bin/../lib", "/s/bin/../m", "/s/bin/../up"] {
            assert!(dirs.iter().any(|dir| dir == wanted), "{wanted}: {dirs:?}");
        }
        assert_eq!(files, ["/opt/one", "/s/bin/two"]);
    }
}
