//! Findings as SARIF 2.1.0, the format of code scanning services (OASIS, "Static Analysis Results Interchange Format").

use serde_json::{Value, json};

use crate::check::explain;
use crate::finding::{Finding, Level};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run with its findings. Paths are inside the image, so there are no line numbers.
pub(super) fn log(findings: &[Finding]) -> Value {
    let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "slimroot",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": "https://github.com/slimroot/slimroot",
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            "results": findings.iter().map(|finding| result(finding, &codes)).collect::<Vec<_>>(),
        }],
    })
}

fn rule(code: &str) -> Value {
    let page = explain(code).or_else(|| crate::proof::page(code)).unwrap_or_default();
    let first = page.split_once(". ").map_or(page, |(first, _)| first);
    json!({
        "id": code,
        "shortDescription": { "text": first },
        "fullDescription": { "text": page },
        "help": { "text": page },
    })
}

fn result(finding: &Finding, codes: &[&str]) -> Value {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let mut text = finding.says.clone();
    for (word, lines) in [("also", &finding.rest), ("because", &finding.because), ("help", &finding.help)] {
        for line in lines {
            text.push_str(&format!("\n{word}: {line}"));
        }
    }
    for step in &finding.searched {
        text.push_str(&format!("\nsearched: {} {} {}", step.source, step.candidate, step.outcome));
    }
    // The subject of a finding need not be a path; the file that requires it is one.
    let place = [Some(&finding.subject), finding.wanted_by.as_ref()].into_iter().flatten().find(|s| s.starts_with('/'));
    let location = place.map(|path| {
        let uri: String = path.trim_start_matches('/').bytes().map(encoded).collect();
        json!({ "physicalLocation": { "artifactLocation": { "uri": uri } },
                "logicalLocations": [{ "fullyQualifiedName": finding.subject }] })
    });
    json!({
        "ruleId": finding.code,
        "ruleIndex": codes.iter().position(|code| *code == finding.code),
        "level": level,
        "message": { "text": text },
        "locations": location.into_iter().collect::<Vec<_>>(),
        "partialFingerprints": { "codeAndSubject/v1": format!("{}={}", finding.code, finding.subject) },
    })
}

/// Encodes a byte of a path for a URI (RFC 3986, section 2.3).
fn encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
