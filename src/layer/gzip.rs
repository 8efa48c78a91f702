//! gzip in parallel (RFC 1952). Workers compress the blocks of the tar stream independently; their outputs are joined to
//! a single member, because many readers stop after the first one.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use super::blob::{Block, Written, finish};
use super::deflate::{TAIL, continuable};
use crate::digest::HashingWriter;

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
    level: u8,
    workers: usize,
    received: Receiver<Block>,
) -> ScopedJoinHandle<'scope, Written> {
    let (jobs, taken) = sync_channel::<Job>(1);
    let taken = Arc::new(Mutex::new(taken));
    for _ in 0..workers {
        let taken = Arc::clone(&taken);
        scope.spawn(move || {
            let level = libdeflater::CompressionLvl::new(i32::from(level)).unwrap_or_default();
            let mut compressor = libdeflater::Compressor::new(level);
            loop {
                let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((block, answer)) = job else { return };
                // The receiver is gone only if the writer has failed, in which case the pass ends soon.
                let _ = answer.send(piece(&mut compressor, &block));
            }
        });
    }
    let (order, in_order) = sync_channel::<Receiver<Answer>>(2 * workers);
    scope.spawn(move || {
        for block in received {
            let (answer, wait) = sync_channel(1);
            if jobs.send((block, answer)).is_err() || order.send(wait).is_err() {
                return;
            }
        }
    });
    scope.spawn(move || write(file, in_order))
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

/// Compresses a block so that another can follow.
fn piece(compressor: &mut libdeflater::Compressor, block: &[u8]) -> Answer {
    let mut out = vec![0; compressor.deflate_compress_bound(block.len()) + TAIL];
    let room = out.len() - TAIL;
    let size =
        compressor.deflate_compress(block, &mut out[..room]).map_err(|error| io::Error::other(error.to_string()))?;
    let deflated = continuable(out, size).ok_or_else(|| io::Error::other("libdeflate wrote no deflate stream"))?;
    let mut sum = crc32fast::Hasher::new();
    sum.update(block);
    Ok(Piece { deflated, sum, size: block.len() })
}
