#!/usr/bin/env python3
"""Makes the pages of docs/pages with a slimroot: pages.py --slimroot FILE [--out DIR]

The Flask sample and the Debian root come from roots.py. The image that `check` reports on has three layers: the Debian
root, the authority of the samples, and a shell script that needs a part of both. Needs root (overlay mounts).
"""
import argparse
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

sys.dont_write_bytecode = True
import roots  # noqa: E402

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = """#!/bin/sh
# Packs what changed today, encrypts it, and hands it over.
set -eu
name=backup-$(date +%F).tar.gz.enc
find /data -mtime -1 -type f -print0 | tar --null -T - -c | gzip -9 | openssl enc -aes-256-ctr -pbkdf2 -pass env:KEY >"/out/$name"
sha256sum "/out/$name" >"/out/$name.sha256"
"""


def slimroot(options, *words):
    done = subprocess.run([str(word) for word in (options.slimroot, "--quiet", *words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"pages.py: slimroot ended with {done.returncode}: {(done.stderr + done.stdout)[-2000:]}")


def of_application(options, spare):
    case = roots.checks()["flask"]
    words = ["build", "--dry-run", "--workdir", case["workdir"], "--env", f"PATH=/opt/venv/bin:{roots.PATH}"]
    with roots.mounted(roots.layers("flask")) as builder:
        words += ["--root", builder]
        entry = ["--", *case["argv"]]
        before, after = spare / "before.json", spare / "after.json"
        slimroot(options, *words, "--report", options.out / "flask.html", "--plan-out", before, *entry)
        slimroot(options, *words, "--no-profile", "tzdata", "--user", "1000:1000", "--plan-out", after, *entry)
    slimroot(options, "diff", before, after, "--report", options.out / "difference.html")


def layer_of(top, members):
    """A layer with the files of an overlay's directory; devices 0:0 are files that it removes."""
    bytes_ = io.BytesIO()
    with tarfile.open(fileobj=bytes_, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in members:
            if path.is_socket():
                continue
            name, state = path.relative_to(top), path.lstat()
            if stat.S_ISCHR(state.st_mode) and state.st_rdev == 0:
                archive.addfile(tarfile.TarInfo(str(name.with_name(f".wh.{name.name}"))))
            else:
                archive.add(path, arcname=str(name), recursive=False)
    return bytes_.getvalue()


def image(layers, entry, path):
    """A docker-archive with these layers."""
    ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    config = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": entry, "Env": [f"PATH={roots.PATH}"]},
              "rootfs": {"type": "layers", "diff_ids": ids}}
    names = [f"{number}.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": ["backup:1"], "Layers": names}]
    files = {"manifest.json": json.dumps(manifest).encode(), "config.json": json.dumps(config).encode(), **dict(zip(names, layers))}
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def of_image(options, spare):
    base = roots.base("debian")[-1]
    (spare / "srv").mkdir()
    script = spare / "srv/backup.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    authority = spare / "usr/local/share/ca-certificates/samples.crt"
    authority.parent.mkdir(parents=True)
    shutil.copy(roots.authority() / "ca.crt", authority)
    layers = [layer_of(base, sorted(base.rglob("*"))), layer_of(spare, [authority]), layer_of(spare, [script])]
    image(layers, ["/srv/backup.sh"], spare / "backup.tar")
    slimroot(options, "check", "--report", options.out / "backup.html", f"docker-archive:{spare / 'backup.tar'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slimroot", default=CHECKOUT / "target/release/slimroot")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "docs/pages")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("pages.py: needs root (overlay mounts)")
    roots.own_mounts()
    unmade = roots.prepare_all(["flask"])
    if unmade:
        sys.exit("pages.py: no root of flask")
    spare = roots.spare_folder()
    try:
        of_application(options, spare)
        of_image(options, spare)
    finally:
        shutil.rmtree(spare, ignore_errors=True)


if __name__ == "__main__":
    main()
