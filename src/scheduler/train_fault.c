/* train_fault.c - what a training run does about a fault of the emulated hardware (docs/reliability.md). */
#include <string.h>

#include "base/unit.h"
#include "scheduler/train_private.h"

/* What is to be done about a loss. */
enum recovery {
    RECOVERY_REPLAN,  /* another plan is enough */
    RECOVERY_WITHOUT, /* the same, without a low-parameter mode: it had not begun, or its trial is given up */
    RECOVERY_TRIAL,   /* the trial begins anew */
    RECOVERY_REPAIR,  /* the lost matrices are programmed into other devices */
    RECOVERY_RENEW,   /* adapters are merged, everything is handed over anew */
    RECOVERY_UNDO,    /* handed over anew from the weights that the GPUs have kept */
    RECOVERY_RETURN,  /* adapters are merged, full mode to the end */
    RECOVERY_KEPT     /* full mode to the end from the weights that the GPUs have kept */
};

struct striking {
    struct course *course;
    struct due *due;
    struct run_fault *told;
    struct next_plan next;
    enum recovery recovery;
};

static int is_fatal(const struct training *training)
{
    const char *kind = machine_leading_kind(&training->machine);
    for (int d = 0; d < training->machine.n_devices; d++)
        if (!training->machine.lost[d] && strcmp(training->machine.specs[d].kind, kind) == 0)
            return 0;
    return 1;
}

static enum status end_of_run(const struct striking *striking, const char *why, struct fault *fault)
{
    char time[64];
    return fault_set(fault, STATUS_DEVICE, "%s failed (virtual time %s, after step %lld), and the run cannot go on: %s",
                     striking->told->device, unit_show_ps(time, sizeof time, striking->told->time_ps),
                     (long long)striking->told->step, why);
}

/* Is the device lost, and does the low-parameter mode of the plan use it? */
static int breaks_low(const struct striking *striking)
{
    const struct training *training = striking->course->training;
    int d = striking->due->device;
    return training->machine.lost[d] && training->plan.programs[PROGRAM_LOW][d].n_instrs > 0;
}

static int holds_matrices(const struct striking *striking)
{
    return striking->course->training->machine.backends[striking->due->device]->units_needed != NULL;
}

/* When a low-parameter mode can be without the device. */
static enum recovery with_low(const struct striking *striking)
{
    enum switch_state mode = course_mode(striking->course);
    if (!breaks_low(striking) || mode == SWITCH_FULL)
        return RECOVERY_REPLAN;
    if (mode == SWITCH_TRIAL)
        return RECOVERY_TRIAL;
    if (!holds_matrices(striking))
        return RECOVERY_UNDO;
    return replan_keeps_training(striking->course->training, &striking->next) ? RECOVERY_REPAIR : RECOVERY_RENEW;
}

static enum recovery without_low(const struct striking *striking)
{
    if (course_mode(striking->course) != SWITCH_LOW)
        return RECOVERY_WITHOUT;
    return holds_matrices(striking) ? RECOVERY_RETURN : RECOVERY_KEPT;
}

/* Chooses the plan of then and the way to it. */
static enum status decide(struct striking *striking, struct fault *fault)
{
    struct training *training = striking->course->training;
    enum switch_state mode = course_mode(striking->course);
    struct fault problem = FAULT_NONE;
    int has_low = training->matrices != NULL;
    /* Matrices of a trial's copy that is lost in part are of no use: the other arm has gone on. */
    striking->due->kept_cells = has_low && (mode == SWITCH_LOW || (mode == SWITCH_TRIAL && !breaks_low(striking)));
    striking->due->without_low = !has_low;
    enum status status = replan_build(training, !has_low, striking->due->kept_cells, &striking->next, &problem);
    if (status == STATUS_OK) {
        striking->recovery = with_low(striking);
        striking->due->kept_cells &= striking->recovery == RECOVERY_REPLAN || striking->recovery == RECOVERY_REPAIR;
        return STATUS_OK;
    }
    if (!has_low)
        return end_of_run(striking, problem.text, fault);
    striking->told->reason = arena_string(training->arena, problem.text);
    striking->due->without_low = 1;
    striking->due->kept_cells = 0;
    problem = FAULT_NONE;
    if (replan_build(training, 1, 0, &striking->next, &problem) != STATUS_OK)
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
                                 [RECOVERY_RENEW] = SWITCH_LOSES_STEPS,
                                 [RECOVERY_UNDO] = SWITCH_LOSES_STEPS,
                                 [RECOVERY_RETURN] = SWITCH_LOSES_LOW,
                                 [RECOVERY_KEPT] = SWITCH_LOSES_LOW};
    modes_disturb(striking->course, losses[striking->recovery],
                  striking->due->without_low ? "a device failed, and without it there is no low mode"
                                             : "a device failed");
}

static const char *action_of_loss(const struct striking *striking)
{
    const struct training *training = striking->course->training;
    int trains = training->plan.programs[PROGRAM_TRAIN][striking->due->device].n_instrs > 0;
    int works = trains || training->plan.programs[PROGRAM_LOW][striking->due->device].n_instrs > 0;
    int64_t undone = striking->course->step - striking->course->low_since;
    switch (striking->recovery) {
    case RECOVERY_REPLAN:
        return trains && course_mode(striking->course) == SWITCH_LOW ? "the others have its weights"
               : trains                                              ? "its samples go to the others"
               : works                                               ? "a low mode will do without it"
                                                                     : "nothing: it had no work";
    case RECOVERY_WITHOUT:
        return "full mode to the end";
    case RECOVERY_TRIAL:
        return "the trial begins anew";
    case RECOVERY_REPAIR:
        return "its matrices go to the others";
    case RECOVERY_RENEW:
        return "merged and handed over anew";
    case RECOVERY_UNDO:
        striking->told->steps_undone = undone;
        return "handed over anew, its training is lost";
    case RECOVERY_RETURN:
        return "merged, full mode to the end";
    default:
        striking->told->steps_undone = undone;
        return "full mode to the end, low training is lost";
    }
}

static const char *action_of(const struct striking *striking)
{
    const struct job_fault *told = &striking->course->training->job->fault[striking->due->number];
    if (striking->course->training->machine.lost[striking->due->device])
        return action_of_loss(striking);
    return strcmp(told->kind, "columns-stick") == 0 ? "goes on with what still conducts" : "goes on, slower";
}

static uint64_t cells_of(const struct plan *plan, int program)
{
    uint64_t cells = 0;
    for (int d = 0; d < plan->n_devices; d++)
        for (int i = 0; i < plan->programs[program][d].n_instrs; i++)
            cells += plan->programs[program][d].instrs[i].cost.cell_writes;
    return cells;
}

static int has_work(const struct plan *plan, int program)
{
    for (int d = 0; d < plan->n_devices; d++)
        if (plan->programs[program][d].n_instrs)
            return 1;
    return 0;
}

/* What the old plan has to bring home, the new plan, what it has to bring out. */
static enum status recover(struct striking *striking, struct fault *fault)
{
    struct course *course = striking->course;
    const struct plan *plan = &course->training->plan;
    enum recovery recovery = striking->recovery;
    enum status status = STATUS_OK;
    int program = recovery == RECOVERY_REPAIR ? PROGRAM_REPAIR : PROGRAM_HANDOVER;
    int hands_over = recovery == RECOVERY_TRIAL || recovery == RECOVERY_RENEW || recovery == RECOVERY_UNDO;
    if (recovery == RECOVERY_RENEW || recovery == RECOVERY_RETURN)
        status = modes_carry(course, PROGRAM_RETURN, fault);
    if (status == STATUS_OK)
        status = replan_begin(course, &striking->next, striking->due->kept_cells, fault);
    if (status != STATUS_OK || !(hands_over || (recovery == RECOVERY_REPAIR && has_work(plan, PROGRAM_REPAIR))))
        return status;
    striking->told->recovery_cells = cells_of(plan, program);
    return modes_carry(course, program, fault);
}

static enum status strike(struct course *course, struct fault *fault)
{
    struct training *training = course->training;
    struct run *run = &course->result->run;
    struct striking striking = {
        .course = course, .due = &course->due[course->n_struck++], .told = &run->fault[run->n_faults++]};
    uint64_t begin_ps = course->now_ps;
    wide_uint begin_fj = course->energy_fj;
    striking.told->time_ps = begin_ps;
    striking.told->step = course->step;
    faults_mark(training, striking.due);
    if (is_fatal(training))
        return end_of_run(&striking, "nothing else holds the weights of the whole model", fault);
    enum status status = decide(&striking, fault);
    if (status != STATUS_OK)
        return status;
    striking.told->action = action_of(&striking);
    tell_controller(&striking);
    status = recover(&striking, fault);
    striking.told->recovery_ps = course->now_ps - begin_ps;
    striking.told->recovery_fj = course->energy_fj - begin_fj;
    return status;
}

enum status faults_strike(struct course *course, struct fault *fault)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && course->n_struck < course->n_due &&
           course->due[course->n_struck].at_ps <= course->now_ps)
        status = strike(course, fault);
    return status;
}

enum status faults_restore(struct course *course, struct fault *fault)
{
    struct training *training = course->training;
    enum status status = STATUS_OK;
    for (int i = 0; i < course->n_struck && status == STATUS_OK; i++) {
        const struct due *due = &course->due[i];
        struct next_plan next;
        faults_mark(training, due);
        status = replan_build(training, due->without_low, due->kept_cells, &next, fault);
        if (status == STATUS_OK)
            status = replan_begin(course, &next, due->kept_cells, fault);
    }
    return status;
}
