//! Companions: what else the package of an entry brought, because it runs with it. Helper programs, plug-ins, data,
//! configuration and the directories it writes to; not documentation, and not the other commands of the package.

use super::build::Build;
use super::{NodeKind, Reason};
use crate::error::Error;
use crate::package;
use crate::path::RootPath;
use crate::root::FileKind;

/// What a package brings for people, other packages or the init system, not for the program that runs.
const NOT_RUN: &[&str] = &[
    "/etc/apparmor.d",
    "/etc/bash_completion.d",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/cron.monthly",
    "/etc/cron.weekly",
    "/etc/default",
    "/etc/init",
    "/etc/init.d",
    "/etc/logrotate.d",
    "/etc/ufw",
    "/lib/systemd",
    "/usr/include",
    "/usr/lib/debug",
    "/usr/lib/pkgconfig",
    "/usr/lib/systemd",
    "/usr/lib/sysusers.d",
    "/usr/lib/tmpfiles.d",
    "/usr/share/apport",
    "/usr/share/applications",
    "/usr/share/bash-completion",
    "/usr/share/bug",
    "/usr/share/doc",
    "/usr/share/doc-base",
    "/usr/share/emacs",
    "/usr/share/fish",
    "/usr/share/gdb",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/menu",
    "/usr/share/metainfo",
    "/usr/share/pixmaps",
    "/usr/share/pkgconfig",
    "/usr/share/vim",
    "/usr/share/zsh",
];
/// Other commands of the package: each would be an entry of its own, which `--bin` makes it.
const COMMANDS: &[&str] =
    &["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/games", "/usr/local/bin", "/usr/local/sbin"];
/// What only linkers read.
const NOT_RUN_ENDS: &[&[u8]] = &[b".a", b".la", b".pc", b".h"];

impl Build<'_> {
    /// Adds the companions of every entry.
    pub(super) fn companions(&mut self) -> Result<(), Error> {
        if !self.request.companions {
            return Ok(());
        }
        let Some(database) = package::open(self.root)? else { return Ok(()) };
        let mut seen = Vec::new();
        for entry in self.closure.entries.clone() {
            let Some(owner) = database.owner(&entry.real)? else { continue };
            let mut packages = database.halves(&owner);
            packages.push(owner);
            for package in packages {
                if seen.contains(&package) {
                    continue;
                }
                for path in database.contents(&package)? {
                    self.companion(&entry.real, &package, &path)?;
                }
                seen.push(package);
            }
        }
        Ok(())
    }

    fn companion(&mut self, entry: &RootPath, package: &str, path: &RootPath) -> Result<(), Error> {
        let lies_in = |dirs: &[&str]| dirs.iter().filter_map(RootPath::new).any(|dir| path.is_within(&dir));
        let is_out = lies_in(NOT_RUN)
            || lies_in(COMMANDS)
            || NOT_RUN_ENDS.iter().any(|end| path.name().ends_with(end))
            || self.request.exclude.iter().any(|glob| glob.covers(path));
        if is_out {
            return Ok(());
        }
        let reason = Reason::Companion { package: package.to_owned() };
        let followed = self.root.follow(path.as_bytes())?;
        match followed.found().map(|(real, meta)| (real.clone(), meta.kind)) {
            // Directories come with what lies in them; those of /var, which the program fills, come in any case.
            Some((_, FileKind::Dir)) if !path.is_within(&var()) => Ok(()),
            Some((real, kind)) => {
                let is_new = !self.closure.nodes.contains_key(&real);
                self.closure.take(self.root, Some(entry), &RootPath::root(), path.as_bytes(), reason)?;
                if is_new && kind == FileKind::File { self.elf_file(&real) } else { Ok(()) }
            }
            None => {
                // A link whose target the user made elsewhere, or a file that was deleted after it was installed.
                if let Some(hop) = followed.hops.last()
                    && let Some(meta) = self.root.meta(&hop.link)?
                {
                    self.closure.add(
                        Some(entry.clone()),
                        hop.link.clone(),
                        NodeKind::Link(meta, hop.text.clone()),
                        reason,
                    );
                }
                Ok(())
            }
        }
    }
}

fn var() -> RootPath {
    RootPath::root().join(b"var")
}
