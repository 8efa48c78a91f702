//! `slimroot deps`: what a loader would load.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::check::{LibraryNames, hints, searched};
use crate::cli::RootOptions;
use crate::closure::{Closure, Request};
use crate::error::Error;
use crate::finding::Searched;
use crate::loader::{Answer, Fault, Objects, Process};
use crate::path::show;
use crate::root::Root;

/// How dependencies are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DepsFormat {
    /// Who needs what, each object opened once.
    #[default]
    Tree,
    /// One file a line, in load order.
    List,
    /// One JSON document.
    Json,
    /// A graph for Graphviz.
    Dot,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DepsFormat,
    /// A program, script or library: a path in the root, or a name looked up in PATH there.
    #[arg(value_name = "ENTRY")]
    pub(crate) entry: String,
}

/// What one process loads, as printed.
#[derive(Debug, Serialize)]
pub(crate) struct Deps {
    /// Version of this document's form.
    pub(crate) schema: &'static str,
    pub(crate) interpreter: Option<String>,
    pub(crate) objects: Vec<Object>,
    pub(crate) missing: Vec<MissingName>,
    pub(crate) errors: Vec<Trouble>,
    pub(crate) warnings: Vec<Trouble>,
    pub(crate) variants: Vec<VariantFile>,
    /// The other processes of a script: its interpreters in the order of its `#!` chain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) others: Vec<Deps>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Object {
    pub(crate) path: String,
    pub(crate) realpath: String,
    pub(crate) needed: Vec<NeededName>,
}

#[derive(Debug, Serialize)]
pub(crate) struct NeededName {
    pub(crate) name: String,
    pub(crate) path: Option<String>,
    pub(crate) found_by: Option<&'static str>,
    pub(crate) via: Option<String>,
    /// Index into the objects, for drawing.
    #[serde(skip)]
    pub(crate) index: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(crate) struct MissingName {
    pub(crate) name: String,
    pub(crate) needed_by: String,
    pub(crate) reason: &'static str,
    pub(crate) trail: Vec<Searched>,
    pub(crate) hint: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Trouble {
    pub(crate) class: &'static str,
    pub(crate) path: String,
    pub(crate) message: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct VariantFile {
    pub(crate) name: String,
    pub(crate) level: String,
    pub(crate) path: String,
}

impl Deps {
    /// Whether nothing is missing and nothing would make the process die.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.errors.is_empty() && self.others.iter().all(Self::is_whole)
    }
}

pub(crate) fn run(options: &Options) -> Result<Deps, Error> {
    let root = Root::open(&options.root.root)?;
    let objects = Objects::new(&root);
    let request: Request = super::request(&options.root, &options.entry)?;
    let closure = Closure::build(&root, &objects, &request)?;
    let mut processes =
        closure.processes.iter().map(|started| &started.process).filter(|process| process.inherited == 0);
    let Some(first) = processes.next() else {
        return Err(Error::new("internal", format!("{} started no process", options.entry)));
    };
    let mut deps = told(&root, first)?;
    deps.others = processes.map(|process| told(&root, process)).collect::<Result<_, _>>()?;
    Ok(deps)
}

fn told(root: &Root, process: &Process) -> Result<Deps, Error> {
    let shown = |bytes: &[u8]| show(bytes).into_owned();
    let objects = process.loaded.iter().map(|object| Object {
        path: shown(&object.path),
        realpath: object.real.to_string(),
        needed: object
            .needs
            .iter()
            .map(|need| {
                let name = shown(&need.name);
                match &need.answer {
                    Answer::Object { index, by, via } => NeededName {
                        name,
                        path: Some(shown(&process.loaded[*index].path)),
                        found_by: Some(by.as_str()),
                        via: via.as_ref().map(ToString::to_string),
                        index: Some(*index),
                    },
                    Answer::Vdso => NeededName { name, path: None, found_by: Some("vdso"), via: None, index: None },
                    Answer::Absent | Answer::Missing(_) => {
                        NeededName { name, path: None, found_by: None, via: None, index: None }
                    }
                }
            })
            .collect(),
    });
    let trouble = |fault: &Fault| Trouble { class: fault.class, path: shown(&fault.path), message: fault.says.clone() };
    let names = if process.missing.is_empty() { None } else { Some(LibraryNames::read(root)?) };
    let missing = process.missing.iter().map(|missing| MissingName {
        name: shown(&missing.name),
        needed_by: shown(&process.loaded[missing.needed_by].path),
        reason: missing.reason(),
        trail: searched(missing),
        hint: names.as_ref().map(|names| hints(names, process, missing).join("; ")).unwrap_or_default(),
    });
    Ok(Deps {
        schema: "slimroot.deps.v1",
        interpreter: process.interpreter.as_deref().map(shown),
        objects: objects.collect(),
        missing: missing.collect(),
        errors: process.faults.iter().map(trouble).collect(),
        warnings: process.warnings.iter().map(trouble).collect(),
        variants: process
            .variants
            .iter()
            .map(|variant| VariantFile {
                name: shown(&variant.name),
                level: variant.level.clone(),
                path: shown(&variant.path),
            })
            .collect(),
        others: Vec::new(),
    })
}
