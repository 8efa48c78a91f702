//! The user of the image. Always numeric, because a name fails if /etc/passwd lacks it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Content, ItemKind, Plan, Settings};
use crate::closure::Closure;
use crate::error::Error;
use crate::language::Certainty;
use crate::path::{RootPath, show};
use crate::root::{FileKind, Meta, Root};

/// The unprivileged account; the same number as in distroless images.
const NONROOT: &str = "65532:65532";
/// Directories of service units, the administrator's first (systemd.unit(5)).
const UNIT_DIRS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const MAX_UNIT: usize = 1 << 20;
/// Maximum size of an account file that is read.
const MAX_ACCOUNTS: usize = 4 << 20;

/// `UID:GID` of the image: the user's choice; else the user of the service unit that starts the entry, or a program
/// that the entry certainly runs (root if the unit names none); else the one user to which the entry's script changes; else
/// nonroot.
pub(super) fn choose(root: &Root, closure: &Closure, settings: &Settings, plan: &Plan) -> Result<String, Error> {
    let accounts = Accounts::of(plan);
    if let Some(user) = &settings.user {
        return accounts.resolve(user);
    }
    let Some(entry) = closure.entries.first() else { return Ok(NONROOT.to_owned()) };
    let sure = closure.processes.iter().filter(|started| started.required && started.certainty == Certainty::Sure);
    let sure: BTreeSet<&RootPath> = sure.map(|started| &started.process.loaded[0].real).collect();
    let units = units(root)?;
    let starts = |unit: &Unit, is_wanted: &dyn Fn(&RootPath) -> bool| -> Result<bool, Error> {
        for program in &unit.programs {
            if root.follow(program.as_bytes())?.file().is_some_and(|(real, _)| is_wanted(real)) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let is_entry = |real: &RootPath| *real == entry.real;
    let is_sure = |real: &RootPath| sure.contains(real);
    for is_wanted in [&is_entry as &dyn Fn(&RootPath) -> bool, &is_sure] {
        for unit in &units {
            if starts(unit, is_wanted)? {
                return match &unit.user {
                    Account::Root => Ok("0:0".to_owned()),
                    Account::Dynamic => Ok(NONROOT.to_owned()),
                    // An account that the package creates at its first start is not in the image.
                    Account::Named(user) => accounts.resolve(user).or_else(|error| match error.code {
                        "bad-argument" => Ok(NONROOT.to_owned()),
                        _ => Err(error),
                    }),
                };
            }
        }
    }
    // A script that changes to one user does not do so when it runs as that user.
    let mut changed = closure.users.iter().filter_map(|user| accounts.resolve(user).ok());
    match (changed.next(), changed.next()) {
        (Some(user), None) => Ok(user),
        _ => Ok(NONROOT.to_owned()),
    }
}

/// The service units of the root, the administrator's first. A template counts once for each of its enabled instances;
/// if there are none, users that are named after the instance are unknown.
fn units(root: &Root) -> Result<Vec<Unit>, Error> {
    let mut files = Vec::new();
    let mut instances: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for dir in UNIT_DIRS {
        let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        for name in root.list(&real)? {
            if name.ends_with(b".service") {
                files.push(real.join(&name));
            }
            // An enabled instance is a link in the .wants directory of a target (systemctl(1), enable).
            if name.ends_with(b".wants")
                && let Some(wants) = root.follow(real.join(&name).as_bytes())?.dir().cloned()
            {
                for enabled in root.list(&wants)? {
                    if let Some((template, instance)) = split_instance(&enabled) {
                        instances.entry(template).or_default().insert(instance);
                    }
                }
            }
        }
    }
    let mut units = Vec::new();
    for path in files {
        let Some((_, text)) = root.read_followed(path.as_bytes(), MAX_UNIT)? else { continue };
        let unit = Unit::parse(&String::from_utf8_lossy(&text));
        let names = match instances.get(path.name()) {
            Some(names) => names.iter().map(|name| show(name).into_owned()).collect(),
            None => unit.default_instance.iter().cloned().collect::<Vec<_>>(),
        };
        let known: Vec<Unit> = names.iter().map(|name| unit.of_instance(name)).chain([unit.clone()]).collect();
        units
            .extend(known.into_iter().filter(|unit| !matches!(&unit.user, Account::Named(user) if user.contains('%'))));
    }
    Ok(units)
}

/// `uwsgi-app@.service` and `data` for `uwsgi-app@data.service` (systemd.unit(5)).
fn split_instance(name: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let name = name.strip_suffix(b".service")?;
    let at = name.iter().position(|byte| *byte == b'@')?;
    let (template, instance) = (&name[..=at], &name[at + 1..]);
    (!instance.is_empty()).then(|| ([template, b".service"].concat(), instance.to_vec()))
}

/// The account of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Account {
    /// The unit names none.
    #[default]
    Root,
    /// systemd creates an account for each start (DynamicUser=).
    Dynamic,
    /// `User=`, optionally with `Group=`.
    Named(String),
}

#[derive(Clone, Default)]
struct Unit {
    programs: Vec<String>,
    user: Account,
    default_instance: Option<String>,
}

impl Unit {
    /// Reads a service unit (systemd.service(5), systemd.exec(5)). Special characters before a program are flags.
    fn parse(text: &str) -> Self {
        let mut unit = Self::default();
        let (mut user, mut group, mut is_dynamic) = (None, None, false);
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            let value = value.trim();
            let named = Some(value.to_owned()).filter(|value| !value.is_empty());
            match key.trim_end() {
                "ExecStart" => {
                    let program = value.trim_start_matches(['@', '-', ':', '+', '!']);
                    unit.programs.extend(program.split_whitespace().next().map(str::to_owned));
                }
                "User" => user = named,
                "Group" => group = named,
                "DynamicUser" => is_dynamic = matches!(value, "yes" | "true" | "1" | "on"),
                "DefaultInstance" => unit.default_instance = named,
                _ => {}
            }
        }
        unit.user = match (user, group) {
            (Some(user), Some(group)) => Account::Named(format!("{user}:{group}")),
            (Some(user), None) => Account::Named(user),
            (None, _) if is_dynamic => Account::Dynamic,
            (None, _) => Account::Root,
        };
        unit
    }

    /// The unit with the name of an instance for its specifiers.
    fn of_instance(&self, instance: &str) -> Self {
        let filled = |text: &String| text.replace("%i", instance).replace("%I", instance);
        let user = match &self.user {
            Account::Named(user) => Account::Named(filled(user)),
            other => other.clone(),
        };
        Self { programs: self.programs.iter().map(filled).collect(), user, default_instance: None }
    }
}

/// The accounts of the image.
struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    /// Reads the accounts of a finished image, or of a plan as a tree.
    fn read(image: &Root) -> Result<Self, Error> {
        let text = |path: &[u8]| -> Result<String, Error> {
            let read = image.read_followed(path, MAX_ACCOUNTS)?;
            Ok(read.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default())
        };
        Ok(Self { passwd: text(b"/etc/passwd")?, group: text(b"/etc/group")? })
    }

    fn of(plan: &Plan) -> Self {
        let made = |path: &str| {
            let item = RootPath::new(path).and_then(|path| plan.items.get(&path));
            match item.map(|item| &item.kind) {
                Some(ItemKind::File(Content::Made(bytes))) => String::from_utf8_lossy(bytes).into_owned(),
                _ => String::new(),
            }
        };
        Self { passwd: made("/etc/passwd"), group: made("/etc/group") }
    }

    fn line<'a>(table: &'a str, field: usize, value: &str) -> Option<Vec<&'a str>> {
        let split = |line: &'a str| line.split(':').collect::<Vec<_>>();
        table.lines().map(split).find(|fields| fields.get(field) == Some(&value))
    }

    /// Converts `NAME|UID[:GROUP|GID]` to numbers.
    fn resolve(&self, user: &str) -> Result<String, Error> {
        let (name, group) = match user.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (user, None),
        };
        let unknown = |what: &str, word: &str, file: &str| {
            Error::new("bad-argument", format!("there is no {what} {word} in {file} of the image"))
                .help("use numbers, such as --user 65532:65532, or add the account in the builder stage")
        };
        let is_number = |text: &str| text.parse::<u32>().is_ok();
        let own = if is_number(name) { Self::line(&self.passwd, 2, name) } else { Self::line(&self.passwd, 0, name) };
        let uid = match &own {
            _ if is_number(name) => name.to_owned(),
            Some(fields) => fields.get(2).copied().unwrap_or_default().to_owned(),
            None => return Err(unknown("user", name, "/etc/passwd")),
        };
        let gid = match group {
            Some(group) if is_number(group) => group.to_owned(),
            Some(group) => Self::line(&self.group, 0, group)
                .and_then(|fields| fields.get(2).map(|gid| (*gid).to_owned()))
                .ok_or_else(|| unknown("group", group, "/etc/group"))?,
            None => own.and_then(|fields| fields.get(3).map(|gid| (*gid).to_owned())).unwrap_or_else(|| "0".to_owned()),
        };
        // The accounts come from the root: some engines would treat an invalid number, or -1, as root.
        let checked = |id: &str| {
            id.parse::<u32>().ok().filter(|id| *id != u32::MAX).ok_or_else(|| {
                let says = format!("the ID of the user {} is not a number from 0 to 4294967294", show(user.as_bytes()));
                Error::new("owner-out-of-range", says).help("use numbers, such as --user 65532:65532")
            })
        };
        Ok(format!("{}:{}", checked(&uid)?, checked(&gid)?))
    }
}

/// User and groups of a process in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The groups, the primary one first.
    pub gids: Vec<u32>,
}

impl Identity {
    /// Resolves `NAME|UID[:GROUP|GID]` with the accounts of an image; `None` for an unknown name. Empty means root.
    /// Without a group, the user has its primary group and all groups that list it (like runc and crun).
    ///
    /// # Errors
    /// `unreadable`.
    pub fn of(user: &str, image: &Root) -> Result<Option<Self>, Error> {
        let accounts = Accounts::read(image)?;
        if user.is_empty() {
            return Ok(Some(Self { uid: 0, gids: vec![0] }));
        }
        let Ok(numbers) = accounts.resolve(user) else { return Ok(None) };
        let (uid, gid) = numbers.split_once(':').unwrap_or((&numbers, "0"));
        let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let mut gids = vec![number(gid)];
        if !user.contains(':') {
            let name = Accounts::line(&accounts.passwd, 2, uid).map(|fields| fields[0].to_owned()).unwrap_or_default();
            for line in accounts.group.lines() {
                let fields: Vec<&str> = line.split(':').collect();
                if let [_, _, gid, members] = fields.as_slice()
                    && members.split(',').any(|member| member == name && !name.is_empty())
                {
                    gids.push(number(gid));
                }
            }
        }
        Ok(Some(Self { uid: number(uid), gids }))
    }

    /// True if the accounts of an image have a line with this number.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn is_known(uid: &str, image: &Root) -> Result<bool, Error> {
        Ok(Accounts::line(&Accounts::read(image)?.passwd, 2, uid).is_some())
    }

    /// True if all permissions in `bits` (one digit of a mode) are granted (path_resolution(7)). Root may execute a
    /// file if any execute bit is set.
    pub fn may(&self, meta: &Meta, bits: u32) -> bool {
        const ANY_EXECUTE: u32 = 0o111;
        if self.uid == 0 {
            return bits & 0o1 == 0 || meta.kind == FileKind::Dir || meta.mode & ANY_EXECUTE != 0;
        }
        let shift = match () {
            () if meta.uid == self.uid => 6,
            () if self.gids.contains(&meta.gid) => 3,
            () => 0,
        };
        meta.mode >> shift & bits == bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_numbers() {
        let accounts = Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/:/bin/false\n".to_owned(),
            group: "root:x:0:\nadm:x:4:\n".to_owned(),
        };
        let resolved = |user: &str| accounts.resolve(user).map_err(|error| error.code);
        assert_eq!(resolved("www"), Ok("33:34".to_owned()));
        assert_eq!(resolved("33"), Ok("33:34".to_owned()));
        assert_eq!(resolved("www:adm"), Ok("33:4".to_owned()));
        assert_eq!(resolved("1000"), Ok("1000:0".to_owned()));
        assert_eq!(resolved("1000:1000"), Ok("1000:1000".to_owned()));
        assert_eq!(resolved("nobody"), Err("bad-argument"));
        assert_eq!(resolved("www:none"), Err("bad-argument"));
    }

    #[test]
    fn units_name_program_and_user() {
        let unit = |text: &str| Unit::parse(text);
        let named = unit("[Service]\nExecStart=-/usr/sbin/x -D $OPTS\nUser = daemon\nGroup=adm\n");
        assert_eq!(named.programs, ["/usr/sbin/x"]);
        assert_eq!(named.user, Account::Named("daemon:adm".to_owned()));
        assert_eq!(unit("[Service]\nExecStart=/x\nDynamicUser=yes\n").user, Account::Dynamic);
        assert_eq!(unit("[Service]\nExecStart=/x\n").user, Account::Root);
        let template = unit("[Service]\nUser=www-%i\n").of_instance("data");
        assert_eq!(template.user, Account::Named("www-data".to_owned()));
    }

    #[test]
    fn templates_are_filled_by_what_is_enabled() {
        let mut tree = crate::root::MemTree::default();
        let text = "[Service]\nExecStart=/usr/bin/x\nUser=www-%i\n";
        tree.file("/lib/systemd/system/x@.service", 0o644, text);
        let users = |tree: &crate::root::MemTree| -> Vec<Account> {
            let root = Root::new(std::sync::Arc::new(tree.clone()));
            units(&root).expect("readable").into_iter().map(|unit| unit.user).collect()
        };
        assert_eq!(users(&tree), []);
        tree.link("/etc/systemd/system/multi-user.target.wants/x@data.service", "/lib/systemd/system/x@.service");
        assert_eq!(users(&tree), [Account::Named("www-data".to_owned())]);
    }
}
