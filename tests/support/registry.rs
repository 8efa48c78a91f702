//! Debian's docker-registry on loopback, and what is in an index.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A process that ends with the test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a registry whose files and log lie in a directory, and returns its port. `http` and `more` are added to its
/// configuration: settings of the section `http`, and lines.
pub fn serve(dir: &Path, http: &str, more: &str) -> (Process, u16) {
    let at = |name: &str| dir.join(name).display().to_string();
    // A port that is free now.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'{http}}}\n{more}",
        at("data")
    );
    fs::write(at("config.yml"), config).expect("written");
    let log = fs::File::create(at("log")).expect("a log");
    let child = Command::new("docker-registry")
        .args(["serve", &at("config.yml")])
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("docker-registry starts");
    let process = Process(child);
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", fs::read_to_string(at("log")).expect("a log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    (process, port)
}

/// The architectures of an index with the digests of their manifests.
pub fn members(index: &Value) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().expect("text").to_owned();
    let all = index["manifests"].as_array().expect("manifests").iter();
    all.map(|entry| (word(&entry["platform"]["architecture"]), word(&entry["digest"]))).collect()
}

/// The documents and blobs that a slow registry has: the manifest, and blobs by digest. The blob with the digest `slow` comes
/// in pieces, and uploads are taken in pieces and never answered.
#[derive(Clone, Default)]
pub struct Slow {
    pub manifest: Vec<u8>,
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub slow: String,
}

const PIECE: usize = 4 << 10;
const PAUSE: Duration = Duration::from_millis(50);

impl Slow {
    /// Starts it, as long as the process lives, and returns its port.
    pub fn serve(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let this = self.clone();
                // A client that is ended leaves in the middle of an answer.
                std::thread::spawn(move || while this.answer(&stream).is_some() {});
            }
        });
        port
    }

    /// Answers one request; `None` at the end of the connection.
    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut length = 0;
        loop {
            let mut header = String::new();
            lines.read_line(&mut header).ok().filter(|read| *read > 0)?;
            let header = header.trim().to_ascii_lowercase();
            length = header.strip_prefix("content-length: ").map_or(length, |number| number.parse().unwrap_or(0));
            if header.is_empty() {
                break;
            }
        }
        let head = |status: &str, more: &str, length: usize| {
            format!("HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\n\r\n").into_bytes()
        };
        let blob = path.rsplit('/').next().and_then(|digest| self.blobs.get(digest));
        let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
        match method.as_str() {
            "POST" => stream.write_all(&head("202 Accepted", "Location: /v2/a/blobs/uploads/1\r\n", 0)).ok(),
            "PUT" | "PATCH" if path.contains("uploads") => {
                let mut left = length;
                while left > 0 {
                    std::thread::sleep(PAUSE);
                    let read = lines.read(&mut vec![0; PIECE.min(left)]).ok().filter(|read| *read > 0)?;
                    left -= read;
                }
                loop {
                    std::thread::sleep(PAUSE);
                    stream.write_all(b"").ok()?;
                }
            }
            "GET" if path.contains("/manifests/") && !self.manifest.is_empty() => {
                stream.write_all(&[head("200 OK", kind, self.manifest.len()), self.manifest.clone()].concat()).ok()
            }
            "GET" if path == "/v2/" => stream.write_all(&head("200 OK", "", 0)).ok(),
            "GET" if path.ends_with(&self.slow) && blob.is_some() => {
                stream.write_all(&head("200 OK", "", blob?.len())).ok()?;
                for piece in blob?.chunks(PIECE) {
                    stream.write_all(piece).ok()?;
                    std::thread::sleep(PAUSE);
                }
                Some(())
            }
            "GET" if blob.is_some() => {
                stream.write_all(&[head("200 OK", "", blob?.len()), blob?.clone()].concat()).ok()
            }
            _ => stream.write_all(&head("404 Not Found", "", 0)).ok(),
        }
    }
}
