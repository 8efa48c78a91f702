//! Searches files of any size for strings: given texts, library names and absolute paths.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use aho_corasick::{AhoCorasick, Span, packed};
use memchr::{memchr, memmem, memrchr};

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// Maximum length of a library name.
const MAX_NAME: usize = 255;
/// Maximum number of names that one pattern stands for.
const MAX_ALTERNATIVES: usize = 64;
/// Minimum length of a name that is evidence wherever it occurs.
const MIN_NAME: usize = 6;
/// Maximum number of texts for which each is searched separately.
const FEW_TEXTS: usize = 12;
/// Maximum number of texts that vector instructions find at once without many false candidates.
const MANY_TEXTS: usize = 48;
/// Size of a chunk, and overlap of consecutive chunks.
const PIECE: usize = 1 << 20;
const OVERLAP: usize = 4096;
/// Maximum length of a path list, and maximum number of paths per file.
const MAX_LIST: usize = 1024;
const MAX_PATHS: usize = 4096;

/// Visits a file piece by piece until the visitor breaks; the flag is true for the first piece. Pieces overlap, so that
/// a string no longer than the overlap is complete in one of them, with the byte before it.
///
/// # Errors
/// `unreadable`.
pub(crate) fn pieces(
    root: &Root,
    file: &RootPath,
    mut visit: impl FnMut(&[u8], bool) -> ControlFlow<()>,
) -> Result<(), Error> {
    let source = root.open_file(file)?;
    // One byte more than the file: a read that does not fill the buffer is the last one.
    let size = usize::try_from(source.meta().size).unwrap_or(PIECE);
    let mut buffer = vec![0; PIECE.min(size.saturating_add(1))];
    let mut at = 0;
    loop {
        let read = source.read_at(at, &mut buffer).map_err(|error| Error::unreadable(file, error))?;
        if visit(&buffer[..read], at == 0).is_break() || read < buffer.len() {
            return Ok(());
        }
        at += (PIECE - OVERLAP) as u64;
    }
}

/// A search for several texts.
pub(super) struct Search<'t, T: Clone> {
    texts: Cow<'t, [T]>,
    method: Method,
}

/// How a piece is searched. Each of them finds overlapping texts too.
enum Method {
    /// One text after the other, which skips most bytes.
    Single,
    /// Up to [`MANY_TEXTS`] texts at once, by vector instructions.
    Packed(packed::Searcher),
    /// Any number of texts at once, byte by byte.
    Automaton(AhoCorasick),
}

impl<'t, T: AsRef<[u8]> + Clone> Search<'t, T> {
    /// Prepares a search, which may cost more than to search a small file.
    pub(super) fn new(texts: Cow<'t, [T]>) -> Self {
        let wanted = texts.iter().filter(|text| !text.as_ref().is_empty()).count();
        let packed = || packed::Builder::new().extend(texts.iter()).build().map(Method::Packed);
        let automaton = || AhoCorasick::new(texts.iter()).ok().map(Method::Automaton);
        let method = match wanted {
            ..=FEW_TEXTS => None,
            ..=MANY_TEXTS if wanted == texts.len() => packed().or_else(automaton),
            _ => automaton(),
        };
        Self { texts, method: method.unwrap_or(Method::Single) }
    }

    /// The texts that the file contains.
    ///
    /// # Errors
    /// `unreadable`.
    pub(super) fn texts_in(&self, root: &Root, file: &RootPath) -> Result<Vec<&T>, Error> {
        Ok(self.found_in(root, file, |_, _, _| true)?.into_iter().map(|at| &self.texts[at]).collect())
    }

    /// See [`found_in`].
    fn found_in(
        &self,
        root: &Root,
        file: &RootPath,
        is_one: impl Fn(&[u8], usize, usize) -> bool,
    ) -> Result<BTreeSet<usize>, Error> {
        let mut found: BTreeSet<usize> =
            (0..self.texts.len()).filter(|at| self.texts[*at].as_ref().is_empty()).collect();
        if found.len() < self.texts.len() {
            pieces(root, file, |piece, _| {
                self.search(piece, &mut found, |index, at| is_one(piece, at, self.texts[index].as_ref().len()));
                if found.len() == self.texts.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(found)
    }

    /// Adds the indexes of texts in the piece for which `is_one` is true of the index and the position.
    fn search(&self, piece: &[u8], found: &mut BTreeSet<usize>, is_one: impl Fn(usize, usize) -> bool) {
        match &self.method {
            Method::Single => {
                for (index, text) in self.texts.iter().enumerate() {
                    if !found.contains(&index) && memmem::find_iter(piece, text).any(|at| is_one(index, at)) {
                        found.insert(index);
                    }
                }
            }
            Method::Packed(searcher) => {
                let mut span = Span::from(0..piece.len());
                while let Some(one) = searcher.find_in(piece, span) {
                    let (at, rest) = (one.start(), &piece[one.start()..]);
                    let is_new = |(index, text): &(usize, &T)| {
                        !found.contains(index) && rest.starts_with(text.as_ref()) && is_one(*index, at)
                    };
                    let new: Vec<usize> =
                        self.texts.iter().enumerate().filter(is_new).map(|(index, _)| index).collect();
                    found.extend(new);
                    span.start = at + 1;
                }
            }
            Method::Automaton(automaton) => {
                for one in automaton.find_overlapping_iter(piece) {
                    let index = one.pattern().as_usize();
                    if !found.contains(&index) && is_one(index, one.start()) {
                        found.insert(index);
                        if found.len() == self.texts.len() {
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// The indexes of the texts that the file contains. A match counts only if `is_one` is true for the piece, the position
/// in it and the length of the text.
///
/// # Errors
/// `unreadable`.
pub(crate) fn found_in<T: AsRef<[u8]> + Clone>(
    root: &Root,
    file: &RootPath,
    texts: &[T],
    is_one: impl Fn(&[u8], usize, usize) -> bool,
) -> Result<BTreeSet<usize>, Error> {
    Search::new(Cow::Borrowed(texts)).found_in(root, file, is_one)
}

/// The indexes of the texts that the file contains.
///
/// # Errors
/// `unreadable`.
pub(crate) fn texts_in<T: AsRef<[u8]> + Clone>(
    root: &Root,
    file: &RootPath,
    texts: &[T],
) -> Result<BTreeSet<usize>, Error> {
    found_in(root, file, texts, |_, _, _| true)
}

/// The indexes of the names of files that a program may open by relative paths: the name occurs, and not as a part of
/// an absolute path. Strings of Go and Rust have no terminator, so the bytes before and after are not evidence; a name
/// of less than [`MIN_NAME`] bytes must be followed by a slash, or be a whole string.
///
/// # Errors
/// `unreadable`.
pub(crate) fn relative_names(root: &Root, file: &RootPath, names: &[&[u8]]) -> Result<BTreeSet<usize>, Error> {
    found_in(root, file, names, |piece, at, length| {
        let before = &piece[at.saturating_sub(2)..at];
        let after = piece.get(at + length);
        let is_below = before.ends_with(b"/") && !before.ends_with(b"./");
        let is_long = length >= MIN_NAME;
        !is_below && (is_long || after == Some(&b'/') || before.ends_with(b"\0") && after == Some(&0))
    })
}

/// Whole strings in a file that are library names, sorted.
///
/// # Errors
/// `unreadable`.
pub(crate) fn library_names(root: &Root, file: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
    let mut found = BTreeSet::new();
    pieces(root, file, |piece, is_first| {
        let texts = memmem::find_iter(piece, b".so").filter_map(|end| string_around(piece, end, is_first));
        found.extend(texts.flat_map(alternatives).filter(|text| is_library(text)));
        ControlFlow::Continue(())
    })?;
    // Next to `libx.so.1`, the name `libx.so` is for linkers, not for loaders.
    let is_versioned = |name: &Vec<u8>| {
        let start = [name.as_slice(), b"."].concat();
        found.iter().any(|other| other.starts_with(&start))
    };
    Ok(found.iter().filter(|name| !is_versioned(name)).cloned().collect())
}

/// Absolute paths that are whole strings in a file, or elements of a colon-separated list; sorted, without a trailing
/// slash.
///
/// # Errors
/// `unreadable`.
pub(crate) fn whole_paths(root: &Root, file: &RootPath) -> Result<BTreeSet<Vec<u8>>, Error> {
    let mut found = BTreeSet::new();
    pieces(root, file, |piece, _| {
        for start in memmem::find_iter(piece, b"\0/") {
            let list = &piece[start + 1..piece.len().min(start + 1 + MAX_LIST)];
            let Some(end) = memchr(0, list) else { continue };
            let parts = list[..end].split(|b| *b == b':').map(|part| part.strip_suffix(b"/").unwrap_or(part));
            let is_path = |part: &&[u8]| part.starts_with(b"/") && part.iter().all(u8::is_ascii_graphic);
            found.extend(parts.filter(is_path).take(MAX_PATHS - found.len().min(MAX_PATHS)).map(<[u8]>::to_vec));
            if found.len() >= MAX_PATHS {
                root.leave_unread(file, format!("of the paths that it contains, only {MAX_PATHS} are looked up"));
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Whole strings of a file that are command lines: a program's name or path, then an option or a shell's operator.
///
/// # Errors
/// `unreadable`.
pub(crate) fn command_lines(root: &Root, file: &RootPath) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    pieces(root, file, |piece, _| {
        for at in memmem::find_iter(piece, b" -") {
            let start =
                memrchr(0, &piece[at.saturating_sub(MAX_NAME)..at]).map(|zero| at.saturating_sub(MAX_NAME) + zero + 1);
            let end = memchr(0, &piece[at..piece.len().min(at + MAX_LIST)]).map(|zero| at + zero);
            let (Some(start), Some(end)) = (start, end) else { continue };
            let Some(line) = std::str::from_utf8(&piece[start..end]).ok().and_then(command_line) else { continue };
            if found.len() >= MAX_PATHS {
                root.leave_unread(file, format!("of the command lines that it contains, only {MAX_PATHS} are read"));
                return ControlFlow::Break(());
            }
            found.insert(line.to_owned());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// The text without `exec` and assignments, if it is a command line whose first argument is an option. Text with an
/// upper-case first word, a bracket or a dash between words is a sentence or a usage.
pub(crate) fn command_line(text: &str) -> Option<&str> {
    let line = text.strip_prefix("exec ").unwrap_or(text);
    let (name, rest) = line.split_once(' ')?;
    let is_name = name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '/')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"/._+-".contains(&b));
    let mut option = rest.strip_prefix('-')?.chars();
    let is_option = option.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
    // After a pipe there is another command; in a usage message, an option.
    let is_pipe = |part: &str| part.trim_start().starts_with(|c: char| c.is_ascii_lowercase() || c == '/');
    let is_usage = rest.contains('|') && !(rest.contains(" | ") && rest.split(" | ").skip(1).all(is_pipe));
    let is_prose = is_usage || rest.contains(['[', ']', '<']) || rest.contains("...") || rest.contains('\n');
    (is_name && is_option && !is_prose && text.is_ascii()).then_some(line)
}

/// True if the match in a piece is a whole string.
pub(crate) fn is_whole_string(piece: &[u8], at: usize, length: usize) -> bool {
    piece[..at].ends_with(b"\0") && piece.get(at + length) == Some(&0)
}

/// True if what was found in a piece is a whole string of UTF-16.
pub(crate) fn is_wide_string(piece: &[u8], at: usize, length: usize) -> bool {
    let goes_on = at >= 2 && piece[at - 1] == 0 && piece[at - 2].is_ascii_graphic();
    !goes_on && piece.get(at + length..at + length + 2) == Some(b"\0\0")
}

/// True if what was found in a piece ends a string, and is the last part of a path in it, or the name of a hidden file
/// without its dot.
pub(crate) fn is_file_name(piece: &[u8], at: usize, length: usize) -> bool {
    piece[..at].last().is_some_and(|byte| b"/.\0".contains(byte)) && piece.get(at + length) == Some(&0)
}

/// True if the match in a piece ends a string. Linkers store a string that is the end of another only once.
pub(crate) fn ends_a_string(piece: &[u8], at: usize, length: usize) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    piece[..at].last().is_some_and(|byte| !is_part(byte)) && piece.get(at + length) == Some(&0)
}

/// True if the match in a piece is a whole string, or the end of one that is neither a path nor a sentence: `ssh` in
/// `git+ssh`. Linkers store a string that is the end of another only once.
pub(crate) fn is_string_or_its_end(piece: &[u8], at: usize, length: usize) -> bool {
    let joins = |byte: &u8| byte.is_ascii_punctuation() && !b"-_./\"'".contains(byte);
    piece[..at].last().is_some_and(|byte| *byte == 0 || joins(byte)) && piece.get(at + length) == Some(&0)
}

/// `libx.so.3` and `libx.so.1` for `libx.so(.3|.1)`: patterns of library names in Nim's programs
/// (lib/pure/dynlib.nim, `libCandidates`).
fn alternatives(text: &[u8]) -> Vec<Vec<u8>> {
    let open = text.iter().position(|byte| *byte == b'(');
    let Some((start, rest)) = open.map(|at| (&text[..at], &text[at + 1..])) else { return vec![text.to_vec()] };
    let Some(close) = rest.iter().position(|byte| *byte == b')') else { return Vec::new() };
    let (inside, end) = (&rest[..close], &rest[close + 1..]);
    let whole = inside.split(|byte| *byte == b'|').map(|part| [start, part, end].concat());
    // A second pair of brackets multiplies them; more than two are not a library name.
    match end.contains(&b'(') {
        true => whole
            .take(MAX_ALTERNATIVES)
            .filter(|text| text.iter().filter(|b| **b == b'(').count() < 2)
            .flat_map(|text| alternatives(&text))
            .take(MAX_ALTERNATIVES)
            .collect(),
        false => whole.take(MAX_ALTERNATIVES).collect(),
    }
}

/// The whole printable string around a position.
fn string_around(piece: &[u8], place: usize, is_first: bool) -> Option<&[u8]> {
    let start = match memrchr(0, &piece[place.saturating_sub(MAX_NAME)..place]) {
        Some(zero) => place.saturating_sub(MAX_NAME) + zero + 1,
        None if is_first && place <= MAX_NAME => 0,
        None => return None,
    };
    let end = place + memchr(0, &piece[place..piece.len().min(place + MAX_NAME + 1)])?;
    let text = &piece[start..end];
    // Nim puts a string's length and capacity in front of it; the last byte of the capacity is the flag of literals.
    let text = text.strip_prefix(b"@").unwrap_or(text);
    (text.len() <= MAX_NAME && text.iter().all(u8::is_ascii_graphic)).then_some(text)
}

/// True for `libNAME.so`, `libNAME.so.N…`, or an absolute path to any `.so`.
fn is_library(text: &[u8]) -> bool {
    if text.contains(&b'%') {
        return false;
    }
    let name = text.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let is_path = text.starts_with(b"/");
    if !is_path && (text.contains(&b'/') || !name.starts_with(b"lib")) {
        return false;
    }
    let Some(at) = name.windows(3).position(|part| part == b".so") else { return false };
    let version = &name[at + 3..];
    at > 0 && (version.is_empty() || version[0] == b'.' && version[1..].first().is_some_and(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn command_lines_are_told_from_sentences() {
        for (text, line) in [
            ("locale -a", Some("locale -a")),
            ("exec gcc -std=gnu99 %s", Some("gcc -std=gnu99 %s")),
            ("rm -rf vmod_cache", Some("rm -rf vmod_cache")),
            ("sort by -k", None),
            ("test - what it says", None),
            ("tar -cf [FILE]...", None),
            ("Use -x", None),
            ("gzip", None),
            ("tar -c x | gzip -9", Some("tar -c x | gzip -9")),
            ("tool -a | -b", None),
            ("tool -a|b", None),
        ] {
            assert_eq!(command_line(text), line, "{text}");
        }
    }

    #[test]
    fn every_method_finds_the_same_texts() {
        let names: Vec<String> = (0..60).map(|number| format!("/usr/share/name{number}")).collect();
        let more = ["/usr/share/name1\0", "/share/name22", "name33", "aaa", "aaaa", "absent"].map(str::to_owned);
        let texts: Vec<String> = more.iter().chain(&names).cloned().collect();
        let piece = b"/usr/share/name11\0/usr/share/name1\0x/usr/share/name22/usr/share/name33 aaaaa".as_slice();
        for count in [FEW_TEXTS, FEW_TEXTS + 1, MANY_TEXTS, texts.len()] {
            let wanted = &texts[..count];
            let search = Search::new(Cow::Borrowed(wanted));
            let is_expected = match search.method {
                Method::Single => count <= FEW_TEXTS,
                // Machines without vector instructions use the automaton.
                Method::Packed(_) => count > FEW_TEXTS && count <= MANY_TEXTS,
                Method::Automaton(_) => count > FEW_TEXTS,
            };
            assert!(is_expected, "{count}");
            let mut found = BTreeSet::new();
            search.search(piece, &mut found, |index, at| piece[at..].starts_with(wanted[index].as_bytes()));
            let contains = |text: &String| piece.windows(text.len()).any(|part| part == text.as_bytes());
            let expected = wanted.iter().enumerate().filter(|(_, text)| contains(text)).map(|(index, _)| index);
            assert_eq!(found, expected.collect(), "{count}");
        }
    }

    #[test]
    fn the_end_of_a_string_counts_unless_it_is_a_path_or_a_sentence() {
        for (text, expected) in [
            (&b"\0ssh\0"[..], true),
            (b"\0git+ssh\0", true),
            (b"\0https:ssh\0", true),
            (b"\0/etc/ssh\0", false),
            (b"\0use ssh\0", false),
            (b"\0openssh\0", false),
            (b"\0git+sshd\0", false),
        ] {
            let at = memmem::find(text, b"ssh").expect("there");
            assert_eq!(is_string_or_its_end(text, at, 3), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn whole_strings_are_found_across_pieces() {
        let mut bytes = vec![b'x'; PIECE - 5];
        bytes.push(0);
        bytes.extend_from_slice(
            b"libpiece.so.2\0libone.so\0libone.so.1\0lib%s.so\0rel/libr.so\0/opt/p/plug.so\0no.so\0libpcre.so(.3|.1|)\0liblast.so",
        );
        let mut tree = MemTree::default();
        tree.file("/prog", 0o755, bytes);
        let root = Root::new(Arc::new(tree));
        let found = library_names(&root, &RootPath::new("/prog").expect("a path")).expect("read");
        assert_eq!(found, [&b"/opt/p/plug.so"[..], b"libone.so.1", b"libpcre.so.1", b"libpcre.so.3", b"libpiece.so.2"]);
    }
}
