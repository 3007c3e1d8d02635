/* rank_twins.c - devices that do the same at the same time: one of them is stepped for all.
 *
 * In a timing-only run in one process nothing sets equal devices apart: those with equal programs whose messages come
 * from equal places of devices that are themselves twins end every instruction at the same picosecond. The first device
 * of each class leads; what it sends it sends for its followers too, where a device that is stepped waits for it. The
 * classes are the coarsest stable partition (colour refinement): begin with all devices alike, part those that differ
 * in program, clock or in the classes that they receive from, until nothing parts any more.
 */
#include "rank_private.h"

struct sender { /* of a message: SEND `instr` of a local device */
    int device, instr;
};

struct partition {
    const struct executor *executor;
    int id;
    const struct sender *senders; /* [n_channels] */
    int *class;                   /* [n_local] the local device that leads */
};

static int same_operands(const struct program *a, const struct program *b)
{
    for (int s = 0; s < a->n_slots; s++)
        if (a->slots[s].root != b->slots[s].root || a->slots[s].offset_bytes != b->slots[s].offset_bytes ||
            a->slots[s].bytes != b->slots[s].bytes)
            return 0;
    for (int i = 0; i < a->n_instrs; i++) {
        const struct instr *x = &a->instrs[i], *y = &b->instrs[i];
        if (x->engine != y->engine || x->group != y->group || memcmp(x->in, y->in, sizeof x->in) != 0 ||
            memcmp(x->out, y->out, sizeof x->out) != 0 || (x->op->kind == OP_ALLREDUCE && x->channel != y->channel))
            return 0;
    }
    return 1;
}

/* Equal devices with equal programs at the same point of virtual time. */
static int are_alike(const struct executor *executor, int id, const struct local_device *a,
                     const struct local_device *b)
{
    const struct program *left = program_of(executor, a, id), *right = program_of(executor, b, id);
    const struct program *programs[N_PROGRAMS];
    programs_of(executor, a, programs);
    return a->bound && b->bound && binding_root(a->bound) == binding_root(b->bound) &&
           left->n_slots == right->n_slots && same_operands(left, right) &&
           clock_equals(&a->clock, &b->clock, programs);
}

/* Does each message come from the same place of a device of the same class? */
static int hear_alike(const struct partition *p, int a, int b)
{
    const struct program *left = program_of(p->executor, &p->executor->local[a], p->id),
                         *right = program_of(p->executor, &p->executor->local[b], p->id);
    for (int i = 0; i < left->n_instrs; i++) {
        if (left->instrs[i].op->kind != OP_RECV)
            continue;
        const struct sender *from = &p->senders[left->instrs[i].channel],
                            *other = &p->senders[right->instrs[i].channel];
        if (from->instr != other->instr || p->class[from->device] != p->class[other->device])
            return 0;
    }
    return 1;
}

/* Parts the classes once more; returns how many there are now. */
static int refine(struct partition *p, struct arena *arena)
{
    const struct executor *executor = p->executor;
    int n = 0, *next = arena_array(arena, (size_t)executor->n_local, sizeof *next);
    for (int k = 0; k < executor->n_local; k++) {
        next[k] = k;
        for (int e = 0; e < k && next[k] == k; e++)
            if (next[e] == e && p->class[e] == p->class[k] &&
                are_alike(executor, p->id, &executor->local[e], &executor->local[k]) && hear_alike(p, e, k))
                next[k] = e;
        n += next[k] == k;
    }
    p->class = next;
    return n;
}

static const struct sender *find_senders(const struct executor *executor, int id, struct arena *arena)
{
    struct sender *senders = arena_array(arena, (size_t)executor->plan->n_channels[id] + 1, sizeof *senders);
    for (int k = 0; k < executor->n_local; k++) {
        const struct program *program = program_of(executor, &executor->local[k], id);
        for (int i = 0; i < program->n_instrs; i++)
            if (program->instrs[i].op->kind == OP_SEND)
                senders[program->instrs[i].channel] = (struct sender){k, i};
    }
    return senders;
}

static void step_all(struct executor *executor)
{
    executor->n_stepped = 0;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        device->leader = device->first_follower = device->next_follower = NULL;
        executor->is_follower[device->number] = 0;
        executor->stepped[executor->n_stepped++] = device;
    }
}

static void follow(struct executor *executor, const int *class)
{
    executor->n_stepped = 0;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k], *leader = &executor->local[class[k]];
        if (device == leader) {
            executor->stepped[executor->n_stepped++] = device;
            continue;
        }
        device->leader = leader;
        device->next_follower = leader->first_follower;
        leader->first_follower = device;
        executor->is_follower[device->number] = 1;
    }
}

void twins_open(struct executor *executor)
{
    size_t n = (size_t)executor->n_local, n_devices = (size_t)executor->plan->n_devices;
    executor->stepped = arena_array(executor->arena, n + 1, sizeof(*executor->stepped));
    executor->is_follower = arena_array(executor->arena, n_devices + 1, sizeof *executor->is_follower);
    step_all(executor);
}

void twins_find(struct executor *executor, int id)
{
    if (executor->twins_known || !executor->options.timing_only || comm_size(executor->comm) > 1 ||
        executor->runs_marked[id] < executor->options.trace_steps)
        return;
    struct arena *arena = arena_new();
    struct partition p = {executor, id, find_senders(executor, id, arena),
                          arena_array(arena, (size_t)executor->n_local, sizeof(int))};
    for (int n = 1, before = 0; n != before;) {
        before = n;
        n = refine(&p, arena);
    }
    follow(executor, p.class);
    executor->twins_known = 1;
    arena_free(arena);
}

void twins_settle(struct executor *executor)
{
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        const struct program *programs[N_PROGRAMS];
        if (!device->leader)
            continue;
        programs_of(executor, device, programs);
        clock_copy(&device->clock, &device->leader->clock, programs);
    }
}

void twins_forget(struct executor *executor)
{
    twins_settle(executor);
    step_all(executor);
    executor->twins_known = 0;
}
