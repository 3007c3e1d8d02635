# 70_serve.sh - serving with tensors through the real program: the same bytes on every number of ranks, timing-only as functional, the
# same answers whatever the machine, the partition of the KV cache and the batching.
. tests/jobs/lib.sh

P=$POLYRANK
S=${WORK:?}/serve
mkdir "$S"
python3 - "$S" <<'X' || fail "tokenizer and prompts" "cannot be made"
import struct, sys
piece = lambda text, score=0.0: struct.pack("<fi", score, len(text)) + text
pieces = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)] + [b" ", b"a", b"e", b"h", b"n", b"t"]
scored = [b"th", b"an", b"the", b" a", b" the"]
open(sys.argv[1] + "/tok.bin", "wb").write(struct.pack("<i", 8) + b"".join(map(piece, pieces)) +
                                           b"".join(piece(text, -float(i)) for i, text in enumerate(scored)))
print(len(pieces) + len(scored), file=open(sys.argv[1] + "/size", "w"))
begin = "the cat and the hen ate "
open(sys.argv[1] + "/prompts.txt", "w").write("\n".join(
    ["", "the", begin + "a nut", begin + "the bean and then the tea", "an ant", begin + "an ant", "tee\u00e9 \u4e16"]) + "\n")
X
works "model" "$P" model synth "$S/model.h5" --layers 3 --d-model 24 --heads 6 --kv-heads 3 --ffn 40 --context 96 --seed 8 \
    --vocabulary "$(cat "$S/size")" --tokenizer "$S/tok.bin"

# job NAME DEVICES...: a serving job on them.
job() {
    local name=$1
    shift
    { echo "name: $name"; echo "cluster:"; echo "  name: small"; echo "  devices:"; printf '    - {%s}\n' "$@"
      echo "  links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}"
      echo "decoder: {file: $S/model.h5}"
      echo "serve: {prompts: $S/prompts.txt, output_tokens: 9, max_batch: 4, token_budget: 16, block_tokens: 4}"
    } >"$S/$name.yaml"
}
gpu="kind: gpu, profile: a100-hbm3" pim="kind: hbm-pim, profile: attacc-bank, count: 3"
job gpu "$gpu"
job two "$gpu, count: 2"
job pim "$gpu" "$pim"
job both "$gpu, count: 2" "kind: hbm-pim, profile: attacc-bank, count: 4" # messages and all-reduces
job cpu "$gpu" "kind: cpu, profile: dgx-host-share, count: 2"

# serve NAME JOB N ARGUMENTS...: serves on N ranks (0: without mpirun) into the same folder, renamed, since its name is told.
serve() {
    local name=$1 file=$S/$2.yaml n=$3 launch=
    shift 3
    [ "$n" = 0 ] || launch="mpirun --timeout $LIMIT -n $n"
    rm -rf "${S:?}/run" "${S:?}/$name"
    works "serve $name" $launch "$P" serve "$file" -q -o "$S/run" "$@" || return 1
    mv "$S/run" "$S/$name"
    cp "$WORK/stdout" "$S/$name/stdout"
    [ ! -e "$S/$name/answers.jsonl" ] || sort "$S/$name/answers.jsonl" >"$S/$name/answers"
}
# everywhere NAME JOB "RANKS" ARGUMENTS...: equal files and stdout.
everywhere() {
    local name=$1 job=$2 ranks=$3 n f
    shift 3
    serve "$name" "$job" 0 "$@" || return 1
    [ "$(wc -l <"$S/$name/answers.jsonl")" = 7 ] && [ "$(wc -l <"$S/$name/requests.csv")" = 8 ] || fail "$name" "not 7 answers"
    for n in $ranks; do
        serve "$name-on-$n" "$job" "$n" "$@" || continue
        for f in requests.csv answers.jsonl serving.h5 summary.json stdout; do
            same "$name on $n ranks: $f" "$S/$name/$f" "$S/$name-on-$n/$f"
        done
    done
}
# timing NAME JOB ARGUMENTS...: what NAME has told, without its tensors.
timing() {
    local name=$1 job=$2 f
    shift 2
    serve "$name-timing" "$job" 0 --timing-only "$@" || return 1
    for f in "$name" "$name-timing"; do # without tensors there is room for more KV
        grep -v 'mean_kv_share\|memory_bytes' "$S/$f/summary.json" >"$S/$f/summary"
    done
    for f in requests.csv summary; do
        same "$name: timing only equals functional: $f" "$S/$name/$f" "$S/$name-timing/$f"
    done
}

tight="--set cluster.devices[0].memory_bytes=154kB"
everywhere gpu gpu "1 3 8"
everywhere two two "2 5"
everywhere sequence pim "1 2 3 5 8" --set serve.partition=sequence
everywhere heads pim "2 5" --set serve.partition=heads
everywhere hybrid pim "3" --set serve.partition=hybrid
everywhere auto pim "8" --set serve.partition=auto
everywhere shared pim "3 5" --set serve.ff_share=0.4
everywhere host cpu "2 4"
everywhere both both "2 3 4 7"
everywhere both-shared both "3 7" --set serve.ff_share=0.4
everywhere instances pim "1 2 3 5 8" --set serve.instances=2 --set serve.router=least-loaded --set serve.partition=sequence
everywhere split both "3" --set serve.instances=3 --set serve.prefill_instances=1
# so little memory that sequences have to give way
everywhere swapped gpu "2" $tight --set serve.preemption=swap
awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "swaps") c = i} NR > 1 {n += $c} END {exit !(n > 0)}' \
    "$S/swapped/requests.csv" && pass "KV is swapped" || fail "KV is swapped" "none was" "$S/swapped/requests.csv"
timing instances pim --set serve.instances=2 --set serve.router=least-loaded --set serve.partition=sequence
timing split both --set serve.instances=3 --set serve.prefill_instances=1
timing swapped gpu $tight --set serve.preemption=swap
timing gpu gpu
timing two two
timing sequence pim --set serve.partition=sequence
timing heads pim --set serve.partition=heads
timing shared pim --set serve.ff_share=0.4
timing host cpu

# answers TEXT A B
answers() { same "answers: $1" "$S/$2/answers" "$S/$3/answers"; }
[ "$(grep -o '"token_ids":[^]]*' "$S/gpu/answers" | sort -u | wc -l)" -ge 6 ] && pass "answers vary" ||
    fail "answers vary" "too few different ones" "$S/gpu/answers"
for other in two sequence heads hybrid auto shared host both both-shared instances split swapped; do answers "$other as one GPU" gpu $other; done
variant=0
# varies TEXT REFERENCE JOB ARGUMENTS...: the same answers as REFERENCE's.
varies() {
    local text=$1 reference=$2 job=$3
    shift 3
    variant=$((variant + 1))
    serve "variant-$variant" "$job" 0 "$@" && answers "$text" "$reference" "variant-$variant"
}
# prefixes NAME: some tokens came from blocks of others.
prefixes() {
    awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "prefix_tokens") c = i} NR > 1 {n += $c} END {exit !(n > 0)}' \
        "$S/$1/requests.csv" && pass "prefixes are found" || fail "prefixes are found" "none was" "$S/$1/requests.csv"
}
sequence="--set serve.partition=sequence" whole="--set serve.token_budget=64"
varies "prompts at once" gpu gpu --set serve.batching=prefill-first $whole
varies "static batches" gpu two --set serve.batching=static $whole
varies "prompts at once, PIM" gpu pim $sequence --set serve.batching=prefill-first $whole
varies "prefixes shared" gpu gpu --set serve.prefix_caching=true --set serve.max_batch=2
prefixes variant-4
varies "prefixes shared, PIM" gpu pim $sequence --set serve.prefix_caching=true --set serve.max_batch=2
prefixes variant-5
varies "one at a time" gpu pim --set serve.max_batch=1
varies "heads in a pipeline" gpu pim --set serve.partition=sequence --set serve.head_chunks=3
serve int8 gpu 0 --set serve.kv_numerics=int8
varies "int8 on PIM devices" int8 pim $sequence --set serve.kv_numerics=int8
varies "int8, prompts at once" int8 pim $sequence --set serve.kv_numerics=int8 --set serve.batching=prefill-first $whole

for router in round-robin prefix central; do
    varies "three instances, $router" gpu pim --set serve.instances=3 --set serve.router=$router --set serve.prefix_caching=true
done

# weights in int8: other answers, the same wherever the cache is
everywhere w8 pim "3" --set serve.weight_numerics=int8 --set serve.partition=sequence
timing w8 pim --set serve.weight_numerics=int8 --set serve.partition=sequence
varies "int8 weights on one GPU" w8 gpu --set serve.weight_numerics=int8

# sampling: the seed's, and nobody else's
warm="--set serve.temperature=1 --set serve.top_p=0.9"
serve warm-1 gpu 0 $warm --seed 1
varies "sampled with the same seed on PIM devices" warm-1 pim $warm --seed 1 --set serve.max_batch=2
serve warm-2 gpu 0 $warm --seed 2
if cmp -s "$S/warm-1/answers" "$S/warm-2/answers"; then fail "another seed" "the same answers"; else pass "another seed"; fi
if cmp -s "$S/warm-1/answers" "$S/gpu/answers"; then fail "temperature" "the same answers"; else pass "temperature"; fi

# shares and holders of the cache that cannot be
refuses "a share above 0.9" 2 "serve.ff_share: expected a number from 0 to 0.9 or auto, found '0.95'" "$P" serve "$S/pim.yaml" \
    -o "$WORK/out" --set serve.ff_share=0.95
refuses "a share without PIM devices" 2 "serve.ff_share: expected 0 without hbm-pim devices" "$P" serve "$S/cpu.yaml" -o "$WORK/out" \
    --set serve.ff_share=0.5
job mixed "$gpu" "kind: cpu, profile: dgx-host" "kind: hbm-pim, profile: attacc-bank"
refuses "two kinds of holders" 2 "expected one kind of devices to hold the KV cache" "$P" serve "$S/mixed.yaml" -o "$WORK/out"
