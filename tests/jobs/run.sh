#!/bin/bash
# run.sh - the real program as a user meets it: exit codes and messages of bad input, sameness over rank counts, tools that read
# the results. Ends with 'jobs: N passed, N failed'. run.sh PART... runs these parts alone ("10_bad_input 90_restart").
set -u
cd "$(dirname "$0")/../.."
. scripts/mpi-env.sh
export POLYRANK=$PWD/${BUILD:-build}/polyrank
BUILD_DIR=$PWD/${BUILD:-build}
export BUILD_DIR
work=$(mktemp -d "${TMPDIR:-/tmp}/polyrank-jobs.XXXXXX")
trap 'rm -rf "$work"' EXIT
export PASSED=$work/passed FAILED=$work/failed
: >"$PASSED"
: >"$FAILED"

# Each part works in a folder of its own, so they run side by side; what a part says comes in one piece.
export work
part() {
    export WORK=$work/$(basename "$1" .sh)
    mkdir "$WORK"
    bash "$1" >"$WORK.log" 2>&1
    { echo "-- $1"; cat "$WORK.log"; }
}
export -f part
# The longest parts first, so that none of them runs alone at the end.
parts=(10_bad_input 71_serve_bad_input 70_serve 90_restart 21_same_bytes_hpt 11_bad_input_hpt 15_model)
for file in tests/jobs/[0-9]*.sh; do
    name=$(basename "$file" .sh)
    [[ " ${parts[*]} " == *" $name "* ]] || parts+=("$name")
done
[ $# = 0 ] || parts=("$@")
# One more than there are cores: starting and ending a launcher is waiting for the most part.
printf 'tests/jobs/%s.sh\n' "${parts[@]}" | xargs -P $(($(nproc 2>/dev/null || echo 2) + 1)) -I{} bash -c 'part {}'
passed=$(wc -l <"$PASSED") failed=$(wc -l <"$FAILED")
[ "$failed" = 0 ] || sed 's/^/failed: /' "$FAILED"
echo "jobs: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
