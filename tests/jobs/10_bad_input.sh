# 10_bad_input.sh - malformed command lines, jobs and clusters: exit status, one message, nothing left behind, no hang; alone and on 3
# ranks.
. tests/jobs/lib.sh
. tests/jobs/bad_input.sh

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
refuses "dataflow of a GPU" 2 "--dataflow: only on systolic arrays, not on a100-80g" "$P" cost a100-80g gemm 4x4x4 --dataflow ws
refuses "format of crossbars" 2 "--math: only on GPUs and systolic arrays, not on isaac" "$P" cost isaac gemm 4x4x4 --math int8
refuses "the gradient by a link" 2 "--backward: only on GPUs (on ReRAM: gemm-backward), not on nvlink4" "$P" cost nvlink4 send 4MiB --backward
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
with "minibatch above samples, steps given" 2 "train.minibatch: expected at most the" --set train.steps=3 --set train.minibatch=500
with "more steps than ledgers count" 2 "expected a run of which a ledger can count all" --set train.steps=1000000000000
refuses "a product that 64 bits do not hold" 2 "gemm: expected a size that takes less than 213 days" "$P" cost a100-80g gemm 10000000x10000000x10000000
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
with "format that the device lacks" 2 "v100 has no bf16" --set 'cluster.devices[0].profile=v100' --set placement.numerics=bf16
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

# N singletons: the launcher says 3, MPI says 1
SLURM_STEP_NUM_TASKS=3 timeout $OUTER "$P" train "$base" -q >"$WORK/stdout" 2>"$WORK/stderr"
[ $? = 2 ] && grep -q 'srun --mpi=pmix' "$WORK/stderr" && pass "N singletons" || fail "N singletons" "not refused with the remedy" "$WORK/stderr"
