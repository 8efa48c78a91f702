#!/usr/bin/env python3
"""What a watch costs: overhead.py [--rounds N] [WORK…]

Runs each work without a watch, under `slimroot trace` and under `strace -f --seccomp-bpf -e trace=%file`, in turn in every
round, and prints medians of the CPU time of all processes and of the time that passed; for nginx that of 2,000 requests.
Works: flask, express (roots of the samples), nginx (root of the corpus), gcc (this machine). SLIMROOT names the binary:
take one that is built with optimisation.
"""
import argparse
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import programs  # noqa: E402

NOTHING = open(os.devnull, "r+b")


def wrapped(kind, folder, line):
    if kind == "trace":
        return [programs.SLIMROOT, "trace", "-o", folder / "trace", "--", *line]
    if kind == "strace":
        return ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=%file", "-o", folder / "strace", *line]
    return line


def cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(line):
    before, began = cpu(), time.monotonic()
    subprocess.run([str(word) for word in line], stdin=NOTHING, stdout=NOTHING, stderr=NOTHING, check=True)
    return cpu() - before, time.monotonic() - began


def serve(line, port):
    before = cpu()
    server = subprocess.Popen([str(word) for word in line], stdin=NOTHING, stdout=NOTHING, stderr=NOTHING,
                              start_new_session=True)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    began = time.monotonic()
    subprocess.run(["ab", "-q", "-n", "2000", "-c", "4", f"http://127.0.0.1:{port}/"], stdout=NOTHING, stderr=NOTHING,
                   check=True)
    passed = time.monotonic() - began
    os.killpg(server.pid, signal.SIGTERM)
    server.wait()
    return cpu() - before, passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    works = options.works or ["flask", "express", "nginx", "gcc"]
    known = {one.name: one for one in programs.programs()}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as spare:
        folder = Path(spare)
        (folder / "a.c").write_text("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint main(void) { puts(\"a\"); }\n")
        print("| work | watch | CPU seconds | × | seconds | × |\n|---|---|---|---|---|---|")
        for work in works:
            builder = None
            if work == "gcc":
                line = ["gcc", "-O1", "-o", folder / "a", folder / "a.c"]
            else:
                builder = programs.Builder(known["nginx" if work == "nginx" else f"sample:{work}"])
                root = builder.__enter__()
                os.makedirs(f"{root}/dev", exist_ok=True)
                subprocess.run(["mount", "--bind", "/dev", f"{root}/dev"], check=True)
                inner = {"flask": ["/opt/venv/bin/python3", "-c", "import flask"],
                         "express": ["/usr/local/bin/node", "-e", "process.chdir('/app'); require('/app/node_modules/express')"],
                         "nginx": ["/usr/sbin/nginx", "-g", "daemon off;"]}[work]
                line = ["chroot", root, *inner]
            found = {kind: [] for kind in ("none", "trace", "strace")}
            try:
                for _ in range(options.rounds + 1):
                    for kind, times in found.items():
                        words = wrapped(kind, folder, line)
                        times.append(serve(words, 23001) if work == "nginx" else run(words))
            finally:
                if builder:
                    subprocess.run(["umount", "-l", f"{root}/dev"])
                    builder.__exit__()
            # The first round warms caches.
            medians = {kind: [statistics.median(one[at] for one in times[1:]) for at in (0, 1)] for kind, times in found.items()}
            for kind, (used, passed) in medians.items():
                print(f"| {work} | {kind} | {used:.2f} | {used / medians['none'][0]:.2f} | {passed:.2f} | "
                      f"{passed / medians['none'][1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
