//! Builder roots: Debians made by mmdebstrap, once for all tests and runs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Runs a command that must succeed.
pub fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let all = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {args:?}\n{}{}", all(&output.stdout), all(&output.stderr));
    all(&output.stdout)
}

/// Where roots are kept between runs.
pub fn cache() -> PathBuf {
    let cache = std::env::var("SLIMROOT_TEST_CACHE").unwrap_or_else(|_| "/var/tmp/slimroot-test".to_owned());
    fs::create_dir_all(&cache).expect("a place for roots");
    PathBuf::from(cache)
}

/// The Debian mirror of this machine's own apt configuration.
fn mirror() -> String {
    let format = "$(SITE)|$(REPO_URI)";
    let told = run("apt-get", &["indextargets", "--format", format, "Created-By: Packages", "Origin: Debian"]);
    let repos = told.lines().filter_map(|line| line.split_once('|')).map(|(_, repo)| repo.trim_end_matches('/'));
    repos.filter(|repo| repo.ends_with("/debian")).map(str::to_owned).next().expect("a Debian mirror")
}

/// A root made by mmdebstrap, once for all tests and runs.
pub fn root(name: &str, suite: &str, args: &[&str]) -> PathBuf {
    let place = cache().join(name);
    let lock = fs::File::create(cache().join(format!("{name}.lock"))).expect("a lock");
    lock.lock().expect("locked");
    if !place.exists() {
        let aside = cache().join(format!("{name}.tmp"));
        let _ = fs::remove_dir_all(&aside);
        let mut all = args.to_vec();
        let (aside_text, mirror) = (aside.display().to_string(), mirror());
        all.extend([suite, &aside_text, &mirror]);
        run("mmdebstrap", &all);
        fs::rename(&aside, &place).expect("renamed");
    }
    place
}

/// Debian with nginx and curl.
pub fn debian() -> PathBuf {
    let include = "--include=nginx-light,curl,ca-certificates";
    root("bookworm", "bookworm", &["--variant=minbase", "--dpkgopt=force-unsafe-io", include])
}

/// Debian for another architecture, unpacked: none of its scripts was run.
pub fn debian_of(arch: &str) -> PathBuf {
    let args = [&format!("--arch={arch}"), "--variant=extract", "--include=sqlite3,libc6"];
    root(&format!("bookworm-{arch}"), "bookworm", &args)
}

/// Another release's C library, unpacked: none of its scripts was run.
pub fn glibc_of(suite: &str) -> PathBuf {
    root(&format!("{suite}-libc"), suite, &["--variant=extract", "--include=libc6"])
}
