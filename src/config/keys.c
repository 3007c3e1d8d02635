#include "config/keys.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/job.h"

/* One line per key: path, kind, where, whether needed, range or words, meaning. */
#define IN(member) offsetof(struct job, member)
#define OF(member) offsetof(struct cluster_device, member)
#define FAULT(member) offsetof(struct job_fault, member)
#define DEFAULT(text) KEY_DEFAULT, text, 0
#define OPEN(who) KEY_OPEN, who, JOB_UNSET /* JOB_UNSET, NULL or n = 0 when not given */
#define OPEN_0(who) KEY_OPEN, who, 0       /* 0 when not given */
#define REQUIRED KEY_REQUIRED, NULL, JOB_UNSET
#define FROM(low, high) .min = (low), .max = (high)
#define ABOVE(low) .min = (low), .min_excluded = 1, .max = INFINITY
#define FROM_BELOW(low, high) .min = (low), .max = (high), .max_excluded = 1
#define ABOVE_BELOW(low, high) .min = (low), .min_excluded = 1, .max = (high), .max_excluded = 1
#define ABOVE_TO(low, high) .min = (low), .min_excluded = 1, .max = (high)
#define ANY .min = 0, .max = 0
#define WORDS(text) .words = (text)
#define MEANS(text) .meaning = (text)

#define MILLION 1e6
#define BILLION 1e9
#define ROWS 1e15

/* clang-format off */
static const struct job_key keys[] = {
    {"name", KEY_NAME, IN(name), OPEN("the file's name"), MEANS("name of the job in reports")},
    {"cluster", KEY_FILE, IN(cluster_file), OPEN("the section cluster"),
        MEANS("cluster file; or the cluster itself as a section")},

    {"model.preset", KEY_WORD, IN(model.preset), OPEN("needed by jobs that train"), WORDS("wind swe weather covid traffic"),
        MEANS("published model that gives all values that are left open")},
    {"model.d_model", KEY_INT, IN(model.d_model), OPEN("the preset"), FROM(1, MILLION), MEANS("width of a token")},
    {"model.heads", KEY_INT, IN(model.heads), OPEN("the preset"), FROM(1, MILLION),
        MEANS("attention heads of a layer")},
    {"model.layers", KEY_INT, IN(model.layers), OPEN("the preset"), FROM(1, 10000), MEANS("layers of the model")},
    {"model.ffn", KEY_INT, IN(model.ffn), OPEN("the preset"), FROM(1, MILLION),
        MEANS("inner width of the feed-forward part")},
    {"model.embed_hidden", KEY_INT, IN(model.embed_hidden), OPEN("the preset"), FROM(1, MILLION),
        MEANS("inner width of the embedding")},
    {"model.tokens", KEY_INT, IN(model.tokens), OPEN("the data set, else the preset"), FROM(1, BILLION),
        MEANS("tokens of a sample (stations, grid points or time patches)")},
    {"model.features", KEY_INT, IN(model.features), OPEN("the data set, else the preset"), FROM(1, BILLION),
        MEANS("features of a token")},
    {"model.outputs", KEY_INT, IN(model.outputs), OPEN("the data set, else the preset"), FROM(1, BILLION),
        MEANS("predicted values of a sample")},
    {"model.embed", KEY_WORD, IN(model.embed), OPEN("the preset"), WORDS("gelu linear"),
        MEANS("activation of the embedding")},
    {"model.positions", KEY_WORD, IN(model.positions), OPEN("the preset"), WORDS("true constant none"),
        MEANS("positional encoding: one per token, the same for every token, none")},
    {"model.position_site", KEY_WORD, IN(model.position_site), OPEN("the preset"), WORDS("encoder head"),
        MEANS("where the positions are added")},
    {"model.attention", KEY_WORD, IN(model.attention), OPEN("the preset"), WORDS("spatial temporal joint factorised"),
        MEANS("what a token is: a place; a stretch of time; a place at a time, all in one sequence (joint) or in turn over "
              "time and places (factorised: traffic)")},
    {"model.mask", KEY_WORD, IN(model.mask), OPEN("causal with attention joint, else none"), WORDS("none causal"),
        MEANS("joint, temporal: which tokens a token attends to: all, or those of its own and of earlier steps")},
    {"model.dropout", KEY_REAL, IN(model.dropout), OPEN("the preset"), FROM_BELOW(0, 1),
        MEANS("share of dropped activations")},
    {"model.concat", KEY_SWITCH_OR_UNSET, IN(model.concat), OPEN("the preset"),
        MEANS("the head reads encoder output and embedding side by side")},
    {"model.residual", KEY_SWITCH, IN(model.residual), DEFAULT("false"), MEANS("output = last value + prediction")},
    {"model.linear_skip", KEY_SWITCH, IN(model.linear_skip), DEFAULT("false"),
        MEANS("adds a linear map of the whole input window to the output")},
    {"model.skip_steps", KEY_INT, IN(model.skip_steps), DEFAULT("0"), FROM(0, BILLION),
        MEANS("linear_skip reads the last so many features of each token; 0: all")},
    {"model.zero_output", KEY_SWITCH, IN(model.zero_output), DEFAULT("false"),
        MEANS("the head's last layer and the skip start at zero")},
    {"model.head", KEY_WORD, IN(model.head), DEFAULT("preset"), WORDS("preset token"),
        MEANS("the preset's dense layers, or one dense layer per token (joint: per token of the newest step)")},
    {"model.reduce_width", KEY_INTS, IN(model.reduce_width), OPEN("the preset"), FROM(1, MILLION), .most = JOB_MAX_LIST,
        MEANS("head: widths of the dense layers applied to each token")},
    {"model.reduce_act", KEY_WORDS, IN(model.reduce_act), OPEN("the preset"),
        WORDS("none relu gelu"), .most = JOB_MAX_LIST,
        MEANS("their activations, one per width")},
    {"model.decode_width", KEY_INTS, IN(model.decode_width), OPEN("the preset"), FROM(1, BILLION), .most = JOB_MAX_LIST,
        MEANS("head: widths of the dense layers over all tokens together")},
    {"model.decode_act", KEY_WORDS, IN(model.decode_act), OPEN("the preset"),
        WORDS("none relu gelu"), .most = JOB_MAX_LIST,
        MEANS("their activations, one per width")},

    {"data.file", KEY_FILE, IN(data.file), OPEN("none: timing only"),
        MEANS("data set, an HDF5 file as `polyrank data import` writes it")},
    {"data.inputs", KEY_TEXTS, IN(data.inputs), OPEN("the target"), .most = 64, MEANS("variables that are features")},
    {"data.target", KEY_TEXT, IN(data.target), OPEN("the only variable"), MEANS("variable to predict")},
    {"data.window", KEY_INT, IN(data.window), DEFAULT("12"), FROM(1, MILLION), MEANS("time steps that the model sees")},
    {"data.horizon", KEY_INT, IN(data.horizon), DEFAULT("1"), FROM(1, JOB_MAX_HORIZON),
        MEANS("time steps ahead that it predicts")},
    {"data.as_published", KEY_SWITCH, IN(data.as_published), DEFAULT("false"),
        MEANS("predict what the preset's published run does: swe, weather, covid the last step of the window itself, "
              "whose inputs the model sees; wind the next one")},
    {"data.slots", KEY_INT, IN(data.slots), OPEN("the step of the data"), FROM(1, MILLION),
        MEANS("traffic: times of the day that are told apart; without time stamps: rows of a day")},
    {"data.split_by", KEY_WORD, IN(data.split_by), OPEN("what is given: rows, time, else fraction"),
        WORDS("rows time fraction"),
        MEANS("which of the next three keys tells the test set")},
    {"data.test_rows", KEY_INT_PAIR, IN(data.test_rows), OPEN("none"), FROM(0, ROWS),
        MEANS("first and last row whose values are targets of the test set")},
    {"data.test_time", KEY_TIME_PAIR, IN(data.test_time), OPEN("none"), MEANS("the same as time stamps, ISO 8601")},
    {"data.test_fraction", KEY_REAL, IN(data.test_fraction), DEFAULT("0.2"), ABOVE_BELOW(0, 1),
        MEANS("the same as a last part of the rows")},
    {"data.validation_fraction", KEY_REAL, IN(data.validation_fraction),
        OPEN("0.1 with train.switch.policy safe, else 0"), FROM_BELOW(0, 1),
        MEANS("last part of the training samples, kept out of training for the safe policy to validate on")},
    {"data.normalise", KEY_WORD, IN(data.normalise), DEFAULT("station"), WORDS("station global none"),
        MEANS("z-scores by the statistics of the training rows")},

    {"train.mode", KEY_WORD, IN(train.mode), DEFAULT("full"), WORDS("full lora did said"),
        MEANS("what is trained: every weight; adapters beside the frozen weights of the layers (lora); those weights in a "
              "random subspace (did), with a scale for each layer (said)")},
    {"train.epochs", KEY_INT, IN(train.epochs), DEFAULT("10"), FROM(1, MILLION), MEANS("passes over the training set")},
    {"train.steps", KEY_INT, IN(train.steps), DEFAULT("0"), FROM(0, ROWS),
        MEANS("optimiser steps; above 0 it wins over epochs")},
    {"train.minibatch", KEY_INT, IN(train.minibatch), DEFAULT("32"), FROM(1, MILLION),
        MEANS("samples of one step over all devices")},
    {"train.loss", KEY_WORD, IN(train.loss), DEFAULT("mse"), WORDS("mse mae huber"), MEANS("loss")},
    {"train.huber_delta", KEY_REAL, IN(train.huber_delta), DEFAULT("1"), ABOVE(0),
        MEANS("huber: where the square ends, in normalised units")},
    {"train.intrinsic_dim", KEY_INT, IN(train.intrinsic_dim), DEFAULT("1000"), FROM(1, BILLION),
        MEANS("did, said: dimensions of the subspace")},
    {"train.clip_norm", KEY_REAL, IN(train.clip_norm), DEFAULT("0"), FROM(0, INFINITY),
        MEANS("largest norm of the gradient; 0: off")},
    {"train.evaluate_epochs", KEY_INT, IN(train.evaluate_epochs), DEFAULT("1"), FROM(0, MILLION),
        MEANS("evaluate on the test set every so many epochs; 0: at the end only")},
    {"train.seed", KEY_SEED, IN(train.seed), DEFAULT("0"), ANY, MEANS("seed of all random numbers")},
    {"train.optimiser.kind", KEY_WORD, IN(train.optimiser.kind), DEFAULT("adamw"), WORDS("sgd adam adamw"),
        MEANS("optimiser")},
    {"train.optimiser.learning_rate", KEY_REAL, IN(train.optimiser.learning_rate), DEFAULT("0.001"), ABOVE(0),
        MEANS("learning rate")},
    {"train.optimiser.weight_decay", KEY_REAL, IN(train.optimiser.weight_decay), DEFAULT("0.01"), FROM(0, INFINITY),
        MEANS("weight decay")},
    {"train.optimiser.beta1", KEY_REAL, IN(train.optimiser.beta1), DEFAULT("0.9"), FROM_BELOW(0, 1),
        MEANS("decay of the first moment")},
    {"train.optimiser.beta2", KEY_REAL, IN(train.optimiser.beta2), DEFAULT("0.999"), FROM_BELOW(0, 1),
        MEANS("decay of the second moment")},
    {"train.optimiser.eps", KEY_REAL, IN(train.optimiser.eps), DEFAULT("1e-8"), ABOVE(0),
        MEANS("added to the root of the second moment")},
    {"train.schedule.kind", KEY_WORD, IN(train.schedule.kind), DEFAULT("constant"), WORDS("constant step cosine"),
        MEANS("course of the learning rate")},
    {"train.schedule.warmup_steps", KEY_INT, IN(train.schedule.warmup_steps), DEFAULT("0"), FROM(0, ROWS),
        MEANS("steps over which it rises from zero")},
    {"train.schedule.step_epochs", KEY_INT, IN(train.schedule.step_epochs), DEFAULT("3"), FROM(1, MILLION),
        MEANS("step: every so many epochs ...")},
    {"train.schedule.step_factor", KEY_REAL, IN(train.schedule.step_factor), DEFAULT("0.6"), ABOVE_TO(0, 1),
        MEANS("step: ... times this")},
    {"train.schedule.final_fraction", KEY_REAL, IN(train.schedule.final_fraction), DEFAULT("0"), FROM(0, 1),
        MEANS("cosine: learning rate at the end over the one at the start")},
    {"train.adapter.width", KEY_INT, IN(train.adapter.width), DEFAULT("8"), FROM(1, MILLION),
        MEANS("lora: inner width of the low-rank product")},
    {"train.adapter.alpha", KEY_REAL, IN(train.adapter.alpha), DEFAULT("64"), ABOVE(0),
        MEANS("lora: the product counts alpha / width times")},
    {"train.adapter.init", KEY_WORD, IN(train.adapter.init), DEFAULT("zero"), WORDS("zero svd"),
        MEANS("lora: how adapters start: with a product of zero; or as the largest singular directions of their weight, "
              "which is frozen without them (LoRA-SVD)")},
    {"train.adapter.dropout", KEY_REAL, IN(train.adapter.dropout), OPEN("0.1; 0 with init svd"), FROM_BELOW(0, 1),
        MEANS("lora: share of dropped inputs of an adapter")},
    {"train.adapter.learning_rate", KEY_REAL, IN(train.adapter.learning_rate), OPEN("train.optimiser.learning_rate"),
        ABOVE(0), MEANS("learning rate of the low-parameter mode after a switch")},
    {"train.adapter.targets", KEY_WORDS, IN(train.adapter.targets), OPEN("q and v"), WORDS("q k v o ffn0 ffn1"),
        .most = JOB_MAX_LIST, MEANS("lora: weights of a layer that get an adapter; traffic: those of both attentions")},
    {"train.adapter.train_norms", KEY_SWITCH, IN(train.adapter.train_norms), DEFAULT("false"),
        MEANS("lora: the layers' norms are trained too")},
    {"train.switch.policy", KEY_WORD, IN(train.mode_switch.policy), DEFAULT("never"), WORDS("never at always hpt safe"),
        MEANS("when to go over to the low-parameter mode: at a step, at the start, by the published or the safe tests")},
    {"train.switch.at_step", KEY_INT, IN(train.mode_switch.at_step), OPEN("needed with policy at"), FROM(0, ROWS),
        MEANS("at: the last step in full mode")},
    {"train.switch.trial_steps", KEY_INT, IN(train.mode_switch.trial_steps), DEFAULT("0"), FROM(0, BILLION),
        MEANS("at: the last so many steps before it are a trial: both modes run side by side")},
    {"train.switch.window_steps", KEY_INT, IN(train.mode_switch.window_steps), DEFAULT("0"), FROM(0, BILLION),
        MEANS("hpt, safe: steps from test to test and of a trial; 0: hpt the preset's, safe an eighth of an epoch")},
    {"train.switch.alpha", KEY_REAL, IN(train.mode_switch.alpha), DEFAULT("0.01"), ABOVE_BELOW(0, 1),
        MEANS("hpt: level of the t-test between the two arms of a trial")},
    {"train.switch.loss_threshold", KEY_REAL, IN(train.mode_switch.loss_threshold), DEFAULT("0.1"), ABOVE_BELOW(0, 1),
        MEANS("hpt, safe: the loss stands still when a window lowers it by less than this share")},
    {"train.switch.weight_threshold", KEY_REAL, IN(train.mode_switch.weight_threshold),
        OPEN("0.01 of hpt, 0.05 of safe"), ABOVE_BELOW(0, 1),
        MEANS("hpt, safe: the same for the distance that weights move in a window")},
    {"train.switch.watch_layer", KEY_INT, IN(train.mode_switch.watch_layer), DEFAULT("-1"), FROM(-1, 10000),
        MEANS("hpt: layer whose q and v weights are watched, from 0; -1: the last")},
    {"train.switch.margin", KEY_REAL, IN(train.mode_switch.margin), DEFAULT("0.02"), ABOVE_BELOW(0, 1),
        MEANS("safe: largest share by which the low mode's loss may be above the full mode's")},

    {"decoder.model", KEY_NAME, IN(decoder.model), OPEN("decoder.file"),
        MEANS("decoder to serve by its name in the catalogue (`polyrank model list`): its shape alone, timing only")},
    {"decoder.file", KEY_FILE, IN(decoder.file), OPEN("decoder.model"),
        MEANS("decoder to serve: a model file as `polyrank model import` writes it")},
    {"decoder.context", KEY_INT, IN(decoder.context), OPEN_0("the model's"), FROM(1, BILLION),
        MEANS("most tokens of prompt and answer together; more than the model was made for asks what its shape would cost")},

    {"serve.trace", KEY_FILE, IN(serve.trace), OPEN("serve.prompts, else made-up requests"),
        MEANS("request trace: CSV with arrivals and numbers of tokens (Azure's too), or Mooncake's JSON lines")},
    {"serve.prompts", KEY_FILE, IN(serve.prompts), OPEN("serve.trace, else made-up requests"),
        MEANS("text file with a prompt on each line, all of them there at the start")},
    {"serve.requests", KEY_INT, IN(serve.requests), DEFAULT("0"), FROM(0, BILLION),
        MEANS("made-up requests: how many; of a trace or of prompts the first so many, 0: all")},
    {"serve.arrivals", KEY_WORD, IN(serve.arrivals), DEFAULT("poisson"), WORDS("poisson gamma fixed at-once"),
        MEANS("made-up requests: how they arrive")},
    {"serve.rate_per_s", KEY_REAL, IN(serve.rate_per_s), DEFAULT("1"), ABOVE(0), MEANS("made-up requests: per second")},
    {"serve.cv", KEY_REAL, IN(serve.cv), DEFAULT("2"), FROM(0.01, 100),
        MEANS("gamma: coefficient of variation of the gaps between requests")},
    {"serve.rate_scale", KEY_REAL, IN(serve.rate_scale), DEFAULT("1"), ABOVE(0),
        MEANS("trace: requests arrive so many times as fast")},
    {"serve.input_tokens", KEY_INT, IN(serve.input_tokens), DEFAULT("512"), FROM(1, MILLION),
        MEANS("made-up requests: tokens of a prompt")},
    {"serve.output_tokens", KEY_INT, IN(serve.output_tokens), DEFAULT("128"), FROM(1, MILLION),
        MEANS("made-up requests: tokens of an answer; prompts: the most")},
    {"serve.lengths_from", KEY_FILE, IN(serve.lengths_from), OPEN("serve.input_tokens and output_tokens"),
        MEANS("made-up requests: a request trace from which pairs of lengths are drawn at random")},
    {"serve.longest_total", KEY_INT, IN(serve.longest_total), OPEN_0("the model's context"), FROM(1, BILLION),
        MEANS("traces: requests with more tokens of prompt and answer together are left out, and counted")},
    {"serve.temperature", KEY_REAL, IN(serve.temperature), DEFAULT("0"), FROM(0, 100),
        MEANS("of sampling; 0: the most likely token")},
    {"serve.top_p", KEY_REAL, IN(serve.top_p), DEFAULT("1"), ABOVE_TO(0, 1),
        MEANS("sample among the likeliest tokens that make up this share")},
    {"serve.seed", KEY_SEED, IN(serve.seed), DEFAULT("0"), ANY, MEANS("seed of arrivals and of sampling")},
    {"serve.batching", KEY_WORD, IN(serve.batching), DEFAULT("chunked"), WORDS("chunked prefill-first static"),
        MEANS("what an iteration holds: docs/serving.md")},
    {"serve.max_batch", KEY_INT, IN(serve.max_batch), DEFAULT("256"), FROM(1, 65536),
        MEANS("sequences that run at a time, of one instance")},
    {"serve.token_budget", KEY_INT, IN(serve.token_budget), DEFAULT("2048"), FROM(1, MILLION),
        MEANS("tokens of an iteration")},
    {"serve.block_tokens", KEY_INT, IN(serve.block_tokens), DEFAULT("16"), FROM(1, 65536),
        MEANS("tokens of a block of the KV cache")},
    {"serve.prefix_caching", KEY_SWITCH, IN(serve.prefix_caching), DEFAULT("false"),
        MEANS("prompts that begin alike share blocks")},
    {"serve.schedule_ahead", KEY_SWITCH, IN(serve.schedule_ahead), DEFAULT("false"),
        MEANS("an iteration is put together when the one before it starts, so that the host is never waited for: requests "
              "that arrive meanwhile wait for one more")},
    {"serve.reserve_output", KEY_SWITCH, IN(serve.reserve_output), DEFAULT("false"),
        MEANS("room for the whole answer is taken at admission")},
    {"serve.watermark", KEY_REAL, IN(serve.watermark), DEFAULT("0.01"), FROM(0, 0.999),
        MEANS("share of the KV blocks, in thousandths, that admission leaves free while other requests run")},
    {"serve.preemption", KEY_WORD, IN(serve.preemption), DEFAULT("recompute"), WORDS("recompute swap"),
        MEANS("what becomes of the KV of a sequence that has to make room")},
    {"serve.instances", KEY_INT, IN(serve.instances), DEFAULT("1"), FROM(1, 4096),
        MEANS("machines like the cluster, each with the whole model, behind a router")},
    {"serve.prefill_instances", KEY_INT, IN(serve.prefill_instances), DEFAULT("0"), FROM(0, 4096),
        MEANS("the first so many only prefill and hand their KV over to the others")},
    {"serve.router", KEY_WORD, IN(serve.router), DEFAULT("round-robin"), WORDS("round-robin least-loaded prefix central"),
        MEANS("which instance gets a request")},
    {"serve.partition", KEY_WORD, IN(serve.partition), DEFAULT("auto"), WORDS("heads sequence hybrid auto"),
        MEANS("how PIM devices share the KV cache: by heads, by tokens, both; auto: that with the highest rate of tokens")},
    {"serve.head_chunks", KEY_INT, IN(serve.head_chunks), DEFAULT("1"), FROM(1, 1024),
        MEANS("PIM devices: the heads go through QKV, attention and projection in so many pieces, so that GPU and PIM "
              "device work at the same time; 1: all at once")},
    {"serve.ff_share", KEY_NAME, IN(serve.ff_share), DEFAULT("0"),
        MEANS("hbm-pim devices: share of the feed-forward's inner width, 0 to 0.9, that they have a copy of and compute in "
              "iterations without prompts; auto: that with the highest rate of tokens; 0: none")},
    {"serve.kv_numerics", KEY_WORD, IN(serve.kv_numerics), DEFAULT("same"), WORDS("same int8"),
        MEANS("keys and values in the KV cache: as the other numbers, or int8 with a scale for each head of a token")},
    {"serve.weight_numerics", KEY_WORD, IN(serve.weight_numerics), DEFAULT("same"), WORDS("same int8"),
        MEANS("weights of the layers on GPUs: as the other numbers, or int8 with a scale for each output, multiplied by "
              "rows in int8 with a scale for each (W8A8); embedding and head stay as they are")},
    {"serve.recovery", KEY_WORD, IN(serve.recovery), DEFAULT("recompute"), WORDS("recompute reload"),
        MEANS("after the loss of a device: KV on the host (preemption swap) is computed once more like all other, or comes "
              "back")},
    {"serve.recovery_s", KEY_REAL, IN(serve.recovery_s), DEFAULT("100 ms"), .unit = UNIT_SECONDS, FROM(0, 86400),
        MEANS("time until the loss of a device is noticed and the others know their new parts")},
    {"serve.sample_s", KEY_REAL, IN(serve.sample_s), DEFAULT("0 s"), .unit = UNIT_SECONDS, FROM(0, INFINITY),
        MEANS("length of the intervals of the course over time in serving.h5; 0: none")},
    {"serve.slo.ttft_s", KEY_REAL, IN(serve.slo.ttft_s), DEFAULT("0 s"), .unit = UNIT_SECONDS, FROM(0, INFINITY),
        MEANS("objective: longest time to the first token; 0: none")},
    {"serve.slo.tpot_s", KEY_REAL, IN(serve.slo.tpot_s), DEFAULT("0 s"), .unit = UNIT_SECONDS, FROM(0, INFINITY),
        MEANS("objective: longest mean time from token to token; 0: none")},
    {"serve.slo.e2e_s", KEY_REAL, IN(serve.slo.e2e_s), DEFAULT("0 s"), .unit = UNIT_SECONDS, FROM(0, INFINITY),
        MEANS("objective: longest time to the last token; 0: none")},
    {"serve.slo.share", KEY_REAL, IN(serve.slo.share), DEFAULT("0.99"), ABOVE_TO(0, 1),
        MEANS("share of the requests that must keep it: --find-rate")},

    {"placement.policy", KEY_WORD, IN(placement.policy), DEFAULT("gpu-only"), WORDS("gpu-only hpt auto"),
        MEANS("which device does what; hpt: full steps on GPUs, low-parameter steps on ReRAM and systolic devices; "
              "auto: the cheaper of the two")},
    {"placement.objective", KEY_WORD, IN(placement.objective), DEFAULT("time"), WORDS("time energy product"),
        MEANS("auto: what the whole run shall take least of; product: time times energy")},
    {"placement.micro_batches", KEY_INT, IN(placement.micro_batches), DEFAULT("1"), FROM(1, MILLION),
        MEANS("hpt: pieces of a minibatch that go through the stack one behind the other")},
    {"placement.replicas", KEY_INT, IN(placement.replicas), DEFAULT("0"), FROM(0, MILLION),
        MEANS("hpt: copies of every frozen matrix; 0: as many as fit")},
    {"placement.numerics", KEY_WORD, IN(placement.numerics), DEFAULT("fp32"), WORDS("fp32 tf32 bf16 fp16 fp64"),
        MEANS("number format of the operands of matrix products")},
    {"placement.attention_kernel", KEY_WORD, IN(placement.attention_kernel), DEFAULT("unfused"), WORDS("unfused fused"),
        MEANS("fused: scores never leave the chip")},
    {"placement.bucket_bytes", KEY_REAL, IN(placement.bucket_bytes), DEFAULT("25 MiB"), .unit = UNIT_BYTES,
        FROM(1, 0x1p50),
        MEANS("gradients are all-reduced in pieces of this size")},

    {"output.directory", KEY_TEXT, IN(output.directory), OPEN("NAME-out"),
        MEANS("folder of result.h5, summary.json and trace.json.gz, seen from where the program runs")},
    {"output.trace", KEY_SWITCH, IN(output.trace), DEFAULT("true"), MEANS("write the trace")},
    {"output.trace_max_bytes", KEY_REAL, IN(output.trace_max_bytes), DEFAULT("256 MiB"), .unit = UNIT_BYTES,
        FROM(0, 0x1p50),
        MEANS("cap of the uncompressed trace")},
    {"output.predictions", KEY_SWITCH, IN(output.predictions), DEFAULT("true"),
        MEANS("store the test predictions in the result")},

    {"faults[].device", KEY_NAME, FAULT(device), REQUIRED, MEANS("the device, as reports name it: gpu0, pim3")},
    {"faults[].at", KEY_REAL, FAULT(at_s), REQUIRED, .unit = UNIT_SECONDS, FROM(0, 8640000),
        MEANS("virtual time; it shows between two steps or iterations")},
    {"faults[].kind", KEY_WORD, FAULT(kind), REQUIRED, WORDS("fails degrades link-slows columns-stick"),
        MEANS("the device is lost with all that it holds; it computes, or its link to others is, slower from then on; "
              "columns of its crossbars do not conduct any more")},
    {"faults[].factor", KEY_REAL, FAULT(factor), OPEN("needed but by fails"), ABOVE_BELOW(0, 1),
        MEANS("degrades, link-slows: speed that is left, as a share; columns-stick: share of the columns")},
    {"faults[].instance", KEY_INT, FAULT(instance), DEFAULT("0"), FROM(0, 4095), MEANS("serving: of this instance")},

    {"cluster.name", KEY_NAME, IN(cluster.name), OPEN("the file's name"), MEANS("name of the cluster in reports")},
    {"cluster.iteration_overhead_s", KEY_REAL, IN(cluster.iteration_overhead_s), DEFAULT("0 s"), .unit = UNIT_SECONDS,
        FROM_BELOW(0, 1),
        MEANS("serving: time of the host's engine for each iteration, which no device hides: `polyrank devices --calibrate`")},
    {"cluster.devices[].kind", KEY_WORD, OF(kind), REQUIRED, WORDS("gpu reram systolic hbm-pim cpu"), MEANS("kind of device")},
    {"cluster.devices[].profile", KEY_NAME, OF(profile), REQUIRED,
        MEANS("its name in the catalogue, see `polyrank devices`")},
    {"cluster.devices[].count", KEY_INT, OF(count), DEFAULT("1"), FROM(1, MILLION), MEANS("how many of them")},
    {"cluster.devices[].per_node", KEY_INT, OF(per_node), OPEN_0("all"), FROM(1, MILLION),
        MEANS("devices that share a node")},
    {"cluster.devices[].memory_bytes", KEY_REAL, OF(memory_bytes), OPEN_0("the profile"), .unit = UNIT_BYTES,
        FROM(1, 0x1p60),
        MEANS("memory of one device")},
    {"cluster.devices[].memory_bytes_per_s", KEY_REAL, OF(memory_bytes_per_s), OPEN_0("the profile"),
        .unit = UNIT_BYTES_PER_S,
        ABOVE(0), MEANS("its bandwidth")},
    {"cluster.devices[].peak_flop_per_s", KEY_REAL, OF(peak_flop_per_s), OPEN_0("the profile"),
        .unit = UNIT_FLOP_PER_S, ABOVE(0),
        MEANS("peak rate at the job's numerics")},
    {"cluster.devices[].tdp_w", KEY_REAL, OF(tdp_w), OPEN_0("the profile"), .unit = UNIT_WATTS, ABOVE(0),
        MEANS("power limit")},
    {"cluster.devices[].idle_w", KEY_REAL, OF(idle_w), OPEN("the profile"), .unit = UNIT_WATTS, FROM(0, INFINITY),
        MEANS("power with nothing to do; 0 W: switched off, or working for others")},
    {"cluster.devices[].launch_s", KEY_REAL, OF(launch_s), OPEN_0("the profile"), .unit = UNIT_SECONDS, ABOVE_TO(0, 1),
        MEANS("gpu: shortest time from one kernel to the next, as the host's software lets it")},
    {"cluster.devices[].numerics", KEY_WORD, OF(numerics), OPEN("placement.numerics"),
        WORDS("fp32 tf32 bf16 fp16 fp64 int8"),
        MEANS("number format of the operands of its matrix products")},
    {"cluster.devices[].dataflow", KEY_WORD, OF(dataflow), OPEN("the profile"), WORDS("os ws is"),
        MEANS("systolic: what stays in the array: outputs, weights or inputs")},
    {"cluster.devices[].memory_mode", KEY_WORD, OF(memory_mode), OPEN("ideal"), WORDS("ideal scalesim"),
        MEANS("systolic: model of the buffers")},
    {"cluster.devices[].array_rows", KEY_INT, OF(array_rows), OPEN_0("the profile"), FROM(1, 65536),
        MEANS("systolic: rows of an array")},
    {"cluster.devices[].array_cols", KEY_INT, OF(array_cols), OPEN_0("the profile"), FROM(1, 65536),
        MEANS("systolic: columns of an array")},
    {"cluster.devices[].overlap_weights", KEY_SWITCH, OF(overlap_weights), DEFAULT("false"),
        MEANS("systolic: load the next stationary tile while the last one works")},
    {"cluster.devices[].fidelity", KEY_WORD, OF(fidelity), OPEN("quantized"), WORDS("ideal quantized analog"),
        MEANS("reram: exact products, quantised ones, or with the cells' errors")},
    {"cluster.devices[].mapping", KEY_WORD, OF(mapping), OPEN("the profile"), WORDS("differential offset"),
        MEANS("reram: how cells hold signed weights")},
    {"cluster.devices[].tiles", KEY_INT, OF(tiles), OPEN_0("the profile"), FROM(1, MILLION),
        MEANS("reram: tiles of a chip")},
    {"cluster.devices[].weight_bits", KEY_INT, OF(weight_bits), OPEN_0("the profile"), FROM(2, 16),
        MEANS("reram: bits of a weight")},
    {"cluster.devices[].input_bits", KEY_INT, OF(input_bits), OPEN_0("the profile"), FROM(2, 16),
        MEANS("reram: bits of an input")},
    {"cluster.devices[].error_bits", KEY_INT, OF(error_bits), OPEN_0("the profile"), FROM(2, 16),
        MEANS("reram: bits of an error in the backward pass")},
    {"cluster.devices[].cell_bits", KEY_INT, OF(cell_bits), OPEN_0("the profile"), FROM(1, 6),
        MEANS("reram: bits of a cell, fewer than of a weight")},
    {"cluster.devices[].adc_bits", KEY_INT, OF(adc_bits), OPEN_0("the profile"), FROM(2, 16),
        MEANS("reram: bits of an analog-digital converter")},
    {"cluster.devices[].adc_range", KEY_REAL, OF(adc_range), OPEN("the profile"), FROM(0, 1),
        MEANS("reram: range of the converters as a share of the largest possible sum; 0: found from the cells")},
    {"cluster.devices[].program_noise", KEY_REAL, OF(program_noise), OPEN("the profile"), FROM(0, 1),
        MEANS("reram, analog: sigma of a programmed conductance, as a share of it")},
    {"cluster.devices[].read_noise", KEY_REAL, OF(read_noise), OPEN("the profile"), FROM(0, 1),
        MEANS("reram, analog: sigma of a conductance from read to read, as a share of it")},
    {"cluster.devices[].stuck_low", KEY_REAL, OF(stuck_low), OPEN("the profile"), FROM(0, 1),
        MEANS("reram, analog: share of cells stuck at the lowest conductance")},
    {"cluster.devices[].stuck_high", KEY_REAL, OF(stuck_high), OPEN("the profile"), FROM(0, 1),
        MEANS("reram, analog: share of cells stuck at the highest conductance")},
    {"cluster.devices[].drift", KEY_REAL, OF(drift), OPEN("the profile"), FROM(0, 1),
        MEANS("reram, analog: conductance falls as (1 + t/s)^-drift")},
    {"cluster.devices[].write_verify", KEY_SWITCH, OF(write_verify), DEFAULT("false"),
        MEANS("reram: programming reads each cell after each pulse")},
    {"cluster.devices[].stacks", KEY_INT, OF(stacks), OPEN_0("the profile"), FROM(1, 64),
        MEANS("hbm-pim: HBM stacks of a device")},
    {"cluster.devices[].power_limit", KEY_SWITCH_OR_UNSET, OF(power_limit), OPEN("the profile"),
        MEANS("hbm-pim: processing units keep the distance that the power limit asks for")},
    {"cluster.devices[].endurance", KEY_REAL, OF(endurance), OPEN_0("the profile"), ABOVE(0),
        MEANS("reram: writes that a cell survives")},
    {"cluster.links.inside", KEY_NAME, IN(cluster.links.inside), OPEN("needed with two devices in a node"),
        MEANS("link profile between the devices of a node")},
    {"cluster.links.between", KEY_NAME, IN(cluster.links.between), OPEN("needed with two nodes"),
        MEANS("link profile between nodes")},
    {"cluster.links.stack", KEY_NAME, IN(cluster.links.stack), OPEN("needed with ReRAM and systolic devices"),
        MEANS("link between devices that are not GPUs")},
    {"cluster.links.bridge", KEY_NAME, IN(cluster.links.bridge), OPEN("the host's link"),
        MEANS("link between a GPU and a device that is none")},
    {"cluster.links.host", KEY_NAME, IN(cluster.links.host), REQUIRED,
        MEANS("link profile between a device and its host")},
};

static const struct job_list lists[] = {
    {"faults", IN(fault), IN(n_faults), sizeof(struct job_fault), 0, JOB_MAX_FAULTS,
        "faults of the emulated hardware, at virtual times"},
    {"cluster.devices", IN(cluster.device), IN(cluster.n_devices), sizeof(struct cluster_device), 1,
        CLUSTER_MAX_DEVICES,
        "the devices, one entry per kind and profile"},
};
/* clang-format on */

const struct job_key *job_keys(int *n)
{
    *n = (int)(sizeof keys / sizeof keys[0]);
    return keys;
}

const struct job_list *job_lists(int *n)
{
    *n = (int)(sizeof lists / sizeof lists[0]);
    return lists;
}

int key_is_list(const struct job_key *key)
{
    return key->kind == KEY_INTS || key->kind == KEY_WORDS || key->kind == KEY_TEXTS || key->kind == KEY_INT_PAIR ||
           key->kind == KEY_TIME_PAIR;
}

static int is_pair(const struct job_key *key)
{
    return key->kind == KEY_INT_PAIR || key->kind == KEY_TIME_PAIR;
}

int key_least(const struct job_key *key)
{
    return is_pair(key) ? 2 : 1;
}

int key_most(const struct job_key *key)
{
    return is_pair(key) ? 2 : key_is_list(key) ? key->most : 1;
}

char *key_word(const struct job_key *key, int i, char *word, size_t size)
{
    const char *p = key->words ? key->words : "";
    for (; *p && i > 0; i--) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    if (!*p)
        return NULL;
    snprintf(word, size, "%.*s", (int)strcspn(p, " "), p);
    return word;
}

static void append_words(char *text, size_t size, const struct job_key *key)
{
    char word[64];
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; key_word(key, i, word, sizeof word) && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i > 0 ? ", " : "", word);
}

static void bound(char *text, size_t size, const struct job_key *key, double value)
{
    if (key->kind == KEY_REAL)
        unit_print(text, size, key->unit, value);
    else
        snprintf(text, size, "%.0f", value);
}

/* " from 1 to 8", " above 0 and below 1", " of at least 0 B" */
static void append_range(char *text, size_t size, const struct job_key *key)
{
    char low[64], high[64];
    size_t at = strlen(text);
    bound(low, sizeof low, key, key->min);
    bound(high, sizeof high, key, key->max);
    if (isinf(key->max))
        snprintf(text + at, size - at, " %s %s", key->min_excluded ? "above" : "of at least", low);
    else if (!key->min_excluded && !key->max_excluded)
        snprintf(text + at, size - at, " from %s to %s", low, high);
    else
        snprintf(text + at, size - at, " %s %s and %s %s", key->min_excluded ? "above" : "of at least", low,
                 key->max_excluded ? "below" : "at most", high);
}

static void expected_element(char *text, size_t size, const struct job_key *key)
{
    char words[256];
    switch (key->kind) {
    case KEY_INT:
    case KEY_INTS:
    case KEY_INT_PAIR:
        snprintf(text, size, "a whole number");
        append_range(text, size, key);
        break;
    case KEY_SEED:
        snprintf(text, size, "a whole number from 0 to 18446744073709551615");
        break;
    case KEY_REAL:
        snprintf(text, size, "%s", unit_expected(key->unit));
        append_range(text, size, key);
        break;
    case KEY_SWITCH:
    case KEY_SWITCH_OR_UNSET:
        snprintf(text, size, "true or false");
        break;
    case KEY_WORD:
    case KEY_WORDS:
        append_words(words, sizeof words, key);
        snprintf(text, size, "%s%s", strchr(key->words, ' ') ? "one of " : "", words);
        break;
    case KEY_NAME:
        snprintf(text, size, "a name of letters, digits, '.', '_' and '-'");
        break;
    case KEY_FILE:
        snprintf(text, size, "a file name");
        break;
    case KEY_TIME_PAIR:
        snprintf(text, size, "a time stamp such as \"2012-06-30\" or \"2012-06-30T18:00\"");
        break;
    case KEY_TEXT:
    case KEY_TEXTS:
    case N_KEY_KINDS:
        snprintf(text, size, "%s", key->words ? key->words : "printable text");
        break;
    }
}

static const char *element_plural(const struct job_key *key)
{
    return key->kind == KEY_INTS || key->kind == KEY_INT_PAIR ? "whole numbers"
           : key->kind == KEY_TIME_PAIR                       ? "time stamps"
           : key->kind == KEY_WORDS                           ? "words"
                                                              : "texts";
}

char *key_expected(char *text, size_t size, const struct job_key *key, int element)
{
    if (element || !key_is_list(key))
        expected_element(text, size, key);
    else if (is_pair(key))
        snprintf(text, size, "a list of 2 %s", element_plural(key));
    else
        snprintf(text, size, "a list of 1 to %d %s", key->most, element_plural(key));
    return text;
}
