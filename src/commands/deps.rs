//! `slimroot deps`: lists the files that a loader would load.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::check::{add_search, searched};
use crate::cli::RootOptions;
use crate::closure::{Closure, Request};
use crate::elf::BuildInfo;
use crate::error::Error;
use crate::finding::Searched;
use crate::loader::{
    Answer, Cause, Diagnosis, Fault, LibraryNames, Objects, Process, diagnose, undefined_symbols, unmet_versions,
};
use crate::pack::{Input, PackRequest, Watch, start_of};
use crate::path::show;

/// Output format of the dependencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DepsFormat {
    /// A tree of dependencies; each object is expanded once.
    #[default]
    Tree,
    /// One file per line, in load order.
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
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DepsFormat,
    /// Also resolves all symbols, like `ldd -r`.
    #[arg(long)]
    pub(crate) symbols: bool,
    /// A program, script or library: a path in the root, or a name to look up in the root's PATH.
    #[arg(value_name = "ENTRY")]
    pub(crate) entry: String,
}

/// The objects of one process.
#[derive(Debug, Serialize)]
pub(crate) struct Deps {
    /// Name and version of the document's schema.
    pub(crate) schema: &'static str,
    pub(crate) interpreter: Option<String>,
    /// Build information that the program contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) built: Option<BuildInfo>,
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
    /// True if nothing is missing and the process would start.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.errors.is_empty() && self.others.iter().all(Self::is_whole)
    }
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Deps, Error> {
    let request = PackRequest::new(&options.root.root, [options.entry.clone()]);
    let mut request = options.root.fill(request)?;
    super::fence::raise(&request)?;
    let input = Input::open(&request, watch)?;
    input.adopt_circumstances(&mut request);
    let objects = Objects::new(&input.root);
    let request = Request { processes_only: true, ..start_of(&request)? };
    let closure = Closure::build(&objects, &request)?;
    let mut processes =
        closure.processes.iter().map(|started| &started.process).filter(|process| process.inherited == 0);
    let Some(first) = processes.next() else {
        return Err(Error::new("internal", format!("{} started no process", options.entry)));
    };
    let mut deps = describe(&objects, first, options.symbols)?;
    if matches!(options.format, DepsFormat::Tree | DepsFormat::Json) {
        deps.built = objects.build_info(&first.loaded[0].real)?;
    }
    deps.others = processes.map(|process| describe(&objects, process, options.symbols)).collect::<Result<_, _>>()?;
    Ok(deps)
}

fn describe(objects: &Objects<'_>, process: &Process, with_symbols: bool) -> Result<Deps, Error> {
    let shown = |bytes: &[u8]| show(bytes).into_owned();
    let listed = process.loaded.iter().map(|object| Object {
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
    let names = if process.missing.is_empty() { None } else { Some(LibraryNames::read(objects.root())?) };
    let mut missing = Vec::new();
    for lost in &process.missing {
        let help = match &names {
            Some(names) => {
                let Diagnosis { cause, mut help } = diagnose(names, objects, process, lost)?;
                if matches!(cause, Cause::Absent | Cause::OtherVersion) {
                    add_search(objects.root(), &lost.name, &mut help)?;
                }
                help
            }
            None => Vec::new(),
        };
        missing.push(MissingName {
            name: shown(&lost.name),
            needed_by: shown(&process.loaded[lost.needed_by].path),
            reason: lost.reason(),
            trail: searched(lost),
            hint: help.join("; "),
        });
    }
    let mut errors: Vec<Trouble> = process.faults.iter().map(trouble).collect();
    let mut warnings: Vec<Trouble> = process.warnings.iter().map(trouble).collect();
    for unmet in unmet_versions(objects, process)? {
        let path = shown(&process.loaded[unmet.requester].path);
        errors.push(Trouble { class: "version-missing", path, message: unmet.says(process) });
    }
    if with_symbols {
        for undefined in undefined_symbols(objects, process, false)? {
            let path = shown(&process.loaded[undefined.requester].path);
            let list = if undefined.at_start { &mut errors } else { &mut warnings };
            list.push(Trouble { class: "symbol-missing", path, message: undefined.says(process) });
        }
    }
    Ok(Deps {
        schema: "slimroot.deps.v1",
        interpreter: process.interpreter.as_deref().map(shown),
        built: None,
        objects: listed.collect(),
        missing,
        errors,
        warnings,
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
