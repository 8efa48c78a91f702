//! Findings: facts about the user's files, gathered to the end and shown together, each with its trail.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Note,
    /// The image may not do what is expected.
    Warning,
    /// The image does not work: `build` writes none.
    Error,
}

/// A fact about the user's files.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The kebab-case code; `slimroot explain CODE` has its page.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it is about: a library's name, a path, a pattern. `--allow CODE=SUBJECT` goes by it.
    pub subject: String,
    /// One sentence.
    pub says: String,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted_by: Option<String>,
    /// The chain of reasons, from the entry on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// Where it was looked for, in order, and what was found there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub searched: Vec<Searched>,
    /// What helps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// Why the user gave it another level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranked: Option<String>,
}

/// A place that was looked at, or not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Searched {
    /// Where the place comes from.
    pub source: &'static str,
    /// The file tried; empty if the source as a whole was not consulted.
    pub candidate: String,
    /// What became of it.
    pub outcome: String,
}

impl Finding {
    /// A finding with its sentence; the rest is added.
    pub fn new(code: &'static str, level: Level, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            code,
            level,
            subject: subject.into(),
            says: says.into(),
            wanted_by: None,
            because: Vec::new(),
            searched: Vec::new(),
            help: Vec::new(),
            ranked: None,
        }
    }

    /// Adds what helps.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}
