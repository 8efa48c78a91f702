//! Extension modules that a launch loads in every run: what the application imports at its top level, and what the
//! imported packages then import of themselves. The order of the search is that of `importlib.machinery.FileFinder`:
//! package, extension module, source.

use std::collections::BTreeSet;

use super::imports::{Import, unguarded};
use super::table::table;
use super::{Layout, MAX_TEXT, is_finder, path_files};
use crate::error::Error;
use crate::language::source::application as app;
use crate::language::source::missing::named_script;
use crate::language::{Call, Imported, MissingModule};
use crate::path::RootPath;

/// Maximum number of sources that are read: what a deeper import needs stays a note.
const MAX_SOURCES: usize = 400;
/// Maximum number of missing modules that are reported.
const MAX_MISSING: usize = 256;

/// Time zone data of the system, and the Python package that contains the same data.
const ZONES: &[u8] = b"/usr/share/zoneinfo";
const ZONE_MODULE: &str = "tzdata";

/// A module that was found.
enum Module {
    Package(RootPath, RootPath),
    Namespace(RootPath),
    Extension(RootPath),
    Source(RootPath),
}

/// A source to read.
struct Source {
    file: RootPath,
    /// The directory in which its relative imports are looked up.
    dir: RootPath,
    /// The package to which it belongs, and the import that reads it; `None` for the application.
    package: Option<(String, String)>,
}

struct Reader<'c> {
    call: &'c Call<'c>,
    layout: &'c Layout,
    dirs: Vec<RootPath>,
    suffixes: Vec<String>,
    seen: BTreeSet<RootPath>,
    open: Vec<Source>,
    found: Vec<Imported>,
    /// Modules of surely executed imports that no directory has.
    missing_modules: Vec<MissingModule>,
    /// True if a source changes the module search path.
    is_changed: bool,
}

/// The extension modules that the launch surely loads, and the modules that it imports and that are missing.
pub(super) fn find(call: &Call<'_>, layout: &Layout) -> Result<(Vec<Imported>, Vec<MissingModule>), Error> {
    let script = match (call.scripts.first(), named_script(call)) {
        (Some(script), _) => call.root.follow(script.as_bytes())?.file().map(|(real, _)| real.clone()),
        (None, Some(word)) => call.file(word)?,
        (None, None) => None,
    };
    let (modules, sources) = modules_of_command(call)?;
    let mut dirs: Vec<RootPath> = script.iter().filter_map(RootPath::parent).collect();
    dirs.extend(modules.first().map(|_| call.cwd.clone()));
    for dir in call.env.get("PYTHONPATH").iter().flat_map(|list| list.split(':')) {
        dirs.extend(call.dir(dir)?);
    }
    let dynamic = layout.library.join(b"lib-dynload");
    dirs.extend([layout.library.clone(), dynamic.clone()]);
    for site in &layout.sites {
        dirs.push(site.clone());
        dirs.extend(path_files(call.root, site)?);
    }
    // The tag of the interpreter, `cpython-311-x86_64-linux-gnu`, is in the names of its own extension modules.
    let mut suffixes = vec![".abi3.so".to_owned(), ".so".to_owned()];
    if let Some(dynamic) = call.root.follow(dynamic.as_bytes())?.dir() {
        let names = call.root.list(dynamic)?;
        let mut names = names.iter().map(|name| String::from_utf8_lossy(name));
        suffixes.splice(..0, names.find_map(|name| Some(name[name.find(".cpython-")?..].to_owned())));
    }
    let (seen, open, found) = (BTreeSet::new(), Vec::new(), Vec::new());
    let (missing_modules, is_changed) = (Vec::new(), false);
    let mut reader = Reader { call, layout, dirs, suffixes, seen, open, found, missing_modules, is_changed };
    for module in modules {
        let by = script.clone().unwrap_or_else(|| layout.library.clone());
        let from = Source { file: by, dir: call.cwd.clone(), package: None };
        reader.import(&from, &Import { level: 0, module, names: Vec::new() })?;
    }
    let source = |file: RootPath| Some(Source { dir: file.parent()?, file, package: None });
    reader.open.extend(sources.into_iter().filter_map(source));
    reader.open.extend(script.and_then(|file| Some(Source { dir: file.parent()?, file, package: None })));
    while let Some(source) = reader.open.pop() {
        if reader.seen.len() >= MAX_SOURCES {
            let says = format!("imports are followed through {MAX_SOURCES} sources only");
            call.root.leave_unread(&source.file, says);
            break;
        }
        if !reader.seen.insert(source.file.clone()) {
            continue;
        }
        let text = reader.text(&source.file)?.unwrap_or_default();
        if source.package.is_none() {
            reader.is_changed |= table().modules.changes_search.occur_in(text.as_bytes());
            if table().modules.zones.occur_in(text.as_bytes()) {
                reader.zones(&source.file)?;
            }
        }
        let is_judged = reader.is_judged(&source, &text);
        for import in unguarded(&text) {
            reader.import(&source, &import)?;
            if is_judged {
                reader.missing(&source, &text, &import)?;
            }
        }
    }
    reader.found.sort();
    reader.found.dedup_by(|one, other| one.file == other.file);
    reader.missing_modules.sort();
    reader.missing_modules.dedup_by(|one, other| one.module == other.module);
    let missing_modules = if reader.is_changed { Vec::new() } else { reader.missing_modules };
    Ok((reader.found, missing_modules))
}

/// Modules that the command names (`-m x`, `main:app`), and those of the working directory that arguments of a server name
/// without an object: `site.wsgi`, `main.py`.
fn modules_of_command(call: &Call<'_>) -> Result<(Vec<Vec<String>>, Vec<RootPath>), Error> {
    let parts = |word: &str| -> Vec<String> { word.split('.').map(str::to_owned).collect() };
    let mut modules: Vec<Vec<String>> = Vec::new();
    modules.extend(super::module::named_module(call).map(|(word, _)| parts(word.split(':').next().unwrap_or(word))));
    let mut sources = Vec::new();
    for word in call.args.iter().map(String::as_str).filter(|word| word.contains(['.', ':']) && !word.starts_with('-'))
    {
        if word.ends_with(".py") {
            sources.extend(call.file(word)?.filter(|_| !call.scripts.is_empty()));
            continue;
        }
        let name = word.split(':').next().unwrap_or(word);
        let is_part = |part: &str| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        if !name.split('.').all(is_part) || modules.contains(&parts(name)) {
            continue;
        }
        let file = format!("{}.py", name.replace('.', "/"));
        if call.file(&file)?.is_some() {
            modules.push(parts(name));
        }
    }
    Ok((modules, sources))
}

impl Reader<'_> {
    fn text(&self, file: &RootPath) -> Result<Option<String>, Error> {
        let read = self.call.root.read_followed(file.as_bytes(), MAX_TEXT)?;
        Ok(read.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Follows one import of a source.
    fn import(&mut self, from: &Source, import: &Import) -> Result<(), Error> {
        let mut dirs = match import.level {
            0 => self.dirs.clone(),
            // One dot is the package itself, each further one the package above.
            level => {
                std::iter::successors(Some(from.dir.clone()), RootPath::parent).nth(level - 1).into_iter().collect()
            }
        };
        let dotted = import.module.join(".");
        // Other packages that a package imports are not followed: packages often work without them.
        let is_own = import.level > 0
            || from.package.as_ref().is_none_or(|(name, _)| Some(name) == import.module.first())
            || !self.is_installed(&from.file) && from.file.is_within(&self.layout.library);
        if !is_own {
            return Ok(());
        }
        let why = match &from.package {
            Some((_, why)) => why.clone(),
            None => format!("{} imports {dotted}", from.file),
        };
        let name = from.package.as_ref().map(|(name, _)| name.clone()).or_else(|| import.module.first().cloned());
        let package = name.unwrap_or_default();
        let mut init = None;
        for part in &import.module {
            let Some(module) = self.locate(&dirs, part)? else { return Ok(()) };
            init = None;
            match module {
                Module::Package(dir, file) => {
                    self.own_extension(&dir, part, &file, &why)?;
                    self.enter(&file, &dir, &package, &why);
                    (dirs, init) = (vec![dir], Some(file));
                }
                Module::Namespace(dir) => dirs = vec![dir],
                Module::Extension(file) => {
                    self.found.push(Imported { file, why });
                    return Ok(());
                }
                Module::Source(file) => {
                    self.enter(&file, &dirs[0], &package, &why);
                    return Ok(());
                }
            }
        }
        // A name in `from x import name` is a module only if x itself does not define it.
        let defined = match &init {
            Some(init) => self.text(init)?.unwrap_or_default(),
            None if import.module.is_empty() && from.file.name() != b"__init__.py" => {
                dirs.first().map(|dir| self.text(&dir.join(b"__init__.py"))).transpose()?.flatten().unwrap_or_default()
            }
            None => String::new(),
        };
        let is_defined =
            |name: &str| defined.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
        for name in import.names.iter().filter(|name| !is_defined(name)) {
            match self.locate(&dirs, name)? {
                Some(Module::Package(dir, file)) => self.enter(&file, &dir, &package, &why),
                Some(Module::Source(file)) => self.enter(&file, &dirs[0], &package, &why),
                Some(Module::Extension(file)) => self.found.push(Imported { file, why: why.clone() }),
                Some(Module::Namespace(_)) | None => {}
            }
        }
        Ok(())
    }

    /// Notes time zones that the application looks up and that the root does not have (module zoneinfo, "Data sources").
    fn zones(&mut self, file: &RootPath) -> Result<(), Error> {
        if self.call.root.follow(ZONES)?.dir().is_some() || self.locate(&self.dirs, ZONE_MODULE)?.is_some() {
            return Ok(());
        }
        let says = format!(
            "{file} looks up time zones by name, and neither /usr/share/zoneinfo nor the package tzdata is there"
        );
        let help = "pip install tzdata in the builder stage".to_owned();
        self.missing_modules.push(MissingModule { module: ZONE_MODULE.to_owned(), file: file.clone(), says, help });
        Ok(())
    }

    /// True if a missing import ends the application: in its own sources, and in those of packages that it surely loads. The
    /// standard library works without modules that distributions split off, and a package that changes the search path while it
    /// is loaded is not judged.
    fn is_judged(&self, from: &Source, text: &str) -> bool {
        let changes = |line: &str| {
            line.starts_with(|c: char| !c.is_whitespace()) && table().modules.changes_search.occur_in(line.as_bytes())
        };
        from.package.is_none() || self.is_installed(&from.file) && !text.lines().any(changes)
    }

    /// True for a file of a package in a directory of site-packages, which may lie in that of the standard library.
    fn is_installed(&self, file: &RootPath) -> bool {
        self.layout.sites.iter().any(|site| file.is_within(site))
    }

    /// Notes the module of an import that no directory has and that is not built in.
    fn missing(&mut self, from: &Source, text: &str, import: &Import) -> Result<(), Error> {
        let Some(module) = import.module.first().filter(|_| import.level == 0) else {
            return Ok(());
        };
        if self.missing_modules.len() >= MAX_MISSING {
            self.call
                .root
                .leave_unread(&from.file, format!("of the missing modules, the first {MAX_MISSING} are reported"));
            return Ok(());
        }
        if table().modules.built_in.contain(module) || self.locate(&self.dirs, module)?.is_some() {
            return Ok(());
        }
        let mut dirs = self.dirs.clone();
        dirs.extend([from.dir.clone(), self.call.cwd.clone()]);
        for dir in dirs {
            // A program of the same name beside the script, as in bin/ of a virtual environment, is no module.
            let place = dir.join(module.as_bytes());
            let is_there = self.call.root.follow(place.as_bytes())?.dir().is_some()
                || self.call.root.follow(dir.join(format!("{module}.pyc").as_bytes()).as_bytes())?.found().is_some();
            if is_there {
                return Ok(());
            }
        }
        if self.has_own_finder(module)? {
            return Ok(());
        }
        let is_line = |line: &str| {
            let words = line.trim_start().strip_prefix("import ").or_else(|| line.trim_start().strip_prefix("from "));
            words.is_some_and(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == module))
        };
        let line = text.lines().position(is_line).map_or(0, |at| at + 1);
        let help = match &self.layout.venv {
            Some(venv) => format!("{venv}/bin/pip install the distribution of {module} in the builder stage"),
            None => {
                format!("install the package of {module} in the builder stage, for the Python that the entry starts")
            }
        };
        self.missing_modules.push(MissingModule::import(&from.file, line, module.clone(), "Python", help));
        Ok(())
    }

    /// True if the finder of an editable install names this module (setuptools, "Development Mode").
    fn has_own_finder(&self, module: &str) -> Result<bool, Error> {
        for site in &self.layout.sites {
            let names = self.call.root.list(site)?;
            for name in names.iter().filter(|name| is_finder(name)) {
                let text = self.text(&site.join(name))?.unwrap_or_default();
                if [format!("'{module}'"), format!("\"{module}\"")].iter().any(|quoted| text.contains(quoted)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// An extension module with the name of its package is the package's core, however the package loads it, unless
    /// it imports it inside a block.
    fn own_extension(&mut self, dir: &RootPath, name: &str, init: &RootPath, why: &str) -> Result<(), Error> {
        let Some(Module::Extension(file)) = self.locate(std::slice::from_ref(dir), name)? else { return Ok(()) };
        let text = self.text(init)?.unwrap_or_default();
        let is_block = |line: &&str| line.starts_with([' ', '\t']) && line.contains("import");
        let is_guarded = text.lines().filter(is_block).any(|line| {
            line.contains(&format!(".{name} "))
                || line.contains(&format!("from . import {name}"))
                || line.ends_with(&format!(".{name}"))
        });
        if !is_guarded {
            self.found.push(Imported { file, why: why.to_owned() });
        }
        Ok(())
    }

    fn enter(&mut self, file: &RootPath, dir: &RootPath, package: &str, why: &str) {
        let is_foreign = file.is_within(&self.layout.library) || self.is_installed(file);
        let package = is_foreign.then(|| (package.to_owned(), why.to_owned()));
        let dir = file.parent().unwrap_or_else(|| dir.clone());
        self.open.push(Source { file: file.clone(), dir, package });
    }

    /// The module of this name in the first directory that has it.
    fn locate(&self, dirs: &[RootPath], name: &str) -> Result<Option<Module>, Error> {
        let mut namespace = None;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        for dir in dirs.iter().filter(|_| is_name) {
            let file = |rest: String| -> Result<Option<RootPath>, Error> {
                let followed = self.call.root.follow(dir.join(rest.as_bytes()).as_bytes())?;
                Ok(followed.file().map(|(real, _)| real.clone()))
            };
            // A source may import a hundred thousand names.
            let may_have = |end: &str| self.call.root.may_have(dir.as_bytes(), format!("{name}{end}").as_bytes());
            let inner = dir.join(name.as_bytes());
            let may_have_inner = may_have("")?;
            if may_have_inner && let Some(init) = file(format!("{name}/__init__.py"))? {
                return Ok(Some(Module::Package(inner, init)));
            }
            for suffix in &self.suffixes {
                if may_have(suffix)?
                    && let Some(real) = file(format!("{name}{suffix}"))?
                {
                    return Ok(Some(Module::Extension(real)));
                }
            }
            if may_have(".py")?
                && let Some(real) = file(format!("{name}.py"))?
            {
                return Ok(Some(Module::Source(real)));
            }
            if may_have_inner
                && namespace.is_none()
                && !app::is_wide(&inner)
                && self.call.root.follow(inner.as_bytes())?.dir().is_some()
            {
                namespace = Some(Module::Namespace(inner));
            }
        }
        Ok(namespace)
    }
}
