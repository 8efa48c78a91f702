//! A blob being written: compresses the blocks of the tar stream to a file in order, and computes the digest.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::{Cache, Codec, gzip};
use crate::digest::{Digest, HashingWriter};

/// A piece of the tar stream.
pub(super) type Block = Arc<Vec<u8>>;
/// Largest size of a block. Larger blocks reduce gzip's output by a tenth of a percent, smaller ones cost more.
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

/// Starts the threads that write a blob. If one of them cannot be started, the others end soon.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    blob: Blob,
    workers: usize,
    cache: Option<&'scope Cache>,
) -> io::Result<Encoder<'scope>> {
    let (blocks, received) = sync_channel::<Block>(QUEUE);
    let done = match blob.codec {
        Codec::Gzip(level) => gzip::start(scope, blob.file, gzip::Deflate { level, cache }, workers, received)?,
        Codec::Zstd(level) => Builder::new().spawn_scoped(scope, move || zstd(blob.file, level, workers, &received))?,
        Codec::None => Builder::new().spawn_scoped(scope, move || {
            let mut out = HashingWriter::new(blob.file);
            received.iter().try_for_each(|block| out.write_all(&block))?;
            finish(out)
        })?,
    };
    Ok(Encoder { blocks, done })
}

pub(super) fn finish(mut out: HashingWriter<File>) -> Written {
    out.flush()?;
    let (_, digest, size) = out.finish();
    Ok((digest, size))
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
