/* train_replan.c - another plan in the middle of a training run: made for what is left of the machine, put in force
 * where weights, adapters and cells stay what they are. */
#include <string.h>

#include "scheduler/describe.h"
#include "scheduler/train_private.h"

/* The machine whose crossbars only the first faults have taken. */
static struct machine machine_of(const struct course *course, const struct replan *replan)
{
    const struct training *training = course->training;
    struct machine machine = training->machine;
    machine.lost = arena_array(training->arena, (size_t)machine.n_devices, sizeof *machine.lost);
    memcpy(machine.lost, training->machine.lost, (size_t)machine.n_devices * sizeof *machine.lost);
    for (int k = replan->n_cells_struck; k < replan->n_struck; k++) {
        int d = course->due[k].device;
        if (machine.backends[d]->units_needed)
            machine.lost[d] = 0; /* a device fails once, and has no fault after that */
    }
    return machine;
}

enum status replan_build(const struct course *course, const struct replan *replan, struct next_plan *next,
                         struct fault *fault)
{
    const struct training *training = course->training;
    const struct machine machine = machine_of(course, replan);
    const struct build_standing standing = {.adapter_width = replan->adapter_width,
                                            .without_low = replan->without_low,
                                            .held = replan->kept_cells ? training->matrices : NULL};
    return build_plan(training->job, &training->config, &machine, &standing, training->arena, &next->plan,
                      &next->matrices, fault);
}

static const struct slot *find_lasting(const struct program *program, const struct slot *like)
{
    for (int s = 0; s < program->n_slots; s++) {
        const struct slot *slot = &program->slots[s];
        if (slot->root == s && slot->kind == like->kind && slot->bytes == like->bytes &&
            strcmp(slot->name, like->name) == 0)
            return slot;
    }
    return NULL;
}

int replan_keeps_training(const struct training *training, const struct next_plan *next)
{
    for (int d = 0; d < training->plan.n_devices; d++) {
        const struct program *now = &training->plan.programs[PROGRAM_LOW][d],
                             *then = &next->plan.programs[PROGRAM_LOW][d];
        if (training->machine.backends[d]->units_needed) /* cells: a repair's matter */
            continue;
        for (int s = 0; s < then->n_slots; s++) {
            const struct slot *slot = &then->slots[s];
            int lasts = slot->kind == SLOT_PARAM || slot->kind == SLOT_STATE;
            if (lasts && slot->root == s && !find_lasting(now, slot))
                return 0;
        }
    }
    return 1;
}

/* Old numbers of each device's matrices. */
static const int64_t *numbers_of(const struct training *training, const struct next_plan *next, int d, int kept_cells,
                                 int64_t *n)
{
    const struct matrices *matrices = next->matrices ? &next->matrices[d] : NULL;
    *n = matrices ? matrices->n : 0;
    int64_t *numbers = arena_array(training->arena, (size_t)*n + 1, sizeof *numbers);
    for (int64_t m = 0; m < *n; m++)
        numbers[m] = kept_cells ? matrices_find_same(&training->matrices[d], &matrices->matrix[m]) : -1;
    return numbers;
}

static enum status put_in_force(struct course *course, const struct replan *replan, const struct next_plan *next,
                                struct fault *fault)
{
    struct training *training = course->training;
    size_t n = (size_t)training->plan.n_devices;
    struct plan *plan = arena_take(training->arena, sizeof *plan);
    const int64_t **matrix = arena_array(training->arena, n, sizeof *matrix);
    int64_t *n_matrices = arena_array(training->arena, n, sizeof *n_matrices);
    *plan = next->plan;
    for (size_t d = 0; d < n; d++)
        matrix[d] = numbers_of(training, next, (int)d, replan->kept_cells, &n_matrices[d]);
    const struct replanning replanning = {plan,       training->machine.specs, matrix,
                                          n_matrices, training->machine.lost,  course->struck_ps};
    enum status status = comm_same(training->comm, plan->hash, "plan in the middle of a run", fault);
    if (status == STATUS_OK)
        status = executor_replan(course->executor, &replanning, fault);
    if (status == STATUS_OK)
        status = executor_standby(course->executor, &course->standby, fault);
    if (status != STATUS_OK)
        return status;
    training->plan = *plan;
    training_keep_plan(training, plan);
    training->matrices = next->matrices;
    training->adapter_width = replan->adapter_width;
    training->first_gpu = 0;
    while (!plan->programs[PROGRAM_TRAIN][training->first_gpu].n_instrs)
        training->first_gpu++;
    return STATUS_OK;
}

enum status replan_begin(struct course *course, const struct replan *replan, const struct next_plan *next,
                         struct fault *fault)
{
    struct run *run = &course->result->run;
    int is_wider = replan->adapter_width != course->training->adapter_width;
    enum status status = put_in_force(course, replan, next, fault);
    if (status != STATUS_OK)
        return status;
    course->replan =
        arena_grown(course->training->arena, course->replan, (size_t)course->n_replans, sizeof *course->replan);
    course->replan[course->n_replans++] = *replan;
    describe_more_cells(course->training, run);
    if (is_wider)
        describe_low_mode(course->training, run);
    course_price(course);
    if (course->mode_switch)
        switch_forget_costs(course->mode_switch);
    return STATUS_OK;
}

void replans_archive(struct course *course, struct archive *archive)
{
    archive_enter(archive, "replans");
    size_t n = archive_count(archive, "n", (size_t)course->n_replans);
    struct replan none = {0}, *replan = n ? course->replan : &none;
    if (archive_restores(archive) && n)
        replan = course->replan = arena_array(course->training->arena, 2 * n + 1, sizeof *replan);
    course->n_replans = (int)n;
    archive_column(archive, "n_struck", &replan->n_struck, n, sizeof *replan);
    archive_column(archive, "n_cells_struck", &replan->n_cells_struck, n, sizeof *replan);
    archive_column(archive, "without_low", &replan->without_low, n, sizeof *replan);
    archive_column(archive, "kept_cells", &replan->kept_cells, n, sizeof *replan);
    archive_column(archive, "adapter_width", &replan->adapter_width, n, sizeof *replan);
    archive_leave(archive);
}

enum status replans_restore(struct course *course, struct fault *fault)
{
    enum status status = STATUS_OK;
    const struct replan *restored = course->replan;
    int n = course->n_replans, n_marked = 0;
    course->replan = NULL;
    course->n_replans = 0;
    for (int i = 0; i < n && status == STATUS_OK; i++) {
        struct next_plan next;
        while (n_marked < restored[i].n_struck && n_marked < course->n_struck)
            faults_mark(course->training, &course->due[n_marked++]);
        status = replan_build(course, &restored[i], &next, fault);
        if (status == STATUS_OK)
            status = replan_begin(course, &restored[i], &next, fault);
    }
    return status;
}
