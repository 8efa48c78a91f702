//! `slimroot explain`: explains a code, a rule, or a message of another program.

use std::io::Read;
use std::path::Path;

use clap::Args;

use super::check::{self, Checked};
use crate::check::{Recognised, checks, explain, recognise};
use crate::cli::{RankOptions, RootOptions};
use crate::closure::rule_pages;
use crate::error::{ERROR_CODES, Error};
use crate::finding::Finding;
use crate::pack::Watch;
use crate::profile::nearest;

/// The prefix of an id of a rule.
const RULE: &str = "rule:";
/// Maximum size of a text on stdin.
const MAX_TEXT: u64 = 4 << 20;
/// Minimum length of a name in a message that can identify a finding.
const MIN_NAME: usize = 3;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The code in the brackets of a message, rule:ID, or a message of any program in quotes; - reads it from stdin.
    /// Without it, all codes are listed.
    #[arg(value_name = "CODE|TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    #[command(flatten)]
    root: RootOptions,
    /// The program of the root that printed the message, so that the exact file is named. Not needed if the root is an
    /// image.
    #[arg(last = true, value_name = "ENTRY")]
    entry: Vec<String>,
}

/// The answer.
pub(crate) struct Explained {
    /// A page of prose.
    pub(crate) page: String,
    /// Findings in the root that are about the message.
    pub(crate) findings: Vec<Finding>,
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Explained, Error> {
    let Some(text) = options.text.as_deref() else { return Ok(page(list())) };
    if text == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().take(MAX_TEXT).read_to_end(&mut bytes);
        read.map_err(|error| Error::new("unreadable", "cannot read stdin").because(error))?;
        return message(&String::from_utf8_lossy(&bytes), options, watch);
    }
    // Codes and rule ids contain no blanks.
    if text.trim().contains(char::is_whitespace) {
        return message(text, options, watch);
    }
    code(text).map(page)
}

fn page(page: String) -> Explained {
    Explained { page, findings: Vec::new() }
}

fn list() -> String {
    let found: Vec<_> = checks().map(|check| check.code).collect();
    let errors: Vec<_> = ERROR_CODES.iter().map(|known| known.code).collect();
    let rules: Vec<_> = rule_pages().into_iter().map(|(id, _)| format!("{RULE}{id}")).collect();
    let runs: Vec<_> = crate::proof::PAGES.iter().map(|(code, _)| *code).collect();
    let found = [found, runs].concat();
    let lists = [("findings", found.join("\n  ")), ("errors", errors.join("\n  ")), ("rules", rules.join("\n  "))];
    lists.map(|(name, list)| format!("{name}\n  {list}\n")).join("\n")
}

fn code(code: &str) -> Result<String, Error> {
    let codes = || checks().map(|check| check.code).chain(ERROR_CODES.iter().map(|known| known.code));
    let rules = || rule_pages().into_iter().map(|(id, _)| id);
    if let Some(id) = code.strip_prefix(RULE) {
        return match rule_pages().into_iter().find(|(known, _)| *known == id) {
            Some((_, about)) => Ok(format!("{code}\n\n{about}\n\n--no-rule {id} disables it.\n")),
            None => Err(unknown(&format!("rule {id}"), nearest(id, rules()))),
        };
    }
    match explain(code).or_else(|| crate::proof::page(code)) {
        Some(text) => Ok(format!("{code}\n\n{text}\n")),
        None => Err(unknown(&format!("code {code}"), nearest(code, codes()))),
    }
}

fn unknown(what: &str, near: Option<&str>) -> Error {
    let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
    Error::new("unknown-code", format!("there is no {what}{near}"))
        .help("slimroot explain lists the codes and the rules; put a message of another program in quotes")
}

/// Explains messages of other programs.
fn message(text: &str, options: &Options, watch: &Watch<'_>) -> Result<Explained, Error> {
    let found = recognise(text);
    if found.is_empty() {
        let says = "no line of this text is a message that slimroot knows";
        let help = "slimroot check --root ROOT ENTRY, or slimroot check IMAGE, looks for all problems that it knows";
        return Err(Error::new("unknown-message", says).help(help));
    }
    let mut out = String::new();
    for one in &found {
        out.push_str(&format!("{}\n\n{}\n\n  fix     {}\n", one.line, one.says, one.cure));
        if let Some(code) = one.code {
            out.push_str(&format!("  code    {code} (slimroot explain {code})\n"));
        }
        out.push_str(&format!("  source  {}\n\n", one.by));
    }
    let has_root = options.root.root != Path::new("/") || !options.entry.is_empty();
    if !has_root {
        out.push_str("With --root ROOT -- ENTRY, or --image IMAGE, slimroot names the exact file.\n");
        return Ok(page(out));
    }
    let findings = about(&found, &checked(options, watch)?);
    if findings.is_empty() {
        out.push_str(&format!(
            "slimroot check finds no such problem in {}: another image printed the message, or it is not about files of \
             the image.\n",
            options.root.root.display()
        ));
    }
    Ok(Explained { page: out, findings })
}

fn checked(options: &Options, watch: &Watch<'_>) -> Result<Checked, Error> {
    let options = check::Options {
        root: options.root.clone(),
        image: Default::default(),
        rank: RankOptions::default(),
        as_is: false,
        loaded_only: false,
        #[cfg(feature = "page")]
        report: None,
        user: None,
        healthcheck: None,
        config: None,
        format: Default::default(),
        entry: options.entry.clone(),
    };
    check::run(&options, watch)
}

/// The findings that are about one of the messages: they have a name in common, or else the code.
fn about(found: &[Recognised], checked: &Checked) -> Vec<Finding> {
    let names = |finding: &Finding, one: &Recognised| {
        let shares = |part: &&String| {
            let name = part.rsplit('/').next().unwrap_or(part);
            name.len() >= MIN_NAME && (finding.subject.contains(name) || finding.says.contains(name))
        };
        one.parts.iter().any(|part| shares(&part))
    };
    let is_named = |finding: &&Finding| found.iter().any(|one| names(finding, one));
    let has_code = |finding: &&Finding| found.iter().any(|one| one.code == Some(finding.code));
    let named: Vec<Finding> = checked.findings.iter().filter(is_named).cloned().collect();
    if named.is_empty() { checked.findings.iter().filter(has_code).cloned().collect() } else { named }
}
