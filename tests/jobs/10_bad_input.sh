# 10_bad_input.sh - malformed jobs, clusters, data and command lines: exit status, one message, nothing left behind, no hang; alone
# and on 3 ranks.
. tests/jobs/lib.sh

P=$POLYRANK
base=$WORK/base.yaml
data=$WORK/good.h5
"$P" data synth "$data" --stations 4 --rows 80 --seed 1 >/dev/null || fail "good data" "cannot be made"
cat >"$base" <<X
name: base
cluster:
  name: one
  devices:
    - kind: gpu
      profile: a100-80g
      count: 2
  links: {inside: nvlink3, host: pcie4}
model:
  preset: wind
  d_model: 8
  heads: 2
  layers: 1
  ffn: 8
data:
  file: $data
  window: 3
train:
  epochs: 1
  minibatch: 8
output:
  directory: $WORK/out
X

# broken NAME EXIT TEXT SED-SCRIPT: the base job after the edit.
broken() {
    sed "$4" "$base" >"$WORK/broken.yaml"
    refuses "$1" "$2" "$3" "$P" train "$WORK/broken.yaml" -q
}
# with NAME EXIT TEXT ARGUMENTS...: the base job with more arguments.
with() {
    local name=$1 want=$2 text=$3
    shift 3
    refuses "$name" "$want" "$text" "$P" train "$base" -q "$@"
}

# command lines
refuses "no verb" 2 "no verb" "$P"
refuses "unknown verb" 2 "did you mean 'train'" "$P" trian
refuses "no job" 2 "no job" "$P" train
refuses "unknown option" 2 "did you mean --timing-only" "$P" train "$base" --timing-onyl
refuses "unknown short option" 2 "unknown option -z" "$P" train "$base" -z
refuses "option without argument" 2 "--set needs an argument" "$P" train "$base" --set
refuses "argument for a flag" 2 "takes no argument" "$P" train "$base" --quiet=1
refuses "two jobs" 2 "unexpected argument" "$P" train "$base" "$base"
refuses "max-wall without unit" 2 "--max-wall" "$P" train "$base" --max-wall soon
refuses "job that is not there" 4 "no-such-job.yaml" "$P" train "$WORK/no-such-job.yaml"
refuses "plan of nothing" 2 "no job" "$P" plan
refuses "check of nothing" 2 "no file" "$P" check
refuses "unknown device" 2 "a100" "$P" devices a1000-80g
refuses "cost without op" 2 "" "$P" cost a100-80g
refuses "cost of unknown op" 2 "gemm" "$P" cost a100-80g gem 4x4x4
refuses "cost of bad dimensions" 2 "4x4" "$P" cost a100-80g gemm 4x4
refuses "cost of an op that no array has" 2 "softmax" "$P" cost tpuv4 softmax 4x4
refuses "cost with an unknown dataflow" 2 "--dataflow: expected os, ws or is, found 'rs'" "$P" cost tpuv4 gemm 4x4x4 --dataflow rs
refuses "cost with an unknown memory" 2 "--memory: expected ideal or scalesim, found 'real'" "$P" cost tpuv4 gemm 4x4x4 --memory real
refuses "replay of eight arrays" 2 "one array only, tpuv4 has 8" "$P" cost tpuv4 gemm 4x4x4 --memory scalesim
refuses "arithmetic that an array lacks" 2 "tpuv1 has no bf16" "$P" cost tpuv1 gemm 4x4x4 --math bf16
refuses "dataflow of a GPU" 2 "--dataflow: only on a systolic array" "$P" cost a100-80g gemm 4x4x4 --dataflow ws
refuses "cost of a table that is not there" 4 "none.csv" "$P" cost --csv "$WORK/none.csv" --summary
refuses "contrast with nothing" 2 "no table" "$P" contrast
refuses "contrast of a table that is none" 2 "expected the columns group" "$P" contrast tests/golden/systolic.csv
refuses "contrast with a claim below 0" 2 "--claim-time" "$P" contrast jobs/hpt/published.csv --claim-time -3
refuses "compare with nothing" 2 "" "$P" compare

# jobs
broken "unknown key" 2 "did you mean 'model.layers'" 's/layers:/layer:/'
broken "unknown section" 2 "trian" 's/^train:/trian:/'
broken "unknown preset" 2 "did you mean 'wind'" 's/preset: wind/preset: wnd/'
broken "text for a number" 2 "model.ffn" 's/ffn: 8/ffn: many/'
broken "negative number" 2 "model.layers" 's/layers: 1/layers: -1/'
broken "fraction for a whole number" 2 "train.epochs" 's/epochs: 1/epochs: 1.5/'
broken "zero window" 2 "data.window" 's/window: 3/window: 0/'
broken "duplicate key" 2 "ffn" 's/  ffn: 8/  ffn: 8\n  ffn: 9/'
broken "tab" 2 "tab" 's/^  ffn/\tffn/'
broken "not YAML" 2 "broken.yaml:" 's/^model:/model: [/'
broken "heads do not divide" 2 "multiple of" 's/heads: 2/heads: 3/'
broken "minibatch below devices" 2 "train.minibatch" 's/minibatch: 8/minibatch: 1/'
broken "minibatch above samples" 2 "train.minibatch" 's/minibatch: 8/minibatch: 500/'
broken "window above rows" 2 "window" 's/window: 3/window: 500/'
broken "data that is not there" 4 "nowhere.h5" "s|file: .*good.h5|file: $WORK/nowhere.h5|"
broken "data that is no HDF5" 4 "base.yaml" "s|file: .*good.h5|file: $base|"
broken "unknown variable" 2 "no-such" 's/  window: 3/  window: 3\n  target: no-such/'
broken "test rows beyond the data" 2 "test_rows" 's/  window: 3/  window: 3\n  test_rows: [70, 900]/'
broken "test rows in the wrong order" 2 "test_rows" 's/  window: 3/  window: 3\n  test_rows: [70, 60]/'
with "mask over places" 2 "model.mask: expected none with model.attention spatial" --set model.mask=causal
with "unknown mask" 2 "model.mask: expected one of none, causal" --set model.attention=joint --set model.mask=sparse
with "last steps of a token of one step" 2 "model.skip_steps: expected 0 with model.attention joint" \
    --set model.attention=joint --set model.linear_skip=true --set model.skip_steps=1
with "tokens that the data does not have" 2 "model.tokens: expected 12, which follows from the data set, found 4" \
    --set model.attention=joint --set model.tokens=4
with "joint attention of the traffic model" 2 "expected factorised for the preset traffic, found joint" \
    --set model.preset=traffic --set model.attention=joint
with "mask of the traffic model" 2 "model.mask: the preset traffic has no such part" \
    --set model.preset=traffic --set model.mask=none
with "adapters wider than their weights" 2 "train.adapter.width: expected at most 8" \
    --set train.mode=lora --set train.adapter.init=svd --set train.adapter.width=9
with "unknown start of adapters" 2 "train.adapter.init: expected one of zero, svd" --set train.adapter.init=pca
with "override of an unknown key" 2 "did you mean 'train.minibatch'" --set train.minibach=4
with "override without value" 2 "--set" --set train.minibatch
with "seed that is no number" 2 "train.seed" --seed abc
with "format that the device lacks" 2 "v100" --set cluster.devices.0.profile=v100 --set placement.numerics=bf16
with "unknown numerics" 2 "placement.numerics" --set placement.numerics=fp33
with "memory without unit" 2 "unit" --set placement.bucket_bytes=25
with "memory with another unit" 2 "placement.bucket_bytes" --set "placement.bucket_bytes=25 ns"

# clusters
broken "unknown profile" 2 "a100-90g" 's/profile: a100-80g/profile: a100-90g/'
broken "unknown kind of device" 2 "kind" 's/kind: gpu/kind: npu/'
broken "dataflow of a GPU" 2 "devices[0].dataflow" 's/      count: 2/      count: 2\n      dataflow: ws/'
broken "int8 on a GPU" 2 "no int8" 's/      count: 2/      count: 2\n      numerics: int8/'
broken "doubles beside floats" 2 "devices[0].numerics" 's/      count: 2/      count: 2\n      numerics: fp64/'
broken "GPU profile of an array" 2 "unknown systolic profile" 's/kind: gpu/kind: systolic/'
broken "fp32 on a TPU" 2 "a tpuv4 has no fp32" 's/kind: gpu/kind: systolic/;s/profile: a100-80g/profile: tpuv4/'
broken "replay of eight arrays" 2 "scalesim is of one array" \
    's/kind: gpu/kind: systolic/;s/profile: a100-80g/profile: tpuv4\n      numerics: bf16\n      memory_mode: scalesim/'
broken "unknown link" 2 "nvlink9" 's/nvlink3/nvlink9/'
broken "no host link" 2 "host" 's/, host: pcie4//'
broken "no link inside of the node" 2 "inside" 's/inside: nvlink3, //'
broken "no devices" 2 "devices" 's/count: 2/count: 0/'
broken "device without memory" 2 "needs" 's/      count: 2/      count: 2\n      memory_bytes: 1 kB/'
broken "launch time of a kernel that is none" 2 "launch_s" 's/      count: 2/      count: 2\n      launch_s: 0 s/'
broken "idle power without unit" 2 "idle_w" 's/      count: 2/      count: 2\n      idle_w: 55/'
broken "power limit below base power" 2 "tdp_w" 's/      count: 2/      count: 2\n      tdp_w: 30 W/'
broken "cluster file that is not there" 4 "nowhere.yaml" '/^cluster:/,/^  links/d;s/^name: base/name: base\ncluster: nowhere.yaml/'

# placement hpt
hpt=$WORK/hpt.yaml
cat >"$hpt" <<X
name: hpt
cluster:
  name: mixed
  devices:
    - kind: gpu
      profile: a100-80g
    - kind: reram
      profile: isaac
      count: 2
    - kind: systolic
      profile: systolic-32-7nm
  links: {inside: nvlink3, host: pcie4, stack: stack-3d}
model:
  preset: wind
  d_model: 8
  heads: 2
  layers: 1
  ffn: 8
data:
  file: $data
  window: 3
train:
  steps: 6
  minibatch: 8
  switch: {policy: at, at_step: 2}
placement:
  policy: hpt
  micro_batches: 2
output:
  directory: $WORK/out
X
works "hpt: the job that the next ones break" "$P" train "$hpt" -q
# hpt_broken NAME EXIT TEXT SED-SCRIPT: that job after the edit. hpt_with NAME EXIT TEXT ARGUMENTS...: with more arguments.
hpt_broken() {
    sed "$4" "$hpt" >"$WORK/broken.yaml"
    refuses "hpt: $1" "$2" "$3" "$P" train "$WORK/broken.yaml" -q
}
hpt_with() {
    local name=$1 want=$2 text=$3
    shift 3
    refuses "hpt: $name" "$want" "$text" "$P" train "$hpt" -q "$@"
}
hpt_broken "no systolic device" 2 "hpt needs a device of kind systolic, found none" '/kind: systolic/,/profile:/d'
hpt_broken "no reram device" 2 "hpt needs a device of kind reram, found none" '/kind: reram/,/count: 2/d'
hpt_broken "no GPU" 2 "hpt needs a device of kind gpu for the full phase, found none" '/kind: gpu/,/profile:/d'
hpt_broken "no link in the stack" 2 "links.stack: expected a link profile, since devices talk over it, found none" 's/, stack: stack-3d//'
hpt_broken "unknown link in the stack" 2 "links.stack: unknown link profile 'stack-9d'" 's/stack-3d/stack-9d/'
hpt_broken "unknown bridge" 2 "links.bridge: unknown link profile 'pcie99'" 's/stack: stack-3d/stack: stack-3d, bridge: pcie99/'
hpt_broken "gpu-only with other devices" 2 "gpu-only needs devices of one kind, found 1 of kind gpu among 4" 's/policy: hpt/policy: gpu-only/'
hpt_broken "unknown fidelity" 2 "fidelity: expected one of ideal, quantized, analog, found 'perfect'" 's/profile: isaac/&\n      fidelity: perfect/'
hpt_broken "reram profile of an array" 2 "unknown ReRAM profile 'systolic-32-7nm'" 's/profile: isaac/profile: systolic-32-7nm/'
hpt_broken "systolic profile of cells" 2 "unknown systolic profile 'isaac'" 's/profile: systolic-32-7nm/profile: isaac/'
hpt_broken "dataflow of cells" 2 "devices[1].dataflow: expected with kind systolic only, found with kind reram" 's/profile: isaac/&\n      dataflow: ws/'
hpt_broken "array rows of cells" 2 "devices[1].array_rows: expected with kind systolic only, found with kind reram" 's/profile: isaac/&\n      array_rows: 64/'
hpt_broken "fidelity of an array" 2 "devices[2].fidelity: expected with kind reram only, found with kind systolic" 's/profile: systolic-32-7nm/&\n      fidelity: ideal/'
hpt_broken "tiles of a GPU" 2 "devices[0].tiles: expected with kind reram only, found with kind gpu" 's/profile: a100-80g/&\n      tiles: 4/'
hpt_broken "endurance of a GPU" 2 "devices[0].endurance: expected with kind reram only, found with kind gpu" 's/profile: a100-80g/&\n      endurance: 1e9/'
hpt_broken "cells of more bits than a weight" 2 "cell_bits: expected fewer than the 4 of a weight, found 6" 's/profile: isaac/&\n      cell_bits: 6\n      weight_bits: 4/'
hpt_broken "matrices that do not fit" 2 "reram0 needs 384 crossbars for its 4 matrices, found 96" \
    's/profile: isaac/&\n      tiles: 1/;s/d_model: 8/d_model: 512/;s/ffn: 8/ffn: 2048/'
hpt_broken "a micro-batch larger than the buffers" 2 "raise placement.micro_batches, lower train.minibatch" \
    's/profile: isaac/&\n      tiles: 1/;s/minibatch: 8/minibatch: 512/;s/micro_batches: 2/micro_batches: 1/'
hpt_broken "at without a step" 2 "train.switch.at_step: expected a whole number, because train.switch.policy is at" 's/, at_step: 2//'
hpt_with "micro-batches that do not divide" 2 "placement.micro_batches: expected a number that divides train.minibatch (8), found 3" --set placement.micro_batches=3
hpt_with "more micro-batches than samples" 2 "placement.micro_batches: expected a number that divides train.minibatch (8), found 16" --set placement.micro_batches=16
hpt_with "no micro-batches" 2 "placement.micro_batches: expected a whole number from 1" --set placement.micro_batches=0
hpt_with "more copies than fit" 2 "reram0: placement.replicas: expected at most 4032 copies of its matrices, which take 4 of 16128 crossbars, found 4033" --set placement.replicas=4033
hpt_with "switch after the run" 2 "train.switch.at_step: expected less than the run's 6 steps, found 6" --set train.switch.at_step=6
hpt_with "switch before the run" 2 "train.switch.at_step: expected a whole number from 0" --set train.switch.at_step=-1
hpt_with "unknown switch policy" 2 "train.switch.policy: expected one of" --set train.switch.policy=soon
hpt_with "windows longer than the run" 2 "train.switch.window_steps: expected windows of which 5 end before the run's 6 steps do, found 2 steps" \
    --set train.switch.policy=hpt --set train.switch.window_steps=2
hpt_with "watched layer that is not there" 2 "train.switch.watch_layer: expected a layer from 0 to 0" --set train.switch.policy=hpt --set train.switch.window_steps=1 --set train.switch.watch_layer=1
hpt_with "tests without losses" 2 "expected never, at or always in a timing-only run" --set train.switch.policy=hpt --set train.switch.window_steps=1 --timing-only
hpt_with "unknown placement" 2 "did you mean 'hpt'" --set placement.policy=htp
hpt_with "doubles in cells" 2 "fp64 is not for it" --set placement.numerics=fp64
hpt_with "adapters from the start" 2 "placement.policy: expected gpu-only with train.mode lora, found hpt" --set train.mode=lora
hpt_with "adapters after the switch wider than their weights" 2 "train.adapter.width: expected at most 8" \
    --set train.adapter.init=svd --set train.adapter.width=9
hpt_with "a subspace from the start" 2 "placement.policy: expected gpu-only with train.mode did, found hpt" --set train.mode=did
hpt_with "a scaled subspace from the start" 2 "placement.policy: expected gpu-only with train.mode said, found hpt" --set train.mode=said
hpt_with "parts of another family" 2 "model.positions: the preset traffic has no such part: leave the key out" --set model.preset=traffic --set model.positions=none
with "switch on GPUs alone" 2 "train.switch.policy: expected never, because placement.policy is gpu-only and has no low-parameter mode, found at" \
    --set train.switch.policy=at --set train.switch.at_step=1

# CSV
csv() { # csv NAME EXIT TEXT CONTENT
    printf "$4" >"$WORK/bad.csv"
    refuses "CSV: $1" "$2" "$3" "$P" data import "$WORK/bad.csv" "$WORK/out.h5"
    [ ! -e "$WORK/out.h5" ] || { fail "CSV: $1" "left an output"; rm -f "$WORK/out.h5"; }
}
csv "empty" 2 "bad.csv" ''
csv "header alone" 2 "bad.csv" 'time,a,b\n'
csv "short row" 2 "bad.csv:3" 'time,a,b\n2020-01-01,1,2\n2020-01-02,1\n'
csv "long row" 2 "bad.csv:3" 'time,a,b\n2020-01-01,1,2\n2020-01-02,1,2,3\n'
csv "text for a number" 2 "bad.csv:2" 'time,a,b\n2020-01-01,1,x\n'
csv "impossible date" 2 "bad.csv:2" 'time,a,b\n2020-02-31,1,2\n'
csv "open quote" 2 "bad.csv" 'time,a,b\n2020-01-01,"1,2\n'
csv "time runs backwards" 2 "bad.csv:3" 'time,a,b\n2020-01-02,1,2\n2020-01-01,1,2\n'
csv "two stations of one name" 2 "two stations have the name" 'time,a,a\n2020-01-01,1,2\n2020-01-02,1,2\n'
csv "infinity" 2 "bad.csv:2" 'time,a,b\n2020-01-01,1,inf\n2020-01-02,1,2\n'
refuses "CSV that is not there" 4 "none.csv" "$P" data import "$WORK/none.csv" "$WORK/out.h5"
refuses "import over an existing file" 2 "exists" "$P" data import "$base" "$data"

# HDF5
head -c 700 "$data" >"$WORK/short.h5"
refuses "truncated data set" 4 "short.h5" "$P" check "$WORK/short.h5"
broken "training on a truncated data set" 4 "short.h5" "s|file: .*good.h5|file: $WORK/short.h5|"
refuses "data info of a job" 4 "base.yaml" "$P" data info "$base"
refuses "result that is a data set" 2 "good.h5" "$P" compare "$data" "$data"

# output
mkdir -p "$WORK/taken" && : >"$WORK/taken/result.h5"
with "result that exists" 2 "--force" --output "$WORK/taken"
with "output that cannot be made" 4 "base.yaml" --output "$base/x"

# N singletons: the launcher says 3, MPI says 1
SLURM_STEP_NUM_TASKS=3 timeout 60 "$P" train "$base" -q >"$WORK/stdout" 2>"$WORK/stderr"
[ $? = 2 ] && grep -q 'srun --mpi=pmix' "$WORK/stderr" && pass "N singletons" || fail "N singletons" "not refused with the remedy" "$WORK/stderr"
