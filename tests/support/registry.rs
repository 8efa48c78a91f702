//! Debian's docker-registry on loopback, and what is in an index.

use std::fs;
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
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", fs::read_to_string(at("log")).expect("a log"));
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
