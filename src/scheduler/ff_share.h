/* ff_share.h - which share of the feed-forward the hbm-pim devices at a GPU compute in iterations without prompts
 * (model/decoder_ffn.c builds it). Part of decoder_plan_build; not for other rooms. */
#ifndef SCHEDULER_FF_SHARE_H
#define SCHEDULER_FF_SHARE_H

#include "scheduler/decoder_plan.h"

/* Local. Can this machine take limits->ff_share at all? Fault STATUS_USAGE: no hbm-pim devices, or more devices than
 * places of the inner width. */
enum status ff_share_check(const struct decoder_plan *plan, const struct decoder_limits *limits, struct fault *fault);

/* Local. Sets layout.ff_columns to this share of a GPU's inner width, rounded: every PIM device at a GPU has a place at
 * least, the GPU keeps one at least; and ff_share to what that is. 0: none. */
void ff_share_take(struct decoder_plan *plan, double share);

/* Local. The share, in hundredths up to FF_MOST_SHARE, of the highest rate (decoder_plan_rate) on plan->partition. It
 * changes iterations without prompts, and what its copies of weights leave of the room for KV, so how many sequences
 * run at a time. 0 when none is faster than none. Prices about 27 plans. */
double ff_share_choose(const struct decoder_plan *plan, const struct decoder_limits *limits);

#endif
