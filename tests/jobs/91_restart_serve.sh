# 91_restart_serve.sh - serving that is killed or stopped at some moment and goes on on another number of ranks: the same bytes as without a
# stop, with tensors and without.
. tests/jobs/lib.sh

cp data/stories260k.h5 "$WORK/model.h5"
cd "$WORK" || exit
printf '%s\n' "Once upon a time" "One day a cat" "The sun" "Tim and Sue" "A big red ball" "Mum" >prompts.txt
cat >functional.yaml <<'Y'
name: served
cluster: {name: s, devices: [{kind: gpu, profile: a100-80g}, {kind: hbm-pim, profile: attacc-bank, count: 3}],
  links: {host: pcie4, bridge: nvlink3, stack: nvlink3}}
decoder: {file: model.h5}
serve: {prompts: prompts.txt, output_tokens: 60, instances: 2, router: least-loaded, partition: sequence, temperature: 0.9, max_batch: 4, token_budget: 16, block_tokens: 4,
  prefix_caching: true, sample_s: 1 ms, recovery_s: 1 ms}
faults: [{device: hbm-pim1, at: 10 ms, kind: fails, instance: 1}]
Y
cat >swapped.yaml <<'Y'
name: swapped
cluster: {name: s, devices: [{kind: gpu, profile: a100-80g, memory_bytes: 1260 kB}], links: {host: pcie4}}
decoder: {file: model.h5}
serve: {prompts: prompts.txt, output_tokens: 40, temperature: 0.9, max_batch: 4, token_budget: 16, block_tokens: 4, preemption: swap}
Y
cat >timing.yaml <<'Y'
name: served
cluster: {name: s, devices: [{kind: gpu, profile: a100-80g, count: 2}, {kind: hbm-pim, profile: attacc-bank, count: 4}],
  links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}}
decoder: {model: gpt-3-13b}
placement: {numerics: fp16}
serve: {requests: 250, rate_per_s: 40, input_tokens: 100, output_tokens: 120, max_batch: 12, instances: 3, router: central, sample_s: 1 s}
faults: [{device: hbm-pim2, at: 1 s, kind: fails, instance: 1}, {device: gpu0, at: 2 s, kind: degrades, factor: 0.5}]
Y

serve() { # serve JOB N ARGUMENTS...: into $WORK/run; the status in $rc
    local job=$1 n=$2 launch=
    shift 2
    [ "$n" = 1 ] || launch="mpirun --timeout $LIMIT -n $n"
    timeout $OUTER $launch "$POLYRANK" serve "$job.yaml" -q -o run "$@" >stdout 2>stderr
    rc=$?
}
equal() { # equal NAME JOB
    for f in requests.csv answers.jsonl summary.json serving.h5; do
        [ ! -e "$2/$f" ] || same "$1: $f" "$2/$f" run/$f
    done
}
has() { # has NAME TEXT
    if grep -qaF -- "$2" stderr; then pass "$1"; else fail "$1" "no message with '$2'" stderr; fi
}
status() { # status NAME EXPECTED
    if [ $rc = "$2" ]; then pass "$1: exit $2"; else fail "$1" "exit $rc, expected $2" stderr; fi
}
# hit JOB N SIGNAL EXPECTED ARGUMENTS...: goes on on N ranks until there is a new checkpoint, then one rank gets the signal.
hit() {
    local job=$1 n=$2 signal=$3 expected=$4 launch= was pid parent ranks
    shift 4
    [ "$n" = 1 ] || launch="mpirun --timeout $LIMIT -n $n"
    was=$(stat -c %i run/checkpoint.h5 2>/dev/null)
    timeout $OUTER $launch "$POLYRANK" serve "$job.yaml" -q -o run --resume auto "$@" >stdout 2>stderr &
    pid=$!
    for ((i = 0; i < 900; i++)); do
        [ "$(stat -c %i run/checkpoint.h5 2>/dev/null)" != "$was" ] && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.02
    done
    sleep 0.0$((RANDOM % 10))
    parent=$(pgrep -P $pid)
    ranks=$parent
    [ "$n" = 1 ] || ranks=$(pgrep -P "$parent")
    kill "-$signal" "$(echo $ranks | tr ' ' '\n' | sed -n "$((RANDOM % n + 1))p")" 2>/dev/null
    wait $pid 2>/dev/null
    rc=$?
    [ $rc = 0 ] || status "$job: $signal to one of $n ranks" "$expected" # it may have been over
}

serve functional 1 && mv run functional
sed -n '/^model /,$p' stdout >first
serve timing 1 && mv run timing

hit functional 2 KILL 137 --checkpoint-steps 9
hit functional 5 TERM 75 --checkpoint-steps 9
hit functional 1 KILL 137 --checkpoint-steps 9
serve functional 3 --resume auto
status "functional: to the end on 3 ranks" 0
equal "functional" functional
serve functional 1 --resume auto
status "functional: a complete run" 0
sed -n '/^model /,$p' stdout >again
same "functional: a complete run tells its report again" first again
has "functional: a complete run" "run/serving.h5 is complete: nothing is left to do"
serve functional 1
status "functional: without --resume a result is not replaced" 2

# KV that is on the host at the moment of the checkpoint
rm -rf run
serve swapped 1 --checkpoint-steps 37
mv run swapped
if h5dump -d /state/kept/n swapped/checkpoint.prev.h5 | grep -q '(0): [1-9]'; then pass "a checkpoint holds KV of the host"
else fail "a checkpoint holds KV of the host" "it has none"; fi
cp -r swapped run
rm run/serving.h5 run/summary.json run/checkpoint.h5
mv run/checkpoint.prev.h5 run/checkpoint.h5
serve swapped 3 --resume auto
status "swapped: to the end on 3 ranks" 0
equal "swapped" swapped

rm -rf run
serve functional 1 --max-wall 40ms
status "wall limit" 75
has "wall limit" "stopped by the limit of wall time after iteration"
works "check of a checkpoint" "$POLYRANK" check run/checkpoint.h5
if grep -q "a checkpoint of served (serving)" stdout; then pass "check tells what it is"; else fail "check tells what it is" "it does not" stdout; fi
cp -r run stopped
serve functional 1 --resume auto --set serve.seed=2
status "another job" 2
has "another job" "it belongs to another job: serve.seed was '0' and is '2'"
echo "One line more" >>prompts.txt
serve functional 1 --resume auto
status "other prompts" 2
has "other prompts" "has changed since"
sed -i '$d' prompts.txt
echo "rows that nobody knows" >>run/requests.csv
serve functional 2 --resume auto
status "rows written later" 0
equal "rows written later" functional
rm -rf run
cp -r stopped run
sed -i '1s/request/REQUEST/' run/requests.csv
serve functional 1 --resume auto
status "rows that were changed" 4
has "rows that were changed" "bytes are not those that the checkpoint knows"
rm run/requests.csv
serve functional 1 --resume auto
status "rows that are gone" 4

rm -rf run
hit timing 1 KILL 137 --checkpoint-steps 60
hit timing 3 USR1 75 --checkpoint-steps 60
serve timing 2 --resume auto
status "timing only: to the end on 2 ranks" 0
equal "timing only" timing
