# 15_model.sh - decoder models through the real program: made, imported, looked at; malformed files and command lines refused.
. tests/jobs/lib.sh

P=$POLYRANK
M=$WORK/models
mkdir "$M"

# Foreign files: a sound llama2.c model and tokenizer, safetensors of a GPT-2 with config.json; and broken ones.
python3 - "$M" <<'X' || fail "foreign files" "cannot be made"
import json, os, struct, sys
os.chdir(sys.argv[1])
d, ffn, layers, heads, kv, vocabulary, context = 8, 12, 2, 4, 2, 260, 16
n = vocabulary * d + layers * (2 * d + 2 * d * d + 2 * d * d // 2 + 3 * ffn * d) + d + context * (d // heads)
sound = struct.pack("<7i", d, ffn, layers, heads, kv, vocabulary, context) + struct.pack("<%df" % n, *[i % 97 / 97 for i in range(n)])
piece = lambda text, score=0.0: struct.pack("<fi", score, len(text)) + text
tokens = struct.pack("<i", 6) + b"".join(map(piece, [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)])) + piece(b" ")
def save(name, content): open(name, "wb").write(content)
save("sound.bin", sound)
save("tok.bin", tokens)
save("short.bin", sound[:-5])
save("long.bin", sound + b"0000")
save("negative.bin", struct.pack("<7i", d, ffn, -2, heads, kv, vocabulary, context) + sound[28:])
save("quantised.bin", struct.pack("<Ii", 0x616b3432, 2) + sound)
save("nan.bin", sound[:28] + struct.pack("<f", float("nan")) + sound[32:])
save("short-tok.bin", tokens[:-1])
save("nan-tok.bin", tokens[:4] + struct.pack("<f", float("nan")) + tokens[8:])
save("other-tok.bin", tokens + piece(b"x"))
save("text.bin", b"This is no model.\n" * 9)
os.mkdir("gpt")
config = dict(model_type="gpt2", n_embd=8, n_layer=1, n_head=2, n_positions=16, vocab_size=20, layer_norm_epsilon=1e-5)
save("gpt/config.json", json.dumps(config).encode())
shapes = {"wte.weight": [20, 8], "wpe.weight": [16, 8], "ln_f.weight": [8], "ln_f.bias": [8]}
for name, shape in {"ln_1.weight": [8], "ln_1.bias": [8], "attn.c_attn.weight": [8, 24], "attn.c_attn.bias": [24], "attn.c_proj.weight": [8, 8],
                    "attn.c_proj.bias": [8], "ln_2.weight": [8], "ln_2.bias": [8], "mlp.c_fc.weight": [8, 32], "mlp.c_fc.bias": [32],
                    "mlp.c_proj.weight": [32, 8], "mlp.c_proj.bias": [8]}.items():
    shapes["h.0." + name] = shape
def tensors(shapes, spoil=lambda header: None):
    header, at = {}, 0
    for name, shape in shapes.items():
        count = 1
        for dim in shape: count *= dim
        header[name] = dict(dtype="F32", shape=shape, data_offsets=[at, at + 4 * count])
        at += 4 * count
    spoil(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + struct.pack("<%df" % (at // 4), *[i % 89 / 89 for i in range(at // 4)])
save("gpt/model.safetensors", tensors(shapes))
save("gpt/extra.safetensors", tensors({**shapes, "h.1.ln_1.weight": [8]}))
save("gpt/missing.safetensors", tensors({k: v for k, v in shapes.items() if k != "wpe.weight"}))
save("gpt/shape.safetensors", tensors({**shapes, "wte.weight": [19, 8]}))
def overlap(header): header["ln_f.bias"]["data_offsets"] = header["ln_f.weight"]["data_offsets"]
save("gpt/overlap.safetensors", tensors(shapes, overlap))
save("gpt/cut.safetensors", tensors(shapes)[:-100])
save("gpt/index.json", json.dumps({"weight_map": {"wte.weight": "nowhere.safetensors"}}).encode())
save("mistral.json", json.dumps({**config, "model_type": "mistral"}).encode())
X

works "import of llama2.c" "$P" model import "$M/sound.bin" "$M/sound.h5" --tokenizer "$M/tok.bin"
works "import of a folder" "$P" model import "$M/gpt" "$M/gpt.h5"
works "import again with --force" "$P" model import "$M/gpt/model.safetensors" "$M/gpt2.h5" --config "$M/gpt/config.json" --name gpt --force
works "synthetic model" "$P" model synth "$M/tiny.h5" --layers 1 --d-model 16 --heads 4 --kv-heads 2 --seed 7
works "the same again" "$P" model synth "$M/again.h5" --layers 1 --d-model 16 --heads 4 --kv-heads 2 --seed 7
same "equal options, equal models" "$M/tiny.h5" "$M/again.h5"
works "a known shape in float16" "$P" model synth opt-6.7b "$M/opt.h5" --layers 1 --d-model 32 --heads 2 --kv-heads 2 --head-width 16 --ffn 64 \
    --vocabulary 50 --float16
for f in sound gpt tiny opt; do works "check of $f.h5" "$P" check "$M/$f.h5" && cp "$WORK/stdout" "$M/$f.check"; done
for f in sound gpt tiny opt; do works "info of $f.h5" "$P" model info "$M/$f.h5"; done
h5_hash() { h5dump -a content_hash "$1" | grep -o '"[0-9a-f]\{16\}"'; }
h5_hash "$M/gpt.h5" >"$M/a"
h5_hash "$M/gpt2.h5" >"$M/b"
same "folder and file are the same model" "$M/a" "$M/b"
works "list" "$P" model list
grep -q 'llama-2-70b.* 68976648192$' "$WORK/stdout" && pass "list counts parameters" || fail "list counts parameters" "not 68976648192" "$WORK/stdout"
works "info of a known model" "$P" model info gpt-3-175b
/usr/bin/python3 - "$M/sound.h5" <<'X' && pass "h5py reads a model" || fail "h5py reads a model" "no"
import h5py, sys
f = h5py.File(sys.argv[1])
assert f["weights/layers.1.attn.k.weight"].shape == (4, 8) and f.attrs["kv_heads"] == 2 and f.attrs["family"] == "llama"
assert abs(f["weights/embed.weight"][0, 5] - 5 / 97) < 1e-7 and f["tokenizer/length"].shape == (260,)
X

# bad input: one message, nothing written
out=$M/none.h5
import() { # import NAME EXIT TEXT ARGUMENTS...
    local name=$1 want=$2 text=$3
    shift 3
    refuses "$name" "$want" "$text" "$P" model import "$@"
}
import "import of nothing" 2 "expected a file to read and a file to write"
import "import without a file to write" 2 "expected a file to read" "$M/sound.bin"
import "import of a third file" 2 "unexpected argument" a b c
import "file that is not there" 4 "nowhere.bin" "$M/nowhere.bin" "$out"
import "model that exists" 2 "--force replaces it" "$M/sound.bin" "$M/gpt.h5"
import "text for a model" 2 "not a model of llama2.c" "$M/text.bin" "$out"
import "model that is imported" 2 "found HDF5" "$M/gpt.h5" "$out"
import "llama2.c cut short" 2 "short.bin: a model of llama2.c, version 0: expected" "$M/short.bin" "$out"
import "llama2.c too long" 2 "long.bin: a model of llama2.c, version 0: expected" "$M/long.bin" "$out"
import "negative layers" 2 "n_layers: expected 1 .. 16384, found -2" "$M/negative.bin" "$out"
import "quantised llama2.c" 2 "found 2 (quantised to int8)" "$M/quantised.bin" "$out"
import "weight that is no number" 2 "embed.weight: row 0: expected a finite number" "$M/nan.bin" "$out"
import "tokenizer that is not there" 4 "nowhere.bin" "$M/sound.bin" "$out" --tokenizer "$M/nowhere.bin"
import "tokenizer cut short" 4 "truncated: piece 259" "$M/sound.bin" "$out" --tokenizer "$M/short-tok.bin"
import "tokenizer with a score that is no number" 2 "piece 0: score" "$M/sound.bin" "$out" --tokenizer "$M/nan-tok.bin"
import "tokenizer of another model" 2 "expected 260 pieces" "$M/sound.bin" "$out" --tokenizer "$M/other-tok.bin"
import "config of llama2.c" 2 "--config" "$M/sound.bin" "$out" --config "$M/gpt/config.json"
import "folder without weights" 4 "found neither" "$M" "$out"
import "safetensors without config" 4 "--config names it" "$M/gpt/model.safetensors" "$out" --config "$M/nowhere.json"
import "config of another kind" 2 "model_type: expected" "$M/gpt/model.safetensors" "$out" --config "$M/mistral.json"
import "config that is no JSON" 2 "not JSON" "$M/gpt/model.safetensors" "$out" --config "$M/text.bin"
import "superfluous tensor" 2 "h.1.ln_1.weight: unexpected" "$M/gpt/extra.safetensors" "$out"
import "missing tensor" 2 "wpe.weight: missing (positions.weight of the model)" "$M/gpt/missing.safetensors" "$out"
import "tensor of another shape" 2 "wte.weight: shape: expected [20, 8], found [19, 8]" "$M/gpt/shape.safetensors" "$out"
import "tensors that overlap" 2 "tensors overlap" "$M/gpt/overlap.safetensors" "$out"
import "safetensors cut short" 2 "data_offsets" "$M/gpt/cut.safetensors" "$out"
import "index of files that are not there" 4 "nowhere.safetensors" "$M/gpt/index.json" "$out"
import "folder to write into that is not there" 4 "cannot be created" "$M/sound.bin" "$M/no/model.h5"

refuses "model without a verb" 2 "expected a verb" "$P" model
refuses "unknown verb of model" 2 "did you mean import" "$P" model imort
refuses "info of nothing" 2 "expected a model file or a name" "$P" model info
refuses "info of what is not known" 4 "nor a name of polyrank model list" "$P" model info gpt-9
refuses "info of a text" 4 "not an HDF5 file" "$P" model info "$M/text.bin"
refuses "synth of nothing" 2 "expected a file to write" "$P" model synth
refuses "synth of what is not known" 2 "unknown model 'gpt-9'" "$P" model synth gpt-9 "$out"
refuses "synth of an unknown family" 2 "--family" "$P" model synth "$out" --family rnn
refuses "heads that do not divide" 2 "--heads" "$P" model synth "$out" --heads 5
refuses "KV heads that do not divide" 2 "kv_heads" "$P" model synth "$out" --kv-heads 3
refuses "no layers" 2 "--layers" "$P" model synth "$out" --layers 0
refuses "seed of a model that is no number" 2 "--seed" "$P" model synth "$out" --seed x
refuses "model larger than the disk" 2 "the disk has" "$P" model synth mt-nlg-530b "$out" --layers 9999

# a model file that is damaged, or edited so that its numbers are not those it was written with
head -c 4000 "$M/sound.h5" >"$M/cut.h5"
refuses "model cut short" 4 "cut.h5" "$P" check "$M/cut.h5"
/usr/bin/python3 - "$M" <<'X' || fail "edited models" "cannot be made"
import h5py, shutil, sys
def edited(name, change):
    shutil.copy(f"{sys.argv[1]}/sound.h5", f"{sys.argv[1]}/{name}.h5")
    with h5py.File(f"{sys.argv[1]}/{name}.h5", "r+") as f: change(f)
def weight(f): f["weights/norm.gamma"][3] = 9
def shape(f): f.attrs["kv_heads"] = 4
def version(f): f.attrs["polyrank_model_version"] = 2
def marks(f): f["tokenizer"].attrs["bos"] = 260
def pieces(f): f["tokenizer/length"][3] = 99
for change in (weight, shape, version, marks, pieces): edited(change.__name__, change)
X
refuses "weight that was edited" 3 "weights/norm.gamma: hash: expected" "$P" check "$M/weight.h5"
refuses "shape that was edited" 2 "weights/layers.0.attn.k.weight: expected 8 x 8 values, found 4 x 8" "$P" check "$M/shape.h5"
refuses "version of a later program" 2 "polyrank_model_version: expected 1, found 2" "$P" model info "$M/version.h5"
refuses "BOS that is no token" 2 "BOS and EOS in 0 .. 259, found 260" "$P" check "$M/marks.h5"
refuses "piece longer than all" 2 "tokenizer/length: piece" "$P" check "$M/pieces.h5"
[ ! -e "$out" ] && [ ! -e "$out.tmp" ] && pass "bad input writes nothing" || fail "bad input writes nothing" "a file is there"
