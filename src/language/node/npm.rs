//! Replaces `npm start` and similar commands with the command in package.json. npm itself has 10 MB, does not forward
//! signals and needs a writable home directory.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::pnp;
use super::table::table;
use crate::error::Error;
use crate::language::source::json;
use crate::path::RootPath;
use crate::root::Root;

/// Maximum size of a package.json.
pub(super) const MAX_JSON: usize = 16 << 20;
/// The script that a runner starts by default.
const START: &str = "start";
/// Characters that only a shell interprets.
const SHELL_SIGNS: [char; 15] = ['&', '|', ';', '$', '`', '<', '>', '(', '*', '?', '[', '~', '#', '\\', '\n'];

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Package {
    pub(super) scripts: BTreeMap<String, String>,
    main: Option<String>,
}

/// The command that a script runner would start.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Variables that the script sets for the command.
    pub env: BTreeMap<String, String>,
}

/// Returns the command that a script runner would start, with PATH as the runner sets it. `None` if the entry is not a
/// script runner, or if the script needs a shell.
///
/// # Errors
/// `unreadable`.
pub fn replaced(root: &Root, entry: &str, args: &[String], cwd: &RootPath) -> Result<Option<Replaced>, Error> {
    let (name, known) = (entry.rsplit('/').next().unwrap_or_default(), table());
    let Some(runner) = known.runner.iter().find(|runner| runner.names.contain(name)) else { return Ok(None) };
    let words: Vec<&str> =
        args.iter().map(String::as_str).filter(|word| !known.scripts.options.contain(word)).collect();
    let read = root.read_followed(cwd.join(b"package.json").as_bytes(), MAX_JSON)?;
    let is_package = read.is_some();
    let package: Package = read.and_then(|(real, text)| json::read(root, &real, &text)).unwrap_or_default();
    let installed = |name: &str, rest: &[&str]| -> Result<Option<Replaced>, Error> {
        Ok(binary(root, cwd, name, rest)?.map(|words| Replaced { words, env: BTreeMap::new() }))
    };
    let (script, rest) = match words.as_slice() {
        [first, rest @ ..] if runner.start.contain(first) => (START, rest),
        [first, name, rest @ ..] if runner.run.contain(first) => (*name, rest),
        [name, rest @ ..] if runner.scripts && package.scripts.contains_key(*name) => (*name, rest),
        [first, rest @ ..] if runner.program.contain(first) => {
            return loaded(root, cwd, Replaced::of(&known.program, rest));
        }
        [name, rest @ ..] if runner.execs && !name.starts_with('-') => return installed(name, rest),
        [first, "--", name, rest @ ..] | [first, name, rest @ ..] if runner.exec.contain(first) => {
            return installed(name, rest);
        }
        _ => return Ok(None),
    };
    let rest = rest.strip_prefix(&["--"]).unwrap_or(rest);
    let line = match package.scripts.get(script) {
        Some(line) => line.clone(),
        // Without a start script, npm starts server.js; without a package.json, it fails.
        None if script == START && is_package => {
            format!("{} {}", known.program, package.main.as_deref().unwrap_or("server.js"))
        }
        None if is_package => return Ok(None),
        None => {
            let says = format!("`{entry} {}` reads package.json, and {cwd} has none", args.join(" "));
            return Err(Error::new("entry-missing", says).help("--workdir DIR, the directory of package.json"));
        }
    };
    let has_hooks = ["pre", "post"].iter().any(|hook| package.scripts.contains_key(&format!("{hook}{script}")));
    let Some(mut found) = plain(&line).filter(|_| !has_hooks) else { return Ok(None) };
    found.words.extend(rest.iter().map(|word| (*word).to_owned()));
    if let Some(local) = binary(root, cwd, &found.words[0].clone(), &[])? {
        found.words.splice(..1, local);
    }
    loaded(root, cwd, found)
}

impl Replaced {
    fn of(first: &str, rest: &[&str]) -> Self {
        let words = std::iter::once(first).chain(rest.iter().copied()).map(str::to_owned).collect();
        Self { words, env: BTreeMap::new() }
    }
}

/// Splits a command line in which only quotes and leading variable assignments need a shell; `None` for any other.
fn plain(line: &str) -> Option<Replaced> {
    if line.contains(SHELL_SIGNS) {
        return None;
    }
    let (mut words, mut quote, mut word) = (Vec::new(), None, None::<String>);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let mut found = Replaced::default();
    for word in words {
        let is_name = |name: &str| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        match word.split_once('=') {
            _ if found.words.is_empty() && table().scripts.no_ops.contain(&word) => {}
            Some((name, value)) if found.words.is_empty() && is_name(name) && !name.is_empty() => {
                found.env.insert(name.to_owned(), value.to_owned());
            }
            _ => found.words.push(word),
        }
    }
    (quote.is_none() && !found.words.is_empty()).then_some(found)
}

/// With Plug'n'Play the runner makes node load the loader first. Other commands are inside archives that only the
/// runner can open.
fn loaded(root: &Root, cwd: &RootPath, mut found: Replaced) -> Result<Option<Replaced>, Error> {
    let Some(loader) = pnp::above(root, cwd)? else { return Ok(Some(found)) };
    if found.words[0] != table().program {
        return Ok(None);
    }
    let mut first = vec!["--require".to_owned(), loader.to_string()];
    let modules = loader.parent().unwrap_or_else(RootPath::root).join(b".pnp.loader.mjs");
    if root.follow(modules.as_bytes())?.file().is_some() {
        first.extend(["--experimental-loader".to_owned(), format!("file://{modules}")]);
    }
    found.words.splice(1..1, first);
    Ok(Some(found))
}

/// The executable of an installed package.
pub(super) fn binary(root: &Root, cwd: &RootPath, name: &str, rest: &[&str]) -> Result<Option<Vec<String>>, Error> {
    let place = format!("{cwd}/node_modules/.bin/{name}");
    if name.contains('/') || root.follow(place.as_bytes())?.file().is_none() {
        return Ok(None);
    }
    Ok(Some([place].into_iter().chain(rest.iter().map(|word| (*word).to_owned())).collect()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn scripts_take_the_place_of_their_runner() {
        let mut tree = MemTree::default();
        tree.file(
            "/app/package.json",
            0o644,
            r#"{"scripts":{"start":"node dist/main.js -v","web":"next start","all":"a && b","set":"A='b c' cross-env D=1 node \"x y.js\""},"main":"x.js"}"#,
        )
        .file("/app/node_modules/.bin/next", 0o755, "");
        let root = Root::new(Arc::new(tree));
        let app = RootPath::new("/app").expect("a path");
        let told = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let found = replaced(&root, &words[0], &words[1..], &app).expect("readable");
            found.map(|found| {
                let env = found.env.iter().map(|(name, value)| format!("{name}={value}"));
                env.chain(found.words).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(told("npm start").as_deref(), Some("node dist/main.js -v"));
        assert_eq!(told("/usr/bin/npm run start -- -p 1").as_deref(), Some("node dist/main.js -v -p 1"));
        assert_eq!(told("yarn web").as_deref(), Some("/app/node_modules/.bin/next start"));
        assert_eq!(told("npx next dev").as_deref(), Some("/app/node_modules/.bin/next dev"));
        assert_eq!(told("npm run set").as_deref(), Some("A=b c D=1 node x y.js"));
        for other in ["npm run all", "npm install", "node x.js", "npx none"] {
            assert_eq!(told(other), None, "{other}");
        }
        let nowhere = replaced(&root, "npm", &["start".to_owned()], &RootPath::root());
        assert_eq!(nowhere.expect_err("/ has no package.json").code, "entry-missing");
    }
}
