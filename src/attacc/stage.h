/* stage.h - one generation stage of one decoder block, priced: pipelining and sharing of the feed-forward included. */
#ifndef ATTACC_STAGE_H
#define ATTACC_STAGE_H

#include <stdint.h>

#include "attacc/schedule.h"
#include "attacc/system.h"

/* Prices of the layers by number of attacc_layer_id; after attacc_stage_overlap the times are what is left of them. */
struct attacc_stage_prices {
    struct attacc_price layer[N_ATTACC_LAYERS];
};

/* Cycles and commands of a stack, remembered for the last number of tokens that changes them. */
struct attacc_attention_memo {
    int64_t step; /* ceil(tokens / hbm_pim_token_step), 0: empty */
    int64_t cycles;
    struct attacc_counts counts;
};

/* Local. Score, softmax, context on the PIM devices: the time stands on the score; softmax as published, from the
 * stacks' external bandwidth. Energy of all devices. */
void attacc_pim_attention(const struct attacc_config *config, const struct attacc_layer *layers, double keys,
                          struct attacc_attention_memo *memo, struct attacc_stage_prices *prices);

/* Local. The transfer to or from the PIM devices, always over 600 GB/s links. */
struct attacc_price attacc_pim_transfer(const struct attacc_layer *layer);

/* Local. What runs beside what, for machines with PIM: transfers and (with `pipeline`) QKV and projection behind
 * attention, head by head; softmax is dropped. Then the feed-forward's share of the PIM devices (`ff_split`). */
void attacc_stage_overlap(const struct attacc_config *config, struct attacc_stage_prices *prices);

#endif
