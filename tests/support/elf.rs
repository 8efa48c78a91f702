//! Small ELF objects for trees in memory: x86-64, one loaded segment, and the tables that a loader or a rule reads. They
//! hold no code, so nothing runs them.

use serde::Deserialize;

/// The loader that programs name.
pub const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const READ_EXECUTE: u32 = 5;

/// A library that `.note.dlopen` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Note {
    pub soname: Vec<String>,
    pub priority: Option<String>,
}

/// An object to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Elf {
    pub interp: Option<String>,
    pub soname: Option<String>,
    pub needed: Vec<String>,
    pub rpath: Option<String>,
    pub runpath: Option<String>,
    /// Libraries that watch the process (DT_DEPAUDIT).
    pub audit: Option<String>,
    pub imports: Vec<String>,
    /// Whole strings among the constants.
    pub strings: Vec<String>,
    pub dlopen: Vec<Note>,
}

impl Elf {
    /// A program for the usual loader.
    pub fn program(needed: &[&str]) -> Self {
        let needed = needed.iter().map(|name| (*name).to_owned()).collect();
        Self { interp: Some(LOADER.to_owned()), needed, ..Self::default() }
    }

    /// A library.
    pub fn library(soname: &str, needed: &[&str]) -> Self {
        let needed = needed.iter().map(|name| (*name).to_owned()).collect();
        Self { soname: Some(soname.to_owned()), needed, ..Self::default() }
    }

    /// A loader as slimroot reads one: with the banner, the path of the cache and the default directories of Debian's glibc
    /// 2.36, and the lengths of these directories.
    pub fn loader() -> Vec<u8> {
        let dirs = ["/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/"];
        let banner = "ld.so (Debian GLIBC 2.36-9) stable release version 2.36.";
        let mut data = format!("\0{banner}\0/etc/ld.so.cache\0glibc-hwcaps\0{}\0", dirs.join("\0")).into_bytes();
        data.resize(data.len().next_multiple_of(8), 0);
        data.extend(dirs.iter().flat_map(|dir| (dir.len() as u64).to_le_bytes()));
        Self { soname: Some("ld-linux-x86-64.so.2".to_owned()), ..Self::default() }.write(&data)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let strings: Vec<u8> = self.strings.iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect();
        self.write(&[b"\0".as_slice(), &strings].concat())
    }

    fn write(&self, constants: &[u8]) -> Vec<u8> {
        let notes = self.notes();
        let count = 2 + usize::from(self.interp.is_some()) + usize::from(!notes.is_empty());
        let mut body = Body { bytes: vec![0; HEADER + count * PROGRAM_HEADER] };
        let interp = self.interp.as_ref().map(|path| body.add(&[path.as_bytes(), b"\0"].concat()));
        let note = (!notes.is_empty()).then(|| body.add(&notes));
        body.add(constants);
        let mut names = Names::default();
        let mut tags: Vec<(u64, u64)> = self.needed.iter().map(|name| (1, names.add(name))).collect();
        let single = [(14, &self.soname), (15, &self.rpath), (29, &self.runpath), (0x6fff_fefb, &self.audit)];
        tags.extend(single.iter().filter_map(|(tag, text)| Some((*tag, names.add(text.as_ref()?)))));
        let mut symbols = vec![0; 24];
        for import in &self.imports {
            // A global function that lies elsewhere.
            symbols.extend((u32::try_from(names.add(import)).expect("a small table")).to_le_bytes());
            symbols.extend([0x12, 0, 0, 0]);
            symbols.extend([0; 16]);
        }
        let (strings, _) = body.add(&names.bytes);
        let (symbols, _) = body.add(&symbols);
        let total = u32::try_from(self.imports.len() + 1).expect("a small table");
        let hash: Vec<u8> = [1, total, 0].into_iter().chain(1..total).chain([0]).flat_map(u32::to_le_bytes).collect();
        let (hash, _) = body.add(&hash);
        tags.extend([(5, strings), (10, names.bytes.len() as u64), (6, symbols), (11, 24), (4, hash), (0, 0)]);
        let table: Vec<u8> =
            tags.iter().flat_map(|(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()].concat()).collect();
        let dynamic = body.add(&table);
        let whole = (0, body.bytes.len() as u64);
        let mut programs = vec![(PT_LOAD, whole, 4096), (PT_DYNAMIC, dynamic, 8)];
        programs.extend(interp.map(|place| (PT_INTERP, place, 1)));
        programs.extend(note.map(|place| (PT_NOTE, place, 4)));
        let mut out = body.bytes;
        out[..HEADER].copy_from_slice(&header(count));
        for (at, (kind, (offset, size), align)) in programs.into_iter().enumerate() {
            let from = HEADER + at * PROGRAM_HEADER;
            let words = [offset, offset, offset, size, size, align];
            let mut record = [kind.to_le_bytes(), READ_EXECUTE.to_le_bytes()].concat();
            record.extend(words.iter().flat_map(|word: &u64| word.to_le_bytes()));
            out[from..from + PROGRAM_HEADER].copy_from_slice(&record);
        }
        out
    }

    /// Notes as UAPI.12 defines them.
    fn notes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for note in &self.dlopen {
            let priority = note.priority.as_deref().unwrap_or("recommended");
            let mut text =
                serde_json::json!([{ "soname": note.soname, "priority": priority }]).to_string().into_bytes();
            text.resize(text.len().next_multiple_of(4), 0);
            let size = u32::try_from(text.len()).expect("a small note");
            out.extend([4, size, 0x407c_0c0a].iter().flat_map(|word| word.to_le_bytes()));
            out.extend_from_slice(b"FDO\0");
            out.extend_from_slice(&text);
        }
        out
    }
}

/// ET_DYN for x86-64, without sections.
fn header(programs: usize) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    let programs = u64::try_from(programs).expect("few");
    for (value, size) in
        [(3, 2), (62, 2), (1, 4), (0, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (programs, 2), (64, 2), (0, 4)]
    {
        out.extend_from_slice(&value.to_le_bytes()[..size]);
    }
    out
}

/// The file behind its headers. Addresses are offsets.
struct Body {
    bytes: Vec<u8>,
}

impl Body {
    /// Adds a part; its offset and size.
    fn add(&mut self, part: &[u8]) -> (u64, u64) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(part);
        (offset, part.len() as u64)
    }
}

/// The string table of the dynamic section.
struct Names {
    bytes: Vec<u8>,
}

impl Default for Names {
    fn default() -> Self {
        Self { bytes: vec![0] }
    }
}

impl Names {
    fn add(&mut self, name: &str) -> u64 {
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        offset
    }
}
