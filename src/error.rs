//! Errors: reasons why slimroot cannot continue. Problems in the user's files are findings ([`crate::finding`]).
//!
//! The type is that of [`slimroot_rootfs`]; the table of codes here combines those of all crates.

pub use slimroot_rootfs::error::{Error, ErrorCode, Kind};

/// The kind of an error, which decides the exit code.
pub fn kind_of(error: &Error) -> Kind {
    let known = ERROR_CODES.iter().find(|known| known.code == error.code);
    debug_assert!(known.is_some(), "unknown error code {}", error.code);
    known.map_or(Kind::Bug, |known| known.kind)
}

/// The error if the kernel makes no further thread.
pub(crate) fn no_thread(error: std::io::Error) -> Error {
    Error::new("no-thread", "cannot start a thread").because(error).help(
        "permit more processes: ulimit -u, or --pids-limit of the container; about a dozen are enough with --threads 1",
    )
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
    "An option or argument has an invalid value. The message names it and the expected form."
    "bad-ca-file" BadArgument
    "A file given with --ca is not usable. It must contain CA certificates in PEM form and nothing else. slimroot \
     refuses a file with a private key, because others can read the image. Convert DER files with openssl x509 -inform \
     der."
    "unknown-transport" BadArgument
    "slimroot cannot write to this type of destination. The types are dir:PATH (the same as a plain PATH), tar:FILE, \
     oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG], docker-daemon:NAME[:TAG] and containers-storage:NAME[:TAG]; FILE `-` is stdout. For a plain path that \
     contains a colon write dir:PATH."
    "unknown-code" BadArgument
    "`slimroot explain`, --allow, --warn and --deny take the code in the brackets of a message, such as \
     missing-library."
    "unknown-message" BadArgument
    "`slimroot explain TEXT` knows messages of loaders, kernels, engines and languages about files that an image lacks. \
     This text contains none of them. Paste the line with the error itself, or pass the whole log to `slimroot explain \
     -`."
    "bad-dockerfile" BadProfile
    "The file is not a Dockerfile, or slimroot cannot make a stage from it: the message names the line. The last stage \
     must say what the container starts, by ENTRYPOINT or CMD."
    "bad-profile" BadProfile
    "A profile does not follow the schema. The message names the line and, for an unknown key, the most similar known \
     key. `slimroot profiles show base` prints a complete profile."
    "unknown-profile" BadArgument
    "There is no built-in profile with that name, and no file at that path. `slimroot profiles list` prints the names."
    "bad-trace" BadArgument
    "A file given with --trace cannot be used. It must be written by `slimroot trace -o FILE -- COMMAND`, or be the output \
     of `strace -f -o FILE COMMAND`. The message names the line."
    "cannot-watch" CannotRead
    "slimroot traces programs with ptrace(2) and a seccomp filter. The kernel or the container refuses one of them, or \
     the program cannot be started at all: the message ends with the kernel's error. Current engines allow both; very \
     old ones need --cap-add SYS_PTRACE."
    "bad-config" BadProfile
    "slimroot.toml is invalid. The message names the line and, for an unknown key, the most similar known key. The \
     keys correspond to the options of `slimroot build`."
    "entry-is-directory" CannotRead
    "The entry is a directory. Name the program or script that the container starts. To add the files of a directory \
     use --include 'DIR/**'."
    "entry-not-regular" CannotRead
    "The entry is a device, a socket or a pipe. Only regular files can be executed."
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
     write them, and from registries: docker://HOST/NAME[:TAG|@DIGEST]. A registry may also say this to users who may \
     not see the image."
    "bad-image" Malformed
    "The image is damaged: a digest or diff ID does not match the contents, a document does not follow the OCI \
     specification, or a layer has an entry with a path outside the image. Save or pull it again."
    "image-too-large" CannotRead
    "The image has more entries, settings, or longer names and attributes, than slimroot keeps in memory: the limits are far above \
     those of real images, and protect machines that read images of strangers. A directory has no such limit: unpack the \
     image, for example with umoci unpack or podman export, and use the directory as the root."
    "bad-package-database" Malformed
    "The rpm database of the root cannot be read: it is damaged, or in a format that rpm never wrote. slimroot needs \
     it to find the other files of the program's packages. Rebuild it in the builder stage with rpm --rebuilddb, or \
     pack without it: --companions none --no-profile package-records --no-profile licences."
    "no-registry-support" BadArgument
    "This slimroot was built without the cargo feature `registry`, so it has no network client. Build it with the default \
     features, or copy the image with skopeo copy docker://… oci:DIR and name oci:DIR instead."
    "bad-credentials" CannotRead
    "A file with logins (docker's config.json, podman's auth.json, REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG) cannot be \
     understood, or the credential helper that it names fails. slimroot never prints such files or the output of \
     helpers. Log in again with docker login or podman login, or try the helper: echo HOST | docker-credential-NAME \
     get."
    "registry-unreachable" CannotRead
    "There is no connection to the registry: its name has no address, nothing listens at its port, it does not answer \
     in time, or it repeatedly closed connections (five tries, with increasing delays). Blobs that a push has sent stay \
     in the registry without a name; the tag still refers to the previous image. Proxies are taken from HTTPS_PROXY, \
     HTTP_PROXY, ALL_PROXY and NO_PROXY. Plain HTTP is used only on this machine (localhost, 127.0.0.1, [::1]) and with \
     --insecure."
    "registry-untrusted" CannotRead
    "The certificate of the registry is not signed by an authority that this machine trusts, is for another name, or \
     has expired. Give the authority with --registry-ca FILE, or put it where docker and podman look for it: \
     /etc/containers/certs.d/HOST:PORT/ca.crt or /etc/docker/certs.d/HOST:PORT/ca.crt. SSL_CERT_FILE replaces the \
     authorities of the system. --insecure turns verification off."
    "registry-denied" CannotRead
    "The registry requires a login, or the login has no permission for this (status 401 or 403). slimroot uses what \
     docker login and podman login have stored: REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG, podman's auth.json, docker's \
     config.json, with their credential helpers. A new token is fetched once; if that is refused too, slimroot stops."
    "registry-busy" CannotRead
    "The registry limits the rate of requests (status 429): it still does after five tries, or asks for a delay of more \
     than a minute. Limits are often higher for users who log in."
    "registry-refused" CannotRead
    "The registry fails or refuses a request, for a reason that the message quotes: its storage is full, a quota is \
     used up, the layer is too large, a rule of the registry forbids the name. Server errors (status 500 and above) \
     were retried five times. The tag still refers to the previous image."
    "bad-registry" Malformed
    "The registry breaks the protocol: a digest, length or media type is not that of the bytes it sends, a document is \
     larger than 4 MiB, redirects form a loop or lead from TLS to plain HTTP, an upload has no URL. slimroot discards \
     the response. Often a proxy answers instead of the registry."
    "owner-out-of-range" Malformed
    "A file belongs to a user or group with an invalid number. The largest number is 4294967294: the next one is -1, \
     which the system call chown interprets as \"leave the owner as it is\", so the file would belong to root if root \
     unpacks it. Give the file another owner where the image or root is built."
    "no-thread" CannotRead
    "The kernel refuses to start a thread: the user or the container has as many processes as its limit permits (ulimit \
     -u, --pids-limit, pids.max). slimroot reads, hashes, compresses and writes at the same time, in up to a dozen threads. \
     It has written nothing."
    "link-loop" CannotRead
    "Resolving a path takes more than 40 symlinks, the limit of Linux. Usually two symlinks point to each other."
    "path-too-long" CannotRead
    "A path has more than 4095 bytes, as in a directory that is nested thousands of levels deep. No program can open it by \
     this path, and engines do not unpack it. Leave it out with --exclude."
    "whiteout-name" CannotRead
    "A file's name starts with .wh., which marks a deleted file in a layer. No engine unpacks such a file. Leave it \
     out with --exclude, or rename it in the builder stage."
    "changed-while-packing" Changed
    "A file changed between planning and copying. Something still writes to the root: wait until the builder has \
     finished, and run slimroot again."
    "probe-unsupported" BadArgument
    "--healthcheck with an address packs slimroot's own static probe, which exists for x86-64 and 64-bit Arm \
     (little-endian). For another machine, use a command of the root: --healthcheck 'CMD PROGRAM ARGUMENTS'. Its \
     program is packed with its dependencies."
    "debug-shell-missing" CannotRead
    "--debug-tag writes a second image that has the layers of the first, and a shell. It uses a static busybox of the \
     root (Debian, Ubuntu and Alpine: the package busybox-static) or the file given with --debug-shell. A program that \
     needs libraries, is for another machine or has no command sh is refused."
    "engine-unreachable" CannotRead
    "There is no engine at the socket of docker-daemon: or containers-storage:, or the connection to it broke. Docker's \
     socket is DOCKER_HOST or /var/run/docker.sock; podman's is CONTAINER_HOST, $XDG_RUNTIME_DIR/podman/podman.sock or \
     /run/podman/podman.sock, where podman system service listens (systemctl start podman.socket). Without an engine use \
     oci: or docker-archive:."
    "engine-refused" CannotRead
    "The engine refuses to load or to save an image, for a reason that the message quotes: its storage is full, or it \
     does not know a media type."
    "cache-unusable" CannotWrite
    "The directory given with --cache cannot be created or opened. slimroot keeps compressed blocks there, in its own \
     folder; any directory will do, such as a BuildKit cache mount. The image is the same without it."
    "output-exists" CannotWrite
    "The destination exists, and slimroot does not overwrite it. With --force it is replaced atomically when the new \
     output is complete. The root being packed, its parent directories, and directories that contain a mount point are \
     never replaced."
    "bad-ledger" Malformed
    "A plan or a lock cannot be read: it is damaged, truncated, larger than 1 GiB, or was not written by slimroot. \
     Write it again with --plan-out or --lock."
    "ledger-newer" Malformed
    "A plan or a lock was written by a newer slimroot, whose schema this one does not know. Use that version, or write \
     the file again with this one."
    "bad-vex" Malformed
    "A list of vulnerabilities or a VEX document cannot be read: the message says why. A list has lines of VULNERABILITY \
     COMPONENT [FILE...], or is the JSON of grype or trivy; a document to merge is OpenVEX or CycloneDX as JSON."
    "nothing-stated" CannotRead
    "slimroot cannot prove for any of the vulnerabilities that the image does not have it, so there is nothing to \
     write: an OpenVEX document has at least one statement. The notes say why each report remains open."
    "seccomp-machine" BadArgument
    "--seccomp reads the machine code of the packed objects, and knows that of x86-64 only. Build without it: the default profile of \
     docker or podman applies then."
    "over-budget" Policy
    "The image is larger than --budget, or has grown more than --fail-if-grows permits. The message names the largest \
     groups. Nothing was written."
    "lock-differs" Policy
    "The image differs from the lock given with --locked in packages, libraries, reasons, owners, set-id bits, user or \
     ports. If the change is wanted, write the lock again with --lock."
    "not-allowed" Policy
    "The image contains a library, package or path that the table [allow] of slimroot.toml does not list. The message \
     shows the chain of reasons. Add it to the list, or remove what needs it."
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
    fn codes_of_every_crate_have_a_kind() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert_eq!(kind_of(&Error::unwritable(&"/out", denied)), Kind::CannotWrite);
        assert_eq!(kind_of(&Error::new("bad-elf", "cut short")), Kind::Malformed);
        assert_eq!(kind_of(&Error::new("internal", "a contradiction")), Kind::Bug);
    }
}
