/* graph.h - tensors and ops of one training step or one evaluation, hardware-free.
 *
 * A graph is built by a model (forward and loss), completed by autodiff (backward) and by graph_add_update (optimiser),
 * then read by the scheduler. Nodes are in execution order: that order is the program order of every device that runs
 * them. All memory belongs to the graph's arena; names are borrowed from it.
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include <stdint.h>

#include "base/arena.h"
#include "kernel/op.h"

enum tensor_role {
    TENSOR_INPUT,      /* x, filled by LOAD */
    TENSOR_TARGET,     /* t, filled by LOAD */
    TENSOR_MASK,       /* 1 = the target element counts; filled by LOAD */
    TENSOR_CONST,      /* values known when the graph is built (positions) */
    TENSOR_PARAM,      /* weights */
    TENSOR_ACTIVATION, /* lives within a step */
    TENSOR_GRAD,       /* gradient of a parameter, or the block that holds them all and the loss sums */
    TENSOR_STATE       /* optimiser state, lives over steps */
};

enum init_kind {
    INIT_NONE,
    INIT_ZERO,
    INIT_ONE,
    INIT_UNIFORM /* in [-scale, scale) */,
    INIT_NORMAL /* sd scale */,
    INIT_FASTFOOD, /* the table of a projection to scale dimensions: kernel/fastfood.h */
    INIT_WEIGHT,   /* read from a model file */
    INIT_FACTOR /* half a of a pair of adapters: with the other half and the rest of the weight beside which they stand
                   the factors of that weight's initial values (op FACTOR; scale is its own) */
};

enum { TENSOR_MAX_DIMS = 4, NO_TENSOR = -1 };

struct tensor {
    const char *name; /* "layers.0.attn.qkv.weight", "layers.0.ffn.0.out", "grad.embed.0.bias" */
    enum tensor_role role;
    int n_dims;
    int64_t dims[TENSOR_MAX_DIMS];
    int64_t elements;
    int trainable;  /* parameters: gets a gradient and updates */
    int base;       /* NO_TENSOR, or the tensor whose memory this one is a contiguous part of */
    int64_t offset; /* elements from the start of base */
    int grad;       /* its gradient once autodiff ran, or NO_TENSOR */
    int is_block;   /* holds parameters side by side, for one UPDATE or one FASTFOOD; not a parameter of its own */
    enum init_kind init;
    double init_scale;
    uint32_t init_place;  /* key of its random numbers: number of the parameter in the model, whatever is trainable */
    const double *values; /* TENSOR_CONST: its elements */
    int64_t copies; /* one for each repetition of the graph's loop: weights of a layer, its KV cache; 0 and 1: one */
    int apart;      /* of memory that it shares with no other value: who waits for whom does not hang on its size */
    int64_t prompt_columns; /* packed queries, keys and values: columns that are keys and values; 0: others */
    int chunk, chunks;      /* ... and of that part again; chunks 0: all of it */
    int64_t first,
        some; /* ... and of a part of the feed-forward `some` places of its inner width from `first` on; 0: all */
    int part, parts; /* weights dealt to several devices: which part of how many; parts 0: whole */
};

enum phase { PHASE_LOAD, PHASE_FORWARD, PHASE_BACKWARD, PHASE_UPDATE, N_PHASES };

struct node {
    struct op op;
    int in[OP_MAX_IN], out[OP_MAX_OUT]; /* tensor ids, NO_TENSOR where absent */
    enum phase phase;
    int block;         /* transformer block, or -1 */
    const char *name;  /* "layers.0.attn.qkv" */
    int channel, peer; /* SEND, RECV: number of the message, device at the other end */
};

struct graph {
    struct arena *arena; /* borrowed */
    struct tensor *tensors;
    int n_tensors;
    struct node *nodes;
    int n_nodes;
    int loss_sums; /* tensor [2]: sum of losses and number of counted elements, or NO_TENSOR */
    int loop_first,
        loop_end; /* nodes that are run through loop_count times: the layers of a decoder; loop_count 0: none */
    int64_t loop_count;
    int params, grads; /* after graph_add_update: block of trainable parameters; block of their gradients followed by
                          the two loss sums (which it then holds) */
};

/* Local. An empty graph. */
void graph_init(struct graph *graph, struct arena *arena);

/* Local. Adds a tensor and returns its id; `dims` has n_dims entries. */
int graph_tensor(struct graph *graph, enum tensor_role role, const char *name, int n_dims, const int64_t *dims);

/* Local. A contiguous part of `base` seen with other dimensions. */
int graph_view(struct graph *graph, int base, int64_t offset, const char *name, int n_dims, const int64_t *dims);

/* Local. The tensor whose memory `tensor` is part of (itself when it is no view), and the first element of `tensor` in
 * it. */
int graph_root(const struct graph *graph, int tensor);
int64_t graph_offset(const struct graph *graph, int tensor);

/* Local. Do two tensors share elements? NO_TENSOR shares none. */
int graph_overlap(const struct graph *graph, int a, int b);

/* Lists of operands of a node. */
struct operands {
    int in[OP_MAX_IN], out[OP_MAX_OUT];
};

/* Local. The first operands as given, NO_TENSOR behind them; and none at all. */
struct operands operands_of(int n_in, const int *in, int n_out, const int *out);
struct operands no_operands(void);

/* Local. Appends a node; in and out are lists of OP_MAX_IN and OP_MAX_OUT ids. Checks shapes against the op: a mismatch
 * is a bug() of the model that built it. */
struct node *graph_node(struct graph *graph, const struct op *op, const int *in, const int *out, enum phase phase,
                        int block, const char *name);

/* Local. The tensor with this name, or NO_TENSOR. */
int graph_find(const struct graph *graph, const char *name);

/* Local. Adds the optimiser. Trainable parameters become parts of one block `params`, in order of creation (the order
 * of the forward pass), each gradient the same part of one block `grads`, which ends with the two loss sums; state m
 * and v are blocks of the same length. One UPDATE node (after a SQUARE_SUM when clip_norm > 0) on the whole block. Call
 * after autodiff. */
struct optimiser {
    enum optimiser_kind kind;
    double beta1, beta2, eps, weight_decay, clip_norm;
};
void graph_add_update(struct graph *graph, const struct optimiser *optimiser);

/* Local. The same for parameters that live on several devices: trainable parameter t belongs to group[t], 0 ..
 * n_groups-1 (none empty), each with blocks and an UPDATE of its own, or several of at most `piece` elements when that
 * is above 0 (values are the same); the loss sums stay a tensor of their own. A norm to clip by is that of all groups,
 * added in their order. Sets node_group[i - first] for the nodes i it appends, from `first` = n_nodes before the call;
 * memory in the graph's arena. */
void graph_add_updates(struct graph *graph, const struct optimiser *optimiser, const int *group, int n_groups,
                       int64_t piece, int **node_group);

/* Local. Totals for tables: elements of all parameters and of the trainable ones. */
int64_t graph_param_elements(const struct graph *graph, int trainable_only);

#endif
