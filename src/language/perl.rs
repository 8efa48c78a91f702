//! Perl: the application's directory, and where it says that modules of its own lie: PERL5LIB, `-I`, `use lib`, local::lib.
//! Where modules are installed is the profile's.

use super::{Call, Needs, app};
use crate::error::Error;

/// Largest script that is read for `use lib`.
const MAX_SCRIPT: usize = 4 << 20;
/// How scripts write the directory that they lie in (FindBin).
const OWN_DIRECTORY: [&str; 6] =
    ["${FindBin::RealBin}", "${FindBin::Bin}", "$FindBin::RealBin", "$FindBin::Bin", "$RealBin", "$Bin"];

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let Some((program, _)) = call.program(|name| name == "perl" || name.starts_with("perl5"))? else {
        return Ok(Needs::default());
    };
    let mut needs = Needs {
        homes: app::plain_homes(call, "application")?,
        notes: app::alone(call)?.into_iter().collect(),
        profiles: vec![("perl", format!("{program} is started"))],
        ..Needs::default()
    };
    let list = |name: &str| call.env.get(name).into_iter().flat_map(|list| list.split(':')).map(str::to_owned);
    let mut dirs: Vec<String> = list("PERL5LIB").collect();
    dirs.extend(list("PERL_LOCAL_LIB_ROOT").map(|dir| format!("{dir}/lib/perl5")));
    dirs.extend(call.args.iter().filter_map(|word| word.strip_prefix("-I")).map(str::to_owned));
    if let Some(script) = call.script()?
        && let Some((real, text)) = call.root.read_followed(script.as_bytes(), MAX_SCRIPT)?
    {
        let own = real.parent().map_or_else(String::new, |dir| dir.to_string());
        dirs.extend(used(&String::from_utf8_lossy(&text), &own));
    }
    for dir in dirs.iter().filter(|dir| !dir.is_empty()) {
        if let Some(dir) = call.dir(dir)?.filter(|dir| !app::is_wide(dir)) {
            needs.homes.push(app::home(dir, "application", Box::new(|_, _| false)));
        }
    }
    Ok(needs)
}

/// Directories that `use lib` and `use local::lib` name in plain text, or counted from that of the script.
fn used(text: &str, own: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim_start) {
        let (rest, end) = match (line.strip_prefix("use lib"), line.strip_prefix("use local::lib")) {
            (Some(rest), _) => (rest, ""),
            (_, Some(rest)) => (rest, "/lib/perl5"),
            _ => continue,
        };
        if rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':')) {
            continue;
        }
        let rest = rest.split(';').next().unwrap_or_default();
        for word in rest.split(|c: char| c.is_whitespace() || "\"'(),".contains(c)).filter(|word| !word.is_empty()) {
            let word = OWN_DIRECTORY.iter().fold(word.to_owned(), |word, name| word.replace(name, own));
            if !word.contains('$') && word != "qw" {
                found.push(format!("{word}{end}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn directories_of_modules_are_read() {
        let text = "use lib \"$FindBin::Bin/../lib\", 'extra';\nuse lib qw(/opt/a /opt/b);\n# use lib 'no';\n\
                    use local::lib '/opt/local';\nuse lib $x;\nuse libfoo;\n";
        let wanted = ["/s/bin/../lib", "extra", "/opt/a", "/opt/b", "/opt/local/lib/perl5"];
        assert_eq!(used(text, "/s/bin"), wanted);
    }
}
