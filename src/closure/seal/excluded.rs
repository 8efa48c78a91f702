//! `--exclude` that has no effect: the pattern matches nothing in the root, or the image needs what it matches.

use crate::closure::state::State;
use crate::closure::{Closure, NodeKind, Unmatched};
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::Need;

/// Finds the patterns without effect.
///
/// # Errors
/// `unreadable`.
pub(super) fn tell(state: &State<'_>, closure: &mut Closure) -> Result<(), Error> {
    for pattern in &state.request.exclude {
        let is_kept = |(path, kind): &(&RootPath, &NodeKind)| {
            !matches!(kind, NodeKind::Dir(_) | NodeKind::MadeDir { .. }) && pattern.covers(path)
        };
        let mut kept = state.graph.nodes().iter().filter(is_kept).map(|(path, _)| path);
        if let Some(first) = kept.next() {
            closure.overruled.push((pattern.as_str().to_owned(), first.clone(), 1 + kept.count()));
        } else if state.world.root.matching(pattern)?.is_empty() {
            let (who, what) = ("--exclude".to_owned(), pattern.as_str().to_owned());
            closure.unmatched.push(Unmatched { who, what, need: Need::Expected });
        }
    }
    Ok(())
}
