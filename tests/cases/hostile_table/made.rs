//! What a row makes at a path: special files, files that are huge, hollow, cut or garbage, and layouts of directories.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::hostile::write_program;

/// The bytes that a text means: `\xNN` is a byte, `\s` a space.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let (byte, length) = match rest[at + 1..].chars().next() {
            Some('n') => (b'\n', 2),
            Some('s') => (b' ', 2),
            Some('x') => (u8::from_str_radix(&rest[at + 2..at + 4], 16).expect("two digits"), 4),
            other => panic!("no escape: {other:?}"),
        };
        out.push(byte);
        rest = &rest[at + length..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// A number with a unit: 4k, 60M, 1T.
fn size(text: &str) -> u64 {
    let units = [('k', 10), ('M', 20), ('G', 30), ('T', 40)];
    let unit = units.iter().find(|(unit, _)| text.ends_with(*unit));
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    digits.parse::<u64>().expect("a number") << unit.map_or(0, |(_, shift)| *shift)
}

/// Bytes that look random and are the same in every run.
fn garbage(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn run(program: &str, args: &[&str], path: &Path) {
    let made = Command::new(program).arg(path).args(args).status().expect("it runs");
    assert!(made.success(), "{program} {args:?}");
}

/// Makes what a row says at a path of a root; what was there is gone unless it is changed.
pub(super) fn make(root: &Path, path: &str, made: &str) {
    use std::os::unix::ffi::OsStrExt;
    let relative = unescape(path.trim_start_matches('/'));
    let place = root.join(std::ffi::OsStr::from_bytes(&relative));
    fs::create_dir_all(place.parent().expect("a directory")).expect("made");
    let (what, argument) = made.split_once(':').unwrap_or((made, ""));
    let old = fs::read(&place).unwrap_or_default();
    let mode = fs::metadata(&place).map_or(0o644, |meta| meta.permissions().mode() & 0o7777);
    if place.is_dir() && !matches!(what, "deep" | "many" | "farm") {
        fs::remove_dir_all(&place).expect("removed");
    }
    let _ = fs::remove_file(&place);
    let write = |bytes: &[u8]| fs::write(&place, bytes).expect("written");
    match what {
        "fifo" => run("mkfifo", &[], &place),
        "socket" => drop(UnixListener::bind(&place).expect("bound")),
        "zero" => run("mknod", &["c", "1", "5"], &place),
        "dir" => fs::create_dir(&place).expect("made"),
        "link" => symlink(std::ffi::OsStr::from_bytes(&unescape(argument)), &place).expect("linked"),
        "outside" => symlink("../../../../../../../../outside", &place).expect("linked"),
        "host" => symlink(root.parent().expect("a directory").join("outside"), &place).expect("linked"),
        "loop" => symlink(place.file_name().expect("a name"), &place).expect("linked"),
        "chain" => chain(&place, argument.parse().expect("a number")),
        "empty" => write(b""),
        "hole" => fs::File::create(&place).and_then(|file| file.set_len(size(argument))).expect("sized"),
        // The old content, and then a hole.
        "long" => {
            write(&old);
            fs::File::options().write(true).open(&place).and_then(|file| file.set_len(size(argument))).expect("sized");
        }
        "garbage" => write(&garbage(usize::try_from(size(argument)).expect("small"))),
        "half" => write(&old[..old.len() / 2]),
        "text" => write(&unescape(argument)),
        "repeat" => {
            let (count, text) = argument.split_once(':').expect("a count and a text");
            write(&unescape(text).repeat(usize::try_from(size(count)).expect("small")));
        }
        // The old content and more.
        "add" => write(&[old, unescape(argument)].concat()),
        "tail" => {
            let (count, text) = argument.split_once(':').expect("a count and a text");
            write(&[old, unescape(text).repeat(usize::try_from(size(count)).expect("small"))].concat());
        }
        "patch" => write(&patched(old, argument)),
        // A document with one list.
        "list" => {
            let parts: Vec<&str> = argument.splitn(3, ':').collect();
            let [count, key, item] = parts[..] else { panic!("a list has a length, a key and an item") };
            let items = format!("{item},").repeat(usize::try_from(size(count)).expect("small"));
            write(format!("{{\"{key}\":[{items}{item}]}}").as_bytes());
        }
        // Imports of modules that are not there.
        "names" => {
            let names: Vec<String> = (0..size(argument)).map(|at| format!("m{at}")).collect();
            write(format!("import {}\n", names.join(",")).as_bytes());
        }
        "members" => write(&members(size(argument))),
        // A zip file that ends again and again.
        "ends" => {
            write(&[b"PK\x03\x04".to_vec(), end(1).repeat(usize::try_from(size(argument)).expect("small"))].concat())
        }
        "scripts" => scripts(&place, argument.parse().expect("a number")),
        "deep" => deep(&place, argument.parse().expect("a number")),
        "many" => many(&place, argument.parse().expect("a number")),
        "farm" => farm(&place, argument),
        _ => panic!("nothing makes {made}"),
    }
    if matches!(
        what,
        "half"
            | "patch"
            | "long"
            | "names"
            | "list"
            | "members"
            | "ends"
            | "garbage"
            | "text"
            | "repeat"
            | "add"
            | "tail"
            | "hole"
            | "empty"
    ) {
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).expect("set");
    }
}

/// `OFFSET:HEX`: other bytes at an offset.
fn patched(mut bytes: Vec<u8>, argument: &str) -> Vec<u8> {
    let (at, hex) = argument.split_once(':').expect("an offset and digits");
    let at: usize = at.parse().expect("an offset");
    for (number, digits) in hex.as_bytes().chunks(2).enumerate() {
        let digits = std::str::from_utf8(digits).expect("digits");
        bytes[at + number] = u8::from_str_radix(digits, 16).expect("digits");
    }
    bytes
}

/// Links that lead to each other, and the last one to nothing.
fn chain(place: &Path, length: usize) {
    let name = |at: usize| -> PathBuf {
        let own = place.file_name().expect("a name").to_string_lossy().into_owned();
        if at == 0 { own.into() } else { format!("{own}.{at}").into() }
    };
    for at in 0..length {
        symlink(name(at + 1), place.with_file_name(name(at))).expect("linked");
    }
}

fn deep(place: &Path, depth: usize) {
    let mut place = place.to_owned();
    for _ in 0..depth {
        place.push("d");
    }
    fs::create_dir_all(&place).expect("made");
    fs::write(place.join("f"), "").expect("written");
}

fn many(place: &Path, count: usize) {
    fs::create_dir_all(place).expect("made");
    for number in 0..count {
        fs::File::create(place.join(format!("f{number}"))).expect("made");
    }
}

/// The record at the end of a zip file with so many members (APPNOTE 4.3.16).
fn end(count: u16) -> Vec<u8> {
    let [low, high] = count.to_le_bytes();
    [b"PK\x05\x06\0\0\0\0".as_slice(), &[low, high, low, high], &[46, 0, 0, 0, 4, 0, 0, 0, 0, 0]].concat()
}

/// A zip file that is nothing but its directory (APPNOTE 4.3.12 to 4.3.16).
fn members(count: u64) -> Vec<u8> {
    let mut out = b"PK\x03\x04".to_vec();
    let start = out.len() as u64;
    for number in 0..count {
        let name = format!("{number:08}");
        out.extend_from_slice(b"PK\x01\x02");
        out.extend_from_slice(&[0; 24]);
        out.extend_from_slice(&[name.len() as u8, 0]);
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(name.as_bytes());
    }
    let (length, at) = (out.len() as u64 - start, out.len() as u64);
    out.extend_from_slice(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
    out.extend([count, count, length, start].into_iter().flat_map(u64::to_le_bytes));
    out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&[1, 0, 0, 0]);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&[0xff; 12]);
    out.extend_from_slice(&[0, 0]);
    out
}

/// A script, and others beside it, each of which starts two more.
fn scripts(place: &Path, count: usize) {
    for number in 0..count {
        let beside = |number: usize| format!("/app/s{}.sh", number % count);
        let text = format!("#!/bin/sh\n{} a{number}\n{} b\n", beside(2 * number + 1), beside(2 * number + 2));
        write_program(&place.with_file_name(format!("s{number}.sh")), text.as_bytes());
    }
    write_program(place, b"#!/bin/sh\nexec /app/s0.sh\n");
}

/// `COUNT:SIZE:SUFFIX`: hard links of one file.
fn farm(place: &Path, argument: &str) {
    let parts: Vec<&str> = argument.split(':').collect();
    let [count, length, suffix] = parts[..] else { panic!("a farm has a count, a size and a suffix") };
    fs::create_dir_all(place).expect("made");
    let first = place.join(format!("farm{suffix}"));
    let mut file = fs::File::create(&first).expect("made");
    file.write_all(b"/usr/bin/farm\n").expect("written");
    file.set_len(size(length)).expect("sized");
    for number in 1..count.parse().expect("a number") {
        fs::hard_link(&first, place.join(format!("farm{number}{suffix}"))).expect("linked");
    }
}
