#include "plan/program.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

const char *engine_name(enum engine engine)
{
    static const char *const names[N_ENGINES] = {
#define X(id, name) [id] = name,
        ENGINES(X)
#undef X
    };
    if ((unsigned)engine >= N_ENGINES)
        bug("engine %d does not exist", (int)engine);
    return names[engine];
}

const char *program_name(int program_id)
{
    static const char *const names[N_PROGRAMS] = {
#define X(id, name) [id] = name,
        PROGRAMS(X)
#undef X
    };
    if ((unsigned)program_id >= N_PROGRAMS)
        bug("program %d does not exist", program_id);
    return names[program_id];
}

const char *phase_name(int phase)
{
    static const char *const names[PROGRAM_PHASES] = {"load", "forward", "backward", "update"};
    if (phase < 0 || phase >= PROGRAM_PHASES)
        bug("phase %d does not exist", phase);
    return names[phase];
}

void program_clear(struct program *program, int device)
{
    *program = (struct program){.device = device, .sums = NO_SLOT, .output = NO_SLOT};
}

static void op_arity(enum op_kind kind, int *n_in, int *n_out)
{
    static const struct {
        int in, out;
    } arity[N_OP_KINDS] = {
#define X(id, name, class, n_in, n_out) [id] = {n_in, n_out},
        OP_KINDS(X)
#undef X
    };
    *n_in = arity[kind].in;
    *n_out = arity[kind].out;
}

/* What is known of each slot while the program is read from its first instruction to its last. */
struct reader {
    const struct program *program;
    char *written;     /* [n_slots] this very slot was an output */
    int *next_written; /* [n_slots] the written slots of a root, as lists */
    int *list;         /* [n_slots] first of the list, by root */
    int *first, *last; /* [n_slots] by root: first and last instruction that touches it; first -1: none */
};

/* A stretch of memory that is live from instruction `first` to `last`, both included. */
struct stretch {
    uint64_t begin, end;
    int slot, first, last;
};

static int is_kept(enum slot_kind kind)
{
    return kind == SLOT_CONST || kind == SLOT_PARAM || kind == SLOT_STATE;
}

static void check_slot(const struct program *program, int i)
{
    const struct slot *slot = &program->slots[i];
    if ((unsigned)slot->kind >= N_SLOT_KINDS)
        bug("slot %s: kind %d does not exist", slot->name, (int)slot->kind);
    if (slot->root < 0 || slot->root >= program->n_slots)
        bug("slot %s: root %d, but the program has %d slots", slot->name, slot->root, program->n_slots);
    const struct slot *root = &program->slots[slot->root];
    if (root->root != slot->root)
        bug("slot %s: its root %s is itself a view", slot->name, root->name);
    if (slot->offset_bytes + slot->bytes < slot->bytes)
        bug("slot %s: offset and bytes overflow", slot->name);
    if (slot->offset_bytes < root->offset_bytes || slot->offset_bytes + slot->bytes > root->offset_bytes + root->bytes)
        bug("slot %s: view [%" PRIu64 ", +%" PRIu64 ") leaves its root %s [%" PRIu64 ", +%" PRIu64 ")", slot->name,
            slot->offset_bytes, slot->bytes, root->name, root->offset_bytes, root->bytes);
}

static void check_slots(const struct program *program)
{
    for (int i = 0; i < program->n_slots; i++)
        check_slot(program, i);
    if (program->n_instrs == 0)
        return;
    if (program->sums < NO_SLOT || program->sums >= program->n_slots)
        bug("the sums are slot %d, but the program has %d slots", program->sums, program->n_slots);
    if (program->output < NO_SLOT || program->output >= program->n_slots)
        bug("the output is slot %d, but the program has %d slots", program->output, program->n_slots);
}

static void check_operands(const struct program *program, const struct instr *instr, const int *slots, int n, int max,
                           const char *side)
{
    for (int i = 0; i < max; i++) {
        if (slots[i] < NO_SLOT || slots[i] >= program->n_slots)
            bug("instruction %s: %s %d is slot %d, but the program has %d slots", instr->name, side, i, slots[i],
                program->n_slots);
        if (i >= n && slots[i] != NO_SLOT)
            bug("instruction %s: %s %d is slot %s, but a %s has only %d", instr->name, side, i,
                program->slots[slots[i]].name, op_name(instr->op->kind), n);
    }
}

static int in_loop(const struct program *program, int a, int b)
{
    return program->loop_count > 1 && a >= program->loop_first && a < program->loop_end && b >= program->loop_first &&
           b < program->loop_end;
}

static void check_waits(const struct program *program, int i)
{
    const struct instr *instr = &program->instrs[i];
    if (instr->n_waits < 0 || instr->first_wait < 0 || instr->first_wait > program->n_waits - instr->n_waits)
        bug("instruction %s: waits %d to %d, but the program has %d", instr->name, instr->first_wait,
            instr->first_wait + instr->n_waits, program->n_waits);
    for (int w = instr->first_wait; w < instr->first_wait + instr->n_waits; w++) {
        const struct wait *wait = &program->waits[w];
        if (wait->instr < 0 || wait->instr >= program->n_instrs ||
            (!wait->previous_run && wait->instr >= i && !in_loop(program, i, wait->instr)))
            bug("instruction %s (%d) waits for instruction %d of %s run", instr->name, i, wait->instr,
                wait->previous_run ? "the previous" : "this");
    }
}

static void check_instr(const struct program *program, int i)
{
    const struct instr *instr = &program->instrs[i];
    if (!instr->op || (unsigned)instr->op->kind >= N_OP_KINDS)
        bug("instruction %s has no op", instr->name);
    if ((unsigned)instr->engine >= N_ENGINES)
        bug("instruction %s: engine %d does not exist", instr->name, (int)instr->engine);
    if (instr->phase < 0 || instr->phase >= PROGRAM_PHASES)
        bug("instruction %s: phase %d does not exist", instr->name, instr->phase);
    if (instr->cost.time_ps == 0)
        bug("instruction %s (%s) takes no time", instr->name, op_name(instr->op->kind));
    int n_in, n_out;
    op_arity(instr->op->kind, &n_in, &n_out);
    check_operands(program, instr, instr->in, n_in, OP_MAX_IN, "input");
    check_operands(program, instr, instr->out, n_out, OP_MAX_OUT, "output");
    check_waits(program, i);
}

static int slots_overlap(const struct slot *a, const struct slot *b)
{
    return a->offset_bytes < b->offset_bytes + b->bytes && b->offset_bytes < a->offset_bytes + a->bytes;
}

static int was_written(const struct reader *reader, int slot)
{
    const struct slot *slots = reader->program->slots;
    if (reader->written[slot])
        return 1;
    for (int w = reader->list[slots[slot].root]; w != NO_SLOT; w = reader->next_written[w])
        if (slots_overlap(&slots[slot], &slots[w]))
            return 1;
    return 0;
}

static void touch(struct reader *reader, int slot, int instr)
{
    int root = reader->program->slots[slot].root;
    if (reader->first[root] < 0)
        reader->first[root] = instr;
    reader->last[root] = instr;
}

static void read_operand(struct reader *reader, int i, int slot)
{
    if (slot == NO_SLOT)
        return;
    const struct slot *s = &reader->program->slots[slot];
    if (!is_kept(s->kind) && !was_written(reader, slot))
        bug("instruction %s reads slot %s before it was written", reader->program->instrs[i].name, s->name);
    touch(reader, slot, i);
}

static void write_operand(struct reader *reader, int i, int slot)
{
    if (slot == NO_SLOT)
        return;
    int root = reader->program->slots[slot].root;
    if (!reader->written[slot]) {
        reader->written[slot] = 1;
        reader->next_written[slot] = reader->list[root];
        reader->list[root] = slot;
    }
    touch(reader, slot, i);
}

static void read_instructions(struct reader *reader)
{
    const struct program *program = reader->program;
    for (int i = 0; i < program->n_instrs; i++) {
        const struct instr *instr = &program->instrs[i];
        for (int k = 0; k < OP_MAX_IN; k++)
            read_operand(reader, i, instr->in[k]);
        if (instr->op->accumulate)
            read_operand(reader, i, instr->out[0]);
        for (int k = 0; k < OP_MAX_OUT; k++)
            write_operand(reader, i, instr->out[k]);
    }
    /* The sums of a run are fetched when it has ended. */
    if (program->sums != NO_SLOT && program->n_instrs)
        touch(reader, program->sums, program->n_instrs - 1);
}

static int by_start(const void *left, const void *right)
{
    const struct stretch *a = left, *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

static int by_end(const void *left, const void *right)
{
    const struct stretch *a = *(const struct stretch *const *)left, *b = *(const struct stretch *const *)right;
    if (a->last != b->last)
        return a->last < b->last ? -1 : 1;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

/* Overlapping stretches are "equal". Those in the tree never overlap each other, so this is an order on them, and
 * searching the tree for a new one finds a stretch that it overlaps if there is any. */
static int by_memory(const void *left, const void *right)
{
    const struct stretch *a = left, *b = right;
    return a->end <= b->begin ? -1 : b->end <= a->begin;
}

static int find_stretches(const struct reader *reader, struct stretch *stretch)
{
    const struct program *program = reader->program;
    int n = 0;
    for (int i = 0; i < program->n_slots; i++) {
        const struct slot *slot = &program->slots[i];
        int kept = is_kept(slot->kind);
        if (slot->root != i || slot->bytes == 0 || (!kept && reader->first[i] < 0))
            continue;
        if (slot->offset_bytes + slot->bytes > program->memory_bytes)
            bug("slot %s ends at byte %" PRIu64 ", the program's memory at %" PRIu64, slot->name,
                slot->offset_bytes + slot->bytes, program->memory_bytes);
        stretch[n++] = (struct stretch){slot->offset_bytes, slot->offset_bytes + slot->bytes, i,
                                        kept ? -1 : reader->first[i], kept ? program->n_instrs : reader->last[i]};
    }
    return n;
}

static void enter_stretch(const struct program *program, void **tree, const struct stretch *stretch)
{
    const struct stretch *const *found = tsearch(stretch, tree, by_memory);
    if (!found)
        bug("out of memory");
    if (*found == stretch)
        return;
    const struct slot *a = &program->slots[(*found)->slot], *b = &program->slots[stretch->slot];
    bug("instruction %s: slots %s [%" PRIu64 ", +%" PRIu64 ") and %s [%" PRIu64 ", +%" PRIu64
        ") overlap while both are live",
        stretch->first < 0 ? "(always)" : program->instrs[stretch->first].name, a->name, a->offset_bytes, a->bytes,
        b->name, b->offset_bytes, b->bytes);
}

static void keep_node(void *node)
{
    (void)node;
}

static void check_overlap(const struct program *program, struct stretch *stretch, int n, struct stretch **ending)
{
    void *tree = NULL;
    qsort(stretch, (size_t)n, sizeof *stretch, by_start);
    for (int i = 0; i < n; i++)
        ending[i] = &stretch[i];
    qsort(ending, (size_t)n, sizeof *ending, by_end);
    for (int i = 0, gone = 0; i < n; i++) {
        for (; gone < n && ending[gone]->last < stretch[i].first; gone++)
            tdelete(ending[gone], &tree, by_memory);
        enter_stretch(program, &tree, &stretch[i]);
    }
    tdestroy(tree, keep_node);
}

static void check_memory(const struct program *program, struct arena *arena)
{
    size_t n = (size_t)program->n_slots + 1;
    struct reader reader = {.program = program,
                            .written = arena_array(arena, n, sizeof *reader.written),
                            .next_written = arena_array(arena, n, sizeof *reader.next_written),
                            .list = arena_array(arena, n, sizeof *reader.list),
                            .first = arena_array(arena, n, sizeof *reader.first),
                            .last = arena_array(arena, n, sizeof *reader.last)};
    for (int i = 0; i < program->n_slots; i++)
        reader.list[i] = reader.first[i] = -1;
    read_instructions(&reader);
    struct stretch *stretch = arena_array(arena, n, sizeof *stretch);
    int n_stretches = find_stretches(&reader, stretch);
    check_overlap(program, stretch, n_stretches, arena_array(arena, n, sizeof(struct stretch *)));
}

void program_validate(const struct program *program)
{
    check_slots(program);
    for (int i = 0; i < program->n_instrs; i++)
        check_instr(program, i);
    struct arena *arena = arena_new();
    check_memory(program, arena);
    arena_free(arena);
}

wide_uint plan_energy_fj(const struct plan *plan, int id)
{
    wide_uint energy_fj = 0;
    for (int d = 0; d < plan->n_devices; d++)
        for (int i = 0; i < plan->programs[id][d].n_instrs; i++)
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                energy_fj += plan->programs[id][d].instrs[i].cost.energy_fj[p];
    return energy_fj;
}
