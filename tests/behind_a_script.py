#!/usr/bin/env python3
"""Packs cases of the corpus as entries and behind a start script, and runs their own checks in both: a program needs the
same files whoever starts it. All that the case brings as entry has to come behind the script, and its findings at their levels.

  behind_a_script.py [--slimroot FILE] [--place beside|path] [--ready] [--json FILE] CASE…

The entry runs with the seccomp profile that slimroot writes for it.

The script is `exec PROGRAM ARG… "$@"`, in the working directory or that of the program, or in /usr/local/bin if these
are the system's (always with --place path). It is written to an overlay; the builder root stays as it is. A case that has to
be prepared is an error, or is left out with --ready. The corpus lies beside the checkout or where SLIMROOT_CORPUS says.
"""
import argparse
import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("SLIMROOT_CORPUS", CHECKOUT.parent / "shared/corpus"))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SYSTEM = ("/bin/", "/sbin/", "/lib/", "/usr/")
NAME = "start-here.sh"


class NoShell(Exception):
    """The builder root has no shell that could run a script."""


def inside(root, path, hops=40):
    """A path of a root on this machine, with links followed inside of the root; None if it leads nowhere."""
    place, parts = Path(root), [part for part in path.split("/") if part not in ("", ".")]
    while parts:
        part = parts.pop(0)
        if part == "..":
            place = place if place == Path(root) else place.parent
            continue
        target = place / part
        if not target.is_symlink():
            place = target
            continue
        hops -= 1
        if hops == 0:
            return None
        text = os.readlink(target)
        place = Path(root) if text.startswith("/") else place
        parts = [one for one in text.split("/") if one not in ("", ".")] + parts
    return place if place.exists() else None


def program_of(root, argv, env, workdir):
    """The path at which the first word of a command is found."""
    word = argv[0]
    if "/" in word:
        return os.path.normpath(os.path.join(workdir or "/", word))
    for folder in env.get("PATH", PATH).split(":"):
        found = inside(root, f"{folder}/{word}")
        if found and found.is_file():
            return f"{folder}/{word}"
    raise LookupError(f"{word} is not in PATH of the builder root")


def write_script(root, argv, env, workdir, place="beside"):
    """Writes the start script into a root; gives its path there."""
    if not inside(root, "/bin/sh"):
        raise NoShell("the builder root has no /bin/sh")
    beside = (workdir or "/", os.path.dirname(program_of(root, argv, env, workdir))) if place == "beside" else ()
    own = [folder for folder in beside if folder != "/" and not f"{folder}/".startswith(SYSTEM)]
    home = (own or ["/usr/local/bin"])[0]
    path, folder = f"{home}/{NAME}", inside(root, home)
    if folder is None:
        folder = Path(root, home.lstrip("/"))
        folder.mkdir(parents=True)
    script = folder / NAME
    script.write_text(f'#!/bin/sh\nset -e\nexec {shlex.join(argv)} "$@"\n')
    script.chmod(0o755)
    return path


def pack(context, output, seccomp=None):
    """Has slimroot pack the case; gives its exit code and its report. `seccomp` gets the system calls that it may make."""
    from tools import slimroot
    argv = [str(word) for word in slimroot.argv(context, f"dir:{output}")]
    argv[2:2] = ["--format", "json", *(["--seccomp", str(seccomp)] if seccomp else [])]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=context.timeout)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = {"findings": [], "error": done.stderr.decode("utf-8", "replace").strip()}
    return done.returncode, report


def items(folder):
    """Every path below a folder, relative to it."""
    return {os.path.relpath(os.path.join(place, name), folder)
            for place, folders, files in os.walk(folder) for name in (*folders, *files)}


def findings(report):
    """Findings and their levels. As whom an image runs follows from the entry's own service unit, so it may differ."""
    return {(one["code"], one["subject"]): one["level"] for one in report["findings"] if one["code"] != "runs-as-root"}


def differences(direct, behind, folder_direct, folder_behind):
    """What the program as entry brings and tells, and behind the script does not."""
    found = []
    if direct[0] != behind[0]:
        found.append(f"slimroot exits {behind[0]}, and as entry {direct[0]}: {behind[1].get('error', '')[-300:]}")
    told = findings(behind[1])
    for (code, subject), level in findings(direct[1]).items():
        if told.get((code, subject)) != level:
            found.append(f"{level}[{code}] of {subject} is {told.get((code, subject), 'not told')}")
    absent = sorted(items(folder_direct) - items(folder_behind)) if behind[0] == 0 else []
    if absent:
        found.append(f"{len(absent)} paths of the entry are left out: {' '.join(absent[:8])}")
    return found


@contextlib.contextmanager
def limited_to(work):
    """Containers that podman starts meanwhile have the profile of this directory."""
    settings = work / "containers.conf"
    settings.write_text(f'[containers]\nseccomp_profile = "{work}/seccomp.json"\n')
    os.environ["CONTAINERS_CONF"] = str(settings)
    try:
        yield
    finally:
        del os.environ["CONTAINERS_CONF"]


def judge(case, options):
    """Empty if the law holds and the check passes, else why not; how many paths come besides; and the seconds taken."""
    from lib import roots
    from lib.check import CheckFailed, Target, run_check
    from lib.runner import Ctx
    from lib.util import CACHE, Overlay, rmtree
    base = CACHE / "scratch"
    base.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="behind-", dir=base))
    start = time.monotonic()

    def check(target, behind):
        try:
            run_check(behind, target)
        except CheckFailed as why:
            return str(why)
        return ""
    try:
        with Overlay(roots.lowers(case), work / "builder") as builder:
            direct = pack(Ctx(case, builder, work), work / "direct", work / "seccomp.json")
            behind = dataclasses.replace(
                case, entry=[write_script(builder, case.entry, case.env, case.workdir, options.place)])
            (work / "out").rmdir()
            packed = pack(Ctx(behind, builder, work), work / "behind")
            found = differences(direct, packed, work / "direct", work / "behind")
            with limited_to(work):
                fails = check(Target(root=work / "direct"), case) if direct[0] == 0 else f"slimroot exits {direct[0]}"
            found += [f"as entry: {fails}"] if fails else []
            why = check(Target(root=work / "behind"), behind) if packed[0] == 0 else ""
            if why and (there := check(Target(root=builder), behind)):
                why = f"fails behind a script in the builder root too: {there}"
            more = len(items(work / "behind") - items(work / "direct"))
            return "; ".join([*found, *([why] if why else [])]), more, time.monotonic() - start
    finally:
        rmtree(work)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--slimroot", default=os.environ.get("SLIMROOT", CHECKOUT / "target/release/slimroot"))
    parser.add_argument("--place", choices=("beside", "path"), default="beside")
    parser.add_argument("--ready", action="store_true", help="leaves out cases that are not prepared")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("behind_a_script.py: needs root (overlay mounts, chroot)")
    if not shutil.which(options.slimroot):
        sys.exit(f"behind_a_script.py: {options.slimroot} cannot be run; name a slimroot with --slimroot or SLIMROOT")
    os.environ["SLIMROOT"] = str(options.slimroot)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(CORPUS))
    from lib import cases, roots
    from lib.util import load_json
    results = []
    for case in cases.load_all(options.cases):
        known = load_json(roots.case_dir(case) / "verified.json", {})
        is_ready = roots.is_prepared(case) and known.get("key") == case.check_key() and not known.get("error")
        if case.arch != "amd64":
            print(f"{case.name:24} left out: the emulator that stands before the entry does not run scripts", flush=True)
            continue
        if not is_ready and options.ready:
            print(f"{case.name:24} left out: is not prepared", flush=True)
            continue
        try:
            why, more, seconds = judge(case, options) if is_ready else ("is not prepared", 0, 0)
        except NoShell as reason:
            print(f"{case.name:24} left out: {reason}", flush=True)
            continue
        results.append({"case": case.name, "why": why, "more": more, "seconds": round(seconds, 1)})
        print(f"{case.name:24} {'FAIL ' + why[:300] if why else 'pass'} ({more} more paths, {seconds:.1f} s)", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    passed = sum(not one["why"] for one in results)
    print(f"behind a start script: {passed}/{len(results)} cases pass in {sum(one['seconds'] for one in results):.0f} s")
    return 0 if results and passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
