/* rank_gather.c - what rank 0 gets to know of the devices: errors, ledgers, marks, weights, predictions. */
#include <string.h>

#include "rank_private.h"

/* One fixed-size record per device, from wherever it lives to rank 0, in device order. `record(executor, k)` is that of
 * the k-th local device. */
typedef const void *device_record(struct executor *executor, int k);

static enum status gather_devices(struct executor *executor, struct arena *arena, device_record *record, size_t bytes,
                                  char **all, struct fault *fault)
{
    int n_devices = executor->plan->n_devices, n_ranks = comm_size(executor->comm);
    char *mine = arena_take(arena, bytes * (size_t)executor->n_local + 1), *theirs = NULL;
    size_t *sizes = arena_array(arena, (size_t)n_ranks, sizeof *sizes);
    for (int k = 0; k < executor->n_local; k++)
        memcpy(mine + (size_t)k * bytes, record(executor, k), bytes);
    enum status status =
        comm_gather_varying(executor->comm, arena, mine, bytes * (size_t)executor->n_local, &theirs, sizes, fault);
    if (status != STATUS_OK || comm_rank(executor->comm) != 0)
        return status;
    *all = arena_array(arena, (size_t)n_devices, bytes);
    for (int r = 0; r < n_ranks; r++)
        for (int d = 0; d < n_devices; d++)
            if (executor->home[d] == r) {
                memcpy(*all + (size_t)d * bytes, theirs, bytes);
                theirs += bytes;
            }
    return STATUS_OK;
}

static const void *metrics_record(struct executor *executor, int k)
{
    return &executor->local[k].metrics;
}

enum status executor_metrics(struct executor *executor, struct metric_sums *sums, struct fault *fault)
{
    struct arena *arena = arena_new();
    char *all = NULL;
    enum status status = gather_devices(executor, arena, metrics_record, sizeof *sums, &all, fault);
    if (status == STATUS_OK && all) {
        memset(sums, 0, sizeof *sums);
        for (int d = 0; d < executor->plan->n_devices; d++)
            metric_merge(sums, &((const struct metric_sums *)(void *)all)[d]);
    }
    for (int k = 0; k < executor->n_local; k++)
        memset(&executor->local[k].metrics, 0, sizeof executor->local[k].metrics);
    arena_free(arena);
    return status;
}

/* The run ends when its last device does; every rank must know when. */
static enum status run_end_ps(struct executor *executor, struct arena *arena, uint64_t *end_ps, struct fault *fault)
{
    uint64_t mine = 0;
    for (int k = 0; k < executor->n_local; k++)
        if (clock_end_ps(&executor->local[k].clock) > mine)
            mine = clock_end_ps(&executor->local[k].clock);
    int n_ranks = comm_size(executor->comm);
    uint64_t *all = arena_array(arena, (size_t)n_ranks, sizeof *all);
    enum status status = comm_gather(executor->comm, &mine, sizeof mine, all, fault);
    for (int r = 0; status == STATUS_OK && r < n_ranks; r++)
        mine = all[r] > mine ? all[r] : mine;
    if (status == STATUS_OK)
        status = comm_broadcast(executor->comm, &mine, sizeof mine, fault);
    *end_ps = mine;
    return status;
}

static const void *ledger_record(struct executor *executor, int k)
{
    return executor->local[k].ledger;
}

enum status executor_ledgers(struct executor *executor, struct arena *arena, struct ledger **ledgers,
                             struct fault *fault)
{
    uint64_t end_ps;
    twins_settle(executor);
    enum status status = run_end_ps(executor, arena, &end_ps, fault);
    if (status != STATUS_OK)
        return status;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        const struct program *programs[N_PROGRAMS];
        for (int p = 0; p < N_PROGRAMS; p++)
            programs[p] = program_of(executor, device, p);
        device->ledger = arena_take(arena, sizeof *device->ledger);
        clock_ledger(&device->clock, programs, end_ps, device->backend->wait_power_mw(device->state),
                     device->idle_power_mw, device->ledger);
    }
    char *all = NULL;
    status = gather_devices(executor, arena, ledger_record, sizeof **ledgers, &all, fault);
    *ledgers = (struct ledger *)(void *)all;
    return status;
}

enum status executor_marks(struct executor *executor, struct arena *arena, struct mark **marks, size_t *n_marks,
                           struct fault *fault)
{
    size_t *sizes = arena_array(arena, (size_t)comm_size(executor->comm), sizeof *sizes), total = 0;
    char *all = NULL;
    enum status status = comm_gather_varying(executor->comm, arena, executor->marks.mark,
                                             executor->marks.n * sizeof **marks, &all, sizes, fault);
    *marks = NULL;
    *n_marks = 0;
    if (status != STATUS_OK || comm_rank(executor->comm) != 0)
        return status;
    for (int r = 0; r < comm_size(executor->comm); r++)
        total += sizes[r];
    *marks = (struct mark *)(void *)all;
    *n_marks = total / sizeof **marks;
    mark_sort(*marks, *n_marks);
    return STATUS_OK;
}

/* The `bytes` bytes at `mine` on rank `from` to rank 0. */
static enum status hand_to_first(struct executor *executor, struct arena *arena, int from, const void *mine,
                                 size_t bytes, void **values, struct fault *fault)
{
    enum { TAG = 4 };
    int rank = comm_rank(executor->comm);
    if (rank == from && !mine)
        bug("rank %d does not have what it is to hand over", from);
    if (rank == 0)
        *values = arena_take(arena, bytes);
    if (from == 0) {
        if (rank == 0)
            memcpy(*values, mine, bytes);
        return STATUS_OK;
    }
    struct transfers *transfers = transfers_new(executor->comm);
    if (rank == 0)
        transfers_receive(transfers, from, TAG, *values, bytes);
    else if (rank == from)
        transfers_send(transfers, 0, TAG, mine, bytes);
    enum status status = transfers_wait(transfers, fault);
    transfers_free(transfers);
    return status;
}

enum status executor_fetch(struct executor *executor, struct arena *arena, int device, int program_id, int slot,
                           void **values, struct fault *fault)
{
    const struct program *program = &executor->plan->programs[program_id][device];
    const void *mine = NULL;
    for (int k = 0; k < executor->n_local; k++)
        if (executor->local[k].number == device)
            mine = slot_memory(&executor->local[k], program, slot);
    return hand_to_first(executor, arena, executor->home[device], mine, program->slots[slot].bytes, values, fault);
}

static void place_rows(const uint32_t *sample, const float *rows, size_t n, int64_t n_samples, int64_t n_outputs,
                       float *to)
{
    for (size_t i = 0; i < n; i++)
        if (sample[i] < n_samples)
            memcpy(to + (size_t)sample[i] * (size_t)n_outputs, rows + i * (size_t)n_outputs,
                   (size_t)n_outputs * sizeof *to);
}

enum status executor_predictions(struct executor *executor, struct arena *arena, int64_t n_samples, int64_t n_outputs,
                                 float **predictions, struct fault *fault)
{
    size_t *sizes = arena_array(arena, (size_t)comm_size(executor->comm), sizeof *sizes);
    *predictions = comm_rank(executor->comm) == 0
                       ? arena_array(arena, (size_t)(n_samples * n_outputs) + 1, sizeof **predictions)
                       : NULL;
    /* Device by device: the same sequence of collectives on every rank, whatever lives where. */
    for (int d = 0; d < executor->plan->n_devices; d++) {
        struct prediction_list none = {0}, *list = &none;
        for (int k = 0; k < executor->n_local; k++)
            if (executor->local[k].number == d)
                list = &executor->local[k].predictions;
        char *samples = NULL, *rows = NULL;
        enum status status = comm_gather_varying(executor->comm, arena, list->sample, list->n * sizeof *list->sample,
                                                 &samples, sizes, fault);
        if (status == STATUS_OK)
            status = comm_gather_varying(executor->comm, arena, list->values,
                                         list->n * (size_t)n_outputs * sizeof *list->values, &rows, sizes, fault);
        if (status != STATUS_OK)
            return status;
        if (*predictions)
            place_rows((const uint32_t *)(void *)samples, (const float *)(void *)rows,
                       sizes[executor->home[d]] / sizeof(float) / (size_t)n_outputs, n_samples, n_outputs,
                       *predictions);
    }
    return STATUS_OK;
}

struct executor_wall executor_wall(const struct executor *executor)
{
    return executor->wall;
}
