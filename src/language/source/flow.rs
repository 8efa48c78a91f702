//! Commands that a source keeps in variables: the texts that assignments give to the variable of a command, followed
//! through other variables of the same source. Reads Perl, PHP and Ruby lexically, without a grammar.

use std::collections::BTreeSet;

/// Maximum number of variables between a command and its text.
const MAX_STEPS: usize = 64;
/// Maximum length of the text that an assignment gives.
const MAX_VALUE: usize = 4096;

/// A call whose command is a variable.
#[derive(Debug, PartialEq)]
pub(super) struct Computed {
    /// The variable, without its sign.
    pub(super) variable: String,
    /// The offset of the call.
    pub(super) at: usize,
}

/// The variable with which the first argument after `at` begins, as in `($cmd, …)`, `"$cmd …"`, `\@cmd` and `[$cmd]`.
/// Without `has_signs`, a plain name is a variable: `system(cmd)`, `"#{cmd} …"`.
pub(super) fn computed(text: &[u8], at: usize, has_signs: bool) -> Option<Computed> {
    let mut rest = text.get(at..)?;
    let mut is_quoted = false;
    loop {
        rest = rest.trim_ascii_start();
        match rest.first()? {
            b'(' | b'[' | b'\\' | b'{' if !is_quoted => rest = &rest[1..],
            b'"' | b'`' if !is_quoted => (rest, is_quoted) = (&rest[1..], true),
            b'|' if is_quoted => rest = &rest[1..],
            // `"{$name}"` of PHP.
            b'{' if is_quoted && rest.get(1) == Some(&b'$') => rest = &rest[1..],
            _ => break,
        }
    }
    let own = member(rest);
    let (is_member, rest) = (own.len() != rest.len(), own);
    let named = match (rest.first()?, has_signs) {
        // A constant of a class.
        (first, true) if is_member && first.is_ascii_uppercase() => rest,
        (b'$' | b'@' | b'>', true) => rest[1..].strip_prefix(b"{").unwrap_or(&rest[1..]),
        (b'#', false) if is_quoted => rest[1..].strip_prefix(b"{")?,
        (b'*', false) if !is_quoted => &rest[1..],
        (_, false) if !is_quoted => rest,
        _ => return None,
    };
    let variable = word(named)?;
    // A plain name before a parenthesis is a call, and a capital one a class.
    let after = &named[variable.len()..];
    let is_call = is_member && after.starts_with(b"(");
    let is_variable = has_signs && !is_call
        || !has_signs && !after.starts_with(b"(") && !after.starts_with(b".") && !after.starts_with(b"::");
    is_variable.then(|| Computed { variable: variable.to_owned(), at })
}

/// The text from the member on, in `$this->name`, `self::NAME` and `self::$name`.
fn member(text: &[u8]) -> &[u8] {
    let own = [&b"$this->"[..], b"self::", b"static::", b"$self->"].into_iter().find_map(|own| text.strip_prefix(own));
    match own {
        // A sign makes it a variable again.
        Some(rest) if rest.first().is_some_and(|b| b.is_ascii_lowercase()) => &text[text.len() - rest.len() - 1..],
        Some(rest) => rest,
        None => text,
    }
}

/// The offset of the argument after `count` others of a call whose arguments begin at an offset.
pub(super) fn argument(text: &[u8], at: usize, count: usize) -> Option<usize> {
    let (mut at, mut depth, mut left) = (at, 0_usize, count);
    let end = text.len().min(at + MAX_VALUE);
    while at < end {
        match text[at] {
            byte if left == 0 && !byte.is_ascii_whitespace() => return Some(at),
            b'\'' | b'"' => at += quoted(&text[at..end])?.len() + 1,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            b';' if depth == 0 => return None,
            b',' if depth == 0 => left = left.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The variable with which the text in backticks or similar quotes begins.
pub(super) fn in_quotes(command: &[u8], has_signs: bool) -> Option<Computed> {
    let command = command.trim_ascii_start();
    let is_variable =
        if has_signs { command.starts_with(b"$") || command.starts_with(b"@") } else { command.starts_with(b"#{") };
    computed(&[b"\"", command].concat(), 0, has_signs).filter(|_| is_variable)
}

/// The command that a call of open starts with a text which begins or ends with a bar (perlfunc(1)); its offset too.
pub(super) fn piped(source: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let call = statement(&source[at..], false);
    let mut from = 0;
    while let Some(open) = call[from..].iter().position(|b| matches!(b, b'\'' | b'"')).map(|open| from + open) {
        let inner = quoted(&call[open..])?;
        from = open + inner.len() + 2;
        let text = inner.trim_ascii();
        let command = text.strip_prefix(b"|").or_else(|| text.strip_suffix(b"|")).map(<[u8]>::trim_ascii);
        if let Some(command) = command.filter(|command| !command.is_empty() && *command != b"-") {
            return Some((at + open + 1, command));
        }
    }
    None
}

/// The word at the beginning of a text.
pub(super) fn word(text: &[u8]) -> Option<&str> {
    let end = text.iter().position(|b| !is_word(*b)).unwrap_or(text.len());
    let found = std::str::from_utf8(&text[..end]).ok()?;
    (!found.is_empty() && !found.as_bytes()[0].is_ascii_digit()).then_some(found)
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The texts that may be the value of a variable, each with its offset.
pub(super) fn texts(source: &[u8], variable: &str, has_signs: bool) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([variable.to_owned()]);
    let mut open = vec![variable.to_owned()];
    while let Some(name) = open.pop() {
        for (at, value) in values(source, &name, has_signs) {
            for piece in pieces(value, has_signs) {
                match piece {
                    Piece::Text(text, _) if found.iter().any(|(known, _)| *known == text) => {}
                    Piece::Text(text, from) => found.push((text, at + from)),
                    Piece::Name(next) if seen.len() < MAX_STEPS && seen.insert(next.clone()) => open.push(next),
                    Piece::Name(_) => {}
                }
            }
        }
    }
    found
}

/// Values that assignments, loops and lists give to a variable, each with its offset.
fn values<'s>(source: &'s [u8], name: &str, has_signs: bool) -> Vec<(usize, &'s [u8])> {
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(source, name.as_bytes()) {
        let before = &source[..at];
        let after = &source[at + name.len()..];
        if before.last().is_some_and(|b| is_word(*b)) || after.first().is_some_and(|b| is_word(*b)) {
            continue;
        }
        let is_signed = before.last().is_some_and(|b| b"$@%{".contains(b)) || before.ends_with(b"->");
        let line = &before[before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)..];
        let says = |keyword: &str| memchr::memmem::find(line, keyword.as_bytes()).is_some();
        let rest = subscripts(after).trim_ascii_start();
        let is_constant = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit());
        let value = match rest {
            [b'=', b'=' | b'~', ..] => None,
            [b'=', b'>', rest @ ..] => is_constant.then_some(rest),
            [b'=', rest @ ..] => (!has_signs || is_signed || is_constant).then_some(rest),
            [b'|', b'|', b'=', rest @ ..] | [b'/', b'/', b'=', rest @ ..] | [b'?', b'?', b'=', rest @ ..] => Some(rest),
            // `$ENV{PAGER} || 'less'`: the alternative of a value.
            [b'|', b'|', rest @ ..] | [b'/', b'/', rest @ ..] if is_signed || is_constant => {
                Some(rest).filter(|rest| matches!(rest.trim_ascii_start().first(), Some(b'\'' | b'"')))
            }
            [b'.' | b'+', b'=', rest @ ..] | [b'<', b'<', rest @ ..] => Some(rest),
            [b'(', ..] if is_signed && says("for") => Some(rest),
            [b',', rest @ ..] if says("push") || says("define") => Some(rest),
            [b'\'' | b'"', b',', rest @ ..] if says("define") => Some(rest),
            _ => None,
        };
        if let Some(value) = value {
            found.push((source.len() - value.len(), statement(value, !has_signs)));
        }
    }
    found
}

/// The text after subscripts such as `{x}`, `[0]` and `->{x}`.
fn subscripts(mut text: &[u8]) -> &[u8] {
    text = text.strip_prefix(b"}").unwrap_or(text);
    loop {
        let rest = text.strip_prefix(b"->").unwrap_or(text);
        let close = match rest.first() {
            Some(b'{') => b'}',
            Some(b'[') => b']',
            _ => return text,
        };
        let Some(end) = memchr::memchr(close, &rest[..rest.len().min(MAX_VALUE)]) else { return text };
        text = &rest[end + 1..];
    }
}

/// The text up to the end of its statement: a semicolon, or the end of the line, outside of brackets and quotes.
fn statement(text: &[u8], ends_with_line: bool) -> &[u8] {
    let text = &text[..text.len().min(MAX_VALUE)];
    let (mut depth, mut at) = (0usize, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\'' | b'"' => at += quoted(&text[at..]).map_or(0, |inner| inner.len() + 1),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return &text[..at],
            b')' | b']' | b'}' => {
                depth -= 1;
                // A loop's list ends here; what follows is its body.
                if depth == 0 && text.starts_with(b"(") && text[at + 1..].trim_ascii_start().starts_with(b"{") {
                    return &text[..at];
                }
            }
            b';' if depth == 0 => return &text[..at],
            b'\n' if depth == 0 && ends_with_line => return &text[..at],
            _ => {}
        }
        at += 1;
    }
    text
}

/// The text between the quotes with which a text begins.
pub(super) fn quoted(text: &[u8]) -> Option<&[u8]> {
    let quote = *text.first()?;
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            _ if *byte == quote => return Some(&text[1..at]),
            _ => {}
        }
        at += 1;
    }
    None
}

/// A part of a value.
enum Piece {
    /// A literal with its offset.
    Text(String, usize),
    /// A variable.
    Name(String),
}

/// The literals and variables of a value.
fn pieces(value: &[u8], has_signs: bool) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let rest = &value[at..];
        if matches!(rest[0], b'\'' | b'"') {
            let Some(inner) = quoted(rest) else { break };
            match computed(rest, 0, has_signs).filter(|_| rest[0] == b'"') {
                Some(computed) => found.push(Piece::Name(computed.variable)),
                None => found.push(Piece::Text(String::from_utf8_lossy(inner).into_owned(), at)),
            }
            at += inner.len() + 2;
            continue;
        }
        if let Some(list) = rest.strip_prefix(b"qw").or_else(|| rest.strip_prefix(b"%w"))
            && matches!(list.first(), Some(b'(' | b'[' | b'{' | b'/'))
        {
            let end = list.iter().skip(1).position(|b| b")]}/".contains(b)).map_or(list.len(), |end| end + 1);
            for word in String::from_utf8_lossy(&list[1..end]).split_whitespace() {
                found.push(Piece::Text(word.to_owned(), at));
            }
            at += 2 + end;
            continue;
        }
        let is_start = at == 0 || !is_word(value[at - 1]);
        match word(rest).filter(|_| is_start) {
            Some(name) => {
                let is_signed = at > 0 && b"$@%{".contains(&value[at - 1]);
                if is_signed || !has_signs || name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
                    found.push(Piece::Name(name.to_owned()));
                }
                at += name.len();
            }
            None => at += 1,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, call: &str, has_signs: bool) -> Vec<String> {
        let at = source.find(call).expect("a call") + call.len();
        let variable = computed(source.as_bytes(), at, has_signs).expect("a variable").variable;
        texts(source.as_bytes(), &variable, has_signs).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn commands_in_variables_of_perl_are_found() {
        let source = "my %tool = (\n  'xz' => 'xz -cd',\n  gz => \"gzip -cd\",\n);\nmy $dc = $tool{$ext} || 'cat';\n\
                      open(my $fh, '-|', \"$dc $file\") or die;\n";
        assert_eq!(found(source, "'-|',", true), ["cat", "xz", "xz -cd", "gzip -cd"]);
        assert_eq!(
            found("my @cmd = ('dot', '-T');\npush @cmd, 'x';\nsystem(@cmd);", "system(", true),
            ["dot", "-T", "x"]
        );
        assert_eq!(found("use constant TOOL => '/usr/bin/a';\nmy $c = TOOL;\nexec $c;", "exec ", true), ["/usr/bin/a"]);
        assert_eq!(found("foreach my $p (qw(lynx w3m)) { system($p, 1) }", "system(", true), ["lynx", "w3m"]);
        assert_eq!(found("open(my $p, '|-', $ENV{PAGER} || 'less -e') || die 'more';", "'|-',", true), ["less -e"]);
        assert_eq!(found("$o{pager} = 'less'; system(\"$o{pager} x\");", "system(", true), ["less"]);
    }

    #[test]
    fn commands_in_variables_of_ruby_and_php_are_found() {
        assert_eq!(found("cmd = 'convert'\nargs = 'no'\nsystem(cmd, 'x')", "system(", false), ["convert"]);
        assert_eq!(found("TOOL = \"dot\"\nsystem(\"#{TOOL} -x\")", "system(", false), ["dot"]);
        assert_eq!(found("class A { const T = 'x'; function f() { exec(self::T.' -a'); } }", "exec(", true), ["x"]);
        assert_eq!(found("class A { private $bin = 'x'; function f() { exec($this->bin); } }", "exec(", true), ["x"]);
        assert_eq!(found("$this->bin = 'x'; exec(\"{$this->bin} -a\");", "exec(", true), ["x"]);
        assert_eq!(
            found("$bin = '/usr/bin/gs'; $cmd = $bin . ' -q'; exec($cmd);", "exec(", true),
            [" -q", "/usr/bin/gs"]
        );
    }

    #[test]
    fn literals_and_calls_are_no_variables() {
        for (source, has_signs) in [("('a')", true), ("(f(x))", false), ("('a')", false), ("(\"a $x\")", true)] {
            assert_eq!(computed(source.as_bytes(), 0, has_signs), None, "{source}");
        }
    }
}
