//! Libraries that the application requires in every run and that no directory of the load path has (ruby(1), -I and
//! RUBYLIB; Kernel#require; the gem command's `environment`).

use std::collections::BTreeSet;

use super::bundles;
use super::table::table;
use crate::error::Error;
use crate::language::source::lookup::lookup;
use crate::language::source::reach::{Reach, first_of_each};
use crate::language::source::statements::{Prose, first_column};
use crate::language::{Call, MissingModule, Needs};
use crate::path::RootPath;
use crate::root::RootGlob;

const PROSE: Prose = Prose { block: ("=begin", "=end"), ends: &["__END__"], here: "<<" };
/// Words in a line that make it conditional, or compute a name.
const CONDITIONS: [&str; 5] = [" if ", " unless ", " rescue ", "#{", "&&"];

/// The libraries that are required and missing.
pub(super) fn find(call: &Call<'_>, needs: &Needs) -> Result<Vec<MissingModule>, Error> {
    let (mut found, mut places) = (Vec::new(), None);
    let mut reach = Reach::from(sources(call)?);
    while let Some((file, text)) = reach.next(call.root)? {
        let own = file.parent().unwrap_or_else(RootPath::root);
        let is_judged = !lookup().ruby.changes_search.occur_in(text.as_bytes());
        for (line, name, is_relative) in required(&text) {
            if is_relative {
                reach.add(relative(call, &own, name)?);
                continue;
            }
            if !is_judged || lookup().ruby.built_in.contain(name) {
                continue;
            }
            if places.is_none() {
                places = Some(Places::of(call, needs)?);
            }
            if let Some(places) = &places
                && places.is_known
                && !places.have(call, name)?
            {
                let help =
                    "install its gem in the builder stage, in a group of the Gemfile that production has".to_owned();
                found.push(MissingModule::import(&file, line, name.to_owned(), "Ruby", help));
            }
        }
    }
    Ok(first_of_each(found))
}

/// The script, unless it is one that a gem installs, and what a server reads.
fn sources(call: &Call<'_>) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    if let Some(script) = call.script()? {
        let name = String::from_utf8_lossy(script.name()).into_owned();
        if lookup().ruby.servers.contain(&name) {
            found.extend(call.file(&lookup().ruby.rackup)?);
        } else if let Some((real, _)) = call.root.follow(script.as_bytes())?.file()
            && name.ends_with(".rb")
        {
            found.push(real.clone());
        }
    }
    Ok(found)
}

/// The names that statements in the first column require, with their lines; true for a path from the source.
fn required(text: &str) -> Vec<(usize, &str, bool)> {
    let mut found = Vec::new();
    for (at, line) in first_column(text, &PROSE) {
        for statement in line.split(';').map(str::trim) {
            let (rest, is_relative) =
                match (statement.strip_prefix("require_relative"), statement.strip_prefix("require")) {
                    (Some(rest), _) => (rest, true),
                    (None, Some(rest)) => (rest, false),
                    (None, None) => continue,
                };
            let rest = rest.trim_start_matches([' ', '(']);
            let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
            let Some((name, _)) = rest[1..].split_once(quote) else { continue };
            let is_plain = !CONDITIONS.iter().any(|word| line.contains(word));
            if is_plain && !name.is_empty() && !name.starts_with(['/', '.', '~']) | is_relative {
                found.push((at, name, is_relative));
            }
        }
    }
    found
}

fn relative(call: &Call<'_>, own: &RootPath, name: &str) -> Result<Option<RootPath>, Error> {
    for end in ["", ".rb"] {
        if let Some((real, _)) = call.root.follow_from(own, format!("{name}{end}").as_bytes())?.file() {
            return Ok(Some(real.clone()));
        }
    }
    Ok(None)
}

/// Directories in which Ruby looks for a library.
struct Places {
    dirs: BTreeSet<RootPath>,
    /// False if the standard library was not found, so that missing modules cannot be determined.
    is_known: bool,
}

impl Places {
    fn of(call: &Call<'_>, needs: &Needs) -> Result<Self, Error> {
        let mut dirs: BTreeSet<RootPath> = needs.claims.iter().map(|claim| claim.dir.clone()).collect();
        let mut add = |pattern: String| -> Result<(), Error> {
            let Ok(glob) = RootGlob::new(&pattern) else { return Ok(()) };
            dirs.extend(call.root.matching(&glob)?);
            Ok(())
        };
        let mut prefixes: BTreeSet<String> = BTreeSet::from(["/usr".to_owned(), "/usr/local".to_owned()]);
        if let Some((_, real)) = call.program(|_| true)? {
            let above = real.parent().and_then(|dir| dir.parent());
            prefixes.extend(above.map(|dir| RootGlob::literal(&dir)));
        }
        let mut gems: BTreeSet<String> = table().gems.places.iter().map(str::to_owned).collect();
        for prefix in &prefixes {
            for end in lookup().ruby.library.iter() {
                add(format!("{prefix}/{end}"))?;
            }
            gems.extend([format!("{prefix}/lib/ruby/gems"), format!("{prefix}/lib/*/ruby/gems")]);
            gems.insert(format!("{prefix}/lib/*/rubygems-integration"));
        }
        let listed =
            table().gems.variables.iter().filter_map(|name| call.env.get(name)).flat_map(|list| list.split(':'));
        gems.extend(listed.map(|dir| String::from_utf8_lossy(&call.spelled(dir)).into_owned()));
        gems.extend(bundles(call)?);
        let home = call.env.get("HOME").map_or("/root", String::as_str);
        gems.extend(lookup().ruby.homes.iter().map(|dir| format!("{home}/{dir}")));
        gems.extend(dirs_of_claims(needs).map(|dir| format!("{dir}/vendor/bundle")));
        for place in &gems {
            add(place.clone())?;
            for depth in ["", "/*", "/*/*"] {
                for end in ["gems/*", "gems/*/lib", "gems/*/lib/*", "bundler/gems/*/lib", "extensions/*/*/*"] {
                    add(format!("{place}{depth}/{end}"))?;
                }
            }
        }
        for word in call
            .args
            .iter()
            .map(String::as_str)
            .chain(call.env.get("RUBYOPT").into_iter().flat_map(|all| all.split(' ')))
        {
            let dir = word.strip_prefix("-I").filter(|dir| !dir.is_empty());
            dirs.extend(dir.map(|dir| call.dir(dir)).transpose()?.flatten());
        }
        let own: Vec<RootPath> = dirs_of_claims(needs).cloned().collect();
        dirs.extend(own.iter().map(|dir| dir.join(b"lib")));
        let places = Self { dirs, is_known: true };
        let is_known = places.have(call, &lookup().ruby.always)?;
        Ok(Self { is_known, ..places })
    }

    fn have(&self, call: &Call<'_>, name: &str) -> Result<bool, Error> {
        for dir in &self.dirs {
            for end in ["", ".rb", ".so"] {
                if call.root.follow(dir.join(format!("{name}{end}").as_bytes()).as_bytes())?.file().is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn dirs_of_claims(needs: &Needs) -> impl Iterator<Item = &RootPath> {
    needs.claims.iter().map(|claim| &claim.dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_that_every_run_requires_are_seen() {
        let text = "require 'one'\nrequire(\"two/three\"); require 'four'\nrequire 'no' if x\nbegin\n  require 'no'\nrescue \
                    LoadError\nend\nrequire_relative '../five'\nrequire \"no#{x}\"\nrequire name\nrequire '/no/path'\nrequires 'no'\n";
        let names: Vec<(&str, bool)> = required(text).into_iter().map(|(_, name, relative)| (name, relative)).collect();
        assert_eq!(names, [("one", false), ("two/three", false), ("four", false), ("../five", true)]);
    }
}
