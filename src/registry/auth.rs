//! Authentication that a registry requests (RFC 9110, section 11.6.1; distribution, "Token Authentication
//! Specification").

/// A request for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token from another server.
    Bearer {
        /// URL of the token server.
        realm: String,
        /// The service for which the token is.
        service: Option<String>,
        /// Scope of the token.
        scope: Option<String>,
    },
}

/// The strongest supported challenge among the values of `WWW-Authenticate`.
pub(super) fn challenge<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Challenge> {
    let mut found = None;
    for header in headers {
        let Some((scheme, rest)) = header.trim().split_once(' ').or(Some((header.trim(), ""))) else { continue };
        if scheme.eq_ignore_ascii_case("basic") {
            found = found.or(Some(Challenge::Basic));
        } else if scheme.eq_ignore_ascii_case("bearer") {
            let parameters = parameters(rest);
            let get = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            if let Some(realm) = get("realm") {
                return Some(Challenge::Bearer { realm, service: get("service"), scope: get("scope") });
            }
        }
    }
    found
}

/// `KEY=VALUE` pairs; a quoted value may contain commas and escapes.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches([' ', ',', '\t']).to_ascii_lowercase();
        let mut value = String::new();
        let end = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut is_escaped = false;
                let end = quoted.char_indices().find_map(|(at, c)| {
                    match c {
                        '"' if !is_escaped => return Some(at + 1),
                        '\\' if !is_escaped => {
                            is_escaped = true;
                            return None;
                        }
                        c => value.push(c),
                    }
                    is_escaped = false;
                    None
                });
                end.map_or(after.len(), |end| end + 1)
            }
            None => {
                let end = after.find(',').unwrap_or(after.len());
                value.push_str(after[..end].trim());
                end
            }
        };
        found.push((key, value));
        rest = &after[end..];
    }
    found
}

/// Text as a part of a query or of a form (RFC 3986, section 2.3).
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_real_registries_are_understood() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let expected =
            bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull,push"));
        assert_eq!(challenge([hub].into_iter()), expected);
        assert_eq!(
            challenge(["bearer realm=https://x/t, service=y"].into_iter()),
            bearer("https://x/t", Some("y"), None)
        );
        assert_eq!(challenge([r#"Basic realm="x""#].into_iter()), Some(Challenge::Basic));
        assert_eq!(challenge(["Basic", hub].into_iter()), expected);
        assert_eq!(challenge([r#"Bearer realm="a\"b"#].into_iter()), bearer("a\"b", None, None));
        for other in ["Negotiate", "Bearer", "Bearer service=x", "", "=", "Bearer ="] {
            assert_eq!(challenge([other].into_iter()), None, "{other}");
        }
        assert_eq!(encoded("a b/é"), "a%20b%2F%C3%A9");
    }
}
