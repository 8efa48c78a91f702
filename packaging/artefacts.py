#!/usr/bin/env python3
"""Makes the artefacts of a release from a static binary: tar.gz, Python wheel, npm packages, .deb, the root of the image.

Standard library only, and dpkg-deb. The same input gives the same bytes: all files have the time SOURCE_DATE_EPOCH.
"""

import argparse
import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path

import notices

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
# The same machine in the words of each kind of package.
MACHINES = {
    "x86_64": {"wheel": "x86_64", "npm": "x64", "deb": "amd64"},
    "aarch64": {"wheel": "aarch64", "npm": "arm64", "deb": "arm64"},
}
# Where each shell of Debian looks for the completions of packages.
COMPLETIONS = {
    "slimroot.bash": "usr/share/bash-completion/completions/slimroot",
    "_slimroot": "usr/share/zsh/vendor-completions/_slimroot",
    "slimroot.fish": "usr/share/fish/vendor_completions.d/slimroot.fish",
}


class Release:
    """What all artefacts of one machine are made from."""

    def __init__(self, version, arch, binary, stage, out):
        self.version, self.machine, self.arch = version, MACHINES[arch], arch
        self.binary, self.stage, self.out = binary.read_bytes(), stage, out
        manifest = tomllib.loads((TOP / "Cargo.toml").read_text())
        self.about = manifest["package"]["description"]
        self.licence = manifest["workspace"]["package"]["license"]
        self.home = manifest["package"].get("repository")
        licences = {name: (TOP / name).read_bytes() for name in ("LICENSE-MIT", "LICENSE-APACHE")}
        licences["THIRD-PARTY.txt"] = notices.text(f"{arch}-unknown-linux-gnu").encode()
        self.licences = licences
        self.readme = (TOP / "README.md").read_text()


def tar_gz(files):
    """A tar.gz of {path: (bytes, mode)}, with all directories."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            folders = {str(parent) for path in files for parent in Path(path).parents} - {"."}
            for path in sorted(folders | set(files)):
                entry = tarfile.TarInfo(path)
                entry.mtime, entry.uname, entry.gname = EPOCH, "root", "root"
                if path in files:
                    data, entry.mode = files[path]
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))
                else:
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(entry)
    return packed.getvalue()


def archive(release):
    """The binary with manual pages, completions, README, changes and licences, in one folder."""
    folder = f"slimroot-{release.version}-linux-{release.arch}"
    files = {f"{folder}/slimroot": (release.binary, 0o755)}
    for kind in ("man", "completions"):
        for page in (HERE / kind).iterdir():
            files[f"{folder}/{kind}/{page.name}"] = (page.read_bytes(), 0o644)
    for name in ("README.md", "CHANGELOG.md"):
        files[f"{folder}/{name}"] = ((TOP / name).read_bytes(), 0o644)
    for name, text in release.licences.items():
        files[f"{folder}/{name}"] = (text, 0o644)
    (release.out / f"{folder}.tar.gz").write_bytes(tar_gz(files))


def wheel(release):
    """A wheel whose only script is the binary: the binary distribution format of Python packages, 1.0.

    A static binary runs with any C library, so that the wheel has the tags of glibc and of musl.
    """
    machine = release.machine["wheel"]
    tags = [f"manylinux_2_17_{machine}", f"manylinux2014_{machine}", f"musllinux_1_1_{machine}"]
    name = f"slimroot-{release.version}"
    home = f"Project-URL: Repository, {release.home}\n" if release.home else ""
    metadata = (
        f"Metadata-Version: 2.4\nName: slimroot\nVersion: {release.version}\nSummary: {release.about}\n{home}"
        f"License-Expression: {release.licence}\n"
        + "".join(f"License-File: {file}\n" for file in release.licences)
        + f"Requires-Python: >=3.7\nDescription-Content-Type: text/markdown\n\n{release.readme}"
    )
    told = "Wheel-Version: 1.0\nGenerator: slimroot\nRoot-Is-Purelib: false\n"
    told += "".join(f"Tag: py3-none-{tag}\n" for tag in tags)
    files = {
        f"{name}.data/scripts/slimroot": release.binary,
        f"{name}.dist-info/METADATA": metadata.encode(),
        f"{name}.dist-info/WHEEL": told.encode(),
    }
    for file, text in release.licences.items():
        files[f"{name}.dist-info/licenses/{file}"] = text
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    files[f"{name}.dist-info/RECORD"] = f"{record}{name}.dist-info/RECORD,,\n".encode()
    # A zip has no times before 1980.
    date = time.gmtime(max(EPOCH, 315_532_800))[:6]
    with zipfile.ZipFile(release.out / f"{name}-py3-none-{'.'.join(tags)}.whl", "w") as packed:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, date)
            entry.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if path.endswith("/scripts/slimroot") else 0o644
            entry.external_attr, entry.create_system = (0o100000 | mode) << 16, 3
            packed.writestr(entry, data)


def npm(release):
    """A package with the binary of one machine, and the package `slimroot`, which starts the one that npm chose."""
    licences = {f"package/{name}": (text, 0o644) for name, text in release.licences.items()}
    shared = {"version": release.version, "description": release.about, "license": release.licence}
    if release.home:
        shared["repository"] = {"type": "git", "url": f"git+{release.home}.git"}

    def write(name, fields, files):
        fields = {"name": name, **shared, **fields}
        files["package/package.json"] = (json.dumps(fields, indent=2).encode() + b"\n", 0o644)
        (release.out / f"{name}-{release.version}.tgz").write_bytes(tar_gz(files))

    cpu = release.machine["npm"]
    fields = {"os": ["linux"], "cpu": [cpu], "files": ["slimroot", *release.licences]}
    write(f"slimroot-linux-{cpu}", fields, {"package/slimroot": (release.binary, 0o755), **licences})

    start = (HERE / "npm.js").read_bytes()
    packages = {f"slimroot-linux-{machine['npm']}": release.version for machine in MACHINES.values()}
    fields = {"bin": {"slimroot": "slimroot.js"}, "optionalDependencies": packages, "engines": {"node": ">=14"}}
    fields |= {"os": ["linux"], "files": ["slimroot.js"]}
    files = {"package/slimroot.js": (start, 0o755), "package/README.md": (release.readme.encode(), 0o644)}
    write("slimroot", fields, files)


def deb(release):
    """A Debian package: the binary, manual pages, completions, licences."""
    root = release.stage / "deb"

    def put(path, data, mode=0o644):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(mode)

    put("usr/bin/slimroot", release.binary, 0o755)
    for page in (HERE / "man").iterdir():
        put(f"usr/share/man/man1/{page.name}.gz", gzip.compress(page.read_bytes(), 9, mtime=0))
    for file, path in COMPLETIONS.items():
        put(path, (HERE / "completions" / file).read_bytes())
    put("usr/share/doc/slimroot/changelog.gz", gzip.compress((TOP / "CHANGELOG.md").read_bytes(), 9, mtime=0))
    both = b"\n\n".join(release.licences.values())
    put("usr/share/doc/slimroot/copyright", both)
    size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
    home = f"Homepage: {release.home}\n" if release.home else ""
    put(
        "DEBIAN/control",
        (
            f"Package: slimroot\nVersion: {release.version}\nArchitecture: {release.machine['deb']}\n"
            f"Maintainer: {os.environ.get('DEBFULLNAME', 'slimroot')} <{os.environ.get('DEBEMAIL', 'slimroot@localhost')}>\n"
            f"Section: admin\nPriority: optional\nInstalled-Size: {size // 1024}\n{home}"
            f"Description: {release.about}\n"
        ).encode(),
    )
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
    name = release.out / f"slimroot_{release.version}_{release.machine['deb']}.deb"
    # Several threads would compress to other bytes.
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", str(root), str(name)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def image_root(release):
    """The root that slimroot packs its own image from."""
    root = release.stage / "image"
    (root / "licences").mkdir(parents=True)
    (root / "slimroot").write_bytes(release.binary)
    (root / "slimroot").chmod(0o755)
    for name, text in release.licences.items():
        (root / "licences" / name).write_bytes(text)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--version", required=True)
    options.add_argument("--arch", required=True, choices=MACHINES)
    for path in ("binary", "stage", "out"):
        options.add_argument(f"--{path}", required=True, type=Path)
    release = Release(**vars(options.parse_args()))
    shutil.rmtree(release.stage, ignore_errors=True)
    os.umask(0o022)
    for make in (archive, wheel, npm, deb, image_root):
        make(release)


if __name__ == "__main__":
    main()
