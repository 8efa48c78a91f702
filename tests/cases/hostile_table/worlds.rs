//! Small roots, each with the files that slimroot reads by name, and the command line that makes it read them.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::support::elf::{Elf, LOADER};
use crate::support::hostile::write_program;

const STATUS: &str = "Package: x\nStatus: install ok installed\nArchitecture: amd64\nSource: x\nVersion: 1\nDepends: x-data\n\n\
                      Package: x-data\nStatus: install ok installed\nArchitecture: all\nSource: x\nVersion: 1\n";
const INSTALLED: &str = "P:x\nV:1\nA:x86_64\no:x\nF:bin\nR:x\na:0:0:755\nF:data\nR:file\n\nP:y\nV:1\no:y\nF:usr\n\n";
const PACKAGE_JSON: &str = r#"{"name":"app","version":"1.0.0","main":"main.js","dependencies":{"dep":"^1"}}"#;
const COMPOSER_JSON: &str = r#"{"name":"a/app","require":{"php":">=8"},"autoload":{"psr-4":{"A\\":"src/"}}}"#;
const RUNTIME_CONFIG: &str = r#"{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"8.0.0"}}}"#;
const PROFILE: &str = "summary = \"files of the application\"\n[always]\ninclude = [\"/data/**\"]\n";

/// Texts at paths of the roots of a world.
type Texts = &'static [(&'static str, &'static str)];

const BASE: Texts = &[
    ("etc/passwd", "root:x:0:0::/:/bin/x\napp:x:1000:1000::/:/bin/x\n"),
    ("etc/group", "root:x:0:\napp:x:1000:\n"),
    ("etc/nsswitch.conf", "passwd: files\nhosts: files dns\n"),
    ("etc/hosts", "127.0.0.1 localhost\n"),
    ("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n"),
    ("etc/ld.so.conf.d/a.conf", "/usr/lib/x86_64-linux-gnu\n"),
    ("etc/ld.so.preload", ""),
    ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
    ("usr/lib/os-release", "ID=debian\nVERSION_ID=12\n"),
    ("etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
    ("data/file", "data\n"),
];

const DPKG: Texts = &[
    ("var/lib/dpkg/status", STATUS),
    ("var/lib/dpkg/arch", "amd64\n"),
    ("var/lib/dpkg/info/x.list", "/.\n/bin\n/bin/x\n/data\n/data/file\n"),
    ("var/lib/dpkg/info/x-data.list", "/.\n/usr/share/x\n"),
    ("var/lib/dpkg/info/x.md5sums", "d41d8cd98f00b204e9800998ecf8427e  bin/x\n"),
    ("usr/share/doc/x/copyright", "free\n"),
];

const APK: Texts = &[("lib/apk/db/installed", INSTALLED)];

const PYTHON: Texts = &[
    ("usr/lib/python3.11/os.py", ""),
    ("usr/lib/python3.11/encodings/__init__.py", ""),
    ("app/main.py", "import dep\n"),
    ("app/venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.11.2\n"),
    ("app/venv/lib/python3.11/site-packages/a.pth", "/app/more\nimport dep\n"),
    ("app/venv/lib/python3.11/site-packages/dep/__init__.py", "x = 1\n"),
    ("app/venv/lib/python3.11/site-packages/dep-1.dist-info/METADATA", "Name: dep\nVersion: 1\n"),
    ("app/venv/lib/python3.11/site-packages/dep-1.dist-info/RECORD", "dep/__init__.py,,\n"),
    ("app/venv/lib/python3.11/site-packages/dep-1.dist-info/entry_points.txt", "[console_scripts]\ndep = dep:main\n"),
];

const NODE: Texts = &[
    ("app/main.js", "require('dep'); import('./more.js')\n"),
    ("app/more.js", "module.exports = 1\n"),
    ("app/package.json", PACKAGE_JSON),
    (
        "app/package-lock.json",
        "{\"lockfileVersion\":3,\"packages\":{\"\":{},\"node_modules/dep\":{\"version\":\"1\"}}}",
    ),
    ("app/node_modules/.package-lock.json", "{\"packages\":{\"node_modules/dep\":{\"version\":\"1\"}}}"),
    ("app/node_modules/dep/package.json", "{\"name\":\"dep\",\"main\":\"i.js\"}"),
    ("app/node_modules/dep/i.js", "exports.a = 1\n"),
    ("app/.pnp.cjs", ""),
];

const PHP: Texts = &[
    ("app/index.php", "<?php require 'vendor/autoload.php';\n"),
    ("app/composer.json", COMPOSER_JSON),
    ("app/vendor/autoload.php", "<?php\n"),
    ("app/vendor/composer/installed.json", "{\"packages\":[],\"dev\":true,\"dev-package-names\":[]}"),
    ("etc/php/8.2/cli/php.ini", "extension=curl\n"),
];

const RUBY: Texts = &[
    ("app/main.rb", "require 'dep'\n"),
    ("app/Gemfile", "source 'https://x.example'\ngem 'dep'\n"),
    ("app/Gemfile.lock", "GEM\n  specs:\n    dep (1)\n\nDEPENDENCIES\n  dep\n"),
    ("app/.bundle/config", "BUNDLE_PATH: \"vendor\"\n"),
];

const PERL: Texts = &[("app/main.pl", "use Dep;\n"), ("usr/share/perl5/Dep.pm", "package Dep; 1;\n")];

const DOTNET: Texts = &[
    ("app/a.dll", "MZ"),
    ("app/a.runtimeconfig.json", RUNTIME_CONFIG),
    ("app/a.deps.json", "{\"targets\":{}}"),
    ("usr/share/dotnet/host/fxr/8.0.0/libhostfxr.so", ""),
];

const JAVA: Texts = &[
    ("app/a.jar", "PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ("usr/lib/jvm/java/release", "JAVA_VERSION=\"17\"\n"),
];

const SHELL: Texts = &[
    ("app/run.sh", "#!/bin/sh\n. /app/env.sh\nexec /bin/x \"$@\"\n"),
    ("app/env.sh", "export A=1\n"),
    ("usr/lib/systemd/system/x.service", "[Service]\nExecStart=/bin/x\nUser=app\n"),
];

const SERVERS: Texts = &[
    ("etc/nginx/nginx.conf", "include /etc/nginx/conf.d/*.conf;\nload_module modules/a.so;\n"),
    ("etc/nginx/conf.d/a.conf", "server { listen 80; root /data; }\n"),
    ("etc/pam.d/x", "auth required pam_unix.so\n"),
    ("etc/ssl/openssl.cnf", "openssl_conf = a\n"),
    ("usr/lib/locale/locale-archive", ""),
    ("usr/share/zoneinfo/UTC", "TZif"),
];

const CRON: Texts = &[("etc/crontab", "* * * * * root /bin/x\n"), ("etc/cron.d/a", "PATH=/bin\n@daily root x\n")];

const CONFIG: Texts =
    &[("slimroot.toml", "entry = [\"/bin/x\"]\ninclude = [\"/data/**\"]\n"), ("profile.toml", PROFILE)];

/// What a world adds to the base, the interpreter that runs its entry, options, and the entry.
struct World {
    texts: Texts,
    programs: &'static [&'static str],
    options: &'static [&'static str],
    entry: &'static [&'static str],
}

const X: &[&str] = &["/bin/x"];

fn world(name: &str) -> World {
    let plain = World { texts: &[], programs: &[], options: &[], entry: X };
    match name {
        "base" | "elf" => plain,
        "strip" => World { options: &["--strip"], ..plain },
        "dpkg" => World { texts: DPKG, options: &["--package", "x"], ..plain },
        "apk" => World { texts: APK, options: &["--package", "x"], ..plain },
        "sqlite" | "ndb" | "berkeley" => plain,
        "python" => World {
            texts: PYTHON,
            programs: &["usr/bin/python3.11", "app/venv/bin/python3"],
            entry: &["/app/venv/bin/python3", "/app/main.py"],
            ..plain
        },
        "node" => {
            World { texts: NODE, programs: &["usr/bin/node"], entry: &["/usr/bin/node", "/app/main.js"], ..plain }
        }
        "php" => {
            World { texts: PHP, programs: &["usr/bin/php8.2"], entry: &["/usr/bin/php8.2", "/app/index.php"], ..plain }
        }
        "ruby" => {
            World { texts: RUBY, programs: &["usr/bin/ruby3.1"], entry: &["/usr/bin/ruby3.1", "/app/main.rb"], ..plain }
        }
        "perl" => {
            World { texts: PERL, programs: &["usr/bin/perl"], entry: &["/usr/bin/perl", "/app/main.pl"], ..plain }
        }
        "dotnet" => World {
            texts: DOTNET,
            programs: &["usr/share/dotnet/dotnet"],
            entry: &["/usr/share/dotnet/dotnet", "/app/a.dll"],
            ..plain
        },
        "java" => World {
            texts: JAVA,
            programs: &["usr/lib/jvm/java/bin/java"],
            entry: &["/usr/lib/jvm/java/bin/java", "-jar", "/app/a.jar"],
            ..plain
        },
        "shell" => World { texts: SHELL, programs: &["bin/sh"], entry: &["/app/run.sh"], ..plain },
        "cron" => {
            World { texts: CRON, programs: &["bin/sh", "usr/sbin/cron"], entry: &["/usr/sbin/cron", "-f"], ..plain }
        }
        "nginx" => World { texts: SERVERS, programs: &["usr/sbin/nginx"], entry: &["/usr/sbin/nginx"], ..plain },
        "config" => World { texts: CONFIG, options: &["--config", "DIR/root/slimroot.toml"], ..plain },
        "profile" => World { texts: CONFIG, options: &["--profile", "DIR/root/profile.toml"], ..plain },
        "ca" => World { options: &["--ca", "DIR/root/etc/ssl/certs/ca-certificates.crt"], ..plain },
        _ => panic!("there is no world {name}"),
    }
}

/// Makes the root of a world; returns the command line.
pub(super) fn make(name: &str, scratch: &Path) -> Vec<String> {
    let root = scratch.join("root");
    let world = world(name);
    let put = |path: &str, bytes: &[u8], is_program: bool| {
        let place = root.join(path);
        fs::create_dir_all(place.parent().expect("a directory")).expect("made");
        if is_program { write_program(&place, bytes) } else { fs::write(&place, bytes).expect("written") }
    };
    for (path, text) in BASE.iter().chain(world.texts) {
        put(path, text.as_bytes(), path.ends_with(".sh"));
    }
    let program = Elf::program(&["libc.so.6"]).bytes();
    for path in ["bin/x"].iter().chain(world.programs) {
        put(path, &program, true);
    }
    put(&LOADER[1..], &Elf::loader(), true);
    put("lib/x86_64-linux-gnu/libc.so.6", &Elf::library("libc.so.6", &[]).bytes(), false);
    fs::create_dir(root.join("tmp")).expect("made");
    let fixture = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rpm").join(name);
    let rpm = root.join("var/lib/rpm");
    fs::create_dir_all(&rpm).expect("made");
    match name {
        "sqlite" => sqlite(&rpm.join("rpmdb.sqlite")),
        "ndb" => drop(fs::copy(fixture("Packages.db"), rpm.join("Packages.db")).expect("copied")),
        "berkeley" => drop(fs::copy(fixture("Packages"), rpm.join("Packages")).expect("copied")),
        _ => {}
    }
    let fixed = ["build", "--root", "DIR/root", "-o", "tar:OUT", "-i", "/data/**"];
    let words = fixed.iter().chain(world.options).chain(&["--"]).chain(world.entry);
    words.map(|word| (*word).to_owned()).collect()
}

/// A database with one package.
fn sqlite(path: &Path) {
    let database = Connection::open(path).expect("made");
    let table = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)";
    database.execute_batch(table).expect("made");
    database.execute("INSERT INTO Packages (blob) VALUES (?1)", [header()]).expect("added");
}

/// The header of a package with the file /bin/x, as rpm lays it out.
fn header() -> Vec<u8> {
    let tags: [(u32, u32, u32, &[u8]); 5] = [
        (1000, 6, 1, b"x\0"),
        (1022, 6, 1, b"x86_64\0\0\0\0"),
        (1116, 4, 1, &[0; 4]),
        (1117, 8, 1, b"x\0"),
        (1118, 8, 1, b"/bin/\0"),
    ];
    let (mut index, mut values) = (Vec::new(), Vec::new());
    for (tag, kind, count, bytes) in tags {
        let offset = u32::try_from(values.len()).expect("small");
        index.extend([tag, kind, offset, count].into_iter().flat_map(u32::to_be_bytes));
        values.extend_from_slice(bytes);
    }
    let counts = [5, u32::try_from(values.len()).expect("small")].map(u32::to_be_bytes).concat();
    [counts, index, values].concat()
}
