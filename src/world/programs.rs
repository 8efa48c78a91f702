//! Programs by name: the single lookup in PATH for entries, scripts and sources.

use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::{End, FileKind, Root};

/// Permission bits of which one must be set for the kernel to execute a file.
const EXECUTABLE: u32 = 0o111;

/// The path by which a program is called. A name with a slash is relative to the working directory; a bare name is
/// looked up in PATH as in execvp(3), which skips files that are not executable. If there are only such files, the
/// first is returned, and a finding explains why it does not start.
///
/// # Errors
/// `entry-missing`, `entry-is-directory`, `entry-not-regular`, `link-loop`, `unreadable`.
pub(crate) fn find_program(root: &Root, asked: &[u8], cwd: &RootPath, path: &str) -> Result<RootPath, Error> {
    if asked.contains(&b'/') {
        return by_path(root, asked, cwd);
    }
    let mut not_executable = None;
    for dir in path.split(':').filter(|dir| !dir.is_empty()) {
        let candidate = [dir.as_bytes(), b"/", asked].concat();
        let followed = root.follow_from(cwd, &candidate)?;
        let Some((_, meta)) = followed.file() else { continue };
        let absolute =
            if dir.starts_with('/') { candidate } else { [cwd.as_bytes(), b"/", candidate.as_slice()].concat() };
        let Some(found) = RootPath::new(absolute) else { continue };
        if meta.mode & EXECUTABLE != 0 {
            return Ok(found);
        }
        not_executable.get_or_insert(found);
    }
    not_executable.ok_or_else(|| {
        let says = format!("{} is not in any directory of PATH in the root ({path})", show(asked));
        Error::new("entry-missing", says).help(match asked.contains(&b' ') {
            true => {
                format!("a command is several words: write it after -- without quotes around it: -- {}", show(asked))
            }
            false => "give a path such as /app/server, or --env PATH=…, or install it in the builder stage".to_owned(),
        })
    })
}

fn by_path(root: &Root, asked: &[u8], cwd: &RootPath) -> Result<RootPath, Error> {
    let spelled = match asked.starts_with(b"/") {
        true => asked.to_vec(),
        false => [cwd.as_bytes(), b"/", asked].concat(),
    };
    let followed = root.follow(&spelled)?;
    match (&followed.end, followed.found()) {
        (_, Some((real, meta))) => match meta.kind {
            // `..` must be resolved along the path, so the image gets the real path.
            FileKind::File => Ok(RootPath::new(&spelled).unwrap_or_else(|| real.clone())),
            FileKind::Dir => Err(Error::new("entry-is-directory", format!("{} is a directory", show(asked)))
                .help(format!("give a program in it; to add its files use --include '{}/**'", show(&spelled)))),
            _ => Err(Error::new("entry-not-regular", format!("{} is not a regular file", show(asked)))),
        },
        (End::Loop, _) => Err(Error::new("link-loop", format!("{} leads through more than 40 symlinks", show(asked)))
            .help("two symlinks probably point to each other: run readlink on each")),
        (End::Missing(at), _) if at.as_bytes() != spelled => {
            // If only directories on the way are symlinks, as with a merged /usr, the file name is still the requested
            // one.
            let is_dangling = !asked.ends_with(at.name());
            let help = match (is_dangling, asked.starts_with(b"/")) {
                (true, _) if !followed.hops.is_empty() => {
                    "a symlink on the path has no target; it may be in another stage"
                }
                (_, false) => "a relative path is relative to the working directory: set it with --workdir",
                _ => "paths are looked up inside --root; a bare name is searched in PATH there",
            };
            let says = format!("{} is not in the root: {at} does not exist", show(asked));
            Err(Error::new("entry-missing", says).help(help))
        }
        _ => Err(Error::new("entry-missing", format!("{} is not in the root", show(asked)))
            .help("paths are looked up inside --root; a bare name is searched in PATH there")),
    }
}

/// The program that a word names, if an executable file exists; for words that may not be programs at all.
///
/// # Errors
/// `unreadable`.
pub(crate) fn program_in_path(root: &Root, path: &str, word: &str) -> Result<Option<RootPath>, Error> {
    let is_program = |path: &RootPath| -> Result<bool, Error> {
        let followed = root.follow(path.as_bytes())?;
        Ok(followed.file().is_some_and(|(_, meta)| meta.kind == FileKind::File && meta.mode & EXECUTABLE != 0))
    };
    if word.is_empty() {
        return Ok(None);
    }
    if word.contains('/') {
        // `..` must be resolved along the path, so the real path counts.
        let path = match RootPath::new(word) {
            None if word.starts_with('/') => root.follow(word.as_bytes())?.file().map(|(real, _)| real.clone()),
            path => path,
        };
        return Ok(match path {
            Some(path) if is_program(&path)? => Some(path),
            _ => None,
        });
    }
    for dir in path.split(':').filter(|dir| dir.starts_with('/')) {
        if !root.may_have(dir.as_bytes(), word.as_bytes())? {
            continue;
        }
        let path = RootPath::new(dir).map(|dir| dir.join(word.as_bytes()));
        if let Some(path) = path
            && is_program(&path)?
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
