//! Packages that the application requires in every run, at the top level of its sources, and that no `node_modules` has
//! (Node, "Loading from node_modules folders", "Built-in modules").

use super::packages::MODULES;
use super::table::table;
use super::{flags, pnp};
use crate::error::Error;
use crate::language::source::missing::named_script;
use crate::language::source::reach::{Reach, first_of_each};
use crate::language::{Call, MissingModule};
use crate::path::RootPath;
use crate::root::RootGlob;

/// Maximum size of a manifest.
const MAX_MANIFEST: usize = 1 << 20;

/// The packages that are required and missing.
pub(super) fn find(call: &Call<'_>) -> Result<Vec<MissingModule>, Error> {
    let mut found = Vec::new();
    let script = match (call.scripts.first(), named_script(call)) {
        (Some(script), _) => call.root.follow(script.as_bytes())?.file().map(|(real, _)| real.clone()),
        (None, Some(word)) => call.file(word)?,
        (None, None) => None,
    };
    let Some(script) = script else { return Ok(found) };
    // Loaders and Plug'n'Play change the module search path.
    if !flags::loaded(call)?.modules.is_empty() || pnp::above(call.root, call.cwd)?.is_some() {
        return Ok(found);
    }
    let is_own = |file: &RootPath| !file.ancestors().iter().any(|dir| dir.name() == MODULES);
    let mut reach = Reach::from(Some(script).into_iter().filter(is_own).collect());
    while let Some((file, text)) = reach.next(call.root)? {
        if pnp::above(call.root, &file)?.is_some() || table().modules.changes_search.occur_in(text.as_bytes()) {
            continue;
        }
        for (line, name) in required(&text) {
            let dir = file.parent().unwrap_or_else(RootPath::root);
            if name.starts_with("./") || name.starts_with("../") {
                reach.add(source(call, &dir, name)?.into_iter().filter(is_own));
            } else if is_package(name) && !is_there(call, &dir, name)? {
                let module = package(name);
                let help =
                    format!("npm install {module} in the builder stage, as a dependency and not a devDependency");
                found.push(MissingModule::import(&file, line, module, "Node", help));
            }
        }
    }
    Ok(first_of_each(found))
}

/// The names that statements in the first column require, with the number of the line.
fn required(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_template = false;
    for (at, line) in text.lines().enumerate() {
        let is_inside = is_template;
        is_template ^= line.matches('`').count() % 2 == 1;
        let is_import = line.starts_with("import ") || line.starts_with("import{") || line.starts_with("export ");
        let starts = ["const ", "let ", "var ", "require("];
        let rest = match () {
            () if is_inside => None,
            () if is_import => {
                let from = line.split_once(" from ").map(|(_, rest)| rest);
                from.or_else(|| line.strip_prefix("import ").filter(|rest| rest.starts_with(['"', '\''])))
            }
            () if starts.iter().any(|start| line.starts_with(start)) => {
                line.split_once("require(").map(|(_, rest)| rest)
            }
            () => None,
        };
        // A condition or a function on the line decides whether it runs.
        let is_plain = !["=>", "?", "function", "&&", "||", "catch"].iter().any(|word| line.contains(word));
        let Some(rest) = rest.map(str::trim_start).filter(|_| is_plain) else { continue };
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
        found.extend(rest[1..].split(quote).next().map(|name| (at + 1, name)));
    }
    found
}

/// True for the name of a package that Node looks for in `node_modules`.
fn is_package(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "@/._-~".contains(c);
    let first = name.split('/').next().unwrap_or_default();
    !name.is_empty()
        && name.chars().all(is_part)
        && !name.starts_with(['/', '.', '~'])
        && !table().modules.built_in.contain(first)
        && first != "@"
}

/// The package of a name: `name` or `@scope/name`.
fn package(name: &str) -> String {
    let parts = if name.starts_with('@') { 2 } else { 1 };
    name.split('/').take(parts).collect::<Vec<_>>().join("/")
}

fn is_there(call: &Call<'_>, dir: &RootPath, name: &str) -> Result<bool, Error> {
    let package = package(name);
    let mut places: Vec<String> = dir.ancestors().iter().map(|above| format!("{above}/node_modules")).collect();
    places.push(format!("{dir}/node_modules"));
    places.extend(call.env.get("NODE_PATH").iter().flat_map(|list| list.split(':')).map(str::to_owned));
    for pattern in table().packages.places.iter() {
        places.extend(call.root.matching(&RootGlob::new(pattern)?)?.iter().map(ToString::to_string));
    }
    for place in places {
        for end in ["", ".js", ".json", ".node"] {
            if call.root.follow(format!("{place}/{package}{end}").as_bytes())?.found().is_some() {
                return Ok(true);
            }
        }
    }
    // A package may import itself by its own name.
    for above in dir.ancestors().iter().chain([dir]) {
        let manifest = call.root.read_followed(above.join(b"package.json").as_bytes(), MAX_MANIFEST)?;
        if manifest.is_some_and(|(_, text)| names_itself(&text, &package)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn names_itself(manifest: &[u8], package: &str) -> bool {
    let json: serde_json::Value = serde_json::from_slice(manifest).unwrap_or_default();
    json["name"] == package || json["imports"].is_object() && package.starts_with('#')
}

/// The source that a relative name leads to.
fn source(call: &Call<'_>, dir: &RootPath, name: &str) -> Result<Option<RootPath>, Error> {
    for end in ["", ".js", ".cjs", ".mjs", "/index.js"] {
        if let Some((real, _)) = call.root.follow_from(dir, format!("{name}{end}").as_bytes())?.file() {
            return Ok(super::is_source(real).then(|| real.clone()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_that_every_run_reaches_are_seen() {
        let text = "const a = require('one')\nimport b from \"two\"\nimport 'three'\nif (x) { require('no') }\n  const c = \
                    require('no2')\nconst d = x ? require('no3') : 0\nlet e = () => require('no4')\nrequire('four').go()\nconst t \
                    = `\nimport 'no5'\n`\ntry { require('no6') } catch {}\n";
        let names: Vec<&str> = required(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["one", "two", "three", "four"]);
        assert!(is_package("@a/b/c") && !is_package("fs") && !is_package("node:test") && !is_package("fs/promises"));
        assert_eq!((package("@a/b/c"), package("x/y")), ("@a/b".to_owned(), "x".to_owned()));
    }
}
