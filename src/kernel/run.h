/* run.h - does an op's arithmetic.
 *
 * Two sets with the same meaning: float (fast, vectorised, BLAS; operand rounding for TF32, BF16, FP16, integer
 * products for INT8) and double (plain loops that read like the formula: the float64 path and the reference that the
 * fast set is tested against). Operands as op.h lists them. Deterministic: the same inputs give the same bytes,
 * whatever ran before.
 */
#ifndef KERNEL_RUN_H
#define KERNEL_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/op.h"

struct kernel_context {
    enum number_format format; /* FORMAT_FP64 for kernel_run_f64, any other for kernel_run_f32 */
    uint64_t seed;             /* dropout: key of the job */
    uint32_t step;             /* dropout and optimiser: training step, from 1 */
    uint64_t first_row;   /* dropout: number of this device's first row within the minibatch of all devices, so that
                             masks do not depend on how the minibatch is split */
    double learning_rate; /* UPDATE */
    uint32_t state_since; /* optimiser: its state was zero after this step */
    void *scratch;        /* at least kernel_scratch_bytes of the op */
    uint64_t virtual_ps;  /* when the instruction starts, for what ages (drift of cells) */
};

/* Local. Bytes of scratch an op needs in a format. */
size_t kernel_scratch_bytes(const struct op *op, enum number_format format);

/* Local. Runs one op. LOAD, METRIC, ALLREDUCE, SEND and RECV are not arithmetic: calling with them is a bug. */
void kernel_run_f32(const struct op *op, const struct kernel_context *context, const float *const in[OP_MAX_IN],
                    float *const out[OP_MAX_OUT]);
void kernel_run_f64(const struct op *op, const struct kernel_context *context, const double *const in[OP_MAX_IN],
                    double *const out[OP_MAX_OUT]);

/* Local. Name of the BLAS library and of the kernel it chose, and of the instruction set our own kernels run with. */
const char *kernel_blas_name(void);
const char *kernel_isa_name(void);

/* Local. Hash of both: what the arithmetic of this process depends on beyond the program. Ranks that differ in it would
 * not give the same bytes. */
uint64_t kernel_hash(void);

#endif
