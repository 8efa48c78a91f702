//! The commands. Each turns options into library calls and returns a value; only `cli::render` prints.

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod contents;
pub(crate) mod deps;
pub(crate) mod explain;
mod fence;
mod inherit;
pub(crate) mod profiles;
pub(crate) mod trace;
pub(crate) mod why;

use std::collections::BTreeMap;

use crate::check::Ranking;
use crate::cli::RankOptions;
use crate::error::Error;
use crate::finding::Level;

/// Splits `K=V`.
fn pair(option: &str, text: &str) -> Result<(String, String), Error> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Error::new("bad-argument", format!("{option} {text} is not of the form NAME=VALUE"))),
    }
}

fn pairs(option: &str, texts: &[String]) -> Result<BTreeMap<String, String>, Error> {
    texts.iter().map(|text| pair(option, text)).collect()
}

fn rankings(options: &RankOptions) -> Result<Vec<Ranking>, Error> {
    let mut found = Vec::new();
    for (texts, level) in
        [(&options.deny, Some(Level::Error)), (&options.warn, Some(Level::Warning)), (&options.allow, None)]
    {
        for text in texts {
            found.push(Ranking::parse(text, level)?);
        }
    }
    Ok(found)
}
