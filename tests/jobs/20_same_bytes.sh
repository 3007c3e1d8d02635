# 20_same_bytes.sh - the same job on 1, 2, 3, 5 and 8 ranks, folded and not: equal files, equal stdout; timing-only equals functional.
. tests/jobs/lib.sh

data=$WORK/synth.h5
works "synthetic data" "$POLYRANK" data synth "$data" --stations 7 --rows 300 --seed 5 || exit

# Random small jobs, each from its number alone.
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
    # Arrays have no kernel for random subspaces.
    [ "$s" -le 6 ] || sed -i 's/kind: gpu/kind: systolic/
        s/mode: .*aid/mode: lora/; s/mode: did/mode: lora/
        s/profile: .*/profile: systolic-32-7nm\n      numerics: int8\n      memory_mode: scalesim\n      dataflow: os/' "$2"
}

seeds="1 2 3 4 5 6 7"
[ -z "${SAN:-}" ] || seeds="1 2 7"
for s in ${SAME_BYTES_SEEDS:-$seeds}; do
    file=$WORK/random-$s.yaml
    job "$s" "$file"
    same_everywhere "job-$s"
done
