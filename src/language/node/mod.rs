//! Node: the application and its installed packages, except packages that npm marks as development dependencies, tests
//! and documentation of packages, build by-products and binaries for other platforms.

mod calls;
mod flags;
mod missing;
mod npm;
mod packages;
mod pnp;
mod reach;
mod runners;
mod shared;
mod table;
mod tree;

use std::collections::BTreeSet;
use std::rc::Rc;

use self::packages::{MODULES, Unneeded, is_source, unneeded};
use self::table::table;
use super::source::application as app;
use super::source::interpreters::{Tongue, system_shell};
use super::source::platform::Platform;
use super::{Call, Certainty, Claim, Command, Needs, Scope};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root, Visit};

pub use npm::{Replaced, replaced};
pub(crate) use runners::is_script_runner;

/// Maximum size of a source file that is scanned, and maximum number of files.
const MAX_SOURCE: usize = 4 << 20;
const MAX_SOURCES: usize = 20_000;

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    let is_embedded = call.sonames.iter().any(|name| table().libraries.begin(name));
    if call.program(|name| Tongue::Node.is_run_by(name))?.is_none() && !app::is_shim(call) && !is_embedded {
        return Ok(needs);
    }
    let options = call.env.get("NODE_OPTIONS").into_iter().flat_map(|text| text.split_whitespace());
    let keeps_maps =
        call.args.iter().map(String::as_str).chain(options).any(|word| table().options.source_maps.contain(word));
    let platform = Platform::of(call.target.as_ref(), call.is_musl);
    needs.notes.extend(app::lone_script_note(call)?);
    needs.starts.extend(runners::starts(call)?);
    needs.missing_modules = missing::find(call)?;
    let starts = starts(call, &mut needs)?;
    let mut homes = starts.clone();
    // Node looks for packages in every parent directory too.
    for dir in &starts {
        for above in dir.ancestors() {
            let modules = above.join(MODULES);
            let Some(real) = call.root.follow(modules.as_bytes())?.dir().cloned() else { continue };
            // If the link leads to a directory above the application, the modules belong to the distribution: the link is
            // packed, and they are packed by name below.
            if real != modules {
                needs.files.push((modules.clone(), "packages are looked up there".to_owned()));
            }
            if !modules.is_within(dir) && !dir.is_within(&real) {
                homes.insert(real);
            }
        }
    }
    let mut kept: Vec<RootPath> = Vec::new();
    for dir in homes {
        if !kept.iter().any(|known| dir.is_within(known)) {
            kept.push(dir);
        }
    }
    let starts: Vec<RootPath> = starts.into_iter().collect();
    let unneeded = Rc::new(unneeded(call.root, &starts, &kept, &asked(call)?, &platform)?);
    needs.notes.extend(unneeded.broken.iter().cloned());
    calls::ask(call, &kept, &unneeded, &mut needs)?;
    let mut words = Words::default();
    for dir in &kept {
        words.read(call.root, dir, &unneeded)?;
    }
    // Workspaces: symlinks that lead out of node_modules to code of the application.
    kept.extend(unneeded.linked.iter().cloned());
    if is_embedded {
        let mut sources = kept.clone();
        if let Some(script) = call.script()? {
            sources.extend(call.root.follow(script.as_bytes())?.file().map(|(real, _)| real.clone()));
        }
        for (package, why) in shared::named(call.root, &sources)? {
            match call.root.meta(&package)?.is_some_and(|meta| meta.kind == FileKind::Dir) {
                true => needs.claims.push(Claim {
                    dir: package,
                    without: Rc::new(|_, _| false),
                    group: "modules",
                    why,
                    scope: Scope::Own,
                }),
                false => needs.files.push((package, why)),
            }
        }
    }
    needs.claims.extend(kept.into_iter().map(|dir| application_claim(dir, &unneeded, keeps_maps)));
    if words.runs_shell {
        let why = "code of the application runs a shell (child_process)".to_owned();
        needs.commands.push(Command { name: system_shell().to_owned(), certainty: Certainty::Likely, why });
    }
    Ok(needs)
}

/// Packages that the call itself refers to: named in an option, or containing the script.
fn asked(call: &Call<'_>) -> Result<Vec<RootPath>, Error> {
    let mut found = flags::loaded(call)?.packages;
    if let Some(script) = call.script()?
        && let Some((real, _)) = call.root.follow(script.as_bytes())?.file()
    {
        let above = real.ancestors();
        if let Some(at) = above.iter().rposition(|dir| dir.name() == MODULES) {
            let is_scoped = above.get(at + 1).is_some_and(|dir| dir.name().starts_with(b"@"));
            found.extend(above.get(at + 1 + usize::from(is_scoped)).cloned());
        }
    }
    Ok(found)
}

/// Directories from which Node resolves the application's dependencies.
fn starts(call: &Call<'_>, needs: &mut Needs) -> Result<BTreeSet<RootPath>, Error> {
    let mut dirs = Vec::new();
    for dir in app::dirs(call)? {
        dirs.push(application_of(call.root, &dir)?);
    }
    // If the script is inside node_modules, the application is the directory above it.
    if let Some(script) = call.script()?
        && let Some((real, _)) = call.root.follow(script.as_bytes())?.file()
    {
        dirs.extend(installed_in(real));
    }
    for path in call.env.get("NODE_PATH").iter().flat_map(|list| list.split(':')) {
        dirs.extend(call.dir(path)?);
    }
    let loaded = flags::loaded(call)?;
    let mut loader = pnp::above(call.root, call.cwd)?;
    for module in loaded.modules {
        let dir = module.parent().unwrap_or_else(RootPath::root);
        if module.name() == b".pnp.cjs" {
            loader = Some(module.clone());
        }
        needs.files.push((module, "an option of node names it".to_owned()));
        dirs.push(application_of(call.root, &dir)?);
    }
    for (path, why) in loaded.data {
        match call.root.meta(&path)?.is_some_and(|meta| meta.kind == FileKind::Dir) {
            true if app::is_wide(&path) => {}
            true => needs.claims.push(Claim {
                dir: path,
                without: Rc::new(|_, _| false),
                group: "application",
                why,
                scope: Scope::Application,
            }),
            false => needs.files.push((path, why)),
        }
    }
    if let Some(loader) = loader {
        for place in pnp::places(call.root, &loader)? {
            match call.root.meta(&place)?.is_some_and(|meta| meta.kind == FileKind::Dir) {
                true => dirs.push(place),
                false => needs.files.push((place, format!("{loader} says that a package lies in it"))),
            }
        }
        needs.files.push((loader, "it says where packages lie".to_owned()));
    }
    let mut own = BTreeSet::new();
    for dir in dirs {
        if !app::is_wide(&dir) || app::is_chosen_by_script(call, &dir)? {
            own.insert(dir);
        }
    }
    Ok(own)
}

/// Claims an application's directory, except what no run needs.
fn application_claim(dir: RootPath, unneeded: &Rc<Unneeded>, keeps_maps: bool) -> Claim {
    let unneeded = Rc::clone(unneeded);
    let why = format!("{dir} is the application's directory");
    let without = move |root: &Root, path: &RootPath| {
        let is_map = !keeps_maps && path.name().ends_with(b".map");
        app::is_leftover(path) || is_map || unneeded.holds(root, path)
    };
    Claim { dir, without: Rc::new(without), group: "application", why, scope: Scope::Application }
}

/// The nearest directory, at or above `dir`, that has a package.json; `dir` itself if there is none outside shared
/// directories.
fn application_of(root: &Root, dir: &RootPath) -> Result<RootPath, Error> {
    for above in std::iter::successors(Some(dir.clone()), RootPath::parent) {
        if app::is_wide(&above) {
            break;
        }
        if root.follow(above.join(b"package.json").as_bytes())?.file().is_some() {
            return Ok(installed_in(&above).unwrap_or(above));
        }
    }
    Ok(dir.clone())
}

/// The application whose node_modules contains the path; for a globally installed package, the package itself.
fn installed_in(path: &RootPath) -> Option<RootPath> {
    let above = path.ancestors();
    let at = above.iter().position(|dir| dir.name() == MODULES)?;
    let application = above[at].parent()?;
    if !app::is_wide(&application) {
        return Some(application);
    }
    let package = above.get(at + 1)?;
    if package.name().starts_with(b"@") { above.get(at + 2).cloned() } else { Some(package.clone()) }
}

/// Hints found in source code.
#[derive(Default)]
struct Words {
    runs_shell: bool,
    seen: usize,
}

impl Words {
    fn read(&mut self, root: &Root, dir: &RootPath, unneeded: &Unneeded) -> Result<(), Error> {
        root.visit(dir, &mut |path, meta| {
            if self.runs_shell {
                return Ok(Visit::End);
            }
            if self.seen > MAX_SOURCES {
                root.leave_unread(dir, format!("sources after the first {MAX_SOURCES} are not searched for a shell"));
                return Ok(Visit::End);
            }
            if meta.kind == FileKind::File && is_source(path) {
                self.seen += 1;
                let text = root.read(path, MAX_SOURCE)?;
                let calls = &table().calls;
                self.runs_shell |=
                    memchr::memmem::find(&text, calls.module.as_bytes()).is_some() && calls.runs_shell.occur_in(&text);
            }
            let is_out = meta.kind == FileKind::Dir && (app::is_leftover(path) || unneeded.holds(root, path));
            Ok(if is_out { Visit::Pass } else { Visit::Enter })
        })
    }
}
