//! What a reviewer relies on: a lock notices what it says, judged by digests of Python, and a comment shows names of an
//! image as text, judged by GitHub's own Markdown (cmark-gfm).

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::need;
use crate::support::runs::{slimroot, text, told, world};

fn show(path: &Path) -> String {
    path.display().to_string()
}

fn python(program: &Path, code: &str, args: &[&str]) -> String {
    let output = Command::new(program).arg("-c").arg(code).args(args).output().expect("python runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Prints the paths of a lock that have a digest, which must be that of the file in the image.
const DIGESTS: &str = r#"
import hashlib, json, sys
for entry in json.load(open(sys.argv[1]))["entries"]:
    if "digest" in entry:
        data = open(sys.argv[2] + entry["path"], "rb").read()
        assert entry["digest"] == "sha256:" + hashlib.sha256(data).hexdigest(), entry
        print(entry["path"])
"#;

/// Removes the digests from a lock.
const SHORTENED: &str = r#"
import json, sys
lock = json.load(open(sys.argv[1]))
assert sum(entry.pop("digest", None) is not None for entry in lock["entries"]) > 3
json.dump(lock, open(sys.argv[1], "w"))
"#;

#[test]
fn a_lock_notices_new_users_and_other_contents() {
    if !need::all(&["python3"]) {
        return;
    }
    let world = world();
    let at = |name: &str| show(&world.path().join(name));
    let put = |path: &str, bytes: &[u8]| {
        let path = world.path().join("root").join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, bytes).expect("written");
    };
    let library = fs::read("/lib/x86_64-linux-gnu/libc.so.6").expect("a library of this machine");
    let package = "Package: pack\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n";
    let accounts = "root:x:0:0:root:/root:/bin/sh\n";
    put("var/lib/dpkg/status", package.as_bytes());
    put("var/lib/dpkg/info/pack.list", b"/usr/share/pack/data\n");
    let files: [(&str, &[u8], bool); 7] = [
        ("etc/passwd", accounts.as_bytes(), true),
        ("etc/own.conf", b"x", true),
        ("usr/lib/libown.so.1", &library, true),
        ("usr/share/pack/data", b"x", true),
        ("usr/share/own", b"x", false),
        ("srv/app/code", b"x", false),
        ("srv/app/libapp.so.1", &library, false),
    ];
    files.iter().for_each(|(path, bytes, _)| put(path, bytes));
    let build = |more: &[&str]| {
        let (root, out) = (at("root"), at("out"));
        let mut args = vec!["build", "--root", &root, "--force", "-o", &out, "--include", "/srv/app/**"];
        for path in ["/etc/own.conf", "/usr/lib/libown.so.1", "/usr/share/pack/data", "/usr/share/own"] {
            args.extend(["--include", path]);
        }
        let output = slimroot(&[&args[..], more, &["--", "/bin/true"]].concat());
        (output.status.code(), text(&output.stderr))
    };
    let lock = at("slimroot.lock");
    assert_eq!(build(&["--lock", &lock]).0, Some(0));
    let locked = python(Path::new("python3"), DIGESTS, &[&lock, &at("out")]);
    for (path, _, is_locked) in files {
        assert_eq!(locked.lines().any(|line| line == format!("/{path}")), is_locked, "{path} in {locked}");
    }
    for (path, bytes, is_locked) in files {
        put(path, &[bytes, b"evil:x:0:0::/:/bin/sh\n"].concat());
        let (code, told) = build(&["--locked", &lock]);
        assert_eq!(code, Some(if is_locked { 5 } else { 0 }), "{path}: {told}");
        assert!(!is_locked || told.contains(&format!("path /{path}: file")) && told.contains("in 1 ways"), "{told}");
        put(path, bytes);
    }
    // A lock without digests, such as one that was shortened by hand, still has paths and reasons.
    python(Path::new("python3"), SHORTENED, &[&lock]);
    assert_eq!(build(&["--locked", &lock]).0, Some(0));
}

/// Reads HTML that GitHub's Markdown makes of a comment: text in code, text outside of it, and elements.
const RENDERED: &str = r#"
import cmarkgfm, html.parser, json, sys
from cmarkgfm.cmark import Options
text = open(sys.argv[1], encoding="utf-8").read()
html_ = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
class Reader(html.parser.HTMLParser):
    tags, code, plain, depth = [], [], "", 0
    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "code":
            self.depth += 1
            self.code.append("")
    def handle_endtag(self, tag): self.depth -= tag == "code"
    def handle_data(self, data):
        if self.depth: self.code[-1] += data
        else: self.plain += data
reader = Reader()
reader.feed(html_)
print(json.dumps({"tags": sorted(set(reader.tags)), "code": reader.code, "plain": reader.plain, "length": len(text)}))
"#;

#[test]
fn names_in_a_comment_are_neither_markup_nor_links_nor_mentions() {
    let Some(bin) = super::sbom::judges() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b, comment) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("comment.md"));
    for side in [&a, &b] {
        fs::create_dir(side).expect("made");
    }
    let names = [
        "@owner/team",
        "me@x.example",
        "www.x.example",
        "https:/x.example",
        "#12 GH-12",
        "a|b\\|c\\",
        "`x` ``y``",
        "<img src=x> & &lt;",
        "*x* _y_ ~z~ [l](x)",
        ":x:",
        "- 1",
        " blanks ",
    ];
    for (number, name) in names.iter().enumerate() {
        let path = b.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, vec![b'x'; number]).expect("written");
        std::os::unix::fs::symlink("x", a.join(format!("link{number}"))).expect("a link");
        std::os::unix::fs::symlink(name, b.join(format!("link{number}"))).expect("a link");
    }
    let rendered = || -> Value {
        fs::write(&comment, told(&["diff", "--format", "markdown", &show(&a), &show(&b)])).expect("written");
        serde_json::from_str(&python(&bin.join("python"), RENDERED, &[&show(&comment)])).expect("JSON")
    };
    let found = rendered();
    let known = ["code", "details", "p", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr"];
    for tag in found["tags"].as_array().expect("tags") {
        assert!(known.iter().any(|known| tag == known), "{tag} is in the comment");
    }
    let code: Vec<&str> = found["code"].as_array().expect("texts").iter().filter_map(Value::as_str).collect();
    for name in names {
        // A backslash is shown as two, so that names can be read back.
        let shown = format!("/{}", name.replace('\\', "\\\\"));
        assert!(code.contains(&shown.as_str()), "{shown} is not in {code:?}");
    }
    let plain = found["plain"].as_str().expect("text");
    assert!(!plain.contains(['@', '#', '<', '`', '*']) && !plain.contains("x.example"), "{plain}");
    assert!(plain.contains("Image size: 0 B -> 66 B"), "{plain}");
    // Names as long as the kernel allows, and many: services take 65,536 characters.
    for number in 0..300 {
        fs::write(b.join(format!("{number:#>255}")), "").expect("written");
        fs::set_permissions(b.join("www.x.example"), std::os::unix::fs::PermissionsExt::from_mode(0o4711))
            .expect("set");
    }
    let found = rendered();
    assert!(found["length"].as_u64().expect("a number") < 40_000, "{}", found["length"]);
    assert!(found["plain"].as_str().expect("text").contains(" more"), "{}", found["plain"]);
}
