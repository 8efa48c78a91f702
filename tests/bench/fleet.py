#!/usr/bin/env python3
"""Fifty images of ten roots, pushed to one registry: what docs/fleet.md states.

Usage: tests/bench/fleet.py SLIMROOT ROOT [steps|order|tag]...    needs root, docker-registry and skopeo. ROOT is a Debian
root with perl.
The ten roots are ROOT with another strict.pm each; each has five services with a file of 200 kB.
"""

import collections
import concurrent.futures
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

SLIMROOT, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
ROOTS, SERVICES, JOBS = 10, 5, 8
WORK = tempfile.mkdtemp(prefix="slimroot-fleet.", dir="/var/tmp")
ALL = [(root, service) for root in range(ROOTS) for service in range(SERVICES)]


def make_roots():
    # A link to a file changes its times, which slimroot notices: nobody else may have links to these files.
    subprocess.run(["cp", "-a", ROOT, f"{WORK}/root"], check=True)
    for root in range(ROOTS):
        subprocess.run(["cp", "-al", f"{WORK}/root", f"{WORK}/root{root}"], check=True)
    for root in range(ROOTS):
        place = f"{WORK}/root{root}"
        for module in subprocess.run(
            ["find", f"{place}/usr", "-name", "strict.pm"], check=True, capture_output=True, text=True
        ).stdout.split():
            text = open(module).read()
            os.unlink(module)
            with open(module, "w") as file:
                file.write(f"# root {root}\n{text}")
        for service in range(SERVICES):
            os.makedirs(f"{place}/srv/s{service}")
            with open(f"{place}/srv/s{service}/main.pl", "w") as file:
                file.write(f"use strict; print 'service {root} {service}';\n")
            with open(f"{place}/srv/s{service}/data", "wb") as file:
                file.write(os.urandom(200_000))


class Registry:
    """Debian's registry with its log."""

    def __init__(self, name):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.dir = f"{WORK}/{name}"
        os.mkdir(self.dir)
        with open(f"{self.dir}/config.yml", "w") as file:
            file.write(
                f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.dir}/data}}}}\n"
                f"http: {{addr: '127.0.0.1:{self.port}'}}\n"
            )
        log = open(f"{self.dir}/log", "w")
        self.child = subprocess.Popen(["docker-registry", "serve", f"{self.dir}/config.yml"], stdout=log, stderr=log)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.05)

    def at(self, name):
        return f"docker://127.0.0.1:{self.port}/{name}"

    def uploads(self):
        """Completed uploads of blobs by digest, and the number of mounts."""
        log = urllib.parse.unquote(open(f"{self.dir}/log").read())
        sent = collections.Counter(re.findall(r'"PUT \S+/blobs/uploads/\S*digest=(sha256:[0-9a-f]+)[^"]*" 201', log))
        return sent, len(re.findall(r'"POST \S+mount=[^"]*" 201', log))

    def stop(self):
        self.child.terminate()
        self.child.wait()
        shutil.rmtree(f"{self.dir}/data", ignore_errors=True)


def build(registry, one, since=None, name=None):
    root, service = one
    line = [SLIMROOT, "build", "--root", f"{WORK}/root{root}", "--layers", "split", "--threads", "1"]
    line += ["--workdir", f"/srv/s{service}", "--include", f"/srv/s{service}/**"]
    line += ["-o", registry.at(name or f"team{root}/service{service}:1")]
    line += ["--since", registry.at(f"team{since[0]}/service{since[1]}:1")] if since else []
    done = subprocess.run(line + ["--", "/usr/bin/perl", "main.pl"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{line}: {done.stderr}")
    return done.stdout.split("@")[-1].strip()


def told(name, registry, seconds, digests):
    sent, mounts = registry.uploads()
    twice = sum(1 for count in sent.values() if count > 1)
    print(
        f"{name}: {seconds:.1f} s, {len(sent)} blobs in {sum(sent.values())} uploads, {twice} sent more than once, "
        f"{mounts} mounts, {len(set(digests))} images"
    )


def parallel(registry, ones, since):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(lambda one: build(registry, one, since(one)), ones))


def steps():
    """Fifty images one after the other, and in three steps of several at once; then all again."""
    registry, begun = Registry("sequence"), time.time()
    expected = [build(registry, one, (one[0], 0) if one[1] else (0, 0) if one[0] else None) for one in ALL]
    told("one after the other", registry, time.time() - begun, expected)
    registry.stop()

    registry, begun = Registry("steps"), time.time()
    digests = dict(zip(ALL[:1], parallel(registry, ALL[:1], lambda one: None)))
    firsts = [one for one in ALL[1:] if one[1] == 0]
    digests |= dict(zip(firsts, parallel(registry, firsts, lambda one: (0, 0))))
    rest = [one for one in ALL if one[1] > 0]
    digests |= dict(zip(rest, parallel(registry, rest, lambda one: (one[0], 0))))
    told(f"{JOBS} at once, in three steps", registry, time.time() - begun, digests.values())
    assert [digests[one] for one in ALL] == expected, "the same images"
    begun = time.time()
    sent = sum(registry.uploads()[0].values())
    parallel(registry, ALL, lambda one: None)
    again = sum(registry.uploads()[0].values()) - sent
    print(f"all again, unchanged: {time.time() - begun:.1f} s, {again} uploads")
    registry.stop()


def order():
    """Fifty images at once, without knowing of each other."""
    registry, begun = Registry("at-once"), time.time()
    digests = parallel(registry, ALL, lambda one: None)
    told(f"{JOBS} at once, without order", registry, time.time() - begun, digests)
    registry.stop()


def tag():
    """Several pushers of one tag, and a reader that compares every digest."""
    registry = Registry("tag")
    writers = [one for one in ALL if one[0] < 2]
    reads, ended, broken = collections.Counter(), threading.Event(), []

    def read():
        while not ended.is_set():
            out = f"{WORK}/read"
            shutil.rmtree(out, ignore_errors=True)
            image = registry.at("shared/app:1")
            line = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", image, f"dir:{out}"]
            done = subprocess.run(line, capture_output=True, text=True)
            if done.returncode:
                broken.append(done.stderr)
            else:
                digest = subprocess.run(["sha256sum", f"{out}/manifest.json"], capture_output=True, text=True).stdout
                reads["sha256:" + digest.split()[0]] += 1

    known = {build(registry, ALL[0], None, "shared/app:1")}
    reader = threading.Thread(target=read)
    reader.start()
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        known |= set(pool.map(lambda one: build(registry, one, None, "shared/app:1"), writers * 2))
    ended.set()
    reader.join()
    print(
        f"one tag, {2 * len(writers)} pushes of {len(known)} images: {sum(reads.values())} reads of {len(reads)} images, "
        f"{len(broken)} broken, {len(set(reads) - known)} unknown"
    )
    registry.stop()


try:
    make_roots()
    for part in sys.argv[3:] or ["steps", "order", "tag"]:
        {"steps": steps, "order": order, "tag": tag}[part]()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
