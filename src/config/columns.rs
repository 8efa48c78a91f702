//! The columns of PAM (pam.conf(5)): `[service] type control module arguments`. A module becomes the statement
//! `module`, a reference to another service `include`, an absolute path in an argument `argument`, and the first argument
//! that is a path, with those after it, `program`.

use super::{Statement, continued};

const TYPES: [&str; 4] = ["auth", "account", "password", "session"];

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    for (line, text) in continued(text) {
        let words = columns(text.split('#').next().unwrap_or_default());
        let said = |name: &str, word: &str, is_conditional: bool| Statement {
            line,
            name: name.to_owned(),
            words: vec![word.to_owned()],
            is_conditional,
            ..Statement::default()
        };
        if let [include, service, ..] = words.as_slice()
            && include == "@include"
        {
            statements.push(said("include", service, false));
            continue;
        }
        // In pam.conf the service precedes the type.
        let is_type = |word: &String| TYPES.contains(&word.trim_start_matches('-').to_ascii_lowercase().as_str());
        let Some(at) = words.iter().take(2).position(is_type) else { continue };
        let [kind, control, module, arguments @ ..] = &words[at..] else { continue };
        let is_conditional = kind.starts_with('-');
        if matches!(control.to_ascii_lowercase().as_str(), "include" | "substack") {
            statements.push(said("include", module, is_conditional));
            continue;
        }
        statements.push(said("module", module, is_conditional));
        // The first path without a name may be a program of the module, whose arguments follow (pam_exec(8)).
        if let Some(at) = arguments.iter().position(|word| word.starts_with('/')) {
            let name = module.rsplit('/').next().unwrap_or(module);
            let attributes = vec![format!("module={name}")];
            let (words, text) = (arguments[at..].to_vec(), arguments[at..].join(" "));
            let name = "program".to_owned();
            statements.push(Statement {
                line,
                name,
                words,
                text,
                attributes,
                is_conditional: true,
                ..Statement::default()
            });
        }
        let paths = arguments.iter().map(|word| word.split_once('=').map_or(word.as_str(), |(_, value)| value));
        statements.extend(paths.filter(|path| path.starts_with('/')).map(|path| said("argument", path, true)));
    }
    statements
}

/// Splits a line into words; text in brackets is one word.
fn columns(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('[') {
            Some(inner) => inner.find(']').map_or(rest.len(), |at| at + 2),
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_includes_and_arguments_are_told_apart() {
        let text = "@include common-auth\nauth [success=1 default=ignore] pam_unix.so nullok # x\n-session optional pam_systemd.so\n\
                    account substack system\nlogin auth required /opt/pam_x.so file=/etc/x\nnonsense\n";
        let read: Vec<String> = parse(text)
            .into_iter()
            .map(|one| format!("{} {} {} {}", one.line, one.name, one.words[0], one.is_conditional))
            .collect();
        let wanted = [
            "1 include common-auth false",
            "2 module pam_unix.so false",
            "3 module pam_systemd.so true",
            "4 include system false",
            "5 module /opt/pam_x.so false",
            "5 argument /etc/x true",
        ];
        assert_eq!(read, wanted);
    }
}
