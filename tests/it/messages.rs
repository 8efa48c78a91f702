//! Messages of other programs that `slimroot explain` knows: texts that people paste (`fixtures/messages.toml`), and what
//! the programs of this machine print.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use slimroot::check::recognise;

use crate::support::need;
use crate::support::runs::slimroot;

#[derive(Deserialize)]
struct Fixtures {
    near: Vec<String>,
    message: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    text: String,
    code: Option<String>,
    #[serde(default)]
    names: Vec<String>,
}

#[test]
fn pasted_messages_are_recognised_and_others_are_not() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/messages.toml")).expect("read");
    let fixtures: Fixtures = toml::from_str(&text).expect("TOML");
    assert!(fixtures.message.len() >= 60);
    let mut faults = Vec::new();
    for message in &fixtures.message {
        let found = recognise(&message.text);
        let Some(one) = found.first() else {
            faults.push(format!("not known: {}", message.text));
            continue;
        };
        if one.code != message.code.as_deref() {
            faults.push(format!("{:?} from {} instead of {:?}: {}", one.code, one.by, message.code, message.text));
        }
        let answer = format!("{} {}", one.says, one.cure);
        faults.extend(
            message
                .names
                .iter()
                .filter(|name| !answer.contains(*name))
                .map(|name| format!("{name} is not in: {answer}")),
        );
    }
    for line in &fixtures.near {
        faults.extend(recognise(line).iter().map(|one| format!("taken for {}: {line}", one.by)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// An answer names a code, of which the reader asks for more.
#[test]
fn every_code_of_the_table_has_a_page() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/tables/messages.toml");
    let table: toml::Table = toml::from_str(&fs::read_to_string(table).expect("read")).expect("TOML");
    let rows = table["message"].as_array().expect("rows");
    let codes: BTreeSet<&str> = rows.iter().filter_map(|row| row.get("code")?.as_str()).collect();
    assert!(codes.len() > 30);
    for code in codes {
        let output = slimroot(&["explain", code]);
        assert!(output.status.success(), "{code}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The programs themselves fail here, so that the patterns are those of what they print.
#[test]
fn what_programs_of_this_machine_print_is_recognised() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
    };
    fs::write(dir.path().join("data"), "data").expect("written");
    file("ksh.sh", "#!/nonexistent/ksh\n");
    file("dos.sh", "#!/usr/bin/env python3\r\n");
    file("foreign", "\u{7f}ELF\u{2}\u{1}\u{1}\0\0\0\0\0\0\0\0\0\u{2}\0\u{f3}\0\u{1}\0\0\0");
    let lines = [
        ("bash -c ./ksh.sh", "interpreter-missing"),
        ("bash -c ./dos.sh", "shebang-cr"),
        ("bash -c nonexistent-program", "command-missing"),
        ("sh -c nonexistent-program", "command-missing"),
        ("env nonexistent-program", "interpreter-missing"),
        ("python3 -c 'import nonexistent_module'", "module-missing"),
        ("python3 nonexistent.py", "application-missing"),
        ("node nonexistent.js", "application-missing"),
        ("node -e 'require(\"nonexistent-module\")'", "module-missing"),
        ("node -e 'require(\"child_process\").spawn(\"nonexistent-program\")'", "program-missing"),
        ("perl -e 'use Nonexistent::Module'", "module-missing"),
        ("perl nonexistent.pl", "application-missing"),
        ("java -jar nonexistent.jar", "application-missing"),
        ("ruby nonexistent.rb", "application-missing"),
        ("php nonexistent.php", "application-missing"),
        ("bash -c ./nonexistent", "program-missing"),
        ("bash -c ./data", "entry-not-executable"),
        ("timeout 9 nonexistent-program", "program-missing"),
        ("chroot / nonexistent-program", "program-missing"),
        ("setpriv nonexistent-program", "program-missing"),
        ("xargs nonexistent-program", "program-missing"),
        ("nice nonexistent-program", "program-missing"),
        ("id nonexistent-user", "user-unknown"),
        ("python3 -c 'from os import nonexistent'", "module-missing"),
        ("python3 -c 'import importlib.metadata as m; m.version(\"nonexistent\")'", "module-missing"),
        ("python3 -c 'import socket; socket.getservbyname(\"nonexistent\")'", "config-missing"),
        ("python3 -c 'import socket; socket.getaddrinfo(\"nonexistent.invalid\", 80)'", "nss-service-missing"),
        ("node --input-type=module -e 'import \"./nonexistent.mjs\"'", "module-missing"),
        ("node -e 'require(\"child_process\").execFileSync(\"nonexistent-program\")'", "program-missing"),
        ("perl -e 'require XSLoader; $INC{q(Gone.pm)}=1; XSLoader::load(q(Gone))'", "module-missing"),
        ("openssl s_client -CAfile nonexistent.pem -connect 127.0.0.1:1", "config-missing"),
        ("LD_PRELOAD=nonexistent.so /bin/true", "preload-failed"),
        ("LC_ALL=xx_XX.UTF-8 bash -c true", "locale-missing"),
        ("git nonexistent-command", "program-missing"),
        ("GIT_SSH=nonexistent-program git ls-remote ssh://localhost/x", "program-missing"),
        ("chown nonexistent-user .", "user-unknown"),
        ("su nonexistent-user -c true", "user-unknown"),
        ("openssl list -provider nonexistent -providers", "dlopen-missing"),
        ("python3 -c 'raise PermissionError(13, \"Permission denied\", \"/x\")'", "write-refused"),
    ];
    let mut known = 0;
    for (line, code) in lines {
        let program = line.split(' ').find(|word| !word.contains('=')).expect("a program");
        let has = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().expect("sh runs");
        if !has.status.success() {
            eprintln!("skipped: no {program}");
            continue;
        }
        let output = Command::new("sh").args(["-c", line]).current_dir(dir.path()).output().expect("sh runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let codes: Vec<_> = recognise(&said).into_iter().filter_map(|one| one.code).collect();
        assert!(codes.contains(&code), "`{line}` gives {codes:?}: {said}");
        known += 1;
    }
    assert!(known >= 7, "too few programs to judge by");
}

/// The log of runc, in which quotes are escaped.
#[test]
fn what_runc_logs_is_recognised() {
    if !need::all(&["runc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(dir.path().join("rootfs/srv")).expect("made");
    fs::write(dir.path().join("rootfs/data"), "data").expect("written");
    let runc = |args: &[&str]| Command::new("runc").args(args).current_dir(dir.path()).output().expect("runc runs");
    assert!(runc(&["spec"]).status.success());
    let spec = fs::read_to_string(dir.path().join("config.json")).expect("a specification");
    for (program, code) in
        [("/nonexistent", "entry-missing"), ("nonexistent", "entry-missing"), ("/data", "entry-not-executable")]
    {
        let mut own: serde_json::Value = serde_json::from_str(&spec).expect("JSON");
        own["process"]["args"] = serde_json::json!([program]);
        own["process"]["terminal"] = false.into();
        own["process"]["rlimits"] = serde_json::json!([]);
        fs::write(dir.path().join("config.json"), own.to_string()).expect("written");
        let state = dir.path().join("state").display().to_string();
        let ran = runc(&["--root", &state, "--log-format", "json", "run", "slimroot-messages"]);
        for said in [ran.stderr, runc(&["--root", &state, "run", "slimroot-messages"]).stderr] {
            let said = String::from_utf8_lossy(&said).into_owned();
            if !said.contains("unable to start container process") {
                eprintln!("skipped: runc starts no container here: {said}");
                return;
            }
            let found = recognise(&said);
            assert_eq!(found.first().and_then(|one| one.code), Some(code), "{said}");
            assert!(found[0].says.contains(program), "{}", found[0].says);
        }
    }
}

#[test]
fn explain_names_the_file_in_a_root() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    for file in ["/lib64/ld-linux-x86-64.so.2", "/bin/ls"] {
        let place = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(file, place).expect("copied");
    }
    // The loader of this machine says what is missing, inside the root.
    let ran = Command::new("chroot").arg(&root).arg("/bin/ls").output().expect("chroot runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    if !said.contains("shared libraries") {
        eprintln!("skipped: chroot is not permitted: {said}");
        return;
    }
    let place = root.to_string_lossy().into_owned();
    let output = slimroot(&["explain", said.trim(), "--root", &place, "--", "/bin/ls"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let library = said.split(": ").nth(2).expect("a library");
    assert!(output.status.success() && told.contains("missing-library"), "{told}");
    assert!(told.contains(&format!("error[missing-library]: {library}")) && told.contains("searched"), "{told}");
    let mut child = Command::new(env!("CARGO_BIN_EXE_slimroot"))
        .args(["explain", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    child.stdin.take().expect("a pipe").write_all(format!("log\n{said}\nmore\n").as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ends");
    assert!(String::from_utf8_lossy(&output.stdout).contains(library));
    assert_eq!(slimroot(&["explain", "all is well here"]).status.code(), Some(2));
}

/// Roots of applications: Python and Node of this machine are the judges of what they import.
#[test]
fn check_names_modules_that_the_application_imports_and_nobody_has() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    let file = |path: &str, text: &str| {
        let place = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::write(place, text).expect("written");
    };
    for (from, to) in [
        ("/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"),
        ("/lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libc.so.6"),
        ("/bin/true", "usr/bin/python3.11"),
        ("/bin/true", "usr/bin/node"),
    ] {
        let place = root.join(to);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(from, place).expect("copied");
    }
    file("/usr/lib/python3.11/os.py", "");
    file("/usr/lib/python3.11/zoneinfo/__init__.py", "class ZoneInfo: pass\n");
    file("/usr/lib/python3.11/site-packages/there.py", "");
    file(
        "/app/app.py",
        "import sys, os\nimport there\nimport part\nfrom zoneinfo import ZoneInfo\ntry:\n    import guarded_one\nexcept \
         ImportError:\n    pass\nimport gone_module as g\nz = ZoneInfo('Europe/Berlin')\n",
    );
    file("/app/part.py", "from gone_too.x import y\nimport kept\n");
    // A package of the application needs another one; one that changes the search path is not judged.
    file("/usr/lib/python3.11/site-packages/kept/__init__.py", "from .app import x\nimport gone_of_package\n");
    file(
        "/usr/lib/python3.11/site-packages/kept/app.py",
        "from .inner.part import y\ntry:\n    import guarded\nexcept ImportError:\n    pass\nx = 1\n",
    );
    file("/usr/lib/python3.11/site-packages/kept/inner/__init__.py", "");
    file("/usr/lib/python3.11/site-packages/kept/inner/part.py", "from ..above import z\ny = 1\n");
    file("/usr/lib/python3.11/site-packages/kept/above.py", "import gone_above\nz = 1\n");
    // A program beside the script has the name of a module.
    file("/app/gone_module", "#!/bin/sh\n");
    file(
        "/web/index.js",
        "const fs = require('fs')\nconst a = require('there')\nimport b from 'gone-package'\nrequire('./lib/x')\n",
    );
    file("/web/lib/x.js", "let c = require('@scope/gone/part')\ntry { require('guarded') } catch {}\n");
    file("/web/node_modules/there/index.js", "require('not-of-the-application')\n");
    let place = root.to_string_lossy().into_owned();
    let missing = |entry: &[&str]| -> Vec<String> {
        let args = ["check", "--root", &place, "--format", "json"];
        let output = slimroot(&[&args[..], entry].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let all = json["findings"].as_array().expect("findings");
        let own = all.iter().filter(|one| one["code"] == "module-missing");
        own.filter_map(|one| one["subject"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(
        missing(&["/usr/bin/python3.11", "/app/app.py"]),
        ["gone_above", "gone_module", "gone_of_package", "gone_too", "tzdata"]
    );
    // Of the ways to get time zones, only those of this distribution.
    file("/etc/os-release", "ID=alpine\n");
    let said = slimroot(&["check", "--root", &place, "/usr/bin/python3.11", "/app/app.py"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.contains("apk add tzdata") && said.contains("pip install tzdata") && !said.contains("apt-get"),
        "{said}"
    );
    // Servers import what their arguments name; the script of a server is in a directory of programs.
    file("/app/own/wsgi.py", "import gone_of_wsgi\n");
    file("/opt/bin/server", "#!/usr/bin/python3.11\nimport sys\n");
    fs::set_permissions(root.join("opt/bin/server"), fs::Permissions::from_mode(0o755)).expect("a mode");
    for (line, module) in [
        ("/opt/bin/server own.wsgi", "gone_of_wsgi"),
        ("/usr/bin/python3.11 -m there own.wsgi:app", "gone_of_wsgi"),
        ("/opt/bin/server part:app", "gone_too"),
        ("/opt/bin/server run part.py", "gone_too"),
    ] {
        let words = [&["-w", "/app"], &line.split(' ').collect::<Vec<_>>()[..]].concat();
        assert!(missing(&words).iter().any(|found| found == module), "{line}");
    }
    assert_eq!(missing(&["/usr/bin/node", "/web/index.js"]), ["@scope/gone", "gone-package"]);
    file("/app/app.py", "import sys\nsys.path.insert(0, '/else')\nimport gone_module\n");
    assert!(missing(&["/usr/bin/python3.11", "/app/app.py"]).is_empty(), "a source that changes the path was judged");
}

/// The same for Perl, Ruby and PHP: what their own programs refuse to start, `check` names, and nothing else.
#[test]
fn check_names_modules_of_perl_ruby_and_php_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    let file = |path: &str, text: &str| {
        let place = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::write(place, text).expect("written");
    };
    for (from, to) in [
        ("/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"),
        ("/lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libc.so.6"),
        ("/bin/true", "usr/bin/perl"),
        ("/bin/true", "usr/bin/ruby"),
        ("/bin/true", "usr/bin/php"),
    ] {
        let place = root.join(to);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(from, place).expect("copied");
    }
    for path in ["/usr/share/perl/5.36/strict.pm", "/usr/lib/x86_64-linux-gnu/perl5/5.36/JSON/XS.pm", "/app/lib/Own.pm"]
    {
        file(path, "1;\n");
    }
    file(
        "/app/main.pl",
        "use strict; use FindBin; use lib \"$FindBin::Bin/lib\";\nuse JSON::XS;\nuse Own;\nuse Gone::Away qw(x);\neval { require \
         Guarded };\n",
    );
    file("/usr/share/perl/5.36/FindBin.pm", "1;\n");
    file("/usr/share/perl/5.36/lib.pm", "1;\n");
    file("/app/lib/Own.pm", "package Own;\nuse Gone::Too;\nsub x {\n    require Late;\n}\n1;\n");
    for path in ["/usr/lib/ruby/3.1.0/optparse.rb", "/var/lib/gems/3.1.0/gems/rack-2.2.4/lib/rack.rb"] {
        file(path, "");
    }
    file(
        "/web/app.rb",
        "require 'optparse'\nrequire 'rack'\nrequire_relative 'part'\nrequire 'gone'\nbegin\n  require 'guarded'\nrescue \
         LoadError\nend\nrequire 'never' if ENV['X']\n",
    );
    file("/web/part.rb", "require \"gone/too\"\n");
    file(
        "/site/index.php",
        "<?php\nrequire __DIR__ . '/vendor/autoload.php';\nrequire 'part.php';\nrequire 'gone.php';\n",
    );
    file("/site/part.php", "<?php\nif (is_file('x.php')) {\n    require 'x.php';\n}\n");
    let place = root.to_string_lossy().into_owned();
    let missing = |entry: &[&str]| -> Vec<String> {
        let output = slimroot(&[&["check", "--root", &place, "--format", "json"], entry].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let all = json["findings"].as_array().expect("findings");
        let own = all.iter().filter(|one| one["code"] == "module-missing");
        own.filter_map(|one| one["subject"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(missing(&["/usr/bin/perl", "/app/main.pl"]), ["Gone::Away", "Gone::Too"]);
    assert_eq!(missing(&["/usr/bin/ruby", "/web/app.rb"]), ["gone", "gone/too"]);
    assert_eq!(missing(&["/usr/bin/php", "/site/index.php"]), ["/site/vendor/autoload.php", "gone.php"]);
    // Nothing is said of a layout that is not known, nor of sources that change the search.
    fs::remove_file(root.join("usr/lib/ruby/3.1.0/optparse.rb")).expect("removed");
    file("/app/main.pl", "BEGIN { unshift @INC, $ENV{MODULES} }\nuse Gone::Away;\n");
    assert!(missing(&["/usr/bin/ruby", "/web/app.rb"]).is_empty());
    assert!(missing(&["/usr/bin/perl", "/app/main.pl"]).is_empty());
}
