//! Problems other than missing paths: refused writes, ports, accounts, commands. They have the codes of `check`.

use std::collections::BTreeSet;

use super::missed::{ENOENT, is_elsewhere};
use super::run::Outcome;
use super::{Experiment, Verdict};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::{RootPath, show};
use crate::root::Root;
use crate::watch::{Act, Seen};

/// errno(3): EPERM, EACCES, EROFS.
const REFUSED: [i32; 3] = [1, 13, 30];
/// Files with accounts (passwd(5), group(5)).
const ACCOUNTS: [&str; 2] = ["/etc/passwd", "/etc/group"];
/// Maximum size of a file of accounts or settings that is read, and number of settings.
const MAX_ACCOUNTS: usize = 4 << 20;
const MAX_SETTINGS: usize = 256 << 10;
const MAX_FILES: usize = 200;

/// The packed run and the roots.
pub(super) struct Runs<'a> {
    pub(super) packed: &'a Root,
    pub(super) builder: Option<&'a Root>,
    pub(super) run: &'a Outcome,
}

/// Returns findings from the packed run. `other` is the run in the builder root.
///
/// # Errors
/// `unreadable`.
pub(super) fn observed(
    runs: &Runs<'_>,
    other: Option<&Outcome>,
    experiment: &Experiment,
    verdict: Verdict,
    uid: u32,
) -> Result<Vec<Finding>, Error> {
    let mut found = refusals(runs.run, other, verdict);
    if verdict != Verdict::Proven {
        found.extend(accounts(runs, experiment, verdict, uid)?);
        found.extend(commands(runs)?);
    }
    Ok(found)
}

fn asker(run: &Outcome, seen: &Seen) -> Option<String> {
    run.trace.askers(seen.process).first().map(|one| show(&one.program).into_owned())
}

/// Writes and ports that the kernel has refused.
fn refusals(run: &Outcome, other: Option<&Outcome>, verdict: Verdict) -> Vec<Finding> {
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for seen in run.trace.seen().filter(|seen| REFUSED.contains(&seen.errno)) {
        let is_port = seen.act == Act::Bind && !seen.path.starts_with(b"/");
        if !(is_port || seen.act == Act::Write && !is_elsewhere(&seen.path)) || !known.insert(&seen.path) {
            continue;
        }
        let is_so = |one: &&Seen| one.act == seen.act && one.path == seen.path;
        let there = other.and_then(|other| other.trace.seen().filter(is_so).map(|one| one.errno).min());
        let level = match (verdict, there) {
            // The builder root refuses it too, or the program does not do it there.
            (_, Some(1..)) if !is_port => Level::Note,
            (Verdict::Proven, _) => Level::Warning,
            _ => Level::Error,
        };
        let also = if matches!(there, Some(1..)) { ", as in the builder root" } else { "" };
        let path = show(&seen.path).into_owned();
        let error = std::io::Error::from_raw_os_error(seen.errno);
        let finding = match is_port {
            true => {
                Finding::new("low-port", level, path.clone(), format!("port {path} is refused{also} (seen in a run)"))
                    .help("listen on a port above 1023, or docker run --sysctl net.ipv4.ip_unprivileged_port_start=0")
            }
            false => {
                let says = format!("{path}: {} is refused{also}: {error} (seen in a run)", seen.call);
                Finding::new("write-refused", level, path, says)
                    .help("give the directory to the image's user, make it a volume, or write to /tmp")
            }
        };
        found.push(Finding { wanted_by: asker(run, seen), ..finding });
    }
    found
}

/// Accounts that only the builder root has, if the run looked up accounts and a text of the run names them.
fn accounts(runs: &Runs<'_>, experiment: &Experiment, verdict: Verdict, uid: u32) -> Result<Vec<Finding>, Error> {
    let asks = |seen: &&Seen| ACCOUNTS.iter().any(|file| seen.path == file.as_bytes());
    let Some(asked) = runs.run.trace.seen().find(asks) else { return Ok(Vec::new()) };
    let level = if verdict == Verdict::Missed { Level::Error } else { Level::Warning };
    let mut found = Vec::new();
    let texts = texts(runs, experiment)?;
    for (file, what) in ACCOUNTS.iter().zip(["user", "group"]) {
        let Some(builder) = runs.builder else { break };
        let (own, theirs) = (names(runs.packed, file)?, names(builder, file)?);
        for name in theirs.difference(&own) {
            let Some((place, _)) = texts.iter().find(|(_, text)| has_word(text, name)) else { continue };
            let name = show(name).into_owned();
            let says =
                format!("{place} names the {what} {name}, which is only in the builder's {file} (seen in a run)");
            let finding = Finding::new("user-unknown", level, name, says);
            let finding = finding.help(format!("--include {file}"));
            found.push(Finding { wanted_by: asker(runs.run, asked), ..finding });
        }
    }
    let own = runs.packed.read_followed(ACCOUNTS[0].as_bytes(), MAX_ACCOUNTS)?.map(|(_, text)| text);
    let number = uid.to_string().into_bytes();
    let is_known = own.unwrap_or_default().split(|byte| *byte == b'\n').any(|line| field(line, 2) == number);
    if uid != 0 && !is_known && asked.path == ACCOUNTS[0].as_bytes() {
        let says = format!("it looks up accounts, and its own user {uid} has none in the image (seen in a run)");
        let finding = Finding::new("user-unknown", Level::Note, uid.to_string(), says);
        found.push(
            finding.help(format!(
                "in the builder stage: echo 'app:x:{uid}:{uid}::/nonexistent:/sbin/nologin' >>/etc/passwd"
            )),
        );
    }
    Ok(found)
}

/// The accounts of a root, with the account of a user that only the image has, because a program could behave
/// differently in the builder root if its user has no account there. `None` if no change is needed.
///
/// # Errors
/// `unreadable`.
pub(super) fn with_account(root: &Root, image: &Root, uid: u32) -> Result<Option<Vec<u8>>, Error> {
    let read = |root: &Root| root.read_followed(ACCOUNTS[0].as_bytes(), MAX_ACCOUNTS);
    let (Some((_, mut own)), Some((_, theirs))) = (read(root)?, read(image)?) else { return Ok(None) };
    let number = uid.to_string().into_bytes();
    let line =
        |text: &[u8]| text.split(|byte| *byte == b'\n').find(|line| field(line, 2) == number).map(<[u8]>::to_vec);
    let (None, Some(account)) = (line(&own), line(&theirs)) else { return Ok(None) };
    if !own.is_empty() && !own.ends_with(b"\n") {
        own.push(b'\n');
    }
    own.extend([account.as_slice(), b"\n"].concat());
    Ok(Some(own))
}

fn field(line: &[u8], number: usize) -> &[u8] {
    line.split(|byte| *byte == b':').nth(number).unwrap_or_default()
}

fn names(root: &Root, file: &str) -> Result<BTreeSet<Vec<u8>>, Error> {
    let text = root.read_followed(file.as_bytes(), MAX_ACCOUNTS)?.map(|(_, text)| text).unwrap_or_default();
    let names = text.split(|byte| *byte == b'\n').map(|line| field(line, 0).to_vec());
    Ok(names.filter(|name| !name.is_empty()).collect())
}

/// Texts in which the name of an account may appear: the command, its output, and settings that it reads.
fn texts(runs: &Runs<'_>, experiment: &Experiment) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut texts = vec![
        ("the command".to_owned(), experiment.line.join("\n").into_bytes()),
        ("the output".to_owned(), runs.run.output.concat()),
    ];
    let is_read = |seen: &&Seen| seen.act == Act::Open && seen.errno == 0 && seen.path.starts_with(b"/etc/");
    for seen in runs.run.trace.seen().filter(is_read) {
        if texts.len() >= MAX_FILES || ACCOUNTS.iter().any(|file| seen.path.starts_with(file.as_bytes())) {
            continue;
        }
        let followed = runs.packed.follow(&seen.path)?;
        if let Some((real, _)) = followed.file().filter(|(_, meta)| meta.size <= MAX_SETTINGS as u64) {
            texts.push((show(&seen.path).into_owned(), runs.packed.read(real, MAX_SETTINGS)?));
        }
    }
    Ok(texts)
}

fn has_word(text: &[u8], word: &[u8]) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(byte));
    memchr::memmem::find_iter(text, word).any(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        !is_part(before) && !is_part(text.get(at + word.len()))
    })
}

/// Programs that the run tried to execute and that neither root has; a successful search in PATH does not count.
fn commands(runs: &Runs<'_>) -> Result<Vec<Finding>, Error> {
    let executed = |seen: &&Seen| seen.act == Act::Exec;
    let name = |path: &[u8]| RootPath::new(path).map(|path| path.name().to_vec());
    let mut good = BTreeSet::new();
    let mut bad = Vec::new();
    for seen in runs.run.trace.seen().filter(executed) {
        match seen.errno {
            0 => good.extend(name(&seen.path)),
            ENOENT => bad.push(seen),
            _ => {}
        }
    }
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for seen in bad {
        let Some(name) = name(&seen.path).filter(|name| !good.contains(name)) else { continue };
        let is_in_builder = match runs.builder {
            Some(builder) => builder.follow(&seen.path)?.found().is_some(),
            None => false,
        };
        if is_in_builder || !known.insert(name.clone()) {
            continue;
        }
        let name = show(&name).into_owned();
        let says = format!("it tried to execute {name}, which is in neither root (seen in a run)");
        let finding = Finding::new("command-missing", Level::Note, name, says);
        found.push(Finding { wanted_by: asker(runs.run, seen), ..finding.help("install it in the builder stage") });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_whole_words() {
        assert!(has_word(b"user www-data;", b"www-data"));
        assert!(!has_word(b"/var/www-data/x", b"www-data"));
        assert!(!has_word(b"newsgroup", b"news"));
    }
}
