//! Files and their owners: what is packed is what was there, as a whole.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{archived, chown, names, scratch, slimroot, text};
use crate::support::hostile::{program, root, write_program};

/// Judge: GNU tar, which lists the owners of what was packed.
#[test]
fn root_guesses_no_owner() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = scratch();
    let root = root(dir.path());
    write_program(&root.join("bin/helper"), program());
    fs::write(root.join("etc/private"), "key").expect("written");
    for (name, mode) in [("bin/helper", 0o6755), ("etc/private", 0o600)] {
        chown(&root.join(name), 1000);
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).expect("set");
    }
    chown(&root, 1000);
    let archive = dir.path().join("out.tar");
    let ran = archived(&root, &archive, "-i /etc/private -i /bin/helper -u 1000:1000 -- /bin/x");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let listed = Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(&archive).output().expect("tar runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for (name, mode) in [("bin/helper", "-rwsr-sr-x"), ("etc/private", "-rw-------")] {
        let line = listed.lines().find(|line| line.ends_with(name)).unwrap_or_else(|| panic!("{listed}"));
        assert!(line.starts_with(&format!("{mode} 1000/1000 ")), "{line}");
    }
}

/// Judge: the first and the last byte of what came out. Written to before, while and after it is read.
#[test]
fn a_file_that_is_written_to_is_never_packed_in_part() {
    const SIZE: u64 = 96 << 20;
    let dir = scratch();
    let root = root(dir.path());
    let big = root.join("big");
    let mut ended = [0, 0];
    for transport in ["tar", "dir", "oci-archive"] {
        for delay in [20, 60, 120, 200, 350, 600] {
            fs::write(&big, vec![b'A'; SIZE as usize]).expect("written");
            let out = dir.path().join("out");
            let _ = fs::remove_dir_all(&out);
            let _ = fs::remove_file(&out);
            let mut command = slimroot();
            command.args(["build", "--root", &text(&root), "-o", &format!("{transport}:{}", text(&out)), "-i", "/big"]);
            command.args(["--compression", "none", "--", "/bin/x"]).stdout(Stdio::null()).stderr(Stdio::piped());
            let child = command.spawn().expect("it starts");
            std::thread::sleep(Duration::from_millis(delay));
            // In place and of the same size, with the old time set again: only the change time is left to tell.
            let mut file = fs::File::options().write(true).open(&big).expect("open");
            let time = file.metadata().and_then(|meta| meta.modified()).expect("a time");
            file.write_all(b"B").and_then(|()| file.seek(SeekFrom::Start(SIZE - 1))).expect("sought");
            file.write_all(b"B").and_then(|()| file.set_modified(time)).expect("written");
            let ran = child.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            if ran.status.code() == Some(3) {
                assert!(said.starts_with("error[changed-while-packing]"), "{said}");
                assert_eq!(names(dir.path()), ["root"], "{transport}");
                ended[1] += 1;
                continue;
            }
            assert_eq!(ran.status.code(), Some(0), "{said}");
            ended[0] += 1;
            let packed = match transport {
                "dir" => fs::read(out.join("big")).expect("packed"),
                "tar" => {
                    let told = Command::new("tar").args(["-xOf", &text(&out), "big"]).output().expect("tar runs");
                    told.stdout
                }
                _ => {
                    // The layer is not compressed: the file lies in the archive as it is.
                    let bytes = fs::read(&out).expect("packed");
                    let start = memchr::memmem::find(&bytes, &[b'A'; 64]).expect("the file") as u64;
                    let start = if bytes[start as usize - 1] == b'B' { start - 1 } else { start };
                    bytes[start as usize..(start + SIZE) as usize].to_vec()
                }
            };
            let ends = (packed[0], packed[packed.len() - 1]);
            assert!(ends == (b'A', b'A') || ends == (b'B', b'B'), "{transport} after {delay} ms is torn: {ends:?}");
        }
    }
    assert!(ended[1] > 0, "no run was disturbed: {ended:?}");
}
