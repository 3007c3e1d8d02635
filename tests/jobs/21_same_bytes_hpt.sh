# 21_same_bytes_hpt.sh - jobs of both families with all three kinds of devices and a switch in the middle: equal on 1, 2, 3, 5 and 8 ranks,
# folded and not; timing-only equals functional.
. tests/jobs/lib.sh

data=$WORK/synth-hpt.h5
works "synthetic data" "$POLYRANK" data synth "$data" --stations 6 --rows 260 --seed 9 || exit

gaps=$WORK/synth-gaps.h5
works "synthetic data with gaps" "$POLYRANK" data synth "$gaps" --stations 10 --rows 260 --step 30m --missing 0.1 --seed 10 || exit

# The sections model and data: from seed 11 on the traffic model, on data with missing values.
model() { # model SEED
    local s=$1
    if [ "$s" -gt 10 ]; then
        cat <<X
model:
  preset: traffic
  d_model: $(pick "$s" 7 8 16)
  heads: $(pick "$s" 8 2 4)
  layers: $(pick "$s" 9 1 2)
  ffn: $(pick "$s" 10 8 24)
  residual: $(pick "$s" 12 true false)
data: {file: $gaps, window: 4, horizon: 3, test_fraction: 0.2, normalise: global}
X
    else
        cat <<X
model:
  preset: $(pick "$s" 6 wind swe covid)
  d_model: $(pick "$s" 7 8 16)
  heads: $(pick "$s" 8 2 4)
  layers: $(pick "$s" 9 1 2 3)
  ffn: $(pick "$s" 10 8 24)
  embed_hidden: 8
  dropout: $(pick "$s" 11 0 0.1)
  residual: $(pick "$s" 12 true false)
data: {file: $data, window: 4, test_fraction: 0.2}
X
    fi
}

job() { # job SEED FILE
    local s=$1
    cat >"$2" <<X
name: hpt-$s
cluster:
  name: random
  devices:
    - {kind: systolic, profile: systolic-32-7nm, count: $(pick "$s" 1 1 2 3)}
    - {kind: gpu, profile: a100-80g, count: $(pick "$s" 2 1 2)}
    - kind: reram
      profile: $(pick "$s" 3 isaac prime-like)
      count: $(pick "$s" 4 1 2 3)
      fidelity: $(pick "$s" 5 quantized analog ideal)
  links: {inside: nvlink3, host: pcie4, stack: stack-3d}
$(model "$s")
train:
  steps: 6
  minibatch: 8
  optimiser: {kind: adamw, learning_rate: 1e-3}
  clip_norm: $(pick "$s" 13 0 1)
  adapter: {width: 2, targets: $(pick "$s" 14 "[q, v]" "[k, o, ffn0]" "[q, k, v, o, ffn0, ffn1]")}
  switch: {policy: at, at_step: $(pick "$s" 15 3 0 4)}
  seed: $s
placement:
  policy: hpt
  micro_batches: $(pick "$s" 16 1 2 4)
  replicas: $(pick "$s" 17 0 1)
output:
  predictions: true
X
}

seeds="1 4 11"
for s in ${SAME_BYTES_SEEDS:-$seeds}; do
    file=$WORK/hpt-$s.yaml
    job "$s" "$file"
    same_everywhere "hpt-$s"
done
