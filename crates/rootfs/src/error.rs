//! Errors: a code, a sentence and a remedy. This crate defines the type and its own codes; crates above it explain
//! further codes in their own tables ([`error_codes!`](crate::error_codes)).

use std::fmt;
use std::io;

/// The category of an error, which tells the user how to react and determines the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An argument, or a value in slimroot.toml, is invalid and must be changed.
    BadArgument,
    /// A profile or configuration file is wrong and must be corrected.
    BadProfile,
    /// A file in the root or on the disk is missing or cannot be read.
    CannotRead,
    /// A file that slimroot must understand is damaged or has an unknown format.
    Malformed,
    /// A file changed while it was being packed: wait until nothing writes to the root, then run again.
    Changed,
    /// The output cannot be written.
    CannotWrite,
    /// The result exceeds a limit that the user set: a budget, a lock or a list of permitted contents.
    Policy,
    /// The user cancelled the run.
    Interrupted,
    /// A bug in slimroot, which should be reported.
    Bug,
}

/// Why slimroot stopped: a code (`slimroot explain CODE`), a sentence and a remedy.
#[derive(Debug)]
pub struct Error {
    /// The code in kebab-case. Each crate explains its own codes in a table such as [`ERROR_CODES`].
    pub code: &'static str,
    /// One sentence, without the code.
    pub says: String,
    /// A remedy: a command or a step to take.
    pub help: Option<String>,
    /// The error of the operating system that caused this one.
    pub source: Option<io::Error>,
}

impl Error {
    /// Creates an error. Its code must be in the table of this crate or of the calling crate.
    pub fn new(code: &'static str, says: impl Into<String>) -> Self {
        debug_assert!(is_kebab_case(code), "the error code {code} is not kebab-case");
        Self { code, says: says.into(), help: None, source: None }
    }

    /// Adds a remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error of the operating system.
    #[must_use]
    pub fn because(mut self, source: impl Into<io::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A failed read.
    pub fn unreadable(path: &impl fmt::Display, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let help = match source.kind() {
            io::ErrorKind::NotFound => "check the path; a file of a root may have been removed while it was read",
            io::ErrorKind::PermissionDenied => {
                "run slimroot as the owner of the root, or as root, so that it can read all files"
            }
            _ => "the file system reports this error; the kernel's log (dmesg) may have more",
        };
        Self::new("unreadable", format!("cannot read {path}")).help(help).because(source)
    }

    /// A failed write; a full disk has its own code.
    pub fn unwritable(place: &impl fmt::Display, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let (code, help) = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ("disk-full", "free some space, or use a destination on another disk; no partial output was left")
            }
            _ => ("output-unwritable", "check that the directory exists and that you may write there"),
        };
        Self::new(code, format!("cannot write {place}")).help(help).because(source)
    }
}

fn is_kebab_case(code: &str) -> bool {
    code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// One row of a table of error codes.
#[derive(Clone, Copy, Debug)]
pub struct ErrorCode {
    /// The code as printed.
    pub code: &'static str,
    /// The category of the error.
    pub kind: Kind,
    /// The page that `slimroot explain` prints.
    pub text: &'static str,
}

/// Makes a table of error codes: code, [`Kind`] and explanation of each.
///
/// ```
/// use slimroot_rootfs::error::{ErrorCode, Kind};
///
/// const CODES: &[ErrorCode] = slimroot_rootfs::error_codes! {
///     "no-space" CannotWrite "There is no space left."
/// };
/// assert_eq!((CODES[0].code, CODES[0].kind), ("no-space", Kind::CannotWrite));
/// ```
#[macro_export]
macro_rules! error_codes {
    ($($code:literal $kind:ident $text:literal)*) => {
        &[$($crate::error::ErrorCode { code: $code, kind: $crate::error::Kind::$kind, text: $text }),*]
    };
}

/// The codes of this crate.
pub const ERROR_CODES: &[ErrorCode] = error_codes! {
    "bad-glob" BadArgument
    "A pattern of --include, --exclude or a profile is not a glob. Patterns are absolute in the root: `*` and `?` stay \
     within one path part, `**` as a whole part crosses directories, `[abc]` is a set. Quote patterns, so that your \
     shell does not expand them."
    "root-missing" CannotRead
    "The directory given by --root does not exist or is not a directory. Give the directory that contains the \
     builder's /usr, /lib and /etc; the default is /."
    "file-too-large" CannotRead
    "A file of the root that would be read has more than 64 GiB, or more than 4 GiB of which nearly all is a hole (a \
     sparse file). Holes cost nothing to make, but are read, packed and compressed as zeros. Exclude the file, or shorten \
     it in the builder stage."
    "unreadable" CannotRead
    "slimroot has no permission to read a file or directory that the image needs. Run slimroot as the owner of the \
     root. The file is not reported as missing, because the container may run as a user who can read it."
    "output-unwritable" CannotWrite
    "The destination cannot be written: its parent directory does not exist, is not writable, or is not a directory. \
     No partial output was left."
    "disk-full" CannotWrite
    "The disk of the destination is full. slimroot has removed its temporary files; no partial output was left."
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let full = Error::unwritable(&"/out", io::Error::from(io::ErrorKind::StorageFull));
        let denied = Error::unwritable(&"/out", io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!((full.code, denied.code), ("disk-full", "output-unwritable"));
    }
}
