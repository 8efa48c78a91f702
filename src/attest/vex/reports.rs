//! Reported vulnerabilities of components: lines written by hand, or the JSON of grype and of trivy.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::path::{RootPath, show};
use crate::sbom::Component;

/// Maximum size of a report.
const MAX_REPORT: u64 = 256 << 20;
/// Maximum number of vulnerabilities of components.
const MAX_ROWS: usize = 1_000_000;

/// A vulnerability of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The name of the vulnerability, such as `CVE-2024-1234`.
    pub vulnerability: String,
    /// The component.
    pub name: Name,
    /// The files that have the vulnerable code, if they are known.
    pub files: Vec<RootPath>,
}

/// The name of a component: a package URL, or its name in the package manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    purl: Option<String>,
    /// The type and namespace of a package URL with a slash at the end.
    kind: Option<String>,
    name: String,
    version: Option<String>,
}

impl Name {
    /// The name in a package URL, without qualifiers; `None` for other text. An epoch becomes part of the version.
    pub(super) fn of_purl(purl: &str) -> Option<Self> {
        let rest = purl.strip_prefix("pkg:")?;
        let (rest, _) = rest.split_once('#').unwrap_or((rest, ""));
        let (base, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, version) = match base.rfind('@').filter(|at| !base[*at..].contains('/')) {
            Some(at) => (&base[..at], Some(decoded(&base[at + 1..]))),
            None => (base, None),
        };
        let path = decoded(path);
        let (kind, name) = path.trim_matches('/').rsplit_once('/')?;
        let epoch = qualifiers.split('&').find_map(|pair| pair.strip_prefix("epoch=")).filter(|epoch| *epoch != "0");
        let version = version.map(|version| match epoch {
            Some(epoch) if !version.contains(':') => format!("{epoch}:{version}"),
            _ => version.strip_prefix("0:").map(str::to_owned).unwrap_or(version),
        });
        let kind = kind.to_lowercase() + "/";
        Some(Self { purl: Some(purl.to_owned()), kind: Some(kind), name: name.to_owned(), version })
    }

    fn plain(name: &str, version: Option<&str>) -> Self {
        Self { purl: None, kind: None, name: name.to_owned(), version: version.map(str::to_owned) }
    }

    /// The text of a line: a package URL, NAME or NAME=VERSION.
    fn of_line(text: &str) -> Self {
        Self::of_purl(text).unwrap_or_else(|| match text.split_once('=') {
            Some((name, version)) => Self::plain(name, Some(version)),
            None => Self::plain(text, None),
        })
    }

    /// The package URL, if it was given as one.
    pub(super) fn purl(&self) -> Option<&str> {
        self.purl.as_deref()
    }

    /// The version, if the name has one.
    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The name without a version.
    pub(super) fn without_version(self) -> String {
        self.kind.unwrap_or_default() + &self.name
    }

    /// True for the name of a component. Parts that the name does not have are not compared.
    pub(super) fn is(&self, component: &Component) -> bool {
        let Some(own) = Self::of_purl(&component.purl) else { return false };
        let is_named = match &self.kind {
            Some(kind) => own.kind.as_ref() == Some(kind) && own.name == self.name,
            None => component.name == self.name || own.name == self.name,
        };
        let version = self.version.as_ref();
        is_named && version.is_none_or(|version| own.version.as_ref() == Some(version) || component.version == *version)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.purl, &self.version) {
            (Some(purl), _) => f.write_str(&show(purl.as_bytes())),
            (None, Some(version)) => f.write_str(&show(format!("{}={version}", self.name).as_bytes())),
            (None, None) => f.write_str(&show(self.name.as_bytes())),
        }
    }
}

/// Text without percent signs (RFC 3986, 2.1).
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = (byte == b'%').then(|| after.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                rest = &after[2..];
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[derive(Deserialize)]
struct Scan {
    /// grype (anchore/grype, grype/presenter/models).
    #[serde(default)]
    matches: Option<Vec<Match>>,
    /// trivy (aquasecurity/trivy, pkg/types/report.go).
    #[serde(default, rename = "Results")]
    results: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Match {
    vulnerability: Id,
    artifact: Artifact,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Artifact {
    name: String,
    version: String,
    #[serde(default)]
    purl: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group {
    #[serde(default)]
    vulnerabilities: Option<Vec<Row>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    pkg_name: String,
    #[serde(default)]
    installed_version: String,
    #[serde(default)]
    pkg_identifier: Option<Identifier>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(default, rename = "PURL")]
    purl: String,
}

/// Reads reports: the JSON of `grype -o json` or of `trivy --format json`, or lines `VULNERABILITY COMPONENT [FILE…]`, in
/// which the component is a package URL, NAME or NAME=VERSION, and the files are those with the vulnerable code.
///
/// # Errors
/// `unreadable`, `bad-vex`.
pub fn reports(path: &Path) -> Result<Vec<Reported>, Error> {
    let unreadable = |error| Error::unreadable(&path.display(), error);
    let mut text = Vec::new();
    File::open(path).map_err(unreadable)?.take(MAX_REPORT + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_REPORT {
        return Err(bad(path, &format!("it has more than {} MiB", MAX_REPORT >> 20)));
    }
    parse_reports(&text).map_err(|why| bad(path, &why))
}

fn bad(path: &Path, why: &str) -> Error {
    Error::new("bad-vex", format!("{} is not a list of vulnerabilities: {why}", path.display()))
        .help("write lines of VULNERABILITY COMPONENT [FILE…], or give the JSON of grype or trivy")
}

/// Reads the text of a report.
///
/// # Errors
/// Returns a clause that says what is wrong.
pub fn parse_reports(text: &[u8]) -> Result<Vec<Reported>, String> {
    let found = match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => of_scan(text)?,
        Some(_) => of_lines(text)?,
        None => Vec::new(),
    };
    match found.len() {
        0 => Err("it lists none".to_owned()),
        count if count > MAX_ROWS => Err(format!("it lists more than {MAX_ROWS}")),
        _ => Ok(found),
    }
}

fn of_scan(text: &[u8]) -> Result<Vec<Reported>, String> {
    let scan: Scan = serde_json::from_slice(text)
        .map_err(|error| show(error.to_string().chars().take(200).collect::<String>().as_bytes()).into_owned())?;
    if scan.matches.is_none() && scan.results.is_none() {
        return Err("it has neither the matches of grype nor the Results of trivy".to_owned());
    }
    let row = |id: String, purl: &str, name: &str, version: &str| Reported {
        vulnerability: id,
        name: Name::of_purl(purl).unwrap_or_else(|| Name::plain(name, Some(version).filter(|text| !text.is_empty()))),
        files: Vec::new(),
    };
    let of_grype =
        scan.matches.into_iter().flatten().map(|found| {
            row(found.vulnerability.id, &found.artifact.purl, &found.artifact.name, &found.artifact.version)
        });
    let rows = scan.results.into_iter().flatten().flat_map(|group| group.vulnerabilities.unwrap_or_default());
    let of_trivy = rows.map(|found| {
        let purl = found.pkg_identifier.map(|identifier| identifier.purl).unwrap_or_default();
        row(found.id, &purl, &found.pkg_name, &found.installed_version)
    });
    Ok(of_grype.chain(of_trivy).collect())
}

fn of_lines(text: &[u8]) -> Result<Vec<Reported>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let Some(vulnerability) = words.next() else { continue };
        let Some(name) = words.next() else { return Err(format!("line {} names no component", number + 1)) };
        let file = |word: &str| {
            let path = RootPath::new(word).filter(|path| !path.is_root());
            path.ok_or_else(|| format!("line {}: {} is not an absolute path", number + 1, show(word.as_bytes())))
        };
        let files = words.map(file).collect::<Result<_, _>>()?;
        found.push(Reported { vulnerability: vulnerability.to_owned(), name: Name::of_line(name), files });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_part_of_the_version_wherever_it_stands() {
        let version = |purl: &str| Name::of_purl(purl).and_then(|name| name.version);
        for (purl, expected) in [
            ("pkg:deb/debian/x@1%3A2-3?arch=amd64", "1:2-3"),
            ("pkg:deb/debian/x@2-3?arch=amd64&epoch=1", "1:2-3"),
            ("pkg:rpm/fedora/x@2-3?epoch=0", "2-3"),
            ("pkg:npm/%40s/x@2.0.0", "2.0.0"),
        ] {
            assert_eq!(version(purl).as_deref(), Some(expected), "{purl}");
        }
        assert_eq!(Name::of_purl("pkg:npm/%40s/x@2.0.0").map(Name::without_version).as_deref(), Some("npm/@s/x"));
    }

    #[test]
    fn reports_are_lines_or_the_json_of_scanners() {
        let count = |text: &str| parse_reports(text.as_bytes()).map(|rows| rows.len());
        assert_eq!(count("# a list\nCVE-1 curl=1.2 /usr/bin/curl\nCVE-2 pkg:npm/x@1\n"), Ok(2));
        let grype = r#"{"matches":[{"vulnerability":{"id":"CVE-1"},"artifact":{"name":"x","version":"1","purl":""}}]}"#;
        assert_eq!(count(grype), Ok(1));
        let trivy = r#"{"Results":[{},{"Vulnerabilities":[{"VulnerabilityID":"CVE-1","PkgName":"x","InstalledVersion":"1"}]}]}"#;
        assert_eq!(count(trivy), Ok(1));
        for text in ["", "CVE-1", "CVE-1 x y", "{", "{}", "{\"matches\":[{}]}", "CVE-1 x /../y"] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
