//! The watcher: what a run looks up, opens, executes, maps and lists, seen by the kernel.
//!
//! A filter stops only the system calls that name a path (`calls.rs`), and this program, as the tracer, asks for the path
//! and the result (`tracer.rs`). Every process and thread that the program starts is followed. The result is a [`Trace`],
//! which can be written and read again (`record.rs`); the output of strace(1) can be read too (`strace.rs`).

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
