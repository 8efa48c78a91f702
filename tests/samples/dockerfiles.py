#!/usr/bin/env python3
"""Builds Dockerfiles in the shapes that articles teach, and what `slimroot dockerfile` makes of them.

  dockerfiles.py [--slimroot FILE] [--static FILE] [--markdown FILE] [SHAPE…]

Each shape is a folder in dockerfiles/. Its Dockerfile and both forms that slimroot prints are built by buildah from
local bases, and the images are run by podman without a network of their own. What they answer must be the same, and so
must their settings. The packer form needs a static slimroot; without --static only the other form is built.
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
import roots  # noqa: E402

SHAPES = Path(__file__).with_name("dockerfiles")
CHECKOUT = Path(__file__).resolve().parents[2]
# Shape -> what is asked, over HTTP.
ASKED = {
    "pip": ["/", "/noon/America/New_York", "/absent"],
    "pip-user": ["/", "/?who=%3Cb%3E", "/count/pear", "/absent"],
    "poetry": ["/", "/Ada"],
    "npm": ["/", "/date", "/files/page.css", "/absent"],
    "go": ["/", "/authorities"],
    "web-and-go": ["/", "/main.js", "/api/who", "/absent"],
    "java": ["/"],
    "rust": ["/", "/some/path"],
}
# Dockerfiles of README.md, in their order there, and what the image answers.
README = {"readme-python": "hello from Python", "readme-node": "hello from Node"}
# Those that are quick enough for every run of all tests.
QUICK = ["pip", "rust"]
# Images that Dockerfiles start from -> layers of ours, what is done in them, variables as the official image has them;
# and the authorities, which Poetry takes from nowhere else.
PYTHON = ("python", "rm -f /usr/lib/python3*/EXTERNALLY-MANAGED", {
    "LANG": "C.UTF-8", "PYTHON_VERSION": "3.11.2", "REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"})
NODE = ("node", "useradd --create-home --uid 1000 node", {"NODE_VERSION": "20.20.2"})
RUST = ("rust", "", {"PATH": f"/usr/local/cargo/bin:{roots.PATH}"})
IMAGES = {
    "python:3.11": PYTHON, "python:3.11-slim": PYTHON, "node:20": NODE, "node:22": NODE, "rust:1": RUST,
    "golang:1.23": ("go", "", {"GOFLAGS": "-mod=mod"}), "debian:12-slim": ("debian", "", {}),
    "debian:12": ("debian", "", {}),
    "eclipse-temurin:17-jdk": ("java", "", {"LANG": "en_US.UTF-8"}),
    "eclipse-temurin:17-jre": ("java", "", {"LANG": "en_US.UTF-8"}),
}
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
# What names one build of an image, and what only images of docker have.
OWN = ("Image", "Hostname", "Domainname", "OnBuild", "ArgsEscaped", "AttachStdin", "AttachStdout", "AttachStderr")


class Bad(Exception):
    """An image that was not built, or answers otherwise."""


class Store:
    """A store of images of its own."""

    def __init__(self, place):
        self.words = ["--root", place / "store", "--runroot", place / "run", "--storage-driver", "overlay"]

    def call(self, program, *words, **more):
        more = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **more}
        runtime = ["--runtime", "runc", "--cgroup-manager", "cgroupfs"] if program == "podman" else []
        return subprocess.run([program, *map(str, self.words), *runtime, *map(str, words)], **more)

    def run(self, program, *words):
        done = self.call(program, *words)
        said = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            raise Bad(f"{program} {words[0]}: " + "\n".join(said.splitlines()[-25:]))
        return said

    def has(self, image):
        return self.call("buildah", "inspect", "--type", "image", image).returncode == 0

    def base(self, image):
        """An image of layers of ours, with what package clients of this machine need to reach their registries."""
        name, script, env = IMAGES[image]
        key = hashlib.sha256(repr((roots.base_key(name), IMAGES[image], 3)).encode()).hexdigest()[:16]
        ours = f"localhost/{name}:{key}"
        if not self.has(ours):
            roots.say(f"image {image}")
            with roots.lock():
                layers = roots.base(name)
            with roots.mounted(layers) as tree:
                log = tree / "log"
                roots.run_in(tree, script or "true", log)
                roots.leave(tree)
                log.unlink()
                configure(tree)
                # Times count: bytecode says when its source was changed.
                container = self.call("buildah", "from", "scratch", stderr=None).stdout.decode().strip()
                mount = self.call("buildah", "mount", container, stderr=None).stdout.decode().strip()
                roots.host(["cp", "-a", f"{tree}/.", mount])
            words = [word for pair in {"PATH": roots.PATH, **env}.items() for word in ("--env", "=".join(pair))]
            self.run("buildah", "config", *words, "--cmd", "bash", container)
            self.run("buildah", "commit", "--format", "docker", "--rm", container, ours)
        self.run("buildah", "tag", ours, f"docker.io/library/{image}")

    def built(self, folder, file, tag):
        words = ["bud", "--isolation", "chroot", "--format", "docker", "--pull-never", "--layers", "-t", tag]
        self.run("buildah", *words, *toolchain(file), "-f", file, folder)

    def settings(self, tag):
        found = json.loads(self.call("buildah", "inspect", "--type", "image", tag).stdout)["Docker"]["config"]
        found = {name: value for name, value in found.items() if name not in OWN}
        labels = found.get("Labels") or {}
        found["Labels"] = {name: value for name, value in labels.items() if not name.startswith("io.buildah")}
        return found

    def size(self, tag):
        return json.loads(self.call("podman", "image", "inspect", tag, stderr=None).stdout)[0]["Size"]

    def answers(self, tag, asked):
        """What a container of an image answers; there is nothing but loopback in its network."""
        name = tag.replace(":", "-").rpartition("/")[2]
        self.call("podman", "rm", "--force", name)
        self.run("podman", "run", "--detach", "--name", name, "--network", "none", "--pull", "never",
                 "--read-only", "--tmpfs", "/tmp", *LIMITS, tag)
        try:
            pid = self.call("podman", "inspect", "--format", "{{.State.Pid}}", name).stdout.decode().strip()
            found = []
            for path in asked:
                found.append(self.answer(pid, path) or f"no answer: {self.call('podman', 'logs', name).stdout.decode()}")
            return found
        finally:
            self.call("podman", "rm", "--force", "--time", "0", name)

    @staticmethod
    def answer(pid, path):
        if pid in ("", "0"):
            return ""
        curl = ["curl", "-s", "--noproxy", "*", "-w", "\n%{http_code} %{content_type}", "--max-time", "10"]
        end = time.monotonic() + 20
        while time.monotonic() < end and Path("/proc", pid).exists():
            done = subprocess.run(["nsenter", "--net", "--target", pid, *curl, f"http://127.0.0.1:8000{path}"],
                                  stdout=subprocess.PIPE)
            if done.returncode == 0:
                return done.stdout.decode("utf-8", "replace")
            time.sleep(0.1)
        return ""


def toolchain(file):
    """The Rust of this machine, where the official image has it."""
    if "cargo" not in Path(file).read_text():
        return []
    return ["--volume", f"{roots.host(['rustc', '--print', 'sysroot']).strip()}:/usr/local/cargo:ro"]


def configure(tree):
    """Settings of package clients, as a machine behind a proxy has them in its base images."""
    authorities = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")).read_text()
    place = tree / "etc/ssl/certs/ca-certificates.crt"
    place.write_text(place.read_text() + authorities)
    shown = "/etc/ssl/certs/ca-certificates.crt"
    index = [f"index-url = {os.environ['PIP_INDEX_URL']}"] if "PIP_INDEX_URL" in os.environ else []
    pip = ["[global]", f"cert = {shown}", "timeout = 180", "root-user-action = ignore", *index]
    (tree / "etc/pip.conf").write_text("\n".join(pip) + "\n")
    registry = subprocess.run(["npm", "config", "get", "registry"], stdout=subprocess.PIPE).stdout.decode().strip()
    (tree / "usr/local/etc").mkdir(parents=True, exist_ok=True)
    npm = [f"cafile={shown}", f"registry={registry}", "audit=false", "fund=false", "update-notifier=false"]
    (tree / "usr/local/etc/npmrc").write_text("\n".join(npm) + "\n")


def mirror(folder):
    """Poetry asks an index for JSON of its own, which mirrors seldom have: here it reads the pages that pip reads."""
    project = folder / "pyproject.toml"
    if not project.exists() or "[tool.poetry]" not in project.read_text():
        return
    script = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    pages = os.environ.get("PIP_INDEX_URL") or roots.host([sys.executable, "-c", script]).strip()
    with project.open("a") as out:
        out.write(f'\n[[tool.poetry.source]]\nname = "pages"\nurl = "{pages}"\npriority = "primary"\n')


def printed(slimroot, folder, *options):
    done = subprocess.run([slimroot, "dockerfile", *options, folder / "Dockerfile"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode:
        raise Bad("slimroot dockerfile: " + done.stderr.decode())
    return done.stdout


def compared(old, new):
    """Settings without those that only the base image has, and the default PATH."""
    known = {word.partition("=")[0] for word in new.get("Env") or []}
    for one in (old, new):
        kept = [word for word in one.get("Env") or [] if word.partition("=")[0] in known]
        one["Env"] = sorted(word for word in kept if word != f"PATH={roots.PATH}")
    return [f"{name} is {new.get(name)!r}, not {old.get(name)!r}" for name in sorted({*old, *new})
            if (old.get(name) or None) != (new.get(name) or None)]


def look(store, shape, options, spare):
    folder = spare / shape
    shutil.copytree(SHAPES / shape, folder)
    mirror(folder)
    if shape in README:
        blocks = re.findall(r"^```dockerfile\n(.*?)^```", (CHECKOUT / "README.md").read_text(), re.M | re.S)
        (folder / "Dockerfile").write_text(blocks[list(README).index(shape)])
    for image in sorted(set(re.findall(r"^FROM (\S+)", (folder / "Dockerfile").read_text(), re.M)) & set(IMAGES)):
        store.base(image)
    start = time.monotonic()
    if shape in README:
        shutil.copy2(options.slimroot, folder / "slimroot")
        tag = f"localhost/{shape}:slim"
        store.built(folder, folder / "Dockerfile", tag)
        answer, = store.answers(tag, ["/"])
        if README[shape] not in answer:
            raise Bad(f"/ is answered by {answer}")
        row = {"shape": shape, "step": store.size(tag), "seconds": time.monotonic() - start}
        store.call("buildah", "rmi", "--force", tag)
        return row
    fat = f"localhost/{shape}:fat"
    store.built(folder, folder / "Dockerfile", fat)
    wanted = store.answers(fat, ASKED[shape])
    if any(answer.startswith("no answer") for answer in wanted):
        raise Bad("the original: " + "; ".join(wanted))
    row = {"shape": shape, "fat": store.size(fat)}
    forms = [("step", [], options.slimroot)] + ([("packer", ["--packer"], options.static)] if options.static else [])
    is_scratch = re.findall(r"^FROM (\S+)", (folder / "Dockerfile").read_text(), re.M)[-1] == "scratch"
    for form, words, binary in forms:
        if is_scratch and not options.static:
            continue
        shutil.copy2(options.static if is_scratch else binary, folder / "slimroot")
        (folder / "Dockerfile.slim").write_bytes(printed(options.slimroot, folder, *words))
        slim = f"localhost/{shape}:{form}"
        store.built(folder, folder / "Dockerfile.slim", slim)
        for path, one, two in zip(ASKED[shape], wanted, store.answers(slim, ASKED[shape])):
            if one != two:
                raise Bad(f"{form}: {path} is answered by\n{two}\nand not by\n{one}")
        differences = compared(store.settings(fat), store.settings(slim))
        if differences:
            raise Bad(f"{form}: " + "; ".join(differences))
        row[form] = store.size(slim)
    row["seconds"] = time.monotonic() - start
    for tag in (fat, *(f"localhost/{shape}:{form}" for form, *_ in forms)):
        store.call("buildah", "rmi", "--force", tag)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", metavar="SHAPE")
    parser.add_argument("--slimroot", default=os.environ.get("SLIMROOT", CHECKOUT / "target/release/slimroot"))
    parser.add_argument("--static", default=os.environ.get("SLIMROOT_STATIC"), metavar="FILE")
    parser.add_argument("--list", action="store_true", help="prints the names of those that run with all tests")
    options = parser.parse_args()
    if options.list:
        print(*QUICK, sep="\n")
        return 0
    if os.geteuid() != 0:
        sys.exit("dockerfiles.py: needs root (overlay mounts, podman)")
    roots.own_mounts()
    place = roots.CACHE / "store"
    place.mkdir(parents=True, exist_ok=True)
    failed = 0
    names = options.shapes or [*ASKED, *README]
    with tempfile.TemporaryDirectory(dir=roots.CACHE) as spare:
        for shape in names:
            try:
                row = look(Store(place), shape, options, Path(spare))
                sizes = " → ".join(f"{row[form] / 1e6:.1f}" for form in ("fat", "step", "packer") if form in row)
                print(f"ok    {shape}: {sizes} MB, {row['seconds']:.0f} s", flush=True)
            except (Bad, roots.Failed, OSError) as why:
                failed += 1
                print(f"FAILS {shape}: {why}", flush=True)
    # Layers of single steps, which the forms of one shape have in common.
    Store(place).call("podman", "image", "prune", "--force")
    print(f"{len(names) - failed}/{len(names)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
