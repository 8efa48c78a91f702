//! Names that an object imports, from the dynamic tables alone: stripped files without section headers count too.

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::sym::Sym;
use scroll::Pread;

use super::{Bytes, Class, ElfObject, Malformed};

/// Symbols of one object that are read.
const MAX_SYMBOLS: u64 = 1 << 20;
/// Bytes of a string table that are read, and of names in all: names may overlap, so that a small table holds many
/// times its size.
const MAX_STRINGS: u64 = 64 << 20;

/// Where the dynamic symbols of an object lie, as file offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolTables {
    /// DT_SYMTAB, and how many bytes of its segment follow.
    pub symbols: (u64, u64),
    /// DT_STRTAB, and its size.
    pub strings: (u64, u64),
    /// DT_GNU_HASH.
    pub gnu_hash: Option<u64>,
    /// DT_HASH.
    pub hash: Option<u64>,
}

/// The names of the symbols that an object uses and does not define; empty for one without dynamic symbols.
///
/// With DT_GNU_HASH these are the symbols below `symoffset`; with DT_HASH alone its `nchain` is their count.
///
/// # Errors
/// `truncated` or `bad-string` for tables that do not lie in the file, `limit` for more names than any object has.
pub fn parse_imports(bytes: &(impl Bytes + ?Sized), object: &ElfObject) -> Result<Vec<Vec<u8>>, Malformed> {
    let Some(tables) = object.symbols else { return Ok(Vec::new()) };
    let is_64 = object.target.class == Class::Elf64;
    let container = if is_64 { Container::Big } else { Container::Little };
    let ctx = Ctx::new(container, if object.target.little_endian { Endian::Little } else { Endian::Big });
    let read = |offset: u64, length: u64| {
        let cut = || Malformed::new("truncated", offset, "its symbol tables lie past its end");
        if offset.checked_add(length).is_none_or(|end| end > bytes.size()) {
            return Err(cut());
        }
        let mut buffer = vec![0; usize::try_from(length).map_err(|_| cut())?];
        match bytes.read_at(offset, &mut buffer) {
            Ok(read) if read == buffer.len() => Ok(buffer),
            _ => Err(cut()),
        }
    };
    let word = |offset: u64| -> Result<u64, Malformed> {
        Ok(u64::from(read(offset, 4)?.pread_with::<u32>(0, ctx.le).unwrap_or(0)))
    };
    // Second word of either table: `symoffset` of DT_GNU_HASH, `nchain` of DT_HASH.
    let count = match tables.gnu_hash.or(tables.hash) {
        Some(table) => word(table.saturating_add(4))?,
        None => return Ok(Vec::new()),
    };
    let entry = Sym::size(container) as u64;
    if count > MAX_SYMBOLS || count * entry > tables.symbols.1 {
        return Err(Malformed::new("bad-dynamic", tables.symbols.0, format!("it claims {count} symbols")));
    }
    let symbols = read(tables.symbols.0, count * entry)?;
    let strings = read(tables.strings.0, tables.strings.1.min(MAX_STRINGS))?;
    let mut names = Vec::new();
    let mut left = MAX_STRINGS;
    // The first symbol is always empty.
    for index in 1..usize::try_from(count).unwrap_or(0) {
        let Ok(symbol) = symbols.pread_with::<Sym>(index * Sym::size(container), ctx) else { break };
        if symbol.st_shndx != 0 {
            continue;
        }
        let Some(text) = strings.get(symbol.st_name..) else {
            return Err(Malformed::new("bad-string", tables.strings.0, "a symbol's name starts outside of its table"));
        };
        let name = text.split(|b| *b == 0).next().unwrap_or_default();
        let Some(rest) = left.checked_sub(name.len() as u64) else {
            let says = format!("the names of its symbols have more than {MAX_STRINGS} bytes");
            return Err(Malformed::new("limit", tables.strings.0, says));
        };
        left = rest;
        names.push(name.to_vec());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: u64 = 1;
    const STRTAB: u64 = 5;
    const SYMTAB: u64 = 6;
    const GNU_HASH: u64 = 0x6fff_fef5;

    /// A 64-bit file of one segment at address 0, which lies at `offset` and has this many bytes, with a dynamic section.
    fn file(offset: u64, size: u64, tags: &[(u64, u64)]) -> Vec<u8> {
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        let mut put = |value: u64, size: usize| out.extend_from_slice(&value.to_le_bytes()[..size]);
        for (value, size) in [(3, 2), (62, 2), (1, 4), (0, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (2, 2)] {
            put(value, size);
        }
        put(0, 6);
        for (value, size) in [(1, 4), (4, 4), (offset, 8), (0, 8), (0, 8), (size, 8), (size, 8), (1, 8)] {
            put(value, size);
        }
        // Found by its own offset: no segment holds its address.
        let length = (tags.len() as u64 + 1) * 16;
        for (value, size) in [(2, 4), (4, 4), (176, 8), (u64::MAX, 8), (0, 8), (length, 8), (length, 8), (8, 8)] {
            put(value, size);
        }
        for (tag, value) in tags.iter().copied().chain([(0, 0)]) {
            put(tag, 8);
            put(value, 8);
        }
        out
    }

    #[test]
    fn tables_at_the_end_of_all_offsets_are_refused_without_overflow() {
        let tables = [(STRTAB, 200), (SYMTAB, 100), (GNU_HASH, 249)];
        for offset in [u64::MAX - 2, u64::MAX - 250] {
            let bytes = file(offset, 250, &tables);
            let object = crate::elf::parse(bytes.as_slice()).expect("an object");
            let imports = parse_imports(bytes.as_slice(), &object);
            assert!(imports.as_ref().is_ok_and(Vec::is_empty) || imports.is_err(), "{imports:?}");
            let bytes = file(offset, 250, &[(STRTAB, 200), (NEEDED, 10)]);
            crate::elf::parse(bytes.as_slice()).expect_err("no string lies there");
        }
    }

    #[test]
    fn names_that_overlap_are_bounded_in_all() {
        // Each of the symbols has the whole string table as its name.
        const COUNT: u64 = 1024;
        const STRINGS: u64 = 1 << 20;
        let (hash, symbols, strings) = (256, 512, 512 + COUNT * 24);
        let mut bytes = file(0, strings + STRINGS, &[(STRTAB, strings), (SYMTAB, symbols), (GNU_HASH, hash)]);
        bytes.resize(260, 0);
        bytes.extend_from_slice(&u32::try_from(COUNT).expect("small").to_le_bytes());
        bytes.resize(usize::try_from(strings).expect("small"), 0);
        bytes.resize(usize::try_from(strings + STRINGS).expect("small"), b'x');
        let object = crate::elf::parse(bytes.as_slice()).expect("an object");
        assert_eq!(parse_imports(bytes.as_slice(), &object).map_err(|defect| defect.class), Err("limit"));
    }
}
