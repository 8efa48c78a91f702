//! Health checks of images (docker's image specification v1.2, "Healthcheck"; Dockerfile reference, "HEALTHCHECK").

use serde::{Deserialize, Serialize};

use super::probe::{self, PROBE};

/// A command that an engine runs periodically in a container. Durations are in nanoseconds; zero means the engine's
/// default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `CMD` with a program and its arguments, `CMD-SHELL` with text for /bin/sh, or `NONE`.
    pub test: Vec<String>,
    /// Time between two runs.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: u64,
    /// Time after which a run counts as failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: u64,
    /// Time in which failed runs do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: u64,
    /// Time between two runs in the start period.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: u64,
    /// Number of failed runs after which a container is unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u64,
    /// True if the command starts slimroot's own probe, which is packed for it.
    #[serde(skip)]
    pub packs_probe: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Healthcheck {
    /// Parses the arguments of the Dockerfile instruction: options such as `--interval=30s`, then `NONE`, or a command
    /// with or without `CMD`. A command is a JSON array, or words that are executed without a shell. Text after
    /// `CMD-SHELL` is for /bin/sh. An address (`http://HOST:PORT/PATH`, `tcp:HOST:PORT`, `grpc:HOST:PORT/SERVICE`)
    /// instead of a command is checked by slimroot's own probe.
    ///
    /// # Errors
    /// Returns a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut found = Self::default();
        let mut rest = text.trim();
        while let Some(option) = rest.strip_prefix("--") {
            let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
            found.set(option)?;
            rest = after.trim_start();
        }
        if let Some(script) = rest.strip_prefix("CMD-SHELL ") {
            found.test = vec!["CMD-SHELL".to_owned(), script.trim().to_owned()];
            return Ok(found);
        }
        if rest == "NONE" {
            found.test = vec!["NONE".to_owned()];
            return Ok(found);
        }
        if probe::is_address(rest) {
            return found.probing(rest);
        }
        let words = exec_form(rest.strip_prefix("CMD ").unwrap_or(rest))?;
        if words.is_empty() {
            return Err("it names no command".to_owned());
        }
        found.test = std::iter::once("CMD".to_owned()).chain(words).collect();
        Ok(found)
    }

    /// The health check with slimroot's probe. The probe enforces the timeout itself, because not every engine ends a
    /// hanging check.
    fn probing(mut self, address: &str) -> Result<Self, String> {
        probe::check(address)?;
        self.test = ["CMD", PROBE, address].map(str::to_owned).to_vec();
        if self.timeout > 0 {
            self.test.push(self.timeout.div_ceil(MILLISECOND).min(MAX_TIMEOUT).to_string());
        }
        self.packs_probe = true;
        Ok(self)
    }

    /// The address that the command requests, if slimroot's probe can request it instead.
    pub fn address(&self) -> Option<String> {
        let command = self.command().filter(|words| words.first().is_some_and(|program| program != PROBE))?;
        let words = command.iter().flat_map(|word| shlex::split(word).unwrap_or_default());
        let mut found: Vec<String> = words.filter(|word| probe::is_address(word)).collect();
        found.dedup();
        match found.as_slice() {
            [one] if probe::check(one).is_ok() && !one.contains('$') => Some(one.clone()),
            _ => None,
        }
    }

    fn set(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let place = match name {
            "retries" => {
                self.retries = value.parse().map_err(|_| format!("--retries={value} is not a number"))?;
                return Ok(());
            }
            "interval" => &mut self.interval,
            "timeout" => &mut self.timeout,
            "start-period" => &mut self.start_period,
            "start-interval" => &mut self.start_interval,
            _ => return Err(format!("it has no option --{name}")),
        };
        *place = nanoseconds(value).ok_or_else(|| format!("--{option} is not a duration such as 30s or 1m30s"))?;
        Ok(())
    }

    /// The command that is started, if there is one.
    pub fn command(&self) -> Option<Vec<String>> {
        match self.test.split_first() {
            Some((kind, words)) if kind == "CMD" && !words.is_empty() => Some(words.to_vec()),
            Some((kind, [script])) if kind == "CMD-SHELL" => {
                Some(["/bin/sh", "-c", script].map(str::to_owned).to_vec())
            }
            _ => None,
        }
    }

    /// The Dockerfile instruction without its name, with the command as a JSON array. `None` for an inherited check.
    pub fn instruction(&self) -> Option<String> {
        if self.test.first().is_some_and(|kind| kind == "NONE") {
            return Some("NONE".to_owned());
        }
        let command = self.command()?;
        let mut text = String::new();
        for (name, value) in [
            ("interval", self.interval),
            ("timeout", self.timeout),
            ("start-period", self.start_period),
            ("start-interval", self.start_interval),
        ] {
            if value > 0 {
                text.push_str(&format!("--{name}={} ", duration(value)));
            }
        }
        if self.retries > 0 {
            text.push_str(&format!("--retries={} ", self.retries));
        }
        Some(format!("{text}CMD {}", serde_json::Value::from(command)))
    }
}

/// A command as in Dockerfiles: a JSON array, or words with quotes. No shell is involved.
///
/// # Errors
/// Returns a sentence that says what is wrong.
pub fn exec_form(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.starts_with('[') {
        return serde_json::from_str(text).map_err(|_| format!("{text} is not a JSON array of strings"));
    }
    shlex::split(text).ok_or_else(|| format!("the quotes in {text} are not closed"))
}

/// In nanoseconds.
const MILLISECOND: u64 = 1_000_000;
/// The longest timeout of the probe, in milliseconds: a day.
const MAX_TIMEOUT: u64 = 86_400_000;

/// Units of Go's time.ParseDuration, in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Whole numbers with units, such as `1m30s`.
fn nanoseconds(text: &str) -> Option<u64> {
    let (mut rest, mut sum) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let unit = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(unit);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(*size)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

/// With the largest unit that divides it.
fn duration(nanoseconds: u64) -> String {
    let fitting = UNITS.iter().rev().find(|(_, size)| nanoseconds.is_multiple_of(*size));
    let (name, size) = fitting.copied().unwrap_or(("ns", 1));
    format!("{}{name}", nanoseconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_and_written() {
        let parsed = |text: &str| Healthcheck::parse(text).map(|found| found.instruction().unwrap_or_default());
        let same = |text: &str| assert_eq!(parsed(text), Ok(text.to_owned()));
        same(r#"--interval=90s --timeout=500ms --start-period=2m --retries=5 CMD ["curl","-f","http://127.0.0.1/"]"#);
        same("NONE");
        assert_eq!(parsed("curl -f 'a b'"), Ok(r#"CMD ["curl","-f","a b"]"#.to_owned()));
        assert_eq!(parsed("--interval=1m30s CMD x"), Ok(r#"--interval=90s CMD ["x"]"#.to_owned()));
        assert_eq!(parsed("CMD-SHELL a || exit 1"), Ok(r#"CMD ["/bin/sh","-c","a || exit 1"]"#.to_owned()));
        assert_eq!(
            parsed("--timeout=1500ms http://127.0.0.1:8000/health"),
            Ok(r#"--timeout=1500ms CMD ["/slimroot-probe","http://127.0.0.1:8000/health","1500"]"#.to_owned())
        );
        assert_eq!(parsed("tcp:localhost:1"), Ok(r#"CMD ["/slimroot-probe","tcp:localhost:1"]"#.to_owned()));
        for bad in [
            "",
            "--interval=30s",
            "--interval=30 x",
            "--often x",
            "CMD 'x",
            "[\"x\"",
            "--retries=few x",
            "http://a/",
            "http://127.0.0.1/ x",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_that_the_probe_can_ask_is_found() {
        let found = |text: &str| Healthcheck::parse(text).expect("a check").address();
        let address = Some("http://localhost:8000/health".to_owned());
        assert_eq!(found("CMD-SHELL curl -f http://localhost:8000/health || exit 1"), address);
        assert_eq!(found(r#"CMD ["wget", "-q", "http://localhost:8000/health"]"#), address);
        for other in [
            "CMD-SHELL curl -f http://localhost:8000/$PAGE",
            "curl -fk https://localhost:8000/",
            "curl http://app:8000/",
            "curl http://127.0.0.1/a http://127.0.0.1/b",
            "http://127.0.0.1/",
            "pg_isready",
            "NONE",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
