/* test_movement.c - what the switch is told of weights and of costs is what happens. */
#include <math.h>
#include <string.h>

#include "hpt_job.h"
#include "scheduler/movement.h"
#include "scheduler/predict.h"

Suite *suite_movement(void);

enum { CASES = 6, RUNS = 5 };

static const float *fetch(struct hpt_job *hpt, struct executor *executor, const char *name)
{
    const struct program *program = &hpt->training.plan.programs[PROGRAM_TRAIN][0];
    struct fault fault = FAULT_NONE;
    void *values = NULL;
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].is_weight && strcmp(program->slots[s].name, name) == 0)
            ck_assert(executor_fetch(executor, hpt->arena, 0, PROGRAM_TRAIN, s, &values, &fault) == STATUS_OK);
    ck_assert_ptr_nonnull(values);
    return values;
}

/* Parts of weights at a time. */
struct watched {
    struct family_weight part[FAMILY_MAX_TARGETS];
    const float *values[FAMILY_MAX_TARGETS]; /* of the whole weight */
    int n;
};

/* Wq and Wv of the attentions of a layer, as they are now. */
static struct watched watch(struct hpt_job *hpt, struct executor *executor, int64_t layer)
{
    struct watched watched;
    watched.n = family_targets(&hpt->training.config, layer, TARGET_Q | TARGET_V, hpt->arena, watched.part);
    for (int i = 0; i < watched.n; i++)
        watched.values[i] = fetch(hpt, executor, watched.part[i].name);
    return watched;
}

/* Norm of part i, each d x d, or of its change. */
static double norm(const struct watched *a, const struct watched *b, int i, int64_t d)
{
    double sum = 0;
    for (int64_t e = a->part[i].part * d * d; e < (a->part[i].part + 1) * d * d; e++)
        sum += pow((double)a->values[i][e] - (b ? (double)b->values[i][e] : 0), 2);
    return sqrt(sum);
}

static void check_watched(const struct hpt_job *hpt, const struct switch_window *numbers, const struct watched *before,
                          const struct watched *after)
{
    const struct model_config *config = &hpt->training.config;
    int64_t d = config->family == FAMILY_TRAFFIC ? config->traffic.d_model : config->encoder.d_model;
    double squares = 0;
    ck_assert_int_eq(before->n, 2 * family_attentions(config));
    ck_assert_int_eq(numbers->n_matrices, before->n);
    for (int i = 0; i < before->n; i++) {
        squares += pow(norm(after, before, i, d), 2);
        ck_assert_double_eq_tol(numbers->relative_displacement[i], norm(after, before, i, d) / norm(before, NULL, i, d),
                                1e-12);
    }
    ck_assert_double_eq_tol(numbers->displacement, sqrt(squares), 1e-12);
    ck_assert(isnan(numbers->captured[0]) || numbers->captured[0] == 0);
}

/* Each target once in a layer, those of attention in each of its attentions. */
static int count_adapters(const struct hpt_job *hpt)
{
    const struct job_adapter *adapter = &hpt->job.train.adapter;
    const struct model_config *config = &hpt->training.config;
    int n = adapter->targets.n ? 0 : 2 * family_attentions(config);
    for (int i = 0; i < adapter->targets.n; i++)
        n += strncmp(adapter->targets.value[i], "ffn", 3) == 0 ? 1 : family_attentions(config);
    return n * (int)family_layers(config);
}

static void check_safe(const struct hpt_job *hpt, const struct switch_window *safe)
{
    int64_t width = hpt->job.train.adapter.width;
    ck_assert_int_eq(safe->n_matrices, count_adapters(hpt));
    for (int m = 0; m < safe->n_matrices; m++)
        ck_assert(safe->relative_displacement[m] > 0 && safe->relative_displacement[m] < 1);
    for (int i = 0; i < SWITCH_WIDTHS; i++) {
        ck_assert(safe->captured[i] > 0 && safe->captured[i] < 1 + 1e-9);
        ck_assert(i == 0 || safe->captured[i] >= safe->captured[i - 1]);
        if (width <= switch_widths[i])
            ck_assert(safe->captured_own <= safe->captured[i]);
        if (width >= switch_widths[i])
            ck_assert(safe->captured_own >= safe->captured[i]);
    }
    ck_assert_double_eq_tol(safe->captured[SWITCH_WIDTHS - 1], 1, 1e-6); /* no matrix has more rows and columns */
}

START_TEST(weights_as_they_move)
{
    struct dice d = dice(4200 + (uint32_t)_i);
    struct hpt_job hpt;
    struct fault fault = FAULT_NONE;
    hpt_open(&hpt, &d, "");
    struct executor *executor = hpt_executor(&hpt);
    struct switch_config config = {.policy = SWITCH_HPT,
                                   .watch_layer = (int)family_layers(&hpt.training.config) - 1,
                                   .width = (int)hpt.job.train.adapter.width};
    struct movement *one = movement_open(&hpt.training, executor, &config);
    config.policy = SWITCH_SAFE;
    struct movement *all = movement_open(&hpt.training, executor, &config);
    struct switch_window numbers, safe;
    ck_assert(movement_end(one, SWITCH_WANTS_DISPLACEMENT, &numbers, &fault) == STATUS_OK);
    ck_assert(isnan(numbers.displacement));
    ck_assert(movement_begin(one, &fault) == STATUS_OK && movement_begin(all, &fault) == STATUS_OK);
    struct watched before = watch(&hpt, executor, config.watch_layer);
    hpt_run(&hpt, executor, PROGRAM_TRAIN, 1, 0);
    hpt_run(&hpt, executor, PROGRAM_TRAIN, 2, 8);
    ck_assert(movement_end(one, SWITCH_WANTS_DISPLACEMENT, &numbers, &fault) == STATUS_OK);
    ck_assert(movement_end(all, SWITCH_WANTS_DRIFT | SWITCH_WANTS_CAPTURED, &safe, &fault) == STATUS_OK);
    struct watched after = watch(&hpt, executor, config.watch_layer);
    check_watched(&hpt, &numbers, &before, &after);
    check_safe(&hpt, &safe);
    ck_assert(movement_end(one, SWITCH_WANTS_DISPLACEMENT, &numbers, &fault) == STATUS_OK);
    ck_assert(numbers.displacement == 0); /* the end was the start of the next window */
    movement_close(one);
    movement_close(all);
    executor_close(executor);
    hpt_close(&hpt);
}
END_TEST

/* Virtual time and energy of the whole machine after `runs` runs, waiting and idle time included. */
static wide_uint energy_of(struct hpt_job *hpt, int program, uint64_t runs, uint64_t *end_ps)
{
    struct executor_options options = {.timing_only = 1};
    struct executor *executor;
    struct fault fault = FAULT_NONE;
    ck_assert(executor_open(hpt->comm, &hpt->training.plan, hpt->training.machine.specs, NULL, &options, &executor,
                            &fault) == STATUS_OK);
    struct step_record record = {.program = (uint32_t)program, .step = 1, .repeat = runs};
    struct step_result result;
    struct ledger *ledgers;
    wide_uint energy_fj = 0;
    ck_assert(executor_step(executor, &record, NULL, NULL, &result, &fault) == STATUS_OK);
    ck_assert(executor_ledgers(executor, hpt->arena, &ledgers, &fault) == STATUS_OK);
    for (int device = 0; device < hpt->training.plan.n_devices; device++)
        energy_fj += ledger_energy_fj(&ledgers[device]);
    *end_ps = result.end_ps;
    executor_close(executor);
    return energy_fj;
}

START_TEST(costs_as_they_come)
{
    struct dice d = dice(4300 + (uint32_t)_i);
    struct hpt_job hpt;
    struct fault fault = FAULT_NONE;
    struct switch_costs costs;
    hpt_open(&hpt, &d, "");
    ck_assert(predict_costs(&hpt.training, &hpt.training.plan, 10, &costs, &fault) == STATUS_OK);
    const struct {
        int program;
        uint64_t time_ps, energy_fj;
    } told[] = {{PROGRAM_TRAIN, costs.full_ps, costs.full_fj},
                {PROGRAM_LOW, costs.low_ps, costs.low_fj},
                {PROGRAM_HANDOVER, costs.program_ps, costs.program_fj}};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        uint64_t before_ps, after_ps;
        wide_uint before_fj = energy_of(&hpt, told[i].program, RUNS, &before_ps),
                  after_fj = energy_of(&hpt, told[i].program, RUNS + 1, &after_ps);
        ck_assert_msg(after_ps - before_ps == told[i].time_ps, "%s: %llu ps, predicted %llu",
                      program_name(told[i].program), (unsigned long long)(after_ps - before_ps),
                      (unsigned long long)told[i].time_ps);
        double energy_fj = (double)(after_fj - before_fj), predicted_fj = (double)told[i].energy_fj;
        ck_assert_msg(fabs(energy_fj - predicted_fj) <= 1e-12 * energy_fj, "%s: %g fJ, predicted %g",
                      program_name(told[i].program), energy_fj, predicted_fj);
    }
    ck_assert(costs.trial_ps >= costs.program_ps && costs.trial_fj > costs.program_fj);
    hpt_close(&hpt);
}
END_TEST

/* Predicted without being in force: as a job of this width has it. Wider adapters take no less, but for another order
 * of the work (list scheduling). */
START_TEST(costs_of_a_width)
{
    struct fault fault = FAULT_NONE;
    struct switch_costs before = {0};
    static const int widths[] = {1, 2, 4, 8};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        struct dice d = dice(4400 + (uint32_t)_i);
        struct hpt_job hpt, other;
        struct switch_costs told, costs;
        char text[32];
        const char *set[] = {text};
        snprintf(text, sizeof text, "train.adapter.width=%d", widths[w]);
        hpt_open_with(&hpt, &d, "", set, 1);
        ck_assert(predict_costs(&hpt.training, &hpt.training.plan, 10, &told, &fault) == STATUS_OK);
        d = dice(4400 + (uint32_t)_i);
        hpt_open_with(&other, &d, "  switch: {policy: safe, window_steps: 3}\n",
                      (const char *[]){"train.adapter.width=auto"}, 1);
        struct build_widths range = build_adapter_widths(&other.job, &other.training.config);
        ck_assert(range.narrowest == 2 && range.widest >= 8 && range.widest == other.training.adapter_width);
        ck_assert(predict_costs_of_width(&other.training, widths[w], 10, &costs, &fault) == STATUS_OK);
        ck_assert(memcmp(&costs, &told, sizeof costs) == 0);
        ck_assert((double)costs.low_ps >= 0.99 * (double)before.low_ps);
        ck_assert((double)costs.low_fj >= 0.99 * (double)before.low_fj);
        ck_assert(costs.low_ps != before.low_ps && costs.full_ps > 0);
        ck_assert(w == 0 || costs.full_ps == before.full_ps);
        before = costs;
        hpt_close(&hpt);
        hpt_close(&other);
    }
}
END_TEST

Suite *suite_movement(void)
{
    Suite *suite = suite_create("movement");
    TCase *tcase = tcase_create("movement");
    tcase_add_loop_test(tcase, weights_as_they_move, 0, CASES);
    tcase_add_loop_test(tcase, costs_as_they_come, 0, CASES);
    tcase_add_loop_test(tcase, costs_of_a_width, 0, CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
