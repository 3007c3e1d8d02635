/* train_fault.c - what a training run does about faults of the emulated hardware (docs/reliability.md).
 *
 * Faults that strike after the same step are recovered from at once: one plan for what is left.
 */
#include <string.h>

#include "base/unit.h"
#include "scheduler/train_private.h"

enum recovery {
    RECOVERY_REPLAN,  /* another plan is enough */
    RECOVERY_WITHOUT, /* the same, without a low-parameter mode: it had not begun, or its trial is given up */
    RECOVERY_TRIAL,   /* the trial begins anew */
    RECOVERY_REPAIR,  /* the lost matrices are programmed into other devices */
    RECOVERY_UNDO,    /* handed over anew from the weights that the GPUs have kept */
    RECOVERY_RETURN,  /* adapters are merged, full mode to the end */
    RECOVERY_KEPT     /* full mode to the end from the weights that the GPUs have kept */
};

struct striking {
    struct course *course;
    struct due *due;        /* [n] those that strike now */
    struct run_fault *told; /* [n] */
    int n;
    struct next_plan next;
    struct replan replan; /* to the next plan */
    const char *reason;
    enum recovery recovery;
};

static int fails(const struct striking *striking, int k)
{
    return strcmp(striking->told[k].kind, "fails") == 0;
}

static int count_left(const struct training *training, const char *kind)
{
    int n = 0;
    for (int d = 0; d < training->machine.n_devices; d++)
        n += !training->machine.lost[d] && strcmp(training->machine.specs[d].kind, kind) == 0;
    return n;
}

static enum status end_of_run(const struct striking *striking, const char *why, struct fault *fault)
{
    const struct run_fault *told = &striking->told[striking->n - 1];
    char time[64];
    return fault_set(fault, STATUS_DEVICE, "%s %s (virtual time %s, after step %lld), and the run cannot go on: %s",
                     told->device, fails(striking, striking->n - 1) ? "failed" : told->kind,
                     unit_show_ps(time, sizeof time, told->time_ps), (long long)told->step, why);
}

/* Is a device lost that the low-parameter mode of the plan uses? */
static int breaks_low(const struct striking *striking, int k)
{
    const struct plan *plan = &striking->course->training->plan;
    return fails(striking, k) && plan->programs[PROGRAM_LOW][striking->due[k].device].n_instrs > 0;
}

static int holds_matrices(const struct striking *striking, int k)
{
    return striking->course->training->machine.backends[striking->due[k].device]->units_needed != NULL;
}

static int any_breaks(const struct striking *striking, int that_trains)
{
    for (int k = 0; k < striking->n; k++)
        if (breaks_low(striking, k) && !(that_trains && holds_matrices(striking, k)))
            return 1;
    return 0;
}

/* When there can be a low-parameter mode without what is lost. */
static enum recovery with_low(const struct striking *striking)
{
    enum switch_state mode = course_mode(striking->course);
    if (!any_breaks(striking, 0) || mode == SWITCH_FULL)
        return RECOVERY_REPLAN;
    if (mode == SWITCH_TRIAL)
        return RECOVERY_TRIAL;
    if (any_breaks(striking, 1))
        return RECOVERY_UNDO;
    if (!replan_keeps_training(striking->course->training, &striking->next))
        bug("the loss of a device that trains nothing changes what is trained");
    return RECOVERY_REPAIR;
}

static enum recovery without_low(const struct striking *striking)
{
    if (course_mode(striking->course) != SWITCH_LOW)
        return RECOVERY_WITHOUT;
    return any_breaks(striking, 1) ? RECOVERY_KEPT : RECOVERY_RETURN;
}

/* Why there is no low-parameter mode any more. */
static const char *explain(const struct training *training, const struct fault *problem)
{
    static const char *const needed[] = {"reram", "systolic"};
    for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
        if (count_left(training, needed[k]) == 0)
            return arena_printf(training->arena, "no device of kind %s is left", needed[k]);
    return arena_string(training->arena, problem->text);
}

/* Chooses the plan of then and the way to it. */
static enum status decide(struct striking *striking, struct fault *fault)
{
    struct training *training = striking->course->training;
    enum switch_state mode = course_mode(striking->course);
    struct fault problem = FAULT_NONE;
    int has_low = training->matrices != NULL;
    /* Matrices of a trial's copy that is lost in part are of no use: the other arm has gone on. */
    struct replan *replan = &striking->replan;
    replan->n_struck = replan->n_cells_struck = striking->course->n_struck;
    replan->adapter_width = training->adapter_width;
    replan->kept_cells = has_low && (mode == SWITCH_LOW || (mode == SWITCH_TRIAL && !any_breaks(striking, 0)));
    replan->without_low = !has_low;
    enum status status = replan_build(striking->course, replan, &striking->next, &problem);
    if (status == STATUS_OK) {
        striking->recovery = with_low(striking);
        replan->kept_cells &= striking->recovery == RECOVERY_REPLAN || striking->recovery == RECOVERY_REPAIR;
        return STATUS_OK;
    }
    if (!has_low)
        return end_of_run(striking, problem.text, fault);
    striking->reason = explain(training, &problem);
    replan->without_low = 1;
    replan->kept_cells = 0;
    problem = FAULT_NONE;
    if (replan_build(striking->course, replan, &striking->next, &problem) != STATUS_OK)
        return end_of_run(striking, problem.text, fault);
    striking->recovery = without_low(striking);
    return STATUS_OK;
}

/* What was lost, for the controller. */
static void tell_controller(const struct striking *striking)
{
    static const int losses[] = {[RECOVERY_REPLAN] = -1,
                                 [RECOVERY_WITHOUT] = SWITCH_LOSES_LOW,
                                 [RECOVERY_TRIAL] = SWITCH_LOSES_COPY,
                                 [RECOVERY_REPAIR] = -1,
                                 [RECOVERY_UNDO] = SWITCH_LOSES_STEPS,
                                 [RECOVERY_RETURN] = SWITCH_LOSES_LOW,
                                 [RECOVERY_KEPT] = SWITCH_LOSES_LOW};
    modes_disturb(striking->course, losses[striking->recovery],
                  striking->replan.without_low ? "a device failed, and without it there is no low mode"
                                               : "a device failed");
}

static const char *action_of_loss(const struct striking *striking, int k)
{
    const struct plan *plan = &striking->course->training->plan;
    int trains = plan->programs[PROGRAM_TRAIN][striking->due[k].device].n_instrs > 0;
    if (trains)
        return course_mode(striking->course) == SWITCH_LOW ? "the others have its weights"
                                                           : "its samples go to the others";
    if (!breaks_low(striking, k))
        return "nothing: it had no work";
    switch (striking->recovery) {
    case RECOVERY_REPLAN:
        return "a low mode will do without it";
    case RECOVERY_WITHOUT:
        return "full mode to the end";
    case RECOVERY_TRIAL:
        return "the trial begins anew";
    case RECOVERY_REPAIR:
        return "its matrices go to the others";
    case RECOVERY_UNDO:
        return "handed over anew, low training is lost";
    case RECOVERY_RETURN:
        return "merged, full mode to the end";
    default:
        return "full mode to the end, low training is lost";
    }
}

static void tell(struct striking *striking)
{
    const struct course *course = striking->course;
    int undoes = striking->recovery == RECOVERY_UNDO || striking->recovery == RECOVERY_KEPT;
    for (int k = 0; k < striking->n; k++) {
        struct run_fault *told = &striking->told[k];
        told->reason = striking->reason && breaks_low(striking, k) ? striking->reason : "";
        told->action = fails(striking, k)                         ? action_of_loss(striking, k)
                       : strcmp(told->kind, "columns-stick") == 0 ? "goes on with what still conducts"
                                                                  : "goes on, slower";
        if (undoes && breaks_low(striking, k) && !holds_matrices(striking, k))
            told->steps_undone = course->step - course->low_since;
    }
}

static uint64_t cells_of(const struct plan *plan, int program)
{
    uint64_t cells = 0;
    for (int d = 0; d < plan->n_devices; d++)
        for (int i = 0; i < plan->programs[program][d].n_instrs; i++)
            cells += plan->programs[program][d].instrs[i].cost.cell_writes;
    return cells;
}

/* The loss of a device takes its time to be noticed; the others idle until then. */
static void notice(struct striking *striking)
{
    struct course *course = striking->course;
    const struct machine *machine = &course->training->machine;
    uint64_t wait_ps = (uint64_t)(course->training->job->train.recovery_s * 1e12 + 0.5);
    int any_fails = 0;
    for (int k = 0; k < striking->n; k++)
        any_fails |= fails(striking, k);
    if (!any_fails || wait_ps == 0)
        return;
    course->now_ps += wait_ps;
    executor_wait(course->executor, machine->lost, course->now_ps);
}

static int loses_gpu(const struct striking *striking)
{
    const struct plan *plan = &striking->course->training->plan;
    for (int k = 0; k < striking->n; k++)
        if (fails(striking, k) && plan->programs[PROGRAM_TRAIN][striking->due[k].device].n_instrs > 0)
            return 1;
    return 0;
}

/* The adapters are brought back to the GPUs that are left. Where one of those that the plan brings them to is lost too,
 * another plan stands in between: without that one, but with the crossbars, which take no part in it. */
static enum status bring_back(struct striking *striking, struct fault *fault)
{
    struct course *course = striking->course;
    enum status status = STATUS_OK;
    if (loses_gpu(striking)) {
        struct replan between = {.n_struck = course->n_struck,
                                 .n_cells_struck = course->n_struck - striking->n,
                                 .kept_cells = 1,
                                 .adapter_width = course->training->adapter_width};
        struct next_plan next;
        status = replan_build(course, &between, &next, fault);
        if (status == STATUS_OK && !replan_keeps_training(course->training, &next))
            bug("the loss of a GPU changes what is trained in the low-parameter mode");
        if (status == STATUS_OK)
            status = replan_begin(course, &between, &next, fault);
    }
    return status == STATUS_OK ? modes_carry(course, PROGRAM_RETURN, fault) : status;
}

/* What the old plan has to bring home, the new plan, what it has to bring out. */
static enum status recover(struct striking *striking, struct fault *fault)
{
    struct course *course = striking->course;
    enum recovery recovery = striking->recovery;
    enum status status = STATUS_OK;
    int program = recovery == RECOVERY_REPAIR ? PROGRAM_REPAIR : PROGRAM_HANDOVER;
    int brings_out = recovery == RECOVERY_REPAIR || recovery == RECOVERY_TRIAL || recovery == RECOVERY_UNDO;
    if (recovery == RECOVERY_RETURN)
        status = bring_back(striking, fault);
    if (status == STATUS_OK)
        status = replan_begin(course, &striking->replan, &striking->next, fault);
    if (status != STATUS_OK || !brings_out)
        return status;
    striking->told->recovery_cells = cells_of(&course->training->plan, program);
    return modes_carry(course, program, fault);
}

/* Marks what is due now. */
static struct striking gather_due(struct course *course)
{
    struct run *run = &course->result->run;
    struct striking striking = {
        .course = course, .due = &course->due[course->n_struck], .told = &run->fault[course->n_struck]};
    while (course->n_struck < course->n_due && course->due[course->n_struck].at_ps <= course->now_ps) {
        struct due *due = &course->due[course->n_struck++];
        faults_mark(course->training, due);
        striking.told[striking.n].time_ps = course->now_ps;
        striking.told[striking.n++].step = course->step;
    }
    run->n_faults = course->n_struck;
    return striking;
}

static enum status strike(struct course *course, struct fault *fault)
{
    struct striking striking = gather_due(course);
    uint64_t begin_ps = course->struck_ps = course->now_ps;
    wide_uint begin_fj = course_energy_fj(course);
    if (count_left(course->training, machine_leading_kind(&course->training->machine)) == 0)
        return end_of_run(&striking, "nothing else holds the weights of the whole model", fault);
    enum status status = decide(&striking, fault);
    if (status != STATUS_OK)
        return status;
    tell(&striking);
    tell_controller(&striking);
    notice(&striking);
    status = recover(&striking, fault);
    striking.told->recovery_ps = course->now_ps - begin_ps;
    striking.told->recovery_fj = course_energy_fj(course) - begin_fj;
    return status == STATUS_OK ? course_check_size(course, fault) : status;
}

enum status faults_strike(struct course *course, struct fault *fault)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && course->n_struck < course->n_due &&
           course->due[course->n_struck].at_ps <= course->now_ps)
        status = strike(course, fault);
    return status;
}
