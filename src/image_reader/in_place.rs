//! Layers whose files are read where they lie: those that are not compressed, and those compressed with gzip, of which
//! the part from the last checkpoint is decompressed again. If that happens often, it is kept on disk.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use super::gunzip::{Checkpoints, Collector, Gunzip};
use super::tree::stamp;
use crate::root::Source;

/// Decompressed bytes are kept in pieces of this size.
const PIECE: usize = 128 << 10;
/// How many pieces, and how many decoders that can go on, are kept.
const MAX_PIECES: usize = 64;
const MAX_DECODERS: usize = 4;

/// Where the bytes of a layer lie.
#[derive(Clone)]
pub(super) enum Origin {
    /// In an archive of somebody else, at this offset.
    Archive(Arc<File>, u64),
    /// In a file of a layout.
    Blob(Arc<dyn Source>),
    /// In slimroot's own temporary file, at this offset.
    Own(Arc<File>, u64),
}

impl Origin {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Archive(file, start) | Self::Own(file, start) => {
                let at = start.checked_add(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
                let mut read = 0;
                while read < buffer.len() {
                    match file.read_at(&mut buffer[read..], at + read as u64)? {
                        0 => break,
                        more => read += more,
                    }
                }
                Ok(read)
            }
            Self::Blob(source) => source.read_at(offset, buffer),
        }
    }

    /// Its timestamps show if it was changed after its digests were verified.
    fn stamp(&self) -> io::Result<(u64, u64)> {
        match self {
            Self::Archive(file, _) => stamp(file),
            Self::Blob(source) => {
                let (modified, changed) = source.meta().stamp;
                Ok((modified, changed.wrapping_add(u64::from(!source.is_unchanged()?))))
            }
            Self::Own(..) => Ok((0, 0)),
        }
    }
}

/// A layer, or a part of one.
struct Part {
    /// Its offset in the files of all parts.
    base: u64,
    length: u64,
    origin: Origin,
    /// Size in the origin.
    size: u64,
    is_packed: bool,
    stamp: (u64, u64),
}

/// Bytes of a part from its offset on.
struct Bytes {
    origin: Origin,
    at: u64,
    end: u64,
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.origin.read_at(self.at, &mut buffer[..wanted])?;
        self.at += read as u64;
        Ok(read)
    }
}

/// What was decompressed again.
#[derive(Default)]
struct Recent {
    /// The most recently used last.
    pieces: VecDeque<(u64, Arc<[u8]>)>,
    /// Decoders with the number of their part.
    decoders: VecDeque<(usize, Gunzip<Bytes>)>,
    /// How many bytes were decompressed again.
    again: u64,
    spool: Spool,
}

/// Pieces on disk. Files that are read in another order than that of the layer would be decompressed many times.
#[derive(Default)]
enum Spool {
    #[default]
    Unused,
    Used(File, HashSet<u64>),
    /// There is no room: reading goes on without it.
    Failed,
}

impl Spool {
    fn keep(&mut self, key: u64, piece: &[u8]) {
        if let Self::Unused = self {
            *self = tempfile::tempfile().map_or(Self::Failed, |file| Self::Used(file, HashSet::new()));
        }
        if let Self::Used(file, kept) = self {
            match file.write_all_at(piece, key) {
                Ok(()) => drop(kept.insert(key)),
                Err(_) => *self = Self::Failed,
            }
        }
    }

    /// A piece of this length, if it is kept.
    fn piece(&self, key: u64, length: usize) -> io::Result<Option<Arc<[u8]>>> {
        let Self::Used(file, kept) = self else { return Ok(None) };
        if !kept.contains(&key) {
            return Ok(None);
        }
        let mut piece = vec![0; length];
        file.read_exact_at(&mut piece, key)?;
        Ok(Some(piece.into()))
    }
}

impl Recent {
    fn push(&mut self, key: u64, piece: Arc<[u8]>) {
        self.pieces.retain(|(known, _)| *known != key);
        self.pieces.push_back((key, piece));
        if self.pieces.len() > MAX_PIECES {
            self.pieces.pop_front();
        }
    }
}

/// The layers of an image that are read where they lie, as one sequence of bytes.
#[derive(Default)]
pub(super) struct InPlace {
    parts: Vec<Part>,
    end: u64,
    checkpoints: Arc<Mutex<Checkpoints>>,
    recent: Mutex<Recent>,
}

impl InPlace {
    /// Adds a layer whose length is not known yet.
    pub(super) fn begin(&mut self, origin: Origin, size: u64, is_packed: bool) -> io::Result<()> {
        let stamp = origin.stamp()?;
        self.parts.push(Part { base: self.end, length: 0, origin, size, is_packed, stamp });
        Ok(())
    }

    /// Where the first byte of the layer is that was added last.
    pub(super) fn start(&self) -> u64 {
        self.end
    }

    /// Ends the layer that was added last.
    pub(super) fn end(&mut self, length: u64) {
        if let Some(part) = self.parts.last_mut() {
            part.length = length;
            self.end = self.end.saturating_add(length);
        }
    }

    pub(super) fn collector(&self) -> Collector {
        Collector { all: Arc::clone(&self.checkpoints), base: self.end }
    }

    /// The part in which an offset lies.
    fn number(&self, offset: u64) -> io::Result<usize> {
        let after = self.parts.partition_point(|part| part.base <= offset);
        after.checked_sub(1).ok_or(io::ErrorKind::UnexpectedEof.into())
    }

    /// The timestamps when the digest of the layer at an offset was verified.
    pub(super) fn verified_stamp(&self, offset: u64) -> (u64, u64) {
        self.number(offset).map_or((0, 0), |number| self.parts[number].stamp)
    }

    pub(super) fn stamp(&self, offset: u64) -> io::Result<(u64, u64)> {
        self.parts[self.number(offset)?].origin.stamp()
    }

    /// Reads bytes of one layer; fewer only at its end.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let number = self.number(offset)?;
        let part = &self.parts[number];
        let mut at = offset - part.base;
        let left = usize::try_from(part.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if !part.is_packed {
            return part.origin.read_at(at, &mut buffer[..wanted]);
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = 0;
        while read < wanted {
            let start = at - at % PIECE as u64;
            let piece = self.piece(&mut recent, number, start)?;
            let rest = piece.get((at - start) as usize..).filter(|rest| !rest.is_empty());
            let rest = rest.ok_or(io::ErrorKind::UnexpectedEof)?;
            let length = rest.len().min(wanted - read);
            buffer[read..read + length].copy_from_slice(&rest[..length]);
            (read, at) = (read + length, at + length as u64);
        }
        Ok(read)
    }

    /// The piece of a part that begins at an offset.
    fn piece(&self, recent: &mut Recent, number: usize, start: u64) -> io::Result<Arc<[u8]>> {
        let part = &self.parts[number];
        let key = part.base + start;
        if let Some(found) = recent.pieces.iter().rposition(|(at, _)| *at == key)
            && let Some((_, piece)) = recent.pieces.remove(found)
        {
            recent.pieces.push_back((key, Arc::clone(&piece)));
            return Ok(piece);
        }
        let length = usize::try_from(part.length - start).unwrap_or(PIECE).min(PIECE);
        if let Some(piece) = recent.spool.piece(key, length)? {
            recent.push(key, Arc::clone(&piece));
            return Ok(piece);
        }
        let mut decoder = self.decoder(recent, number, start)?;
        let mut piece = Vec::new();
        loop {
            let at = decoder.position();
            let end = (at - at % PIECE as u64) + PIECE as u64;
            piece.clear();
            let is_whole = at.is_multiple_of(PIECE as u64);
            decoder.by_ref().take(end - at).read_to_end(&mut piece)?;
            recent.again = recent.again.saturating_add(piece.len() as u64);
            if is_whole {
                recent.push(part.base + at, piece.as_slice().into());
                // Files in the order of the layer take one more pass over it.
                if recent.again > self.end {
                    recent.spool.keep(part.base + at, &piece);
                }
            }
            if at >= start || piece.is_empty() {
                break;
            }
        }
        recent.decoders.push_back((number, decoder));
        if recent.decoders.len() > MAX_DECODERS {
            recent.decoders.pop_front();
        }
        let found = recent.pieces.back().filter(|(at, _)| *at == key);
        found.map(|(_, piece)| Arc::clone(piece)).ok_or(io::ErrorKind::UnexpectedEof.into())
    }

    /// A decoder that is before an offset, and as near as possible.
    fn decoder(&self, recent: &mut Recent, number: usize, start: u64) -> io::Result<Gunzip<Bytes>> {
        let part = &self.parts[number];
        let checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpoint = checkpoints.before(part.base, part.base + start);
        let least = checkpoint.map_or(0, |checkpoint| checkpoint.output);
        let is_near =
            |(of, decoder): &(usize, Gunzip<Bytes>)| *of == number && (least..=start).contains(&decoder.position());
        let nearest = recent.decoders.iter().enumerate().filter(|(_, decoder)| is_near(decoder));
        let nearest = nearest.max_by_key(|(_, (_, decoder))| decoder.position()).map(|(at, _)| at);
        if let Some((_, decoder)) = nearest.and_then(|at| recent.decoders.remove(at)) {
            return Ok(decoder);
        }
        let bytes = |at| Bytes { origin: part.origin.clone(), at, end: part.size };
        Ok(match checkpoint {
            Some(checkpoint) => Gunzip::at(checkpoint, bytes(checkpoint.input)),
            None => Gunzip::new(bytes(0), None),
        })
    }
}
