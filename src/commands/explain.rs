//! `slimroot explain`: prints the page of a code.

use crate::check::{CHECKS, explain};
use crate::error::{ERROR_CODES, Error};

pub(crate) fn run(code: Option<&str>) -> Result<String, Error> {
    let codes = || CHECKS.iter().map(|check| check.code).chain(ERROR_CODES.iter().map(|known| known.code));
    let Some(code) = code else {
        let checks: Vec<_> = CHECKS.iter().map(|check| check.code).collect();
        let errors: Vec<_> = ERROR_CODES.iter().map(|known| known.code).collect();
        return Ok(format!("findings\n  {}\n\nerrors\n  {}\n", checks.join("\n  "), errors.join("\n  ")));
    };
    match explain(code) {
        Some(text) => Ok(format!("{code}\n\n{text}\n")),
        None => {
            let near = crate::profile::nearest(code, codes());
            let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            Err(Error::new("unknown-code", format!("there is no code {code}{near}"))
                .help("slimroot explain lists the codes"))
        }
    }
}
