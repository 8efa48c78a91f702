//! Secrets in the image.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use serde::Deserialize;

use super::entries::Found;
use super::{Check, Evidence, Scope};
use crate::closure::Reason;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::RootPath;
use crate::root::{FileKind, RootGlob};
use crate::text::shell_word;
use crate::world::tables::table;

pub(super) const CHECK: Check = Check {
    code: "secret",
    scope: Scope::Image,
    text: "A file in the image looks like a secret: a private key, an .env or .npmrc file, cloud credentials, a .git \
           directory. Everybody who can pull the image can read it. slimroot refuses to pack it unless you include it \
           by its exact path (--include /app/.env, without a wildcard). Leave it out with --exclude and mount it at \
           run time instead. If the file is not a secret, use --allow secret=PATH.",
    find,
};

/// Extensions of files that may contain a private key, and the marker of a key (RFC 7468), to which PGP adds a word (RFC
/// 9580, 6.2).
const KEYS: [&str; 2] = [".pem", ".key"];
const MARK: &[u8] = b"PRIVATE KEY";
const PGP_MARK: &[u8] = b" BLOCK";
const MARK_END: &[u8] = b"-----";
/// Bytes that are read of one file, and of all files together.
const HEAD: usize = 256 << 10;
const MAX_READ: usize = 256 << 20;
/// A line of a key is longer; code that only mentions the marker has no such line.
const KEY_LINE: usize = 40;
/// Minimum number of different letters in a token. Sample tokens in documentation have fewer, or say that they are
/// samples.
const VARIETY: usize = 8;

/// The table of secrets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    public: Vec<Named>,
    file: Vec<Named>,
    dir: Vec<Named>,
    token: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    path: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
    #[serde(default)]
    holds: Vec<String>,
    /// Files that may lie in such a directory without making it secret.
    #[serde(default)]
    harmless: Vec<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    prefix: Vec<String>,
    letters: Letters,
    least: usize,
    #[serde(default)]
    exact: bool,
    source: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Letters {
    Alphanumeric,
    /// And the underscore.
    Word,
    /// And the hyphen (RFC 4648, "base64url").
    Url,
    /// Capital letters and digits.
    Capital,
    /// RFC 4648, "base64", with padding.
    Base64,
}

impl Letters {
    fn has(self, b: u8) -> bool {
        match self {
            Self::Alphanumeric => b.is_ascii_alphanumeric(),
            Self::Word => b.is_ascii_alphanumeric() || b == b'_',
            Self::Url => b.is_ascii_alphanumeric() || b"_-".contains(&b),
            Self::Capital => b.is_ascii_uppercase() || b.is_ascii_digit(),
            Self::Base64 => b.is_ascii_alphanumeric() || b"+/=".contains(&b),
        }
    }
}

table! {
    /// Names and contents of files that are secrets.
    fn table() -> Table = "secrets"
}

impl Named {
    fn names(&self, path: &RootPath) -> bool {
        let name = String::from_utf8_lossy(path.name());
        let ends = |pattern: &String| {
            // Few paths pass the comparison of the last part.
            let last = pattern.rsplit('/').next().unwrap_or_default();
            let text = || String::from_utf8_lossy(path.as_bytes()).into_owned();
            fits(last, &name) && {
                let text = text();
                let mut parts = text.rsplit('/');
                pattern.rsplit('/').all(|wanted| parts.next().is_some_and(|part| fits(wanted, part)))
            }
        };
        self.path.iter().any(ends) && !self.unless.iter().any(|pattern| fits(pattern, &name))
    }
}

/// Compares a word with a pattern in which `*` is any text.
fn fits(pattern: &str, word: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == word };
    let Some(after) = word.strip_prefix(start) else { return false };
    (0..=after.len()).filter(|at| after.is_char_boundary(*at)).any(|at| fits(rest, &after[at..]))
}

/// True if the bytes contain the pattern. A `*` in it matches any text within one word.
fn holds(bytes: &[u8], pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    memchr::memmem::find_iter(bytes, first.as_bytes()).any(|at| {
        let mut left = &bytes[at + first.len()..];
        let end = left.iter().position(|b| b.is_ascii_whitespace() || b"'\"/".contains(b)).unwrap_or(left.len());
        left = &left[..end];
        rest.iter().all(|part| match memchr::memmem::find(left, part.as_bytes()) {
            Some(at) => {
                left = &left[at + part.len()..];
                true
            }
            None => false,
        })
    })
}

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Found::of(in_settings(evidence));
    // Directories precede their contents.
    let (mut inside, mut public): (Option<RootPath>, Option<RootPath>) = (None, None);
    let mut budget = MAX_READ;
    for entry in evidence.entries()? {
        let (path, meta) = entry?;
        if inside.as_ref().is_some_and(|dir| path.is_within(dir)) {
            continue;
        }
        if public.as_ref().is_some_and(|dir| path.is_within(dir)) {
            continue;
        }
        let path = &path;
        if meta.kind == FileKind::Dir && table().public.iter().any(|named| named.names(path)) {
            public = Some(path.clone());
        }
        let what = match meta.kind {
            FileKind::Dir => {
                let found = secret_dir(evidence, path)?;
                inside = found.is_some().then(|| path.clone());
                found
            }
            FileKind::File => of_file(evidence, path, &mut budget)?,
            _ => None,
        };
        let Some(what) = what.filter(|_| !is_named_exactly(evidence, path)) else { continue };
        let level = if evidence.is_finished { Level::Warning } else { Level::Error };
        found.push(level, || {
            let says = match what.1 {
                Some(source) => format!("{path} looks like {} ({source})", what.0),
                None => format!("{path} looks like {}", what.0),
            };
            evidence.about(&CHECK, level, path, says).help(help(path))
        });
    }
    Ok(found.finish(CHECK.code))
}

/// Tokens and keys in the environment and in labels, which everybody who can pull the image can read.
fn in_settings(evidence: &Evidence<'_>) -> Vec<Finding> {
    let run = &evidence.run;
    let of = |what: &'static str, all: &BTreeMap<String, String>| -> Vec<(String, &'static str)> {
        let suspect = |value: &String| token(value.as_bytes()).is_some() || is_key(value.as_bytes());
        all.iter().filter(|(_, value)| suspect(value)).map(|(name, _)| (name.clone(), what)).collect()
    };
    let level = if evidence.is_finished { Level::Warning } else { Level::Error };
    let all = of("environment variable", &run.env).into_iter().chain(of("label", &run.labels));
    all.map(|(name, what)| {
        Finding::new(CHECK.code, level, name.clone(), format!("the {what} {name} contains a token or a private key"))
            .help("leave it out of the image, and give it to the container when it is started")
    })
    .collect()
}

/// Description of the secret that a file seems to contain, and the publisher of that name or form.
type Suspicion = (&'static str, Option<&'static str>);

fn secret_dir(evidence: &Evidence<'_>, path: &RootPath) -> Result<Option<Suspicion>, Error> {
    let Some(named) = table().dir.iter().find(|named| named.names(path)) else { return Ok(None) };
    let is_harmless = |name: &Vec<u8>| {
        let name = String::from_utf8_lossy(name);
        named.harmless.iter().any(|pattern| fits(pattern, &name))
    };
    let is_harmless = evidence.image.list(path)?.iter().all(is_harmless);
    Ok((!is_harmless).then_some(("a directory with secrets or version history", Some(named.source.as_str()))))
}

/// The kind of secret that a file seems to contain; `None` if there is none.
fn of_file(evidence: &Evidence<'_>, path: &RootPath, budget: &mut usize) -> Result<Option<Suspicion>, Error> {
    let named = table().file.iter().find(|named| named.names(path));
    let is_key_file = KEYS.iter().any(|ending| path.name().ends_with(ending.as_bytes()));
    let is_certain = named.is_some_and(|named| named.holds.is_empty());
    // Files of a distribution are public. Users write their own files elsewhere (FHS 3.0, 4.1).
    if path.is_of_distribution() && named.is_none() && !is_key_file {
        return Ok(None);
    }
    let with_secrets = named.map(|named| ("a file with secrets", Some(named.source.as_str())));
    if is_certain && !is_from_package(evidence, path)? {
        return Ok(with_secrets);
    }
    if is_from_package(evidence, path)? {
        return Ok(None);
    }
    if *budget == 0 {
        let says = format!("files after the first {} MiB are not searched for secrets", MAX_READ >> 20);
        evidence.image.leave_unread(&RootPath::root(), says);
        return Ok(None);
    }
    let head = evidence.image.head(path, HEAD.min(*budget))?;
    *budget -= head.len();
    Ok(match named {
        _ if head.starts_with(b"\x7fELF") => None,
        _ if is_key_file && marks(&head).next().is_some() => Some(("a private key", None)),
        _ if is_key(&head) => Some(("a private key", None)),
        Some(named) if named.holds.iter().any(|pattern| holds(&head, pattern)) => with_secrets,
        _ => token(&head).map(|token| ("a file with a token", Some(token.source.as_str()))),
    })
}

/// True for a file of a distribution package, which is public.
fn is_from_package(evidence: &Evidence<'_>, path: &RootPath) -> Result<bool, Error> {
    let is_companion = evidence.closure.reasons(path).any(|edge| matches!(*edge.reason, Reason::Companion { .. }));
    Ok(is_companion || path.is_of_distribution() && evidence.owner(path)?.is_some())
}

/// True if the bytes contain a private key, not only its marker: a line of it follows, after a line break or, in JSON, the
/// sign of one.
fn is_key(bytes: &[u8]) -> bool {
    marks(bytes).any(|rest| {
        // Keys that PGP exports, and old encrypted ones, have headers before the first line.
        let rest = &rest[..rest.len().min(4096)];
        let is_letter = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
        rest.split(|b| matches!(b, b'\n' | b'\\'))
            .skip(1)
            .map(|line| line.strip_prefix(b"n").unwrap_or(line).trim_ascii())
            .any(|line| line.len() >= KEY_LINE && line.iter().all(is_letter))
    })
}

/// Yields the text after each marker of a key.
fn marks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memmem::find_iter(bytes, MARK).filter_map(|at| {
        let rest = &bytes[at + MARK.len()..];
        rest.strip_prefix(PGP_MARK).unwrap_or(rest).strip_prefix(MARK_END)
    })
}

/// The kind of a token that the bytes contain.
fn token(bytes: &[u8]) -> Option<&'static Token> {
    static PREFIXES: LazyLock<(Vec<&'static Token>, Option<AhoCorasick>)> = LazyLock::new(|| {
        let rows = table().token.iter().flat_map(|token| token.prefix.iter().map(move |prefix| (token, prefix)));
        let (tokens, prefixes): (Vec<_>, Vec<_>) = rows.unzip();
        (tokens, AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(prefixes).ok())
    });
    let (tokens, finder) = &*PREFIXES;
    let mut found = finder.as_ref()?.find_iter(bytes).map(|found| (tokens[found.pattern().as_usize()], found));
    found.find(|(token, found)| token.is_at(bytes, found.start(), found.end())).map(|(token, _)| token)
}

impl Token {
    /// True if the bytes contain a token whose prefix is in this range.
    fn is_at(&self, bytes: &[u8], start: usize, end: usize) -> bool {
        let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let starts = start.checked_sub(1).is_none_or(|before| !is_word(&bytes[before]));
        let rest = &bytes[end..];
        let rest = &rest[..rest.iter().position(|b| !self.letters.has(*b)).unwrap_or(rest.len())];
        let fits = if self.exact { rest.len() == self.least } else { rest.len() >= self.least };
        let variety = rest.iter().collect::<std::collections::BTreeSet<_>>().len();
        starts && fits && variety >= VARIETY && !rest.to_ascii_uppercase().ends_with(b"EXAMPLE")
    }
}

/// Advice on how to resolve the finding. A path that needs quoting is not put into a command.
fn help(path: &RootPath) -> String {
    let pattern = RootGlob::literal(path);
    let subject = format!("secret={path}");
    match (shell_word(&pattern), shell_word(&subject)) {
        (Some(pattern), Some(subject)) => format!("--exclude {pattern}, or --allow {subject} if it is not a secret"),
        _ => "exclude it by a pattern for its directory".to_owned(),
    }
}

fn is_named_exactly(evidence: &Evidence<'_>, path: &RootPath) -> bool {
    evidence.closure.reasons(path).any(|edge| match &*edge.reason {
        Reason::Included { pattern } => RootPath::new(pattern).as_ref() == Some(path),
        Reason::Entry | Reason::Bin | Reason::Healthcheck => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_every_row_names_its_source() {
        let table = table();
        let sources = table.file.iter().chain(&table.dir).chain(&table.public).map(|row| &row.source);
        let sources: Vec<_> = sources.chain(table.token.iter().map(|row| &row.source)).collect();
        assert!(sources.len() > 30 && sources.iter().all(|source| source.starts_with("https://")));
    }

    #[test]
    fn tokens_are_told_from_what_only_looks_so() {
        let random = "q7Zt2LmX9vBn4KpR8sWd3FgH6jYc1AeT5uQo0iMx";
        for row in &table().token {
            let body: String = random.chars().cycle().filter(|c| row.letters.has(*c as u8)).take(row.least).collect();
            for prefix in &row.prefix {
                let token = format!("{prefix}{body}");
                assert!(super::token(format!("key = \"{token}\"\n").as_bytes()).is_some(), "{token}");
                assert!(super::token(format!("x{token}").as_bytes()).is_none(), "within a word: {token}");
                assert!(
                    super::token(format!("{prefix}{}", "x".repeat(row.least)).as_bytes()).is_none(),
                    "a placeholder of {prefix}"
                );
                assert!(super::token(&token.as_bytes()[..prefix.len() + row.least - 1]).is_none(), "cut: {token}");
            }
        }
    }

    #[test]
    fn a_key_is_told_from_its_mark() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        assert!(is_key(format!("-----BEGIN PRIVATE KEY-----\n{line}\n").as_bytes()));
        assert!(is_key(format!("{{\"private_key\": \"-----BEGIN PRIVATE KEY-----\\n{line}\\n\"}}").as_bytes()));
        assert!(is_key(format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{line}\n").as_bytes()));
        assert!(is_key(format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{line}\n").as_bytes()));
        assert!(!is_key(b"-----BEGIN PGP PRIVATE KEY BLOCK-----"));
        assert!(!is_key(b"if text.startswith('-----BEGIN PRIVATE KEY-----'):\n    return load(text)\n"));
    }
}
