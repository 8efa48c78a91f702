//! Dependencies as a tree, list or graph.

use std::collections::BTreeSet;

use super::text::Text;
use crate::commands::deps::Deps;

/// The dependency tree. An object is expanded only the first time.
pub(super) fn tree(deps: &Deps) -> Text {
    let mut out = Text::default();
    for deps in std::iter::once(deps).chain(&deps.others) {
        let Some(entry) = deps.objects.first() else { continue };
        out.line(&entry.path);
        if let Some(interpreter) = &deps.interpreter {
            out.line(format!("  interpreter {interpreter}"));
        }
        if let Some(built) = &deps.built {
            let by = built.toolchain.as_deref().unwrap_or("cargo");
            let linked = if deps.interpreter.is_some() { "" } else { ", static" };
            out.line(format!("  built by {by}, {} modules{linked}", built.modules.len()));
        }
        let mut open = BTreeSet::from([0]);
        // Objects still to print, the next one last: index, depth, line.
        let mut stack: Vec<(Option<usize>, usize, String)> = children(deps, 0, 1);
        while let Some((index, depth, line)) = stack.pop() {
            let is_new = index.is_some_and(|index| open.insert(index));
            let has_more = index.is_some_and(|index| !deps.objects[index].needed.is_empty());
            let line = match (has_more && !is_new, line.strip_suffix("(loaded)")) {
                (true, Some(line)) => format!("{line}(loaded above)"),
                (true, None) => format!("{line}, listed above"),
                (false, _) => line,
            };
            out.line(format!("{}{line}", "  ".repeat(depth)));
            if let Some(index) = index.filter(|_| is_new) {
                stack.extend(children(deps, index, depth + 1));
            }
        }
        for variant in &deps.variants {
            out.line(format!("  variant {} on {}: {}", variant.name, variant.level, variant.path));
        }
    }
    out
}

fn children(deps: &Deps, index: usize, depth: usize) -> Vec<(Option<usize>, usize, String)> {
    let mut found: Vec<_> = deps.objects[index]
        .needed
        .iter()
        .map(|need| {
            let line = match (&need.path, need.found_by) {
                (Some(path), Some(by)) => {
                    let via = need.via.as_ref().filter(|_| !matches!(by, "cache" | "default"));
                    let via = via.map_or(String::new(), |via| format!(" {via}"));
                    format!("{} => {path} ({by}{via})", need.name)
                }
                (_, Some(by)) => format!("{} ({by})", need.name),
                _ => format!("{} => not found", need.name),
            };
            (need.index, depth, line)
        })
        .collect();
    found.reverse();
    found
}

/// Real files in load order.
pub(super) fn list(deps: &Deps) -> Text {
    let all = std::iter::once(deps).chain(&deps.others);
    let mut seen = BTreeSet::new();
    let files = all.flat_map(|deps| &deps.objects).map(|object| &object.path);
    let mut out = Text::default();
    files.filter(|path| seen.insert(path.as_str().to_owned())).for_each(|path| out.line(path));
    out
}

/// A graph in the language of Graphviz.
pub(super) fn dot(deps: &Deps) -> Text {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut out = Text::default();
    out.lines("digraph deps {\n  rankdir=LR;\n  node [shape=box];");
    for deps in std::iter::once(deps).chain(&deps.others) {
        for object in &deps.objects {
            for need in &object.needed {
                let target = need.path.as_ref().unwrap_or(&need.name);
                let style = if need.path.is_some() { "" } else { ", style=dashed, color=red" };
                let by = need.found_by.unwrap_or("not found");
                let (from, to, by) = (quoted(&object.path), quoted(target), quoted(by));
                out.line(format!("  {from} -> {to} [label={by}{style}];"));
            }
        }
    }
    out.line("}");
    out
}

/// Problems, for stderr.
pub(super) fn troubles(deps: &Deps) -> Text {
    let mut out = Text::default();
    for deps in std::iter::once(deps).chain(&deps.others) {
        for missing in &deps.missing {
            out.line(format!("missing {} needed by {}: {}", missing.name, missing.needed_by, missing.hint));
        }
        for (level, troubles) in [("error", &deps.errors), ("warning", &deps.warnings)] {
            for trouble in troubles {
                out.line(format!("{level}[{}]: {}: {}", trouble.class, trouble.path, trouble.message));
            }
        }
    }
    if !deps.missing.is_empty() {
        out.line("slimroot check shows where each was searched");
    }
    out
}
