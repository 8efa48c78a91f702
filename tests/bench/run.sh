#!/usr/bin/env bash
# Numbers that README and the changelog state: slimroot beside the tools it is compared with, in one run, on this machine.
#   tests/bench/run.sh [ROOT]     a Debian root with ffmpeg (made by mmdebstrap if none is given); needs root, hyperfine,
#                                 libtree, pigz
set -euo pipefail
cd "$(dirname "$0")/../.."

root=${1:-/var/tmp/slimroot-test/bookworm-ffmpeg}
rounds=${ROUNDS:-5}
if [ ! -d "$root" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep '/debian/*$' | head -n 1)
    mmdebstrap --variant=minbase --include=ffmpeg bookworm "$root.tmp" "$mirror"
    mv "$root.tmp" "$root"
fi
RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --release --target x86_64-unknown-linux-gnu
slimroot=$PWD/target/x86_64-unknown-linux-gnu/release/slimroot
work=$(mktemp -d /var/tmp/slimroot-bench.XXXXXX)
trap 'rm -rf "$work"; rm -f "$root/usr/bin/libtree"' EXIT
cp "$(command -v libtree)" "$root/usr/bin/libtree"

ms() { # median wall time of a command in ms, warm, over $2 runs
    hyperfine -N --warmup 3 --runs "$2" --export-json "$work/time.json" "$1" >/dev/null 2>&1
    python3 -c "import json; print(round(json.load(open('$work/time.json'))['results'][0]['median'] * 1000, 1))"
}
seconds() { # wall time of a shell command in ms, once
    local from to
    from=$(date +%s%N); sh -c "$1" >/dev/null 2>&1; to=$(date +%s%N)
    echo $(((to - from) / 1000000))
}
ratio() { python3 -c "print(round($1 / $2, 2))"; }

"$slimroot" build --root "$root" -o "$work/tree" -- ffmpeg >"$work/report" 2>/dev/null
grep holds "$work/report"
echo "binary: $(stat -c %s "$slimroot") bytes, $(uname -m), $(nproc) cores"

echo "== deps of ffmpeg, whole process, warm, median of 20"
ours=$(ms "$slimroot deps --root $root --format list ffmpeg" 20)
theirs=$(ms "chroot $root /usr/bin/libtree -p /usr/bin/ffmpeg" 20)
empty=$(ms "$slimroot --version" 20)
echo "slimroot $ours ms   libtree $theirs ms   ratio $(ratio "$ours" "$theirs")   (slimroot --version $empty ms)"

echo "== writing the closure, best of $rounds interleaved rounds, ms"
declare -A best
run() { # name, command
    local took
    rm -rf "$work/out" "$work/copy"
    took=$(seconds "$2")
    if [ -z "${best[$1]:-}" ] || [ "$took" -lt "${best[$1]}" ]; then best[$1]=$took; fi
}
for ((i = 0; i < rounds; i++)); do
    run cp "cp -a $work/tree $work/copy"
    run dir "$slimroot build --root $root -o dir:$work/out -- ffmpeg"
    run pigz "tar -C $work/tree -c . | pigz | sha256sum"
    run oci "$slimroot build --root $root -o oci:$work/out -- ffmpeg"
    run zstd "$slimroot build --root $root --compression zstd -o oci:$work/out -- ffmpeg"
    run tarzstd "tar -C $work/tree -c . | tee >(sha256sum) | zstd -3 -T2 | sha256sum" 2>/dev/null || true
    run plain "$slimroot build --root $root --compression none -o oci:$work/out -- ffmpeg"
done
echo "cp -a ${best[cp]}   slimroot dir: ${best[dir]}   ratio $(ratio "${best[dir]}" "${best[cp]}")"
echo "tar|pigz|sha256sum ${best[pigz]}   slimroot oci: gzip ${best[oci]}   ratio $(ratio "${best[oci]}" "${best[pigz]}")"
echo "slimroot oci: zstd ${best[zstd]}   none ${best[plain]}"

echo "== peak memory, KiB"
for codec in gzip zstd none; do
    rm -rf "$work/out"
    peak=$(python3 - "$slimroot" build --root "$root" --compression "$codec" -o "oci:$work/out" -- ffmpeg <<'PY'
import os, sys
child = os.fork()
if child == 0:
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    os.dup2(1, 2)
    os.execv(sys.argv[1], sys.argv[1:])
print(os.wait4(child, 0)[2].ru_maxrss)
PY
)
    echo "$codec $peak"
done
