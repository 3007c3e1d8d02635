# 26_joint_svd.sh - joint space-time attention, and adapters that start from singular vectors: alone and on 3 ranks the same bytes, in
# one mode and over a switch; what is stored is the model.
. tests/jobs/lib.sh

data=$WORK/joint.h5 file=$WORK/joint.yaml
works "joint: data" "$POLYRANK" data synth "$data" --stations 5 --rows 200 --seed 8 || exit

# twice NAME ARGUMENTS...: trains $file without mpirun and on 3 ranks.
twice() {
    local name=$1 f
    shift
    train "$name" 0 "$@" || return 1
    train "$name-on-3" 3 "$@" || return 1
    for f in result.h5 summary.json stdout; do
        same "$name on 3 ranks: $f" "$WORK/$name/$f" "$WORK/$name-on-3/$f"
    done
}

# shows NAME TEXT FILE
shows() {
    if grep -qF -- "$2" "$3"; then pass "$1"; else fail "$1" "no '$2'" "$3"; fi
}

cat >"$file" <<X
name: joint
cluster:
  name: small-hpt
  devices:
    - {kind: gpu, profile: a100-80g, count: 2}
    - {kind: reram, profile: isaac, count: 2, fidelity: quantized}
    - {kind: systolic, profile: systolic-32-7nm, count: 2}
  links: {inside: nvlink3, host: pcie4, stack: stack-3d}
model: {preset: wind, attention: joint, head: token, d_model: 16, heads: 4, layers: 2, ffn: 24, embed_hidden: 8, dropout: 0}
data: {file: $data, window: 4, horizon: 2, test_fraction: 0.2}
train:
  steps: 5
  minibatch: 8
  optimiser: {learning_rate: 1e-3}
  adapter: {width: 3, init: svd, targets: [q, v, o, ffn0]}
  switch: {policy: at, at_step: 3}
placement: {policy: hpt, micro_batches: 2}
output: {predictions: true}
X
twice "joint-hpt"
train "joint-hpt-timing" 0 --timing-only && {
    virtual "$WORK/joint-hpt/summary.json" >"$WORK/functional"
    virtual "$WORK/joint-hpt-timing/summary.json" >"$WORK/timing"
    same "joint-hpt: timing only equals functional" "$WORK/functional" "$WORK/timing"
}
works "joint: plan" "$POLYRANK" plan "$file"
shows "joint: plan tells the tokens" "20 tokens (4 steps of 5 stations) x 1 features -> 10 outputs" "$WORK/stdout"
shows "joint: plan tells the mask" "causal mask" "$WORK/stdout"

# On GPUs alone, without the mask and with dense layers over all tokens.
sed -i '/kind: reram/d; /kind: systolic/d; /switch:/d; s/policy: hpt, micro_batches: 2/policy: gpu-only/
    s/head: token/mask: none/' "$file"
twice "joint-gpus"
twice "joint-lora-svd" --set train.mode=lora
shows "lora-svd is told" "started from the weights' singular vectors" "$WORK/joint-lora-svd/stdout"
train "joint-zero" 0 --set train.mode=lora --set train.adapter.init=zero --set train.adapter.dropout=0

# The first step's loss is that of the model without adapters, whatever they start as; and what a run with steps too small to matter
# stores, merged, is that model's weights, from the start or over a switch.
tiny="--set train.optimiser.learning_rate=1e-30 --set train.optimiser.weight_decay=0 --set train.steps=1"
train "plain" 0 $tiny
train "svd" 0 $tiny --set train.mode=lora
sed -i 's/^  devices:/  devices:\n    - {kind: reram, profile: isaac, count: 2, fidelity: ideal}\n    - {kind: systolic, profile: systolic-32-7nm, numerics: fp32}/' "$file"
train "svd-switched" 0 $tiny --set placement.policy=hpt --set train.switch.policy=always
if ! /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    echo "   h5py is not here: one check left out"
    exit
fi
/usr/bin/python3 - "$WORK" >"$WORK/weights" 2>&1 <<'X'
import sys
import h5py, numpy
runs = "joint-gpus", "joint-lora-svd", "plain", "svd", "svd-switched"
run = {name: h5py.File(f"{sys.argv[1]}/{name}/result.h5") for name in runs}
for name, full in (("joint-lora-svd", "joint-gpus"), ("svd", "plain"), ("svd-switched", "plain")):
    loss, reference = run[name]["curve/loss"][0], run[full]["curve/loss"][0]
    assert abs(loss / reference - 1) < 1e-5, f"{name}: first loss {loss}, of all weights {reference}"
n = 0
for name in ("svd", "svd-switched"):
    for layer in range(2):
        for part in ("attn.qkv", "attn.o", "ffn.0"):
            weight = f"layers.{layer}.{part}.weight"
            merged, original, frozen = (group[weight][()] for group in (run[name]["merged"], run["plain"]["model"], run[name]["model"]))
            assert abs(merged - original).max() < 1e-6, f"{name}: {weight} is off by {abs(merged - original).max()}"
            assert abs(frozen - original).max() > 0.02, f"{name}: nothing was taken out of {weight}"
            n += 1
print("compared", n)
X
shows "merged weights are the model's" "compared 12" "$WORK/weights"
