#include "graph/shape.h"

#include "base/status.h"
#include "kernel/fastfood.h"

enum { ANY = -1 };
enum presence { ABSENT, OPTIONAL, REQUIRED };

struct want {
    enum presence presence;
    int64_t rows, columns; /* either may be ANY */
};

struct wants {
    struct want in[OP_MAX_IN], out[OP_MAX_OUT];
};

static struct want need(int64_t rows, int64_t columns)
{
    return (struct want){REQUIRED, rows, columns};
}

static struct want may(int64_t rows, int64_t columns)
{
    return (struct want){OPTIONAL, rows, columns};
}

static struct want flat(int64_t elements)
{
    return (struct want){REQUIRED, elements, ANY};
}

static struct want need_if(int condition, int64_t rows, int64_t columns)
{
    return (struct want){condition ? REQUIRED : ABSENT, rows, columns};
}

static struct wants linear_wants(const struct op *op)
{
    int64_t t = op->rows, c = op->in, o = op->out;
    if (op->kind == OP_FACTOR)
        return (struct wants){{need(o, c)}, {need(o, c), need(o, op->width), need(op->width, c)}};
    if (op->kind == OP_LINEAR_DX)
        return (struct wants){{need(t, o), need(o, c)}, {need(t, c)}};
    if (op->kind == OP_LINEAR_DW)
        return (struct wants){{need(t, o), need(t, c)}, {need(o, c), op->skip_sums ? need_if(0, 1, o) : may(1, o)}};
    struct want pre = act_is_gelu(op->act) ? may(t, o) : need_if(0, t, o);
    return (struct wants){{need(t, c), need(o, c), may(1, o)}, {need(t, o), pre}};
}

static struct wants attention_wants(const struct op *op)
{
    int64_t width = op->heads * op->head_width, query = op->samples * op->n_query, key = op->samples * op->n_key;
    struct want o = need(query, width), p = need(op->samples * op->heads * op->n_query, op->n_key);
    struct want q = need(query, op->packed ? 3 * width : width), k = need_if(!op->packed, key, width);
    if (op->kind == OP_ATTENTION)
        return (struct wants){{q, k, k}, {o, p}};
    return (struct wants){{o, q, k, k, p}, {q, k, k}};
}

static struct wants norm_wants(const struct op *op, const int *in)
{
    struct want x = need(op->rows, op->in), row = need(1, op->in), stats = need(op->rows, 2);
    if (op->kind == OP_NORM) {
        struct want u = need_if(op->dropout > 0 || in[1] != NO_TENSOR, op->rows, op->in);
        return (struct wants){{x, u, row, row}, {x, u, stats}};
    }
    struct want du = op->dropout > 0 ? may(op->rows, op->in) : need_if(0, op->rows, op->in);
    struct want sum = op->skip_sums ? need_if(0, 1, op->in) : may(1, op->in);
    return (struct wants){{x, x, stats, row}, {x, du, sum, sum}};
}

/* SPLIT_HEADS and JOIN_HEADS: the tensor of all heads, and one for each group. */
static struct wants heads_wants(const struct op *op)
{
    struct wants wants = {{{ABSENT, 0, 0}}, {{ABSENT, 0, 0}}};
    int split = op->kind == OP_SPLIT_HEADS;
    struct want *all = split ? wants.in : wants.out, *group = split ? wants.out : wants.in;
    all[0] = need(op->rows, op->parts * op->heads * op->head_width);
    for (int64_t g = 0; g < op->groups; g++) {
        int64_t first, heads = op_group_heads(op->heads, op->groups, g, &first);
        group[g] = may(op->rows, op->parts * heads * op->head_width);
    }
    return wants;
}

static struct wants elementwise_wants(const struct op *op)
{
    struct want n = flat(op->rows * (op->in ? op->in : 1)), t_in = need(op->rows, op->in),
                t_out = need(op->rows, op->out), t_parts = need(op->rows, op->parts * op->in);
    switch (op->kind) {
    case OP_ACT_BWD:
        return (struct wants){{t_out, t_out}, {t_out}};
    case OP_FILL:
        return (struct wants){{{ABSENT, 0, 0}}, {flat(op->rows)}};
    case OP_ADD:
        return (struct wants){{n, n}, {n}};
    case OP_ACTIVATION:
        return (struct wants){{t_out}, {t_out}};
    case OP_DROPOUT:
        return (struct wants){{t_in}, {t_in}};
    case OP_ADD_PART:
        return (struct wants){{t_parts, t_in}, {t_parts}};
    case OP_PART:
        return (struct wants){{t_parts}, {t_in}};
    case OP_SPLIT_HEADS:
    case OP_JOIN_HEADS:
        return heads_wants(op);
    case OP_ADD_POS:
        return (struct wants){{t_in, need(op->rows / op->samples, op->in)}, {t_in}};
    case OP_ADD_EMBED: {
        struct want index = flat(op->samples * op->n_key);
        return (struct wants){{t_in, need(op->n_query, op->in), need(op->n_key, op->in), need(op->out, op->in), index},
                              {t_in}};
    }
    case OP_ADD_EMBED_BWD:
        return (struct wants){{t_in, flat(op->samples * op->n_key)},
                              {may(op->n_query, op->in), may(op->n_key, op->in), may(op->out, op->in)}};
    case OP_PERMUTE:
        return (struct wants){{n}, {n}};
    case OP_CONCAT:
        return (struct wants){{may(op->rows, op->in), may(op->rows, op->out)}, {need(op->rows, op->in + op->out)}};
    case OP_SPLIT:
        return (struct wants){{need(op->rows, op->in + op->out)}, {may(op->rows, op->in), may(op->rows, op->out)}};
    default: /* OP_ADD_LAST */
        return (struct wants){{need(op->samples, op->out), t_in}, {need(op->samples, op->out)}};
    }
}

static struct wants fastfood_wants(const struct op *op, const int *in)
{
    int64_t length = (int64_t)fastfood_length((size_t)op->out),
            table = (int64_t)fastfood_table_elements((size_t)op->out);
    struct want lambda = {OPTIONAL, 1, ANY}, slope = {in[2] == NO_TENSOR ? ABSENT : OPTIONAL, 1, ANY};
    if (op->kind == OP_FASTFOOD)
        return (struct wants){{flat(op->in), flat(op->out), lambda, flat(table)}, {flat(op->out), flat(length)}};
    return (struct wants){{flat(op->out), flat(op->in), lambda, flat(table)}, {flat(op->in), slope, flat(length)}};
}

static struct wants update_wants(const struct op *op)
{
    int moments = op->optimiser != OPTIMISER_SGD;
    return (struct wants){{flat(op->rows), flat(2), need_if(op->clip_norm > 0, 1, ANY)},
                          {flat(op->rows), need_if(moments, op->rows, ANY), need_if(moments, op->rows, ANY)}};
}

static int is_fastfood(enum op_kind kind)
{
    return kind == OP_FASTFOOD || kind == OP_FASTFOOD_BWD;
}

/* Packed queries, keys and values; the cache; what a shard tells of its tokens. */
static struct wants kv_wants(const struct op *op)
{
    int64_t width = op->heads * op->head_width, part_width = op->heads * (op->head_width + (op->shards > 1 ? 2 : 0));
    struct want qkv = need(op->rows, (op->heads + 2 * op->kv_heads) * op->head_width);
    struct want cache = need(op->samples * op->kv_heads * op->n_key, op->head_width);
    struct wants combine = {{{ABSENT, 0, 0}}, {need(op->rows, width)}}, prompt = {{qkv}, {need(op->rows, width)}};
    switch (op->kind) {
    case OP_ROTATE:
        return (struct wants){{qkv, flat(op->head_width / 2)}, {qkv}};
    case OP_KV_APPEND:
        return (struct wants){{qkv}, {cache, cache}};
    case OP_KV_ATTENTION:
        return (struct wants){{qkv, cache, cache}, {need(op->rows, part_width)}};
    case OP_KV_FETCH:
        return (struct wants){{cache, cache}, {need(op->rows, op->kv_heads * 2 * op->head_width)}};
    case OP_PROMPT_ATTENTION:
        for (int i = 1; i < OP_MAX_IN; i++)
            prompt.in[i] = may(ANY, ANY);
        return prompt;
    default: /* OP_KV_COMBINE */
        for (int s = 0; s < op->shards && s < OP_MAX_IN; s++)
            combine.in[s] = need(op->rows, part_width);
        return combine;
    }
}

static struct wants token_wants(const struct op *op, const int *in)
{
    struct want x = need(op->rows, op->in), y = need(op->rows, op->out), u = may(op->rows, op->in);
    switch (op->kind) {
    case OP_EMBED_TOKENS:
        return (struct wants){{need(op->out, op->in), may(op->n_key, op->in)}, {x}};
    case OP_RMS_NORM:
        return (struct wants){{x, u, need(1, op->in)}, {x, need_if(in[1] != NO_TENSOR, op->rows, op->in)}};
    case OP_GATE:
        return (struct wants){{y, y}, {y}};
    case OP_MERGE_ROWS:
        return (struct wants){{x, x}, {x}};
    case OP_TAKE_ROWS:
        return (struct wants){{need(ANY, op->in)}, {x}};
    case OP_SAMPLE:
        return (struct wants){{y}, {flat(op->rows)}};
    default:
        return kv_wants(op);
    }
}

static int is_token_op(enum op_kind kind)
{
    return (kind >= OP_EMBED_TOKENS && kind <= OP_SAMPLE);
}

static struct wants wants_of(const struct op *op, const int *in)
{
    if (is_token_op(op->kind))
        return token_wants(op, in);
    struct want y = need(op->samples, op->out), maybe_y = may(op->samples, op->out);
    switch (op_class(op->kind)) {
    case CLASS_GEMM:
        return linear_wants(op);
    case CLASS_ATTENTION:
        return attention_wants(op);
    case CLASS_NORM:
        return norm_wants(op, in);
    case CLASS_ELEMENTWISE:
        return is_fastfood(op->kind) ? fastfood_wants(op, in) : elementwise_wants(op);
    case CLASS_LOSS:
        return (struct wants){{y, y, maybe_y}, {flat(2), maybe_y}};
    case CLASS_OPTIMISER:
        return op->kind == OP_UPDATE ? update_wants(op) : (struct wants){{flat(op->rows)}, {flat(1)}};
    case CLASS_HOST_COPY:
        return op->kind == OP_METRIC
                   ? (struct wants){{y, y, maybe_y}, {{ABSENT, 0, 0}}}
                   : (struct wants){{{ABSENT, 0, 0}}, {need(ANY, ANY), need(ANY, ANY), may(ANY, ANY), may(ANY, ANY)}};
    case CLASS_COLLECTIVE:
        return (struct wants){{need(op->rows, op->in)}, {need(op->rows, op->in)}};
    case CLASS_PROGRAM:
        return (struct wants){{need(op->out, op->in)}, {need(op->out, op->in)}};
    case CLASS_TRANSFER:
        return op->kind == OP_SEND ? (struct wants){{flat(op->rows)}, {{ABSENT, 0, 0}}}
                                   : (struct wants){{{ABSENT, 0, 0}}, {flat(op->rows)}};
    default:
        bug("op %s does not belong into a graph", op_name(op->kind));
    }
}

static void check_operand(const struct graph *graph, const struct want *want, int t, const char *name, const char *side,
                          int number)
{
    if (t == NO_TENSOR) {
        if (want->presence == REQUIRED)
            bug("node %s: operand %s %d is missing", name, side, number);
        return;
    }
    if (t < 0 || t >= graph->n_tensors)
        bug("node %s: operand %s %d: tensor %d does not exist", name, side, number, t);
    const struct tensor *tensor = &graph->tensors[t];
    if (want->presence == ABSENT)
        bug("node %s: operand %s %d must be absent, found %s", name, side, number, tensor->name);
    int64_t elements = want->rows * (want->columns == ANY ? 1 : want->columns), last = tensor->dims[tensor->n_dims - 1];
    if (want->rows != ANY && (tensor->elements != elements || (want->columns != ANY && last != want->columns)))
        bug("node %s: operand %s %d: expected %lld rows of %lld, found %s with %lld elements in rows of %lld", name,
            side, number, (long long)want->rows, (long long)want->columns, tensor->name, (long long)tensor->elements,
            (long long)last);
}

static int may_set_parameters(enum op_kind kind)
{
    return kind == OP_UPDATE || kind == OP_RECV || kind == OP_FILL || kind == OP_PROGRAM || kind == OP_ADD_PART ||
           kind == OP_FACTOR;
}

static int may_work_in_place(enum op_kind kind)
{
    return kind == OP_ACT_BWD || kind == OP_ADD || kind == OP_ADD_LAST || kind == OP_ADD_PART || kind == OP_DROPOUT ||
           kind == OP_PROGRAM || kind == OP_FACTOR || kind == OP_ROTATE || kind == OP_RMS_NORM || kind == OP_ALLREDUCE;
}

static void check_overwriting(const struct graph *graph, const struct op *op, const int *in, const int *out,
                              const char *name)
{
    for (int o = 0; o < OP_MAX_OUT; o++) {
        if (out[o] == NO_TENSOR)
            continue;
        int root = graph_root(graph, out[o]);
        enum tensor_role role = graph->tensors[root].role;
        if ((role == TENSOR_PARAM && !may_set_parameters(op->kind)) || role == TENSOR_CONST)
            bug("node %s writes into %s", name, graph->tensors[root].name);
        for (int i = 0; i < OP_MAX_IN; i++)
            if (in[i] != NO_TENSOR && graph_overlap(graph, in[i], out[o]) && !may_work_in_place(op->kind))
                bug("node %s overwrites its operand %s", name, graph->tensors[root].name);
        for (int other = 0; other < o; other++)
            if (out[other] != NO_TENSOR && graph_overlap(graph, out[other], out[o]))
                bug("node %s writes twice into %s", name, graph->tensors[root].name);
    }
}

static int uses_samples(enum op_kind kind)
{
    return kind == OP_ADD_POS || kind == OP_ADD_LAST;
}

static void check_groups(const struct op *op, const char *name)
{
    const int64_t most = op->kind == OP_SPLIT_HEADS ? OP_MAX_OUT : OP_MAX_IN;
    if (op->parts < 1 || op->groups < 1 || op->groups > most || op->groups > op->heads)
        bug("node %s: %d parts, %lld heads in %lld groups", name, op->parts, (long long)op->heads,
            (long long)op->groups);
}

static void check_fields(const struct op *op, const char *name)
{
    if (op->skip_sums && op->kind != OP_LINEAR_DW && op->kind != OP_NORM_BWD)
        bug("node %s: %s makes no sums", name, op_name(op->kind));
    if (op->accumulate && op->kind != OP_LINEAR_DX && op->kind != OP_NORM_BWD)
        bug("node %s: %s cannot accumulate", name, op_name(op->kind));
    if (!(op->dropout >= 0 && op->dropout < 1))
        bug("node %s: dropout %g", name, op->dropout);
    if (is_fastfood(op->kind) && (op->in < 1 || op->in > op->out))
        bug("node %s: a projection from %lld to %lld dimensions", name, (long long)op->in, (long long)op->out);
    if (uses_samples(op->kind) && (op->samples < 1 || op->rows % op->samples))
        bug("node %s: %lld rows of %lld samples", name, (long long)op->rows, (long long)op->samples);
    if (op->kind == OP_FACTOR && (op->width < 1 || op->width > op->in || op->width > op->out || !(op->scale > 0)))
        bug("node %s: factors of width %lld of a matrix of %lld x %lld", name, (long long)op->width, (long long)op->out,
            (long long)op->in);
    if (op->kind == OP_DROPOUT && !(op->dropout > 0))
        bug("node %s: a dropout that drops nothing", name);
    if (op->kind == OP_ACTIVATION && op->act == ACT_NONE)
        bug("node %s: no activation", name);
    if ((op->kind == OP_ADD_PART || op->kind == OP_PART) && (op->part < 0 || op->part >= op->parts))
        bug("node %s: part %d of %d", name, op->part, op->parts);
    if (op->kind == OP_SPLIT_HEADS || op->kind == OP_JOIN_HEADS)
        check_groups(op, name);
    if (op_class(op->kind) == CLASS_ATTENTION && op->packed && op->n_query != op->n_key)
        bug("node %s: packed attention of %lld queries to %lld keys", name, (long long)op->n_query,
            (long long)op->n_key);
}

static void check_grid(const struct op *op, const char *name)
{
    int attention = op_class(op->kind) == CLASS_ATTENTION;
    if (attention && (op->interleave < 0 || (op->interleave > 1 && op->samples % op->interleave)))
        bug("node %s: %lld samples of which %lld are interleaved", name, (long long)op->samples,
            (long long)op->interleave);
    if (op->causal_block < 0 || (op->causal_block && (!attention || op->n_query > op->n_key)))
        bug("node %s: a mask of blocks of %lld keys over %lld queries and %lld keys", name, (long long)op->causal_block,
            (long long)op->n_query, (long long)op->n_key);
    if (op->near && (!attention || op->near->n < 1 || op->n_query % op->near->n || op->n_key % op->near->n))
        bug("node %s: neighbours among %lld places over %lld queries and %lld keys", name, (long long)op->near->n,
            (long long)op->n_query, (long long)op->n_key);
    int grid = op->kind == OP_ADD_EMBED || op->kind == OP_ADD_EMBED_BWD || op->kind == OP_PERMUTE;
    if (grid && (op->rows < 1 || op->samples * op->n_query * op->n_key != op->rows))
        bug("node %s: %lld rows of %lld samples of %lld x %lld", name, (long long)op->rows, (long long)op->samples,
            (long long)op->n_key, (long long)op->n_query);
}

static void check_tokens(const struct op *op, const char *name)
{
    if (op->tokens == TOKENS_NONE)
        bug("node %s: %s without the tokens it works on", name, op_name(op->kind));
    if (op->kv_heads && (op->heads % op->kv_heads || op->head_width % 2))
        bug("node %s: %lld heads of width %lld for %lld KV heads", name, (long long)op->heads,
            (long long)op->head_width, (long long)op->kv_heads);
    if (op->shards > 1 && (op->shard < 0 || op->shard >= op->shards || op->shards > OP_MAX_IN ||
                           (op->shard_block < 1 && op->kind != OP_KV_COMBINE && op->kind != OP_PROMPT_ATTENTION)))
        bug("node %s: shard %lld of %lld in blocks of %lld", name, (long long)op->shard, (long long)op->shards,
            (long long)op->shard_block);
}

static void check_last(const struct op *op, const char *name)
{
    int64_t end = op->last_offset + (op->last_count - 1) * op->last_stride;
    if (op->last_count < 1 || op->out % op->last_count || op->last_offset < 0 || op->last_stride < 1 ||
        end >= op->rows / op->samples * op->in)
        bug("node %s: %lld last values from %lld in steps of %lld for %lld outputs", name, (long long)op->last_count,
            (long long)op->last_offset, (long long)op->last_stride, (long long)op->out);
}

void shape_check(const struct graph *graph, const struct op *op, const int *in, const int *out, const char *name)
{
    check_fields(op, name);
    check_grid(op, name);
    if (op->kind == OP_ADD_LAST)
        check_last(op, name);
    if (is_token_op(op->kind))
        check_tokens(op, name);
    struct wants wants = wants_of(op, in);
    for (int i = 0; i < OP_MAX_IN; i++)
        check_operand(graph, &wants.in[i], in[i], name, "in", i);
    for (int o = 0; o < OP_MAX_OUT; o++)
        check_operand(graph, &wants.out[o], out[o], name, "out", o);
    check_overwriting(graph, op, in, out, name);
}
