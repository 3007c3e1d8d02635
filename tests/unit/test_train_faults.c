/* test_train_faults.c - emulated faults in training: the recovery keeps what it says it keeps, clocks and ledgers lose
 * nothing, and a run without tensors tells the same. Random small HpT jobs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpt_job.h"

Suite *suite_train_faults(void);

enum { STEPS = 9 };

/* A job whose machine has at least two of each kind, low mode after some step, a trial before that in some. */
static void open_job(struct hpt_job *hpt, struct dice *d, int at_step)
{
    static char set[7][64];
    const char *texts[] = {set[0], set[1], set[2], set[3], set[4], set[5], set[6]};
    snprintf(set[0], sizeof *set, "train.steps=%d", STEPS);
    snprintf(set[1], sizeof *set, "cluster.devices[0].count=%d", 2 + (int)below(d, 2));
    snprintf(set[2], sizeof *set, "cluster.devices[1].count=%d", 2 + (int)below(d, 2));
    snprintf(set[3], sizeof *set, "cluster.devices[2].count=%d", 2 + (int)below(d, 2));
    snprintf(set[4], sizeof *set, "cluster.devices[1].fidelity=%s", below(d, 2) ? "ideal" : "quantized");
    snprintf(set[5], sizeof *set, "train.adapter.init=%s", below(d, 3) ? "zero" : "svd");
    snprintf(set[6], sizeof *set, "train.adapter.width=%d", 1 + (int)below(d, 4));
    const char *more = at_step > 2 && below(d, 2) ? "  switch: {policy: at, at_step: %d, trial_steps: 2}\n"
                                                  : "  switch: {policy: at, at_step: %d}\n";
    char text[96];
    snprintf(text, sizeof text, more, at_step);
    hpt_open_with(hpt, d, text, texts, 7);
}

/* The same job once more, from the start; faults may have been put into it. */
static struct training_result run_again(struct hpt_job *hpt, int timing_only)
{
    struct fault fault = FAULT_NONE;
    struct training_options options = {.timing_only = timing_only, .quiet = 1};
    struct training_result result;
    struct training *training = &hpt->training;
    training_close(training);
    enum status status = training_open(hpt->comm, &hpt->job, timing_only, hpt->arena, training, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
    status = training_run(training, &options, &result, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
    return result;
}

static void put_fault(struct hpt_job *hpt, const char *device, const char *kind, double factor, uint64_t at_ps)
{
    hpt->job.fault[hpt->job.n_faults++] =
        (struct job_fault){.device = device, .kind = kind, .factor = factor, .at_s = (double)at_ps * 1e-12};
}

static const char *random_device(struct hpt_job *hpt, struct dice *d, const char *kind)
{
    const struct machine *machine = &hpt->training.machine;
    int i;
    do
        i = (int)below(d, (uint64_t)machine->n_devices);
    while (kind && strcmp(machine->specs[i].kind, kind) != 0);
    return machine->specs[i].name;
}

/* All that devices did stands in some phase: nothing is lost at a change of plans, nothing counted twice. */
static void check_sums(const struct run *run)
{
    wide_uint phases = 0, devices = 0;
    uint64_t time_ps = 0, matrix_writes = 0, cell_writes = 0;
    for (int m = 0; m < run->n_matrices; m++)
        matrix_writes += run->matrix[m].cell_writes;
    for (int c = 0; c < run->n_cells; c++)
        cell_writes += run->cells[c].cell_writes;
    ck_assert_uint_eq(matrix_writes, cell_writes);
    for (int p = 0; p < run->n_phases; p++) {
        phases += run->phase[p].energy_fj;
        time_ps += run->phase[p].time_ps;
    }
    for (int k = 0; k < run->n_devices; k++) {
        ledger_validate(&run->device[k].ledger);
        devices += ledger_energy_fj(&run->device[k].ledger);
    }
    ck_assert(phases == devices);
    ck_assert_uint_eq(time_ps, run->end_ps);
}

/* Failed devices are off since their failure, the others never. */
static void check_off(const struct hpt_job *hpt, const struct run *run)
{
    const struct machine *machine = &hpt->training.machine;
    for (int d = 0; d < run->n_devices; d++) {
        const struct ledger *ledger = &run->device[d].ledger;
        uint64_t off_ps = 0;
        for (int i = 0; i < run->n_faults; i++)
            if (strcmp(run->fault[i].kind, "fails") == 0 && strcmp(run->fault[i].device, run->device[d].name) == 0)
                off_ps = run->end_ps - run->fault[i].time_ps;
        ck_assert_uint_eq(ledger->off_ps, off_ps);
        ck_assert(ledger->idle_energy_fj ==
                  (wide_uint)ledger->idle_ps *
                      device_idle_power_mw(machine->backends[d], machine->states[d], &machine->specs[d]));
    }
}

static void check_equal_in_time(const struct run *a, const struct run *b)
{
    ck_assert_int_eq(a->n_steps, b->n_steps);
    for (int i = 0; i < a->n_steps; i++) {
        ck_assert_uint_eq(a->step[i].time_ps, b->step[i].time_ps);
        ck_assert(a->step[i].energy_j == b->step[i].energy_j);
    }
    ck_assert_uint_eq(a->end_ps, b->end_ps);
    for (int k = 0; k < a->n_devices; k++) {
        const struct ledger *one = &a->device[k].ledger, *other = &b->device[k].ledger;
        ck_assert(ledger_energy_fj(one) == ledger_energy_fj(other));
        ck_assert_mem_eq(one->compute_ps, other->compute_ps, sizeof one->compute_ps);
        ck_assert_mem_eq(one->wait_ps, other->wait_ps, sizeof one->wait_ps);
        ck_assert_uint_eq(one->idle_ps, other->idle_ps);
        ck_assert_uint_eq(one->off_ps, other->off_ps);
    }
    ck_assert_int_eq(a->n_faults, b->n_faults);
    for (int i = 0; i < a->n_faults; i++) {
        ck_assert_int_eq(a->fault[i].step, b->fault[i].step);
        ck_assert_uint_eq(a->fault[i].time_ps, b->fault[i].time_ps);
        ck_assert_uint_eq(a->fault[i].recovery_ps, b->fault[i].recovery_ps);
        ck_assert(a->fault[i].recovery_fj == b->fault[i].recovery_fj);
        ck_assert_str_eq(a->fault[i].action, b->fault[i].action);
    }
}

/* Frozen matrices come back as they were, adapters and their optimiser go on: no loss is another one. */
START_TEST(a_lost_reram_device_changes_no_loss_in_low_mode)
{
    struct dice d = dice(41000 + (uint32_t)_i);
    struct hpt_job hpt;
    int at_step = (int)below(&d, 4);
    open_job(&hpt, &d, at_step);
    struct training_result whole = run_again(&hpt, 0);
    const struct run_step *step = whole.run.step;
    int strikes = at_step + 1 + (int)below(&d, 4);
    put_fault(&hpt, random_device(&hpt, &d, "reram"), "fails", JOB_UNSET, step[strikes - 1].time_ps);
    struct training_result result = run_again(&hpt, 0);
    const struct run *run = &result.run;
    ck_assert_int_eq(run->n_faults, 1);
    ck_assert_int_eq(run->fault[0].step, strikes);
    for (int i = 0; i < STEPS; i++)
        ck_assert_msg(run->step[i].loss == step[i].loss, "step %d: %g without and %g with a fault", i + 1, step[i].loss,
                      run->step[i].loss);
    ck_assert(run->evaluation[0].loss == whole.run.evaluation[0].loss);
    if (strcmp(run->fault[0].action, "its matrices go to the others") == 0) {
        ck_assert_uint_gt(run->fault[0].recovery_ps, 0);
        ck_assert_uint_gt(run->fault[0].recovery_cells, 0);
    }
    check_sums(run);
    hpt_close(&hpt);
}
END_TEST

START_TEST(any_faults_lose_nothing_and_tell_the_same_without_tensors)
{
    static const char *const kinds[] = {"fails", "fails", "degrades", "link-slows", "columns-stick"};
    struct dice d = dice(42000 + (uint32_t)_i);
    struct hpt_job hpt;
    open_job(&hpt, &d, (int)below(&d, 6));
    struct training_result whole = run_again(&hpt, 1);
    check_sums(&whole.run);
    uint64_t end_ps = whole.run.step[STEPS - 1].time_ps;
    int ideal = strcmp(hpt.job.cluster.device[1].fidelity, "ideal") == 0;
    const char *lost[4];
    int n_lost = 0, n_gpus = 0, n = 1 + (int)below(&d, 4);
    for (int i = 0; i < n; i++) {
        const char *kind = kinds[below(&d, 5)];
        int sticks = strcmp(kind, "columns-stick") == 0, fails = strcmp(kind, "fails") == 0, skip = sticks && ideal;
        const char *device = random_device(&hpt, &d, sticks ? "reram" : NULL);
        for (int k = 0; k < n_lost; k++)
            skip |= strcmp(lost[k], device) == 0;
        skip |= fails && strncmp(device, "gpu", 3) == 0 && n_gpus++ > 0;
        if (skip)
            continue;
        if (fails)
            lost[n_lost++] = device;
        put_fault(&hpt, device, kind, fails ? JOB_UNSET : 0.05 + 0.9 * (double)below(&d, 100) / 100,
                  fails ? end_ps / 2 + below(&d, end_ps / 2) : below(&d, end_ps / 2));
    }
    struct training_result functional = run_again(&hpt, 0), timing = run_again(&hpt, 1);
    check_sums(&functional.run);
    check_off(&hpt, &functional.run);
    check_equal_in_time(&functional.run, &timing.run);
    for (int i = 0; i < STEPS; i++)
        ck_assert(isfinite(functional.run.step[i].loss));
    hpt_close(&hpt);
}
END_TEST

static const struct ledger *ledger_of(const struct run *run, const char *device)
{
    for (int d = 0; d < run->n_devices; d++)
        if (strcmp(run->device[d].name, device) == 0)
            return &run->device[d].ledger;
    ck_abort_msg("no device %s", device);
    return NULL;
}

static void put_end_of_crossbars(struct hpt_job *hpt, uint64_t at_ps)
{
    const struct machine *machine = &hpt->training.machine;
    for (int d = 0; d < machine->n_devices; d++)
        if (strcmp(machine->specs[d].kind, "reram") == 0)
            put_fault(hpt, machine->specs[d].name, "fails", JOB_UNSET, at_ps);
}

/* A GPU that is lost with the last crossbars does nothing more: what is trained is brought back to the others, as if it
 * had been lost before. */
START_TEST(a_gpu_lost_with_the_crossbars_takes_no_part_in_the_way_back)
{
    struct dice d = dice(46000 + (uint32_t)_i);
    struct hpt_job hpt;
    int at_step = (int)below(&d, 4), strikes = at_step + 2 + (int)below(&d, 3);
    open_job(&hpt, &d, at_step);
    struct training_result whole = run_again(&hpt, 1);
    uint64_t at_ps = whole.run.step[strikes - 1].time_ps, before_ps = whole.run.step[strikes - 2].time_ps;
    const char *gpu = random_device(&hpt, &d, "gpu");
    int crossbars_first = (int)below(&d, 2);
    if (crossbars_first)
        put_end_of_crossbars(&hpt, at_ps);
    put_fault(&hpt, gpu, "fails", JOB_UNSET, at_ps);
    struct training_result alone = {.wall_s = 0};
    if (!crossbars_first) { /* until its loss it does the same */
        alone = run_again(&hpt, 1);
        put_end_of_crossbars(&hpt, at_ps);
    }
    struct training_result functional = run_again(&hpt, 0), timing = run_again(&hpt, 1);
    const struct ledger *ledger = ledger_of(&functional.run, gpu);
    if (!crossbars_first) {
        const struct ledger *other = ledger_of(&alone.run, gpu);
        ck_assert(ledger_energy_fj(ledger) == ledger_energy_fj(other));
        ck_assert_mem_eq(ledger->compute_ps, other->compute_ps, sizeof ledger->compute_ps);
        ck_assert_mem_eq(ledger->wait_ps, other->wait_ps, sizeof ledger->wait_ps);
        ck_assert_uint_eq(ledger->idle_ps, other->idle_ps);
    }
    check_sums(&functional.run);
    check_off(&hpt, &functional.run);
    check_equal_in_time(&functional.run, &timing.run);
    ck_assert_int_eq(functional.run.way_back.n, 1);
    ck_assert_uint_gt(functional.run.way_back.time_ps, 0);
    hpt.job.n_faults = 0;
    put_fault(&hpt, gpu, "fails", JOB_UNSET, before_ps);
    put_end_of_crossbars(&hpt, at_ps);
    struct training_result before = run_again(&hpt, 0);
    ck_assert_int_eq(before.run.fault[0].step, strikes - 1);
    for (int i = 0; i < STEPS; i++)
        ck_assert(functional.run.step[i].loss == before.run.step[i].loss);
    ck_assert(functional.run.evaluation[0].loss == before.run.evaluation[0].loss);
    hpt_close(&hpt);
}
END_TEST

/* Until the loss is noticed the others wait: the recovery is longer by that time, and takes their stand-by energy. */
START_TEST(a_loss_takes_its_time_to_be_noticed)
{
    struct dice d = dice(45000 + (uint32_t)_i);
    struct hpt_job hpt;
    open_job(&hpt, &d, (int)below(&d, 6));
    struct training_result whole = run_again(&hpt, 1);
    int strikes = 1 + (int)below(&d, STEPS - 2);
    uint64_t wait_ps = 1000000 * (1 + below(&d, 5000));
    put_fault(&hpt, random_device(&hpt, &d, NULL), "fails", JOB_UNSET, whole.run.step[strikes - 1].time_ps);
    struct training_result at_once = run_again(&hpt, 1);
    hpt.job.train.recovery_s = (double)wait_ps * 1e-12;
    struct training_result later = run_again(&hpt, 1), functional = run_again(&hpt, 0);
    const struct machine *machine = &hpt.training.machine;
    uint64_t power_mw = 0;
    for (int k = 0; k < machine->n_devices; k++)
        if (!machine->lost[k])
            power_mw += device_idle_power_mw(machine->backends[k], machine->states[k], &machine->specs[k]);
    const struct run_fault *a = &at_once.run.fault[0], *b = &later.run.fault[0];
    ck_assert_uint_eq(a->time_ps, b->time_ps);
    ck_assert_uint_eq(b->recovery_ps, a->recovery_ps + wait_ps);
    ck_assert(b->recovery_fj == a->recovery_fj + (wide_uint)wait_ps * power_mw);
    for (int i = 0; i < STEPS; i++)
        ck_assert_uint_ge(later.run.step[i].time_ps, at_once.run.step[i].time_ps + (i < strikes ? 0 : wait_ps));
    check_sums(&later.run);
    check_off(&hpt, &later.run);
    check_equal_in_time(&functional.run, &later.run);
    hpt_close(&hpt);
}
END_TEST

START_TEST(the_last_gpu_ends_the_run)
{
    struct dice d = dice(43000 + (uint32_t)_i);
    struct hpt_job hpt;
    struct fault fault = FAULT_NONE;
    struct training_options options = {.timing_only = 1, .quiet = 1};
    struct training_result result;
    open_job(&hpt, &d, (int)below(&d, 6));
    for (int k = 0; k < hpt.training.machine.n_devices; k++)
        if (strcmp(hpt.training.machine.specs[k].kind, "gpu") == 0)
            put_fault(&hpt, hpt.training.machine.specs[k].name, "fails", JOB_UNSET, (uint64_t)k * 1000);
    training_close(&hpt.training);
    ck_assert(training_open(hpt.comm, &hpt.job, 1, hpt.arena, &hpt.training, &fault) == STATUS_OK);
    ck_assert_int_eq(training_run(&hpt.training, &options, &result, &fault), STATUS_DEVICE);
    ck_assert_ptr_nonnull(strstr(fault.text, "cannot go on"));
    hpt_close(&hpt);
}
END_TEST

/* What cannot be is refused before the run. */
START_TEST(faults_that_cannot_be_are_refused)
{
    static const struct {
        const char *first, *device, *kind, *text;
    } cases[] = {
        {NULL, "reram9", "fails", "expected a device of the machine"},
        {NULL, "gpu0", "columns-stick", "has no crossbars"},
        {"reram0", "reram0", "degrades", "which fails before"},
    };
    struct dice d = dice(44000);
    struct hpt_job hpt;
    struct fault fault = FAULT_NONE;
    open_job(&hpt, &d, 2);
    if (cases[_i].first)
        put_fault(&hpt, cases[_i].first, "fails", JOB_UNSET, 10);
    put_fault(&hpt, cases[_i].device, cases[_i].kind, 0.5, 1000);
    training_close(&hpt.training);
    ck_assert_int_eq(training_open(hpt.comm, &hpt.job, 1, hpt.arena, &hpt.training, &fault), STATUS_USAGE);
    ck_assert_msg(strstr(fault.text, cases[_i].text) != NULL, "%s", fault.text);
    hpt_close(&hpt);
}
END_TEST

Suite *suite_train_faults(void)
{
    Suite *suite = suite_create("train_faults");
    TCase *tcase = tcase_create("train_faults");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_lost_reram_device_changes_no_loss_in_low_mode, 0, 12);
    tcase_add_loop_test(tcase, any_faults_lose_nothing_and_tell_the_same_without_tensors, 0, 24);
    tcase_add_loop_test(tcase, a_gpu_lost_with_the_crossbars_takes_no_part_in_the_way_back, 0, 12);
    tcase_add_loop_test(tcase, a_loss_takes_its_time_to_be_noticed, 0, 12);
    tcase_add_loop_test(tcase, the_last_gpu_ends_the_run, 0, 3);
    tcase_add_loop_test(tcase, faults_that_cannot_be_are_refused, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
