//! Layers compressed with gzip are read in parts, in any order. Python makes the image; the files are compared with those
//! that it packed.

use std::path::Path;
use std::process::Command;

use crate::support::need;

/// Makes an archive of docker with one layer: files in another order than that of their names, some larger than the
/// distance between checkpoints, in several gzip members with and without compression and with all fields of a header.
const MAKE: &str = r#"
import gzip, hashlib, io, json, os, random, sys, tarfile, zlib
out, source = sys.argv[1], sys.argv[2]
random.seed(7)
names = {}
words = [os.urandom(random.randint(2, 40)) for _ in range(3000)]
for number in range(1500):
    size = 9_000_000 if number % 500 == 0 else random.randint(0, 30_000)
    made = bytearray()
    while len(made) < size:
        made += random.choice(words)
    names[f"data/{random.randint(0, 40)}/{number}"] = bytes(made[:size])
for name, content in names.items():
    os.makedirs(os.path.dirname(f"{source}/{name}"), exist_ok=True)
    open(f"{source}/{name}", "wb").write(content)
def tar(entries):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()
program = [(name, open(f"/{name}", "rb").read()) for name in
    ["bin/true", "lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"]]
order = list(names.items())
random.shuffle(order)
plain = tar(order + program)
cuts = [0, 70_000, 70_000, 11_000_000, 11_000_001, 25_000_000, len(plain)]
packed = b""
for number, (start, end) in enumerate(zip(cuts, cuts[1:])):
    level = [9, 1, 0, 6, 1, 6][number]
    member = bytearray(gzip.compress(plain[start:end], level, mtime=0))
    # FHCRC, FEXTRA, FNAME and FCOMMENT (RFC 1952).
    member[3] = 30
    head = bytes(member[:10]) + b"\x04\x00ABCD" + b"name\0" + b"comment\0"
    packed += head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") + member[10:]
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/bin/true"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}}).encode()
manifest = json.dumps([{"Config": "config.json", "RepoTags": ["app:1"], "Layers": ["layer.tar"]}]).encode()
open(out, "wb").write(tar([("manifest.json", manifest), ("config.json", config), ("layer.tar", packed)]))
"#;

#[test]
#[cfg(target_arch = "x86_64")]
fn parts_of_a_gzip_layer_are_what_was_packed() {
    if !need::all(&["python3", "diff"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    std::fs::create_dir(at("source")).expect("made");
    let made = Command::new("python3").args(["-c", MAKE, &at("image.tar"), &at("source")]).output().expect("python3");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let image = format!("docker-archive:{}", at("image.tar"));
    let mut slimroot = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    slimroot.args(["build", "--root", &image, "-i", "/data", "-o", &at("out"), "--", "/bin/true"]);
    let packed = slimroot.output().expect("slimroot runs");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let differ = Command::new("diff").args(["-r", &at("source/data"), &at("out/data")]).output().expect("diff");
    assert!(differ.status.success(), "{}", String::from_utf8_lossy(&differ.stdout));
    assert!(Path::new(&at("out/data")).is_dir());
}
