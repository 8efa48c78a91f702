//! Help: what a person reads first. Summaries fit a line, `-h` has the usual options, and every option is documented.

use std::fs;
use std::path::Path;

use crate::support::runs::told;

fn commands() -> Vec<(String, String)> {
    let help = told(&["--help"]);
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("commands");
    let row = |line: &str| line.trim().split_once("  ").map(|(name, text)| (name.to_owned(), text.trim().to_owned()));
    list.lines().filter_map(row).collect()
}

#[test]
fn every_command_has_a_summary_of_one_line() {
    let commands = commands();
    assert!(commands.len() > 12, "{commands:?}");
    let help = told(&["--help"]);
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("commands");
    for line in list.lines() {
        assert!(line.chars().count() <= 80 && !line.starts_with("     "), "{line}");
    }
    for (name, _) in commands.iter().filter(|(name, _)| name != "help") {
        for option in ["-h", "--help"] {
            let help = told(&[name, option]);
            assert!(help.contains("Usage: slimroot"), "{help}");
            // What all commands know comes last, with a heading of its own.
            let (own, global) = help.split_once("Global options:").unwrap_or_else(|| panic!("{name}: {help}"));
            assert!(global.contains("--quiet") && !own.contains("--quiet"), "{help}");
        }
    }
}

#[test]
fn usual_options_are_few_and_all_are_documented() {
    let (short, long) = (told(&["build", "-h"]), told(&["build", "--help"]));
    assert!(short.lines().count() <= 100, "{} lines\n{short}", short.lines().count());
    for heading in ["Output:", "Root and environment:", "Contents:", "Settings of the image:", "Findings:", "Test run:"]
    {
        assert!(long.lines().any(|line| line == heading), "{heading} is no heading of\n{long}");
    }
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md")).expect("read");
    let options = long
        .lines()
        .filter_map(|line| line.trim_start().split("--").nth(1).filter(|_| line.trim_start().starts_with('-')));
    for option in options.filter_map(|rest| rest.split([' ', '[', ',']).next()) {
        assert!(page.contains(&format!("--{option}")), "--{option} is not in docs/options.md");
    }
}
