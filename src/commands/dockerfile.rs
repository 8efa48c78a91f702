//! The run settings as Dockerfile instructions. A directory has no image configuration, so they are lost with `COPY
//! --from`.

use crate::closure::DEFAULT_PATH;
use crate::plan::RunSettings;

/// The instructions to put after `FROM scratch` and `COPY`.
pub(crate) fn statements(run: &RunSettings) -> Vec<String> {
    let mut found = Vec::new();
    // Defaults of engines are omitted: PATH, the directory / and the user root.
    let env = run.env.iter().filter(|(name, value)| *name != "PATH" || *value != DEFAULT_PATH);
    found.extend(env.map(|(name, value)| format!("ENV {name}={}", quoted(value))));
    if !run.workdir.is_empty() && run.workdir != "/" {
        found.push(format!("WORKDIR {}", run.workdir));
    }
    found.extend(run.ports.iter().map(|port| format!("EXPOSE {port}")));
    if !run.user.is_empty() && run.user != "0:0" {
        found.push(format!("USER {}", run.user));
    }
    let words: Vec<String> =
        run.entrypoint.iter().map(|word| serde_json::Value::from(word.as_str()).to_string()).collect();
    found.push(format!("ENTRYPOINT [{}]", words.join(", ")));
    found
}

/// Quotes a value for ENV: backslashes, quotes and dollars get a backslash.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        if matches!(c, '\\' | '"' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out + "\""
}
