//! `npm start` and its kin: the command that package.json gives takes their place, since npm itself is 10 MB, swallows
//! signals and wants a home to write to.

use serde::Deserialize;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

const MAX_JSON: usize = 16 << 20;
/// Signs that only a shell understands.
const SHELL_SIGNS: [char; 10] = ['&', '|', ';', '$', '`', '<', '>', '(', '*', '"'];

#[derive(Deserialize, Default)]
#[serde(default)]
struct Package {
    scripts: std::collections::BTreeMap<String, String>,
    main: Option<String>,
}

/// What a runner of scripts would start: the words in its place, with PATH as the runner sets it. `None` if the entry is
/// none, or the script needs a shell.
///
/// # Errors
/// `unreadable`.
pub fn replaced(root: &Root, entry: &str, args: &[String], cwd: &RootPath) -> Result<Option<Vec<String>>, Error> {
    let runner = entry.rsplit('/').next().unwrap_or_default();
    let words: Vec<&str> =
        args.iter().map(String::as_str).filter(|word| *word != "--silent" && *word != "-s").collect();
    let read = root.read_followed(cwd.join(b"package.json").as_bytes(), MAX_JSON)?;
    let package: Package = read.and_then(|(_, text)| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let (script, rest) = match (runner, words.as_slice()) {
        ("npm" | "yarn" | "pnpm", ["start", rest @ ..]) => ("start", rest),
        ("npm" | "yarn" | "pnpm", ["run" | "run-script", name, rest @ ..]) => (*name, rest),
        ("yarn" | "pnpm", [name, rest @ ..]) if package.scripts.contains_key(*name) => (*name, rest),
        ("npx", [name, rest @ ..]) if !name.starts_with('-') => return binary(root, cwd, name, rest),
        ("npm" | "pnpm", ["exec", "--", name, rest @ ..] | ["exec", name, rest @ ..]) => {
            return binary(root, cwd, name, rest);
        }
        _ => return Ok(None),
    };
    let rest = rest.strip_prefix(&["--"]).unwrap_or(rest);
    let line = match package.scripts.get(script) {
        Some(line) => line.clone(),
        // Without a script npm starts server.js.
        None if script == "start" => format!("node {}", package.main.as_deref().unwrap_or("server.js")),
        None => return Ok(None),
    };
    let has_hooks = ["pre", "post"].iter().any(|hook| package.scripts.contains_key(&format!("{hook}{script}")));
    if line.contains(SHELL_SIGNS) || has_hooks || line.split_whitespace().next().is_none_or(|word| word.contains('=')) {
        return Ok(None);
    }
    let mut found: Vec<String> = line.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect();
    found.extend(rest.iter().map(|word| (*word).to_owned()));
    if let Some(local) = binary(root, cwd, &found[0].clone(), &[])? {
        found.splice(..1, local);
    }
    Ok(Some(found))
}

/// A command of an installed package.
fn binary(root: &Root, cwd: &RootPath, name: &str, rest: &[&str]) -> Result<Option<Vec<String>>, Error> {
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
            r#"{"scripts":{"start":"node dist/main.js -v","web":"next start","all":"a && b"},"main":"x.js"}"#,
        )
        .file("/app/node_modules/.bin/next", 0o755, "");
        let root = Root::new(Arc::new(tree));
        let app = RootPath::new("/app").expect("a path");
        let told = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            replaced(&root, &words[0], &words[1..], &app).expect("readable").map(|words| words.join(" "))
        };
        assert_eq!(told("npm start").as_deref(), Some("node dist/main.js -v"));
        assert_eq!(told("/usr/bin/npm run start -- -p 1").as_deref(), Some("node dist/main.js -v -p 1"));
        assert_eq!(told("yarn web").as_deref(), Some("/app/node_modules/.bin/next start"));
        assert_eq!(told("npx next dev").as_deref(), Some("/app/node_modules/.bin/next dev"));
        for other in ["npm run all", "npm install", "node x.js", "npx none"] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
