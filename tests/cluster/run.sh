#!/bin/bash
# run.sh - the program under a real SLURM of four nodes, and on three hosts that talk over TCP; both are made of this one machine for the
# time of the test. Needs root; installs nothing. Ends with 'cluster: N passed, N failed'.
#   tests/cluster/run.sh [slurm|hosts]
set -u
cd "$(dirname "$0")/../.." || exit
scripts/bootstrap --check --cluster || exit 2
[ "$(id -u)" = 0 ] || { echo "polyrank: check-cluster needs root: it makes namespaces and starts slurmd" >&2; exit 2; }
. scripts/mpi-env.sh
export POLYRANK=$PWD/${BUILD:-build}/polyrank ROOT=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/polyrank-cluster.XXXXXX")
export PASSED=$work/passed FAILED=$work/failed
: >"$PASSED"
: >"$FAILED"
parts=()
stop() {
    trap - EXIT TERM INT
    for pid in "${parts[@]}"; do kill -TERM "$pid" 2>/dev/null; done
    wait
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' TERM INT

for part in ${1:-slurm hosts}; do
    export WORK=$work/$part
    mkdir "$WORK"
    bash tests/cluster/"$part"_test.sh >"$WORK.log" 2>&1 &
    parts+=($!)
done
for part in ${1:-slurm hosts}; do
    wait "${parts[0]}" || echo "$part: ended with exit status $?" >>"$FAILED"
    parts=("${parts[@]:1}")
    echo "-- $part"
    cat "$work/$part.log"
done
passed=$(wc -l <"$PASSED") failed=$(wc -l <"$FAILED")
[ "$failed" = 0 ] || sed 's/^/failed: /' "$FAILED"
echo "cluster: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
