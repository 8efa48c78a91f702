//! Advice on how to leave a file out, by its reason.

use crate::closure::Reason;

/// Advice for a reason, and true if `--exclude` leaves such files out.
pub(super) fn of(reason: &Reason, rule: &str) -> (String, bool) {
    let plain = |text: &str| (text.to_owned(), false);
    match reason {
        Reason::Entry => plain("It is the program that the image is for."),
        Reason::Bin => plain("Without its --bin it is not packed."),
        Reason::Healthcheck => plain("Without the health check it is not packed."),
        Reason::Interpreter | Reason::Needed { .. } | Reason::Preload | Reason::Audit | Reason::LoaderReads => plain(
            "The loader needs it: without it the program does not start. Only a program that is built differently needs \
             less.",
        ),
        Reason::Variant { .. } => plain("With --cpu LEVEL, variants for other CPUs are left out."),
        Reason::Dlopen { .. } | Reason::Opens { .. } => (
            format!("--no-rule {rule} leaves out libraries that are only opened by name. The feature that opens it then fails."),
            false,
        ),
        Reason::Shebang | Reason::EnvCommand => plain("The kernel starts the script with it."),
        Reason::Companion { .. } => (
            "It is part of a package of which a program runs. --companions none leaves out the other files of packages."
                .to_owned(),
            true,
        ),
        Reason::Included { pattern } => (format!("Without --include {pattern} it is not packed."), true),
        Reason::Traced { .. } => ("Without the trace in which it was seen it is not packed.".to_owned(), true),
        Reason::Profile { profile, .. } | Reason::Configured { profile, .. } => {
            (format!("--no-profile {profile} leaves out what this profile takes."), true)
        }
        Reason::Names { .. } => (format!("--no-rule {rule} leaves out files whose paths programs contain."), true),
        Reason::Made { .. } => plain("It was made at your request."),
        Reason::Hop { to, .. } => {
            let (text, is_excludable) = of(to, rule);
            (format!("It is a symlink on the path. {text}"), is_excludable)
        }
        Reason::PassedThrough { .. } => plain("A path that is needed leads through it."),
        _ => (of_rule(rule), false),
    }
}

/// Advice if only the rule is known.
pub(super) fn of_rule(rule: &str) -> String {
    match crate::closure::rule_pages().into_iter().find(|(known, _)| *known == rule) {
        Some((_, about)) if crate::closure::is_optional(rule) => {
            format!("{about} --no-rule {rule} leaves out all that it packs.")
        }
        Some((_, about)) => about.to_owned(),
        None => "No option leaves it out.".to_owned(),
    }
}
