//! `slimroot check`: finds problems in a planned or finished image.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::config::Config;
use super::contents::ImageOptions;
use crate::check::{Evidence, find, find_loading, rank};
use crate::cli::{RankOptions, RootOptions};
use crate::closure::{Closure, Companions, Request};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::image_reader::{Reference, RunConfig, transport_of};
use crate::loader::Objects;
use crate::pack::{Input, PackRequest, Watch, closure, healthcheck, linked, request_of, start_of};
use crate::plan::{Details, Plan, PlannedTree, RunSettings, Settings};
use crate::root::Root;
use crate::text::shell_line;

/// Output format of the findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Text for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One SARIF 2.1.0 document, for code scanning.
    Sarif,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    #[command(flatten)]
    pub(crate) image: ImageOptions,
    #[command(flatten)]
    pub(crate) rank: RankOptions,
    /// Treats the root as a finished image, to which nothing is added.
    #[arg(long)]
    pub(crate) as_is: bool,
    /// Checks only the objects that the loader loads for the entry, with versions and symbols, like `ldd -r`.
    #[arg(long)]
    pub(crate) loaded_only: bool,
    /// Writes a page that shows the image with the findings: one HTML file that needs no network. An older file is
    /// replaced.
    #[cfg(feature = "page")]
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// The user that the image runs as.
    #[arg(long, short = 'u', value_name = "NAME|UID[:GID]")]
    pub(crate) user: Option<String>,
    /// Health check of the image, written as for `slimroot build`: its program or slimroot's probe is packed too.
    #[arg(long, hide_short_help = true, value_name = "CHECK", allow_hyphen_values = true)]
    pub(crate) healthcheck: Option<String>,
    /// A file with the same settings; command-line options take precedence.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: CheckFormat,
    /// A finished image (oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG], NAME:TAG), whose
    /// configuration names the entry; or the program or script that the image starts, with its arguments.
    #[arg(value_name = "IMAGE|ENTRY", num_args = 0.., trailing_var_arg = true)]
    pub(crate) entry: Vec<String>,
}

/// The result of `check`.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) schema: &'static str,
    pub(crate) entry: String,
    pub(crate) objects: usize,
    pub(crate) findings: Vec<Finding>,
}

impl Checked {
    pub(crate) fn is_whole(&self) -> bool {
        self.findings.iter().all(|finding| finding.level < Level::Error)
    }
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Checked, Error> {
    let config = options.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let rankings = config.rankings(&options.rank)?;
    let mut line = options.entry.clone();
    let root = config.root_under(&options.root);
    let mut place = root.root.clone();
    if let Some(reference) = line.first().filter(|word| Reference::parse(word).is_some()).cloned() {
        line.remove(0);
        if let Some(word) = line.first().filter(|word| word.starts_with('-')) {
            let says = format!("{word} comes after the image, where only an entry may follow");
            return Err(Error::new("bad-argument", says)
                .help(format!("write options before the image: slimroot check {word} … {reference}")));
        }
        place = PathBuf::from(reference);
    } else if let Some(word) = line.first()
        && let Some(transport) = transport_of(Path::new(word))
    {
        return Err(Error::new("bad-argument", format!("{word} is an image, not a program of the root"))
            .help(format!("add its transport: slimroot check {transport}:{word}")));
    }
    let full = config.image_under(&options.image).fill(root.fill(PackRequest::new(&place, line.clone()))?);
    #[cfg(feature = "page")]
    let full = super::report::allowed(full, options.report.as_ref());
    super::fence::raise(&full)?;
    let mut input = Input::open(&full, watch)?;
    if line.is_empty() {
        line = input.image.as_ref().map_or_else(|| config.entry().to_vec(), RunConfig::line);
    }
    let mut asked = root.fill(PackRequest::new(place, line.clone()))?;
    asked.healthcheck = options.healthcheck.as_deref().or(config.healthcheck()).map(healthcheck).transpose()?;
    input.adopt_circumstances(&mut asked);
    let Some(entry) = line.first() else {
        let findings = rank(vec![missing_entry(&input)?], &rankings);
        #[cfg(feature = "page")]
        super::report::of_check(options, &input, &[], &Closure::default(), None, &findings)?;
        return Ok(checked(String::new(), 0, findings));
    };
    let is_finished = options.as_is || input.image.is_some();
    let (asked, mut request) = request_for(options, &config, asked, is_finished)?;
    let linked = linked(&mut input, &asked, &mut request, watch)?;
    let objects = Objects::new(&input.root);
    let (closure, stopped) = match closure(&input, &asked, &objects, &request, &linked, watch) {
        Ok(closure) => (closure, None),
        // An entry that cannot start is a finding, not a failure of `check`.
        Err(error) if is_about_entry(&error) => (Closure::default(), Some(finding_of(error, entry))),
        Err(error) => return Err(error),
    };
    let user = options.user.clone().or_else(|| config.user().map(str::to_owned));
    let details = Details { healthcheck: asked.healthcheck.clone(), ..Details::default() };
    let mut findings: Vec<Finding> = stopped.into_iter().collect();
    let is_stopped = !findings.is_empty();
    let mut planned = None;
    if is_finished || options.loaded_only {
        let run = RunSettings { details, ..run_settings(&request, input.image.as_ref(), user, &closure) };
        let find = if options.loaded_only { find_loading } else { find };
        findings.extend(find(&Evidence::new(&objects, &closure, &input.root, &run, is_finished))?);
    } else if !is_stopped {
        let (workdir, ports) = (request.workdir.clone(), config.ports()?);
        let settings = Settings { user, workdir, ports, details, ..Settings::default() };
        let plan = Plan::build(&objects, &request, &closure, &settings)?;
        let image = Root::new(Arc::new(PlannedTree::new(&plan, input.root.tree())));
        findings.extend(find(&Evidence::new(&objects, &closure, &image, &plan.run, false))?);
        planned = Some((plan, request));
    }
    let findings = rank(findings, &rankings);
    #[cfg(not(feature = "page"))]
    drop(planned);
    #[cfg(feature = "page")]
    super::report::of_check(options, &input, &line, &closure, planned.as_ref(), &findings)?;
    let count = closure.processes.iter().map(|started| started.process.loaded.len() - started.process.inherited).sum();
    let shown = shell_line(line.iter().map(String::as_str)).unwrap_or_else(|| line.join(" "));
    Ok(checked(shown, count, findings))
}

/// The finding or error for a missing entry.
fn missing_entry(input: &Input) -> Result<Finding, Error> {
    if input.image.is_none() {
        return Err(Error::new("bad-argument", "no entry: give a program or an image")
            .help("use slimroot check ENTRY, or slimroot check oci:DIR for a finished image"));
    }
    let says = "the image has neither an entrypoint nor a command, so it starts nothing";
    Ok(Finding::new("entry-missing", Level::Error, "", says).help("build it with ENTRYPOINT or CMD"))
}

/// The request to check: everything that would be packed, a finished image, or only the loaded objects.
fn request_for(
    options: &Options,
    config: &Config,
    asked: PackRequest,
    is_finished: bool,
) -> Result<(PackRequest, Request), Error> {
    if options.loaded_only {
        let request = Request { processes_only: true, ..start_of(&asked)? };
        return Ok((asked, request));
    }
    let full = config.image_under(&options.image).fill(asked.clone());
    let request = request_of(&full)?.without_records();
    // No files of a finished image are generated.
    Ok(if is_finished { (asked, as_is(request)) } else { (full, request) })
}

fn checked(entry: String, objects: usize, findings: Vec<Finding>) -> Checked {
    Checked { schema: "slimroot.check.v1", entry, objects, findings }
}

/// A request that adds nothing. Profiles are only evaluated to see whether they would be needed.
fn as_is(request: Request) -> Request {
    Request { companions: Companions::None, profiles: Vec::new(), ..request }
}

/// The run settings of a finished image; options take precedence over its configuration.
fn run_settings(request: &Request, image: Option<&RunConfig>, user: Option<String>, closure: &Closure) -> RunSettings {
    let entry = closure.entries.first().map(|entry| entry.path.to_string());
    let of_image = |field: fn(&RunConfig) -> &String| image.map(field).cloned().unwrap_or_default();
    RunSettings {
        entrypoint: entry.into_iter().collect(),
        env: request.env.clone(),
        workdir: request.workdir.as_ref().map(ToString::to_string).unwrap_or_default(),
        user: user.unwrap_or_else(|| of_image(|image| &image.user)),
        ports: image.iter().flat_map(|image| image.ports.iter().cloned()).collect(),
        labels: image.map(|image| image.labels.clone()).unwrap_or_default(),
        architecture: of_image(|image| &image.architecture),
        variant: of_image(|image| &image.variant),
        ..RunSettings::default()
    }
}

fn is_about_entry(error: &Error) -> bool {
    matches!(
        error.code,
        "entry-missing"
            | "entry-is-directory"
            | "entry-not-regular"
            | "not-elf"
            | "bad-elf"
            | "bad-shebang"
            | "shebang-cr"
            | "interpreter-missing"
            | "link-loop"
    )
}

fn finding_of(error: Error, entry: &str) -> Finding {
    let finding = Finding::new(error.code, Level::Error, entry, error.says);
    match error.help {
        Some(help) => finding.help(help),
        None => finding,
    }
}
