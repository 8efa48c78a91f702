//! Python's virtual environments: an interpreter that is called through a link in one takes its modules from there (PEP
//! 405; Modules/getpath.py looks for `pyvenv.cfg` beside the program as called, or one directory above).

use super::Home;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

const MARK: &[u8] = b"pyvenv.cfg";
/// Caches are checked against the times of their sources, which an image does not keep: they would never be used.
const CACHES: &str = "__pycache__";

/// The virtual environment that a program is called in, if it is.
pub(super) fn environment(root: &Root, program: &RootPath) -> Result<Option<Home>, Error> {
    for dir in program.ancestors().into_iter().rev().take(2) {
        if dir.is_root() {
            continue;
        }
        let mark = dir.join(MARK);
        if root.follow(mark.as_bytes())?.file().is_some() {
            let why = format!("{program} runs in this virtual environment, which {mark} marks");
            return Ok(Some(Home { dir, without: vec![CACHES], why }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn an_environment_is_found_by_the_path_of_the_call() {
        let mut tree = MemTree::default();
        tree.file("/opt/venv/pyvenv.cfg", 0o644, "home = /usr/bin\n")
            .link("/opt/venv/bin/python", "/usr/bin/python3.11")
            .file("/usr/bin/python3.11", 0o755, "");
        let root = Root::new(Arc::new(tree));
        let found = |text| {
            let program = RootPath::new(text).expect("a path");
            environment(&root, &program).expect("readable").map(|home| home.dir.to_string())
        };
        assert_eq!(found("/opt/venv/bin/python").as_deref(), Some("/opt/venv"));
        assert_eq!(found("/usr/bin/python3.11"), None);
    }
}
