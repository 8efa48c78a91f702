//! All integration tests in one binary, a module each. Tests that take their cases from fixtures are in `tests/cases`.

#[path = "../support/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "shared with tests/cases")]
mod support;

mod action;
mod arguments;
mod attest;
mod build_info;
mod cli;
mod closure_laws;
mod debug_twin;
mod deps;
mod destinations;
mod dockerfiles;
mod engines;
mod faults;
mod guest;
mod gzip_layers;
mod health_probe;
mod help;
mod hostile;
mod image;
mod image_config;
mod index_push;
mod indexes;
mod layer_cache;
mod layers;
mod ledger;
mod ledger_diff;
mod library;
mod limits;
mod local_stores;
mod looks;
mod manual;
mod messages;
mod named_paths;
mod newcomer;
mod nss;
mod outputs;
mod page;
mod pains;
mod plugins;
mod proof;
mod proof_more;
mod proof_programs;
mod reasons;
mod registries;
mod rpm;
mod sbom;
mod sign_of_life;
mod strip;
mod tidy;
mod trust;
mod untrusted_images;
mod vex;
mod watch;
