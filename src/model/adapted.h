/* adapted.h - what the low-parameter mode makes of a model of any family: the weights of its blocks are frozen, small
 * matrices beside some of them are trained instead, and the model comes in pieces that can be placed apart.
 *
 * Adapters: y = x W^T + b + alpha / width * (drop(x) A^T) B^T with A [width, in] and B [out, width], named like the
 * weight they stand beside with .lora_a and .lora_b (which weight that is, and what it is called: the family's header).
 * A starts uniform in +-1/sqrt(in), which is torch's kaiming_uniform_ with a = sqrt(5), B starts at zero, so the model
 * starts as it was. Source: Hu et al. 2021, arXiv 2106.09685, section 4.1; the start of A is that of its authors' code
 * (loralib), where the paper has a normal distribution. With `svd` B and A start as the best approximation of their
 * weight of that width (kernel/op.h, FACTOR), and the frozen weight is what is left of it: again the model starts as it
 * was. Source: Meng, Wang, Zhang 2024, arXiv 2404.02948, equations 2 to 4 (PiSSA). Trained besides: everything outside
 * of the blocks, and the norms in them with train_norms. */
#ifndef MODEL_ADAPTED_H
#define MODEL_ADAPTED_H

#include <stdint.h>

#include "base/status.h"

enum adapter_kind { ADAPTER_NONE, ADAPTER_LORA };
enum adapter_target {
    TARGET_Q = 1,
    TARGET_K = 2,
    TARGET_V = 4,
    TARGET_O = 8,
    TARGET_FFN0 = 16,
    TARGET_FFN1 = 32,
    N_ADAPTER_TARGETS = 6,
    ALL_ADAPTER_TARGETS = 63
};

struct adapter_config {
    int kind;         /* enum adapter_kind; everything below counts only with adapters */
    int64_t width;    /* of the low-rank product */
    double alpha;     /* its scale is alpha / width */
    double dropout;   /* on the adapters' input */
    unsigned targets; /* TARGET_ bits */
    int train_norms;
    int svd; /* adapters start as a part of their weight */
};

/* Random numbers of adapters (init_place, dropout site) are numbered from here on, by the places in the model where an
 * adapter can stand: those of the model itself do not depend on which adapters there are. */
#define ADAPTER_PLACE (UINT32_C(1) << 24)

/* All 0: the model is whole. */
struct pieces {
    int separate_activations; /* within blocks: LINEAR, then ACTIVATION as a node of its own */
    int64_t head_groups;      /* above 1: attention of so many groups of heads, a node each (at most OP_MAX_OUT) */
    int64_t matrix_shards; /* above 1: each frozen linear of a block is so many LINEARs over some rows of its weight (at
                              most OP_MAX_IN); their gradients of the input are added in their order */
};

/* Local. Refuses adapters and pieces that a model of these sizes cannot have, with STATUS_USAGE and the job key to
 * change. */
enum status adapted_check(const struct adapter_config *adapter, const struct pieces *pieces, int64_t heads,
                          int64_t d_model, int64_t ffn, struct fault *fault);

#endif
