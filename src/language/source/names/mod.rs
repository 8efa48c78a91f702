//! Data flow of names in sources: constants, parameters, loops and containers between the place where a name is
//! written and the call that starts a program or opens a library. The grammars of languages build [`Module`]s; this
//! code is independent of the language.

mod calls;
mod evaluate;
mod group;

pub(crate) use calls::Calls;
#[cfg(test)]
pub(crate) use evaluate::Value;
pub(crate) use evaluate::{Rules, is_call};
pub(crate) use group::{Files, UNPARSED};

use std::collections::BTreeMap;

use crate::path::RootPath;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Text(String),
    Unknown,
    Name(String),
    /// A member of an object or module.
    Member(Box<Expr>, String),
    /// Concatenated parts: `a + b`, f-strings, templates.
    Join(Vec<Expr>),
    /// Joined parts of a path: `a / b`.
    Path(Vec<Expr>),
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// The item of a container under a key or an index.
    Item(Box<Expr>, Box<Expr>),
    /// Any item of a container, as in a loop.
    Each(Box<Expr>),
    /// One of several: `a or b`, `a ? b : c`.
    Either(Vec<Expr>),
    /// The items of a list within another list.
    Spread(Box<Expr>),
    Call(Box<Called>),
}

/// A call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Called {
    /// The function with its qualifiers: `subprocess.run`.
    pub(crate) callee: String,
    pub(crate) args: Vec<Expr>,
    /// Arguments passed by name.
    pub(crate) named: Vec<(String, Expr)>,
}

/// A call with its place.
#[derive(Debug)]
pub(crate) struct Site {
    /// The function that contains it.
    pub(crate) scope: Option<usize>,
    pub(crate) call: Called,
    pub(crate) line: usize,
    /// True if the source goes on without it when it fails.
    pub(crate) is_guarded: bool,
}

/// A function.
#[derive(Debug, Default)]
pub(crate) struct Function {
    /// The name under which it is called: of a constructor, that of its class.
    pub(crate) name: String,
    /// The function that contains it.
    pub(crate) parent: Option<usize>,
    pub(crate) params: Vec<Param>,
    pub(crate) returns: Vec<Expr>,
}

/// A parameter.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) default: Option<Expr>,
    /// True if it takes all remaining arguments.
    pub(crate) is_rest: bool,
}

/// Kind of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Set,
    /// Its items are added to a list.
    Added,
    /// It is set on an object or in the body of a class.
    Member,
}

/// An assignment.
#[derive(Debug)]
pub(crate) struct Assign {
    pub(crate) scope: Option<usize>,
    pub(crate) name: String,
    pub(crate) how: How,
    pub(crate) value: Expr,
}

/// A name that an import binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// The module as written.
    pub(crate) module: String,
    /// The name in that module; `None` for the module itself.
    pub(crate) name: Option<String>,
}

/// A source file.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) path: RootPath,
    /// The last part of the name under which others import it.
    pub(crate) stem: String,
    pub(crate) functions: Vec<Function>,
    pub(crate) assigns: Vec<Assign>,
    pub(crate) sites: Vec<Site>,
    pub(crate) imports: BTreeMap<String, Import>,
}

impl Module {
    /// An empty module.
    pub(crate) fn new(path: &RootPath) -> Self {
        Self {
            path: path.clone(),
            stem: stem(path),
            functions: Vec::new(),
            assigns: Vec::new(),
            sites: Vec::new(),
            imports: BTreeMap::new(),
        }
    }

    /// The callee of a call with the names of modules instead of the names that imports bind.
    pub(crate) fn canonical(&self, callee: &str) -> String {
        let (first, rest) = callee.split_once('.').map_or((callee, None), |(first, rest)| (first, Some(rest)));
        let Some(import) = self.imports.get(first) else { return callee.to_owned() };
        let parts = [Some(import.module.as_str()), import.name.as_deref(), rest];
        parts.into_iter().flatten().collect::<Vec<_>>().join(".")
    }
}

/// The last part of a module's name: its file without the suffix, or its directory.
fn stem(path: &RootPath) -> String {
    let text = |path: &RootPath| String::from_utf8_lossy(path.name()).into_owned();
    let name = text(path);
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    match stem {
        "__init__" | "index" => path.parent().map_or_else(String::new, |dir| text(&dir)),
        stem => stem.to_owned(),
    }
}

/// The last part of a module's name in an import.
fn last(module: &str) -> &str {
    let name = module.rsplit('/').next().unwrap_or(module);
    let name = [".js", ".cjs", ".mjs"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    if module.contains('/') { name } else { name.rsplit('.').next().unwrap_or(name) }
}

/// The place of a relative import of Python (PEP 328), without the end of its file: `.a.b` in `/own/c.py` is `/own/a/b`.
fn relative(caller: &Module, module: &str) -> Option<Vec<u8>> {
    let name = module.trim_start_matches('.');
    let dots = module.len() - name.len();
    if dots == 0 || name.starts_with('/') {
        return None;
    }
    let mut dir = caller.path.parent()?;
    for _ in 1..dots {
        dir = dir.parent()?;
    }
    let parts = name.split('.').filter(|part| !part.is_empty());
    Some(parts.fold(dir, |dir, part| dir.join(part.as_bytes())).as_bytes().to_vec())
}
