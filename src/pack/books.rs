//! The documents of a build besides the image, and the limits that the user sets for it.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::PackRequest;
use crate::closure::{Companions, Pyc, Request};
use crate::error::Error;
use crate::ledger::{Ledger, PlanOptions, write_plan};
use crate::output::Document;

/// Documents to write besides the image, and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Where the plan goes, as JSON.
    pub plan_out: Option<PathBuf>,
    /// True if the plan lists every file of the root that was left out.
    pub all: bool,
    /// The largest size of the image's files in bytes.
    pub budget: Option<u64>,
}

impl Books {
    /// True if nothing is asked for, so that no ledger is needed.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The files that are written.
    pub(crate) fn written(&self) -> impl Iterator<Item = &PathBuf> {
        self.plan_out.iter()
    }
}

/// Options for the plan of a request.
pub(crate) fn plan_options<'a>(request: &PackRequest, wanted: &'a Request) -> PlanOptions<'a> {
    PlanOptions { made_with: made_with(request), all: request.books.all, exclude: &wanted.exclude }
}

/// Refuses an image that breaks a limit.
///
/// # Errors
/// `over-budget`.
pub(super) fn refuse(request: &PackRequest, ledger: &Ledger<'_>) -> Result<(), Error> {
    let bytes = ledger.plan.bytes();
    match request.books.budget {
        Some(budget) if bytes > budget => {
            let groups = ledger.groups().into_iter().take(3).map(|(group, _, bytes)| format!("{group}: {bytes}"));
            let largest = groups.collect::<Vec<_>>().join(", ");
            let says = format!("the files of the image have {bytes} bytes, which is more than --budget {budget}");
            Err(Error::new("over-budget", says)
                .help(format!("the largest groups are {largest}; slimroot plan lists all files")))
        }
        _ => Ok(()),
    }
}

/// Writes the documents to temporary files.
///
/// # Errors
/// `output-exists`, `output-unwritable`, `disk-full`, `changed-while-packing`, `unreadable`.
pub(super) fn written(request: &PackRequest, wanted: &Request, ledger: &Ledger<'_>) -> Result<Vec<Document>, Error> {
    let mut found = Vec::new();
    if let Some(to) = &request.books.plan_out {
        let options = plan_options(request, wanted);
        let mut fill = |out: &mut dyn Write| write_plan(ledger, &options, out, &to.display());
        found.push(Document::write(to, &mut fill)?);
    }
    Ok(found)
}

/// The options of a request that decide what is in the image. Paths of this machine are left out, so that two machines
/// write the same.
fn made_with(request: &PackRequest) -> Value {
    let names = |paths: &[PathBuf]| -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        paths.iter().map(name).collect()
    };
    let companions = match request.companions {
        Companions::All => "all",
        Companions::Entry => "entry",
        Companions::None => "none",
    };
    let pyc = match request.pyc {
        Pyc::None => "none",
        Pyc::Used => "used",
        Pyc::All => "all",
    };
    let all = json!({
        "entry": request.entry,
        "env": request.env,
        "workdir": request.workdir,
        "cpu": request.cpu,
        "interpreter": request.interpreter,
        "bins": request.bins,
        "profiles": request.profiles,
        "no-profiles": request.no_profiles,
        "no-auto": request.no_auto,
        "no-shell": request.no_shell,
        "no-rules": request.no_rules,
        "include": request.include,
        "exclude": request.exclude,
        "copy": request.copies,
        "packages": request.packages,
        "traces": names(&request.traces),
        "ca": names(&request.ca),
        "companions": companions,
        "pyc": pyc,
        "jlink": request.jlink,
        "user": request.user,
        "expose": request.ports,
        "labels": request.labels,
        "strip": request.strip,
        "owner-map": request.owner_map,
    });
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
        _ => true,
    };
    let Value::Object(all) = all else { return all };
    Value::Object(all.into_iter().filter(|(_, value)| is_set(value)).collect::<Map<_, _>>())
}
