# 20_same_bytes.sh - the same job on 1, 2, 3, 5 and 8 ranks, folded and not: equal files, equal stdout; timing-only equals functional.
. tests/jobs/lib.sh

data=$WORK/synth.h5
works "synthetic data" "$POLYRANK" data synth "$data" --stations 7 --rows 300 --seed 5 || exit

# Random small jobs, each from its number alone.
pick() { # pick SEED INDEX WORD...: one of the words
    local seed=$1 index=$2
    shift 2
    local n=$(( (seed * 7919 + index * 104729 + seed * index * 31) % $# + 1 ))
    echo "${!n}"
}
job() { # job SEED FILE
    local s=$1 d heads
    d=$(pick "$s" 1 8 16 24); heads=$(pick "$s" 2 1 2 4)
    cat >"$2" <<X
name: random-$s
cluster:
  name: random
  devices:
    - kind: gpu
      profile: $(pick "$s" 3 a100-80g v100 h100-sxm a100-hbm3)
      count: $(pick "$s" 4 1 2 3 4 7)
  links: {inside: nvlink3, between: ib-hdr, host: pcie4}
model:
  preset: $(pick "$s" 5 wind swe weather covid)
  d_model: $d
  heads: $heads
  layers: $(pick "$s" 6 1 2)
  ffn: $(pick "$s" 7 8 20)
  embed_hidden: 8
  dropout: $(pick "$s" 8 0 0.1 0.3)
  attention: $(pick "$s" 9 spatial temporal)
  residual: $(pick "$s" 10 true false)
data:
  file: $data
  window: $(pick "$s" 11 3 6)
  horizon: $(pick "$s" 12 1 2)
  test_fraction: 0.2
train:
  steps: 5
  minibatch: $(pick "$s" 13 7 8 13)
  loss: $(pick "$s" 14 mse mae huber)
  optimiser: {kind: $(pick "$s" 15 adamw sgd adam), learning_rate: 1e-3}
  clip_norm: $(pick "$s" 16 0 1)
  seed: $s
placement:
  numerics: $(pick "$s" 17 fp32 fp32 bf16 fp16)
  bucket_bytes: $(pick "$s" 18 "1 kB" "25 MB")
output:
  predictions: true
X
}

# Virtual time and energy, which timing-only runs have too.
virtual() { python3 - "$1" <<'X'
import json, sys
run = json.load(open(sys.argv[1]))
def keep(v):
    if isinstance(v, dict):
        return {k: keep(x) for k, x in v.items() if "_ps" in k or "_fj" in k or "energy" in k or isinstance(x, (dict, list))}
    if isinstance(v, list):
        return [keep(x) for x in v if isinstance(x, (dict, list))]
    return v
print(json.dumps(keep({k: run[k] for k in ("devices", "totals") if k in run}), sort_keys=True))
X
}

seeds=${SAME_BYTES_SEEDS:-"1 2 3 4 5 6"}
for s in $seeds; do
    file=$WORK/random-$s.yaml
    job "$s" "$file"
    works "random job $s, alone" "$POLYRANK" train "$file" -q -f -o "$WORK/r$s-n1" || continue
    sed '/^results: /d' "$WORK/stdout" >"$WORK/first.txt"
    for n in 2 3 5 8; do
        works "random job $s, $n ranks" mpirun --timeout 100 -n $n "$POLYRANK" train "$file" -q -f -o "$WORK/r$s-n$n" || continue
        sed '/^results: /d' "$WORK/stdout" | cmp -s - "$WORK/first.txt" && pass "same report $s $n" || fail "same report $s $n" "stdout differs"
        if h5diff "$WORK/r$s-n1/result.h5" "$WORK/r$s-n$n/result.h5" >"$WORK/h5diff" 2>&1; then pass "same result $s $n"; else fail "same result $s $n" "h5diff" "$WORK/h5diff"; fi
        for f in summary.json trace.json; do
            cmp -s "$WORK/r$s-n1/$f" "$WORK/r$s-n$n/$f" && pass "same $f $s $n" || fail "same $f $s $n" "differs"
        done
    done
    works "random job $s, timing only" "$POLYRANK" train "$file" -q -f --timing-only -o "$WORK/r$s-t" || continue
    [ "$(virtual "$WORK/r$s-n1/summary.json")" = "$(virtual "$WORK/r$s-t/summary.json")" ] && [ "$(virtual "$WORK/r$s-t/summary.json" | wc -c)" -gt 100 ] &&
        pass "timing-only equals functional $s" || fail "timing-only equals functional $s" "virtual time or energy differs"
done
