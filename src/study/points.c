#include "study/points.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "study/axis.h"

enum { MAX_RUN_OVERRIDES = 56 }; /* of a run's command line: command/job_options.h */

/* What the points are made of. */
struct making {
    const struct study *study;
    const struct study_extra *extra;
    struct arena *arena;
    struct study_points *points;
    struct fault *fault;
    struct axis_values values[STUDY_MAX_AXES]; /* samples: one value for each sample */
    int64_t n_zip, n_samples, n_counts;
};

/* Lists that go with the counts are as long as those. */
static enum status check_along(const struct making *making)
{
    const struct study *study = making->study;
    for (int a = 0; a < study->n_axes; a++)
        if (study->axis[a].group == AXIS_ALONG && making->values[a].n != making->n_counts)
            return fault_set(
                making->fault, STATUS_USAGE,
                "%s:%d: scaling.along.%s: expected a list of %" PRId64 " values, one for each count, found %" PRId64,
                study->source, study->axis[a].line, study->axis[a].key, making->n_counts, making->values[a].n);
    return STATUS_OK;
}

static enum status expand_all(struct making *making)
{
    const struct study *study = making->study;
    making->n_zip = making->n_counts = 1;
    making->n_samples = study->samples > 0 ? study->samples : 1;
    for (int a = 0; a < study->n_axes; a++) {
        const struct study_axis *axis = &study->axis[a];
        struct axis_values *values = &making->values[a];
        if (axis->group == AXIS_SAMPLE) {
            double *u = arena_array(making->arena, (size_t)study->samples, sizeof *u);
            axis_sample(study->method, study->seed, axis->key, study->samples, u);
            *values = (struct axis_values){study->samples,
                                           arena_array(making->arena, (size_t)study->samples, sizeof *values->text)};
            for (int64_t i = 0; i < study->samples; i++)
                values->text[i] = axis_at(axis, u[i], making->arena);
        } else if (axis_expand(study, axis, making->arena, values, making->fault)) {
            return making->fault->status;
        }
        if (axis->group == AXIS_ZIP)
            making->n_zip = values->n;
        else if (axis->group == AXIS_SCALE)
            making->n_counts = values->n;
    }
    return check_along(making);
}

static enum status count_points(struct making *making, int64_t *n_grid)
{
    const struct study *study = making->study;
    double n = (double)making->n_zip * (double)making->n_samples * (double)making->n_counts * (double)study->replicas;
    *n_grid = 1;
    for (int a = 0; a < study->n_axes && n <= STUDY_MAX_POINTS; a++)
        if (study->axis[a].group == AXIS_GRID) {
            *n_grid *= making->values[a].n;
            n *= (double)making->values[a].n;
        }
    if (n > STUDY_MAX_POINTS)
        return fault_set(making->fault, STATUS_USAGE, "%s: expected at most %d points, found more", study->source,
                         STUDY_MAX_POINTS);
    making->points->n = (int64_t)n;
    making->points->n_groups = (int64_t)n / study->replicas;
    making->points->n_series = making->points->n_groups / making->n_counts;
    return STATUS_OK;
}

/* The values of combination g of everything but the replicas. */
static void choose_values(const struct making *making, int64_t g, const char **value, double *x)
{
    const struct study *study = making->study;
    int64_t count = g % making->n_counts, rest = g / making->n_counts;
    int64_t sample = rest % making->n_samples, zip = rest / making->n_samples % making->n_zip;
    int64_t grid = rest / making->n_samples / making->n_zip;
    for (int a = study->n_axes - 1; a >= 0; a--) {
        const struct axis_values *values = &making->values[a];
        if (values->n < 1)
            bug("axis %s without values", study->axis[a].key);
        const int64_t place[] = {[AXIS_GRID] = grid % values->n,
                                 [AXIS_ZIP] = zip,
                                 [AXIS_SAMPLE] = sample,
                                 [AXIS_ALONG] = count,
                                 [AXIS_SCALE] = count};
        value[a] = values->text[place[study->axis[a].group]];
        x[a] = axis_number(&study->axis[a], value[a]);
        if (study->axis[a].group == AXIS_GRID)
            grid /= values->n;
    }
}

static enum status refuse_point(const struct making *making, const struct study_point *point)
{
    const struct study *study = making->study;
    int line = 0;
    const char *text = making->fault->text;
    if (strncmp(text, "--set ", 6) == 0) { /* the axis that the message is about */
        for (int a = 0; a < study->n_axes; a++)
            if (strncmp(text + 6, study->axis[a].key, strlen(study->axis[a].key)) == 0)
                line = study->axis[a].line;
        for (int s = 0; s < study->n_set; s++)
            if (strncmp(text + 6, study->set[s].key, strlen(study->set[s].key)) == 0)
                line = study->set[s].line;
    }
    if (line > 0)
        fault_prefix(making->fault, "%s:%d: point %" PRId64, study->source, line, point->number);
    else
        fault_prefix(making->fault, "%s: point %" PRId64, study->source, point->number);
    return making->fault->status;
}

static enum status read_job(const struct making *making, const struct study_point *point, struct arena *arena,
                            struct job *job)
{
    if (job_read(arena, making->study->job, point->override, point->n_overrides, job, making->fault))
        return refuse_point(making, point);
    return STATUS_OK;
}

static void add_override(struct making *making, struct study_point *point, const char *text)
{
    const char **list = (const char **)(uintptr_t)point->override;
    if (point->n_overrides == MAX_RUN_OVERRIDES)
        fault_set(making->fault, STATUS_USAGE, "%s: expected at most %d keys set for a run, found more",
                  making->study->source, MAX_RUN_OVERRIDES);
    else
        list[point->n_overrides++] = text;
}

/* Keys of a weak scaling study: their value at the first count times how much larger the count is. */
static enum status add_grown(struct making *making, struct study_point *point, double count, struct arena *scratch)
{
    const struct study *study = making->study;
    struct job job;
    if (study->grow.n == 0)
        return STATUS_OK;
    const struct axis_values *counts = &making->values[study->n_axes - 1];
    if (!counts->text)
        bug("a study that grows without counts");
    int64_t first = atoll(counts->text[0]), base;
    if (read_job(making, point, scratch, &job))
        return making->fault->status;
    for (int k = 0; k < study->grow.n; k++) {
        const char *key = study->grow.value[k];
        if (job_get_int(scratch, &job, key, &base, making->fault)) {
            fault_prefix(making->fault, "%s: scaling.grow", study_place(scratch, study, "scaling.grow"));
            return making->fault->status;
        }
        double grown = (double)base * count / (double)first;
        if (grown != floor(grown) || grown > 9e15 || base <= 0)
            return fault_set(making->fault, STATUS_USAGE,
                             "%s: scaling.grow: expected a number of %s that grows with the counts, found %" PRId64
                             " at %" PRId64,
                             study_place(scratch, study, "scaling.grow"), key, base, first);
        add_override(making, point, arena_printf(making->arena, "%s=%.0f", key, grown));
    }
    return making->fault->status;
}

/* Reads the point's job; a replica's with the seed that is its own. */
static enum status read_with_seed(struct making *making, struct study_point *point, int64_t replica,
                                  struct arena *scratch, struct job *job)
{
    if (read_job(making, point, scratch, job))
        return making->fault->status;
    int serves = job->decoder.model || job->decoder.file;
    making->points->serves = serves;
    point->seed = (serves ? job->serve.seed : job->train.seed) + (uint64_t)replica;
    if (making->study->replicas == 1)
        return STATUS_OK;
    add_override(making, point,
                 arena_printf(making->arena, "%s.seed=%" PRIu64, serves ? "serve" : "train", point->seed));
    return read_job(making, point, scratch, job);
}

static uint64_t hash_of(const struct making *making, const struct study_point *point, const struct job *job,
                        struct arena *arena)
{
    uint64_t hash = hash_text(HASH_START, POLYRANK_VERSION);
    hash = hash_number(hash, (uint64_t)(making->study->timing_only || making->extra->timing_only));
    hash = hash_number(hash, (uint64_t)point->ranks);
    hash = hash_number(hash, (uint64_t)making->study->repeats);
    return hash_text(hash, job_print(arena, job));
}

static enum status make_point(struct making *making, struct study_point *point)
{
    const struct study *study = making->study;
    int64_t replica = (point->number - 1) % study->replicas;
    const char **value = arena_array(making->arena, (size_t)study->n_axes + 1, sizeof *value);
    double *x = arena_array(making->arena, (size_t)study->n_axes + 1, sizeof *x);
    struct arena *scratch = arena_new();
    struct job job;
    point->group = (point->number - 1) / study->replicas;
    point->series = point->group / making->n_counts;
    point->override = arena_array(making->arena, MAX_RUN_OVERRIDES, sizeof *point->override);
    point->ranks = study->ranks;
    choose_values(making, point->group, value, x);
    point->value = value;
    point->x = x;
    for (int s = 0; s < study->n_set; s++)
        add_override(making, point, arena_printf(making->arena, "%s=%s", study->set[s].key, study->set[s].value));
    for (int o = 0; o < making->extra->n_overrides; o++)
        add_override(making, point, making->extra->override[o]);
    for (int a = 0; a < study->n_axes; a++) {
        if (study->axis[a].group == AXIS_SCALE && study_is_over_ranks(study))
            point->ranks = (int64_t)x[a];
        else
            add_override(making, point, arena_printf(making->arena, "%s=%s", study->axis[a].key, value[a]));
    }
    double count = study_is_scaling(study) ? x[study->n_axes - 1] : 1;
    if (!add_grown(making, point, count, scratch) && !read_with_seed(making, point, replica, scratch, &job))
        point->hash = hash_of(making, point, &job, scratch);
    arena_free(scratch);
    return making->fault->status;
}

/* Each point has a folder of its own, and a key that varies is not to be set otherwise. */
static enum status check_keys(const struct making *making)
{
    const struct study *study = making->study;
    static const char own[] = "output.directory";
    for (int a = 0; a < study->n_axes; a++)
        if (strcmp(study->axis[a].key, own) == 0)
            return fault_set(making->fault, STATUS_USAGE,
                             "%s:%d: %s: expected another key, because every point has a "
                             "folder of its own",
                             study->source, study->axis[a].line, own);
    for (int s = 0; s < study->n_set; s++)
        if (strcmp(study->set[s].key, own) == 0)
            return fault_set(making->fault, STATUS_USAGE,
                             "%s:%d: %s: expected another key, because every point has a "
                             "folder of its own",
                             study->source, study->set[s].line, own);
    for (int o = 0; o < making->extra->n_overrides; o++) {
        const char *text = making->extra->override[o];
        size_t length = strcspn(text, " =");
        for (int a = 0; a < study->n_axes; a++)
            if (strlen(study->axis[a].key) == length && strncmp(study->axis[a].key, text, length) == 0)
                return fault_set(making->fault, STATUS_USAGE,
                                 "--set %s: expected another key, because the study "
                                 "varies this one",
                                 text);
        if (length == strlen(own) && strncmp(text, own, length) == 0)
            return fault_set(making->fault, STATUS_USAGE, "--set %s: expected --output", text);
    }
    return STATUS_OK;
}

enum status study_points(const struct study *study, const struct study_extra *extra, struct arena *arena,
                         struct study_points *points, struct fault *fault)
{
    struct study_points made = {.job = study->job};
    struct making making = {.study = study, .extra = extra, .arena = arena, .points = &made, .fault = fault};
    int64_t n_grid;
    if (check_keys(&making) || expand_all(&making) || count_points(&making, &n_grid))
        return fault->status;
    made.point = arena_array(arena, (size_t)made.n, sizeof *made.point);
    for (int64_t i = 0; i < made.n; i++) {
        made.point[i].number = i + 1;
        if (make_point(&making, &made.point[i]))
            return fault->status;
    }
    *points = made;
    return STATUS_OK;
}
