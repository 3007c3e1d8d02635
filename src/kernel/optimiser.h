/* optimiser.h - the scalars of one optimiser step, the same for both sets of kernels. */
#ifndef KERNEL_OPTIMISER_H
#define KERNEL_OPTIMISER_H

#include "kernel/run.h"

/* SGD: p -= rate g. Adam, AdamW, in this order:
 *   g += l2 p; p *= keep; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= rate m / (sqrt(v) root +
 * eps) with rate = lr / (1 - beta1^step), root = 1 / sqrt(1 - beta2^step). l2 is Adam's weight decay, keep = 1 - lr
 * decay is AdamW's. g is the given gradient times `factor`: divided by the count, clipped to the global norm. Source:
 * Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2. */
struct optimiser_step {
    double factor, rate, keep, l2, beta1, beta2, root, eps;
};

/* Local. `count` = sums[1]; `square_sum` of the undivided gradient is used only when op->clip_norm > 0. */
struct optimiser_step optimiser_step_of(const struct op *op, const struct kernel_context *context, double count,
                                        double square_sum);

#endif
