//! The documents of a build, besides the image, and the user's limits for the image.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::PackRequest;
use super::attached::{self, Attach};
use crate::closure::{Companions, Pyc, Request};
use crate::error::Error;
use crate::image::Attachment;
use crate::ledger::{Ledger, LockRules, PlanOptions, refuse_difference, write_lock, write_plan};
use crate::output::Document;
use crate::path::RootPath;
use crate::plan::{Content, ItemKind};
use crate::root::RootGlob;
use crate::sbom::{self, Format, Inventory};
use crate::seccomp::Profile;

/// Maximum number of violations that are shown.
const MAX_SHOWN: usize = 20;

/// Documents to write besides the image, and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// Destination of the plan, as JSON.
    pub plan_out: Option<PathBuf>,
    /// Destination of the lock.
    pub lock: Option<PathBuf>,
    /// The lock from which the image must not differ.
    pub locked: Option<PathBuf>,
    /// Options for plan and lock.
    pub lock_rules: LockRules,
    /// Rules on what the image may contain.
    pub allowed: Allowed,
    /// Inventories, each with its format.
    pub sboms: Vec<(Format, PathBuf)>,
    /// Inventories that lie in the image.
    pub sbom_inside: Vec<Format>,
    /// Documents that layouts and registries get with the image.
    pub attach: Vec<Attach>,
    /// Destination of the provenance predicate.
    pub provenance: Option<PathBuf>,
    /// Destination of the seccomp profile.
    pub seccomp: Option<PathBuf>,
    /// Destination of the page that shows the image.
    #[cfg(feature = "page")]
    pub report: Option<PathBuf>,
    /// True if the plan lists every file of the root that was left out.
    pub all: bool,
    /// The largest size of the image's files in bytes.
    pub budget: Option<u64>,
}

/// Lists of permitted contents; if a list is absent, everything is permitted. A `*` in a name matches any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Names of libraries that processes load.
    pub sonames: Option<Vec<String>>,
    /// Names of packages of the distribution.
    pub packages: Option<Vec<String>>,
    /// Patterns of files that belong to no package. Files that slimroot generates are always permitted.
    pub paths: Option<Vec<String>>,
}

impl Documents {
    /// True if nothing is requested, so that no ledger is needed.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The files that are written.
    #[cfg(feature = "cli")]
    pub(crate) fn written(&self) -> impl Iterator<Item = &PathBuf> {
        let plans = self.plan_out.iter().chain(&self.lock);
        let found = plans.chain(&self.provenance).chain(&self.seccomp).chain(self.sboms.iter().map(|(_, path)| path));
        #[cfg(feature = "page")]
        let found = found.chain(&self.report);
        found
    }
}

/// Options for the plan of a request.
pub(crate) fn plan_options<'a>(request: &PackRequest, wanted: &'a Request) -> PlanOptions<'a> {
    PlanOptions { made_with: made_with(request), all: request.documents.all, exclude: &wanted.exclude }
}

/// Refuses an image that exceeds a limit.
///
/// # Errors
/// `over-budget`, `not-allowed`, `lock-differs`, and those of reading the lock.
pub(super) fn refuse(request: &PackRequest, ledger: &Ledger<'_>) -> Result<(), Error> {
    refuse_unlisted(&request.documents.allowed, ledger)?;
    if let Some(lock) = &request.documents.locked {
        refuse_difference(ledger, &request.documents.lock_rules, lock)?;
    }
    let bytes = ledger.plan.bytes();
    match request.documents.budget {
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

/// Documents that are complete: those in temporary files, and those to attach.
#[derive(Default)]
pub(super) struct Prepared {
    pub(super) documents: Vec<Document>,
    pub(super) attached: Vec<Attachment>,
    /// What the user should know of the documents.
    pub(super) notes: Vec<String>,
}

/// Writes the documents to temporary files.
///
/// # Errors
/// `output-exists`, `output-unwritable`, `disk-full`, `changed-while-packing`, `unreadable`.
pub(super) fn written(request: &PackRequest, wanted: &Request, ledger: &Ledger<'_>) -> Result<Prepared, Error> {
    let documents = &request.documents;
    let mut found = Vec::new();
    if let Some(to) = &documents.plan_out {
        let options = plan_options(request, wanted);
        let mut fill = |out: &mut dyn Write| write_plan(ledger, &options, out, &to.display());
        found.push(Document::write(to, &mut fill)?);
    }
    if let Some(to) = &documents.lock {
        found.push(Document::write(to, &mut |out| write_lock(ledger, &documents.lock_rules, out, &to.display()))?);
    }
    if let Some(to) = &documents.provenance {
        let text = attached::of_request(request, wanted, ledger)?;
        let unwritable = |error| Error::unwritable(&to.display(), error);
        found.push(Document::write(to, &mut |out| out.write_all(&text).map_err(unwritable))?);
    }
    let mut notes = Vec::new();
    if let Some(to) = &documents.seccomp {
        let profile = Profile::of(ledger)?;
        found.push(Document::write(to, &mut |out| profile.write(out, &to.display()))?);
        notes.push(profile.says());
    }
    let mut made: Option<Arc<Inventory>> = None;
    let mut inventory = || match &made {
        Some(known) => Ok(Arc::clone(known)),
        None => Inventory::of_ledger(attached::name_of(request), ledger)
            .map(|found| Arc::clone(made.insert(Arc::new(found)))),
    };
    for (format, to) in &documents.sboms {
        let inventory = inventory()?;
        found.push(Document::write(to, &mut |out| sbom::write(*format, &inventory, out, &to.display()))?);
    }
    let attached = attached::attachments(request, wanted, ledger, &mut inventory)?;
    Ok(Prepared { documents: found, attached, notes })
}

/// Writes the page to a temporary file, if one is requested, even for an image with findings at error level, which it
/// shows.
///
/// # Errors
/// As [`written`].
#[cfg(feature = "page")]
pub(super) fn page(
    request: &PackRequest,
    wanted: &Request,
    ledger: &Ledger<'_>,
    layers: &[crate::layer::Part],
) -> Result<Option<Document>, Error> {
    let Some(to) = &request.documents.report else { return Ok(None) };
    let mut sheet = crate::page::Sheet::of_plan(ledger, &wanted.exclude)?;
    sheet.cut(layers);
    Document::write(to, &mut |out| crate::page::write(&sheet, out, &to.display())).map(Some)
}

/// Refuses contents that the lists do not permit.
fn refuse_unlisted(allowed: &Allowed, ledger: &Ledger<'_>) -> Result<(), Error> {
    let is_in = |list: &[String], name: &str| list.iter().any(|known| fits(known, name));
    let globs = |texts: &Vec<String>| texts.iter().map(|text| RootGlob::new(text)).collect::<Result<Vec<_>, _>>();
    let paths = allowed.paths.as_ref().map(globs).transpose()?;
    let mut found: Vec<(String, RootPath)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (path, item) in &*ledger.plan.items {
        let record = ledger.record(path, item);
        if !record.is_file() {
            continue;
        }
        if let (Some(list), Some(soname)) = (&allowed.sonames, &record.soname)
            && !is_in(list, soname)
        {
            found.push((format!("the library {soname} is not in allow.sonames"), path.clone()));
        }
        if let (Some(list), Some(package)) = (&allowed.packages, &record.package)
            && !is_in(list, package)
            && seen.insert(package.clone())
        {
            found.push((format!("the package {package} is not in allow.packages"), path.clone()));
        }
        if let Some(globs) = &paths
            && record.package.is_none()
            && record.rule.is_some()
            && !matches!(&item.kind, ItemKind::File(Content::Made(_)))
            && !globs.iter().any(|glob| glob.covers(path))
        {
            found.push((format!("{path} is not in allow.paths"), path.clone()));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let mut says = format!("the image contains {} items that [allow] does not list", found.len());
    for (what, path) in found.iter().take(MAX_SHOWN) {
        says.push_str(&format!("\n  {what}"));
        for edge in ledger.closure.why(path) {
            says.push_str(&format!("\n    {}: {}", edge.to, edge.reason.says(edge.from.as_ref())));
        }
    }
    if found.len() > MAX_SHOWN {
        says.push_str(&format!("\n  … {} more", found.len() - MAX_SHOWN));
    }
    Err(Error::new("not-allowed", says).help("add it to the table [allow], or remove what needs it"))
}

/// True if a name matches a pattern, in which `*` matches any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

/// The options of a request that affect the contents of the image. Paths of this machine are omitted, so that two
/// machines write the same.
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
        "command": request.command,
        "annotations": request.annotations,
        "volumes": request.volumes,
        "stop-signal": request.stop_signal,
        "author": request.author,
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

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name) in [("libc.so.6", "libc.so.6"), ("lib*.so.*", "libssl.so.3"), ("*", ""), ("a*b*c", "abbc")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("libc", "libc.so.6"), ("a*b", "abc"), ("ab*ba", "aba"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
