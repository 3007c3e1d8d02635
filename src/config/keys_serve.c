/* keys_serve.c - the part of the key table (config/keys.h) for what is served, to whom and how. */
#include "config/key_table.h"

/* clang-format off */
static const struct job_key keys[] = {
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
    {"serve.preemption", KEY_WORD, IN(serve.preemption), DEFAULT("recompute"), WORDS("recompute swap"),
        MEANS("what becomes of the KV of a sequence that has to make room")},
    {"serve.instances", KEY_INT, IN(serve.instances), DEFAULT("1"), FROM(1, 4096),
        MEANS("machines like the cluster, each with the whole model, behind a router")},
    {"serve.prefill_instances", KEY_INT, IN(serve.prefill_instances), DEFAULT("0"), FROM(0, 4096),
        MEANS("the first so many only prefill and hand their KV over to the others")},
    {"serve.router", KEY_WORD, IN(serve.router), DEFAULT("round-robin"), WORDS("round-robin least-loaded prefix central"),
        MEANS("which instance gets a request")},
    {"serve.partition", KEY_WORD, IN(serve.partition), DEFAULT("auto"), WORDS("heads sequence hybrid auto"),
        MEANS("how PIM devices share the KV cache: by heads, by tokens, both; auto: the fastest that fits")},
    {"serve.head_chunks", KEY_INT, IN(serve.head_chunks), DEFAULT("1"), FROM(1, 1024),
        MEANS("PIM devices: the heads go through QKV, attention and projection in so many pieces, so that GPU and PIM "
              "device work at the same time; 1: all at once")},
    {"serve.ff_share", KEY_NAME, IN(serve.ff_share), DEFAULT("0"),
        MEANS("hbm-pim devices: share of the feed-forward's inner width, 0 to 0.9, that they have a copy of and compute in "
              "iterations without prompts; auto: what takes least time; 0: none")},
    {"serve.kv_numerics", KEY_WORD, IN(serve.kv_numerics), DEFAULT("same"), WORDS("same int8"),
        MEANS("keys and values in the KV cache: as the other numbers, or int8 with a scale for each head of a token")},
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
};
/* clang-format on */

struct key_part keys_of_serving(void)
{
    return (struct key_part){keys, (int)(sizeof keys / sizeof keys[0])};
}
