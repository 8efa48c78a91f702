//! The command line: parses options, runs a command, sets the exit code. Commands return values; only `render` prints.

mod exit;
mod manual;
mod names;
mod render;
mod usage;
mod wording;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cleanup;
use crate::commands;
use crate::error::Error;
use crate::pack::Watch;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    findings at error level (a missing library, …), nothing was written;
       why: the path is not in the image; verify: files are missing
  2    the command line, a profile or slimroot.toml is wrong
  3    the run failed (entry not found, unreadable file, full disk, …)
  4    verify, build --verify: the program fails in the builder root too
  5    a limit that you set is exceeded, nothing was written
       (--budget, --fail-if-grows, --fail-if-outdated, --locked, [allow])
  101  a bug in slimroot
  130  interrupted
trace ends with the exit status of its command";

/// Packs a program with only its runtime dependencies into a container image without a base image.
#[derive(Debug, Parser)]
#[command(name = "slimroot", version, after_help = EXIT_CODES, propagate_version = true)]
struct Cli {
    /// When to colour messages.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: render::Color,
    /// Prints no report and no notes: only errors, warnings and requested results.
    #[arg(long, short = 'q', global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Prints the whole report: every group, every profile with its trigger, digests of layers, all notes.
    #[arg(long, short = 'v', global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Packs an entry with all its runtime dependencies.
    Build(Box<commands::build::Options>),
    /// Packs the program of an image into a smaller image with the same settings.
    Slim(Box<commands::slim::SlimOptions>),
    /// Combines images for several platforms into one image.
    Index(commands::index::Options),
    /// Lists every path of an image with its reason, package and size, without writing the image.
    Plan(Box<commands::plan::Options>),
    /// Compares two images: plans, locks, directories, or images made by any tool.
    Diff(commands::diff::Options),
    /// Lists packages that have another version in a newer root.
    Outdated(commands::outdated::Options),
    /// Writes a page that shows what is in a directory, or in an image made by any tool: one HTML file.
    #[cfg(feature = "page")]
    Report(commands::report::Options),
    /// Writes an inventory of the software (SBOM) in a directory, or in an image made by any tool.
    Sbom(commands::sbom::Options),
    /// Writes which vulnerabilities of a builder its image does not have (VEX), as far as the files prove it.
    Vex(commands::vex::Options),
    /// Lists the files that a program's loader would load, and how it finds them.
    Deps(Box<commands::deps::Options>),
    /// Explains why a path is in the image of an entry.
    Why(Box<commands::why::Options>),
    /// Finds problems of an entry or of a finished image.
    Check(Box<commands::check::Options>),
    /// Runs the program of a packed root, compares the run with one in the builder root, and names missing files.
    Verify(Box<commands::verify::Options>),
    /// Runs a command on this machine and records which files it opens, executes, maps, lists, and fails to find.
    Trace(commands::trace::Options),
    /// Prints a Dockerfile with an additional last stage from scratch, made by slimroot, which keeps every setting.
    Dockerfile(commands::dockerfile::Options),
    /// Lists the profiles, shows one, or tests their examples.
    Profiles(commands::profiles::Options),
    /// Explains a message: a code of slimroot, or an error of another program.
    Explain(Box<commands::explain::Options>),
    /// Prints the completion script of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page of slimroot or of one of its commands, or writes all pages to a directory.
    Man(manual::Options),
}

/// Output format of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// The root, and the conditions under which its programs will run.
#[derive(Debug, Clone, Args)]
pub struct RootOptions {
    /// The builder's file system: a directory, or an image (oci:DIR, oci-archive:FILE or docker-archive:FILE, with a
    /// :TAG if it has several; docker://HOST/NAME:TAG or @DIGEST in a registry; NAME:TAG in a local store or the registry
    /// that it names).
    #[arg(long, visible_alias = "image", value_name = "DIR|IMAGE", default_value = "/")]
    pub root: PathBuf,
    /// Platform to take from an image that has several, such as linux/arm64; build and slim: `all` packs each and writes an
    /// index. Default: that of this machine, or else the first.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Option<crate::image_reader::Platform>,
    /// A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable.
    #[arg(long = "registry-ca", value_name = "FILE")]
    pub registry_ca: Vec<PathBuf>,
    /// Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS. Without
    /// it, plain HTTP is used only on this machine.
    #[arg(long)]
    pub insecure: bool,
    /// Environment variable of the image. PATH, LD_LIBRARY_PATH and LD_PRELOAD also affect the search. Repeatable.
    #[arg(long = "env", short = 'e', value_name = "K=V")]
    pub env: Vec<String>,
    /// Working directory of the image.
    #[arg(long = "workdir", short = 'w', visible_alias = "cwd", value_name = "DIR")]
    pub workdir: Option<String>,
    /// Highest CPU level that all machines have, such as x86-64-v3; without it, files for all levels are packed.
    #[arg(long, value_name = "LEVEL")]
    pub cpu: Option<String>,
    /// Loader to use if the entry is a plug-in or library, since these specify none.
    #[arg(long, value_name = "PATH")]
    pub interpreter: Option<String>,
    /// Takes over no settings of this process. Without this option, if the root is the running system, the image gets
    /// slimroot's working directory and variables such as PATH, LANG, LC_*, TZ, PYTHONPATH and NODE_ENV.
    #[arg(long)]
    pub no_inherit: bool,
}

/// Levels of findings.
#[derive(Debug, Clone, Default, Args)]
pub struct RankOptions {
    /// Ignores a finding, or one subject of it, such as missing-library=libfoo.so.1. Repeatable.
    #[arg(long, value_name = "CODE[=SUBJECT]")]
    pub allow: Vec<String>,
    /// Makes a finding a warning. Repeatable.
    #[arg(long, value_name = "CODE[=SUBJECT]")]
    pub warn: Vec<String>,
    /// Makes a finding an error. Repeatable.
    #[arg(long, value_name = "CODE[=SUBJECT]")]
    pub deny: Vec<String>,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match wording::parsed() {
        Ok(cli) => cli,
        Err(error) => {
            let line: Vec<String> = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
            let error = usage::advised(error, &line);
            // clap reports --help and --version as errors too; they go to stdout and exit with 0.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::DONE });
        }
    };
    render::set(render::Style { color: cli.color, is_quiet: cli.quiet, is_verbose: cli.verbose });
    watch_signals();
    leave_nothing_after_bugs();
    let mut command = cli.command;
    let ended = names::settle(&mut command).and_then(|()| run(command));
    if IS_ENDING.swap(true, Ordering::Relaxed) {
        // The other thread ends the process.
        loop {
            std::thread::park();
        }
    }
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            render::error(&error);
            ExitCode::from(exit::code(crate::error::kind_of(&error)))
        }
    }
}

fn run(command: Command) -> Result<u8, Error> {
    let verdict = |ok: bool| if ok { exit::DONE } else { exit::FINDINGS };
    match command {
        Command::Build(options) => build(&options),
        Command::Slim(options) => build(&options.into_build()?),
        Command::Plan(options) => {
            let printed = watched(true, "reading", |watch| commands::plan::run(&options, watch))?;
            render::file(printed.text, &printed.findings)?;
            Ok(verdict(printed.findings.iter().all(|finding| finding.level < crate::finding::Level::Error)))
        }
        Command::Index(options) => {
            let index = watched(false, "copying", |watch| commands::index::run(&options, watch))?;
            render::index(&index, options.format)?;
            Ok(exit::DONE)
        }
        Command::Diff(options) => {
            let diff = watched(true, "reading", |watch| commands::diff::run(&options, watch))?;
            render::diff(&diff, &options)?;
            Ok(if diff.broken.is_empty() { exit::DONE } else { exit::POLICY })
        }
        Command::Outdated(options) => {
            let found = watched(true, "reading", |watch| commands::outdated::run(&options, watch))?;
            render::outdated(&found, options.format)?;
            let is_refused = options.fail_if_outdated && !found.packages.is_empty();
            Ok(if is_refused { exit::POLICY } else { exit::DONE })
        }
        #[cfg(feature = "page")]
        Command::Report(options) => {
            if let Some(text) = watched(false, "reading", |watch| commands::report::run(&options, watch))? {
                render::file(text, &[])?;
            }
            Ok(exit::DONE)
        }
        Command::Sbom(options) => {
            let made = watched(false, "reading", |watch| commands::sbom::run(&options, watch))?;
            render::notes(&made.notes);
            if let Some(text) = made.text {
                render::file(text, &[])?;
            }
            Ok(exit::DONE)
        }
        Command::Vex(options) => {
            let made = watched(true, "reading", |watch| commands::vex::run(&options, watch))?;
            render::notes(&made.notes);
            if let Some(text) = made.text {
                render::file(text, &[])?;
            }
            Ok(exit::DONE)
        }
        Command::Deps(options) => {
            let deps = watched(false, "reading", |watch| commands::deps::run(&options, watch))?;
            render::deps(&deps, options.format)?;
            Ok(verdict(deps.is_whole()))
        }
        Command::Why(options) => {
            let why = watched(false, "reading", |watch| commands::why::run(&options, watch))?;
            render::why(&why, options.format)?;
            Ok(verdict(why.is_packed()))
        }
        Command::Check(options) => {
            let checked = watched(false, "reading", |watch| commands::check::run(&options, watch))?;
            render::checked(&checked, options.format)?;
            Ok(verdict(checked.is_whole()))
        }
        Command::Verify(options) => {
            let proofs = watched(true, "verifying", |watch| commands::verify::run(&options, watch))?;
            render::proofs(&proofs, &options)?;
            Ok(exit::proofs(&proofs, options.strict))
        }
        Command::Trace(options) => {
            let traced = watched(true, "watching", |watch| commands::trace::run(&options, watch))?;
            render::traced(traced.text.as_deref());
            Ok(traced.status)
        }
        Command::Dockerfile(options) => {
            let printed = commands::dockerfile::run(&options)?;
            render::notes(&printed.notes);
            render::bytes(printed.text.as_bytes())?;
            Ok(exit::DONE)
        }
        Command::Profiles(options) => {
            let tested = commands::profiles::run(&options)?;
            render::text(&tested.text)?;
            Ok(verdict(tested.is_whole))
        }
        Command::Explain(options) => {
            render::explained(&watched(false, "reading", |watch| commands::explain::run(&options, watch))?)?;
            Ok(exit::DONE)
        }
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut <Cli as clap::CommandFactory>::command(), "slimroot", &mut out);
            render::bytes(&out)?;
            Ok(exit::DONE)
        }
        Command::Man(options) => {
            render::bytes(&manual::run(<Cli as clap::CommandFactory>::command(), &options)?)?;
            Ok(exit::DONE)
        }
    }
}

fn build(options: &commands::build::Options) -> Result<u8, Error> {
    let packed = watched(false, "packing", |watch| commands::build::run(options, watch))?;
    render::packed(&packed, options)?;
    Ok(match packed.findings.iter().any(|finding| finding.code == crate::proof::FAILS_IN_BOTH) {
        true => exit::FAILS_IN_BOTH,
        false if packed.is_whole() => exit::DONE,
        false => exit::FINDINGS,
    })
}

/// Runs a long operation with a progress bar; signals stop it.
fn watched<T>(
    is_hidden: bool,
    what: &'static str,
    work: impl FnOnce(&Watch<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    // Do not draw over the output of a command that `trace` runs.
    let progress = render::Progress::start(is_hidden && what == "watching", label(what));
    let stop = || INTERRUPTED.load(Ordering::Relaxed);
    let result = work(&Watch { progress: &|done, all| progress.show(done, all), stop: &stop });
    progress.finish();
    result
}

/// Text of the progress line for an operation.
fn label(what: &'static str) -> &'static str {
    match what {
        "reading" | "packing" => "reading the root",
        "verifying" => "running both programs",
        other => other,
    }
}

/// Set by SIGINT, SIGTERM or SIGHUP.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Set by the thread that ends the process: the main thread or the signal thread.
static IS_ENDING: AtomicBool = AtomicBool::new(false);
/// Time that an operation gets to stop and clean up by itself.
const GRACE: Duration = Duration::from_millis(150);

/// Ends the process on signals. An operation that has written something gets time to clean up by itself; any other is
/// ended at once, because planning does not check for cancellation. A second signal ends the process immediately.
fn watch_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    // Beyond a limit on the size of files a write fails, as on a full disk.
    let _ = signal_hook::flag::register(SIGXFSZ, std::sync::Arc::default());
    // Without a handler, a signal simply ends the process. A temporary file may remain, but no partial output.
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(exit::INTERRUPTED));
            }
            if std::thread::Builder::new().spawn(end_soon).is_err() {
                end_soon();
            }
        }
    });
}

/// Ends the process after a panic, in any thread, once temporary outputs are removed: released binaries run no destructors then
/// (`panic = "abort"` in Cargo.toml).
fn leave_nothing_after_bugs() {
    let (process, tell) = (std::process::id(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |what| {
        tell(what);
        // A child that has not executed its program yet has a copy of the list.
        if std::process::id() == process {
            cleanup::leave_after_bug();
        }
        std::process::exit(i32::from(exit::BUG));
    }));
}

fn end_soon() {
    let begun = Instant::now();
    while !cleanup::is_idle() && begun.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(2));
    }
    // An operation that finishes at this moment reports its own result.
    std::thread::sleep(Duration::from_millis(10));
    if cleanup::leave() && !IS_ENDING.swap(true, Ordering::Relaxed) {
        render::error(&Error::new("interrupted", "ended by a signal; no temporary files are left"));
        std::process::exit(i32::from(exit::INTERRUPTED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_bug_leaves_no_temporary_file() {
        const NAME: &str = "cli::tests::a_bug_leaves_no_temporary_file";
        const FILE: &str = "SLIMROOT_TEST_LEFT_BY_A_BUG";
        if let Some(file) = std::env::var_os(FILE) {
            std::fs::write(&file, "half").expect("written");
            let _known = cleanup::Known::new(std::path::Path::new(&file));
            leave_nothing_after_bugs();
            let _ = std::thread::spawn(|| panic!("a bug")).join();
            std::fs::write(&file, "still running").expect("written");
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("output");
        let itself = std::env::current_exe().expect("known");
        let child =
            std::process::Command::new(itself).args([NAME, "--exact", "--test-threads=1"]).env(FILE, &file).output();
        assert_eq!(child.expect("run").status.code(), Some(i32::from(exit::BUG)));
        assert!(!file.exists());
    }
}
