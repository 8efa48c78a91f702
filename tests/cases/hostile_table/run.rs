//! A run with limits, and its judges: the kernel for memory, time and signals, the disk for what was written.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::hostile::{Ran, compiled, misbehaves, wait, write_program};

/// Content of a file next to the root, which no output and no message may contain.
pub(super) const CANARY: &str = "host-canary-5d21";
/// Peak memory of a run in MiB.
const MEMORY: u64 = 256;
/// Time of a run. Most take a tenth of a second; the machine may be busy.
const TIME: Duration = Duration::from_secs(20);

/// Runs a command with limits and writes its peak memory in kB to a file. The limits on data and files end a run that
/// the judges would only count.
const LIMITS: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
static void limit(int what, unsigned long most) { struct rlimit l = {most, most}; if (setrlimit(what, &l)) exit(99); }
int main(int n, char **a) {
  limit(RLIMIT_CORE, 0); limit(RLIMIT_NOFILE, 256); limit(RLIMIT_FSIZE, 1UL << 30); limit(RLIMIT_DATA, 1UL << 30);
  pid_t child = fork();
  if (!child) { prctl(PR_SET_PDEATHSIG, SIGKILL); execv(a[2], a + 2); _exit(98); }
  int status; struct rusage usage;
  if (wait4(child, &status, 0, &usage) < 0) return 97;
  FILE *f = fopen(a[1], "w"); fprintf(f, "%ld", usage.ru_maxrss); fclose(f);
  if (WIFSIGNALED(status)) { signal(WTERMSIG(status), SIG_DFL); kill(getpid(), WTERMSIG(status)); }
  return WEXITSTATUS(status);
}
"#;

fn limits() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("limits");
        write_program(&path, &compiled(LIMITS));
        (dir, path)
    });
    path
}

/// A directory with a root, a host's file, a place for the output and one for temporary files.
pub(super) struct Scratch(tempfile::TempDir);

/// A run and what it left.
pub(super) struct Judged {
    ran: Ran,
    memory: Option<u64>,
    /// What changed outside of the output.
    changed: Vec<String>,
    is_packed: bool,
    has_canary: bool,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for sub in ["root", "out", "tmp"] {
            fs::create_dir(dir.path().join(sub)).expect("made");
        }
        fs::write(dir.path().join("outside"), CANARY.repeat(100)).expect("written");
        Self(dir)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs slimroot. `OUT` in an argument is the place of the output, `DIR` the scratch directory.
    pub(super) fn run(&self, args: &[String]) -> Judged {
        let (out, told) = (self.path().join("out/image.tar"), self.path().join("out/memory"));
        let before = tree(self.path());
        let place = |arg: &String| {
            arg.replace("OUT", &out.display().to_string()).replace("DIR", &self.path().display().to_string())
        };
        let mut command = Command::new(limits());
        command.arg(&told).arg(env!("CARGO_BIN_EXE_slimroot")).args(args.iter().map(place));
        command.env("TMPDIR", self.path().join("tmp")).current_dir(self.path());
        let ran = wait(&mut command, TIME);
        let memory = fs::read_to_string(&told).ok().and_then(|text| text.parse::<u64>().ok());
        let _ = fs::remove_file(&told);
        let packed = fs::read(&out).ok();
        let _ = fs::remove_file(&out);
        let after = tree(self.path());
        let differs =
            |(path, stat): (&PathBuf, &Stat)| (before.get(path) != Some(stat)).then(|| format!("made {path:?}"));
        let gone = before.keys().filter(|path| !after.contains_key(*path)).map(|path| format!("removed {path:?}"));
        Judged {
            changed: after.iter().filter_map(differs).chain(gone).collect(),
            memory,
            is_packed: packed.is_some(),
            has_canary: packed.is_some_and(|bytes| memchr::memmem::find(&bytes, CANARY.as_bytes()).is_some())
                || ran.out.contains(CANARY)
                || ran.err.contains(CANARY),
            ran,
        }
    }
}

type Stat = (u32, u64, i64);

/// Everything below a directory: mode, size and time of its last change.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Stat> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let Ok(meta) = fs::symlink_metadata(entry.path()) else { continue };
            if meta.is_dir() {
                open.push(entry.path());
            }
            // Files come and go in the places for outputs and temporary files.
            let is_ours = ["out", "tmp"].iter().any(|name| entry.path().ends_with(name)) && dir == *dir;
            let time = if is_ours { 0 } else { meta.mtime() };
            let size = if meta.is_dir() { 0 } else { meta.size() };
            found.insert(entry.path(), (meta.mode(), size, time));
        }
    }
    found
}

impl Judged {
    /// Differences from what holds for every run, and from what the row says.
    pub(super) fn judge(&self, ends: i32, code: Option<&str>) -> Vec<String> {
        let mut found: Vec<String> = misbehaves(&self.ran).into_iter().collect();
        let memory = self.memory.unwrap_or(u64::MAX) >> 10;
        if memory > MEMORY {
            found.push(format!("takes {memory} MiB"));
        }
        found.extend(self.changed.iter().cloned());
        if self.has_canary {
            found.push("a file outside of the root is told or packed".to_owned());
        }
        let all = format!("{}{}", self.ran.out, self.ran.err);
        if self.ran.code != Some(ends) || code.is_some_and(|code| !all.contains(&format!("[{code}]"))) {
            found.push(format!("ends with {:?} after {:?} and {memory} MiB", self.ran.code, self.ran.took));
        }
        if self.is_packed && self.ran.code != Some(0) {
            found.push("it failed and left an output".to_owned());
        }
        if !found.is_empty() {
            found.push(all);
        }
        found
    }
}
