/* run_f32.h - the sets of float kernels, one per instruction set. Private to this room.
 *
 * run_f32.c and the kernels behind it are compiled with KERNEL_RUN_F32 naming the set; dispatch.c picks one.
 */
#ifndef KERNEL_RUN_F32_H
#define KERNEL_RUN_F32_H

#include "kernel/run.h"

#ifndef KERNEL_RUN_F32
#define KERNEL_RUN_F32 kernel_run_f32_plain
#endif

typedef void kernel_set(const struct op *op, const struct kernel_context *context, const float *const in[OP_MAX_IN],
                        float *const out[OP_MAX_OUT]);

kernel_set kernel_run_f32_plain, kernel_run_f32_v3, kernel_run_f32_v4;

#endif
