//! PHP: the application's directory with its `vendor`, less what Composer has installed for development; folders of
//! settings that the environment names; where the pools of php-fpm listen. Extensions and configuration are the profile's.

use std::collections::BTreeSet;

use super::{Call, Needs, app};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{Root, RootGlob};

/// Composer's records, below an application's directory.
const INSTALLED: &[u8] = b"vendor/composer/installed.json";
const MAX_RECORD: usize = 32 << 20;
/// Pools of php-fpm, of Debian and of the official images.
const POOLS: [&str; 3] =
    ["/etc/php/*/fpm/pool.d/*.conf", "/etc/php/*/fpm/php-fpm.conf", "/usr/local/etc/php-fpm.d/*.conf"];

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let is_php = |name: &str| name.starts_with("php");
    let Some((program, _)) = call.program(is_php)? else { return Ok(Needs::default()) };
    let mut needs = Needs {
        notes: app::alone(call)?.into_iter().collect(),
        profiles: vec![("php", format!("{program} is started"))],
        ..Needs::default()
    };
    for dir in app::dirs(call)? {
        let dev = development(call.root, &dir)?;
        if !dev.is_empty() {
            needs
                .notes
                .push(format!("{} packages that Composer has installed for development are left out", dev.len()));
        }
        needs.homes.push(app::home(dir, "application", Box::new(move |_, path| dev.contains(path))));
    }
    for dir in call.env.get("PHP_INI_SCAN_DIR").iter().flat_map(|list| list.split(':')) {
        if let Some(dir) = call.dir(dir)?.filter(|dir| !dir.is_root() && !app::is_wide(dir)) {
            needs.homes.push(app::home(dir, "application", Box::new(|_, _| false)));
        }
    }
    if memchr::memmem::find(program.name(), b"fpm").is_some() {
        pools(call.root, &mut needs)?;
    }
    Ok(needs)
}

/// Packages of `dev-package-names` (Composer 2). One whose files every request loads stays: without them
/// `vendor/autoload.php` fails.
fn development(root: &Root, app: &RootPath) -> Result<BTreeSet<RootPath>, Error> {
    let mut found = BTreeSet::new();
    let composer = [app.as_bytes(), b"/", INSTALLED].concat();
    let Some((record, text)) = root.read_followed(&composer, MAX_RECORD)? else { return Ok(found) };
    let Ok(told) = serde_json::from_slice::<serde_json::Value>(&text) else { return Ok(found) };
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
        found.extend(real.filter(|real| real.is_within(app) && real != app));
    }
    Ok(found)
}

/// Directories in which pools listen and write: php-fpm makes none of them.
fn pools(root: &Root, needs: &mut Needs) -> Result<(), Error> {
    for pattern in POOLS {
        for file in root.matching(&RootGlob::new(pattern)?)? {
            let Some((_, text)) = root.read_followed(file.as_bytes(), 1 << 20)? else { continue };
            let text = String::from_utf8_lossy(&text).into_owned();
            let settings =
                text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim()));
            for (key, value) in settings.filter(|(key, _)| matches!(*key, "listen" | "pid" | "error_log" | "slowlog")) {
                let Some(dir) = RootPath::new(value).filter(|_| value.starts_with('/')).and_then(|path| path.parent())
                else {
                    continue;
                };
                if root.follow(dir.as_bytes())?.dir().is_some() {
                    needs.files.push((dir, format!("{file} has {key} there")));
                } else {
                    needs.notes.push(format!(
                        "{file} has {key} in {dir}, which the root does not have: mkdir it in the builder stage"
                    ));
                }
            }
        }
    }
    Ok(())
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
            {"name": "c/loaded", "install-path": "../c/loaded"}, {"name": "d/out", "install-path": "../../.."}],
            "dev": true, "dev-package-names": ["b/dev", "c/loaded", "d/out"]}"#;
        tree.file("/app/vendor/composer/installed.json", 0o644, installed).file(
            "/app/vendor/composer/autoload_files.php",
            0o644,
            "'x' => $vendorDir . '/c/loaded/x.php',",
        );
        for name in ["a/run", "b/dev", "c/loaded"] {
            tree.file(&format!("/app/vendor/{name}/x.php"), 0o644, "");
        }
        let root = Root::new(Arc::new(tree));
        let app = RootPath::new("/app").expect("a path");
        let found = development(&root, &app).expect("readable");
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/app/vendor/b/dev"]);
    }
}
