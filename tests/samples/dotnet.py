#!/usr/bin/env python3
"""Packs one program of .NET in the ways in which it is started, and asks what comes out what its builder was asked.

  dotnet.py [--slimroot FILE] [--keep DIR] [LAYOUT…]

The runtimes are real: 3.1 and the `dotnet` command from PyPI's dotnetcore2, 9.0 from the self-contained program that
npm's @azure/mcp-linux-x64 0.0.10 is, which is laid out here as an installation has it by what its deps.json says. The
program is compiled by mono's mcs. The rest is as in layouts.py.
"""
import json
import shutil
import sys
import zipfile
from pathlib import Path

sys.dont_write_bytecode = True
import judge  # noqa: E402
import layouts  # noqa: E402
import roots  # noqa: E402

WHEEL, PROGRAM, SINGLE = "dotnetcore2==3.1.23", "@azure/mcp-linux-x64@0.0.10", "@azure/mcp-template-linux-x64@0.0.12-alpha.6621500"
SOURCE = Path(__file__).with_name("dotnet.cs")
HOME = "usr/share/dotnet"
roots.BASES["dotnet"] = ("debian", "libicu72 libssl3 libstdc++6 libgssapi-krb5-2 zlib1g tzdata", "")


def fetched(spec):
    """A package of a registry, unpacked."""
    folder = roots.CACHE / "layouts/.tools" / spec.replace("/", "_")
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if "==" in spec:
            roots.host(["pip", "download", "--quiet", "--no-deps", "--dest", folder, spec])
            with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
                archive.extractall(folder)
        else:
            roots.host(["npm", "pack", "--silent", spec], cwd=folder)
            roots.host(["tar", "xf", next(folder.glob("*.tgz")), "-C", folder])
        (folder / "done").touch()
    return folder


def compiled():
    """hello.dll, its German resources and a file beside it."""
    folder = roots.CACHE / "layouts/.tools/hello"
    if roots.stored(folder / "done.json").get("source") != SOURCE.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "app/de").mkdir(parents=True)
        for name, word in (("hello", "hello"), ("hello.de", "hallo")):
            (folder / f"{name}.txt").write_text(f"greeting={word}\n")
            roots.host(["resgen", f"{name}.txt", f"{name}.resources"], cwd=folder)
        roots.host(["mcs", "-nologo", "-out:app/hello.dll", "-resource:hello.resources,hello.resources", SOURCE], cwd=folder)
        roots.host(["al", "-nologo", "-t:lib", "-culture:de", "-embed:hello.de.resources,hello.de.resources",
                    "-out:app/de/hello.resources.dll"], cwd=folder)
        (folder / "app/data.txt").write_text("beside")
        roots.store(folder / "done.json", {"source": SOURCE.read_text()})
    return folder / "app"


def install(root, home=HOME):
    """Two runtimes side by side, and what of an SDK no program needs."""
    old, new = fetched(WHEEL) / "dotnetcore2/bin", fetched(PROGRAM) / "package/dist"
    to = root / home
    shutil.copytree(old, to)
    (to / "dotnet").chmod(0o755)
    target = json.loads((new / "azmcp.deps.json").read_text())["targets"][".NETCoreApp,Version=v9.0/linux-x64"]
    for name, assets in target.items():
        if not name.startswith("runtimepack."):
            continue
        framework, version = name.removeprefix("runtimepack.").replace(".Runtime.linux-x64", "").split("/")
        folder = to / "shared" / framework / version
        folder.mkdir(parents=True)
        for asset in [*assets.get("runtime", {}), *assets.get("native", {})]:
            into = to / "host/fxr" / version if asset == "libhostfxr.so" else folder
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy2(new / asset, into / asset)
        listed = {"runtimeTarget": {"name": ".NETCoreApp,Version=v9.0/linux-x64"}, "libraries": {name: {
            "type": "package", "serviceable": True, "sha512": ""}}, "targets": {".NETCoreApp,Version=v9.0/linux-x64": {name: {
                kind: {asset: value for asset, value in of.items() if asset != "libhostfxr.so"}
                for kind, of in assets.items()}}}}
        (folder / f"{framework}.deps.json").write_text(json.dumps(listed))
    (to / "shared/Microsoft.AspNetCore.App/9.0.1/Microsoft.AspNetCore.App.runtimeconfig.json").write_text(
        config("Microsoft.NETCore.App", "9.0.1"))
    for rest in ("sdk/9.0.102/dotnet.dll", "packs/Microsoft.NETCore.App.Ref/9.0.1/x.dll", "templates/9.0.1/x.nupkg"):
        (to / rest).parent.mkdir(parents=True)
        (to / rest).write_text("")
    (root / "usr/bin/dotnet").symlink_to(f"/{home}/dotnet")
    application(root, "app")


def application(root, place):
    shutil.copytree(compiled(), root / place, dirs_exist_ok=True)
    for identifier in ("win-x64", "linux-arm64", "linux-musl-x64"):
        (root / place / "runtimes" / identifier).mkdir(parents=True, exist_ok=True)
        (root / place / "runtimes" / identifier / "x.dll").write_text("")


def started(root, program, dll, home=HOME):
    """The program that starts a dll: that of the package, with another name in it."""
    install(root, home)
    bytes_ = (fetched(PROGRAM) / "package/dist/azmcp").read_bytes()
    mark = b"azmcp.dll" + bytes(64)
    if bytes_.count(mark) != 1:
        raise roots.Failed("azmcp does not hold its name once")
    (root / program).parent.mkdir(parents=True, exist_ok=True)
    (root / program).write_bytes(bytes_.replace(mark, dll.encode().ljust(len(mark), b"\0")))
    (root / program).chmod(0o755)


def whole(root):
    shutil.copytree(fetched(PROGRAM) / "package/dist", root / "app")
    (root / "app/azmcp").chmod(0o755)


def single(root):
    (root / "app").mkdir()
    shutil.copy2(fetched(SINGLE) / "package/dist/mcptmp", root / "app/mcptmp")


def tool(root):
    started(root, "opt/tools/hello", ".store/hello/1.0/hello.dll")
    application(root, "opt/tools/.store/hello/1.0")


def config(framework="Microsoft.NETCore.App", version="9.0.0", properties=None, **more):
    options = {"framework": {"name": framework, "version": version}, "configProperties": properties or {}, **more}
    return json.dumps({"runtimeOptions": options})


NETCORE = f"{HOME}/shared/Microsoft.NETCore.App"
REST = [f"{HOME}/sdk", f"{HOME}/packs", f"{HOME}/templates", "app/runtimes/win-x64", "app/runtimes/linux-arm64"]
OLD, NEW = [f"{NETCORE}/3.1.23", f"{HOME}/host/fxr/3.1.23"], [f"{NETCORE}/9.0.1"]
ICU = "usr/lib/x86_64-linux-gnu/libicuuc.so.72"
ASP = f"{HOME}/shared/Microsoft.AspNetCore.App"
DOTNET = "/usr/bin/dotnet"
INVARIANT = {"System.Globalization.Invariant": True, "System.Globalization.PredefinedCulturesOnly": False}
UNPACKED = {"DOTNET_BUNDLE_EXTRACT_BASE_DIR": "/opt/unpacked", "HOME": "/tmp"}


def case(make, argv, absent, settings=None, files=None, **more):
    own = {"/app/hello.runtimeconfig.json": settings} if settings else {}
    return {"base": "dotnet", "make": make, "key": SOURCE.read_text() + Path(__file__).read_text(), "run": "true",
            "files": {**own, **(files or {})}, "argv": argv, "absent": absent, "status": 7, **more}


TRACER = f"{NETCORE}/9.0.1/libcoreclrtraceptprovider.so"
LAYOUTS = {
    "dll": case(install, [DOTNET, "hello.dll", "a", judge.PEER], [*REST, *OLD, ASP, TRACER], config(), present=[ICU, *NEW]),
    "exec": case(install, ["dotnet", "exec", "--runtimeconfig", "/etc/hello/x.json", "/app/hello.dll"], [*REST, *OLD, ASP],
                 files={"/etc/hello/x.json": config(version="9.0.1")}, workdir="/"),
    "older": case(install, [DOTNET, "hello.dll", "nohash"], [*REST, *NEW, ASP], config(version="3.1.0", properties=INVARIANT)),
    "major": case(install, [DOTNET, "hello.dll"], [*REST, *OLD, ASP], config(version="5.0.0", rollForward="Major")),
    "variable": case(install, [DOTNET, "hello.dll"], [*REST, *OLD, ASP], config(version="3.1.0", rollForward="LatestPatch"),
                     env={"DOTNET_ROLL_FORWARD": "LatestMajor"}),
    "word": case(install, [DOTNET, "--roll-forward", "LatestMajor", "hello.dll"], [*REST, *OLD], config(version="3.1.0"),
                 env={"DOTNET_ROLL_FORWARD": "LatestPatch"}),
    "exactly": case(install, [DOTNET, "--fx-version", "3.1.23", "hello.dll", "nohash"], [*REST, *NEW], config(properties=INVARIANT)),
    "web": case(install, [DOTNET, "hello.dll"], [*REST, *OLD], config("Microsoft.AspNetCore.App"), present=[ASP, *NEW], seccomp=True),
    "invariant": case(install, [DOTNET, "hello.dll"], [*REST, *OLD, ICU], config(properties=INVARIANT)),
    "program": case(lambda root: started(root, "app/hello", "hello.dll"), ["/app/hello", "x"],
                    [*REST, *OLD, ASP, f"{HOME}/dotnet"], config(), seccomp=True),
    "program-elsewhere": case(lambda root: started(root, "app/hello", "hello.dll", "opt/dn"), ["./hello"],
                              ["opt/dn/sdk", "opt/dn/dotnet", "opt/dn/host/fxr/3.1.23"], config(), env={"DOTNET_ROOT": "/opt/dn"}),
    "program-registered": case(lambda root: started(root, "app/hello", "hello.dll", "opt/dn"), ["./hello"],
                               ["opt/dn/sdk", "opt/dn/dotnet"], config(), files={"/etc/dotnet/install_location": "/opt/dn\n"}),
    "tool": case(tool, ["/opt/tools/hello"], [*REST, *OLD], workdir="/", files={
        "/opt/tools/.store/hello/1.0/hello.runtimeconfig.json": config()}),
    "self-contained": case(whole, ["/app/azmcp", "--help"], ["app/libcoreclrtraceptprovider.so", "app/libmscordbi.so"], status=0,
                           seccomp=True),
    # Its native libraries are unpacked while the image is made, readable by all: a container has no place for them.
    "single-file": {**case(single, ["/app/mcptmp", "--help"], [], status=0, present=[ICU, "opt/unpacked"], env=UNPACKED,
                           seccomp=True),
                    "run": "DOTNET_BUNDLE_EXTRACT_BASE_DIR=/opt/unpacked /app/mcptmp --help; chmod -R a+rX /opt"},
}

if __name__ == "__main__":
    sys.exit(layouts.main(LAYOUTS, __doc__))
