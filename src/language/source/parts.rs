//! Parts of a standard library that few programs load, such as installers and test tools. They are left out unless the
//! text of a script, or an option, contains their name.

use serde::Deserialize;

use crate::error::Error;
use crate::language::{Call, Needs};
use crate::path::RootPath;
use crate::world::tables::Words;

/// Maximum size of a script that is searched for names.
const MAX_SCRIPT: usize = 4 << 20;

/// A part of a standard library.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Part {
    /// The profile that packs it.
    pub(crate) profile: String,
    /// Text of sources that load it.
    pub(crate) texts: Words,
}

/// Applies the profiles of the parts that the scripts or the arguments name. True if there is one.
pub(crate) fn ask(
    call: &Call<'_>,
    parts: &'static [Part],
    scripts: &[RootPath],
    needs: &mut Needs,
) -> Result<bool, Error> {
    let mut texts = Vec::new();
    for script in scripts {
        if let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_SCRIPT)? {
            texts.push((script.to_string(), text));
        }
    }
    texts.push(("the command line".to_owned(), call.args.join(" ").into_bytes()));
    let mut is_asked = false;
    for part in parts {
        if let Some((by, _)) = texts.iter().find(|(_, text)| part.texts.occur_in(text)) {
            needs.profiles.push((part.profile.as_str(), format!("{by} loads a part of the standard library")));
            is_asked = true;
        }
    }
    Ok(is_asked)
}
