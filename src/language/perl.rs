//! Perl: the application's directory; where modules are installed is the profile's.

use super::{Call, Needs, app};
use crate::error::Error;

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    if call.program(|name| name == "perl" || name.starts_with("perl5"))?.is_none() {
        return Ok(Needs::default());
    }
    let mut needs = Needs {
        homes: app::plain_homes(call, "application")?,
        notes: app::alone(call)?.into_iter().collect(),
        ..Needs::default()
    };
    for dir in call.env.get("PERL5LIB").iter().flat_map(|list| list.split(':')) {
        if let Some(dir) = call.dir(dir)?.filter(|dir| !app::is_wide(dir)) {
            needs.homes.push(app::home(dir, "application", Box::new(|_, _| false)));
        }
    }
    Ok(needs)
}
