//! Words of the command that name files: a configuration, a jar, a directory to be served; and files that the environment
//! names.

use std::rc::Rc;

use super::app::is_wide;
use super::{Call, Claim, Needs, Scope};
use crate::error::Error;
use crate::root::Followed;

/// What separates paths in one word: `--conf=/etc/x`, `/a.jar:/b.jar`.
const SEPARATORS: [char; 3] = ['=', ':', ','];

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    for word in call.args {
        // A whole word may be any file of the working directory; a part of one that looks like no path is a value.
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
                    without: Rc::new(|_, path| super::app::is_leftover(path)),
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
        }
    }
    Ok(needs)
}

/// Whether a path is needed as it is spelled. What a directory is for, only who is given it knows; a link on the way to it
/// is needed in any case.
fn is_needed(followed: &Followed) -> bool {
    followed.file().is_some() || followed.dir().is_some() && !followed.hops.is_empty()
}
