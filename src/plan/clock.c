#include "plan/clock.h"

#include <string.h>

#include "base/status.h"

void clock_init(struct clock *clock, const struct program *const programs[N_PROGRAMS], struct arena *arena)
{
    memset(clock, 0, sizeof *clock);
    clock->last_program = -1;
    for (int p = 0; p < N_PROGRAMS; p++)
        clock->end_ps[p] = arena_array(arena, (size_t)programs[p]->n_instrs + 1, sizeof **clock->end_ps);
}

uint64_t clock_end_ps(const struct clock *clock)
{
    uint64_t end_ps = 0;
    for (int e = 0; e < N_ENGINES; e++)
        if (clock->engine_free_ps[e] > end_ps)
            end_ps = clock->engine_free_ps[e];
    return end_ps;
}

/* What the engine does that is busy until `end_ps`. */
static enum kernel_class last_work(const struct clock *clock, uint64_t end_ps)
{
    static const enum kernel_class class[N_ENGINES] = {[ENGINE_COMPUTE] = CLASS_HOST_COPY,
                                                       [ENGINE_COPY] = CLASS_HOST_COPY,
                                                       [ENGINE_SEND] = CLASS_TRANSFER,
                                                       [ENGINE_RECEIVE] = CLASS_TRANSFER,
                                                       [ENGINE_PROGRAM] = CLASS_PROGRAM};
    int e = 0;
    while (clock->engine_free_ps[e] != end_ps)
        e++;
    return class[e];
}

/* What the compute engine has lost until all engines are free. It is not work of a class of its own: it waits for the
 * other engines' last work, from the first message on that a program without compute has begun with. */
struct gap {
    uint64_t idle_ps, wait_ps, end_ps;
    enum kernel_class class;
};

static struct gap gap_until_end(const struct clock *clock)
{
    uint64_t end_ps = clock_end_ps(clock), free_ps = clock->engine_free_ps[ENGINE_COMPUTE];
    uint64_t idle_ps = clock->changed && clock->has_begun && clock->begun_ps > free_ps ? clock->begun_ps - free_ps : 0;
    return (struct gap){idle_ps, end_ps - free_ps - idle_ps, end_ps, last_work(clock, end_ps)};
}

/* Returns when all engines are free. */
static uint64_t barrier(struct clock *clock)
{
    struct gap gap = gap_until_end(clock);
    clock->idle_ps += gap.idle_ps;
    clock->wait_ps[gap.class] += gap.wait_ps;
    for (int e = 0; e < N_ENGINES; e++)
        clock->engine_free_ps[e] = gap.end_ps;
    return gap.end_ps;
}

void clock_idle_until(struct clock *clock, uint64_t ps)
{
    if (ps <= clock_end_ps(clock))
        return;
    clock->idle_ps += ps - barrier(clock);
    for (int e = 0; e < N_ENGINES; e++)
        clock->engine_free_ps[e] = ps;
}

void clock_fail(struct clock *clock, uint64_t ps)
{
    if (clock->has_failed)
        bug("a device fails twice");
    clock_idle_until(clock, ps);
    clock->failed_ps = barrier(clock);
    clock->has_failed = 1;
}

void clock_begin(struct clock *clock, int program_id)
{
    if (clock->has_failed)
        bug("a device that has failed begins with a program");
    if (clock->last_program != program_id && clock->last_program >= 0)
        barrier(clock);
    clock->changed |= clock->last_program != program_id;
    clock->has_begun &= clock->last_program == program_id;
    clock->last_program = program_id;
    clock->runs[program_id]++;
}

static int is_collective(const struct instr *instr)
{
    return instr->op->kind == OP_ALLREDUCE;
}

static uint64_t engine_free_ps(const struct clock *clock, const struct instr *instr)
{
    uint64_t free_ps = clock->engine_free_ps[instr->engine];
    if (is_collective(instr) && clock->engine_free_ps[ENGINE_RECEIVE] > free_ps)
        free_ps = clock->engine_free_ps[ENGINE_RECEIVE];
    return free_ps;
}

/* A wait for the run before counts only from the second run on. */
static int wait_counts(const struct clock *clock, int program_id, const struct wait *wait)
{
    return !wait->previous_run || clock->runs[program_id] > 1;
}

uint64_t clock_start_ps(const struct clock *clock, const struct program *program, int program_id, int i)
{
    const struct instr *instr = &program->instrs[i];
    uint64_t start_ps = engine_free_ps(clock, instr);
    const struct wait *wait = &program->waits[instr->first_wait];
    for (int w = 0; w < instr->n_waits; w++, wait++) {
        uint64_t end_ps = clock->end_ps[program_id][wait->instr];
        if (end_ps > start_ps && wait_counts(clock, program_id, wait))
            start_ps = end_ps;
    }
    return start_ps;
}

static enum kernel_class waited_for(const struct clock *clock, const struct program *program, int program_id, int i)
{
    const struct instr *instr = &program->instrs[i];
    const struct wait *wait = &program->waits[instr->first_wait];
    uint64_t latest_ps = 0;
    enum kernel_class class = CLASS_TRANSFER;
    for (int w = 0; w < instr->n_waits; w++, wait++) {
        uint64_t end_ps = clock->end_ps[program_id][wait->instr];
        if (end_ps > latest_ps && wait_counts(clock, program_id, wait)) {
            latest_ps = end_ps;
            class = op_class(program->instrs[wait->instr].op->kind);
        }
    }
    return class;
}

void clock_run(struct clock *clock, const struct program *program, int program_id, int i, uint64_t start_ps)
{
    const struct instr *instr = &program->instrs[i];
    uint64_t end_ps = start_ps + instr->cost.time_ps;
    if (!clock->has_begun)
        clock->begun_ps = start_ps;
    clock->has_begun = 1;
    if (instr->engine == ENGINE_COMPUTE) {
        uint64_t gap_ps = start_ps - clock->engine_free_ps[ENGINE_COMPUTE];
        enum kernel_class class = gap_ps ? waited_for(clock, program, program_id, i) : CLASS_TRANSFER;
        if (clock->changed && class == CLASS_TRANSFER)
            clock->idle_ps += gap_ps;
        else
            clock->wait_ps[class] += gap_ps;
        clock->changed = 0;
        clock->compute_ps[op_class(instr->op->kind)] += instr->cost.time_ps;
    }
    clock->engine_free_ps[instr->engine] = end_ps;
    if (is_collective(instr))
        clock->engine_free_ps[ENGINE_RECEIVE] = end_ps;
    clock->end_ps[program_id][i] = end_ps;
}

int clock_repeats(const struct clock *before, const struct clock *after, const struct program *program, int program_id,
                  uint64_t *shift_ps)
{
    uint64_t shift = clock_end_ps(after) - clock_end_ps(before);
    if (before->runs[program_id] < 2 || before->last_program != program_id)
        return 0;
    for (int e = 0; e < N_ENGINES; e++)
        if (after->engine_free_ps[e] != before->engine_free_ps[e] &&
            after->engine_free_ps[e] - before->engine_free_ps[e] != shift)
            return 0;
    for (int i = 0; i < program->n_instrs; i++)
        if (after->end_ps[program_id][i] - before->end_ps[program_id][i] != shift)
            return 0;
    *shift_ps = shift;
    return 1;
}

/* Engines and busy and waiting times, n times as much again as since `before`. */
static void shift_engines(struct clock *clock, const struct clock *before, uint64_t n, uint64_t shift_ps)
{
    for (int e = 0; e < N_ENGINES; e++)
        if (clock->engine_free_ps[e] != before->engine_free_ps[e])
            clock->engine_free_ps[e] += n * shift_ps;
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        clock->compute_ps[c] += n * (clock->compute_ps[c] - before->compute_ps[c]);
        clock->wait_ps[c] += n * (clock->wait_ps[c] - before->wait_ps[c]);
    }
}

void clock_jump(struct clock *clock, const struct clock *before, const struct program *program, int program_id,
                uint64_t n, uint64_t shift_ps)
{
    shift_engines(clock, before, n, shift_ps);
    for (int i = 0; i < program->n_instrs; i++)
        clock->end_ps[program_id][i] += n * shift_ps;
    clock->runs[program_id] += n;
}

int clock_loop_repeats(const struct clock *before, const struct clock *after, const struct program *program,
                       int program_id, uint64_t *shift_ps)
{
    uint64_t shift = 0;
    for (int e = 0; e < N_ENGINES; e++) {
        uint64_t moved = after->engine_free_ps[e] - before->engine_free_ps[e];
        if (moved && shift && moved != shift)
            return 0;
        shift = moved ? moved : shift;
    }
    for (int i = program->loop_first; i < program->loop_end; i++) {
        uint64_t moved = after->end_ps[program_id][i] - before->end_ps[program_id][i];
        if (moved != shift && (moved || program->instrs[i].cost.time_ps))
            return 0;
    }
    *shift_ps = shift;
    return 1;
}

void clock_loop_jump(struct clock *clock, const struct clock *before, const struct program *program, int program_id,
                     uint64_t n, uint64_t shift_ps)
{
    shift_engines(clock, before, n, shift_ps);
    for (int i = program->loop_first; i < program->loop_end; i++)
        if (clock->end_ps[program_id][i] != before->end_ps[program_id][i])
            clock->end_ps[program_id][i] += n * shift_ps;
}

void clock_account(struct clock *clock, const struct program *program)
{
    for (int i = 0; i < program->n_instrs; i++) {
        int in_loop = i >= program->loop_first && i < program->loop_end;
        const struct instr *instr = &program->instrs[i];
        if (instr->cost.time_ps)
            ledger_add(&clock->varying, op_class(instr->op->kind), &instr->cost,
                       in_loop ? (uint64_t)program->loop_count : 1);
    }
}

void clock_copy(struct clock *to, const struct clock *from, const struct program *const programs[N_PROGRAMS])
{
    struct clock copy = *from;
    for (int p = 0; p < N_PROGRAMS; p++) {
        copy.end_ps[p] = to->end_ps[p];
        memcpy(copy.end_ps[p], from->end_ps[p], (size_t)programs[p]->n_instrs * sizeof **copy.end_ps);
    }
    *to = copy;
}

int clock_equals(const struct clock *a, const struct clock *b, const struct program *const programs[N_PROGRAMS])
{
    for (int p = 0; p < N_PROGRAMS; p++)
        if (memcmp(a->end_ps[p], b->end_ps[p], (size_t)programs[p]->n_instrs * sizeof **a->end_ps) != 0)
            return 0;
    return memcmp(a->engine_free_ps, b->engine_free_ps, sizeof a->engine_free_ps) == 0 &&
           memcmp(a->compute_ps, b->compute_ps, sizeof a->compute_ps) == 0 &&
           memcmp(a->wait_ps, b->wait_ps, sizeof a->wait_ps) == 0 && a->idle_ps == b->idle_ps &&
           memcmp(a->runs, b->runs, sizeof a->runs) == 0 && a->last_program == b->last_program &&
           a->changed == b->changed && a->has_begun == b->has_begun && a->begun_ps == b->begun_ps &&
           memcmp(&a->varying, &b->varying, sizeof a->varying) == 0;
}

static void add_runs(const struct program *program, uint64_t runs, struct ledger *ledger)
{
    if (runs == 0 || program->varies)
        return;
    for (int i = 0; i < program->n_instrs; i++)
        ledger_add(ledger, op_class(program->instrs[i].op->kind), &program->instrs[i].cost, runs);
}

void clock_replan(struct clock *clock, const struct program *const before[N_PROGRAMS],
                  const struct program *const after[N_PROGRAMS], struct arena *arena)
{
    for (int p = 0; p < N_PROGRAMS; p++) {
        add_runs(before[p], clock->runs[p], &clock->varying);
        clock->runs[p] = 0;
        clock->end_ps[p] = arena_array(arena, (size_t)after[p]->n_instrs + 1, sizeof **clock->end_ps);
    }
    if (clock->last_program >= 0)
        clock->last_program = N_PROGRAMS;
}

struct standby clock_standby(const struct clock *clock, uint64_t wait_power_mw, uint64_t idle_power_mw)
{
    struct gap gap = gap_until_end(clock);
    wide_int wait_ps = gap.wait_ps, idle_ps = (wide_int)clock->idle_ps + gap.idle_ps - gap.end_ps;
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        wait_ps += clock->wait_ps[c];
    if (clock->has_failed)
        idle_ps += clock->failed_ps;
    return (struct standby){(wide_int)wait_power_mw * wait_ps + (wide_int)idle_power_mw * idle_ps,
                            clock->has_failed ? 0 : idle_power_mw};
}

wide_uint standby_fj(const struct standby *standby, uint64_t end_ps)
{
    return (wide_uint)(standby->fixed_fj + (wide_int)standby->idle_mw * end_ps);
}

void clock_ledger(const struct clock *clock, const struct program *const programs[N_PROGRAMS], uint64_t end_ps,
                  uint64_t wait_power_mw, uint64_t idle_power_mw, struct ledger *ledger)
{
    *ledger = clock->varying;
    for (int p = 0; p < N_PROGRAMS; p++)
        add_runs(programs[p], clock->runs[p], ledger);
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        ledger->compute_ps[c] = clock->compute_ps[c];
        ledger->wait_ps[c] = clock->wait_ps[c];
        ledger->wait_energy_fj += (wide_uint)wait_power_mw * clock->wait_ps[c];
    }
    struct gap gap = gap_until_end(clock);
    ledger->wait_ps[gap.class] += gap.wait_ps;
    ledger->wait_energy_fj += (wide_uint)wait_power_mw * gap.wait_ps;
    ledger->off_ps = clock->has_failed ? end_ps - clock->failed_ps : 0;
    ledger->idle_ps = clock->idle_ps + gap.idle_ps + end_ps - ledger->off_ps - gap.end_ps;
    ledger->idle_energy_fj = (wide_uint)idle_power_mw * ledger->idle_ps;
    ledger->end_ps = end_ps;
    ledger_validate(ledger);
}

void clock_archive(struct clock *clock, const struct program *const programs[N_PROGRAMS], struct archive *archive)
{
    archive_array(archive, "engine_free_ps", clock->engine_free_ps, N_ENGINES);
    archive_array(archive, "compute_ps", clock->compute_ps, N_KERNEL_CLASSES);
    archive_array(archive, "wait_ps", clock->wait_ps, N_KERNEL_CLASSES);
    archive_field(archive, "idle_ps", &clock->idle_ps);
    archive_array(archive, "runs", clock->runs, N_PROGRAMS);
    archive_field(archive, "last_program", &clock->last_program);
    archive_field(archive, "changed", &clock->changed);
    archive_field(archive, "has_begun", &clock->has_begun);
    archive_field(archive, "begun_ps", &clock->begun_ps);
    archive_field(archive, "has_failed", &clock->has_failed);
    archive_field(archive, "failed_ps", &clock->failed_ps);
    for (int p = 0; p < N_PROGRAMS; p++) {
        archive_enter(archive, "end_ps");
        if (programs[p]->n_instrs)
            archive_array(archive, program_name(p), clock->end_ps[p], (size_t)programs[p]->n_instrs);
        archive_leave(archive);
    }
    archive_enter(archive, "varying");
    ledger_archive(&clock->varying, archive);
    archive_leave(archive);
}
