//! Every path of an image has a chain of reasons, and every reason is true: readelf, readlink, grep and dpkg verify
//! each step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use slimroot::closure::{Closure, Companions, Reason, Request};
use slimroot::loader::Objects;
use slimroot::path::{RootPath, show};
use slimroot::profile::Profile;
use slimroot::root::Root;

use crate::support::need;
use crate::support::roots;

/// Answers of other programs about the root, cached.
struct Witnesses {
    root: PathBuf,
    dynamic: BTreeMap<RootPath, String>,
    owned: BTreeMap<String, BTreeSet<String>>,
}

impl Witnesses {
    fn at(&self, path: &RootPath) -> String {
        format!("{}{path}", self.root.display())
    }

    /// The output of readelf for the dynamic section and the program headers.
    fn readelf(&mut self, path: &RootPath) -> String {
        let place = self.at(path);
        self.dynamic.entry(path.clone()).or_insert_with(|| roots::run("readelf", &["-W", "-d", "-l", &place])).clone()
    }

    /// The files of a package according to dpkg, with the real paths of a merged /usr.
    fn owned(&mut self, package: &str) -> &BTreeSet<String> {
        let database = format!("--admindir={}/var/lib/dpkg", self.root.display());
        self.owned.entry(package.to_owned()).or_insert_with(|| {
            let told = roots::run("dpkg-query", &[&database, "-L", package]);
            let merged = |line: &str| {
                let is_moved = ["/bin/", "/sbin/", "/lib/", "/lib64/"].iter().any(|dir| line.starts_with(dir));
                if is_moved { format!("/usr{line}") } else { line.to_owned() }
            };
            told.lines().map(merged).collect()
        })
    }

    fn real(&self, path: &[u8]) -> String {
        let path = show(path).into_owned();
        roots::run("chroot", &[&self.root.display().to_string(), "readlink", "-f", &path]).trim_end().to_owned()
    }

    /// True if another program confirms the reason. Declarations of the user or of a profile cannot be verified.
    fn confirms(&mut self, from: Option<&RootPath>, to: &RootPath, reason: &Reason) -> bool {
        match (reason, from) {
            (Reason::Needed { name, .. }, Some(from)) => {
                self.readelf(from).contains(&format!("Shared library: [{}]", show(name)))
            }
            (Reason::Interpreter, Some(from)) => {
                let told = self.readelf(from);
                let asked = told.split("program interpreter: ").nth(1).and_then(|rest| rest.split(']').next());
                asked.is_some_and(|asked| self.real(asked.as_bytes()) == to.to_string())
            }
            (Reason::Hop { .. }, _) => Path::new(&self.at(to)).is_symlink(),
            (Reason::Shebang, Some(from)) => {
                let text = std::fs::read(self.at(from)).expect("read");
                let line = String::from_utf8_lossy(text.split(|b| *b == b'\n').next().unwrap_or_default()).into_owned();
                let word = line.trim_start_matches("#!").split_whitespace().next().unwrap_or_default().to_owned();
                self.real(word.as_bytes()) == to.to_string()
            }
            (Reason::Opens { name: text } | Reason::Names { text }, Some(from)) => {
                let told = roots::run("grep", &["-c", "-a", "-F", &show(text), &self.at(from)]);
                told.trim() != "0"
            }
            (Reason::Companion { package }, _) => {
                let (path, parent) = (to.to_string(), to.parent().map(|dir| dir.to_string()).unwrap_or_default());
                let is_private = parent.matches('/').count() > 3;
                let owned = self.owned(package);
                // Files in a private directory may have been created during the installation of the package.
                owned.contains(&path) || is_private && owned.contains(&parent)
            }
            _ => true,
        }
    }
}

#[test]
fn every_path_has_a_true_chain() {
    if !need::all(&["mmdebstrap", "readelf", "dpkg-query", "chroot"]) {
        return;
    }
    let place = roots::debian();
    let mut witnesses = Witnesses { root: place.clone(), dynamic: BTreeMap::new(), owned: BTreeMap::new() };
    let root = Root::open(&place).expect("the root");
    let known = Profile::builtins().expect("profiles");
    let (profiles, automatic): (Vec<_>, Vec<_>) = known.iter().cloned().partition(|profile| profile.default);
    for entry in ["curl", "nginx", "ldd", "perl"] {
        let request = Request {
            entry: entry.to_owned(),
            companions: Companions::All,
            known: known.clone(),
            profiles: profiles.clone(),
            automatic: automatic.clone(),
            ..Request::default()
        };
        let closure = Closure::build(&Objects::new(&root), &request).expect("a closure");
        assert!(closure.graph().nodes().len() > 500, "{entry}: {} paths", closure.graph().nodes().len());
        let mut asked = 0;
        for path in closure.graph().nodes().keys() {
            let chain = closure.why(path);
            assert_eq!(chain.last().map(|edge| &edge.to), Some(path), "{entry}: {path} has no reason of its own");
            assert!(chain[0].from.is_none(), "{entry}: the chain of {path} starts with {:?}", chain[0]);
            for pair in chain.windows(2) {
                assert_eq!(pair[1].from.as_ref(), Some(&pair[0].to), "{entry}: the chain of {path} is broken");
            }
        }
        for edge in closure.graph().edges() {
            asked += usize::from(!edge.reason.is_profile());
            assert!(
                witnesses.confirms(edge.from.as_ref(), &edge.to, &edge.reason),
                "{entry}: {} is not because {}",
                edge.to,
                edge.reason.says(edge.from.as_ref())
            );
        }
        assert!(asked > 30, "{entry}: {asked} reasons to ask about");
    }
}
