/* results_h5.c - the table of a study as HDF5: columns over one dimension scale, /points/point. */
#include <ctype.h>
#include <string.h>

#include "report/result_columns.h"
#include "study/axis.h"
#include "study/results.h"
#include "study/series.h"

/* A key as a name that CF allows: letters, digits, underscores. */
static const char *plain_name(const char *key, struct arena *arena)
{
    char *name = arena_string(arena, key), *to = name;
    for (const char *from = key; *from; from++)
        if (isalnum((unsigned char)*from))
            *to++ = *from;
        else if (*from != ']')
            *to++ = '_';
    *to = '\0';
    return name;
}

static void set_key(struct columns *c, const char *name, const char *key)
{
    if (!columns_failed(c))
        h5_set_string(c->file, columns_path(c, name), "key", key, c->fault);
}

static void put_axis(struct columns *c, const struct study_results *results, int a)
{
    const struct study_axis *axis = &results->study->axis[a];
    const char *name = plain_name(axis->key, c->arena), *unit = axis_unit(axis, c->arena);
    const char **text = arena_array(c->arena, (size_t)c->n, sizeof *text);
    double *x = arena_array(c->arena, (size_t)c->n, sizeof *x);
    for (int64_t i = 0; i < c->n; i++) {
        text[i] = results->row[i].point->value[a];
        x[i] = results->row[i].point->x[a];
    }
    const char *long_name = arena_printf(c->arena, "value of %s", axis->key);
    if (results_axis_is_number(axis))
        columns_put(c, name, H5_FLOAT64, x, *unit ? unit : "1", long_name);
    else
        columns_put_names(c, name, text, long_name);
    set_key(c, name, axis->key);
}

static void put_states(struct columns *c, const struct study_results *results)
{
    const char **state = arena_array(c->arena, (size_t)c->n, sizeof *state);
    const char **message = arena_array(c->arena, (size_t)c->n, sizeof *message);
    int32_t *exit_status = arena_array(c->arena, (size_t)c->n, sizeof *exit_status);
    uint64_t *seed = arena_array(c->arena, (size_t)c->n, sizeof *seed);
    uint8_t *front = arena_array(c->arena, (size_t)c->n, sizeof *front);
    for (int64_t i = 0; i < c->n; i++) {
        const struct study_row *row = &results->row[i];
        state[i] = row_state_name(row->state);
        message[i] = row->message;
        exit_status[i] = row->exit_status;
        seed[i] = row->point->seed;
        front[i] = results->group[row->point->group].on_front;
    }
    columns_put_names(c, "state", state, "ok, failed, stopped or missing");
    columns_put(c, "exit_status", H5_INT32, exit_status, "1", "exit status of the run");
    columns_put_names(c, "message", message, "why a run failed or stopped");
    columns_put(c, "seed", H5_UINT64, seed, "1", "seed of the run");
    if (results->n_objectives)
        columns_put(c, "pareto", H5_UINT8, front, "1", "1: no other point is better in all objectives");
}

static void put_metric(struct columns *c, const struct study_results *results, int metric)
{
    int n;
    const struct metric *told = &metrics(&n)[metric];
    double *value = arena_array(c->arena, (size_t)c->n, sizeof *value);
    for (int64_t i = 0; i < c->n; i++)
        value[i] = results->row[i].metric[metric];
    columns_put(c, told->name, H5_FLOAT64, value, told->unit, told->meaning);
}

static void put_head(struct h5 *file, const struct study_results *results, struct fault *fault)
{
    const char *const pairs[][2] = {
        {"Conventions", "CF-1.8"},       {"schema", "polyrank-study"},   {"source", "polyrank " POLYRANK_VERSION},
        {"title", results->study->name}, {"kind", results->study->kind},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && !fault->status; i++)
        h5_set_string(file, "/", pairs[i][0], pairs[i][1], fault);
    if (!fault->status)
        h5_set_int(file, "/", "schema_version", 1, fault);
    if (!fault->status)
        h5_write_text(file, "/study", results->study->text, fault);
    if (!fault->status)
        h5_set_string(file, "/study", "long_name", "the study file", fault);
}

enum status results_write_h5(const struct study_results *results, const char *folder, struct arena *arena,
                             struct fault *fault)
{
    struct h5 *file;
    if (h5_create(arena_printf(arena, "%s/study.h5", folder), &file, fault) != STATUS_OK)
        return fault->status;
    struct columns c = columns_of(file, arena, fault, "/points", "point", results->n);
    put_head(file, results, fault);
    columns_put_scale(&c, 1, "number of the point");
    for (int a = 0; a < results->study->n_axes; a++)
        put_axis(&c, results, a);
    put_states(&c, results);
    for (int m = 0; m < results->n_metrics; m++)
        put_metric(&c, results, results->metric[m]);
    series_put(file, results, arena, fault);
    if (fault->status) {
        h5_abandon(file);
        return fault->status;
    }
    return h5_finish(file, fault);
}
