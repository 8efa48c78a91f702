#!/usr/bin/env bash
# Numbers that README, docs/benchmarks.md and the changelog state: slimroot beside the tools it is compared with, in one
# run, on this machine.
#   tests/bench/run.sh [PART…]    of deps, bind and pack, all if none is named; needs root, hyperfine, libtree, pigz, and
#                                 lddtree (pax-utils, python3-pyelftools)
# DEPS_ROOT is a Debian root with ffmpeg, inkscape, gimp and python3, PACK_ROOT one with ffmpeg; made by mmdebstrap if
# they are not there.
set -euo pipefail
cd "$(dirname "$0")/../.."

programs=(ffmpeg inkscape gimp python3)
deps_root=${DEPS_ROOT:-/var/tmp/slimroot-test/bookworm-bench}
pack_root=${PACK_ROOT:-/var/tmp/slimroot-test/bookworm-ffmpeg}
rounds=${ROUNDS:-5}
parts=${*:-deps bind pack}

make_root() { # directory, package…
    local root=$1 mirror
    shift
    if [ ! -d "$root" ]; then
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep '/debian/*$' | head -n 1)
        mmdebstrap --variant=minbase --include="$(IFS=,; echo "$*")" bookworm "$root.tmp" "$mirror"
        mv "$root.tmp" "$root"
    fi
}
slimroot=$PWD/$(.ci/release binary x86_64)
work=$(mktemp -d /var/tmp/slimroot-bench.XXXXXX)
trap 'rm -rf "$work"; rm -f "$deps_root/usr/bin/libtree"' EXIT

ms() { # median wall time of a command in ms, warm, over $2 runs
    hyperfine -N --ignore-failure --warmup 3 --runs "$2" --export-json "$work/time.json" "$1" >/dev/null 2>&1
    python3 -c "import json; print(round(json.load(open('$work/time.json'))['results'][0]['median'] * 1000, 2))"
}
seconds() { # wall time of a shell command in ms, once
    local from to
    from=$(date +%s%N); sh -c "$1" >/dev/null 2>&1; to=$(date +%s%N)
    echo $(((to - from) / 1000000))
}
ratio() { python3 -c "print(round($1 / $2, 2))"; }

echo "binary: $(stat -c %s "$slimroot") bytes, $(uname -m), $(nproc) cores"

declare -A least
keep() { # key, ms
    if [ -z "${least[$1]:-}" ] || python3 -c "exit(not $2 < ${least[$1]})"; then least[$1]=$2; fi
}

if [[ $parts == *deps* ]]; then
    make_root "$deps_root" "${programs[@]}"
    cp "$(command -v libtree)" "$deps_root/usr/bin/libtree"
    echo "== deps, whole process, warm, ms: the median of 20 (lddtree: 3), the best of $rounds interleaved rounds"
    for ((i = 0; i < rounds; i++)); do
        keep start "$(ms "$slimroot --version" 20)"
        keep chroot "$(ms "chroot $deps_root /bin/true" 20)"
        for program in "${programs[@]}"; do
            keep "$program slimroot" "$(ms "$slimroot deps --root $deps_root --format list $program" 20)"
            keep "$program libtree" "$(ms "chroot $deps_root /usr/bin/libtree -p /usr/bin/$program" 20)"
            keep "$program lddtree" "$(ms "/usr/bin/python3 /usr/bin/lddtree -R $deps_root -l /usr/bin/$program" 3)"
            keep "$program ldd" "$(ms "chroot $deps_root /usr/bin/ldd /usr/bin/$program" 20)"
        done
    done
    echo "process start: slimroot --version ${least[start]}, chroot with an empty program ${least[chroot]}"
    printf '%-10s %8s %10s %10s %10s %10s\n' program objects slimroot libtree lddtree ldd
    for program in "${programs[@]}"; do
        objects=$("$slimroot" deps --root "$deps_root" --format list "$program" | wc -l)
        printf '%-10s %8s' "$program" "$objects"
        for tool in slimroot libtree lddtree ldd; do printf ' %10s' "${least[$program $tool]}"; done
        echo
    done
fi

if [[ $parts == *bind* ]]; then
    make_root "$deps_root" "${programs[@]}"
    echo "== versions and symbols, whole process, warm, ms: the median of 20, the best of $rounds interleaved rounds"
    for ((i = 0; i < rounds; i++)); do
        for program in "${programs[@]}"; do
            keep "$program ldd-r" "$(ms "chroot $deps_root /usr/bin/ldd -r /usr/bin/$program" 20)"
            keep "$program symbols" "$(ms "$slimroot deps --symbols --root $deps_root --format list $program" 20)"
            keep "$program loaded" "$(ms "$slimroot check --loaded-only --root $deps_root $program" 20)"
            keep "$program check" "$(ms "$slimroot check --root $deps_root $program" 20)"
        done
    done
    printf '%-10s %10s %16s %20s %10s\n' program 'ldd -r' 'deps --symbols' 'check --loaded-only' check
    for program in "${programs[@]}"; do
        printf '%-10s %10s %16s %20s %10s\n' "$program" "${least[$program ldd-r]}" "${least[$program symbols]}" \
            "${least[$program loaded]}" "${least[$program check]}"
    done
fi

[[ $parts == *pack* ]] || exit 0
make_root "$pack_root" ffmpeg
root=$pack_root
"$slimroot" build --root "$root" -o "$work/tree" -- ffmpeg >"$work/report" 2>/dev/null
grep holds "$work/report"
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
