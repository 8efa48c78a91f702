//! Findings: problems in the user's files. They are collected and shown together at the end.

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For information.
    Note,
    /// The image may not work as expected.
    Warning,
    /// The image does not work: `build` writes none.
    Error,
}

/// A problem in the user's files.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The kebab-case code; `slimroot explain CODE` has its page.
    pub code: &'static str,
    /// Its severity.
    pub level: Level,
    /// The subject: a library's name, a path, a pattern. `--allow CODE=SUBJECT` matches it.
    pub subject: String,
    /// The message, one sentence.
    pub says: String,
    /// What the message counts without naming it. Text output has it with `-v`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<String>,
    /// The object that needs the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted_by: Option<String>,
    /// The chain of reasons, starting at the entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// The places that were searched, in order, with the results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub searched: Vec<Searched>,
    /// Possible remedies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// The user's reason for another level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranked: Option<String>,
}

/// One step of a search.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Searched {
    /// The part of the search path, such as `runpath` or `cache`.
    pub source: &'static str,
    /// The path that was tried; empty if this part was not consulted at all.
    pub candidate: String,
    /// The result.
    pub outcome: String,
}

impl Finding {
    /// A finding with its message; the other fields are empty.
    pub fn new(code: &'static str, level: Level, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            code,
            level,
            subject: subject.into(),
            says: says.into(),
            wanted_by: None,
            rest: Vec::new(),
            because: Vec::new(),
            searched: Vec::new(),
            help: Vec::new(),
            ranked: None,
        }
    }

    /// Adds a remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}
