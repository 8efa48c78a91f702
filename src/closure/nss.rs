//! Name services of an nsswitch.conf that the user keeps: glibc opens a module for each, which no object names.

use std::collections::BTreeSet;

use super::build::Build;
use super::open::Opened;
use super::{NodeKind, Reason, Started};
use crate::error::Error;
use crate::loader::{Family, Process};
use crate::path::RootPath;
use crate::root::FileKind;

const CONF: &str = "/etc/nsswitch.conf";
/// Largest configuration or module that is read.
const MAX_FILE: usize = 16 << 20;
/// The first glibc that has `files` and `dns` inside.
const BUILTIN: (u32, u32) = (2, 34);
const GROUP: &str = "name services";
/// Where a module's own tables and settings lie.
const TABLES: [&[u8]; 2] = [b"/etc/", b"/var/lib/"];
/// What belongs to the builder's machine, and what is nobody's to see: parts of names.
const NOT_TAKEN: [&[u8]; 9] =
    [b"hosts", b"hostname", b"resolv.conf", b"machine-id", b"nsswitch.conf", b"shadow", b"secret", b"private", b"key"];

impl Build<'_> {
    /// Adds the modules that the root's own nsswitch.conf names, if it is in the image, with what came with them.
    pub(super) fn name_services(&mut self) -> Result<(), Error> {
        let Some(conf) = self.kept_conf()? else { return Ok(()) };
        let text = self.root.read(&conf, MAX_FILE)?;
        let services = services(&String::from_utf8_lossy(&text));
        let is_glibc = |process: &Process| process.facts.as_ref().is_some_and(|facts| facts.family == Family::Glibc);
        let whole =
            |started: &&Started| started.required && started.process.inherited == 0 && is_glibc(&started.process);
        let hosts: Vec<Process> =
            self.closure.processes.iter().filter(whole).map(|started| started.process.clone()).collect();
        let mut modules = BTreeSet::new();
        for host in &hosts {
            let release = host.facts.as_ref().and_then(|facts| facts.release);
            let has_inside = release.is_none_or(|release| release >= BUILTIN);
            for service in services.iter().filter(|service| !has_inside || !matches!(service.as_str(), "files" | "dns"))
            {
                let name = format!("libnss_{service}.so.2");
                let why = format!("{CONF} names the service {service}");
                let reason = Reason::Home { group: GROUP, why };
                // One that is not there is a finding.
                if let Opened::New(module) = self.open(host, name.as_bytes(), Some(&conf), reason)? {
                    modules.insert(module);
                }
            }
        }
        for module in &modules {
            self.tables(module)?;
        }
        self.companions_of(&modules.into_iter().collect::<Vec<_>>())
    }

    /// The file itself, if it is the root's own that is in the image and not one that was made.
    fn kept_conf(&self) -> Result<Option<RootPath>, Error> {
        let followed = self.root.follow(CONF.as_bytes())?;
        let real = followed.file().map(|(real, _)| real.clone());
        Ok(real.filter(|real| matches!(self.closure.nodes.get(real), Some(NodeKind::File(_)))))
    }

    /// Files of the root whose paths stand in a module.
    fn tables(&mut self, module: &RootPath) -> Result<(), Error> {
        let bytes = self.root.read(module, MAX_FILE)?;
        for text in bytes.split(|b| *b == 0).filter(|text| TABLES.iter().any(|dir| text.starts_with(dir))) {
            let is_not_taken = NOT_TAKEN.iter().any(|part| memchr::memmem::find(text, part).is_some());
            let Some(path) = RootPath::new(text).filter(|_| !is_not_taken) else { continue };
            let followed = self.root.follow(path.as_bytes())?;
            if followed.found().is_some_and(|(_, meta)| meta.kind == FileKind::File) {
                let why = format!("{module} holds its path");
                self.closure.take(
                    self.root,
                    Some(module),
                    &RootPath::root(),
                    text,
                    Reason::Home { group: GROUP, why },
                )?;
            }
        }
        Ok(())
    }
}

/// The services of all databases, without actions in brackets (nsswitch.conf(5)).
fn services(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((_, words)) = line.split_once(':') else { continue };
        let mut is_action = false;
        for word in words.replace('[', " [ ").replace(']', " ] ").split_whitespace() {
            match word {
                "[" => is_action = true,
                "]" => is_action = false,
                word if !is_action && !word.contains('/') => _ = found.insert(word.to_owned()),
                _ => {}
            }
        }
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
    }
}
