//! SQLite's write-ahead log: transactions that are committed but not yet in the database file (fileformat2.html,
//! section 4).

const MAGIC: u32 = 0x377f_0682;
const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;

/// Applies the committed frames of a log to its database. Like SQLite, ignores the log of another database and an
/// incomplete end.
pub(super) fn apply(database: &mut Vec<u8>, log: &[u8]) {
    let word = |at: usize| Some(u32::from_be_bytes(log.get(at..at + 4)?.try_into().ok()?));
    let (Some(magic), Some(page), Some(salts)) = (word(0), word(8), log.get(16..24)) else { return };
    let Ok(page) = usize::try_from(page) else { return };
    let is_big = magic == MAGIC | 1;
    if magic & !1 != MAGIC || !page.is_power_of_two() || !(512..=65536).contains(&page) {
        return;
    }
    let mut sum = checksum((0, 0), &log[..HEAD - 8], is_big);
    if Some(sum) != word(24).zip(word(28)) {
        return;
    }
    let mut open: Vec<(usize, &[u8])> = Vec::new();
    for frame in log[HEAD..].chunks_exact(FRAME_HEAD + page) {
        let (head, content) = frame.split_at(FRAME_HEAD);
        let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        sum = checksum(checksum(sum, &head[..8], is_big), content, is_big);
        if &head[8..16] != salts || sum != (word(16), word(20)) {
            return;
        }
        open.push((word(0) as usize, content));
        let pages = word(4) as usize;
        if pages == 0 {
            continue;
        }
        // Reject page counts larger than database and log together.
        let most = database.len().div_ceil(page) + log.len().div_ceil(page);
        if pages > most || open.iter().any(|(number, _)| *number == 0 || *number > most) {
            return;
        }
        database.resize(pages * page, 0);
        for (number, content) in open.drain(..).filter(|(number, _)| *number <= pages) {
            database[(number - 1) * page..number * page].copy_from_slice(content);
        }
    }
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
