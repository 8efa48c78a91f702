//! Hostile inputs: layouts and layers written byte by byte, and runs with limits on time, memory and files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slimroot::digest::Digest;

/// A static program, built once.
pub fn program() -> &'static [u8] {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM.get_or_init(|| compiled("int main(void){return 0;}"))
}

/// A static program of this source.
pub fn compiled(source: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let (code, out) = (dir.path().join("x.c"), dir.path().join("x"));
    fs::write(&code, source).expect("written");
    let built = Command::new("gcc").args(["-static", "-O1", "-w", "-o"]).arg(&out).arg(&code).output().expect("gcc");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::read(&out).expect("a program")
}

/// One entry of a tar archive, with every field open to lies.
pub struct Head<'a> {
    pub name: &'a [u8],
    pub kind: u8,
    pub link: &'a [u8],
    pub mode: u64,
    pub uid: u64,
    pub gid: u64,
    pub size: u64,
}

impl Default for Head<'_> {
    fn default() -> Self {
        Self { name: b"x", kind: b'0', link: b"", mode: 0o644, uid: 0, gid: 0, size: 0 }
    }
}

fn number(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let octal = format!("{value:0digits$o}");
    if octal.len() == digits {
        field[..digits].copy_from_slice(octal.as_bytes());
        return;
    }
    // GNU tar's binary form.
    let room = field.len();
    field[room - 8..].copy_from_slice(&value.to_be_bytes());
    field[0] |= 0x80;
}

/// The header block of an entry.
pub fn head(entry: &Head<'_>) -> Vec<u8> {
    let mut block = vec![0_u8; 512];
    let name = &entry.name[..entry.name.len().min(100)];
    block[..name.len()].copy_from_slice(name);
    number(&mut block[100..108], entry.mode);
    number(&mut block[108..116], entry.uid);
    number(&mut block[116..124], entry.gid);
    number(&mut block[124..136], entry.size);
    number(&mut block[136..148], 0);
    block[156] = entry.kind;
    let link = &entry.link[..entry.link.len().min(100)];
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

/// Writes the checksum of a header.
pub fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Content with what fills its last block.
pub fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(bytes.len().next_multiple_of(512), 0);
    out
}

/// A regular file.
pub fn file(name: &str, mode: u64, bytes: &[u8]) -> Vec<u8> {
    let header = head(&Head { name: name.as_bytes(), mode, size: bytes.len() as u64, ..Head::default() });
    [header, padded(bytes)].concat()
}

/// A pax header with these records.
pub fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        body.extend_from_slice(&[length.to_string().as_bytes(), b" ", key.as_bytes(), b"=", value, b"\n"].concat());
    }
    let header = head(&Head { name: b"pax", kind: b'x', size: body.len() as u64, ..Head::default() });
    [header, padded(&body)].concat()
}

/// An archive of entries.
pub fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

/// A gzip stream of pieces and of as many zeros behind each.
pub fn gzip(pieces: &[(&[u8], u64)]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    let zeros = vec![0_u8; 1 << 20];
    for (bytes, count) in pieces {
        out.write_all(bytes).expect("compressed");
        let mut left = *count;
        while left > 0 {
            let some = left.min(zeros.len() as u64);
            out.write_all(&zeros[..some as usize]).expect("compressed");
            left -= some;
        }
    }
    out.finish().expect("compressed")
}

/// The layer that every image starts with: a program and the directories of a small system.
pub fn base() -> Vec<u8> {
    tar(&[file("bin/x", 0o755, program()), file("etc/passwd", 0o644, b"root:x:0:0::/:/bin/x\n")])
}

/// An image in the making; what is changed after `write` stays.
pub struct Layout {
    pub dir: PathBuf,
    pub config: Value,
    pub layers: Vec<Vec<u8>>,
    /// Names of layers in the manifest; all in order if empty.
    pub order: Vec<usize>,
    pub annotations: BTreeMap<String, String>,
}

pub fn blob_of(dir: &Path, bytes: &[u8]) -> PathBuf {
    dir.join("blobs/sha256").join(Digest::of(bytes).hex())
}

impl Layout {
    pub fn new(dir: &Path, layers: Vec<Vec<u8>>) -> Self {
        Self {
            dir: dir.to_path_buf(),
            config: json!({ "Entrypoint": ["/bin/x"] }),
            layers,
            order: Vec::new(),
            annotations: BTreeMap::new(),
        }
    }

    pub fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    pub fn write(&self) -> String {
        self.write_with("amd64", &|_| ())
    }

    /// Writes the layout, the manifest changed by somebody.
    pub fn write_with(&self, architecture: &str, change: &dyn Fn(&mut Value)) -> String {
        fs::create_dir_all(self.dir.join("blobs/sha256")).expect("made");
        let put = |kind: &str, bytes: &[u8]| -> Value {
            fs::write(blob_of(&self.dir, bytes), bytes).expect("written");
            json!({ "mediaType": kind, "digest": Digest::of(bytes).to_string(), "size": bytes.len() })
        };
        let layers: Vec<Value> =
            self.layers.iter().map(|layer| put("application/vnd.oci.image.layer.v1.tar", layer)).collect();
        let order: Vec<usize> = if self.order.is_empty() { (0..layers.len()).collect() } else { self.order.clone() };
        let layers: Vec<&Value> = order.iter().map(|at| &layers[*at]).collect();
        let config = json!({ "architecture": architecture, "os": "linux", "config": self.config,
                             "rootfs": { "type": "layers", "diff_ids": [] } });
        let config = put("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let mut manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        change(&mut manifest);
        let mut manifest = put("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
        manifest["annotations"] = json!(self.annotations);
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        fs::write(self.dir.join("index.json"), index.to_string()).expect("written");
        fs::write(self.dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
        format!("oci:{}", self.dir.display())
    }
}

/// A small root on the disk: a program, and the directories of a small system.
pub fn root(dir: &Path) -> PathBuf {
    let root = dir.join("root");
    for sub in ["bin", "etc", "tmp", "proc", "dev"] {
        fs::create_dir_all(root.join(sub)).expect("made");
    }
    write_program(&root.join("bin/x"), program());
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/x\n").expect("written");
    root
}

pub fn write_program(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, bytes).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

/// Memory of a run, in kB.
pub const MEMORY: u64 = 1 << 20;

/// Runs slimroot with limits: a gigabyte of memory, files of a gigabyte, a minute.
pub fn limited(args: &[&str]) -> Ran {
    run_for(args, Duration::from_secs(60))
}

pub fn run_for(args: &[&str], limit: Duration) -> Ran {
    // The loader's own libraries and threads reserve address space, which ulimit -v counts.
    let line = format!("ulimit -v {MEMORY}; ulimit -n 256; ulimit -c 0; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &line, "sh", env!("CARGO_BIN_EXE_slimroot")]).args(args);
    wait(&mut command, limit)
}

/// How much slower a machine is that has more to do than it has processors (proc(5), loadavg); at least 1.
pub fn slowdown() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").expect("Linux says it");
    let load: f64 = text.split(' ').next().and_then(|load| load.parse().ok()).expect("a number");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (load / processors as f64).max(1.0)
}

/// Waits for a command, and ends it when its time is over, which is longer on a busy machine.
pub fn wait(command: &mut Command, limit: Duration) -> Ran {
    let begun = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let (mut out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let read = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (out, err) = (std::thread::spawn(move || read(&mut out)), std::thread::spawn(move || read(&mut err)));
    let status = loop {
        match child.try_wait().expect("waited for") {
            Some(status) => break status,
            None if begun.elapsed() > limit && begun.elapsed() > limit.mul_f64(slowdown()) => {
                child.kill().expect("ended");
                break child.wait().expect("waited for");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    Ran {
        code: status.code(),
        signal: status.signal(),
        took: begun.elapsed(),
        out: out.join().expect("read"),
        err: err.join().expect("read"),
    }
}

/// Checks that hold for every run, whatever its input: it may not panic, end by a signal, take too long, or print a control byte or a command
/// of a CI system.
pub fn misbehaves(ran: &Ran) -> Option<String> {
    let all = format!("{}{}", ran.out, ran.err);
    let is_raw = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let is_command =
        |line: &str| line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[");
    if let Some(signal) = ran.signal {
        return Some(format!("ended by signal {signal} after {:?}", ran.took));
    }
    if ran.code.is_none_or(|code| code > 3) || all.contains("panicked") {
        return Some(format!("ended with {:?}", ran.code));
    }
    if let Some(c) = all.chars().find(|c| is_raw(*c)) {
        return Some(format!("prints {c:?}"));
    }
    all.lines().find(|line| is_command(line)).map(|line| format!("prints the line {line:?}"))
}
