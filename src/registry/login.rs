//! Logins in the files of podman and docker (containers-auth.json(5), docker's config.json), and credential helpers
//! (docker-credential-helpers, "Development").

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::error::Error;

/// Maximum size of a helper's answer.
const MAX_ANSWER: u64 = 1 << 20;

/// Credentials. There is no `Debug`: a secret is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// A user's name and password.
    Password(String, String),
    /// A refresh token, to be exchanged for tokens (distribution, "OAuth2 Token Authentication").
    Identity(String),
    /// A token that is sent unchanged.
    Token(String),
}

impl Login {
    /// The secret, which must not appear in messages.
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::Password(_, secret) | Self::Identity(secret) | Self::Token(secret) => secret,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The login for the first of these names for which a file has one; `None` for anonymous access.
///
/// # Errors
/// `bad-credentials`.
pub(super) fn find(names: &[String]) -> Result<Option<Login>, Error> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = variable("REGISTRY_AUTH_FILE") {
        return in_file(Path::new(&path), names);
    }
    if let Some(text) = std::env::var("DOCKER_AUTH_CONFIG").ok().filter(|text| !text.is_empty())
        && let Some(login) = parsed(text.as_bytes(), "DOCKER_AUTH_CONFIG", names)?
    {
        return Ok(Some(login));
    }
    let home = variable("HOME").map(PathBuf::from);
    let runtime = variable("XDG_RUNTIME_DIR").map_or_else(
        || PathBuf::from(format!("/run/containers/{}", rustix::process::getuid().as_raw())),
        |dir| PathBuf::from(dir).join("containers"),
    );
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".config")));
    let docker = variable("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".docker")));
    let files = [
        Some(runtime.join("auth.json")),
        config.map(|dir| dir.join("containers/auth.json")),
        docker.map(|dir| dir.join("config.json")),
    ];
    for file in files.into_iter().flatten().filter(|file| file.exists()) {
        if let Some(login) = in_file(&file, names)? {
            return Ok(Some(login));
        }
    }
    Ok(None)
}

fn in_file(path: &Path, names: &[String]) -> Result<Option<Login>, Error> {
    let place = path.display().to_string();
    let text = crate::text::read_bytes(path).map_err(|error| bad(&place, "cannot be read").because(error))?;
    parsed(&text, &place, names)
}

fn bad(place: &str, why: &str) -> Error {
    Error::new("bad-credentials", format!("{place}: {why}")).help("log in again with docker login or podman login")
}

/// Looks up a login in a document. Messages do not quote the document.
fn parsed(text: &[u8], place: &str, names: &[String]) -> Result<Option<Login>, Error> {
    let file: File = serde_json::from_slice(text)
        .map_err(|error| bad(place, &format!("it is not the JSON that docker writes (line {})", error.line())))?;
    for name in names {
        if let Some(helper) = file.helpers.get(name) {
            return from_helper(helper, name);
        }
        if let Some(login) = file.auths.get(name).map(|entry| of_entry(entry, place)).transpose()?.flatten() {
            return Ok(Some(login));
        }
    }
    let Some(store) = &file.store else { return Ok(None) };
    // Credential stores have logins for registries, not for parts of them.
    for name in names.iter().filter(|name| !name.contains('/') || name.contains("://")) {
        if let Some(login) = from_helper(store, name)? {
            return Ok(Some(login));
        }
    }
    Ok(None)
}

fn of_entry(entry: &Entry, place: &str) -> Result<Option<Login>, Error> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(token) = filled(&entry.registrytoken) {
        return Ok(Some(Login::Token(token)));
    }
    if let Some(token) = filled(&entry.identitytoken) {
        return Ok(Some(Login::Identity(token)));
    }
    if let Some(auth) = filled(&entry.auth) {
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoded = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient).decode(auth.trim()).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        // Docker pads with NULs (docker/cli, file.go: decodeAuth).
        return match text.as_deref().map(|text| text.trim_matches('\0')).and_then(|text| text.split_once(':')) {
            Some((user, password)) => Ok(Some(Login::Password(user.to_owned(), password.to_owned()))),
            None => Err(bad(place, "an auth in it is not USER:PASSWORD in base64")),
        };
    }
    Ok(filled(&entry.username).zip(filled(&entry.password)).map(|(user, password)| Login::Password(user, password)))
}

/// Asks `docker-credential-NAME`; `None` if it has no login. Its output is not printed, because it may contain secrets.
fn from_helper(name: &str, server: &str) -> Result<Option<Login>, Error> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(bad("the credential helper", "its name in the file is invalid"));
    }
    let program = format!("docker-credential-{name}");
    let fails = |why: &str| {
        Error::new("bad-credentials", format!("{program}: {why}"))
            .help(format!("try it: echo {server} | {program} get"))
    };
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| fails("cannot be started").because(error))?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input ends with its own error.
        let _ = input.write_all(server.as_bytes());
    }
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        let _ = output.take(MAX_ANSWER).read_to_end(&mut answer);
    }
    let status = child.wait().map_err(|error| fails("cannot be waited for").because(error))?;
    if !status.success() {
        // docker-credential-helpers, credentials/error.go: errCredentialsNotFoundMessage.
        let is_unknown = String::from_utf8_lossy(&answer).contains("credentials not found");
        return if is_unknown { Ok(None) } else { Err(fails("it fails")) };
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| fails("its answer is invalid"))?;
    Ok(Some(match answer.username.as_str() {
        "<token>" => Login::Identity(answer.secret),
        _ => Login::Password(answer.username, answer.secret),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str, names: &[&str]) -> Result<Option<String>, &'static str> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        parsed(text.as_bytes(), "a file", &names).map_err(|error| error.code).map(|login| {
            login.map(|login| match login {
                Login::Password(user, password) => format!("{user}/{password}"),
                Login::Identity(token) => format!("identity {token}"),
                Login::Token(token) => format!("token {token}"),
            })
        })
    }

    #[test]
    fn entries_are_read_in_every_form() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        // printf 'me:pa:ss' | base64
        let text = r#"{"auths": {"r": {"auth": "bWU6cGE6c3M="}, "r/team": {"username": "you", "password": "x"},
            "i": {"auth": "bWU6cGE6c3M=", "identitytoken": "abc"}, "t": {"registrytoken": "def"}, "e": {}, "b": {"auth": "%"}}}"#;
        assert_eq!(login(text, &["r"]), some("me/pa:ss"));
        assert_eq!(login(text, &["r/team/app", "r/team", "r"]), some("you/x"));
        assert_eq!(login(text, &["i"]), some("identity abc"));
        assert_eq!(login(text, &["t"]), some("token def"));
        assert_eq!(login(text, &["e"]), Ok(None));
        assert_eq!(login(text, &["other"]), Ok(None));
        assert_eq!(login(text, &["b"]), Err("bad-credentials"));
        assert_eq!(login("secret", &["b"]), Err("bad-credentials"));
        assert_eq!(login(r#"{"credHelpers": {"r": "../x"}}"#, &["r"]), Err("bad-credentials"));
        assert_eq!(login(r#"{"credsStore": "no-such-helper-here"}"#, &["r"]), Err("bad-credentials"));
    }
}
