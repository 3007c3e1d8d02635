/* kernels.c - speed of each op of a training step by itself: time, GFLOP/s or GB/s, share of the measured product peak.
 *
 * usage: kernels [D HEADS LAYERS FFN TOKENS MINIBATCH]     (64 4 3 128 57 32)
 *
 * One core, fp32, best of several runs of each op on operands that the caches may hold; `times` is how often the op
 * comes in one step. GB/s counts every operand once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/blas.h"
#include "kernel/gemm.h"
#include "kernel/run.h"

struct shape {
    int64_t d, heads, layers, ffn, tokens, minibatch;
};

struct item {
    const char *name;
    struct op op;
    int64_t times;
    size_t n_in[OP_MAX_IN], n_out[OP_MAX_OUT];
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *buffer(size_t n)
{
    float *memory = aligned_alloc(64, (n * sizeof(float) + 127) / 64 * 64);
    if (!memory) {
        fprintf(stderr, "kernels: no memory for %zu floats\n", n);
        exit(1);
    }
    for (size_t i = 0; i < n; i++)
        memory[i] = 0.01f * (float)(i % 17) + 0.01f;
    return memory;
}

/* Best time of one call, after one that warms up. */
static double time_item(const struct item *item)
{
    const float *in[OP_MAX_IN] = {NULL};
    float *out[OP_MAX_OUT] = {NULL};
    size_t scratch_bytes = kernel_scratch_bytes(&item->op, FORMAT_FP32);
    struct kernel_context context = {
        .step = 1, .learning_rate = 1e-6, .scratch = buffer(scratch_bytes / sizeof(float) + 1)};
    for (int i = 0; i < OP_MAX_IN; i++)
        in[i] = item->n_in[i] ? buffer(item->n_in[i]) : NULL;
    for (int o = 0; o < OP_MAX_OUT; o++)
        out[o] = item->n_out[o] ? buffer(item->n_out[o]) : NULL;
    double best_s = 1e9, end_s = now_s() + 0.15;
    for (int run = 0; run < 3 || now_s() < end_s; run++) {
        double start_s = now_s();
        kernel_run_f32(&item->op, &context, in, out);
        double time_s = now_s() - start_s;
        if (run > 0 && time_s < best_s)
            best_s = time_s;
    }
    for (int i = 0; i < OP_MAX_IN; i++)
        free((void *)(uintptr_t)in[i]);
    for (int o = 0; o < OP_MAX_OUT; o++)
        free(out[o]);
    free(context.scratch);
    return best_s;
}

static double peak_flop_per_s(void)
{
    enum { N = 768, TRIES = 12 };
    float *a = buffer((size_t)N * N), *b = buffer((size_t)N * N), *c = buffer((size_t)N * N);
    double best_s = 1e9;
    for (int t = 0; t < TRIES; t++) {
        double start_s = now_s();
        gemm_peak_product(N, a, b, c);
        double time_s = now_s() - start_s;
        best_s = time_s < best_s ? time_s : best_s;
    }
    free(a);
    free(b);
    free(c);
    return 2.0 * N * N * N / best_s;
}

static struct item linear_item(const char *name, enum op_kind kind, int64_t rows, int64_t in, int64_t out,
                               int64_t times, enum activation act)
{
    struct item item = {
        .name = name, .op = {.kind = kind, .rows = rows, .in = in, .out = out, .act = act}, .times = times};
    size_t x = (size_t)(rows * in), y = (size_t)(rows * out), w = (size_t)(in * out);
    item.n_in[0] = kind == OP_LINEAR ? x : y;
    item.n_in[1] = kind == OP_LINEAR_DW ? x : w;
    item.n_in[2] = kind == OP_LINEAR ? (size_t)out : 0;
    item.n_out[0] = kind == OP_LINEAR ? y : kind == OP_LINEAR_DX ? x : w;
    item.n_out[1] = kind == OP_LINEAR_DW ? (size_t)out : kind == OP_LINEAR && act == ACT_GELU ? y : 0;
    return item;
}

static struct item attention_item(const char *name, enum op_kind kind, const struct shape *shape)
{
    size_t o = (size_t)(shape->minibatch * shape->tokens * shape->d);
    size_t p = (size_t)(shape->minibatch * shape->heads * shape->tokens * shape->tokens);
    struct item item = {.name = name, .op = {.kind = kind, .packed = 1}, .times = shape->layers};
    item.op.samples = shape->minibatch, item.op.rows = shape->minibatch * shape->tokens;
    item.op.n_query = item.op.n_key = shape->tokens;
    item.op.heads = shape->heads, item.op.head_width = shape->d / shape->heads;
    if (kind == OP_ATTENTION) {
        item.n_in[0] = 3 * o, item.n_out[0] = o, item.n_out[1] = p;
    } else {
        item.n_in[0] = o, item.n_in[1] = 3 * o, item.n_in[4] = p, item.n_out[0] = 3 * o;
    }
    return item;
}

static struct item norm_item(const char *name, enum op_kind kind, const struct shape *shape, double dropout)
{
    size_t t = (size_t)(shape->minibatch * shape->tokens), c = (size_t)shape->d;
    struct item item = {.name = name,
                        .op = {.kind = kind, .rows = (int64_t)t, .in = shape->d, .eps = 1e-5, .dropout = dropout},
                        .times = 2 * shape->layers};
    item.n_in[0] = item.n_in[1] = item.n_out[0] = t * c;
    item.n_in[3] = c, item.n_in[2] = kind == OP_NORM ? c : 2 * t;
    item.n_out[1] = kind == OP_NORM || dropout > 0 ? t * c : 0;
    item.n_out[2] = kind == OP_NORM ? 2 * t : c;
    item.n_out[3] = kind == OP_NORM ? 0 : c;
    return item;
}

static struct item flat_item(const char *name, struct op op, size_t n_in0, size_t n_in1, size_t n_out, int64_t times)
{
    struct item item = {.name = name, .op = op, .times = times};
    item.n_in[0] = n_in0, item.n_in[1] = n_in1, item.n_out[0] = n_out;
    return item;
}

static size_t linear_items(struct item *items, const struct shape *shape)
{
    const struct {
        const char *name[3];
        int64_t in, out;
        enum activation act;
    } layers[] = {{{"qkv", "qkv dx", "qkv dw"}, shape->d, 3 * shape->d, ACT_NONE},
                  {{"projection", "projection dx", "projection dw"}, shape->d, shape->d, ACT_NONE},
                  {{"ffn.0", "ffn.0 dx", "ffn.0 dw"}, shape->d, shape->ffn, ACT_RELU},
                  {{"ffn.1", "ffn.1 dx", "ffn.1 dw"}, shape->ffn, shape->d, ACT_NONE}};
    const enum op_kind kinds[] = {OP_LINEAR, OP_LINEAR_DX, OP_LINEAR_DW};
    size_t n = 0;
    for (int l = 0; l < 4; l++)
        for (int k = 0; k < 3; k++)
            items[n++] = linear_item(layers[l].name[k], kinds[k], shape->minibatch * shape->tokens, layers[l].in,
                                     layers[l].out, shape->layers, layers[l].act);
    return n;
}

static size_t other_items(struct item *items, const struct shape *shape)
{
    int64_t t = shape->minibatch * shape->tokens, hidden = 256, features = 12;
    size_t wide = (size_t)(t * shape->ffn), narrow = (size_t)(t * shape->d), n = 0;
    size_t weights = (size_t)(shape->layers * (4 * shape->d * shape->d + 2 * shape->d * shape->ffn));
    items[n++] = linear_item("embed.0", OP_LINEAR, t, features, hidden, 1, ACT_NONE);
    items[n++] = linear_item("embed.0 dw", OP_LINEAR_DW, t, features, hidden, 1, ACT_NONE);
    items[n++] = linear_item("embed.1", OP_LINEAR, t, hidden, shape->d, 1, ACT_NONE);
    items[n++] = linear_item("embed.1 dx", OP_LINEAR_DX, t, hidden, shape->d, 1, ACT_NONE);
    items[n++] = linear_item("embed.1 dw", OP_LINEAR_DW, t, hidden, shape->d, 1, ACT_NONE);
    items[n++] = attention_item("attention", OP_ATTENTION, shape);
    items[n++] = attention_item("attention bwd", OP_ATTENTION_BWD, shape);
    items[n++] = norm_item("norm", OP_NORM, shape, 0);
    items[n++] = norm_item("norm bwd", OP_NORM_BWD, shape, 0);
    items[n++] = norm_item("norm, dropout", OP_NORM, shape, 0.1);
    items[n++] = norm_item("norm bwd, dropout", OP_NORM_BWD, shape, 0.1);
    items[n - 1].times = items[n - 2].times = 0;
    struct op relu = {.kind = OP_ACT_BWD, .rows = t, .out = shape->ffn, .act = ACT_RELU}, gelu = relu;
    gelu.act = ACT_GELU;
    items[n++] = flat_item("relu bwd", relu, wide, wide, wide, shape->layers);
    items[n++] = flat_item("gelu bwd", gelu, wide, wide, wide, 0);
    items[n++] = flat_item("add", (struct op){.kind = OP_ADD, .rows = t * shape->d}, narrow, narrow, narrow, 0);
    struct op loss = {.kind = OP_LOSS, .samples = shape->minibatch, .out = shape->tokens};
    items[n] = flat_item("loss", loss, (size_t)t, (size_t)t, 2, 1);
    items[n++].n_out[1] = (size_t)t;
    items[n++] = linear_item("gelu layer", OP_LINEAR, t, shape->d, shape->d, 0, ACT_GELU);
    struct op update = {.kind = OP_UPDATE,
                        .rows = (int64_t)weights,
                        .optimiser = OPTIMISER_ADAMW,
                        .beta1 = 0.9,
                        .beta2 = 0.999,
                        .optimiser_eps = 1e-8};
    items[n] = flat_item("adamw", update, weights, 2, weights, 1);
    items[n].n_out[1] = items[n].n_out[2] = weights;
    n++;
    items[n++] =
        flat_item("square sum", (struct op){.kind = OP_SQUARE_SUM, .rows = (int64_t)weights}, weights, 0, 1, 1);
    return n;
}

static double operand_bytes(const struct item *item)
{
    size_t n = 0;
    for (int i = 0; i < OP_MAX_IN; i++)
        n += item->n_in[i];
    for (int o = 0; o < OP_MAX_OUT; o++)
        n += item->n_out[o];
    return (double)n * sizeof(float);
}

int main(int argc, char **argv)
{
    blas_select(argv);
    struct shape shape = {64, 4, 3, 128, 57, 32};
    int64_t *const fields[] = {&shape.d, &shape.heads, &shape.layers, &shape.ffn, &shape.tokens, &shape.minibatch};
    for (int i = 1; i < argc && i <= 6; i++)
        *fields[i - 1] = atoll(argv[i]);
    for (int i = 0; i < 6; i++)
        if (*fields[i] < 1 || shape.d % shape.heads) {
            fprintf(stderr, "usage: kernels [D HEADS LAYERS FFN TOKENS MINIBATCH], all at least 1, HEADS divides D\n");
            return 2;
        }
    struct item items[40];
    size_t n = linear_items(items, &shape);
    n += other_items(items + n, &shape);
    double peak = peak_flop_per_s(), step_s = 0, step_flops = 0;
    printf("BLAS %s\nkernels %s\nproduct peak %.1f GFLOP/s\n", kernel_blas_name(), kernel_isa_name(), peak * 1e-9);
    printf("%-18s %5s %10s %9s %8s %7s\n", "op", "times", "us", "GFLOP/s", "of peak", "GB/s");
    for (size_t i = 0; i < n; i++) {
        double time_s = time_item(&items[i]), flops = (double)op_flops(&items[i].op);
        printf("%-18s %5lld %10.1f %9.1f %7.0f%% %7.1f\n", items[i].name, (long long)items[i].times, time_s * 1e6,
               flops / time_s * 1e-9, 100 * flops / time_s / peak, operand_bytes(&items[i]) / time_s * 1e-9);
        step_s += (double)items[i].times * time_s;
        step_flops += (double)items[i].times * flops;
    }
    printf("blocks and embedding of one step: %.2f ms, %.1f GFLOP/s, %.0f%% of peak\n", step_s * 1e3,
           step_flops / step_s * 1e-9, 100 * step_flops / step_s / peak);
    return 0;
}
