#include "scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/unit.h"

enum { ALIGN_BYTES = 256 };

static uint64_t align(uint64_t bytes)
{
    return (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
}

static int owns_memory(const struct program *program, int s)
{
    return program->slots[s].root == s;
}

static int lives_over_steps(enum slot_kind kind)
{
    return kind == SLOT_PARAM || kind == SLOT_STATE || kind == SLOT_CONST;
}

static int find_slot(const struct program *program, const char *name)
{
    for (int s = 0; s < program->n_slots; s++)
        if (strcmp(program->slots[s].name, name) == 0)
            return s;
    return NO_SLOT;
}

static uint64_t put_slot(struct program *program, int s, uint64_t offset, uint64_t copies)
{
    struct slot *slot = &program->slots[s];
    slot->offset_bytes = offset;
    program->kind_bytes[slot->kind] += copies * align(slot->bytes);
    return offset + copies * align(slot->bytes);
}

/* Slots that live over steps; returns the end of their memory. */
static uint64_t put_lasting(struct program *program, const struct program *shared)
{
    static const enum slot_kind order[] = {SLOT_PARAM, SLOT_STATE, SLOT_CONST};
    uint64_t end = 0;
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (int s = 0; s < program->n_slots; s++) {
            struct slot *slot = &program->slots[s];
            if (slot->kind != order[k] || !owns_memory(program, s))
                continue;
            int theirs = shared ? find_slot(shared, slot->name) : NO_SLOT;
            if (theirs != NO_SLOT && shared->slots[theirs].bytes == slot->bytes) {
                slot->offset_bytes = shared->slots[theirs].offset_bytes;
                program->kind_bytes[slot->kind] += align(slot->bytes);
            } else if (shared) {
                bug("slot %s is not shared", slot->name);
            } else {
                end = put_slot(program, s, end, 1);
            }
        }
    return end;
}

static uint64_t lasting_end(const struct program *program)
{
    uint64_t end = 0;
    for (int s = 0; s < program->n_slots; s++) {
        const struct slot *slot = &program->slots[s];
        if (owns_memory(program, s) && lives_over_steps(slot->kind) && slot->offset_bytes + align(slot->bytes) > end)
            end = slot->offset_bytes + align(slot->bytes);
    }
    return end;
}

static uint64_t put_kind(struct program *program, enum slot_kind kind, uint64_t copies, uint64_t end)
{
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].kind == kind && owns_memory(program, s))
            end = put_slot(program, s, end, copies);
    return end;
}

struct life {
    int slot;
    int first, last; /* instructions */
    uint64_t bytes, offset;
};

static void touch(const struct program *program, const int *slots, int n, int instr, struct life *life_of)
{
    for (int i = 0; i < n; i++) {
        if (slots[i] == NO_SLOT)
            continue;
        struct life *life = &life_of[program->slots[slots[i]].root];
        if (life->first < 0)
            life->first = instr;
        life->last = instr;
    }
}

static struct life *lives(const struct program *program, struct arena *arena)
{
    struct life *life_of = arena_array(arena, (size_t)program->n_slots, sizeof *life_of);
    for (int s = 0; s < program->n_slots; s++)
        life_of[s] = (struct life){s, -1, -1, align(program->slots[s].bytes), 0};
    for (int i = 0; i < program->n_instrs; i++) {
        touch(program, program->instrs[i].in, OP_MAX_IN, i, life_of);
        touch(program, program->instrs[i].out, OP_MAX_OUT, i, life_of);
    }
    return life_of;
}

static int larger_first(const void *left, const void *right)
{
    const struct life *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

/* The lowest offset at which `life` overlaps nothing that lives at the same time. placed[] is sorted by offset. */
static uint64_t lowest_gap(const struct life *life, struct life *const *placed, int n_placed)
{
    uint64_t offset = 0;
    for (int i = 0; i < n_placed; i++) {
        const struct life *other = placed[i];
        if (other->last < life->first || life->last < other->first)
            continue;
        if (other->offset >= offset + life->bytes)
            break;
        if (other->offset + other->bytes > offset)
            offset = other->offset + other->bytes;
    }
    return offset;
}

static void insert_by_offset(struct life **placed, int n_placed, struct life *life)
{
    int i = n_placed;
    for (; i > 0 && placed[i - 1]->offset > life->offset; i--)
        placed[i] = placed[i - 1];
    placed[i] = life;
}

static int is_activation(const struct program *program, int s)
{
    return program->slots[s].kind == SLOT_ACTIVATION && owns_memory(program, s);
}

static uint64_t put_apart(struct program *program, uint64_t end)
{
    for (int s = 0; s < program->n_slots; s++)
        if (is_activation(program, s) && program->slots[s].apart)
            end = put_slot(program, s, end, 1);
    return end;
}

/* Activations, largest first, each at the lowest free place; returns the end of their memory. */
static uint64_t put_activations(struct program *program, uint64_t start, struct arena *arena)
{
    struct life *all = lives(program, arena);
    struct life *sorted = arena_array(arena, (size_t)program->n_slots + 1, sizeof *sorted);
    struct life **placed = arena_array(arena, (size_t)program->n_slots + 1, sizeof *placed);
    int n = 0, n_placed = 0;
    for (int s = 0; s < program->n_slots; s++)
        if (is_activation(program, s) && !program->slots[s].apart && all[s].first >= 0)
            sorted[n++] = all[s];
    qsort(sorted, (size_t)n, sizeof *sorted, larger_first);
    uint64_t peak = 0;
    for (int i = 0; i < n; i++) {
        struct life *life = &sorted[i];
        life->offset = lowest_gap(life, placed, n_placed);
        insert_by_offset(placed, n_placed++, life);
        program->slots[life->slot].offset_bytes = start + life->offset;
        peak = life->offset + life->bytes > peak ? life->offset + life->bytes : peak;
    }
    program->kind_bytes[SLOT_ACTIVATION] = peak;
    return put_apart(program, start + peak);
}

static void put_views(struct program *program)
{
    for (int s = 0; s < program->n_slots; s++)
        if (!owns_memory(program, s)) /* offset_bytes of a view: from the start of its root, until here */
            program->slots[s].offset_bytes += program->slots[program->slots[s].root].offset_bytes;
}

void memory_plan(struct program *program, const struct program *shared, struct arena *arena)
{
    memset(program->kind_bytes, 0, sizeof program->kind_bytes);
    uint64_t end = put_lasting(program, shared);
    if (shared)
        end = lasting_end(shared);
    end = put_kind(program, SLOT_GRAD, 1, end);
    end = put_kind(program, SLOT_LOADED, 2, end);
    program->memory_bytes = put_activations(program, end, arena);
    put_views(program);
}

enum status memory_check(const struct program *program, int holds_matrices, const char *device_name,
                         uint64_t capacity_bytes, struct fault *fault)
{
    uint64_t parameter_bytes = holds_matrices ? 0 : program->kind_bytes[SLOT_PARAM];
    uint64_t need_bytes = program->memory_bytes - (program->kind_bytes[SLOT_PARAM] - parameter_bytes);
    if (need_bytes <= capacity_bytes)
        return STATUS_OK;
    char need[32], has[32], part[4][32];
    unit_show(need, sizeof need, UNIT_BYTES, (double)need_bytes);
    unit_show(has, sizeof has, UNIT_BYTES, (double)capacity_bytes);
    unit_show(part[0], sizeof part[0], UNIT_BYTES, (double)parameter_bytes);
    unit_show(part[1], sizeof part[1], UNIT_BYTES, (double)program->kind_bytes[SLOT_STATE]);
    unit_show(part[2], sizeof part[2], UNIT_BYTES, (double)program->kind_bytes[SLOT_GRAD]);
    unit_show(part[3], sizeof part[3], UNIT_BYTES, (double)program->kind_bytes[SLOT_ACTIVATION]);
    return fault_set(
        fault, STATUS_USAGE,
        "%s needs %s of %s: parameters %s, optimiser state %s, gradients %s, activations %s (%lld samples): "
        "%s",
        device_name, need, has, part[0], part[1], part[2], part[3], (long long)program->samples,
        holds_matrices
            ? "raise placement.micro_batches, lower train.minibatch, give it more tiles, whose buffers these "
              "are, or add devices"
            : "lower train.minibatch, add devices or take a device with more memory");
}
