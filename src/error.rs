//! Why slimroot cannot go on. Facts about the user's files are findings ([`crate::finding`]); an error is
//! what stops the work, sorted by what the reader can do about it.
//!
//! The type is that of [`slimroot_rootfs`]; the table of codes here joins those of all crates.

pub use slimroot_rootfs::error::{Error, ErrorCode, Kind};

/// What the reader can do about an error; it decides the exit code.
pub fn kind_of(error: &Error) -> Kind {
    let known = ERROR_CODES.iter().find(|known| known.code == error.code);
    debug_assert!(known.is_some(), "unknown error code {}", error.code);
    known.map_or(Kind::Bug, |known| known.kind)
}

/// Every code an [`Error`] can carry: those of slimroot itself, of `slimroot-ldso` and of `slimroot-rootfs`.
pub const ERROR_CODES: &[ErrorCode] =
    &joined([OWN, slimroot_ldso::error::ERROR_CODES, slimroot_rootfs::error::ERROR_CODES]);

const COUNT: usize = OWN.len() + slimroot_ldso::error::ERROR_CODES.len() + slimroot_rootfs::error::ERROR_CODES.len();

/// The rows of several tables in one, sorted by code.
const fn joined(tables: [&[ErrorCode]; 3]) -> [ErrorCode; COUNT] {
    let mut all = [OWN[0]; COUNT];
    let (mut table, mut count) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            all[count] = tables[table][row];
            row += 1;
            count += 1;
        }
        table += 1;
    }
    all
}

/// The codes that only slimroot itself uses.
const OWN: &[ErrorCode] = slimroot_rootfs::error_codes! {
    "bad-argument" BadArgument
    "An option or argument has a value that means nothing to slimroot. The message names it and what is expected."
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
    "entry-is-directory" CannotRead
    "The entry is a directory. Name the program or script that the container shall start; to add a directory of files \
     use --include 'DIR/**'."
    "entry-not-regular" CannotRead
    "The entry is a device, a socket or a pipe. Only a regular file can be started."
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
    "bad-package-database" Malformed
    "The root has a database of rpm that cannot be read: it is damaged, or of a kind that rpm itself never wrote. Without it \
     nothing says what else the packages of the program brought. Rebuild it in the builder stage with rpm --rebuilddb, or do \
     without: --companions none --no-profile package-records --no-profile licences."
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
    fn codes_of_every_crate_have_a_kind() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert_eq!(kind_of(&Error::unwritable(&"/out", denied)), Kind::CannotWrite);
        assert_eq!(kind_of(&Error::new("bad-elf", "cut short")), Kind::Malformed);
        assert_eq!(kind_of(&Error::new("internal", "a contradiction")), Kind::Bug);
    }
}
