/* hbm_pim_load.h - a batch's attention on one HBM-PIM device, kept up to date as sequences grow, come and go.
 *
 * Channels work side by side; heads of one channel one after the other. A table remembers what a head costs at each
 * number of tokens (it changes every 16 or 2 of them), a load holds the sums per channel, so that a new token is a
 * look-up and mostly nothing, and the cost of the batch is the busiest channel:
 *     time of a channel = sum of hbm_pim_stream_ps + (one head: what nothing hides of it; else hbm_pim_fill_ps)
 * Costs are of one layer; all layers are alike.
 */
#ifndef DEVICE_HBM_PIM_LOAD_H
#define DEVICE_HBM_PIM_LOAD_H

#include "base/arena.h"
#include "device/hbm_pim.h"

struct hbm_pim_table;
struct hbm_pim_load;

/* Local. Heads of this width, element size and queries per KV head, up to max_tokens (more is a bug). Filled as it is
 * used. The profile is copied; memory is the arena's. */
struct hbm_pim_table *hbm_pim_table_new(const struct hbm_pim_profile *pim, int64_t width, int element_bytes,
                                        int queries, int64_t max_tokens, struct arena *arena);

/* Local. An empty load of the device's channels. The table is borrowed. */
struct hbm_pim_load *hbm_pim_load_new(struct hbm_pim_table *table, struct arena *arena);

/* Local. A head with so many tokens comes to a channel, leaves it, or grows (or shrinks) from one number to another. A
 * head that was not there is a bug as far as it is seen. */
void hbm_pim_load_add(struct hbm_pim_load *load, int channel, int64_t tokens);
void hbm_pim_load_remove(struct hbm_pim_load *load, int channel, int64_t tokens);
void hbm_pim_load_grow(struct hbm_pim_load *load, int channel, int64_t from, int64_t to);

/* Local. The channel with the least time: where a new head goes. */
int hbm_pim_load_least(const struct hbm_pim_load *load);

/* Local. Attention over all heads of the load, one query token each: the busiest channel's time, everything's energy.
 * An empty load costs nothing. */
void hbm_pim_attention_cost(const struct hbm_pim_load *load, struct cost *cost);

#endif
