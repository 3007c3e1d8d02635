/* rank_archive.c - the state of the devices of a rank, saved and restored: between two steps, so that nothing is under
 * way. */
#include <stdio.h>

#include "rank_private.h"

/* Memory that lives over steps lies at the start (scheduler/memory.c puts it there, the same in all programs). */
static uint64_t lasting_bytes(const struct executor *executor, const struct local_device *device)
{
    uint64_t end = 0;
    for (int p = 0; p < N_PROGRAMS; p++) {
        const struct program *program = &executor->plan->programs[p][device->number];
        for (int s = 0; s < program->n_slots; s++) {
            const struct slot *slot = &program->slots[s];
            int lasts = slot->kind == SLOT_PARAM || slot->kind == SLOT_STATE || slot->kind == SLOT_CONST;
            if (lasts && slot->root == s && slot->offset_bytes + slot->bytes > end)
                end = slot->offset_bytes + slot->bytes;
        }
    }
    return end;
}

/* The KV cache of a decoder. */
static void archive_cache(struct executor *executor, struct local_device *device, struct archive *archive)
{
    const struct program *program = program_of(executor, device, PROGRAM_ITERATE);
    size_t bytes = (size_t)element_bytes(executor);
    archive_enter(archive, "state");
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].kind == SLOT_STATE && program->slots[s].root == s && program->slots[s].bytes) {
            char name[16];
            snprintf(name, sizeof name, "%04d", s);
            archive_memory(archive, name, bytes == 8 ? ARCHIVE_F64 : ARCHIVE_F32,
                           device->memory + program->slots[s].offset_bytes, program->slots[s].bytes / bytes);
        }
    archive_leave(archive);
}

static void archive_values(struct executor *executor, struct local_device *device, struct archive *archive)
{
    if (executor->options.decoder) {
        archive_cache(executor, device, archive);
        return;
    }
    size_t bytes = (size_t)element_bytes(executor), n = lasting_bytes(executor, device) / bytes;
    archive_memory(archive, "memory", bytes == 8 ? ARCHIVE_F64 : ARCHIVE_F32, device->memory, n);
}

/* Recorded instructions of one device; restored ones join the list of the rank that holds it now. */
static void archive_marks(struct executor *executor, const struct local_device *device, struct archive *archive)
{
    struct arena *arena = arena_new();
    struct mark *own = arena_array(arena, executor->marks.n + 1, sizeof *own);
    size_t n = 0;
    for (size_t i = 0; i < executor->marks.n && !archive_restores(archive); i++)
        if (executor->marks.mark[i].device == (uint32_t)device->number)
            own[n++] = executor->marks.mark[i];
    n = archive_count(archive, "n", n);
    if (archive_restores(archive))
        own = arena_array(arena, n + 1, sizeof *own);
    archive_column(archive, "start_ps", &own->start_ps, n, sizeof *own);
    archive_column(archive, "step", &own->step, n, sizeof *own);
    archive_column(archive, "instr", &own->instr, n, sizeof *own);
    uint32_t *program = arena_array(arena, n + 1, sizeof *program), *plan = arena_array(arena, n + 1, sizeof *plan);
    for (size_t i = 0; i < n && !archive_restores(archive); i++) {
        program[i] = own[i].program;
        plan[i] = own[i].plan;
    }
    archive_array(archive, "program", program, n);
    archive_array(archive, "plan", plan, n);
    for (size_t i = 0; i < n && archive_restores(archive); i++) {
        own[i].device = (uint32_t)device->number;
        own[i].program = (uint16_t)program[i];
        own[i].plan = (uint16_t)plan[i];
        mark_list_add(&executor->marks, &own[i]);
    }
    arena_free(arena);
}

static void archive_device(struct executor *executor, struct local_device *device, struct archive *archive)
{
    const struct program *programs[N_PROGRAMS];
    for (int p = 0; p < N_PROGRAMS; p++)
        programs[p] = program_of(executor, device, p);
    if (!executor->options.timing_only)
        archive_values(executor, device, archive);
    archive_enter(archive, "clock");
    clock_archive(&device->clock, programs, archive);
    archive_leave(archive);
    archive_enter(archive, "marks");
    archive_marks(executor, device, archive);
    archive_leave(archive);
    if (device->backend->archive && !executor->options.timing_only)
        device->backend->archive(device->state, archive);
}

/* How often each program was recorded is the same on every rank: rank 0 saves it. */
void executor_archive(struct executor *executor, struct archive *archive)
{
    twins_forget(executor);
    for (int k = 0; k < executor->n_local; k++) {
        archive_enter(archive, "devices/%04d", executor->local[k].number);
        archive_device(executor, &executor->local[k], archive);
        archive_leave(archive);
    }
    if (comm_rank(executor->comm) == 0 || archive_restores(archive))
        archive_array(archive, "runs_marked", executor->runs_marked, N_PROGRAMS);
}
