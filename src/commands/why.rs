//! `slimroot why`: the chain of reasons for a path.

use clap::Args;
use serde::Serialize;

use super::contents::{ImageOptions, request_of};
use super::made;
use super::subject::{Subject, Watch};
use crate::cli::{Format, RootOptions};
use crate::error::Error;
use crate::loader::Objects;
use crate::path::RootPath;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) root: RootOptions,
    #[command(flatten)]
    pub(crate) image: ImageOptions,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The path asked about.
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
    /// The program or script that the image starts.
    #[arg(last = true, required = true, num_args = 1.., value_name = "ENTRY")]
    pub(crate) entry: Vec<String>,
}

/// Why a path is in an image.
#[derive(Debug, Serialize)]
pub(crate) struct Why {
    pub(crate) schema: &'static str,
    pub(crate) path: String,
    pub(crate) packed: bool,
    /// Whether the root has it.
    pub(crate) in_root: bool,
    /// For each path that the asked one leads through, the last being the file itself.
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
    pub(crate) because: String,
}

impl Why {
    pub(crate) fn is_packed(&self) -> bool {
        self.packed
    }
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Why, Error> {
    let dir = &options.root.root;
    let mut subject = Subject::open(&options.root, watch)?;
    let mut request = request_of(&subject.adopted(&options.root), &options.image, &options.entry)?;
    let linked = made::linked(&mut subject, dir, &options.image, &mut request, watch)?;
    let root = &subject.root;
    let objects = Objects::new(root);
    let closure = made::closure(&subject, dir, &objects, &request, (&options.image, &linked), watch)?;
    let followed = root.follow(options.path.as_bytes())?;
    let mut asked: Vec<RootPath> = followed.hops.iter().map(|hop| hop.link.clone()).collect();
    asked.extend(followed.found().map(|(real, _)| real.clone()).or_else(|| RootPath::new(&options.path)));
    let mut chains = Vec::new();
    let mut packed = true;
    for path in asked {
        let mut links = closure.why(&path);
        // A directory is in because of what lies in it.
        if links.is_empty()
            && let Some((inside, _)) = closure.nodes.range(path.clone()..).find(|(node, _)| node.is_within(&path))
        {
            links = closure.why(inside);
        }
        if links.is_empty() {
            // A link on the way that is not there leads nowhere in the image, whatever it leads to here.
            packed = false;
            continue;
        }
        let step = |edge: &crate::closure::Edge| Step {
            path: edge.to.to_string(),
            because: edge.reason.says(edge.from.as_ref()),
        };
        chains.push(Chain { path: path.to_string(), reasons: links.into_iter().map(step).collect() });
    }
    let (packed, in_root) = (packed && !chains.is_empty(), followed.found().is_some());
    Ok(Why { schema: "slimroot.why.v1", path: options.path.clone(), packed, in_root, chains })
}
