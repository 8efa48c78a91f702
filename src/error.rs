//! Why slimroot cannot go on. Facts about the user's files are findings ([`crate::finding`]); an error is
//! what stops the work, sorted by what the reader can do about it.

use std::fmt;
use std::io;

/// What the reader can do about an error; it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An argument, or a word in slimroot.toml, means nothing: write it otherwise.
    BadArgument,
    /// A profile or configuration file is wrong: mend the file.
    BadProfile,
    /// Something in the root or on the disk cannot be read or is not there.
    CannotRead,
    /// A file that must be understood is damaged or of a foreign kind.
    Malformed,
    /// A file changed while it was being packed: let the builder come to rest, and run again.
    Changed,
    /// The output cannot be written.
    CannotWrite,
    /// The user ended the run.
    Interrupted,
    /// A fault of slimroot itself: report it.
    Bug,
}

/// Why slimroot stopped: a code (`slimroot explain CODE`), one sentence, and what to do next.
#[derive(Debug)]
pub struct Error {
    /// The kebab-case code; each is explained in [`ERROR_CODES`].
    pub code: &'static str,
    /// One sentence, without the code.
    pub says: String,
    /// A command or a step that helps.
    pub help: Option<String>,
    /// What the system said, if it was the system.
    pub source: Option<io::Error>,
}

impl Error {
    /// An error of a known code.
    pub fn new(code: &'static str, says: impl Into<String>) -> Self {
        debug_assert!(ERROR_CODES.iter().any(|known| known.code == code), "unknown error code {code}");
        Self { code, says: says.into(), help: None, source: None }
    }

    /// Adds what helps.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what the system said.
    #[must_use]
    pub fn because(mut self, source: impl Into<io::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A failed read of something in the root.
    pub fn unreadable(path: &impl fmt::Display, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        Self::new("unreadable", format!("cannot read {path}"))
            .help("run slimroot as the user that owns the root, or as root: what it cannot read it cannot pack")
            .because(source)
    }

    /// A failed write; a full disk has a code of its own.
    pub fn unwritable(place: &impl fmt::Display, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let (code, help) = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ("disk-full", "free some space, or name a destination on another disk; nothing was left behind")
            }
            _ => ("output-unwritable", "check that the directory exists and that you may write there"),
        };
        Self::new(code, format!("cannot write {place}")).help(help).because(source)
    }

    /// What the reader can do about it.
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

/// One row of the table of error codes.
pub struct ErrorCode {
    /// The code as printed.
    pub code: &'static str,
    /// What the reader can do about it.
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
    "An option or argument has a value that means nothing to slimroot. The message names it and what is expected."
    "bad-glob" BadArgument
    "A pattern of --include, --exclude or a profile is not a glob. Patterns are absolute in the root: `*` and `?` \
     stay within one path part, `**` as a whole part crosses directories, `[abc]` is a set. Quote patterns, so that \
     your shell does not expand them against the host."
    "bad-ca-file" BadArgument
    "A file of --ca is not what it should be: certificates of authorities as PEM, one after the other, and nothing secret. A \
     private key in it is refused, since the file goes into an image that others read; so is DER, which openssl x509 -inform der \
     makes PEM of."
    "unknown-transport" BadArgument
    "The word before the colon of a destination is not one slimroot writes. Known are dir:PATH (a plain PATH means \
     the same), tar:FILE, oci:DIR[:TAG], oci-archive:FILE[:TAG] and docker-archive:FILE[:REF]; FILE `-` is stdout. \
     For a plain path that holds a colon write dir:PATH."
    "unknown-code" BadArgument
    "`slimroot explain`, --allow, --warn and --deny take the code in the brackets of a message, such as missing-library."
    "bad-profile" BadProfile
    "A profile does not follow the schema. The message names the line and, for an unknown key, the nearest known one. \
     `slimroot profiles show base` prints a complete profile."
    "unknown-profile" BadArgument
    "No compiled-in profile has that name, and no file lies at that path. `slimroot profiles list` prints the names."
    "bad-config" BadProfile
    "slimroot.toml cannot be used. The message names the line and, for an unknown key, the nearest known one. The keys \
     are those of the options of `slimroot build`."
    "root-missing" CannotRead
    "The directory given by --root does not exist or is not a directory. Give the directory that holds the builder's \
     /usr, /lib and /etc; without --root it is /."
    "entry-missing" CannotRead
    "The entry is not in the root. A name with a slash is a path inside the root, counted from --workdir if it does not \
     start with one; a bare name is looked up in the image's PATH (--env PATH=…), also inside the root."
    "entry-is-directory" CannotRead
    "The entry is a directory. Name the program or script that the container shall start; to add a directory of files \
     use --include 'DIR/**'."
    "entry-not-regular" CannotRead
    "The entry is a device, a socket or a pipe. Only a regular file can be started."
    "not-elf" Malformed
    "The file is neither an ELF program nor a script with a `#!` line, so no kernel starts it by itself (a shell may, \
     by guessing). Add a `#!` line, or name the interpreter as the entry: slimroot build -- INTERPRETER FILE."
    "bad-elf" Malformed
    "The file starts like an ELF object but is damaged: cut short, or with tables that point outside of it. The \
     kernel or the loader would refuse it too. Build or install it again in the builder stage."
    "bad-shebang" Malformed
    "The `#!` line of a script cannot be started: no interpreter after `#!`, an interpreter name too long for the kernel, or \
     more than five scripts in a chain."
    "shebang-cr" Malformed
    "The `#!` line of a script ends in a carriage return, as files written on Windows or checked out by a git with autocrlf do. \
     The kernel takes it for a part of the interpreter's name and says \"no such file or directory\". Run dos2unix or \
     sed -i 's/\\r$//' on the file, and keep it so with `* text=auto eol=lf` in .gitattributes."
    "interpreter-missing" Malformed
    "The program names an ELF interpreter (its loader) or a `#!` interpreter that is not in the root. The kernel then \
     says \"no such file or directory\" of the program itself. Install the C library that the program was built \
     for, or take a program built for the C library of this root."
    "mixed-architectures" Malformed
    "The entries are built for different machines. An image has one architecture: pack them into one image each."
    "image-missing" CannotRead
    "The image named is not there: no OCI layout or archive at that path, or none with that tag in it. Images are read \
     from oci:DIR[:TAG], oci-archive:FILE[:TAG] and docker-archive:FILE[:REF], as skopeo, podman save and docker save \
     write them."
    "bad-image" Malformed
    "The image cannot be trusted: a digest or diff ID is not what its bytes have, a document is not what the OCI \
     specification wants, or a layer holds an entry that leads out of it. Save or pull it again."
    "owner-out-of-range" Malformed
    "A file belongs to a user or group whose number no file can have. Numbers end at 4294967294: the next one is -1, which \
     the system call chown takes as \"leave the owner as it is\", so that the file would become root's wherever root unpacks \
     it. Give the file another owner where the image or root is built."
    "bad-package-database" Malformed
    "The root has a database of rpm that cannot be read: it is damaged, or of a kind that rpm itself never wrote. Without it \
     nothing says what else the packages of the program brought. Rebuild it in the builder stage with rpm --rebuilddb, or do \
     without: --companions none --no-profile package-records --no-profile licences."
    "unreadable" CannotRead
    "slimroot may not read a file or directory that the image needs. It is not reported as missing, since the container \
     may run as somebody who can read it. Run slimroot as the owner of the root."
    "file-too-large" CannotRead
    "A file of the root that would be read has more than 64 GiB, or more than 4 GiB of which nearly all is a hole (a sparse \
     file). Holes cost nothing to make, but are read, packed and compressed as zeros. Exclude the file, or shorten it in the \
     builder stage."
    "link-loop" CannotRead
    "More than 40 symbolic links lie on the way to a file, which is where Linux gives up: usually two links that name \
     each other."
    "whiteout-name" CannotRead
    "A file's name starts with .wh., which in a layer means that the rest of the name is deleted. No engine unpacks such a \
     file as itself. Leave it out with --exclude, or rename it in the builder stage."
    "changed-while-packing" Changed
    "A file was not the same when it was copied as when it was planned. Something still writes to the root: wait until \
     the builder has finished and run again."
    "output-exists" CannotWrite
    "The destination exists. slimroot does not write over what it did not make in this run; --force replaces it in one step \
     once the new output is complete. What is being packed, what holds it, and what holds a mount are never replaced: \
     that would remove more than an output."
    "output-unwritable" CannotWrite
    "The destination cannot be written: its parent directory is absent, not writable, or of another kind. Nothing was \
     left behind."
    "disk-full" CannotWrite
    "The disk of the destination is full. slimroot writes aside first and removes that again, so nothing was left behind."
    "interrupted" Interrupted
    "The run was ended by a signal (Ctrl-C). What was written aside is removed; an earlier output is as it was."
    "internal" Bug
    "slimroot found that it contradicts itself, for example that a program resolves otherwise in the planned image than \
     in the root. Please report it with the message: the output would not have been trustworthy, so none was made."
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
