//! Java: the runtime of a `java` command, its class path, and the jars that manifests refer to (JAR File Specification,
//! "Main Attributes"; java(1)).

mod table;

use std::rc::Rc;

use self::table::table;
use super::source::application as app;
use super::source::interpreters::Tongue;
use super::{Call, Claim, Needs, Scope};
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::Root;
use crate::zipped::{Place, Zip};

/// The variable with the class path, and the end of the names of sources, which the launcher compiles (JEP 330).
const CLASS_PATH: &str = "CLASSPATH";
const SOURCE: &str = ".java";
/// Maximum size of a file of arguments.
const MAX_ARGUMENTS: usize = 1 << 20;
/// Maximum size of a manifest. No real one is larger.
const MAX_MANIFEST: u64 = 1 << 20;
/// Maximum number of jars followed through manifests.
const MAX_JARS: usize = 4096;

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    // Every launcher of a Java runtime loads libjli.so.
    let is_launched = call.sonames.iter().any(|name| table().libraries.contain(name));
    let Some((path, real)) = call.program(|name| Tongue::Java.is_run_by(name) || is_launched)? else {
        return Ok(needs);
    };
    let Some(home) = real.parent().and_then(|bin| bin.parent()) else { return Ok(needs) };
    let is_runtime = |dir: &RootPath| -> Result<bool, Error> {
        let modules = call.root.follow(dir.join(b"lib").join(b"modules").as_bytes())?;
        let classes = call.root.follow(dir.join(b"lib").join(b"rt.jar").as_bytes())?;
        Ok(modules.file().is_some() || classes.file().is_some())
    };
    // A JDK 8 has its runtime one level below its home, in `jre`.
    let home = if is_runtime(&home)? { home } else { return Ok(needs) };
    let (dir, real_home) = (home.clone(), home.clone());
    needs.claims.push(Claim {
        why: format!("the Java runtime that {path} belongs to"),
        without: Rc::new(move |_, path| is_not_run(&dir, path)),
        dir: home,
        group: "Java runtime",
        scope: Scope::Own,
    });
    // Drawing text requires a font, even on a server that only renders images (java.desktop).
    if call.root.follow(real_home.join(b"lib").join(b"libfontmanager.so").as_bytes())?.file().is_some() {
        needs.profiles.push(("fontconfig", format!("the runtime of {path} can draw text")));
    }
    let mut jars = Vec::new();
    let all = with_argument_files(call, &mut needs)?;
    let mut words = all.iter().map(String::as_str);
    let known = &table().options;
    let options: Vec<&str> =
        known.variables.iter().filter_map(|name| call.env.get(name)).flat_map(|text| text.split_whitespace()).collect();
    let (mut has_path, mut main) =
        (known.variables.iter().any(|name| name == CLASS_PATH && call.env.contains_key(name)), None);
    while let Some(word) = words.next() {
        if known.jar.contain(word) {
            has_path = true;
            jars.extend(words.next().map(str::to_owned));
        } else if known.class_path.contain(word) {
            has_path = true;
            jars.extend(words.next().into_iter().flat_map(|list| list.split(':')).map(str::to_owned));
        } else if known.valued.contain(word) {
            words.next();
        } else if !word.starts_with('-') && main.is_none() {
            main = Some(word);
        }
    }
    // Without a class path, classes are looked for in the working directory (java(1), "Overview of Java Options").
    // Other launchers of the runtime, such as compilers, have arguments of another kind.
    let is_java = Tongue::Java.is_run_by(&String::from_utf8_lossy(real.name()));
    if is_java && !has_path && main.is_some_and(|main| !main.ends_with(SOURCE)) {
        jars.push(".".to_owned());
    }
    jars.extend(
        options
            .iter()
            .flat_map(|word| word.trim_start_matches(known.agent.as_str()).split([':', '=']))
            .map(str::to_owned),
    );
    for word in jars {
        class_path(call, &word, &mut needs)?;
    }
    Ok(needs)
}

/// The arguments, with those in files in the place of `@FILE` (java(1), "java Command-Line Argument Files").
fn with_argument_files(call: &Call<'_>, needs: &mut Needs) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for word in call.args {
        match word.strip_prefix('@').map_or(Ok(None), |file| call.file(file))? {
            Some(file) => {
                let text = call.root.read(&file, MAX_ARGUMENTS)?;
                needs.files.push((file, "java reads arguments from it".to_owned()));
                all.extend(crate::config::arguments(&String::from_utf8_lossy(&text)));
            }
            None => all.push(word.clone()),
        }
    }
    Ok(all)
}

/// Handles one element of a class path: a jar, a directory of classes, or all jars in a directory.
fn class_path(call: &Call<'_>, word: &str, needs: &mut Needs) -> Result<(), Error> {
    let why = format!("{word} is on the class path");
    let spelled = call.spelled(word);
    if let Some(dir) = word.strip_suffix("/*").map_or(Ok(None), |dir| call.dir(dir))? {
        for name in call.root.list(&dir)?.iter().filter(|name| name.ends_with(b".jar")) {
            jar(call.root, &[&spelled[..spelled.len() - 1], name.as_slice()].concat(), &why, needs)?;
        }
    } else if call.file(word)?.is_some() {
        jar(call.root, &spelled, &why, needs)?;
    } else if let Some(dir) = call.dir(word)?.filter(|dir| !app::is_wide(dir)) {
        needs.paths.push((spelled, why.clone()));
        needs.classes.push(dir.clone());
        needs.claims.push(Claim {
            dir,
            without: Rc::new(|_, path| app::is_leftover(path)),
            group: "application",
            why,
            scope: Scope::Application,
        });
    } else if let Some(dir) = call.dir(word)? {
        // Of a directory that others share, only the classes in it belong to the application.
        for path in call.root.list(&dir)?.iter().filter(|name| name.ends_with(b".class")).map(|name| dir.join(name)) {
            needs.classes.push(path.clone());
            needs.files.push((path, why.clone()));
        }
    }
    Ok(())
}

/// Adds a jar and the jars in its manifest, which are relative to the path by which the jar was opened (java.util.jar,
/// `Class-Path`).
fn jar(root: &Root, path: &[u8], why: &str, needs: &mut Needs) -> Result<(), Error> {
    let mut open = vec![(path.to_vec(), why.to_owned())];
    while let Some((path, why)) = open.pop() {
        let Some(real) = root.follow(&path)?.file().map(|(real, _)| real.clone()) else { continue };
        if needs.paths.len() > MAX_JARS {
            root.leave_unread(&real, format!("class paths are followed through {MAX_JARS} jars only"));
            break;
        }
        if needs.paths.iter().any(|(known, _)| *known == path) {
            continue;
        }
        for name in manifest_class_path(root, &real)? {
            let place = resolved(&path, name.as_bytes());
            let why = format!("the manifest of {} names it", show(&path));
            if let Some(dir) = root.follow(&place)?.dir().filter(|dir| !app::is_wide(dir)).cloned() {
                needs.classes.push(dir.clone());
                needs.claims.push(Claim {
                    dir,
                    without: Rc::new(|_, _| false),
                    group: "application",
                    why: why.clone(),
                    scope: Scope::Application,
                });
            }
            open.push((place, why));
        }
        needs.paths.push((path, why));
    }
    Ok(())
}

/// The files that the manifest of a jar names and that the root has.
///
/// # Errors
/// `unreadable`.
pub fn manifest_files(root: &Root, jar: &RootPath) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    if root.follow(jar.as_bytes())?.file().is_none() {
        return Ok(found);
    }
    for name in manifest_class_path(root, jar)?.iter().take(MAX_JARS) {
        if let Some(place) = RootPath::new(resolved(jar.as_bytes(), name.as_bytes()))
            && root.follow(place.as_bytes())?.file().is_some()
        {
            found.push(place);
        }
    }
    Ok(found)
}

/// Resolves a relative URL against that of the jar: `..` removes a segment of the path before anything is opened (RFC
/// 3986, 5.2.4).
fn resolved(jar: &[u8], name: &[u8]) -> Vec<u8> {
    let base = jar.iter().rposition(|b| *b == b'/').map_or(&b""[..], |slash| &jar[..slash]);
    let whole = if name.starts_with(b"/") { name.to_vec() } else { [base, b"/", name].concat() };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in whole.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.iter().flat_map(|part| [b"/", *part].concat()).collect()
}

/// True if a jar contains jars and classes in directories of its own, as Spring Boot jars and web archives do.
///
/// # Errors
/// `unreadable`.
pub fn nests_jars(root: &Root, path: &RootPath) -> Result<bool, Error> {
    let is_nested =
        |zip: &mut Zip<'_>| zip.names().any(|name| name.starts_with("BOOT-INF/") || name.starts_with("WEB-INF/"));
    Ok(in_jar(root, path, is_nested)?.unwrap_or(false))
}

/// Looks into a jar; `None` if it is damaged, or larger than what is read.
fn in_jar<T>(root: &Root, path: &RootPath, look: impl FnOnce(&mut Zip<'_>) -> T) -> Result<Option<T>, Error> {
    let source = root.open_file(path)?;
    match Zip::open(Place::whole(&*source)) {
        Ok(mut zip) => Ok(Some(look(&mut zip))),
        Err(why) => {
            if let Some(says) = why.says() {
                root.leave_unread(path, says);
            }
            Ok(None)
        }
    }
}

/// The `Class-Path` attribute of a jar's manifest. A line that starts with a space continues the previous line.
fn manifest_class_path(root: &Root, path: &RootPath) -> Result<Vec<String>, Error> {
    let manifest = in_jar(root, path, |zip| zip.head("META-INF/MANIFEST.MF", MAX_MANIFEST))?.flatten();
    let Some(Ok(text)) = manifest.map(String::from_utf8) else { return Ok(Vec::new()) };
    let text = text.replace("\r\n", "\n").replace("\n ", "");
    let line = text.lines().find_map(|line| line.strip_prefix("Class-Path:"));
    Ok(line.unwrap_or_default().split_whitespace().map(|word| word.trim_start_matches("file:").to_owned()).collect())
}

fn is_not_run(home: &RootPath, path: &RootPath) -> bool {
    let Some(inside) = path.as_bytes().strip_prefix(home.as_bytes()) else { return false };
    let inside = String::from_utf8_lossy(inside);
    let inside = inside.trim_start_matches('/');
    let known = &table().leftovers;
    let is_tool = known.tools.begin(inside) && !known.kept.contain(inside);
    is_tool
        || known.endings.end(inside)
        || known.paths.contain(inside)
        || inside.starts_with("lib/server/") && inside.ends_with(".debuginfo")
}
