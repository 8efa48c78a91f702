//! Platforms, and the choice of one in an index (OCI image specification, image-index.md).

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::store::{Descriptor, Index};
use super::{Reference, bad_image, shown};
use crate::error::Error;

/// An operating system and a machine, as in `linux/arm64` or `linux/arm/v7`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// The machine, as Go names it.
    #[serde(default)]
    pub architecture: String,
    /// The operating system.
    #[serde(default)]
    pub os: String,
    /// The variant of the machine; empty if it has none.
    #[serde(default)]
    pub variant: String,
}

impl FromStr for Platform {
    type Err = Error;

    /// Parses `OS/ARCHITECTURE[/VARIANT]`, or an architecture alone, which means Linux.
    ///
    /// # Errors
    /// `bad-argument`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        };
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [architecture] => ("linux", *architecture, ""),
            [os, architecture] => (*os, *architecture, ""),
            [os, architecture, variant] => (*os, *architecture, *variant),
            _ => ("", "", ""),
        };
        if !is_word(os) || !is_word(architecture) || !(variant.is_empty() || is_word(variant)) {
            return Err(Error::new("bad-argument", format!("--platform {text} is not a platform"))
                .help("write for example --platform linux/arm64"));
        }
        // Names of the same machine (containerd, platforms/database.go).
        let architecture = match architecture {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            "i386" => "386",
            other => other,
        };
        let variant = if (architecture, variant) == ("arm64", "v8") { "" } else { variant };
        Ok(Self { architecture: architecture.to_owned(), os: os.to_owned(), variant: variant.to_owned() })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl Platform {
    /// True for the word `all` of the command line.
    #[cfg(feature = "cli")]
    pub(crate) fn is_all(&self) -> bool {
        self.os == "linux" && self.architecture == "all" && self.variant.is_empty()
    }

    /// Returns the platform of this machine.
    fn own() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        Self { architecture: architecture.to_owned(), os: "linux".to_owned(), variant: String::new() }
    }

    /// True if an image for `other` is one for this platform. A request without a variant matches any.
    fn takes(&self, other: &Self) -> bool {
        let variant =
            if (other.architecture.as_str(), other.variant.as_str()) == ("arm64", "v8") { "" } else { &other.variant };
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant.is_empty() || self.variant == variant)
    }

    /// True for the platform of an attestation, which is not an image.
    pub(super) fn is_unknown(&self) -> bool {
        self.architecture == "unknown"
    }
}

/// The entry of an index for a platform; if none is requested, the one for this machine, or else the first image. An
/// entry without a platform may be for any platform.
///
/// # Errors
/// `image-missing` with the available platforms, `bad-image` for an index without images.
pub(super) fn chosen(reference: &Reference, index: &Index, wanted: Option<&Platform>) -> Result<Descriptor, Error> {
    let all = &index.manifests;
    let platforms = all.iter().filter_map(|found| found.platform.as_ref());
    let of = |wanted: &Platform| {
        all.iter().find(|found| found.platform.as_ref().is_some_and(|platform| wanted.takes(platform)))
    };
    let unmarked = || all.iter().find(|found| found.platform.is_none());
    let is_image = |found: &&Descriptor| found.platform.as_ref().is_none_or(|platform| !platform.is_unknown());
    let found = match wanted {
        Some(wanted) => of(wanted).or_else(unmarked),
        None => of(&Platform::own()).or_else(|| all.iter().find(is_image)),
    };
    if let Some(found) = found {
        return Ok(found.clone());
    }
    let known: Vec<String> = platforms
        .filter(|platform| !platform.is_unknown())
        .take(16)
        .map(|platform| shown(&platform.to_string()))
        .collect();
    match wanted {
        Some(wanted) if !known.is_empty() => {
            Err(Error::new("image-missing", format!("{reference} has no image for {wanted}"))
                .help(format!("it has images for {}", known.join(", "))))
        }
        _ => Err(bad_image(reference, "its index names no image")),
    }
}

/// Refuses an image for another platform, if there is no index.
///
/// # Errors
/// `image-missing`.
pub(super) fn refuse_other(reference: &Reference, wanted: &Platform, found: &Platform) -> Result<(), Error> {
    // Old images do not state their operating system.
    let os = if found.os.is_empty() { "linux" } else { &found.os };
    let found = Platform { os: os.to_owned(), ..found.clone() };
    if wanted.takes(&found) {
        return Ok(());
    }
    Err(Error::new(
        "image-missing",
        format!("{reference} is an image for {}, not for {wanted}", shown(&found.to_string())),
    )
    .help("remove --platform, or use an image for that platform"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_as_docker_reads_them() {
        let read = |text: &str| text.parse::<Platform>().map(|found| found.to_string()).map_err(|error| error.code);
        assert_eq!(read("linux/arm64"), Ok("linux/arm64".to_owned()));
        assert_eq!(read("linux/arm64/v8"), Ok("linux/arm64".to_owned()));
        assert_eq!(read("linux/arm/v7"), Ok("linux/arm/v7".to_owned()));
        assert_eq!(read("aarch64"), Ok("linux/arm64".to_owned()));
        for bad in ["", "/", "linux/", "a/b/c/d", "linux/a b"] {
            assert_eq!(read(bad), Err("bad-argument"), "{bad}");
        }
    }
}
