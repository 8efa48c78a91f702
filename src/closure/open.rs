//! Libraries that are opened by name while a process runs (dlopen(3)), and the process in which each is opened: what it
//! finds depends on who is loaded there already, and on the program's own run path.

use std::collections::BTreeSet;

use super::build::Build;
use super::strings::{OPENERS, library_names};
use super::{Reason, Started};
use crate::elf::Priority;
use crate::error::Error;
use crate::loader::{self, Process};
use crate::path::RootPath;

/// What opening a name led to.
pub(super) enum Opened {
    /// Nothing.
    Absent,
    /// A library that the process has already.
    Known,
    /// One that is in the closure now, with what it needs.
    New(RootPath),
}

impl Build<'_> {
    /// Opens a library in a process and adds it for a reason.
    pub(super) fn open(
        &mut self,
        host: &Process,
        name: &[u8],
        from: Option<&RootPath>,
        reason: Reason,
    ) -> Result<Opened, Error> {
        let Some(opened) = loader::open(self.objects, host, 0, name, &self.conditions)? else {
            return Ok(Opened::Absent);
        };
        let Some(plugin) = opened.loaded.get(opened.inherited) else { return Ok(Opened::Known) };
        let (path, real) = (plugin.path.clone(), plugin.real.clone());
        let cwd = self.conditions.cwd.clone();
        self.closure.take(self.root, from, &cwd, &path, reason)?;
        self.add_process(&opened, &real)?;
        self.closure.processes.push(Started { process: opened, required: false, is_command: false });
        Ok(Opened::New(real))
    }

    /// Does something whose plug-ins are opened in the first process that has an object.
    pub(super) fn hosted_by<T>(&mut self, object: Option<&RootPath>, add: impl FnOnce(&mut Self) -> T) -> T {
        let has = |started: &Started| {
            started.process.facts.is_some() && started.process.loaded.iter().any(|loaded| object == Some(&loaded.real))
        };
        let found = self.closure.processes.iter().position(has).or(self.host);
        let before = std::mem::replace(&mut self.host, found);
        let added = add(self);
        self.host = before;
        added
    }

    /// The process in which plug-ins are opened now: that of the program that shows the need, else the entry's.
    pub(super) fn host(&self) -> Option<Process> {
        let processes = &self.closure.processes;
        let entry = || processes.iter().find(|started| started.required && started.process.facts.is_some());
        self.host.and_then(|at| processes.get(at)).or_else(entry).map(|started| started.process.clone())
    }

    /// Whether an object imports what opens libraries by name.
    pub(super) fn is_opener(&self, real: &RootPath) -> Result<bool, Error> {
        Ok(self.objects.imports(real)?.iter().any(|name| OPENERS.contains(&name.as_slice())))
    }

    /// Adds the libraries whose names stand in the program itself, if it imports what opens them. That they are opened
    /// is likely, not sure: what does not resolve is nothing.
    pub(super) fn add_named_libraries(&mut self, process: &Process, program: &RootPath) -> Result<(), Error> {
        if self.is_opener(program)? {
            for name in library_names(self.root, program)? {
                self.open(process, &name, Some(program), Reason::Opens { name: name.clone() })?;
            }
        }
        Ok(())
    }

    /// Adds what `.note.dlopen` notes name, then what the notes of that name. Each note is followed once: libraries may
    /// name each other in as many orders as there are.
    pub(super) fn add_dlopened(&mut self, process: &Process) -> Result<(), Error> {
        let mut followed = BTreeSet::new();
        let mut open = self.open_noted(process, &mut followed)?;
        while let Some(started) = open.pop() {
            let more = self.open_noted(&started.process, &mut followed)?;
            open.extend(more);
            self.closure.processes.push(started);
        }
        Ok(())
    }

    /// Adds what the notes of one process name: of each note the first soname that is found, opened in this process.
    fn open_noted(
        &mut self,
        process: &Process,
        followed: &mut BTreeSet<(RootPath, usize)>,
    ) -> Result<Vec<Started>, Error> {
        let cwd = self.conditions.cwd.clone();
        let mut found = Vec::new();
        for (index, object) in process.loaded.iter().enumerate().skip(process.inherited) {
            for (at, note) in object.elf.dlopen.iter().enumerate() {
                if note.priority < Priority::Recommended || !followed.insert((object.real.clone(), at)) {
                    continue;
                }
                let mut is_found = false;
                for name in &note.sonames {
                    let opened = loader::open(self.objects, process, index, name.as_bytes(), &self.conditions)?;
                    let Some(opened) = opened else { continue };
                    is_found = true;
                    if let Some(plugin) = opened.loaded.get(opened.inherited) {
                        let reason = Reason::Dlopen {
                            name: name.clone(),
                            feature: note.feature.clone(),
                            priority: note.priority,
                        };
                        let (from, real) = (object.real.clone(), plugin.real.clone());
                        self.closure.take(self.root, Some(&from), &cwd, &plugin.path, reason)?;
                        self.add_objects(&opened, &real)?;
                        found.push(Started {
                            process: opened,
                            required: note.priority == Priority::Required,
                            is_command: false,
                        });
                    }
                    break;
                }
                let unopened = (object.real.clone(), note.clone());
                if !is_found && !self.closure.unopened.contains(&unopened) {
                    self.closure.unopened.push(unopened);
                }
            }
        }
        found.reverse();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::closure::{Closure, Request};
    use crate::loader::Objects;
    use crate::path::RootPath;
    use crate::root::{MemTree, Root};

    /// An x86-64 file with an interpreter, and notes that each name one library.
    fn object(names: &[String]) -> Vec<u8> {
        const INTERPRETER: &[u8] = b"/lib64/ld.so\0";
        let mut notes = Vec::new();
        for name in names {
            let mut text = format!("[{{\"soname\":[\"{name}\"]}}]").into_bytes();
            text.resize(text.len().next_multiple_of(4), 0);
            for word in [4, u32::try_from(text.len()).expect("small"), 0x407c_0c0a] {
                notes.extend_from_slice(&word.to_le_bytes());
            }
            notes.extend_from_slice(b"FDO\0");
            notes.extend_from_slice(&text);
        }
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        let mut put = |value: usize, size: usize| out.extend_from_slice(&value.to_le_bytes()[..size]);
        for (value, size) in
            [(3, 2), (62, 2), (1, 4), (0, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (4, 2), (0, 6)]
        {
            put(value, size);
        }
        let (start, length) = (64 + 4 * 56, INTERPRETER.len() + 3);
        // PT_LOAD of the headers, PT_DYNAMIC without a tag, PT_INTERP, PT_NOTE.
        for (kind, from, size) in
            [(1, 0, start), (2, start, 0), (3, start, INTERPRETER.len()), (4, start + length, notes.len())]
        {
            for (value, size) in [(kind, 4), (4, 4), (from, 8), (from, 8), (from, 8), (size, 8), (size, 8), (1, 8)] {
                put(value, size);
            }
        }
        out.extend_from_slice(INTERPRETER);
        out.resize(start + length, 0);
        out.extend_from_slice(&notes);
        out
    }

    #[test]
    fn notes_that_name_each_other_are_followed_once() {
        let names: Vec<String> = (0..16).map(|index| format!("lib{index}.so")).collect();
        let mut tree = MemTree::default();
        tree.file("/bin/prog", 0o755, object(&names[..1])).file("/lib64/ld.so", 0o755, object(&[]));
        for name in &names {
            tree.file(&format!("/lib64/{name}"), 0o644, object(&names));
        }
        let root = Root::new(Arc::new(tree));
        let request = Request { entry: "/bin/prog".to_owned(), ..Request::default() };
        let closure = Closure::build(&root, &Objects::new(&root), &request).expect("a closure");
        for name in &names {
            let path = RootPath::root().join(b"lib64").join(name.as_bytes());
            assert!(closure.nodes.contains_key(&path), "{path} is in");
        }
        let notes = 1 + names.len() * names.len();
        assert!(closure.processes.len() <= 1 + notes, "{} for {notes} notes", closure.processes.len());
    }
}
