//! `slimroot.verify.toml`: several runs of a program, each with its own arguments, conditions and probes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use regex::bytes::Regex;
use serde::Deserialize;

use super::Experiment;
use super::probe::{Probe, Request, ready};
use crate::error::Error;
use crate::path::RootPath;

/// Maximum size of a file.
const MAX_FILE: u64 = 4 << 20;
/// Maximum length of a compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;
/// Signals by name (signal(7)); the same on all machines that the tracer supports.
const SIGNALS: [(&str, i32); 12] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("WINCH", 28),
    ("PWR", 30),
];

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    run: Vec<Row>,
}

/// A run; defaults are those of the command line.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    #[serde(default)]
    name: String,
    line: Option<Vec<String>>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    input: String,
    status: Option<i32>,
    stdout: Option<String>,
    stderr: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    workdir: Option<String>,
    user: Option<String>,
    net: Option<bool>,
    ready: Option<String>,
    #[serde(rename = "for")]
    lasts: Option<String>,
    limit: Option<String>,
    #[serde(default)]
    probe: Vec<ProbeRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ProbeRow {
    url: String,
    status: Option<u16>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(rename = "match")]
    matches: Option<String>,
}

/// Reads the runs of a file. `usual` are the default conditions of each.
///
/// # Errors
/// `bad-argument`.
pub fn read(file: &Path, usual: &Experiment) -> Result<Vec<Experiment>, Error> {
    use std::io::Read;
    let bad = |says: String| Error::new("bad-argument", format!("--file {}: {says}", file.display()));
    let mut text = String::new();
    let opened = std::fs::File::open(file).and_then(|open| open.take(MAX_FILE).read_to_string(&mut text));
    opened.map_err(|error| bad("it cannot be read".to_owned()).because(error))?;
    let document: Document = toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        bad(format!("line {at}: {}", error.message()))
            .help("[[run]] has line or args, status, stdout, stderr, probe, …")
    })?;
    if document.run.is_empty() {
        return Err(bad("it has no [[run]]".to_owned()));
    }
    document.run.into_iter().map(|row| row.experiment(usual)).collect()
}

impl Row {
    fn experiment(self, usual: &Experiment) -> Result<Experiment, Error> {
        let mut run = usual.clone();
        run.line = self.line.unwrap_or(run.line);
        run.line.extend(self.args);
        if run.line.is_empty() {
            return Err(Error::new("bad-argument", format!("the run {} has no `line`", self.name)));
        }
        run.name = if self.name.is_empty() { run.line.join(" ") } else { self.name };
        run.input = self.input.into_bytes();
        run.status = self.status.unwrap_or(0);
        run.says = [pattern(self.stdout)?, pattern(self.stderr)?];
        run.env.extend(self.env);
        run.user = self.user.unwrap_or(run.user);
        run.net = self.net.unwrap_or(run.net);
        if let Some(dir) = self.workdir {
            run.workdir = RootPath::new(&dir).ok_or_else(|| {
                Error::new("bad-argument", format!("workdir {dir} is not an absolute path without `..`"))
            })?;
        }
        if let Some(text) = self.ready {
            run.ready = Some(ready(&text)?);
        }
        if let Some(text) = self.lasts {
            run.lasts = Some(time("for", &text)?);
        }
        if let Some(text) = self.limit {
            run.limit = time("limit", &text)?;
        }
        for row in self.probe {
            run.probes.push(row.probe()?);
        }
        Ok(run)
    }
}

impl ProbeRow {
    fn probe(self) -> Result<Probe, Error> {
        let method = self.method.unwrap_or_else(|| if self.body.is_empty() { "GET" } else { "POST" }.to_owned());
        let is_bad = |text: &str| text.bytes().any(|byte| byte.is_ascii_control());
        let is_header = |(name, value): (&String, &String)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !is_bad(value)
        };
        if method.is_empty()
            || !method.bytes().all(|byte| byte.is_ascii_alphabetic())
            || !self.headers.iter().all(is_header)
        {
            return Err(Error::new("bad-argument", format!("{}: the method or a header is none of HTTP", self.url)));
        }
        let request = Request { method, headers: self.headers, body: self.body.into_bytes() };
        Ok(Probe::parse(&self.url)?.with(request, self.status, pattern(self.matches)?))
    }
}

fn pattern(text: Option<String>) -> Result<Option<Regex>, Error> {
    let parse = |text: String| {
        let built = regex::bytes::RegexBuilder::new(&text).multi_line(true).size_limit(MAX_PATTERN).build();
        built.map_err(|_| Error::new("bad-argument", format!("`{text}` is not a regular expression")))
    };
    text.map(parse).transpose()
}

/// Parses `10s`, `500ms` or `2m`; `option` is the option with this value, for messages.
///
/// # Errors
/// `bad-argument`.
pub fn time(option: &str, text: &str) -> Result<Duration, Error> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = digits.parse::<u32>().ok();
    let unit = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" | "" => Some(1000),
        "m" => Some(60_000),
        _ => None,
    };
    let parsed = number.zip(unit).map(|(number, unit)| Duration::from_millis(u64::from(number) * unit));
    parsed.ok_or_else(|| Error::new("bad-argument", format!("{option} {text} is not a time such as 10s, 500ms or 2m")))
}

/// The number of a signal: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`. `None` if it is unknown.
pub fn signal(text: &str) -> Option<i32> {
    /// The kernel's first real-time signal, plus two that C libraries reserve.
    const FIRST_REAL_TIME: i32 = 34;
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let known = SIGNALS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    let real_time = || {
        let rest = name.strip_prefix("RTMIN")?;
        let more = if rest.is_empty() { Some(0) } else { rest.strip_prefix('+')?.parse::<i32>().ok() };
        more.map(|more| FIRST_REAL_TIME.saturating_add(more))
    };
    known.or_else(|| name.parse().ok()).or_else(real_time).filter(|number| (1..=64).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let parsed = |text| time("--for", text).ok().map(|time| time.as_millis());
        assert_eq!(
            [parsed("10s"), parsed("500ms"), parsed("2m"), parsed("3")],
            [10_000, 500, 120_000, 3_000].map(Some)
        );
        assert_eq!([parsed("s"), parsed("1h"), parsed("-1s")], [None; 3]);
    }

    #[test]
    fn signals_have_names_and_numbers() {
        let found = ["SIGTERM", "QUIT", "9", "SIGRTMIN+3", "SIGNONE", "0", "RTMIN+99"].map(signal);
        assert_eq!(found, [Some(15), Some(3), Some(9), Some(37), None, None, None]);
    }
}
