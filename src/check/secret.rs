//! Secrets in the image.

use super::{Check, Evidence, Scope};
use crate::closure::Reason;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::RootPath;
use crate::root::{FileKind, RootGlob};
use crate::text::shell_word;

pub(super) const CHECK: Check = Check {
    code: "secret",
    scope: Scope::Image,
    text: "A file in the image looks like a secret: a private key, an .env or .npmrc file, credentials of a cloud, a .git directory. \
           Whoever can pull the image can read it, for ever. slimroot refuses to pack it unless it is named exactly \
           (--include /app/.env, without a wildcard); leave it out with --exclude and give it to the container at run time, as \
           a mounted secret. For a file that only looks so: --allow secret=PATH.",
    find,
};

/// Names of files and directories that hold secrets.
const FILES: [&str; 12] = [
    ".env",
    ".npmrc",
    ".pypirc",
    ".netrc",
    ".git-credentials",
    ".pgpass",
    ".dockercfg",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials.json",
];
const DIRS: [&str; 5] = [".git", ".aws", ".ssh", ".gnupg", ".kube"];
/// Directories of published packages.
const PUBLISHED: [&str; 4] = ["site-packages", "dist-packages", "node_modules", "gems"];
/// Endings of files that may hold a private key, and how one starts (RFC 7468).
const KEYS: [&str; 2] = [".pem", ".key"];
const MARK: &[u8] = b"PRIVATE KEY-----";
const HEAD: usize = 64 << 10;

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    let mut inside: Option<RootPath> = None;
    for (path, meta) in evidence.files()? {
        if inside.as_ref().is_some_and(|dir| path.is_within(dir)) {
            continue;
        }
        // What everybody can download is nobody's secret: test keys of packages.
        if path.ancestors().iter().any(|dir| PUBLISHED.iter().any(|name| name.as_bytes() == dir.name())) {
            continue;
        }
        let name = String::from_utf8_lossy(path.name()).into_owned();
        let is_dir = meta.kind == FileKind::Dir;
        let what = if is_dir && DIRS.contains(&name.as_str()) && has_files(evidence, path)? {
            inside = Some(path.clone());
            "a directory of secrets or history"
        } else if meta.kind == FileKind::File && is_secret_name(&name) {
            "a file of secrets"
        } else if meta.kind == FileKind::File && holds_key(evidence, path, &name)? {
            "a private key"
        } else {
            continue;
        };
        if is_named_exactly(evidence, path) {
            continue;
        }
        let level = if evidence.is_finished { Level::Warning } else { Level::Error };
        let says = format!("{path} looks like {what}");
        let finding = evidence.about(&CHECK, level, path, says);
        found.push(finding.help(help(path)));
    }
    Ok(found)
}

/// How the finding goes away. A path that must not be pasted is not put into a command.
fn help(path: &RootPath) -> String {
    let pattern = RootGlob::literal(path);
    let subject = format!("secret={path}");
    match (shell_word(&pattern), shell_word(&subject)) {
        (Some(pattern), Some(subject)) => format!("--exclude {pattern}, or --allow {subject} if it is none"),
        _ => "exclude it by a pattern of the directory that it lies in".to_owned(),
    }
}

/// `.env` and its kin by stage (`.env.production`), but not the examples that are meant to be read.
fn is_secret_name(name: &str) -> bool {
    let is_example = ["example", "sample", "template", "dist"].iter().any(|word| name.ends_with(word));
    FILES.contains(&name) || name.starts_with(".env.") && !is_example
}

fn has_files(evidence: &Evidence<'_>, dir: &RootPath) -> Result<bool, Error> {
    Ok(!evidence.image.list(dir)?.is_empty())
}

fn holds_key(evidence: &Evidence<'_>, path: &RootPath, name: &str) -> Result<bool, Error> {
    if !KEYS.iter().any(|ending| name.ends_with(ending)) {
        return Ok(false);
    }
    // Nobody's secret came with a package of the distribution; what its users write lies elsewhere (FHS 3.0, 4.1).
    let is_packaged = evidence.closure.reasons(path).any(|edge| matches!(edge.reason, Reason::Companion { .. }));
    if is_packaged || memchr::memmem::find(&evidence.image.read(path, HEAD)?, MARK).is_none() {
        return Ok(false);
    }
    Ok(!path.is_of_distribution() || evidence.owner(path)?.is_none())
}

fn is_named_exactly(evidence: &Evidence<'_>, path: &RootPath) -> bool {
    evidence.closure.reasons(path).any(|edge| match &edge.reason {
        Reason::Included { pattern } => RootPath::new(pattern).as_ref() == Some(path),
        Reason::Entry | Reason::Bin => true,
        _ => false,
    })
}
