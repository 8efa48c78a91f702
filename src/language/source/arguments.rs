//! Arguments that name files (a configuration, a jar, a directory to serve), and files named in environment variables.

use std::rc::Rc;

use super::application::{is_leftover, is_wide};
use super::interpreters::Tongue;
use super::literals::program_at;
use crate::error::Error;
use crate::language::{Call, Certainty, Claim, Command, Needs, Scope};
use crate::root::Followed;

/// Separators of paths within one argument: `--conf=/etc/x`, `/a.jar:/b.jar`.
const SEPARATORS: [char; 3] = ['=', ':', ','];

pub(crate) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    // The rule for shells knows the meaning of the words of a command line; words of a shell script belong to the
    // script.
    let is_shell = call.scripts.is_empty() && call.program(|name| Tongue::Shell.is_run_by(name))?.is_some();
    for word in call.args {
        // A complete argument may be any file in the working directory. A part of one counts only if it looks like a
        // path.
        let is_path = |part: &&str| *part == word || part.contains('/') || part.contains('.');
        let parts = word.split(SEPARATORS).filter(is_path).map(|part| (part, part.starts_with('/')));
        // Source text as an argument: `R -e "runApp('/srv/app')"`. A quoted path is a claim wherever it leads.
        for (part, is_claim) in parts.chain(quoted(word).filter(|_| !is_shell).map(|part| (part, true))) {
            if part.contains('\0') || !is_claim && part.chars().all(|c| c == '.' || c == '/') {
                continue;
            }
            let why = format!("{word} is an argument of the command");
            let followed = call.root.follow_from(call.cwd, part.as_bytes())?;
            if is_needed(&followed) {
                needs.paths.push((call.spelled(part), why.clone()));
            }
            if let Some(dir) = followed.dir().filter(|dir| is_claim && !is_wide(dir)) {
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

/// Paths in quotes inside an argument. A word without a slash or a leading dot is more often text than a name of a file.
fn quoted(word: &str) -> impl Iterator<Item = &str> {
    let inside = ['\'', '"'].into_iter().flat_map(|quote| {
        let mut rest = word.split(quote).skip(1);
        std::iter::from_fn(move || rest.next().filter(|_| rest.next().is_some()))
    });
    inside.filter(|part| part.starts_with('.') || part.contains('/'))
}

/// True if the path itself must be packed. A directory is needed only for the symlinks on the way to it, because its
/// purpose is known only to the program that receives it.
fn is_needed(followed: &Followed) -> bool {
    followed.file().is_some() || followed.dir().is_some() && !followed.hops.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_paths_are_those_that_look_like_paths() {
        let found = |word| quoted(word).collect::<Vec<_>>();
        assert_eq!(found("shiny::runApp('/srv/shiny', port = 80)"), ["/srv/shiny"]);
        assert_eq!(found(r#"source("lib/a.R"); cat('it', "etc")"#), ["lib/a.R"]);
        assert_eq!(found("runApp('.')"), ["."]);
        assert_eq!(found("it's /srv"), [""; 0]);
        assert_eq!(found("/srv/plain"), [""; 0]);
    }
}
