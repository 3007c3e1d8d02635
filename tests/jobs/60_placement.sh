# 60_placement.sh - what plan, report and files tell of placement hpt, placement auto, and that a pipeline overlaps.
. tests/jobs/lib.sh

data=$WORK/synth-placement.h5 file=$WORK/placement.yaml
works "synthetic data" "$POLYRANK" data synth "$data" --stations 8 --rows 300 --seed 3 || exit
cat >"$file" <<X
name: placement
cluster:
  name: small
  devices:
    - {kind: gpu, profile: a100-80g, count: 2}
    - {kind: reram, profile: isaac, count: 2}
    - {kind: systolic, profile: systolic-128-7nm, count: 2}
  links: {inside: nvlink3, host: pcie4, bridge: pcie4, stack: stack-3d}
model: {preset: wind, d_model: 32, heads: 4, layers: 2, ffn: 64, embed_hidden: 8, dropout: 0}
data: {file: $data, window: 4, test_fraction: 0.2}
train:
  steps: 32
  minibatch: 16
  adapter: {dropout: 0}
  switch: {policy: hpt, window_steps: 4}
placement: {policy: hpt, micro_batches: 4}
X

tells() { # tells NAME TEXT: $WORK/told holds it
    if grep -qF -- "$2" "$WORK/told"; then pass "$1"; else fail "$1" "no '$2'" "$WORK/told"; fi
}
plan() { # plan NAME ARGUMENTS...
    local name=$1
    shift
    works "$name" "$POLYRANK" plan "$file" "$@" && cp "$WORK/stdout" "$WORK/told"
}

# The stack's attention alone is fused: said of the arrays, or of all devices but the GPUs.
plan "attention of the arrays" --set 'cluster.devices[2].attention_kernel=fused' && cp "$WORK/told" "$WORK/arrays"
plan "attention of all but the GPUs" --set placement.attention_kernel=fused --set 'cluster.devices[0].attention_kernel=unfused' &&
    same "attention of some devices" "$WORK/arrays" "$WORK/told"
plan "attention of none" && { cmp -s "$WORK/arrays" "$WORK/told" && fail "fused attention" "changes nothing" || pass "fused attention"; }

plan "a mode of one step" --set train.switch.policy=at --set train.switch.at_step=31 && {
    if grep -qE '^  low +[0-9]+ +- +-$' "$WORK/told"; then pass "one step has no time from step to step"; else
        fail "one step has no time from step to step" "told" "$WORK/told"; fi
}
plan "plan of hpt" && {
    tells "devices of both modes" "hpt: full steps on 2 x a100-80g (fp32), 8 samples each; low-parameter steps on 2 x isaac (quantized) and 2 x systolic-128-7nm (fp32), 4 micro-batches of 4"
    tells "the assumed switch" "low-parameter steps after step 20 of 32, the earliest with windows of 4 steps: assumed"
    for text in "who does what" "  reram1     low        16  1 " "in cells" "2 handovers:" "Wear of the cells" "GPUs alone" "trained in low mode"; do
        tells "plan: $text" "$text"
    done
    [ "$(grep -c '^program of' "$WORK/told")" = 0 ] && pass "no programs unasked" || fail "no programs unasked" "found" "$WORK/told"
}
plan "plan of a width that is left to the switch" --set train.switch.policy=safe --set train.adapter.width=auto && {
    tells "the widths" "their width is decided at the switch, from 2 to 32; predicted here with the widest"
    tells "the narrowest" "with adapters of width 2"
    tells "the widest" "with adapters of width 32"
}
plan "auto with a width that is left to the switch" --set train.switch.policy=safe --set train.adapter.width=auto --set placement.policy=auto &&
    tells "auto tells the width" "priced with adapters of width 32, the widest that the switch may choose"
plan "more copies than rows" --set placement.replicas=33 && tells "copies without work" "  33 copies share 32 rows at a time: more than 32 (placement.replicas) are programmed for nothing"
plan "as many copies as rows" --set placement.replicas=32 && {
    grep -q "copies share" "$WORK/told" && fail "copies that all work" "told to be too many" "$WORK/told" || pass "copies that all work"
}
plan "policy safe that does not pay off" --set train.switch.policy=safe --set train.steps=20 --set cluster.devices[2].array_rows=1 && {
    tells "safe: full steps" "policy safe: every step is a full one"
    tells "safe: why" "  a switch would not pay off: after a trial, 12 low-parameter steps save "
    tells "safe: as the GPUs" "GPUs alone  the same, since every step is a full one"
}
plan "programs of both modes" --instructions && {
    programs=$(grep -c '^program of' "$WORK/told")
    [ "$programs" = 5 ] && pass "a program of a GPU and of each device of the low mode" || fail "programs" "$programs, expected 5" "$WORK/told"
}
plan "programs of one device" --instructions --device reram1 && {
    [ "$(grep '^program of' "$WORK/told")" = "program of reram1: one low-parameter step" ] && pass "only reram1" || fail "only reram1" "others" "$WORK/told"
}
plan "programs of one GPU" -i --device gpu1 && tells "the training step of gpu1" "program of gpu1: one training step"
refuses "unknown device" 2 "--device: expected a device of the cluster such as gpu0, found 'reram7'" "$POLYRANK" plan "$file" -i --device reram7
refuses "device without instructions" 2 "--device: expected with --instructions" "$POLYRANK" plan "$file" --device reram0
refuses "unknown objective" 2 "placement.objective: expected one of time, energy, product" "$POLYRANK" train "$file" --set placement.objective=money -o "$WORK/out"

# auto: the same bytes on any number of ranks; what was chosen is what it took
for objective in time energy product; do
    plan "plan of auto by $objective" --set placement.policy=auto --set placement.objective=$objective &&
        tells "auto by $objective tells both" "hpt takes "
done
sed -i 's/policy: hpt, micro/policy: auto, micro/; s/policy: hpt, window_steps: 4/policy: at, at_step: 6/; s/steps: 32/steps: 12/' "$file"
train auto 0 && for n in 1 3; do
    train "auto-on-$n" $n && for f in result.h5 summary.json stdout; do
        same "auto on $n ranks: $f" "$WORK/auto/$f" "$WORK/auto-on-$n/$f"
    done
done
cat >"$WORK/check.py" <<'X'
import json, sys
run = json.load(open(sys.argv[1]))
choice = run["choice"]
chosen = [c for c in choice["candidate"] if c["policy"] == choice["chosen"]][0]
assert len(choice["candidate"]) == 2 and all(c["problem"] is None for c in choice["candidate"])
assert chosen["virtual_time_ps"] == min(c["virtual_time_ps"] for c in choice["candidate"])
assert chosen["virtual_time_ps"] == run["virtual_time_ps"] and abs(chosen["energy_j"] / run["energy_j"] - 1) < 1e-12
X
works "auto: the least time was chosen, and is what the run took" python3 "$WORK/check.py" "$WORK/auto/summary.json"
tells_choice=$(grep -c 'auto has chosen' "$WORK/auto/stdout")
[ "$tells_choice" = 1 ] && pass "the report tells the choice" || fail "the report tells the choice" "$tells_choice times" "$WORK/auto/stdout"

# wear in the summary, and a pipeline that keeps ReRAM and systolic devices busy at once
cat >"$WORK/wear.py" <<'X'
import json, sys
run = json.load(open(sys.argv[1]))
assert run["handover"]["count"] == 1 and len(run["cells"]) == 2
for cells in run["cells"]:
    assert cells["cell_writes"] == cells["handover_cells"] > 0 and cells["writes_per_cell"] == cells["pulses"]
    assert abs(cells["lifetime_runs"] * cells["writes_per_cell"] / cells["endurance"] - 1) < 1e-12
    assert abs(cells["lifetime_runs"] / cells["all_reram_lifetime_runs"] / run["steps"] - 1) < 1e-12
for mode in run["mode"]:
    assert all(0 <= share <= 1 for share in mode["utilisation"].values())
X
file_hpt() { sed "s/policy: auto, micro_batches: 4/policy: hpt, micro_batches: $1/" "$file" >"$WORK/pipeline.yaml"; }
for n in 1 4; do
    file_hpt $n
    works "hpt, $n micro-batches" "$POLYRANK" train "$WORK/pipeline.yaml" --timing-only -q -o "$WORK/pipeline-$n" || continue
    works "wear of $n micro-batches" python3 "$WORK/wear.py" "$WORK/pipeline-$n/summary.json"
    works "arrows of $n micro-batches" /usr/bin/python3 tests/jobs/trace_rules.py "$WORK/pipeline-$n/"trace.json*
    grep -q ' messages' "$WORK/stdout" && ! grep -q '^0 messages' "$WORK/stdout" || fail "arrows" "none" "$WORK/stdout"
    works "overlap of $n micro-batches" /usr/bin/python3 tests/jobs/trace_overlap.py "$WORK/pipeline-$n/"trace.json*
    eval "overlap_$n=$(cat "$WORK/stdout")"
done
if [ "${overlap_4:-0}" -ge 50 ] && [ "$overlap_4" -gt "${overlap_1:-100}" ]; then pass "a pipeline overlaps"; else
    fail "a pipeline overlaps" "${overlap_1:-?} % with one micro-batch, ${overlap_4:-?} % with four"
fi
echo "   ReRAM computes beside a systolic device for ${overlap_1:-?} % of its time with one micro-batch, ${overlap_4:-?} % with four"
