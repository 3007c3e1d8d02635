/* rank_private.h - inside of the executor: rank.c (opening, steps), rank_run.c (one run of a program), rank_mail.c
 * (messages between devices), rank_load.c (what enters and leaves a device), rank_gather.c (what rank 0 gets to know).
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
    int next; /* instruction, within the run */
    struct metric_sums metrics;
    struct ledger *ledger; /* closed, once executor_ledgers was called */
    struct prediction_list predictions;
};

struct reply { /* of one rank, after each run */
    uint64_t status, end_ps;
    uint64_t n_active, repeats, shift_ps; /* devices with a program to run; do they all repeat themselves? */
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
    int *group_home; /* ranks of the devices that take part in all-reduces */
    struct sum *sum; /* over them */
    void **vectors;  /* [n_local] */
    struct mail *mail;
    int loss_device[N_PROGRAMS]; /* the first device that holds the sums of losses, or -1 */
    struct reply *replies;       /* [n_ranks] */
    void *scratch;
    uint32_t *samples;
    int collectives_done; /* within the run */
    struct fault fault;   /* met by this rank */
    int failed;           /* some rank has met one */
    uint64_t runs_marked[N_PROGRAMS];
    struct mark_list marks;
    struct executor_wall wall;
};

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
    return &executor->plan->programs[id][device->number];
}

static inline void *slot_memory(const struct local_device *device, const struct program *program, int slot)
{
    return slot == NO_SLOT ? NULL : device->memory + program->slots[slot].offset_bytes;
}

#endif
