#!/bin/bash
# run.sh - the real program as a user meets it: exit codes and messages of bad input, sameness over rank counts, tools that read
# the results. Ends with 'jobs: N passed, N failed'.
set -u
cd "$(dirname "$0")/../.."
. scripts/mpi-env.sh
export POLYRANK=$PWD/${BUILD:-build}/polyrank
BUILD_DIR=$PWD/${BUILD:-build}
export BUILD_DIR
work=$(mktemp -d "${TMPDIR:-/tmp}/polyrank-jobs.XXXXXX")
trap 'rm -rf "$work"' EXIT
export WORK=$work
export PASSED=$work/passed FAILED=$work/failed
: >"$PASSED"
: >"$FAILED"
for part in tests/jobs/[0-9]*.sh; do
    echo "-- $part"
    bash "$part"
done
passed=$(wc -l <"$PASSED") failed=$(wc -l <"$FAILED")
[ "$failed" = 0 ] || sed 's/^/failed: /' "$FAILED"
echo "jobs: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
