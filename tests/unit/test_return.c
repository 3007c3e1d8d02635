/* test_return.c - the way back: after it the GPUs hold the model of the low-parameter mode. */
#include <math.h>
#include <string.h>

#include "hpt_job.h"
#include "model/adapter.h"

Suite *suite_return(void);

enum { CASES = 8, FULL_STEPS = 2, LOW_STEPS = 4, MAX_WEIGHTS = 256 };

/* Predictions of samples 0 .. minibatch - 1 of the test set, [minibatch][outputs]. */
static float *predictions(struct hpt_job *hpt, struct executor *executor, int program, double *loss)
{
    struct fault fault = FAULT_NONE;
    struct metric_sums sums;
    float *values;
    hpt_run(hpt, executor, program, 0, 0);
    ck_assert(executor_metrics(executor, &sums, &fault) == STATUS_OK);
    *loss = sums.loss_sum / sums.loss_count;
    ck_assert(executor_predictions(executor, hpt->arena, hpt->job.train.minibatch,
                                   windows_shape(hpt->training.windows)->outputs, &values, &fault) == STATUS_OK);
    return values;
}

static double largest_difference(const float *a, const float *b, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fabs((double)a[i] - (double)b[i]) > most ? fabs((double)a[i] - (double)b[i]) : most;
    return most;
}

/* Everything that lives over steps on a GPU: its memory's slots that own memory, of one kind. */
static void check_gpus(struct hpt_job *hpt, struct executor *executor)
{
    const struct plan *plan = &hpt->training.plan;
    struct fault fault = FAULT_NONE;
    const struct program *first = plan->programs[PROGRAM_TRAIN];
    for (int s = 0; s < first->n_slots; s++) {
        enum slot_kind kind = first->slots[s].kind;
        if (first->slots[s].root != s || (kind != SLOT_PARAM && kind != SLOT_STATE))
            continue;
        void *reference = NULL, *other = NULL;
        ck_assert(executor_fetch(executor, hpt->arena, 0, PROGRAM_TRAIN, s, &reference, &fault) == STATUS_OK);
        for (int64_t i = 0; kind == SLOT_STATE && i < first->slots[s].elements; i++)
            ck_assert_msg(((float *)reference)[i] == 0, "state %s is not zero", first->slots[s].name);
        for (int d = 1; plan->programs[PROGRAM_TRAIN][d].n_instrs; d++) {
            ck_assert(executor_fetch(executor, hpt->arena, d, PROGRAM_TRAIN, s, &other, &fault) == STATUS_OK);
            ck_assert_msg(memcmp(reference, other, first->slots[s].bytes) == 0, "%s differs on GPU %d",
                          first->slots[s].name, d);
        }
    }
}

/* All weights that `device` has trained or, on the first GPU, holds. */
static int fetch_weights(struct hpt_job *hpt, struct executor *executor, int program_id, int device,
                         struct weight_array *weights)
{
    const struct program *program = &hpt->training.plan.programs[program_id][device];
    struct fault fault = FAULT_NONE;
    int n = 0;
    for (int s = 0; s < program->n_slots; s++) {
        const struct slot *slot = &program->slots[s];
        void *values;
        if (!slot->is_weight || (program_id == PROGRAM_LOW && !slot->is_trained))
            continue;
        ck_assert(executor_fetch(executor, hpt->arena, device, program_id, s, &values, &fault) == STATUS_OK);
        weights[n] = (struct weight_array){.name = slot->name, .n_dims = slot->n_dims, .values = values};
        memcpy(weights[n++].dims, slot->dims, sizeof slot->dims);
    }
    return n;
}

static const struct weight_array *named(const struct weight_array *weights, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(weights[i].name, name) == 0)
            return &weights[i];
    ck_abort_msg("no weight %s", name);
}

/* Weights with adapters are what model/adapter.h makes of them, before the way back and after it. */
static void check_merged(struct hpt_job *hpt, const struct weight_array *before, int n_before,
                         const struct weight_array *after, int n_after)
{
    struct weight_array *merged;
    double scale = hpt->job.train.adapter.alpha / (double)hpt->job.train.adapter.width;
    int n = adapter_merge(before, n_before, scale, hpt->arena, &merged);
    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++) {
        const struct weight_array *frozen = named(before, n_before, merged[i].name),
                                  *now = named(after, n_after, merged[i].name);
        int64_t elements = now->dims[0] * now->dims[1];
        ck_assert(largest_difference(frozen->values, now->values, elements) > 1e-3);
        ck_assert(largest_difference(merged[i].values, now->values, elements) < 1e-5);
    }
}

/* The cases after the first half: adapters start as a part of their weights. */
START_TEST(gpus_hold_the_low_model)
{
    static const char *const set[] = {"train.adapter.init=svd", "train.adapter.width=3"};
    struct dice d = dice(4000 + (uint32_t)_i);
    struct hpt_job hpt;
    int svd = _i >= CASES;
    hpt_open_with(&hpt, &d, "", set, svd ? 2 : 0);
    struct executor *executor = hpt_executor(&hpt);
    int64_t n = hpt.job.train.minibatch * windows_shape(hpt.training.windows)->outputs;
    double full_loss, low_loss, back_loss;
    for (uint32_t step = 1; step <= FULL_STEPS; step++)
        hpt_run(&hpt, executor, PROGRAM_TRAIN, step, 8 * step);
    const float *full = predictions(&hpt, executor, PROGRAM_EVALUATE, &full_loss);
    hpt_run(&hpt, executor, PROGRAM_HANDOVER, FULL_STEPS, 0);
    ck_assert(largest_difference(full, predictions(&hpt, executor, PROGRAM_LOW_EVALUATE, &low_loss), n) <
              2e-5 * (1 + fabs((double)full[0])));
    ck_assert_double_eq_tol(low_loss, full_loss, 1e-5 * full_loss);
    for (uint32_t step = FULL_STEPS + 1; step <= FULL_STEPS + LOW_STEPS; step++)
        hpt_run(&hpt, executor, PROGRAM_LOW, step, 8 * step);
    const float *low = predictions(&hpt, executor, PROGRAM_LOW_EVALUATE, &low_loss);
    struct weight_array before[MAX_WEIGHTS], after[MAX_WEIGHTS];
    int n_before = fetch_weights(&hpt, executor, PROGRAM_TRAIN, 0, before);
    for (int device = 0; device < hpt.training.plan.n_devices; device++)
        n_before += fetch_weights(&hpt, executor, PROGRAM_LOW, device, before + n_before);
    hpt_run(&hpt, executor, PROGRAM_RETURN, FULL_STEPS + LOW_STEPS, 0);
    check_gpus(&hpt, executor);
    int n_after = fetch_weights(&hpt, executor, PROGRAM_TRAIN, 0, after);
    if (!svd) /* else what was frozen is not what the GPUs had */
        check_merged(&hpt, before, n_before, after, n_after);
    const float *back = predictions(&hpt, executor, PROGRAM_EVALUATE, &back_loss);
    double trained = largest_difference(full, low, n), rounding = largest_difference(low, back, n);
    ck_assert_msg(trained > 0.05, "the low mode has trained nothing: %g", trained);
    ck_assert_msg(rounding < 2e-5 * (1 + fabs((double)low[0])), "case %d: difference %g of %g", _i, rounding, trained);
    ck_assert_double_eq_tol(low_loss, back_loss, 1e-5 * low_loss);
    ck_assert(isfinite(hpt_run(&hpt, executor, PROGRAM_TRAIN, FULL_STEPS + LOW_STEPS + 1, 8).loss_sum));
    executor_close(executor);
    hpt_close(&hpt);
}
END_TEST

/* Bytes on the wire: what was trained once, and an adapter's product once, to every GPU. */
START_TEST(every_gpu_receives_once)
{
    struct dice d = dice(4100 + (uint32_t)_i);
    struct hpt_job hpt;
    hpt_open(&hpt, &d, "");
    const struct plan *plan = &hpt.training.plan;
    uint64_t sent = 0, received = 0;
    int n_received[64] = {0};
    for (int dev = 0; dev < plan->n_devices; dev++) {
        const struct program *program = &plan->programs[PROGRAM_RETURN][dev];
        for (int i = 0; i < program->n_instrs; i++) {
            const struct instr *instr = &program->instrs[i];
            ck_assert(instr->op->kind != OP_PROGRAM);
            sent += instr->op->kind == OP_SEND ? instr->op->transfer_bytes : 0;
            received += instr->op->kind == OP_RECV ? instr->op->transfer_bytes : 0;
            n_received[dev] += instr->op->kind == OP_RECV;
        }
    }
    ck_assert(sent == received && sent > 0);
    int n_gpus = 0;
    for (int dev = 0; plan->programs[PROGRAM_TRAIN][dev].n_instrs; dev++, n_gpus++)
        ck_assert_int_eq(n_received[dev], n_received[0]);
    ck_assert_int_eq(plan->n_channels[PROGRAM_RETURN], n_gpus * n_received[0]);
    for (int dev = n_gpus; dev < plan->n_devices; dev++)
        ck_assert_int_eq(n_received[dev], 0);
    hpt_close(&hpt);
}
END_TEST

Suite *suite_return(void)
{
    Suite *suite = suite_create("return");
    TCase *tcase = tcase_create("return");
    tcase_add_loop_test(tcase, gpus_hold_the_low_model, 0, 2 * CASES);
    tcase_add_loop_test(tcase, every_gpu_receives_once, 0, CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
