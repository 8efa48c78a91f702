//! Errors that stop slimroot. Problems in the user's files are findings ([`crate::finding`]) instead. Errors are
//! grouped by what the user can do about them.

use std::fmt;
use std::io;

/// The kind of an error. It determines the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An argument or a value in slimroot.toml is invalid.
    BadArgument,
    /// A profile or slimroot.toml is invalid.
    BadProfile,
    /// A file in the root or on the disk is missing or unreadable.
    CannotRead,
    /// A file is damaged, or not of the expected type.
    Malformed,
    /// A file changed while it was being packed. Wait until the builder is idle, and run again.
    Changed,
    /// The output cannot be written.
    CannotWrite,
    /// The user ended the run.
    Interrupted,
    /// A bug in slimroot: please report it.
    Bug,
}

/// An error: a code (`slimroot explain CODE`), a message, and a remedy.
#[derive(Debug)]
pub struct Error {
    /// The kebab-case code, see [`ERROR_CODES`].
    pub code: &'static str,
    /// The message, one sentence without the code.
    pub says: String,
    /// A remedy: a command or a step.
    pub help: Option<String>,
    /// The underlying system error, if there is one.
    pub source: Option<io::Error>,
}

impl Error {
    /// A new error; the code must be in [`ERROR_CODES`].
    pub fn new(code: &'static str, says: impl Into<String>) -> Self {
        debug_assert!(ERROR_CODES.iter().any(|known| known.code == code), "unknown error code {code}");
        Self { code, says: says.into(), help: None, source: None }
    }

    /// Adds a remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the system error.
    #[must_use]
    pub fn because(mut self, source: impl Into<io::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A failed read in the root.
    pub fn unreadable(path: &impl fmt::Display, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        Self::new("unreadable", format!("cannot read {path}"))
            .help("run slimroot as the owner of the root, or as root: it can only pack files that it can read")
            .because(source)
    }

    /// A failed write; a full disk has its own code.
    pub fn unwritable(place: &impl fmt::Display, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let (code, help) = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ("disk-full", "free some space, or write to another disk; no partial output was left")
            }
            _ => ("output-unwritable", "check that the directory exists and that you may write to it"),
        };
        Self::new(code, format!("cannot write {place}")).help(help).because(source)
    }

    /// The kind of this error.
    pub fn kind(&self) -> Kind {
        ERROR_CODES.iter().find(|known| known.code == self.code).map_or(Kind::Bug, |known| known.kind)
    }
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

/// An entry in the table of error codes.
pub struct ErrorCode {
    /// The code as printed.
    pub code: &'static str,
    /// The kind of this error.
    pub kind: Kind,
    /// The page that `slimroot explain` prints.
    pub text: &'static str,
}

macro_rules! codes {
    ($($code:literal $kind:ident $text:literal)*) => {
        &[$(ErrorCode { code: $code, kind: Kind::$kind, text: $text }),*]
    };
}

/// Every code an [`Error`] can carry.
pub const ERROR_CODES: &[ErrorCode] = codes! {
    "bad-argument" BadArgument
    "An option or argument has an invalid value. The message names it and the expected form."
    "bad-glob" BadArgument
    "A pattern of --include, --exclude or a profile is not a glob. Patterns are absolute in the root: `*` and `?` stay \
     within one path part, `**` as a whole part crosses directories, `[abc]` is a set. Quote patterns, so that your \
     shell does not expand them."
    "bad-ca-file" BadArgument
    "A file given with --ca is not usable. It must contain CA certificates in PEM form and nothing else. slimroot \
     refuses a file with a private key, because others can read the image. Convert DER files with openssl x509 -inform \
     der."
    "unknown-transport" BadArgument
    "slimroot cannot write to this type of destination. The types are dir:PATH (the same as a plain PATH), tar:FILE, \
     oci:DIR[:TAG], oci-archive:FILE[:TAG] and docker-archive:FILE[:REF]; FILE `-` is stdout. For a plain path that \
     contains a colon write dir:PATH."
    "unknown-code" BadArgument
    "`slimroot explain`, --allow, --warn and --deny take the code in the brackets of a message, such as \
     missing-library."
    "bad-profile" BadProfile
    "A profile does not follow the schema. The message names the line and, for an unknown key, the most similar known \
     key. `slimroot profiles show base` prints a complete profile."
    "unknown-profile" BadArgument
    "There is no built-in profile with that name, and no file at that path. `slimroot profiles list` prints the names."
    "bad-config" BadProfile
    "slimroot.toml is invalid. The message names the line and, for an unknown key, the most similar known key. The \
     keys correspond to the options of `slimroot build`."
    "root-missing" CannotRead
    "The directory given by --root does not exist or is not a directory. Give the directory that contains the \
     builder's /usr, /lib and /etc; the default is /."
    "entry-missing" CannotRead
    "The entry is not in the root. A name with a slash is a path inside the root, relative to --workdir if it does not \
     start with a slash. A bare name is looked up in the image's PATH (--env PATH=…) inside the root."
    "entry-is-directory" CannotRead
    "The entry is a directory. Name the program or script that the container starts. To add the files of a directory \
     use --include 'DIR/**'."
    "entry-not-regular" CannotRead
    "The entry is a device, a socket or a pipe. Only regular files can be executed."
    "not-elf" Malformed
    "The file is neither an ELF program nor a script with a `#!` line, so the kernel cannot execute it (some shells \
     guess and do). Add a `#!` line, or name the interpreter as the entry: slimroot build -- INTERPRETER FILE."
    "bad-elf" Malformed
    "The file starts like an ELF object but is damaged: it is truncated, or its tables point outside the file. The \
     kernel or the loader would refuse it too. Build or install it again in the builder stage."
    "bad-shebang" Malformed
    "The kernel cannot execute the `#!` line of a script: there is no interpreter after `#!`, the line is too long for \
     the kernel, or more than five scripts form a chain."
    "shebang-cr" Malformed
    "The `#!` line of a script ends in a carriage return, as in files written on Windows or checked out by git with \
     autocrlf. The kernel reads it as part of the interpreter's name and reports \"no such file or directory\". Run \
     dos2unix or sed -i 's/\\r$//' on the file, and prevent it with `* text=auto eol=lf` in .gitattributes."
    "interpreter-missing" Malformed
    "The ELF interpreter of the program (its loader) or the interpreter of its `#!` line is not in the root. The \
     kernel then reports \"no such file or directory\" for the program itself. Install the C library that the program \
     was built for, or use a program built for the C library of this root."
    "mixed-architectures" Malformed
    "The entries are built for different machines, but an image has only one architecture. Pack each into its own \
     image."
    "image-missing" CannotRead
    "The image does not exist: there is no OCI layout or archive at that path, or it has no such tag. Images are read \
     from oci:DIR[:TAG], oci-archive:FILE[:TAG] and docker-archive:FILE[:REF], as skopeo, podman save and docker save \
     write them."
    "bad-image" Malformed
    "The image is damaged: a digest or diff ID does not match the contents, a document does not follow the OCI \
     specification, or a layer has an entry with a path outside the image. Save or pull it again."
    "bad-package-database" Malformed
    "The rpm database of the root cannot be read: it is damaged, or in a format that rpm never wrote. slimroot needs \
     it to find the other files of the program's packages. Rebuild it in the builder stage with rpm --rebuilddb, or \
     pack without it: --companions none --no-profile package-records --no-profile licences."
    "unreadable" CannotRead
    "slimroot has no permission to read a file or directory that the image needs. Run slimroot as the owner of the \
     root. The file is not reported as missing, because the container may run as a user who can read it."
    "link-loop" CannotRead
    "Resolving a path takes more than 40 symlinks, the limit of Linux. Usually two symlinks point to each other."
    "whiteout-name" CannotRead
    "A file's name starts with .wh., which marks a deleted file in a layer. No engine unpacks such a file. Leave it \
     out with --exclude, or rename it in the builder stage."
    "changed-while-packing" Changed
    "A file changed between planning and copying. Something still writes to the root: wait until the builder has \
     finished and run again."
    "output-exists" CannotWrite
    "The destination exists, and slimroot does not overwrite it. With --force it is replaced atomically when the new \
     output is complete. The root being packed, its parent directories, and directories that contain a mount point are \
     never replaced."
    "output-unwritable" CannotWrite
    "The destination cannot be written: its parent directory does not exist, is not writable, or is not a directory. \
     No partial output was left."
    "disk-full" CannotWrite
    "The disk of the destination is full. slimroot has removed its temporary files; no partial output was left."
    "interrupted" Interrupted
    "The run was ended by a signal (Ctrl-C). Temporary files were removed, and an earlier output is unchanged."
    "internal" Bug
    "slimroot found an inconsistency in its own results, for example a program that resolves differently in the \
     planned image than in the root. It wrote no output, because the output could be wrong. Please report the message."
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for known in ERROR_CODES {
            assert!(known.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", known.code);
            assert!(seen.insert(known.code), "{} is there twice", known.code);
            assert!(known.text.len() > 60, "{} is not explained", known.code);
        }
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let full = Error::unwritable(&"/out", io::Error::from(io::ErrorKind::StorageFull));
        let denied = Error::unwritable(&"/out", io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!((full.code, denied.code), ("disk-full", "output-unwritable"));
        assert_eq!(denied.kind(), Kind::CannotWrite);
    }
}
