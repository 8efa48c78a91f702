#!/usr/bin/env python3
"""Packs a sample application with `slimroot build --verify`, its checks being the probes and runs.

  proven.py SAMPLE

The build must end with 0: nothing is missed, and the program behaves in the image as in the builder root.
"""
import json
import os
import shlex
import subprocess
import sys
import urllib.parse

sys.dont_write_bytecode = True
import judge  # noqa: E402
import roots  # noqa: E402

# Runs whose answer is about the root itself are given something that is the same in both.
SAME = {"/etc": "/app"}
TYPES = {"POST": "application/json", "FORM": judge.FORM}


def probes(case):
    """The checks that are one request of one answer: no peer, no login, and no answer that tells a process id."""
    by_chance = {one["do"].removeprefix("pids:") for one in case["http"] if one["do"].startswith("pids:")}
    for one in case["http"]:
        verb, _, rest = one["do"].partition(" ")
        if "URL" in one["do"] or "localhost:" in one["do"] or one["do"] in by_chance:
            continue
        if verb in TYPES:
            path, _, body = rest.partition(" ")
            yield {"url": path, "body": body, "headers": {"Content-Type": TYPES[verb]}, **one}
        elif one["do"].startswith("/"):
            yield {"url": one["do"], **one}


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def runs(sample, case):
    """The file of runs."""
    found = []
    asked = [{"url": f"http://127.0.0.1:{judge.PORT}" + urllib.parse.quote(one["url"], safe="/?&=%+:,;@"), "match": one["match"],
              "status": one["status"], **{key: one[key] for key in ("body", "headers") if key in one}}
             for one in probes(case)]
    if asked:
        found.append({"name": "server", "ready": f"tcp:{judge.PORT}", "limit": "90s", "probe": asked})
    for at, one in enumerate(case["cli"]):
        check = shlex.join(one["argv"]).replace("'", "")
        swapped = [SAME.get(word, word) for word in one["argv"]]
        # A text that names the root itself, and is no argument of its own, stays out.
        if (sample, check) in judge.OWN_ANSWER and swapped == one["argv"]:
            continue
        line = swapped if (sample, check) in judge.OWN_ANSWER else one["argv"]
        found.append({"name": f"run {at}", "line": line, "limit": "90s", "status": one["exit"]})
    return "\n".join("[[run]]\n" + "\n".join(f"{name} = {toml(value)}" for name, value in run.items()) for run in found)


def build(sample, case, builder, spare):
    env = judge.Where(builder, sample, case).env
    words = [os.environ["SLIMROOT"], "build", "--root", builder, "-o", f"dir:{spare / 'out'}", "--workdir", case["workdir"],
             *[word for name, value in env.items() for word in ("--env", f"{name}={value}")],
             *judge.STATED.get(sample, []), "--verify", "--verify-file", spare / "runs.toml", "--", *case["argv"]]
    done = subprocess.run(["timeout", "-s", "KILL", "500", *map(str, words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def main():
    sample = sys.argv[1]
    case = roots.checks()[sample]
    roots.own_mounts()
    if roots.prepare_all([sample]):
        return f"proven.py: no root of {sample}"
    spare = roots.spare_folder()
    (spare / "runs.toml").write_text(runs(sample, case))
    with roots.mounted(roots.layers(sample)) as builder:
        code, said = build(sample, case, builder, spare)
        if code or not (spare / "out").is_dir():
            return f"{sample} is not proven: exit code {code}\n{said[-6000:]}"
    subprocess.run(["rm", "-rf", spare], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
