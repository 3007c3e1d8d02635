/* autodiff_private.h - inside of autodiff: gradient.c (who owns the memory of a gradient), autodiff.c (the rule of each
 * op, the walk). */
#ifndef GRAPH_AUTODIFF_PRIVATE_H
#define GRAPH_AUTODIFF_PRIVATE_H

#include "graph/graph.h"

/* Whether something trainable stands above a tensor. BY_PRODUCT: an output that an op keeps for its backward op; it has
 * no gradient of its own, so nothing else may use it (NORM's sum of two operands is an output as any other). */
enum grad_need { NEEDS_NONE, NEEDS_GRAD, BY_PRODUCT };

struct walk {
    struct graph *graph;
    const struct node *node; /* being differentiated */
    int n_tensors;           /* of the forward part */
    unsigned char *needs;    /* enum grad_need of each tensor */
    unsigned char *closed;
    unsigned char *in_parts; /* tensors whose gradient is made by their parts */
};

/* Local. The tensor a view of all of it stands for; a view of a part is a bug(). Does `t` see only a part of another
 * tensor? */
int gradient_whole(const struct graph *graph, int t);
int gradient_is_part(const struct graph *graph, int t);

/* Local. Must `t` have a gradient? 0 for NO_TENSOR. */
int gradient_needed(const struct walk *walk, int t);

/* Local. The gradient of `t`, with its dimensions, or NO_TENSOR. */
int gradient_of(struct walk *walk, int t);

/* Local. A new buffer of the shape of `t`. */
int gradient_buffer(struct walk *walk, int t);

/* Local. `part` is a contribution to the gradient of `t`. `keep`: the caller still needs the values in `part`. */
void gradient_add(struct walk *walk, int t, int part, int keep);

/* Local. Where an op that can add writes its contribution to the gradient of `t`; then gradient_finish_sum. */
int gradient_begin_sum(struct walk *walk, int t, int *accumulate);
void gradient_finish_sum(struct walk *walk, int t, int part, int accumulate);

/* Local. Where an elementwise op may write what it makes of the gradient of the node's output: over it, unless others
 * hold it. */
int gradient_over(struct walk *walk);

/* Local. A backward node of the node being differentiated. */
void walk_append(struct walk *walk, const struct op *op, const struct operands *operands, const char *what);

#endif
