//! A blob in the making: blocks of the tar stream in, compressed bytes out to a file, in order, digested on the way.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use super::Codec;
use crate::digest::{Digest, HashingWriter};

/// A piece of the tar stream.
pub(super) type Block = Arc<Vec<u8>>;
/// Bytes of a block. Larger ones shrink gzip's output by a tenth of a percent, smaller ones cost more.
pub(super) const BLOCK_SIZE: usize = 1 << 20;

/// Blocks that wait before a thread which is fast anyway. What waits for compression is bounded by the results that
/// are waited for: two a worker.
pub(super) const QUEUE: usize = 2;
/// Bytes that a zstd worker compresses at a time. zstd's own choice is 8 MiB, which is kept several times a worker; with
/// 2 MiB the output is as small within a thousandth.
const ZSTD_JOB: u32 = 2 << 20;

/// Where compressed bytes go.
pub struct Blob {
    /// How to compress.
    pub codec: Codec,
    /// The file to write.
    pub file: File,
}

/// What a blob became: its digest and size.
pub(super) type Written = io::Result<(Digest, u64)>;

/// The threads of one blob: where blocks are sent, and what to wait for.
pub(super) struct Encoder<'scope> {
    pub(super) blocks: SyncSender<Block>,
    pub(super) done: ScopedJoinHandle<'scope, Written>,
}

/// Starts the threads that make a blob.
pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, blob: Blob, workers: usize) -> Encoder<'scope> {
    let (blocks, received) = sync_channel::<Block>(QUEUE);
    let done = match blob.codec {
        Codec::Gzip(level) => gzip(scope, blob.file, level, workers, received),
        Codec::Zstd(level) => scope.spawn(move || zstd(blob.file, level, workers, &received)),
        Codec::None => scope.spawn(move || {
            let mut out = HashingWriter::new(blob.file);
            received.iter().try_for_each(|block| out.write_all(&block))?;
            finish(out)
        }),
    };
    Encoder { blocks, done }
}

fn finish(mut out: HashingWriter<File>) -> Written {
    out.flush()?;
    let (_, digest, size) = out.finish();
    Ok((digest, size))
}

type Job = (Block, SyncSender<io::Result<Vec<u8>>>);

/// One gzip member a block, made by whichever worker is free, written in the order of the blocks.
fn gzip<'scope>(
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
                // Nobody waits for the answer only if the writer has failed: then all ends soon.
                let _ = answer.send(gzip_member(&mut compressor, &block));
            }
        });
    }
    let (order, in_order) = sync_channel::<Receiver<io::Result<Vec<u8>>>>(2 * workers);
    scope.spawn(move || {
        for block in received {
            let (answer, wait) = sync_channel(1);
            if jobs.send((block, answer)).is_err() || order.send(wait).is_err() {
                return;
            }
        }
    });
    scope.spawn(move || {
        let mut out = HashingWriter::new(file);
        for wait in in_order {
            let member = wait.recv().map_err(|_| io::Error::other("a compression thread ended early"))??;
            out.write_all(&member)?;
        }
        finish(out)
    })
}

/// A gzip member with a header that says nothing of time or machine (RFC 1952: MTIME 0, OS 255).
fn gzip_member(compressor: &mut libdeflater::Compressor, block: &[u8]) -> io::Result<Vec<u8>> {
    const OS: usize = 9;
    let mut out = vec![0; compressor.gzip_compress_bound(block.len())];
    let size = compressor.gzip_compress(block, &mut out).map_err(|error| io::Error::other(error.to_string()))?;
    out.truncate(size);
    out[OS] = 255;
    Ok(out)
}

/// zstd's own threads: with at least one worker the bytes do not depend on their number or on the size of writes.
fn zstd(file: File, level: u8, workers: usize, received: &Receiver<Block>) -> Written {
    let mut encoder = zstd::stream::write::Encoder::new(HashingWriter::new(file), i32::from(level))?;
    encoder.multithread(u32::try_from(workers.max(1)).unwrap_or(1))?;
    encoder.set_parameter(zstd::zstd_safe::CParameter::JobSize(ZSTD_JOB))?;
    encoder.include_checksum(true)?;
    encoder.include_contentsize(false)?;
    received.iter().try_for_each(|block| encoder.write_all(&block))?;
    finish(encoder.finish()?)
}
