#include "plan/program.h"

#include <string.h>

struct range {
    uint64_t first, end; /* bytes of device memory */
};

static struct range slot_range(const struct program *program, int slot)
{
    const struct slot *s = &program->slots[slot];
    struct range range = {s->offset_bytes, s->offset_bytes + s->bytes};
    return range;
}

static int touches(const struct program *program, const int *slots, int n, struct range range)
{
    for (int i = 0; i < n; i++) {
        if (slots[i] == NO_SLOT)
            continue;
        struct range other = slot_range(program, slots[i]);
        if (other.first < range.end && range.first < other.end)
            return 1;
    }
    return 0;
}

/* Must `later` come after `earlier`? Only if one of them writes what the other touches. */
static int conflict(const struct program *program, const struct instr *later, const struct instr *earlier)
{
    for (int i = 0; i < OP_MAX_OUT; i++) {
        if (later->out[i] == NO_SLOT)
            continue;
        struct range range = slot_range(program, later->out[i]);
        if (touches(program, earlier->in, OP_MAX_IN, range) || touches(program, earlier->out, OP_MAX_OUT, range))
            return 1;
    }
    for (int i = 0; i < OP_MAX_IN; i++)
        if (later->in[i] != NO_SLOT && touches(program, earlier->out, OP_MAX_OUT, slot_range(program, later->in[i])))
            return 1;
    return 0;
}

/* Instructions of each engine, in order. */
struct lane {
    int *instr;
    int n;
};

static void sort_into_lanes(const struct program *program, const char *takes_part, struct arena *arena,
                            struct lane lanes[N_ENGINES])
{
    int count[N_ENGINES] = {0};
    for (int i = 0; i < program->n_instrs; i++)
        count[program->instrs[i].engine]++;
    for (int e = 0; e < N_ENGINES; e++) {
        lanes[e].instr = arena_array(arena, (size_t)count[e] + 1, sizeof *lanes[e].instr);
        lanes[e].n = 0;
    }
    for (int i = 0; i < program->n_instrs; i++) {
        struct lane *lane = &lanes[program->instrs[i].engine];
        if (!takes_part || takes_part[i])
            lane->instr[lane->n++] = i;
    }
}

/* The last instruction from first_after on that `instr` must wait for. A LOAD has two buffers: it may fill the second
 * one as soon as the run before has begun to read the first, so its wait is for the first conflict and not for the
 * last. */
static int find_wait_of_run_before(const struct program *program, const struct lane *lane, int first_after,
                                   const struct instr *instr, struct wait *wait)
{
    int found = 0;
    for (int k = lane->n - 1; k >= first_after; k--) {
        if (!conflict(program, instr, &program->instrs[lane->instr[k]]))
            continue;
        *wait = (struct wait){lane->instr[k], 1};
        found = 1;
        if (instr->op->kind != OP_LOAD)
            break;
    }
    return found;
}

/* The last instruction of a lane that `i` must wait for: before it in this run, else anywhere in the run before. */
static int find_wait(const struct program *program, const struct lane *lane, int i, struct wait *wait)
{
    const struct instr *instr = &program->instrs[i];
    int first_after = lane->n;
    for (int k = lane->n - 1; k >= 0; k--) {
        if (lane->instr[k] > i) {
            first_after = k;
            continue;
        }
        if (conflict(program, instr, &program->instrs[lane->instr[k]])) {
            *wait = (struct wait){lane->instr[k], 0};
            return 1;
        }
    }
    return find_wait_of_run_before(program, lane, first_after, instr, wait);
}

static int in_loop(const struct program *program, int i)
{
    return program->loop_count > 1 && i >= program->loop_first && i < program->loop_end;
}

/* The last instruction of the loop on a lane that `i` of the loop must wait for when the loop begins anew: itself or a
 * later one, of the repetition before. Not needed when this repetition has an earlier one to wait for on the lane. */
static int find_wait_of_repetition(const struct program *program, const struct lane *lane, int i, struct wait *wait)
{
    for (int k = lane->n - 1; k >= 0 && lane->instr[k] > i; k--)
        if (in_loop(program, lane->instr[k]) &&
            conflict(program, &program->instrs[i], &program->instrs[lane->instr[k]])) {
            *wait = (struct wait){lane->instr[k], 0};
            return 1;
        }
    return 0;
}

static void link_instr(struct program *program, const struct lane *lane, int i)
{
    struct wait *wait = &program->waits[program->n_waits];
    int found = find_wait(program, lane, i, wait);
    program->n_waits += found;
    if (in_loop(program, i) && !(found && !wait->previous_run && in_loop(program, wait->instr)))
        program->n_waits += find_wait_of_repetition(program, lane, i, wait + found);
}

void program_link_waits(struct program *program, const char *takes_part, struct arena *arena)
{
    struct lane lanes[N_ENGINES];
    sort_into_lanes(program, takes_part, arena, lanes);
    program->waits = arena_array(arena, (size_t)program_most_waits(program), sizeof *program->waits);
    program->n_waits = 0;
    for (int i = 0; i < program->n_instrs; i++) {
        struct instr *instr = &program->instrs[i];
        instr->first_wait = program->n_waits;
        for (int e = 0; e < N_ENGINES && (!takes_part || takes_part[i]); e++)
            if (e != (int)instr->engine)
                link_instr(program, &lanes[e], i);
        instr->n_waits = program->n_waits - instr->first_wait;
    }
}
