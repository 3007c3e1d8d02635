/* rank_private.h - inside of the executor: rank.c (running), rank_load.c (what enters and leaves a device),
 * rank_gather.c (what rank 0 gets to know). */
#ifndef RANK_PRIVATE_H
#define RANK_PRIVATE_H

#include "cluster/sum.h"
#include "plan/clock.h"
#include "rank.h"

/* Predictions of an evaluation: rows of [1 + outputs] floats would lose sample numbers above 2^24, so two arrays. */
struct prediction_list {
    uint32_t *sample;
    float *values; /* [n][outputs] */
    size_t n, max;
};

struct local_device {
    int number;
    const struct device *backend;
    void *state;
    struct clock clock, before; /* `before`: one run ago, to find repetitions */
    char *memory;
    int next; /* instruction, within the run */
    struct metric_sums metrics;
    struct ledger *ledger; /* closed, once executor_ledgers was called */
    struct prediction_list predictions;
};

struct reply { /* of one rank, after each run */
    uint64_t status, end_ps, repeats, shift_ps;
    double loss_sum, loss_count;
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
    struct sum *sum;
    void **vectors;        /* [n_local] */
    struct reply *replies; /* [n_ranks] */
    void *scratch;
    uint32_t *samples;
    int collectives_done; /* within the run */
    struct fault fault;   /* met by this rank */
    int failed;           /* some rank has met one */
    uint64_t runs_marked[N_PROGRAMS];
    struct mark_list marks;
    struct executor_wall wall;
};

/* Local. */
static inline int element_bytes(const struct executor *executor)
{
    return executor->plan->format == FORMAT_FP64 ? 8 : 4;
}

static inline const struct program *program_of(const struct executor *executor, const struct local_device *device,
                                               int id)
{
    return &executor->plan->programs[id][device->number];
}

static inline void *slot_memory(const struct local_device *device, const struct program *program, int slot)
{
    return slot == NO_SLOT ? NULL : device->memory + program->slots[slot].offset_bytes;
}

/* Local. Initial values of the slots that live over steps: counter-based random numbers keyed by parameter, so every
 * device holds the same. */
void load_initial_values(const struct program *program, uint64_t seed, int element_bytes, char *memory);

/* Local. LOAD: the device's share of the minibatch into x, target, mask; rows beyond n_samples are zero with mask 0. */
void load_minibatch(struct executor *executor, const struct step_record *record, const struct program *program,
                    void *const out[OP_MAX_OUT]);

/* Local. METRIC: errors of the device's share in data units. */
void load_errors(struct executor *executor, const struct step_record *record, struct local_device *device,
                 const struct program *program, const void *const in[OP_MAX_IN]);

#endif
