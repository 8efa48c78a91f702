//! Crates are those that deny.toml allows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// True if an expression of SPDX is fulfilled by allowed licences alone. A slash is the old way to write OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (is_fulfilled, rest) = any_of(&words, allowed);
    is_fulfilled && rest.is_empty()
}

fn any_of<'w>(words: &'w [&'w str], allowed: &[String]) -> (bool, &'w [&'w str]) {
    let (mut is_any, mut rest) = all_of(words, allowed);
    while let ["OR", more @ ..] = rest {
        let (is_next, after) = all_of(more, allowed);
        (is_any, rest) = (is_any | is_next, after);
    }
    (is_any, rest)
}

fn all_of<'w>(words: &'w [&'w str], allowed: &[String]) -> (bool, &'w [&'w str]) {
    let has = |name: String| allowed.contains(&name);
    let (is_first, rest) = match words {
        ["(", inside @ ..] => {
            let (is_any, rest) = any_of(inside, allowed);
            (is_any, rest.strip_prefix(&[")"]).unwrap_or(rest))
        }
        [name, "WITH", exception, rest @ ..] => (has(format!("{name} WITH {exception}")), rest),
        [name, rest @ ..] => (has((*name).to_owned()), rest),
        [] => (false, words),
    };
    match rest {
        ["AND", more @ ..] => {
            let (is_next, rest) = all_of(more, allowed);
            (is_first & is_next, rest)
        }
        _ => (is_first, rest),
    }
}

#[test]
fn licences_are_fulfilled_as_their_expressions_say() {
    let allowed = ["MIT", "Zlib"].map(str::to_owned);
    for (expression, is_fulfilled) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Zlib", true),
        ("(MIT OR Zlib) AND GPL-3.0", false),
        ("MIT WITH exception", false),
        ("MIT WITH exception OR Zlib", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), is_fulfilled, "{expression}");
    }
}

/// What cargo-deny would say of deny.toml, where that is not installed: licences, sources, unwanted and double crates.
#[test]
fn crates_are_those_that_deny_toml_allows() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules: toml::Table = fs::read_to_string(home.join("deny.toml")).expect("rules").parse().expect("TOML");
    let names = |rows: &toml::Value| -> Vec<String> {
        let name = |row: &toml::Value| row.get("crate").unwrap_or(row).as_str().expect("a name").to_owned();
        rows.as_array().expect("a list").iter().map(name).collect()
    };
    let (allowed, skipped) = (names(&rules["licenses"]["allow"]), names(&rules["bans"]["skip"]));
    let unwanted = names(&rules["bans"]["deny"]);
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let told = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--all-features", "--filter-platform"])
        .arg(platform)
        .current_dir(home)
        .output()
        .expect("cargo");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let (mut broken, mut seen, mut used) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for package in told["packages"].as_array().expect("packages") {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, licence) = (text("name"), text("license"));
        if !is_allowed(licence, &allowed) {
            broken.insert(format!("{name}: the licence {licence:?}"));
        }
        used.extend(allowed.iter().filter(|allowed| licence.contains(allowed.as_str())).cloned());
        if unwanted.iter().any(|unwanted| unwanted == name) {
            broken.insert(format!("{name} is unwanted"));
        }
        if !seen.insert(name.to_owned()) && !skipped.iter().any(|skipped| skipped == name) {
            broken.insert(format!("{name} is there twice"));
        }
    }
    // Cargo.lock holds the crates of all platforms. The registry is the one of the first crate, which cargo chose.
    let lock: toml::Table = fs::read_to_string(home.join("Cargo.lock")).expect("a lock").parse().expect("TOML");
    let sources = lock["package"].as_array().expect("packages").iter().filter_map(|package| package.get("source"));
    let sources: BTreeSet<&str> = sources.filter_map(toml::Value::as_str).collect();
    assert!(sources.len() == 1 && sources.iter().all(|source| source.starts_with("registry+")), "{sources:?}");
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(used, allowed.into_iter().collect(), "a licence that no crate has needs no permission");
    assert!(seen.len() > 50, "the test no longer finds the crates");
}
