//! Names that an object imports, from the dynamic tables alone: stripped files without section headers count too.

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::sym::Sym;
use scroll::Pread;

use super::{Bytes, Class, ElfObject, Malformed};

/// Symbols of one object that are read.
const MAX_SYMBOLS: u64 = 1 << 20;
/// Bytes of a string table that are read.
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
/// `truncated` or `bad-string` for tables that do not lie in the file.
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
        Some(table) => word(table + 4)?,
        None => return Ok(Vec::new()),
    };
    let entry = Sym::size(container) as u64;
    if count > MAX_SYMBOLS || count * entry > tables.symbols.1 {
        return Err(Malformed::new("bad-dynamic", tables.symbols.0, format!("it claims {count} symbols")));
    }
    let symbols = read(tables.symbols.0, count * entry)?;
    let strings = read(tables.strings.0, tables.strings.1.min(MAX_STRINGS))?;
    let mut names = Vec::new();
    // The first symbol is always empty.
    for index in 1..usize::try_from(count).unwrap_or(0) {
        let Ok(symbol) = symbols.pread_with::<Sym>(index * Sym::size(container), ctx) else { break };
        if symbol.st_shndx != 0 {
            continue;
        }
        let Some(text) = strings.get(symbol.st_name..) else {
            return Err(Malformed::new("bad-string", tables.strings.0, "a symbol's name starts outside of its table"));
        };
        names.push(text.split(|b| *b == 0).next().unwrap_or_default().to_vec());
    }
    Ok(names)
}
