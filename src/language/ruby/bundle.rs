//! Gems that bundler is configured not to load (bundle-config(1), `without`): gems in excluded groups, and gems that
//! only these depend on. This applies only if the whole Gemfile is plain text; otherwise the bundle is packed
//! completely.

use std::collections::{BTreeMap, BTreeSet};

use std::rc::Rc;

use crate::error::Error;
use crate::language::source::application as app;
use crate::language::{Call, Needs};
use crate::path::RootPath;

const MAX_FILE: usize = 4 << 20;
/// The group of gems without an explicit group.
const DEFAULT: &str = "default";

/// Excludes the gems that bundler does not load from all claims of a call.
pub(super) fn leave_out(call: &Call<'_>, needs: &mut Needs) -> Result<(), Error> {
    for app in app::dirs(call)? {
        let read = |name: &str| {
            let found = call.root.read_followed(format!("{app}/{name}").as_bytes(), MAX_FILE)?;
            Ok::<_, Error>(found.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()))
        };
        let (Some(gemfile), Some(lock)) = (read("Gemfile")?, read("Gemfile.lock")?) else { continue };
        if call.env.contains_key("BUNDLE_GEMFILE") {
            continue;
        }
        let config = match call.env.get("BUNDLE_APP_CONFIG") {
            Some(dir) => {
                let found = call.root.read_followed(format!("{dir}/config").as_bytes(), MAX_FILE)?;
                found.map(|(_, text)| String::from_utf8_lossy(&text).into_owned())
            }
            None => read(".bundle/config")?,
        };
        let config = config.unwrap_or_default();
        let setting = |name: &str| setting(&config, name).or_else(|| call.env.get(name).cloned()).unwrap_or_default();
        if !setting("BUNDLE_ONLY").is_empty() {
            continue;
        }
        let list = |text: String| -> BTreeSet<String> {
            text.split([':', ' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let (without, with) = (list(setting("BUNDLE_WITHOUT")), list(setting("BUNDLE_WITH")));
        let without: BTreeSet<String> = without.difference(&with).cloned().collect();
        let gems = unneeded(&gemfile, &lock, &without);
        if gems.is_empty() {
            continue;
        }
        let names: Vec<&str> = without.iter().map(String::as_str).collect();
        needs.notes.push(format!(
            "{} gems in groups that bundler excludes ({}) are left out",
            gems.len(),
            names.join(", ")
        ));
        for home in &mut needs.claims {
            let gems = gems.clone();
            let others = std::mem::replace(&mut home.without, Rc::new(|_, _| false));
            home.without = Rc::new(move |root, path| is_of(&gems, path) || others(root, path));
        }
    }
    Ok(())
}

/// True for the directory of one of the gems, its specification or its built extension.
fn is_of(gems: &BTreeSet<String>, path: &RootPath) -> bool {
    let Some(dir) = path.parent() else { return false };
    let name = String::from_utf8_lossy(path.name());
    match dir.name() {
        b"gems" => gems.contains(name.as_ref()),
        b"specifications" => name.strip_suffix(".gemspec").is_some_and(|name| gems.contains(name)),
        _ => {
            let is_built = dir.parent().and_then(|dir| dir.parent()).is_some_and(|dir| dir.name() == b"extensions");
            is_built && gems.contains(name.as_ref())
        }
    }
}

/// A value in bundler's configuration.
fn setting(config: &str, name: &str) -> Option<String> {
    let lines = config.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
        .next()
}

/// `NAME-VERSION` of the locked gems that only excluded groups need.
fn unneeded(gemfile: &str, lock: &str, without: &BTreeSet<String>) -> BTreeSet<String> {
    let Some(groups) = groups(gemfile).filter(|_| !without.is_empty()) else { return BTreeSet::new() };
    let locked = locked(lock);
    let is_in = |groups: &BTreeSet<String>| groups.iter().any(|group| !without.contains(group));
    // If the lock file lists a dependency that we did not find in the Gemfile, our reading is incomplete: leave nothing
    // out.
    if dependencies(lock).any(|name| !groups.contains_key(name)) {
        return BTreeSet::new();
    }
    let mut open: Vec<&str> =
        groups.iter().filter(|(_, groups)| is_in(groups)).map(|(name, _)| name.as_str()).collect();
    open.push("bundler");
    let mut kept = BTreeSet::new();
    while let Some(name) = open.pop() {
        if kept.insert(name) {
            open.extend(locked.iter().filter(|gem| gem.name == name).flat_map(|gem| gem.needs.iter().copied()));
        }
    }
    let gone = locked.iter().filter(|gem| !kept.contains(gem.name));
    gone.map(|gem| format!("{}-{}", gem.name, gem.version)).collect()
}

/// A gem in the lock file.
struct Locked<'t> {
    name: &'t str,
    version: &'t str,
    needs: Vec<&'t str>,
}

/// Gems below `specs:`, each with its dependencies.
fn locked(lock: &str) -> Vec<Locked<'_>> {
    let mut found: Vec<Locked<'_>> = Vec::new();
    for line in lock.lines() {
        let (depth, line) = (line.len() - line.trim_start().len(), line.trim());
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        if depth == 4
            && let Some(version) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
        {
            found.push(Locked { name, version, needs: Vec::new() });
        } else if depth == 6
            && let Some(gem) = found.last_mut()
        {
            gem.needs.push(name);
        }
    }
    found
}

/// Names below `DEPENDENCIES`.
fn dependencies(lock: &str) -> impl Iterator<Item = &str> {
    let lines = lock.lines().skip_while(|line| *line != "DEPENDENCIES").skip(1);
    let names = lines.take_while(|line| line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    names.map(|name| name.trim_end_matches('!'))
}

/// The groups of each gem in a Gemfile; `None` if any part of it is computed.
fn groups(gemfile: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut open: Vec<BTreeSet<String>> = Vec::new();
    for line in gemfile.lines().map(str::trim) {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once([' ', '(']).unwrap_or((line, ""));
        match word {
            "source" | "ruby" | "git_source" if !rest.ends_with(" do") => {}
            "end" => drop(open.pop()?),
            "group" => open.push(symbols(rest.strip_suffix(" do")?)?),
            "platforms" | "platform" | "source" => {
                rest.strip_suffix(" do")?;
                open.push(BTreeSet::new());
            }
            "gem" => {
                let mut of: BTreeSet<String> = open.iter().flatten().cloned().collect();
                let (name, said) = gem(rest)?;
                of.extend(said);
                if of.is_empty() {
                    of.insert(DEFAULT.to_owned());
                }
                found.entry(name).or_default().extend(of);
            }
            _ => return None,
        }
    }
    open.is_empty().then_some(found)
}

/// The name of a gem and the groups given on its line.
fn gem(rest: &str) -> Option<(String, BTreeSet<String>)> {
    let rest = rest.trim_end_matches(')');
    let quote = rest.trim_start().chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut parts = rest.trim_start()[1..].splitn(2, quote);
    let (name, options) = (parts.next()?, parts.next()?);
    // Only a comma may follow the name. A condition or a continuation line cannot be interpreted.
    let options = options.trim();
    if !options.is_empty() && !options.starts_with(',') || options.ends_with([',', '\\']) {
        return None;
    }
    if [" if ", " unless ", "?", "#{"].iter().any(|sign| options.contains(sign)) || name.contains("#{") {
        return None;
    }
    let key = ["group:", "groups:", ":group =>", ":groups =>", ":group=>", ":groups=>"];
    let said = key.iter().find_map(|key| options.split_once(key).map(|(_, said)| said.trim_start()));
    let Some(said) = said else { return (!options.contains("group")).then(|| (name.to_owned(), BTreeSet::new())) };
    let list = match said.strip_prefix('[') {
        Some(list) => list.split_once(']')?.0,
        None => said.split(',').next()?,
    };
    Some((name.to_owned(), symbols(list)?))
}

/// Parses `:a, :b` or `'a'`; `None` if an item is anything else.
fn symbols(list: &str) -> Option<BTreeSet<String>> {
    let list = list.trim().trim_start_matches('(').trim_end_matches(')');
    let name = |word: &str| {
        let word = word.trim();
        let name = word.strip_prefix(':').unwrap_or_else(|| word.trim_matches(['"', '\'']));
        let is_plain = name.len() < word.len() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        is_plain.then(|| name.to_owned())
    };
    list.split(',').map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "GEM\n  remote: x\n  specs:\n    a (1)\n      b (~> 1)\n    b (1)\n    d (2)\n      b\n      e\n    e (3)\n    t (4)\n\nDEPENDENCIES\n  a\n  d\n  t\n";

    fn found(gemfile: &str, without: &str) -> Vec<String> {
        let without = without.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        unneeded(gemfile, LOCK, &without).into_iter().collect()
    }

    #[test]
    fn gems_of_excluded_groups_go_with_what_only_they_need() {
        let gemfile = "source 'https://x'\ngem 'a', '~> 1'\ngroup :development, :more do\n  gem \"d\"\nend\ngem 't', group: [:test, :development]\n";
        assert_eq!(found(gemfile, "development test"), ["t-4"]);
        assert_eq!(found(gemfile, "development test more"), ["d-2", "e-3", "t-4"]);
        assert_eq!(found(gemfile, "test"), [""; 0]);
        assert_eq!(found(gemfile, ""), [""; 0]);
    }

    #[test]
    fn a_computed_gemfile_decides_nothing() {
        for line in ["gem 't', group: g", "gem 't' if x", "eval_gemfile 'y'", "gem n", "gem 't', group:\n  :test"] {
            let gemfile = format!("gem 'a'\ngroup :development do\n  gem 'd'\nend\n{line}\n");
            assert_eq!(found(&gemfile, "development test"), [""; 0], "{line}");
        }
        assert_eq!(found("gem 'a'\ngroup :development do\n  gem 'd'\nend\n", "development"), [""; 0]);
    }
}
