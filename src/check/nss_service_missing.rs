//! nsswitch.conf names a service whose module is missing.

use super::{Check, Evidence, Scope};
use crate::closure::Started;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::{Family, Process, open};

pub(super) const CHECK: Check = Check {
    code: "nss-service-missing",
    scope: Scope::Image,
    text: "The image's /etc/nsswitch.conf names a service (ldap, systemd, mdns4_minimal, …) whose module \
           libnss_SERVICE.so.2 is not in the image. glibc silently skips it: users or hosts that only this service \
           knows are not found. If no service of a database is available, every lookup fails. Pack the module with \
           --include, or change the line to \"files\" (for hosts \"files dns\"), as slimroot's base profile does.",
    find,
};

const CONF: &[u8] = b"/etc/nsswitch.conf";
const MAX_CONF: usize = 1 << 20;
/// The first glibc release with built-in `files` and `dns`.
const BUILTIN: (u32, u32) = (2, 34);
/// Databases and some of the functions that use them (nsswitch.conf(5)).
const DATABASES: [(&str, &[&str]); 4] = [
    ("passwd", &["getpwnam", "getpwuid", "getpwnam_r", "getpwuid_r", "getpwent"]),
    ("group", &["getgrnam", "getgrgid", "getgrnam_r", "getgrgid_r", "initgroups", "getgrouplist"]),
    ("hosts", &["getaddrinfo", "gethostbyname", "gethostbyname_r", "gethostbyaddr", "getnameinfo"]),
    ("services", &["getservbyname", "getservbyname_r", "getservbyport"]),
];

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    let Some((_, text)) = evidence.image.read_followed(CONF, MAX_CONF)? else { return Ok(found) };
    let text = String::from_utf8_lossy(&text).into_owned();
    for started in
        evidence.closure.processes.iter().filter(|started| started.required && started.process.inherited == 0)
    {
        let is_glibc = started.process.constants.as_ref().is_some_and(|constants| constants.family == Family::Glibc);
        if !is_glibc {
            continue;
        }
        for (database, functions) in DATABASES {
            if !imports(evidence, &started.process, functions)? {
                continue;
            }
            let services = services(&text, database);
            let mut absent = Vec::new();
            for service in &services {
                if !is_there(evidence, started, service)? {
                    absent.push(service.clone());
                }
            }
            let level = if absent.len() == services.len() { Level::Error } else { Level::Note };
            for service in absent {
                let module = format!("libnss_{service}.so.2");
                let says =
                    format!("/etc/nsswitch.conf looks up {database} in {service}, but the image has no {module}");
                let finding = Finding::new(CHECK.code, level, module, says).help(format!(
                    "sed -i 's/^{database}:.*/{database}: files{}/' /etc/nsswitch.conf",
                    if database == "hosts" { " dns" } else { "" }
                ));
                if !found.iter().any(|known| known.says == finding.says) {
                    found.push(finding);
                }
            }
        }
    }
    Ok(found)
}

/// The services of a database in order, without the actions in brackets.
fn services(text: &str, database: &str) -> Vec<String> {
    let line = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let line = line.filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == database);
    let words = line.map(|(_, words)| words.replace('[', " [").replace(']', "] ")).unwrap_or_default();
    let mut services = Vec::new();
    let mut in_action = false;
    for word in words.split_whitespace() {
        in_action |= word.starts_with('[');
        if !in_action {
            services.push(word.to_owned());
        }
        in_action &= !word.ends_with(']');
    }
    services
}

fn imports(evidence: &Evidence<'_>, process: &Process, functions: &[&str]) -> Result<bool, Error> {
    for object in &process.loaded {
        // libc defines these functions and calls them itself.
        if object.elf.soname.as_deref().is_some_and(|soname| soname.starts_with(b"libc.so")) {
            continue;
        }
        let names = evidence.objects.imports(&object.real)?;
        if names.iter().any(|name| functions.iter().any(|function| function.as_bytes() == name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_there(evidence: &Evidence<'_>, started: &Started, service: &str) -> Result<bool, Error> {
    let Started { process, conditions, .. } = started;
    let is_new =
        process.constants.as_ref().and_then(|constants| constants.release).is_none_or(|release| release >= BUILTIN);
    if is_new && matches!(service, "files" | "dns") {
        return Ok(true);
    }
    let name = format!("libnss_{service}.so.2");
    let opened = open(evidence.objects, process, 0, name.as_bytes(), conditions)?;
    let Some(opened) = opened else { return Ok(false) };
    let module = opened.loaded.get(opened.inherited).map(|module| module.real.clone());
    match module {
        Some(real) => Ok(evidence.image.meta(&real)?.is_some()),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::services;

    #[test]
    fn actions_are_no_services() {
        let text = "passwd: files systemd # x\nhosts:\tfiles mdns4_minimal [NOTFOUND=return] dns\nnetgroup: nis[!UNAVAIL = return]files\n";
        assert_eq!(services(text, "hosts"), ["files", "mdns4_minimal", "dns"]);
        assert_eq!(services(text, "netgroup"), ["nis", "files"]);
        assert_eq!(services(text, "shadow"), Vec::<String>::new());
    }
}
