//! SQLite's write-ahead log: transactions that are committed but not yet in the database file (fileformat2.html,
//! section 4).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::root::Source;

const MAGIC: u32 = 0x377f_0682;
const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;

/// Applies the committed frames of a log to a copy of its database. Like SQLite, ignores the log of another database
/// and an incomplete end.
pub(super) fn apply(database: &File, log: &dyn Source) -> io::Result<()> {
    let mut head = [0; HEAD];
    if log.read_at(0, &mut head)? < HEAD {
        return Ok(());
    }
    let (magic, page) = (word(&head, 0), word(&head, 8) as usize);
    let is_big = magic == MAGIC | 1;
    if magic & !1 != MAGIC || !page.is_power_of_two() || !(512..=65536).contains(&page) {
        return Ok(());
    }
    let mut sum = checksum((0, 0), &head[..HEAD - 8], is_big);
    if sum != (word(&head, 24), word(&head, 28)) {
        return Ok(());
    }
    // Reject page counts larger than database and log together.
    let most = database.metadata()?.len().div_ceil(page as u64) + log.meta().size.div_ceil(page as u64);
    // Numbers of pages, and offsets of their contents in the log.
    let mut open: Vec<(u64, u64)> = Vec::new();
    let mut frame = vec![0; FRAME_HEAD + page];
    let mut at = HEAD as u64;
    while log.read_at(at, &mut frame)? == frame.len() {
        let (start, content) = frame.split_at(FRAME_HEAD);
        sum = checksum(checksum(sum, &start[..8], is_big), content, is_big);
        if start[8..16] != head[16..24] || sum != (word(start, 16), word(start, 20)) {
            break;
        }
        open.push((u64::from(word(start, 0)), at + FRAME_HEAD as u64));
        let pages = u64::from(word(start, 4));
        at += frame.len() as u64;
        if pages == 0 {
            continue;
        }
        if pages > most || open.iter().any(|(number, _)| *number == 0 || *number > most) {
            break;
        }
        database.set_len(pages * page as u64)?;
        for (number, from) in open.drain(..).filter(|(number, _)| *number <= pages) {
            let content = &mut frame[..page];
            log.read_at(from, content)?;
            database.write_all_at(content, (number - 1) * page as u64)?;
        }
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn checksum(start: (u32, u32), bytes: &[u8], is_big: bool) -> (u32, u32) {
    let (mut one, mut two) = start;
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| {
            let word = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
            if is_big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        one = one.wrapping_add(word(0)).wrapping_add(two);
        two = two.wrapping_add(word(4)).wrapping_add(one);
    }
    (one, two)
}
