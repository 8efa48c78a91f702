//! Decompresses gzip (RFC 1952) and keeps checkpoints, from which a part can be read again without all that is before
//! it. A decoder whose state can be copied is needed for that.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use crc32fast::Hasher;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// Maximum number of checkpoints of all layers, of 43 kB each. If there are more, every second one is removed.
const MAX_CHECKPOINTS: usize = 256;
/// Distance between checkpoints at first.
const SPACING: u64 = 4 << 20;
/// How far a match reaches back (RFC 1951).
const HISTORY: usize = 32 << 10;
/// The decoder goes round in a buffer whose size is a power of two.
const RING: usize = 64 << 10;
const INPUT: usize = 64 << 10;
/// Bits of the header's flags.
const HEADER_CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// A state of the decoder.
pub(super) struct Checkpoint {
    /// Offset in the compressed bytes.
    pub(super) input: u64,
    /// Offset in the decompressed bytes.
    pub(super) output: u64,
    decoder: Box<DecompressorOxide>,
    /// The last decompressed bytes.
    history: Box<[u8]>,
}

/// Checkpoints of all layers. Offsets in decompressed bytes count from the first layer on.
pub(super) struct Checkpoints {
    all: Vec<(u64, Checkpoint)>,
    spacing: u64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { all: Vec::new(), spacing: SPACING }
    }
}

impl Checkpoints {
    fn add(&mut self, base: u64, checkpoint: Checkpoint) {
        self.all.push((base + checkpoint.output, checkpoint));
        if self.all.len() > MAX_CHECKPOINTS {
            let mut number = 0;
            self.all.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.spacing *= 2;
        }
    }

    /// The last checkpoint between two offsets.
    pub(super) fn before(&self, base: u64, offset: u64) -> Option<&Checkpoint> {
        let after = self.all.partition_point(|(at, _)| *at <= offset);
        self.all.get(after.checked_sub(1)?).filter(|(at, _)| *at >= base).map(|(_, checkpoint)| checkpoint)
    }
}

/// Where checkpoints go.
pub(super) struct Collector {
    pub(super) all: Arc<Mutex<Checkpoints>>,
    /// Offset of the first decompressed byte.
    pub(super) base: u64,
}

enum State {
    /// Before a member, or at the end of all.
    Header,
    Data,
    Trailer,
    End,
}

/// A decompressor of any number of members.
pub(super) struct Gunzip<R> {
    input: R,
    buffer: Box<[u8]>,
    /// The part of the buffer that is not used yet.
    at: usize,
    end: usize,
    is_input_ended: bool,
    consumed: u64,
    produced: u64,
    ring: Box<[u8]>,
    /// Where the next byte goes in the ring, and how many bytes before that wait for the reader.
    to: usize,
    waiting: usize,
    decoder: Box<DecompressorOxide>,
    state: State,
    /// Checksum and size of the member; unknown after a checkpoint.
    checksum: Option<(Hasher, u32)>,
    is_first: bool,
    collector: Option<Collector>,
    next: u64,
}

impl<R: Read> Gunzip<R> {
    pub(super) fn new(input: R, collector: Option<Collector>) -> Self {
        Self {
            input,
            buffer: vec![0; INPUT].into(),
            at: 0,
            end: 0,
            is_input_ended: false,
            consumed: 0,
            produced: 0,
            ring: vec![0; RING].into(),
            to: 0,
            waiting: 0,
            decoder: Box::default(),
            state: State::Header,
            checksum: None,
            is_first: true,
            collector,
            next: SPACING,
        }
    }

    /// Continues at a checkpoint; `input` begins at its offset.
    pub(super) fn at(checkpoint: &Checkpoint, input: R) -> Self {
        let mut made = Self::new(input, None);
        let start = RING - checkpoint.history.len();
        made.ring[start..].copy_from_slice(&checkpoint.history);
        made.decoder.clone_from(&checkpoint.decoder);
        (made.consumed, made.produced) = (checkpoint.input, checkpoint.output);
        (made.state, made.is_first) = (State::Data, false);
        made
    }

    /// The number of decompressed bytes that were read.
    pub(super) fn position(&self) -> u64 {
        self.produced - self.waiting as u64
    }

    fn keep_checkpoint(&mut self) {
        let Some(Collector { all, base }) = &self.collector else { return };
        let length = HISTORY.min(usize::try_from(self.produced).unwrap_or(HISTORY));
        let mut history = Vec::with_capacity(length);
        // The ring goes on at its end.
        history.extend_from_slice(&self.ring[RING - length.saturating_sub(self.to)..]);
        history.extend_from_slice(&self.ring[self.to.saturating_sub(length)..self.to]);
        let checkpoint = Checkpoint {
            input: self.consumed,
            output: self.produced,
            decoder: self.decoder.clone(),
            history: history.into(),
        };
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.add(*base, checkpoint);
        self.next = self.produced + all.spacing;
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.at == self.end && !self.is_input_ended {
            (self.at, self.end) = (0, self.input.read(&mut self.buffer)?);
            self.is_input_ended = self.end == 0;
        }
        Ok(())
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        self.fill()?;
        let byte = self.buffer[..self.end].get(self.at).copied();
        self.at += usize::from(byte.is_some());
        self.consumed += u64::from(byte.is_some());
        Ok(byte)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        Ok(bytes)
    }

    fn text(&mut self) -> io::Result<()> {
        while self.bytes()? != [0] {}
        Ok(())
    }

    /// Reads the header of a member, if there is one.
    fn header(&mut self) -> io::Result<()> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "invalid gzip header");
        self.fill()?;
        if self.at == self.end && !self.is_first {
            self.state = State::End;
            return Ok(());
        }
        let [first, second, method, flags, ..]: [u8; 10] = self.bytes()?;
        if (first, second, method) != (0x1f, 0x8b, 8) {
            return Err(invalid());
        }
        if flags & EXTRA != 0 {
            for _ in 0..u16::from_le_bytes(self.bytes()?) {
                self.bytes::<1>()?;
            }
        }
        for _ in [NAME, COMMENT].into_iter().filter(|flag| flags & flag != 0) {
            self.text()?;
        }
        if flags & HEADER_CHECKSUM != 0 {
            self.bytes::<2>()?;
        }
        self.decoder.init();
        self.checksum = Some((Hasher::new(), 0));
        (self.state, self.is_first) = (State::Data, false);
        Ok(())
    }

    fn data(&mut self) -> io::Result<()> {
        if self.produced >= self.next {
            self.keep_checkpoint();
        }
        self.fill()?;
        self.to %= RING;
        let flags = if self.is_input_ended { 0 } else { TINFL_FLAG_HAS_MORE_INPUT };
        let input = &self.buffer[self.at..self.end];
        let (status, read, written) = decompress(&mut self.decoder, input, &mut self.ring, self.to, flags);
        if let Some((checksum, size)) = &mut self.checksum {
            checksum.update(&self.ring[self.to..self.to + written]);
            *size = size.wrapping_add(written as u32);
        }
        (self.at, self.consumed) = (self.at + read, self.consumed + read as u64);
        (self.to, self.produced, self.waiting) = (self.to + written, self.produced + written as u64, written);
        match status {
            TINFLStatus::Done => self.state = State::Trailer,
            TINFLStatus::HasMoreOutput | TINFLStatus::NeedsMoreInput => {}
            TINFLStatus::FailedCannotMakeProgress => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "corrupt deflate stream")),
        }
        Ok(())
    }

    fn trailer(&mut self) -> io::Result<()> {
        let [a, b, c, d, size @ ..]: [u8; 8] = self.bytes()?;
        if let Some((checksum, length)) = self.checksum.take()
            && (length != u32::from_le_bytes(size) || checksum.finalize() != u32::from_le_bytes([a, b, c, d]))
        {
            let says = "corrupt gzip stream does not have a matching checksum";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, says));
        }
        self.state = State::Header;
        Ok(())
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.waiting == 0 && !buffer.is_empty() {
            match self.state {
                State::Header => self.header()?,
                State::Data => self.data()?,
                State::Trailer => self.trailer()?,
                State::End => return Ok(0),
            }
        }
        let length = self.waiting.min(buffer.len());
        let start = self.to - self.waiting;
        buffer[..length].copy_from_slice(&self.ring[start..start + length]);
        self.waiting -= length;
        Ok(length)
    }
}
