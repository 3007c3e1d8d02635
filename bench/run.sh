#!/bin/sh
# run.sh - speed of the emulator: training steps against the machine's peak, against bare kernels and against PyTorch; instructions per
# second without tensors. CPU times of one core; medians.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
program=$build/polyrank
seconds=${BENCH_SECONDS:-4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" --version | sed 's/^/# /'
"$program" data synth "$work/wind.h5" --stations 57 --rows 2000 --seed 1 >/dev/null

torch=no
/usr/bin/python3 -c 'import torch' 2>/dev/null && torch=yes
[ $torch = yes ] || echo "# PyTorch (python3-torch) is not installed: no rival column"
best_settings="MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=1000000000"
core=${BENCH_CORETYPE:-$(grep -q avx512f /proc/cpuinfo && echo SKYLAKEX || true)} # OpenBLAS would die of a kernel that the processor lacks
[ -z "$core" ] || best_settings="OPENBLAS_CORETYPE=$core $best_settings"

pytorch() { # pytorch MODEL SETTINGS ARGUMENTS OF THE MODEL
    model=$1 settings=$2
    shift 2
    # shellcheck disable=SC2086
    env -u OPENBLAS_CORETYPE $settings OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 "bench/pytorch_$model.py" "$@" "$seconds"
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }

echo
[ $torch = no ] || echo "# PyTorch's best settings: $best_settings"
echo "training step of the wind encoder, one emulated GPU, one core (CPU ms a step; minibatch 32 and 1)"
printf '%-12s %9s %9s %8s %9s %7s | %9s %7s %9s %7s\n' 'd/L/batch' 'step[ms]' 'GFLOP/s' 'peak[%]' 'bare[ms]' 'ratio' 'torch' 'x' 'torch best' 'x'
for config in '64 4 3 128 32' '128 4 4 256 32' '512 8 12 1024 32' '64 4 3 128 1' '128 4 4 256 1' '512 8 12 1024 1'; do
    set -- $config
    out=$("$build/bench/train_step" "$work/wind.h5" "$@" "$seconds")
    # step ms, GFLOP/s, peak, share, bare ms, overhead, runs
    as_it_comes=- best=- x=- y=-
    set -- $out "$@"
    step=$1 gflops=$2 peak_gflops=$3 share=$4 bare=$5 overhead=$6
    shift 7
    if [ $torch = yes ]; then
        as_it_comes=$(pytorch wind "" "$1" "$3" "$4" "$5")
        best=$(pytorch wind "$best_settings" "$1" "$3" "$4" "$5")
        x=$(ratio "$as_it_comes" "$step") y=$(ratio "$best" "$step")
    fi
    peak=$peak_gflops
    echo "$1 $2 $3 $4 $5 $step $gflops" >>"$work/steps"
    printf '%-12s %9s %9s %8s %9s %7s | %9s %7s %9s %7s\n' "$1/$3/$5" "$step" "$gflops" "$share" "$bare" "$overhead" "$as_it_comes" "$x" "$best" "$y"
done

echo
printf '%b\n' "wall time of a step on 1 and 2 ranks, with control and exchange (minibatch 32: two emulated GPUs; minibatch 1: one);\nthe whole loop over the number of steps: initial weights and one evaluation weigh where steps are few (d = 512)"
. scripts/mpi-env.sh
printf '%-12s %6s %10s %9s %14s\n' 'd/L/batch' 'ranks' 'step[ms]' 'GFLOP/s' 'peak of 1[%]'
while read -r d heads layers ffn minibatch step gflops; do
    gpus=2
    [ "$minibatch" -gt 1 ] || gpus=1
    steps=$(awk -v ms="$step" -v s="$seconds" 'BEGIN { n = int(1000 * s / ms); print n < 3 ? 3 : n }')
    cat >"$work/job.yaml" <<X
name: ranks
cluster: {name: ranks, devices: [{kind: gpu, profile: a100-80g, count: $gpus}], links: {inside: nvlink3, host: pcie4}}
model: {preset: wind, d_model: $d, heads: $heads, layers: $layers, ffn: $ffn, dropout: 0}
data: {file: $work/wind.h5, window: 12, test_rows: [1980, 1999]}
train: {steps: $steps, minibatch: $minibatch}
output: {trace: false, predictions: false}
X
    for n in 1 2; do
        wall=$(mpirun -n $n "$program" train "$work/job.yaml" -o "$work/out" --force 2>&1 >/dev/null </dev/null | sed -n 's/^Wall time of \([0-9.e-]*\) s.*/\1/p')
        awk -v name="$d/$layers/$minibatch" -v n=$n -v wall="$wall" -v steps="$steps" -v flop="$step" -v rate="$gflops" -v peak="$peak" \
            'BEGIN { ms = 1000 * wall / steps; g = rate * flop / ms; printf "%-12s %6d %10.3f %9.1f %14.1f\n", name, n, ms, g, 100 * g / peak }'
    done
done <"$work/steps"

echo
echo "training step of the traffic model: 207 stations, 12 steps, 2 layers, minibatch 8, one core (CPU time)"
"$program" data synth "$work/traffic.h5" --stations 207 --rows 600 --seed 1 >/dev/null
for config in '32 4 128' '64 4 256' '128 8 512'; do
    # shellcheck disable=SC2086
    set -- $config
    out=$("$build/bench/traffic_step" "$work/traffic.h5" "$@" 8 "$seconds")
    printf '%-12s %s\n' "$config" "$out"
    if [ $torch = yes ]; then
        as_it_comes=$(pytorch traffic "" "$@" 8) best=$(pytorch traffic "$best_settings" "$@" 8)
        printf '%-12s PyTorch as it comes %s ms, %s x; best settings %s ms, %s x\n' '' "$as_it_comes" "$(ratio "$as_it_comes" "${out%% *}")" \
            "$best" "$(ratio "$best" "${out%% *}")"
    fi
done

echo
echo "the traffic model on two cores, minibatch 8, samples a second (wall time): two emulated GPUs on two ranks, 3 n steps less n steps;"
echo "PyTorch, best settings, with two threads, and as two processes of one thread that exchange nothing, minibatch 8 each"
traffic_wall() { # traffic_wall D HEADS FFN STEPS: seconds of a run on two ranks, the better of two
    cat >"$work/job.yaml" <<X
name: traffic
cluster: {name: two, devices: [{kind: gpu, profile: a100-80g, count: 2}], links: {inside: nvlink3, host: pcie4}}
model: {preset: traffic, d_model: $1, heads: $2, ffn: $3, residual: true}
data: {file: $work/traffic.h5, window: 12, horizon: 12, normalise: global, test_rows: [570, 599]}
train: {steps: $4, minibatch: 8, loss: mae, evaluate_epochs: 0, optimiser: {kind: adam, weight_decay: 0}}
output: {trace: false, predictions: false}
X
    for _ in 1 2; do
        mpirun -n 2 "$program" train "$work/job.yaml" -o "$work/out" --force 2>&1 >/dev/null </dev/null
    done | awk '/^Wall time of/ { if (!best || $4 < best) best = $4 } END { print best }'
}
rate() { awk -v ms="$1" 'BEGIN { if (ms > 0) printf "%.1f", 8000 / ms; else printf "-" }'; }
printf '%-12s %9s | %9s %7s %13s %7s\n' 'd heads ffn' '2 ranks' '2 threads' 'x' '2 processes' 'x'
for config in '32 4 128' '64 4 256' '128 8 512'; do
    # shellcheck disable=SC2086
    set -- $config
    n=$(awk -v s="$seconds" -v d="$1" 'BEGIN { n = int(s * 160 / d); print n < 4 ? 4 : n }')
    ours=$(awk -v few="$(traffic_wall "$@" "$n")" -v many="$(traffic_wall "$@" $((3 * n)))" -v n="$n" 'BEGIN { printf "%.1f", 16 * n / (many - few) }')
    threads=- processes=-
    if [ $torch = yes ]; then
        # shellcheck disable=SC2086
        threads=$(rate "$(env -u OPENBLAS_CORETYPE $best_settings OPENBLAS_NUM_THREADS=2 OMP_NUM_THREADS=2 bench/pytorch_traffic.py "$@" 8 "$seconds" 2)")
        pytorch traffic "$best_settings" "$@" 8 >"$work/other" &
        one=$(pytorch traffic "$best_settings" "$@" 8)
        wait $!
        processes=$(awk -v a="$(rate "$one")" -v b="$(rate "$(cat "$work/other")")" 'BEGIN { printf "%.1f", a + b }')
    fi
    printf '%-12s %9s | %9s %7s %13s %7s\n' "$config" "$ours" "$threads" "$(ratio "$ours" "$threads")" "$processes" "$(ratio "$ours" "$processes")"
done

echo
echo "a step of the low-parameter mode against a full step: wind encoder on clusters/hpt.yaml, minibatch 32, all devices in one process"
echo "(CPU time of the one process, of 3 n steps less that of n steps: what a run does once is in both)"
hpt_run() { # hpt_run FIDELITY SWITCH STEPS: CPU seconds of the run; in a subshell of its own, whose children are counted
    sed "s/fidelity: quantized/fidelity: $1/" clusters/hpt.yaml >"$work/hpt.yaml"
    cat >"$work/job.yaml" <<X
name: low
cluster: hpt.yaml
model: {preset: wind, d_model: 64, heads: 4, layers: 3, ffn: 128, dropout: 0, residual: true}
data: {file: $work/wind.h5, window: 12, horizon: 1, test_rows: [1980, 1999]}
train: {steps: $3, minibatch: 32, loss: mse, adapter: {dropout: 0}, switch: {policy: $2}}
placement: {policy: hpt, micro_batches: 4}
output: {trace: false, predictions: false}
X
    mpirun -n 1 "$program" train "$work/job.yaml" -o "$work/out" --force >"$work/log" 2>&1 </dev/null || { cat "$work/log" >&2; exit 1; }
    times >"$work/times" # not in a pipe: that is another process, without children
    awk 'NR == 2 { split($0, part, "[ms ]+"); print 60 * (part[1] + part[3]) + part[2] + part[4] }' "$work/times"
}
steps=$(awk -v s="$seconds" 'BEGIN { print s * 10 < 5 ? 5 : int(s * 10) }')
hpt_step() { # hpt_step FIDELITY SWITCH: ms a step, the better of two
    for _ in 1 2; do
        few=$(hpt_run "$1" "$2" "$steps") many=$(hpt_run "$1" "$2" $((3 * steps)))
        echo "$few $many"
    done | awk -v steps="$steps" '{ ms = 1000 * ($2 - $1) / (2 * steps); if (NR == 1 || ms < best) best = ms } END { print best }'
}
full=$(hpt_step quantized never)
printf '%-12s %12s %12s %8s\n' 'fidelity' 'full[ms]' 'low[ms]' 'ratio'
for fidelity in ideal quantized; do
    low=$(hpt_step $fidelity always)
    awk -v name=$fidelity -v full="$full" -v low="$low" 'BEGIN {
        if (!(full > 0 && low > 0)) { print "bench: the machine is too busy for the time of a step" > "/dev/stderr"; exit 1 }
        printf "%-12s %12.2f %12.2f %8.2f\n", name, full, low, low / full }'
done

echo
echo "timing only: instructions per second and core"
"$build/bench/timing" 2>/dev/null

echo
echo "serving: generated tokens per second and core, with an engine that costs nothing"
"$build/bench/serving"

echo
echo "Walsh-Hadamard transform and Fastfood projection to 2^n dimensions, against a copy of as many floats"
"$build/bench/walsh" 22

echo
echo "products through ReRAM crossbars over the plain fp32 product (times as long): exact (8 bit converters that never round), 6 bit converters,"
echo "cells' errors (analog), read noise; 'back' is dx. Fidelity ideal is the plain product"
"$build/bench/crossbar" "$(awk -v s="$seconds" 'BEGIN { print s / 10 }')"

echo
echo "AttAcc's published model and attention in HBM-PIM"
"$build/bench/attacc" "$(awk -v s="$seconds" 'BEGIN { print s / 10 }')"
