//! Package URLs (ECMA-427, github.com/package-url/purl-spec) and CPE names (NIST IR 7695, 6.2).

/// A package URL. Qualifiers must be sorted by name; empty ones are left out.
pub(super) fn purl(kind: &str, namespace: &[&str], name: &str, version: &str, qualifiers: &[(&str, &str)]) -> String {
    let mut out = format!("pkg:{kind}/");
    for part in namespace.iter().filter(|part| !part.is_empty()) {
        out.push_str(&encoded(part));
        out.push('/');
    }
    out.push_str(&encoded(name));
    if !version.is_empty() {
        out.push('@');
        out.push_str(&encoded(version));
    }
    let mut sign = '?';
    for (key, value) in qualifiers.iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!("{sign}{key}={}", encoded(value)));
        sign = '&';
    }
    out
}

/// Everything but unreserved characters and colons is encoded.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b".-_~:".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// A CPE name whose vendor is guessed to be the product, as scanners do; `None` without a version.
pub(super) fn cpe(product: &str, version: &str) -> Option<String> {
    let (product, version) = (bound(&product.to_lowercase()), bound(version));
    (!product.is_empty() && !version.is_empty())
        .then(|| format!("cpe:2.3:a:{product}:{product}:{version}:*:*:*:*:*:*:*"))
}

/// A component of a formatted string: punctuation has a backslash, and invalid characters become underscores.
fn bound(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || "._-".contains(c) => out.push(c),
            c if c.is_ascii_punctuation() => out.extend(['\\', c]),
            _ => out.push('_'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{cpe, purl};

    #[test]
    fn names_are_encoded_as_the_specification_shows() {
        // Examples of the specification.
        let qualifiers = [("arch", "i386"), ("distro", "jessie")];
        assert_eq!(
            purl("deb", &["debian"], "curl", "7.50.3-1", &qualifiers),
            "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie"
        );
        assert_eq!(purl("npm", &["@angular"], "animation", "12.3.1", &[]), "pkg:npm/%40angular/animation@12.3.1");
        assert_eq!(purl("deb", &["debian"], "x", "1:2+b1", &[]), "pkg:deb/debian/x@1:2%2Bb1");
        assert_eq!(cpe("Lib+X", "1:2~3").as_deref(), Some("cpe:2.3:a:lib\\+x:lib\\+x:1\\:2\\~3:*:*:*:*:*:*:*"));
    }
}
