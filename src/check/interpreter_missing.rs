//! A program whose loader is not in the root, or is not one.

use super::{Check, Evidence, Scope, because};
use crate::error::Error;
use crate::finding::{Finding, Level, Searched};
use crate::loader::Outcome;
use crate::path::show;
use crate::root::{FileKind, Root};

pub(super) const CHECK: Check = Check {
    code: "interpreter-missing",
    scope: Scope::Loading,
    text: "The program names a loader (its ELF interpreter, such as /lib64/ld-linux-x86-64.so.2) or a #! interpreter that is \
           not in the root. The kernel then says \"no such file or directory\" of the program itself, although it is there.\n\n\
           Usual causes: a program built for glibc in a musl root (Alpine) or the reverse; the /lib64 link lost; a program \
           copied from another stage without its loader. Build the program in this root, or pack the root that it was \
           built in.",
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

/// Which C library the root has, if the program wants the other one.
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
            "the program is built for {program}, this root has {holds} ({other}): build it in this root"
        ));
    } else if let Some(same) =
        interpreter.rsplit(|b| *b == b'/').next().and_then(|name| loaders.iter().find(|path| path.name() == name))
    {
        let dir = show(&interpreter[..interpreter.iter().rposition(|b| *b == b'/').unwrap_or(0)]).into_owned();
        help.push(format!("the loader lies at {same}: the link {dir} is missing, make it in the builder stage"));
    } else if root.meta(&crate::path::RootPath::root())?.is_some_and(|meta| meta.kind == FileKind::Dir) {
        help.push("install the C library that the program was built for in the builder stage".to_owned());
    }
    Ok(help)
}
