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

# Neighbours: stations that attention may look at, by coordinates or by edges. All of them are no mask at all.
curve() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(r["curve"]["loss"], r["evaluation"])' "$1"; }
twice "joint-near" --set model.neighbours=2
shows "joint-near: told" "causal mask, neighbours alone" "$WORK/joint-near/stdout"
train "joint-near-timing" 0 --timing-only --set model.neighbours=2 && {
    virtual "$WORK/joint-near/summary.json" >"$WORK/functional"
    virtual "$WORK/joint-near-timing/summary.json" >"$WORK/timing"
    same "joint-near: timing only equals functional" "$WORK/functional" "$WORK/timing"
}
train "joint-nearest-4" 0 --set model.neighbours=4
train "spatial-near" 0 --set model.attention=spatial --set model.head=preset --set model.neighbours=1
near() { # near NAME TEXT --set ...
    local name=$1 text=$2
    shift 2
    refuses "neighbours: $name" 2 "$text" "$POLYRANK" train "$file" -q -o "$WORK/out" "$@"
}
near "another attention" "model.neighbours: expected 0, since only tokens" --set model.attention=temporal --set model.mask=none --set model.head=preset --set model.neighbours=2
near "negative" "model.neighbours: expected a whole number from 0 to 1000000, or adjacency" --set model.neighbours=-1
near "no adjacency" "expected a data set with an adjacency, found none" --set model.neighbours=adjacency

# The same stations and values with the edges that the coordinates have; then with all edges, and without coordinates.
cat >"$WORK/edges.py" <<'X'
import math, sys
import h5py
with h5py.File(sys.argv[1]) as f:
    places = [(math.radians(a), math.radians(o)) for a, o in zip(f["latitude"][()], f["longitude"][()])]
    names = [name.decode() for name in f["station"][()]]
    values = f["wind_speed"][()]
def apart(a, b):  # haversine
    h = math.sin((a[0] - b[0]) / 2) ** 2 + math.cos(a[0]) * math.cos(b[0]) * math.sin((a[1] - b[1]) / 2) ** 2
    return 2 * math.asin(math.sqrt(h))
n = range(len(places))
with open(sys.argv[2] + "/field.csv", "w") as out:
    out.write(",".join(names) + "\n")
    out.writelines(",".join(repr(float(v)) for v in row) + "\n" for row in values)
with open(sys.argv[2] + "/near.csv", "w") as near, open(sys.argv[2] + "/all.csv", "w") as everyone:
    for out in near, everyone:
        out.write("i,j,w\n")
    for i in n:
        order = sorted((j for j in n if j != i), key=lambda j: apart(places[i], places[j]))
        near.writelines(f"{j},{i},0.5\n" for j in order[:2])
        everyone.writelines(f"{j},{i},1\n" for j in n)
X
if /usr/bin/python3 -c 'import h5py' 2>/dev/null && works "neighbours: edges" /usr/bin/python3 "$WORK/edges.py" "$data" "$WORK"; then
    for name in near all; do
        works "neighbours: import $name" "$POLYRANK" data import "$WORK/field.csv" "$WORK/$name.h5" --adjacency "$WORK/$name.csv"
        train "edges-$name" 0 --set data.file="$WORK/$name.h5" --set model.neighbours=adjacency
    done
    train "edges-none" 0 --set data.file="$WORK/all.h5"
    near "no coordinates" "expected a data set with the coordinates of its stations, found none" --set data.file="$WORK/all.h5" --set model.neighbours=2
else
    echo "   h5py is not here: edges are not compared with coordinates"
fi
for name in joint-hpt joint-near joint-nearest-4 edges-near edges-all edges-none; do
    [ ! -e "$WORK/$name" ] || curve "$WORK/$name/summary.json" >"$WORK/$name.curve"
done
[ ! -e "$WORK/edges-near" ] || same "neighbours: edges of the nearest" "$WORK/joint-near.curve" "$WORK/edges-near.curve"
[ ! -e "$WORK/edges-all" ] || same "neighbours: all edges" "$WORK/edges-none.curve" "$WORK/edges-all.curve"
same "neighbours: 4 nearest of 5 stations" "$WORK/joint-hpt.curve" "$WORK/joint-nearest-4.curve"
if cmp -s "$WORK/joint-hpt.curve" "$WORK/joint-near.curve"; then fail "neighbours" "a mask changes nothing"; else pass "neighbours: a mask changes losses"; fi

# On GPUs alone, without the mask and with dense layers over all tokens.
sed -i '/kind: reram/d; /kind: systolic/d; /switch:/d; s/policy: hpt, micro_batches: 2/policy: gpu-only/
    s/head: token/mask: none/' "$file"
twice "joint-gpus"

# What neighbours cost: 300 stations in a line. Fused attention on GPUs leaves out tiles, in a run with tensors and without; unfused does not.
python3 - "$WORK" <<'X'
import sys
folder, n = sys.argv[1], 300
with open(f"{folder}/line-stations.csv", "w") as f:
    print("name,latitude,longitude", *(f"s{i},{40 + i / 10},10" for i in range(n)), sep="\n", file=f)
with open(f"{folder}/line.csv", "w") as f:
    print(*(f"s{i}" for i in range(n)), sep=",", file=f)
    for t in range(40):
        print(*(5 + (7 * t + 3 * i) % 11 / 10 for i in range(n)), sep=",", file=f)
X
works "neighbours: a line" "$POLYRANK" data import "$WORK/line.csv" "$WORK/line.h5" --layout stations --header --start 2020-01-01T00:00 --step 1h \
    --variable wind_speed --units "m s-1" --stations-file "$WORK/line-stations.csv"
step() { # step NAME ARGUMENTS...: picoseconds of two steps
    local name=$1
    shift
    train "$name" 0 --set data.file="$WORK/line.h5" --set model.attention=spatial --set train.steps=2 "$@" >&2
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["virtual_time_ps"])' "$WORK/$name/summary.json"
}
near4="--set model.neighbours=4" fused="--set placement.attention_kernel=fused"
all_fused=$(step line-all-fused $fused) near_fused=$(step line-near-fused $near4 $fused) timing=$(step line-timing $near4 $fused --timing-only)
all=$(step line-all) near=$(step line-near $near4)
if [ "$near_fused" -lt "$all_fused" ] && [ "$timing" = "$near_fused" ]; then pass "neighbours: fused attention takes less"; else
    fail "neighbours: fused attention" "$near_fused ps ($timing without tensors), $all_fused with all"
fi
if [ "$near" -gt 0 ] && [ "$near" = "$all" ]; then pass "neighbours: unfused attention computes every score"; else
    fail "neighbours: unfused attention" "$near ps, $all with all"
fi
for kernel in "fused GPUs leave out tiles of keys" "unfused save nothing: every score is computed"; do
    works "neighbours: plan, ${kernel%% *}" "$POLYRANK" plan "$file" --set model.neighbours=2 --set placement.attention_kernel="${kernel%% *}"
    shows "neighbours: plan tells, ${kernel%% *}" "neighbours  ${kernel#* }" "$WORK/stdout"
done

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
