#!/bin/bash
# kills.sh [KILLS=60] [SEED=1] - SIGKILL to a random rank at a random moment of a training run, again and again; after each the run
# goes on with --resume auto on another number of ranks. In the end every file equals that of a run that nobody killed.
#
# Prints a row for each kill: ranks before and after, the step it was aimed behind, that of the checkpoint gone on from (- none yet), in
# which mode that was, whether a checkpoint was being written. Ends with 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.."
. scripts/mpi-env.sh
. tests/reliability/lib.sh
export OMPI_MCA_odls_base_sigkill_timeout=0
kills=${1:-60} RANDOM=${2:-1}
program=$PWD/${BUILD:-build}/polyrank
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ranks=(1 2 3 5 8)
files="result.h5 summary.json trace.json loss.csv stdout"

cp tests/reliability/kill.yaml "$work/hpt.yaml"
sed 's/policy: hpt, window.*/policy: at, at_step: 40, trial_steps: 10}/; s/targets: .*/targets: [q, k, v, o], init: svd}/
     s/fidelity: analog/fidelity: quantized/' tests/reliability/kill.yaml >"$work/at.yaml"
sed '/kind: reram/d; /kind: systolic/d; s/policy: hpt, micro.*/policy: gpu-only}/; s/  switch: .*//; s/  adapter: .*//
     s/epochs: 6/epochs: 8/' tests/reliability/kill.yaml >"$work/full.yaml"
"$program" data synth "$work/kill.h5" --stations 6 --rows 420 --seed 3 >/dev/null || exit 1
jobs=(hpt hpt at full)
declare -A steps=([hpt]=120 [at]=120 [full]=160)

# start JOB N ARGUMENTS...: into $work/run; stdout beside its files.
start() {
    local job=$1 n=$2 launch=
    shift 2
    [ "$n" = 1 ] || launch="mpirun -n $n"
    mkdir -p "$work/run"
    (cd "$work" && exec $launch "$program" train "$job.yaml" -q -o run "$@" >run/stdout 2>stderr)
}

# The runs that nobody kills.
for job in hpt at full; do
    rm -rf "$work/run"
    start "$job" 2 || { cat "$work/stderr"; exit 1; }
    mv "$work/run" "$work/$job"
done

# The checkpoint that stands: its step and its mode.
standing() {
    local file
    file=$(standing_file)
    [ -n "$file" ] || { echo "- -"; return; }
    local step state
    step=$(h5dump -d /state/run/step "$file" 2>/dev/null | sed -n 's/.*(0): \([0-9]*\).*/\1/p')
    state=$(h5dump -d /state/switch/state "$file" 2>/dev/null | sed -n 's/.*(0): \([0-9]*\).*/\1/p')
    local names=(full trial low)
    echo "${step:--} ${names[${state:-0}]}"
}

# Waits until the run under PID has passed STEP, then at most a tenth of a second, and kills a random one of its ranks.
kill_after() { # kill_after PID STEP
    local step _
    while kill -0 "$1"; do
        read -r step _ < <(standing)
        [ "$step" = - ] && [ "$2" -gt 0 ] && { sleep 0.02; continue; }
        [ "$step" = - ] || [ "$step" -ge "$2" ] || { sleep 0.02; continue; }
        break
    done
    sleep "0.$(printf '%03d' $((RANDOM % 100)))"
    kill_one "$1"
}

exec 2>/dev/null # the shell tells of every process that was killed
passed=0 failed=0 n_kills=0 in_writing=0
printf '%4s  %-5s %5s  %6s  %7s  %-5s  %-7s  %5s  %s\n' kill job ranks target from mode writing 'again' result
while [ $n_kills -lt "$kills" ]; do
    job=${jobs[$((RANDOM % ${#jobs[@]}))]} n=${ranks[$((RANDOM % ${#ranks[@]}))]} every=$((RANDOM % 12 + 4))
    rm -rf "$work/run"
    rows=0 from=0
    for attempt in 1 2; do # two kills in some runs
        target=$((from + RANDOM % (steps[$job] - from)))
        start "$job" "$n" --checkpoint-steps $every --resume auto &
        pid=$!
        kill_after "$pid" $target
        wait "$pid" && break # it was faster
        writing=no
        ! ls "$work"/run/*.tmp >/dev/null 2>&1 || { writing=yes; in_writing=$((in_writing + 1)); }
        n_kills=$((n_kills + 1)) rows=$((rows + 1))
        read -r step mode < <(standing)
        before=$n n=$(other "$n") from=${step/-/0}
        printf '%4d  %-5s %5d  %6d  %7s  %-5s  %-7s  %5d' $n_kills $job "$before" $target "$step" "$mode" $writing "$n"
        [ $attempt = 1 ] && [ $((RANDOM % 2)) = 0 ] && [ "$from" -lt $((steps[$job] - 1)) ] && { printf '  killed again\n'; continue; }
        break
    done
    [ $rows -gt 0 ] || continue
    finish $rows "$job" "$n" --checkpoint-steps $every --resume auto
done
echo "$n_kills kills, $in_writing of them while a checkpoint was written"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
