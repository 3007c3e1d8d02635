/* carry.h - programs that carry parameters from device to device, outside of any step.
 *
 * Each device's part starts with the parameters and the optimiser state that it has in the program it is like, under
 * the same names, so that all of its programs share the memory. Then come messages between parts and what is done with
 * what arrives.
 */
#ifndef SCHEDULER_CARRY_H
#define SCHEDULER_CARRY_H

#include "graph/graph.h"

struct carry {
    const struct graph *const
        *source; /* [n_devices] whose parameters and state the device has; NULL: it takes no part */
    int n_devices;
    struct arena *arena;
    struct graph *parts; /* [n_devices], the caller's */
    int **copy;          /* [n_devices] numbers in parts[d] of the tensors of source[d] that live over steps */
    int n_messages;
};

/* Local. Makes parts[d] graphs that hold what lives over steps. `source` and `parts` are borrowed. */
struct carry carry_begin(const struct graph *const *source, int n_devices, struct arena *arena, struct graph *parts);

/* Local. Does tensor t belong to a parameter or to optimiser state? */
int carry_lives_over_steps(const struct graph *graph, int t);

/* Local. Appends a node with one operand on either side (NO_TENSOR: none) to the part of a device. */
struct node *carry_put(struct carry *carry, int device, const struct op *op, int in, int out, const char *name);

/* Local. Tensor `tensor` of parts[from] arrives in `into` of parts[to]. */
void carry_send(struct carry *carry, int from, int tensor, int to, int into);

/* Local. Tensor t of parts[device] gets its initial value anew. */
void carry_fill(struct carry *carry, int device, int t);

#endif
