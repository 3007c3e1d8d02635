/* attention_lanes.h - attention of interleaved samples: as many short sequences at a time as a register has lanes.
 *
 * Attention over time in a field is thousands of products of 12 x 12 x 16: too small for tiles, but all alike. Here a
 * lane is a sequence: q, k and v of neighbours are turned so that their same element lies side by side, and
 * every product, maximum and exponential works on all of them. A sequence's result does not depend on its lane.
 */
#ifndef KERNEL_ATTENTION_LANES_H
#define KERNEL_ATTENTION_LANES_H

#include "kernel/ops.h"

/* Local. ATTENTION and ATTENTION_BWD with op.interleave > 1, any format but FP64; scratch in bytes. */
KERNEL_F32(attention_lanes_f32);
KERNEL_F32(attention_lanes_bwd_f32);
size_t attention_lanes_scratch_bytes(const struct op *op);

#endif
