//! Data for the script of a page, as JSON in columns.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Value, json};

use super::sheet::{Row, Sheet};
use crate::error::Error;
use crate::ledger::Kind;
use crate::path::{RootPath, show};
use crate::text;

/// Text without hidden characters.
fn safe(text: &str) -> String {
    text::line(text).into_owned()
}

/// A number, or -1 for none.
fn number(value: Option<usize>) -> i64 {
    value.and_then(|value| i64::try_from(value).ok()).unwrap_or(-1)
}

/// The columns of the files; empty columns are omitted.
#[derive(Serialize)]
struct Columns {
    /// Directory.
    d: Vec<usize>,
    /// Name.
    n: Vec<String>,
    /// Bytes.
    s: Vec<u64>,
    /// Kinds, a letter each.
    k: String,
    /// Package.
    p: Vec<i64>,
    /// Mode and owner.
    m: Vec<usize>,
    /// Reason, the row that it comes from, the group, the keeper.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    r: Vec<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    u: Vec<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    g: Vec<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    h: Vec<i64>,
    /// Files and bytes that are packed only because of it, and the number of files that require it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tn: Vec<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    t: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    c: Vec<usize>,
    /// Layer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    l: Vec<u32>,
    /// Bytes before, and a letter for the change: added, removed, changed, same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    b: Vec<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    z: String,
    /// Targets of links and sonames, by row.
    x: BTreeMap<usize, String>,
    y: BTreeMap<usize, String>,
}

/// The index of a value in a list; adds the value if it is new.
fn intern(list: &mut Vec<String>, numbers: &mut HashMap<String, usize>, value: String) -> usize {
    *numbers.entry(value).or_insert_with_key(|value| {
        list.push(value.clone());
        list.len() - 1
    })
}

fn kind(row: &Row) -> char {
    match row.record.kind {
        Kind::File => 'f',
        Kind::Hardlink => 'h',
        Kind::Link => 'l',
        Kind::Dir => 'd',
        Kind::Other => 'o',
    }
}

fn change(row: &Row) -> char {
    match (row.before, row.is_there) {
        (None, _) => 'a',
        (Some(_), false) => 'r',
        (Some(_), true) if row.is_changed => 'c',
        _ => 's',
    }
}

/// The document, safe inside of a script element.
pub(super) fn json(sheet: &Sheet) -> Result<String, Error> {
    let rows = &sheet.rows;
    let (mut dirs, mut modes) = (Vec::new(), Vec::new());
    let (mut dir_numbers, mut mode_numbers) = (HashMap::new(), HashMap::new());
    let mut column_of_dirs = Vec::with_capacity(rows.len());
    let mut column_of_modes = Vec::with_capacity(rows.len());
    for row in rows {
        let dir = row.record.path.parent().unwrap_or_else(RootPath::root);
        column_of_dirs.push(intern(&mut dirs, &mut dir_numbers, safe(&dir.to_string())));
        let record = &row.record;
        let mode = format!("{} {}:{}", record.mode, record.uid, record.gid);
        column_of_modes.push(intern(&mut modes, &mut mode_numbers, mode));
    }
    let has_reasons = sheet.has_reasons();
    let if_reasons = |value: &dyn Fn(&Row) -> i64| rows.iter().filter(|_| has_reasons).map(value).collect::<Vec<_>>();
    let has_brought = rows.iter().any(|row| row.asked_by > 0);
    let brought = || rows.iter().filter(|_| has_brought);
    let has_layers = rows.iter().any(|row| row.record.layer > 0);
    let is_compared = sheet.diff.is_some();
    let compared = || rows.iter().filter(|_| is_compared);
    let texts = |value: &dyn Fn(&Row) -> Option<&String>| -> BTreeMap<usize, String> {
        rows.iter().enumerate().filter_map(|(at, row)| Some((at, safe(value(row)?)))).collect()
    };
    let columns = Columns {
        d: column_of_dirs,
        n: rows.iter().map(|row| safe(&show(row.record.path.name()))).collect(),
        s: rows.iter().map(|row| if row.is_there { row.record.size } else { 0 }).collect(),
        k: rows.iter().map(kind).collect(),
        p: rows.iter().map(|row| number(row.package)).collect(),
        m: column_of_modes,
        r: if_reasons(&|row| number(row.reason)),
        u: if_reasons(&|row| number(row.from)),
        g: if_reasons(&|row| number(row.group)),
        h: if has_brought { rows.iter().map(|row| number(row.keeper)).collect() } else { Vec::new() },
        tn: brought().map(|row| row.brings.0).collect(),
        t: brought().map(|row| row.brings.1).collect(),
        c: brought().map(|row| row.asked_by).collect(),
        l: rows.iter().filter(|_| has_layers).map(|row| row.record.layer).collect(),
        b: compared().map(|row| row.before.unwrap_or_default()).collect(),
        z: compared().map(change).collect(),
        x: texts(&|row| row.record.target.as_ref()),
        y: texts(&|row| row.record.soname.as_ref()),
    };
    let reason = |why: &super::Why| json!([safe(&why.says), why.rule, safe(&why.advice), u8::from(why.is_excludable)]);
    let document = json!({
        "kind": sheet.kind,
        "dirs": dirs,
        "modes": modes,
        "packages": sheet.packages.iter().map(|one| json!([safe(&one.id), safe(&one.about.version)])).collect::<Vec<_>>(),
        "reasons": sheet.reasons.iter().map(reason).collect::<Vec<_>>(),
        "groups": sheet.groups.iter().map(|group| safe(group)).collect::<Vec<_>>(),
        "files": columns,
        "absent": left_out(sheet),
    });
    let text = serde_json::to_string(&document)
        .map_err(|error| Error::new("internal", format!("the data of a page is not JSON: {error}")))?;
    Ok(embedded(&text))
}

/// The files that were left out, as JSON for the script.
fn left_out(sheet: &Sheet) -> Value {
    let Some(table) = &sheet.left_out else { return Value::Null };
    let rules: Vec<String> = table.rules.iter().map(|(rule, _, _)| safe(rule)).collect();
    let row = |row: &super::AbsentRow| {
        json!([
            safe(&row.what),
            u8::from(row.is_package),
            row.rule,
            row.files,
            row.bytes,
            row.option.as_deref().map(safe)
        ])
    };
    json!({ "rules": rules, "rows": table.rows.iter().map(row).collect::<Vec<_>>(), "rest": table.rest })
}

/// JSON that cannot end an HTML element or begin a comment (HTML standard, 4.12.1.3).
fn embedded(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::{embedded, safe};

    #[test]
    fn no_text_ends_the_element() {
        let hostile = "</script><!--<script>&amp;\u{2028}\u{202e}";
        let json = embedded(&serde_json::to_string(&safe(hostile)).expect("JSON"));
        assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{202e}']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), safe(hostile));
    }
}
