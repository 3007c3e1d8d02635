/* train_replan.c - another plan in the middle of a training run: made for what is left of the machine, put in force
 * where weights, adapters and cells stay what they are. */
#include <string.h>

#include "scheduler/describe.h"
#include "scheduler/train_private.h"

enum status replan_build(const struct training *training, int without_low, int kept_cells, struct next_plan *next,
                         struct fault *fault)
{
    const struct build_standing standing = {.without_low = without_low, .held = kept_cells ? training->matrices : NULL};
    return build_plan(training->job, &training->config, &training->machine, &standing, training->arena, &next->plan,
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

enum status replan_begin(struct course *course, const struct next_plan *next, int kept_cells, struct fault *fault)
{
    struct training *training = course->training;
    size_t n = (size_t)training->plan.n_devices;
    struct plan *plan = arena_take(training->arena, sizeof *plan);
    const int64_t **matrix = arena_array(training->arena, n, sizeof *matrix);
    int64_t *n_matrices = arena_array(training->arena, n, sizeof *n_matrices);
    *plan = next->plan;
    for (size_t d = 0; d < n; d++)
        matrix[d] = numbers_of(training, next, (int)d, kept_cells, &n_matrices[d]);
    const struct replanning replanning = {plan,       training->machine.specs, matrix,
                                          n_matrices, training->machine.lost,  course->struck_ps};
    enum status status = comm_same(training->comm, plan->hash, "plan after a fault", fault);
    if (status == STATUS_OK)
        status = executor_replan(course->executor, &replanning, fault);
    if (status != STATUS_OK)
        return status;
    training->plan = training->plans[training->n_plans++] = *plan;
    training->matrices = next->matrices;
    training->first_gpu = 0;
    while (!plan->programs[PROGRAM_TRAIN][training->first_gpu].n_instrs)
        training->first_gpu++;
    describe_more_cells(training, &course->result->run);
    course_price(course);
    return modes_price(course, fault);
}
