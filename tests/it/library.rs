//! The library and the command line are one: a request packed by `slimroot::pack` gives the bytes that the command gives.

use std::fs;
use std::path::Path;
use std::process::Command;

use slimroot::{PackRequest, Packed, pack};

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().expect("sha256sum runs");
    String::from_utf8_lossy(&output.stdout).split_whitespace().next().expect("a digest").to_owned()
}

#[test]
fn the_library_gives_the_image_of_the_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let (by_library, by_command) = (dir.path().join("library.tar"), dir.path().join("command.tar"));
    let mut request = PackRequest::new("/", ["date", "-u"]);
    request.env.insert("TZ".to_owned(), "Asia/Tokyo".to_owned());
    request.outputs.push(format!("oci-archive:{}:v1", by_library.display()));
    let packed = pack(&request).expect("packed");
    assert!(packed.is_whole(), "{:?}", packed.findings);
    let command = Command::new(env!("CARGO_BIN_EXE_slimroot"))
        .args(["build", "--env", "TZ=Asia/Tokyo", "-o", &format!("oci-archive:{}:v1", by_command.display())])
        .args(["--", "date", "-u"])
        .output()
        .expect("slimroot runs");
    assert!(command.status.success(), "{}", String::from_utf8_lossy(&command.stderr));
    assert!(fs::metadata(&by_library).expect("an archive").len() > 100_000);
    assert_eq!(sha256(&by_library), sha256(&by_command));
}

#[test]
fn requests_and_results_can_go_to_other_threads() {
    fn is_send<T: Send>() {}
    is_send::<PackRequest>();
    is_send::<Packed>();
}
