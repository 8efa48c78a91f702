//! Names of images without a transport, such as `myapp:latest`. They are searched in local stores, then in the registry
//! that they begin with.

use std::path::{Path, PathBuf};

use super::{Command, RootOptions, render};
use crate::engine::{Engine, WORDS};
use crate::error::Error;
use crate::image_reader::Reference;
use crate::path::show;
use crate::registry::{Address, PREFIX};

/// Replaces image names in the arguments of a command with references, and reports where each was found. Paths and
/// references are kept.
///
/// # Errors
/// `image-missing` if it is not found, with each store that was searched.
pub(super) fn settle(command: &mut Command) -> Result<(), Error> {
    let root = |options: &mut RootOptions| settle_path(&mut options.root);
    match command {
        Command::Build(options) => root(&mut options.root),
        Command::Slim(options) => settle_path(&mut options.image),
        Command::Plan(options) => root(&mut options.root),
        Command::Deps(options) => root(&mut options.root),
        Command::Why(options) => root(&mut options.root),
        Command::Check(options) => {
            root(&mut options.root)?;
            // A word may be a program of the root as well; no program has a tag or a registry.
            options.entry.first_mut().filter(|word| is_surely_image(word)).map_or(Ok(()), settle_text)
        }
        Command::Diff(options) => {
            settle_text(&mut options.before)?;
            settle_text(&mut options.after)
        }
        _ => Ok(()),
    }
}

fn settle_path(path: &mut PathBuf) -> Result<(), Error> {
    if let Some(found) = path.to_str().map(located).transpose()?.flatten() {
        *path = PathBuf::from(found);
    }
    Ok(())
}

fn settle_text(text: &mut String) -> Result<(), Error> {
    if let Some(found) = located(text)? {
        *text = found;
    }
    Ok(())
}

/// The text as the address of an image in a registry; `None` for a path, a reference, and text that is not an image
/// name.
fn address(text: &str) -> Option<Address> {
    let is_path = text.starts_with(['/', '.']) || Path::new(text).symlink_metadata().is_ok();
    if is_path || Reference::parse(text).is_some() {
        return None;
    }
    Address::parse(&format!("{PREFIX}{text}")).ok()
}

fn is_surely_image(word: &str) -> bool {
    address(word).is_some_and(|address| address.names_registry() || word.contains([':', '@']))
}

/// The reference for a name; `None` if the text is not an image name.
fn located(text: &str) -> Result<Option<String>, Error> {
    let Some(address) = address(text) else { return Ok(None) };
    let mut tried = Vec::new();
    for word in WORDS {
        match Engine::find(word).and_then(|engine| engine.has(text)) {
            Ok(true) => {
                render::notes(&[format!("{text} is {word}:{text}{}", after(&tried))]);
                return Ok(Some(format!("{word}:{text}")));
            }
            Ok(false) => tried.push(format!("{word}: has no such image")),
            Err(error) => tried.push(error.says),
        }
    }
    if address.names_registry() {
        render::notes(&[format!("{text} is {}{}", address.as_str(), after(&tried))]);
        return Ok(Some(address.as_str().to_owned()));
    }
    let says =
        format!("{} is neither a path nor an image in a local store: {}", show(text.as_bytes()), tried.join("; "));
    Err(Error::new("image-missing", says).help(format!(
        "for an image in a registry, write {}; for an engine without this socket, run docker save {text} -o fat.tar and \
         use docker-archive:fat.tar; for a directory, give its path",
        address.as_str()
    )))
}

/// The earlier attempts, in brackets.
fn after(tried: &[String]) -> String {
    if tried.is_empty() { String::new() } else { format!(" ({})", tried.join("; ")) }
}
