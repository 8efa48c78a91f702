//! Programs of which a source gives no whole name in a call: names with a computed part (`"update-$kind"`), and lists of
//! names that it looks up itself in a list of directories of programs.

use std::collections::BTreeSet;

use memchr::memmem::find_iter;

use super::flow::quoted;
use crate::error::Error;
use crate::language::{Call, Certainty, Command, Needs};
use crate::path::RootPath;
use crate::root::Root;
use crate::world::program_in_path;
use crate::world::tables::system;

/// Minimum length of what must be known before a computed part.
const MIN_KNOWN: usize = 4;
/// Maximum number of programs that are packed for a name with a computed part.
const MAX_ALIKE: usize = 8;
/// Maximum length of a list, and maximum number of lists in a source.
const MAX_LIST: usize = 4096;
const MAX_LISTS: usize = 4096;
/// Minimum number of directories in a list of places, and of programs in a list of names.
const MIN_ITEMS: usize = 2;

/// A name of a program with a computed part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partial {
    before: String,
    after: String,
}

impl Partial {
    /// The name with which a command begins, as `tool-$kind`, `tool-#{kind}` or `tool-{}`; `None` if it is known whole, or
    /// if little of it is known. A sign before the computed part shows that it is a part of a name.
    pub(crate) fn of(command: &str) -> Option<Self> {
        let word = command.split_whitespace().next()?;
        let open = word.find(['$', '#', '{'])?;
        let rest = word[open..].trim_start_matches(['$', '#']);
        let (is_braced, inner) = rest.strip_prefix('{').map_or((false, rest), |inner| (true, inner));
        let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
        let after = &inner[end..];
        let after = if is_braced { after.strip_prefix('}')? } else { after };
        Self::new(&word[..open], after)
    }

    /// A name of which two parts are known.
    pub(crate) fn new(before: &str, after: &str) -> Option<Self> {
        let is_known = before.len() >= MIN_KNOWN && before.ends_with(['-', '_', '.']);
        (is_known && [before, after].into_iter().all(is_name))
            .then(|| Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// Adds the programs that may be meant; many are told. False if there is none.
    pub(crate) fn ask(&self, call: &Call<'_>, why: &str, needs: &mut Needs) -> Result<bool, Error> {
        let programs = self.programs(call.root, call.path)?;
        let is_found = !programs.is_empty();
        if programs.len() > MAX_ALIKE {
            needs.offers.extend(programs.into_iter().map(|program| (program, why.to_owned())));
            return Ok(is_found);
        }
        let certainty = Certainty::Possible;
        let command = |program: RootPath| Command { name: program.to_string(), certainty, why: why.to_owned() };
        needs.commands.extend(programs.into_iter().map(command));
        Ok(is_found)
    }

    /// The programs in PATH that have such a name.
    fn programs(&self, root: &Root, path: &str) -> Result<BTreeSet<RootPath>, Error> {
        let mut found = BTreeSet::new();
        for dir in path.split(':').filter_map(RootPath::new) {
            let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
            for name in root.list(&real)? {
                let name = String::from_utf8_lossy(&name).into_owned();
                let inner = name.strip_prefix(&self.before).and_then(|rest| rest.strip_suffix(&self.after));
                if inner.is_some_and(|inner| !inner.is_empty()) {
                    found.extend(program_in_path(root, path, &name)?);
                }
            }
        }
        Ok(found)
    }
}

/// The names in lists of a source that also lists directories of programs, each list with its offset.
pub(super) fn searched(text: &[u8]) -> Vec<(usize, Vec<&str>)> {
    let lists = lists(text);
    let is_place = |item: &&str| RootPath::new(item).is_some_and(|path| system().commands.contain(&path));
    let are_places = |list: &[&str]| list.len() >= MIN_ITEMS && list.iter().all(is_place);
    if !lists.iter().any(|(_, list)| are_places(list)) {
        return Vec::new();
    }
    lists.into_iter().filter(|(_, list)| list.len() >= MIN_ITEMS && list.iter().all(|item| is_name(item))).collect()
}

/// The programs of such a list, if most of its items are programs.
pub(super) fn programs_of(root: &Root, path: &str, list: &[String]) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    for name in list {
        found.extend(program_in_path(root, path, name)?);
    }
    let are_most = found.len() >= MIN_ITEMS && 2 * found.len() >= list.len();
    Ok(if are_most { found } else { Vec::new() })
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
}

/// The lists of words: `qw(a b)`, `%w[a b]`, `("a", "b")`, `['a', 'b']`.
fn lists(text: &[u8]) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    for sign in [&b"qw"[..], b"%w"] {
        for at in find_iter(text, sign) {
            let rest = text[at + sign.len()..].trim_ascii_start();
            let close = match rest.first() {
                Some(b'(') => b')',
                Some(b'[') => b']',
                Some(b'{') => b'}',
                Some(b'/') => b'/',
                _ => continue,
            };
            let inner = &rest[1..rest.len().min(MAX_LIST)];
            let Some(end) = memchr::memchr(close, inner) else { continue };
            found.extend(std::str::from_utf8(&inner[..end]).ok().map(|list| (at, list.split_whitespace().collect())));
        }
    }
    for at in memchr::memchr2_iter(b'(', b'[', text) {
        if let Some(list) = quoted_list(&text[at + 1..text.len().min(at + MAX_LIST)]) {
            found.push((at, list));
        }
    }
    found.truncate(MAX_LISTS);
    found
}

/// The texts of a list up to its end; `None` if something else is in it.
fn quoted_list(text: &[u8]) -> Option<Vec<&str>> {
    let (mut found, mut rest) = (Vec::new(), text.trim_ascii_start());
    while matches!(rest.first(), Some(b'\'' | b'"')) {
        let inner = quoted(rest)?;
        found.push(std::str::from_utf8(inner).ok()?);
        rest = rest[inner.len() + 2..].trim_ascii_start();
        rest = rest.strip_prefix(b",").map_or(rest, <[u8]>::trim_ascii_start);
    }
    (!found.is_empty() && matches!(rest.first(), Some(b')' | b']'))).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_parts_of_names_are_found() {
        let found = |command: &str| Partial::of(command).map(|name| format!("{}*{}", name.before, name.after));
        assert_eq!(found("update-default-$class"), Some("update-default-*".to_owned()));
        assert_eq!(found("tool-${kind}.sh -x"), Some("tool-*.sh".to_owned()));
        assert_eq!(found("tool-#{kind} -x"), Some("tool-*".to_owned()));
        assert_eq!(found("tool-{} x"), Some("tool-*".to_owned()));
        for other in ["$tool -b", "tool $x", "a-$x", "tool$x", "/usr/lib/tool/tool-$x", "tool-$a$b", "tool-%s"] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn names_count_beside_a_list_of_directories() {
        let found = |text: &'static str| -> Vec<Vec<&str>> {
            searched(text.as_bytes()).into_iter().map(|(_, list)| list).collect()
        };
        let places = "my @dirs = qw (\n /usr/bin\n /bin );\n";
        assert_eq!(found("my @dirs = qw(/usr/bin /bin); my @a = qw (rm mv);"), [["rm", "mv"]]);
        assert_eq!(found("for d in [\"/usr/bin\", '/bin']:\n  for n in ('cat', 'ls',):\n"), [["cat", "ls"]]);
        assert!(found("my @a = qw (rm mv); my $path = '/usr/bin';").is_empty(), "{places}");
        assert!(found("run('/usr/bin/x', '/bin'); x(['rm', 'mv'])").is_empty());
    }
}
