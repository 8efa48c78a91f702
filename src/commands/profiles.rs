//! `slimroot profiles`: which there are, and what one says.

use clap::{Args, Subcommand};

use crate::error::Error;
use crate::profile::Profile;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<ProfileCommand>,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    /// Lists the compiled-in profiles.
    List,
    /// Prints a profile as it is written.
    Show {
        /// Its name.
        name: String,
    },
}

pub(crate) fn run(options: &Options) -> Result<String, Error> {
    match &options.command {
        None | Some(ProfileCommand::List) => {
            let profiles = Profile::builtins()?;
            let line = |profile: &Profile| {
                let applied = if profile.default { " (always)" } else { "" };
                format!("{:<18}{}{applied}\n", profile.name, profile.summary)
            };
            Ok(profiles.iter().map(line).collect())
        }
        Some(ProfileCommand::Show { name }) => Ok(Profile::builtin(name)?.text),
    }
}
