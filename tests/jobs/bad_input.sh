# bad_input.sh - sourced by the parts that break a job: a small one that is right, $base, and its data, $data.
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
