//! What a person sees first: a line within 0.3 seconds, on any root. script(1) makes the terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::need;

const LIMIT: Duration = Duration::from_millis(300);
/// A machine that does other things is late now and then, so the best of some runs counts.
const RUNS: usize = 6;

/// How long a run takes until its first words, and these.
fn first_words(dir: &Path, line: &str) -> (Duration, String) {
    let line = format!("stty cols 80; exec {} {line}", env!("CARGO_BIN_EXE_slimroot"));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(dir).env("TERM", "xterm").stdin(Stdio::null());
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("script runs");
    let mut terminal = child.stdout.take().expect("a pipe");
    let (mut said, mut buffer) = (String::new(), [0; 4096]);
    // What moves the cursor is no word.
    while !said.contains(char::is_alphabetic) {
        let size = terminal.read(&mut buffer).expect("read");
        if size == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
        said.extend(
            text.split('\u{1b}')
                .map(|part| {
                    part.trim_start_matches(['[', '?', ';'])
                        .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ';' | '?'))
                })
                .map(|part| part.strip_prefix(['K', 'J', 'A', 'l', 'h', 'm']).unwrap_or(part)),
        );
    }
    let took = begun.elapsed();
    let _ = child.kill();
    let _ = child.wait();
    (took, said)
}

/// A header of a tar archive (POSIX, ustar).
fn header(name: &str, size: u64) -> [u8; 512] {
    let mut header = [0_u8; 512];
    let size = format!("{size:011o}");
    let fields = [(0, name), (100, "0000644"), (108, "0000000"), (116, "0000000"), (124, &size), (136, "00000000000")];
    for (at, text) in fields.into_iter().chain([(156, "0"), (257, "ustar\x0000")]) {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

/// A docker archive whose layer, a sparse file, takes seconds to read.
fn big_image(dir: &Path) {
    const LAYER: u64 = 6 << 30;
    let mut file = File::create(dir.join("fat.tar")).expect("made");
    let config = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:00"]}}"#;
    let manifest = r#"[{"Config":"config.json","RepoTags":["x:1"],"Layers":["layer.tar"]}]"#;
    for (name, text) in [("manifest.json", manifest), ("config.json", config)] {
        let mut block = [0; 512];
        block[..text.len()].copy_from_slice(text.as_bytes());
        file.write_all(&[header(name, text.len() as u64), block].concat()).expect("written");
    }
    file.write_all(&[header("layer.tar", LAYER), header("file", LAYER - 2048)].concat()).expect("written");
    let length = file.metadata().expect("there").len();
    file.set_len(length + LAYER).expect("a sparse file");
}

#[test]
fn a_terminal_shows_within_a_third_of_a_second_what_is_done() {
    if !need::all(&["script", "stty"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    big_image(dir.path());
    for line in [
        "check docker-archive:fat.tar",
        "plan --root docker-archive:fat.tar",
        "build --root / --dry-run -i '/usr/**' -- sh",
    ] {
        let mut best = (Duration::MAX, String::new());
        for _ in 0..RUNS {
            best = best.min(first_words(dir.path(), line));
            if best.0 < LIMIT {
                break;
            }
        }
        assert!(best.0 < LIMIT, "{line} is silent for {:?}", best.0);
        assert!(best.1.contains("reading the root"), "{line}: {:?}", best.1);
    }
}
