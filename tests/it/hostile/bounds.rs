//! Roots that would take forever, and files that should not be in an image.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{archived, scratch};
use crate::support::hostile::{misbehaves, root, slowdown};

/// Judge: the clock. Deep directories, holes, and lists that are one file are bounded by what they are, not by its cube.
#[test]
fn deep_and_hollow_roots_are_soon_done_with() {
    let deep = |root: &Path| {
        let mut place = root.join("x");
        for _ in 0..700 {
            fs::create_dir(&place).expect("made");
            place.push("a");
        }
    };
    let hollow = |root: &Path| {
        let file = fs::File::options().write(true).open(root.join("bin/x")).expect("open");
        file.set_len(1 << 40).expect("sized");
    };
    let hollow_file = |root: &Path| {
        fs::create_dir(root.join("x")).expect("made");
        fs::File::create(root.join("x/hole")).and_then(|file| file.set_len(1 << 42)).expect("sized");
    };
    type Make<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Make<'_>, i32); 3] =
        [("700 directories", &deep, 0), ("a program of a terabyte", &hollow, 3), ("a hole", &hollow_file, 3)];
    for (what, make, code) in cases {
        let dir = scratch();
        let root = root(dir.path());
        make(&root);
        let ran = archived(&root, &dir.path().join("out"), "-i /x/** -- /bin/x");
        assert_eq!(misbehaves(&ran), None, "{what}: {ran:?}");
        assert_eq!(ran.code, Some(code), "{what}: {ran:?}");
        assert!(ran.took < Duration::from_secs(30).mul_f64(slowdown()), "{what}: {ran:?}");
    }
}

/// Judge: what lies in the image.
#[test]
fn secrets_are_found_by_name_and_by_content() {
    let dir = scratch();
    let root = root(dir.path());
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let token = |prefix: &str| format!("{prefix}{}", "q7Zt2LmX9vBn4KpR8sWd3FgH6jYc1AeT5uQo");
    let key = format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n");
    let json = format!("{{\"type\": \"service_account\", \"private_key\": \"{}\"}}", key.replace('\n', "\\n"));
    let files = [
        ("home/.docker/config.json", "{\"auths\": {\"r\": {\"auth\": \"YTpi\"}}}".to_owned()),
        ("etc/pip.conf", "[global]\nindex-url = https://me:secret@pypi.example/simple\n".to_owned()),
        ("app/key.json", json),
        ("app/store.jks", "x".to_owned()),
        ("app/blob.bin", key.clone()),
        ("app/pgp.asc", format!("-----BEGIN PGP PRIVATE KEY-----\nVersion: 1\n\n{line}\n")),
        ("app/terraform.tfstate", "{}".to_owned()),
        ("app/.htpasswd", "a:b".to_owned()),
        ("home/.vault-token", "x".to_owned()),
        ("home/.bash_history", "ls".to_owned()),
        ("app/settings.ini", format!("token = {}\n", token("ghp_"))),
        ("app/credentials.yml", "a: b".to_owned()),
        ("app/testdata/server.key", key.clone()),
    ];
    let public = [
        ("app/main.py", "MARK = '-----BEGIN PRIVATE KEY-----'\nprefix = 'ghp_'\n".to_owned()),
        (
            "app/readme.md",
            "Set GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx and AKIAIOSFODNN7EXAMPLE\n".to_owned(),
        ),
        ("app/.env.example", "A=\n".to_owned()),
        ("app/cert.pem", "-----BEGIN CERTIFICATE-----\n".to_owned()),
        ("app/truststore.jks", "x".to_owned()),
        ("app/config.json", "{\"auth\": \"none\"}".to_owned()),
        // What packages of Debian bring: openvpn, libnet-ssleay-perl and golang.
        ("usr/share/doc/vpn/examples/sample-keys/ca.key", key.clone()),
        ("app/usr/share/doc/ssl/examples/server_key.pem", key.clone()),
        ("usr/local/go/src/crypto/tls/testdata/example-key.pem", key.clone()),
    ];
    for (name, content) in files.iter().chain(&public) {
        fs::create_dir_all(root.join(name).parent().expect("a directory")).expect("made");
        fs::write(root.join(name), content).expect("written");
    }
    let out = dir.path().join("out");
    let token_env = format!("API={}", token("glpat-"));
    let settings = format!("--env {token_env} --label l={}", token("npm_"));
    let options = format!("-i /app/** -i /home/** -i /etc/** -i /usr/** --format json {settings} -- /bin/x");
    let ran = archived(&root, &out, &options);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(!out.exists(), "it was written");
    let told: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let mut found: Vec<String> = told["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|finding| finding["code"] == "secret")
        .map(|finding| finding["subject"].as_str().expect("a subject").trim_start_matches('/').to_owned())
        .collect();
    found.sort();
    let mut expected: Vec<String> =
        files.iter().map(|(name, _)| (*name).to_owned()).chain(["API".to_owned(), "l".to_owned()]).collect();
    expected.sort();
    assert_eq!(found, expected);
    assert!(!ran.out.contains(&token_env[4..]) || told["findings"].to_string().find(&token_env[4..]).is_none());
}
