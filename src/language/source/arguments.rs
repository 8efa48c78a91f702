//! Arguments that name files (a configuration, a jar, a directory to serve), and files named in environment variables.

use std::rc::Rc;

use super::application::{is_leftover, is_wide};
use super::literals::program_at;
use crate::error::Error;
use crate::language::{Call, Certainty, Claim, Command, Needs, Scope};
use crate::root::Followed;

/// Separators of paths within one argument: `--conf=/etc/x`, `/a.jar:/b.jar`.
const SEPARATORS: [char; 3] = ['=', ':', ','];

pub(crate) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    for word in call.args {
        // A complete argument may be any file in the working directory. A part of one counts only if it looks like a
        // path.
        let is_path = |part: &&str| *part == word || part.contains('/') || part.contains('.');
        for part in word.split(SEPARATORS).filter(is_path) {
            if part.contains('\0') || part.chars().all(|c| c == '.' || c == '/') {
                continue;
            }
            let why = format!("{word} is an argument of the command");
            let followed = call.root.follow_from(call.cwd, part.as_bytes())?;
            if is_needed(&followed) {
                needs.paths.push((call.spelled(part), why.clone()));
            }
            if let Some(dir) = followed.dir().filter(|dir| part.starts_with('/') && !is_wide(dir)) {
                needs.claims.push(Claim {
                    dir: dir.clone(),
                    without: Rc::new(|_, path| is_leftover(path)),
                    scope: Scope::Application,
                    group: "arguments",
                    why,
                });
            }
        }
    }
    for (name, value) in call.env {
        for part in value.split(':').filter(|part| part.starts_with('/') && !part.contains('\0')) {
            let followed = call.root.follow(part.as_bytes())?;
            if is_needed(&followed) {
                needs.paths.push((part.as_bytes().to_vec(), format!("{name} of the environment names it")));
            }
            // A variable with one path may name a program that the launch starts.
            if part == value
                && let Some(program) = program_at(call.root, part)?
            {
                let why = format!("{name} of the environment names it");
                needs.commands.push(Command { name: program.to_string(), certainty: Certainty::Likely, why });
            }
        }
    }
    Ok(needs)
}

/// True if the path itself must be packed. A directory is needed only for the symlinks on the way to it, because its
/// purpose is known only to the program that receives it.
fn is_needed(followed: &Followed) -> bool {
    followed.file().is_some() || followed.dir().is_some() && !followed.hops.is_empty()
}
