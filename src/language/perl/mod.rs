//! Perl: the application's directory, the module directories that it sets (PERL5LIB, `-I`, `use lib`, `@INC`,
//! local::lib), the directories of installed modules, files that it loads by path, and programs that it starts. The
//! standard library is in the profile.

mod missing;
mod table;

use std::rc::Rc;

use self::table::table;
use super::source::application as app;
use super::source::interpreters::Tongue;
use super::source::parts;
use super::source::started;
use super::{Call, Claim, Needs, Scope};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::RootGlob;

/// Maximum size of a script that is read, and maximum number of scripts that load each other by path.
const MAX_SCRIPT: usize = 4 << 20;
const MAX_SCRIPTS: usize = 64;
/// Maximum length of a statement that names directories or a file.
const MAX_STATEMENT: usize = 600;
/// Ways to write the directory of the script (FindBin).
const OWN_DIRECTORY: [&str; 6] =
    ["${FindBin::RealBin}", "${FindBin::Bin}", "$FindBin::RealBin", "$FindBin::Bin", "$RealBin", "$Bin"];
/// Signs that a directory is computed, relative to the script's directory or its parent.
const COMPUTED: [&str; 5] = ["dirname", "__FILE__", "curfile", "catdir", "->"];

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let Some((program, _)) = call.program(|name| Tongue::Perl.is_run_by(name))? else {
        return Ok(Needs::default());
    };
    let mut needs = Needs {
        claims: app::whole_claims(call, "application")?,
        notes: app::lone_script_note(call)?.into_iter().collect(),
        profiles: vec![(table().profile.as_str(), format!("{program} is started"))],
        ..Needs::default()
    };
    let list = |name: &str| call.env.get(name).into_iter().flat_map(|list| list.split(':')).map(str::to_owned);
    let mut dirs: Vec<String> = list("PERL5LIB").collect();
    dirs.extend(list("PERL_LOCAL_LIB_ROOT").map(|dir| format!("{dir}/lib/perl5")));
    dirs.extend(included(call.args.iter().map(String::as_str)));
    dirs.extend(call.env.get("PERL5OPT").iter().flat_map(|words| included(words.split(' '))));
    let mut scripts: Vec<RootPath> = call.script()?.into_iter().collect();
    // An application run by a server: `starman -a /srv/site/app.psgi`.
    for word in call.args.iter().filter(|word| word.ends_with(".psgi")) {
        let psgi = call.file(word)?;
        let dir = psgi.iter().filter_map(RootPath::parent).find(|dir| !app::is_wide(dir));
        needs.claims.extend(dir.map(|dir| app::application_claim(dir, "application", Rc::new(|_, _| false))));
        scripts.extend(psgi);
    }
    let mut at = 0;
    while let Some(script) = scripts.get(at).cloned() {
        at += 1;
        let Some((real, text)) = call.root.read_followed(script.as_bytes(), MAX_SCRIPT)? else { continue };
        let own = real.parent().map_or_else(String::new, |dir| dir.to_string());
        let text = String::from_utf8_lossy(&text).into_owned();
        let shebang = text.lines().next().filter(|line| line.starts_with("#!"));
        dirs.extend(shebang.iter().flat_map(|line| included(line.split(' '))));
        let home = call.env.get("HOME").map_or("/root", String::as_str);
        for dir in used(&text, &own, home) {
            // If `/app/script/serve` adds `/app/lib`, the application is /app, including its templates.
            let beside = call.dir(&dir)?.and_then(|dir| dir.parent()).filter(|above| {
                real.parent().and_then(|own| own.parent()).as_ref() == Some(above) && !app::is_wide(above)
            });
            dirs.push(beside.map_or(dir, |above| above.to_string()));
        }
        for file in loaded(&text, &own) {
            let Some(file) = call.file(&file)?.filter(|file| !scripts.contains(file)) else { continue };
            if scripts.len() >= MAX_SCRIPTS {
                call.root.leave_unread(
                    &real,
                    format!("of the scripts that it loads, those after {MAX_SCRIPTS} are not read"),
                );
            } else {
                needs.files.push((file.clone(), format!("{script} loads it")));
                scripts.push(file);
            }
        }
    }
    needs.missing_modules = missing::find(call, &scripts, &dirs, &needs)?;
    for dir in dirs.iter().filter(|dir| !dir.is_empty()) {
        if let Some(dir) = call.dir(dir)?.filter(|dir| !app::is_wide(dir)) {
            needs.claims.push(app::application_claim(dir, "application", Rc::new(|_, _| false)));
        }
    }
    let own: Vec<RootPath> = needs.claims.iter().map(|home| home.dir.clone()).collect();
    let has_parts = parts::ask(call, &table().parts, &scripts, &mut needs)?;
    let loaded = missing::loaded(call, &scripts)?;
    let mut modules = installed(call, (!own.is_empty(), has_parts), &loaded, &mut needs)?;
    // Modules of packages that a script loads may start programs for it.
    for dir in needs.claims.iter().filter(|claim| claim.scope == Scope::Own).map(|claim| &claim.dir) {
        for path in &loaded {
            modules
                .extend(call.root.follow(dir.join(path.as_bytes()).as_bytes())?.file().map(|(real, _)| real.clone()));
        }
    }
    let sources = started::Sources { dirs: &own, scripts: &scripts, modules: &modules };
    started::ask(call, &table().starts, &sources, &mut needs)?;
    Ok(needs)
}

/// Claims the directories in which packages install modules, and returns those of the script's own package. A command
/// line that loads no module needs none of them.
fn installed(
    call: &Call<'_>,
    (runs_own_code, has_parts): (bool, bool),
    loaded: &[String],
    needs: &mut Needs,
) -> Result<Vec<RootPath>, Error> {
    let mut own = Vec::new();
    if !runs_own_code && is_plain_text(call) {
        return Ok(own);
    }
    let mut dirs = Vec::new();
    for pattern in &table().modules {
        for found in RootGlob::new(pattern).map_or(Ok(Vec::new()), |glob| call.root.matching(&glob))? {
            dirs.extend(call.root.follow(found.as_bytes())?.dir().cloned());
        }
    }
    dirs.sort();
    dirs.dedup();
    // Modules with shared objects lie in a directory of their version.
    let mut paths = loaded.to_vec();
    for dir in &dirs {
        for version in call.root.list(dir)?.iter().filter(|name| name.first().is_some_and(u8::is_ascii_digit)) {
            let version = String::from_utf8_lossy(version);
            paths.extend(loaded.iter().map(|path| format!("{version}/{path}")));
        }
    }
    needs.unneeded = call.unneeded_in(&dirs, runs_own_code, &paths)?;
    for dir in dirs {
        own.extend((call.own_modules)(&dir)?);
        let left = needs.unneeded.iter().find(|(of, _)| *of == dir).map(|(_, one)| Rc::clone(&one.paths));
        needs.claims.push(Claim {
            why: format!("what is installed in {dir}"),
            without: Rc::new(move |_, path| {
                left.as_ref().is_some_and(|left| left.contains(path))
                    || !has_parts && table().not_run.contain(path.name())
                    || table().not_run_endings.end(path.name())
            }),
            dir,
            group: "Perl modules",
            scope: Scope::Own,
        });
    }
    Ok(own)
}

/// True for a launch whose program is a text in its arguments that loads no module (perlrun(1)).
fn is_plain_text(call: &Call<'_>) -> bool {
    let is_option = |word: &&String| word.starts_with('-') && !word.starts_with("--");
    let has = |letter: char| call.args.iter().filter(is_option).any(|word| word.contains(letter));
    let loads = ["use ", "require ", "do "];
    let text = || call.args.iter().any(|word| loads.iter().any(|key| word.contains(key)));
    let is_set = call.env.keys().any(|name| name.starts_with("PERL"));
    call.scripts.is_empty() && (has('e') || has('E')) && !has('M') && !has('m') && !text() && !is_set
}

/// Directories given as `-IDIR` (perlrun(1)). A directory in a separate argument is handled with the other arguments.
fn included<'w>(words: impl Iterator<Item = &'w str>) -> Vec<String> {
    words.filter_map(|word| word.strip_prefix("-I")).map(str::to_owned).collect()
}

/// Directories that `use lib`, `use local::lib` and changes of `@INC` add, literal or relative to the script's
/// directory.
fn used(text: &str, own: &str, home: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (statement, end) in statements(text) {
        let words = words(statement);
        if end == LOCAL && words.is_empty() {
            found.push(format!("{home}/perl5{end}"));
        }
        let is_computed = COMPUTED.iter().any(|word| statement.contains(word));
        if OWN_DIRECTORY.iter().any(|name| statement.contains(name)) {
            found.push(format!("{own}{end}"));
        }
        let joined: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        let joined = (is_computed && words.len() > 1).then(|| (joined.join("/"), false));
        for (word, is_joined) in words.iter().cloned().chain(joined) {
            let word = OWN_DIRECTORY.iter().fold(word, |word, name| word.replace(name, own));
            if word.contains('$') || word.chars().all(|c| c == '.' || c == '/') {
                continue;
            }
            if is_joined || is_computed && !word.starts_with('/') {
                found.push(format!("{own}/{word}{end}"));
                found.push(format!("{own}/../{word}{end}"));
            } else {
                found.push(format!("{word}{end}"));
            }
        }
    }
    found
}

/// Module directory below the one that `use local::lib` names.
const LOCAL: &str = "/lib/perl5";

/// Statements that change the module path, without their keywords, each with the subdirectory to append.
fn statements(text: &str) -> Vec<(&str, &'static str)> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at + line.len() - line.trim_start().len();
        at += line.len();
        let line = line.trim_start();
        let (from, end) = match (line.strip_prefix("use lib"), line.strip_prefix("use local::lib"), line.find("@INC")) {
            (Some(rest), ..) => (line.len() - rest.len(), ""),
            (_, Some(rest), _) => (line.len() - rest.len(), LOCAL),
            (_, _, Some(inc)) if !line.starts_with('#') && (line.contains("shift") || line.contains("push")) => {
                (inc + "@INC".len(), "")
            }
            _ => continue,
        };
        let rest = &text[start + from..];
        if !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':')) {
            found.push((statement(rest), end));
        }
    }
    found
}

/// The text up to the end of its statement.
fn statement(text: &str) -> &str {
    let end = text.find(';').unwrap_or(text.len()).min(MAX_STATEMENT);
    let end = (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// The quoted words of a statement, each with true if the concatenation operator precedes it.
fn words(statement: &str) -> Vec<(String, bool)> {
    if let Some((_, list)) = statement.split_once("qw") {
        let is_end = |c: char| c.is_whitespace() || "()[]{}<>|!".contains(c);
        return list.split(is_end).filter(|word| !word.is_empty()).map(|word| (word.to_owned(), false)).collect();
    }
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some(from) = rest.find(['"', '\'']) {
        let quote = &rest[from..=from];
        let Some(length) = rest[from + 1..].find(quote) else { break };
        let word = &rest[from + 1..from + 1 + length];
        if !word.is_empty() {
            found.push((word.to_owned(), rest[..from].trim_end().ends_with('.')));
        }
        rest = &rest[from + length + 2..];
    }
    found
}

/// Files that `do` and `require` load by path.
fn loaded(text: &str, own: &str) -> Vec<String> {
    let mut found = Vec::new();
    for key in ["do ", "require "] {
        for (at, _) in text.match_indices(key) {
            let is_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '>' | ':'));
            let rest = statement(&text[at + key.len()..]).trim_start();
            if is_word || !rest.starts_with(['"', '\'']) {
                continue;
            }
            let word = words(rest).into_iter().next().map(|(word, _)| word).unwrap_or_default();
            let word = OWN_DIRECTORY.iter().fold(word, |word, name| word.replace(name, own));
            if word.starts_with('/') && !word.contains('$') {
                found.push(word);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_modules_are_read() {
        let text = "use lib \"$FindBin::Bin/../lib\", 'extra';\nuse lib qw(/opt/a /opt/b);\n# use lib 'no';\n\
                    use local::lib '/opt/local';\nuse lib $x;\nuse libfoo;\n";
        let wanted = ["/s/bin", "/s/bin/../lib", "extra", "/opt/a", "/opt/b", "/opt/local/lib/perl5"];
        assert_eq!(used(text, "/s/bin", "/h"), wanted);
    }

    #[test]
    fn directories_of_modules_are_counted_from_the_script() {
        let has = |text: &str, wanted: &str| {
            let found = used(text, "/s/bin", "/h");
            assert!(found.iter().any(|found| found == wanted), "{text}: {found:?}");
        };
        has("use lib dirname(abs_path($0)) . '/../m';", "/s/bin//../m");
        has("use lib File::Spec->catdir($FindBin::Bin, '..', 'm');", "/s/bin/../m");
        has("use lib curfile->dirname->sibling('m')->to_string;", "/s/bin/../m");
        has("BEGIN { unshift @INC, \"$FindBin::Bin/../m\" }", "/s/bin/../m");
        has("BEGIN {\n push(@INC, '/opt/m');\n}", "/opt/m");
        has("use lib (\n 'a',\n 'b',\n);", "b");
        has("use local::lib;", "/h/perl5/lib/perl5");
        assert_eq!(used("print \"@INC\"; # shift '/x'", "/s", "/h"), [""; 0]);
    }

    #[test]
    fn files_loaded_by_path_are_read() {
        let text =
            "require '/opt/a.pl';\nmy $c = do \"$FindBin::Bin/../etc/b.pl\" or die;\nundo '/no';\nrequire My::Mod;\n";
        assert_eq!(loaded(text, "/s/bin"), ["/s/bin/../etc/b.pl", "/opt/a.pl"]);
    }
}
