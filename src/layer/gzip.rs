//! gzip in parallel (RFC 1952). Workers compress the blocks of the tar stream independently; their outputs are joined to
//! a single member, because many readers stop after the first one.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::Cache;
use super::blob::{BLOCK_SIZE, Block, Written, finish};
use super::deflate::{TAIL, continuable};
use crate::digest::{Digest, HashingWriter};

/// A header that reveals neither time nor machine (2.3.1: MTIME 0, OS 255).
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// An empty last block with the fixed codes (RFC 1951, 3.2.6).
const LAST: [u8; 2] = [3, 0];

/// A compressed block.
struct Piece {
    deflated: Vec<u8>,
    sum: crc32fast::Hasher,
    size: usize,
}

type Answer = io::Result<Piece>;
type Job = (Block, SyncSender<Answer>);

/// Starts the threads. Any free worker compresses a block; the writer takes the results in block order.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    file: File,
    how: Deflate<'scope>,
    workers: usize,
    received: Receiver<Block>,
) -> io::Result<ScopedJoinHandle<'scope, Written>> {
    let (jobs, taken) = sync_channel::<Job>(1);
    let taken = Arc::new(Mutex::new(taken));
    for nth in 0..workers {
        let taken = Arc::clone(&taken);
        let started = Builder::new().spawn_scoped(scope, move || {
            let mut worker = Worker::new(how);
            loop {
                let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((block, answer)) = job else { return };
                // The receiver is gone only if the writer has failed, in which case the pass ends soon.
                let _ = answer.send(worker.piece(&block));
            }
        });
        // One is enough.
        match started {
            Err(error) if nth == 0 => return Err(error),
            Err(_) => break,
            Ok(_) => {}
        }
    }
    let (order, in_order) = sync_channel::<Receiver<Answer>>(2 * workers);
    Builder::new().spawn_scoped(scope, move || {
        for block in received {
            let (answer, wait) = sync_channel(1);
            if jobs.send((block, answer)).is_err() || order.send(wait).is_err() {
                return;
            }
        }
    })?;
    Builder::new().spawn_scoped(scope, move || write(file, in_order))
}

/// Writes a member of all pieces.
fn write(file: File, in_order: Receiver<Receiver<Answer>>) -> Written {
    let mut out = HashingWriter::new(file);
    let (mut sum, mut size) = (crc32fast::Hasher::new(), 0);
    out.write_all(&HEAD)?;
    for wait in in_order {
        let piece = wait.recv().map_err(|_| io::Error::other("a compression thread ended early"))??;
        out.write_all(&piece.deflated)?;
        sum.combine(&piece.sum);
        size += piece.size;
    }
    out.write_all(&LAST)?;
    out.write_all(&sum.finalize().to_le_bytes())?;
    // 2.3.1: ISIZE is the size modulo 2^32.
    out.write_all(&(size as u32).to_le_bytes())?;
    finish(out)
}

/// Method of compressing blocks.
#[derive(Clone, Copy)]
pub(super) struct Deflate<'a> {
    /// From 1 to 12.
    pub(super) level: u8,
    /// Compressed blocks of earlier runs.
    pub(super) cache: Option<&'a Cache>,
}

/// State of a thread that compresses blocks.
struct Worker<'a> {
    compressor: libdeflater::Compressor,
    known: Option<Known<'a>>,
}

impl<'a> Worker<'a> {
    fn new(Deflate { level, cache }: Deflate<'a>) -> Self {
        let checked = libdeflater::CompressionLvl::new(i32::from(level)).unwrap_or_default();
        let mut compressor = libdeflater::Compressor::new(checked);
        let known = cache.and_then(|cache| Known::new(cache, level, &mut compressor));
        Self { compressor, known }
    }

    /// Compresses a block so that another can follow, or takes it from the cache.
    fn piece(&mut self, block: &[u8]) -> Answer {
        let (first, second) = block.split_at(block.len() / 2);
        let [mut sum, rest] = [first, second].map(|half| {
            let mut sum = crc32fast::Hasher::new();
            sum.update(half);
            sum
        });
        let sums = [sum.clone().finalize(), rest.clone().finalize()];
        sum.combine(&rest);
        let deflated = match &mut self.known {
            None => deflated(&mut self.compressor, block)?,
            Some(known) => {
                let name = known.name(block, sums);
                match known.take(&name, block) {
                    Some(bytes) => bytes,
                    None => {
                        let bytes = deflated(&mut self.compressor, block)?;
                        known.cache.store(&name, &bytes);
                        bytes
                    }
                }
            }
        };
        Ok(Piece { deflated, sum, size: block.len() })
    }
}

/// Compresses a block so that another can follow.
fn deflated(compressor: &mut libdeflater::Compressor, block: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = vec![0; compressor.deflate_compress_bound(block.len()) + TAIL];
    let room = out.len() - TAIL;
    let size =
        compressor.deflate_compress(block, &mut out[..room]).map_err(|error| io::Error::other(error.to_string()))?;
    continuable(out, size).ok_or_else(|| io::Error::other("libdeflate wrote no deflate stream"))
}

/// Length of the random bytes, which somebody who writes to a cache cannot know.
const MARK: usize = 8;

/// Blocks of earlier runs.
struct Known<'a> {
    cache: &'a Cache,
    /// The prefix of names: a checksum of a sample compressed by this compressor, since another version may give other
    /// bytes.
    prefix: String,
    decompressor: libdeflater::Decompressor,
    /// Buffer for decompressed entries.
    room: Vec<u8>,
    /// A last stored block (RFC 1951, 3.2.4) with random bytes for each run.
    end: [u8; 5 + MARK],
}

impl<'a> Known<'a> {
    fn new(cache: &'a Cache, level: u8, compressor: &mut libdeflater::Compressor) -> Option<Self> {
        let sample = deflated(compressor, &sample()).ok()?;
        let encoder = Digest::of(&[env!("CARGO_PKG_VERSION").as_bytes(), &sample].concat()).hex();
        let length = MARK as u8;
        let mut end = [1, length, 0, !length, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        end[5..].copy_from_slice(&RandomState::new().build_hasher().finish().to_le_bytes());
        Some(Self {
            cache,
            prefix: format!("gzip{level}-{}", &encoder[..16]),
            decompressor: libdeflater::Decompressor::new(),
            room: vec![0; BLOCK_SIZE + MARK],
            end,
        })
    }

    fn name(&self, block: &[u8], [first, second]: [u32; 2]) -> String {
        format!("{}-{:x}-{first:08x}{second:08x}", self.prefix, block.len())
    }

    /// The entry, if a decompressor gets the block from it and continues after it: the marked block that is added here
    /// must follow. A stream that ends before its last byte, or within it, is refused.
    fn take(&mut self, name: &str, block: &[u8]) -> Option<Vec<u8>> {
        let Self { decompressor, room, end, .. } = self;
        self.cache.take(name, end.len(), |bytes| {
            bytes.extend_from_slice(end);
            let size = decompressor.deflate_decompress(bytes, room);
            bytes.truncate(bytes.len() - end.len());
            size == Ok(block.len() + MARK) && room.starts_with(block) && room[block.len()..].starts_with(&end[5..])
        })
    }
}

/// Bytes of several kinds: words, numbers, repetitions.
fn sample() -> Vec<u8> {
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let noise: Vec<u8> = noise.take(24 << 10).collect();
    let (words, rest) = noise.split_at(16 << 10);
    let words = words.iter().map(|value| b"etaoin shrdlu\n.0"[usize::from(*value) % 16]);
    words.chain(rest.iter().copied()).chain(rest.iter().rev().map(|value| value & 7)).collect()
}
