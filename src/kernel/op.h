/* op.h - the vocabulary of arithmetic: what an op is, which operands it has, how much work it means.
 *
 * Hardware-free. The graph is made of these ops, a program's instructions carry them, device models price them, the
 * kernels run them. One list; every room above and the kernels beside it use the same.
 *
 * Shape letters: B samples, T rows (B * tokens) , C channels in, O channels out, N tokens of a sample, H heads, D head
 * width. All tensors are row-major, last index fastest. A linear weight is [O, C]: y = x W^T + b.
 *
 * The operands of every op, in order, stand in the table below.
 */
#ifndef KERNEL_OP_H
#define KERNEL_OP_H

#include <stdint.h>

/* clang-format off */
/* Operands ("-" behind one: may be absent, id -1 in graphs and programs, NULL in kernels):
 *
 *   LINEAR        in x[T,C] w[O,C] b[O]-              out y[T,O] pre[T,O]-
 *                       y = act(x w^T + b); pre = x w^T + b, kept only for GELU
 *   LINEAR_DX     in dy[T,O] w[O,C]                   out dx[T,C]  dx (+)= dy w; += when op.accumulate
 *   LINEAR_DW     in dy[T,O] x[T,C]                   out dw[O,C] db[O]-  overwritten
 *   ACT_BWD       in dy[T,O] kept[T,O]                out dz[T,O]  kept: y for RELU, pre for GELU; dz may be dy
 *   ATTENTION     in q[B,N,H*D] k[B,M,H*D] v[B,M,H*D] out o[B,N,H*D] p[B,H,N,M]
 *                       softmax(q k^T / sqrt D) v per head; p kept; packed: in qkv[B,N,3*H*D] - -
 *   ATTENTION_BWD in do q k v p                       out dq dk dv  packed: in do qkv - - p, out dqkv - -
 *   NORM          in x[T,C] u[T,C]- gamma[C] beta[C]  out y[T,C] s[T,C]- stats[T,2]
 *                       s = x + drop(u), y = LayerNorm(s), stats = mean, 1/sd; without u: s
 *                       absent, y = LayerNorm(x)
 *   NORM_BWD      in dy s stats gamma  out ds[T,C] du[T,C]- dgamma[C]- dbeta[C]-
 *                       ds = d(x), += when op.accumulate; du = ds o mask, only with dropout
 *                       (otherwise it is ds)
 *   ADD           in a b                              out c  n elements; c may be a or b
 *   ADD_POS       in e[B,N,C] pe[N,C]                 out z[B,N,C]
 *   CONCAT        in a[T,C]- b[T,O]-                  out c[T,C+O]  zeros for an absent operand
 *   SPLIT         in c[T,C+O]                         out a[T,C]- b[T,O]-  overwritten. Each of the two is the other's
 *                       backward op
 *   ADD_LAST      in y[B,n_out] x[B,N,C]              out z[B,n_out]
 *                       z[b,h*S+i] = y + x[b, last_offset + i*last_stride], i < S = last_count, h
 *                       < n_out / S; z may be y
 *   LOSS          in y[B,n_out] t[B,n_out] mask[B,n_out]-  out sums[2] dy[B,n_out]-
 *                       sums = {sum of losses, counted elements}; dy: derivative of sums[0], NOT
 *                       divided by the count
 *   SQUARE_SUM    in g[n]                             out s[1]  sum of squares
 *   UPDATE        in g[n] sums[2] square_sum[1]-      out p[n] m[n]- v[n]-
 *                       optimiser step on a flat range; the gradient used is g / max(sums[1], 1),
 *                       clipped to global norm clip_norm
 *   LOAD          in -                                out x t mask- index-
 *                       host to device copy of a minibatch (the rank fills it)
 *   METRIC        in y[B,n_out] t mask-               out -  error sums for the report (the rank keeps them)
 *   ALLREDUCE     in g[n]                             out g[n]  sum over the devices of a group, in device order
 *   SEND, RECV    in a / -                            out - / a  between two devices
 *   FILL          in -                                out t
 *                       initial values of t, drawn anew each time (the rank fills it)
 *
 *   ACTIVATION    in x[T,O]                           out y[T,O]
 *                       y = act(x) as a kernel of its own; backward: ACT_BWD with kept = y for
 *                       RELU, x for GELU
 *   DROPOUT       in x[T,C]                           out y[T,C]
 *                       y = x o mask of `site`; its own backward op; y may be x
 *   ADD_PART      in a[T,P*C] b[T,C]                  out c[T,P*C]
 *                       c = a, with column block `part` of P = parts increased by scale * b; c may
 *                       be a
 *   PART          in x[T,P*C]                         out y[T,C]  y = scale * column block `part` of P
 *   SPLIT_HEADS   in x[T,P*H*D]                       out y_g[T,P*Hg*D]-
 *                       the H heads of width D of each part are dealt to the groups g < G = groups
 *                       (op_group_heads); absent groups are left out
 *   JOIN_HEADS    in y_g[T,P*Hg*D]-                   out x[T,P*H*D]
 *                       the inverse; columns of absent groups stay as they are. Each of the two is
 *                       the other's backward op
 *
 *   PROGRAM       in w[O,C]                           out cells[O,C]
 *                       cells = w (w may be cells), and matrix number `matrix` of the device is programmed,
 *                       `replicas` times; LINEAR and LINEAR_DX with cells as w then read that
 *                       matrix
 *
 *   FACTOR        in w[O,C]                           out rest[O,C] b[O,R] a[R,C]
 *                       scale * b a = the best approximation of w of rank R = width (kernel/lowrank.h, probes keyed by
 *                       site), split evenly; rest = w - scale * b a, so that their sum is w to rounding; rest may be
 *                       w. Computed in double, rounded once, whatever the number format
 *
 *   FASTFOOD      in theta_d[d] theta0[D] lambda[1]- table[2,L]  out theta[D] work[L]
 *                       theta = theta0 + lambda P theta_d; in = d, out = D; P, L and the table:
 *                       kernel/fastfood.h; work: the op's own
 *   FASTFOOD_BWD  in g[D] theta_d[d] lambda[1]- table[2,L]  out g_d[d] g_lambda[1]- work[L]  overwritten
 *
 *   ADD_EMBED     in e[B,M,N,C] node[N,C] step[M,C] slot[O,C] index[B,M]  out z[B,M,N,C]
 *                       z = e + node[n] + step[m] + slot[index[b,m]], M = n_key, N = n_query;
 *                       indices are whole numbers below O
 *   ADD_EMBED_BWD in dz index                         out dnode- dstep- dslot-  sums of dz, overwritten
 *   PERMUTE       in x[B,M,N,C]                       out y[B,N,M,C]
 *
 * Ops on the tokens of an iteration (kernel/batch.h). T rows: the tokens that op.tokens names. Packed queries, keys and
 * values: for each KV head its H/G query heads, then k, then v: qkv[T,G*(H/G+2)*D], H = heads, G = kv_heads. The KV cache
 * of one layer: keys and values [P,G,M,D], P = samples blocks of M = n_key tokens each.
 *
 *   EMBED_TOKENS  in table[O,C] positions[M,C]-       out x[T,C]
 *                       x = table[token] + positions[place of the token]
 *   RMS_NORM      in x[T,C] u[T,C]- gamma[C]          out y[T,C] s[T,C]-
 *                       s = x + u, y = gamma s / sqrt(mean(s^2) + eps); without u (op.parts 1, else 2): s absent, of
 *                       x; s may be x
 *   ROTATE        in qkv, frequency[D/2]              out qkv  q and k: pair (2j, 2j+1) of each head turned by the
 *                       token's position * frequency[j]; in place
 *   GATE          in a[T,O] b[T,O]                    out y[T,O]  y = act(a) b
 *   KV_APPEND     in qkv                              out keys values
 *                       k and v of the tokens that this shard holds go to their places; all else stays
 *   KV_ATTENTION  in qkv keys values                  out part[T,H*D] or [T,H*(D+2)]
 *                       softmax(q k^T / sqrt D) v over the tokens up to the query's own in the cache. One of several
 *                       shards (op.shards > 1): the unnormalised output, the maximum and the sum of each head
 *   KV_FETCH      in keys values                      out kv[F,G*2*D]
 *                       keys and values of the F tokens that prompts have in the cache already, head by head k then v;
 *                       rows of other shards' tokens are left alone
 *   KV_COMBINE    in part_0 .. part_7-                out o[T,H*D]  the softmax over all shards' tokens, added up in the
 *                       order of the shards
 *   PROMPT_ATTENTION  in qkv kv_0 .. kv_7-            out o[T,H*D]  each token of a prompt to those before it, fetched or
 *                       of this iteration, and itself; rows of other tokens are left alone. kv_i: KV heads of group i /
 *                       shards, tokens of shard i % shards (op.groups, op.shards)
 *   MERGE_ROWS    in a[T,C] b[T,C]                    out y[T,C]  rows that attend to the cache from a, of prompts from b
 *   TAKE_ROWS     in x[T,C]                           out y[R,C]  the last token of each sequence that wants an answer
 *   SAMPLE        in logits[R,O]                      out id[R]  the next token of each (kernel/sample.h)
 *
 * Masked attention (op.causal_block = K > 0): the N queries are the last N of the M keys, in order; query i stands at
 * key i + M - N and sees the keys of its own block of K and of all before it, j / K <= (i + M - N) / K. K = 1 is the
 * plain causal mask of a decoder, K = tokens of a time step a mask over time. p of a pair that is not seen is exactly
 * 0; the backward op needs nothing but that. With op.near a query sees, of these, the keys of its place's neighbours
 * alone: kernels compute the products and hide what is not seen, and counted work (op_flops) is that of all of them;
 * what a device saves is its backend's to say. In INT8 the scale of k, v and p is that of a whole head, what is not
 * seen included.
 *
 * Interleaved attention (op.interleave = G > 1): samples b = a * G + g, and token n of sample b is row (a * N + n) * G
 * + g of q, k, v and o: the tensors are [B/G, N, G, ..], so that attention over time reads [B, time, stations, C] as it
 * lies. p is then [B/G, H, N, M, G].
 */
/* clang-format on */

/* Kernel classes of the ledger. X(enum, name in reports and files) */
#define KERNEL_CLASSES(X)                                                                                              \
    X(CLASS_GEMM, "gemm")                                                                                              \
    X(CLASS_ATTENTION, "attention")                                                                                    \
    X(CLASS_NORM, "norm")                                                                                              \
    X(CLASS_ELEMENTWISE, "elementwise")                                                                                \
    X(CLASS_LOSS, "loss")                                                                                              \
    X(CLASS_OPTIMISER, "optimiser")                                                                                    \
    X(CLASS_HOST_COPY, "host copy")                                                                                    \
    X(CLASS_COLLECTIVE, "collective")                                                                                  \
    X(CLASS_TRANSFER, "transfer")                                                                                      \
    X(CLASS_PROGRAM, "cell programming")                                                                               \
    X(CLASS_KV, "kv cache")

enum kernel_class {
#define X(id, name) id,
    KERNEL_CLASSES(X)
#undef X
        N_KERNEL_CLASSES
};

/* X(enum, name, class, operands in, operands out) */
#define OP_KINDS(X)                                                                                                    \
    X(OP_LINEAR, "linear", CLASS_GEMM, 3, 2)                                                                           \
    X(OP_LINEAR_DX, "linear dx", CLASS_GEMM, 2, 1)                                                                     \
    X(OP_LINEAR_DW, "linear dw", CLASS_GEMM, 2, 2)                                                                     \
    X(OP_ACT_BWD, "activation bwd", CLASS_ELEMENTWISE, 2, 1)                                                           \
    X(OP_ATTENTION, "attention", CLASS_ATTENTION, 3, 2)                                                                \
    X(OP_ATTENTION_BWD, "attention bwd", CLASS_ATTENTION, 5, 3)                                                        \
    X(OP_NORM, "norm", CLASS_NORM, 4, 3)                                                                               \
    X(OP_NORM_BWD, "norm bwd", CLASS_NORM, 4, 4)                                                                       \
    X(OP_ADD, "add", CLASS_ELEMENTWISE, 2, 1)                                                                          \
    X(OP_ADD_POS, "add positions", CLASS_ELEMENTWISE, 2, 1)                                                            \
    X(OP_ADD_EMBED, "add embeddings", CLASS_ELEMENTWISE, 5, 1)                                                         \
    X(OP_ADD_EMBED_BWD, "add embeddings bwd", CLASS_ELEMENTWISE, 2, 3)                                                 \
    X(OP_PERMUTE, "permute", CLASS_ELEMENTWISE, 1, 1)                                                                  \
    X(OP_CONCAT, "concat", CLASS_ELEMENTWISE, 2, 1)                                                                    \
    X(OP_SPLIT, "split", CLASS_ELEMENTWISE, 1, 2)                                                                      \
    X(OP_ADD_LAST, "add last value", CLASS_ELEMENTWISE, 2, 1)                                                          \
    X(OP_ACTIVATION, "activation", CLASS_ELEMENTWISE, 1, 1)                                                            \
    X(OP_DROPOUT, "dropout", CLASS_ELEMENTWISE, 1, 1)                                                                  \
    X(OP_ADD_PART, "add to part", CLASS_ELEMENTWISE, 2, 1)                                                             \
    X(OP_PART, "part", CLASS_ELEMENTWISE, 1, 1)                                                                        \
    X(OP_SPLIT_HEADS, "split heads", CLASS_ELEMENTWISE, 1, OP_MAX_OUT)                                                 \
    X(OP_JOIN_HEADS, "join heads", CLASS_ELEMENTWISE, OP_MAX_IN, 1)                                                    \
    X(OP_LOSS, "loss", CLASS_LOSS, 3, 2)                                                                               \
    X(OP_FASTFOOD, "fastfood", CLASS_ELEMENTWISE, 4, 2)                                                                \
    X(OP_FASTFOOD_BWD, "fastfood bwd", CLASS_ELEMENTWISE, 4, 3)                                                        \
    X(OP_FACTOR, "factor", CLASS_GEMM, 1, 3)                                                                           \
    X(OP_SQUARE_SUM, "square sum", CLASS_OPTIMISER, 1, 1)                                                              \
    X(OP_EMBED_TOKENS, "embed tokens", CLASS_ELEMENTWISE, 2, 1)                                                        \
    X(OP_RMS_NORM, "rms norm", CLASS_NORM, 3, 2)                                                                       \
    X(OP_ROTATE, "rotate", CLASS_ELEMENTWISE, 2, 1)                                                                    \
    X(OP_GATE, "gate", CLASS_ELEMENTWISE, 2, 1)                                                                        \
    X(OP_KV_APPEND, "append kv", CLASS_KV, 1, 2)                                                                       \
    X(OP_KV_FETCH, "fetch kv", CLASS_KV, 2, 1)                                                                         \
    X(OP_KV_ATTENTION, "kv attention", CLASS_ATTENTION, 3, 1)                                                          \
    X(OP_KV_COMBINE, "combine shards", CLASS_ELEMENTWISE, OP_MAX_IN, 1)                                                \
    X(OP_PROMPT_ATTENTION, "prompt attention", CLASS_ATTENTION, OP_MAX_IN, 1)                                          \
    X(OP_MERGE_ROWS, "merge rows", CLASS_ELEMENTWISE, 2, 1)                                                            \
    X(OP_TAKE_ROWS, "take rows", CLASS_ELEMENTWISE, 1, 1)                                                              \
    X(OP_SAMPLE, "sample", CLASS_ELEMENTWISE, 1, 1)                                                                    \
    X(OP_UPDATE, "update", CLASS_OPTIMISER, 3, 3)                                                                      \
    X(OP_LOAD, "load", CLASS_HOST_COPY, 0, 4)                                                                          \
    X(OP_METRIC, "metric", CLASS_HOST_COPY, 3, 0)                                                                      \
    X(OP_ALLREDUCE, "all-reduce", CLASS_COLLECTIVE, 1, 1)                                                              \
    X(OP_FILL, "fill", CLASS_ELEMENTWISE, 0, 1)                                                                        \
    X(OP_PROGRAM, "program cells", CLASS_PROGRAM, 1, 1)                                                                \
    X(OP_SEND, "send", CLASS_TRANSFER, 1, 0)                                                                           \
    X(OP_RECV, "receive", CLASS_TRANSFER, 0, 1)

enum op_kind {
#define X(id, name, class, n_in, n_out) id,
    OP_KINDS(X)
#undef X
        N_OP_KINDS
};

enum { OP_MAX_IN = 33, OP_MAX_OUT = 32 };

/* ACT_GELU: x Phi(x); ACT_GELU_TANH: its approximation x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2; ACT_SILU:
 * x / (1 + exp(-x)), forward only. */
enum activation { ACT_NONE, ACT_RELU, ACT_GELU, ACT_GELU_TANH, ACT_SILU };

/* Local. Whether the backward pass needs the activation's input (kept as `pre`) and not its output. */
static inline int act_is_gelu(enum activation act)
{
    return act == ACT_GELU || act == ACT_GELU_TANH;
}

enum loss_kind { LOSS_MSE, LOSS_MAE, LOSS_HUBER };
enum optimiser_kind { OPTIMISER_SGD, OPTIMISER_ADAM, OPTIMISER_ADAMW };

/* Number formats of an op's operands. Everything but FP64 is stored as float; TF32, BF16 and FP16 round the operands of
 * GEMMs (attention included) to that format and accumulate in fp32; INT8 quantises them with one scale for each operand
 * and accumulates in int32 (kernel/int8.h). */
enum number_format { FORMAT_FP32, FORMAT_TF32, FORMAT_BF16, FORMAT_FP16, FORMAT_FP64, FORMAT_INT8, N_NUMBER_FORMATS };

/* Which rows of an iteration an op works on. X(enum, name) */
enum token_rows {
    TOKENS_NONE,       /* not an op on tokens: rows is what the graph says */
    TOKENS_ALL,        /* of all sequences */
    TOKENS_CACHED,     /* the first rows: sequences that attend to the KV cache where it lies */
    TOKENS_PROMPT,     /* those of prompts, behind them; rows counts all tokens */
    TOKENS_FETCHED,    /* not rows of this iteration: tokens that prompts have in the cache already */
    TOKENS_BOTH,       /* rows counts all tokens; no work when there are only those of one sort */
    TOKENS_ANSWER,     /* one of each sequence that wants its next token */
    TOKENS_NO_PROMPT,  /* of all sequences in iterations without prompts; no work in the others */
    TOKENS_WITH_PROMPT /* of all sequences in iterations with prompts; no work in the others */
};

struct batch;

/* Who sees whom among places: token t of a sequence is that of place t % n. */
struct neighbours {
    int64_t n;
    const uint8_t *sees; /* [n][n]: 1: the place of the row sees that of the column; 1 on the diagonal */
    uint64_t hash;       /* of all of it */
};

/* One op: kind and dimensions. Fields that a kind does not use are 0. */
struct op {
    enum op_kind kind;
    int64_t samples;                           /* B */
    int64_t first_sample;                      /* LOAD, METRIC, NORM: of the micro-batch within the device's share */
    int64_t rows;                              /* T: rows of a matrix = samples * tokens, or elements n of a flat op */
    int64_t in;                                /* C */
    int64_t out;                               /* O, or n_out */
    int64_t n_query, n_key, heads, head_width; /* attention: N, M, H, D */
    int64_t causal_block;                      /* attention: K; 0: every query sees all keys */
    const struct neighbours *near;             /* attention: queries see neighbours alone; NULL: all places */
    int packed;                                /* attention: q, k, v are one tensor [B, N, 3*H*D] */
    int64_t interleave;                        /* attention: G samples interleaved row by row; 0 and 1: none */
    int accumulate;                            /* the first output is added to */
    int skip_sums;                             /* LINEAR_DW without db, NORM_BWD without dgamma and dbeta */
    enum activation act;
    double dropout; /* probability of dropping, on NORM's u or DROPOUT's x */
    uint32_t site;  /* which dropout of the graph: keys its masks; of a matrix in cells: its
                       number in the whole model, keys its noise; FACTOR: keys its probes */
    double eps;     /* NORM */
    int64_t last_offset, last_stride, last_count; /* ADD_LAST */
    int part, parts;                              /* ADD_PART, PART: which of how many; SPLIT_HEADS, JOIN_HEADS: P */
    int64_t groups;                               /* SPLIT_HEADS, JOIN_HEADS: G */
    double scale;                                 /* ADD_PART, PART, FACTOR */
    int64_t width;                                /* FACTOR: R */
    enum loss_kind loss;
    double huber_delta;
    enum optimiser_kind optimiser; /* UPDATE; the learning rate comes with each step */
    double beta1, beta2, optimiser_eps, weight_decay, clip_norm /* 0: no clipping */;
    enum token_rows tokens;
    int64_t kv_heads;      /* ops on tokens: G */
    int64_t shard, shards; /* KV_APPEND, KV_ATTENTION: token p of a sequence lies in shard (p / shard_block) % */
    int64_t shard_block;   /* shards */
    int kv_bits;           /* keys and values in a KV cache: 8 = int8, a scale for each head of a token; 0: as others */
    int weight_bits;       /* LINEAR: 8 = weights in int8, a scale for each output, and x in int8, a scale for each row;
                              0: as others */
    const struct batch *batch; /* the iteration; NULL in graphs and plans */
    int64_t matrix, replicas;  /* on a device that holds matrices: number of the weight there, copies of it */
    uint64_t transfer_bytes;   /* LOAD, METRIC, SEND, RECV, ALLREDUCE: bytes of one device's buffer */
};

/* Local. Names and classes. */
const char *op_name(enum op_kind kind);
enum kernel_class op_class(enum op_kind kind);
const char *kernel_class_name(enum kernel_class class);
const char *number_format_name(enum number_format format);

/* Local. The op FACTOR of a weight [out, in] into a pair of adapters of this width. */
struct op op_factor(int64_t out, int64_t in, int64_t width, double scale, uint32_t site);

/* Local. Heads of group `group` when `heads` are dealt to `groups` groups of consecutive heads: as even as possible,
 * the first groups have one more. *first: number of its first head. */
int64_t op_group_heads(int64_t heads, int64_t groups, int64_t group, int64_t *first);

/* Local. Real arithmetic of the op (multiply and add count two; GPU.md-like counts: softmax and norm 5 and 8 per
 * element). */
uint64_t op_flops(const struct op *op);

#endif
