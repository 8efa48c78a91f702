//! Notes: findings of the lowest level, about decisions of the closure that are not faults. Rules create the notes;
//! this file contains their explanations.

use std::collections::BTreeSet;

use super::{Check, Evidence, Scope};
use crate::closure::Note;
use crate::error::Error;
use crate::finding::{Finding, Level};

const UNREAD: &str = "read-in-part";

/// The notes of one code.
fn of_code(evidence: &Evidence<'_>, code: &'static str) -> Result<Vec<Finding>, Error> {
    if code == UNREAD {
        return Ok(unread(evidence));
    }
    let notes = evidence.closure.notes.iter().filter(|note| note.code == code);
    let finding = |note: &Note| Finding {
        rest: note.rest.clone(),
        ..Finding::new(code, Level::Note, note.subject.clone(), note.says.clone())
    };
    Ok(notes.map(finding).collect())
}

/// Notes on files that were not read because of a limit, in rules and in the checks before this one.
fn unread(evidence: &Evidence<'_>) -> Vec<Finding> {
    let unread: BTreeSet<_> = evidence.root().unread().into_iter().chain(evidence.image.unread()).collect();
    unread.into_iter().map(|(path, says)| Finding::new(UNREAD, Level::Note, path.to_string(), says)).collect()
}

/// Defines the checks that return the notes of each code.
macro_rules! notes {
    ($($code:literal $text:literal)*) => {
        /// Every note, by code.
        pub(super) const NOTES: &[Check] = &[$(Check {
            code: $code,
            scope: Scope::Image,
            text: $text,
            find: |evidence| of_code(evidence, $code),
        }),*];
    };
}

notes! {
    "beside-not-packed"
        "A compiled program has files next to it or in its working directory, and does not contain their names. They may \
         be its sources, or data whose names it gets from elsewhere. --include adds them."
    "build-files-left-out"
        "The application's directory holds files that describe how its image is built, such as Dockerfile and \
         .dockerignore, or slimroot itself. A running program reads none of them, so they are not packed. --include with \
         the path adds one."
    "bytecode-not-compiled"
        "--pyc asked the root's own Python for bytecode, and Python cannot compile some sources: they are written for \
         another version, or are templates. They are packed as sources, and Python would fail on them in the builder \
         stage too."
    "bytecode-used"
        "--pyc used made bytecode for the sources that a trial start of the entry loaded. Other sources are compiled \
         when they are imported. --pyc all makes bytecode for every source."
    "ca-added-by-builder"
        "The trust store of the root contains certificate authorities that are not from the distribution's package: \
         somebody added them in the builder stage, for example that of a proxy which only the build uses. The image \
         trusts them too. If it should not, reinstall the package before packing, or exclude the store and use --ca."
    "ca-not-added"
        "The authorities of --ca are not in this trust store: it has a password, or it belongs to a library with its \
         own authorities. Programs that read only this store do not trust them. Add them in the builder stage."
    "ca-only"
        "The root has no bundle of authorities, so those of --ca are the only ones that the image trusts. Install \
         ca-certificates in the builder stage if public servers are called too."
    "command-not-given"
        "The entry starts what it gets when the image runs: the command in the arguments of a wrapper such as timeout, or \
         the lines that a shell reads. slimroot cannot know these programs, and packs none of them. Give the command or \
         script as fixed arguments of the entry, or add the programs with --bin."
    "command-not-packed"
        "A configuration file starts programs that are in the root and not packed: one of them may be larger than the \
         rest of the image, and most serve features that nobody uses. --bin PROGRAM adds one."
    "embedded-library-missing"
        "A jar, zip application or self-extracting program contains a library that needs another one, which the root \
         does not have. If the code is used, install the package of the missing library in the builder stage."
    "entry-replaced"
        "The entry was a script runner such as `npm start`. The image starts what the runner would start, since the \
         runner itself is large and does not pass on signals. To keep the runner, name it by its real path."
    "jlink-all-modules"
        "--jlink linked every module of the JDK, since jdeps could not say which ones the jars need."
    "launch-note"
        "The way in which a program is started decides which files are packed. The note says how."
    "library-unopened"
        "A source of the application opens a library by name, and the root does not have it. If the code is used, \
         install the package of the library in the builder stage."
    "modules-left-out"
        "The program is a script of a package. Its language looks for modules in a directory that all packages share, and \
         the package database says which packages the script's package needs, directly or not. Modules of the others are \
         not packed. A script that runs code of the user, such as a test runner, may need more: give the code as an \
         argument or by --workdir, or add the directory with --include."
    "named-data-left-out"
        "A source of the application or a script contains the absolute path of a file or directory of the root, and it, or \
         what is in the directory, is not packed: not all users may read it, it is large, it is a directory with many files, \
         or one that programs fill when they run, such as in /var. If the program reads it, --include adds it."
    "pam-narrowed"
        "Of /etc/pam.d, only the services that programs of the image use are packed, or all of them if the service name \
         of a program cannot be found. --include /etc/pam.d/NAME adds one."
    "payload-not-examined"
        "A program carries other files in a format that slimroot does not read, so it cannot know which libraries and \
         programs those need. The message says how to unpack them, so that they can be examined."
    "program-missing"
        "A source or package refers to a program that is not in the root. If the code is used, install the program in \
         the builder stage."
    "program-optional"
        "These programs are in the root and not packed. Packages of a language can start them, but the source handles \
         their absence, or only developers need them. Or a program starts others by names that slimroot cannot find in \
         it, and its package depends on these. --bin PROGRAM adds one."
    "read-in-part"
        "A file is larger than a limit of slimroot, or there are more files than it reads. The message says what was \
         not read. If programs need files or programs that it names, add them with --include or --bin. The limits are \
         in docs/limits.md."
    "script-cut"
        "A script exceeds a limit of slimroot: for programs that it starts, files that a pattern matches, scripts that \
         it sources, or levels of eval. The message says what was not read. Add it with --bin or --include."
    "package-database-left-out"
        "A program that runs reads the database of dpkg, rpm, apk or pacman. An image has records of the packages that \
         it contains for scanners, but not the database: package managers list no package there, and programs that use \
         it to inspect a system find nothing. --include with its directory adds the builder's, which describes the \
         whole builder."
    "script-not-read"
        "The script, the file that an argument or a configuration names, or the makefile of the working directory is in a \
         language that slimroot does not read, such as awk, make, Tcl or Lua. It is packed with its interpreter and its \
         application's directory, but not what it starts, opens or loads elsewhere, except literal command lines of a few \
         known calls. Run it once in the image, or with `build --verify`, and add what \
         is missing by --bin PROGRAM and --include PATTERN."
    "secret-left-out"
        "A program contains the paths of files that are not readable for all users. They may be secrets of the builder, \
         so they are left out. --include with their path adds them."
    "setting-not-packed"
        "A setting names a file or directory that is in the root and not packed: it may be a secret, or data that \
         belongs in a volume. --include with its path adds it."
    "shell-left-out"
        "--no-shell keeps every shell out of the image, and this file would start one or contains the path of one. If \
         that happens when the image runs, the start fails with \"no such file or directory\". slimroot cannot tell \
         whether it happens: many programs contain the path of a shell for features that are never used."
    "start-fails"
        "A program that another one may start cannot be started: its interpreter is missing, or it is damaged. The \
         program itself fails in the builder stage too."
    "starts-cut"
        "The chain of programs that start each other is longer, or their number is larger, than slimroot follows. \
         Beyond the limit, a program is packed once and its arguments are ignored, so settings and scripts that they \
         name may be missing. Add those with --include."
    "tool-chain-left-out"
        "A program contains the path of the compiler that built it. It does not need the compiler at run time, unless \
         it compiles programs itself. --include with the path adds it."
    "trace-in-part"
        "A trace given with --trace names paths that the root does not have, or has lines that slimroot does not \
         understand. Paths that the run itself created, such as temporary files, do not matter. If the trace is from \
         another root, record it again in this one."
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_note_of_the_closure_has_a_page() {
        let mut open = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut used = std::collections::BTreeSet::new();
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(&dir).expect("listed") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let starts = ["Note::new(", ".note(", "CUT: &str = "];
                let rests = starts.iter().flat_map(|start| text.split(start).skip(1));
                let codes = rests.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
                used.extend(codes.map(str::to_owned));
            }
        }
        let known: std::collections::BTreeSet<String> = super::NOTES.iter().map(|note| note.code.to_owned()).collect();
        used.retain(|code| code.contains('-'));
        assert_eq!(used, known);
    }
}
