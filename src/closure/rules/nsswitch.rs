//! Name services in a packed nsswitch.conf: glibc opens a module for each, which appears in no ELF dependency.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{On, Rule};
use crate::closure::demand::{Demand, Host, Open};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{NodeKind, Reason};
use crate::error::Error;
use crate::loader::Family;
use crate::path::RootPath;
use crate::root::FileKind;

pub(super) const RULE: Rule = Rule {
    id: "nsswitch",
    about: "Packs the modules of the name services that the root's own nsswitch.conf lists, with their tables.",
    brings_packages: true,
    facts: &[On::Changed, On::Resolved],
    on,
};

const CONF: &str = "/etc/nsswitch.conf";
/// Maximum size of a configuration file or module.
const MAX_FILE: usize = 16 << 20;
/// The first glibc that has `files` and `dns` built in.
const BUILTIN: (u32, u32) = (2, 34);
const GROUP: &str = "name services";
/// Directories of a module's tables and settings.
const TABLES: [&[u8]; 2] = [b"/etc/", b"/var/lib/"];
/// Parts of file names that indicate files of the builder's machine, or secrets.
const NOT_TAKEN: [&[u8]; 9] =
    [b"hosts", b"hostname", b"resolv.conf", b"machine-id", b"nsswitch.conf", b"shadow", b"secret", b"private", b"key"];

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    match fact {
        Fact::Resolved(id) => match state.processes.get(id) {
            module if module.is_by(RULE.id) => tables(state, &module.process.subject().real.clone()),
            _ => Ok(Vec::new()),
        },
        _ => modules(state),
    }
}

fn modules(state: &State<'_>) -> Result<Vec<Demand>, Error> {
    // The file of the image: the root's own, or the generated one with a part of its services.
    let followed = state.world.root.follow(CONF.as_bytes())?;
    let real = followed.file().map(|(real, _)| real.clone()).or_else(|| RootPath::new(CONF));
    let Some(conf) = &real else { return Ok(Vec::new()) };
    let text = match state.graph.get(conf) {
        Some(NodeKind::File(_)) => state.world.root.read(conf, MAX_FILE)?,
        Some(NodeKind::MadeFile { bytes, .. }) => bytes.to_vec(),
        _ => return Ok(Vec::new()),
    };
    let answer = state.news.to_string();
    if state.is_done(RULE.id, &answer) {
        return Ok(Vec::new());
    }
    let services = services(&String::from_utf8_lossy(&text));
    let mut demands = vec![Demand::Done(answer)];
    for (host, started) in state.processes.iter().filter(|(_, started)| started.required && started.program.is_none()) {
        let Some(facts) = started.process.constants.as_ref().filter(|constants| constants.family == Family::Glibc)
        else {
            continue;
        };
        let has_inside = facts.release.is_none_or(|release| release >= BUILTIN);
        for service in services.iter().filter(|service| !has_inside || !matches!(service.as_str(), "files" | "dns")) {
            let reason = Reason::Home { group: GROUP, why: format!("{CONF} names the service {service}") };
            // A finding reports a missing module.
            let (from, missing) = (Some(conf.clone()), None);
            let names = vec![(format!("libnss_{service}.so.2").into_bytes(), reason)];
            demands.push(Demand::Open(Open { host, requester: 0, from, names, required: false, missing }));
        }
    }
    Ok(demands)
}

/// Files of the root whose paths a module contains.
fn tables(state: &State<'_>, module: &RootPath) -> Result<Vec<Demand>, Error> {
    let root = state.world.root;
    let bytes = root.read(module, MAX_FILE)?;
    let mut demands = Vec::new();
    for text in bytes.split(|b| *b == 0).filter(|text| TABLES.iter().any(|dir| text.starts_with(dir))) {
        let is_not_taken = NOT_TAKEN.iter().any(|part| memchr::memmem::find(text, part).is_some());
        let Some(path) = RootPath::new(text).filter(|_| !is_not_taken) else { continue };
        if root.follow(path.as_bytes())?.found().is_some_and(|(_, meta)| meta.kind == FileKind::File) {
            let reason = Arc::new(Reason::Home { group: GROUP, why: format!("{module} contains its path") });
            let (from, cwd, path) = (Some(module.clone()), RootPath::root(), text.to_vec());
            demands.push(Demand::Path { from, cwd, path, reason, host: Host::None });
        }
    }
    Ok(demands)
}

/// A service of a database, or a part of an action in brackets.
struct Word {
    text: String,
    is_action: bool,
}

/// The databases of an nsswitch.conf with their words (nsswitch.conf(5)).
fn databases(text: &str) -> impl Iterator<Item = (&str, Vec<Word>)> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.filter_map(|line| line.split_once(':')).map(|(database, words)| {
        let spaced = words.replace('[', " [").replace(']', "] ");
        let mut is_inside = false;
        let word = |text: &str| {
            let is_action = is_inside || text.starts_with('[');
            is_inside = is_action && !text.ends_with(']');
            Word { text: text.to_owned(), is_action }
        };
        (database.trim(), spaced.split_whitespace().map(word).collect())
    })
}

/// The text with those services for which `is_there` holds. An action goes with the service before it.
pub(super) fn kept(text: &str, is_there: impl Fn(&str) -> bool) -> String {
    let mut kept = String::new();
    for (database, words) in databases(text) {
        kept.push_str(&format!("{database}:"));
        let mut is_kept = true;
        for word in words {
            if !word.is_action {
                is_kept = is_there(&word.text);
            }
            if is_kept {
                kept.push_str(&format!(" {}", word.text));
            }
        }
        kept.push('\n');
    }
    kept
}

/// True for a name of a service; text of no such file has others.
fn is_name(word: &str) -> bool {
    word.len() <= 64 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// The services of all databases, without actions in brackets (nsswitch.conf(5)).
pub(super) fn services(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, words) in databases(text) {
        let services = words.into_iter().filter(|word| !word.is_action && is_name(&word.text));
        found.extend(services.map(|word| word.text));
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn services_are_words_outside_of_brackets() {
        let text = "passwd: files extrausers # ldap\nhosts: files [NOTFOUND=return]dns myhostname\n# group: nis\nx\n";
        let found: Vec<String> = super::services(text).into_iter().collect();
        assert_eq!(found, ["dns", "extrausers", "files", "myhostname"]);
        let text = "passwd: files [A=x B=y C=z] sss [D=return] extrausers # x\n";
        assert_eq!(super::kept(text, |name| name != "sss"), "passwd: files [A=x B=y C=z] extrausers\n");
    }
}
