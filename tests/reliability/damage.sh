#!/bin/bash
# damage.sh [CASES=200] [SEED=1] - random truncations, bit flips, overwritten ranges and deletions of checkpoints and of the data set;
# then the run is to go on. It must refuse with a message (exit 2 or 4) or fall back to what is whole and end with the bytes of an
# undamaged run: never a crash, never other results. Ends with a full disk in the middle of a checkpoint (root only: a small tmpfs).
#
# Prints a row for each kind of damage; ends with 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.."
. scripts/mpi-env.sh
cases=${1:-200} RANDOM=${2:-1}
program=$PWD/${BUILD:-build}/polyrank
work=$(mktemp -d)
trap 'umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1

sed "/kind: reram/s/analog/quantized/; s/epochs: 6/epochs: 3/" "$OLDPWD/tests/reliability/kill.yaml" >job.yaml
"$program" data synth kill.h5 --stations 6 --rows 420 --seed 3 >/dev/null || exit 1
"$program" train job.yaml -q -o run >stdout || exit 1
mv run whole
cp stdout whole/

# The run as it stands after a stop near its end: two checkpoints. A kill is the stop.
"$program" train job.yaml -q -o run --checkpoint-steps 20 >/dev/null || exit 1
rm run/result.h5 run/summary.json run/trace.json run/loss.csv
mv run stopped

damage() { # damage KIND FILE
    local size at
    size=$(stat -c %s "$2")
    at=$(((RANDOM * 32768 + RANDOM) % size))
    case $1 in
    truncated) truncate -s $at "$2" ;;
    flipped) python3 - "$2" $at $((RANDOM % 8)) <<'X'
import sys
path, at, bit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path, "r+b") as f:
    f.seek(at); byte = f.read(1)[0]
    f.seek(at); f.write(bytes([byte ^ (1 << bit)]))
X
        ;;
    zeroed) dd if=/dev/zero of="$2" bs=1 seek=$at count=$((RANDOM % 4096 + 1)) conv=notrunc 2>/dev/null
        truncate -s "$size" "$2" ;;
    deleted) rm "$2" ;;
    esac
}

kinds=(truncated flipped zeroed deleted)
targets=(newest newest both data)
declare -A refused equal same wrong
passed=0 failed=0
fails() { failed=$((failed + 1)); echo "FAILED: $*"; }

for ((i = 0; i < cases; i++)); do
    kind=${kinds[$((i % 4))]} target=${targets[$((RANDOM % 4))]}
    rm -rf run
    cp -r stopped run
    cp kill.h5 whole.h5
    case $target in
    newest) damage $kind run/checkpoint.h5 ;;
    both) damage $kind run/checkpoint.h5; damage ${kinds[$((RANDOM % 4))]} run/checkpoint.prev.h5 ;;
    data) damage $kind kill.h5 ;;
    esac
    key="$kind $target"
    timeout 60 "$program" train job.yaml -q -o run --resume auto >stdout 2>stderr
    rc=$?
    cp whole.h5 kill.h5
    result=equal
    for f in result.h5 summary.json trace.json loss.csv; do cmp -s whole/$f run/$f || result=other; done
    if [ $rc = 0 ] && [ $result = equal ]; then
        equal[$key]=$((${equal[$key]:-0} + 1)) passed=$((passed + 1))
    elif { [ $rc = 4 ] || [ $rc = 2 ]; } && grep -q '^polyrank: ' stderr && [ ! -e run/result.h5 ]; then
        refused[$key]=$((${refused[$key]:-0} + 1)) passed=$((passed + 1))
    else
        fails "$key: exit $rc, files $result: $(tail -n 1 stderr)"
    fi
    same[$key]=1
done
printf '%-10s  %-7s  %7s  %s\n' damage file refused 'ended with the same bytes'
for key in "${!same[@]}"; do
    printf '%-10s  %-7s  %7d  %d\n' ${key% *} ${key#* } "${refused[$key]:-0}" "${equal[$key]:-0}"
done | sort

# A disk that is full in the middle of a checkpoint.
if mkdir small && mount -t tmpfs -o size=700k none small 2>/dev/null; then
    rm -rf run
    "$program" train job.yaml -q -o small/run --checkpoint-steps 5 --max-wall 1h >/dev/null 2>stderr
    rc=$?
    if [ $rc = 4 ] && [ ! -e small/run/checkpoint.h5.tmp ] &&
        { [ ! -e small/run/checkpoint.h5 ] || "$program" check small/run/checkpoint.h5 >/dev/null; }; then
        passed=$((passed + 1))
        echo "disk full: exit 4: $(tail -n 1 stderr)"
    else
        fails "disk full: exit $rc: $(tail -n 1 stderr); $(ls small/run)"
    fi
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
