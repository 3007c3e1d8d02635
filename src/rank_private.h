/* rank_private.h - inside of the executor: rank.c (opening, steps), rank_run.c (one run of a program), rank_message.c
 * and rank_mail.c (messages between devices), rank_twins.c (devices that need not be stepped), rank_replan.c (another
 * plan in the middle of a run), rank_load.c (what enters and leaves a device), rank_gather.c (what rank 0 gets to
 * know).
 */
#ifndef RANK_PRIVATE_H
#define RANK_PRIVATE_H

#include <string.h>

#include "cluster/sum.h"
#include "plan/clock.h"
#include "rank.h"
#include "rank_load.h"
#include "rank_mail.h"

struct local_device {
    int number;
    const struct device *backend;
    void *state;
    enum number_format format;
    uint64_t idle_power_mw;
    struct clock clock, before; /* `before`: one run ago, to find repetitions */
    char *memory;
    int next;                    /* instruction, within the run */
    int64_t repetition;          /* of the program's loop */
    int is_held;                 /* the instruction is done, the loop's next repetition has to wait */
    struct binding *bound;       /* PROGRAM_ITERATE made ready for an iteration, or NULL */
    struct local_device *leader; /* its twin that is stepped for it; NULL: it is stepped itself ... */
    struct local_device *first_follower, *next_follower; /* ... for a list of others */
    struct metric_sums metrics;
    struct ledger *ledger; /* closed, once executor_ledgers was called */
    struct prediction_list predictions;
};

struct reply { /* of one rank, after each run */
    uint64_t status, end_ps;
    uint64_t n_active, repeats, shift_ps; /* devices with a program to run; do they all repeat themselves? */
    uint64_t interrupts;
    double loss_sum, loss_count;
    struct standby standby; /* of its devices; iterations: none */
};

struct executor {
    struct comm *comm;
    struct arena *arena;
    const struct plan *plan;
    struct windows *windows;
    struct executor_options options;
    int *home;
    struct local_device *local;
    int n_local;
    struct local_device **stepped; /* [n_stepped] the local devices that lead */
    int n_stepped, twins_known;
    char *is_follower;         /* [n_devices] */
    struct binding **bindings; /* [n_devices] of this rank's devices, on rank 0 of all; NULL where there is none */
    int *group_home;           /* ranks of the devices that take part in all-reduces */
    int *partner;              /* [n_partners] the other ranks among them */
    int n_partners;
    int is_announced;    /* this rank has told its partners that it has come to the next all-reduce ... */
    char *has_announced; /* ... and which of them have told so, [n_partners] */
    struct sum *sum;     /* over them */
    void **vectors;      /* [n_local] */
    struct mail *mail;
    int loss_device[N_PROGRAMS]; /* the first device that holds the sums of losses, or -1 */
    struct reply *replies;       /* [n_ranks] */
    void *scratch;
    uint32_t *samples;
    int64_t collectives_done;         /* within the run */
    int64_t repetitions_allowed;      /* of loops: to look at all clocks between two of them */
    struct fault fault;               /* met by this rank */
    int failed;                       /* some rank has met one */
    int n_replans;                    /* so far: the number of the plan that is in force */
    uint64_t runs_marked[N_PROGRAMS]; /* of this plan */
    struct mark_list marks;
    struct executor_wall wall;
};

/* A program that varies, as it stands for an iteration, and what its instructions cost. */
struct binding {
    struct program program; /* instructions and ops are its own */
    const struct program *planned;
    struct binding *like; /* of an equal device with an equal program: the same costs; or NULL */
    struct op *ops;       /* [n_instrs] */
    char *has_work;       /* [n_instrs] */
    char *takes_part;     /* [n_instrs] has work, or values pass it */
    int64_t n_tokens, n_cached_tokens, n_answers; /* of the batch that it is bound to; 0: of none */
    uint64_t energy_fj[N_ENERGY_PARTS], busy_ps;  /* binding_cost */
    struct price_memo *memo;                      /* [n_instrs] */
    struct wait_memo *waits; /* who waits for whom depends on who takes part: what was found last */
    int next_waits;
};

/* Local. rank_bind.c: opens the binding of a device; makes it ready for a batch and accounts for its cost. */
struct binding *binding_new(const struct program *planned, struct arena *arena);
int binding_is_like(const struct binding *binding, const struct binding *other);

/* Local. Room to keep prices, for a binding that is like no other; forgets those that it has. */
void binding_remember(struct binding *binding, struct arena *arena);
void bind_device(const struct executor *executor, int device, struct binding *binding, const struct batch *batch);

/* Local. Sums up what a run of the bound program costs, energy and the compute engine's time; of a root. */
void binding_cost(struct binding *binding);

/* Local. The first of its equals. */
static inline struct binding *binding_root(struct binding *binding)
{
    return binding->like ? binding->like : binding;
}

/* Local. rank_twins.c: all devices are stepped; twins for a program that varies, when they are not known yet and may
 * be used; clocks of followers as they would be, before anybody looks at them; all devices are stepped again. */
void twins_open(struct executor *executor);
void twins_find(struct executor *executor, int id);
void twins_settle(struct executor *executor);
void twins_forget(struct executor *executor);

/* Local. rank.c, for opening and for another plan: the programs of a device; memory of a device for its programs, with
 * initial values; room for kernels; who takes part in all-reduces. */
void programs_of(const struct executor *executor, const struct local_device *device,
                 const struct program *programs[N_PROGRAMS]);
enum status get_memory(struct executor *executor, struct local_device *device, struct fault *fault);
enum status get_scratch(struct executor *executor, struct fault *fault);
void find_group(struct executor *executor);

/* Local. Keeps all clocks as they are, to compare. */
void remember_clocks(struct executor *executor);

/* Collective. All ranks learn how a run went; the fault of one is everybody's. *shift_ps > 0: all devices repeat
 * themselves. */
enum status exchange_replies(struct executor *executor, int program_id, struct step_result *result, uint64_t *shift_ps,
                             struct fault *fault);

/* Local. rank_message.c: is there room for what SEND i sends? Sends it. RECV: 1 when the message was there: its data
 * are in the slot, *start_ps is not before it was sent. */
int may_send(const struct executor *executor, const struct local_device *device, int id, int i);
void post_message(struct executor *executor, const struct step_record *record, struct local_device *device,
                  const struct program *program, const struct instr *instr, uint64_t start_ps);
int take_message(struct executor *executor, const struct step_record *record, struct local_device *device,
                 const struct program *program, const struct instr *instr, uint64_t *start_ps);

/* One run of record->program on all devices of this rank. Collective over the ranks that hold devices which talk. */
enum status run_program(struct executor *executor, const struct step_record *record, struct fault *fault);

/* Local. */
static inline int element_bytes(const struct executor *executor)
{
    return executor->plan->format == FORMAT_FP64 ? 8 : 4;
}

static inline const struct program *program_of(const struct executor *executor, const struct local_device *device,
                                               int id)
{
    return id == PROGRAM_ITERATE && device->bound ? &device->bound->program
                                                  : &executor->plan->programs[id][device->number];
}

/* Local. Are results computed, and none of them is lost yet? */
static inline int is_functional(const struct executor *executor)
{
    return !executor->options.timing_only && !executor->failed && executor->fault.status == STATUS_OK;
}

/* Local. Has instruction i anything to do in this iteration? */
static inline int has_work(const struct local_device *device, int id, int i)
{
    return id != PROGRAM_ITERATE || !device->bound || device->bound->has_work[i];
}

/* Local. Do values pass an op that has no work? Rows that need no merging because they are whole on one side, and what
 * a shard without tokens answers. It takes no time, but what follows waits for what it waits for. */
static inline int is_passed(const struct op *op)
{
    return op->kind == OP_MERGE_ROWS || (op->kind == OP_KV_ATTENTION && op->rows > 0);
}

static inline void *slot_memory(const struct local_device *device, const struct program *program, int slot)
{
    return slot == NO_SLOT ? NULL
                           : device->memory + program->slots[slot].offset_bytes +
                                 slot_copy_bytes(&program->slots[slot], device->repetition);
}

#endif
