//! A note segment: as it is, and as the text of a well-formed .note.dlopen; in files of both byte orders and alignments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot_fuzz::{pack, request, world};

/// ELF header, one program header of type PT_NOTE, the notes.
fn file(notes: &[u8], align: u64, little: bool) -> Vec<u8> {
    const START: u64 = 64 + 56;
    let mut out = vec![0x7f, b'E', b'L', b'F', 2, if little { 1 } else { 2 }, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut put = |value: u64, size: usize| {
        if little {
            out.extend_from_slice(&value.to_le_bytes()[..size]);
        } else {
            out.extend_from_slice(&value.to_be_bytes()[8 - size..]);
        }
    };
    let size = notes.len() as u64;
    // e_type ET_DYN to e_shstrndx, then p_type PT_NOTE to p_align.
    for (value, bytes) in [(3, 2), (62, 2), (1, 4), (0, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (1, 2), (0, 6)] {
        if bytes == 6 { (0..3).for_each(|_| put(0, 2)) } else { put(value, bytes) }
    }
    for (value, bytes) in [(4, 4), (4, 4), (START, 8), (0, 8), (0, 8), (size, 8), (size, 8), (align, 8)] {
        put(value, bytes);
    }
    out.extend_from_slice(notes);
    out
}

fn note(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [4, text.len() as u32, 0x407c_0c0a] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(b"FDO\0");
    out.extend_from_slice(text);
    out
}

fuzz_target!(|bytes: &[u8]| {
    for (align, little) in [(4, true), (8, true), (4, false), (8, false)] {
        slimroot::elf::parse(file(bytes, align, little).as_slice()).expect("notes refuse no file");
    }
    let object = slimroot::elf::parse(file(&note(bytes), 4, true).as_slice()).expect("notes refuse no file");
    // The world has a program whose first note can be swapped for another: what is opened then is resolved.
    if !object.dlopen.is_empty() {
        let mut program = include_bytes!("../world/prog").to_vec();
        let at = program.len() as u64;
        let notes = note(bytes);
        let (table, count) = (64, usize::from(program[56]));
        let header = (0..count).map(|index| table + 56 * index).find(|at| program[*at] == 4).expect("a PT_NOTE");
        program[header + 8..header + 16].copy_from_slice(&at.to_le_bytes());
        program[header + 32..header + 40].copy_from_slice(&(notes.len() as u64).to_le_bytes());
        program.extend_from_slice(&notes);
        let mut tree = world();
        tree.file("/bin/x", 0o755, program);
        pack(&tree, &request("/bin/x"));
    }
});
