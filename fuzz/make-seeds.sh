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
chmod 644 world/* seeds/*/*
