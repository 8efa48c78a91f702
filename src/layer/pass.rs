//! The single pass over a plan: each file is opened and read once, and passed to all consumers.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Builder;

use super::blob::{self, BLOCK_SIZE, Blob, Block};
use super::tar::{END, head_of, padding};
use super::{Cache, Codec, Layer};
use crate::digest::HashingWriter;
use crate::error::{Error, no_thread};
use crate::path::RootPath;
use crate::plan::{Content, Item, ItemKind, Plan, changed, unchanged};
use crate::root::{Source, Tree};

/// Number of bytes per read.
const READ: usize = 256 << 10;

/// Smallest size of a block that ends before a small file.
const BLOCK_MIN: usize = 512 << 10;
/// Average number of bytes from one entry before which a block may end to the next.
const MARKS: u64 = 256 << 10;
/// Bytes that an entry counts besides its contents: its header.
const MARK_MIN: u64 = 512;

/// A consumer of the entries themselves, instead of the tar stream, in plan order.
pub trait Tap {
    /// Starts a new entry.
    ///
    /// # Errors
    /// Any write error.
    fn begin(&mut self, path: &RootPath, item: &Item) -> Result<(), Error>;

    /// The next bytes of the current file.
    ///
    /// # Errors
    /// Any write error.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// The current file is complete.
    ///
    /// # Errors
    /// Any write error.
    fn end(&mut self) -> Result<(), Error>;
}

/// Options of a pass that do not affect the output.
pub struct PassOptions<'a> {
    /// Number of compression threads, at least 1.
    pub threads: usize,
    /// Compressed blocks of earlier runs.
    pub cache: Option<&'a Cache>,
    /// Called now and then with the number of bytes done and in total.
    pub progress: &'a dyn Fn(u64, u64),
    /// Polled now and then; true cancels the pass.
    pub stop: &'a dyn Fn() -> bool,
}

/// Reads the plan's files once. Writes the tar stream to each blob, with that blob's compression, and the entries to
/// each tap. The layers are in the order of the blobs.
///
/// # Errors
/// `changed-while-packing`, `unreadable`, `output-unwritable`, `disk-full`, `interrupted`, `no-thread`.
pub fn pack(
    tree: &dyn Tree,
    plan: &Plan,
    blobs: Vec<(String, Blob)>,
    taps: &mut [&mut dyn Tap],
    options: &PassOptions<'_>,
) -> Result<Vec<Layer>, Error> {
    let codecs: Vec<Codec> = blobs.iter().map(|(_, blob)| blob.codec).collect();
    std::thread::scope(|scope| {
        let workers = options.threads.max(1);
        let mut encoders = Vec::new();
        let mut names = Vec::new();
        for (name, blob) in blobs {
            encoders.push(blob::start(scope, blob, workers, options.cache).map_err(no_thread)?);
            names.push(name);
        }
        let wants_tar = !encoders.is_empty();
        let (hash, hashed) = sync_channel::<Block>(blob::QUEUE);
        let diff_id = Builder::new().spawn_scoped(scope, move || {
            let mut hasher = HashingWriter::new(io::sink());
            for block in hashed {
                // Writing to a sink cannot fail.
                let _ = io::Write::write_all(&mut hasher, &block);
            }
            let (_, digest, size) = hasher.finish();
            (digest, size)
        });
        let diff_id = diff_id.map_err(no_thread)?;
        let mut senders: Vec<SyncSender<Block>> = vec![hash];
        let (to_encoders, handles): (Vec<_>, Vec<_>) =
            encoders.into_iter().map(|encoder| (encoder.blocks, encoder.done)).unzip();
        senders.extend(to_encoders);
        let mut stream = Stream { block: Vec::new(), senders, wants_tar };
        let read = stream.plan(tree, plan, taps, options);
        drop(stream);
        let mut layers = Vec::new();
        let mut failed = None;
        let ended_early = || Error::new("internal", "a thread of the writer panicked");
        let (diff_id, tar_size) = diff_id.join().map_err(|_| ended_early())?;
        for ((handle, name), codec) in handles.into_iter().zip(&names).zip(codecs) {
            match handle.join().map_err(|_| ended_early())? {
                Ok((digest, size)) => {
                    layers.push(Layer { digest, diff_id, size, tar_size, codec, title: String::new() })
                }
                Err(error) => failed = Some(Error::unwritable(name, error)),
            }
        }
        // If a writer failed, its error caused that of the reader.
        match failed {
            Some(error) => Err(error),
            None => read.map(|()| layers),
        }
    })
}

/// The error for a run that the user cancelled.
pub(crate) fn interrupted() -> Error {
    Error::new("interrupted", "interrupted; what was written so far is removed")
}

/// The tar stream, cut into blocks.
struct Stream {
    block: Vec<u8>,
    senders: Vec<SyncSender<Block>>,
    wants_tar: bool,
}

impl Stream {
    fn plan(
        &mut self,
        tree: &dyn Tree,
        plan: &Plan,
        taps: &mut [&mut dyn Tap],
        options: &PassOptions<'_>,
    ) -> Result<(), Error> {
        let all = plan.bytes();
        let mut done = 0;
        let mut buffer = vec![0; READ];
        for (path, item) in &*plan.items {
            if (options.stop)() {
                return Err(interrupted());
            }
            self.cut_before(path, item)?;
            self.write(&head_of(path, item, plan.epoch))?;
            taps.iter_mut().try_for_each(|tap| tap.begin(path, item))?;
            if let ItemKind::File(content) = &item.kind {
                let mut give = |bytes: &[u8]| {
                    done += bytes.len() as u64;
                    (options.progress)(done, all);
                    if (options.stop)() {
                        return Err(interrupted());
                    }
                    self.write(bytes)?;
                    taps.iter_mut().try_for_each(|tap| tap.data(bytes))
                };
                match content {
                    Content::Made(bytes) => give(bytes)?,
                    Content::FromRoot { path, .. } => {
                        let source = content.open(tree)?;
                        read_all(&*source, path, content.size(), &mut buffer, &mut give)?;
                    }
                }
                self.write(padding(content.size()))?;
                taps.iter_mut().try_for_each(|tap| tap.end())?;
            }
        }
        self.write(&END)?;
        self.send()
    }

    /// Ends the block at some entries, chosen by their paths, and before each large file. After a file that has changed
    /// its size, blocks are thus soon cut as before, and most are found in the cache.
    fn cut_before(&mut self, path: &RootPath, item: &Item) -> Result<(), Error> {
        let size = match &item.kind {
            ItemKind::File(content) => content.size(),
            _ => 0,
        };
        let is_mark = || u64::from(crc32fast::hash(path.as_bytes())) * MARKS < (size + MARK_MIN) << 32;
        if size >= BLOCK_SIZE as u64 || (self.block.len() >= BLOCK_MIN && is_mark()) {
            return self.send();
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        if !self.wants_tar {
            return Ok(());
        }
        while !bytes.is_empty() {
            if self.block.capacity() == 0 {
                self.block.reserve_exact(BLOCK_SIZE);
            }
            let room = (BLOCK_SIZE - self.block.len()).min(bytes.len());
            self.block.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            if self.block.len() == BLOCK_SIZE {
                self.send()?;
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Error> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = Arc::new(std::mem::take(&mut self.block));
        let is_sent = self.senders.iter().all(|sender| sender.send(Arc::clone(&block)).is_ok());
        // The writer's own error is reported when it is joined.
        if is_sent { Ok(()) } else { Err(Error::new("internal", "a writer ended early")) }
    }
}

/// Reads exactly `size` bytes of a file. A file that is shorter, or was modified meanwhile, counts as changed.
///
/// # Errors
/// `changed-while-packing`, `unreadable`, and any error of `give`.
pub(crate) fn read_all(
    source: &dyn Source,
    path: &RootPath,
    size: u64,
    buffer: &mut [u8],
    give: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut at = 0;
    while at < size {
        let wanted = usize::try_from(size - at).unwrap_or(usize::MAX).min(buffer.len());
        let read = source.read_at(at, &mut buffer[..wanted]).map_err(|error| Error::unreadable(path, error))?;
        if read < wanted {
            return Err(changed(path));
        }
        give(&buffer[..read])?;
        at += read as u64;
    }
    unchanged(source, path)
}
