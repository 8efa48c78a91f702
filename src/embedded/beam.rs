//! Modules of Erlang and Elixir: the literals of those that start programs. A module is an IFF file of chunks (the
//! module `beam_lib`; erts, beam_file.c); literals are in the external term format (erts, "External Term Format").

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

use serde::Deserialize;

use super::{Content, Embedded};
use crate::world::tables::{Words, table};

const FORM: &[u8] = b"FOR1";
const BEAM: &[u8] = b"BEAM";
/// Maximum size of a module that is read, and of its literals.
const MAX_MODULE: u64 = 8 << 20;
const MAX_LITERALS: u64 = 16 << 20;
/// Maximum length of a text that is kept, and maximum number of texts of a module.
const MAX_LENGTH: usize = 256;
const MAX_TEXTS: usize = 4096;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Beam {
    starters: Words,
}

table! {
    fn beam() -> Beam = "beam"
}

/// Reads a module; `None` for other files.
pub(super) fn read(content: &mut Content<'_>) -> Option<Embedded> {
    content.seek(SeekFrom::Start(0)).ok()?;
    let (is_long, mut bytes) = (content.size() > MAX_MODULE, Vec::new());
    content.take(MAX_MODULE).read_to_end(&mut bytes).ok()?;
    let literals = texts(&bytes)?;
    let cut = (is_long || literals.len() >= MAX_TEXTS).then(|| "literals".to_owned());
    Some(Embedded { literals, cut: cut.into_iter().collect(), ..Embedded::default() })
}

/// The texts among the literals of a module that starts programs; empty for another module.
fn texts(module: &[u8]) -> Option<BTreeSet<String>> {
    let chunks = module.strip_prefix(FORM)?.get(4..)?.strip_prefix(BEAM)?;
    let chunk = |name: &[u8]| chunks_of(chunks).find(|(own, _)| *own == name).map(|(_, data)| data);
    let atoms = atoms(chunk(b"AtU8").or_else(|| chunk(b"Atom"))?);
    let is_starter = chunk(b"ImpT").is_some_and(|imports| starts_programs(imports, &atoms));
    match chunk(b"LitT").filter(|_| is_starter) {
        Some(literals) => Some(strings(&unpacked(literals)?)),
        None => Some(BTreeSet::new()),
    }
}

/// The chunks, each with its name; they begin at multiples of four.
fn chunks_of(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (name, after) = rest.split_at_checked(4)?;
        let (size, after) = after.split_at_checked(4)?;
        let (data, after) = after.split_at_checked(number(size))?;
        rest = after.get(data.len().next_multiple_of(4) - data.len()..).unwrap_or_default();
        Some((name, data))
    })
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

/// The names in the table of atoms. Since OTP 28 its count is negative, and a length may have two bytes.
fn atoms(table: &[u8]) -> Vec<String> {
    let Some((count, mut rest)) = table.split_at_checked(4) else { return Vec::new() };
    let is_long = count[0] & 0x80 != 0;
    let mut found = Vec::new();
    while let [first, after @ ..] = rest {
        let (length, after) = match (is_long, after) {
            // A tagged number of the byte code: four bits, or eleven.
            (true, [second, after @ ..]) if first & 0x08 != 0 => {
                (usize::from(first >> 5) << 8 | usize::from(*second), after)
            }
            (true, after) => (usize::from(first >> 4), after),
            (false, after) => (usize::from(*first), after),
        };
        let Some((name, after)) = after.split_at_checked(length) else { break };
        found.push(String::from_utf8_lossy(name).into_owned());
        rest = after;
    }
    found
}

/// True if a function that starts programs is imported. An entry has the indexes of module and function, and the number
/// of arguments.
fn starts_programs(imports: &[u8], atoms: &[String]) -> bool {
    let name = |index: &[u8]| number(index).checked_sub(1).and_then(|at| atoms.get(at));
    let entries = imports.get(4..).unwrap_or_default().as_chunks::<12>().0;
    entries.iter().any(|entry| {
        let function = name(&entry[..4]).zip(name(&entry[4..8]));
        function.is_some_and(|(module, function)| beam().starters.contain(format!("{module}:{function}")))
    })
}

/// The terms of a chunk of literals; since OTP 28 they are not compressed, and their size is given as zero.
fn unpacked(literals: &[u8]) -> Option<Vec<u8>> {
    let (size, data) = literals.split_at_checked(4)?;
    if number(size) == 0 {
        return Some(data.to_vec());
    }
    let mut terms = Vec::new();
    flate2::read::ZlibDecoder::new(data).take(MAX_LITERALS).read_to_end(&mut terms).ok()?;
    Some(terms)
}

/// The texts of terms: binaries, and lists of characters. The parts of a term stand behind its head, so that none needs
/// to be built.
fn strings(terms: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = terms.get(4..).unwrap_or_default();
    while let Some((head, after)) = rest.split_at_checked(4) {
        let Some((term, after)) = after.split_at_checked(number(head)) else { break };
        let mut part = term.strip_prefix(&[131]).unwrap_or(term);
        while let Some((text, after)) = token(part) {
            let kept = text.filter(|text| !text.is_empty() && text.len() <= MAX_LENGTH && found.len() < MAX_TEXTS);
            found.extend(kept.and_then(|text| std::str::from_utf8(text).ok()).map(str::to_owned));
            part = after;
        }
        rest = after;
    }
    found
}

/// The head of a term with its own bytes, as a text if it is one, and what stands behind it.
fn token(part: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (tag, rest) = part.split_first()?;
    let of_length = |bytes: usize| {
        let (length, rest) = rest.split_at_checked(bytes)?;
        rest.split_at_checked(number(length))
    };
    let plain = |length: usize| Some((None, rest.get(length..)?));
    match tag {
        107 => of_length(2).map(|(text, rest)| (Some(text), rest)),
        109 => of_length(4).map(|(text, rest)| (Some(text), rest)),
        100 | 118 => of_length(2).map(|(_, rest)| (None, rest)),
        115 | 119 => of_length(1).map(|(_, rest)| (None, rest)),
        77 => of_length(4).and_then(|(_, rest)| Some((None, rest.get(1..)?))),
        110 => of_length(1).and_then(|(_, rest)| Some((None, rest.get(1..)?))),
        111 => of_length(4).and_then(|(_, rest)| Some((None, rest.get(1..)?))),
        97 | 104 => plain(1),
        98 | 105 | 108 | 116 => plain(4),
        70 => plain(8),
        99 => plain(31),
        106 | 113 => plain(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_module_has_no_texts() {
        for module in [&b"FOR1"[..], b"FOR1\0\0\0\x08BEAMLitT\xff\xff\xff\xff", b"PK\x03\x04", b"FOR1\0\0\0\x04BEAM"] {
            assert!(texts(module).unwrap_or_default().is_empty());
        }
    }

    #[test]
    fn texts_are_found_inside_of_terms() {
        // [{<<"one">>, 'name', 7}, "two" | []], as term_to_binary/1 writes it.
        let term = b"\x83l\0\0\0\x02h\x03m\0\0\0\x03onew\x04namea\x07k\0\x03twoj";
        let mut terms = vec![0, 0, 0, 1, 0, 0, 0];
        terms.push(u8::try_from(term.len()).expect("short"));
        terms.extend(term);
        assert_eq!(strings(&terms).into_iter().collect::<Vec<_>>(), ["one", "two"]);
    }
}
