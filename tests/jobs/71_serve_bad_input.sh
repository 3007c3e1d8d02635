# 71_serve_bad_input.sh - serving jobs that cannot be served: exit status, one message that says what to do, nothing left behind; alone
# and on 3 ranks.
. tests/jobs/lib.sh

P=$POLYRANK
B=${WORK:?}/bad
mkdir "$B"
python3 - "$B" <<'X' || fail "tokenizer, prompts and traces" "cannot be made"
import struct, sys
piece = lambda text: struct.pack("<fi", 0, len(text)) + text
tokens = b"".join(map(piece, [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)] + [b" "]))
def save(name, text): open(sys.argv[1] + "/" + name, "wb").write(text)
save("tok.bin", struct.pack("<i", 6) + tokens)
save("prompts.txt", b"a tale\nanother\n")
save("empty.txt", b"")
save("long.txt", b"short\n" + b"x" * 40 + b"\n")
save("endless.txt", b"x" * 70000 + b"\n")
save("good.csv", b"arrival_s,input_tokens,output_tokens\n0,12,3\n0.5,7,4\n")
save("letters.csv", b"arrival_s,input_tokens,output_tokens\n0,12,3\n0.5,seven,4\n")
save("few.csv", b"arrival_s,input_tokens,output_tokens\n0,12,3\n0.5,7\n")
save("back.csv", b"arrival_s,input_tokens,output_tokens\n2,12,3\n0.5,7,4\n")
save("nothing.csv", b"arrival_s,input_tokens,output_tokens\n0,0,3\n")
save("columns.csv", b"time,size\n0,3\n")
save("bare.csv", b"arrival_s,input_tokens,output_tokens\n")
save("large.csv", b"arrival_s,input_tokens,output_tokens\n0,5000,3\n")
save("cut.jsonl", b'{"timestamp": 0, "input_length": 5, "output_length"\n')
X
works "model" "$P" model synth "$B/model.h5" --layers 1 --d-model 16 --heads 4 --kv-heads 2 --ffn 16 --context 32 --vocabulary 260 \
    --tokenizer "$B/tok.bin"
works "model without tokenizer" "$P" model synth "$B/mute.h5" --layers 1 --d-model 16 --heads 4 --ffn 16 --context 32 --vocabulary 260
works "learned positions" "$P" model synth "$B/gpt.h5" --family gpt --layers 1 --d-model 16 --heads 4 --ffn 16 --context 32 \
    --vocabulary 260 --tokenizer "$B/tok.bin"
works "data set" "$P" data synth "$B/data.h5" --stations 4 --rows 80 --seed 1
cat >"$B/text.yaml" <<X
name: text
cluster:
  name: small
  devices:
    - {kind: gpu, profile: a100-hbm3, count: 1}
    - {kind: hbm-pim, profile: attacc-bank, count: 2}
  links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}
decoder: {file: $B/model.h5}
serve: {prompts: $B/prompts.txt, output_tokens: 3, max_batch: 4, block_tokens: 4}
output: {directory: $WORK/out}
X
sed "s|^decoder:.*|decoder: {model: gpt-2-small}|;s|^serve:.*|serve: {trace: $B/good.csv}|" "$B/text.yaml" >"$B/trace.yaml"
cat >"$B/train.yaml" <<X
name: train
cluster: {name: one, devices: [{kind: gpu, profile: a100-80g}], links: {inside: nvlink3, host: pcie4}}
model: {preset: wind, d_model: 8, heads: 2, layers: 1, ffn: 8}
data: {file: $B/data.h5, window: 3}
train: {epochs: 1, minibatch: 8}
output: {directory: $WORK/out}
X
# The jobs that the next ones break.
works "text is served" "$P" serve "$B/text.yaml" -q -f
works "a trace is served" "$P" serve "$B/trace.yaml" -q -f

# text NAME EXIT TEXT ARGUMENTS...: the job with tensors and more arguments; trace: that without. *_broken: after a sed script.
text() { local n=$1 e=$2 t=$3; shift 3; refuses "$n" "$e" "$t" "$P" serve "$B/text.yaml" -q "$@"; }
trace() { local n=$1 e=$2 t=$3; shift 3; refuses "$n" "$e" "$t" "$P" serve "$B/trace.yaml" -q "$@"; }
text_broken() { sed "$4" "$B/text.yaml" >"$B/broken.yaml"; refuses "$1" "$2" "$3" "$P" serve "$B/broken.yaml" -q; }
trace_broken() { sed "$4" "$B/trace.yaml" >"$B/broken.yaml"; refuses "$1" "$2" "$3" "$P" serve "$B/broken.yaml" -q; }

# command lines and jobs of another kind
refuses "no job to serve" 2 "no job" "$P" serve
refuses "serving a job that trains" 2 "polyrank train" "$P" serve "$B/train.yaml" -q
refuses "training a job that serves" 2 "polyrank serve" "$P" train "$B/text.yaml" -q
refuses "training a job that serves a trace" 2 "polyrank serve" "$P" train "$B/trace.yaml" -q
trace "unknown key" 2 "did you mean 'serve.max_batch'" --set serve.max_bach=3
trace "rate without an objective" 2 "serve.slo: --find-rate needs a limit" --find-rate

# requests
trace "trace that is not there" 4 "none.csv" --set serve.trace="$B/none.csv"
trace "letters for a number" 2 "letters.csv:3:" --set serve.trace="$B/letters.csv"
trace "a field too few" 2 "few.csv:3:" --set serve.trace="$B/few.csv"
trace "arrivals that go back" 2 "back.csv:3:" --set serve.trace="$B/back.csv"
trace "request without a prompt" 2 "nothing.csv:2:" --set serve.trace="$B/nothing.csv"
trace "trace with other columns" 2 "columns.csv:1:" --set serve.trace="$B/columns.csv"
trace "trace without requests" 2 "bare.csv" --set serve.trace="$B/bare.csv"
trace "nothing that fits the context" 2 "all 1 have more than 1024 tokens" --set serve.trace="$B/large.csv"
trace "longer than the longest" 2 "all 2 have more than 8 tokens" --set serve.longest_total=8
trace "longest beyond the context" 2 "serve.longest_total: expected at most the model's context of 1024 tokens, found 2000" --set serve.longest_total=2000
trace "lengths for a trace" 2 "serve.lengths_from: expected nothing" --set serve.lengths_from="$B/good.csv"
trace "watermark between thousandths" 2 "serve.watermark: expected thousandths, found 0.0105" --set serve.watermark=0.0105
trace "JSON lines cut short" 2 "cut.jsonl:1:" --set serve.trace="$B/cut.jsonl"
trace "model for a trace" 2 "not a text file" --set serve.trace="$B/model.h5"
text "prompts that are not there" 4 "none.txt" --set serve.prompts="$B/none.txt"
text "no prompt" 2 "expected a prompt on each line, found an empty file" --set serve.prompts="$B/empty.txt"
text "prompt longer than the context" 2 "long.txt:2: expected a prompt with room for an answer" --set serve.prompts="$B/long.txt"
text "prompt without end" 2 "endless.txt:1: expected at most 65536 bytes" --set serve.prompts="$B/endless.txt"
text "prompts and a trace" 2 "serve.trace" --set serve.trace="$B/good.csv"
trace_broken "nothing to serve" 2 "serve.requests: expected a number above 0" 's/^serve:.*/serve: {max_batch: 4}/'
text_broken "tensors without prompts" 2 "run with --timing-only" 's/^serve:.*/serve: {requests: 4}/'

# models
trace "unknown model" 2 "polyrank model list" --set decoder.model=gpt-9
text "model that is not there" 4 "none.h5" --set decoder.file="$B/none.h5"
text "data set for a model" 2 "polyrank model import makes models" --set decoder.file="$B/data.h5"
text "text for a model" 4 "prompts.txt" --set decoder.file="$B/prompts.txt"
text "prompts without a tokenizer" 2 "expected a decoder.file with a tokenizer" --set decoder.file="$B/mute.h5"
text "two models" 2 "decoder" --set decoder.model=gpt-2-small
text "more context than was learned" 2 "at most the 32 positions" --set decoder.file="$B/gpt.h5" --set decoder.context=64
trace_broken "prompts for a shape alone" 2 "expected a decoder.file with a tokenizer" "s|trace: [^}]*|prompts: $B/prompts.txt|"

# machines
trace "model larger than a GPU" 2 "shortest fix" --set decoder.model=gpt-3-175b
trace "and how much it needs" 2 "needs" --set decoder.model=gpt-3-175b
text "more GPUs than KV heads" 2 "expected 1 to 2 GPUs, which share its KV heads, found 4" --set cluster.devices[0].count=4 \
    --set cluster.devices[1].count=4
text "PIM devices that do not share out" 2 "a multiple of 2, found 3" --set cluster.devices[0].count=2 --set cluster.devices[1].count=3
trace_broken "more PIM devices at a GPU than can share" 2 "expected at most 32 hbm-pim devices at each GPU, found 33" 's/count: 2/count: 33/'
text_broken "int8 weights on a GPU without int8 products" 2 "serve.weight_numerics: expected same" \
    's/a100-hbm3/v100/;s/serve: {/serve: {weight_numerics: int8, /'
trace "int8 weights and a shared feed-forward" 2 "serve.weight_numerics: expected same with serve.ff_share" \
    --set serve.weight_numerics=int8 --set serve.ff_share=0.5
text_broken "no GPU" 2 "found 0" '/kind: gpu/d'
text_broken "an array beside GPUs" 2 "a decoder runs on gpu and on hbm-pim or cpu devices" 's/kind: hbm-pim, profile: attacc-bank/kind: systolic, profile: systolic-32-7nm/'
text_broken "unknown PIM profile" 2 "unknown HBM-PIM profile 'attacc-brick'" 's/attacc-bank/attacc-brick/'
text_broken "memory of a PIM device" 2 "memory_bytes" 's/profile: attacc-bank/&, memory_bytes: 4 GiB/'
text "doubles on PIM devices" 2 "fp64" --set placement.numerics=fp64
trace "more prefill instances than instances" 2 "prefill instances: 3 of 1 leave none for decodes" --set serve.prefill_instances=3

text_broken "KV on the host and a lost device, with tensors" 2 "serve.recovery: expected recompute" \
    's/serve: {/faults: [{device: hbm-pim0, at: 1 ms, kind: fails}]\nserve: {preemption: swap, recovery: reload, /'
trace "prompts beyond the budget" 2 "token_budget 12, or batching chunked" --set serve.batching=prefill-first --set serve.token_budget=8 \
    --set serve.max_batch=4

# numbers out of range
trace "no batch" 2 "serve.max_batch" --set serve.max_batch=0
trace "budget below the batch" 2 "token_budget" --set serve.max_batch=300 --set serve.token_budget=200
trace "block of nothing" 2 "serve.block_tokens" --set serve.block_tokens=0
trace "negative temperature" 2 "serve.temperature" --set serve.temperature=-1
trace "top_p of nothing" 2 "serve.top_p" --set serve.top_p=0
trace "top_p above all" 2 "serve.top_p" --set serve.top_p=1.5
trace "rate of nothing" 2 "serve.rate_scale" --set serve.rate_scale=0
trace "unknown batching" 2 "serve.batching" --set serve.batching=greedy
trace "unknown partition" 2 "serve.partition" --set serve.partition=layers
trace "unknown KV numerics" 2 "serve.kv_numerics" --set serve.kv_numerics=int4
trace "objective without unit" 2 "serve.slo.ttft_s" --set serve.slo.ttft_s=soon
trace "objective of more than all" 2 "serve.slo.share" --set serve.slo.share=2
