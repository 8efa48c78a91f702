//! `slimroot check`: what would go wrong.

use clap::Args;
use serde::Serialize;

use super::build::{self, ImageOptions};
use crate::check::{Evidence, check};
use crate::cli::{Format, RankOptions, RootOptions};
use crate::closure::Closure;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::Objects;
use crate::root::Root;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    #[command(flatten)]
    pub(crate) image: ImageOptions,
    #[command(flatten)]
    pub(crate) rank: RankOptions,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The program or script that the image starts; its arguments are accepted and not looked at.
    #[arg(value_name = "ENTRY", required = true, num_args = 1.., trailing_var_arg = true)]
    pub(crate) entry: Vec<String>,
}

/// What was found.
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

pub(crate) fn run(options: &Options) -> Result<Checked, Error> {
    let rankings = super::rankings(&options.rank)?;
    let root = Root::open(&options.root.root)?;
    let objects = Objects::new(&root);
    let request = build::request_of(&options.root, &options.image, &options.entry[0])?;
    let closure = Closure::build(&root, &objects, &request)?;
    let findings = check(&Evidence { root: &root, closure: &closure }, &rankings)?;
    let objects =
        closure.processes.iter().map(|started| started.process.loaded.len() - started.process.inherited).sum();
    Ok(Checked { schema: "slimroot.check.v1", entry: options.entry[0].clone(), objects, findings })
}
