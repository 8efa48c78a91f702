//! Layout of help: headings, options that only `--help` shows, one-line summaries, examples.

use clap::builder::Resettable;
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::{Cli, EXIT_CODES};

const EXAMPLES: &str = "\
Examples:
  slimroot build -o /rootfs -- gunicorn app:app      in a builder stage
  slimroot build -o oci-archive:jq.tar:jq:1 -- jq    from this machine
  slimroot slim docker-archive:fat.tar -o docker-archive:slim.tar:app:slim
  slimroot check oci-archive:app.tar                 what an image lacks
  slimroot explain \"exec /app: no such file or directory\"
";

/// Summaries that fit a line of 80 columns.
const SUMMARIES: &[(&str, &str)] = &[
    ("build", "Packs a program with everything that it needs at run time"),
    ("slim", "Makes an image smaller and keeps its settings"),
    ("plan", "Lists the paths of an image without writing it"),
    ("diff", "Compares two images, plans or locks"),
    ("outdated", "Lists packages that have another version in a newer root"),
    ("report", "Shows what is in an image or directory on one HTML page"),
    ("sbom", "Lists the software in an image or directory (SBOM)"),
    ("vex", "Lists vulnerabilities of a builder that its image lacks (VEX)"),
    ("deps", "Lists the libraries that a program loads: ldd for any root"),
    ("why", "Explains why a path is in an image"),
    ("check", "Finds what is missing or wrong in an image; executes nothing"),
    ("verify", "Runs the packed program and the original, and compares them"),
    ("trace", "Runs a command and records which files it uses"),
    ("dockerfile", "Prints a Dockerfile with a last stage made by slimroot"),
    ("profiles", "Lists the profiles, shows one, or tests them"),
    ("explain", "Explains an error message of slimroot or any other program"),
    ("completions", "Prints the completion script for a shell"),
    ("man", "Prints a manual page, or writes all of them to a directory"),
];

const ROOT: &str = "Root and environment";
const CONTENTS: &str = "Contents";
const SETTINGS: &str = "Settings of the image";
const OUTPUT: &str = "Output";
const FINDINGS: &str = "Findings";
const DOCUMENTS: &str = "Documents and limits";
const RUN: &str = "Test run";
const GLOBAL: &str = "Global options";

/// Headings with the ids of their options.
const HEADINGS: &[(&str, &[&str])] = &[
    (ROOT, &["root", "platform", "registry_ca", "insecure", "env", "workdir", "cpu", "interpreter", "no_inherit"]),
    (
        CONTENTS,
        &[
            "bin",
            "profile",
            "profiles",
            "include",
            "trace",
            "copy",
            "package",
            "ca",
            "exclude",
            "no_shell",
            "no_profile",
            "no_rule",
            "companions",
            "no_auto",
            "pyc",
            "jlink",
        ],
    ),
    (
        SETTINGS,
        &[
            "entrypoint",
            "cmd",
            "volume",
            "stop_signal",
            "healthcheck",
            "author",
            "tag",
            "image_format",
            "user",
            "expose",
            "label",
        ],
    ),
    (FINDINGS, &["allow", "warn", "deny"]),
    (
        DOCUMENTS,
        &["plan_out", "lock", "locked", "sbom", "sbom_inside", "attach", "provenance", "seccomp", "report", "budget"],
    ),
    (
        OUTPUT,
        &[
            "output",
            "compression",
            "layers",
            "since",
            "debug_tag",
            "debug_shell",
            "threads",
            "cache",
            "cache_size",
            "strip",
            "owner_map",
            "force",
            "dry_run",
            "config",
            "format",
        ],
    ),
    (RUN, &["verify", "fix", "verify_file", "ready", "probe", "lasts", "limit", "net", "memory", "processes"]),
    (GLOBAL, &["color", "quiet", "verbose"]),
];

/// Options that `-h` leaves to `--help`.
const RARE: &[&str] = &[
    "registry_ca",
    "insecure",
    "platform",
    "cpu",
    "interpreter",
    "profiles",
    "trace",
    "copy",
    "no_rule",
    "companions",
    "no_auto",
    "pyc",
    "jlink",
    "volume",
    "stop_signal",
    "author",
    "image_format",
    "plan_out",
    "sbom_inside",
    "attach",
    "provenance",
    "seccomp",
    "since",
    "debug_tag",
    "debug_shell",
    "threads",
    "cache",
    "cache_size",
    "strip",
    "owner_map",
    "lasts",
    "limit",
    "net",
    "memory",
    "processes",
    "verify_file",
];

/// Commands with so many options that `-h` leaves some out.
const LONG: [&str; 4] = ["build", "slim", "plan", "check"];

/// Parses the command line of this process.
///
/// # Errors
/// Returns clap's error; a request for help is one too.
pub(super) fn parsed() -> Result<Cli, clap::Error> {
    // Laying out the help takes longer than parsing, so do it only if help or an error is shown.
    let mut found = Cli::command().try_get_matches().or_else(|_| command().try_get_matches())?;
    Cli::from_arg_matches_mut(&mut found).map_err(|error| error.format(&mut command()))
}

/// The commands with their help laid out.
fn command() -> Command {
    let cli = Cli::command().mut_args(|arg| laid_out(arg, false)).after_help(format!("{EXAMPLES}\n{EXIT_CODES}"));
    let names: Vec<String> = cli.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.iter().fold(cli, |cli, name| {
        cli.mut_subcommand(name, |command| {
            let is_long = LONG.contains(&name.as_str());
            let command = match SUMMARIES.iter().find(|(known, _)| known == name) {
                Some((_, summary)) => command.about(*summary),
                None => command,
            };
            // The image of `slim` is its root, and it inherits no settings of the process.
            let is_hidden = |arg: &Arg| name == "slim" && (arg.get_id() == "root" || arg.get_id() == "no_inherit");
            command.mut_args(|arg| if is_hidden(&arg) { arg.hide(true) } else { laid_out(arg, is_long) })
        })
    })
}

fn laid_out(arg: Arg, is_long: bool) -> Arg {
    if arg.is_positional() {
        return arg.help_heading(Resettable::Reset);
    }
    let id = arg.get_id().to_string();
    let arg = match HEADINGS.iter().find(|(_, ids)| ids.contains(&id.as_str())) {
        Some((heading, _)) => arg.help_heading(*heading),
        None => arg,
    };
    let is_rare = is_long && RARE.contains(&id.as_str());
    if is_rare { arg.hide_short_help(true) } else { arg }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_a_command_or_an_option() {
        let cli = Cli::command();
        let mut ids: Vec<String> = cli.get_arguments().map(|arg| arg.get_id().to_string()).collect();
        for command in cli.get_subcommands() {
            ids.extend(command.get_arguments().map(|arg| arg.get_id().to_string()));
        }
        let named = HEADINGS.iter().flat_map(|(_, ids)| ids.iter()).chain(RARE);
        let unknown: Vec<&&str> = named.filter(|id| !ids.iter().any(|known| known == **id)).collect();
        assert!(unknown.is_empty(), "no option has {unknown:?}");
        let is_command = |name: &str| cli.get_subcommands().any(|command| command.get_name() == name);
        assert!(SUMMARIES.iter().all(|(name, _)| is_command(name) || *name == "report"));
        command().debug_assert();
    }
}
