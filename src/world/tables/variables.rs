//! Environment variables.

use serde::Deserialize;

use super::table;

/// Environment variables.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Variables {
    read_at_start: Vec<String>,
}

impl Variables {
    /// True for a variable that a loader or an interpreter reads.
    pub(crate) fn is_read_at_start(&self, name: &str) -> bool {
        self.read_at_start.iter().any(|start| name.starts_with(start.as_str()))
    }
}

table! {
    /// The environment variables used by rules.
    pub(crate) fn variables() -> Variables = "variables"
}
