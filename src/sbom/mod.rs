//! Inventories of the software in an image (SBOM): packages of the distribution and of languages, with their files,
//! licences and relations, as SPDX 2.3 or CycloneDX 1.6.

mod cyclonedx;
mod inventory;
mod java;
mod languages;
mod licence;
mod purl;
mod sources;
mod spdx;

use std::fmt::Display;
use std::io::Write;

pub(crate) use cyclonedx::uuid;
pub use inventory::{Component, Distribution, Hashes, Inventory, package_url};

pub(crate) use sources::is_document;

use crate::error::Error;

/// A format of inventories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// SPDX 2.3 as JSON (ISO/IEC 5962, spdx.github.io/spdx-spec/v2.3).
    Spdx,
    /// CycloneDX 1.6 as JSON (ECMA-424).
    CycloneDx,
}

impl Format {
    /// The format with this name.
    ///
    /// # Errors
    /// `bad-argument`.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "spdx-json" => Ok(Self::Spdx),
            "cyclonedx-json" => Ok(Self::CycloneDx),
            _ => Err(Error::new("bad-argument", format!("{name} is not an SBOM format"))
                .help("use spdx-json or cyclonedx-json")),
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spdx => "spdx-json",
            Self::CycloneDx => "cyclonedx-json",
        }
    }

    /// The suffix of such files, by which tools recognise them.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Spdx => "spdx.json",
            Self::CycloneDx => "cdx.json",
        }
    }

    /// The media type of such a document.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Spdx => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
        }
    }
}

/// Writes an inventory. The same inventory gives the same bytes.
///
/// # Errors
/// `output-unwritable`, `disk-full`.
pub fn write(format: Format, of: &Inventory, out: &mut dyn Write, name: &dyn Display) -> Result<(), Error> {
    match format {
        Format::Spdx => spdx::write(of, out, name),
        Format::CycloneDx => cyclonedx::write(of, out, name),
    }
}
