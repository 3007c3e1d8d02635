# 80_sweep.sh - studies: the table does not depend on how its points were run, what is done stays done, failures stay in the table.
. tests/jobs/lib.sh

cat >"$WORK/study.yaml" <<EOF
name: heads
job: $PWD/jobs/demo.yaml
timing_only: true
set: {output.trace: false}
metrics: [virtual_time_s, energy_j, n_parameters]
objectives: {minimise: [virtual_time_s, energy_j]}
runs:
  grid:
    model.heads: [1, 3, 2]             # 3 does not divide the width
EOF
sweep() { # NAME EXIT FOLDER ARGUMENTS...
    local name=$1 want=$2 folder=$3
    shift 3
    timeout $OUTER "$POLYRANK" sweep "$WORK/study.yaml" -q -o "$WORK/$folder" "$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null
    local got=$?
    if [ $got = "$want" ]; then pass "$name"; else fail "$name" "exit status $got, expected $want" "$WORK/stderr"; fi
}
same_tables() { # NAME FOLDER
    same "$1: csv" "$WORK/one/study.csv" "$WORK/$2/study.csv"
    same "$1: h5" "$WORK/one/study.h5" "$WORK/$2/study.h5"
}

# The pool: one at a time, two at a time.
sweep "one run at a time" 1 one --jobs 1
sed '/^results:/d' "$WORK/stdout" >"$WORK/told"
if [ "$(grep -c '^[123],ok,0,' "$WORK/one/study.csv")" = 2 ] && grep -q '^2,failed,2,3,.*heads' "$WORK/one/study.csv" &&
    grep -q 'point 2 failed, exit status 2' "$WORK/told"; then pass "a point that fails stays in the table"; else
    fail "a point that fails stays in the table" "not 2 ok and 1 failed" "$WORK/one/study.csv"
fi
sweep "two runs at a time" 1 two --jobs 2
sed '/^results:/d' "$WORK/stdout" >"$WORK/again"
same "two at a time: stdout" "$WORK/told" "$WORK/again"
same_tables "two at a time" two

# The points of an array, in another order, then the table. A table of some points says what is missing.
sweep "a point of an array" 0 array --index 3
sweep "a point that fails" 2 array --index 2
sweep "a table with a gap" 1 array --collect
grep -q '^1,missing,0,1,' "$WORK/array/study.csv" && pass "what is missing" || fail "what is missing" "not told" "$WORK/array/study.csv"
sweep "the last point of an array" 0 array --index 1
sweep "the table of an array" 1 array --collect
same_tables "an array" array
sweep "a point that is done" 0 array --index 1
grep -q 'point 1 was done' "$WORK/stdout" && pass "is not run again" || fail "is not run again" "it was" "$WORK/stdout"

# Killed in the middle and started again: done points stay, the rest is run.
before=$(stat -c %Y.%i "$WORK/array/points/0001/result.h5")
rm -rf "$WORK/array/points/0003"
"$POLYRANK" sweep "$WORK/study.yaml" -q -j 1 -o "$WORK/array" >/dev/null 2>&1 &
child=$!
for _ in $(seq 200); do
    [ -e "$WORK/array/points/0003/point.json" ] && break
    sleep 0.05
done
kill -9 $child
wait $child 2>/dev/null
sweep "again after a kill" 1 array
same_tables "again after a kill" array
[ "$before" = "$(stat -c %Y.%i "$WORK/array/points/0001/result.h5")" ] && pass "done points stay" || fail "done points stay" "run again"

# A signal: the runs end, exit status 75, nothing is lost.
rm -rf "$WORK/array/points/0003"
"$POLYRANK" sweep "$WORK/study.yaml" -q -j 1 -o "$WORK/array" >"$WORK/stdout" 2>"$WORK/stderr" &
child=$!
for _ in $(seq 200); do
    [ -e "$WORK/array/points/0003/point.json" ] && break
    sleep 0.05
done
kill -TERM $child
wait $child
got=$?
[ $got = 75 ] && pass "stopped by a signal" || fail "stopped by a signal" "exit status $got, expected 75" "$WORK/stderr"
sweep "again after a signal" 1 array
same_tables "again after a signal" array

# What cannot be is said before anything runs.
mkdir "$WORK/bad"
out=$WORK/stdout err=$WORK/stderr # of refuses_once
for bad in "model.headz: [1]|did you mean" "model.heads: [1, -1]|study.yaml:9: runs.grid.model.heads" \
    "cluster.devices[7].count: [1]|study.yaml:9: point 1: --set cluster.devices[7].count"; do
    sed "s/model.heads: .*/${bad%|*}/" "$WORK/study.yaml" >"$WORK/bad/study.yaml"
    refuses_once "refused: ${bad%|*}" 2 "${bad#*|}" timeout $OUTER "$POLYRANK" sweep "$WORK/bad/study.yaml" -o "$WORK/out"
done
refuses_once "refused: an index beyond the end" 2 "--index: expected a point from 1 to 3" timeout $OUTER "$POLYRANK" sweep "$WORK/study.yaml" -o "$WORK/out" --index 4
refuses_once "refused: no study" 4 "none.yaml" timeout $OUTER "$POLYRANK" sweep "$WORK/none.yaml"
refuses_once "refused: nothing there" 4 "nothing has been run yet" timeout $OUTER "$POLYRANK" sweep "$WORK/study.yaml" -o "$WORK/out" --collect
timeout $OUTER mpirun --timeout $LIMIT -n 2 "$POLYRANK" sweep "$WORK/study.yaml" --list >"$WORK/stdout" 2>"$WORK/stderr"
grep -q 'sweep is one process' "$WORK/stderr" && pass "refused: several ranks" || fail "refused: several ranks" "no message" "$WORK/stderr"

# A scaling study over the emulator's ranks: the same results, wall times apart.
cat >"$WORK/study.yaml" <<EOF
kind: strong-scaling
job: $PWD/jobs/demo.yaml
set: {output.trace: false, train.epochs: 1}
scaling: {over: ranks, counts: [1, 2]}
EOF
sweep "over ranks" 0 ranks
if grep -q 'the same at every number of ranks' "$WORK/stdout" && grep -q 'wall time of this machine' "$WORK/stderr" &&
    ! grep -q wall "$WORK/stdout" "$WORK/ranks/study.csv" && [ "$(wc -l <"$WORK/ranks/wall.csv")" = 3 ]; then
    pass "wall times apart"
else
    fail "wall times apart" "not so" "$WORK/stderr"
fi
