//! Interpreters of languages that no rule reads (`profiles/tables/unread.toml` documents each list).

use serde::Deserialize;

use crate::world::tables::{Words, table};

/// The beginning of a comment in most languages.
pub(super) const COMMENT: &str = "#";

/// All of these interpreters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    not_programs: Words,
    unread: Vec<Row>,
}

/// The syntax of an interpreter's arguments.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Row {
    #[serde(default)]
    names: Words,
    #[serde(default)]
    versioned: Words,
    #[serde(default)]
    file: Words,
    #[serde(default)]
    text: Words,
    #[serde(default)]
    dir: Words,
    #[serde(default)]
    valued: Words,
    operand: Operand,
    /// Files in the working directory; the first of them is run if no argument names one.
    #[serde(default)]
    pub(super) default: Words,
    #[serde(default)]
    starts: Words,
    /// Functions whose first argument is a command line of the shell.
    #[serde(default)]
    pub(super) calls: Words,
    /// Functions whose first argument is a format.
    #[serde(default)]
    pub(super) formats: Words,
    /// Ends of the names of sources that a program with an embedded interpreter loads.
    #[serde(default)]
    endings: Words,
    /// Ends of the names of sources that a script loads by their names.
    #[serde(default)]
    pub(super) loads: Words,
    /// The beginning of a comment.
    #[serde(default)]
    comment: Option<String>,
}

/// The meaning of the first operand.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Operand {
    File,
    Text,
    Other,
}

/// Scripts and commands in the arguments of an interpreter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    /// Files, relative to the directory.
    pub(super) files: Vec<String>,
    /// Program texts.
    pub(super) texts: Vec<String>,
    /// The working directory, if an option changes it.
    pub(super) dir: Option<String>,
}

table! {
    /// The table.
    fn table() -> Table = "unread"
}

/// The interpreter of a program's name.
pub(super) fn row(name: &str) -> Option<&'static Row> {
    table().unread.iter().find(|row| row.is(name))
}

/// The language of a source, by the end of its name.
pub(super) fn row_of_source(name: &[u8]) -> Option<&'static Row> {
    table().unread.iter().find(|row| row.endings.end(name))
}

/// True for a word that nearly always means something else than the program of this name.
pub(in crate::language) fn is_no_program(word: &str) -> bool {
    table().not_programs.contain(word)
}

impl Row {
    fn is(&self, name: &str) -> bool {
        let is_version = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        self.names.contain(name) || self.versioned.iter().filter_map(|start| name.strip_prefix(start)).any(is_version)
    }

    /// True if a program with this text may start or load something.
    pub(super) fn may_start(&self, text: &str) -> bool {
        self.starts.is_empty() || self.starts.occur_in(text)
    }

    /// The text that begins a comment.
    pub(super) fn comment(&self) -> &str {
        self.comment.as_deref().unwrap_or(COMMENT)
    }

    /// Parses arguments.
    pub(super) fn runs(&self, args: &[String]) -> Runs {
        let mut runs = Runs::default();
        let mut operand = None;
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if let Some((option, attached)) = self.option(word) {
                let value = attached.map(str::to_owned).or_else(|| words.next().cloned());
                match value {
                    Some(value) if self.file.contain(option) => runs.files.push(value),
                    Some(value) if self.text.contain(option) => runs.texts.push(value),
                    Some(value) if self.dir.contain(option) => runs.dir = Some(value),
                    _ => {}
                }
            } else if word == "--" {
                operand = operand.or_else(|| words.next());
                break;
            } else if !word.starts_with('-') {
                operand = operand.or(Some(word));
                if self.operand != Operand::Other {
                    break;
                }
            }
        }
        if runs.files.is_empty() && runs.texts.is_empty() {
            match self.operand {
                Operand::File => runs.files.extend(operand.cloned()),
                Operand::Text => runs.texts.extend(operand.cloned()),
                Operand::Other => {}
            }
        }
        runs
    }

    /// The option that takes a value in this argument, and the value if the argument contains it: `-fFILE`, `--file=FILE`.
    fn option<'w>(&self, word: &'w str) -> Option<(&'w str, Option<&'w str>)> {
        let is_valued = |option: &str| {
            [&self.file, &self.text, &self.dir, &self.valued].iter().any(|options| options.contain(option))
        };
        if !word.starts_with('-') || is_valued(word) {
            return is_valued(word).then_some((word, None));
        }
        if let Some((option, value)) = word.split_once('=').filter(|(option, _)| is_valued(option)) {
            return Some((option, Some(value)));
        }
        let (letter, rest) = word.split_at_checked(2)?;
        (letter != "--" && !rest.is_empty() && is_valued(letter)).then_some((letter, Some(rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn files_and_texts_are_found_behind_options() {
        let found = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let runs = row(&words[0]).expect("a row").runs(&words[1..]);
            format!("{} | {} | {}", runs.files.join(" "), runs.texts.join(" "), runs.dir.unwrap_or_default())
        };
        assert_eq!(found("awk -F : -f a.awk data"), "a.awk |  | ");
        assert_eq!(found("awk -fa.awk -vx=1 data"), "a.awk |  | ");
        assert_eq!(found("mawk -v x=1 {print} data"), " | {print} | ");
        assert_eq!(found("make -C /srv --file=b.mk run"), "b.mk |  | /srv");
        assert_eq!(found("make run"), " |  | ");
        assert_eq!(found("lua5.4 -l x a.lua -f b"), "a.lua |  | ");
        assert_eq!(found("tclsh8.6 -- a.tcl"), "a.tcl |  | ");
        assert_eq!(found("sbcl --noinform --script a.lisp"), "a.lisp |  | ");
        assert!(row("luac").is_none());
    }
}
