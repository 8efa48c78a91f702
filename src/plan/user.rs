//! The user of the image. Always numeric, because a name fails if /etc/passwd lacks it.

use super::{Content, ItemKind, Plan, Settings};
use crate::closure::Closure;
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::{FileKind, Meta, Root};

/// The unprivileged account; the same number as in distroless images.
const NONROOT: &str = "65532:65532";
/// Directories of service units, the administrator's first (systemd.unit(5)).
const UNIT_DIRS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const MAX_UNIT: usize = 1 << 20;
/// Maximal size of an account file that is read.
const MAX_ACCOUNTS: usize = 4 << 20;

/// `UID:GID` of the image: the user's choice; else the user of the service unit that starts the entry (root if the unit
/// names none); else nonroot.
pub(super) fn choose(root: &Root, closure: &Closure, settings: &Settings, plan: &Plan) -> Result<String, Error> {
    let accounts = Accounts::of(plan);
    if let Some(user) = &settings.user {
        return accounts.resolve(user);
    }
    let Some(entry) = closure.entries.first() else { return Ok(NONROOT.to_owned()) };
    for dir in UNIT_DIRS {
        let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        for name in root.list(&real)?.iter().filter(|name| name.ends_with(b".service")) {
            let path = real.join(name);
            let Some((_, text)) = root.read_followed(path.as_bytes(), MAX_UNIT)? else { continue };
            let unit = Unit::parse(&String::from_utf8_lossy(&text));
            for program in unit.programs {
                let is_entry = root.follow(program.as_bytes())?.file().is_some_and(|(real, _)| *real == entry.real);
                if is_entry {
                    return match unit.user {
                        Some(user) => accounts.resolve(&user),
                        None => Ok("0:0".to_owned()),
                    };
                }
            }
        }
    }
    Ok(NONROOT.to_owned())
}

#[derive(Default)]
struct Unit {
    programs: Vec<String>,
    user: Option<String>,
}

impl Unit {
    /// Reads `ExecStart=` and `User=` of a service unit (systemd.service(5)). Special characters before the path are
    /// flags.
    fn parse(text: &str) -> Self {
        let mut unit = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            match key.trim_end() {
                "ExecStart" => {
                    let program = value.trim_start().trim_start_matches(['@', '-', ':', '+', '!']);
                    unit.programs.extend(program.split_whitespace().next().map(str::to_owned));
                }
                "User" => unit.user = Some(value.trim().to_owned()).filter(|user| !user.is_empty()),
                _ => {}
            }
        }
        unit
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
        // The accounts come out of the root: a number that is none, or -1, would be root's to some engine.
        let checked = |id: &str| {
            id.parse::<u32>().ok().filter(|id| *id != u32::MAX).ok_or_else(|| {
                let says =
                    format!("the user {} has an ID that is no number from 0 to 4294967294", show(user.as_bytes()));
                Error::new("owner-out-of-range", says).help("give numbers, such as --user 65532:65532")
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
        let unit = Unit::parse("[Service]\nExecStart=-/usr/sbin/x -D $OPTS\nUser = daemon\n");
        assert_eq!((unit.programs, unit.user), (vec!["/usr/sbin/x".to_owned()], Some("daemon".to_owned())));
    }
}
