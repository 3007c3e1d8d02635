#include "report/serving_result.h"

#include <math.h>

#include "report/breakdown.h"
#include "report/serving_groups.h"
#include "store/h5.h"

#define SCHEMA "polyrank-serving"

/* After the first fault nothing more is written, so that the calls below need no checks of their own. */
struct writer {
    struct h5 *file;
    struct arena *arena;
    const struct serving_file *told;
    struct fault *fault;
};

static int has_failed(const struct writer *w)
{
    return w->fault->status != STATUS_OK;
}

/* Where an array stands: its dimensions and their scales. */
struct frame {
    int n_dims;
    int64_t dims[2];
    const char *scale[2];
};

static void describe(struct writer *w, const char *path, const char *units, const char *long_name)
{
    if (!has_failed(w) && units)
        h5_set_string(w->file, path, "units", units, w->fault);
    if (!has_failed(w))
        h5_set_string(w->file, path, "long_name", long_name, w->fault);
}

static void write_array(struct writer *w, const char *path, enum h5_type type, const struct frame *frame,
                        const void *values, const char *units, const char *long_name)
{
    if (!has_failed(w))
        h5_write(w->file, path, type, frame->n_dims, frame->dims, values, w->fault);
    if (!has_failed(w))
        h5_attach_scales(w->file, path, frame->n_dims, frame->scale, w->fault);
    describe(w, path, units, long_name);
}

static void write_counting_scale(struct writer *w, const char *path, int64_t n, const char *long_name)
{
    int64_t *values = arena_array(w->arena, (size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = i;
    if (!has_failed(w))
        h5_write(w->file, path, H5_INT64, 1, &n, values, w->fault);
    if (!has_failed(w))
        h5_make_scale(w->file, path, w->fault);
    describe(w, path, "1", long_name);
}

static void write_name_scale(struct writer *w, const char *path, int64_t n, const char *const *names,
                             const char *long_name)
{
    if (!has_failed(w))
        h5_write_strings(w->file, path, n, names, w->fault);
    if (!has_failed(w))
        h5_make_scale(w->file, path, w->fault);
    describe(w, path, NULL, long_name);
}

static void set_double(struct writer *w, const char *name, double value)
{
    if (!has_failed(w))
        h5_set_double(w->file, "/", name, value, w->fault);
}

static void set_int(struct writer *w, const char *name, uint64_t value)
{
    if (!has_failed(w))
        h5_set_int(w->file, "/", name, (int64_t)value, w->fault);
}

static void set_string(struct writer *w, const char *name, const char *value)
{
    if (!has_failed(w) && value)
        h5_set_string(w->file, "/", name, value, w->fault);
}

static void write_head(struct writer *w)
{
    const struct serving_summary *sum = w->told->summary;
    set_string(w, "Conventions", "CF-1.8");
    set_string(w, "schema", SCHEMA);
    set_int(w, "schema_version", SERVING_SCHEMA_VERSION);
    set_string(w, "source", "polyrank " POLYRANK_VERSION);
    set_string(w, "title", w->told->title);
    set_string(w, "model", w->told->model);
    set_int(w, "n_requests", sum->n_requests);
    set_int(w, "n_instances", sum->n_instances);
    set_int(w, "n_iterations", sum->n_iterations);
    set_int(w, "prompt_tokens", sum->prompt_tokens);
    set_int(w, "output_tokens", sum->output_tokens);
    set_int(w, "n_preemptions", sum->n_preemptions);
    set_int(w, "n_swaps", sum->n_swaps);
    set_int(w, "recomputed_tokens", sum->recomputed_tokens);
    set_int(w, "prefix_queried_tokens", sum->prefix_queried_tokens);
    set_int(w, "prefix_hit_tokens", sum->prefix_hit_tokens);
    set_double(w, "first_arrival_s", (double)sum->first_arrival_ps * 1e-12);
    set_double(w, "virtual_time_s", (double)sum->end_ps * 1e-12);
    set_double(w, "requests_per_s", sum->requests_per_s);
    set_double(w, "output_tokens_per_s", sum->output_tokens_per_s);
    set_double(w, "total_tokens_per_s", sum->total_tokens_per_s);
    if (sum->has_slo) {
        set_int(w, "n_meet_slo", sum->n_meet_slo);
        set_double(w, "slo_share", sum->slo_share);
        set_double(w, "goodput_requests_per_s", sum->goodput_requests_per_s);
    }
    set_double(w, "energy_j", joules(sum->energy_fj));
    set_double(w, "energy_per_output_token_j", sum->energy_per_output_token_j);
    if (!has_failed(w))
        h5_write_text(w->file, "/config", w->told->config ? w->told->config : "", w->fault);
    describe(w, "/config", NULL, "the resolved job");
}

/* ---- latencies of all requests ---- */

static void write_summary(struct writer *w)
{
    static const char *const metrics[] = {"queue", "ttft", "tpot", "itl", "e2e"};
    static const char *const statistics[] = {"mean", "p50", "p90", "p95", "p99", "max"};
    const struct serving_summary *sum = w->told->summary;
    const struct serving_spread *spread[] = {&sum->queue_s, &sum->ttft_s, &sum->tpot_s, &sum->itl_s, &sum->e2e_s};
    double time_s[5][6];
    uint64_t count[5];
    for (int m = 0; m < 5; m++) {
        const double row[6] = {spread[m]->mean, spread[m]->p50, spread[m]->p90,
                               spread[m]->p95,  spread[m]->p99, spread[m]->max};
        for (int s = 0; s < 6; s++)
            time_s[m][s] = row[s];
        count[m] = spread[m]->n;
    }
    write_name_scale(w, "/summary/metric", 5, metrics, "latency");
    write_name_scale(w, "/summary/statistic", 6, statistics, "mean, percentiles and maximum");
    write_array(w, "/summary/time_s", H5_FLOAT64, &(struct frame){2, {5, 6}, {"/summary/metric", "/summary/statistic"}},
                time_s, "s", "latencies over all requests (itl: over all tokens but the first ones)");
    write_array(w, "/summary/count", H5_UINT64, &(struct frame){1, {5}, {"/summary/metric"}}, count, "1",
                "values that the statistics are of");
}

/* ---- requests ---- */

enum { REQUEST_TIMES = 6, REQUEST_COUNTS = 8, REQUEST_LATENCIES = 6 };

static uint64_t request_time(const struct served *r, int field)
{
    const uint64_t values[REQUEST_TIMES] = {r->arrival_ps, r->scheduled_ps, r->first_token_ps,
                                            r->finish_ps,  r->itl_p99_ps,   r->itl_max_ps};
    return values[field];
}

static uint32_t request_count(const struct served *r, int field)
{
    const uint32_t values[REQUEST_COUNTS] = {r->instance,      r->decode_instance,  r->prompt_tokens,
                                             r->output_tokens, r->prefix_tokens,    r->preemptions,
                                             r->swaps,         r->recomputed_tokens};
    return values[field];
}

static double request_latency_s(const struct served *r, int field)
{
    const uint64_t values[REQUEST_LATENCIES] = {served_queue_ps(r), served_ttft_ps(r), served_e2e_ps(r),
                                                served_tpot_ps(r),  r->itl_p99_ps,     r->itl_max_ps};
    return field >= 3 && r->output_tokens < 2 ? NAN : (double)values[field] * 1e-12;
}

struct field {
    const char *name, *units, *long_name;
};

static const struct field request_times[REQUEST_TIMES] = {
    {"/request/arrival_ps", "ps", "arrival"},
    {"/request/scheduled_ps", "ps", "first scheduled"},
    {"/request/first_token_ps", "ps", "first token"},
    {"/request/finish_ps", "ps", "last token"},
    {"/request/itl_p99_ps", "ps", "99th percentile of the time between tokens; 0: one token"},
    {"/request/itl_max_ps", "ps", "longest time between tokens; 0: one token"},
};

static const struct field request_counts[REQUEST_COUNTS] = {
    {"/request/instance", "1", "instance that made the first token"},
    {"/request/decode_instance", "1", "instance that made the last token"},
    {"/request/prompt_tokens", "1", "tokens of the prompt"},
    {"/request/output_tokens", "1", "tokens generated"},
    {"/request/prefix_tokens", "1", "tokens of the prompt found in the prefix cache"},
    {"/request/preemptions", "1", "preemptions"},
    {"/request/swaps", "1", "preemptions by swap"},
    {"/request/recomputed_tokens", "1", "tokens computed once more after preemptions"},
};

static const struct field request_latencies[REQUEST_LATENCIES] = {
    {"/request/queue_s", "s", "arrival to first scheduled"},
    {"/request/ttft_s", "s", "arrival to first token"},
    {"/request/e2e_s", "s", "arrival to last token"},
    {"/request/tpot_s", "s", "mean time per token after the first; NaN: one token"},
    {"/request/itl_p99_s", "s", "99th percentile of the time between tokens; NaN: one token"},
    {"/request/itl_max_s", "s", "longest time between tokens; NaN: one token"},
};

static void write_requests(struct writer *w)
{
    const struct served *record = w->told->record;
    int64_t n = (int64_t)w->told->summary->n_requests;
    const struct frame frame = {1, {n}, {"/request/request"}};
    uint64_t *time_ps = arena_array(w->arena, (size_t)n, sizeof *time_ps);
    uint32_t *count = arena_array(w->arena, (size_t)n, sizeof *count);
    double *time_s = arena_array(w->arena, (size_t)n, sizeof *time_s);
    uint8_t *meets = arena_array(w->arena, (size_t)n, sizeof *meets);
    write_counting_scale(w, "/request/request", n, "number of the request in the trace");
    for (int f = 0; f < REQUEST_TIMES; f++) {
        for (int64_t i = 0; i < n; i++)
            time_ps[i] = request_time(&record[i], f);
        write_array(w, request_times[f].name, H5_UINT64, &frame, time_ps, request_times[f].units,
                    request_times[f].long_name);
    }
    for (int f = 0; f < REQUEST_COUNTS; f++) {
        for (int64_t i = 0; i < n; i++)
            count[i] = request_count(&record[i], f);
        write_array(w, request_counts[f].name, H5_UINT32, &frame, count, request_counts[f].units,
                    request_counts[f].long_name);
    }
    for (int f = 0; f < REQUEST_LATENCIES; f++) {
        for (int64_t i = 0; i < n; i++)
            time_s[i] = request_latency_s(&record[i], f);
        write_array(w, request_latencies[f].name, H5_FLOAT64, &frame, time_s, request_latencies[f].units,
                    request_latencies[f].long_name);
    }
    for (int64_t i = 0; i < n; i++)
        meets[i] = record[i].meets_slo != 0;
    write_array(w, "/request/meets_slo", H5_UINT8, &frame, meets, "1", "1: within every limit of the SLO");
}

/* ---- instances and their devices ---- */

enum { INSTANCE_FIELDS = 12, INSTANCE_MEANS = 3 };

static const struct field instance_fields[INSTANCE_FIELDS] = {
    {"/instance/n_iterations", "1", "iterations"},
    {"/instance/busy_ps", "ps", "virtual time in iterations"},
    {"/instance/prefill_tokens", "1", "tokens prefilled"},
    {"/instance/output_tokens", "1", "tokens generated"},
    {"/instance/n_finished", "1", "requests finished here"},
    {"/instance/n_preemptions", "1", "preemptions"},
    {"/instance/n_swaps", "1", "preemptions by swap"},
    {"/instance/prefix_queried_tokens", "1", "prompt tokens looked up in the prefix cache"},
    {"/instance/prefix_hit_tokens", "1", "prompt tokens found there"},
    {"/instance/n_evictions", "1", "blocks of prefixes that were dropped"},
    {"/instance/kv_blocks", "1", "blocks of KV there are; 0: unlimited"},
    {"/instance/kv_peak_blocks", "1", "most blocks in use by sequences"},
};

static uint64_t instance_value(const struct serving_instance_summary *s, int field)
{
    const uint64_t values[INSTANCE_FIELDS] = {
        s->n_iterations,      s->busy_ps,       s->prefill_tokens, s->output_tokens,
        s->n_finished,        s->n_preemptions, s->n_swaps,        s->prefix_queried_tokens,
        s->prefix_hit_tokens, s->n_evictions,   s->kv_blocks,      s->kv_peak_blocks};
    return values[field];
}

static const struct field instance_means[INSTANCE_MEANS] = {
    {"/instance/mean_batch", "1", "sequences of an iteration, weighted with its time"},
    {"/instance/mean_running", "1", "sequences running, over the time of the run"},
    {"/instance/mean_kv_share", "1", "share of KV blocks in use by sequences, over the time of the run"},
};

static double instance_mean(const struct serving_instance_summary *s, int field)
{
    const double values[INSTANCE_MEANS] = {s->mean_batch, s->mean_running, s->mean_kv_share};
    return values[field];
}

static void write_energies(struct writer *w, int64_t n)
{
    enum { PARTS = N_ENERGY_PARTS + 1 };
    const char *names[PARTS];
    const struct frame frame = {2, {n, PARTS}, {"/instance/instance", "/instance/part"}};
    double *energy_j = arena_array(w->arena, (size_t)n * PARTS, sizeof *energy_j);
    uint64_t *whole_j = arena_array(w->arena, (size_t)n * PARTS, sizeof *whole_j);
    uint64_t *rest_fj = arena_array(w->arena, (size_t)n * PARTS, sizeof *rest_fj);
    for (int p = 0; p < PARTS; p++) {
        names[p] = p < N_ENERGY_PARTS ? energy_part_name((enum energy_part)p) : "idle";
        for (int64_t i = 0; i < n; i++) {
            const struct serving_instance_summary *s = &w->told->summary->instance[i];
            wide_uint value_fj = p < N_ENERGY_PARTS ? s->energy_fj[p] : s->idle_energy_fj;
            energy_j[i * PARTS + p] = joules(value_fj);
            whole_j[i * PARTS + p] = (uint64_t)(value_fj / FJ_PER_J);
            rest_fj[i * PARTS + p] = (uint64_t)(value_fj % FJ_PER_J);
        }
    }
    write_name_scale(w, "/instance/part", PARTS, names, "where energy goes; idle: between iterations");
    write_array(w, "/instance/energy_j", H5_FLOAT64, &frame, energy_j, "J", "energy");
    write_array(w, "/instance/energy_whole_j", H5_UINT64, &frame, whole_j, "J", "exact: whole joules");
    write_array(w, "/instance/energy_rest_fj", H5_UINT64, &frame, rest_fj, "fJ", "exact: what the whole joules leave");
}

static void write_instances(struct writer *w)
{
    const struct serving_summary *sum = w->told->summary;
    int64_t n = (int64_t)sum->n_instances;
    const struct frame frame = {1, {n}, {"/instance/instance"}};
    uint64_t *value = arena_array(w->arena, (size_t)n, sizeof *value);
    double *mean = arena_array(w->arena, (size_t)n, sizeof *mean);
    write_counting_scale(w, "/instance/instance", n, "instance");
    for (int f = 0; f < INSTANCE_FIELDS; f++) {
        for (int64_t i = 0; i < n; i++)
            value[i] = instance_value(&sum->instance[i], f);
        write_array(w, instance_fields[f].name, H5_UINT64, &frame, value, instance_fields[f].units,
                    instance_fields[f].long_name);
    }
    for (int64_t i = 0; i < n; i++)
        value[i] = sum->instance[i].peak_batch;
    write_array(w, "/instance/peak_batch", H5_UINT64, &frame, value, "1", "most sequences in one iteration");
    for (int f = 0; f < INSTANCE_MEANS; f++) {
        for (int64_t i = 0; i < n; i++)
            mean[i] = instance_mean(&sum->instance[i], f);
        write_array(w, instance_means[f].name, H5_FLOAT64, &frame, mean, instance_means[f].units,
                    instance_means[f].long_name);
    }
    write_energies(w, n);
}

/* ---- samples ---- */

enum { SAMPLE_COUNTS = 6, SAMPLE_MEANS = 4 };

static const struct field sample_counts[SAMPLE_COUNTS] = {
    {"/sample/instance", "1", "instance"},
    {"/sample/start_ps", "ps", "start of the interval"},
    {"/sample/end_ps", "ps", "end of the interval"},
    {"/sample/prefill_tokens", "1", "tokens prefilled in iterations that ended in the interval"},
    {"/sample/output_tokens", "1", "tokens generated"},
    {"/sample/busy_ps", "ps", "virtual time in iterations"},
};

static uint64_t sample_count(const struct serving_sample *s, int field)
{
    const uint64_t values[SAMPLE_COUNTS] = {s->instance,       s->start_ps,      s->end_ps,
                                            s->prefill_tokens, s->output_tokens, s->busy_ps};
    return values[field];
}

static const struct field sample_means[SAMPLE_MEANS] = {
    {"/sample/running", "1", "mean number of sequences running"},
    {"/sample/waiting", "1", "mean number of sequences waiting at the instance"},
    {"/sample/kv_share", "1", "mean share of KV blocks in use by sequences; 0: unlimited"},
    {"/sample/kv_tokens", "1", "mean KV in use by sequences, in tokens of whole blocks"},
};

static double sample_mean(const struct serving_sample *s, int field)
{
    const double values[SAMPLE_MEANS] = {s->running, s->waiting, s->kv_share, s->kv_tokens};
    return values[field];
}

static void write_samples(struct writer *w)
{
    int64_t n = (int64_t)w->told->n_samples;
    if (n == 0)
        return;
    const struct frame frame = {1, {n}, {"/sample/sample"}};
    uint64_t *count = arena_array(w->arena, (size_t)n, sizeof *count);
    double *mean = arena_array(w->arena, (size_t)n, sizeof *mean);
    write_counting_scale(w, "/sample/sample", n, "interval of an instance");
    for (int f = 0; f < SAMPLE_COUNTS; f++) {
        for (int64_t i = 0; i < n; i++)
            count[i] = sample_count(&w->told->sample[i], f);
        write_array(w, sample_counts[f].name, H5_UINT64, &frame, count, sample_counts[f].units,
                    sample_counts[f].long_name);
    }
    for (int f = 0; f < SAMPLE_MEANS; f++) {
        for (int64_t i = 0; i < n; i++)
            mean[i] = sample_mean(&w->told->sample[i], f);
        write_array(w, sample_means[f].name, H5_FLOAT64, &frame, mean, sample_means[f].units,
                    sample_means[f].long_name);
    }
}

enum status serving_result_write(const char *path, const struct serving_file *file, struct fault *fault)
{
    struct writer w = {.arena = arena_new(), .told = file, .fault = fault};
    if (h5_create(path, &w.file, fault) == STATUS_OK) {
        write_head(&w);
        write_summary(&w);
        write_requests(&w);
        write_instances(&w);
        serving_write_faults(w.file, w.arena, file->summary, file->faults, fault);
        serving_write_devices(w.file, w.arena, file->summary, file->devices, fault);
        write_samples(&w);
        if (has_failed(&w))
            h5_abandon(w.file);
        else
            h5_finish(w.file, fault);
    }
    arena_free(w.arena);
    return fault->status;
}

const char *serving_result_config(const char *path, struct arena *arena)
{
    struct fault fault = FAULT_NONE;
    struct h5 *file = NULL;
    const char *const *text = NULL;
    int64_t n = 0;
    if (h5_verify_sealed(path, &fault) == STATUS_OK && h5_open(path, &file, &fault) == STATUS_OK)
        h5_read_strings(file, "config", arena, &n, &text, &fault);
    h5_close(file);
    return fault.status == STATUS_OK && n == 1 ? text[0] : NULL;
}
