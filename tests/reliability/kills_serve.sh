#!/bin/bash
# kills_serve.sh [KILLS=60] [SEED=1] - SIGKILL to a random rank at a random moment of a serving run, again and again; after each the run
# goes on with --resume auto on another number of ranks. In the end every file equals that of a run that nobody killed. With tensors on
# all ranks, and timing-only with several instances; in both a device of the emulated machine is lost on the way.
#
# Prints a row for each kill: ranks before and after, when it came, how many requests the checkpoint that was gone on from knows as
# served (- none yet). Ends with 'N passed, N failed'.
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
files="requests.csv answers.jsonl serving.h5 summary.json"

cp data/stories260k.h5 "$work/model.h5"
printf '%s\n' "Once upon a time" "One day a cat" "The sun" "Tim and Sue" "A big red ball" "Mum" "" "It was" >"$work/prompts.txt"
cat >"$work/functional.yaml" <<'Y'
name: killed
cluster: {name: s, devices: [{kind: gpu, profile: a100-80g}, {kind: hbm-pim, profile: attacc-bank, count: 3}],
  links: {host: pcie4, bridge: nvlink3, stack: nvlink3}}
decoder: {file: model.h5}
serve: {prompts: prompts.txt, output_tokens: 120, partition: sequence, temperature: 0.9, max_batch: 4, token_budget: 16, block_tokens: 4,
  prefix_caching: true, sample_s: 1 ms, recovery_s: 1 ms}
faults: [{device: hbm-pim1, at: 40 ms, kind: fails}]
Y
cat >"$work/timing.yaml" <<'Y'
name: killed
cluster: {name: s, devices: [{kind: gpu, profile: a100-80g, count: 2}, {kind: hbm-pim, profile: attacc-bank, count: 4}],
  links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}}
decoder: {model: gpt-3-13b}
placement: {numerics: fp16}
serve: {requests: 300, rate_per_s: 40, input_tokens: 100, output_tokens: 120, max_batch: 12, instances: 3, router: central, sample_s: 1 s}
faults: [{device: hbm-pim2, at: 2 s, kind: fails, instance: 1}, {device: gpu0, at: 4 s, kind: degrades, factor: 0.5}]
Y
jobs=(functional functional timing)

start() { # start JOB N ARGUMENTS...: into $work/run
    local job=$1 n=$2 launch=
    shift 2
    [ "$n" = 1 ] || launch="mpirun -n $n"
    (cd "$work" && exec $launch "$program" serve "$job.yaml" -q -o run "$@" >stdout 2>stderr)
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# The runs that nobody kills, and how long they take.
declare -A length_ms
for job in functional timing; do
    rm -rf "$work/run"
    before=$(now_ms)
    start "$job" 1 --checkpoint-steps 200 || { cat "$work/stderr"; exit 1; }
    length_ms[$job]=$(($(now_ms) - before))
    mv "$work/run" "$work/$job"
done

# Requests served in the checkpoint that is gone on from.
standing() {
    local file
    file=$(standing_file)
    [ -n "$file" ] || { echo -; return; }
    h5dump -a progress "$file" 2>/dev/null | sed -n 's/.*(0): \([0-9]*\).*/\1/p'
}

exec 2>/dev/null # the shell tells of every process that was killed
passed=0 failed=0 n_kills=0
printf '%4s  %-10s %5s  %8s  %7s  %5s  %s\n' kill job ranks 'at [ms]' 'served' 'again' result
while [ $n_kills -lt "$kills" ]; do
    job=${jobs[$((RANDOM % ${#jobs[@]}))]} n=${ranks[$((RANDOM % ${#ranks[@]}))]} every=$((RANDOM % 30 + 4))
    [ $job = functional ] || every=$((10 * every))
    rm -rf "$work/run"
    rows=0
    for attempt in 1 2 3; do # up to three kills in each run
        at_ms=$((RANDOM * (length_ms[$job] + 300 * n + 300) / 32768))
        start "$job" "$n" --checkpoint-steps $every --resume auto &
        pid=$!
        sleep "$(printf '%d.%03d' $((at_ms / 1000)) $((at_ms % 1000)))"
        kill_one "$pid"
        { wait "$pid"; } 2>/dev/null
        [ $? != 0 ] || break # it was faster
        n_kills=$((n_kills + 1)) rows=$((rows + 1))
        served=$(standing)
        before=$n n=$(other "$n")
        printf '%4d  %-10s %5d  %8d  %7s  %5d' $n_kills $job "$before" $at_ms "$served" "$n"
        [ $attempt -lt 3 ] && [ $((RANDOM % 2)) = 0 ] && { printf '  killed again\n'; continue; }
        break
    done
    [ $rows -gt 0 ] || continue
    finish $rows "$job" "$n" --checkpoint-steps $every --resume auto
done
echo "$n_kills kills"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
