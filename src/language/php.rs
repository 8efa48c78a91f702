//! PHP: the application's directory with its `vendor`; extensions and configuration are the profile's.

use super::{Call, Needs, app};
use crate::error::Error;

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let is_php = |name: &str| name.starts_with("php");
    if call.program(is_php)?.is_none() {
        return Ok(Needs::default());
    }
    Ok(Needs {
        homes: app::plain_homes(call, "application")?,
        notes: app::alone(call)?.into_iter().collect(),
        ..Needs::default()
    })
}
