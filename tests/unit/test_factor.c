/* Adapters that start as a part of their weight: the op that makes them, and models that start from it. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "folder.h"
#include "kernel/lowrank.h"
#include "kernel/run.h"
#include "model/adapter.h"
#include "scheduler/train.h"
#include "store/synth.h"

Suite *suite_factor(void);

enum { ROUNDS = 40, MODELS = 8, MAX_SLOTS = 256 };

struct factored {
    struct op op;
    double *w, *rest, *b, *a; /* of float kernels too */
};

static void *floats(struct arena *arena, size_t n, const double *from)
{
    float *to = arena_array(arena, n, sizeof *to);
    for (size_t i = 0; from && i < n; i++)
        to[i] = (float)from[i];
    return to;
}

static void run(struct factored *test, struct arena *arena, int is_double)
{
    size_t o = (size_t)test->op.out, c = (size_t)test->op.in, r = (size_t)test->op.width;
    struct kernel_context context = {.format = is_double ? FORMAT_FP64 : FORMAT_TF32, .seed = 4};
    context.scratch = arena_take(arena, kernel_scratch_bytes(&test->op, context.format));
    if (is_double) {
        kernel_run_f64(&test->op, &context, (const double *const[OP_MAX_IN]){test->w},
                       (double *const[OP_MAX_OUT]){test->rest, test->b, test->a});
        return;
    }
    float *w = floats(arena, o * c, test->w), *b = floats(arena, o * r, NULL), *a = floats(arena, r * c, NULL);
    kernel_run_f32(&test->op, &context, (const float *const[OP_MAX_IN]){w}, (float *const[OP_MAX_OUT]){w, b, a});
    for (size_t i = 0; i < o * c; i++)
        test->rest[i] = (double)w[i];
    for (size_t i = 0; i < o * r; i++)
        test->b[i] = (double)b[i];
    for (size_t i = 0; i < r * c; i++)
        test->a[i] = (double)a[i];
}

static double product(const struct factored *test, size_t i, size_t j)
{
    double sum = 0;
    for (size_t k = 0; k < (size_t)test->op.width; k++)
        sum += test->b[i * (size_t)test->op.width + k] * test->a[k * (size_t)test->op.in + j];
    return test->op.scale * sum;
}

/* Even rounds: normal random values; odd ones: a product of the width, of which nothing is left. */
static struct factored some_matrix(struct dice *d, struct arena *arena, int low)
{
    struct factored test = {.op = {.kind = OP_FACTOR,
                                   .out = 1 + (int64_t)below(d, 50),
                                   .in = 1 + (int64_t)below(d, 50),
                                   .scale = 0.25 * (double)(1 + below(d, 40)),
                                   .site = (uint32_t)below(d, 1000)}};
    test.op.rows = test.op.out;
    test.op.width = 1 + (int64_t)below(d, (uint64_t)(test.op.in < test.op.out ? test.op.in : test.op.out));
    size_t o = (size_t)test.op.out, c = (size_t)test.op.in, r = (size_t)test.op.width;
    test.w = arena_array(arena, o * c, sizeof *test.w);
    test.rest = arena_array(arena, o * c, sizeof *test.rest);
    test.b = arena_array(arena, o * r, sizeof *test.b);
    test.a = arena_array(arena, r * c, sizeof *test.a);
    for (size_t i = 0; i < o * r; i++)
        test.b[i] = normal(d);
    for (size_t i = 0; i < r * c; i++)
        test.a[i] = normal(d);
    for (size_t i = 0; i < o * c; i++)
        test.w[i] = (double)(float)(low ? product(&test, i / c, i % c) : normal(d));
    return test;
}

START_TEST(factors_and_rest_are_the_matrix)
{
    struct dice d = dice(7000 + (uint32_t)_i);
    const double rounding = _i % 2 ? 1e-12 : 1e-6;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena *arena = arena_new();
        struct factored test = some_matrix(&d, arena, round % 2);
        size_t o = (size_t)test.op.out, c = (size_t)test.op.in;
        run(&test, arena, _i % 2);
        double off = 0, size = 0, left = 0, largest = 0;
        for (size_t i = 0; i < o * c; i++) {
            off = fmax(off, fabs(test.rest[i] + product(&test, i / c, i % c) - test.w[i]));
            largest = fmax(largest, fabs(test.w[i]));
            size += test.w[i] * test.w[i];
            left += test.rest[i] * test.rest[i];
        }
        ck_assert_msg(off <= rounding * largest, "round %d: off by %g of %g", round, off, largest);
        ck_assert_msg(left < size, "round %d: %g is left of %g", round, left, size);
        if (round % 2) /* to the rounding of the matrix itself */
            ck_assert_msg(left <= 1e-12 * size, "round %d: %g is left of %g", round, left, size);
        arena_free(arena);
    }
}
END_TEST

struct trained {
    struct arena *arena;
    struct comm *comm;
    struct job job;
    struct training training;
    struct executor *executor;
};

static void open_model(struct trained *model, const char *file, struct dice *d, const char *const *set, int n)
{
    static const char *const targets[] = {"q, v", "k, o, ffn0", "q, k, v, o, ffn0, ffn1", "ffn1"};
    struct fault fault = FAULT_NONE;
    model->arena = arena_new();
    model->comm = comm_alone();
    int gpus = 1 + (int)below(d, 3), layers = 1 + (int)below(d, 2), fp64 = (int)below(d, 2), which = (int)below(d, 4);
    const char *text =
        arena_printf(model->arena,
                     "cluster:\n"
                     "  name: gpus\n"
                     "  devices:\n"
                     "    - {kind: gpu, profile: a100-80g, count: %d}\n"
                     "  links: {inside: nvlink3, host: pcie4}\n"
                     "model: {preset: wind, d_model: 16, heads: 2, layers: %d, ffn: 12, embed_hidden: 6, dropout: 0}\n"
                     "data: {file: %s, window: 3, test_fraction: 0.2}\n"
                     "train: {steps: 4, minibatch: 8, seed: 5, adapter: {width: 4, targets: [%s]}}\n"
                     "placement: {policy: gpu-only, numerics: %s}\n",
                     gpus, layers, file, targets[which], fp64 ? "fp64" : "fp32");
    ck_assert_msg(job_parse(model->arena, "j.yaml", text, set, n, &model->job, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert_msg(training_open(model->comm, &model->job, 0, model->arena, &model->training, &fault) == STATUS_OK, "%s",
                  fault.text);
    struct executor_options options = {.seed = model->job.train.seed};
    ck_assert_msg(executor_open(model->comm, &model->training.plan, model->training.machine.specs,
                                model->training.windows, &options, &model->executor, &fault) == STATUS_OK,
                  "%s", fault.text);
}

static void close_model(struct trained *model)
{
    executor_close(model->executor);
    training_close(&model->training);
    comm_close(model->comm, 0);
    arena_free(model->arena);
}

static double loss_of_step(struct trained *model, int program)
{
    struct fault fault = FAULT_NONE;
    struct step_result result;
    static const uint32_t samples[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct step_record record = {
        .program = (uint32_t)program, .step = 1, .n_samples = 8, .generation = 1, .repeat = 1, .learning_rate = 0.01};
    ck_assert_msg(executor_step(model->executor, &record, samples, NULL, &result, &fault) == STATUS_OK, "%s",
                  fault.text);
    return result.loss_sum / result.loss_count;
}

/* The weights of a device, as arrays. */
static int weights_of(struct trained *model, int device, struct weight_array *weights)
{
    const struct program *program = &model->training.plan.programs[PROGRAM_TRAIN][device];
    struct fault fault = FAULT_NONE;
    int n = 0;
    for (int s = 0; s < program->n_slots; s++) {
        const struct slot *slot = &program->slots[s];
        void *values;
        if (!slot->is_weight)
            continue;
        ck_assert(executor_fetch(model->executor, model->arena, device, PROGRAM_TRAIN, s, &values, &fault) ==
                  STATUS_OK);
        weights[n] = (struct weight_array){.name = slot->name, .n_dims = slot->n_dims};
        memcpy(weights[n].dims, slot->dims, sizeof slot->dims);
        if (model->training.plan.format == FORMAT_FP64)
            weights[n++].values64 = values;
        else
            weights[n++].values = values;
    }
    return n;
}

static double element(const struct weight_array *weight, int64_t i)
{
    return weight->values64 ? weight->values64[i] : (double)weight->values[i];
}

/* Merged weights are the weights of the model without adapters, to rounding; what is frozen is not. */
static void check_weights(struct trained *with, struct trained *without)
{
    struct weight_array adapted[MAX_SLOTS], plain[MAX_SLOTS], *merged;
    const struct job_adapter *adapter = &with->job.train.adapter;
    int n = weights_of(with, 0, adapted), n_plain = weights_of(without, 0, plain);
    int n_merged = adapter_merge(adapted, n, adapter->alpha / (double)adapter->width, with->arena, &merged);
    ck_assert_int_gt(n_merged, 0);
    for (int m = 0; m < n_merged; m++) {
        const struct weight_array *original = NULL, *frozen = NULL;
        for (int i = 0; i < n_plain; i++)
            original = strcmp(plain[i].name, merged[m].name) == 0 ? &plain[i] : original;
        for (int i = 0; i < n; i++)
            frozen = strcmp(adapted[i].name, merged[m].name) == 0 ? &adapted[i] : frozen;
        double off = 0, taken = 0;
        for (int64_t i = 0; i < original->dims[0] * original->dims[1]; i++) {
            off = fmax(off, fabs(element(&merged[m], i) - element(original, i)));
            taken = fmax(taken, fabs(element(frozen, i) - element(original, i)));
        }
        ck_assert_msg(off < (original->values64 ? 1e-14 : 1e-7), "%s: off by %g", original->name, off);
        ck_assert_msg(taken > 0.05, "%s: %g was taken out", original->name, taken);
    }
}

/* A model that starts from its singular vectors gives what the model without adapters gives, and then trains. */
START_TEST(a_model_starts_as_it_was)
{
    static const char *const svd[] = {"train.mode=lora", "train.adapter.init=svd"};
    struct folder folder;
    struct fault fault = FAULT_NONE;
    folder_open(&folder);
    const char *file = folder_file(&folder, "synth.h5");
    struct synth_options options = {.n_stations = 5, .n_rows = 200, .seed = 3, .step_s = 3600, .n_variables = 1};
    options.variable[0] = "wind_speed";
    options.units[0] = "m s-1";
    ck_assert(synth_write(file, &options, &fault) == STATUS_OK);
    struct trained with, without;
    struct dice d = dice(7100 + (uint32_t)_i), same = d;
    open_model(&with, file, &d, svd, 2);
    open_model(&without, file, &same, NULL, 0);
    ck_assert_double_eq(with.job.train.adapter.dropout, 0);
    check_weights(&with, &without);
    double loss = loss_of_step(&with, PROGRAM_TRAIN), full = loss_of_step(&without, PROGRAM_TRAIN);
    ck_assert_msg(fabs(loss - full) < 1e-5 * full, "loss %.9g, without adapters %.9g", loss, full);
    ck_assert_double_lt(loss_of_step(&with, PROGRAM_TRAIN), loss);
    close_model(&with);
    close_model(&without);
    folder_close(&folder);
}
END_TEST

Suite *suite_factor(void)
{
    Suite *suite = suite_create("factor");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, factors_and_rest_are_the_matrix, 0, 4);
    tcase_add_loop_test(tcase, a_model_starts_as_it_was, 0, MODELS);
    suite_add_tcase(suite, tcase);
    return suite;
}
