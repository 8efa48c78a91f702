//! Settings of the process that become those of the image. If the root is the running system, slimroot runs in the
//! builder stage itself: PATH, LANG and the working directory are those of the stage's `ENV` and `WORKDIR`.
//!
//! `profiles/tables/inherited.toml` lists the variables. Others, such as HOME, HOSTNAME, proxies and secrets, belong to
//! the build or to its machine and never get into an image.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::closure::DEFAULT_PATH;
use crate::pack::PackRequest;
use crate::world::tables::{Words, table};

/// Permission of everybody to enter a directory.
const ENTER: u32 = 0o001;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Names {
    names: Words,
    beginnings: Words,
    not_under: Words,
}

table! {
    /// The variables that an image inherits.
    fn names() -> Names = "inherited"
}

/// Settings of a process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inherited {
    env: BTreeMap<String, String>,
    workdir: Option<String>,
}

impl Inherited {
    /// The settings of this process, if the root is the running system.
    pub(crate) fn of(root: &Path) -> Self {
        if std::fs::canonicalize(root).ok().as_deref() != Some(Path::new("/")) {
            return Self::default();
        }
        let workdir = std::env::current_dir().ok().filter(|dir| is_open(dir));
        Self::from(std::env::vars_os(), workdir)
    }

    fn from(vars: impl Iterator<Item = (OsString, OsString)>, workdir: Option<PathBuf>) -> Self {
        let known = names();
        let vars: Vec<(String, String)> =
            vars.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        if vars.iter().any(|(name, _)| known.not_under.contain(name)) {
            return Self::default();
        }
        let is_taken = |(name, value): &(String, String)| {
            let is_default = value.is_empty() || name == "PATH" && value == DEFAULT_PATH;
            !is_default && (known.names.contain(name) || known.beginnings.begin(name))
        };
        let workdir =
            workdir.filter(|dir| dir != Path::new("/")).and_then(|dir| dir.into_os_string().into_string().ok());
        Self { env: vars.into_iter().filter(is_taken).collect(), workdir }
    }

    /// Adds settings that the request does not set itself.
    pub(crate) fn fill(&self, request: &mut PackRequest) {
        for (name, value) in &self.env {
            request.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        request.workdir = request.workdir.take().or_else(|| self.workdir.clone());
    }

    /// The settings that a request took over, for the report.
    pub(crate) fn taken(&self, request: &PackRequest) -> Vec<String> {
        let variables = self.env.iter().filter(|(name, value)| request.env.get(*name) == Some(value));
        let workdir = self.workdir.iter().filter(|dir| request.workdir.as_ref() == Some(dir));
        variables
            .map(|(name, value)| format!("{name}={value}"))
            .chain(workdir.map(|dir| format!("workdir {dir}")))
            .collect()
    }
}

/// True if every user can enter the directory: the user of the image need not be that of the build.
fn is_open(dir: &Path) -> bool {
    dir.ancestors().all(|dir| dir.metadata().is_ok_and(|meta| meta.permissions().mode() & ENTER != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vars: &[(&str, &str)], workdir: &str) -> Inherited {
        let vars = vars.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Inherited::from(vars, Some(PathBuf::from(workdir)))
    }

    #[test]
    fn settings_of_a_stage_are_taken_and_those_of_the_build_are_not() {
        let vars = [
            ("PATH", "/opt/venv/bin:/usr/bin"),
            ("LC_TIME", "de_DE.UTF-8"),
            ("HOME", "/root"),
            ("HOSTNAME", "buildkitsandbox"),
            ("https_proxy", "http://u:p@proxy"),
            ("GEM_HOST_API_KEY", "secret"),
            ("NODE_AUTH_TOKEN", "secret"),
            ("LANG", ""),
        ];
        let Inherited { env, workdir } = of(&vars, "/app");
        assert_eq!(env.keys().map(String::as_str).collect::<Vec<_>>(), ["LC_TIME", "PATH"]);
        assert_eq!(workdir.as_deref(), Some("/app"));
        assert_eq!(of(&[("PATH", DEFAULT_PATH)], "/"), Inherited::default());
        assert_eq!(of(&[("TZ", "UTC"), ("CARGO_MANIFEST_DIR", "/src")], "/src"), Inherited::default());
    }

    #[test]
    fn what_a_request_sets_itself_wins() {
        let inherited = of(&[("TZ", "UTC"), ("LANG", "C.UTF-8")], "/app");
        let mut request = PackRequest::new("/", ["true"]);
        request.env.insert("TZ".to_owned(), "Asia/Tokyo".to_owned());
        request.workdir = Some("/srv".to_owned());
        inherited.fill(&mut request);
        assert_eq!((request.env["TZ"].as_str(), request.workdir.as_deref()), ("Asia/Tokyo", Some("/srv")));
        assert_eq!(inherited.taken(&request), ["LANG=C.UTF-8"]);
    }
}
