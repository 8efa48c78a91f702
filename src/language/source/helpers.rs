//! Functions of a source that start the command in their arguments, as `sub run { system @_ }`, and the commands that
//! callers pass: `run('tool', …)`, `$self->run("tool $file")`. Reads Perl, PHP and Ruby lexically, without a grammar.

use std::collections::BTreeSet;

use memchr::memmem::{find, find_iter};

use super::flow::{self, Computed, is_word, quoted, word};
use crate::world::tables::Words;

/// Maximum length of a function up to the call in it, and of the arguments of its calls.
const MAX_BODY: usize = 4096;
const MAX_ARGUMENTS: usize = 512;
/// Maximum position of the command among the arguments of a call: objects and flags may precede it.
const MAX_PLACE: usize = 3;
/// Maximum number of variables that are followed for a command line.
const MAX_VARIABLES: usize = 16;

/// The functions in which a call starts a command that is a parameter. `keywords` precede the name of a function.
pub(super) fn names(text: &[u8], calls: &[Computed], keywords: &Words) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for call in calls {
        let Some((name, from)) = function(text, call.at, keywords) else { continue };
        if is_parameter(&text[from..call.at], &call.variable) {
            found.insert(name.to_owned());
        }
    }
    found
}

/// The last function that begins before an offset, and the offset after its name.
fn function<'t>(text: &'t [u8], at: usize, keywords: &Words) -> Option<(&'t str, usize)> {
    let from = at.saturating_sub(MAX_BODY);
    let mut last = None;
    for keyword in keywords.iter() {
        for start in find_iter(&text[from..at], keyword.as_bytes()).map(|start| from + start) {
            let is_keyword = start == 0 || text[start - 1].is_ascii_whitespace();
            let name = word(text[start + keyword.len()..at].trim_ascii_start()).filter(|_| is_keyword);
            if let Some(name) = name.filter(|_| last.is_none_or(|(_, other)| start > other)) {
                last = Some((name, start));
            }
        }
    }
    let (name, start) = last?;
    let after = find(&text[start..at], name.as_bytes())? + name.len();
    Some((name, start + after))
}

/// True if a variable is a parameter: in the brackets after the name, or assigned from Perl's `@_`.
fn is_parameter(body: &[u8], variable: &str) -> bool {
    let has = |text: &[u8]| {
        find_iter(text, variable.as_bytes()).any(|at| {
            let after = text.get(at + variable.len());
            !(at > 0 && is_word(text[at - 1]) || after.is_some_and(|byte| is_word(*byte)))
        })
    };
    let listed = body.trim_ascii_start().strip_prefix(b"(").and_then(|list| list.split(|byte| *byte == b')').next());
    let is_given = |statement: &[u8]| {
        let Some(sign) = memchr::memchr(b'=', statement) else { return false };
        let (to, value) = (&statement[..sign], statement[sign + 1..].trim_ascii_start());
        has(to) && (value.starts_with(b"shift") || find(value, b"@_").is_some() || find(value, b"$_[").is_some())
    };
    variable == "_" || listed.is_some_and(has) || body.split(|byte| *byte == b';').any(is_given)
}

/// The commands that calls of these functions pass, each with its offset.
pub(super) fn commands(
    text: &[u8],
    names: &BTreeSet<String>,
    keywords: &Words,
    has_signs: bool,
) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for name in names {
        for at in find_iter(text, name.as_bytes()) {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            let is_part = before.last().is_some_and(|byte| is_word(*byte) || b"$@%".contains(byte));
            let is_definition = keywords.iter().any(|keyword| before.ends_with(keyword.as_bytes()));
            let open = after.trim_ascii_start();
            let is_call = open.starts_with(b"(") || after.len() > open.len() && open.starts_with(b"'");
            if is_call && !is_part && !is_definition && !after.first().is_some_and(|byte| is_word(*byte)) {
                let list = open.strip_prefix(b"(").unwrap_or(open);
                found.extend(
                    given(text, &list[..list.len().min(MAX_ARGUMENTS)], has_signs).map(|command| (command, at)),
                );
            }
        }
    }
    found
}

/// The commands in the arguments of a call: the first text, and the values of variables before it.
fn given<'t>(text: &'t [u8], list: &'t [u8], has_signs: bool) -> impl Iterator<Item = String> + 't {
    let mut found = Vec::new();
    let mut rest = list;
    for _ in 0..MAX_PLACE {
        rest = rest.trim_ascii_start();
        let item = rest.strip_prefix(b"[").unwrap_or(rest).trim_ascii_start();
        let words = item.strip_prefix(b"qw").or_else(|| item.strip_prefix(b"%w")).and_then(|words| words.get(1..));
        if let Some(words) = words {
            let first =
                words.trim_ascii_start().split(|byte| byte.is_ascii_whitespace() || b")]}/".contains(byte)).next();
            found.extend(first.map(|word| String::from_utf8_lossy(word).into_owned()));
            break;
        }
        if matches!(item.first(), Some(b'\'' | b'"')) {
            let literal = quoted(item).map(|inner| String::from_utf8_lossy(inner).into_owned());
            found.extend(literal.into_iter().flat_map(|literal| expanded(text, literal, has_signs)));
            break;
        }
        if let Some(computed) = flow::computed(item, 0, has_signs) {
            found.extend(flow::texts(text, &computed.variable, has_signs).into_iter().map(|(text, _)| text));
        }
        let Some(end) = rest.iter().position(|byte| matches!(byte, b',' | b')' | b';')) else { break };
        if rest[end] != b',' {
            break;
        }
        rest = &rest[end + 1..];
    }
    found.into_iter()
}

/// A command line, and the texts of the variables that stand for commands in it: `cd $dir; $tool -b`.
fn expanded(source: &[u8], line: String, has_signs: bool) -> Vec<String> {
    let (mut found, mut seen, mut open) = (Vec::new(), BTreeSet::new(), vec![line]);
    while let Some(line) = open.pop() {
        for (at, _) in line.match_indices('$').filter(|_| has_signs) {
            let before = line[..at].trim_end();
            let name = line[at + 1..].trim_start_matches('{');
            let is_command = before.is_empty() || before.ends_with([';', '|', '&', '(']);
            let Some(name) = word(name.as_bytes()).filter(|_| is_command && seen.len() < MAX_VARIABLES) else {
                continue;
            };
            if seen.insert(name.to_owned()) {
                open.extend(flow::texts(source, name, has_signs).into_iter().map(|(text, _)| text));
            }
        }
        found.push(line);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, call: &str, keyword: &str, has_signs: bool) -> Vec<String> {
        let keywords: Words =
            toml::from_str::<std::collections::BTreeMap<String, Words>>(&format!("k = ['{keyword}']"))
                .expect("a list")
                .remove("k")
                .expect("words");
        let at = text.find(call).expect("a call") + call.len();
        let calls: Vec<Computed> = flow::computed(text.as_bytes(), at, has_signs).into_iter().collect();
        let names = names(text.as_bytes(), &calls, &keywords);
        commands(text.as_bytes(), &names, &keywords, has_signs).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn functions_that_start_their_arguments_are_found() {
        let text =
            "sub run_cmd {\n  show(@_);\n  system @_ and die;\n}\nrun_cmd('pack', '-b');\nrun_cmd(qw(sign -x));\n";
        assert_eq!(found(text, "system ", "sub ", true), ["pack", "sign"]);
        let text = "sub do {\n my $self = shift;\n my @command=@_;\n exec(@command);\n}\n$this->do(\"mkdir\", $dir);\n\
                    $this->do(1, \"tar xf $f\");\nmy $c = 'cpio';\nPkg->do($c);\nundo('no');\n";
        assert_eq!(found(text, "exec(", "sub ", true), ["mkdir", "tar xf $f", "cpio"]);
        let text = "sub pipe { my $self = shift; my @cmd = @_; exec(@cmd); }\nmy $tool = 'build';\nmy $line = \"cd $d; $tool -b\";\n\
                    $this->pipe(\"$line 2>&1\");\n";
        assert_eq!(found(text, "exec(", "sub ", true), ["$line 2>&1", "cd $d; $tool -b", "build"]);
        let text = "def sh(*cmd)\n  system(*cmd)\nend\nsh('make', 'all')\n";
        assert_eq!(found(text, "system(", "def ", false), ["make"]);
        let text = "function run($cmd, $n) { exec($cmd); }\nrun('convert a');\n";
        assert_eq!(found(text, "exec(", "function ", true), ["convert a"]);
    }

    #[test]
    fn functions_with_commands_of_their_own_are_none() {
        let text = "sub run { my $cmd = 'own'; system($cmd); }\nrun('other');\n";
        assert_eq!(found(text, "system(", "sub ", true), [""; 0]);
    }
}
