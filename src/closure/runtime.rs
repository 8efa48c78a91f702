//! The Java runtime of an image and the classes that it runs, as input for linking a smaller one.

use super::{Closure, NodeKind};
use crate::error::Error;
use crate::language;
use crate::path::RootPath;
use crate::root::Root;

/// A runtime in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JavaRuntime {
    /// Its home directory.
    pub home: RootPath,
    /// Jars and class directories.
    pub classes: Vec<RootPath>,
    /// Jars among them that contain jars and classes in directories of their own.
    pub nested: Vec<RootPath>,
}

impl Closure {
    /// The first Java runtime that a program of the image uses; `None` if there is none, or if it is not modular (Java
    /// 8).
    ///
    /// # Errors
    /// `unreadable`.
    pub fn java_runtime(&self, root: &Root) -> Result<Option<JavaRuntime>, Error> {
        for started in self.processes.iter().filter(|started| started.required) {
            let loaded = &started.process.loaded;
            // Every launcher of a Java runtime loads libjli.so.
            if !loaded.iter().any(|object| object.elf.soname.as_deref() == Some(b"libjli.so")) {
                continue;
            }
            let Some(home) = loaded[0].real.parent().and_then(|bin| bin.parent()) else { continue };
            let modules = root.follow(home.join(b"lib").join(b"modules").as_bytes())?;
            if modules.file().is_some() {
                return Ok(Some(self.on_runtime(root, home)?));
            }
        }
        Ok(None)
    }

    fn on_runtime(&self, root: &Root, home: RootPath) -> Result<JavaRuntime, Error> {
        let files = |end: &'static [u8]| {
            let own = home.clone();
            let is_file = |node: &NodeKind| matches!(node, NodeKind::File(_));
            let found = self
                .graph
                .nodes()
                .iter()
                .filter(move |(path, node)| is_file(node) && path.name().ends_with(end) && !path.is_within(&own));
            found.map(|(path, _)| path.clone())
        };
        let mut classes: Vec<RootPath> = files(b".jar").chain(files(b".war")).collect();
        let mut nested = Vec::new();
        for jar in &classes {
            if language::nests_jars(root, jar)? {
                nested.push(jar.clone());
            }
        }
        let single: Vec<RootPath> = files(b".class").collect();
        let is_of_classes = |dir: &&RootPath| single.iter().any(|class| class.is_within(dir));
        classes.extend(self.claimed.iter().filter(is_of_classes).cloned());
        Ok(JavaRuntime { home, classes, nested })
    }
}
