#include "scheduler/movement.h"

#include <math.h>
#include <string.h>

#include "kernel/lowrank.h"

/* Some rows of a weight of the first GPU. */
struct watched {
    int slot;
    int64_t first, out, in; /* element; rows, columns */
};

/* Weights at one time; rank 0 has the values, [n_matrices]. */
struct snapshot {
    struct arena *arena; /* NULL: none taken */
    const void **values;
};

struct movement {
    const struct training *training;
    struct executor *executor;
    int width; /* of the adapters */
    int n, element_bytes;
    struct watched *matrix;
    struct snapshot start;
    double *relative; /* [n] */
};

static void watch(struct movement *movement, const char *name, int64_t part, int64_t parts)
{
    const struct training *training = movement->training;
    const struct program *program = &training->plan.programs[PROGRAM_TRAIN][training->first_gpu];
    int s = 0;
    while (s < program->n_slots && !(program->slots[s].is_weight && strcmp(program->slots[s].name, name) == 0))
        s++;
    if (s == program->n_slots)
        bug("there is no weight %s", name);
    int64_t out = program->slots[s].dims[0] / parts, in = program->slots[s].dims[1];
    movement->matrix[movement->n++] = (struct watched){s, part * out * in, out, in};
}

/* The targets of adapters in one layer, in their order. */
static void watch_layer(struct movement *movement, int64_t layer, unsigned targets)
{
    const struct training *training = movement->training;
    struct family_weight weights[FAMILY_MAX_TARGETS];
    int n = family_targets(&training->config, layer, targets, training->arena, weights);
    for (int i = 0; i < n; i++)
        watch(movement, weights[i].name, weights[i].part, weights[i].parts);
}

struct movement *movement_open(const struct training *training, struct executor *executor,
                               const struct switch_config *config)
{
    struct movement *movement = arena_take(training->arena, sizeof *movement);
    int64_t layers = family_layers(&training->config);
    *movement = (struct movement){.training = training,
                                  .executor = executor,
                                  .width = config->width,
                                  .element_bytes = training->plan.format == FORMAT_FP64 ? 8 : 4};
    size_t room = (size_t)layers * FAMILY_MAX_TARGETS;
    movement->matrix = arena_array(training->arena, room, sizeof *movement->matrix);
    movement->relative = arena_array(training->arena, room, sizeof *movement->relative);
    if (config->policy == SWITCH_HPT) {
        watch_layer(movement, config->watch_layer, TARGET_Q | TARGET_V);
        return movement;
    }
    struct job_adapter job = training->job->train.adapter;
    struct adapter_config adapter;
    build_adapter_config(&job, &adapter);
    for (int64_t layer = 0; layer < layers; layer++)
        watch_layer(movement, layer, adapter.targets);
    return movement;
}

static void drop(struct snapshot *snapshot)
{
    if (snapshot->arena)
        arena_free(snapshot->arena);
    *snapshot = (struct snapshot){NULL, NULL};
}

void movement_close(struct movement *movement)
{
    if (movement)
        drop(&movement->start);
}

/* Collective. Parts of one weight are fetched with it, once. */
static enum status take(struct movement *movement, struct snapshot *snapshot, struct fault *fault)
{
    const struct training *training = movement->training;
    enum status status = STATUS_OK;
    void *values = NULL;
    snapshot->arena = arena_new();
    snapshot->values = arena_array(snapshot->arena, (size_t)movement->n, sizeof *snapshot->values);
    for (int m = 0; m < movement->n && status == STATUS_OK; m++) {
        const struct watched *matrix = &movement->matrix[m];
        if (m == 0 || matrix->slot != matrix[-1].slot)
            status = executor_fetch(movement->executor, snapshot->arena, training->first_gpu, PROGRAM_TRAIN,
                                    matrix->slot, &values, fault);
        if (values)
            snapshot->values[m] = (const char *)values + matrix->first * movement->element_bytes;
    }
    if (status != STATUS_OK)
        drop(snapshot);
    return status;
}

enum status movement_begin(struct movement *movement, struct fault *fault)
{
    drop(&movement->start);
    return take(movement, &movement->start, fault);
}

static double element(const void *values, int element_bytes, int64_t i)
{
    return element_bytes == 8 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

/* Squared singular values of the change that each width holds, added to captured; width w at place i of widths. */
static void add_captured(const struct movement *movement, int m, const double *change, const int *widths, int n_widths,
                         double *captured)
{
    struct arena *arena = arena_new();
    size_t rows = (size_t)movement->matrix[m].out, columns = (size_t)movement->matrix[m].in;
    size_t least = rows < columns ? rows : columns, width = 1;
    for (int i = 0; i < n_widths; i++)
        width = (size_t)widths[i] > width ? (size_t)widths[i] : width;
    width = width < least ? width : least;
    double *b = arena_array(arena, rows * width, sizeof *b), *a = arena_array(arena, width * columns, sizeof *a);
    void *scratch = arena_take(arena, low_rank_scratch_bytes(rows, columns, width));
    low_rank(rows, columns, change, width, movement->training->job->train.seed, (uint32_t)m, b, a, scratch);
    for (size_t r = 0; r < width; r++) {
        double b_squares = 0, a_squares = 0;
        for (size_t o = 0; o < rows; o++)
            b_squares += b[o * width + r] * b[o * width + r];
        for (size_t c = 0; c < columns; c++)
            a_squares += a[r * columns + c] * a[r * columns + c];
        for (int i = 0; i < n_widths; i++)
            if (r < (size_t)widths[i])
                captured[i] += b_squares * a_squares;
    }
    arena_free(arena);
}

/* Rank 0's part. captured[SWITCH_WIDTHS] is that of the adapters' own width. */
static void compare(struct movement *movement, const struct snapshot *end, int wants, double *displacement,
                    double captured[SWITCH_WIDTHS + 1])
{
    int widths[SWITCH_WIDTHS + 1], bytes = movement->element_bytes;
    memcpy(widths, switch_widths, sizeof switch_widths);
    widths[SWITCH_WIDTHS] = movement->width;
    double all = 0;
    for (int i = 0; i <= SWITCH_WIDTHS; i++)
        captured[i] = 0;
    for (int m = 0; m < movement->n; m++) {
        int64_t n = movement->matrix[m].out * movement->matrix[m].in;
        double *change = arena_array(end->arena, (size_t)n, sizeof *change), weights = 0, squares = 0;
        for (int64_t i = 0; i < n; i++) {
            double before = element(movement->start.values[m], bytes, i);
            change[i] = element(end->values[m], bytes, i) - before;
            weights += before * before;
            squares += change[i] * change[i];
            all += change[i] * change[i];
        }
        movement->relative[m] = sqrt(squares / weights);
        if (wants & SWITCH_WANTS_CAPTURED)
            add_captured(movement, m, change, widths, SWITCH_WIDTHS + 1, captured);
    }
    *displacement = sqrt(all);
    for (int i = 0; i <= SWITCH_WIDTHS; i++)
        captured[i] = all > 0 ? captured[i] / all : 1;
}

enum status movement_end(struct movement *movement, int wants, struct switch_window *numbers, struct fault *fault)
{
    struct comm *comm = movement->training->comm;
    struct snapshot end = {NULL, NULL};
    double displacement = NAN, captured[SWITCH_WIDTHS + 1];
    for (int i = 0; i <= SWITCH_WIDTHS; i++)
        captured[i] = NAN;
    for (int m = 0; m < movement->n; m++)
        movement->relative[m] = NAN;
    enum status status = take(movement, &end, fault);
    if (status != STATUS_OK)
        return status;
    if (comm_rank(comm) == 0 && movement->start.arena)
        compare(movement, &end, wants, &displacement, captured);
    drop(&movement->start);
    movement->start = end;
    status = comm_broadcast(comm, &displacement, sizeof displacement, fault);
    if (status == STATUS_OK)
        status = comm_broadcast(comm, captured, sizeof captured, fault);
    if (status == STATUS_OK)
        status = comm_broadcast(comm, movement->relative, (size_t)movement->n * sizeof *movement->relative, fault);
    numbers->displacement = displacement;
    numbers->n_matrices = movement->n;
    numbers->relative_displacement = movement->relative;
    memcpy(numbers->captured, captured, sizeof numbers->captured);
    numbers->captured_own = captured[SWITCH_WIDTHS];
    return status;
}

void movement_archive(struct movement *movement, struct archive *archive)
{
    struct snapshot *start = &movement->start;
    if (comm_rank(movement->training->comm) != 0 || !archive_count(archive, "taken", start->arena != NULL))
        return;
    if (archive_restores(archive)) {
        drop(start);
        start->arena = arena_new();
        start->values = arena_array(start->arena, (size_t)movement->n, sizeof *start->values);
    }
    enum archive_type type = movement->element_bytes == 8 ? ARCHIVE_F64 : ARCHIVE_F32;
    for (int m = 0; m < movement->n; m++) {
        size_t n = (size_t)(movement->matrix[m].out * movement->matrix[m].in);
        if (archive_restores(archive))
            start->values[m] = arena_array(start->arena, n, (size_t)movement->element_bytes);
        archive_enter(archive, "matrix/%04d", m);
        archive_memory(archive, "values", type, (void *)start->values[m], n);
        archive_leave(archive);
    }
}
