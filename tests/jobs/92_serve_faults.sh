# 92_serve_faults.sh - devices that fail or get slower while requests are served: the same answers whatever the partition of the KV
# cache, the same bytes on every number of ranks and timing-only, what recovery has cost, what cannot go on.
. tests/jobs/lib.sh

P=$POLYRANK
cp data/stories260k.h5 "$WORK/model.h5"
cd "$WORK" || exit
printf 'Once upon a time\nOne day a cat\nThe sun\nTim and Sue\n' >prompts.txt
# job NAME DEVICES FAULTS
job() {
    { echo "name: fault"; echo "cluster: {name: small, devices: [$2], links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}}"
      echo "decoder: {file: model.h5}"
      echo "serve: {prompts: prompts.txt, output_tokens: 24, max_batch: 3, token_budget: 16, block_tokens: 4, temperature: 0.8, recovery_s: 1 ms}"
      [ -z "$3" ] || echo "faults: [$3]"
    } >"$1.yaml"
}
gpu="{kind: gpu, profile: a100-80g}" pim="{kind: hbm-pim, profile: attacc-bank, count: 3}"
gpus="{kind: gpu, profile: a100-80g, count: 2}" pims="{kind: hbm-pim, profile: attacc-bank, count: 4}"
lost="{device: hbm-pim1, at: 4 ms, kind: fails}"
job whole "$gpu, $pim" ""
job lost "$gpu, $pim" "$lost"
job all "$gpu, $pim" "$lost, {device: hbm-pim2, at: 5 ms, kind: fails}, {device: hbm-pim0, at: 6 ms, kind: fails}"
job gpus "$gpus, $pims" "{device: hbm-pim3, at: 3 ms, kind: fails}, {device: gpu0, at: 6 ms, kind: fails}"
job slow "$gpu, $pim" "{device: gpu0, at: 4 ms, kind: degrades, factor: 0.25}"
job link "$gpu, $pim" "{device: hbm-pim2, at: 4 ms, kind: link-slows, factor: 0.01}"
job none "$gpu, $pim" "{device: gpu0, at: 4 ms, kind: fails}"

serve() { # serve NAME JOB N ARGUMENTS...
    local name=$1 file=$2.yaml n=$3 launch=
    shift 3
    [ "$n" = 0 ] || launch="mpirun --timeout $LIMIT -n $n"
    rm -rf run "$name"
    works "serve $name" $launch "$P" serve "$file" -q -o run "$@" || return 1
    mv run "$name"
    cp stdout "$name/stdout"
    [ ! -e "$name/answers.jsonl" ] || sort "$name/answers.jsonl" >"$name/answers"
}
# costs NAME CONDITION: python on the recovery r, the summary s and the summary w of the run without faults
costs() {
    if python3 -c "
import json, sys
s, w = (json.load(open(f + '/summary.json')) for f in ('$1', 'whole'))
r = s['recovery']
sys.exit(0 if $2 else print(r) or 1)" >cost 2>&1; then pass "$1: $2"; else fail "$1" "not: $2" cost; fi
}

serve whole whole 0
if grep -q recovery whole/summary.json; then fail "without faults" "a recovery is told"; else pass "without faults no recovery is told"; fi
lost_costs="r['lost_devices'] == 1 and r['requests_that_lost_kv'] == 3 and r['recomputed_tokens'] == r['lost_tokens'] > 20"
for partition in sequence heads hybrid auto; do
    serve $partition lost 0 --set serve.partition=$partition
    same "$partition: a lost device changes no token" whole/answers $partition/answers
    costs $partition "$lost_costs and r['stop_s'] > 1e-3 and r['recompute_s'] > 0 and r['stop_energy_j'] > 0 and r['recompute_energy_j'] > 0"
    costs $partition "s['recomputed_tokens'] == r['recomputed_tokens'] and s['virtual_time_s'] > w['virtual_time_s'] + 1e-3"
done
serve greedy-whole whole 0 --set serve.temperature=0
serve greedy lost 0 --set serve.temperature=0 --set serve.partition=sequence
same "greedy: a lost device changes no token" greedy-whole/answers greedy/answers
serve routed lost 3 --set serve.instances=2 --set serve.router=central --set faults[0].instance=1
same "two instances: a lost device of the second changes no token" whole/answers routed/answers
for n in 2 5; do
    serve on-$n lost $n --set serve.partition=sequence
    for f in requests.csv answers.jsonl serving.h5 summary.json stdout; do same "lost on $n ranks: $f" sequence/$f on-$n/$f; done
done
serve timing lost 0 --set serve.partition=sequence --timing-only
same "lost, timing only: requests.csv" sequence/requests.csv timing/requests.csv
serve all all 0 --set serve.partition=auto
same "without PIM devices the GPU goes on" whole/answers all/answers
costs all "r['lost_devices'] == 3"
serve gpus gpus 3
same "a GPU and its devices are lost" whole/answers gpus/answers
costs gpus "r['lost_devices'] == 2"
for j in slow link; do
    serve $j $j 0 --set serve.partition=sequence
    same "$j: no token changes" whole/answers $j/answers
    costs $j "r['faults'] == 1 and r['lost_devices'] == 0 and s['virtual_time_s'] > 1.2 * w['virtual_time_s']"
done

# The parts of time and energy sum: busy and idle are the run, parts and idle are the whole; ledgers of devices by kernel class are
# all of it, with tensors and without.
sums() {
    /usr/bin/python3 - "$1/serving.h5" >sums 2>&1 <<'PY' && pass "$1: the ledger sums" || fail "$1: the ledger sums" "it does not" sums
import h5py, sys
f = h5py.File(sys.argv[1])
def fj(name):
    return [int(w) * 10**15 + int(r) for w, r in zip(f[name + "_whole_j"][()].flat, f[name + "_rest_fj"][()].flat)]
told = fj("instance/energy")
assert abs(sum(told) * 1e-15 - f.attrs["energy_j"]) < 1e-12 * f.attrs["energy_j"], (sum(told), f.attrs["energy_j"])
end, busy = int(f["request/finish_ps"][()].max()), int(f["instance/busy_ps"][0])
assert busy == end, (busy, end) # all requests are there from the start: the instance is never without work
assert f["recovery/stop_ps"][0] + f["recovery/recompute_ps"][0] < busy
assert 0 < f["recovery/stop_energy_j"][0] + f["recovery/recompute_energy_j"][0] < f.attrs["energy_j"]
d = f["device"]
parts = len(d["part"])
energy, host = fj("device/energy"), fj("host/energy")
for p in range(parts):
    part = sum(energy[p::parts]) + host[p] + (sum(fj("device/wait_energy")) if p == 0 else 0)
    assert part == told[p], (d["part"][p], part, told[p])
assert sum(fj("device/idle_energy")) == told[parts]
for i in range(len(d["device"])):
    assert d["compute_ps"][i].sum() + d["wait_ps"][i].sum() + d["idle_ps"][i] == d["end_ps"][i] == end
    assert d["compute_ps"][i].sum() <= busy
assert d["flops"][()].sum() > 0 and f["fault/stop_ps"][()].sum() == f["recovery/stop_ps"][()].sum() > 0
assert f["fault/lost_tokens"][()].sum() == f["recovery/lost_tokens"][()].sum()
PY
}
for run in sequence timing all gpus; do sums $run; done
python3 - sequence timing >alike 2>&1 <<'PY' && pass "ledgers are the same without tensors" || fail "ledgers are the same without tensors" "they differ" alike
import json, sys
a, b = (json.load(open(folder + "/summary.json")) for folder in sys.argv[1:])
assert len(a["device"]) == 4 and a["host"] and a["fault"]
for device in a["device"] + b["device"]:
    del device["memory_bytes"] # tensors are made for more blocks than are used
for key in ("device", "host", "fault", "energy_j"):
    assert a[key] == b[key], key
PY

refuses "nothing left of the second" 5 "gpu0 fails at 0.004 s: what is left cannot serve" "$P" serve "$WORK/none.yaml" -q -o "$WORK/out2" \
    --set serve.instances=2 --set faults[0].instance=1
refuses "nothing left" 5 "gpu0 fails at 0.004 s: what is left cannot serve" "$P" serve "$WORK/none.yaml" -q -o "$WORK/out2"
wrong() { # wrong NAME TEXT FAULTS
    job wrong "$gpu, $pim" "$3"
    refuses "$1" 2 "$2" "$P" serve "$WORK/wrong.yaml" -q -o "$WORK/out"
}
wrong "no such device" "faults[0].device: expected gpu0 to hbm-pim2, found 'pim7'" "{device: pim7, at: 1 ms, kind: fails}"
wrong "no such instance" "faults[0].instance: expected 0 to 0, found 2" "{device: gpu0, at: 1 ms, kind: fails, instance: 2}"
wrong "no factor" "faults[0].factor: expected a share above 0 and below 1" "{device: gpu0, at: 1 ms, kind: degrades}"
wrong "a factor of a device that fails" "faults[0].factor: expected nothing" "{device: gpu0, at: 1 ms, kind: fails, factor: 0.5}"
refuses "nothing on the host" 2 "serve.recovery: expected recompute, because without serve.preemption swap" "$P" serve \
    "$WORK/lost.yaml" -q -o "$WORK/out" --set serve.recovery=reload
wrong "a device that is gone" "which has failed before" "$lost, {device: hbm-pim1, at: 9 ms, kind: degrades, factor: 0.5}"
