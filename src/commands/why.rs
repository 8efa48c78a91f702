//! `slimroot why`: explains why a path is in the image.

use clap::Args;
use serde::Serialize;

use super::contents::ImageOptions;
use crate::cli::{Format, RootOptions};
use crate::closure::Closure;
use crate::error::Error;
use crate::loader::Objects;
use crate::pack::{Input, PackRequest, Watch, closure, healthcheck, linked, request_of};
use crate::path::RootPath;
use crate::root::{Root, Visit};
use crate::world::tables::system;

/// Maximum number of paths that are explained for a file name.
const MAX_PATHS: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    #[command(flatten)]
    pub(crate) image: ImageOptions,
    /// Health check of the image, written as for `slimroot build`: its program or slimroot's probe is packed too.
    #[arg(long, hide_short_help = true, value_name = "CHECK", allow_hyphen_values = true)]
    pub(crate) healthcheck: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The path to explain; or a file name such as libssl.so.3, for all paths with it.
    #[arg(value_name = "PATH|NAME")]
    pub(crate) path: String,
    /// The program or script that the image starts. Not needed if the root is an image.
    #[arg(last = true, value_name = "ENTRY")]
    pub(crate) entry: Vec<String>,
}

/// The reasons why a path is in an image.
#[derive(Debug, Serialize)]
pub(crate) struct Why {
    pub(crate) schema: &'static str,
    pub(crate) path: String,
    pub(crate) packed: bool,
    /// True if the path exists in the root.
    pub(crate) in_root: bool,
    /// The paths that a file name stands for; empty if a path was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) places: Vec<String>,
    /// True if there are more paths with that name than are explained.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_cut: bool,
    /// One chain for each symlink on the path, and one for the file itself.
    pub(crate) chains: Vec<Chain>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Chain {
    pub(crate) path: String,
    pub(crate) reasons: Vec<Step>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) path: String,
    /// The id of the rule that found it: `slimroot explain rule:ID`.
    pub(crate) rule: &'static str,
    pub(crate) because: String,
}

impl Why {
    pub(crate) fn is_packed(&self) -> bool {
        self.packed
    }
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Why, Error> {
    let request = PackRequest::new(&options.root.root, options.entry.clone());
    let mut request = options.image.fill(options.root.fill(request)?);
    request.healthcheck = options.healthcheck.as_deref().map(healthcheck).transpose()?;
    super::fence::raise(&request)?;
    let mut input = Input::open(&request, watch)?;
    input.adopt(&mut request);
    if request.entry.is_empty() {
        return Err(Error::new("bad-argument", "no entry: give the program that the image starts after --")
            .help(format!("for example: slimroot why {} -- curl", options.path)));
    }
    let mut wanted = request_of(&request)?;
    let linked = linked(&mut input, &request, &mut wanted, watch)?;
    let root = &input.root;
    let objects = Objects::new(root);
    let closure = closure(&input, &request, &objects, &wanted, &linked, watch)?;
    let followed = root.follow(options.path.as_bytes())?;
    let is_name = !options.path.contains('/') && followed.found().is_none();
    let mut named = if is_name { paths_with_name(root, &closure, options.path.as_bytes())? } else { Vec::new() };
    let is_cut = named.len() > MAX_PATHS;
    named.truncate(MAX_PATHS);
    let mut asked: Vec<RootPath> = followed.hops.iter().map(|hop| hop.link.clone()).collect();
    asked.extend(followed.found().map(|(real, _)| real.clone()));
    if asked.is_empty() {
        asked.extend(RootPath::new(&options.path).filter(|_| !is_name));
        asked.extend_from_slice(&named);
    }
    let mut chains = Vec::new();
    let mut packed = true;
    for path in asked {
        let mut links = closure.why(&path);
        // A directory is packed because of the files in it.
        if links.is_empty()
            && let Some((inside, _)) =
                closure.graph.nodes().range(path.clone()..).find(|(node, _)| node.is_within(&path))
        {
            links = closure.why(inside);
        }
        if links.is_empty() {
            // If a symlink on the path is not packed, the path does not exist in the image.
            packed = false;
            continue;
        }
        let step = |edge: &crate::closure::Edge| Step {
            path: edge.to.to_string(),
            rule: edge.rule,
            because: edge.reason.says(edge.from.as_ref()),
        };
        chains.push(Chain { path: path.to_string(), reasons: links.into_iter().map(step).collect() });
    }
    let (packed, in_root) = (packed && !chains.is_empty(), followed.found().is_some() || !named.is_empty());
    let places = named.iter().map(ToString::to_string).collect();
    Ok(Why { schema: "slimroot.why.v1", path: options.path.clone(), packed, in_root, places, is_cut, chains })
}

/// The paths with a file name, up to one more than the maximum: those in the image, or else those in the root.
fn paths_with_name(root: &Root, closure: &Closure, name: &[u8]) -> Result<Vec<RootPath>, Error> {
    let packed = closure.graph.nodes().keys().filter(|path| path.name() == name);
    let mut found: Vec<RootPath> = packed.take(MAX_PATHS + 1).cloned().collect();
    if found.is_empty() {
        root.visit(&RootPath::root(), &mut |path, _| {
            if path.name() == name {
                found.push(path.clone());
            }
            Ok(match found.len() > MAX_PATHS {
                true => Visit::End,
                false if system().kernel.cover(path) => Visit::Pass,
                false => Visit::Enter,
            })
        })?;
    }
    Ok(found)
}
