#!/usr/bin/env bash
# Runs each fuzz target for a while, from the seeds that are checked in and what earlier runs found; stops at a crash, a
# hang or too much memory.
#   fuzz/run.sh [TARGET…]         FUZZ_SECONDS for each, 20 if not said; needs nightly, cargo-fuzz and a C++ compiler
set -euo pipefail
cd "$(dirname "$0")/.."

targets=("$@")
if ((${#targets[@]} == 0)); then
    for file in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    log=$(mktemp)
    # The crate holds no unsafe code: without the address sanitizer ten times as many inputs are tried.
    if ! cargo +nightly fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="${FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 -max_len=16384 >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "fuzz target $target failed; the input is under fuzz/artifacts/$target"
        exit 1
    fi
    printf '%-8s %s\n' "$target" "$(grep -E '^Done ' "$log")"
    rm -f "$log"
done
