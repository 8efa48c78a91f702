//! Programs in configuration files, as text or in files, in languages that no rule reads: blocks of Lua in a server.

use std::rc::Rc;

use super::{Reading, Stated, reason};
use crate::closure::demand::{Demand, Start};
use crate::closure::message::{Message, Note};
use crate::closure::path_of;
use crate::error::Error;
use crate::language::{MAX_TEXT, started, system_shell};
use crate::path::show;
use crate::profile::Names;
use crate::root::{FileKind, Visit};

/// Maximum number of files in a directory that are searched.
const MAX_SCRIPTS: usize = 256;

impl Reading<'_, '_> {
    /// Follows what the text of a program in a statement starts.
    pub(super) fn program_text(&mut self, rule: &Names, one: &Stated) -> Result<(), Error> {
        let text = match one.statement.text.is_empty() {
            true => super::picked(rule, &one.statement).join("\n"),
            false => one.statement.text.clone(),
        };
        let place = format!("{}:{}", one.file, one.statement.line);
        if let Some(others) = self.program(rule, one, &text)? {
            self.report(one, &place, &others);
        }
        Ok(())
    }

    /// Follows what a file, or the files in a directory, that a statement names start.
    pub(super) fn program_files(&mut self, rule: &Names, one: &Stated, path: &[u8]) -> Result<(), Error> {
        let root = self.state.world.root;
        let followed = root.follow(path)?;
        let Some((real, kind)) = followed.found().map(|(real, meta)| (real.clone(), meta.kind)) else { return Ok(()) };
        let mut files = Vec::new();
        match kind {
            FileKind::Dir => root.visit(&real, &mut |below, meta| {
                if meta.kind == FileKind::File && files.len() <= MAX_SCRIPTS {
                    files.push(below.clone());
                }
                Ok(if files.len() <= MAX_SCRIPTS { Visit::Enter } else { Visit::End })
            })?,
            FileKind::File => files.push(real.clone()),
            _ => {}
        }
        if files.len() > MAX_SCRIPTS {
            files.pop();
            let says = format!("what files after the first {MAX_SCRIPTS} start is not read");
            root.leave_unread(&real, says);
        }
        let mut unread = Vec::new();
        for file in files {
            let text = root.read(&file, MAX_TEXT)?;
            let others = self.program(rule, one, &String::from_utf8_lossy(&text))?;
            unread.extend(others.map(|others| (file, others)));
        }
        if let Some((first, others)) = unread.first() {
            let more = unread.len() - 1;
            let place = if more > 0 { format!("{first} (and {more} more files)") } else { first.to_string() };
            self.report(one, &place, others);
        }
        Ok(())
    }

    /// Starts the literal command lines of a text. Returns the end of a sentence on others that it may start.
    fn program(&mut self, rule: &Names, one: &Stated, text: &str) -> Result<Option<String>, Error> {
        let starter = self.state.configured_launches(self.by).next();
        let launch = starter.map(|id| &self.state.launches.get(id).launch);
        let (cwd, env) = match launch {
            Some(launch) => (launch.cwd.clone(), Rc::clone(&launch.env)),
            None => (self.state.request.conditions().cwd, Rc::new(self.state.request.env.clone())),
        };
        let found = started(self.state.world.root, path_of(&env), &rule.language, text)?;
        for line in found.lines {
            let words = vec![system_shell().to_owned(), "-c".to_owned(), line];
            let start = Start::likely(words, (&cwd, &env), reason(self.profile, &one.file, &one.statement));
            self.demands.push(Demand::Start(Start { starter, from: Some(one.file.clone()), ..start }));
        }
        Ok(found.others)
    }

    fn report(&mut self, one: &Stated, place: &str, others: &str) {
        let (file, line) = (&one.file, one.statement.line);
        let name = show(one.statement.name.as_bytes());
        let says = format!(
            "{place} starts programs whose names slimroot cannot read ({file}:{line}, {name}): they are not packed{others}"
        );
        self.demands.push(Demand::Report(Message::Note(Note::new("script-not-read", place, says))));
    }
}
