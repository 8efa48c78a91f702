//! The environment sets a locale that does not exist in the image.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::Family;

pub(super) const CHECK: Check = Check {
    code: "locale-missing",
    scope: Scope::Image,
    text: "LANG or an LC_ variable of the image names a locale that the image does not contain. glibc then silently \
           falls back to the C locale: text that is not ASCII is garbled or refused, and Perl complains. Set C.UTF-8 \
           (--env LANG=C.UTF-8), which is built into glibc 2.35 and newer, or generate the locale in the builder stage \
           (localedef, locale-gen). musl always uses UTF-8 and needs no locale data.",
    find,
};

/// Directory of locales: one subdirectory each, or one archive for all (locale(7)).
const LOCALES: &str = "/usr/lib/locale";
/// The first glibc release with a built-in C.UTF-8.
const BUILTIN_UTF8: (u32, u32) = (2, 35);
const MAX_ARCHIVE: usize = 256 << 20;

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let constants =
        evidence.closure.processes.iter().filter(|started| started.required).find_map(|s| s.process.constants.clone());
    let Some(constants) = constants.filter(|constants| constants.family != Family::Musl) else { return Ok(Vec::new()) };
    let mut found: Vec<Finding> = Vec::new();
    let is_ours = |name: &str| name == "LANG" || name.starts_with("LC_");
    for (variable, value) in evidence.run.env.iter().filter(|(name, _)| is_ours(name)) {
        let (language, codeset) = value.split_once('.').unwrap_or((value, ""));
        let plain: String = codeset.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let is_builtin = matches!(language, "" | "C" | "POSIX")
            && (codeset.is_empty() || plain == "utf8")
            && (codeset.is_empty() || constants.release.is_some_and(|release| release >= BUILTIN_UTF8));
        if is_builtin {
            continue;
        }
        let normal = if codeset.is_empty() { language.to_owned() } else { format!("{language}.{plain}") };
        let mut is_there = false;
        for name in [value, &normal] {
            let path = format!("{LOCALES}/{name}/LC_CTYPE");
            is_there |= evidence.image.follow(path.as_bytes())?.file().is_some();
        }
        if !is_there
            && let Some((_, archive)) = evidence.image.read_followed(b"/usr/lib/locale/locale-archive", MAX_ARCHIVE)?
        {
            let name = [normal.as_bytes(), b"\0"].concat();
            is_there = archive.windows(name.len()).any(|window| window == name);
        }
        if !is_there && !found.iter().any(|known| known.subject == *value) {
            let says = format!("{variable} is {value}, but the image has no such locale: programs fall back to ASCII");
            found.push(Finding::new(CHECK.code, Level::Warning, value.clone(), says).help(format!(
                "--env {variable}=C.UTF-8, or localedef -i {language} -f UTF-8 {value} in the builder stage"
            )));
        }
    }
    Ok(found)
}
