/* decoder_plan.h - a decoder on a machine: who holds which part of the weights and of the KV cache, the program of an
 * iteration for each device, and how much room there is for KV.
 *
 * Tensor parallel over all GPUs of the machine; devices that hold the KV cache (kind hbm-pim or
 * cpu, all of one kind), the same number at each GPU; without them the GPUs hold it.
 */
#ifndef SCHEDULER_DECODER_PLAN_H
#define SCHEDULER_DECODER_PLAN_H

#include "model/decoder_graph.h"
#include "plan/program.h"
#include "rank.h"
#include "scheduler/kv_partition.h"
#include "scheduler/machine.h"

/* What an iteration may be at most, and how the cache is cut. */
struct decoder_limits {
    int64_t max_tokens, max_sequences; /* of an iteration */
    int64_t block_tokens;              /* of the KV cache */
    int64_t n_blocks;        /* that tensors are made for; 0: none are, and what prompts fetch is counted for one
                                sequence of the model's context */
    int64_t head_chunks;     /* pieces of the heads in a pipeline, at most; 1: none */
    int kv_bits;             /* 8: int8; 0: the job's number format */
    int weight_bits;         /* of the layers' products on GPUs: 8: int8, as are their rows of x; 0: the job's format */
    const char *partition;   /* heads sequence hybrid auto */
    double ff_share;         /* of the feed-forward's inner width that hbm-pim devices compute in iterations without
                                prompts, 0 to FF_MOST_SHARE; FF_SHARE_AUTO: that of the highest rate */
    int64_t typical_context; /* what auto prices (decoder_plan_rate): tokens that a sequence has in the mean, */
    int64_t typical_prompt;  /* ... of which its prompt; tokens of an answer; 0: as if there were no prompts */
    int64_t typical_answer;
    const uint8_t *lost; /* [n_devices] 1: the device is gone; NULL: none is. A lost GPU takes the devices at it along;
                            of the others as many as at the GPU with the fewest are left go on, and without any left the
                            GPUs hold the cache and the whole feed-forward */
};

#define FF_MOST_SHARE 0.9
#define FF_SHARE_AUTO (-1.0)

/* What a device has to hold, in its own bytes. */
struct decoder_need {
    uint64_t weight_bytes, activation_bytes;
    uint64_t kv_bytes_per_token; /* of a sequence: its share of all layers */
    uint64_t capacity_bytes;
};

struct decoder_plan {
    const struct machine *machine;
    struct decoder_config config;
    struct decoder_layout layout;
    struct kv_partition partition;
    double ff_share; /* layout.ff_columns as a share of a GPU's inner width */
    struct plan plan;
    int n_gpus;
    const char *holder;          /* kind of the devices that hold the cache; NULL: GPUs */
    const uint8_t *lost;         /* of the limits */
    const char **device_name;    /* [n_devices] */
    struct decoder_need *need;   /* [n_devices] */
    uint64_t kv_capacity_tokens; /* of the machine */
    int kv_limit;                /* the device that sets it */
};

/* Local. Fault STATUS_USAGE: "needs ..., has ..., ..." when weights, or the KV of one sequence of the model's context,
 * do not fit; devices that cannot share the heads; a share of the feed-forward without hbm-pim devices. */
enum status decoder_plan_build(const struct decoder_config *config, const struct machine *machine,
                               const struct decoder_limits *limits, struct arena *arena, struct decoder_plan *plan,
                               struct fault *fault);

/* Local. How the executor prices this plan's iterations; borrows the plan. */
struct executor_prices decoder_plan_prices(const struct decoder_plan *plan);

/* An iteration to be priced: so many sequences with `context` tokens each decode, and `prompts` (0: one) fresh prompts
 * of prompt_tokens each come in; 0: none. */
struct decoder_iteration {
    int64_t decodes, context, prompt_tokens, prompts;
};

/* Local. Its virtual time, and the energy of its instructions without stand-by power. */
enum status decoder_plan_price(const struct decoder_plan *plan, const struct decoder_iteration *iteration,
                               uint64_t *time_ps, double *energy_j, struct fault *fault);

/* Local. What "auto" makes as high as it can: tokens of answers per second of a machine that is never short of
 * requests like the typical one. b sequences run at a time, as many as limits->max_sequences and the room for KV allow;
 * while they make typical_answer tokens each, one an iteration, b prompts of typical_prompt tokens are computed in the
 * same iterations, spread over them evenly and in pieces where limits->max_tokens has no room for a whole one. All
 * sequences have typical_context tokens throughout. */
enum status decoder_plan_rate(const struct decoder_plan *plan, const struct decoder_limits *limits,
                              double *tokens_per_s, struct fault *fault);

#endif
