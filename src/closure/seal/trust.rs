//! `--ca`: adds the user's certificate authorities to every trust store in the image. Also reports authorities that
//! were added in the builder stage, because the user may not know about them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::closure::message::{Message, Note};
use crate::closure::rules;
use crate::closure::state::State;
use crate::closure::{NodeKind, Reason};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Meta;
use crate::trust::{Authority, KeyStore, certificates, with_authorities};

/// The profiles that contain the paths of trust stores.
const BUNDLES: &str = "ca-certificates";
const DIRECTORIES: &str = "ca-directory";
const JAVA: &str = "java-certificates";
/// The path of a new bundle if the root has none: the one that most programs try (Go's crypto/x509/root_linux.go).
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Directories of single certificates that p11-kit's trust module reads, if the distribution configures it so.
const ANCHORS: [&str; 3] =
    ["/etc/pki/ca-trust/source/anchors", "/etc/pki/trust/anchors", "/etc/ca-certificates/trust-source/anchors"];
/// Packages that contain the certificate authorities of a distribution.
const PACKAGES: [&str; 3] = ["ca-certificates", "ca-certificates-mozilla", "ca-certificates-bundle"];
/// Maximum size of a trust store.
const MAX_STORE: usize = 16 << 20;
/// A file with at least this many certificates is a bundle; smaller ones contain pinned certificates.
const MANY: usize = 40;
/// Maximum number of owners in a note.
const NAMED: usize = 3;
const MODE: u32 = 0o644;
const WHY: &str = "with the authorities of --ca";

/// Adds the authorities of the request to every packed trust store, and returns them.
///
/// # Errors
/// `unreadable`.
pub(super) fn add(state: &mut State<'_>) -> Result<Vec<Authority>, Error> {
    match state.request.no_rules.iter().any(|id| id == rules::TRUST) {
        true => Ok(Vec::new()),
        false => Stores { state }.trust(),
    }
}

/// The trust stores of an image.
struct Stores<'s, 'a> {
    state: &'s mut State<'a>,
}

impl Stores<'_, '_> {
    fn note(&mut self, code: &'static str, subject: &str, says: String) {
        self.state.messages.push(Message::Note(Note::new(code, subject, says)));
    }

    /// Adds the authorities of the request to every trust store, and reports authorities that the user may not know
    /// about.
    fn trust(&mut self) -> Result<Vec<Authority>, Error> {
        let hashed = self.hashed();
        let mut bundles = Vec::new();
        for (path, meta) in self.files_of(BUNDLES) {
            let is_single = || Ok(certificates(&self.state.world.root.read(&path, MAX_STORE)?).len() == 1);
            if !path.parent().is_some_and(|dir| hashed.contains(&dir)) || !is_single()? {
                bundles.push((path, meta));
            }
        }
        self.tell_of_strangers(&bundles)?;
        let authorities = self.state.request.authorities.clone();
        if authorities.is_empty() {
            return Ok(authorities);
        }
        for (path, meta) in &bundles {
            let bytes = self.state.world.root.read(path, MAX_STORE)?;
            let made = with_pem(&bytes, &authorities);
            self.put(path.clone(), meta.mode, made);
        }
        if bundles.is_empty() {
            let place = RootPath::new(BUNDLE).unwrap_or_else(RootPath::root);
            self.put(place, MODE, with_pem(&[], &authorities));
            let alone = "the root has no bundle of authorities: those of --ca are the only ones that the image trusts";
            self.note("ca-only", BUNDLE, alone.to_owned());
        }
        for (path, meta) in self.files_of(JAVA) {
            let bytes = self.state.world.root.read(&path, MAX_STORE)?;
            match with_authorities(&bytes, &authorities) {
                Some(made) => self.put(path, meta.mode, made),
                None if KeyStore::of(&bytes).is_some() => {
                    let says = format!(
                        "{path} has a password, so the authorities of --ca are not in it: keytool -importcert in the builder stage"
                    );
                    self.note("ca-not-added", &path.to_string(), says);
                }
                None => {}
            }
        }
        self.trust_in_directories(&hashed, &authorities);
        self.tell_of_others(&bundles)?;
        Ok(authorities)
    }

    /// Adds one file per authority to directories: named by OpenSSL's hash, or arbitrarily for p11-kit.
    fn trust_in_directories(&mut self, hashed: &BTreeSet<RootPath>, authorities: &[Authority]) {
        for dir in hashed {
            for authority in authorities {
                let names = (0..).map(|number: u32| dir.join(format!("{:08x}.{number}", authority.hash).as_bytes()));
                let free = names.into_iter().find(|path| !self.state.graph.contains(path));
                free.into_iter().for_each(|path| self.put(path, MODE, authority.pem().into_bytes()));
            }
        }
        for dir in ANCHORS.iter().filter_map(RootPath::new) {
            if self.state.graph.contains(&dir) {
                for (number, authority) in authorities.iter().enumerate() {
                    self.put(dir.join(format!("slimroot-{number}.pem").as_bytes()), MODE, authority.pem().into_bytes());
                }
            }
        }
    }

    fn put(&mut self, path: RootPath, mode: u32, bytes: Vec<u8>) {
        let kind = NodeKind::MadeFile { mode, bytes: bytes.into() };
        let reason = Arc::new(Reason::Profile { profile: BUNDLES.to_owned(), why: WHY.to_owned() });
        self.state.graph.replace(&path, kind, rules::TRUST, &reason);
    }

    /// The paths added by a profile.
    fn of_profile(&self, name: &str) -> impl Iterator<Item = &RootPath> {
        let is_its = move |path: &&RootPath| {
            self.state.graph.reasons(path).any(|edge| match &*edge.reason {
                Reason::Profile { profile, .. } => profile == name,
                Reason::Hop { to, .. } => matches!(&**to, Reason::Profile { profile, .. } if profile == name),
                _ => false,
            })
        };
        self.state.graph.nodes().keys().filter(is_its)
    }

    fn files_of(&self, profile: &str) -> Vec<(RootPath, Meta)> {
        let meta = |path: &RootPath| match self.state.graph.get(path) {
            Some(NodeKind::File(meta)) => Some((path.clone(), *meta)),
            _ => None,
        };
        self.of_profile(profile).filter_map(meta).collect()
    }

    /// Directories with one file per authority, named by OpenSSL's hash.
    fn hashed(&self) -> BTreeSet<RootPath> {
        let by_hash = self.of_profile(DIRECTORIES).chain(self.of_profile(BUNDLES)).filter(is_hashed);
        by_hash.filter_map(RootPath::parent).collect()
    }

    /// Reports authorities in the builder's bundle that someone may have added only for the build.
    fn tell_of_strangers(&mut self, bundles: &[(RootPath, Meta)]) -> Result<(), Error> {
        let Some((bundle, _)) = bundles.first() else { return Ok(()) };
        let Some(database) = self.state.world.database()? else { return Ok(()) };
        let mut packaged = BTreeSet::new();
        for package in PACKAGES {
            for path in database.contents(package)? {
                let name = path.name();
                if [b".crt".as_slice(), b".pem", b".p11-kit"].iter().any(|end| name.ends_with(end))
                    && let Some((real, bytes)) = self.state.world.root.read_followed(path.as_bytes(), MAX_STORE)?
                    && !bundles.iter().any(|(bundle, _)| *bundle == real)
                {
                    packaged.extend(certificates(&bytes).into_iter().flatten());
                }
            }
        }
        if packaged.is_empty() {
            return Ok(());
        }
        let own = certificates(&self.state.world.root.read(bundle, MAX_STORE)?);
        let strangers: Vec<String> = own
            .into_iter()
            .flatten()
            .filter(|der| !packaged.contains(der))
            .map(|der| Authority::parse(&der).map_or_else(|| "one that cannot be read".to_owned(), |read| read.subject))
            .collect();
        if !strangers.is_empty() {
            let named = strangers[..strangers.len().min(NAMED)].join(", ");
            let more = strangers.len().saturating_sub(NAMED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let count = match strangers.len() {
                1 => "one authority that does".to_owned(),
                count => format!("{count} authorities that do"),
            };
            let says = format!("{bundle} trusts {count} not come from the ca-certificates package: {named}{more}");
            self.note("ca-added-by-builder", &bundle.to_string(), says);
        }
        Ok(())
    }

    /// Reports libraries with their own bundle, which is not modified.
    fn tell_of_others(&mut self, bundles: &[(RootPath, Meta)]) -> Result<(), Error> {
        let mut others = Vec::new();
        for (path, node) in self.state.graph.nodes().iter() {
            let is_pem = [b".pem".as_slice(), b".crt"].iter().any(|end| path.name().ends_with(end));
            if !is_pem || !matches!(node, NodeKind::File(_)) || bundles.iter().any(|(bundle, _)| bundle == path) {
                continue;
            }
            if certificates(&self.state.world.root.read(path, MAX_STORE)?).len() >= MANY {
                others.push(path.clone());
            }
        }
        for path in others {
            let says = format!("{path} is a library's own bundle: the authorities of --ca are not in it");
            self.note("ca-not-added", &path.to_string(), says);
        }
        Ok(())
    }
}

/// True for a file name that consists of a hash and a number.
fn is_hashed(path: &&RootPath) -> bool {
    let Some((hash, number)) = path.name().split_at_checked(8) else { return false };
    let number = number.strip_prefix(b".").unwrap_or_default();
    hash.iter().all(u8::is_ascii_hexdigit) && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}

/// The bundle, with missing authorities appended.
fn with_pem(bundle: &[u8], authorities: &[Authority]) -> Vec<u8> {
    let known: BTreeSet<Vec<u8>> = certificates(bundle).into_iter().flatten().collect();
    let mut made = bundle.to_vec();
    if !made.is_empty() && !made.ends_with(b"\n") {
        made.push(b'\n');
    }
    for authority in authorities.iter().filter(|authority| !known.contains(&authority.der)) {
        made.extend_from_slice(authority.pem().as_bytes());
    }
    made
}
