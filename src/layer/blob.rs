//! A blob being written: compresses the blocks of the tar stream to a file in order, and computes the digest.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use super::Codec;
use crate::digest::{Digest, HashingWriter};

/// A piece of the tar stream.
pub(super) type Block = Arc<Vec<u8>>;
/// Size of a block. Larger blocks reduce gzip's output by a tenth of a percent, smaller ones cost more.
pub(super) const BLOCK_SIZE: usize = 1 << 20;

/// Length of the queue before a thread that is fast anyway. The queue for compression is limited by the pending
/// results, two per worker.
pub(super) const QUEUE: usize = 2;
/// Number of bytes that a zstd worker compresses at a time. zstd's default is 8 MiB, several of which are kept per
/// worker; with 2 MiB the output is larger by less than a thousandth.
const ZSTD_JOB: u32 = 2 << 20;

/// A destination of compressed bytes.
pub struct Blob {
    /// The compression.
    pub codec: Codec,
    /// The file to write.
    pub file: File,
}

/// The digest and size of a written blob.
pub(super) type Written = io::Result<(Digest, u64)>;

/// The threads of one blob: the channel for blocks, and the handle to join.
pub(super) struct Encoder<'scope> {
    pub(super) blocks: SyncSender<Block>,
    pub(super) done: ScopedJoinHandle<'scope, Written>,
}

/// Starts the threads that write a blob.
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

/// Writes one gzip member per block. Any free worker compresses it; members are written in block order.
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
                // The receiver is gone only if the writer has failed, in which case the pass ends soon.
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

/// A gzip member with a header that reveals neither time nor machine (RFC 1952: MTIME 0, OS 255).
fn gzip_member(compressor: &mut libdeflater::Compressor, block: &[u8]) -> io::Result<Vec<u8>> {
    const OS: usize = 9;
    let mut out = vec![0; compressor.gzip_compress_bound(block.len())];
    let size = compressor.gzip_compress(block, &mut out).map_err(|error| io::Error::other(error.to_string()))?;
    out.truncate(size);
    out[OS] = 255;
    Ok(out)
}

/// Uses zstd's own threads: with at least one worker, the bytes do not depend on the number of workers or the size of
/// writes.
fn zstd(file: File, level: u8, workers: usize, received: &Receiver<Block>) -> Written {
    let mut encoder = zstd::stream::write::Encoder::new(HashingWriter::new(file), i32::from(level))?;
    encoder.multithread(u32::try_from(workers.max(1)).unwrap_or(1))?;
    encoder.set_parameter(zstd::zstd_safe::CParameter::JobSize(ZSTD_JOB))?;
    encoder.include_checksum(true)?;
    encoder.include_contentsize(false)?;
    received.iter().try_for_each(|block| encoder.write_all(&block))?;
    finish(encoder.finish()?)
}
