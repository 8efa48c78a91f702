#!/usr/bin/env python3
"""Packs one application as each package manager of Node lays it out, and asks what comes out what its builder was asked.

  layouts.py [--slimroot FILE] [--keep DIR] [LAYOUT…]

Builder roots are made once, of a Debian with an official node, by the package managers themselves, and kept. A layout's
command runs in its builder root twice and in the packed root once, each under runc, read-only and without a network: what
both runs of the builder say must come out of the packed root too, with the same status. What a layout says that must not
be in the image was looked for in the builder first, so that its absence means something.
"""
import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import judge  # noqa: E402
import roots  # noqa: E402

TOOLS = {"pnpm": "pnpm@9.15.9", "yarn": "@yarnpkg/cli-dist@4.18.1"}
BINS = {"pnpm": "bin/pnpm.cjs", "yarn": "bin/yarn.js"}

# The application: a template, data by working directory, a worker, a dependency that only some layouts hide.
MAIN = r"""
const path = require('path');
const express = require('express');
const app = express();
app.set('views', path.join(__dirname, 'views')).set('view engine', 'ejs');
app.use('/static', express.static('public'));
app.get('/', (q, r) => r.render('index', { name: 'world' }));
app.get('/boom', () => { throw new Error('boom'); });
const hidden = (() => { try { return typeof require('accepts'); } catch (e) { return e.code; } })();
const server = app.listen(0, async () => {
  const ask = async at => { const a = await fetch(`http://127.0.0.1:${server.address().port}${at}`);
    return a.status + ' ' + (await a.text()).split('\n')[0]; };
  for (const at of ['/', '/static/app.css', '/nope', '/boom']) console.log(at, await ask(at));
  console.log('args', process.argv.slice(2).join(' '), 'hidden', hidden, 'env', process.env.GREETING);
  for (const name of (process.env.EXTRA || '').split(' ').filter(Boolean)) {
    const found = require(name); console.log(name, typeof found, typeof found === 'function' ? '' : Object.keys(found).slice(0, 5).join());
  }
  const { Worker } = require('worker_threads');
  new Worker(path.join(__dirname, 'worker.js')).on('message', m => { console.log('worker', m); process.exit(0); });
});
"""
FILES = {
    "server.js": MAIN,
    "worker.js": "require('worker_threads').parentPort.postMessage(require('ejs').render('<%= 1 + 1 %>'))",
    "views/index.ejs": "Hello <%= name %>",
    "public/app.css": "body { color: red }",
}
DEPENDS = {"express": "4.21.2", "ejs": "3.1.10"}
DEV = {"mocha": "11.0.1"}


def manifest(depends=DEPENDS, dev=DEV, **more):
    return json.dumps({"name": "app", "version": "1.0.0", "private": True, "dependencies": depends,
                       "devDependencies": dev, **more})


def app(place="/app", depends=DEPENDS, dev=DEV, **more):
    """The application's files at a place."""
    files = {f"{place}/{name}": text for name, text in FILES.items()}
    return {**files, f"{place}/package.json": manifest(depends, dev, **more)}


NODE = "/usr/local/bin/node"
LINKER = "enableTelemetry: false\nenableGlobalCache: {}\nnodeLinker: {}\n"
NPM = "npm install --no-audit --no-fund"
LIB = {
    "index.js": "exports.ms = require('ms')('2 days'); exports.data = require('fs').readFileSync(__dirname + '/data.txt', 'utf8')",
    "data.txt": "data of a library", "package.json": '{"name":"@me/lib","version":"1.0.0","dependencies":{"ms":"2.0.0"},'
    '"devDependencies":{"left-pad":"1.3.0"}}',
}


def library(place):
    return {f"{place}/{name}": text for name, text in LIB.items()}


WITH_LIB = {**DEPENDS, "@me/lib": "1.0.0"}
# layout -> files, what installs, what is started; env, workdir, and what must not come along.
LAYOUTS = {
    "npm": {"files": app(), "run": NPM, "argv": [NODE, "server.js"], "absent": ["app/node_modules/mocha"], "seccomp": True},
    "npm-nested": {"files": app(depends={**DEPENDS, "ms": "2.1.3"}), "run": NPM + " --install-strategy=nested",
                   "argv": [NODE, "server.js"], "env": {"EXTRA": "ms"}, "absent": ["app/node_modules/mocha"]},
    "npm-no-record": {"files": app(), "run": NPM + " && rm node_modules/.package-lock.json", "argv": [NODE, "server.js"],
                      "absent": ["app/node_modules/mocha"]},
    "npm-workspaces": {
        "files": {**app("/app/packages/web", WITH_LIB), **library("/app/packages/lib"),
                  "/app/package.json": '{"name":"top","private":true,"workspaces":["packages/*"]}'},
        "run": NPM, "argv": [NODE, "server.js"], "workdir": "/app/packages/web", "env": {"EXTRA": "@me/lib"},
        "absent": ["app/node_modules/mocha", "app/node_modules/left-pad"]},
    "npm-workspaces-no-record": {
        "files": {**app("/app/packages/web", WITH_LIB), **library("/app/packages/lib"),
                  "/app/package.json": '{"name":"top","private":true,"workspaces":["packages/*"]}'},
        "run": NPM + " && rm node_modules/.package-lock.json", "argv": [NODE, "server.js"],
        "workdir": "/app/packages/web", "env": {"EXTRA": "@me/lib"},
        "absent": ["app/node_modules/mocha", "app/node_modules/left-pad"]},
    "npm-workspaces-from-top": {
        "files": {**app("/app/packages/web", WITH_LIB), **library("/app/packages/lib"),
                  "/app/package.json": '{"name":"top","private":true,"workspaces":["packages/*"]}'},
        "run": NPM, "argv": [NODE, "packages/web/server.js"], "env": {"EXTRA": "@me/lib"},
        "absent": ["app/node_modules/mocha", "app/node_modules/left-pad"]},
    "npm-file-link": {
        "files": {**app(depends={**DEPENDS, "@me/lib": "file:../lib"}), **library("/lib-of-ours")},
        "run": "mv /lib-of-ours /srv/lib && sed -i 's,file:../lib,file:../srv/lib,' package.json && " + NPM +
               " && (cd /srv/lib && " + NPM + ")",
        "argv": [NODE, "server.js"], "env": {"EXTRA": "@me/lib"},
        "absent": ["app/node_modules/mocha", "srv/lib/node_modules/left-pad"]},
    "pnpm": {"files": app(), "run": "pnpm install", "argv": [NODE, "server.js"],
             "absent": ["app/node_modules/mocha", "app/node_modules/.pnpm/mocha@11.0.1"]},
    "pnpm-workspaces": {
        "files": {**app("/app/packages/web", {**DEPENDS, "@me/lib": "workspace:*"}), **library("/app/packages/lib"),
                  "/app/pnpm-workspace.yaml": "packages: ['packages/*']\n", "/app/package.json": '{"name":"top","private":true}'},
        "run": "pnpm install", "argv": [NODE, "server.js"], "workdir": "/app/packages/web", "env": {"EXTRA": "@me/lib"},
        "absent": ["app/node_modules/.pnpm/mocha@11.0.1", "app/node_modules/.pnpm/left-pad@1.3.0",
                   "app/packages/lib/node_modules/left-pad"]},
    "pnpm-shim": {"files": app(depends={**DEPENDS, "mkdirp": "1.0.4"}), "run": "pnpm install",
                  "argv": ["/app/node_modules/.bin/mkdirp", "-p", "--print", "/tmp/a/b"],
                  "absent": ["app/node_modules/.pnpm/mocha@11.0.1"]},
    "pnpm-start": {"files": app(scripts={"start": "node server.js one"}), "run": "pnpm install && cp -rL $(dirname $(command -v pnpm))/pnpm /usr/local/bin/ || true",
                   "argv": ["pnpm", "start", "two"], "builder": [NODE, "server.js", "one", "two"],
                   "absent": ["app/node_modules/.pnpm/mocha@11.0.1"]},
    "pnpm-hoisted": {"files": app(), "run": "pnpm install --config.node-linker=hoisted",
                     "argv": [NODE, "server.js"], "absent": ["app/node_modules/mocha"]},
    "yarn-modules": {"files": {**app(), "/app/.yarnrc.yml": LINKER.format("false", "node-modules")}, "run": "yarn install",
                     "argv": [NODE, "server.js"], "absent": ["app/node_modules/mocha"]},
    "yarn-pnpm-linker": {"files": {**app(), "/app/.yarnrc.yml": LINKER.format("false", "pnpm")}, "run": "yarn install",
                         "argv": [NODE, "server.js"], "absent": ["app/node_modules/mocha"]},
    "yarn-pnp": {"files": {**app(depends={**DEPENDS, "bufferutil": "4.0.8"}), "/app/.yarnrc.yml": LINKER.format("false", "pnp")},
                 "run": "yarn install", "argv": [NODE, "-r", "./.pnp.cjs", "server.js"], "env": {"EXTRA": "bufferutil"}},
    "yarn-pnp-start": {"files": {**app(scripts={"start": "node server.js one"}), "/app/.yarnrc.yml": LINKER.format("false", "pnp")},
                       "run": "yarn install", "argv": ["yarn", "start"],
                       "builder": [NODE, "-r", "/app/.pnp.cjs", "server.js", "one"]},
    "yarn-pnp-node": {"files": {**app(), "/app/.yarnrc.yml": LINKER.format("false", "pnp")}, "run": "yarn install",
                      "argv": ["yarn", "node", "server.js", "one"], "builder": [NODE, "-r", "/app/.pnp.cjs", "server.js", "one"]},
    "yarn-pnp-global": {
        "files": {**app(), "/app/.yarnrc.yml": LINKER.format("true", "pnp")},
        "run": "YARN_GLOBAL_FOLDER=/var/cache/yarn yarn install", "argv": [NODE, "-r", "./.pnp.cjs", "server.js"]},
    "yarn-pnp-esm": {
        "files": {**app(type="module"), "/app/.yarnrc.yml": LINKER.format("false", "pnp") + "pnpEnableEsmLoader: true\n",
                  "/app/main.mjs": "import ejs from 'ejs'; console.log(ejs.render('<%= 2 %>'))"},
        "run": "yarn install", "argv": [NODE, "-r", "./.pnp.cjs", "--loader", "./.pnp.loader.mjs", "main.mjs"]},
    "npm-start": {"files": app(scripts={"start": "node server.js one"}), "run": NPM, "argv": ["npm", "start", "--", "two"],
                  "builder": [NODE, "server.js", "one", "two"], "absent": ["app/node_modules/mocha"]},
    "npm-start-assigned": {"files": app(scripts={"start": "GREETING='good day' node server.js"}), "run": NPM,
                           "argv": ["npm", "start"], "builder": ["/bin/sh", "-c", "GREETING='good day' exec node server.js"],
                           "packed": {"env": {"GREETING": "good day"}},
                           "absent": ["app/node_modules/mocha", "usr/local/lib/node_modules/npm"]},
    "npm-start-shell": {"files": app(scripts={"prestart": "echo before", "start": "echo hello && node server.js"}), "run": NPM,
                        "argv": ["npm", "start"], "env": {"HOME": "/tmp"}},
    "npx": {"files": app(depends={**DEPENDS, "mkdirp": "1.0.4"}), "run": NPM,
            "argv": ["npx", "mkdirp", "--print", "/tmp/a/b"], "builder": ["node_modules/.bin/mkdirp", "--print", "/tmp/a/b"],
            "absent": ["app/node_modules/mocha"]},
    "flags": {
        "files": {**app(), "/opt/hooks/pre.js": "console.log('pre', require('./more').name)",
                  "/opt/hooks/more.js": "exports.name = 'more'",
                  "/opt/hooks/package.json": '{"type":"commonjs"}',
                  "/srv/esm/reg.mjs": "import { x } from './part.mjs'; console.log('reg', x)", "/srv/esm/part.mjs": "export const x = 1",
                  "/opt/opt/opt.js": "console.log('opt', require('./beside.json').a)", "/opt/opt/beside.json": '{"a": 5}',
                  "/run/secrets.d/env": "GREETING=from-file\n", "/etc/own/ca.pem": ""},
        "run": NPM + " && cp /etc/ssl/certs/ca-certificates.crt /etc/own/ca.pem",
        "argv": [NODE, "-r", "/opt/hooks/pre", "--import=/srv/esm/reg.mjs", "--env-file=/run/secrets.d/env", "server.js"],
        "env": {"NODE_OPTIONS": "--require=/opt/opt/opt.js", "NODE_EXTRA_CA_CERTS": "/etc/own/ca.pem"},
        "present": ["etc/own/ca.pem"], "absent": ["app/node_modules/mocha"]},
    "flags-loader": {
        "files": {**app(), "/opt/loader/l.mjs": "export { resolve } from './r.mjs'",
                  "/opt/loader/r.mjs": "export const resolve = (s, c, n) => n(s === 'virtual' ? 'ejs' : s, c)",
                  "/app/main.mjs": "import e from 'virtual'; console.log(e.render('<%= 3 %>'))"},
        "run": NPM, "argv": [NODE, "--no-warnings", "--loader", "/opt/loader/l.mjs", "main.mjs"]},
    "preload-package": {
        "files": {**app(depends={**DEPENDS, "dotenv": "16.4.7"}), "/app/settings.env": "GREETING=dotenv\n"}, "run": NPM,
        "argv": [NODE, "-r", "dotenv/config", "server.js"], "env": {"DOTENV_CONFIG_PATH": "settings.env"}, "absent": ["app/node_modules/mocha"]},
    "preserve-symlinks": {
        "files": {"/real/main.js": "console.log(require('ejs').render('<%= 4 %>'), require('./beside').b)", "/real/beside.js": "exports.b = 1",
                  **app()},
        "run": NPM + " && mv /real /opt/real && ln -s /opt/real src", "argv": [NODE, "--preserve-symlinks", "--preserve-symlinks-main", "/app/src/main.js"],
        "absent": ["app/node_modules/mocha"]},
    "node-path": {"files": {**app(), "/srv/mods/package.json": manifest({"ms": "2.1.3"}, {})},
                  "run": NPM + " && (cd /srv/mods && " + NPM + ")", "argv": [NODE, "server.js"],
                  "env": {"NODE_PATH": "/srv/mods/node_modules", "EXTRA": "ms"}},
    "global-package": {"files": app(), "run": NPM + " && npm install -g --no-audit --no-fund mkdirp@1.0.4",
                       "argv": ["mkdirp", "--print", "/tmp/a/b"], "workdir": "/", "absent": ["app", "usr/local/lib/node_modules/npm"]},
    "platforms": {
        "files": app(depends={**DEPENDS, "sharp": "0.33.5", "@esbuild/linux-x64": "0.24.0"}),
        "run": NPM + " && npm install --no-audit --no-fund --no-save --force --os=linux --cpu=arm64 --libc=musl sharp@0.33.5 && " + NPM +
               " --no-save --force @img/sharp-darwin-arm64@0.33.5 @img/sharp-linuxmusl-x64@0.33.5 @img/sharp-linux-x64@0.33.5 @img/sharp-libvips-linux-x64@1.0.4",
        "argv": [NODE, "server.js"], "env": {"EXTRA": "sharp"},
        "absent": ["app/node_modules/@img/sharp-darwin-arm64", "app/node_modules/@img/sharp-linuxmusl-x64"]},
    "prebuilds": {"files": app(depends={**DEPENDS, "bufferutil": "4.0.8", "sodium-native": "4.3.1"}), "run": NPM,
                  "argv": [NODE, "server.js"], "env": {"EXTRA": "bufferutil sodium-native"},
                  "absent": ["app/node_modules/sodium-native/prebuilds/darwin-x64"]},
    "bindings": {"files": app(depends={**DEPENDS, "unix-dgram": "2.0.6"}), "run": NPM, "argv": [NODE, "server.js"],
                 "env": {"EXTRA": "unix-dgram"}, "absent": ["app/node_modules/unix-dgram/build/Release/obj.target"]},
    "node-pre-gyp": {"files": app(depends={**DEPENDS, "bcrypt": "5.1.1"}), "run": NPM + " --build-from-source",
                     "argv": [NODE, "server.js"], "env": {"EXTRA": "bcrypt"}},
    "pnpm-addon": {"files": app(depends={**DEPENDS, "sharp": "0.33.5", "bufferutil": "4.0.8"}), "run": "pnpm install",
                   "argv": [NODE, "server.js"], "env": {"EXTRA": "sharp bufferutil"}},
    "yarn-pnp-sharp": {"files": {**app(depends={**DEPENDS, "sharp": "0.33.5"}), "/app/.yarnrc.yml": LINKER.format("true", "pnp")},
                       "run": "YARN_GLOBAL_FOLDER=/var/cache/yarn yarn install", "argv": [NODE, "-r", "./.pnp.cjs", "server.js"], "env": {"EXTRA": "sharp"}},
    "icu-data": {"files": {**app(), "/usr/local/lib/icu/icudt74l.dat": "x"}, "run": NPM, "argv": [NODE, "-p", "1"],
                 "env": {"NODE_ICU_DATA": "/usr/local/lib/icu"}, "present": ["usr/local/lib/icu/icudt74l.dat"]},
    "debian": {"files": {"/app/main.js": "console.log(require('ms')('2 days'), require('acorn').version.length > 0, new Intl.DateTimeFormat('de', {timeZone: 'Europe/Zurich', dateStyle: 'full'}).format(0)); fetch('http://127.0.0.1:1').catch(e => console.log(e.cause.code))"},
               "base": "debian-node", "run": "true", "argv": ["/usr/bin/node", "/app/main.js"]},
    "debian-modules": {"files": {"/app/main.js": "require('express')().listen(0, function () { console.log('up'); process.exit(0) })"},
                       "base": "debian-node", "run": "true", "argv": ["/usr/bin/nodejs", "/app/main.js"]},
    "missing-main": {"files": {**app(), "/app/own.js": ""},
                     "run": NPM + " && rm node_modules/ejs/lib/ejs.js", "argv": [NODE, "server.js"], "says": "ejs has no"},
}
roots.BASES["debian-node"] = ("debian", "nodejs node-ms node-express node-acorn", "")


def place(name):
    return roots.CACHE / "layouts" / name


def key(name, case):
    shared = [roots.KEY, TOOLS, roots.base_key(case.get("base", "node")), case["files"], case["run"]]
    shared += [case["key"]] if "key" in case else []
    return hashlib.sha256(repr(shared).encode()).hexdigest()


def tools():
    """Package managers, as the registry has them."""
    found = {}
    for name, spec in TOOLS.items():
        folder = roots.CACHE / "layouts/.tools" / spec.replace("/", "_")
        if not (folder / "package").exists():
            folder.mkdir(parents=True, exist_ok=True)
            roots.host(["npm", "pack", "--silent", spec], cwd=folder)
            roots.host(["tar", "xf", next(folder.glob("*.tgz")), "-C", folder])
        found[name] = folder / "package"
    return found


def prepare(name, case):
    """Layers of a layout's builder root, the upmost first."""
    layers = roots.base(case.get("base", "node"))
    record = place(name) / "prepared.json"
    if roots.stored(record).get("key") != key(name, case):
        roots.say(f"root of {name}")
        shutil.rmtree(place(name), ignore_errors=True)
        upper = place(name) / "upper"
        upper.mkdir(parents=True)
        with roots.mounted(layers, upper) as root:
            if "make" in case:
                case["make"](root)
            for path, text in case["files"].items():
                file = root / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            binds = [(folder, f"{roots.KEPT_OUT}/{tool}") for tool, folder in tools().items()]
            start = f"exec node {roots.KEPT_OUT}/%s \"$@\""
            shims = [f"echo '#!/bin/sh\n{start % (tool + '/' + BINS[tool])}' > bin/{tool}" for tool in TOOLS]
            before = f"(mkdir -p {roots.KEPT_OUT}/bin; cd {roots.KEPT_OUT}; {'; '.join(shims)}; chmod 755 bin/*); "
            env = {"PATH": f"/.samples/bin:{roots.PATH}", "NODE_EXTRA_CA_CERTS": "/.samples/host-ca.crt", "CI": "1",
                   "YARN_ENABLE_IMMUTABLE_INSTALLS": "false", "YARN_NPM_REGISTRY_SERVER": registry(),
                   "YARN_HTTPS_CA_FILE_PATH": "/.samples/host-ca.crt", "YARN_ENABLE_HARDENED_MODE": "0",
                   "npm_config_store_dir": "/.samples/store", "npm_config_cache": "/.samples/npm-cache",
                   "YARN_GLOBAL_FOLDER": "/.samples/yarn-global"}
            app_dir = "/app" if (root / "app/package.json").exists() else "/"
            roots.run_in(root, before + case["run"], place(name) / "log", env, app_dir, binds)
            roots.leave(root)
        roots.store(record, {"key": key(name, case)})
    return [place(name) / "upper", *layers]


def registry():
    said = subprocess.run(["npm", "config", "get", "registry"], stdout=subprocess.PIPE, check=True).stdout
    return said.decode().strip().rstrip("/")


class Where:
    """A root and how a command is started in it."""

    def __init__(self, root, case, user="0:0", seccomp=None):
        self.root, self.user, self.seccomp, self.env = root, user, seccomp, case.get("env", {})
        self.workdir = case.get("workdir", "/app")


def told(where, argv):
    with judge.Container(where, argv) as container:
        try:
            status = container.process.wait(60)
        except subprocess.TimeoutExpired:
            return None, container.log()
        return status, container.log()


def baseline(name, case, layers):
    """Two runs in the builder root, remembered as long as nothing changes."""
    argv = case.get("builder", case["argv"])
    own = repr((key(name, case), argv, case.get("env"), case.get("workdir"), Path(__file__).read_text()))
    known = place(name) / "baseline.json"
    if roots.stored(known).get("key") != own:
        with roots.mounted(layers) as builder:
            roots.store(known, {"key": own, "runs": [told(Where(builder, case), argv) for _ in range(2)]})
    return roots.stored(known)["runs"]


def look(name, case, slimroot, keep):
    """What is wrong with a packed layout; nothing if it holds."""
    spare = roots.spare_folder()
    out = spare / "root"
    layers = prepare(name, case)
    try:
        runs = baseline(name, case, layers)
        with roots.mounted(layers) as builder:
            wanted = case.get("absent", []) + case.get("present", [])
            nowhere = [path for path in wanted if not os.path.lexists(builder / path)]
        if nowhere:
            return f"the builder has no {', '.join(nowhere)}"
        if runs[0][0] != case.get("status", 0) and "says" not in case:
            return f"fails in its builder root ({runs[0][0]}): {runs[0][1][-1500:]}"
        with roots.mounted(layers) as builder:
            env = [word for pair in case.get("env", {}).items() for word in ("--env", "=".join(pair))]
            profile = ["--seccomp", judge.profile_of(out)] if case.get("seccomp") else []
            command = [slimroot, "build", "--root", builder, "-o", f"dir:{out}", "--workdir", case.get("workdir", "/app"),
                       *env, *profile, "--format", "json", "--", *case["argv"]]
            done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        if "says" in case:
            return "" if case["says"] in said else f"exited {done.returncode} without a word of {case['says']}"
        if done.returncode:
            return f"slimroot exited {done.returncode}: {said[-1500:]}"
        report = json.loads(done.stdout)
        if keep:
            subprocess.run(["cp", "-a", out, Path(keep) / name], check=True)
        launched = {**case, **case.get("packed", {})}
        packed = told(Where(out, launched, report["user"], *profile[1:]), report["entry"])
        if packed[0] != runs[0][0]:
            return f"exited {packed[0]}: {packed[1][-1500:]}"
        lines = [judge.lines(text) for _, text in (*runs, packed)]
        if (lines[0] & lines[1]) - lines[2] or lines[0].total() != lines[2].total():
            return f"says {packed[1]!r}, its builder {runs[0][1]!r}"
        if not lines[2]:
            return "says nothing"
        extra = [path for path in case.get("absent", []) if os.path.lexists(out / path)]
        lost = [path for path in case.get("present", []) if not os.path.lexists(out / path)]
        return "; ".join([f"holds {path}" for path in extra] + [f"lacks {path}" for path in lost])
    finally:
        shutil.rmtree(spare, ignore_errors=True)


def main(layouts, about):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layouts", nargs="*", metavar="LAYOUT")
    parser.add_argument("--slimroot", default=os.environ.get("SLIMROOT", judge.CHECKOUT / "target/release/slimroot"))
    parser.add_argument("--keep", metavar="DIR", help="copies packed roots to DIR/LAYOUT")
    parser.add_argument("--list", action="store_true", help="prints the names of the layouts")
    options = parser.parse_args()
    if options.list:
        print(*layouts, sep="\n")
        return 0
    if os.geteuid() != 0:
        sys.exit("layouts.py: needs root (overlay mounts, runc)")
    unknown = set(options.layouts) - set(layouts)
    if unknown:
        sys.exit(f"layouts.py: no layout is named {', '.join(sorted(unknown))}")
    roots.own_mounts()
    names = options.layouts or list(layouts)
    unmade = {}
    with roots.lock():
        for name in names:
            try:
                prepare(name, layouts[name])
            except (roots.Failed, OSError, subprocess.SubprocessError) as error:
                unmade[name] = str(error)
    judge.own_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with judge.peer():
        failed = judge_all(names, layouts, unmade, options)
    print(f"{len(names) - failed}/{len(names)}")
    return 1 if failed else 0


def judge_all(names, layouts, unmade, options):
    failed = 0
    for name in names:
        why = f"no root: {unmade[name]}" if name in unmade else look(name, layouts[name], options.slimroot, options.keep)
        failed += bool(why)
        print(f"{'FAILS' if why else 'ok   '} {name}{': ' + why if why else ''}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(LAYOUTS, __doc__))
