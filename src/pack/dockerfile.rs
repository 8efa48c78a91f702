//! Run settings of an image as Dockerfile instructions, since a directory has no configuration and `COPY --from` loses
//! it.
//!
//! Values come from images and service units. A value that cannot be written as one line with exactly this meaning is
//! not printed (Dockerfile reference, "Environment replacement" and "Format").

use crate::closure::DEFAULT_PATH;
use crate::config::Healthcheck;
#[cfg(feature = "cli")]
use crate::image_reader::RunConfig;
#[cfg(feature = "cli")]
use crate::plan::Details;
use crate::plan::RunSettings;
use crate::text;

/// The run settings of an image as instructions.
#[cfg(feature = "cli")]
pub(crate) fn statements_of(image: &RunConfig) -> Vec<String> {
    let run = RunSettings {
        entrypoint: image.entrypoint.clone(),
        command: image.command.clone(),
        env: image.env.clone(),
        workdir: image.workdir.clone(),
        user: image.user.clone(),
        ports: image.ports.iter().cloned().collect(),
        volumes: image.volumes.iter().cloned().collect(),
        details: Details {
            stop_signal: image.stop_signal.clone(),
            healthcheck: image.healthcheck.clone(),
            ..Details::default()
        },
        ..RunSettings::default()
    };
    let label = |(name, value): (&String, &String)| whole(format!("LABEL {}={}", word(name), quoted(value)), "a label");
    image.labels.iter().map(label).chain(statements(&run)).collect()
}

/// The instructions to put after `FROM scratch` and `COPY`.
pub(crate) fn statements(run: &RunSettings) -> Vec<String> {
    let mut found = Vec::new();
    // Defaults of engines are omitted: PATH, the directory / and the user root.
    let env = run.env.iter().filter(|(name, value)| *name != "PATH" || *value != DEFAULT_PATH);
    found.extend(env.map(|(name, value)| match is_name(name) {
        true => whole(format!("ENV {name}={}", quoted(value)), &format!("the value of ENV {name}")),
        false => comment("the name of a variable of ENV"),
    }));
    if !run.workdir.is_empty() && run.workdir != "/" {
        found.push(whole(format!("WORKDIR {}", word(&run.workdir)), "WORKDIR"));
    }
    found.extend(run.ports.iter().map(|port| whole(format!("EXPOSE {}", word(port)), "a port of EXPOSE")));
    if !run.user.is_empty() && run.user != "0:0" {
        found.push(whole(format!("USER {}", word(&run.user)), "USER"));
    }
    found.extend(
        run.volumes.iter().map(|path| whole(format!("VOLUME {}", array(std::slice::from_ref(path))), "VOLUME")),
    );
    let details = &run.details;
    if !details.stop_signal.is_empty() {
        found.push(whole(format!("STOPSIGNAL {}", word(&details.stop_signal)), "STOPSIGNAL"));
    }
    if let Some(check) = details.healthcheck.as_ref().and_then(Healthcheck::instruction) {
        found.push(whole(format!("HEALTHCHECK {}", text::json(&check)), "HEALTHCHECK"));
    }
    for (name, words) in [("ENTRYPOINT", &run.entrypoint), ("CMD", &run.command)] {
        if !words.is_empty() {
            found.push(whole(format!("{name} {}", array(words)), name));
        }
    }
    found
}

/// Words as a JSON array.
fn array(words: &[String]) -> String {
    let quoted = |word: &String| text::json(&serde_json::Value::from(word.as_str()).to_string()).into_owned();
    format!("[{}]", words.iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// A statement that can be pasted unchanged, or a comment on why there is none.
fn whole(statement: String, what: &str) -> String {
    if text::line(&statement) == statement { statement } else { comment(what) }
}

fn comment(what: &str) -> String {
    format!("# {what} contains characters that a Dockerfile cannot express: set it when the container is started")
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    name.chars().all(is_part) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// A word, quoted unless it is plain.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

/// A value in quotes, in which a backslash, a quote and a dollar need a backslash.
fn quoted(value: &str) -> String {
    quoted_by(value, '\\')
}

/// A value in quotes, for a file with this escape character.
pub(crate) fn quoted_by(value: &str, escape: char) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '$') || c == escape {
            out.push(escape);
        }
        out.push(c);
    }
    out + "\""
}
