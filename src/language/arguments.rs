//! Words of the command that name files: a configuration, a jar, a directory to be served.

use super::app::is_wide;
use super::{Call, Home, Needs};
use crate::error::Error;

/// What separates paths in one word: `--conf=/etc/x`, `/a.jar:/b.jar`.
const SEPARATORS: [char; 3] = ['=', ':', ','];

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    for word in call.args {
        for part in word.split(SEPARATORS).filter(|part| part.contains('/') || part.contains('.')) {
            if part.contains('\0') || part.chars().all(|c| c == '.' || c == '/') {
                continue;
            }
            if let Some(file) = call.file(part)? {
                needs.files.push((file, format!("{word} is an argument of the command")));
            } else if let Some(dir) = call.dir(part)?.filter(|dir| part.starts_with('/') && !is_wide(dir)) {
                let why = format!("{word} is an argument of the command");
                needs.homes.push(Home {
                    dir,
                    without: Box::new(|_, path| super::app::is_leftover(path)),
                    group: "arguments",
                    why,
                });
            }
        }
    }
    Ok(needs)
}
