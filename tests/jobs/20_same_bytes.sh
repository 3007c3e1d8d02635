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
  mode: $(pick "$s" 19 full lora did said)
  adapter: {width: 3, targets: $(pick "$s" 20 "[q, v]" "[k, o, ffn0]" "[q, k, v, o, ffn0, ffn1]")}
  intrinsic_dim: 40
  seed: $s
placement:
  numerics: $(pick "$s" 17 fp32 fp32 bf16 fp16)
  bucket_bytes: $(pick "$s" 18 "1 kB" "25 MB")
output:
  predictions: true
X
    [ "$s" -le 6 ] || sed -i 's/kind: gpu/kind: systolic/
        s/profile: .*/profile: systolic-32-7nm\n      numerics: int8\n      memory_mode: scalesim\n      dataflow: os/' "$2"
}

# Virtual time and energy, which timing-only runs have too.
virtual() { python3 - "$1" <<'X'
import json, sys
run = json.load(open(sys.argv[1]))
curve = {k: run["curve"][k] for k in ("step", "virtual_time_ps", "energy_j", "learning_rate")}
print(json.dumps([run["device"], curve, run["virtual_time_ps"], run["energy_j"]], sort_keys=True, indent=1))
X
}

# train NAME N ARGUMENTS...: trains $file on N ranks (0: without mpirun) into the same folder, which is then renamed, since the
# folder's name is part of the job that a result holds.
train() {
    local name=$1 n=$2 launch=
    shift 2
    [ "$n" = 0 ] || launch="mpirun --timeout 100 -n $n"
    rm -rf "$WORK/run" "$WORK/$name"
    works "$name" $launch "$POLYRANK" train "$file" -q -o "$WORK/run" "$@" || return 1
    mv "$WORK/run" "$WORK/$name"
    cp "$WORK/stdout" "$WORK/$name/stdout"
}

same() { # same NAME A B: equal byte for byte
    if cmp "$2" "$3" >"$WORK/cmp" 2>&1; then pass "$1"; else fail "$1" "differs" "$WORK/cmp"; fi
}

seeds="1 2 3 4 5 6 7"
[ -z "${SAN:-}" ] || seeds="1 2 7"
for s in ${SAME_BYTES_SEEDS:-$seeds}; do
    file=$WORK/random-$s.yaml
    job "$s" "$file"
    train "job-$s" 0 || continue
    trace=trace.json # compressed when it is large
    [ -e "$WORK/job-$s/$trace" ] || trace=trace.json.gz
    for n in 1 2 3 5 8; do
        train "job-$s-on-$n" $n || continue
        for f in result.h5 summary.json $trace stdout; do
            same "job $s on $n ranks: $f" "$WORK/job-$s/$f" "$WORK/job-$s-on-$n/$f"
        done
    done
    train "job-$s-timing" 0 --timing-only || continue
    virtual "$WORK/job-$s/summary.json" >"$WORK/functional"
    virtual "$WORK/job-$s-timing/summary.json" >"$WORK/timing"
    [ "$(wc -c <"$WORK/timing")" -gt 100 ] || fail "job $s, timing only" "no times in the summary"
    same "job $s: timing only equals functional" "$WORK/functional" "$WORK/timing"
done
