"""The licences of the crates in the binary, and of the C library that it is linked with."""

import json
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
FILES = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)([-._].*)?$", re.IGNORECASE)
HEAD = """\
slimroot is licensed under MIT or Apache-2.0, at your option. Its binary contains the packages below, each under its own
licence; of several to choose from, MIT is taken. It is linked with the GNU C Library (LGPL-2.1-or-later) of the machine that
built it, and with the standard library of Rust (MIT or Apache-2.0). The sources of slimroot and of all packages are public, so
that the binary can be built again with another C library: .ci/release in the repository does it.
"""


def crates(target):
    """The packages that are linked into the binary for a target: no dependencies of tests, of builds and of macros."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    told = json.loads(subprocess.run(command, cwd=TOP, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    found, left = set(), [told["resolve"]["root"]]
    while left:
        package = left.pop()
        is_macro = any("proc-macro" in made["kind"] for made in packages[package]["targets"])
        if package in found or is_macro:
            continue
        found.add(package)
        for need in nodes[package]["deps"]:
            if any(kind["kind"] is None for kind in need["dep_kinds"]):
                left.append(need["pkg"])
    of_others = [packages[package] for package in found if packages[package]["source"]]
    return sorted(of_others, key=lambda package: (package["name"], package["version"]))


def texts(package):
    """The licence files of a package, also those of sources of others that it carries one folder deep."""
    folder = Path(package["manifest_path"]).parent
    own = [file for file in sorted(folder.glob("*")) if file.is_file() and FILES.match(file.name)]
    mit = [file for file in own if "mit" in file.name.lower()]
    chosen = mit + [file for file in own if "notice" in file.name.lower()] if mit else own
    carried = [file for file in sorted(folder.glob("*/*")) if file.is_file() and FILES.match(file.name)]
    # Of zstd: BSD in LICENSE, or else the GPL in COPYING.
    chosen_in = {file.parent for file in carried if file.name.upper().startswith("LICEN")}
    carried = [file for file in carried if file.parent not in chosen_in or not file.name.upper().startswith("COPYING")]
    return [file.read_text(errors="replace").strip() for file in chosen + carried]


def text(target):
    """The notices for the binary of a target. Each text stands once, after the packages that it is of."""
    users, silent = {}, []
    for package in crates(target):
        name = f"{package['name']} {package['version']} ({package['license']})"
        found = texts(package)
        silent += [] if found else [name]
        for licence in found:
            users.setdefault(licence, []).append(name)
    parts = [HEAD]
    if silent:
        parts.append("Packages that carry no licence file of their own:\n" + "\n".join(f"  {name}" for name in silent) + "\n")
    for licence, names in users.items():
        parts.append(f"{'-' * 80}\n" + "\n".join(dict.fromkeys(names)) + f"\n\n{licence}\n")
    return "\n".join(parts)
