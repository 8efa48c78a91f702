#!/usr/bin/env bash
# The work of action.yml: installs slimroot, packs or checks an image, writes a summary, outputs and a comment. All inputs are
# variables with the names that action.yml gives them. Ends with the exit code of slimroot.
set -euo pipefail

work=${RUNNER_TEMP:?}/slimroot
mkdir -p "$work"
page=$work/summary.md
status=0
: >"$work/report"
exec 4>&2

# The last line of this marks the comment, so that the next run finds it.
mark='<!-- slimroot -->'

install_slimroot() {
    local version=${VERSION:-${ACTION_REF#v}} name base
    [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "::error::name a release of slimroot in \`version\`, such as 0.2.0"; exit 2; }
    name=slimroot-$version-linux-$(uname -m).tar.gz
    base=${GITHUB_SERVER_URL:-https://github.com}/$ACTION_REPOSITORY/releases/download/v$version
    curl --fail --silent --show-error --location --remote-name --output-dir "$work" "$base/$name" --next \
        --fail --silent --show-error --location --remote-name --output-dir "$work" "$base/SHA256SUMS"
    (cd "$work" && sha256sum --quiet --check --ignore-missing SHA256SUMS && tar -xzf "$name")
    PATH=$work/${name%.tar.gz}:$PATH
}

# Runs slimroot; its exit code becomes that of the step, the first one wins. Errors of the run itself end the step.
run() {
    local code=0
    slimroot "$@" || code=$?
    case $code in
    0) ;;
    1 | 5) ((status)) || status=$code ;;
    *)
        cat "$work/report" >&4
        exit "$code"
        ;;
    esac
}

# Text of slimroot in a page: names of files become neither markup nor mentions.
quoted() {
    printf '<pre>\n'
    sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/@/\&#64;/g'
    printf '</pre>\n'
}

output() { printf '%s=%s\n' "$1" "$2" >>"${GITHUB_OUTPUT:-/dev/null}"; }

pack() {
    local entry=() options=(--plan-out "$work/plan.json")
    mapfile -t entry < <(printf '%s' "$ENTRY" && echo)
    [ -z "${BUDGET-}" ] || options+=(--budget "$BUDGET")
    # shellcheck disable=SC2153 # IMAGE is the input.
    run build --root "$IMAGE" --no-inherit --force "${options[@]}" --output "$OUTPUT" -- "${entry[@]}" >"$work/reference" 2>"$work/report"
    cat "$work/report"
    quoted <"$work/report" >>"$page"
    ((status)) || output digest "$(sed -n 's/.*@//p' "$work/reference")"
}

check() {
    local target=("$1")
    run check --format json "${target[@]}" >"$work/findings.json"
    run check --format sarif "${target[@]}" >"$work/findings.sarif"
    run check "${target[@]}" >"$work/findings.txt"
    cat "$work/findings.txt"
    quoted <"$work/findings.txt" >>"$page"
    output findings "$work/findings.json"
    output sarif "$work/findings.sarif"
}

compare() {
    local options=(--format markdown)
    [ -z "${BUDGET-}" ] || options+=(--budget "$BUDGET")
    [ -z "${BASE-}" ] || [ -z "${FAIL_IF_GROWS-}" ] || options+=(--fail-if-grows "$FAIL_IF_GROWS")
    run diff "${BASE:-$1}" "$1" "${options[@]}" >>"$page"
}

# Replaces the comment of an earlier run, or writes the first one.
comment() {
    local comments=repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments id
    id=$(gh api --paginate "$comments" --jq ".[] | select(.body | endswith(\"$mark\")) | .id" | head -n 1)
    printf '\n%s' "$mark" >>"$page"
    # GitHub takes 65,536 characters.
    if [ "$(wc -m <"$page")" -gt 65000 ]; then
        printf 'slimroot: the result is too long for a comment; it is in the summary of the run.\n\n%s' "$mark" >"$page"
    fi
    if [ -n "$id" ]; then
        gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --field "body=@$page" >/dev/null
    else
        gh api --method POST "$comments" --field "body=@$page" >/dev/null
    fi
}

command -v slimroot >/dev/null || install_slimroot
printf '### slimroot\n' >"$page"
image=$IMAGE
if [ -n "${ENTRY-}" ]; then
    image=$OUTPUT
    pack
fi
# A build that failed has written nothing.
if ((status == 0)); then
    output image "$image"
    check "$image"
    if [ -n "${BASE-}" ] || { [ -z "${ENTRY-}" ] && [ -n "${BUDGET-}" ]; }; then compare "$image"; fi
fi
cat "$page" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
if [ "${COMMENT-}" = true ] && [ -n "${PULL_REQUEST-}" ]; then
    comment || echo "::warning::the comment could not be written; does the job have \`pull-requests: write\`?"
fi
exit "$status"
