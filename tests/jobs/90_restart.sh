# 90_restart.sh - training that is stopped by a signal, by the limit of wall time or by a kill, and goes on on another number of ranks:
# the same bytes as without a stop. tests/reliability does it at length.
. tests/jobs/lib.sh

"$POLYRANK" data synth "$WORK/kill.h5" --stations 6 --rows 420 --seed 3 >/dev/null
sed 's/fidelity: analog/fidelity: quantized/' tests/reliability/kill.yaml >"$WORK/job.yaml"
cd "$WORK" || exit
files="result.h5 summary.json trace.json loss.csv stdout"

run() { # run N ARGUMENTS...: on N ranks into $WORK/run; the status in $rc
    local n=$1 launch=
    shift
    [ "$n" = 1 ] || launch="mpirun --timeout $LIMIT -n $n"
    mkdir -p run
    timeout $OUTER $launch "$POLYRANK" train job.yaml -q -o run "$@" >run/stdout 2>stderr
    rc=$?
}

equal() { # equal NAME
    for f in $files; do same "$1: $f" whole/$f run/$f; done
}

has() { # has NAME TEXT: the one message
    if grep -qF -- "$2" stderr; then pass "$1"; else fail "$1" "no message with '$2'" stderr; fi
}

status() { # status NAME EXPECTED
    if [ $rc = "$2" ]; then pass "$1: exit $2"; else fail "$1" "exit $rc, expected $2" stderr; fi
}

run 1 && mv run whole

# Wall time: at the latest after the first steps; then on 3 ranks, and on 2 to the end.
run 1 --max-wall 50ms
status "wall limit" 75
has "wall limit" "stopped by the limit of wall time after step"
works "check of a checkpoint" "$POLYRANK" check run/checkpoint.h5
if [ -e run/result.h5 ]; then fail "wall limit" "left a result"; else pass "wall limit: no result"; fi
run 3 --resume auto
status "resume on 3 ranks" 0
equal "resume on 3 ranks"

# What is complete stays: its report is told again.
run 2 --resume auto
status "resume of a complete run" 0
has "resume of a complete run" "run/result.h5 is complete: nothing is left to do"
equal "resume of a complete run"
run 1
status "without --resume a result is not replaced" 2

# Without tensors many steps are one call, which ends where a checkpoint is due.
rm -rf run && mkdir run
run 1 --timing-only --set train.switch.policy=always --checkpoint-steps 5
status "timing-only with checkpoints" 0
[ -e run/checkpoint.h5 ] && pass "a checkpoint of a timing-only run" || fail "a checkpoint of a timing-only run" "there is none"
mv run timing && mkdir run
run 1 --timing-only --set train.switch.policy=always && cmp -s run/result.h5 timing/result.h5 && pass "checkpoints change nothing" || fail "checkpoints change nothing" "result.h5 differs"

# A signal to one rank of three, then to mpirun itself.
for target in rank mpirun; do
    signal=USR1
    [ $target = rank ] && signal=TERM
    rm -rf run
    mkdir run
    timeout $OUTER mpirun -n 3 "$POLYRANK" train job.yaml -q -o run --set train.epochs=6 --checkpoint-steps 1 >run/stdout 2>stderr &
    pid=$!
    for ((i = 0; i < 20 * LIMIT; i++)); do [ -e run/checkpoint.h5 ] && break; sleep 0.05; done
    mpirun_pid=$(pgrep -P $pid)
    if [ $target = rank ]; then kill -$signal "$(pgrep -P "$mpirun_pid" | tail -n 1)"; else kill -$signal "$mpirun_pid"; fi
    wait $pid
    rc=$?
    status "$signal to $target" 75
    has "$signal to $target" "stopped by a signal after step"
    run 5 --resume auto
    status "$signal to $target, resumed on 5 ranks" 0
    equal "$signal to $target, resumed on 5 ranks"
done

# Kept for what follows: two checkpoints of a run that was stopped.
rm -f run/result.h5 run/summary.json run/trace.json run/loss.csv
cp -r run stopped

# Of another job: the key is named, nothing is touched.
run 1 --resume auto --set train.minibatch=8
status "resume of another job" 2
has "resume of another job" "it belongs to another job: train.minibatch was '16' and is '8'"
"$POLYRANK" data synth kill.h5 --stations 6 --rows 420 --seed 4 --force >/dev/null 2>&1 || { rm kill.h5; "$POLYRANK" data synth kill.h5 --stations 6 --rows 420 --seed 4 >/dev/null; }
run 1 --resume auto
status "resume with other data" 2
has "resume with other data" "the data set or model has changed since"
rm kill.h5
"$POLYRANK" data synth kill.h5 --stations 6 --rows 420 --seed 3 >/dev/null

# Damaged: the one before is taken; both damaged: refused. No checkpoint at all: from the beginning.
truncate -s -100 run/checkpoint.h5
run 3 --resume auto
status "newest damaged" 0
has "newest damaged" "passed over: run/checkpoint.h5: damaged"
equal "newest damaged"
rm -rf run
cp -r stopped run
for f in checkpoint checkpoint.prev; do truncate -s -100 run/$f.h5; done
run 1 --resume auto
status "both damaged" 4
has "both damaged" "no checkpoint is valid"
run 1 --resume job.yaml
status "not a checkpoint" 4
rm -rf run
run 2 --resume auto
status "no checkpoint" 0
equal "no checkpoint: from the beginning"
