/* rank_systolic.c - the systolic array device: which products and passes an op means on it, and its numerics. The
 * physics is device/systolic and device/link. */
#include <string.h>

#include "device/catalogue.h"
#include "device/link.h"
#include "device/systolic.h"
#include "kernel/int8.h"
#include "rank.h"

enum { ELEMENT_BYTES = 4 }; /* of everything but the operands of products */

struct array {
    struct systolic systolic;
    struct link_profile host;
    enum systolic_math math;
    enum number_format format;
    unsigned operand_bytes; /* of what products read */
    int fused_attention;
};

static int math_of(enum number_format format, enum systolic_math *math, unsigned *operand_bytes)
{
    switch (format) {
    case FORMAT_INT8:
        return *math = SYSTOLIC_INT8, *operand_bytes = 1, 1;
    case FORMAT_BF16:
        return *math = SYSTOLIC_BF16, *operand_bytes = 2, 1;
    case FORMAT_FP16:
        return *math = SYSTOLIC_FP16, *operand_bytes = 2, 1;
    case FORMAT_FP32:
        return *math = SYSTOLIC_FP32, *operand_bytes = 4, 1;
    default:
        return 0;
    }
}

/* A peak rate sets the clock: two operations for each element and cycle. */
static void override_profile(struct systolic_profile *profile, const struct device_spec *spec)
{
    if (spec->array_rows > 0)
        profile->rows = (uint64_t)spec->array_rows;
    if (spec->array_cols > 0)
        profile->cols = (uint64_t)spec->array_cols;
    if (spec->memory_bytes)
        profile->memory_bytes = spec->memory_bytes;
    if (spec->memory_bytes_per_s > 0)
        profile->dram_bytes_per_s = spec->memory_bytes_per_s;
    if (spec->peak_flop_per_s > 0)
        profile->clock_hz = spec->peak_flop_per_s / (2.0 * (double)(profile->rows * profile->cols * profile->arrays));
}

static enum status choose_modes(const struct device_spec *spec, struct systolic *systolic, struct fault *fault)
{
    int dataflow = (int)systolic->profile.dataflow, memory = SYSTOLIC_IDEAL;
    for (int i = 0; spec->dataflow && i <= N_SYSTOLIC_DATAFLOWS; i++) {
        if (i == N_SYSTOLIC_DATAFLOWS)
            return fault_set(fault, STATUS_USAGE, "%s: dataflow: expected os, ws or is, found '%s'", spec->name,
                             spec->dataflow);
        dataflow = i;
        if (strcmp(spec->dataflow, systolic_dataflow_name((enum systolic_dataflow)i)) == 0)
            break;
    }
    for (int i = 0; spec->memory_mode && i <= N_SYSTOLIC_MEMORIES; i++) {
        if (i == N_SYSTOLIC_MEMORIES)
            return fault_set(fault, STATUS_USAGE, "%s: memory_mode: expected ideal or scalesim, found '%s'", spec->name,
                             spec->memory_mode);
        memory = i;
        if (strcmp(spec->memory_mode, systolic_memory_name((enum systolic_memory)i)) == 0)
            break;
    }
    systolic->dataflow = (enum systolic_dataflow)dataflow;
    systolic->memory = (enum systolic_memory)memory;
    systolic->overlap_weights = spec->overlap_weights;
    return STATUS_OK;
}

/* The replay knows one array, and nothing but its own dataflows and buffers. */
static enum status check_scalesim(const struct device_spec *spec, const struct array *array, struct fault *fault)
{
    const struct systolic *systolic = &array->systolic;
    if (systolic->memory != SYSTOLIC_SCALESIM)
        return STATUS_OK;
    if (systolic->profile.arrays != 1)
        return fault_set(fault, STATUS_USAGE, "%s: memory_mode: scalesim is of one array, a %s has %llu", spec->name,
                         spec->profile, (unsigned long long)systolic->profile.arrays);
    if (systolic->overlap_weights)
        return fault_set(fault, STATUS_USAGE, "%s: overlap_weights: not with memory_mode scalesim", spec->name);
    if (array->fused_attention)
        return fault_set(fault, STATUS_USAGE,
                         "%s: memory_mode: with scalesim all operands come from memory: attention_kernel must be "
                         "unfused",
                         spec->name);
    if (!systolic_buffer_rate(&systolic->profile, ELEMENT_BYTES))
        return fault_set(fault, STATUS_USAGE,
                         "%s: memory_mode: scalesim needs a bandwidth of a word of %d bytes per cycle and buffer",
                         spec->name, ELEMENT_BYTES);
    return STATUS_OK;
}

static enum status systolic_open(const struct device_spec *spec, struct arena *arena, void **state, struct fault *fault)
{
    const struct systolic_profile *profile = catalogue_systolic(spec->profile);
    const struct link_profile *host = catalogue_link(spec->host_link);
    if (!profile)
        return fault_set(fault, STATUS_USAGE, "%s: unknown systolic profile '%s': polyrank devices lists them",
                         spec->name, spec->profile);
    if (!host)
        return fault_set(fault, STATUS_USAGE, "%s: unknown link profile '%s': polyrank devices lists them", spec->name,
                         spec->host_link);
    if (spec->tdp_w > 0)
        return fault_set(fault, STATUS_USAGE, "%s: tdp_w: a systolic array has no power limit here", spec->name);
    struct array *array = arena_take(arena, sizeof *array);
    array->systolic.profile = *profile;
    array->systolic.memo = systolic_memo_new(arena);
    array->host = *host;
    array->format = spec->format;
    array->fused_attention = spec->fused_attention;
    override_profile(&array->systolic.profile, spec);
    enum status status = choose_modes(spec, &array->systolic, fault);
    if (status != STATUS_OK)
        return status;
    if (!math_of(spec->format, &array->math, &array->operand_bytes) ||
        systolic_fj_per_mac(&array->systolic.profile, array->math) <= 0)
        return fault_set(fault, STATUS_USAGE, "%s: a %s has no %s: choose other numerics", spec->name, spec->profile,
                         number_format_name(spec->format));
    status = check_scalesim(spec, array, fault);
    if (status == STATUS_OK)
        *state = array;
    return status;
}

/* Integer sums must fit 32 bits whatever the operands. */
static int systolic_supports(const void *state, const struct op *op)
{
    const struct array *array = state;
    if (array->format == FORMAT_INT8 && int8_depth(op) > INT8_MAX_DEPTH)
        return 0;
    switch (op->kind) {
    case OP_LINEAR:
    case OP_LINEAR_DX:
    case OP_LINEAR_DW:
    case OP_ACT_BWD:
    case OP_ATTENTION:
    case OP_ATTENTION_BWD:
    case OP_NORM:
    case OP_NORM_BWD:
    case OP_ADD:
    case OP_ADD_POS:
    case OP_ADD_EMBED:
    case OP_ADD_EMBED_BWD:
    case OP_PERMUTE:
    case OP_CONCAT:
    case OP_SPLIT:
    case OP_ADD_LAST:
    case OP_ACTIVATION:
    case OP_DROPOUT:
    case OP_ADD_PART:
    case OP_PART:
    case OP_SPLIT_HEADS:
    case OP_JOIN_HEADS:
    case OP_FILL:
    case OP_LOSS:
    case OP_SQUARE_SUM:
    case OP_UPDATE:
    case OP_LOAD:
    case OP_METRIC:
    case OP_ALLREDUCE: /* priced by the fabric */
        return 1;
    default:
        return 0;
    }
}

/* One pass of the vector unit that reads `reads` and writes `writes` arrays of `elements` elements. */
static void add_pass(const struct array *array, int64_t elements, double reads, double writes, double ops_per_element,
                     struct cost *total)
{
    double bytes = (double)elements * ELEMENT_BYTES;
    struct systolic_pass pass = {.ops = (uint64_t)(ops_per_element * (double)elements),
                                 .read_bytes = (uint64_t)(reads * bytes),
                                 .write_bytes = (uint64_t)(writes * bytes)};
    struct cost cost;
    systolic_pass_cost(&array->systolic, &pass, &cost);
    cost_add(total, &cost);
}

/* The same on values that are in the buffers. */
static void add_chip_pass(const struct array *array, int64_t elements, double arrays, double ops_per_element,
                          struct cost *total)
{
    struct systolic_pass pass = {.ops = (uint64_t)(ops_per_element * (double)elements),
                                 .chip_bytes = (uint64_t)(arrays * (double)elements * ELEMENT_BYTES)};
    struct cost cost;
    systolic_pass_cost(&array->systolic, &pass, &cost);
    cost_add(total, &cost);
}

/* int8: a pass for the largest magnitude, a pass that scales, rounds and writes a byte per element. */
static void add_quantising(const struct array *array, int64_t elements, struct cost *total)
{
    if (array->format != FORMAT_INT8)
        return;
    add_pass(array, elements, 1, 0, 2, total);
    add_pass(array, elements, 1, 0.25, 2, total);
}

/* `batch` products (m,k) x (k,n). int8 results are scaled on their way out of the array. */
static void add_gemm(const struct array *array, int64_t batch, int64_t m, int64_t n, int64_t k, struct cost *total)
{
    struct systolic_gemm gemm = {.batch = (uint64_t)batch,
                                 .m = (uint64_t)m,
                                 .n = (uint64_t)n,
                                 .k = (uint64_t)k,
                                 .math = array->math,
                                 .operand_bytes = array->operand_bytes,
                                 .result_bytes = ELEMENT_BYTES};
    struct cost cost;
    systolic_gemm_cost(&array->systolic, &gemm, &cost);
    cost_add(total, &cost);
    if (array->format == FORMAT_INT8)
        add_chip_pass(array, batch * m * n, 2, 1, total);
}

static void add_linear(const struct array *array, const struct op *op, struct cost *total)
{
    int64_t x = op->rows * op->in, y = op->rows * op->out, w = op->in * op->out;
    switch (op->kind) {
    case OP_LINEAR:
        add_quantising(array, x, total);
        add_quantising(array, w, total);
        add_gemm(array, 1, op->rows, op->out, op->in, total);
        /* Bias and activation: results pass through the vector unit before they leave. */
        add_chip_pass(array, y, 2, 1 + (act_is_gelu(op->act) ? 8 : op->act == ACT_RELU ? 1 : 0), total);
        return;
    case OP_LINEAR_DX:
        add_quantising(array, y, total);
        add_quantising(array, w, total);
        add_gemm(array, 1, op->rows, op->in, op->out, total);
        if (op->accumulate)
            add_pass(array, x, 2, 1, 1, total);
        return;
    default:
        add_quantising(array, y, total);
        add_quantising(array, x, total);
        add_gemm(array, 1, op->out, op->in, op->rows, total);
        if (!op->skip_sums)
            add_pass(array, y, 1, 1.0 / (double)op->rows, 1, total);
    }
}

/* Products of each head. Fused: scores and probabilities of a tile of queries stay in the buffers when a row of the
 * array's height fits there; the backward pass makes them again. */
static int scores_stay(const struct array *array, const struct op *op)
{
    const struct systolic_profile *profile = &array->systolic.profile;
    double tile_bytes = (double)profile->rows * (double)op->n_key * ELEMENT_BYTES;
    return array->fused_attention && tile_bytes <= (double)profile->ofmap_kib * 1024;
}

/* One product of attention: which of a, b and the result are score-shaped. */
struct head_product {
    int64_t m, n, k;
    int scores_a, scores_result;
};

static void add_head_product(const struct array *array, const struct op *op, const struct head_product *product,
                             struct cost *total)
{
    int stay = scores_stay(array, op);
    int64_t batch = op->samples * op->heads;
    struct systolic_gemm gemm = {.batch = (uint64_t)batch,
                                 .m = (uint64_t)product->m,
                                 .n = (uint64_t)product->n,
                                 .k = (uint64_t)product->k,
                                 .math = array->math,
                                 .operand_bytes = array->operand_bytes,
                                 .result_bytes = ELEMENT_BYTES,
                                 .a_on_chip = stay && product->scores_a,
                                 .result_on_chip = stay && product->scores_result};
    struct cost cost;
    systolic_gemm_cost(&array->systolic, &gemm, &cost);
    cost_add(total, &cost);
    if (array->format == FORMAT_INT8)
        add_chip_pass(array, batch * product->m * product->n, 2, 1, total);
}

static void add_score_pass(const struct array *array, const struct op *op, double reads, double ops, struct cost *total)
{
    int64_t scores = op->samples * op->heads * op->n_query * op->n_key;
    if (scores_stay(array, op)) {
        add_chip_pass(array, scores, reads + 1, ops, total);
        if (array->format == FORMAT_INT8)
            add_chip_pass(array, scores, 3.25, 4, total);
    } else {
        add_pass(array, scores, reads, 1, ops, total);
        add_quantising(array, scores, total);
    }
}

/* A mask saves an array nothing: its products are whole, and what is not seen is left out of the softmax. (A fold of
 * stationary keys meets all queries, of which one at least sees each.) */
static void add_attention(const struct array *array, const struct op *op, struct cost *total)
{
    int64_t n = op->n_query, m = op->n_key, d = op->head_width, heads = op->samples * op->heads;
    struct head_product scores = {n, m, d, 0, 1}, context = {n, d, m, 1, 0}, turned = {m, d, n, 1, 0};
    add_quantising(array, heads * n * d, total);
    add_quantising(array, 2 * heads * m * d, total);
    if (op->kind == OP_ATTENTION) {
        add_head_product(array, op, &scores, total);
        add_score_pass(array, op, 1, 5, total);
        add_head_product(array, op, &context, total);
        /* The probabilities are kept for the backward pass, which otherwise makes them again. */
        return;
    }
    if (scores_stay(array, op)) {
        add_head_product(array, op, &scores, total);
        add_score_pass(array, op, 1, 5, total);
    } else {
        add_quantising(array, heads * n * m, total); /* probabilities as they were kept */
    }
    add_quantising(array, heads * n * d, total);
    add_head_product(array, op, &scores, total); /* dP = dO V^T */
    add_head_product(array, op, &turned, total); /* dV = P^T dO */
    add_score_pass(array, op, 2, 4, total);
    add_head_product(array, op, &context, total); /* dQ = dS K */
    add_head_product(array, op, &turned, total);  /* dK = dS^T Q */
}

static void add_norm(const struct array *array, const struct op *op, struct cost *cost)
{
    int64_t elements = op->rows * op->in;
    double dropped = op->dropout > 0 ? 2 : 0;
    if (op->kind == OP_NORM) {
        /* Residual, dropout and mean in the first pass; squares in the second; scaling in the third, on chip. */
        add_pass(array, elements, 2, 1, 2 + dropped, cost);
        add_chip_pass(array, elements, 1, 3, cost);
        add_pass(array, elements, 0, 1, 4, cost);
        return;
    }
    add_pass(array, elements, 2, 0, op->skip_sums ? 4 : 7, cost);
    add_pass(array, elements, op->accumulate ? 1 : 0, 1, 4 + (op->accumulate ? 1 : 0), cost);
    if (op->dropout > 0)
        add_pass(array, elements, 0, 1, 2, cost);
}

static void add_update(const struct array *array, const struct op *op, struct cost *cost)
{
    double states = op->optimiser == OPTIMISER_SGD ? 0 : 2;
    add_pass(array, op->rows, 2 + states, 1 + states, op->optimiser == OPTIMISER_SGD ? 3 : 15, cost);
}

/* The three sums of an element in one pass, which reads z once and of the tables what it adds: the rows of nodes and
 * steps stay in the buffers, those of the slots are fetched for each step of each sample. Backward: a pass over dz adds
 * it up for the nodes and for each step of each sample; those sums are read again for the steps and for the slots, all
 * of whose rows are written. */
static void add_embeddings(const struct array *array, const struct op *op, struct cost *cost)
{
    double rows = (double)op->rows, steps = (double)(op->samples * op->n_key),
           tables = (double)(op->n_query + op->n_key);
    if (op->kind == OP_ADD_EMBED) {
        add_pass(array, op->rows * op->in, 1 + (tables + steps) / rows, 1, 3, cost);
        return;
    }
    add_pass(array, op->rows * op->in, 1, ((double)op->n_query + steps) / rows, 2, cost);
    add_pass(array, op->samples * op->n_key * op->in, 1, (double)(op->n_key + op->out) / steps, 2, cost);
}

static void add_host_copy(const struct array *array, uint64_t bytes, struct cost *total)
{
    struct cost cost;
    link_transfer_cost(&array->host, bytes, &cost);
    cost_add(total, &cost);
}

/* Products first, then the passes of the vector unit, then the host. */
static void systolic_cost(const void *state, const struct op *op, struct cost *cost)
{
    const struct array *array = state;
    memset(cost, 0, sizeof *cost);
    switch (op->kind) {
    case OP_LINEAR:
    case OP_LINEAR_DX:
    case OP_LINEAR_DW:
        add_linear(array, op, cost);
        break;
    case OP_ATTENTION:
    case OP_ATTENTION_BWD:
        add_attention(array, op, cost);
        break;
    case OP_ACT_BWD:
        add_pass(array, op->rows * op->out, 2, 1, act_is_gelu(op->act) ? 12 : 1, cost);
        break;
    case OP_NORM:
    case OP_NORM_BWD:
        add_norm(array, op, cost);
        break;
    case OP_ADD:
        add_pass(array, op->rows * (op->in ? op->in : 1), 2, 1, 1, cost);
        break;
    case OP_ADD_POS:
        add_pass(array, op->rows * op->in, 1, 1, 1, cost);
        break;
    case OP_ADD_EMBED:
    case OP_ADD_EMBED_BWD:
        add_embeddings(array, op, cost);
        break;
    case OP_PERMUTE: /* tiles are turned in the buffers */
        add_pass(array, op->rows * op->in, 1, 1, 0, cost);
        break;
    case OP_CONCAT:
    case OP_SPLIT:
        add_pass(array, op->rows * (op->in + op->out), 1, 1, 0, cost);
        break;
    case OP_ADD_LAST:
        add_pass(array, op->samples * op->out, 2, 1, 1, cost);
        break;
    case OP_ACTIVATION:
        add_pass(array, op->rows * op->out, 1, 1, act_is_gelu(op->act) ? 8 : 1, cost);
        break;
    case OP_DROPOUT: /* a byte of mask is kept for each element */
        add_pass(array, op->rows * op->in, 1, 1.25, 2, cost);
        break;
    case OP_ADD_PART: /* the parts that nothing is added to are copied */
        add_pass(array, op->rows * op->in, op->parts + 1, op->parts, 2, cost);
        break;
    case OP_PART:
        add_pass(array, op->rows * op->in, 1, 1, 1, cost);
        break;
    case OP_SPLIT_HEADS:
    case OP_JOIN_HEADS:
        add_pass(array, op->rows * op->parts * op->heads * op->head_width, 1, 1, 0, cost);
        break;
    case OP_FILL:
        add_pass(array, op->rows, 0, 1, 1, cost);
        break;
    case OP_LOSS:
        add_pass(array, op->samples * op->out, 2, 1, 4, cost);
        break;
    case OP_SQUARE_SUM:
        add_pass(array, op->rows, 1, 0, 2, cost);
        break;
    case OP_UPDATE:
        add_update(array, op, cost);
        break;
    case OP_LOAD:
    case OP_METRIC:
        add_host_copy(array, op->transfer_bytes, cost);
        break;
    default: /* an all-reduce is priced by the fabric that joins the devices */
        bug("a systolic array has no cost of its own for %s", op_name(op->kind));
    }
}

static void systolic_run(void *state, const struct op *op, const struct kernel_context *context,
                         const void *const in[OP_MAX_IN], void *const out[OP_MAX_OUT])
{
    const struct array *array = state;
    struct kernel_context own = *context;
    own.format = array->format;
    kernel_run_f32(op, &own, (const float *const *)in, (float *const *)out);
}

static uint64_t systolic_memory_bytes(const void *state)
{
    return ((const struct array *)state)->systolic.profile.memory_bytes;
}

static uint64_t systolic_idle_power_mw(const void *state)
{
    return ((const struct array *)state)->systolic.profile.idle_power_mw;
}

/* Within a step the clock runs on. */
static uint64_t systolic_wait_power_mw(const void *state)
{
    return ((const struct array *)state)->systolic.profile.static_power_mw;
}

const struct device systolic_device = {
    .kind = "systolic",
    .open = systolic_open,
    .supports = systolic_supports,
    .cost = systolic_cost,
    .run = systolic_run,
    .memory_bytes = systolic_memory_bytes,
    .idle_power_mw = systolic_idle_power_mw,
    .wait_power_mw = systolic_wait_power_mw,
    .close = NULL,
};
