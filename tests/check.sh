#!/bin/sh
# check.sh - builds and runs all tests; the last line is 'N passed, N failed'. Exit 1 when something failed.
set -u
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
export BUILD
log=$BUILD/check.log
jobs=$(nproc 2>/dev/null || echo 2)
make --no-print-directory -j"$jobs" ${SAN:+SAN=1} ${COV:+COV=1} BUILD="$BUILD" all "$BUILD/check-unit" "$BUILD/check-mpi" "$BUILD/check-golden" >"$BUILD.make.log" 2>&1 || { tail -n 40 "$BUILD.make.log"; rm -f "$BUILD.make.log"; echo "0 passed, 1 failed"; exit 1; }
rm -f "$BUILD.make.log"
. scripts/mpi-env.sh
if [ -n "${SAN:-}" ]; then
    export ASAN_OPTIONS=fast_unwind_on_malloc=0:quarantine_size_mb=8 LSAN_OPTIONS=suppressions=$(pwd)/tests/lsan.supp:print_suppressions=0
fi
: >"$log"

export CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-10} # a time limit ends a hang; a loaded machine is none

# stage NAME COMMAND...: its output is shown and kept. One that ends badly without having counted a failure (a leak that is found at the
# end of a process) is one.
stage() {
    name=$1
    shift
    echo "== $name"
    {
        "$@" 2>&1 || echo "$name: status $?" >"$log.bad"
    } | tee "$log.stage"
    if [ -e "$log.bad" ] && ! grep -qE '(^| )[1-9][0-9]* failed' "$log.stage"; then
        echo "$(cat "$log.bad"): 0 passed, 1 failed" | tee -a "$log.stage"
    fi
    cat "$log.stage" >>"$log"
    rm -f "$log.bad" "$log.stage"
}

unit_tests() {
    cat "$BUILD/unit.log"
    return "$unit_status"
}

check_layers() { if scripts/layers; then echo "layers: 1 passed, 0 failed"; else echo "layers: 0 passed, 1 failed"; fi; }

"$BUILD/check-unit" >"$BUILD/unit.log" 2>&1 & # one core's work, beside the others
unit=$!
stage layers check_layers
stage "MPI tests" tests/mpi/run.sh
stage "golden tensors" "$BUILD/check-golden" tests/golden/tensors
stage "golden tensors of the traffic model" "$BUILD/check-golden" tests/golden/tensors_traffic
stage "jobs" tests/jobs/run.sh
stage "pages in a browser" tests/browser/run.sh
unit_status=0
wait "$unit" || unit_status=$?
stage "unit tests" unit_tests

# Every stage ends with lines 'NAME: N passed, N failed' (golden: 'N passed, N failed, N skipped').
awk '/[0-9]+ passed, [0-9]+ failed/ {
         for (i = 1; i <= NF; i++) { if ($(i + 1) ~ /^passed/) passed += $i; if ($(i + 1) ~ /^failed/) failed += $i }
         lines++ }
     END { if (lines < 10) { print "only " lines " of at least 10 counts told their counts"; failed++ }
           printf "%d passed, %d failed\n", passed, failed; exit failed != 0 }' "$log"
