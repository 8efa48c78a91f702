//! `--ca`: a TLS server with an unknown CA, and clients in packed images with the layouts of all distributions. The
//! clients, OpenSSL's hashes and Java's keytool are the judges.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use slimroot::trust::{Authority, certificates};

use crate::support::need;
use crate::support::roots::{debian, run, slimroot};

const CLIENT: &str = r#"package main
import ("fmt"; "net/http"; "os")
func main() {
	answer, err := http.Get(os.Args[1])
	if err != nil { fmt.Println(err); os.Exit(1) }
	fmt.Println(answer.Status)
}
"#;
/// The directory that Debian compiles into OpenSSL. For other layouts it is replaced in a copy of the library.
const OPENSSL_DIR: &str = "/usr/lib/ssl";
const LIBCRYPTO: &str = "usr/lib/x86_64-linux-gnu/libcrypto.so.3";

struct Layout {
    name: &'static str,
    bundle: &'static str,
    /// Symlinks with their targets.
    links: &'static [(&'static str, &'static str)],
    openssl_dir: &'static str,
    /// The directory with certificates by hash.
    hashed: Option<&'static str>,
}

/// The paths of the distributions' packages.
const LAYOUTS: &[Layout] = &[
    Layout {
        name: "debian",
        bundle: "etc/ssl/certs/ca-certificates.crt",
        links: &[
            ("usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt"),
            ("usr/lib/ssl/certs", "/etc/ssl/certs"),
        ],
        openssl_dir: "/usr/lib/ssl",
        hashed: None,
    },
    Layout {
        name: "alpine",
        bundle: "etc/ssl/certs/ca-certificates.crt",
        links: &[("etc/ssl/cert.pem", "certs/ca-certificates.crt")],
        openssl_dir: "/etc/ssl",
        hashed: None,
    },
    Layout {
        name: "fedora",
        bundle: "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        links: &[
            ("etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
            ("etc/pki/tls/cert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
            ("etc/ssl/certs", "../pki/tls/certs"),
        ],
        openssl_dir: "/etc/pki/tls",
        hashed: None,
    },
    Layout {
        name: "fedora without cert.pem",
        bundle: "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        links: &[
            ("etc/pki/tls/certs", "../ca-trust/extracted/pem/directory-hash"),
            ("etc/ssl/certs", "../pki/tls/certs"),
        ],
        openssl_dir: "/etc/pki/tls",
        hashed: Some("etc/pki/ca-trust/extracted/pem/directory-hash"),
    },
    Layout {
        name: "suse",
        bundle: "var/lib/ca-certificates/ca-bundle.pem",
        links: &[
            ("etc/ssl/ca-bundle.pem", "../../var/lib/ca-certificates/ca-bundle.pem"),
            ("etc/ssl/certs", "../../var/lib/ca-certificates/pem"),
        ],
        openssl_dir: "/etc/ssl",
        hashed: Some("var/lib/ca-certificates/pem"),
    },
    Layout {
        name: "arch",
        bundle: "etc/ca-certificates/extracted/tls-ca-bundle.pem",
        links: &[
            ("etc/ssl/certs/ca-certificates.crt", "../../ca-certificates/extracted/tls-ca-bundle.pem"),
            ("etc/ssl/cert.pem", "../ca-certificates/extracted/tls-ca-bundle.pem"),
        ],
        openssl_dir: "/etc/ssl",
        hashed: None,
    },
];

/// A TLS server on this machine with a certificate of its own CA.
struct Server {
    port: u16,
    process: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn openssl(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("openssl").current_dir(dir).args(args).output().expect("openssl runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A CA `NAME.pem` whose name has letters of many scripts.
fn authority(dir: &Path, name: &str, subject: &str, days: &str) {
    let (key, out) = (format!("{name}.key"), format!("{name}.pem"));
    let args =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8", "-multivalue-rdn"];
    openssl(dir, &[&args[..], &["-keyout", &key, "-out", &out, "-subj", subject, "-days", days]].concat());
}

fn server(dir: &Path) -> Server {
    authority(dir, "ca", "/C=DE/O=  Übung   of  ONE /CN=Own CA+OU=x", "30");
    let asked =
        ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key", "-out", "asked"];
    openssl(dir, &[&asked[..], &["-subj", "/CN=server"]].concat());
    fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").expect("written");
    let signed =
        ["x509", "-req", "-in", "asked", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "cert", "-extfile", "names"];
    openssl(dir, &signed);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let accept = format!("127.0.0.1:{port}");
    let process = Command::new("openssl")
        .current_dir(dir)
        .args(["s_server", "-quiet", "-www", "-cert", "cert", "-key", "key", "-accept", &accept])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let server = Server { port, process };
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return server;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the server does not come up");
}

fn pack(root: &Path, out: &Path, args: &[&str]) -> String {
    let (from, to) = (root.display().to_string(), format!("dir:{}", out.display()));
    let packed = slimroot(&[&["build", "--force", "--root", &from, "-o", &to], args].concat());
    let said = String::from_utf8_lossy(&[packed.stdout, packed.stderr].concat()).into_owned();
    assert!(packed.status.success(), "{said}");
    said
}

/// Runs a command in an image; returns its success and output.
fn says(image: &Path, command: &[&str]) -> (bool, String) {
    let mut chroot = Command::new("timeout");
    chroot.args(["20", "chroot"]).arg(image).args(command).stdin(Stdio::null()).env_clear();
    let output = chroot.env("PATH", "/usr/sbin:/usr/bin").output().expect("chroot runs");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// A root with openssl and the Go client, and no trust store at all.
fn bare(dir: &Path) -> PathBuf {
    let bare = dir.join("bare");
    pack(&debian(), &bare, &["--no-auto", "--companions", "none", "--no-profile", "package-records", "--", "openssl"]);
    fs::write(dir.join("client.go"), CLIENT).expect("written");
    let client = bare.join("usr/bin/client").display().to_string();
    let source = dir.join("client.go").display().to_string();
    let mut build = Command::new("go");
    build.args(["build", "-o", &client, &source]).env("CGO_ENABLED", "0").env("GOCACHE", dir.join("cache"));
    let built = build.current_dir(dir).output().expect("go runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    bare
}

/// Replaces a string by another one that is not longer, and moves the rest of the string up.
fn replace(bytes: &mut [u8], old: &str, new: &str) {
    let mut from = 0;
    while let Some(at) = bytes[from..].windows(old.len()).position(|part| part == old.as_bytes()) {
        let start = from + at;
        let end = start + bytes[start..].iter().position(|b| *b == 0).expect("texts end");
        let rest = bytes[start + old.len()..end].to_vec();
        let text = [new.as_bytes(), &rest, &vec![0; old.len() - new.len()]].concat();
        bytes[start..end].copy_from_slice(&text);
        from = start + 1;
    }
}

fn lay_out(bare: &Path, root: &Path, layout: &Layout, authority: &Path) {
    let _ = fs::remove_dir_all(root);
    run("cp", &["-a", &bare.display().to_string(), &root.display().to_string()]);
    let at = |path: &str| {
        let place = root.join(path);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        place
    };
    fs::copy(authority, at(layout.bundle)).expect("copied");
    if let Some(hashed) = layout.hashed {
        fs::create_dir_all(at(hashed)).expect("made");
        fs::copy(authority, at(hashed).join("one.pem")).expect("copied");
        run("openssl", &["rehash", &at(hashed).display().to_string()]);
    }
    for (link, text) in layout.links {
        symlink(text, at(link)).expect("linked");
    }
    let library = root.join(LIBCRYPTO);
    let mut bytes = fs::read(&library).expect("libcrypto");
    replace(&mut bytes, OPENSSL_DIR, layout.openssl_dir);
    fs::write(&library, bytes).expect("written");
}

#[test]
fn clients_of_every_layout_trust_what_the_root_and_the_user_trust() {
    if !need::all(&["openssl", "go", "chroot", "timeout", "mmdebstrap", "cp"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = server(dir.path());
    authority(dir.path(), "other", "/CN=Other CA", "30");
    let (bare, root, out) = (bare(dir.path()), dir.path().join("root"), dir.path().join("out"));
    let (own, other) = (dir.path().join("ca.pem"), dir.path().join("other.pem"));
    let (place, url) = (format!("127.0.0.1:{}", server.port), format!("https://127.0.0.1:{}/", server.port));
    let clients: [Vec<&str>; 2] = [
        vec!["/usr/bin/openssl", "s_client", "-brief", "-verify_return_error", "-connect", &place],
        vec!["/usr/bin/client", &url],
    ];
    let ca = own.display().to_string();
    for layout in LAYOUTS {
        for client in &clients {
            let judge = |authority: &Path, args: &[&str], is_trusted: bool| {
                lay_out(&bare, &root, layout, authority);
                pack(&root, &out, &[args, &["--", client[0]]].concat());
                let (ended_well, said) = says(&out, client);
                assert_eq!(ended_well, is_trusted, "{}, {args:?}, {}: {said}", layout.name, client[0]);
            };
            judge(&own, &[], true);
            judge(&own, &["--no-profile", "ca-certificates", "--no-profile", "ca-directory"], false);
            judge(&other, &[], false);
            judge(&other, &["--ca", &ca], true);
        }
    }
    // A root without any trust store.
    let said = pack(&bare, &out, &["--ca", &ca, "--", "/usr/bin/client"]);
    assert!(said.contains("the root has no bundle of authorities"), "{said}");
    let (ended_well, said) = says(&out, &["/usr/bin/client", &url]);
    assert!(ended_well, "{said}");
}

#[test]
fn hashes_are_those_of_openssl() {
    if !need::all(&["openssl", "mmdebstrap"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let subjects = ["/C=DE/O=  Übung   of  ONE /CN=Own CA+OU=x", "/CN=ÄÖ\u{4e2d}", "/emailAddress=A@B.c/CN=\t Tab  "];
    for (number, subject) in subjects.iter().enumerate() {
        authority(dir.path(), &number.to_string(), subject, "1");
    }
    let mut files: Vec<PathBuf> = (0..subjects.len()).map(|number| dir.path().join(format!("{number}.pem"))).collect();
    let bundled = fs::read_dir(debian().join("usr/share/ca-certificates/mozilla")).expect("authorities");
    files.extend(bundled.map(|entry| entry.expect("an entry").path()));
    assert!(files.len() > 100);
    for file in &files {
        let der = certificates(&fs::read(file).expect("read")).remove(0).expect("base64");
        let authority = Authority::parse(&der).expect("a certificate");
        let said = openssl(
            dir.path(),
            &[
                "x509",
                "-in",
                &file.display().to_string(),
                "-noout",
                "-subject_hash",
                "-enddate",
                "-dateopt",
                "iso_8601",
            ],
        );
        let mut lines = said.lines();
        assert_eq!(lines.next().expect("a hash"), format!("{:08x}", authority.hash), "{}", file.display());
        let date = lines.next().and_then(|line| line.strip_prefix("notAfter=")).expect("a date");
        assert_eq!(run("date", &["-d", date, "+%s"]).trim(), authority.until.to_string(), "{}", file.display());
        assert_eq!(
            authority.pem().trim_end(),
            openssl(dir.path(), &["x509", "-in", &file.display().to_string()]).trim_end()
        );
    }
    // A certificate that expired long ago.
    let old = debian().join("usr/share/ca-certificates/mozilla/Baltimore_CyberTrust_Root.crt").display().to_string();
    let root = debian().display().to_string();
    let built = slimroot(&["build", "--dry-run", "--root", &root, "--ca", &old, "--", "curl"]);
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(said.contains("warning[ca-expired]: the certificate Baltimore CyberTrust Root"), "{said}");
}

#[test]
fn key_stores_of_java_hold_the_authority() {
    if !need::all(&["openssl", "keytool"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    authority(dir.path(), "own", "/CN=Own CA", "30");
    authority(dir.path(), "first", "/CN=First CA", "30");
    let pem = fs::read(dir.path().join("own.pem")).expect("read");
    let authorities = Authority::parse_file(&pem, "own.pem").expect("an authority");
    let without = ["-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE", "-J-Dkeystore.pkcs12.macAlgorithm=NONE"];
    for (kind, options, is_open) in [("jks", &[][..], true), ("pkcs12", &without, true), ("pkcs12", &[], false)] {
        let store = dir.path().join("store").display().to_string();
        let _ = fs::remove_file(&store);
        let first = dir.path().join("first.pem").display().to_string();
        let import = ["-importcert", "-noprompt", "-storepass", "changeit", "-alias", "first", "-storetype", kind];
        run("keytool", &[options, &import[..], &["-keystore", &store, "-file", &first]].concat());
        let made = slimroot::trust::with_authorities(&fs::read(&store).expect("read"), &authorities);
        assert_eq!(made.is_some(), is_open, "{kind}");
        let Some(made) = made else { continue };
        fs::write(&store, made).expect("written");
        let listed = run("keytool", &["-list", "-v", "-keystore", &store, "-storepass", "changeit"]);
        for line in ["contains 2 entries", "Owner: CN=First CA", "Owner: CN=Own CA"] {
            assert!(listed.contains(line), "{kind}: {line}: {listed}");
        }
    }
}

#[test]
fn what_is_no_authority_is_refused() {
    if !need::all(&["openssl"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    authority(dir.path(), "own", "/CN=Own CA", "30");
    openssl(dir.path(), &["x509", "-in", "own.pem", "-outform", "der", "-out", "own.der"]);
    fs::write(dir.path().join("empty.pem"), "nothing").expect("written");
    fs::copy(dir.path().join("own.pem"), dir.path().join("both.pem")).expect("copied");
    let both = fs::read_to_string(dir.path().join("own.key")).expect("a key") + "\n";
    let text = fs::read_to_string(dir.path().join("own.pem")).expect("read") + &both;
    fs::write(dir.path().join("both.pem"), text).expect("written");
    for (file, why) in [
        ("own.key", "private key"),
        ("both.pem", "private key"),
        ("own.der", "DER, not PEM"),
        ("empty.pem", "no PEM certificate"),
        ("absent.pem", "cannot be read"),
    ] {
        let path = dir.path().join(file).display().to_string();
        let refused = slimroot(&["build", "--dry-run", "--ca", &path, "--", "/bin/true"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            refused.status.code() == Some(2) && said.contains(why) && said.contains("bad-ca-file"),
            "{file}: {said}"
        );
    }
}
