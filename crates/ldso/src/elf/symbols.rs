//! Symbols that an object imports and defines. They are read from the dynamic tables alone, so that stripped files
//! without section headers are covered.

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::reloc;
use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF};
use goblin::elf::sym::{STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STT_COMMON, STT_GNU_IFUNC, STT_TLS, Sym};
use scroll::Pread;

use super::version::HIDDEN;
use super::{Bytes, Class, ElfObject, Malformed};

/// Maximum number of symbols read per object.
const MAX_SYMBOLS: u64 = 1 << 22;
/// Maximum size of a string table, and of all names together: names may overlap, so a small table can expand to many
/// times its size.
const MAX_STRINGS: u64 = 64 << 20;
/// Maximum size of a relocation table.
const MAX_RELOCATIONS: u64 = 256 << 20;

/// File offsets of an object's dynamic symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolTables {
    /// DT_SYMTAB, and the number of bytes that follow in its segment.
    pub symbols: (u64, u64),
    /// DT_STRTAB, and its size.
    pub strings: (u64, u64),
    /// DT_GNU_HASH.
    pub gnu_hash: Option<u64>,
    /// DT_HASH.
    pub hash: Option<u64>,
    /// DT_VERSYM.
    pub versions: Option<u64>,
    /// DT_VERDEF.
    pub defined_versions: Option<u64>,
    /// DT_VERNEED.
    pub wanted_versions: Option<u64>,
}

/// A relocation table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelocationTable {
    /// Its offset in the file.
    pub offset: u64,
    /// Its size.
    pub size: u64,
    /// True if its records have an addend (Elf_Rela).
    pub has_addend: bool,
    /// True for the table of the PLT (DT_JMPREL), which may be bound lazily.
    pub is_plt: bool,
    /// Number of records at the start that refer to no symbol (DT_RELACOUNT, DT_RELCOUNT).
    pub relative: u64,
}

/// The dynamic symbols of an object, and when each undefined one is bound.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    strings: Vec<u8>,
    /// All symbols in the order of the table.
    pub list: Vec<Symbol>,
    /// True if the object has symbol versions (DT_VERSYM).
    pub has_versions: bool,
    /// Undefined symbols with a relocation other than a PLT slot, as indices into `list`.
    pub at_start: Vec<u32>,
    /// Undefined symbols with PLT slots only.
    pub by_plt: Vec<u32>,
    /// Symbols whose data is copied from a library into this program.
    pub copied: Vec<u32>,
}

/// A dynamic symbol.
#[derive(Clone, Copy, Debug)]
pub struct Symbol {
    name: u32,
    /// The version index without the hidden bit.
    pub version: u16,
    /// True if the symbol does not match references without a version.
    pub is_hidden: bool,
    /// True if lookups can find the symbol.
    pub is_defined: bool,
    /// STB_WEAK: an undefined symbol may stay unresolved.
    pub is_weak: bool,
}

impl Symbols {
    /// The name of a symbol; empty if it is outside of the string table.
    pub fn name(&self, symbol: &Symbol) -> &[u8] {
        let text = self.strings.get(symbol.name as usize..).unwrap_or_default();
        memchr::memchr(0, text).map_or(text, |end| &text[..end])
    }
}

struct Reader<'a, B: Bytes + ?Sized> {
    bytes: &'a B,
    ctx: Ctx,
}

impl<B: Bytes + ?Sized> Reader<'_, B> {
    fn range(&self, offset: u64, length: u64) -> Result<Vec<u8>, Malformed> {
        let cut = || Malformed::new("truncated", offset, "its symbol tables lie past its end");
        if offset.checked_add(length).is_none_or(|end| end > self.bytes.size()) {
            return Err(cut());
        }
        let mut buffer = vec![0; usize::try_from(length).map_err(|_| cut())?];
        match self.bytes.read_at(offset, &mut buffer) {
            Ok(read) if read == buffer.len() => Ok(buffer),
            _ => Err(cut()),
        }
    }

    fn words<const N: usize>(&self, offset: u64) -> Result<[u64; N], Malformed> {
        let bytes = self.range(offset, 4 * N as u64)?;
        let word = |at: usize| u64::from(bytes.pread_with::<u32>(4 * at, self.ctx.le).unwrap_or(0));
        Ok(std::array::from_fn(word))
    }

    /// The number of symbols: `nchain` of DT_HASH; with DT_GNU_HASH, the last symbol is at the end of the chain of the
    /// highest bucket.
    fn count(&self, tables: &SymbolTables) -> Result<u64, Malformed> {
        if let Some(table) = tables.hash {
            return Ok(self.words::<2>(table)?[1]);
        }
        let Some(table) = tables.gnu_hash else { return Ok(0) };
        let [buckets, first, bloom, _] = self.words::<4>(table)?;
        let bloom_word = if self.ctx.container.is_big() { 8 } else { 4 };
        let buckets_at = table.saturating_add(16 + bloom * bloom_word);
        let words = self.range(buckets_at, buckets * 4)?;
        let all = words.chunks_exact(4).map(|word| word.pread_with::<u32>(0, self.ctx.le).unwrap_or(0));
        let Some(mut last) = all.max().map(u64::from).filter(|last| *last >= first) else { return Ok(first) };
        let chains_at = buckets_at.saturating_add(buckets * 4);
        while last < MAX_SYMBOLS {
            let [hash] = self.words::<1>(chains_at.saturating_add((last - first) * 4))?;
            last += 1;
            if hash & 1 == 1 {
                break;
            }
        }
        Ok(last)
    }

    fn table(&self, tables: &SymbolTables, count: u64) -> Result<Vec<Sym>, Malformed> {
        let size = Sym::size(self.ctx.container);
        if count > MAX_SYMBOLS || count * size as u64 > tables.symbols.1 {
            return Err(Malformed::new("bad-dynamic", tables.symbols.0, format!("it claims {count} symbols")));
        }
        let bytes = self.range(tables.symbols.0, count * size as u64)?;
        Ok(bytes.chunks_exact(size).map_while(|record| record.pread_with::<Sym>(0, self.ctx).ok()).collect())
    }
}

fn reader<'a, B: Bytes + ?Sized>(bytes: &'a B, object: &ElfObject) -> Reader<'a, B> {
    let container = if object.target.class == Class::Elf64 { Container::Big } else { Container::Little };
    let endian = if object.target.little_endian { Endian::Little } else { Endian::Big };
    Reader { bytes, ctx: Ctx::new(container, endian) }
}

/// Names of the symbols that an object uses but does not define; empty without dynamic symbols.
///
/// With DT_GNU_HASH these are among the symbols below `symoffset`; with DT_HASH alone, `nchain` is the number of
/// symbols.
///
/// # Errors
/// `truncated` or `bad-string` for tables outside of the file, `limit` for more names than any object has.
pub fn parse_imports(bytes: &(impl Bytes + ?Sized), object: &ElfObject) -> Result<Vec<Vec<u8>>, Malformed> {
    let Some(tables) = object.symbols else { return Ok(Vec::new()) };
    let reader = reader(bytes, object);
    // The second word of either table: `symoffset` of DT_GNU_HASH, `nchain` of DT_HASH.
    let count = match tables.gnu_hash.or(tables.hash) {
        Some(table) => reader.words::<2>(table)?[1],
        None => return Ok(Vec::new()),
    };
    let symbols = reader.table(&tables, count)?;
    let strings = reader.range(tables.strings.0, tables.strings.1.min(MAX_STRINGS))?;
    let mut names = Vec::new();
    let mut left = MAX_STRINGS;
    // The first symbol is always empty.
    for symbol in symbols.iter().skip(1).filter(|symbol| symbol.st_shndx == SHN_UNDEF as usize) {
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

/// Reads all dynamic symbols of an object, and finds the undefined ones that relocations refer to.
///
/// A symbol without a relocation is never looked up, so it is in none of the lists.
///
/// # Errors
/// `truncated` or `bad-dynamic` for tables outside of the file.
pub fn parse_symbols(bytes: &(impl Bytes + ?Sized), object: &ElfObject) -> Result<Symbols, Malformed> {
    let Some(tables) = object.symbols else { return Ok(Symbols::default()) };
    let reader = reader(bytes, object);
    let raw = reader.table(&tables, reader.count(&tables)?)?;
    let versions = match tables.versions {
        Some(offset) => Some(reader.range(offset, raw.len() as u64 * 2)?),
        None => None,
    };
    let version_of = |index: usize| {
        let stored = versions.as_ref().map(|table| table.pread_with::<u16>(index * 2, reader.ctx.le).unwrap_or(0));
        stored.unwrap_or(0)
    };
    let mut found = Symbols {
        strings: reader.range(tables.strings.0, tables.strings.1.min(MAX_STRINGS))?,
        has_versions: versions.is_some(),
        ..Symbols::default()
    };
    found.list = raw
        .iter()
        .enumerate()
        .map(|(index, symbol)| Symbol {
            name: u32::try_from(symbol.st_name).unwrap_or(u32::MAX),
            version: version_of(index) & !HIDDEN,
            is_hidden: version_of(index) & HIDDEN != 0,
            is_defined: answers(symbol),
            is_weak: symbol.st_bind() == STB_WEAK,
        })
        .collect();
    // 0: no relocation, 1: a PLT slot, 2: another relocation.
    let mut named = vec![0u8; raw.len()];
    let copy = copy_relocation(object.target.machine);
    for table in object.relocations.iter().filter(|table| table.size <= MAX_RELOCATIONS) {
        let size = reloc::Reloc::size(table.has_addend, reader.ctx);
        let skipped = table.relative.saturating_mul(size as u64).min(table.size);
        let records = reader.range(table.offset.saturating_add(skipped), table.size - skipped)?;
        for record in records.chunks_exact(size) {
            let Ok(record) = record.pread_with::<reloc::Reloc>(0, (table.has_addend, reader.ctx)) else { break };
            let Some(mark) = named.get_mut(record.r_sym) else { continue };
            *mark = (*mark).max(if table.is_plt { 1 } else { 2 });
            if Some(record.r_type) == copy {
                found.copied.push(u32::try_from(record.r_sym).unwrap_or(0));
            }
        }
    }
    for (index, symbol) in raw.iter().enumerate().skip(1) {
        let is_wanted = symbol.st_shndx == SHN_UNDEF as usize && symbol.st_bind() == STB_GLOBAL;
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        match named[index as usize] {
            1 if is_wanted => found.by_plt.push(index),
            2 if is_wanted => found.at_start.push(index),
            _ => {}
        }
    }
    Ok(found)
}

/// True if a lookup can find the symbol (do_lookup_x of glibc's dl-lookup.c, find_sym2 of musl's dynlink.c): it is
/// defined, visible outside of the object, of a linkable kind, and has a value unless it is thread-local or absolute.
fn answers(symbol: &Sym) -> bool {
    let kind = symbol.st_type();
    symbol.st_shndx != SHN_UNDEF as usize
        && (symbol.st_value != 0 || kind == STT_TLS || symbol.st_shndx == SHN_ABS as usize)
        && matches!(symbol.st_bind(), STB_GLOBAL | STB_WEAK | STB_GNU_UNIQUE)
        && (kind <= 2 || matches!(kind, STT_COMMON | STT_TLS | STT_GNU_IFUNC))
}

/// The copy relocation of a machine, which copies data of a library into the program (processor supplements).
fn copy_relocation(machine: u16) -> Option<u32> {
    use goblin::elf::header as h;
    match machine {
        h::EM_X86_64 => Some(reloc::R_X86_64_COPY),
        h::EM_386 => Some(reloc::R_386_COPY),
        h::EM_AARCH64 => Some(reloc::R_AARCH64_COPY),
        h::EM_ARM => Some(reloc::R_ARM_COPY),
        h::EM_RISCV => Some(reloc::R_RISCV_COPY),
        h::EM_PPC64 => Some(19),
        h::EM_S390 => Some(9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: u64 = 1;
    const STRTAB: u64 = 5;
    const SYMTAB: u64 = 6;
    const GNU_HASH: u64 = 0x6fff_fef5;

    /// Builds a 64-bit file with one segment at address 0, with the given file offset and size, and a dynamic section.
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
        // Found through its offset, because no segment contains its address.
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
        // Every symbol has the whole string table as its name.
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
