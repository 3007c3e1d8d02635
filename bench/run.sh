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

pytorch() { # pytorch SETTINGS D LAYERS FFN MINIBATCH
    settings=$1
    shift
    # shellcheck disable=SC2086
    env -u OPENBLAS_CORETYPE $settings OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 bench/pytorch_wind.py "$@" "$seconds"
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
        as_it_comes=$(pytorch "" "$1" "$3" "$4" "$5")
        best=$(pytorch "$best_settings" "$1" "$3" "$4" "$5")
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
    printf '%-12s %s\n' "$config" "$("$build/bench/traffic_step" "$work/traffic.h5" $config 8 "$seconds")"
done

echo
echo "timing only: instructions per second and core"
"$build/bench/timing" 2>/dev/null

echo
echo "Walsh-Hadamard transform and Fastfood projection to 2^n dimensions, against a copy of as many floats"
"$build/bench/walsh" 22
