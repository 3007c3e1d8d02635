/* config_refusals.h - malformed jobs and overrides with the exact message that each must get. */
#ifndef CONFIG_REFUSALS_H
#define CONFIG_REFUSALS_H

#include <stddef.h>

#define MODEL "model: {preset: wind}\n"
#define CLUSTER "cluster: {devices: [{kind: gpu, profile: a100}], links: {host: pcie4}}\n"
#define STEPS "train: {steps: 1}\n"
#define GOOD MODEL CLUSTER STEPS
#define FOUR "{kind: gpu}, {kind: gpu}, {kind: gpu}, {kind: gpu}, "

/* clang-format off */
/* Keys of a section, as messages list them. */
#define DEVICE_KEYS \
    "kind, profile, count, per_node, memory_bytes, memory_bytes_per_s, peak_flop_per_s, tdp_w, idle_w, launch_s, " \
    "numerics, attention_kernel, dataflow, memory_mode, array_rows, array_cols, overlap_weights, fidelity, mapping, " \
    "tiles, weight_bits, input_bits, error_bits, cell_bits, adc_bits, adc_range, program_noise, " \
    "read_noise, stuck_low, stuck_high, drift, write_verify, stacks, power_limit, endurance"
#define TRAIN_KEYS                                                                                                     \
    "mode, epochs, steps, minibatch, loss, huber_delta, intrinsic_dim, clip_norm, evaluate_epochs, recovery_s, seed, optimiser, "  \
    "schedule, adapter, switch"

static const struct refusal {
    const char *text;
    const char *overrides[3]; /* ended by NULL */
    int status;
    const char *message;
} refusals[] = {
    {"", {NULL}, 2,
     "j.yaml:1: expected YAML sections such as model: and cluster:, found an empty file"},
    {"\n# only a comment\n", {NULL}, 2,
     "j.yaml:1: expected YAML sections such as model: and cluster:, found an empty file"},
    {"---\n", {NULL}, 2,
     "j.yaml:2: expected a section with the keys name, cluster, model, data, train, decoder, serve, placement, output, "
     "faults, found nothing"},
    {"just words", {NULL}, 2,
     "j.yaml:1: expected a section with the keys name, cluster, model, data, train, decoder, serve, placement, output, "
     "faults, found 'just words'"},
    {"[1, 2]", {NULL}, 2,
     "j.yaml:1: expected a section with the keys name, cluster, model, data, train, decoder, serve, placement, output, "
     "faults, found a list of 2"},
    {"model:\n\tpreset: wind\n", {NULL}, 2,
     "j.yaml:2: expected blanks as indentation, found a tab"},
    {"model: {preset: wind\n", {NULL}, 2,
     "j.yaml:2: expected YAML, found an error: did not find expected ',' or '}' while parsing a flow "
     "mapping"},
    {"model: preset: wind\n", {NULL}, 2,
     "j.yaml:1: expected YAML, found an error: mapping values are not allowed in this context"},
    {"a: b\n---\nc: d\n", {NULL}, 2,
     "j.yaml:2: expected one document, found a second one"},
    {"model: &m {preset: wind}\n", {NULL}, 2,
     "j.yaml:1: expected plain values, found an anchor (&)"},
    {"model: *m\n", {NULL}, 2,
     "j.yaml:1: expected plain values, found an alias (*)"},
    {"model: !!str wind\n", {NULL}, 2,
     "j.yaml:1: expected plain values, found a tag (!)"},
    {"name: \"a\\0b\"\n", {NULL}, 2,
     "j.yaml:1: expected text, found a NUL character"},
    {"\001\n", {NULL}, 2,
     "j.yaml:1: expected YAML, found an error: control characters are not allowed"},
    {"name: '\n", {NULL}, 2,
     "j.yaml:2: expected YAML, found an error: found unexpected end of stream while scanning a quoted "
     "scalar"},
    {"? [a]\n: b\n", {NULL}, 2,
     "j.yaml:1: expected a key, found a list"},
    {"{{a: b}: c}\n", {NULL}, 2,
     "j.yaml:1: expected a key, found a section"},
    {"model: [[[[[[[[[[1]]]]]]]]]]\n", {NULL}, 2,
     "j.yaml:1: model[0][0][0][0][0][0][0]: expected at most 8 levels of nesting, found more"},
    {"%FOO\n--- x: y\n", {NULL}, 2,
     "j.yaml:1: expected YAML, found an error: found unknown directive name while scanning a directive"},
    {"- model\n", {NULL}, 2,
     "j.yaml:1: expected a section with the keys name, cluster, model, data, train, decoder, serve, placement, output, "
     "faults, found a list of 1"},
    {"name: \377\376\n", {NULL}, 2,
     "j.yaml:1: expected YAML, found an error: invalid leading UTF-8 octet"},
    {"model:\n  preset: wind\n model: x\n", {NULL}, 2,
     "j.yaml:3: expected YAML, found an error: did not find expected key while parsing a block mapping"},
    {MODEL "modle: 3\n", {NULL}, 2,
     "j.yaml:2: modle: expected a known key, found 'modle' (did you mean 'model'?)"},
    {MODEL MODEL, {NULL}, 2,
     "j.yaml:2: model: expected one value, found a second one (the first is in line 1)"},
    {"model: {preset: wind, heads: 2, heads: 3}\n", {NULL}, 2,
     "j.yaml:1: model.heads: expected one value, found a second one (the first is in line 1)"},
    {"model: {preset: wind, heds: 2}\n", {NULL}, 2,
     "j.yaml:1: model.heds: expected a known key, found 'heds' (did you mean 'model.heads'?)"},
    {"train: {learning_rate: 1}\n", {NULL}, 2,
     "j.yaml:1: train.learning_rate: expected a known key, found 'learning_rate' (did you mean "
     "'train.optimiser.learning_rate'?)"},
    {"train.epochs: 3\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a known key, found 'train.epochs' (write a section per dot: "
     "'train:' and below it the rest)"},
    {"xyzzyplugh: 3\n", {NULL}, 2,
     "j.yaml:1: xyzzyplugh: expected one of the keys name, cluster, model, data, train, decoder, serve, placement, "
     "output, faults, found 'xyzzyplugh'"},
    {"train:\n  xyzzyplugh: 3\n", {NULL}, 2,
     "j.yaml:2: train.xyzzyplugh: expected one of the keys " TRAIN_KEYS ", found 'xyzzyplugh'"},
    {"<<: {a: 1}\n", {NULL}, 2,
     "j.yaml:1: <<: expected one of the keys name, cluster, model, data, train, decoder, serve, placement, output, faults, found "
     "'<<'"},
    {"'': 3\n", {NULL}, 2,
     "j.yaml:1: expected one of the keys name, cluster, model, data, train, decoder, serve, placement, output, faults, found ''"},
    {"epochs: 3\n", {NULL}, 2,
     "j.yaml:1: epochs: expected a known key, found 'epochs' (did you mean 'train.epochs'?)"},
    {"cluster: {devices: [{kind: gpu, profil: a}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].profil: expected a known key, found 'profil' (did you mean "
     "'cluster.devices[].profile'?)"},
    {"cluster: {links: {insde: a}}\n", {NULL}, 2,
     "j.yaml:1: cluster.links.insde: expected a known key, found 'insde' (did you mean "
     "'cluster.links.inside'?)"},
    {"devices: []\n", {NULL}, 2,
     "j.yaml:1: devices: expected a known key, found 'devices' (did you mean 'cluster.devices[]'?)"},
    {"\"a\\nb\": 3\n", {NULL}, 2,
     "j.yaml:1: a\\x0ab: expected one of the keys name, cluster, model, data, train, decoder, serve, placement, output, "
     "faults, found 'a\\x0ab'"},
    {"model: wind\n", {NULL}, 2,
     "j.yaml:1: model: expected a section with the keys preset, d_model, heads, layers, ffn, "
     "embed_hidden, tokens, features, outputs, embed, positions, position_site, attention, mask, neighbours, dropout, "
     "concat, residual, linear_skip, skip_steps, zero_output, head, reduce_width, reduce_act, decode_width, decode_act, found 'wind'"},
    {"model:\n", {NULL}, 2,
     "j.yaml:1: model: expected a section with the keys preset, d_model, heads, layers, ffn, "
     "embed_hidden, tokens, features, outputs, embed, positions, position_site, attention, mask, neighbours, dropout, "
     "concat, residual, linear_skip, skip_steps, zero_output, head, reduce_width, reduce_act, decode_width, decode_act, found nothing"},
    {"model: []\n", {NULL}, 2,
     "j.yaml:1: model: expected a section with the keys preset, d_model, heads, layers, ffn, "
     "embed_hidden, tokens, features, outputs, embed, positions, position_site, attention, mask, neighbours, dropout, "
     "concat, residual, linear_skip, skip_steps, zero_output, head, reduce_width, reduce_act, decode_width, decode_act, found an empty "
     "list"},
    {"train: {epochs: [1]}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found a list of 1"},
    {"train: {epochs: {a: 1}}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found a section"},
    {"train: {optimiser: adam}\n", {NULL}, 2,
     "j.yaml:1: train.optimiser: expected a section with the keys kind, learning_rate, weight_decay, "
     "beta1, beta2, eps, found 'adam'"},
    {"model: {reduce_width: 16}\n", {NULL}, 2,
     "j.yaml:1: model.reduce_width: expected a list of 1 to 8 whole numbers, found '16'"},
    {"model: {reduce_width: []}\n", {NULL}, 2,
     "j.yaml:1: model.reduce_width: expected a list of 1 to 8 whole numbers, found an empty list"},
    {"model: {reduce_width: [1,2,3,4,5,6,7,8,9]}\n", {NULL}, 2,
     "j.yaml:1: model.reduce_width: expected a list of 1 to 8 whole numbers, found a list of 9"},
    {"model: {reduce_width: [1,[2]]}\n", {NULL}, 2,
     "j.yaml:1: model.reduce_width[1]: expected a whole number from 1 to 1000000, found a list of 1"},
    {"model: {reduce_width: [1, {a: b}]}\n", {NULL}, 2,
     "j.yaml:1: model.reduce_width[1]: expected a whole number from 1 to 1000000, found a section"},
    {"data: {test_rows: [1]}\n", {NULL}, 2,
     "j.yaml:1: data.test_rows: expected a list of 2 whole numbers, found a list of 1"},
    {"data: {test_rows: [1, 2, 3]}\n", {NULL}, 2,
     "j.yaml:1: data.test_rows: expected a list of 2 whole numbers, found a list of 3"},
    {"data: {test_rows: 3}\n", {NULL}, 2,
     "j.yaml:1: data.test_rows: expected a list of 2 whole numbers, found '3'"},
    {"cluster: {devices: {kind: gpu}}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices: expected a list of 1 to 16 sections with the keys " DEVICE_KEYS ", "
     "found a section"},
    {"cluster: {devices: []}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices: expected a list of 1 to 16 sections with the keys " DEVICE_KEYS ", "
     "found an empty list"},
    {"cluster: {devices: [gpu]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0]: expected a section with the keys " DEVICE_KEYS ", "
     "found 'gpu'"},
    {"cluster: [a]\n", {NULL}, 2,
     "j.yaml:1: cluster: expected a file name or a section with the keys name, iteration_overhead_s, devices, links, found a "
     "list of 1"},
    {"cluster: {devices: [" FOUR FOUR FOUR FOUR "{kind: gpu}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices: expected a list of 1 to 16 sections with the keys " DEVICE_KEYS ", "
     "found a list of 17"},
    {"name: [a]\n", {NULL}, 2,
     "j.yaml:1: name: expected a name of letters, digits, '.', '_' and '-', found a list of 1"},
    {"train: {epochs: ten}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found 'ten'"},
    {"train: {epochs: 0}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '0'"},
    {"train: {epochs: -1}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '-1'"},
    {"train: {epochs: 1.5}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '1.5'"},
    {"train: {epochs: 1e3}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '1e3'"},
    {"train: {epochs: 010}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '010'"},
    {"train: {epochs: 0x10}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '0x10'"},
    {"train: {epochs: 99999999999999999999}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '99999999999999999999'"},
    {"train: {epochs: }\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found nothing"},
    {"train: {epochs: ~}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '~'"},
    {"train: {epochs: 1_000}\n", {NULL}, 2,
     "j.yaml:1: train.epochs: expected a whole number from 1 to 1000000, found '1_000'"},
    {"train: {seed: -1}\n", {NULL}, 2,
     "j.yaml:1: train.seed: expected a whole number from 0 to 18446744073709551615, found '-1'"},
    {"train: {seed: 18446744073709551616}\n", {NULL}, 2,
     "j.yaml:1: train.seed: expected a whole number from 0 to 18446744073709551615, found "
     "'18446744073709551616'"},
    {"train: {loss: MSE}\n", {NULL}, 2,
     "j.yaml:1: train.loss: expected one of mse, mae, huber, found 'MSE'"},
    {"train: {loss: hubr}\n", {NULL}, 2,
     "j.yaml:1: train.loss: expected one of mse, mae, huber, found 'hubr' (did you mean 'huber'?)"},
    {"train: {clip_norm: -0.1}\n", {NULL}, 2,
     "j.yaml:1: train.clip_norm: expected a number of at least 0, found '-0.1'"},
    {"train: {clip_norm: .inf}\n", {NULL}, 2,
     "j.yaml:1: train.clip_norm: expected a number of at least 0, found '.inf' (it is not a number)"},
    {"train: {clip_norm: inf}\n", {NULL}, 2,
     "j.yaml:1: train.clip_norm: expected a number of at least 0, found 'inf' (it is not a number)"},
    {"train: {clip_norm: nan}\n", {NULL}, 2,
     "j.yaml:1: train.clip_norm: expected a number of at least 0, found 'nan' (it is not a number)"},
    {"train: {clip_norm: 1 s}\n", {NULL}, 2,
     "j.yaml:1: train.clip_norm: expected a number of at least 0, found '1 s' (a unit or text after the "
     "number is not allowed)"},
    {"train: {clip_norm: 1e999}\n", {NULL}, 2,
     "j.yaml:1: train.clip_norm: expected a number of at least 0, found '1e999' (the number is too large)"},
    {"train: {huber_delta: 0}\n", {NULL}, 2,
     "j.yaml:1: train.huber_delta: expected a number above 0, found '0'"},
    {"train: {adapter: {width: wide}}\n", {NULL}, 2,
     "j.yaml:1: train.adapter.width: expected a whole number from 1 to 1000000, or auto, found 'wide'"},
    {"train: {adapter: {width: -1}}\n", {NULL}, 2,
     "j.yaml:1: train.adapter.width: expected a whole number from 1 to 1000000, or auto, found '-1'"},
    {"train: {recovery_s: -1 ms}\n", {NULL}, 2,
     "j.yaml:1: train.recovery_s: expected a time such as \"100 ns\" or \"1h30m\" from 0 s to 1 d, found '-1 ms'"},
    {"train: {mode: LoRA-SVD}\n", {NULL}, 2,
     "j.yaml:1: train.mode: expected one of full, lora, did, said, found 'LoRA-SVD' (LoRA-SVD is lora with "
     "train.adapter.init svd)"},
    {"train: {mode: lora, adapter: {targets: [q, v, q]}}\n", {NULL}, 2,
     "j.yaml:1: train.adapter.targets[2]: expected each of its words once, found 'q' twice"},
    {"train: {optimiser: {beta1: 1}}\n", {NULL}, 2,
     "j.yaml:1: train.optimiser.beta1: expected a number of at least 0 and below 1, found '1'"},
    {"train: {optimiser: {beta2: -0.5}}\n", {NULL}, 2,
     "j.yaml:1: train.optimiser.beta2: expected a number of at least 0 and below 1, found '-0.5'"},
    {"train: {optimiser: {learning_rate: 0}}\n", {NULL}, 2,
     "j.yaml:1: train.optimiser.learning_rate: expected a number above 0, found '0'"},
    {"train: {schedule: {step_factor: 1.01}}\n", {NULL}, 2,
     "j.yaml:1: train.schedule.step_factor: expected a number above 0 and at most 1, found '1.01'"},
    {"train: {schedule: {kind: cosin}}\n", {NULL}, 2,
     "j.yaml:1: train.schedule.kind: expected one of constant, step, cosine, found 'cosin' (did you mean "
     "'cosine'?)"},
    {"train: {switch: hpt}\n", {NULL}, 2,
     "j.yaml:1: train.switch: expected a section with the keys policy, at_step, trial_steps, window_steps, alpha, "
     "loss_threshold, weight_threshold, watch_layer, margin, found 'hpt'"},
    {"train: {switch: {policy: htp}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.policy: expected one of never, at, always, hpt, safe, found 'htp' (did you mean 'hpt'?)"},
    {"train: {switch: {policy: hpt, windows: 3}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.windows: expected a known key, found 'windows' (did you mean "
     "'data.window'?)"},
    {"train: {switch: {at_step: -1}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.at_step: expected a whole number from 0 to 1000000000000000, found '-1'"},
    {"train: {switch: {window_steps: -1}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.window_steps: expected a whole number from 0 to 1000000000, found '-1'"},
    {"train: {switch: {alpha: 0}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.alpha: expected a number above 0 and below 1, found '0'"},
    {"train: {switch: {loss_threshold: 1}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.loss_threshold: expected a number above 0 and below 1, found '1'"},
    {"train: {switch: {weight_threshold: nan}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.weight_threshold: expected a number above 0 and below 1, found 'nan' (it is not a "
     "number)"},
    {"train: {switch: {watch_layer: -2}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.watch_layer: expected a whole number from -1 to 10000, found '-2'"},
    {"train: {switch: {margin: 2}}\n", {NULL}, 2,
     "j.yaml:1: train.switch.margin: expected a number above 0 and below 1, found '2'"},
    {MODEL CLUSTER "train: {steps: 1, switch: {policy: at}}\n", {NULL}, 2,
     "j.yaml:3: train.switch.at_step: expected a whole number, because train.switch.policy is at, found nothing"},
    {GOOD, {"train.switch.policy=at"}, 2,
     "j.yaml:3: train.switch.at_step: expected a whole number, because train.switch.policy is at, found nothing"},
    {"model: {preset: wnd}\n", {NULL}, 2,
     "j.yaml:1: model.preset: expected one of wind, swe, weather, covid, traffic, found 'wnd' (did you mean "
     "'wind'?)"},
    {"model: {preset: \"\"}\n", {NULL}, 2,
     "j.yaml:1: model.preset: expected one of wind, swe, weather, covid, traffic, found nothing"},
    {"model: {dropout: 1}\n", {NULL}, 2,
     "j.yaml:1: model.dropout: expected a number of at least 0 and below 1, found '1'"},
    {"model: {concat: maybe}\n", {NULL}, 2,
     "j.yaml:1: model.concat: expected true or false, found 'maybe'"},
    {"model: {concat: 2}\n", {NULL}, 2,
     "j.yaml:1: model.concat: expected true or false, found '2'"},
    {"model: {reduce_width: [4, -4]}\n", {NULL}, 2,
     "j.yaml:1: model.reduce_width[1]: expected a whole number from 1 to 1000000, found '-4'"},
    {"model: {reduce_act: [relu, gleu]}\n", {NULL}, 2,
     "j.yaml:1: model.reduce_act[1]: expected one of none, relu, gelu, found 'gleu' (did you mean 'gelu'?)"},
    {"data: {test_rows: [5, 2]}\n", {NULL}, 2,
     "j.yaml:1: data.test_rows: expected a last value not before the first ('5'), found '2'"},
    {"data: {test_rows: [-1, 2]}\n", {NULL}, 2,
     "j.yaml:1: data.test_rows[0]: expected a whole number from 0 to 1000000000000000, found '-1'"},
    {"data: {test_time: [2012-01-01, 2011-12-31]}\n", {NULL}, 2,
     "j.yaml:1: data.test_time: expected a last value not before the first ('2012-01-01'), found "
     "'2011-12-31'"},
    {"data: {test_time: [2012-01-01, soon]}\n", {NULL}, 2,
     "j.yaml:1: data.test_time[1]: expected a time stamp such as \"2012-06-30\" or \"2012-06-30T18:00\", "
     "found 'soon'"},
    {"data: {test_time: [2012-13-01, 2013-01-01]}\n", {NULL}, 2,
     "j.yaml:1: data.test_time[0]: expected a time stamp such as \"2012-06-30\" or \"2012-06-30T18:00\", "
     "found '2012-13-01'"},
    {"data: {test_fraction: 0}\n", {NULL}, 2,
     "j.yaml:1: data.test_fraction: expected a number above 0 and below 1, found '0'"},
    {"data: {test_fraction: 20 %}\n", {NULL}, 2,
     "j.yaml:1: data.test_fraction: expected a number above 0 and below 1, found '20 %' (a unit or text "
     "after the number is not allowed)"},
    {MODEL CLUSTER "data: {validation_fraction: 0}\ntrain: {steps: 1, switch: {policy: safe}}\n", {NULL}, 2,
     "j.yaml:3: data.validation_fraction: expected a number above 0, because train.switch.policy is safe, found 0"},
    {"model: {preset: traffic}\n" CLUSTER "data: {as_published: true}\n", {NULL}, 2,
     "j.yaml:3: data.as_published: expected false, because HpT's applications do not have traffic, found true"},
    {"model: {preset: swe, residual: true}\n" CLUSTER "data: {as_published: true}\n", {NULL}, 2,
     "j.yaml:1: model.residual: expected false, because with data.as_published the last value is the target, found "
     "true"},
    {"data: {as_published: 2}\n", {NULL}, 2, "j.yaml:1: data.as_published: expected true or false, found '2'"},
    {MODEL CLUSTER "train: {steps: 1, adapter: {width: auto}, switch: {policy: hpt}}\n", {NULL}, 2,
     "j.yaml:3: train.adapter.width: expected a whole number, because only train.switch.policy safe chooses one, "
     "found auto"},
    {MODEL CLUSTER "train: {steps: 1, mode: lora, adapter: {width: auto}, switch: {policy: safe}}\n", {NULL}, 2,
     "j.yaml:3: train.adapter.width: expected a whole number, because train.mode is lora, found auto"},
    {"data: {validation_fraction: 1}\n", {NULL}, 2,
     "j.yaml:1: data.validation_fraction: expected a number of at least 0 and below 1, found '1'"},
    {"data: {horizon: 513}\n", {NULL}, 2,
     "j.yaml:1: data.horizon: expected a whole number from 1 to 512, found '513'"},
    {"data: {window: 0}\n", {NULL}, 2,
     "j.yaml:1: data.window: expected a whole number from 1 to 1000000, found '0'"},
    {"data: {inputs: [a, \"\"]}\n", {NULL}, 2,
     "j.yaml:1: data.inputs[1]: expected printable text, found nothing"},
    {"data: {file: \"\"}\n", {NULL}, 2,
     "j.yaml:1: data.file: expected a file name, found nothing"},
    {"data: {target: \"a\\tb\"}\n", {NULL}, 2,
     "j.yaml:1: data.target: expected printable text, found 'a\\x09b'"},
    {"name: a/b\n", {NULL}, 2,
     "j.yaml:1: name: expected a name of letters, digits, '.', '_' and '-', found 'a/b'"},
    {"name: ..\n", {NULL}, 2,
     "j.yaml:1: name: expected a name of letters, digits, '.', '_' and '-', found '..'"},
    {"placement: {numerics: fp8}\n", {NULL}, 2,
     "j.yaml:1: placement.numerics: expected one of fp32, tf32, bf16, fp16, fp64, found 'fp8'"},
    {"placement: {bucket_bytes: 25}\n", {NULL}, 2,
     "j.yaml:1: placement.bucket_bytes: expected a size such as \"80 GiB\" from 1 B to 1 PiB, found '25' "
     "(a unit is missing)"},
    {"placement: {bucket_bytes: 25 MB/s}\n", {NULL}, 2,
     "j.yaml:1: placement.bucket_bytes: expected a size such as \"80 GiB\" from 1 B to 1 PiB, found '25 "
     "MB/s' (the unit is unknown here)"},
    {"placement: {bucket_bytes: -25 MB}\n", {NULL}, 2,
     "j.yaml:1: placement.bucket_bytes: expected a size such as \"80 GiB\" from 1 B to 1 PiB, found '-25 "
     "MB'"},
    {"placement: {bucket_bytes: 25 MiB MiB}\n", {NULL}, 2,
     "j.yaml:1: placement.bucket_bytes: expected a size such as \"80 GiB\" from 1 B to 1 PiB, found '25 "
     "MiB MiB' (text after the unit is not allowed)"},
    {"placement: {bucket_bytes: 25 mib}\n", {NULL}, 2,
     "j.yaml:1: placement.bucket_bytes: expected a size such as \"80 GiB\" from 1 B to 1 PiB, found '25 "
     "mib' (the unit is unknown here)"},
    {"placement: {bucket_bytes: 0 B}\n", {NULL}, 2,
     "j.yaml:1: placement.bucket_bytes: expected a size such as \"80 GiB\" from 1 B to 1 PiB, found '0 B'"},
    {"placement: {policy: cpu}\n", {NULL}, 2,
     "j.yaml:1: placement.policy: expected one of gpu-only, hpt, auto, found 'cpu'"},
    {"output: {trace: 2}\n", {NULL}, 2,
     "j.yaml:1: output.trace: expected true or false, found '2'"},
    {"output: {trace_max_bytes: 3 GHz}\n", {NULL}, 2,
     "j.yaml:1: output.trace_max_bytes: expected a size such as \"80 GiB\" from 0 B to 1 PiB, found '3 "
     "GHz' (the unit is unknown here)"},
    {"cluster: {devices: [{kind: gpu, count: 0}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].count: expected a whole number from 1 to 1000000, found '0'"},
    {"cluster: {devices: [{kind: gpu}, {kind: tpu}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[1].kind: expected one of gpu, reram, systolic, hbm-pim, cpu, found 'tpu' (did you mean 'gpu'?)"},
    {"cluster: {devices: [{memory_bytes: 0 B}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].memory_bytes: expected a size such as \"80 GiB\" from 1 B to 1024 PiB, "
     "found '0 B'"},
    {"cluster: {devices: [{tdp_w: 700}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].tdp_w: expected a power such as \"700 W\" above 0 W, found '700' (a "
     "unit is missing)"},
    {"cluster: {devices: [{peak_flop_per_s: 312 TFLOPS}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].peak_flop_per_s: expected a rate such as \"312 TFLOP/s\" of at least "
     "1 MFLOP/s, found '312 TFLOPS' (the unit is unknown here)"},
    {"cluster: {devices: [{dataflow: rs}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].dataflow: expected one of os, ws, is, found 'rs' (did you mean 'os'?)"},
    {"cluster: {devices: [{memory_mode: exact}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].memory_mode: expected one of ideal, scalesim, found 'exact'"},
    {"cluster: {devices: [{array_rows: 0}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].array_rows: expected a whole number from 1 to 65536, found '0'"},
    {"cluster: {devices: [{array_cols: 65537}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].array_cols: expected a whole number from 1 to 65536, found '65537'"},
    {"cluster: {devices: [{overlap_weights: 2}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].overlap_weights: expected true or false, found '2'"},
    {"cluster: {devices: [{numerics: int4}]}\n", {NULL}, 2,
     "j.yaml:1: cluster.devices[0].numerics: expected one of fp32, tf32, bf16, fp16, fp64, int8, found 'int4' "
     "(did you mean 'int8'?)"},
    {MODEL, {NULL}, 2,
     "j.yaml:1: cluster: expected a file name or a section with the keys name, iteration_overhead_s, devices, links, found "
     "nothing"},
    {CLUSTER STEPS, {NULL}, 2,
     "j.yaml:1: model.preset: expected one of wind, swe, weather, covid, traffic, or a decoder to serve "
     "(decoder.file, decoder.model), found nothing"},
    {"name: x\nmodel: {preset: wind}\ncluster: {devices: [{kind: gpu, profile: a100}]}\ntrain: "
     "{steps: 1}\n", {NULL}, 2,
     "j.yaml:3: cluster.links.host: expected a name of letters, digits, '.', '_' and '-', found nothing"},
    {MODEL "cluster: {links: {host: pcie4}}\ntrain: {steps: 1}\n", {NULL}, 2,
     "j.yaml:2: cluster.devices: expected a list of 1 to 16 sections with the keys " DEVICE_KEYS ", "
     "found nothing"},
    {MODEL 
     "cluster:\n  devices:\n  - kind: gpu\n    profile: a\n  - kind: gpu\n  links: {host: "
     "pcie4}\ntrain: {steps: 1}\n", {NULL}, 2,
     "j.yaml:6: cluster.devices[1].profile: expected a name of letters, digits, '.', '_' and '-', found "
     "nothing"},
    {MODEL "cluster: {devices: [{profile: a100}], links: {host: pcie4}}\n", {NULL}, 2,
     "j.yaml:2: cluster.devices[0].kind: expected one of gpu, reram, systolic, hbm-pim, cpu, found nothing"},
    {MODEL 
     "cluster: {devices: [{kind: gpu, profile: a100, count: 2}], links: {host: pcie4}}\ntrain: "
     "{steps: 1}\n", {NULL}, 2,
     "j.yaml:2: cluster.links.inside: expected a link profile, because a node has several devices, found "
     "nothing"},
    {MODEL 
     "cluster: {devices: [{kind: gpu, profile: a100, count: 2, per_node: 1}], links: {host: "
     "pcie4}}\ntrain: {steps: 1}\n", {NULL}, 2,
     "j.yaml:2: cluster.links.between: expected a link profile, because there are several nodes, found "
     "nothing"},
    {MODEL CLUSTER, {NULL}, 2,
     "j.yaml:1: train.steps: expected a whole number above 0, because the job has no data.file, found 0"},
    {MODEL CLUSTER "train:\n  steps: 0\n", {NULL}, 2,
     "j.yaml:4: train.steps: expected a whole number above 0, because the job has no data.file, found 0"},
    {CLUSTER STEPS "model: {preset: wind, reduce_width: [4, 2], reduce_act: [relu]}\n", {NULL}, 2,
     "j.yaml:3: model.reduce_act: expected a list of 2, one for each width, found a list of 1"},
    {CLUSTER STEPS "model: {preset: wind, decode_width: [4], decode_act: [relu, none]}\n", {NULL}, 2,
     "j.yaml:3: model.decode_act: expected a list of 1, one for each width, found a list of 2"},
    {GOOD "data: {split_by: rows}\n", {NULL}, 2,
     "j.yaml:4: data.test_rows: expected a list of 2 whole numbers, because data.split_by is rows, found "
     "nothing"},
    {GOOD "data: {split_by: time}\n", {NULL}, 2,
     "j.yaml:4: data.test_time: expected a list of 2 time stamps, because data.split_by is time, found "
     "nothing"},
    {GOOD "data: {test_rows: [1, 2], test_time: [2012-01-01, 2012-01-02]}\n", {NULL}, 2,
     "j.yaml:4: data.split_by: expected rows or time, because test_rows and test_time are both given, "
     "found nothing"},
    {MODEL "cluster: nowhere.yaml\n", {NULL}, 4,
     "j.yaml:2: cluster: nowhere.yaml: No such file or directory"},
    {GOOD, {"train.epochs", NULL}, 2,
     "--set train.epochs: expected KEY=VALUE, found 'train.epochs'"},
    {GOOD, {"=3", NULL}, 2,
     "--set =3: expected one of the keys name, cluster, model, data, train, decoder, serve, placement, output, faults, found ''"},
    {GOOD, {"train.epochs=", NULL}, 2,
     "--set train.epochs=: train.epochs: expected a whole number from 1 to 1000000, found nothing"},
    {GOOD, {"train.epochs=x", NULL}, 2,
     "--set train.epochs=x: train.epochs: expected a whole number from 1 to 1000000, found 'x'"},
    {GOOD, {"train.epoch=3", NULL}, 2,
     "--set train.epoch=3: train.epoch: expected a known key, found 'epoch' (did you mean 'train.epochs'?)"},
    {GOOD, {"train=3", NULL}, 2,
     "--set train=3: train: expected a section with the keys " TRAIN_KEYS ", found '3'"},
    {GOOD, {"trian.epochs=3", NULL}, 2,
     "--set trian.epochs=3: trian.epochs: expected a known key, found 'trian' (did you mean 'train'?)"},
    {GOOD, {"train.epochs.x=3", NULL}, 2,
     "--set train.epochs.x=3: train.epochs.x: expected no further key below train.epochs, found 'x'"},
    {GOOD, {"train..epochs=3", NULL}, 2,
     "--set train..epochs=3: train..epochs: expected one of the keys " TRAIN_KEYS ", found ''"},
    {GOOD, {"train.epochs[0]=3", NULL}, 2,
     "--set train.epochs[0]=3: train.epochs[0]: expected a key without an index, found '[0]'"},
    {GOOD, {"model.reduce_width=", NULL}, 2,
     "--set model.reduce_width=: model.reduce_width[0]: expected a whole number from 1 to 1000000, found "
     "nothing"},
    {GOOD, {"model.reduce_width=1,,2", NULL}, 2,
     "--set model.reduce_width=1,,2: model.reduce_width[1]: expected a whole number from 1 to 1000000, "
     "found nothing"},
    {GOOD, {"model.reduce_width=1,2,3,4,5,6,7,8,9", NULL}, 2,
     "--set model.reduce_width=1,2,3,4,5,6,7,8,9: model.reduce_width: expected a list of 1 to 8 whole "
     "numbers, found a list of 9"},
    {GOOD, {"data.test_rows=1", NULL}, 2,
     "--set data.test_rows=1: data.test_rows: expected a list of 2 whole numbers, found a list of 1"},
    {GOOD, {"cluster.devices=3", NULL}, 2,
     "--set cluster.devices=3: cluster.devices: expected an index from devices[0] to devices[0], found no "
     "index"},
    {GOOD, {"cluster.devices.count=3", NULL}, 2,
     "--set cluster.devices.count=3: cluster.devices.count: expected an index from devices[0] to "
     "devices[0], found '.count'"},
    {GOOD, {"cluster.devices[1].count=3", NULL}, 2,
     "--set cluster.devices[1].count=3: cluster.devices[1].count: expected an index from devices[0] to "
     "devices[0], found '[1].count'"},
    {GOOD, {"cluster.devices[-1].count=3", NULL}, 2,
     "--set cluster.devices[-1].count=3: cluster.devices[-1].count: expected an index from devices[0] to "
     "devices[0], found '[-1].count'"},
    {GOOD, {"cluster.devices[0]=3", NULL}, 2,
     "--set cluster.devices[0]=3: cluster.devices[0]: expected a section with the keys " DEVICE_KEYS ", "
     "found '3'"},
    {GOOD, {"cluster.devices[0].count=0", NULL}, 2,
     "--set cluster.devices[0].count=0: cluster.devices[0].count: expected a whole number from 1 to "
     "1000000, found '0'"},
    {GOOD, {"cluster.devices[0].conut=2", NULL}, 2,
     "--set cluster.devices[0].conut=2: cluster.devices[0].conut: expected a known key, found 'conut' "
     "(did you mean 'cluster.devices[].count'?)"},
    {GOOD, {"cluster.devices[0", NULL}, 2,
     "--set cluster.devices[0: expected KEY=VALUE, found 'cluster.devices[0'"},
    {GOOD, {"cluster.devices[0].count=2", NULL}, 2,
     "j.yaml:2: cluster.links.inside: expected a link profile, because a node has several devices, found "
     "nothing"},
    {GOOD, {"cluster=/nowhere.yaml", NULL}, 4,
     "--set cluster=/nowhere.yaml: cluster: /nowhere.yaml: No such file or directory"},
    {GOOD, {"cluster=", NULL}, 2,
     "--set cluster=: cluster: expected a file name, found nothing"},
    {GOOD, {"model.preset=swee", NULL}, 2,
     "--set model.preset=swee: model.preset: expected one of wind, swe, weather, covid, traffic, found 'swee' (did "
     "you mean 'swe'?)"},
    {GOOD, {"data.split_by=rows", NULL}, 2,
     "j.yaml:1: data.test_rows: expected a list of 2 whole numbers, because data.split_by is rows, found "
     "nothing"},
    {GOOD, {"train.steps=0", NULL}, 2,
     "--set train.steps=0: train.steps: expected a whole number above 0, because the job has no "
     "data.file, found 0"},
    {GOOD, {"model.dropout=\200", NULL}, 2,
     "--set model.dropout=\\x80: model.dropout: expected a number of at least 0 and below 1, found "
     "'\\x80' (it is not a number)"},
    {GOOD, {"\200=3", NULL}, 2,
     "--set \\x80=3: expected a known key, found '\\x80'"},
    {GOOD, {"placement.bucket_bytes=1h30m", NULL}, 2,
     "--set placement.bucket_bytes=1h30m: placement.bucket_bytes: expected a size such as \"80 GiB\" from "
     "1 B to 1 PiB, found '1h30m' (the unit is unknown here)"},
    {GOOD, {"model.reduce_width=1,2", "model.reduce_act=relu", NULL}, 2,
     "--set model.reduce_act=relu: model.reduce_act: expected a list of 2, one for each width, found a "
     "list of 1"},
    {GOOD, {"train.mode=lowrank", NULL}, 2,
     "--set train.mode=lowrank: train.mode: expected one of full, lora, did, said, found 'lowrank'"},
    {GOOD, {"train.adapter.width=0", NULL}, 2,
     "--set train.adapter.width=0: train.adapter.width: expected a whole number from 1 to 1000000, or auto, found '0'"},
    {GOOD, {"train.adapter.alpha=0", NULL}, 2,
     "--set train.adapter.alpha=0: train.adapter.alpha: expected a number above 0, found '0'"},
    {GOOD, {"train.adapter.dropout=1", NULL}, 2,
     "--set train.adapter.dropout=1: train.adapter.dropout: expected a number of at least 0 and below 1, found '1'"},
    {GOOD, {"train.adapter.targets=q,w", NULL}, 2,
     "--set train.adapter.targets=q,w: train.adapter.targets[1]: expected one of q, k, v, o, ffn0, ffn1, found 'w'"},
    {GOOD, {"train.adapter.targets=q,k,v,o,ffn0,ffn1,q,k,v", NULL}, 2,
     "--set train.adapter.targets=q,k,v,o,ffn0,ffn1,q,k,v: train.adapter.targets: expected a list of 1 to 8 words, "
     "found a list of 9"},
    {GOOD, {"cluster.devices[0].fidelity=perfect", NULL}, 2,
     "--set cluster.devices[0].fidelity=perfect: cluster.devices[0].fidelity: expected one of ideal, quantized, analog, "
     "found 'perfect'"},
    {GOOD, {"cluster.devices[0].weight_bits=1", NULL}, 2,
     "--set cluster.devices[0].weight_bits=1: cluster.devices[0].weight_bits: expected a whole number from 2 to 16, "
     "found '1'"},
    {GOOD, {"cluster.devices[0].program_noise=-0.1", NULL}, 2,
     "--set cluster.devices[0].program_noise=-0.1: cluster.devices[0].program_noise: expected a number from 0 to 1, "
     "found '-0.1'"},
    {GOOD, {"cluster.devices[0].adc_range=2", NULL}, 2,
     "--set cluster.devices[0].adc_range=2: cluster.devices[0].adc_range: expected a number from 0 to 1, found '2'"},
    {GOOD, {"train.epochs=2", "train.epochs=0", NULL}, 2,
     "--set train.epochs=0: train.epochs: expected a whole number from 1 to 1000000, found '0'"},
};
/* clang-format on */

#endif
