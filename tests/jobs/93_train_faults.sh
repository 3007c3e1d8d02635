# 93_train_faults.sh - emulated faults in training: each kind, on 1, 2, 3, 5 and 8 ranks and without tensors; a stop and a restart after
# them; the end when nothing is left; what cannot be is refused.
. tests/jobs/lib.sh

data=$WORK/synth-faults.h5
works "synthetic data" "$POLYRANK" data synth "$data" --stations 6 --rows 260 --seed 9 || exit

job() { # job FIDELITY SWITCH FAULT...
    cat <<X1
name: faults
cluster:
  name: small
  devices:
    - {kind: systolic, profile: systolic-32-7nm, count: 2}
    - {kind: gpu, profile: a100-80g, count: 2}
    - {kind: reram, profile: isaac, count: 3, fidelity: $1}
  links: {inside: nvlink3, host: pcie4, stack: stack-3d}
model: {preset: wind, d_model: 16, heads: 2, layers: 3, ffn: 24, embed_hidden: 8, dropout: 0.1}
data: {file: $data, window: 4, test_fraction: 0.2}
train:
  steps: 12
  minibatch: 8
  optimiser: {kind: adamw, learning_rate: 1e-3}
  adapter: {width: 2, targets: [q, v, ffn0]}
  switch: {policy: at, $2}
  seed: 1
placement: {policy: hpt, micro_batches: 2}
output: {predictions: true}
X1
    shift 2
    [ $# = 0 ] || echo "faults:"
    for f; do echo "  - {$f}"; done
}

tells() { # tells NAME FILE TEXT...: the report has all of them
    local name=$1 report=$2 t
    shift 2
    for t; do
        if grep -qF -- "$t" "$report"; then pass "$name: $t"; else fail "$name" "the report has not '$t'" "$report"; fi
    done
}

# Of every kind, in both modes, at the same time and one after the other.
file=$WORK/all.yaml
job analog "at_step: 3" "device: gpu0, at: 0.4ms, kind: degrades, factor: 0.5" "device: reram0, at: 0.4ms, kind: columns-stick, factor: 0.1" \
    "device: systolic1, at: 3ms, kind: link-slows, factor: 0.25" "device: reram1, at: 3.2ms, kind: fails" \
    "device: gpu1, at: 3.2ms, kind: fails" "device: reram2, at: 3.5ms, kind: columns-stick, factor: 0.2" >"$file"
same_everywhere all
tells "all kinds" "$WORK/all/stdout" "gpu0       degrades to 50 %" "goes on, slower" "its matrices go to the others" "the others have its weights" \
    "goes on with what still conducts"

trace=trace.json.gz # of six plans
works "trace after faults" tests/jobs/trace_rules.py "$WORK/all/$trace"
if grep -q '^6 faults, ' "$WORK/stdout"; then pass "trace: 6 faults"; else fail "trace of faults" "$(cat "$WORK/stdout")"; fi

refuses "negative time to notice" 2 "train.recovery_s: expected a time" "$POLYRANK" train "$file" -q -o "$WORK/out" \
    --set train.recovery_s=-1ms

# Stopped in the middle, when some faults have struck, and gone on with on another number of ranks.
train half 0 --checkpoint-steps 7
mv "$WORK/half" "$WORK/run"
rm "$WORK"/run/{result.h5,summary.json,$trace,loss.csv,stdout}
works "restart after faults" mpirun --timeout $LIMIT -n 3 "$POLYRANK" train "$file" -q -o "$WORK/run" --resume auto
cp "$WORK/stdout" "$WORK/run/stdout"
for f in result.h5 summary.json $trace stdout; do same "restart after faults: $f" "$WORK/all/$f" "$WORK/run/$f"; done
works "check of its checkpoint" "$POLYRANK" check "$WORK/run/checkpoint.h5"
works "report: sums hold" "$POLYRANK" report "$WORK/run"
works "compare" "$POLYRANK" compare "$WORK/all/result.h5" "$WORK/run/result.h5"

# A loss that takes its time to be noticed; a failed device draws no power from then on.
train slow 0 --set train.recovery_s=2ms
works "time off" python3 -c '
import json, sys
run = json.load(open(sys.argv[1]))
off = {f["device"]: run["virtual_time_ps"] - f["virtual_time_ps"] for f in run["fault"] if f["kind"] == "fails"}
assert off and all(d["time_ps"].get("failed", 0) == off.get(d["name"], 0) for d in run["device"]), off
print(max(f["recovery_ps"] for f in run["fault"]))' "$WORK/slow/summary.json"
if [ "$(cat "$WORK/stdout")" -gt 2000000000 ]; then pass "time to notice"; else fail "time to notice" "$(cat "$WORK/stdout")"; fi

# A lost device takes its training with it; then the way back to full mode, for good.
file=$WORK/lost.yaml
job quantized "at_step: 3" "device: systolic0, at: 2.3ms, kind: fails" "device: systolic1, at: 3ms, kind: fails" >"$file"
train lost 0
train lost-on-5 5
same "lost training on 5 ranks" "$WORK/lost/result.h5" "$WORK/lost-on-5/result.h5"
tells "lost training" "$WORK/lost/stdout" "handed over anew, low training is lost" "full mode to the end, low training is lost" \
    "no device of kind systolic is left"

# A trial whose copy is lost in part begins anew; later the adapters are merged, since no crossbars are left.
file=$WORK/trial.yaml
job quantized "at_step: 6, trial_steps: 4" "device: reram0, at: 2ms, kind: fails" "device: reram1, at: 4.5ms, kind: fails" \
    "device: reram2, at: 5ms, kind: fails" >"$file"
train trial 0
train trial-on-3 3
same "trial on 3 ranks" "$WORK/trial/result.h5" "$WORK/trial-on-3/result.h5"
tells "trial" "$WORK/trial/stdout" "the trial begins anew" "merged, full mode to the end" "restart trial"

# A GPU lost with the last crossbars: the weights come back to the other one alone. All of it stands in a checkpoint.
file=$WORK/together.yaml
job quantized "at_step: 3" "device: reram0, at: 1ms, kind: fails" "device: reram2, at: 2.3ms, kind: fails" "device: gpu0, at: 2.3ms, kind: fails" \
    "device: reram1, at: 2.3ms, kind: fails" >"$file"
same_everywhere together
tells "lost together" "$WORK/together/stdout" "merged, full mode to the end" "the others have its weights" "1 way back:"
works "lost together: trace" tests/jobs/trace_rules.py "$WORK/together/trace.json"
works "lost together: no work for the lost" python3 -c '
import json, sys
run = json.load(open(sys.argv[1]))
struck = {f["device"]: f["virtual_time_ps"] for f in run["fault"]}
off = {d["name"]: d["time_ps"].get("failed", 0) for d in run["device"] if d["name"] in struck}
assert len(off) == 4 and all(off[n] == run["virtual_time_ps"] - struck[n] for n in off), (struck, off)' "$WORK/together/summary.json"
train half-together 0 --checkpoint-steps 10
mv "$WORK/half-together" "$WORK/run"
rm "$WORK"/run/{result.h5,summary.json,trace.json,loss.csv,stdout}
works "restart after they were lost together" mpirun --timeout $LIMIT -n 2 "$POLYRANK" train "$file" -q -o "$WORK/run" --resume auto
cp "$WORK/stdout" "$WORK/run/stdout"
for f in result.h5 summary.json trace.json stdout; do same "restart after they were lost together: $f" "$WORK/together/$f" "$WORK/run/$f"; done

# The ready job: the losses of a run without the fault.
file=jobs/wind-fault.yaml
train ready 0 --set train.epochs=3 --set 'faults[0].at=14ms'
train ready-whole 0 --set train.epochs=3 --set 'faults[0].at=1d'
cut() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(r["curve"]["loss"], [e["loss"] for e in r["evaluation"]], len(r["phase"]) > 0)' "$1"; }
cut "$WORK/ready/summary.json" >"$WORK/a"
cut "$WORK/ready-whole/summary.json" >"$WORK/b"
same "losses with and without the fault" "$WORK/a" "$WORK/b"
tells "ready job" "$WORK/ready/stdout" "its matrices go to the others"
tells "ready job, no fault" "$WORK/ready-whole/stdout" "1 fault of the job came after the end of the run"

# Refusals, and the end.
bad() { # bad NAME EXIT TEXT FIDELITY FAULT...
    local name=$1 want=$2 text=$3 fidelity=$4 out=$WORK/stdout err=$WORK/stderr
    shift 4
    job "$fidelity" "at_step: 3" "$@" >"$WORK/bad.yaml"
    refuses_once "$name" "$want" "$text" timeout $OUTER "$POLYRANK" train "$WORK/bad.yaml" -q -o "$WORK/out"
}
bad "unknown device" 2 "faults[0].device: expected a device of the machine" quantized "device: reram7, at: 1ms, kind: fails"
bad "factor of 1" 2 "faults[0].factor" quantized "device: reram0, at: 1ms, kind: degrades, factor: 1"
bad "factor below 0" 2 "faults[0].factor" quantized "device: reram0, at: 1ms, kind: degrades, factor: -2"
bad "no factor" 2 "faults[0].factor" quantized "device: reram0, at: 1ms, kind: link-slows"
bad "factor of a failure" 2 "faults[0].factor: expected nothing" quantized "device: reram0, at: 1ms, kind: fails, factor: 0.5"
bad "negative time" 2 "faults[0].at" quantized "device: reram0, at: -1ms, kind: fails"
bad "unknown kind" 2 "faults[0].kind" quantized "device: reram0, at: 1ms, kind: explodes"
bad "columns of ideal cells" 2 "ideal cells have no columns" ideal "device: reram0, at: 1ms, kind: columns-stick, factor: 0.5"
bad "columns of a GPU" 2 "has no crossbars" quantized "device: gpu0, at: 1ms, kind: columns-stick, factor: 0.5"
bad "a fault of a lost device" 2 "which fails before" quantized "device: gpu0, at: 1ms, kind: fails" "device: gpu0, at: 2ms, kind: degrades, factor: 0.5"
job quantized "at_step: 3" "device: gpu0, at: 1ms, kind: fails" "device: gpu1, at: 2ms, kind: fails" >"$WORK/bad.yaml"
refuses "the last GPU" 5 "the run cannot go on: nothing else holds the weights of the whole model" "$POLYRANK" train "$WORK/bad.yaml" -q -o "$WORK/out"
