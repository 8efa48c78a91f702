//! What a terminal, a CI system, a shell and an engine make of the text that slimroot prints.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::{names, scratch, text};
use crate::support::hostile::{self, Layout, base, file, limited, misbehaves, program, tar};

/// Text that terminals obey, that CI systems obey, and that hides.
const HOSTILE: &str = "\u{1b}]0;pwn\u{7}\r\n::error::pwned ##[error]p ##vso[task.complete]\u{202e}\u{9b}2J\u{200b}\u{feff}\t'\"$(touch pwned)`id`\\";

/// Every kind of report on an image in which everything that can have a name has a hostile one.
#[test]
fn no_report_prints_what_a_terminal_or_a_ci_system_obeys() {
    let x = HOSTILE;
    let configs = [
        json!({ "Entrypoint": ["/bin/x"], "User": x }),
        json!({ "Entrypoint": ["/bin/x", x], "Cmd": [x] }),
        json!({ "Entrypoint": [format!("/bin/{x}")] }),
        json!({ "Entrypoint": [format!("/gone/{x}")] }),
        json!({ "Entrypoint": [format!("/bin/s{x}")] }),
        json!({ "Entrypoint": ["/bin/x"], "WorkingDir": x }),
        json!({ "Entrypoint": ["/bin/x"], "WorkingDir": format!("/{x}") }),
        json!({ "Entrypoint": ["/bin/x"], "ExposedPorts": { x: {} } }),
        json!({ "Entrypoint": ["/bin/x"], "Labels": { x: x } }),
        json!({ "Entrypoint": ["/bin/x"], "Env": [format!("A{x}=1"), format!("B={x}"), format!("LD_PRELOAD=/{x}")] }),
        json!({ "Entrypoint": ["x"], "Env": [format!("PATH=/{x}:/bin")] }),
    ];
    let script = format!("#!/bin/x\n/{x}\ncat /etc/{x}\n");
    let no_interpreter = format!("#!/gone/{}\n", x.replace(['\n', '\r'], " "));
    let dynamic = dynamic_program();
    for (number, config) in configs.into_iter().enumerate() {
        let dir = scratch();
        let mut name = format!("bin/{x}").into_bytes();
        name.truncate(100);
        let long =
            |text: &str, bytes: &[u8]| [hostile::pax(&[("path", text.as_bytes())]), file("x", 0o6755, bytes)].concat();
        let link = [
            hostile::pax(&[("path", format!("etc/l{x}").as_bytes()), ("linkpath", x.as_bytes())]),
            hostile::head(&hostile::Head { kind: b'2', ..hostile::Head::default() }),
        ];
        let layer = tar(&[
            long(&format!("bin/{x}"), program()),
            long(&format!("bin/s{x}"), script.as_bytes()),
            long(&format!("bin/i{x}"), no_interpreter.as_bytes()),
            long(&format!("bin/d{x}"), &dynamic),
            long(&format!("etc/{x}/.env"), b"SECRET=1"),
            long(&format!("etc/{x}.key"), b"-----BEGIN PRIVATE KEY-----\n"),
            link.concat(),
            file("etc/group", 0o644, format!("{x}:x:1:\n").as_bytes()),
            file(
                "usr/lib/systemd/system/a.service",
                0o644,
                format!("[Service]\nExecStart=/bin/x\nUser={x}\n").as_bytes(),
            ),
            file("etc/ld.so.conf", 0o644, format!("/{x}\n").as_bytes()),
            file(
                "var/lib/dpkg/status",
                0o644,
                format!("Package: {x}\nStatus: install ok installed\nVersion: {x}\n\n").as_bytes(),
            ),
        ]);
        let mut layout = Layout::new(&dir.path().join("l"), vec![base(), layer]).config(config);
        layout.annotations.insert("org.opencontainers.image.ref.name".to_owned(), x.to_owned());
        let image = layout.write_with(if number == 0 { x } else { "amd64" }, &|_| ());
        let out = dir.path().join("out");
        let d = format!("/bin/d{x}");
        let i = format!("/bin/i{x}");
        let s = format!("/bin/s{x}");
        let (out_dir, out_tar) = (text(&out), format!("tar:{}", text(&dir.path().join("out.tar"))));
        let runs: Vec<Vec<&str>> = vec![
            vec!["check", &image],
            vec!["check", "--format", "json", &image],
            vec!["check", "--format", "sarif", &image],
            vec!["check", "--root", &image, &d],
            vec!["check", "--root", &image, &i],
            vec!["check", "--root", &image, &s],
            vec!["build", "--root", &image, "-i", "/bin/**", "-i", "/etc/**", "--allow", "secret", "-o", &out_dir],
            vec!["build", "--root", &image, "--format", "json", "--dry-run", "-i", "/bin/**"],
            vec!["build", "--root", &image, "-i", "/etc/**", "--dry-run", "--", &s],
            vec!["build", "--root", &image, "-o", &out_tar, "--", "/bin/x"],
            vec!["deps", "--root", &image, &d],
            vec!["deps", "--root", &image, "--format", "list", &d],
            vec!["deps", "--root", &image, "--format", "dot", &d],
            vec!["deps", "--root", &image, "--format", "json", &d],
            vec!["why", "--root", &image, &d, "--", &s],
            vec!["why", "--root", &image, &s, "--format", "json", "--", &s],
        ];
        for args in runs {
            let ran = limited(&args);
            assert_eq!(misbehaves(&ran), None, "configuration {number}, {args:?}: {ran:?}");
        }
        if number == 0 {
            for tag in ["gone", "a\u{1b}[2Jb"] {
                let ran = limited(&["check", &format!("{image}:{tag}")]);
                assert_eq!(misbehaves(&ran), None, "{ran:?}");
            }
            let image =
                layout.write_with("amd64", &|manifest| manifest["layers"][0]["digest"] = json!(format!("sha256:{x}")));
            let ran = limited(&["check", &image]);
            assert_eq!(misbehaves(&ran), None, "{ran:?}");
        }
    }
}

/// A program that wants a library of a hostile name.
fn dynamic_program() -> Vec<u8> {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("l.c"), "int f(void){return 0;}").expect("written");
    fs::write(path("p.c"), "int f(void); int main(void){return f();}").expect("written");
    let gcc = |args: &[&str]| {
        let ran = Command::new("gcc").current_dir(dir.path()).args(args).output().expect("gcc runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    gcc(&["-shared", "-fPIC", "-Wl,-soname,lib\u{1b}[2J\n::error::$(touch PWN)\u{202e}.so", "-o", "l.so", "l.c"]);
    gcc(&["-o", "p", "p.c", "./l.so"]);
    fs::read(path("p")).expect("a program")
}

/// Judge: a shell that runs every command which a report offers leaves no trace.
#[test]
fn hints_that_are_pasted_run_nothing_else() {
    let dir = scratch();
    let evil = "$(touch${IFS}PWNED)`touch PWNED`';touch PWNED;'";
    let layer = tar(&[
        file(&format!("app/{evil}/.env"), 0o644, b"A=1"),
        file(&format!("app/{evil}/x.key"), 0o644, b"-----BEGIN PRIVATE KEY-----\n"),
    ]);
    let config = json!({ "Entrypoint": ["/bin/x"], "User": evil });
    let image = Layout::new(&dir.path().join("l"), vec![base(), layer]).config(config).write();
    let mut hints = 0;
    for args in [
        vec!["check", image.as_str()],
        vec!["build", "--root", &image, "-u", "0", "--dry-run", "-i", "/app/**", "--", "/bin/x"],
    ] {
        let ran = limited(&args);
        assert_eq!(misbehaves(&ran), None, "{ran:?}");
        for line in format!("{}{}", ran.out, ran.err).lines().filter(|line| line.trim_start().starts_with("help")) {
            hints += 1;
            let words = line.trim_start().trim_start_matches("help");
            let place = dir.path().join("shell");
            fs::create_dir_all(&place).expect("made");
            let _ = Command::new("sh").current_dir(&place).args(["-c", &format!("true {words}")]).output();
            let _ = Command::new("sh").current_dir(&place).args(["-c", &words.replace(", or ", "; true ")]).output();
            assert_eq!(names(&place), [""; 0], "{line}");
        }
    }
    assert!(hints > 0);
}

/// Judge: the parser of Dockerfiles of a builder, where there is one; else the lines themselves.
#[test]
fn a_value_adds_no_statement_to_a_dockerfile() {
    let dir = scratch();
    let values = [
        "x\nUSER 0\nRUN touch /pwned #",
        "x\\",
        "x\\\nRUN id",
        "$HOME ${PATH}",
        "a \"b\" 'c'",
        "x\r\nRUN id",
        "#",
        "",
        "x\u{2028}RUN id",
    ];
    let env: Vec<String> = values.iter().enumerate().map(|(at, value)| format!("V{at}={value}")).collect();
    let mut env = env;
    env.push("N\nRUN id=1".to_owned());
    let config = json!({ "Entrypoint": ["/bin/x", "a\nRUN id", "$HOME"], "Env": env,
                         "WorkingDir": "/tmp", "ExposedPorts": { "80/tcp": {} } });
    let image = Layout::new(&dir.path().join("l"), vec![base()]).config(config).write();
    let out = dir.path().join("out");
    let ran = limited(&["build", "--root", &image, "-u", "7:7", "-i", "/tmp", "-o", &text(&out)]);
    assert_eq!(misbehaves(&ran), None, "{ran:?}");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let at = ran.out.find("Dockerfile ").expect("statements");
    let statements: Vec<&str> =
        ran.out[at..].lines().take_while(|line| !line.starts_with("note")).map(|line| line[10..].trim()).collect();
    for statement in &statements {
        let word = statement.split(' ').next().unwrap_or_default();
        assert!(["ENV", "WORKDIR", "EXPOSE", "USER", "ENTRYPOINT", "#"].contains(&word), "{statements:?}");
    }
    let printed = |name: &str| statements.iter().find_map(|line| line.strip_prefix(&format!("ENV {name}=")));
    assert_eq!(printed("V0"), None, "{statements:?}");
    assert_eq!(printed("V3"), Some(r#""\$HOME \${PATH}""#));
    assert_eq!(printed("V4"), Some(r#""a \"b\" 'c'""#));
    assert!(Command::new("buildah").arg("--version").output().is_err() || statements.len() >= values.len());
}
