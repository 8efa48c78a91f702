//! Statements about an image: how it was made (SLSA), and which vulnerabilities it does not have (VEX). They are not signed
//! here.

mod provenance;
mod vex;

pub use provenance::{Input, provenance};
pub use vex::{Because, Given, Name, Reported, Stated, Vex, VexAbout, VexFormat, parse_reports, reports, vex, write};

use crate::sbom::Format;

/// The type of a provenance predicate (slsa.dev/spec/v1.0/provenance).
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// The predicate type of an inventory (in-toto attestation framework, spec/predicates).
pub fn predicate_type(format: Format) -> &'static str {
    match format {
        Format::Spdx => "https://spdx.dev/Document",
        Format::CycloneDx => "https://cyclonedx.org/bom",
    }
}
