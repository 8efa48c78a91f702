//! Ruby: the application's directory, its bundle and the gems that the environment names; the standard library and
//! installed gems are the profile's.

use super::{Call, Needs, app};
use crate::error::Error;

/// Variables that name directories of gems (gem-environment(1), bundle-config(1)).
const VARIABLES: [&str; 4] = ["GEM_HOME", "GEM_PATH", "BUNDLE_PATH", "RUBYLIB"];

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
    // `bundle exec puma` is a call of puma.
    let is_bundle = call.scripts.first().is_some_and(|script| matches!(script.name(), b"bundle" | b"bundle3.1"));
    if is_bundle && call.args.first().is_some_and(|word| word == "exec") && call.args.len() > 1 {
        needs.calls.push(call.args[1..].to_vec());
    }
    Ok(needs)
}
