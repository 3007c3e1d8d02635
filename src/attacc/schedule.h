/* schedule.h - the commands of attention in one stack as the published simulator issues them, quirks included.
 *
 * The n heads of a stack go to its channels in turn: I = ceil(n / channels) iterations, all full (v = channels heads)
 * but the last. Iterations go in pairs (X, Y); the last of an odd number is alone. In the words of device/hbm_pim.h a
 * pair issues, with barriers between steps:
 *   1 query of X in - score of X, beside it Y's query in
 *   2 score of Y, beside it X's softmax and, in the second half of the steps, X's weights in
 *   3 context of X, beside it Y's softmax and, in the last half of the column groups, Y's weights in
 *   4 the context of X once more: Y's values are never read
 * Slices of transfers are whole numbers of commands; what is left over is never issued. Before the first barrier of all
 * stands one MAC more per channel. Keys of iteration i start at byte i * 4096 * width / 64 of a bank, half of what they
 * take, so that consecutive heads overlap and can share an open row. docs/attacc.md lists these with the published
 * simulator's other peculiarities.
 */
#ifndef ATTACC_SCHEDULE_H
#define ATTACC_SCHEDULE_H

#include <stdint.h>

#include "device/hbm_pim.h"

/* Commands of one stack, summed over its channels. */
struct attacc_counts {
    int64_t mac, scores_and_results, queries, weights, softmax; /* MAC, MVSB, WRGB, MVGB, SFM */
};

/* Local. Exact: equal to the published simulator's. heads >= 1. */
struct attacc_counts attacc_stack_counts(const struct hbm_pim_profile *pim, int64_t heads, int64_t tokens,
                                         int64_t width, int element_bytes);

/* Local. Cycles of the busiest channel, hence of the stack. Depends on heads through ceil(heads / channels) alone, on
 * tokens through hbm_pim_token_step. */
int64_t attacc_stack_cycles(const struct hbm_pim_profile *pim, int64_t heads, int64_t tokens, int64_t width,
                            int element_bytes);

/* Local. One head: score alone, context alone. */
int64_t attacc_score_cycles(const struct hbm_pim_profile *pim, int64_t tokens, int64_t width, int element_bytes);
int64_t attacc_context_cycles(const struct hbm_pim_profile *pim, int64_t tokens, int64_t width, int element_bytes);

#endif
