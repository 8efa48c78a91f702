//! Payloads that are recognised and not read (`profiles/tables/payloads.toml`).

use std::io;

use memchr::memmem;
use serde::Deserialize;

use crate::root::Source;
use crate::world::tables::table;

/// Number of bytes at the end of a file that are searched for a mark.
const TAIL: u64 = 4 << 10;
/// The length of the number at the end of a file that gives the offset of the payload.
const OFFSET: usize = 8;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Payloads {
    payload: Vec<Unread>,
}

/// A format of programs with other files in them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Unread {
    /// The tool that makes such programs.
    pub name: String,
    /// The consequence.
    pub says: String,
    /// Advice.
    pub help: String,
    text: String,
    head: Option<u64>,
    #[serde(default)]
    tail: bool,
    #[serde(default)]
    behind: bool,
}

table! {
    fn payloads() -> Payloads = "payloads"
}

/// The format of the payload of a program.
pub(super) fn find(source: &dyn Source) -> io::Result<Option<&'static Unread>> {
    let size = source.meta().size;
    let tail = piece(source, size.saturating_sub(TAIL), TAIL)?;
    let offset = tail.last_chunk::<OFFSET>().map(|bytes| u64::from_le_bytes(*bytes));
    for row in &payloads().payload {
        let text = row.text.as_bytes();
        let at = |place: Option<u64>| -> io::Result<bool> {
            let Some(place) = place.filter(|place| *place < size) else { return Ok(false) };
            Ok(piece(source, place, text.len() as u64)? == text)
        };
        let is_marked = at(row.head)?
            || row.tail && memmem::find(&tail, text).is_some()
            || row.behind && at(offset.filter(|offset| *offset > 0))?;
        if is_marked {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn piece(source: &dyn Source, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = length.min(source.meta().size.saturating_sub(at));
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = source.read_at(at, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}
