//! `slimroot explain`: prints the page of a code or a rule.

use crate::check::{checks, explain};
use crate::closure::rule_pages;
use crate::error::{ERROR_CODES, Error};
use crate::profile::nearest;

/// The prefix of an id of a rule.
const RULE: &str = "rule:";

pub(crate) fn run(code: Option<&str>) -> Result<String, Error> {
    let codes = || checks().map(|check| check.code).chain(ERROR_CODES.iter().map(|known| known.code));
    let rules = || rule_pages().into_iter().map(|(id, _)| id);
    let Some(code) = code else {
        let found: Vec<_> = checks().map(|check| check.code).collect();
        let errors: Vec<_> = ERROR_CODES.iter().map(|known| known.code).collect();
        let rules: Vec<_> = rules().map(|id| format!("{RULE}{id}")).collect();
        let lists = [("findings", found.join("\n  ")), ("errors", errors.join("\n  ")), ("rules", rules.join("\n  "))];
        return Ok(lists.map(|(name, list)| format!("{name}\n  {list}\n")).join("\n"));
    };
    if let Some(id) = code.strip_prefix(RULE) {
        return match rule_pages().into_iter().find(|(known, _)| *known == id) {
            Some((_, about)) => Ok(format!("{code}\n\n{about}\n\n--no-rule {id} leaves it out.\n")),
            None => Err(unknown(&format!("rule {id}"), nearest(id, rules()))),
        };
    }
    match explain(code) {
        Some(text) => Ok(format!("{code}\n\n{text}\n")),
        None => Err(unknown(&format!("code {code}"), nearest(code, codes()))),
    }
}

fn unknown(what: &str, near: Option<&str>) -> Error {
    let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
    Error::new("unknown-code", format!("there is no {what}{near}"))
        .help("slimroot explain lists the codes and the rules")
}
