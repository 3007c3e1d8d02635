/* place.h - which device runs which node of a step in the low-parameter mode (placement `hpt`).
 *
 * The mapping of HpT (Dahal et al. 2025): products with frozen matrices, forward and transposed, on the ReRAM devices
 * that hold them; products of two moving operands (attention), adapters, embeddings, heads, norms, activations, loss
 * and optimiser on the systolic devices. Each kind's devices take consecutive blocks of the stack; the heads of a block
 * are dealt to all systolic devices. When a ReRAM device is lost, its matrices are dealt to those that are left, one by
 * one in the order of the forward pass; theirs stay where they are.
 */
#ifndef SCHEDULER_PLACE_H
#define SCHEDULER_PLACE_H

#include "graph/graph.h"
#include "scheduler/machine.h"

/* Devices of one kind, in the order of the cluster file. */
struct crew {
    int n;
    int *device; /* [n] numbers; -1: a post whose device is lost */
    int n_left;
    int *left; /* [n_left] numbers of those that are not lost */
};

/* Local. Those that are not lost. */
struct crew place_crew(const struct machine *machine, const char *kind, struct arena *arena);

/* Local. The same with the posts of lost devices: whoever is left keeps its own. */
struct crew place_posts(const struct machine *machine, const char *kind, struct arena *arena);

/* Local. Is this node a product with a frozen matrix of a block (forward or transposed)? Its weight is in[1]. */
int place_is_frozen_product(const struct graph *graph, const struct node *node);

/* Local. Rewrites such products that add into their output, so that the addition is a node of its own: it is done where
 * the rest of the sum is, not where the matrix lies. Before place_low. */
void place_separate_sums(struct graph *graph);

/* Local. Activations' backward ops that write over what they read write into a tensor of their own: the tensor is made
 * on another device than it is changed on, and would keep a place there in between. Before place_low. */
void place_rename_overwritten(struct graph *graph);

/* Local. The device of every node, [n_nodes] in the arena. `layers` is the number of blocks. Machines without ReRAM or
 * without systolic devices are the caller's to refuse. */
int *place_low(const struct graph *graph, int64_t layers, const struct crew *reram, const struct crew *systolic,
               struct arena *arena);

/* Local. Numbers runs of consecutive nodes on one device: the stages of graph_microbatches. */
int *place_stages(const int *device_of, int n_nodes, struct arena *arena);

#endif
