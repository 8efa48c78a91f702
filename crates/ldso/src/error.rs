//! Error codes of this crate, in addition to those of [`slimroot_rootfs::error`].

use slimroot_rootfs::error::ErrorCode;
pub use slimroot_rootfs::error::{Error, Kind};

/// The additional error codes.
pub const ERROR_CODES: &[ErrorCode] = slimroot_rootfs::error_codes! {
    "entry-missing" CannotRead
    "The entry is not in the root. A name with a slash is a path inside the root, relative to --workdir if it does not \
     start with a slash. A bare name is looked up in the image's PATH (--env PATH=…) inside the root."
    "not-elf" Malformed
    "The file is neither an ELF program nor a script with a `#!` line, so the kernel cannot execute it (some shells \
     guess and do). Add a `#!` line, or name the interpreter as the entry: slimroot build -- INTERPRETER FILE."
    "bad-elf" Malformed
    "The file starts like an ELF object but is damaged: it is truncated, or its tables point outside the file. The \
     kernel or the loader would refuse it too. Build or install it again in the builder stage."
};
