//! `docker://HOST/REPOSITORY[:TAG|@DIGEST]`, as skopeo writes it.

use super::grammar::{is_digest, is_host, is_part, is_registry, is_tag};
use crate::error::Error;

/// The prefix of every address.
pub const PREFIX: &str = "docker://";

/// The tag if the user gives none.
const DEFAULT_TAG: &str = "latest";
/// Maximum length of a name including its registry (distribution/reference, reference.go:
/// RepositoryNameTotalLengthMax).
const MAX_NAME: usize = 255;
/// The names of Docker Hub, the host that serves it, and the name under which docker stores its login
/// (docker/cli, config.go).
const HUB: [&str; 2] = ["docker.io", "index.docker.io"];
#[cfg(feature = "registry")]
const HUB_HOST: &str = "registry-1.docker.io";
#[cfg(feature = "registry")]
const HUB_LOGIN: &str = "https://index.docker.io/v1/";

/// The location of an image in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Address {
    /// Parses an address with its `docker://`. A name without a registry refers to Docker Hub, as for docker and skopeo
    /// (distribution/reference, normalize.go).
    ///
    /// # Errors
    /// `bad-argument`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |what: String| {
            Err(Error::new("bad-argument", format!("{text} is not the name of an image in a registry: {what}"))
                .help("write for example docker://registry.example/team/app:1.2; names are in lower case"))
        };
        let Some(rest) = text.strip_prefix(PREFIX) else {
            return bad(format!("it does not begin with {PREFIX}"));
        };
        if rest.split('/').next().is_some_and(|first| first.contains('@') && !first.contains("@sha256:")) {
            return Err(Error::new("bad-argument", "the address of a registry must not contain a user or password")
                .help("log in with docker login or podman login; slimroot reads their files"));
        }
        let (rest, digest) = rest.split_once('@').map_or((rest, None), |(rest, digest)| (rest, Some(digest)));
        let cut = rest.rfind(':').filter(|at| !rest[*at..].contains('/'));
        let (name, tag) = cut.map_or((rest, None), |at| (&rest[..at], Some(&rest[at + 1..])));
        let (host, path) = match name.split_once('/') {
            Some((first, path)) if is_registry(first) => (first, path.to_owned()),
            _ => (HUB[0], name.to_owned()),
        };
        let is_hub = HUB.contains(&host);
        let repository = if is_hub && !path.contains('/') { format!("library/{path}") } else { path };
        if !is_host(host) {
            return bad(format!("{host:?} is not a host"));
        }
        if let Some(part) = repository.split('/').find(|part| !is_part(part)) {
            return bad(format!("the part {part:?} is not one"));
        }
        if host.len() + repository.len() >= MAX_NAME {
            return bad("the name is too long".to_owned());
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return bad(format!("{tag:?} is not a tag"));
        }
        if let Some(digest) = digest.filter(|digest| !is_digest(digest)) {
            return bad(format!("{digest:?} is not a SHA-256 digest"));
        }
        Ok(Self {
            text: text.to_owned(),
            host: if is_hub { HUB[0] } else { host }.to_ascii_lowercase(),
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True if the registry is explicit. `localhost` without a port is the prefix that podman gives to names that are
    /// not from a registry.
    pub fn names_registry(&self) -> bool {
        let rest = self.text.strip_prefix(PREFIX).unwrap_or_default();
        rest.split_once('/').is_some_and(|(first, _)| is_registry(first) && first != "localhost")
    }

    /// The registry, with its port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The name of the image in the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest or else the tag that selects the image.
    pub fn selector(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or(DEFAULT_TAG)
    }

    /// The full address, normalised.
    pub fn full(&self) -> String {
        let mark = if self.digest.is_some() { '@' } else { ':' };
        format!("{PREFIX}{}/{}{mark}{}", self.host, self.repository, self.selector())
    }

    /// The requested digest.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    #[cfg(feature = "registry")]
    /// The host that serves it.
    pub(super) fn server(&self) -> &str {
        if self.host == HUB[0] { HUB_HOST } else { &self.host }
    }

    #[cfg(feature = "registry")]
    /// The names under which a login may be stored, the most specific first. Podman stores logins for a part of a
    /// registry under its path (containers-auth.json(5)).
    pub(super) fn logins(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut path = self.repository.as_str();
        loop {
            found.push(format!("{}/{path}", self.host));
            match path.rsplit_once('/') {
                Some((above, _)) => path = above,
                None => break,
            }
        }
        found.push(self.host.clone());
        if self.host == HUB[0] {
            found.push(HUB_LOGIN.to_owned());
        }
        found.extend([format!("https://{}", self.host), format!("https://{}/v1/", self.host)]);
        found
    }

    #[cfg(feature = "registry")]
    /// True if the registry runs on this machine, so that nobody else sees the traffic.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

#[cfg(feature = "registry")]
/// True for a host, with or without a port, that is this machine.
pub(super) fn is_loopback(authority: &str) -> bool {
    let host = match authority.rfind(':').filter(|at| !authority[*at..].contains(']')) {
        Some(at) => &authority[..at],
        None => authority,
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(all(test, feature = "registry"))]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_skopeo_reads_them() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let with_digest = format!("docker://r.example/app@{digest}");
        let with_both = format!("docker://r.example/app:1@{digest}");
        for (text, host, repository, selector) in [
            ("docker://alpine", "docker.io", "library/alpine", "latest"),
            ("docker://alpine:3", "docker.io", "library/alpine", "3"),
            ("docker://me/app", "docker.io", "me/app", "latest"),
            ("docker://index.docker.io/me/app:2", "docker.io", "me/app", "2"),
            ("docker://localhost:5000/app", "localhost:5000", "app", "latest"),
            ("docker://localhost/a/b/c:x", "localhost", "a/b/c", "x"),
            ("docker://[::1]:5000/app:1", "[::1]:5000", "app", "1"),
            (&with_digest, "r.example", "app", &digest),
            (&with_both, "r.example", "app", &digest),
        ] {
            let found = Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((found.host(), found.repository(), found.selector()), (host, repository, selector), "{text}");
        }
        for bad in [
            "docker:x",
            "docker://",
            "docker://R.example/App",
            "docker://r.example/",
            "docker://r.example/a..b",
            "docker://r.example/app:",
            "docker://r.example/app@sha256:ab",
            "docker://user:secret@r.example/app",
            "docker://r.example/app?x=1",
            "docker://r.example/../app",
            "docker://r.example:x/app",
        ] {
            assert_eq!(Address::parse(bad).err().map(|error| error.code), Some("bad-argument"), "{bad}");
        }
        let secret = Address::parse("docker://user:secret@r.example/app").err().map(|error| error.to_string());
        assert!(secret.is_some_and(|says| !says.contains("secret")));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:5000", true),
            ("localhost.example", false),
            ("127.0.0.1.example:5000", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }

    #[test]
    fn logins_of_a_part_of_a_registry_come_first() {
        let address = Address::parse("docker://q.example/team/app").expect("an address");
        assert_eq!(address.logins()[..3], ["q.example/team/app", "q.example/team", "q.example"]);
        let hub = Address::parse("docker://alpine").expect("an address");
        assert!(hub.logins().contains(&HUB_LOGIN.to_owned()));
    }
}
