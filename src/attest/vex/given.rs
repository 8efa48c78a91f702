//! A VEX document from the user: its statements are kept, and slimroot adds none about vulnerabilities that it decides.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::reports::Name;
use super::{Stated, VexFormat};
use crate::error::Error;

/// Maximum size of a document.
const MAX_DOCUMENT: u64 = 64 << 20;

/// A document made by somebody else.
#[derive(Clone, Debug)]
pub struct Given {
    pub(super) format: VexFormat,
    pub(super) document: Value,
}

impl Given {
    /// Reads a document of OpenVEX, or one of CycloneDX as JSON.
    ///
    /// # Errors
    /// `unreadable`, `bad-vex`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |error| Error::unreadable(&path.display(), error);
        let bad = |why: &str| {
            Error::new("bad-vex", format!("{} is not a VEX document: {why}", path.display()))
                .help("give a document of OpenVEX, or of CycloneDX as JSON")
        };
        let mut text = Vec::new();
        File::open(path).map_err(unreadable)?.take(MAX_DOCUMENT + 1).read_to_end(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_DOCUMENT {
            return Err(bad(&format!("it has more than {} MiB", MAX_DOCUMENT >> 20)));
        }
        Self::parse(&text).map_err(|why| bad(&why))
    }

    /// Reads the text of a document.
    ///
    /// # Errors
    /// Returns a clause that says what is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let document: Value = serde_json::from_slice(text).map_err(|_| "it is not JSON".to_owned())?;
        let is_open =
            document["@context"].as_str().is_some_and(|context| context.starts_with("https://openvex.dev/ns"));
        let (format, list) = match (is_open, document["bomFormat"].as_str()) {
            (true, _) => (VexFormat::OpenVex, "statements"),
            (false, Some("CycloneDX")) => (VexFormat::CycloneDx, "vulnerabilities"),
            _ => return Err("it is marked neither as OpenVEX nor as CycloneDX".to_owned()),
        };
        match document[list].as_array() {
            Some(rows) if rows.iter().all(Value::is_object) => Ok(Self { format, document }),
            _ => Err(format!("it has no list of {list}")),
        }
    }

    /// Its statements.
    pub(super) fn rows(&self) -> &[Value] {
        let list = if self.format == VexFormat::OpenVex { "statements" } else { "vulnerabilities" };
        self.document[list].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// True if it decides about the vulnerability and component of a statement. A vulnerability under investigation is
    /// not decided.
    pub(super) fn decides(&self, stated: &Stated) -> bool {
        self.rows().iter().any(|row| match self.format {
            VexFormat::OpenVex => decides_open(row, stated),
            VexFormat::CycloneDx => {
                let state = row["analysis"]["state"].as_str();
                row["id"] == stated.vulnerability.as_str() && state.is_some_and(|state| state != "in_triage")
            }
        })
    }
}

/// True if an OpenVEX statement decides: it names the vulnerability, and the component or no component at all.
fn decides_open(row: &Value, stated: &Stated) -> bool {
    let wanted = stated.vulnerability.as_str();
    let vulnerability = &row["vulnerability"];
    // The first versions had the name alone.
    let is_named = vulnerability == wanted
        || vulnerability["name"] == wanted
        || vulnerability["aliases"].as_array().is_some_and(|names| names.iter().any(|name| name == wanted));
    if !is_named || row["status"] == "under_investigation" {
        return false;
    }
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    let products = list(&row["products"]);
    let parts: Vec<Value> = products.iter().flat_map(|product| list(&product["subcomponents"])).collect();
    let key = |purl: &str| Name::of_purl(purl).map(|name| (name.version().map(str::to_owned), name.without_version()));
    let wanted = key(&stated.component);
    let is_it = |part: &Value| {
        let ids = [part.as_str(), part["@id"].as_str(), part["identifiers"]["purl"].as_str()];
        ids.into_iter().flatten().any(|id| id == stated.component || wanted.is_some() && key(id) == wanted)
    };
    parts.is_empty() || parts.iter().chain(&products).any(is_it)
}
