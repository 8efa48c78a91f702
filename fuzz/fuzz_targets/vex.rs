//! Lists of vulnerabilities and given VEX documents.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot::attest::{Because, Given, Stated, VexAbout, VexFormat, parse_reports, write};

fuzz_target!(|text: &[u8]| {
    for reported in parse_reports(text).unwrap_or_default() {
        let _ = reported.name.to_string();
    }
    let Ok(given) = Given::parse(text) else { return };
    let stated = [Stated {
        vulnerability: "CVE-1".to_owned(),
        component: "pkg:deb/x@1".to_owned(),
        because: Because::ComponentAbsent,
        proof: "no file".to_owned(),
    }];
    let about = VexAbout { products: vec!["pkg:oci/app".to_owned()], ..VexAbout::default() };
    for format in [VexFormat::OpenVex, VexFormat::CycloneDx] {
        let mut out = Vec::new();
        if write(format, &about, &stated, Some(&given), &mut out, &"fuzz").is_ok() {
            // What is written can be given again, and decides the same.
            Given::parse(&out).expect("a document");
        }
    }
});
