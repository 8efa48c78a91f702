//! `slimroot profiles`: lists the profiles, prints one, or tests their examples.

use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::closure::Closure;
use crate::error::Error;
use crate::profile::{Example, Profile};
use crate::root::{MemTree, Root};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<ProfileCommand>,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    /// Lists the built-in profiles.
    List,
    /// Prints the source of a profile.
    Show {
        /// Name or file of the profile.
        name: String,
    },
    /// Tests profiles against their own examples: the named ones, or all built-in ones.
    Test {
        /// Names or files of profiles.
        names: Vec<String>,
    },
}

/// The text to print, and true if all examples pass.
pub(crate) struct Printed {
    pub(crate) text: String,
    pub(crate) is_whole: bool,
}

pub(crate) fn run(options: &Options) -> Result<Printed, Error> {
    let well = |text: String| Printed { text, is_whole: true };
    match &options.command {
        None | Some(ProfileCommand::List) => {
            let profiles = Profile::builtins()?;
            let width = profiles.iter().map(|profile| profile.name.len()).max().unwrap_or(0) + 2;
            let line = |profile: &Profile| {
                let applied = if profile.default { " (always)" } else { "" };
                format!("{:<width$}{}{applied}\n", profile.name, profile.summary)
            };
            Ok(well(profiles.iter().map(line).collect()))
        }
        Some(ProfileCommand::Show { name }) => Ok(well(crate::pack::profile(name)?.text)),
        Some(ProfileCommand::Test { names }) if names.is_empty() => test(&Profile::builtins()?),
        Some(ProfileCommand::Test { names }) => {
            test(&names.iter().map(|name| crate::pack::profile(name)).collect::<Result<Vec<_>, _>>()?)
        }
    }
}

fn test(profiles: &[Profile]) -> Result<Printed, Error> {
    let mut tested = Printed { text: String::new(), is_whole: true };
    let mut examples = 0;
    for profile in profiles {
        for (number, example) in profile.example.iter().enumerate() {
            examples += 1;
            for fault in faults(profile, example)? {
                tested.is_whole = false;
                tested.text.push_str(&format!("{}: example {}: {fault}\n", profile.name, number + 1));
            }
        }
    }
    if tested.is_whole {
        let without = profiles.iter().filter(|profile| profile.example.is_empty()).count();
        tested
            .text
            .push_str(&format!("{examples} examples pass; {without} of {} profiles have none\n", profiles.len()));
    }
    Ok(tested)
}

/// The expectations of an example that are not met.
fn faults(profile: &Profile, example: &Example) -> Result<Vec<String>, Error> {
    let mut tree = MemTree::default();
    for path in &example.root {
        tree.file(&path.to_string(), 0o644, path.to_string());
    }
    for (path, text) in &example.files {
        tree.file(&path.to_string(), 0o644, text.clone());
    }
    let closure = Closure::of_profile(&Root::new(Arc::new(tree)), profile)?;
    let absent = example.packs.iter().filter(|path| !closure.graph.contains(path));
    let extra = example.leaves.iter().filter(|path| closure.graph.contains(path));
    let absent = absent.map(|path| format!("{path} is not packed"));
    Ok(absent.chain(extra.map(|path| format!("{path} is packed"))).collect())
}
