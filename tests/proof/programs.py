#!/usr/bin/env python3
"""Judges `slimroot verify` by runs that it has no part in.

  programs.py removals [--seed N] [--count N] [PROGRAM…]   takes one packed file away at a time
  programs.py alarms [PROGRAM…]                            packs without options and proves it
  programs.py fix [PROGRAM…]                               packs nothing but declared libraries, and mends by runs
  programs.py list

A program is a case of the corpus (programs.toml) or a sample (sample:NAME). removals: all files of
small programs are taken away, of large ones --count, half of which strace sees used. If the judge sees that the program
ends, says or answers otherwise without a file, `verify` must end with 1 and name the file; if it does not, `verify` must
not end with 1. The judge starts the program in namespaces of its own on an overlay, as an engine does. --json FILE keeps
the results. Needs root; the roots must be prepared already. SLIMROOT names the binary.
"""
import argparse
import ctypes
import fcntl
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
CORPUS = Path(os.environ.get("SLIMROOT_CORPUS", CHECKOUT.parent / "shared/corpus"))
SLIMROOT = os.environ.get("SLIMROOT", str(CHECKOUT / "target/debug/slimroot"))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIMIT = 60
# Answers that tell the time.
MOVING = {("sample:django", "/")}


class Program:
    """What is packed, and how it is run."""

    def __init__(self, name, line, entry=None, env=None, workdir="/", user="65532:65532", include=(), files=None,
                 port=None, probes=()):
        self.name, self.line, self.entry = name, line, entry or line
        self.env, self.workdir, self.user, self.include = env or {}, workdir, user, include
        self.files, self.port, self.probes = files or {}, port, [one.partition("=") for one in probes]

    def pack(self, root, out, *options):
        words = [SLIMROOT, "build", "--root", root, "-o", f"dir:{out}", "--workdir", self.workdir, *options]
        for glob in [*self.include, *self.files]:
            words += ["--include", glob]
        for name, value in self.env.items():
            words += ["--env", f"{name}={value}"]
        if not self.user[0].isdigit():
            words += ["--user", self.user]
        return ["timeout", "-s", "KILL", "500", *words, "--", *self.entry]

    def asks(self):
        words = ["--limit", f"{LIMIT}s"]
        if self.port:
            words += ["--ready", f"tcp:{self.port}"]
        for path, _, status in self.probes:
            words += ["--probe", f"http://127.0.0.1:{self.port}{path}" + (f"={status}" if status else "")]
        return words

    def verify(self, root, packed, *options):
        words = ["timeout", "-s", "KILL", "300", SLIMROOT, "verify", "--format", "json", "--root", root, *self.asks(),
                 "--workdir", self.workdir, "--user", self.user, *options]
        for name, value in self.env.items():
            words += ["--env", f"{name}={value}"]
        done = subprocess.run([*map(str, words), packed, "--", *self.line], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, {"missed": [], "error": done.stderr.decode("utf-8", "replace")[-600:]}


def samples():
    sys.path.insert(0, str(CHECKOUT / "tests/samples"))
    import roots
    return roots


def programs():
    found = [Program(name, **row) for name, row in tomllib.loads((HERE / "programs.toml").read_text()).items()]
    roots = samples()
    try:
        checks = roots.checks()
    except OSError:
        return found
    for name, case in checks.items():
        env = {**roots.stored(roots.place(name) / "prepared.json").get("env", {}), **case["env"]}
        include = ["/srv/web"] if name == "gofront" else []
        if case["http"]:
            plain = [one for one in case["http"] if one["do"].startswith("/") and "URL" not in one["do"]]
            probes = [f"{one['do'].replace(' ', '%20')}={one['status']}" for one in plain if "<" not in one["do"]]
            found.append(Program(f"sample:{name}", case["argv"], env=env, workdir=case["workdir"], include=include,
                                 port=8000, probes=probes))
        else:
            for number, one in enumerate(case["cli"][:6]):
                if one["argv"][:1] == case["argv"][:1]:
                    found.append(Program(f"sample:{name}" + (f":{number}" if number else ""), one["argv"],
                                         entry=case["argv"], env=env, workdir=case["workdir"], include=include))
    return found


def layers(program):
    """Layers of its builder root, the upmost first."""
    kind, _, rest = program.name.partition(":")
    if kind == "sample":
        return samples().layers(rest.partition(":")[0])
    sys.path.insert(0, str(CORPUS))
    from lib import cases, roots
    case = cases.load_all([kind])[0]
    if not roots.is_prepared(case):
        raise FileNotFoundError(f"the root of {kind} is not prepared")
    return roots.lowers(case)


class Builder:
    """The builder root of a program, mounted here; what is written to it is thrown away."""

    def __init__(self, program):
        self.program, self.folder = program, Path(tempfile.mkdtemp(prefix="proof-", dir="/var/tmp"))

    def __enter__(self):
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        lower = ":".join(map(str, layers(self.program)))
        options = f"lowerdir={lower},upperdir={self.folder}/upper,workdir={self.folder}/work"
        root = self.folder / "root"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
        for path, text in self.program.files.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return root

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder / "root"])
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- the judge: a run in namespaces of its own -------------------------------------------------

def judged(program, root, *before):
    """How a run in a root ends, what it says, and what it answers. `before` is a program that starts all of it."""
    words = {"root": str(root), "line": program.line, "env": {"PATH": PATH, "HOME": "/", **program.env},
             "workdir": program.workdir, "user": program.user, "port": program.port,
             "probes": [path for path, _, _ in program.probes]}
    argv = [*before, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--propagation", "private",
            sys.executable, "-S", "-E", __file__, "--inside"]
    done = subprocess.run(argv, input=json.dumps(words).encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError(done.stderr.decode("utf-8", "replace")[-800:])
    return json.loads(done.stdout)


def inside():
    run = json.load(sys.stdin)
    os.umask(0o022)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        fcntl.ioctl(line, 0x8914, struct.pack("16sH14x", b"lo", 0x41))
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source, place, kind, flags, options=None):
        if libc.mount(source.encode(), place.encode(), kind.encode(), flags, options and options.encode()):
            raise OSError(ctypes.get_errno(), f"mount {place}")
    mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755")
    for name in ("upper", "work", "root", "dev"):
        os.mkdir(f"/mnt/{name}")
    mount("overlay", "/mnt/root", "overlay", 0, f"lowerdir={run['root']},upperdir=/mnt/upper,workdir=/mnt/work")
    root = "/mnt/root"
    for name in ("proc", "dev", "tmp", "etc", "sys"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    mount("proc", f"{root}/proc", "proc", 0)
    mount("tmpfs", f"{root}/dev", "tmpfs", 0, "mode=755")
    for name in ("null", "zero", "full", "random", "urandom"):
        open(f"{root}/dev/{name}", "w").close()
        mount(f"/dev/{name}", f"{root}/dev/{name}", "none", 0x1000)
    os.mkdir(f"{root}/dev/shm")
    os.chmod(f"{root}/dev/shm", 0o1777)
    for target, name in (("fd", "fd"), ("fd/0", "stdin"), ("fd/1", "stdout"), ("fd/2", "stderr")):
        os.symlink(f"/proc/self/{target}", f"{root}/dev/{name}")
    mount("tmpfs", f"{root}/tmp", "tmpfs", 0, "mode=1777")
    for name, text in (("hosts", "127.0.0.1 localhost\n::1 localhost\n"), ("resolv.conf", "")):
        if not os.path.lexists(f"{root}/etc/{name}"):
            Path(f"{root}/etc/{name}").write_text(text)
    print(json.dumps(run_in(run, root)))


def ids(user, root):
    name, _, group = user.partition(":")
    if name.isdigit():
        return int(name), int(group or name)
    try:
        rows = [row.split(":") for row in Path(f"{root}/etc/passwd").read_text().splitlines()]
    except OSError:
        rows = []
    return next(((int(row[2]), int(row[3])) for row in rows if row[0] == name), (65532, 65532))


def run_in(run, root):
    uid, gid = ids(run["user"], root)
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()

    def enter():
        os.chroot(root)
        os.chdir(run["workdir"])
        os.setgroups([gid])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    result = {"answers": []}
    try:
        process = subprocess.Popen(run["line"], env=run["env"], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   preexec_fn=enter, start_new_session=True)
    except (OSError, subprocess.SubprocessError) as error:
        return {"end": f"not started: {error.args[0] if error.args else error}", "output": ["", ""], "answers": []}
    if run["port"]:
        result["end"] = serve(process, run, result["answers"])
        process.kill()
        process.wait()
    else:
        try:
            result["end"] = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            result["end"] = "too slow"
    texts = []
    for file in (out, err):
        file.seek(0)
        texts.append(file.read(1 << 20).decode("latin-1"))
    return {**result, "output": texts}


def serve(process, run, answers):
    end = time.monotonic() + LIMIT
    while True:
        if process.poll() is not None:
            return process.returncode
        try:
            socket.create_connection(("127.0.0.1", run["port"]), timeout=1).close()
            break
        except OSError:
            if time.monotonic() > end:
                return "not ready"
            time.sleep(0.03)
    for path in run["probes"]:
        line = http.client.HTTPConnection("127.0.0.1", run["port"], timeout=10)
        try:
            line.request("GET", path, headers={"User-Agent": "slimroot", "Accept": "*/*"})
            answer = line.getresponse()
            # Which of several workers answers is chance.
            text = re.sub(r'("pid": ?)\d+', r"\1N", answer.read().decode("latin-1"))
            answers.append([answer.status, text])
        except (OSError, http.client.HTTPException) as error:
            answers.append([None, type(error).__name__])
        finally:
            line.close()
    return "ready" if process.poll() is None else process.returncode


class Usual:
    """What two runs of the whole packed root say alike."""

    def __init__(self, program, packed):
        self.first, second = judged(program, packed), judged(program, packed)
        is_same = [a == b for a, b in zip(self.first["output"], second["output"])]
        # The log of a server comes in no certain order.
        self.output = [same and not program.port for same in is_same]
        pairs = zip(program.probes, self.first["answers"], second["answers"])
        self.bodies = [a[1] == b[1] and (program.name, path[0]) not in MOVING for path, a, b in pairs]
        self.is_good = self.first["end"] in (0, "ready")

    def why_not(self, run):
        """How a run differs; empty if it does not."""
        if run["end"] != self.first["end"]:
            return f"ends with {run['end']} instead of {self.first['end']}"
        for number, (is_compared, own, good) in enumerate(zip(self.output, run["output"], self.first["output"])):
            if is_compared and own != good:
                return f"says something else on {'standard output' if number == 0 else 'standard error'}"
        for is_compared, own, good in zip(self.bodies, run["answers"], self.first["answers"]):
            if own[0] != good[0] or (is_compared and own[1] != good[1]):
                return f"answers {own[0]} instead of {good[0]}, or another body"
        return ""


# ---- removals ----------------------------------------------------------------------------------

def hops(root, path):
    """Every path that a look-up of a path in a root touches: names of links and of what they lead to."""
    found, left, at, count = [], path.strip("/").split("/"), "", 0
    while left and count < 200:
        count += 1
        name = left.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            at = at.rpartition("/")[0]
            continue
        at = f"{at}/{name}"
        found.append(at)
        place = f"{root}{at}"
        if os.path.islink(place):
            target = os.readlink(place)
            at = "" if target.startswith("/") else at.rpartition("/")[0]
            left = target.strip("/").split("/") + left
    return found


def files(packed):
    found = []
    for folder, folders, names in os.walk(packed):
        found += [os.path.join(folder, name) for name in names]
        found += [os.path.join(folder, name) for name in folders if os.path.islink(os.path.join(folder, name))]
    return sorted(found)


def touched(program, packed):
    """Packed files that strace sees the program use."""
    with tempfile.NamedTemporaryFile() as out:
        judged(program, packed, "strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=%file", "-o", out.name)
        lines = out.read().decode("utf-8", "replace").splitlines()
    found = set()
    for line in lines:
        name = re.search(r'"(/[^"]*)"', line)
        if name and " = -1 " not in line:
            found.update(hops(packed, name[1]))
    return found


def chosen(program, packed, options):
    """Files to take away: all, or as many of those that are used as of the others, in an order that the seed tells."""
    every, luck = files(packed), random.Random(options.seed)
    used = touched(program, packed) if len(every) > options.count else set()
    parts = [[], []]
    for file in every:
        parts[file[len(str(packed)):] in used].append(file)
    half = options.count // 2
    picked = [luck.sample(part, min(half, len(part))) for part in parts] if used else [every]
    picked = sum(picked, [])
    luck.shuffle(picked)
    return every, picked


def removals(program, options):
    result = {"program": program.name, "removed": 0, "needed": 0, "named": 0, "missed": [], "alarms": []}
    with ExitStack() as stack:
        root = stack.enter_context(Builder(program))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="proof-", dir="/var/tmp")))
        folder.chmod(0o755)
        packed = folder / "packed"
        done = subprocess.run(list(map(str, program.pack(root, packed))), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            return {**result, "error": "not packed: " + done.stdout.decode("utf-8", "replace")[-400:]}
        usual = Usual(program, packed)
        code, report = program.verify(root, packed)
        if not usual.is_good or code:
            why = report.get("differences") or report.get("error")
            return {**result, "error": f"whole: judge {usual.first['end']}, verify {code} {why} {usual.first['output'][1][-200:]}"}
        every, picked = chosen(program, packed, options)
        result["files"] = len(every)
        end = time.monotonic() + options.minutes * 60
        rest = 0
        for file in picked:
            if time.monotonic() > end:
                break
            path = file[len(str(packed)):]
            os.rename(file, folder / "aside")
            try:
                why = usual.why_not(judged(program, packed))
                result["removed"] += 1
                # verify is slower than the judge: of what is not needed, every fifth is enough.
                rest += not why
                if not why and rest % 5:
                    continue
                code, report = program.verify(root, packed)
                if why:
                    result["needed"] += 1
                    is_named = any(is_by(root, one["path"], path) for one in report["missed"])
                    if code == 1 and is_named:
                        result["named"] += 1
                    else:
                        # What is seen once may be chance.
                        again = usual.why_not(judged(program, packed))
                        result["missed"].append({"path": path, "judge": why, "again": again, "code": code, "named": is_named,
                                                 "differences": report.get("differences"), "error": report.get("error")})
                elif code == 1:
                    again = usual.why_not(judged(program, packed))
                    result["alarms"].append({"path": path, "again": again, "differences": report.get("differences")})
            finally:
                os.rename(folder / "aside", file)
    return result


def is_by(root, missed, removed):
    places = set(hops(root, removed)[-1:]) | {removed}
    return any(hop in places for hop in hops(root, missed))


# ---- no false alarm, and what --fix makes ------------------------------------------------------

def size(root):
    seen, total = set(), 0
    for file in files(root):
        entry = os.lstat(file)
        if (entry.st_dev, entry.st_ino) not in seen:
            seen.add((entry.st_dev, entry.st_ino))
            total += entry.st_size
    return total


def alarms(program, _):
    with Builder(program) as root, tempfile.TemporaryDirectory(prefix="proof-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        packed = Path(folder) / "packed"
        done = subprocess.run(list(map(str, program.pack(root, packed))), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            return {"program": program.name, "error": "not packed: " + done.stdout.decode("utf-8", "replace")[-400:]}
        good = Usual(program, root).first
        usual = Usual(program, packed)
        code, report = program.verify(root, packed)
        return {"program": program.name, "judge": usual.first["end"], "builder": good["end"], "code": code,
                "bytes": size(packed), "differences": report.get("differences"), "error": report.get("error"),
                "unsteady": report.get("unsteady"),
                "warned": [one["path"] for one in report["missed"] if one["kind"] not in ("cache", "directory")][:20]}


def fix(program, _):
    with Builder(program) as root, tempfile.TemporaryDirectory(prefix="proof-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        plain, mended = Path(folder) / "plain", Path(folder) / "mended"
        subprocess.run(list(map(str, program.pack(root, plain))), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        usual = Usual(program, plain)
        options = ["--no-auto", "--companions", "none", "--user", program.user, "--verify", "--fix", *program.asks()]
        whole = Program(program.name, program.line, env=program.env, workdir=program.workdir, include=program.include,
                        files=program.files)
        began = time.monotonic()
        done = subprocess.run(list(map(str, whole.pack(root, mended, *options))), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        result = {"program": program.name, "code": done.returncode, "seconds": round(time.monotonic() - began, 1),
                  "plain": size(plain)}
        if done.returncode:
            return {**result, "said": done.stdout.decode("utf-8", "replace")[-1500:]}
        return {**result, "mended": size(mended), "why": usual.why_not(judged(program, mended))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("removals", "alarms", "fix", "list"))
    parser.add_argument("programs", nargs="*", metavar="PROGRAM")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=1e6, help="how long one program is tried")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    known = {one.name: one for one in programs()}
    if options.task == "list":
        print("\n".join(known))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results, tasks = [], {"removals": removals, "alarms": alarms, "fix": fix}
    print(f"seed {options.seed}", flush=True)
    for name in options.programs or known:
        try:
            results.append(tasks[options.task](known[name], options))
        except (OSError, RuntimeError, KeyError, subprocess.SubprocessError) as error:
            results.append({"program": name, "error": f"{type(error).__name__}: {error}"})
        print(json.dumps(results[-1]), flush=True)
        if options.json:
            Path(options.json).write_text(json.dumps(results, indent=1))
    bad = [one for one in results if one.get("error") or one.get("missed") or one.get("alarms") or one.get("code")]
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--inside"]:
        inside()
    else:
        sys.exit(main())
