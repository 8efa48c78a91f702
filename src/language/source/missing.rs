//! Finds applications that a command names and the root lacks: the script that an interpreter is told to run. Options are parsed as the interpreters parse theirs (python(1), node(1), perlrun(1), ruby(1), php(1),
//! java(1), sh(1)). An option that is not understood is never reported.

use super::application as app;
use super::interpreters::{Interpreter, Letters, OptionWords, parser_of};
use crate::error::Error;
use crate::language::{Call, Needs};
use crate::path::RootPath;
use crate::world::tables::system;

/// Directories that exist only in a running system.
const KERNELS: [&str; 4] = ["/dev/", "/proc/", "/sys/", "/run/"];

/// An application that is missing from the root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MissingApplication {
    /// The program that would run the application.
    pub program: RootPath,
    /// The argument of the command that names it.
    pub word: String,
    /// Description of the missing file or module.
    pub what: String,
    /// True if the program is certain to fail without it.
    pub is_certain: bool,
    /// A working directory in which the argument would be found.
    pub workdir: Option<RootPath>,
    /// Its path in the root, if nothing packs it from there.
    pub place: Option<RootPath>,
}

pub(crate) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    let Some(program) = call.programs.last().filter(|_| call.scripts.is_empty()) else { return Ok(needs) };
    let name = String::from_utf8_lossy(program.name()).into_owned();
    let Some(word) = parser_of(&name).and_then(|interpreter| run_by(interpreter, call.args)) else { return Ok(needs) };
    if !is_there(call, call.cwd, word)? && !is_command(call, word)? {
        let workdir = workdir(call, |dir| is_there(call, dir, word))?.filter(|_| !word.starts_with('/'));
        let path = RootPath::new(call.spelled(word));
        let what = format!("file {}", path.map_or_else(|| word.to_owned(), |path| path.to_string()));
        let (program, word) = (program.clone(), word.to_owned());
        needs.missing_applications.push(MissingApplication {
            program,
            word,
            what,
            is_certain: true,
            workdir,
            place: None,
        });
    }
    Ok(needs)
}

/// The argument that names the script or jar which the interpreter of a call runs.
pub(crate) fn named_script<'a>(call: &Call<'a>) -> Option<&'a str> {
    let program = call.programs.last().filter(|_| call.scripts.is_empty())?;
    parser_of(&String::from_utf8_lossy(program.name())).and_then(|interpreter| run_by(interpreter, call.args))
}

/// The argument that names the script or jar.
fn run_by<'a>(interpreter: &Interpreter, words: &'a [String]) -> Option<&'a str> {
    match (&interpreter.letters, &interpreter.words) {
        (Some(grammar), _) => script(grammar, words),
        (None, Some(grammar)) => jar(grammar, words),
        (None, None) => None,
    }
}

/// The argument that names the script; `None` if there is none, or if an option makes it ambiguous.
fn script<'a>(grammar: &Letters, words: &'a [String]) -> Option<&'a str> {
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if word == "--" {
            return words.next();
        } else if word == "-" {
            return None;
        } else if let Some(long) = word.strip_prefix("--") {
            // An unknown long option may or may not take the next argument, so we give up.
            match grammar.long_valued.contain(word) {
                true => drop(words.next()),
                false if long.contains('=') || grammar.suffixes.is_empty() => {}
                false => return None,
            }
        } else if let Some(letters) = word.strip_prefix('-') {
            for (at, letter) in letters.char_indices() {
                if grammar.ends.contains(letter) {
                    return None;
                }
                if grammar.valued.contains(letter) && at + letter.len_utf8() == letters.len() {
                    words.next();
                }
                if grammar.valued.contains(letter) || grammar.attached.contains(letter) {
                    break;
                }
            }
        } else {
            let fits = grammar.suffixes.is_empty() || grammar.suffixes.end(word);
            return Some(word).filter(|_| fits);
        }
    }
    None
}

/// The jar passed to `java -jar`.
fn jar<'a>(grammar: &OptionWords, words: &'a [String]) -> Option<&'a str> {
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if word == grammar.script {
            return words.next();
        } else if grammar.valued.contain(word) {
            words.next();
        } else if !grammar.beginning.begin(word) {
            return None;
        }
    }
    None
}

/// True if the argument names a file, a directory or something inside an archive file, or if it is in a directory
/// that exists only at run time.
fn is_there(call: &Call<'_>, dir: &RootPath, word: &str) -> Result<bool, Error> {
    if word.contains('\0') || KERNELS.iter().any(|dir| word.starts_with(dir)) {
        return Ok(true);
    }
    let end = word.trim_end_matches('/');
    for (at, _) in end.match_indices('/').filter(|(at, _)| *at > 0).chain([(end.len(), "")]) {
        let followed = call.root.follow_from(dir, &end.as_bytes()[..at])?;
        if followed.file().is_some() {
            return Ok(true);
        } else if followed.dir().is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Shells also search PATH for a bare name.
fn is_command(call: &Call<'_>, word: &str) -> Result<bool, Error> {
    if word.contains('/') {
        return Ok(false);
    }
    for dir in call.path.split(':').filter(|dir| dir.starts_with('/')) {
        if call.root.follow(format!("{dir}/{word}").as_bytes())?.file().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first application directory for which `is_in` is true.
pub(crate) fn workdir(
    call: &Call<'_>,
    is_in: impl Fn(&RootPath) -> Result<bool, Error>,
) -> Result<Option<RootPath>, Error> {
    for folder in system().application_parents.iter().filter_map(RootPath::new) {
        let Some(folder) = call.root.follow(folder.as_bytes())?.dir().cloned() else { continue };
        for name in call.root.list(&folder)? {
            let dir = folder.join(&name);
            let is_kernels = folder.is_root() && matches!(name.as_slice(), b"proc" | b"sys" | b"dev");
            if is_kernels || app::is_wide(&dir) {
                continue;
            }
            if let Some(real) = call.root.follow(dir.as_bytes())?.dir()
                && is_in(real)?
            {
                return Ok(Some(dir));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_is_run_is_found_behind_the_options_of_each_interpreter() {
        let cases = [
            ("python3 -u -W ignore -Xdev app.py x.py", Some("app.py")),
            ("python3 -Bc x app.py", None),
            ("python3.11 -Im http.server", None),
            ("python3 -", None),
            ("node --max-old-space-size=64 -r dotenv/config dist/index.js", Some("dist/index.js")),
            ("node --title app.js x.js", None),
            ("node dist", None),
            ("node -pe 1", None),
            ("perl -Mstrict -I lib -w run.pl", Some("run.pl")),
            ("perl -ne print x", None),
            ("ruby -rset -I lib main.rb", Some("main.rb")),
            ("php -d a=b index.php", Some("index.php")),
            ("php -S 0.0.0.0:80 x.php", None),
            ("bash -eo pipefail run.sh", Some("run.sh")),
            ("sh -ec run.sh", None),
            ("java -Xmx64m -cp x.jar -jar app.jar -jar y", Some("app.jar")),
            ("java -cp x.jar Main -jar y", None),
        ];
        for (line, wanted) in cases {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let interpreter = parser_of(&words[0]).expect("a known interpreter");
            assert_eq!(run_by(interpreter, &words[1..]), wanted, "{line}");
        }
    }
}
