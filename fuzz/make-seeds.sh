#!/usr/bin/env bash
# Makes the files of world/ and seeds/ anew: tiny ELF files of this machine's gcc, caches of its ldconfig, and texts.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc() { gcc -nostdlib -fno-asynchronous-unwind-tables -Os -s -Wl,-z,noseparate-code,-z,norelro,--build-id=none,--hash-style=both "$@"; }
dlopen_note() { # JSON
    printf 'asm(".section .note.dlopen,\\"a\\",@note\\n.balign 4\\n.long 4, 2f-1f, 0x407c0c0a\\n.asciz \\"FDO\\"\\n1: .asciz \\"%s\\"\\n2: .balign 4\\n.previous");\n' "${1//\"/\\\\\\\"}"
}

mkdir -p world seeds/{elf,cache,notes,shebang,profile,dpkg,lists}
cat >"$work/ld.c" <<'C'
__attribute__((used)) static const char texts[] = "/etc/ld.so.cache\0glibc-hwcaps\0stable release version 2.36.\0";
__attribute__((used)) static const char dirs[] = "\0/lib/\0/usr/lib/\0";
__attribute__((used)) static const unsigned long lengths[] = {5, 9};
C
cat >"$work/musl.c" <<'C'
__attribute__((used)) static const char texts[] = "/etc/ld-musl-x86_64.path\0/lib:/usr/local/lib:/usr/lib\0";
C
{ dlopen_note '[{"soname":["libb.so"],"priority":"recommended"}]'; echo 'int a(void) { return 1; }'; } >"$work/a.c"
{ dlopen_note '[{"soname":["liba.so","libd.so"],"feature":"d","priority":"required"}]'; echo 'int b(void) { return 2; }'; } >"$work/b.c"
echo 'int d(void) { return 3; }' >"$work/d.c"
{
    dlopen_note '[{"soname":["libx.so","libd.so"],"description":"d"}]'
    echo 'extern int a(void), b(void), dlopen(const char *); int _start(void) { return a() + b() + dlopen("libd.so") + dlopen("/usr/lib/libb.so"); }'
} >"$work/prog.c"
echo 'int _start(void) { return 0; }' >"$work/plain.c"

shared() { cc -shared -fPIC "$@"; }
shared -Wl,-soname,ld-linux-x86-64.so.2 "$work/ld.c" -o world/ld.so
shared -Wl,-soname,libc.so "$work/musl.c" -o world/ld-musl.so
for name in a b d; do shared "-Wl,-soname,lib$name.so" "$work/$name.c" -o "world/lib$name.so"; done
shared -Wl,-soname,libfuzz.so "$work/d.c" -o "$work/libfuzz.so"
undefined=-Wl,--unresolved-symbols=ignore-all,--no-as-needed
cc -pie -fPIE "$undefined" -Wl,-I,/lib64/ld.so "$work/prog.c" world/liba.so world/libb.so -o world/prog
cc -pie -fPIE "$undefined" -Wl,-I,/lib/ld-musl-x86_64.so.1,-rpath,'$ORIGIN/../lib' "$work/prog.c" world/liba.so world/libb.so -o world/musl
cc -pie -fPIE "$undefined" -Wl,-I,/lib64/ld.so "$work/plain.c" "$work/libfuzz.so" world/liba.so -o world/host
cc -pie -fPIE "$undefined" -Wl,-I,/lib/fuzz-ld.so "$work/plain.c" world/liba.so -o world/guest

cp world/prog world/ld.so world/ld-musl.so world/liba.so seeds/elf/
cc -static "$work/plain.c" -o seeds/elf/static
cc -m32 -pie -fPIE "$undefined" -Wl,-I,/lib/ld.so,-rpath,'$ORIGIN/$LIB:/x',--disable-new-dtags "$work/prog.c" -o seeds/elf/i386
shared -Wl,-soname,libf.so,--filter=liba.so,--auxiliary=libb.so,--audit=libd.so,-z,nodefaultlib,--hash-style=gnu "$work/d.c" -o seeds/elf/filter
python3 - <<'PY'
import struct
# Big-endian and made by hand: PT_LOAD, PT_DYNAMIC, two names.
names = b"\0libc.so\0libself.so\0$ORIGIN/x\0"
tags = [(5, 512), (10, len(names)), (1, 1), (14, 9), (29, 20), (0, 0)]
head = b"\x7fELF\x02\x02\x01" + bytes(9) + struct.pack(">HHIQQQIHHHHHH", 3, 22, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
load = struct.pack(">IIQQQQQQ", 1, 5, 0, 0, 0, 512 + len(names), 512 + len(names), 4096)
dynamic = struct.pack(">IIQQQQQQ", 2, 4, 256, 256, 256, 16 * len(tags), 16 * len(tags), 8)
body = (head + load + dynamic).ljust(256, b"\0") + b"".join(struct.pack(">QQ", *tag) for tag in tags)
open("seeds/elf/s390x", "wb").write(body.ljust(512, b"\0") + names)
text = b'[{"soname":["liba.so","libq.so"],"feature":"f","description":"d","priority":"required"}]\0'
open("seeds/notes/text", "wb").write(text)
note = struct.pack("<III", 4, len(text), 0x407C0C0A) + b"FDO\0" + text
open("seeds/notes/segment", "wb").write(struct.pack("<III", 4, 4, 3) + b"GNU\0idid" + note)
PY

mkdir -p "$work/root/"{etc,lib/glibc-hwcaps/x86-64-v3,usr/lib}
cp world/lib?.so "$work/root/usr/lib/"
cp world/liba.so "$work/root/lib/glibc-hwcaps/x86-64-v3/"
for form in new compat old; do
    /sbin/ldconfig -X -r "$work/root" -c "$form" -C /etc/cache 2>/dev/null
    cp "$work/root/etc/cache" "seeds/cache/$form"
done

printf '#!/bin/sh\n' >seeds/shebang/plain
printf '#! /usr/bin/env  -S A=1 -i prog -u\n' >seeds/shebang/env
printf '#!/bin/s\r\n' >seeds/shebang/loop
cat >seeds/profile/all <<'T'
format = 1
name = "all"
summary = "s"
extends = ["base"]
[[when]]
soname = "liba*"
imports = ["a"]
strings = ["lib"]
[[take]]
paths = ["/usr/**/d/*", "/etc/[a-p]*"]
exclude = ["/**/*.key"]
elf = true
why = "w"
need = "expected"
[[take]]
first = ["/usr/lib/*.so", "/etc/?.conf"]
links-only = true
why = "w"
[[open]]
sonames = ["libd.so"]
why = "w"
[[make]]
path = "/etc/passwd"
accounts = ["a:x:1:1::/:/x"]
why = "w"
[[make]]
path = "/etc/m"
mode = "0600"
text = "m"
why = "w"
[[dir]]
path = "/tmp"
mode = "01777"
owner = "1:2"
why = "w"
[env]
A = "b"
T
printf 'Package: prog\nArchitecture: amd64\nDepends: prog-common (= 1), libc6 | x\n\nPackage: prog-common\nSource: prog (1)\nArchitecture: all\n\n%%%%\n/.\n/etc/a.conf\n/usr/lib/prog\n/var/lib/prog\n/usr/lib/liba.so\n' >seeds/dpkg/two
printf 'Package: prog\nArchitecture: amd64\nDepends: prog-common\n\nPackage: prog-common\nSource: prog\nArchitecture: all\n\n%%%%\n/etc/x\n/usr/lib/prog\n' >seeds/dpkg/architecture
printf 'liba.so:/usr/lib/libd.so # x\n$ORIGIN/../lib:${LIB}/$PLATFORM;/usr/lib//\n' >seeds/lists/tokens
printf ':rel:/lib\n/usr/lib' >seeds/lists/plain
# Databases of fixtures/rpm; `sqlite` and `header` were taken out of what rpm made of the same packages.
mkdir -p seeds/rpm && cp ../fixtures/rpm/Packages.db seeds/rpm/ndb
mkdir -p seeds/config
printf 'load_module liba.so;\ninclude d/*.conf; root /etc; # x\nhttp { module "a b" ${x}; }\n' >seeds/config/braces
printf 'Define own /usr/lib\n<IfModule x>\nModule ${own}/libb.so \\\n  liba\n</IfModule>\nInclude /etc/d\nbase /usr/lib\n' >seeds/config/lines
printf 'providers = p\n.include d/y.conf\n[p]\nliba = l # x\ndefault = d\n[l]\nmodule = "/usr/lib/libb.so, libd"\n' >seeds/config/keys
printf '@include d/y.conf\nauth [success=1 default=ignore] liba.so file=/etc/a.conf\n-session optional gone.so\nauth substack d\n' >seeds/config/pam
printf '<?xml version="1.0"?><!-- x --><f><dir prefix="xdg">d</dir><include ignore_missing="yes">d</include><dir>/etc/d</dir></f>' >seeds/config/xml
printf 'x\0dir=/usr/lib;\0/opt/lib:/usr/lib\0' >seeds/config/probe
mkdir -p seeds/{apk,headers,layout,jar,shell,sources,servers,services,dotnet}
printf 'C:Q1x\nP:prog\nV:1-r0\nA:x86_64\no:prog\nD:so:libc.musl-x86_64.so.1\nF:bin\nR:prog\na:0:0:755\nZ:Q1y\n\nP:prog-data\nV:1\no:prog\nF:usr/share/prog\nR:index\nF:var/lib/prog\n\n' >seeds/apk/two
printf 'xp\n12 path=d/a\n18 linkpath=etc/b\n29 SCHILY.xattr.user.a=bytes\n10 size=3\n%%%%\n0short\nabc\n%%%%\n2l>d/a\n' >seeds/headers/pax
printf 'L././@LongLink\nlong/name\n%%%%\nK././@LongLink\nlong/target\n%%%%\n2a>b\n%%%%\n1h>a\n%%%%\n5dir/\n%%%%\n0dir/.wh.x\n%%%%\n0dir/.wh..wh..opq\n' >seeds/headers/gnu
printf 'xp\n22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n26 GNU.sparse.name=sparse\n28 GNU.sparse.realsize=1024\n%%%%\n0GNUSparseFile.0/sparse\n1\n512\n512\n%%%%\nSold>>9\n%%%%\ngall\n' >seeds/headers/sparse
cat >seeds/layout/plain <<'T'
{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"@1","size":9,"platform":{"architecture":"amd64","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}
%%
{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"@2"},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"@3","size":2048}]}
%%
{"architecture":"amd64","os":"linux","config":{"Cmd":["/x","y"],"Env":["A=b"],"ExposedPorts":{"80/tcp":{}},"Labels":{"l":"m"},"User":"1:2","WorkingDir":"/etc"},"rootfs":{"type":"layers","diff_ids":["@3"]}}
%%
x
T
cat >seeds/layout/index <<'T'
{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"@1"}]}
%%
{"manifests":[{"mediaType":"m","digest":"@2","platform":{"architecture":"unknown","os":"unknown"}},{"mediaType":"m","digest":"@2"}]}
%%
{"config":{"mediaType":"c","digest":"@3"},"layers":[]}
T
printf 'Manifest-Version: 1.0\nClass-Path: lib/b.jar ../app/cla\n sses/ file:/srv/app/lib/c.jar /srv\nMain-Class: Main\n' >seeds/jar/manifest
python3 - <<'PY'
import zipfile
for name, way in ("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(f"seeds/jar/{name}", "w", way) as jar:
        for inside, text in ("META-INF/MANIFEST.MF", "Class-Path: lib/b.jar classes/\n"), ("BOOT-INF/lib/", ""), ("../x", "x"):
            jar.writestr(zipfile.ZipInfo(inside, (1980, 1, 1, 0, 0, 0)), text, way)
PY
cat >seeds/shell/run <<'T'
set -eu
. "$(dirname "$0")/env.sh"
: "${PORT:=80}" ${HOME%/*}
case "${1:-}" in -*) set -- prog "$@" ;; prog|x) shift;; esac
if [ "$(id -u)" = 0 ] && command -v su-exec; then exec su-exec app "$0" "$@"; fi
for i in a b; do (cd /srv/app && env A="$i" python3 main.py "$i" | /bin/prog >&2) & done
f() { local x=$1; eval "exec prog $x"; }
cat <<E
$(prog -v) `prog`
E
trap 'kill 1' TERM
exec "$@"
%%
export A=b PATH=/srv/app:$PATH
T
cat >seeds/sources/python <<'T'
0import subprocess, ctypes
subprocess.run(["prog", "-x"], shell=True)
os.system("prog | sh")
ctypes.CDLL("liba.so"); ctypes.util.find_library("a")
%%
import setuptools
try:
    import tkinter
except ImportError: pass
%%
home = /usr/bin
include-system-site-packages = true
T
cat >seeds/sources/site <<'T'
1import a
%%
os.execvp("prog", ["prog"])
%%
/srv/app/lib
import sys; x
# c
T
cat >seeds/sources/node <<'T'
2const {spawn, execSync} = require("child_process");
spawn("prog", ["x"]); execSync(`prog -x`);
import x from "../lib/a.js";
%%
require("a")
%%
{"scripts":{"start":"node main.js"},"main":"main.js","dependencies":{"a":"1"},"workspaces":["lib"]}
T
cat >seeds/sources/lock <<'T'
3require("a")
%%
{"name":"a","main":"x.js","os":["linux"],"optionalDependencies":{"b":"*"}}
%%
{"lockfileVersion":3,"packages":{"node_modules/a":{"dev":true},"":{"dependencies":{"a":"1"}}}}
T
cat >seeds/sources/pnp <<'T'
4x
%%
"packageLocation": "./.yarn/__virtual__/d-1/2/c/d.zip/node_modules/d/","packageLocation": "./"
%%
{"packages":{"node_modules/a":{"devOptional":true}}}
T
cat >seeds/sources/perl <<'T'
5use FindBin; use lib "$FindBin::Bin/lib";
system("prog", "x"); my $x = `prog -v`; open(F, "-|", "prog");
require "./lib/A.pm"; BEGIN { unshift @INC, dirname(__FILE__) . "/lib" }
%%
exec "prog";
%%
use local::lib;
T
cat >seeds/sources/php <<'T'
6<?php shell_exec("prog -x"); $x = `prog`; proc_open(["prog"], []);
%%
<?php exec("prog");
%%
{"packages":[{"name":"a/b","install-path":"../a/b"}],"dev":true,"dev-package-names":["a/b"]}
T
cat >seeds/sources/ruby <<'T'
8$LOAD_PATH.unshift File.expand_path("../lib", __FILE__)
require_relative "lib/a"
system("prog x"); Open3.capture2("prog"); `prog`
%%
group :test do
  gem "a"
end
gem "b", group: [:x]
%%
GEM
  remote: x
  specs:
    a (1.0)
      b
    b (2)

DEPENDENCIES
  a
T
printf '9require "a"\n%%%%\nexec "prog"\n%%%%\nBUNDLE_PATH: "vendor"\nBUNDLE_WITHOUT: "test:x"\n' >seeds/sources/bundle
cat >seeds/servers/both <<'T'
[global]
error_log = /var/log/php/e.log ; x
include=/etc/php-fpm.d/*.conf
chdir = "/srv/app"
logconfig = "/srv/app/log.ini"
%%
[www]
listen = /run/php/x.sock
php_admin_value[auto_prepend_file] = "/srv/app/wsgi.py"
php_value[session.save_path]=/var/log/php
chroot = /srv/app
%%
--chdir=/srv/app --pythonpath /srv/app,/srv --log-config /srv/app/log.ini -c python:x
T
cat >seeds/services/all <<'T'
#%PAM-1.0
auth [success=1 default=ignore] pam_a.so file=/etc/a.conf
@include other
-session optional gone.so
prog account required pam_a.so
%%
[Service]
User=prog
ExecStart=-/bin/prog -x \
 y
%%
root:x:0:0:root:/root:/bin/sh
prog:x:7:8::/:/bin/sh
prog:x:8:prog
%%
passwd: files systemd
hosts: files [NOTFOUND=return] dns
T
cat >seeds/dotnet/all <<'T'
{"runtimeOptions":{"tfm":"net8.0","framework":{"name":"Microsoft.NETCore.App","version":"8.0.0"},"rollForward":"LatestMinor","additionalProbingPaths":["/srv/packages"],"configProperties":{"System.Globalization.Invariant":true}}}
%%
{"runtimeTarget":{"name":".NETCoreApp,Version=v8.0"},"targets":{".NETCoreApp,Version=v8.0":{"b/1.0.0":{"runtime":{"lib/b.dll":{}},"native":{"n.so":{}}}}},"libraries":{"b/1.0.0":{"type":"package","path":"b/1.0.0"}}}
%%
{"runtimeOptions":{"additionalProbingPaths":"/srv"}}
%%
{"runtimeOptions":{"frameworks":[{"name":"x","version":"1"}]}}
T
chmod 644 world/* seeds/*/*
