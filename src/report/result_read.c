#include <inttypes.h>
#include <string.h>

#include "report/result_private.h"
#include "store/h5.h"

/* After the first fault nothing more is read, so that the calls below need no checks of their own. */
struct reader {
    struct h5 *file;
    struct arena *arena;
    struct run *run;
    struct fault *fault;
};

static int has_failed(const struct reader *r)
{
    return r->fault->status != STATUS_OK;
}

static int64_t get_int(struct reader *r, const char *object, const char *name)
{
    int64_t value = 0;
    if (!has_failed(r))
        h5_get_int(r->file, object, name, &value, r->fault);
    return value;
}

static const char *get_string(struct reader *r, const char *object, const char *name)
{
    const char *value = NULL;
    if (!has_failed(r) && h5_has_attribute(r->file, object, name))
        h5_get_string(r->file, object, name, r->arena, &value, r->fault);
    return value;
}

/* Numbers of a dataset whose shape must be dims; NULL after a fault. */
static void *read_array(struct reader *r, const char *object, enum h5_type type, int n_dims, const int64_t *dims)
{
    struct h5_shape shape;
    if (has_failed(r) || h5_shape(r->file, object, &shape, r->fault) != STATUS_OK)
        return NULL;
    int is_same = shape.n_dims == n_dims;
    for (int d = 0; is_same && d < n_dims; d++)
        is_same = shape.dims[d] == dims[d];
    if (!is_same) {
        fault_set(r->fault, STATUS_USAGE, "%s: %s: its shape does not fit the other arrays of the result",
                  h5_path(r->file), object);
        return NULL;
    }
    void *values = arena_array(r->arena, (size_t)shape.n_values + 1, 8);
    return h5_read(r->file, object, type, shape.n_values, values, r->fault) == STATUS_OK ? values : NULL;
}

/* Length of a 1-d dataset; 0 when there is none. */
static int64_t length_of(struct reader *r, const char *object)
{
    struct h5_shape shape;
    if (has_failed(r) || !h5_exists(r->file, object) || h5_shape(r->file, object, &shape, r->fault) != STATUS_OK)
        return 0;
    if (shape.n_dims != 1 || shape.n_values > INT32_MAX)
        fault_set(r->fault, STATUS_USAGE, "%s: %s: expected one dimension", h5_path(r->file), object);
    return has_failed(r) ? 0 : shape.dims[0];
}

static const char *const *read_names(struct reader *r, const char *object, int64_t n)
{
    int64_t found = 0;
    const char *const *names = NULL;
    if (!has_failed(r))
        h5_read_strings(r->file, object, r->arena, &found, &names, r->fault);
    if (!has_failed(r) && found != n)
        fault_set(r->fault, STATUS_USAGE, "%s: %s: expected %" PRId64 " names, found %" PRId64, h5_path(r->file),
                  object, n, found);
    return has_failed(r) ? NULL : names;
}

static uint64_t read_scalar(struct reader *r, const char *object)
{
    const uint64_t *value = read_array(r, object, H5_UINT64, 0, NULL);
    return value ? *value : 0;
}

static void check_schema(struct reader *r)
{
    const char *schema = get_string(r, "/", "schema");
    if (has_failed(r))
        return;
    if (!schema || strcmp(schema, RESULT_SCHEMA) != 0)
        fault_set(r->fault, STATUS_USAGE, "%s: expected a result of polyrank (attribute schema = %s), found %s",
                  h5_path(r->file), RESULT_SCHEMA, schema ? schema : "none");
    int64_t version = get_int(r, "/", "schema_version");
    if (!has_failed(r) && version != RESULT_SCHEMA_VERSION)
        fault_set(r->fault, STATUS_USAGE, "%s: expected schema version %d, found %" PRId64, h5_path(r->file),
                  RESULT_SCHEMA_VERSION, version);
}

static void read_head(struct reader *r)
{
    check_schema(r);
    for (int i = 0; i < RESULT_RUN_TEXTS; i++)
        *result_run_text(r->run, i) = get_string(r, "/", result_run_text_name(i));
    for (int i = 0; i < RESULT_RUN_FIELDS; i++)
        *result_run_value(r->run, i) = get_int(r, "/", result_run_field(i));
    r->run->timing_only = (int)get_int(r, "/", "timing_only");
    r->run->n_devices = (int)get_int(r, "/", "n_devices");
    r->run->flops = read_scalar(r, "/flops");
    r->run->end_ps = read_scalar(r, "/virtual_time_ps");
    const char *const *config = read_names(r, "/config", 1);
    r->run->config = config ? config[0] : NULL;
}

static void read_curve(struct reader *r)
{
    int64_t n = length_of(r, "/curve/step");
    const int64_t *step = n ? read_array(r, "/curve/step", H5_INT64, 1, &n) : NULL;
    const double *loss = n ? read_array(r, "/curve/loss", H5_FLOAT64, 1, &n) : NULL;
    const double *rate = n ? read_array(r, "/curve/learning_rate", H5_FLOAT64, 1, &n) : NULL;
    const uint64_t *time_ps = n ? read_array(r, "/curve/virtual_time_ps", H5_UINT64, 1, &n) : NULL;
    const double *energy_j = n ? read_array(r, "/curve/energy_j", H5_FLOAT64, 1, &n) : NULL;
    if (has_failed(r) || n == 0)
        return;
    r->run->n_steps = (int)n;
    r->run->step = arena_array(r->arena, (size_t)n, sizeof *r->run->step);
    for (int64_t i = 0; i < n; i++)
        r->run->step[i] = (struct run_step){step[i], loss[i], rate[i], time_ps[i], energy_j[i]};
}

/* The metrics of n rows: evaluations or baselines. */
struct metrics_rows {
    struct run_metrics **horizon; /* [n] */
    int *horizons;                /* [n] */
    struct run_metrics *all;      /* [n] */
};

static void take_metric(struct reader *r, const char *group, int f, int64_t n, int64_t n_horizons,
                        struct metrics_rows *rows)
{
    const int64_t dims[] = {n, n_horizons};
    const char *name = arena_printf(r->arena, "%s/%s", group, result_metric_field(f)->name);
    const double *table = n_horizons ? read_array(r, name, H5_FLOAT64, 2, dims) : NULL;
    const double *all = read_array(r, arena_printf(r->arena, "%s_all", name), H5_FLOAT64, 1, dims);
    for (int64_t i = 0; !has_failed(r) && i < n; i++) {
        *result_metric(&rows->all[i], f) = all[i];
        for (int h = 0; table && h < rows->horizons[i]; h++)
            *result_metric(&rows->horizon[i][h], f) = table[i * n_horizons + h];
    }
}

static void take_counts(struct reader *r, const char *group, int64_t n, int64_t n_horizons, struct metrics_rows *rows)
{
    const int64_t dims[] = {n, n_horizons};
    const int64_t *table =
        n_horizons ? read_array(r, arena_printf(r->arena, "%s/count", group), H5_INT64, 2, dims) : NULL;
    const int64_t *all = read_array(r, arena_printf(r->arena, "%s/count_all", group), H5_INT64, 1, dims);
    for (int64_t i = 0; !has_failed(r) && i < n; i++) {
        rows->all[i].count = all[i];
        for (int h = 0; table && h < rows->horizons[i]; h++)
            rows->horizon[i][h].count = table[i * n_horizons + h];
    }
}

static void take_horizons(struct reader *r, const char *group, int64_t n, int64_t n_horizons, struct metrics_rows *rows)
{
    const char *name = arena_printf(r->arena, "%s/n_horizons", group);
    const int64_t *horizons = read_array(r, name, H5_INT64, 1, &n);
    for (int64_t i = 0; !has_failed(r) && i < n; i++) {
        if (horizons[i] < 0 || horizons[i] > n_horizons)
            fault_set(r->fault, STATUS_USAGE, "%s: %s: expected at most %" PRId64 ", found %" PRId64, h5_path(r->file),
                      name, n_horizons, horizons[i]);
        else
            rows->horizons[i] = (int)horizons[i];
    }
}

static struct metrics_rows read_metrics(struct reader *r, const char *group, int64_t n)
{
    int64_t n_horizons = length_of(r, arena_printf(r->arena, "%s/horizon", group));
    struct metrics_rows rows = {arena_array(r->arena, (size_t)n, sizeof *rows.horizon),
                                arena_array(r->arena, (size_t)n, sizeof *rows.horizons),
                                arena_array(r->arena, (size_t)n, sizeof *rows.all)};
    for (int64_t i = 0; i < n; i++)
        rows.horizon[i] = arena_array(r->arena, (size_t)n_horizons, sizeof **rows.horizon);
    take_horizons(r, group, n, n_horizons, &rows);
    for (int f = 0; f < RESULT_METRICS; f++)
        take_metric(r, group, f, n, n_horizons, &rows);
    take_counts(r, group, n, n_horizons, &rows);
    return rows;
}

static void read_evaluations(struct reader *r)
{
    int64_t n = length_of(r, "/evaluation/step");
    if (n == 0)
        return;
    const int64_t *step = read_array(r, "/evaluation/step", H5_INT64, 1, &n);
    const uint64_t *time_ps = read_array(r, "/evaluation/virtual_time_ps", H5_UINT64, 1, &n);
    const double *loss = read_array(r, "/evaluation/loss", H5_FLOAT64, 1, &n);
    struct metrics_rows rows = read_metrics(r, "/evaluation", n);
    if (has_failed(r))
        return;
    r->run->n_evaluations = (int)n;
    r->run->evaluation = arena_array(r->arena, (size_t)n, sizeof *r->run->evaluation);
    for (int64_t i = 0; i < n; i++)
        r->run->evaluation[i] = (struct run_evaluation){.step = step[i],
                                                        .time_ps = time_ps[i],
                                                        .loss = loss[i],
                                                        .n_horizons = rows.horizons[i],
                                                        .horizon = rows.horizon[i],
                                                        .all = rows.all[i]};
}

static void read_baselines(struct reader *r)
{
    int64_t n = length_of(r, "/baseline/forecast");
    if (n == 0)
        return;
    const char *const *names = read_names(r, "/baseline/forecast", n);
    struct metrics_rows rows = read_metrics(r, "/baseline", n);
    if (has_failed(r))
        return;
    r->run->n_baselines = (int)n;
    r->run->baseline = arena_array(r->arena, (size_t)n, sizeof *r->run->baseline);
    for (int64_t i = 0; i < n; i++)
        r->run->baseline[i] = (struct run_baseline){names[i], rows.horizons[i], rows.horizon[i], rows.all[i]};
}

static void read_devices(struct reader *r)
{
    int expected = r->run->n_devices;
    result_read_devices(r->file, r->arena, &r->run->n_devices, &r->run->device, r->fault);
    if (!has_failed(r) && r->run->n_devices != expected)
        fault_set(r->fault, STATUS_USAGE, "%s: /device/device: expected %d devices, found %d", h5_path(r->file),
                  expected, r->run->n_devices);
}

static void read_weight(struct reader *r, const char *group, const char *name, struct run_parameter *list, int n)
{
    struct h5_shape shape;
    const char *path = arena_printf(r->arena, "%s/%s", group, name);
    int64_t index = get_int(r, path, "index");
    if (has_failed(r) || h5_shape(r->file, path, &shape, r->fault) != STATUS_OK)
        return;
    if (index < 0 || index >= n || list[index].name || shape.n_dims > 4) {
        fault_set(r->fault, STATUS_USAGE, "%s: %s: is no weight of this result", h5_path(r->file), path);
        return;
    }
    struct run_parameter *parameter = &list[index];
    *parameter = (struct run_parameter){.name = arena_string(r->arena, name), .n_dims = shape.n_dims};
    memcpy(parameter->dims, shape.dims, sizeof parameter->dims);
    if (shape.element_bytes == 8)
        parameter->values64 = read_array(r, path, H5_FLOAT64, shape.n_dims, shape.dims);
    else
        parameter->values = read_array(r, path, H5_FLOAT32, shape.n_dims, shape.dims);
}

static struct run_parameter *read_weights(struct reader *r, const char *group, int *n)
{
    const char *const *names = NULL;
    *n = 0;
    if (has_failed(r) || h5_list(r->file, group, r->arena, n, &names, r->fault) != STATUS_OK)
        return NULL;
    struct run_parameter *list = arena_array(r->arena, (size_t)*n, sizeof *list);
    for (int i = 0; i < *n && !has_failed(r); i++)
        read_weight(r, group, names[i], list, *n);
    return list;
}

static void read_predictions(struct reader *r)
{
    const int64_t dims[] = {length_of(r, "/prediction/sample"), length_of(r, "/prediction/output")};
    if (has_failed(r) || dims[0] == 0)
        return;
    r->run->n_predictions = dims[0];
    r->run->n_outputs = dims[1];
    r->run->prediction = read_array(r, "/prediction/predicted", H5_FLOAT32, 2, dims);
    if (!has_failed(r) && h5_exists(r->file, "/prediction/observed"))
        r->run->observation = read_array(r, "/prediction/observed", H5_FLOAT32, 2, dims);
}

enum status result_read(const char *path, struct arena *arena, struct run *run, struct fault *fault)
{
    struct run found = {.name = NULL};
    struct reader r = {.arena = arena, .run = &found, .fault = fault};
    if (h5_open(path, &r.file, fault) != STATUS_OK)
        return fault->status;
    read_head(&r);
    read_curve(&r);
    read_evaluations(&r);
    read_baselines(&r);
    read_devices(&r);
    found.parameter = read_weights(&r, "/model", &found.n_parameters_stored);
    if (!has_failed(&r) && h5_exists(r.file, "/merged"))
        found.merged = read_weights(&r, "/merged", &found.n_merged);
    read_predictions(&r);
    result_read_switch(r.file, arena, &found, fault);
    result_read_modes(r.file, arena, &found, fault);
    result_read_faults(r.file, arena, &found, fault);
    result_read_matrices(r.file, arena, &found, fault);
    h5_close(r.file);
    if (fault->status == STATUS_OK)
        *run = found;
    return fault->status;
}
