//! The tracer: records the paths that a run looks up, opens, executes, maps and lists.
//!
//! A filter stops processes only at system calls with a path (`calls.rs`), and the tracer reads the path and the result
//! (`tracer.rs`). Every process and thread that the program starts is traced. The result is a [`Trace`], which can be
//! written and read again (`record.rs`); the output of strace(1) can be read too (`strace.rs`).

pub(crate) mod bpf;
mod calls;
mod kernel;
mod record;
mod registers;
mod strace;
mod trace;
mod tracer;

pub(crate) use kernel::{Program, Start, apply, connect, fence, kill, place, restrict, socket, socket_at};
pub use record::{read, write};
pub use trace::{Act, Process, Seen, Trace};
pub(crate) use tracer::{Ended, Limits, watch};
