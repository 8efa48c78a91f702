#!/usr/bin/env python3
"""Packs the sample applications and asks what comes out what their builder roots were asked.

  judge.py [--slimroot FILE] [--tool-args "…"] [--behind-a-script] [--json FILE] [--markdown FILE] [--keep DIR] [SAMPLE…]

A sample's checks run in its builder root first, twice: what both runs answer alike must come out of the packed root
too, so that a fallback that nobody asked for is seen. Both roots run under runc, read-only but for /tmp, in a network
of their own in which only loopback is up: the builder root as root, as a build stage runs, the packed one as the
image's user. What a check means is in the samples' README.
"""
import argparse
import base64
import collections
import contextlib
import fcntl
import hashlib
import http.client
import http.server
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1]))
import behind_a_script  # noqa: E402
import roots  # noqa: E402

CHECKOUT = Path(__file__).resolve().parents[2]
PORT = 8000
PEER = "https://localhost:8443/"
FORM = "application/x-www-form-urlencoded"
# What a Dockerfile of the user's would copy: files of which no trace is in the entry.
STATED = {"gofront": ["--include", "/srv/web"]}
# Checks whose answer is about something else than what was packed, so that only status and pattern count.
OWN_ANSWER = {
    ("django", "/"): "the time of day",
    ("shell", "/app/backup.sh /etc"): "what the user may read of the root's own /etc",
    ("shell", "/bin/sh -c VERIFY=1 exec /app/backup.sh /etc"): "the digest of an archive of the root's own /etc",
}
# Numbers that two runs may share by chance.
CHANCE = re.compile(r'("pid": ?)\d+')
# The builder's answers are kept: a page that shows the day shows another one on the next.
DAY = re.compile(r"\b20\d\d-[01]\d-[0-3]\d\b")


class Bad(Exception):
    """A check that did not hold, and why."""


# ---- a container -------------------------------------------------------------------------------

CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
                "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"]


def bundle(folder, root, argv, env, workdir, user, seccomp=None):
    """An OCI bundle as engines make it for a read-only container; the network is that of the judge. `seccomp` is a file with
    the system calls that it may make."""
    files = {"hosts": "127.0.0.1 localhost\n::1 localhost\n", "resolv.conf": "", "hostname": "sample\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
    uid, _, gid = user.partition(":")
    caps = CAPABILITIES if uid == "0" else []
    limited = ["nosuid", "noexec", "nodev"]

    def mount(target, kind, source, options):
        return {"destination": target, "type": kind, "source": str(source), "options": options}
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": int(uid), "gid": int(gid or uid)}, "args": argv, "cwd": workdir,
            "env": [f"{name}={value}" for name, value in {"PATH": roots.PATH, **env}.items()],
            "capabilities": {kind: caps for kind in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        },
        "root": {"path": str(root), "readonly": True},
        "hostname": "sample",
        "mounts": [
            mount("/proc", "proc", "proc", limited),
            mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            mount("/dev/shm", "tmpfs", "shm", [*limited, "mode=1777", "size=65536k"]),
            mount("/sys", "sysfs", "sysfs", [*limited, "ro"]),
            mount("/tmp", "tmpfs", "tmpfs", [*limited, "mode=1777"]),
            *[mount(f"/etc/{name}", "bind", folder / name, ["bind", "ro"]) for name in files],
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
    }
    if seccomp:
        config["linux"]["seccomp"] = json.loads(seccomp.read_text())
    (folder / "config.json").write_text(json.dumps(config))


class Container:
    """A command in a root, and all that it says."""

    def __init__(self, where, argv):
        self.folder = roots.spare_folder()
        self.name = "sample-" + uuid.uuid4().hex[:12]
        self.said = self.folder / "said"
        bundle(self.folder, where.root, argv, where.env, where.workdir, where.user, where.seccomp)
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(["runc", "run", "--bundle", self.folder, self.name],
                                            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)

    def log(self):
        return self.said.read_text("utf-8", "replace")

    def is_up(self):
        return self.process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_up():
            subprocess.run(["runc", "kill", self.name, "KILL"], stderr=subprocess.DEVNULL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        subprocess.run(["runc", "delete", "-f", self.name], stderr=subprocess.DEVNULL)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- asking ------------------------------------------------------------------------------------

class Peer(http.server.BaseHTTPRequestHandler):
    """The server behind URL: its certificate is from the CA that builder roots trust."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secure")

    def log_message(self, *_):
        pass


class Peers(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


@contextlib.contextmanager
def peer():
    server = Peers(("127.0.0.1", 8443), Peer)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(roots.authority() / "server.crt", roots.authority() / "server.key")
    server.socket = trust.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def request(path, method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    try:
        connection.request(method, path, body and body.encode(), headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), answer
    except (OSError, http.client.HTTPException) as error:
        raise Bad(f"no answer: {type(error).__name__}: {error}") from error
    finally:
        connection.close()


def websocket(path):
    """Says hello in one masked frame; gives the status and the text of the frame that comes back."""
    try:
        with socket.create_connection(("127.0.0.1", PORT), timeout=20) as line:
            key = base64.b64encode(os.urandom(16)).decode()
            line.sendall((f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
            stream = line.makefile("rb")
            status = int(stream.readline().split()[1])
            while stream.readline().strip():
                pass
            if status != 101:
                return status, ""
            mask = os.urandom(4)
            line.sendall(bytes([0x81, 0x85]) + mask + bytes(a ^ b for a, b in zip(b"hello", mask + mask)))
            _, length = stream.read(2)
            return status, stream.read(length).decode("utf-8", "replace")
    except (OSError, ValueError, IndexError) as error:
        raise Bad(f"no answer: {type(error).__name__}: {error}") from error


def as_admin(path):
    _, page, answer = request("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    if not token:
        raise Bad("the login page has no token")
    cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
    form = urllib.parse.urlencode({"username": "root", "password": "pw", "csrfmiddlewaretoken": token[1], "next": path})
    headers = {"Cookie": cookie, "Content-Type": FORM, "Referer": f"http://127.0.0.1:{PORT}/"}
    status, page, answer = request("/admin/login/?next=" + path, "POST", form, headers)
    cookies = [value.split(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    if not any(one.startswith("sessionid=") for one in cookies):
        raise Bad(f"login answers {status} without a session")
    return request(path, headers={"Cookie": "; ".join(cookies)})[:2]


def process_ids(path):
    """Sixty requests; gives how many processes answered. Six connect before the first of them asks: a worker that waits
    for one to ask leaves the next one to the other workers, however quick it is."""
    found = set()
    for _ in range(10):
        with contextlib.ExitStack() as open_lines:
            try:
                queue = [socket.create_connection(("127.0.0.1", PORT), timeout=20) for _ in range(6)]
                for line in queue:
                    open_lines.enter_context(line)
                time.sleep(0.05)
                for line in queue:
                    line.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                for line in queue:
                    found |= set(re.findall(rb'"pid": ?(\d+)', line.makefile("rb").read()))
            except OSError as error:
                raise Bad(f"no answer: {type(error).__name__}: {error}") from error
    return len(found), ""


def ask(do, container):
    """Carries out one check; gives the status and what is matched."""
    do = do.replace("URL", PEER)
    verb, _, rest = do.partition(" ")
    if do.startswith("pids:"):
        return process_ids(do.removeprefix("pids:"))
    if do == "LOG":
        time.sleep(0.5)
        return 0, container.log()
    if verb == "WS":
        return websocket(rest)
    if verb == "ADMIN":
        return as_admin(rest)
    if verb == "POST":
        path, _, body = rest.partition(" ")
        return request(path, "POST", body, {"Content-Type": "application/json"})[:2]
    if verb == "FORM":
        path, _, body = rest.partition(" ")
        return request(path, "POST", body, {"Content-Type": FORM})[:2]
    return request(do)[:2]


def wait_for(container):
    end = time.monotonic() + 60
    while container.is_up() and time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
            return
        time.sleep(0.05)
    raise Bad("does not listen" if container.is_up() else f"exited {container.process.returncode} at start")


# ---- all checks of a sample in one root --------------------------------------------------------

class Where:
    """A root and how a command is started in it."""

    def __init__(self, root, sample, case, user="0:0", seccomp=None):
        self.root, self.user, self.seccomp = root, user, seccomp
        self.workdir = case["workdir"]
        self.env = {**roots.environment(sample), **case["env"]}


def answer(check, status, text, wanted):
    return {"check": check, "status": status, "text": text, "why": why_not(status, text, wanted)}


def why_not(status, text, wanted):
    if status != wanted.get("status", wanted.get("exit")):
        return f"status {status}"
    return "" if re.search(wanted["match"], text) else f"no match for {wanted['match']}"


def answers(where, case):
    """One answer per check; an answer's `why` is empty if the check held. And the first lines of the log."""
    found, log = [], ""
    if case["http"]:
        with peer(), Container(where, case["argv"]) as container:
            try:
                wait_for(container)
                dead = ""
            except Bad as why:
                dead = str(why)
            for wanted in case["http"]:
                dead = dead or ("" if container.is_up() else f"exited {container.process.returncode}")
                try:
                    if dead:
                        raise Bad(dead)
                    found.append(answer(wanted["do"], *ask(wanted["do"], container), wanted))
                except Bad as why:
                    found.append({"check": wanted["do"], "status": None, "text": "", "why": str(why)})
            log = container.log()
    for wanted in case["cli"]:
        check = shlex.join(wanted["argv"]).replace("'", "")
        with Container(where, wanted["argv"]) as container:
            try:
                status = container.process.wait(120)
                found.append(answer(check, status, container.log(), wanted))
            except subprocess.TimeoutExpired:
                found.append({"check": check, "status": None, "text": "", "why": "does not end"})
            if found[-1]["why"]:
                log += container.log()
    return found, log


def lines(text):
    return collections.Counter(DAY.sub("DAY", CHANCE.sub(r"\1N", text)).splitlines())


def differs(sample, first, second, packed):
    """What the builder answered twice and the packed root did not, or a line more than the builder ever said."""
    if first["check"].startswith(("pids:", "LOG")) or (sample, first["check"]) in OWN_ANSWER:
        return ""
    one, two, three = lines(first["text"]), lines(second["text"]), lines(packed["text"])
    absent = (one & two) - three
    if absent:
        return f"other answer than the builder's, which has {next(iter(absent))[:200]!r}"
    if one.total() == two.total() != three.total():
        return f"other answer than the builder's: {three.total()} lines for {one.total()}"
    return ""


# ---- judging -----------------------------------------------------------------------------------

def size(root):
    """Bytes of files, hard links once, and how many files."""
    seen, total, count = set(), 0, 0
    for folder, _, names in os.walk(root):
        for name in names:
            entry = os.lstat(os.path.join(folder, name))
            if stat.S_ISREG(entry.st_mode) and (entry.st_dev, entry.st_ino) not in seen:
                seen.add((entry.st_dev, entry.st_ino))
                total, count = total + entry.st_size, count + 1
    return total, count


def baseline(sample, case, builder):
    """Two runs of all checks in the builder root, which must hold there; remembered as long as nothing changes."""
    me = Path(__file__).read_bytes()
    key = hashlib.sha256(me + json.dumps(case).encode() + roots.sample_key(sample).encode()).hexdigest()
    known = roots.place(sample) / "baseline.json"
    if roots.stored(known).get("key") != key:
        runs = [answers(Where(builder, sample, case), case) for _ in range(2)]
        broken = [f"{one['check']}: {one['why']}" for found, _ in runs for one in found if one["why"]]
        if broken:
            raise Bad("fails in its builder root: " + "; ".join(broken) + "\n" + runs[0][1][:2000])
        total, count = size(builder)
        roots.store(known, {"key": key, "runs": [found for found, _ in runs], "bytes": total, "files": count})
    return roots.stored(known)


def behind(sample, case, builder):
    """The case with a start script as entry, which is written into the builder root."""
    env = {"PATH": roots.PATH, **roots.environment(sample), **case["env"]}
    own = case["argv"]
    script = [behind_a_script.write_script(builder, own, env, case["workdir"])]
    replaced = [{**one, "argv": script + one["argv"][len(own):] if one["argv"][:len(own)] == own else one["argv"]}
                for one in case["cli"]]
    return {**case, "argv": script, "cli": replaced}


def profile_of(out):
    """The file with the system calls that a packed root may make."""
    return out.with_name("seccomp.json")


def pack(sample, case, builder, out, options):
    env = [word for name, value in Where(builder, sample, case).env.items() for word in ("--env", f"{name}={value}")]
    argv = [options.slimroot, "build", "--root", builder, "-o", f"dir:{out}", "--workdir", case["workdir"], *env,
            *STATED.get(sample, []), *shlex.split(options.tool_args), "--seccomp", profile_of(out), "--format", "json", "--",
            *case["argv"]]
    start = time.monotonic()
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace")
        raise Bad(f"slimroot exited {done.returncode}: {said[-2000:]}")
    return time.monotonic() - start, json.loads(done.stdout)


def judge(sample, case, options):
    checks = len(case["http"]) + len(case["cli"])
    result = {"sample": sample, "checks": checks, "passed": 0, "failed": [], "error": "", "log": ""}
    spare = roots.spare_folder()
    out = spare / "root"
    try:
        with roots.mounted(roots.layers(sample)) as builder:
            known = baseline(sample, case, builder)
            result |= {"builder_bytes": known["bytes"], "builder_files": known["files"]}
        with roots.mounted(roots.layers(sample)) as builder:  # As it was before anything ran in it.
            launched = behind(sample, case, builder) if options.behind_a_script else case
            seconds, report = pack(sample, launched, builder, out, options)
        total, count = size(out)
        result |= {"bytes": total, "files": count, "seconds": round(seconds, 2), "user": report["user"]}
        if options.keep:
            subprocess.run(["cp", "-a", out, Path(options.keep) / sample], check=True)
        found, log = answers(Where(out, sample, launched, report["user"], profile_of(out)), launched)
        for first, second, packed in zip(*known["runs"], found):
            why = packed["why"] or differs(sample, first, second, packed)
            if why:
                if packed["why"] and packed["text"] and case["http"]:
                    why += f": {packed['text'][:200]!r}"
                result["failed"].append({"check": packed["check"], "why": why})
        result["passed"] = checks - len(result["failed"])
        if result["failed"]:
            result["log"] = log[:6000]
    except (Bad, roots.Failed) as why:
        result["error"] = str(why)
    finally:
        shutil.rmtree(spare, ignore_errors=True)
    return result


def megabytes(result, name):
    return f"{result[name] / 1e6:.1f}" if name in result else "–"


def markdown(results):
    """A table of all samples, and then what failed and what was said meanwhile."""
    text = ["| sample | checks | builder MB | slimroot MB | files | seconds |", "| --- | --- | --- | --- | --- | --- |"]
    for one in results:
        text.append(f"| {one['sample']} | {one['passed']}/{one['checks']} | {megabytes(one, 'builder_bytes')} | "
                    f"{megabytes(one, 'bytes')} | {one.get('files', '–')} | {one.get('seconds', '–')} |")
    passed, checks = sum(one["passed"] for one in results), sum(one["checks"] for one in results)
    text.append(f"| all | {passed}/{checks} | | | | |")
    for one in results:
        if one["error"] or one["failed"]:
            text += ["", f"## {one['sample']}", ""]
            text += [one["error"]] if one["error"] else []
            whys = collections.defaultdict(list)
            for failed in one["failed"]:
                whys[failed["why"]].append(f"`{failed['check']}`")
            text += [f"- {', '.join(failed)}: {why}" for why, failed in whys.items()]
            text += ["", "```", *said(one), "```"] if one["log"] else []
    return "\n".join(text) + "\n"


def said(result):
    """The first and last lines of a log: what went wrong stands at either end."""
    found = [line[:240] for line in result["log"].splitlines() if line.strip()]
    return found if len(found) <= 16 else [*found[:6], "…", *found[-10:]]


def own_network():
    """A network in which there is nothing but loopback; roots are made before, as registries are not in it."""
    roots.alone("2 network", "--net")
    set_flags, is_up_and_running = 0x8914, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        fcntl.ioctl(line, set_flags, struct.pack("16sH14x", b"lo", is_up_and_running))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", nargs="*", metavar="SAMPLE")
    parser.add_argument("--slimroot", default=os.environ.get("SLIMROOT", CHECKOUT / "target/release/slimroot"))
    parser.add_argument("--tool-args", default="", metavar="ARGS", help="further options of `slimroot build`")
    parser.add_argument("--behind-a-script", action="store_true", help="packs a script that starts the application")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--keep", metavar="DIR", help="copies packed roots to DIR/SAMPLE")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("judge.py: needs root (overlay mounts, runc)")
    if not shutil.which(options.slimroot):
        sys.exit(f"judge.py: {options.slimroot} cannot be run; name a slimroot with --slimroot or SLIMROOT")
    checks = roots.checks()
    names = options.samples or list(checks)
    unknown = set(names) - set(checks)
    if unknown:
        sys.exit(f"judge.py: no sample is named {', '.join(sorted(unknown))}")
    roots.own_mounts()
    unmade = roots.prepare_all(names)
    if unmade:
        sys.exit("judge.py: no root of " + ", ".join(unmade))
    own_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = []
    for name in names:
        results.append(judge(name, checks[name], options))
        one = results[-1]
        roots.say(f"{name}: {one['passed']}/{one['checks']} {one['error'].partition(chr(10))[0][:200]}")
    text = markdown(results)
    if options.json:
        roots.store(Path(options.json), results)
    if options.markdown:
        Path(options.markdown).write_text(text)
    print(text, end="")
    return 0 if all(one["passed"] == one["checks"] for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
