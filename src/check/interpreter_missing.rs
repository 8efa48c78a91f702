//! The loader of a program is not in the root, or is not a known loader.

use super::{Check, Evidence, Scope, because};
use crate::error::Error;
use crate::finding::{Finding, Level, Searched};
use crate::loader::Outcome;
use crate::path::show;
use crate::root::{FileKind, Root};

pub(super) const CHECK: Check = Check {
    code: "interpreter-missing",
    scope: Scope::Loading,
    text: "The loader of the program (its ELF interpreter, such as /lib64/ld-linux-x86-64.so.2) or the interpreter of \
           its #! line is not in the root. The kernel then reports \"no such file or directory\" for the program \
           itself, although the program exists.\n\n\
           Usual causes: the program was built for glibc and the root has musl (Alpine), or the reverse; the /lib64 \
           symlink is missing; the program was copied from another stage without its loader. Build the program in this \
           root, or pack the root in which it was built.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for started in &evidence.closure.processes {
        for fault in &started.process.faults {
            if !matches!(fault.class, "interpreter-missing" | "unknown-loader") {
                continue;
            }
            let level = if started.required { Level::Error } else { Level::Warning };
            let subject = show(&fault.path).into_owned();
            let mut finding =
                Finding::new(CHECK.code, level, subject, format!("{}: {}", show(&fault.path), fault.says));
            finding.because = because(evidence.closure, &started.process.subject().real);
            finding.help = help(evidence.root(), started.process.interpreter.as_deref())?;
            if let Some(interpreter) = &started.process.interpreter {
                let candidate = show(interpreter).into_owned();
                let outcome = Outcome::NoFile.to_string();
                finding.searched.push(Searched { source: "interpreter", candidate, outcome });
            }
            let subject = String::from_utf8_lossy(&started.process.subject().path);
            if let Some(subject) = crate::text::shell_word(&subject).filter(|_| evidence.is_finished) {
                finding.help.push(format!(
                    "in the builder stage: slimroot build -o /rootfs -- {subject} packs it with its loader and libraries"
                ));
            }
            found.push(finding);
        }
    }
    Ok(found)
}

/// Explains the cause, for example a root with another C library than the program needs.
fn help(root: &Root, interpreter: Option<&[u8]>) -> Result<Vec<String>, Error> {
    let Some(interpreter) = interpreter else { return Ok(Vec::new()) };
    let wants_musl = interpreter.windows(7).any(|part| part == b"ld-musl");
    let mut loaders = Vec::new();
    for dir in ["/lib", "/lib64"] {
        let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        let names = root.list(&real)?;
        loaders.extend(names.into_iter().filter(|name| name.starts_with(b"ld-")).map(|name| real.join(&name)));
    }
    let mut help = Vec::new();
    if let Some(other) = loaders.iter().find(|path| path.name().starts_with(b"ld-musl") != wants_musl) {
        let (program, holds) = if wants_musl { ("musl", "glibc") } else { ("glibc", "musl") };
        help.push(format!(
            "the program is built for {program}, but this root has {holds} ({other}): build it in this root"
        ));
    } else if let Some(same) =
        interpreter.rsplit(|b| *b == b'/').next().and_then(|name| loaders.iter().find(|path| path.name() == name))
    {
        let dir = show(&interpreter[..interpreter.iter().rposition(|b| *b == b'/').unwrap_or(0)]).into_owned();
        help.push(format!("the loader is at {same}: the symlink {dir} is missing, create it in the builder stage"));
    } else if root.meta(&crate::path::RootPath::root())?.is_some_and(|meta| meta.kind == FileKind::Dir) {
        help.push("install the C library that the program was built for in the builder stage".to_owned());
    }
    Ok(help)
}
