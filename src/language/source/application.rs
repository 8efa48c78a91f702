//! The application itself: the directory that contains a script, or the working directory of the program.

use std::rc::Rc;

use crate::error::Error;
use crate::language::{Call, Claim, Scope, Without};
use crate::path::RootPath;
use crate::root::Root;
use crate::world::tables::system;

/// True for a shared directory, which is not the directory of a single application.
pub(crate) fn is_wide(dir: &RootPath) -> bool {
    system().shared.contain(dir) || is_program_dir(dir)
}

/// True for a directory of programs such as `bin`.
pub(crate) fn is_program_dir(dir: &RootPath) -> bool {
    system().program_names.iter().any(|name| name.as_bytes() == dir.name())
}

/// True for an entry that a development tool left behind and that is not part of the application.
pub(crate) fn is_leftover(path: &RootPath) -> bool {
    system().leftovers.iter().any(|name| name.as_bytes() == path.name())
}

/// True for a directory that may contain several applications, such as /srv, if it is the working directory and
/// contains the started file directly. It is then the directory of that one application.
pub(crate) fn is_chosen(call: &Call<'_>, dir: &RootPath, file: &RootPath) -> Result<bool, Error> {
    let is_parent = !dir.is_root() && system().application_parents.contain(dir);
    Ok(is_parent && file.parent().as_ref() == Some(dir) && call.root.follow(call.cwd.as_bytes())?.dir() == Some(dir))
}

/// True if this directory is the application's because the script of the call is directly in it.
pub(crate) fn is_chosen_by_script(call: &Call<'_>, dir: &RootPath) -> Result<bool, Error> {
    let Some(script) = call.script()? else { return Ok(false) };
    let followed = call.root.follow(script.as_bytes())?;
    followed.file().map_or(Ok(false), |(real, _)| is_chosen(call, dir, real))
}

/// The directories of an application: the one that contains its script, and its working directory.
pub(crate) fn dirs(call: &Call<'_>) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    if let Some(script) = call.script()? {
        let real = call.root.follow(script.as_bytes())?.file().map(|(real, _)| real.clone());
        found.extend([Some(script), real].into_iter().flatten().filter_map(|path| path.parent()));
    }
    found.push(call.cwd.clone());
    let mut dirs: Vec<RootPath> = Vec::new();
    for dir in found {
        let Some(mut real) = call.root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        // `/app/bin/main` belongs to /app. A virtual environment is an exception: the Python rules handle it.
        if is_program_dir(&real)
            && let Some(parent) = real.parent()
            && call.root.follow(parent.join(b"pyvenv.cfg").as_bytes())?.file().is_none()
        {
            real = parent;
        }
        let is_own = !is_wide(&real) || is_chosen_by_script(call, &real)?;
        if is_own && !dirs.iter().any(|known| real.is_within(known)) {
            dirs.retain(|known| !known.is_within(&real));
            dirs.push(real);
        }
    }
    Ok(dirs)
}

/// Note for a script in a system directory: only the script itself is packed, nothing next to it.
pub(crate) fn lone_script_note(call: &Call<'_>) -> Result<Option<String>, Error> {
    let Some(script) = call.script()? else { return Ok(None) };
    let dir = script.parent().unwrap_or_else(RootPath::root);
    let is_alone = is_wide(&dir) && !is_program_dir(&dir) && dirs(call)?.is_empty();
    Ok(is_alone.then(|| {
        format!(
            "{script} is in {dir}, which is not an application directory: only the script itself is packed; add \
                 what it needs with --workdir or --include"
        )
    }))
}

/// Claims the directory of an application, except files that its language leaves out.
pub(crate) fn application_claim(dir: RootPath, group: &'static str, more: Without) -> Claim {
    let why = format!("{dir} is the application's directory");
    let without = Rc::new(move |root: &Root, path: &RootPath| is_leftover(path) || more(root, path));
    Claim { dir, without, group, why, scope: Scope::Application }
}

/// Claims the directories of an application whose language leaves nothing out.
pub(crate) fn whole_claims(call: &Call<'_>, group: &'static str) -> Result<Vec<Claim>, Error> {
    Ok(dirs(call)?.into_iter().map(|dir| application_claim(dir, group, Rc::new(|_, _| false))).collect())
}

/// Claims the directories of an application of unknown kind; a language's claim takes precedence.
pub(crate) fn plain_claims(call: &Call<'_>, group: &'static str) -> Result<Vec<Claim>, Error> {
    let plain = |claim: Claim| Claim { scope: Scope::Plain, ..claim };
    Ok(whole_claims(call, group)?.into_iter().map(plain).collect())
}

/// True if the shell script is a shim that starts a program of a package, as pnpm and npm's cmd-shim write them.
pub(crate) fn is_shim(call: &Call<'_>) -> bool {
    let dir = call.scripts.first().and_then(RootPath::parent);
    dir.is_some_and(|dir| dir.name() == b".bin" && dir.parent().is_some_and(|above| above.name() == b"node_modules"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use super::*;
    use crate::language::Memory;
    use crate::root::MemTree;

    #[test]
    fn an_application_is_where_its_script_lies_unless_that_is_a_system() {
        let mut tree = MemTree::default();
        for file in
            ["/app/main.py", "/tool/bin/run.py", "/venv/pyvenv.cfg", "/venv/bin/serve", "/usr/local/bin/x", "/top.py"]
        {
            tree.file(file, 0o755, "");
        }
        let root = Root::new(Arc::new(tree));
        let (env, cwd, sonames) = (BTreeMap::new(), RootPath::root(), BTreeSet::new());
        let memory = Memory::default();
        let told = |script: &str| {
            let call = Call {
                root: &root,
                scripts: vec![RootPath::new(script).expect("a path")],
                programs: Vec::new(),
                args: &[],
                cwd: &cwd,
                env: &env,
                path: "/usr/bin",
                sonames: &sonames,
                memory: &memory,
                target: None,
                is_musl: false,
                unneeded: None,
                own_modules: &|_| Ok(Vec::new()),
            };
            let dirs: Vec<String> = dirs(&call).expect("readable").iter().map(ToString::to_string).collect();
            (dirs.join(" "), lone_script_note(&call).expect("readable").is_some())
        };
        let is = |dirs: &str, is_alone: bool| (dirs.to_owned(), is_alone);
        assert_eq!(told("/app/main.py"), is("/app", false));
        assert_eq!(told("/tool/bin/run.py"), is("/tool", false));
        assert_eq!(told("/venv/bin/serve"), is("", false));
        assert_eq!(told("/usr/local/bin/x"), is("", false));
        assert_eq!(told("/top.py"), is("", true));
    }
}
