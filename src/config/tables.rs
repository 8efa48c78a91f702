//! Tables of commands: crontab(5), Procfile, and files of columns such as inetd.conf(5), anacrontab(5) and Postfix's
//! master.cf (master(5)).

use super::Statement;

/// `NAME = value`, and jobs: times or `@reboot`, then the rest of the line. The text of a job begins with the user if
/// the table has that column. An unescaped `%` ends the command (crontab(5)).
pub(super) fn crontab(text: &str) -> Vec<Statement> {
    const TIMES: usize = 5;
    let mut statements = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let columns = if line.starts_with('@') { 1 } else { TIMES };
        if let Some((name, value)) = line.split_once('=').filter(|(name, _)| is_name(name.trim())) {
            let words = vec![name.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()];
            statements.push(Statement { line: at + 1, name: "variable".to_owned(), words, ..Statement::default() });
            continue;
        }
        let job = ended(after(line, columns)).replace("\\%", "%");
        if !job.is_empty() {
            let words = job.split_whitespace().map(str::to_owned).collect();
            statements.push(Statement {
                line: at + 1,
                name: "job".to_owned(),
                words,
                text: job,
                ..Statement::default()
            });
        }
    }
    statements
}

/// `name: command` (Procfile).
pub(super) fn colon(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
        if let Some((name, text)) = line.split_once(':') {
            let (name, text) = (name.trim().to_owned(), text.trim().to_owned());
            let words = text.split_whitespace().map(str::to_owned).collect();
            statements.push(Statement { line: at + 1, name, words, text, ..Statement::default() });
        }
    }
    statements
}

/// Columns, each line a statement `row`. A line that begins with a blank continues the previous one. An attribute
/// `name=value` has everything after it as its value, as `argv=` of pipe(8).
pub(super) fn columns(text: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let is_continued = line.starts_with(char::is_whitespace);
        let words = line.split_whitespace().map(str::to_owned);
        match statements.last_mut().filter(|_| is_continued) {
            Some(before) => {
                before.words.extend(words);
                before.text = format!("{} {}", before.text, line.trim());
            }
            None => statements.push(Statement {
                line: at + 1,
                name: "row".to_owned(),
                words: words.collect(),
                text: line.trim().to_owned(),
                ..Statement::default()
            }),
        }
    }
    for row in &mut statements {
        let starts = row.text.match_indices(' ').map(|(at, _)| at + 1);
        let named = starts.filter(|at| row.text[*at..].split(' ').next().is_some_and(|word| word.contains('=')));
        row.attributes = named.map(|at| row.text[at..].to_owned()).collect();
    }
    statements
}

/// The text after this number of columns.
pub(super) fn after(line: &str, columns: usize) -> &str {
    let mut rest = line.trim_start();
    for _ in 0..columns {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    rest
}

/// The text up to the first `%` that is not escaped.
fn ended(text: &str) -> &str {
    let mut before = ' ';
    let end = text.find(|c: char| {
        let is_end = c == '%' && before != '\\';
        before = c;
        is_end
    });
    text[..end.unwrap_or(text.len())].trim_end()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(statements: Vec<Statement>) -> Vec<String> {
        statements.iter().map(|one| format!("{} {} {}", one.line, one.name, one.text)).collect()
    }

    #[test]
    fn jobs_follow_their_times() {
        let text = "# x\nPATH=/usr/bin:/bin\n*/5 * * * *  root  cd / && run %in\n@reboot www /srv/x --at=5\\%\n";
        assert_eq!(shown(crontab(text)), ["2 variable ", "3 job root  cd / && run", "4 job www /srv/x --at=5%"]);
        assert_eq!(crontab(text)[0].words, ["PATH", "/usr/bin:/bin"]);
    }

    #[test]
    fn rows_go_on_after_a_blank() {
        let text = "smtp inet n - y - - smtpd\n  -o a=b\n#x\nhttp stream tcp nowait root /usr/sbin/httpd httpd -i\n";
        assert_eq!(
            shown(columns(text)),
            ["1 row smtp inet n - y - - smtpd -o a=b", "4 row http stream tcp nowait root /usr/sbin/httpd httpd -i"]
        );
        assert_eq!(after("a  b c d", 2), "c d");
    }

    #[test]
    fn processes_have_names() {
        assert_eq!(shown(colon("web: bundle exec puma -b tcp://0\n# no: x\n")), ["1 web bundle exec puma -b tcp://0"]);
    }
}
