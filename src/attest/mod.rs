//! Statements about an image, in the forms of in-toto: how it was made (SLSA). They are not signed here.

mod provenance;

pub use provenance::{Input, provenance};

use crate::sbom::Format;

/// The type of a predicate that says how something was made (slsa.dev/spec/v1.0/provenance).
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// The type of the predicate that an inventory is (in-toto attestation framework, spec/predicates).
pub fn predicate_type(format: Format) -> &'static str {
    match format {
        Format::Spdx => "https://spdx.dev/Document",
        Format::CycloneDx => "https://cyclonedx.org/bom",
    }
}
