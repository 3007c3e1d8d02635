#include "report/serving_read.h"

#include <inttypes.h>
#include <string.h>

#include "report/breakdown.h"
#include "report/result_columns.h"
#include "report/serving_groups.h"
#include "report/serving_result.h"

#define SCHEMA "polyrank-serving"

enum { N_METRICS = 5, N_STATISTICS = 6, PARTS = N_ENERGY_PARTS + 1 };

/* After the first fault nothing more is read, so that the calls below need no checks of their own. */
struct reader {
    struct h5 *file;
    struct arena *arena;
    struct serving_run *run;
    struct fault *fault;
};

static int has_failed(const struct reader *r)
{
    return r->fault->status != STATUS_OK;
}

static int64_t get_int(struct reader *r, const char *name)
{
    int64_t value = 0;
    if (!has_failed(r))
        h5_get_int(r->file, "/", name, &value, r->fault);
    return value;
}

static double get_double(struct reader *r, const char *name)
{
    double value = 0;
    if (!has_failed(r))
        h5_get_double(r->file, "/", name, &value, r->fault);
    return value;
}

static const char *get_string(struct reader *r, const char *name)
{
    const char *value = NULL;
    if (!has_failed(r) && h5_has_attribute(r->file, "/", name))
        h5_get_string(r->file, "/", name, r->arena, &value, r->fault);
    return value;
}

static void check_schema(struct reader *r)
{
    const char *schema = get_string(r, "schema");
    if (!has_failed(r) && (!schema || strcmp(schema, SCHEMA) != 0))
        fault_set(r->fault, STATUS_USAGE, "%s: expected a serving run of polyrank (attribute schema = %s), found %s",
                  h5_path(r->file), SCHEMA, schema ? schema : "none");
    int64_t version = get_int(r, "schema_version");
    if (!has_failed(r) && version != SERVING_SCHEMA_VERSION)
        fault_set(r->fault, STATUS_USAGE, "%s: expected schema version %d, found %" PRId64, h5_path(r->file),
                  SERVING_SCHEMA_VERSION, version);
}

static uint64_t picoseconds(double time_s)
{
    return time_s > 0 ? (uint64_t)(time_s * 1e12 + 0.5) : 0;
}

static void read_head(struct reader *r)
{
    struct serving_summary *sum = &r->run->summary;
    int64_t n_texts = 0;
    const char *const *config = NULL;
    check_schema(r);
    r->run->title = get_string(r, "title");
    r->run->model = get_string(r, "model");
    sum->n_iterations = (uint64_t)get_int(r, "n_iterations");
    sum->prompt_tokens = (uint64_t)get_int(r, "prompt_tokens");
    sum->output_tokens = (uint64_t)get_int(r, "output_tokens");
    sum->n_preemptions = (uint64_t)get_int(r, "n_preemptions");
    sum->n_swaps = (uint64_t)get_int(r, "n_swaps");
    sum->recomputed_tokens = (uint64_t)get_int(r, "recomputed_tokens");
    sum->prefix_queried_tokens = (uint64_t)get_int(r, "prefix_queried_tokens");
    sum->prefix_hit_tokens = (uint64_t)get_int(r, "prefix_hit_tokens");
    sum->first_arrival_ps = picoseconds(get_double(r, "first_arrival_s"));
    sum->end_ps = picoseconds(get_double(r, "virtual_time_s"));
    sum->requests_per_s = get_double(r, "requests_per_s");
    sum->output_tokens_per_s = get_double(r, "output_tokens_per_s");
    sum->total_tokens_per_s = get_double(r, "total_tokens_per_s");
    sum->energy_per_output_token_j = get_double(r, "energy_per_output_token_j");
    r->run->told_energy_j = get_double(r, "energy_j");
    sum->has_slo = !has_failed(r) && h5_has_attribute(r->file, "/", "slo_share");
    if (sum->has_slo) {
        sum->n_meet_slo = (size_t)get_int(r, "n_meet_slo");
        sum->slo_share = get_double(r, "slo_share");
        sum->goodput_requests_per_s = get_double(r, "goodput_requests_per_s");
    }
    if (!has_failed(r))
        h5_read_strings(r->file, "/config", r->arena, &n_texts, &config, r->fault);
    r->run->config = config && n_texts == 1 ? config[0] : "";
}

static void read_spreads(struct reader *r)
{
    struct serving_summary *sum = &r->run->summary;
    struct serving_spread *const spread[N_METRICS] = {&sum->queue_s, &sum->ttft_s, &sum->tpot_s, &sum->itl_s,
                                                      &sum->e2e_s};
    double time_s[N_METRICS][N_STATISTICS];
    uint64_t count[N_METRICS];
    if (!has_failed(r))
        h5_read(r->file, "/summary/time_s", H5_FLOAT64, (int64_t)N_METRICS * N_STATISTICS, time_s, r->fault);
    if (!has_failed(r))
        h5_read(r->file, "/summary/count", H5_UINT64, N_METRICS, count, r->fault);
    for (int m = 0; !has_failed(r) && m < N_METRICS; m++)
        *spread[m] = (struct serving_spread){(size_t)count[m], time_s[m][0], time_s[m][1], time_s[m][2],
                                             time_s[m][3],     time_s[m][4], time_s[m][5]};
}

static void read_requests(struct reader *r)
{
    struct columns c = columns_of(r->file, r->arena, r->fault, "/request", "request", 0);
    columns_find(&c);
    const uint64_t *arrival = columns_get(&c, "arrival_ps", H5_UINT64);
    const uint64_t *scheduled = columns_get(&c, "scheduled_ps", H5_UINT64);
    const uint64_t *first = columns_get(&c, "first_token_ps", H5_UINT64);
    const uint64_t *finish = columns_get(&c, "finish_ps", H5_UINT64);
    const uint64_t *itl_p99 = columns_get(&c, "itl_p99_ps", H5_UINT64);
    const uint64_t *itl_max = columns_get(&c, "itl_max_ps", H5_UINT64);
    const uint32_t *instance = columns_get(&c, "instance", H5_UINT32);
    const uint32_t *decode = columns_get(&c, "decode_instance", H5_UINT32);
    const uint32_t *prompt = columns_get(&c, "prompt_tokens", H5_UINT32);
    const uint32_t *output = columns_get(&c, "output_tokens", H5_UINT32);
    const uint32_t *prefix = columns_get(&c, "prefix_tokens", H5_UINT32);
    const uint32_t *preemptions = columns_get(&c, "preemptions", H5_UINT32);
    const uint32_t *swaps = columns_get(&c, "swaps", H5_UINT32);
    const uint32_t *recomputed = columns_get(&c, "recomputed_tokens", H5_UINT32);
    const uint8_t *meets = columns_get(&c, "meets_slo", H5_UINT8);
    if (has_failed(r))
        return;
    r->run->summary.n_requests = (size_t)c.n;
    r->run->record = arena_array(r->arena, (size_t)c.n + 1, sizeof *r->run->record);
    for (int64_t i = 0; i < c.n; i++)
        r->run->record[i] = (struct served){.request = (uint32_t)i,
                                            .instance = instance[i],
                                            .decode_instance = decode[i],
                                            .prompt_tokens = prompt[i],
                                            .output_tokens = output[i],
                                            .prefix_tokens = prefix[i],
                                            .preemptions = preemptions[i],
                                            .swaps = swaps[i],
                                            .recomputed_tokens = recomputed[i],
                                            .arrival_ps = arrival[i],
                                            .scheduled_ps = scheduled[i],
                                            .first_token_ps = first[i],
                                            .finish_ps = finish[i],
                                            .itl_max_ps = itl_max[i],
                                            .itl_p99_ps = itl_p99[i],
                                            .meets_slo = meets[i]};
}

static void read_energies(struct reader *r, const struct columns *c)
{
    struct serving_summary *sum = &r->run->summary;
    uint64_t *whole_j = arena_array(r->arena, (size_t)c->n * PARTS + 1, sizeof *whole_j);
    uint64_t *rest_fj = arena_array(r->arena, (size_t)c->n * PARTS + 1, sizeof *rest_fj);
    if (!has_failed(r))
        h5_read(r->file, "/instance/energy_whole_j", H5_UINT64, c->n * PARTS, whole_j, r->fault);
    if (!has_failed(r))
        h5_read(r->file, "/instance/energy_rest_fj", H5_UINT64, c->n * PARTS, rest_fj, r->fault);
    for (int64_t i = 0; !has_failed(r) && i < c->n; i++)
        for (int p = 0; p < PARTS; p++) {
            wide_uint value_fj = (wide_uint)whole_j[i * PARTS + p] * FJ_PER_J + rest_fj[i * PARTS + p];
            *(p < N_ENERGY_PARTS ? &sum->instance[i].energy_fj[p] : &sum->instance[i].idle_energy_fj) = value_fj;
            sum->energy_fj += value_fj;
        }
}

static void read_instances(struct reader *r)
{
    struct serving_summary *sum = &r->run->summary;
    struct columns c = columns_of(r->file, r->arena, r->fault, "/instance", "instance", 0);
    columns_find(&c);
    sum->n_instances = (size_t)c.n;
    sum->instance = arena_array(r->arena, (size_t)c.n + 1, sizeof *sum->instance);
    const struct {
        const char *name;
        size_t offset;
    } fields[] = {
#define FIELD(name) {#name, offsetof(struct serving_instance_summary, name)}
        FIELD(n_iterations),
        FIELD(busy_ps),
        FIELD(prefill_tokens),
        FIELD(output_tokens),
        FIELD(n_finished),
        FIELD(n_preemptions),
        FIELD(n_swaps),
        FIELD(n_evictions),
        FIELD(prefix_queried_tokens),
        FIELD(prefix_hit_tokens),
        FIELD(kv_blocks),
        FIELD(kv_peak_blocks)
#undef FIELD
    };
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        const uint64_t *value = columns_get(&c, fields[f].name, H5_UINT64);
        for (int64_t i = 0; value && i < c.n; i++)
            *(uint64_t *)(void *)((char *)&sum->instance[i] + fields[f].offset) = value[i];
    }
    const uint64_t *peak = columns_get(&c, "peak_batch", H5_UINT64);
    const double *batch = columns_get(&c, "mean_batch", H5_FLOAT64);
    const double *running = columns_get(&c, "mean_running", H5_FLOAT64);
    const double *kv = columns_get(&c, "mean_kv_share", H5_FLOAT64);
    for (int64_t i = 0; !has_failed(r) && i < c.n; i++) {
        sum->instance[i].peak_batch = (uint32_t)peak[i];
        sum->instance[i].mean_batch = batch[i];
        sum->instance[i].mean_running = running[i];
        sum->instance[i].mean_kv_share = kv[i];
    }
    read_energies(r, &c);
}

static void read_samples(struct reader *r)
{
    struct columns c = columns_of(r->file, r->arena, r->fault, "/sample", "sample", 0);
    columns_find(&c);
    if (c.n == 0)
        return;
    const uint32_t *instance = columns_get(&c, "instance", H5_UINT32);
    const uint64_t *start = columns_get(&c, "start_ps", H5_UINT64), *end = columns_get(&c, "end_ps", H5_UINT64);
    const uint64_t *prefill = columns_get(&c, "prefill_tokens", H5_UINT64);
    const uint64_t *output = columns_get(&c, "output_tokens", H5_UINT64);
    const uint64_t *busy = columns_get(&c, "busy_ps", H5_UINT64);
    const double *running = columns_get(&c, "running", H5_FLOAT64), *waiting = columns_get(&c, "waiting", H5_FLOAT64);
    const double *share = columns_get(&c, "kv_share", H5_FLOAT64), *tokens = columns_get(&c, "kv_tokens", H5_FLOAT64);
    if (has_failed(r))
        return;
    r->run->n_samples = (size_t)c.n;
    r->run->sample = arena_array(r->arena, (size_t)c.n, sizeof *r->run->sample);
    for (int64_t i = 0; i < c.n; i++)
        r->run->sample[i] = (struct serving_sample){instance[i], start[i],  end[i],     running[i], waiting[i],
                                                    share[i],    tokens[i], prefill[i], output[i],  busy[i]};
}

enum status serving_result_read(const char *path, struct arena *arena, struct serving_run *run, struct fault *fault)
{
    struct serving_run read = {.title = NULL};
    struct reader r = {.arena = arena, .run = &read, .fault = fault};
    if (h5_open(path, &r.file, fault) != STATUS_OK)
        return fault->status;
    read_head(&r);
    read_spreads(&r);
    read_requests(&r);
    read_instances(&r);
    serving_read_devices(r.file, arena, &read.summary, &read.devices, fault);
    serving_read_faults(r.file, arena, &read.summary, &read.faults, fault);
    read_samples(&r);
    h5_close(r.file);
    if (!has_failed(&r))
        *run = read;
    return fault->status;
}
