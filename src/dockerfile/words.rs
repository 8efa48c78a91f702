//! The words of an instruction: pairs of names and values, exec and shell forms, variables (Dockerfile reference,
//! "Environment replacement", "Shell and exec form").

use std::collections::BTreeMap;

/// Syntax of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A list of words in JSON.
    Exec(Vec<String>),
    /// A command line for a shell.
    Shell(String),
}

/// The form of a command. Text in brackets that is not JSON is a command line, as for docker.
pub fn exec_or_shell(text: &str) -> Form {
    match serde_json::from_str::<Vec<String>>(text.trim()) {
        Ok(words) => Form::Exec(words),
        Err(_) => Form::Shell(text.trim().to_owned()),
    }
}

/// The pairs of ENV, LABEL and ARG: `A=b C="d e"`, or the old form `A b c`; a name alone has no value. Quotes are removed,
/// variables stay.
pub fn pairs(text: &str) -> Vec<(String, Option<String>)> {
    let words = split(text);
    if let Some((name, value)) = text.trim().split_once(char::is_whitespace)
        && !name.contains('=')
        && words.get(1).is_some_and(|word| !word.contains('='))
    {
        return vec![(name.to_owned(), Some(value.trim().to_owned()))];
    }
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (word.clone(), None),
    };
    words.iter().map(pair).collect()
}

/// Words without their quotes; a backslash keeps the next character.
fn split(text: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => match chars.next() {
                // The dollar keeps its backslash for the replacement of variables.
                Some('$') => word.get_or_insert_default().push_str("\\$"),
                // In quotes, a backslash before another character is one.
                Some(next) if quote.is_some() && !matches!(next, '"' | '\\') => {
                    word.get_or_insert_default().extend(['\\', next]);
                }
                Some(next) => word.get_or_insert_default().push(next),
                None => {}
            },
            // Nothing is replaced in single quotes.
            ('$', Some('\'')) => word.get_or_insert_default().push_str("\\$"),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, Some(open)) if c == open => quote = None,
            (_, None) if c.is_whitespace() => found.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word);
    found
}

/// A text with its variables replaced: `$A`, `${A}`, `${A:-b}`, `${A:+b}`. `None` if one is not known.
pub fn expand(text: &str, known: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        let after = &after[1..];
        if let Some(before) = before.strip_suffix('\\') {
            out.push_str(before);
            out.push('$');
            rest = after;
            continue;
        }
        out.push_str(before);
        let (inside, next) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => after.split_at(after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        if inside.is_empty() {
            out.push('$');
        } else {
            out.push_str(&value(inside, known)?);
        }
        rest = next;
    }
    out.push_str(rest);
    Some(out)
}

fn value(inside: &str, known: &BTreeMap<String, String>) -> Option<String> {
    let set = |name: &str| known.get(name).filter(|value| !value.is_empty()).cloned();
    if let Some((name, other)) = inside.split_once(":-") {
        return Some(set(name).unwrap_or_else(|| other.to_owned()));
    }
    if let Some((name, other)) = inside.split_once(":+") {
        return Some(set(name).map_or(String::new(), |_| other.to_owned()));
    }
    known.get(inside).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_both_forms_are_read() {
        let of = |text: &str| -> Vec<String> {
            pairs(text).into_iter().map(|(name, value)| format!("{name}={}", value.unwrap_or_default())).collect()
        };
        assert_eq!(of("A=b C=\"d e\" F='g'h i\\ j=k"), ["A=b", "C=d e", "F=gh", "i j=k"]);
        assert_eq!(of(r#"A='$b' C="d\e\"f\$g""#), [r"A=\$b", r#"C=d\e"f\$g"#]);
        assert_eq!(of("A some words here"), ["A=some words here"]);
        assert_eq!(of("NAME"), ["NAME="]);
    }

    #[test]
    fn variables_are_replaced_and_unknown_ones_are_told() {
        let known = BTreeMap::from([("A".to_owned(), "x".to_owned()), ("E".to_owned(), String::new())]);
        let of = |text: &str| expand(text, &known);
        assert_eq!(of("$A/${A}${E:-y}${A:+z}\\$A"), Some("x/xyz$A".to_owned()));
        assert_eq!((of("$B"), of("${A"), of("a$ b")), (None, None, Some("a$ b".to_owned())));
    }
}
