/* rank_replan.c - another plan for the devices of a rank, in the middle of a run: what lasts is carried over by name.
 */
#include <stdlib.h>

#include "rank_private.h"

static int lasts(const struct program *program, int s)
{
    const struct slot *slot = &program->slots[s];
    return slot->root == s && (slot->kind == SLOT_PARAM || slot->kind == SLOT_STATE);
}

static const struct slot *find_lasting(const struct program *const programs[N_PROGRAMS], const struct slot *like)
{
    for (int p = 0; p < N_PROGRAMS; p++)
        for (int s = 0; s < programs[p]->n_slots; s++)
            if (lasts(programs[p], s) && programs[p]->slots[s].bytes == like->bytes &&
                strcmp(programs[p]->slots[s].name, like->name) == 0)
                return &programs[p]->slots[s];
    return NULL;
}

/* What the device had under this name. All programs of a plan have a lasting slot at the same place. */
static void carry_values(const struct program *const before[N_PROGRAMS], const struct program *const after[N_PROGRAMS],
                         const char *from, char *to)
{
    for (int p = 0; p < N_PROGRAMS; p++)
        for (int s = 0; s < after[p]->n_slots; s++) {
            const struct slot *slot = &after[p]->slots[s],
                              *had = lasts(after[p], s) ? find_lasting(before, slot) : NULL;
            if (had)
                memcpy(to + slot->offset_bytes, from + had->offset_bytes, slot->bytes);
        }
}

/* `before`: programs under the old plan; the executor has the new one. */
static enum status replan_device(struct executor *executor, struct local_device *device,
                                 const struct program *const before[N_PROGRAMS], const struct replanning *replanning,
                                 struct fault *fault)
{
    int d = device->number;
    const struct program *after[N_PROGRAMS];
    programs_of(executor, device, after);
    clock_replan(&device->clock, before, after, executor->arena);
    if (replanning->lost[d] && !device->clock.has_failed)
        clock_fail(&device->clock, replanning->lost_ps);
    clock_init(&device->before, after, executor->arena);
    device->predictions.n = 0;
    if (device->backend->respec)
        device->backend->respec(device->state, &replanning->specs[d]);
    if (device->backend->renumber)
        device->backend->renumber(device->state, replanning->matrix[d], replanning->n_matrices[d]);
    if (executor->options.timing_only)
        return STATUS_OK;
    char *memory = device->memory;
    device->memory = NULL;
    enum status status = get_memory(executor, device, fault);
    if (status == STATUS_OK)
        carry_values(before, after, memory, device->memory);
    block_free(memory);
    return status;
}

static void replan_devices(struct executor *executor, const struct replanning *replanning, struct fault *fault)
{
    enum status status = STATUS_OK;
    const struct plan *old = executor->plan;
    for (int k = 0; k < executor->n_local && status == STATUS_OK; k++) {
        const struct program *before[N_PROGRAMS];
        executor->plan = old;
        programs_of(executor, &executor->local[k], before);
        executor->plan = replanning->plan;
        status = replan_device(executor, &executor->local[k], before, replanning, fault);
    }
    executor->plan = replanning->plan;
    block_free(executor->scratch);
    executor->scratch = NULL;
    if (status == STATUS_OK && !executor->options.timing_only)
        get_scratch(executor, fault);
}

void executor_wait(struct executor *executor, const uint8_t *lost, uint64_t ps)
{
    for (int k = 0; k < executor->n_local; k++)
        if (!lost[executor->local[k].number])
            clock_idle_until(&executor->local[k].clock, ps);
}

/* Runs are marked in the first plans of a run only: marks take memory, and there may be many changes of plan. */
enum { MARKED_PLANS = 256 };

static void mark_from_here(struct executor *executor)
{
    uint64_t runs = executor->n_replans < MARKED_PLANS ? 0 : executor->options.trace_steps;
    for (int p = 0; p < N_PROGRAMS; p++)
        executor->runs_marked[p] = runs;
}

/* Between the old plan's last message and the new one's first stands the agreement of all ranks. */
enum status executor_replan(struct executor *executor, const struct replanning *replanning, struct fault *fault)
{
    twins_forget(executor);
    mail_free(executor->mail);
    executor->mail = NULL;
    sum_free(executor->sum);
    executor->sum = NULL;
    replan_devices(executor, replanning, fault);
    enum status status = agree(executor->comm, 1, fault);
    if (status != STATUS_OK)
        return status;
    find_group(executor);
    executor->mail = mail_new(executor->comm, executor->plan, executor->home, !executor->options.timing_only);
    executor->n_replans++;
    mark_from_here(executor);
    return STATUS_OK;
}
