//! Python: the interpreter's prefix, virtual environments, installed packages and the application. All of it is packed,
//! except files that are certainly not needed (PEP 405; Modules/getpath.py; the `site` module's documentation).

mod calls;
mod extensions;
mod fonts;
mod imports;
mod module;
mod server;
mod table;
mod text;
mod tree;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use self::table::table;
use self::text::Texts;
use super::source::application as app;
use super::source::interpreters::{Tongue, system_shell};
use super::{Call, Certainty, Claim, Command, Needs, Scope};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root};
use crate::world::tables::Words;

pub(super) use module::missing as missing_module;

const VENV_MARK: &[u8] = b"pyvenv.cfg";
const MAX_TEXT: usize = 1 << 20;
/// Maximum length of the `#!` line before a zip archive (module `zipapp`).
const ARCHIVE_HEAD: usize = 512;

/// Search path of an interpreter for modules.
struct Layout {
    /// `lib/python3.N` of the prefix.
    library: RootPath,
    /// site-packages directories, in order of precedence.
    sites: Vec<RootPath>,
    /// The virtual environment of the interpreter, if it runs in one.
    venv: Option<RootPath>,
}

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    let Some(layout) = layout(call)? else { return Ok(needs) };
    needs.notes.extend(app::lone_script_note(call)?);
    (needs.imports, needs.missing_modules) = extensions::find(call, &layout)?;
    if let Some(script) = call.script()?
        && let Some((real, head)) = call.root.head_followed(script.as_bytes(), ARCHIVE_HEAD)?
        && is_archive(&head)
    {
        needs.notes.push(format!(
            "{real} is an archive of sources: programs and libraries that these start or open by name are not found; \
             add them with --bin and --include"
        ));
    }
    let mut app_dirs = app::dirs(call)?;
    for dir in call.env.get("PYTHONPATH").iter().flat_map(|list| list.split(':')) {
        app_dirs.extend(call.dir(dir)?.filter(|dir| !app::is_wide(dir)));
    }
    for site in &layout.sites {
        app_dirs.extend(path_files(call.root, site)?);
    }
    app_dirs.extend(server::dirs(call, &mut needs)?);
    app_dirs.extend(module::chosen(call)?);
    app_dirs.sort();
    app_dirs.dedup();
    // Virtual environments inside the application are not part of it; the one in use has its own claim.
    let mut venvs = BTreeSet::new();
    for dir in &app_dirs {
        venvs.extend(environments_in(call.root, dir)?);
    }
    app_dirs.retain(|dir| !layout.sites.contains(dir) && layout.venv.as_ref() != Some(dir));
    let runs_own_code = !app_dirs.is_empty() || module::named_module(call).is_some();
    let modules: Vec<RootPath> = layout.sites.iter().chain([&layout.library]).cloned().collect();
    let asked = asked(call)?;
    let loaded: Vec<String> = asked.iter().flat_map(|name| [name.clone(), format!("{name}.py")]).collect();
    needs.unneeded = call.unneeded_in(&modules, runs_own_code, &loaded)?;
    let left: BTreeSet<RootPath> = needs.unneeded.iter().flat_map(|(_, one)| one.paths.iter().cloned()).collect();
    let left = Rc::new(left);
    let passed = venvs.iter().chain(left.iter()).cloned().collect();
    let mut texts = Texts::read(call.root, &layout.sites, &app_dirs, &passed)?;
    texts.asked = asked;
    let read: Vec<RootPath> = layout.sites.iter().chain(&app_dirs).cloned().collect();
    if let Some(script) = call.lone_script(&read, &[".py"])? {
        texts.script(call.root, &script)?;
    } else if let Some(script) = other_source(call)? {
        texts.script(call.root, &script)?;
    }
    if let (Some(text), Some(program)) = (argument(call), call.programs.last()) {
        texts.argument(program, text);
    }
    let texts = Arc::new(texts);

    texts.named.ask(call, &mut needs)?;
    fonts::add(call.root, &texts.fonts, &mut needs)?;
    let tk = texts.app_names_tk;
    let group = "Python's standard library";
    let library = layout.library.clone();
    let (sites, asked, others) = (layout.sites.clone(), texts.asked.clone(), Rc::clone(&left));
    needs.claims.push(Claim {
        why: format!("the standard library of {}", layout.library),
        without: Rc::new(move |_, path| {
            sites.contains(path) && *path != library
                || others.contains(path)
                || is_not_run(&library, path, tk, &asked)
                || is_junk(path)
        }),
        dir: layout.library.clone(),
        group,
        scope: Scope::Own,
    });
    for site in &layout.sites {
        let (texts, dir, others) = (Arc::clone(&texts), site.clone(), Rc::clone(&left));
        needs.claims.push(Claim {
            why: format!("what is installed in {site}"),
            without: Rc::new(move |_, path| {
                let is_junk = is_junk(path) && !texts.is_named_file(&dir, path);
                others.contains(path) || is_installer(&dir, path, &texts) || is_junk || texts.is_unused_test(path)
            }),
            dir: site.clone(),
            group: "Python packages",
            scope: Scope::Own,
        });
    }
    if let Some(venv) = &layout.venv {
        // The claim excludes the packages, which are claimed as a site, and `bin`, because only programs that are
        // started are packed.
        let (dir, sites) = (venv.clone(), layout.sites.clone());
        needs.claims.push(Claim {
            why: format!("the interpreter runs in this virtual environment, which {} marks", venv.join(VENV_MARK)),
            without: Rc::new(move |_, path| {
                let is_place = |name: &[u8]| *path == dir.join(name);
                is_place(b"bin") || is_place(b"include") || sites.contains(path) || is_junk(path)
            }),
            dir: venv.clone(),
            group: "Python packages",
            scope: Scope::Own,
        });
    }
    for dir in app_dirs {
        let venvs = venvs.clone();
        needs.claims.push(app::application_claim(dir, "application", Rc::new(move |_, path| venvs.contains(path))));
    }
    if texts.runs_shell {
        let why = "Python code runs a shell (shell=True, os.system or os.popen)".to_owned();
        needs.commands.push(Command { name: system_shell().to_owned(), certainty: Certainty::Likely, why });
    }
    if texts.finds_libraries {
        let why = "ctypes.util.find_library runs it at this path".to_owned();
        needs.commands.push(Command { name: table().calls.finds_program.clone(), certainty: Certainty::Likely, why });
    }
    Ok(needs)
}

/// Directories in which the interpreter of a call searches for modules, except those that the call itself adds; `None`
/// if the call starts no Python.
fn places(call: &Call<'_>) -> Result<Option<Vec<RootPath>>, Error> {
    let Some(layout) = layout(call)? else { return Ok(None) };
    let mut dirs = vec![layout.library.join(b"lib-dynload"), layout.library];
    for site in layout.sites {
        dirs.extend(path_files(call.root, &site)?);
        dirs.push(site);
    }
    Ok(Some(dirs))
}

/// Returns the module search path of the interpreter; `None` if the call starts no Python.
fn layout(call: &Call<'_>) -> Result<Option<Layout>, Error> {
    let mut venv = None;
    let mut base = match call.program(|name| Tongue::Python.is_run_by(name))? {
        Some((path, real)) => {
            venv = environment(call.root, &path)?;
            real.parent().and_then(|bin| bin.parent())
        }
        // A program that embeds Python finds its modules through the library.
        None if call.sonames.iter().any(|name| table().libraries.begin(name)) => RootPath::new("/usr"),
        None => return Ok(None),
    };
    // `home` in pyvenv.cfg takes precedence over the target of the symlink, because the interpreter may be a copy.
    if let Some(config) = &venv
        && let Some((_, text)) = call.root.read_followed(config.join(VENV_MARK).as_bytes(), MAX_TEXT)?
        && let Some(home) = setting(&String::from_utf8_lossy(&text), "home").and_then(RootPath::new)
        && let Some(real) = call.root.follow(home.as_bytes())?.dir()
    {
        base = real.parent();
    }
    // PYTHONHOME takes precedence over everything (Modules/getpath.py).
    if let Some(home) = call.env.get("PYTHONHOME").and_then(|home| home.split(':').next()) {
        base = call.dir(home)?.or(base);
    }
    let Some(base) = base else { return Ok(None) };
    let Some(library) = library(call.root, &base)? else { return Ok(None) };
    let version = String::from_utf8_lossy(library.name()).into_owned();
    let mut sites = Vec::new();
    let mut add = |path: String| -> Result<(), Error> {
        if let Some(dir) = call.root.follow(path.as_bytes())?.dir() {
            sites.push(dir.clone());
        }
        Ok(())
    };
    let mut sees_system = true;
    if let Some(venv) = &venv {
        add(format!("{venv}/lib/{version}/site-packages"))?;
        add(format!("{venv}/lib64/{version}/site-packages"))?;
        let text = call.root.read_followed(venv.join(VENV_MARK).as_bytes(), MAX_TEXT)?;
        let text = text.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        sees_system = setting(&text, "include-system-site-packages") == Some("true");
    }
    if sees_system {
        add(format!("{library}/site-packages"))?;
        add(format!("{base}/lib64/{version}/site-packages"))?;
        // Debian's directories (the `site` module of its interpreter).
        add(format!("/usr/local/lib/{version}/dist-packages"))?;
        if base.as_bytes() == b"/usr" {
            add("/usr/lib/python3/dist-packages".to_owned())?;
        }
    }
    let mut seen = BTreeSet::new();
    sites.retain(|site| seen.insert(site.clone()));
    Ok(Some(Layout { library, sites, venv }))
}

/// The virtual environment of a program: `pyvenv.cfg` is next to it or one directory above.
fn environment(root: &Root, program: &RootPath) -> Result<Option<RootPath>, Error> {
    for dir in program.ancestors().into_iter().rev().take(2).filter(|dir| !dir.is_root()) {
        if root.follow(dir.join(VENV_MARK).as_bytes())?.file().is_some() {
            return Ok(Some(dir));
        }
    }
    Ok(None)
}

/// `lib/python3.N` below a prefix, recognised by its landmark `os.py`.
fn library(root: &Root, base: &RootPath) -> Result<Option<RootPath>, Error> {
    for lib in ["lib", "lib64"] {
        let Some(dir) = root.follow(base.join(lib.as_bytes()).as_bytes())?.dir().cloned() else { continue };
        for name in root.list(&dir)?.iter().rev().filter(|name| name.starts_with(b"python3.")) {
            let found = dir.join(name);
            if root.follow(found.join(b"os.py").as_bytes())?.file().is_some() {
                return Ok(root.follow(found.as_bytes())?.dir().cloned());
            }
        }
    }
    Ok(None)
}

fn setting<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

/// Directories that `.pth` files and the finders of editable installs add to the module path.
fn path_files(root: &Root, site: &RootPath) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    for name in root.list(site)? {
        let is_finder = is_finder(&name);
        if !name.ends_with(b".pth") && !is_finder {
            continue;
        }
        let Some((_, text)) = root.read_followed(site.join(&name).as_bytes(), MAX_TEXT)? else { continue };
        let text = String::from_utf8_lossy(&text).into_owned();
        let words: Vec<&str> = if is_finder {
            text.split(['\'', '"']).filter(|word| word.starts_with('/')).collect()
        } else {
            text.lines().map(str::trim).filter(|line| !line.starts_with("import") && !line.starts_with('#')).collect()
        };
        for word in words.into_iter().filter(|word| !word.is_empty()) {
            let path = if word.starts_with('/') { word.to_owned() } else { format!("{site}/{word}") };
            let followed = root.follow(path.as_bytes())?;
            let dir = match followed.found() {
                Some((real, meta)) if meta.kind == FileKind::Dir => Some(real.clone()),
                Some((real, _)) => real.parent(),
                None => None,
            };
            found.extend(dir.filter(|dir| !app::is_wide(dir) && dir != site));
        }
    }
    Ok(found)
}

/// True for the name of a finder of an editable install.
fn is_finder(name: &[u8]) -> bool {
    name.starts_with(b"__editable__") && name.ends_with(b".py")
}

/// Virtual environments inside a directory, at most two levels deep.
fn environments_in(root: &Root, dir: &RootPath) -> Result<BTreeSet<RootPath>, Error> {
    let mut found = BTreeSet::new();
    let mut open = vec![(dir.clone(), 0)];
    while let Some((dir, depth)) = open.pop() {
        for name in root.list(&dir)? {
            let path = dir.join(&name);
            if root.meta(&path)?.is_none_or(|meta| meta.kind != FileKind::Dir) {
                continue;
            }
            if root.meta(&path.join(VENV_MARK))?.is_some() {
                found.insert(path);
            } else if depth < 1 {
                open.push((path, depth + 1));
            }
        }
    }
    Ok(found)
}

/// True if the file is a zip archive, with or without a `#!` line.
fn is_archive(head: &[u8]) -> bool {
    let line = head.iter().position(|byte| *byte == b'\n').filter(|_| head.starts_with(b"#!"));
    line.map_or(head, |end| &head[end + 1..]).starts_with(b"PK\x03\x04")
}

fn is_junk(path: &RootPath) -> bool {
    let name = path.name();
    table().leftovers.caches.contain(name) || table().leftovers.endings.end(name)
}

/// The top-level modules that the script of a call imports, or that `-m` names.
fn asked(call: &Call<'_>) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    if let Some(script) = call.scripts.first()
        && let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_TEXT)?
    {
        found.extend(text::imports(&String::from_utf8_lossy(&text)));
    }
    found.extend(argument(call).into_iter().flat_map(text::imports));
    let module = call.args.iter().position(|word| word == "-m").and_then(|at| call.args.get(at + 1));
    found.extend(module.and_then(|name| name.split('.').next()).map(str::to_owned));
    Ok(found)
}

/// The script in the arguments of the interpreter, if its name has another ending than those of sources.
fn other_source(call: &Call<'_>) -> Result<Option<RootPath>, Error> {
    if !call.scripts.is_empty() || argument(call).is_some() || module::named_module(call).is_some() {
        return Ok(None);
    }
    let Some(script) = call.script()?.filter(|script| !script.name().ends_with(b".py")) else { return Ok(None) };
    let Some((real, text)) = call.root.read_followed(script.as_bytes(), MAX_TEXT)? else { return Ok(None) };
    // An archive or bytecode is no text.
    Ok((memchr::memchr(0, &text).is_none()).then_some(real))
}

/// The source text in the arguments of the interpreter: the value of `-c`, which may follow flags in the same word.
fn argument<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    let mut words = call.args.iter();
    while let Some(flags) = words.next()?.strip_prefix('-').filter(|_| call.scripts.is_empty()) {
        match flags.chars().last() {
            Some('c') if !flags.starts_with('-') => return words.next().map(String::as_str),
            Some('m') if !flags.starts_with('-') => return None,
            // Options with a value.
            Some('W' | 'X') if flags.len() == 1 => _ = words.next(),
            _ => {}
        }
    }
    None
}

/// True for parts of the standard library that are not needed at run time, unless the launch asks for them.
fn is_not_run(library: &RootPath, path: &RootPath, tk: bool, asked: &BTreeSet<String>) -> bool {
    let (name, known) = (path.name(), &table().leftovers);
    if asked.contains(&*String::from_utf8_lossy(name)) && path.parent().as_ref() == Some(library) {
        return false;
    }
    if path.parent().as_ref() == Some(library) {
        return known.library.contain(name) || known.library_beginnings.begin(name) || !tk && known.tk.contain(name);
    }
    // Tests of packages, and extension modules that only tests use.
    known.tests.contain(name)
        || known.test_objects.begin(name) && name.ends_with(b".so")
        || known.test_extensions.begin(name)
        || !tk && known.tk_extensions.begin(name)
}

/// True for installers, and for build tools that nothing imports, including their metadata.
fn is_installer(site: &RootPath, path: &RootPath, texts: &Texts) -> bool {
    if path.parent().as_ref() != Some(site) {
        return false;
    }
    let name = String::from_utf8_lossy(path.name());
    let plain = name.split('-').next().unwrap_or_default();
    let is_info = name.ends_with(".dist-info") || name.ends_with(".egg-info");
    if texts.asked.contains(&*name) || is_info && texts.asked.contains(plain) {
        return false;
    }
    let is = |list: &Words| list.contain(name.as_bytes()) || is_info && list.contain(plain);
    let known = &table().leftovers;
    is(&known.installers) || !texts.uses_setuptools && is(&known.builders)
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
            environment(&root, &program).expect("readable").map(|dir| dir.to_string())
        };
        assert_eq!(found("/opt/venv/bin/python").as_deref(), Some("/opt/venv"));
        assert_eq!(found("/usr/bin/python3.11"), None);
    }

    #[test]
    fn archives_of_sources_are_known() {
        assert!(is_archive(b"PK\x03\x04rest") && is_archive(b"#!/usr/bin/env python3\nPK\x03\x04"));
        assert!(!is_archive(b"#!/bin/sh\necho PK\x03\x04") && !is_archive(b""));
    }

    #[test]
    fn editable_installs_lead_to_their_sources() {
        let mut tree = MemTree::default();
        tree.file("/site/app.pth", 0o644, "/app/src\nimport sys\n")
            .file("/site/__editable__x_finder.py", 0o644, "MAPPING = {'x': '/src/x'}\n")
            .dir("/app/src", 0o755)
            .file("/src/x/__init__.py", 0o644, "");
        let root = Root::new(Arc::new(tree));
        let site = RootPath::new("/site").expect("a path");
        let found: Vec<String> = path_files(&root, &site).expect("readable").iter().map(ToString::to_string).collect();
        assert_eq!(found, ["/src/x", "/app/src"]);
    }
}
