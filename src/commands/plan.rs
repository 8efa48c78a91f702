//! `slimroot plan`: prints every path that an image would have, with its reason, package and size.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::build;
use super::contents::ImageOptions;
use super::run_options::RunOptions;
use crate::cli::{Format, RankOptions, RootOptions};
use crate::error::Error;
use crate::finding::Finding;
use crate::ledger::{write_lines, write_plan};
use crate::pack::{Watch, plan_options, planned};

/// Format of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// A line for each path.
    #[default]
    Lines,
    /// One JSON document; docs/plan.schema.json describes it.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    #[command(flatten)]
    image: ImageOptions,
    #[command(flatten)]
    run: RunOptions,
    #[command(flatten)]
    rank: RankOptions,
    /// User of the image: NAME or UID, optionally with :GROUP or :GID.
    #[arg(long, short = 'u', value_name = "NAME|UID[:GID]")]
    user: Option<String>,
    /// Port that the image exposes, such as 8080 or 53/udp. Repeatable.
    #[arg(long, value_name = "PORT")]
    expose: Vec<String>,
    /// Label of the image. Repeatable.
    #[arg(long, short = 'l', value_name = "K=V")]
    label: Vec<String>,
    /// A file with the same settings; command-line options take precedence.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Removes debug sections and symbol tables from ELF files.
    #[arg(long)]
    strip: bool,
    /// Other owners for the files of the image. Repeatable.
    #[arg(long = "owner-map", value_name = "UID:GID=UID:GID")]
    owner_map: Vec<String>,
    /// Lists every file of the root that is left out, not only their number.
    #[arg(long)]
    all: bool,
    /// Format of the plan.
    #[arg(long, value_enum, default_value_t)]
    format: PlanFormat,
    /// The program or script that the image starts, with its fixed arguments.
    #[arg(last = true, value_name = "ENTRY")]
    entry: Vec<String>,
}

/// A plan in a file, and the findings.
pub(crate) struct Printed {
    pub(crate) text: File,
    pub(crate) findings: Vec<Finding>,
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Printed, Error> {
    let (mut request, _) = build::request(&as_build(options))?;
    request.documents.all = options.all;
    super::fence::raise(&request)?;
    let name = "the plan in the temporary directory";
    let unwritable = |error| Error::unwritable(&name, error);
    let mut text = tempfile::tempfile().map_err(unwritable)?;
    let findings = planned(request, watch, &mut |request, wanted, ledger| {
        let mut out = BufWriter::new(&text);
        let options_of = plan_options(request, wanted);
        match options.format {
            PlanFormat::Json => write_plan(ledger, &options_of, &mut out, &name)?,
            PlanFormat::Lines => write_lines(ledger, &options_of, &mut out, &name)?,
        }
        out.flush().map_err(unwritable)?;
        Ok(ledger.findings.to_vec())
    })?;
    text.rewind().map_err(unwritable)?;
    Ok(Printed { text, findings })
}

/// The same options for `build`, which writes nothing.
fn as_build(options: &Options) -> build::Options {
    build::Options {
        root: options.root.clone(),
        image: options.image.clone(),
        run: options.run.clone(),
        rank: options.rank.clone(),
        documents: build::DocumentOptions::default(),
        output: Vec::new(),
        user: options.user.clone(),
        expose: options.expose.clone(),
        label: options.label.clone(),
        config: options.config.clone(),
        compression: None,
        layers: None,
        since: None,
        debug_tag: None,
        debug_shell: None,
        threads: None,
        cache: None,
        cache_size: None,
        strip: options.strip,
        owner_map: options.owner_map.clone(),
        force: false,
        dry_run: true,
        verify: false,
        fix: false,
        verify_file: None,
        trial: Default::default(),
        format: Format::Human,
        entry: options.entry.clone(),
    }
}
