//! The commands. Each turns options into library calls and returns a value; only `cli::render` prints.

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod contents;
pub(crate) mod deps;
pub(crate) mod dockerfile;
pub(crate) mod explain;
pub(crate) mod made;
pub(crate) mod profiles;
pub(crate) mod subject;
pub(crate) mod why;

use std::collections::BTreeMap;

use crate::check::Ranking;
use crate::cli::{RankOptions, RootOptions};
use crate::closure::Request;
use crate::error::Error;
use crate::finding::Level;
use crate::loader::CPU_LEVELS;
use crate::path::RootPath;

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

fn workdir(text: &str) -> Result<RootPath, Error> {
    RootPath::new(text)
        .ok_or_else(|| Error::new("bad-argument", format!("--workdir {text} is not an absolute path without `..`")))
}

fn cpu(level: &str) -> Result<String, Error> {
    // The psABI calls the baseline x86-64.
    match level == "x86-64" || level == "x86-64-v1" || CPU_LEVELS.concat().contains(&level) {
        true => Ok(level.to_owned()),
        false => Err(Error::new("bad-argument", format!("--cpu {level} is not a CPU level of glibc"))
            .help(format!("use x86-64, {}", CPU_LEVELS.concat().join(", ")))),
    }
}

/// A request for an entry with its arguments, without the content options.
fn request(options: &RootOptions, line: &[String]) -> Result<Request, Error> {
    Ok(Request {
        entry: line.first().cloned().unwrap_or_default(),
        args: line.iter().skip(1).cloned().collect(),
        env: pairs("--env", &options.env)?,
        workdir: options.workdir.as_deref().map(workdir).transpose()?,
        cpu: options.cpu.as_deref().map(cpu).transpose()?,
        interpreter: options.interpreter.as_ref().map(|path| path.clone().into_bytes()),
        ..Request::default()
    })
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
