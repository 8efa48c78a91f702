//! PHP: the application's directory with its `vendor`, except Composer's development packages; configuration
//! directories in environment variables; files that settings load; programs that it starts. fpm.rs handles php-fpm.
//! Extensions and the default configuration are in the profile.

mod fpm;
mod missing;
mod table;

use std::collections::BTreeSet;
use std::rc::Rc;

use self::table::table;
use super::source::application as app;
use super::source::interpreters::{Tongue, shell_words};
use super::source::json;
use super::source::started;
use super::{Call, Needs, Start};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root};

/// Composer's record of installed packages, relative to the application's directory.
const INSTALLED: &[u8] = b"vendor/composer/installed.json";
const MAX_RECORD: usize = 32 << 20;
pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let Some((program, _)) = call.program(|name| Tongue::Php.is_run_by(name))? else { return Ok(Needs::default()) };
    let mut needs = Needs {
        notes: app::lone_script_note(call)?.into_iter().collect(),
        profiles: vec![(table().profile.as_str(), format!("{program} is started"))],
        ..Needs::default()
    };
    needs.missing_modules = missing::find(call, call.script()?.as_ref())?;
    let mut dirs = app::dirs(call)?;
    for dir in dirs.clone() {
        dirs.extend(real_dirs(call.root, &dir)?.into_iter().filter(|real| !dir.is_within(real)));
    }
    dirs.sort();
    dirs.dedup();
    for dir in dirs {
        let dev = development(call.root, &dir)?;
        if !dev.is_empty() {
            needs.notes.push(format!("{} development packages of Composer are left out", dev.len()));
        }
        needs.claims.push(app::application_claim(dir, "application", Rc::new(move |_, path| dev.contains(path))));
    }
    for dir in call.env.get("PHP_INI_SCAN_DIR").iter().flat_map(|list| list.split(':')) {
        if let Some(dir) = call.dir(dir)?.filter(|dir| !dir.is_root() && !app::is_wide(dir)) {
            needs.claims.push(app::application_claim(dir, "application", Rc::new(|_, _| false)));
        }
    }
    options(call, &mut needs)?;
    if memchr::memmem::find(program.name(), b"fpm").is_some() {
        fpm::find(call, &mut needs)?;
    }
    if call.scripts.first().is_some_and(|script| table().composer.begin(script.name())) {
        composer_script(call, &mut needs)?;
    }
    let own: Vec<RootPath> = needs.claims.iter().map(|home| home.dir.clone()).collect();
    let scripts: Vec<RootPath> = call.script()?.into_iter().collect();
    let sources = started::Sources { dirs: &own, scripts: &scripts, modules: &[] };
    started::ask(call, &table().starts, &sources, &mut needs)?;
    Ok(needs)
}

/// The directories of the scripts to which links in a directory lead: `__DIR__` is the real directory of a script, whose
/// neighbours it loads.
fn real_dirs(root: &Root, dir: &RootPath) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    for name in root.list(dir)? {
        let path = dir.join(&name);
        let is_link = root.meta(&path)?.is_some_and(|meta| meta.kind == FileKind::Link);
        if is_link && name.ends_with(b".php") {
            let real = root.follow(path.as_bytes())?.file().and_then(|(real, _)| real.parent());
            // Settings lie in /etc.
            found.extend(real.filter(|real| !app::is_wide(real) && !real.as_bytes().starts_with(b"/etc/")));
        }
    }
    Ok(found)
}

/// Files loaded by settings on the command line, `-d NAME=VALUE`, or in the file of `-c FILE` (the manual, options).
fn options(call: &Call<'_>, needs: &mut Needs) -> Result<(), Error> {
    let value = |option: &str| {
        let mut words = call.args.iter();
        let mut found = Vec::new();
        while let Some(word) = words.next() {
            match word.strip_prefix(option) {
                Some("") => found.extend(words.next().cloned()),
                Some(rest) => found.push(rest.to_owned()),
                None => {}
            }
        }
        found
    };
    let mut settings = value("-d");
    for place in value("-c") {
        let file = if call.dir(&place)?.is_some() { format!("{place}/php.ini") } else { place };
        let Some((real, text)) = call.root.read_followed(file.as_bytes(), MAX_RECORD)? else { continue };
        needs.files.push((real, "-c names it".to_owned()));
        settings.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }
    for (key, value) in settings.iter().filter_map(|line| line.split_once('=')) {
        let value = value.trim().trim_matches(['"', '\'']);
        if table().settings.loaded.contain(key.trim())
            && let Some(file) = call.file(value)?
        {
            needs.files.push((file, format!("the setting {} names it", key.trim())));
        }
    }
    Ok(())
}

/// The scripts in composer.json that `composer NAME` starts (the manual, scripts).
fn composer_script(call: &Call<'_>, needs: &mut Needs) -> Result<(), Error> {
    let composer = call.cwd.join(b"composer.json");
    let Some((real, text)) = call.root.read_followed(composer.as_bytes(), MAX_RECORD)? else { return Ok(()) };
    let Some(told) = json::read::<serde_json::Value>(call.root, &real, &text) else { return Ok(()) };
    let mut words = call.args.iter().filter(|word| !word.starts_with('-'));
    let name = words.next().filter(|word| !table().composer_run.contain(word)).or_else(|| words.next());
    let mut open: Vec<String> = name.cloned().into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let script = &told["scripts"][name.as_str()];
        let list = script.as_array().cloned().unwrap_or_else(|| vec![script.clone()]);
        for line in list.iter().filter_map(serde_json::Value::as_str) {
            let text = match line.strip_prefix('@') {
                Some(other) if other.starts_with("php ") => other,
                Some(other) => {
                    open.push(other.split(' ').next().unwrap_or_default().to_owned());
                    continue;
                }
                None if line.contains("::") => continue,
                None => line,
            };
            let mut start = Start::of(call, shell_words(text), format!("{composer} starts it as the script {name}"));
            start.is_exec = false;
            needs.starts.push(start);
        }
    }
    Ok(())
}

/// Packages in `dev-package-names` (Composer 2). A package whose files are loaded on every request stays, because
/// `vendor/autoload.php` fails without them.
fn development(root: &Root, app: &RootPath) -> Result<BTreeSet<RootPath>, Error> {
    let mut found = BTreeSet::new();
    let composer = [app.as_bytes(), b"/", INSTALLED].concat();
    let Some((record, text)) = root.read_followed(&composer, MAX_RECORD)? else { return Ok(found) };
    let Some(told) = json::read::<serde_json::Value>(root, &record, &text) else { return Ok(found) };
    let Some(dir) = record.parent() else { return Ok(found) };
    let files = root.read_followed(dir.join(b"autoload_files.php").as_bytes(), MAX_RECORD)?;
    let files = files.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
    let names = |key: &str| told[key].as_array().cloned().unwrap_or_default();
    let dev: BTreeSet<String> =
        names("dev-package-names").iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    for package in names("packages") {
        let Some(name) = package["name"].as_str().filter(|name| dev.contains(*name)) else { continue };
        if files.contains(&format!("/{name}/")) {
            continue;
        }
        let place = package["install-path"].as_str().map_or_else(|| format!("../{name}"), str::to_owned);
        let real = root.follow_from(&dir, place.as_bytes())?.dir().cloned();
        match real {
            Some(real) if real.is_within(app) && real != *app => drop(found.insert(real)),
            // The package is a symlink to its development directory: only the symlink is left out.
            Some(_) => found.extend(dir.parent().and_then(|vendor| RootPath::new(format!("{vendor}/{name}")))),
            None => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn development_packages_go_unless_the_autoloader_loads_them() {
        let mut tree = MemTree::default();
        let installed = r#"{"packages": [{"name": "a/run", "install-path": "../a/run"}, {"name": "b/dev", "install-path": "../b/dev"},
            {"name": "c/loaded", "install-path": "../c/loaded"}, {"name": "d/out", "install-path": "../d/out"}],
            "dev": true, "dev-package-names": ["b/dev", "c/loaded", "d/out"]}"#;
        tree.file("/app/vendor/composer/installed.json", 0o644, installed).file(
            "/app/vendor/composer/autoload_files.php",
            0o644,
            "'x' => $vendorDir . '/c/loaded/x.php',",
        );
        tree.link("/app/vendor/d/out", "/src/out").dir("/src/out", 0o755);
        for name in ["a/run", "b/dev", "c/loaded"] {
            tree.file(&format!("/app/vendor/{name}/x.php"), 0o644, "");
        }
        let root = Root::new(Arc::new(tree));
        let app = RootPath::new("/app").expect("a path");
        let found = development(&root, &app).expect("readable");
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["/app/vendor/b/dev", "/app/vendor/d/out"]
        );
    }
}
