//! `slimroot man`: manual pages, made from the command line itself.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};

use crate::error::Error;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Writes the pages of all commands to this directory, in files such as slimroot-build.1, and prints nothing.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,
    /// The command whose page to print, such as `build` or `profiles test`.
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// The page to print; empty if pages were written.
///
/// # Errors
/// `bad-argument` for a command that does not exist, `unwritable` for the directory or a file in it.
pub(super) fn run(program: Command, options: &Options) -> Result<Vec<u8>, Error> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let Some(folder) = &options.out else {
        return Ok(page(found(&program, &options.command)?.clone())?.1);
    };
    // Generate all pages before the first is written.
    let mut pages = Vec::new();
    add(&program, &mut pages)?;
    fs::create_dir_all(folder).map_err(|error| Error::unwritable(&folder.display(), error))?;
    for (name, text) in pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| Error::unwritable(&path.display(), error))?;
    }
    Ok(Vec::new())
}

/// The command with this path of words.
fn found<'a>(program: &'a Command, words: &[String]) -> Result<&'a Command, Error> {
    words.iter().try_fold(program, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
            let error = Error::new("bad-argument", format!("{} has no command {word}", command.get_name()));
            if known.is_empty() { error } else { error.help(format!("commands: {}", known.join(", "))) }
        })
    })
}

/// Adds the pages of a command and of all below it.
fn add(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), Error> {
    pages.push(page(command.clone())?);
    command.get_subcommands().filter(|command| !command.is_hide_set()).try_for_each(|command| add(command, pages))
}

/// The file name and text of a page.
fn page(command: Command) -> Result<(String, Vec<u8>), Error> {
    let page = clap_mangen::Man::new(command).source(concat!("slimroot ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    page.render(&mut text).map_err(|error| Error::unwritable(&"the manual page", error))?;
    Ok((page.get_filename(), text))
}
