/* decoder_lower.h - the programs of a decoder plan whose devices, partition and share of the feed-forward are set, and
 * the room that they leave for KV. Part of decoder_plan_build; not for other rooms. */
#ifndef SCHEDULER_DECODER_LOWER_H
#define SCHEDULER_DECODER_LOWER_H

#include "scheduler/decoder_plan.h"

/* Local. Fills plan->partition, the rest of layout, plan, need, kv_capacity_tokens and kv_limit, in `arena`. Fault
 * STATUS_USAGE as decoder_plan_build. */
enum status decoder_plan_lower(struct decoder_plan *plan, const struct kv_partition *partition,
                               const struct decoder_limits *limits, struct arena *arena, struct fault *fault);

#endif
