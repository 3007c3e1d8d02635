# 25_way_back.sh - policy safe on a noisy machine: the run switches, becomes worse, returns and tries again; the same
# bytes on 1, 2, 3 and 5 ranks.
. tests/jobs/lib.sh

data=$WORK/way-back.h5 file=$WORK/way-back.yaml
works "way back: data" "$POLYRANK" data synth "$data" --stations 7 --rows 600 --seed 5 || exit

# The GPUs are slow enough for the low-parameter mode to pay off; its learning rate is far too high.
cat >"$file" <<X
name: way-back
cluster:
  name: small-hpt
  devices:
    - {kind: gpu, profile: a100-80g, count: 2, peak_flop_per_s: "10 GFLOP/s", memory_bytes_per_s: "1 GB/s"}
    - {kind: reram, profile: isaac, count: 2, fidelity: analog, program_noise: 0.2, read_noise: 0.3}
    - {kind: systolic, profile: systolic-128-7nm, count: 1}
  links: {inside: nvlink3, host: pcie4, bridge: pcie4, stack: stack-3d}
model: {preset: wind, d_model: 16, heads: 2, layers: 1, ffn: 16, embed_hidden: 8, dropout: 0, residual: true}
data: {file: $data, window: 4, test_fraction: 0.2}
train:
  steps: 60
  minibatch: 64
  evaluate_epochs: 0
  optimiser: {learning_rate: 1e-4}
  adapter: {dropout: 0, learning_rate: 0.3}
  switch: {policy: safe, window_steps: 4, margin: 0.9}
placement: {policy: hpt, micro_batches: 2}
X

# decisions FILE: the decisions of the switch, one a line
decisions() { python3 - "$1" <<'X'
import json, sys
run = json.load(open(sys.argv[1]))
for record in run["switch"]["record"]:
    if record["action"] != "continue":
        print(record["action"])
X
}

rm -rf "$WORK/run" "$WORK/alone"
works "way back" "$POLYRANK" train "$file" -q -o "$WORK/run" || exit
cp "$WORK/stdout" "$WORK/run/stdout"
mv "$WORK/run" "$WORK/alone"
decisions "$WORK/alone/summary.json" >"$WORK/decisions"
printf '%s\n' "start trial" "enter low" "return to full" "start trial" "enter low" >"$WORK/expected"
if cmp -s "$WORK/decisions" "$WORK/expected"; then pass "way back: decisions"; else
    fail "way back: decisions" "not those expected" "$WORK/decisions"
fi
if grep -q '^  1 way back: [0-9.]* [mu]s, ' "$WORK/alone/stdout" && python3 -c '
import json, sys
way = json.load(open(sys.argv[1]))["way_back"]
assert way["count"] == 1 and way["virtual_time_ps"] > 0 and way["energy_j"] > 0, way' "$WORK/alone/summary.json"; then
    pass "way back: told"
else fail "way back: told" "not as it was" "$WORK/alone/stdout"; fi
for n in 2 3 5; do
    works "way back on $n ranks" mpirun --timeout $LIMIT -n $n "$POLYRANK" train "$file" -q -o "$WORK/run" || continue
    cp "$WORK/stdout" "$WORK/run/stdout"
    for f in result.h5 summary.json loss.csv trace.json stdout; do
        if cmp "$WORK/alone/$f" "$WORK/run/$f" >"$WORK/cmp" 2>&1; then pass "way back on $n ranks: $f"; else
            fail "way back on $n ranks: $f" "differs" "$WORK/cmp"
        fi
    done
    rm -rf "$WORK/run"
done

# The adapters' width chosen by test T3: the programs of the low mode are made anew for it, wider ones after the way back. Up to there
# the run is that of a job which says this width; on other ranks and after a restart it has the same bytes.
train chosen 0 --set train.adapter.width=auto || exit
train chosen-on-3 3 --set train.adapter.width=auto
for f in result.h5 summary.json loss.csv trace.json stdout; do same "width chosen: $f on 3 ranks" "$WORK/chosen/$f" "$WORK/chosen-on-3/$f"; done
works "width chosen: trace" tests/jobs/trace_rules.py "$WORK/chosen/trace.json"
for step in 22 45; do # in low mode of the first width and of the second one
    train "half-$step" 0 --set train.adapter.width=auto --checkpoint-steps $step || continue
    mv "$WORK/half-$step" "$WORK/run"
    rm -f "$WORK"/run/{result.h5,summary.json,trace.json,loss.csv,stdout}
    works "width chosen: restart after step $step" mpirun --timeout $LIMIT -n 2 "$POLYRANK" train "$file" -q -o "$WORK/run" \
        --set train.adapter.width=auto --resume auto
    cp "$WORK/stdout" "$WORK/run/stdout"
    for f in result.h5 summary.json loss.csv trace.json stdout; do same "width chosen, restart after $step: $f" "$WORK/chosen/$f" "$WORK/run/$f"; done
done
train two 0 --set train.adapter.width=2
works "width chosen: told, and nothing else" python3 -c '
import json, sys
chosen, two = (json.load(open(path)) for path in sys.argv[1:])
widths = [r["width"] for r in chosen["switch"]["record"] if r["action"] in ("start trial", "enter low")]
assert widths == [2, 2, 4, 4], widths
priced = [[n["value"] for n in r["number"] if n["name"] == "priced_width"] for r in chosen["switch"]["record"]]
assert [2] in priced and [4] in priced and all(p in ([], [2], [4]) for p in priced), priced
for key in "loss", "virtual_time_ps", "energy_j":
    a, b = chosen["curve"][key][:40], two["curve"][key][:40]
    assert len(a) == 40 and a == b, (key, a, b)' "$WORK/chosen/summary.json" "$WORK/two/summary.json"
