# runs.sh - sourced: small finished runs for reports, and their pages.

# hpt_job DATA FILE: training on GPUs, then on crossbars, with a trial in between.
hpt_job() {
    cat >"$2" <<Y
name: hpt-small
cluster:
  name: stack
  devices:
    - {kind: gpu, profile: a100-80g, count: 2}
    - {kind: reram, profile: isaac, count: 2, fidelity: quantized}
    - {kind: systolic, profile: systolic-128-7nm}
  links: {inside: nvlink3, host: pcie4, stack: stack-3d}
model: {preset: wind, d_model: 8, heads: 2, layers: 2, ffn: 16, embed_hidden: 8, dropout: 0, residual: true}
data: {file: $1, window: 4, horizon: 3, test_fraction: 0.2}
train:
  steps: 60
  minibatch: 8
  optimiser: {kind: adamw, learning_rate: 2e-3}
  adapter: {width: 2, dropout: 0}
  switch: {policy: at, at_step: 30, trial_steps: 10}
placement: {policy: hpt, micro_batches: 2}
Y
}

# gpu_job HPT_JOB: the same on GPUs alone.
gpu_job() {
    sed '/kind: reram/d; /kind: systolic/d; s/policy: at,.*trial_steps: 10/policy: never/; s/^placement.*/placement: {policy: gpu-only}/
         s/^name: .*/name: gpu-small/; s/, stack: stack-3d//' "$1"
}

# serving_job FILE: a decoder on GPUs with PIM devices, times alone.
serving_job() {
    cat >"$1" <<'Y'
name: serving-small
cluster:
  name: gpu-and-pim
  devices:
    - {kind: gpu, profile: a100-hbm3, count: 2}
    - {kind: hbm-pim, profile: attacc-bank, count: 2}
  links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}
decoder: {model: llama-7b}
placement: {numerics: fp16}
serve: {requests: 60, arrivals: poisson, rate_per_s: 20, input_tokens: 64, output_tokens: 24, sample_s: 0.1 s, slo: {ttft_s: 0.2 s, tpot_s: 30 ms}}
Y
}

# faulty_jobs FOLDER: the jobs hpt and serving with faults of the emulated hardware; the last of each comes too late.
faulty_jobs() {
    { sed 's/^name: .*/name: hpt-faulty/' "$1/hpt.yaml"
      echo 'faults: [{device: gpu1, at: 3 ms, kind: degrades, factor: 0.5}, {device: reram1, at: 13 ms, kind: fails}, {device: gpu0, at: 1 s, kind: fails}]'
    } >"$1/hpt-faulty.yaml"
    { sed 's/^name: .*/name: serving-faulty/; s/count: 2}/count: 4}/' "$1/serving.yaml"
      echo 'faults: [{device: hbm-pim1, at: 1 s, kind: fails}, {device: gpu0, at: 2 s, kind: degrades, factor: 0.5}, {device: gpu1, at: 100 s, kind: fails}]'
    } >"$1/serving-faulty.yaml"
}

# make_runs PROGRAM FOLDER: the runs hpt, gpu and serving in the folder, those with faults, and the pages of each and of several.
make_runs() {
    local P=$1 to=$2
    "$P" data synth "$to/wind.h5" --stations 6 --rows 300 --seed 9 || return 1
    hpt_job wind.h5 "$to/hpt.yaml"
    serving_job "$to/serving.yaml"
    "$P" train "$to/hpt.yaml" -q -o "$to/hpt" || return 1
    gpu_job "$to/hpt.yaml" >"$to/gpu.yaml"
    "$P" train "$to/gpu.yaml" -q -o "$to/gpu" || return 1
    "$P" serve "$to/serving.yaml" -q -o "$to/serving" || return 1
    "$P" serve "$to/serving.yaml" -q -o "$to/busier" --set name=busier --set serve.rate_per_s=40 || return 1
    faulty_jobs "$to"
    "$P" train "$to/hpt-faulty.yaml" -q -o "$to/hpt-faulty" || return 1
    "$P" serve "$to/serving-faulty.yaml" -q -o "$to/serving-faulty" || return 1
    (cd "$to" && "$P" report hpt -q -o hpt.html && "$P" report serving -q -o serving.html &&
        "$P" report hpt-faulty -q -o hpt-faulty.html && "$P" report serving-faulty -q -o serving-faulty.html &&
        "$P" report hpt gpu serving busier -q -o several.html --title 'Several <runs> & more')
}
