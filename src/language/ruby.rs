//! Ruby: the application's directory, its bundle and the gems that the environment names; the standard library and
//! installed gems are the profile's.

use super::{Call, Needs, app, literals};
use crate::error::Error;
use crate::path::RootPath;

/// Variables that name directories of gems (gem-environment(1), bundle-config(1)).
const VARIABLES: [&str; 4] = ["GEM_HOME", "GEM_PATH", "BUNDLE_PATH", "RUBYLIB"];

/// Where gems are installed for all: of Debian, of RubyGems, of the official images.
const GEMS: [&str; 5] = [
    "/usr/share/rubygems-integration",
    "/usr/lib/ruby/vendor_ruby",
    "/var/lib/gems",
    "/usr/local/bundle",
    "/usr/local/lib/ruby/gems",
];

/// Where bundler keeps its settings: beside the application, or where this variable says (bundle-config(1)).
const APP_CONFIG: &str = "BUNDLE_APP_CONFIG";
const MAX_CONFIG: usize = 1 << 20;

/// BUNDLE_PATH of bundler's settings, counted from the application.
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

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    if call.program(|name| name.starts_with("ruby") || name == "truffleruby")?.is_none() {
        return Ok(Needs::default());
    }
    let mut needs = Needs {
        homes: app::plain_homes(call, "application")?,
        notes: app::alone(call)?.into_iter().collect(),
        ..Needs::default()
    };
    for name in VARIABLES {
        for dir in call.env.get(name).iter().flat_map(|list| list.split(':')) {
            if let Some(dir) = call.dir(dir)?.filter(|dir| !app::is_wide(dir)) {
                needs.homes.push(app::home(dir, "Ruby gems", Box::new(|_, _| false)));
            }
        }
    }
    let mut dirs = bundles(call)?;
    dirs.extend(call.args.iter().filter_map(|word| word.strip_prefix("-I")).map(str::to_owned));
    for dir in dirs {
        if let Some(dir) = call.dir(&dir)?.filter(|dir| !app::is_wide(dir)) {
            needs.homes.push(app::home(dir, "Ruby gems", Box::new(|_, _| false)));
        }
    }
    let mut sources: Vec<RootPath> = needs.homes.iter().map(|home| home.dir.clone()).collect();
    for dir in GEMS {
        sources.extend(call.root.follow(dir.as_bytes())?.dir().cloned());
    }
    literals::ruby(call, &sources, &mut needs)?;
    // `bundle exec puma` is a call of puma.
    let is_bundle = call.scripts.first().is_some_and(|script| script.name().starts_with(b"bundle"));
    if is_bundle && call.args.first().is_some_and(|word| word == "exec") && call.args.len() > 1 {
        needs.calls.push(call.args[1..].to_vec());
    }
    Ok(needs)
}
