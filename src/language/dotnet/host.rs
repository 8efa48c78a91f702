//! Selects frameworks as a .NET host does: versions, `X.runtimeconfig.json` and roll-forward (dotnet/designs,
//! accepted/2019/runtime-binding.md; dotnet/runtime, docs/design/features/host-runtime-information.md).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Deserialize;

/// A version, ordered as the host orders it: by number, with a release after its previews.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    numbers: [u64; 3],
    preview: Option<String>,
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.split('+').next().unwrap_or_default();
        let (plain, preview) = text.split_once('-').map_or((text, None), |(plain, rest)| (plain, Some(rest)));
        let mut parts = plain.split('.').map(|part| part.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then(|| Self { numbers, preview: preview.map(str::to_owned) })
    }
}

impl Version {
    /// True if hosts of this version start even if files listed in a deps.json are missing. Older hosts fail at the
    /// first missing file.
    pub(super) fn is_lenient(&self) -> bool {
        self.numbers[0] >= 8
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.preview, &other.preview) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(own), Some(other)) => previews(own, other),
        })
    }
}

/// Compares preview labels such as `preview.7.24405.7`: numbers compare by value and precede words (semver 2.0.0, rule
/// 11).
fn previews(own: &str, other: &str) -> Ordering {
    let part = |text: &str| text.parse::<u64>().map_or_else(|_| (1, 0, text.to_owned()), |n| (0, n, String::new()));
    own.split('.').map(part).cmp(other.split('.').map(part))
}

/// The roll-forward policy: how much the selected version may differ from the requested one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RollForward {
    Disable,
    LatestPatch,
    #[default]
    Minor,
    LatestMinor,
    Major,
    LatestMajor,
}

impl RollForward {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "disable" => Self::Disable,
            "latestpatch" => Self::LatestPatch,
            "minor" => Self::Minor,
            "latestminor" => Self::LatestMinor,
            "major" => Self::Major,
            "latestmajor" => Self::LatestMajor,
            _ => return None,
        })
    }

    /// Selects one of the installed versions. If a release is requested, a preview is selected only if no release fits.
    pub(super) fn pick<'v>(self, wanted: &Version, installed: &'v [Version]) -> Option<&'v Version> {
        if wanted.preview.is_none() {
            let releases: Vec<&Version> = installed.iter().filter(|version| version.preview.is_none()).collect();
            if let Some(found) = self.among(wanted, &releases) {
                return Some(found);
            }
        }
        self.among(wanted, &installed.iter().collect::<Vec<_>>())
    }

    fn among<'v>(self, wanted: &Version, installed: &[&'v Version]) -> Option<&'v Version> {
        let [major, minor, _] = wanted.numbers;
        let fits = |version: &Version| {
            *version >= *wanted
                && match self {
                    Self::Disable => version == wanted,
                    Self::LatestPatch => version.numbers[..2] == [major, minor],
                    Self::Minor | Self::LatestMinor => version.numbers[0] == major,
                    Self::Major | Self::LatestMajor => true,
                }
        };
        let fitting: Vec<&Version> = installed.iter().copied().filter(|version| fits(version)).collect();
        if matches!(self, Self::LatestMinor | Self::LatestMajor) {
            return fitting.into_iter().max();
        }
        let nearest = fitting.iter().min()?.numbers;
        fitting.into_iter().filter(|version| version.numbers[..2] == nearest[..2]).max()
    }
}

/// A reference to a framework.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Framework {
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default, rename = "rollForward")]
    roll_forward: Option<String>,
}

/// `X.runtimeconfig.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RuntimeConfig {
    #[serde(rename = "runtimeOptions")]
    pub(super) options: RuntimeOptions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RuntimeOptions {
    framework: Option<Framework>,
    frameworks: Vec<Framework>,
    included_frameworks: Vec<Framework>,
    roll_forward: Option<String>,
    pub(super) additional_probing_paths: OneOrMore,
    config_properties: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl OneOrMore {
    pub(super) fn words(&self) -> &[String] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::More(words) => words,
        }
    }
}

impl RuntimeConfig {
    /// Parses the file, which may contain comments and start with a byte order mark.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()?;
        let plain: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        serde_json::from_str(&plain.join("\n")).ok()
    }

    /// Frameworks that must be installed, each with its roll-forward policy; none for a self-contained application.
    pub(super) fn references(&self) -> Vec<(Framework, RollForward)> {
        let all = self.options.framework.iter().chain(&self.options.frameworks);
        let policy = |framework: &Framework| {
            let stated = framework.roll_forward.as_deref().or(self.options.roll_forward.as_deref());
            stated.and_then(RollForward::parse).unwrap_or_default()
        };
        all.map(|framework| (framework.clone(), policy(framework))).collect()
    }

    /// True if the application is self-contained and its host starts even if listed files are missing.
    pub(super) fn includes_lenient(&self) -> bool {
        let versions = self.options.included_frameworks.iter().map(|framework| Version::parse(&framework.version));
        self.is_self_contained() && versions.flatten().all(|version| version.is_lenient())
    }

    /// True if the application includes its frameworks.
    pub(super) fn is_self_contained(&self) -> bool {
        !self.options.included_frameworks.is_empty()
    }

    /// True if a runtime switch such as `System.Globalization.Invariant` is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        match self.options.config_properties.get(name) {
            Some(serde_json::Value::Bool(is_on)) => *is_on,
            Some(serde_json::Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[&str]) -> Vec<Version> {
        texts.iter().filter_map(|text| Version::parse(text)).collect()
    }

    #[test]
    fn previews_come_before_releases_and_numbers_count() {
        let sorted = ["9.0.0-alpha.1", "9.0.0-preview.2.1", "9.0.0-preview.10.1", "9.0.0-rc.1", "9.0.0", "9.0.10"];
        let mut found = versions(&sorted);
        found.reverse();
        found.sort();
        assert_eq!(found, versions(&sorted));
        assert!(Version::parse("9.0").is_none() && Version::parse("a.b.c").is_none());
    }

    /// Cases from the table in the design document, section "Roll forward".
    #[test]
    fn policies_pick_as_the_host_does() {
        let installed = versions(&["2.1.5", "3.0.1", "3.1.2", "3.1.4", "3.3.0", "5.0.0", "6.0.0-rc.1", "7.1.0"]);
        for (policy, wanted, found) in [
            ("Minor", "3.1.0", Some("3.1.4")),
            ("Minor", "3.2.0", Some("3.3.0")),
            ("Minor", "4.0.0", None),
            ("LatestPatch", "3.1.0", Some("3.1.4")),
            ("LatestPatch", "3.2.0", None),
            ("LatestMinor", "3.0.0", Some("3.3.0")),
            ("Major", "3.1.0", Some("3.1.4")),
            ("Major", "4.0.0", Some("5.0.0")),
            ("Major", "6.0.0", Some("7.1.0")),
            ("LatestMajor", "2.1.0", Some("7.1.0")),
            ("Disable", "3.1.2", Some("3.1.2")),
            ("Disable", "3.1.0", None),
            ("Minor", "6.0.0-preview.1", Some("6.0.0-rc.1")),
        ] {
            let wanted_version = Version::parse(wanted).expect("a version");
            let picked = RollForward::parse(policy).expect("a policy").pick(&wanted_version, &installed).cloned();
            assert_eq!(picked, found.and_then(Version::parse), "{policy} {wanted}");
        }
    }

    #[test]
    fn settings_are_read_with_comments() {
        let text = "\u{feff}{ // no\n// yes\n\"runtimeOptions\": {} }";
        assert!(RuntimeConfig::parse(text.as_bytes()).is_none());
        let text = "{\n // yes\n\"runtimeOptions\": {\"rollForward\": \"Major\", \"frameworks\": [{\"name\": \"A\", \
                    \"version\": \"1.0.0\"}], \"configProperties\": {\"X\": \"true\"}}}";
        let read = RuntimeConfig::parse(text.as_bytes()).expect("read");
        assert_eq!(read.references()[0].1, RollForward::Major);
        assert!(read.is_on("X") && !read.is_on("Y") && !read.is_self_contained());
    }
}
