//! Reads a Dockerfile: its instructions and stages, with the text of each as written (Dockerfile reference, "Format",
//! "Parser directives", "Here-documents"). Nothing is expanded or run.
//!
//! The published parsers were tried first: parse-dockerfile 0.1.9, dockerfile-parser 0.9 and dockerfile-parser-rs 3.4 all
//! refuse a here-document behind the first word of a command (`RUN cat <<EOF`).

mod words;

use crate::error::Error;

pub use words::{Form, exec_or_shell, expand, pairs};

/// Maximum size of a Dockerfile.
pub const MAX_TEXT: usize = 4 << 20;
/// Maximum number of instructions.
const MAX_INSTRUCTIONS: usize = 10_000;

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Its name in capitals.
    pub name: String,
    /// The options after the name, such as `--from=builder`.
    pub flags: Vec<String>,
    /// The rest, in one line: continued lines are joined. In lists of names and values the escape character is a
    /// backslash, whatever the directive says.
    pub rest: String,
    /// The text as written, with all lines, comments inside and here-documents.
    pub text: String,
}

/// A stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// The image or stage that it begins with.
    pub base: String,
    /// Its name.
    pub name: Option<String>,
    /// `FROM` as written.
    pub from: String,
    /// The instructions after `FROM`.
    pub instructions: Vec<Instruction>,
}

/// A Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// Comments, directives and ARG before the first stage, as written.
    pub head: String,
    /// The names and defaults of ARG before the first stage.
    pub args: Vec<(String, Option<String>)>,
    /// The stages.
    pub stages: Vec<Stage>,
    /// The escape character.
    pub escape: char,
}

/// Instructions with words that variables are replaced in, and which may have escape characters.
const WITH_WORDS: [&str; 8] = ["ARG", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"];
/// The escape character without a directive.
const BACKSLASH: char = '\\';

impl Dockerfile {
    /// Parses a Dockerfile.
    ///
    /// # Errors
    /// `bad-dockerfile`, with the number of the line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut file = Self { escape: escape(text), ..Self::default() };
        let mut lines = Lines { all: text.lines().collect(), at: 0, escape: file.escape };
        let (mut count, mut comments) = (0, String::new());
        while let Some(line) = lines.peek() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                comments.push_str(line);
                comments.push('\n');
                lines.at += 1;
                continue;
            }
            let first = lines.at + 1;
            let bad = |why: &str| Error::new("bad-dockerfile", format!("line {first}: {why}"));
            count += 1;
            if count > MAX_INSTRUCTIONS {
                return Err(bad("slimroot reads no more instructions"));
            }
            let mut instruction = lines.instruction().ok_or_else(|| bad("this is not an instruction"))?;
            instruction.text.insert_str(0, &std::mem::take(&mut comments));
            match (instruction.name.as_str(), file.stages.last_mut()) {
                ("FROM", _) => file.stages.push(stage(instruction).ok_or_else(|| bad("FROM has no image"))?),
                ("ARG", None) => {
                    file.args.extend(pairs(&instruction.rest));
                    file.head.push_str(&instruction.text);
                }
                (_, None) => return Err(bad("there is an instruction before the first FROM")),
                (_, Some(stage)) => stage.instructions.push(instruction),
            }
        }
        Ok(file)
    }

    /// The instructions that make a stage: those of the stages that it is based on come first, and before them those of
    /// its base image. An ENTRYPOINT resets the CMD that its stage inherits (Dockerfile reference, "Understand how CMD and
    /// ENTRYPOINT interact").
    pub fn lineage<'f>(&'f self, stage: usize, base: &'f [Instruction]) -> Vec<&'f Instruction> {
        let chain = self.chain(stage);
        let stages = chain.iter().rev().map(|at| self.stages[*at].instructions.as_slice());
        let mut found: Vec<&Instruction> = Vec::new();
        for instructions in std::iter::once(base).chain(stages) {
            if instructions.iter().any(|one| one.name == "ENTRYPOINT") {
                found.retain(|one| one.name != "CMD");
            }
            found.extend(instructions);
        }
        found
    }

    /// The image that a stage is based on, as its FROM writes it.
    pub fn base_image(&self, stage: usize) -> Option<&str> {
        self.chain(stage).last().map(|at| self.stages[*at].base.as_str())
    }

    /// A stage and those that it is based on.
    fn chain(&self, stage: usize) -> Vec<usize> {
        let mut chain = vec![stage];
        while let Some(below) = chain.last().and_then(|at| self.named(&self.stages[*at].base, *at)) {
            chain.push(below);
        }
        chain
    }

    /// The stage of this name before another one.
    fn named(&self, name: &str, before: usize) -> Option<usize> {
        let is_it = |stage: &Stage| stage.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name));
        self.stages[..before].iter().rposition(is_it)
    }
}

/// The escape character that the directive sets.
fn escape(text: &str) -> char {
    let directives = text.lines().take_while(|line| line.trim_start().starts_with('#'));
    let values = directives.filter_map(|line| line.trim_start()[1..].split_once('='));
    let set = values
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("escape"))
        .find_map(|(_, v)| v.trim().chars().next());
    set.unwrap_or(BACKSLASH)
}

fn stage(from: Instruction) -> Option<Stage> {
    let words: Vec<&str> = from.rest.split_whitespace().collect();
    let base = (*words.first()?).to_owned();
    let is_named = words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("AS"));
    let name = words.get(2).filter(|_| is_named).map(|name| (*name).to_owned());
    Some(Stage { base, name, from: from.text, instructions: Vec::new() })
}

struct Lines<'t> {
    all: Vec<&'t str>,
    at: usize,
    escape: char,
}

impl<'t> Lines<'t> {
    fn peek(&self) -> Option<&'t str> {
        self.all.get(self.at).copied()
    }

    fn next(&mut self, text: &mut String) -> Option<&'t str> {
        let line = self.peek()?;
        self.at += 1;
        text.push_str(line);
        text.push('\n');
        Some(line)
    }

    /// The instruction that begins in the next line.
    fn instruction(&mut self) -> Option<Instruction> {
        let (mut text, mut whole) = (String::new(), String::new());
        while let Some(line) = self.next(&mut text) {
            // Comments and empty lines inside a continued instruction do not belong to it.
            if !whole.is_empty() && (line.trim_start().starts_with('#') || line.trim().is_empty()) {
                continue;
            }
            match line.trim_end().strip_suffix(self.escape) {
                Some(part) => whole.push_str(part),
                None => {
                    whole.push_str(line);
                    break;
                }
            }
        }
        let whole = whole.trim();
        let (name, mut rest) = whole.split_once(char::is_whitespace).unwrap_or((whole, ""));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphabetic()) {
            return None;
        }
        let name = name.to_ascii_uppercase();
        let mut flags = Vec::new();
        rest = rest.trim_start();
        while let Some(word) = rest.split_whitespace().next().filter(|word| word.starts_with("--")) {
            flags.push(word.to_owned());
            rest = rest[word.len()..].trim_start();
        }
        if matches!(name.as_str(), "RUN" | "COPY" | "ADD") {
            for (end, is_indented) in documents(rest) {
                while let Some(line) = self.next(&mut text) {
                    let line = if is_indented { line.trim_start_matches('\t') } else { line };
                    if line == end {
                        break;
                    }
                }
            }
        }
        let rest = match self.escape != BACKSLASH && WITH_WORDS.contains(&name.as_str()) {
            true => with_backslashes(rest, self.escape),
            false => rest.to_owned(),
        };
        Some(Instruction { name, flags, rest, text })
    }
}

/// A text with another escape character, written with backslashes.
fn with_backslashes(text: &str, escape: char) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            BACKSLASH => out.push_str(r"\\"),
            c if c == escape => out.push(BACKSLASH),
            c => out.push(c),
        }
    }
    out
}

/// The ends of the here-documents that a line begins: `<<EOF`, `<<-"EOF"`, `3<<EOF`.
fn documents(line: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for word in line.split_whitespace() {
        let Some(rest) = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<") else { continue };
        let (is_indented, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let end: String =
            rest.trim_start_matches(['"', '\'']).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !end.is_empty() {
            found.push((end, is_indented));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# syntax=docker/dockerfile:1\nARG V=12\nFROM debian:$V AS base\nENV A=b\n\nfrom base as x\nRUN apt-get \\\n  # \
                        why\n  install y\nRUN <<-'EOF' cat\n\tFROM no\n\tEOF\nCOPY --from=base --chmod=0755 a /b\nCMD [\"x\"]\n";

    #[test]
    fn instructions_and_stages_keep_their_text() {
        let file = Dockerfile::parse(TEXT).expect("a Dockerfile");
        assert_eq!(file.args, [("V".to_owned(), Some("12".to_owned()))]);
        assert_eq!(file.stages.iter().map(|stage| stage.base.as_str()).collect::<Vec<_>>(), ["debian:$V", "base"]);
        let names: Vec<&str> = file.lineage(1, &[]).iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["ENV", "RUN", "RUN", "COPY", "CMD"]);
        assert_eq!(
            file.stages[1].instructions[0].rest.split_whitespace().collect::<Vec<_>>(),
            ["apt-get", "install", "y"]
        );
        assert_eq!(file.stages[1].instructions[2].flags, ["--from=base", "--chmod=0755"]);
        let again: String = std::iter::once(file.head.clone())
            .chain(file.stages.iter().flat_map(|stage| {
                std::iter::once(stage.from.clone()).chain(stage.instructions.iter().map(|one| one.text.clone()))
            }))
            .collect();
        assert_eq!(again, TEXT);
    }

    #[test]
    fn an_entrypoint_resets_a_cmd_of_the_stages_below() {
        let names = |text: &str| -> Vec<String> {
            let file = Dockerfile::parse(text).expect("a Dockerfile");
            file.lineage(file.stages.len() - 1, &[]).iter().map(|one| one.rest.clone()).collect()
        };
        let below = "FROM x AS a\nCMD b\nENTRYPOINT c\n";
        assert_eq!(names(below), ["b", "c"]);
        assert_eq!(names(&format!("{below}FROM a\nENTRYPOINT d\n")), ["c", "d"]);
        assert_eq!(names(&format!("{below}FROM a\nCMD e\nENTRYPOINT d\n")), ["c", "e", "d"]);
    }

    #[test]
    fn another_escape_character_is_read_as_a_backslash() {
        let file = Dockerfile::parse("# escape=`\nFROM x\nENV A=c:\\d `\n B=`$e\nCMD [\"`\"]\n").expect("a Dockerfile");
        let rests: Vec<&str> = file.stages[0].instructions.iter().map(|one| one.rest.as_str()).collect();
        assert_eq!(rests, [r"A=c:\\d  B=\$e", r#"["`"]"#]);
    }

    #[test]
    fn documents_comments_and_line_ends_are_no_instructions() {
        let text = "FROM x\r\nHEALTHCHECK --interval=5s \\\r\n  CMD [\"a\", \\\r\n \"b\"]\r\nCMD a \\\n# why\n\n  --b \\\n c\nRUN <<A cat \
                    <<-B\nENV A=b\nA\n\tB\n# for d\nENTRYPOINT [ d ]\nEXPOSE 1 \\\n 2";
        let file = Dockerfile::parse(text).expect("a Dockerfile");
        let of = |name: &str| {
            let one = file.stages[0].instructions.iter().find(|one| one.name == name).expect("an instruction");
            (one.rest.split_whitespace().collect::<Vec<_>>().join(" "), one.text.as_str())
        };
        assert_eq!(of("HEALTHCHECK").0, r#"CMD ["a", "b"]"#);
        assert_eq!(of("CMD").0, "a --b c");
        assert_eq!(of("RUN").1, "RUN <<A cat <<-B\nENV A=b\nA\n\tB\n");
        assert_eq!(of("ENTRYPOINT"), ("[ d ]".to_owned(), "# for d\nENTRYPOINT [ d ]\n"));
        assert_eq!(of("EXPOSE").0, "1 2");
        assert_eq!(file.stages[0].instructions.len(), 5);
    }

    #[test]
    fn what_is_no_dockerfile_is_refused() {
        for text in ["RUN x\n", "FROM\n", "FROM a\n[x]\n", "FROM a\n{\"x\": 1}\n"] {
            assert_eq!(Dockerfile::parse(text).expect_err(text).code, "bad-dockerfile");
        }
        assert!(Dockerfile::parse("").expect("empty").stages.is_empty());
    }
}
