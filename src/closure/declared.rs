//! What the user and the profiles declare: patterns, files made, directories.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::build::Build;
use super::{NodeKind, Reason, Started, Unmatched};
use crate::error::Error;
use crate::loader;
use crate::path::RootPath;
use crate::profile::{Make, MakeContent, Need, Profile, Take, Values};
use crate::root::{End, FileKind, RootGlob};

/// Largest account file that is read.
const MAX_ACCOUNTS: usize = 4 << 20;

impl Build<'_> {
    /// `--include`: what matches, directories with all they hold, links with what they lead to.
    pub(super) fn include(&mut self, pattern: &RootGlob) -> Result<(), Error> {
        let reason = Reason::Included { pattern: pattern.as_str().to_owned() };
        let found = self.root.matching(pattern)?;
        if found.is_empty() {
            let what = pattern.as_str().to_owned();
            self.closure.unmatched.push(Unmatched { who: "--include".to_owned(), what, need: Need::Expected });
        }
        for path in found {
            self.whole(&path, &reason, &|_| false, true)?;
        }
        Ok(())
    }

    /// `--copy`: what ELF files of it need comes too. The files themselves are placed by the plan.
    pub(super) fn copied(&mut self, from: &RootPath) -> Result<(), Error> {
        let followed = self.root.follow(from.as_bytes())?;
        let Some((start, meta)) = followed.found().map(|(real, meta)| (real.clone(), *meta)) else {
            let unmatched = Unmatched { who: "--copy".to_owned(), what: from.to_string(), need: Need::Required };
            self.closure.unmatched.push(unmatched);
            return Ok(());
        };
        let files = if meta.kind == FileKind::Dir { self.root.below(&start)? } else { vec![start] };
        for path in files {
            if self.root.meta(&path)?.is_some_and(|meta| meta.kind == FileKind::File) {
                self.elf_file(&path)?;
            }
        }
        Ok(())
    }

    /// Applies a profile. What one that was not asked for does not find is told where it is told that it was applied.
    pub(super) fn profile(&mut self, profile: &Profile, is_asked: bool) -> Result<(), Error> {
        let values = self.values(profile)?;
        for take in &profile.take {
            self.take_rule(profile, take, &values, is_asked)?;
        }
        let first = self.closure.processes.len();
        for read in &profile.read {
            self.read_rule(profile, read, &values)?;
        }
        let modules = self.closure.processes[first..].iter();
        let modules = modules.filter_map(|started| started.process.loaded.get(started.process.inherited));
        self.closure.named_modules.extend(modules.map(|module| module.real.clone()));
        self.open_rule(profile)?;
        for make in &profile.make {
            let bytes = self.made(make)?;
            let kind = NodeKind::MadeFile { mode: make.mode, bytes };
            let reason = Reason::Profile { profile: profile.name.clone(), why: make.why.clone() };
            self.make(&make.path, kind, reason, matches!(make.content, MakeContent::Accounts(_)))?;
        }
        for dir in &profile.dir {
            let kind = NodeKind::MadeDir { mode: dir.mode, owner: dir.owner };
            let reason = Reason::Profile { profile: profile.name.clone(), why: dir.why.clone() };
            self.make(&dir.path, kind, reason, false)?;
        }
        for (name, value) in &profile.env {
            self.closure.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Ok(())
    }

    fn take_rule(&mut self, profile: &Profile, take: &Take, values: &Values, is_asked: bool) -> Result<(), Error> {
        if take.glibc_before.is_some_and(|release| !self.is_before(release)) {
            return Ok(());
        }
        let reason = Reason::Profile { profile: profile.name.clone(), why: take.why.clone() };
        let exclude: Vec<RootGlob> = take.exclude.iter().flat_map(|place| place.filled(values)).collect();
        let mut any = false;
        for (pattern, is_alternate) in
            take.first.iter().map(|pattern| (pattern, true)).chain(take.paths.iter().map(|pattern| (pattern, false)))
        {
            let mut found = Vec::new();
            for glob in pattern.filled(values) {
                found.extend(self.root.matching(&glob)?);
                if is_alternate && !found.is_empty() {
                    break;
                }
            }
            any |= !found.is_empty();
            for path in &found {
                if take.links_only {
                    self.link_only(path, &reason)?;
                } else {
                    let is_out = |path: &RootPath| exclude.iter().any(|glob| glob.covers(path));
                    self.whole(path, &reason, &is_out, take.elf)?;
                }
            }
            if is_alternate && !found.is_empty() {
                break;
            }
        }
        if !any && is_asked && take.need != Need::Optional {
            let who = format!("profile {}", profile.name);
            self.closure.unmatched.push(Unmatched { who, what: take.why.clone(), need: take.need });
        }
        Ok(())
    }

    /// Whether a process has a glibc older than a release; one that does not say which it is is old.
    fn is_before(&self, release: (u32, u32)) -> bool {
        let glibc = self.closure.processes.iter().filter_map(|started| started.process.facts.as_ref());
        let mut glibc = glibc.filter(|facts| facts.family == loader::Family::Glibc);
        glibc.any(|facts| facts.release.is_none_or(|own| own < release))
    }

    /// A link of the root as it is, with the directory it leads to but nothing that lies there.
    fn link_only(&mut self, path: &RootPath, reason: &Reason) -> Result<(), Error> {
        let followed = self.root.follow(path.as_bytes())?;
        if !followed.hops.is_empty() && followed.dir().is_some() {
            self.closure.take(self.root, None, &RootPath::root(), path.as_bytes(), reason.clone())?;
        }
        Ok(())
    }

    /// Adds a path as spelled: a file, a link with its target, a directory with all that it holds.
    pub(super) fn whole(
        &mut self,
        start: &RootPath,
        reason: &Reason,
        without: &dyn Fn(&RootPath) -> bool,
        elf: bool,
    ) -> Result<(), Error> {
        let mut open = vec![start.clone()];
        // Links between directories may form rings: each real directory is entered once.
        let mut entered = BTreeSet::new();
        while let Some(path) = open.pop() {
            if without(&path) || self.request.exclude.iter().any(|glob| glob.covers(&path)) {
                continue;
            }
            let followed = self.root.follow(path.as_bytes())?;
            let taken = self.closure.take(self.root, None, &RootPath::root(), path.as_bytes(), reason.clone())?;
            let Some(real) = taken else {
                if matches!(followed.end, End::Missing(_) | End::NotDirectory(_) | End::Loop) {
                    self.closure.dangling.insert(path);
                }
                continue;
            };
            match self.root.meta(&real)?.map(|meta| meta.kind) {
                Some(FileKind::Dir) => {
                    let is_link = real.name() != path.name() || real.parent() != path.parent();
                    // What a link leads to in another home, or in the same, comes as that home wants it.
                    let is_at_home = matches!(reason, Reason::Home { .. })
                        && self.closure.homes.iter().any(|home| real.is_within(home))
                        && !std::iter::successors(Some(real.clone()), RootPath::parent).any(|dir| without(&dir));
                    let is_spared = is_link && path != *start && (is_at_home || is_too_wide(&real, &path));
                    if !is_spared && entered.insert(real.clone()) {
                        open.extend(self.root.list(&real)?.iter().map(|name| path.join(name)));
                    }
                }
                Some(FileKind::File) if elf => self.elf_file(&real)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// An ELF file that a pattern brought in: a program is a process of its own, a library is opened in the entry's.
    pub(super) fn elf_file(&mut self, real: &RootPath) -> Result<(), Error> {
        const MAGIC: &[u8] = b"\x7fELF";
        if self.root.read(real, MAGIC.len())? != MAGIC {
            return Ok(());
        }
        let read = self.objects.read(real)?;
        let Ok(elf) = &read.elf else { return Ok(()) };
        if elf.is_static_program() || elf.is_relocatable() {
            return Ok(());
        }
        let host = self.host();
        if host.as_ref().is_some_and(|host| host.loaded[0].elf.target.machine != elf.target.machine) {
            self.closure.foreign.insert(real.clone());
            return Ok(());
        }
        let host = host.filter(|_| elf.interp.is_none());
        let process = loader::load(self.objects, real.as_bytes(), &self.conditions, host.as_ref())?;
        self.add_process(&process, real)?;
        self.closure.processes.push(Started { process, required: false, is_command: false });
        Ok(())
    }

    /// Adds a made file or directory where its parent really lies in the image.
    fn make(&mut self, path: &RootPath, kind: NodeKind, reason: Reason, merges: bool) -> Result<(), Error> {
        let place = match path.parent() {
            Some(parent) if !parent.is_root() => {
                // `/var/run` may be a link: what is made below it lies where the link leads.
                match self.closure.take(self.root, None, &RootPath::root(), parent.as_bytes(), reason.clone())? {
                    Some(real) => real.join(path.name()),
                    None => path.clone(),
                }
            }
            _ => path.clone(),
        };
        let is_included = |edge: &super::Edge| matches!(edge.reason, Reason::Included { .. });
        if matches!(kind, NodeKind::MadeFile { .. }) && (merges || !self.closure.reasons(&place).any(is_included)) {
            // What is made goes before what the root has: it was made because the builder's own would be wrong. Only
            // the user's word is above that.
            self.closure.nodes.insert(place.clone(), kind.clone());
        }
        self.closure.add(None, place, kind, reason);
        Ok(())
    }

    fn made(&self, make: &Make) -> Result<Arc<[u8]>, Error> {
        let lines = match &make.content {
            MakeContent::Text(text) => return Ok(text.as_bytes().into()),
            MakeContent::Accounts(lines) => lines,
        };
        let own = self.root.read_followed(make.path.as_bytes(), MAX_ACCOUNTS)?;
        let mut bytes = own.map(|(_, bytes)| bytes).unwrap_or_default();
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        for line in lines {
            let name = line.split_inclusive(':').next().unwrap_or(line);
            if !bytes.split(|b| *b == b'\n').any(|own| own.starts_with(name.as_bytes())) {
                bytes.extend_from_slice(line.as_bytes());
                bytes.push(b'\n');
            }
        }
        Ok(bytes.into())
    }
}

/// Whether the content of a directory that a link leads to is better left out: it comes anyway under its own name, or
/// it is so high up that the link is a way to reach things, not a part of what was asked for.
fn is_too_wide(real: &RootPath, link: &RootPath) -> bool {
    let is_top_level = real.parent().is_none_or(|parent| parent.is_root());
    is_top_level || link.is_within(real) || link.parent().is_some_and(|dir| real.is_within(&dir))
}
