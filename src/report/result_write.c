#include <math.h>

#include "report/result_private.h"
#include "store/h5.h"

/* After the first fault nothing more is written, so that the calls below need no checks of their own. */
struct writer {
    struct h5 *file;
    struct arena *arena;
    const struct run *run;
    struct fault *fault;
};

static int has_failed(const struct writer *w)
{
    return w->fault->status != STATUS_OK;
}

/* What an array is: its shape, and the scale of each dimension. */
struct shape {
    int n_dims;
    int64_t dims[2];
    const char *scale[2];
};

static void describe(struct writer *w, const char *name, const char *units, const char *long_name)
{
    if (!has_failed(w) && units)
        h5_set_string(w->file, name, "units", units, w->fault);
    if (!has_failed(w))
        h5_set_string(w->file, name, "long_name", long_name, w->fault);
}

static void write_array(struct writer *w, const char *name, enum h5_type type, const struct shape *shape,
                        const void *values, const struct result_field *field)
{
    if (!has_failed(w))
        h5_write(w->file, name, type, shape->n_dims, shape->dims, values, w->fault);
    if (!has_failed(w))
        h5_attach_scales(w->file, name, shape->n_dims, shape->scale, w->fault);
    describe(w, name, field->units, field->long_name);
}

static const char *path_in(struct writer *w, const char *group, const char *name)
{
    return arena_printf(w->arena, "%s/%s", group, name);
}

static void make_scale(struct writer *w, const char *path, const char *units, const char *long_name)
{
    if (!has_failed(w))
        h5_make_scale(w->file, path, w->fault);
    describe(w, path, units, long_name);
}

static void write_scale(struct writer *w, const char *path, int64_t n, const int64_t *values, const char *long_name)
{
    if (!has_failed(w))
        h5_write(w->file, path, H5_INT64, 1, &n, values, w->fault);
    make_scale(w, path, "1", long_name);
}

static void write_counting_scale(struct writer *w, const char *path, int64_t n, int64_t first, const char *long_name)
{
    int64_t *values = arena_array(w->arena, (size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = first + i;
    write_scale(w, path, n, values, long_name);
}

static void write_name_scale(struct writer *w, const char *path, int n, const char *const *names, const char *long_name)
{
    if (!has_failed(w))
        h5_write_strings(w->file, path, n, names, w->fault);
    make_scale(w, path, NULL, long_name);
}

static void set_int(struct writer *w, const char *object, const char *name, int64_t value)
{
    if (!has_failed(w))
        h5_set_int(w->file, object, name, value, w->fault);
}

static void set_string(struct writer *w, const char *object, const char *name, const char *value)
{
    if (!has_failed(w) && value)
        h5_set_string(w->file, object, name, value, w->fault);
}

/* Attributes are signed: what needs all 64 bits is a dataset. */
static void write_scalar(struct writer *w, const char *path, uint64_t value, const char *units, const char *long_name)
{
    if (!has_failed(w))
        h5_write(w->file, path, H5_UINT64, 0, NULL, &value, w->fault);
    describe(w, path, units, long_name);
}

static void write_head(struct writer *w)
{
    struct run run = *w->run;
    set_string(w, "/", "Conventions", "CF-1.8");
    set_string(w, "/", "schema", RESULT_SCHEMA);
    set_int(w, "/", "schema_version", RESULT_SCHEMA_VERSION);
    set_string(w, "/", "source", "polyrank " POLYRANK_VERSION);
    for (int i = 0; i < RESULT_RUN_TEXTS; i++)
        set_string(w, "/", result_run_text_name(i), *result_run_text(&run, i));
    for (int i = 0; i < RESULT_RUN_FIELDS; i++)
        set_int(w, "/", result_run_field(i), *result_run_value(&run, i));
    set_int(w, "/", "timing_only", run.timing_only);
    set_int(w, "/", "n_devices", run.n_devices);
    if (!has_failed(w))
        h5_set_double(w->file, "/", "virtual_time_s", (double)run.end_ps * 1e-12, w->fault);
    if (!has_failed(w))
        h5_set_double(w->file, "/", "energy_j", run_energy_j(&run), w->fault);
    if (!has_failed(w))
        h5_write_text(w->file, "/config", run.config ? run.config : "", w->fault);
    write_scalar(w, "/flops", run.flops, "1", "floating-point operations of the run");
    write_scalar(w, "/virtual_time_ps", run.end_ps, "ps", "virtual time of the run");
    set_string(w, "/config", "long_name", "the resolved job, as YAML; polyrank train runs it again");
    set_int(w, "/config", "schema_version", RESULT_SCHEMA_VERSION);
    set_string(w, "/config", "polyrank_version", POLYRANK_VERSION);
}

static void write_times(struct writer *w, const char *group, int64_t n, const uint64_t *time_ps, const char *scale)
{
    const struct shape shape = {1, {n}, {scale}};
    double *seconds = arena_array(w->arena, (size_t)n, sizeof *seconds);
    for (int64_t i = 0; i < n; i++)
        seconds[i] = (double)time_ps[i] * 1e-12;
    write_array(w, path_in(w, group, "virtual_time_ps"), H5_UINT64, &shape, time_ps,
                &(struct result_field){NULL, "ps", "virtual time at the end of the step"});
    write_array(w, path_in(w, group, "virtual_time_s"), H5_FLOAT64, &shape, seconds,
                &(struct result_field){NULL, "s", "virtual time at the end of the step"});
}

static void write_curve(struct writer *w)
{
    int64_t n = w->run->n_steps;
    if (n == 0)
        return;
    int64_t *step = arena_array(w->arena, (size_t)n, sizeof *step);
    uint64_t *time_ps = arena_array(w->arena, (size_t)n, sizeof *time_ps);
    double *real[3];
    for (int f = 0; f < 3; f++)
        real[f] = arena_array(w->arena, (size_t)n, sizeof **real);
    for (int64_t i = 0; i < n; i++) {
        const struct run_step *from = &w->run->step[i];
        step[i] = from->step;
        time_ps[i] = from->time_ps;
        real[0][i] = from->loss, real[1][i] = from->learning_rate, real[2][i] = from->energy_j;
    }
    const struct shape shape = {1, {n}, {"/curve/step"}};
    write_scale(w, "/curve/step", n, step, "training step, from 1");
    write_times(w, "/curve", n, time_ps, "/curve/step");
    write_array(w, "/curve/loss", H5_FLOAT64, &shape, real[0],
                &(struct result_field){NULL, "1", "training loss of the step's minibatch, normalised units"});
    write_array(w, "/curve/learning_rate", H5_FLOAT64, &shape, real[1],
                &(struct result_field){NULL, "1", "learning rate"});
    write_array(w, "/curve/energy_j", H5_FLOAT64, &shape, real[2],
                &(struct result_field){NULL, "J", "energy of all devices so far: working, waiting, idle"});
}

/* The metrics of n rows (evaluations or baselines) with up to n_horizons horizons each; missing ones are NaN. */
struct metrics_rows {
    const char *group, *row_scale;
    int64_t n;
    int n_horizons;
    const struct run_metrics **horizon; /* [n] */
    const int *horizons;                /* [n] */
    const struct run_metrics *all;      /* [n] */
};

static void write_metric(struct writer *w, const struct metrics_rows *rows, int f)
{
    struct result_field field = *result_metric_field(f);
    const char *scale = path_in(w, rows->group, "horizon");
    const struct shape table = {2, {rows->n, rows->n_horizons}, {rows->row_scale, scale}};
    const struct shape line = {1, {rows->n}, {rows->row_scale}};
    double *values = arena_array(w->arena, (size_t)rows->n * (size_t)rows->n_horizons + 1, sizeof *values);
    double *all = arena_array(w->arena, (size_t)rows->n, sizeof *all);
    for (int64_t i = 0; i < rows->n; i++) {
        struct run_metrics metrics = rows->all[i];
        all[i] = *result_metric(&metrics, f);
        for (int h = 0; h < rows->n_horizons; h++) {
            if (h < rows->horizons[i])
                metrics = rows->horizon[i][h];
            values[i * rows->n_horizons + h] = h < rows->horizons[i] ? *result_metric(&metrics, f) : NAN;
        }
    }
    if (!field.units)
        field.units = w->run->units ? w->run->units : "1";
    if (rows->n_horizons)
        write_array(w, path_in(w, rows->group, field.name), H5_FLOAT64, &table, values, &field);
    write_array(w, arena_printf(w->arena, "%s/%s_all", rows->group, field.name), H5_FLOAT64, &line, all, &field);
}

static void write_counts(struct writer *w, const struct metrics_rows *rows)
{
    const struct result_field field = {NULL, "1", "values that were compared"};
    const char *scale = path_in(w, rows->group, "horizon");
    const struct shape table = {2, {rows->n, rows->n_horizons}, {rows->row_scale, scale}};
    const struct shape line = {1, {rows->n}, {rows->row_scale}};
    int64_t *counts = arena_array(w->arena, (size_t)rows->n * (size_t)rows->n_horizons + 1, sizeof *counts);
    int64_t *all = arena_array(w->arena, (size_t)rows->n, sizeof *all),
            *n = arena_array(w->arena, (size_t)rows->n, sizeof *n);
    for (int64_t i = 0; i < rows->n; i++) {
        all[i] = rows->all[i].count;
        n[i] = rows->horizons[i];
        for (int h = 0; h < rows->horizons[i]; h++)
            counts[i * rows->n_horizons + h] = rows->horizon[i][h].count;
    }
    if (rows->n_horizons)
        write_array(w, path_in(w, rows->group, "count"), H5_INT64, &table, counts, &field);
    write_array(w, path_in(w, rows->group, "count_all"), H5_INT64, &line, all, &field);
    write_array(w, path_in(w, rows->group, "n_horizons"), H5_INT64, &line, n,
                &(struct result_field){NULL, "1", "horizons of this row"});
}

static void write_metrics(struct writer *w, const struct metrics_rows *rows)
{
    if (rows->n_horizons)
        write_counting_scale(w, path_in(w, rows->group, "horizon"), rows->n_horizons, 1,
                             "time steps ahead, in steps of the data");
    for (int f = 0; f < RESULT_METRICS; f++)
        write_metric(w, rows, f);
    write_counts(w, rows);
}

static void write_evaluations(struct writer *w)
{
    int64_t n = w->run->n_evaluations;
    if (n == 0)
        return;
    int64_t *step = arena_array(w->arena, (size_t)n, sizeof *step);
    uint64_t *time_ps = arena_array(w->arena, (size_t)n, sizeof *time_ps);
    double *loss = arena_array(w->arena, (size_t)n, sizeof *loss);
    int *horizons = arena_array(w->arena, (size_t)n, sizeof *horizons);
    const struct run_metrics **horizon = arena_array(w->arena, (size_t)n, sizeof *horizon);
    struct run_metrics *all = arena_array(w->arena, (size_t)n, sizeof *all);
    struct metrics_rows rows = {"/evaluation", "/evaluation/step", n, 0, horizon, horizons, all};
    for (int64_t i = 0; i < n; i++) {
        const struct run_evaluation *from = &w->run->evaluation[i];
        step[i] = from->step, time_ps[i] = from->time_ps, loss[i] = from->loss;
        horizon[i] = from->horizon, horizons[i] = from->n_horizons, all[i] = from->all;
        rows.n_horizons = from->n_horizons > rows.n_horizons ? from->n_horizons : rows.n_horizons;
    }
    write_scale(w, "/evaluation/step", n, step, "training step after which the test set was evaluated");
    write_times(w, "/evaluation", n, time_ps, "/evaluation/step");
    write_array(w, "/evaluation/loss", H5_FLOAT64, &(struct shape){1, {n}, {"/evaluation/step"}}, loss,
                &(struct result_field){NULL, "1", "loss on the test set, normalised units"});
    write_metrics(w, &rows);
}

static void write_baselines(struct writer *w)
{
    int n = w->run->n_baselines;
    if (n == 0)
        return;
    const char **names = arena_array(w->arena, (size_t)n, sizeof *names);
    int *horizons = arena_array(w->arena, (size_t)n, sizeof *horizons);
    const struct run_metrics **horizon = arena_array(w->arena, (size_t)n, sizeof *horizon);
    struct run_metrics *all = arena_array(w->arena, (size_t)n, sizeof *all);
    struct metrics_rows rows = {"/baseline", "/baseline/forecast", n, 0, horizon, horizons, all};
    for (int i = 0; i < n; i++) {
        const struct run_baseline *from = &w->run->baseline[i];
        names[i] = from->name, horizon[i] = from->horizon, horizons[i] = from->n_horizons, all[i] = from->all;
        rows.n_horizons = from->n_horizons > rows.n_horizons ? from->n_horizons : rows.n_horizons;
    }
    write_name_scale(w, "/baseline/forecast", n, names, "simple forecast on the same data and split");
    write_metrics(w, &rows);
}

static void write_weights(struct writer *w, const char *group, const struct run_parameter *list, int n,
                          const char *meaning)
{
    if (!has_failed(w))
        h5_make_group(w->file, group, w->fault);
    for (int i = 0; i < n; i++) {
        const struct run_parameter *p = &list[i];
        const char *path = path_in(w, group, p->name);
        const void *values = p->values ? (const void *)p->values : p->values64;
        if (!has_failed(w))
            h5_write(w->file, path, p->values ? H5_FLOAT32 : H5_FLOAT64, p->n_dims, p->dims, values, w->fault);
        describe(w, path, "1", meaning);
        set_int(w, path, "index", i);
    }
}

static void write_predictions(struct writer *w)
{
    int64_t n = w->run->n_predictions;
    if (n == 0)
        return;
    const char *units = w->run->units ? w->run->units : "1";
    const struct shape shape = {2, {n, w->run->n_outputs}, {"/prediction/sample", "/prediction/output"}};
    write_counting_scale(w, "/prediction/sample", n, 0, "sample of the test set, in time order");
    write_counting_scale(w, "/prediction/output", w->run->n_outputs, 0, "horizon * stations + station");
    write_array(w, "/prediction/predicted", H5_FLOAT32, &shape, w->run->prediction,
                &(struct result_field){NULL, units, "forecast of the model"});
    if (w->run->observation)
        write_array(w, "/prediction/observed", H5_FLOAT32, &shape, w->run->observation,
                    &(struct result_field){NULL, units, "what was observed"});
}

enum status result_write(const char *path, const struct run *run, struct fault *fault)
{
    struct writer w = {.arena = arena_new(), .run = run, .fault = fault};
    if (h5_create(path, &w.file, fault) == STATUS_OK) {
        write_head(&w);
        write_curve(&w);
        write_evaluations(&w);
        write_baselines(&w);
        result_write_devices(w.file, w.arena, run->device, run->n_devices, fault);
        write_weights(&w, "/model", run->parameter, run->n_parameters_stored, "trained weight");
        if (run->n_merged)
            write_weights(&w, "/merged", run->merged, run->n_merged, "weight with its adapters added");
        write_predictions(&w);
        result_write_switch(w.file, w.arena, run, fault);
        result_write_modes(w.file, w.arena, run, fault);
        result_write_faults(w.file, w.arena, run, fault);
        result_write_matrices(w.file, w.arena, run, fault);
        if (has_failed(&w))
            h5_abandon(w.file);
        else
            h5_finish(w.file, fault);
    }
    arena_free(w.arena);
    return fault->status;
}
