//! The name of an image: a bare tag, or a name with or without a tag.

use crate::error::Error;
use crate::registry::grammar::{is_host, is_part, is_registry, is_tag};

/// The tag of an image if the user gives none.
const DEFAULT_TAG: &str = "latest";
/// Maximum length of a name including its registry (distribution/reference, reference.go:
/// RepositoryNameTotalLengthMax).
const MAX_NAME: usize = 255;

/// The image name given by the user, and what follows its tag.
pub(super) struct Name<'a>(Option<&'a str>, &'a str);

impl<'a> Name<'a> {
    pub(super) fn new(reference: Option<&'a str>) -> Self {
        Self(reference, "")
    }

    /// The same name with a suffix of its tag.
    pub(super) fn suffixed(self, suffix: &'a str) -> Self {
        Self(self.0, suffix)
    }

    /// The name by which skopeo and umoci select the image: as given.
    pub(super) fn ref_name(&self) -> String {
        self.whole(false).unwrap_or_else(|| format!("{DEFAULT_TAG}{}", self.1))
    }

    /// The name as given with the suffix; `None` if there is none.
    pub(super) fn whole(&self, is_always_name: bool) -> Option<String> {
        let (text, suffix) = (self.0?, self.1);
        let has_tag = split(text).2.is_some() || !is_always_name && is_bare_tag(text);
        let tag = if has_tag || suffix.is_empty() { String::new() } else { format!(":{DEFAULT_TAG}") };
        Some(format!("{text}{tag}{suffix}"))
    }

    /// The full reference that docker, podman and containerd show; `None` for a bare tag. Registry, namespace and tag
    /// get docker's defaults (distribution/reference, normalize.go).
    pub(super) fn full(&self, is_always_name: bool) -> Option<String> {
        let text = self.0?;
        if !is_always_name && is_bare_tag(text) {
            return None;
        }
        let (registry, path, tag) = split(text);
        let (registry, tag) = (registry.unwrap_or("docker.io"), tag.unwrap_or(DEFAULT_TAG));
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
        let library = if registry == "docker.io" && !path.contains('/') { "library/" } else { "" };
        Some(format!("{registry}/{library}{path}:{tag}{}", self.1))
    }
}

fn is_bare_tag(text: &str) -> bool {
    !text.contains(['/', ':', '@'])
}

/// Registry, path and tag of a name. The part before the first slash is a registry if it cannot be a part of a path
/// (normalize.go: splitDockerDomain).
fn split(text: &str) -> (Option<&str>, &str, Option<&str>) {
    let cut = text.rfind(':').filter(|at| !text[*at..].contains('/'));
    let (name, tag) = cut.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
    match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest, tag),
        _ => (None, name, tag),
    }
}

/// Refuses a name that no engine would load, before the archive is copied to another machine.
///
/// # Errors
/// `bad-argument`.
pub(super) fn check(text: &str, is_always_name: bool) -> Result<(), Error> {
    let bad = |what: &str, part: &str| {
        Err(Error::new(
            "bad-argument",
            format!("engines do not accept the image name {text}: {what} {part:?} is not one"),
        )
        .help("write for example latest, app:1.2 or registry.example/team/app:1.2; names are in lower case"))
    };
    if is_bare_tag(text) && !is_always_name {
        return if is_tag(text) { Ok(()) } else { bad("the tag", text) };
    }
    if text.contains('@') {
        return bad("the digest in", text);
    }
    let (registry, path, tag) = split(text);
    if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
        return bad("the tag", tag);
    }
    if let Some(registry) = registry.filter(|registry| !is_host(registry)) {
        return bad("the registry", registry);
    }
    if let Some(part) = path.split('/').find(|part| !is_part(part)) {
        return bad("the part", part);
    }
    // Engines treat a name that looks like an image ID as one (normalize.go: ParseNormalizedNamed).
    let is_id = path.len() == 64 && path.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    if is_id && registry.is_none() || registry.map_or(0, str::len) + path.len() >= MAX_NAME {
        return bad("the name", path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_as_docker_does() {
        let full = |text| Name::new(Some(text)).full(false);
        assert_eq!(full("v1"), None);
        assert_eq!(full("app:1").as_deref(), Some("docker.io/library/app:1"));
        assert_eq!(full("me/app").as_deref(), Some("docker.io/me/app:latest"));
        assert_eq!(full("localhost/app:1").as_deref(), Some("localhost/app:1"));
        assert_eq!(full("index.docker.io/app").as_deref(), Some("docker.io/library/app:latest"));
        assert_eq!(full("r.example:5000/app").as_deref(), Some("r.example:5000/app:latest"));
        assert_eq!(Name::new(Some("app")).full(true).as_deref(), Some("docker.io/library/app:latest"));
        assert_eq!((Name::new(None).full(true), Name::new(None).ref_name()), (None, "latest".to_owned()));
    }

    #[test]
    fn a_suffix_ends_the_tag() {
        let whole = |text, is_name| Name::new(text).suffixed("-debug").whole(is_name);
        let full = |text| Name::new(Some(text)).suffixed("-debug").full(false);
        assert_eq!(Name::new(None).suffixed("-debug").ref_name(), "latest-debug");
        assert_eq!(whole(Some("v1"), false).as_deref(), Some("v1-debug"));
        assert_eq!(whole(Some("app"), true).as_deref(), Some("app:latest-debug"));
        assert_eq!(whole(Some("r.example:5000/app"), false).as_deref(), Some("r.example:5000/app:latest-debug"));
        assert_eq!(full("app:1").as_deref(), Some("docker.io/library/app:1-debug"));
        assert_eq!(full("v1"), None);
    }

    #[test]
    fn names_that_no_engine_takes_are_refused() {
        let (tag, path, id) = ("x".repeat(128), format!("a.example/{}", "x".repeat(245)), "0a".repeat(32));
        for good in [
            "v1",
            "V1_a.b-c",
            "app:1",
            "me/app",
            "localhost/a__b/c--d.e:x",
            "r.example:5000/app",
            "R.Example/a",
            "Registry/a",
            "[fd00::1]:5000/app:1",
            "127.0.0.1/app",
            &tag,
            &path,
        ] {
            assert!(check(good, false).is_ok(), "{good}");
        }
        let (long_tag, long_path) = (format!("{tag}x"), format!("{path}x"));
        for bad in [
            "a b",
            "-v1",
            "App:1",
            "a..b:1",
            "a.-b:1",
            "a___b:1",
            "me//app",
            "/app",
            "app/",
            "app:",
            "app@sha256:ab",
            "app@1",
            "a/b_-c",
            "ä:1",
            "-r.example/app",
            "r..example/app",
            "r.example:x/app",
            "me:/app",
            "[fd00]x/app:1",
            &long_tag,
            &long_path,
        ] {
            assert_eq!(check(bad, false).err().map(|error| error.code), Some("bad-argument"), "{bad}");
        }
        assert!(check("App", false).is_ok() && check("App", true).is_err());
        assert!(check(&id, false).is_ok() && check(&id, true).is_err());
    }
}
