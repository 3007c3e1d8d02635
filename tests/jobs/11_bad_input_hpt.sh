# 11_bad_input_hpt.sh - malformed jobs of all three kinds of devices and of the switch, as 10_bad_input.sh.
. tests/jobs/lib.sh
. tests/jobs/bad_input.sh

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
hpt_broken "noise of cells without errors" 2 "devices[1].program_noise: expected with fidelity analog only, or 0, found with fidelity quantized (the default)" \
    's/profile: isaac/&\n      program_noise: 0.05/'
hpt_broken "drift of ideal cells" 2 "devices[1].drift: expected with fidelity analog only, or 0, found with fidelity ideal" \
    's/profile: isaac/&\n      fidelity: ideal\n      drift: 0.05/'
hpt_broken "two entries of GPUs" 2 "the 3 devices of kind gpu are in nodes of 1, as many as their first entry has in one; per_node: 3 in each of their entries puts" \
    's/profile: a100-80g/&\n    - {kind: gpu, profile: a100-80g, count: 2}/'
sed 's/profile: a100-80g/&\n      per_node: 3\n    - {kind: gpu, profile: a100-80g, count: 2, per_node: 3}/; s/minibatch: 8/minibatch: 12/' "$hpt" >"$WORK/entries.yaml"
works "hpt: two entries of GPUs in one node" "$P" train "$WORK/entries.yaml" -q -o "$WORK/entries"
hpt_broken "cells of more bits than a weight" 2 "cell_bits: expected fewer than the 4 of a weight, found 6" 's/profile: isaac/&\n      cell_bits: 6\n      weight_bits: 4/'
hpt_broken "matrices that do not fit" 2 "reram0 needs 384 crossbars for its 4 matrices, found 96" \
    's/profile: isaac/&\n      tiles: 1/;s/d_model: 8/d_model: 512/;s/ffn: 8/ffn: 2048/'
hpt_broken "a micro-batch larger than the buffers" 2 "raise placement.micro_batches, lower train.minibatch, give it more tiles" \
    's/profile: isaac/&\n      tiles: 1/;s/d_model: 8/d_model: 64/;s/ffn: 8/ffn: 64/;s/minibatch: 8/minibatch: 60/;s/micro_batches: 2/micro_batches: 1/'
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
hpt_with "windows of one step, hpt" 2 "train.switch.window_steps: expected at least 2, since policy hpt compares" \
    --set train.switch.policy=hpt --set train.switch.window_steps=1
hpt_with "windows of one step, safe" 2 "train.switch.window_steps: expected at least 2, since policy safe compares" \
    --set train.switch.policy=safe --set train.switch.window_steps=1
hpt_with "tests without losses" 2 "expected never, at or always in a timing-only run" --set train.switch.policy=hpt --set train.switch.window_steps=1 --timing-only
hpt_with "unknown placement" 2 "did you mean 'hpt'" --set placement.policy=htp
hpt_with "doubles in cells" 2 "fp64 is not for it" --set placement.numerics=fp64
hpt_with "adapters from the start" 2 "placement.policy: expected gpu-only with train.mode lora, found hpt" --set train.mode=lora
hpt_with "adapters after the switch wider than their weights" 2 "train.adapter.width: expected at most 8" \
    --set train.adapter.init=svd --set train.adapter.width=9
hpt_with "adapters from zero wider than their weights" 2 "train.adapter.width: expected at most 8, the narrow side of the weights, found 9" \
    --set train.adapter.width=9
hpt_with "a subspace from the start" 2 "placement.policy: expected gpu-only with train.mode did, found hpt" --set train.mode=did
hpt_with "a scaled subspace from the start" 2 "placement.policy: expected gpu-only with train.mode said, found hpt" --set train.mode=said
hpt_with "parts of another family" 2 "model.positions: the preset traffic has no such part: leave the key out" --set model.preset=traffic --set model.positions=none

# what is open is printed as what is used, and what is printed is the same run, byte for byte (into the same folder: its name is
# part of the result)
sed 's/at_step: 2}/&\n  adapter: {width: 2}/' "$hpt" >"$WORK/open.yaml"
works "hpt: --print-config" "$P" train "$WORK/open.yaml" --print-config
cp "$WORK/stdout" "$WORK/printed.yaml"
for line in 'fidelity: quantized' 'memory_mode: ideal' 'targets: [q, v]' 'dropout: 0.1'; do
    grep -qF "$line" "$WORK/printed.yaml" && pass "hpt: printed $line" || fail "hpt: printed $line" "is not there" "$WORK/printed.yaml"
done
[ "$(grep -c 'learning_rate: 0.001' "$WORK/printed.yaml")" = 2 ] && pass "hpt: printed rate of adapters" ||
    fail "hpt: printed rate of adapters" "is not there" "$WORK/printed.yaml"
"$P" train "$WORK/open.yaml" --print-config --set train.switch.policy=safe --set train.switch.window_steps=1 | grep -qF 'weight_threshold: 0.05' &&
    pass "hpt: printed threshold" || fail "hpt: printed threshold" "is not there"
works "hpt: the job with open keys" "$P" train "$WORK/open.yaml" -q -o "$WORK/open" && mv "$WORK/open/result.h5" "$WORK/open.h5" && rm -r "$WORK/open"
works "hpt: the job as printed" "$P" train "$WORK/printed.yaml" -q -o "$WORK/open" &&
    same "hpt: the printed job is the same run" "$WORK/open.h5" "$WORK/open/result.h5"
with "switch on GPUs alone" 2 "train.switch.policy: expected never, because placement.policy is gpu-only and has no low-parameter mode, found at" \
    --set train.switch.policy=at --set train.switch.at_step=1
