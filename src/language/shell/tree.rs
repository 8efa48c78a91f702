//! Parses shell scripts with tree-sitter's grammar for bash, which also covers POSIX shells. Only this file depends on
//! it. The result is the script's steps in order, with words split into parts, and a flag that is false if the text was
//! not understood completely.

use tree_sitter::{Node, ParseOptions, ParseState, Parser};

use crate::language::source::interpreters::Tongue;

/// Maximum nesting depth, number of steps and progress reports of the parser; no script written by a person exceeds
/// them. These are counts, not seconds, so that the same text always gives the same steps.
const MAX_DEPTH: usize = 160;
const MAX_STEPS: usize = 20_000;
const MAX_PROGRESS: usize = 40_000;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text after the shell has removed quotes.
    Text(String),
    /// A variable, with the default value in its expansion; arrays as `name[@]`.
    Variable(String, Option<Word>),
    /// A command substitution, as source text.
    Output(String),
    /// A glob such as `*`, or an expansion that is not interpreted.
    Other(String),
}

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Its parts in order.
    pub(super) parts: Vec<Part>,
    /// True if quotes prevent word splitting.
    pub(super) is_quoted: bool,
}

/// A simple command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Simple {
    /// Its line number, starting at one.
    pub(super) line: usize,
    /// Assignments before the command.
    pub(super) prefix: Vec<(String, Word)>,
    /// The command and its arguments.
    pub(super) words: Vec<Word>,
    /// The function whose body contains the command.
    pub(super) function: Option<String>,
    /// True if a failure is ignored (`|| true`).
    pub(super) is_soft: bool,
    /// True if some runs of the script do not reach it, because it is in a branch, a loop or a list.
    pub(super) is_conditional: bool,
    /// True for the last command of the script.
    pub(super) is_last: bool,
    /// What it reads on standard input, if that is written in the script.
    pub(super) input: Option<Input>,
}

/// What a command reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A file.
    File(Word),
    /// A here-document or here-string.
    Text(String),
}

/// A step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A simple command.
    Command(Simple),
    /// An assignment of a word, of the words of an array, or of an unknown value.
    Assign {
        /// The variable.
        name: String,
        /// The values, of which only arrays have more than one; `None` if unknown.
        words: Option<Vec<Word>>,
        /// True for an array.
        is_array: bool,
        /// True for `+=`.
        is_added: bool,
    },
    /// Variables that are exported from here on.
    Export(Vec<String>),
    /// A loop over words, with its variable.
    Loop(String, Vec<Word>),
    /// The definition of a function.
    Function(String),
    /// A test for the existence of a file.
    Tested(Word),
    /// A file, or the lines of a here-document, that a loop reads.
    Input(Word),
    /// The start of a subshell, substitution or function body, which has its own directory and variables.
    Open,
    /// The end; see [`Step::Open`].
    Close,
}

/// A parsed script.
#[derive(Debug, Default)]
pub(in crate::language) struct Script {
    /// Its steps.
    pub(super) steps: Vec<Step>,
    /// True if the whole script was understood.
    pub(super) is_whole: bool,
}

/// Parses a script. For other text, the result contains the parts that look like commands.
pub(in crate::language) fn parse(text: &str) -> Script {
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_bash::LANGUAGE.into()).is_err() {
        return Script::default();
    }
    let mut progress = 0;
    let mut is_too_long = |_: &ParseState| {
        progress += 1;
        progress > MAX_PROGRESS
    };
    let bytes = text.as_bytes();
    let mut read = |at: usize, _| bytes.get(at..).unwrap_or_default();
    let options = ParseOptions::new().progress_callback(&mut is_too_long);
    let Some(tree) = parser.parse_with_options(&mut read, None, Some(options)) else { return Script::default() };
    let mut walk = Walk { text, steps: Vec::new(), is_whole: !tree.root_node().has_error() };
    walk.visit(tree.root_node(), &Place::default(), 0);
    // The last step comes from the last statement of the script, if that statement is a simple command.
    if let Some(Step::Command(last)) = walk.steps.last_mut() {
        last.is_last = !last.is_conditional && last.function.is_none();
    }
    Script { steps: walk.steps, is_whole: walk.is_whole }
}

#[derive(Clone, Default)]
struct Place {
    function: Option<String>,
    is_soft: bool,
    is_conditional: bool,
}

struct Walk<'t> {
    text: &'t str,
    steps: Vec<Step>,
    is_whole: bool,
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}

impl Walk<'_> {
    fn text(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn visit(&mut self, node: Node<'_>, place: &Place, depth: usize) {
        if depth > MAX_DEPTH || self.steps.len() > MAX_STEPS {
            self.is_whole = false;
            return;
        }
        let each = |walk: &mut Self, place: &Place| {
            for child in children(node).into_iter().filter(Node::is_named) {
                walk.visit(child, place, depth + 1);
            }
        };
        match node.kind() {
            "comment" => {}
            "command" => {
                each(self, place);
                self.command(node, place);
            }
            "variable_assignment" => {
                each(self, place);
                self.assignment(node);
            }
            "declaration_command" => {
                each(self, place);
                self.export(node);
            }
            "function_definition" => {
                let name = node.child_by_field_name("name").map_or("", |name| self.text(name)).to_owned();
                self.steps.push(Step::Function(name.clone()));
                self.steps.push(Step::Open);
                each(self, &Place { function: Some(name), ..place.clone() });
                self.steps.push(Step::Close);
            }
            "subshell" | "command_substitution" | "process_substitution" => {
                self.steps.push(Step::Open);
                each(self, place);
                self.steps.push(Step::Close);
            }
            "list" => self.list(node, place, depth),
            "unary_expression" => {
                each(self, place);
                let parts = children(node);
                if let [operator, .., operand] = parts.as_slice()
                    && matches!(self.text(*operator), "-x" | "-f" | "-e" | "-r" | "-s" | "-d")
                {
                    let word = self.word(*operand);
                    self.steps.push(Step::Tested(word));
                }
            }
            "for_statement" | "select_statement" => {
                if let Some(name) = node.child_by_field_name("variable").map(|name| self.text(name).to_owned()) {
                    let mut cursor = node.walk();
                    let words = node.children_by_field_name("value", &mut cursor).map(|word| self.word(word)).collect();
                    self.steps.push(Step::Loop(name, words));
                }
                each(self, &Place { is_conditional: true, ..place.clone() });
            }
            "heredoc_body" => {
                each(self, place);
                self.backticks(node, place);
                self.written(node, place);
            }
            "redirected_statement" => {
                let body = node.child_by_field_name("body");
                if body.is_some_and(|body| body.kind() == "while_statement") {
                    self.input(node);
                }
                for child in children(node).into_iter().filter(Node::is_named) {
                    self.visit(child, place, depth + 1);
                    if body == Some(child) && child.kind() == "command" {
                        let input = self.redirected(node);
                        if let Some(Step::Command(command)) = self.steps.last_mut().filter(|_| input.is_some()) {
                            command.input = input;
                        }
                    }
                }
            }
            "if_statement" | "while_statement" | "case_statement" | "c_style_for_statement" | "pipeline" => {
                each(self, &Place { is_conditional: true, ..place.clone() });
            }
            _ => each(self, place),
        }
    }

    /// `export A B=c`, `declare -x A`, `typeset -x A`.
    fn export(&mut self, node: Node<'_>) {
        let parts = children(node);
        let is_export = match parts.first().map(|first| self.text(*first)) {
            Some("export") => !parts.iter().any(|part| self.text(*part).starts_with("-n")),
            Some("declare" | "typeset") => {
                parts.iter().any(|part| self.text(*part).starts_with('-') && self.text(*part).contains('x'))
            }
            _ => false,
        };
        let name = |part: &Node<'_>| match part.kind() {
            "variable_name" => Some(self.text(*part).to_owned()),
            "variable_assignment" => part.child_by_field_name("name").map(|name| self.text(name).to_owned()),
            _ => None,
        };
        if is_export {
            let names = parts.iter().filter_map(name).collect();
            self.steps.push(Step::Export(names));
        }
    }

    /// `a || b`: the failure of `a` is ignored if `b` does nothing.
    fn list(&mut self, node: Node<'_>, place: &Place, depth: usize) {
        let parts = children(node);
        let is_or = parts.iter().any(|part| part.kind() == "||");
        let last = parts.last().map_or("", |part| self.text(*part)).trim();
        let is_soft = place.is_soft || is_or && matches!(last, "true" | ":");
        for part in parts.into_iter().filter(Node::is_named) {
            self.visit(part, &Place { is_soft, is_conditional: true, ..place.clone() }, depth + 1);
        }
    }

    fn command(&mut self, node: Node<'_>, place: &Place) {
        let (mut prefix, mut words, mut input) = (Vec::new(), Vec::new(), None);
        for (at, child) in children(node).into_iter().enumerate() {
            let field = node.field_name_for_child(u32::try_from(at).unwrap_or(u32::MAX));
            match (child.kind(), field) {
                ("variable_assignment", _) => {
                    let name = child.child_by_field_name("name").map_or("", |name| self.text(name)).to_owned();
                    let value = child.child_by_field_name("value").map(|value| self.word(value));
                    // The assignment applies only to this command, so remove the step that `visit` added for it.
                    let own = self
                        .steps
                        .iter()
                        .rposition(|step| matches!(step, Step::Assign { name: known, .. } if *known == name));
                    if let Some(own) = own {
                        self.steps.remove(own);
                    }
                    prefix.push((name, value.unwrap_or_default()));
                }
                ("command_name", _) => words.extend(child.child(0).map(|name| self.word(name))),
                (_, Some("argument")) => words.push(self.word(child)),
                ("herestring_redirect", _) => input = self.here_string(child),
                _ => {}
            }
        }
        let (line, function) = (node.start_position().row + 1, place.function.clone());
        let Place { is_soft, is_conditional, .. } = *place;
        self.steps.push(Step::Command(Simple {
            line,
            prefix,
            words,
            function,
            is_soft,
            is_conditional,
            is_last: false,
            input,
        }));
    }

    fn assignment(&mut self, node: Node<'_>) {
        let Some(name) = node.child_by_field_name("name") else { return };
        let is_added = children(node).iter().any(|child| child.kind() == "+=");
        let value = node.child_by_field_name("value");
        let is_array = value.is_some_and(|value| value.kind() == "array");
        let words = match value {
            Some(value) if is_array => {
                children(value).into_iter().filter(Node::is_named).map(|w| self.word(w)).collect()
            }
            Some(value) => vec![self.word(value)],
            None => vec![Word::default()],
        };
        let words = (name.kind() == "variable_name").then_some(words);
        let name = self.text(name).split('[').next().unwrap_or_default().to_owned();
        self.steps.push(Step::Assign { name, words, is_array, is_added });
    }

    /// Backtick commands in a here-document, which the grammar treats as text.
    fn backticks(&mut self, body: Node<'_>, place: &Place) {
        let start = body.parent().and_then(|parent| children(parent).into_iter().find(|c| c.kind() == "heredoc_start"));
        if start.is_none_or(|start| self.text(start).contains(['\'', '"', '\\'])) {
            return;
        }
        let text = self.text(body).to_owned();
        let pieces: Vec<&str> = text.split('`').collect();
        if pieces.len().is_multiple_of(2) {
            return;
        }
        let line = body.start_position().row;
        for piece in pieces.iter().skip(1).step_by(2) {
            for mut step in parse(piece).steps {
                if let Step::Command(command) = &mut step {
                    command.line += line;
                    command.function.clone_from(&place.function);
                }
                self.steps.push(step);
            }
        }
    }

    /// What is redirected into a loop: `done < FILE`, `done <<END`.
    fn input(&mut self, node: Node<'_>) {
        for redirect in children(node) {
            match redirect.kind() {
                "file_redirect" if self.text(redirect).trim_start().starts_with('<') => {
                    if let Some(file) = redirect.child_by_field_name("destination") {
                        let word = self.word(file);
                        self.steps.push(Step::Input(word));
                    }
                }
                "heredoc_redirect" => {
                    let body = children(redirect).into_iter().find(|child| child.kind() == "heredoc_body");
                    if let Some(body) = body {
                        let parts = vec![Part::Text(format!("\n{}", self.text(body)))];
                        self.steps.push(Step::Input(Word { parts, is_quoted: true }));
                    }
                }
                _ => {}
            }
        }
    }

    /// What a statement redirects into its command: `x < FILE`, `x <<END`, `x <<< TEXT`.
    fn redirected(&self, node: Node<'_>) -> Option<Input> {
        children(node).into_iter().find_map(|redirect| match redirect.kind() {
            "file_redirect" if self.text(redirect).trim_start().starts_with('<') => {
                let file = redirect.child_by_field_name("destination")?;
                Some(Input::File(self.word(file)))
            }
            "heredoc_redirect" => {
                let body = children(redirect).into_iter().find(|child| child.kind() == "heredoc_body")?;
                Some(Input::Text(self.text(body).to_owned()))
            }
            "herestring_redirect" => self.here_string(redirect),
            _ => None,
        })
    }

    fn here_string(&self, node: Node<'_>) -> Option<Input> {
        let word = self.word(children(node).into_iter().rfind(Node::is_named)?);
        match word.parts.as_slice() {
            [Part::Text(text)] => Some(Input::Text(text.clone())),
            _ => None,
        }
    }

    /// The commands of a here-document that is a script: one for a shell, or one with a `#!` line that is written to a
    /// file and run later.
    fn written(&mut self, body: Node<'_>, place: &Place) {
        let text = self.text(body).trim_start().to_owned();
        let last = |path: &str| Tongue::Shell.is_run_by(path.rsplit('/').next().unwrap_or(path));
        let first = text.strip_prefix("#!").and_then(|text| text.lines().next()).unwrap_or_default();
        let statement = body.parent().and_then(|redirect| redirect.parent());
        let command = statement.and_then(|statement| statement.child_by_field_name("body"));
        let command = command.map_or("", |command| self.text(command)).to_owned();
        let is_input = command.split_whitespace().next().is_some_and(last) && !command.contains("-c");
        if !is_input && !first.split_whitespace().any(last) {
            return;
        }
        let line = body.start_position().row;
        self.steps.push(Step::Open);
        for mut step in parse(&text).steps {
            if let Step::Command(command) = &mut step {
                command.line += line;
                command.is_last = false;
                command.is_soft = true;
                command.function.clone_from(&place.function);
            }
            self.steps.push(step);
        }
        self.steps.push(Step::Close);
    }

    /// Splits a word into its parts.
    fn word(&self, node: Node<'_>) -> Word {
        let is_quoted = matches!(node.kind(), "string" | "raw_string" | "ansi_c_string" | "translated_string");
        let mut word = Word { parts: Vec::new(), is_quoted };
        self.parts(node, &mut word.parts, 0);
        word
    }

    fn parts(&self, node: Node<'_>, parts: &mut Vec<Part>, depth: usize) {
        let text = self.text(node);
        match node.kind() {
            _ if depth > MAX_DEPTH => parts.push(Part::Other(text.to_owned())),
            "raw_string" => parts.push(Part::Text(text.trim_matches('\'').to_owned())),
            "word" | "number" | "variable_name" if text.contains(['*', '?', '[']) && node.kind() == "word" => {
                parts.push(Part::Other(text.to_owned()));
            }
            "word" | "number" | "variable_name" | "test_operator" if node.child_count() == 0 => {
                parts.push(Part::Text(unescaped(text, false)));
            }
            "extglob_pattern" | "brace_expression" => parts.push(Part::Other(text.to_owned())),
            "string" => self.quoted(node, parts, depth),
            "translated_string" | "concatenation" | "command_name" => {
                for child in children(node) {
                    self.parts(child, parts, depth + 1);
                }
            }
            "simple_expansion" => parts.push(Part::Variable(text.trim_start_matches('$').to_owned(), None)),
            "expansion" => parts.push(self.expansion(node)),
            "command_substitution" => parts.push(Part::Output(text.to_owned())),
            _ if node.is_named() => parts.push(Part::Other(text.to_owned())),
            _ => parts.push(Part::Text(text.to_owned())),
        }
    }

    /// The contents of double quotes: expansions, and the text between them including blanks.
    fn quoted(&self, node: Node<'_>, parts: &mut Vec<Part>, depth: usize) {
        let range = node.byte_range();
        let (mut at, end) = (range.start + 1, range.end.saturating_sub(1));
        for child in children(node) {
            if !matches!(child.kind(), "simple_expansion" | "expansion" | "command_substitution") {
                continue;
            }
            if at < child.start_byte() {
                let text = self.text.get(at..child.start_byte()).unwrap_or_default();
                parts.push(Part::Text(unescaped(text, true)));
            }
            self.parts(child, parts, depth + 1);
            at = child.end_byte();
        }
        if at < end {
            parts.push(Part::Text(unescaped(self.text.get(at..end).unwrap_or_default(), true)));
        }
    }

    /// `${name}`, `${name:-word}`, `${name[@]}`; other operators are not interpreted.
    fn expansion(&self, node: Node<'_>) -> Part {
        let text = self.text(node);
        let inner = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).unwrap_or_default();
        let end =
            inner.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '@' | '*')).unwrap_or(inner.len());
        let (name, rest) = inner.split_at(end);
        if name.is_empty() {
            return Part::Other(text.to_owned());
        }
        match rest {
            "" | "[0]" => Part::Variable(name.to_owned(), None),
            "[@]" | "[*]" => Part::Variable(format!("{name}[@]"), None),
            _ if [":-", "-", ":=", "="].iter().any(|operator| rest.starts_with(operator)) => {
                let mut word = Word::default();
                let is_after = |child: &Node<'_>| matches!(child.kind(), ":-" | "-" | ":=" | "=");
                for child in children(node).into_iter().skip_while(|child| !is_after(child)).skip(1) {
                    if child.kind() != "}" {
                        self.parts(child, &mut word.parts, 1);
                    }
                }
                Part::Variable(name.to_owned(), Some(word))
            }
            _ => Part::Other(text.to_owned()),
        }
    }
}

/// Removes the backslashes that the shell removes.
fn unescaped(text: &str, is_quoted: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => {
                chars.next();
            }
            ('\\', Some(next)) if !is_quoted || matches!(next, '$' | '`' | '"' | '\\') => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(text: &str) -> Vec<String> {
        let plain = |word: &Word| match word.parts.as_slice() {
            [Part::Text(text)] => text.clone(),
            [Part::Variable(name, None)] => format!("${name}"),
            [Part::Variable(name, Some(word))] => format!("${name} or {:?}", word.parts),
            parts => format!("{parts:?}"),
        };
        let steps = parse(text).steps.into_iter();
        let commands = steps.filter_map(|step| if let Step::Command(command) = step { Some(command) } else { None });
        commands.map(|command| command.words.first().map(plain).unwrap_or_default()).collect()
    }

    #[test]
    fn commands_of_every_position_are_seen() {
        assert_eq!(commands("a | b && c; d &\n( e ); { f; }; ! g"), ["a", "b", "c", "d", "e", "f", "g"]);
        assert_eq!(commands("x=$(a `b`) y=1 c \"$(d)\" <(e)"), ["b", "a", "d", "e", "c"]);
        assert_eq!(
            commands("case $1 in a) b;; *) c;; esac; if d; then e; fi; while f; do g; done"),
            ["b", "c", "d", "e", "f", "g"]
        );
        assert_eq!(commands("cat <<X\ncurl $(date) `uname`\nX\n"), ["cat", "date", "uname"]);
        assert_eq!(commands("cat <<'X'\ncurl $(date) `uname`\nX\n"), ["cat"]);
        assert_eq!(commands("\"$p\" x; ${E:-vi} y; exec \"${c[@]}\""), ["$p", "$E or [Text(\"vi\")]", "exec"]);
    }

    #[test]
    fn words_are_what_the_shell_makes_of_them() {
        let script = parse("a 'b c' \"d\\\"  $e  f\" g\\ h");
        let Some(Step::Command(command)) = script.steps.last() else { panic!("{script:?}") };
        let text = |text: &str| Part::Text(text.to_owned());
        let parts: Vec<_> = command.words.iter().map(|word| word.parts.clone()).collect();
        assert_eq!(parts[1], [text("b c")]);
        assert_eq!(parts[2], [text("d\"  "), Part::Variable("e".to_owned(), None), text("  f")]);
        assert_eq!(parts[3], [text("g h")]);
        assert!(script.is_whole);
    }

    #[test]
    fn what_nobody_wrote_ends() {
        for text in [
            "$(".repeat(100_000),
            "(".repeat(500_000),
            "a <<X\n".repeat(50_000),
            "`\"${".repeat(50_000),
            "{ ".repeat(300_000),
        ] {
            assert!(!parse(&text).is_whole || text.starts_with("a <<"));
        }
    }
}
