//! Data that a source opens by its place relative to the source's own file: `join(dirname(__file__), "..", "data", "x")`,
//! `Path(__file__).parent.parent / "data"`, `"$FindBin::Bin/../data/x"`. Reads lexically, without a grammar: a path is a
//! sequence of literals, and counts only if it exists.

use crate::language::source::application::is_wide;
use crate::path::RootPath;
use crate::world::tables::system;

/// Maximum length of a literal.
const MAX_LITERAL: usize = 200;
/// Maximum number of directories above the source's that are tried.
const MAX_UP: usize = 3;
/// Maximum number of parts of a path: a longer sequence is a list of other texts.
const MAX_PARTS: usize = 32;

/// The paths that a source may mean, each with its offset. Most do not exist.
pub(super) fn paths(source: &RootPath, text: &[u8]) -> Vec<(String, usize)> {
    let own = system();
    if !own.own_file.occur_in(text) {
        return Vec::new();
    }
    let climbs = own.parent_of.occur_in(text);
    let mut found = Vec::new();
    for (at, parts) in sequences(text) {
        let ups = parts.iter().filter(|part| *part == "..").count();
        let below: Vec<&str> = parts.iter().map(String::as_str).filter(|part| *part != "..").collect();
        if below.is_empty() || parts.len() > MAX_PARTS || ups == 0 && !climbs || ups > MAX_UP {
            continue;
        }
        // Written steps lead from the directory of the source, or from one that the source computes above it.
        let more = if climbs { MAX_UP - ups } else { 0 };
        for steps in ups..=ups + more {
            let mut dir = source.parent();
            for _ in 0..steps {
                dir = dir.and_then(|dir| dir.parent());
            }
            let is_written = steps == ups && ups > 0;
            let Some(dir) = dir.filter(|dir| is_written || steps > 0 && !dir.is_root() && !is_wide(dir)) else {
                continue;
            };
            found.push((below.iter().fold(dir, |dir, part| dir.join(part.as_bytes())).to_string(), at));
        }
    }
    found
}

/// A path as it is, and with the end of the name of the source that names it, also in a directory.
pub(super) fn with_ends(source: &RootPath, path: String) -> Vec<String> {
    let name = String::from_utf8_lossy(source.name());
    let end = name.rfind('.').filter(|at| *at > 0).map(|at| &name[at..]).filter(|end| !path.ends_with(*end));
    let more = end.map(|end| [format!("{path}{end}"), format!("{path}/index{end}")]);
    std::iter::once(path).chain(more.into_iter().flatten()).collect()
}

/// Literals that only commas, plus signs, slashes and brackets separate, as the parts of one path.
fn sequences(text: &[u8]) -> Vec<(usize, Vec<String>)> {
    let mut found: Vec<(usize, Vec<String>)> = Vec::new();
    let (mut at, mut end, mut is_open) = (0, 0, false);
    while at < text.len() {
        if !matches!(text[at], b'\'' | b'"' | b'`') {
            at += 1;
            continue;
        }
        let inner = &text[at + 1..text.len().min(at + 1 + MAX_LITERAL)];
        let stop = inner.iter().position(|byte| *byte == text[at] || *byte == b'\n');
        let Some(length) = stop.filter(|stop| inner[*stop] == text[at]) else {
            at += 1;
            continue;
        };
        let joins = text[end..at].iter().all(|byte| byte.is_ascii_whitespace() || b",+/.".contains(byte));
        match parts(&inner[..length]) {
            Some(parts) if joins && is_open => {
                let open = found.last_mut().map(|(_, all)| all).filter(|all| all.len() <= MAX_PARTS);
                open.into_iter().for_each(|all| all.extend(parts.clone()));
            }
            Some(parts) => {
                found.push((at, parts));
                is_open = true;
            }
            None => is_open = false,
        }
        at += length + 2;
        end = at;
    }
    found
}

/// The parts of a path, without a variable in front of it; `None` for another text.
fn parts(text: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(text).ok()?;
    // The directory of the source.
    let first = ["${", "#{", "{"].iter().find_map(|open| text.strip_prefix(open)?.split_once('}'));
    let text = first.map_or(text, |(_, rest)| rest);
    let text = if text.starts_with('$') { text.split_once('/')?.1 } else { text };
    // A variable or pattern in a name stands for the files of a directory; a path may follow another variable too.
    let before = text.find(['{', '*', '%', '$']).map(|at| &text[..=text[..at].rfind('/').unwrap_or(0)]);
    let text = match before.filter(|before| before.trim_start_matches('/').starts_with("../")) {
        Some(before) => before,
        None => text.rsplit_once('}').map_or(text, |(_, rest)| rest),
    };
    let is_part = |part: &&str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+".contains(&b));
    let all: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!all.is_empty() && all.iter().all(is_part)).then(|| all.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_counted_from_the_source() {
        let has = |text: &str, wanted: &str| {
            let source = RootPath::new("/srv/own/bin/a.py").expect("a path");
            let found = paths(&source, text.as_bytes());
            assert!(found.iter().any(|(path, _)| path == wanted), "{text}: {found:?}");
        };
        has("HERE = dirname(__file__)\nopen(join(HERE, '..', \"data\", 'x'))", "/srv/own/data/x");
        has("R = Path(__file__).parent.parent\nopen(R / 'data' / 'x')", "/srv/own/data/x");
        has("B = dirname(dirname(__file__))\nopen(B + '/data/x')", "/srv/own/data/x");
        has("open F, \"$FindBin::Bin/../data/x\";", "/srv/own/data/x");
        has("readFileSync(`${__dirname}/../data/x`)", "/srv/own/data/x");
        has("file_get_contents(__DIR__ . '/../data/x')", "/srv/own/data/x");
        has("glob(__DIR__ . '/../plug/*.php')", "/srv/own/plug");
        has("%w[a b].each { |n| require_relative \"../lib/#{n}\" }", "/srv/own/lib");
        has("import(`${__dirname}/../lib/${name}.js`)", "/srv/own/lib");
        has("readdirSync(__dirname); open(`../lib/x-${name}.js`)", "/srv/own/lib");
        let source = RootPath::new("/srv/own/bin/a.py").expect("a path");
        for text in ["open('../data/x')", "open(join(dirname(__file__), f'a b'))", "__DIR__ . '/x'"] {
            assert!(paths(&source, text.as_bytes()).is_empty(), "{text}");
        }
    }
}
