/* What a run tells of placement hpt, what placement auto chooses, and that both are the run's own numbers. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "folder.h"
#include "scheduler/choose.h"
#include "scheduler/train.h"

Suite *suite_placement(void);

/* A small job on GPUs, ReRAM and systolic devices, without data. */
struct small_job {
    int gpus, reram, systolic, layers, micro_batches, minibatch, steps;
    double gpu_flop_per_s; /* 0: the profile's */
    int array_rows;        /* of a systolic array; 0: the profile's */
    const char *policy, *objective, *mode_switch, *adapter_width;
};

static struct small_job random_job(struct dice *d)
{
    return (struct small_job){.gpus = 1 + (int)below(d, 2),
                              .reram = 1 + (int)below(d, 3),
                              .systolic = 1 + (int)below(d, 3),
                              .layers = 1 + (int)below(d, 3),
                              .micro_batches = 1 << below(d, 3),
                              .minibatch = 8,
                              .steps = 12 + (int)below(d, 6),
                              .policy = "hpt",
                              .objective = "time",
                              .mode_switch = "{policy: at, at_step: 5}",
                              .adapter_width = "8"};
}

static void read_job(struct arena *arena, const struct small_job *small, struct job *job)
{
    struct fault fault = FAULT_NONE;
    const char *devices = arena_printf(
        arena, "[{kind: gpu, profile: a100-80g, count: %d%s}", small->gpus,
        small->gpu_flop_per_s > 0 ? arena_printf(arena, ", peak_flop_per_s: %.0f FLOP/s", small->gpu_flop_per_s) : "");
    if (small->reram)
        devices = arena_printf(arena, "%s, {kind: reram, profile: isaac, count: %d}", devices, small->reram);
    if (small->systolic)
        devices = arena_printf(arena, "%s, {kind: systolic, profile: systolic-128-7nm, count: %d%s}", devices,
                               small->systolic,
                               small->array_rows ? arena_printf(arena, ", array_rows: %d", small->array_rows) : "");
    const char *text = arena_printf(
        arena,
        "name: small\ncluster: {devices: %s], links: {inside: nvlink3, host: pcie4, bridge: pcie4, stack: stack-3d}}\n"
        "model: {preset: wind, d_model: 16, heads: 4, layers: %d, ffn: 32, embed_hidden: 8, dropout: 0, tokens: 9,\n"
        "  features: 6, outputs: 9}\n"
        "train: {steps: %d, minibatch: %d, adapter: {width: %s, dropout: 0}, switch: %s}\n"
        "placement: {policy: %s, objective: %s, micro_batches: %d}\n",
        devices, small->layers, small->steps, small->minibatch, small->adapter_width, small->mode_switch, small->policy,
        small->objective, small->micro_batches);
    ck_assert_msg(job_parse(arena, "j.yaml", text, NULL, 0, job, &fault) == STATUS_OK, "%s", fault.text);
}

/* Timing-only, with assumed switches; the run and its training live in the arena. */
static struct run run_job(struct arena *arena, struct job *job, struct fault *fault)
{
    struct comm *comm = comm_alone();
    struct training training;
    struct training_result result = {.run = {.name = NULL}};
    struct training_options options = {.timing_only = 1, .quiet = 1, .assume_switch = 1};
    *fault = FAULT_NONE;
    if (choose_open(comm, job, 1, arena, &training, fault) == STATUS_OK)
        training_run(&training, &options, &result, fault);
    training_close(&training);
    comm_close(comm, 0);
    return result.run;
}

static struct run run_small(struct arena *arena, const struct small_job *small)
{
    struct job *job = arena_take(arena, sizeof *job);
    struct fault fault;
    read_job(arena, small, job);
    struct run run = run_job(arena, job, &fault);
    ck_assert_msg(fault.status == STATUS_OK, "%s", fault.text);
    return run;
}

/* The switch after step 5, the handover in what step 6 adds: stand-by power goes on all the time, and steps that take
 * as long as their mode's step take its energy. */
static void check_curve(const struct run *run, int steps)
{
    for (int i = 1; i < steps; i++) {
        const struct run_step *step = &run->step[i];
        const struct run_mode *mode = &run->mode[i >= 5];
        uint64_t time_ps = step->time_ps - step[-1].time_ps;
        double energy_j = step->energy_j - step[-1].energy_j;
        ck_assert(energy_j > 0 && time_ps >= (i == 5 ? run->handover.time_ps : mode->step_ps));
        if (time_ps == mode->step_ps)
            ck_assert_double_eq_tol(energy_j / joules(mode->energy_fj), 1, 1e-6);
    }
    ck_assert(run->step[steps - 1].energy_j <= run_energy_j(run));
}

static void check_modes(const struct run *run, const struct small_job *small)
{
    const struct run_mode *full = &run->mode[0], *low = &run->mode[1];
    ck_assert(run->n_modes == 2 && strcmp(full->name, "full") == 0 && strcmp(low->name, "low") == 0);
    ck_assert_int_eq(full->n_trained, run->n_trainable);
    ck_assert(low->n_trained > 0 && low->n_trained < full->n_trained);
    for (int d = 0; d < run->n_devices; d++) {
        int is_gpu = d < small->gpus;
        ck_assert_msg((full->busy_ps[d] > 0) == is_gpu, "device %d in full mode", d);
        ck_assert(!is_gpu || low->busy_ps[d] == 0);
        for (int m = 0; m < 2; m++)
            ck_assert(run_utilisation(&run->mode[m], d) >= 0 && run_utilisation(&run->mode[m], d) <= 1);
    }
    wide_uint phases_fj = 0, devices_fj = 0;
    for (int i = 0; i < run->n_phases; i++)
        phases_fj += run->phase[i].energy_fj;
    for (int d = 0; d < run->n_devices; d++)
        devices_fj += ledger_energy_fj(&run->device[d].ledger);
    ck_assert(phases_fj == devices_fj);
    check_curve(run, small->steps);
}

static void check_cells(const struct run *run, int64_t handovers)
{
    ck_assert_int_eq(run->handover.n, handovers);
    ck_assert_int_gt(run->n_cells, 0);
    for (int c = 0; c < run->n_cells; c++) {
        const struct run_cells *cells = &run->cells[c];
        ck_assert_str_eq(run->device[cells->device].kind, "reram");
        ck_assert(cells->crossbars_used <= cells->crossbars_total && cells->crossbars_used % cells->copies == 0);
        ck_assert(cells->n_matrices > 0 && cells->crossbars_used / cells->copies >= cells->n_matrices);
        ck_assert(cells->crossbars_used + cells->crossbars_used / cells->copies > cells->crossbars_total);
        ck_assert_uint_eq(cells->cell_writes, (uint64_t)handovers * cells->cells);
        double writes = run_writes_per_cell(cells);
        ck_assert_double_eq_tol(writes, (double)handovers * cells->pulses, 1e-9);
        ck_assert_double_eq_tol(run_lifetime(cells, writes) * writes / cells->endurance, 1, 1e-12);
        ck_assert_double_eq_tol(run_lifetime(cells, writes) / run_lifetime(cells, run_full_writes_per_cell(run, cells)),
                                (double)run->steps / (double)handovers, 1e-9);
    }
}

START_TEST(modes_and_cells)
{
    struct dice d = dice(4000 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    struct run run = run_small(arena, &small);
    check_modes(&run, &small);
    check_cells(&run, 1);
    ck_assert_int_eq(run_switch_step(&run), 5);
    for (int m = 0; m < 2; m++)
        ck_assert_uint_gt(run.mode[m].step_ps, 0);
    ck_assert_uint_eq(run.mode[0].step_ps, run.step[4].time_ps - run.step[3].time_ps);
    int last = run.n_steps - 1;
    ck_assert_uint_le(run.mode[1].step_ps, run.step[last].time_ps - run.step[last - 1].time_ps);
    const char *full = arena_printf(arena, "hpt: full steps on %d x a100-80g (fp32), ", small.gpus);
    ck_assert_msg(strncmp(run.placement_text, full, strlen(full)) == 0, "%s", run.placement_text);
    ck_assert_ptr_nonnull(strstr(run.model_text, "; low mode: adapters of width 8, alpha 64, dropout 0 on q v"));
    ck_assert_ptr_nonnull(strstr(run.placement_text, " x isaac (quantized) and "));
    ck_assert_ptr_nonnull(strstr(run.placement_text, " x systolic-128-7nm (fp32), "));
    if (small.micro_batches > 1)
        ck_assert_ptr_nonnull(strstr(run.placement_text, arena_printf(arena, ", %d micro-batches of %d",
                                                                      small.micro_batches, 8 / small.micro_batches)));
    arena_free(arena);
}
END_TEST

START_TEST(cells_that_are_not_written)
{
    struct run_cells cells = {.cells = 100, .pulses = 3, .endurance = 1e6};
    struct run run = {.steps = 84240};
    ck_assert(run_writes_per_cell(&cells) == 0 && isinf(run_lifetime(&cells, run_writes_per_cell(&cells))));
    cells.pulses = 1; /* the published count: a run of 84,240 steps in cells that survive 1e6 writes */
    ck_assert_double_eq_tol(run_lifetime(&cells, run_full_writes_per_cell(&run, &cells)), 11.87, 0.01);
}
END_TEST

/* Policies that test losses, without losses: full, trial and low phases where the earliest switch puts them. */
START_TEST(assumed_switch)
{
    struct dice d = dice(4100 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    int is_hpt = _i % 2, k = 2 + (int)below(&d, 5), windows = is_hpt ? 5 : 4;
    small.steps = windows * k + (is_hpt ? 3 : 2000); /* safe: enough to pay for the trial */
    small.gpu_flop_per_s = is_hpt ? 0 : 1e6;
    small.mode_switch = arena_printf(arena, "{policy: %s, window_steps: %d}", is_hpt ? "hpt" : "safe", k);
    struct run run = run_small(arena, &small);
    static const char *const names[] = {"full", "trial", "low"};
    const int64_t last[] = {(windows - 1) * k, windows * k, small.steps};
    ck_assert_int_eq(run.n_phases, 3);
    for (int p = 0; p < 3; p++) {
        ck_assert_str_eq(run.phase[p].name, names[p]);
        ck_assert_int_eq(run.phase[p].last_step, last[p]);
    }
    ck_assert_int_eq(run_switch_step(&run), windows * k);
    check_cells(&run, 2);
    /* both arms are paid for in a trial, and stand-by power once */
    double full_j = joules(run.mode[0].energy_fj), low_j = joules(run.mode[1].energy_fj);
    double trial_j = joules(run.phase[1].energy_fj - run.handover.energy_fj / 2);
    ck_assert(trial_j > k * (full_j > low_j ? full_j : low_j) && trial_j < (k + 1) * (full_j + low_j));
    for (int i = 1; i < run.n_steps; i++)
        ck_assert_uint_ge(run.step[i].time_ps, run.step[i - 1].time_ps);
    arena_free(arena);
}
END_TEST

/* Policy safe on GPUs that are faster than the low mode: the pay-off test needs no losses, and fails. Placement auto
 * then takes the GPUs alone, which is the same. */
START_TEST(assumed_switch_that_does_not_pay)
{
    struct dice d = dice(4150 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    small.steps = 17;
    small.array_rows = 1;
    small.mode_switch = "{policy: safe, window_steps: 4}";
    struct run run = run_small(arena, &small);
    ck_assert_int_eq(run_switch_step(&run), -1);
    ck_assert(run.n_phases == 1 && run.phase[0].last_step == 17 && run.handover.n == 0);
    ck_assert_int_eq(run.mode_switch.n_records, 1);
    ck_assert_str_eq(run.mode_switch.record[0].reason, "a switch does not pay off any more");
    small.policy = "auto";
    struct run chosen = run_small(arena, &small);
    ck_assert_str_eq(chosen.choice.chosen, "gpu-only");
    ck_assert_int_eq(chosen.choice.switch_step, -1);
    ck_assert(chosen.choice.candidate[1].time_ps == run.end_ps && chosen.end_ps == run.end_ps);
    arena_free(arena);
}
END_TEST

/* Without the leave to assume, such a run is refused as before. */
START_TEST(no_switch_without_losses)
{
    struct dice d = dice(4200);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    struct job job;
    struct fault fault = FAULT_NONE;
    struct comm *comm = comm_alone();
    struct training training;
    struct training_result result;
    struct training_options options = {.timing_only = 1, .quiet = 1};
    small.mode_switch = "{policy: hpt, window_steps: 2}";
    read_job(arena, &small, &job);
    ck_assert_int_eq(choose_open(comm, &job, 1, arena, &training, &fault), STATUS_OK);
    ck_assert_int_eq(training_run(&training, &options, &result, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "no losses to test"));
    training_close(&training);
    comm_close(comm, 0);
    arena_free(arena);
}
END_TEST

/* Beside slow systolic devices GPUs keep the run, slow GPUs hand it over; the prices are those of the runs themselves.
 */
START_TEST(auto_takes_the_least)
{
    static const char *const objectives[] = {"time", "energy", "product"};
    struct dice d = dice(4300 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    int is_slow = _i >= 3;
    small.gpu_flop_per_s = is_slow ? 1e7 : 0;
    small.array_rows = is_slow ? 0 : 1;
    small.systolic = small.reram = 1;
    small.micro_batches = 1;
    small.policy = "auto";
    small.objective = objectives[_i % 3];
    struct run run = run_small(arena, &small);
    const struct run_choice *choice = &run.choice;
    ck_assert_int_eq(choice->n_candidates, 2);
    ck_assert_str_eq(choice->objective, small.objective);
    ck_assert_str_eq(choice->chosen, is_slow ? "hpt" : "gpu-only");
    ck_assert_int_eq(choice->switch_step, 5);
    ck_assert_int_eq(strncmp(run.placement_text, choice->chosen, strlen(choice->chosen)), 0);
    for (int c = 0; c < 2; c++) {
        const struct run_candidate *candidate = &choice->candidate[c];
        ck_assert_ptr_null(candidate->problem);
        ck_assert(run_worth(candidate, small.objective) >= run_worth(&choice->candidate[is_slow], small.objective));
        if (c == is_slow)
            ck_assert(candidate->time_ps == run.end_ps && candidate->energy_j == run_energy_j(&run));
    }
    ck_assert_int_eq(run.n_modes, is_slow ? 2 : 0);
    small.policy = "hpt";
    struct run hpt = run_small(arena, &small);
    ck_assert_uint_eq(hpt.end_ps, choice->candidate[1].time_ps);
    ck_assert(run_energy_j(&hpt) == choice->candidate[1].energy_j && hpt.choice.objective == NULL);
    arena_free(arena);
}
END_TEST

/* A width that is left to the switch is priced as the widest that it may choose: the run of a job that says so. */
START_TEST(auto_prices_the_widest_adapters)
{
    struct dice d = dice(4500 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    small.policy = "auto";
    small.mode_switch = "{policy: safe, window_steps: 2}";
    small.steps = 2000; /* enough to pay for the trial */
    small.gpu_flop_per_s = 1e6;
    small.adapter_width = "auto";
    struct run run = run_small(arena, &small);
    int64_t width = run.choice.adapter_width;
    ck_assert(width >= 8 && width <= 32 && run.choice.switch_step > 0);
    small.adapter_width = arena_printf(arena, "%d", (int)width);
    struct run given = run_small(arena, &small);
    ck_assert_int_eq(given.choice.adapter_width, 0);
    ck_assert_int_eq(given.choice.switch_step, run.choice.switch_step);
    for (int c = 0; c < 2; c++) {
        ck_assert(run.choice.candidate[c].problem == NULL && given.choice.candidate[c].problem == NULL);
        ck_assert_uint_eq(run.choice.candidate[c].time_ps, given.choice.candidate[c].time_ps);
        ck_assert(run.choice.candidate[c].energy_j == given.choice.candidate[c].energy_j);
    }
    arena_free(arena);
}
END_TEST

/* Devices that gpu-only leaves without work only stand by. */
START_TEST(auto_counts_idle_devices)
{
    struct dice d = dice(4400);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    small.policy = "auto";
    small.array_rows = 1;
    struct run run = run_small(arena, &small);
    ck_assert_str_eq(run.choice.chosen, "gpu-only");
    for (int i = 0; i < run.n_devices; i++) {
        int is_gpu = i < small.gpus;
        ck_assert((run.device[i].memory_bytes > 0) == is_gpu);
        ck_assert((run.device[i].ledger.idle_ps == run.end_ps) == !is_gpu);
        ck_assert(is_gpu || run.device[i].ledger.idle_energy_fj > 0);
    }
    arena_free(arena);
}
END_TEST

START_TEST(auto_without_hpt)
{
    static const struct {
        int reram, systolic, minibatch;
        const char *mode_switch, *problem;
    } cases[] = {{0, 0, 8, "{policy: always}", "reram"},
                 {1, 0, 8, "{policy: always}", "systolic"},
                 {1, 1, 8, "{policy: never}", "train.switch.policy is never"},
                 {1, 1, 6, "{policy: always}", "micro_batches"},
                 {1, 1, 8, "{policy: at, at_step: 1000}", "at_step"}};
    struct dice d = dice(4500);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    small.policy = "auto";
    small.micro_batches = 4;
    small.gpu_flop_per_s = 1e7; /* hpt would win */
    small.reram = cases[_i].reram, small.systolic = cases[_i].systolic, small.minibatch = cases[_i].minibatch;
    small.mode_switch = cases[_i].mode_switch;
    struct run run = run_small(arena, &small);
    ck_assert_str_eq(run.choice.chosen, "gpu-only");
    ck_assert_int_eq(run.choice.switch_step, -1);
    ck_assert_msg(run.choice.candidate[1].problem && strstr(run.choice.candidate[1].problem, cases[_i].problem), "%s",
                  run.choice.candidate[1].problem);
    ck_assert_int_eq(run.n_phases, 0);
    arena_free(arena);
}
END_TEST

START_TEST(auto_without_any)
{
    struct dice d = dice(4600);
    struct arena *arena = arena_new();
    struct small_job small = random_job(&d);
    struct job job;
    struct fault fault;
    small.policy = "auto";
    small.gpus = 2, small.minibatch = 1, small.micro_batches = 1;
    read_job(arena, &small, &job);
    run_job(arena, &job, &fault);
    ck_assert_int_eq(fault.status, STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "train.minibatch: expected at least 2"));
    ck_assert_ptr_null(job.placement.chosen);
    arena_free(arena);
}
END_TEST

Suite *suite_placement(void)
{
    Suite *suite = suite_create("placement");
    TCase *tcase = tcase_create("placement");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, modes_and_cells, 0, 10);
    tcase_add_test(tcase, cells_that_are_not_written);
    tcase_add_loop_test(tcase, assumed_switch, 0, 8);
    tcase_add_loop_test(tcase, assumed_switch_that_does_not_pay, 0, 4);
    tcase_add_test(tcase, no_switch_without_losses);
    tcase_add_loop_test(tcase, auto_takes_the_least, 0, 6);
    tcase_add_loop_test(tcase, auto_prices_the_widest_adapters, 0, 4);
    tcase_add_test(tcase, auto_counts_idle_devices);
    tcase_add_loop_test(tcase, auto_without_hpt, 0, 5);
    tcase_add_test(tcase, auto_without_any);
    suite_add_tcase(suite, tcase);
    return suite;
}
