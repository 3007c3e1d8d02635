#include "report/serving_json.h"

#include <jansson.h>
#include <math.h>

#include "report/summary_device.h"

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *spread(const struct serving_spread *spread)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "n", (json_int_t)spread->n, "mean", number(spread->mean),
                     "p50", number(spread->p50), "p90", number(spread->p90), "p95", number(spread->p95), "p99",
                     number(spread->p99), "max", number(spread->max));
}

static json_t *devices(const struct serving_instance_summary *instance)
{
    json_t *list = json_array();
    for (uint32_t d = 0; d < instance->n_devices; d++)
        json_array_append_new(list, json_pack("{s:s, s:f}", "name", instance->device_name[d], "busy_s",
                                              (double)instance->device_busy_ps[d] * 1e-12));
    return list;
}

static json_t *instances(const struct serving_summary *summary)
{
    json_t *list = json_array();
    for (size_t i = 0; i < summary->n_instances; i++) {
        const struct serving_instance_summary *instance = &summary->instance[i];
        json_array_append_new(
            list, json_pack("{s:I, s:f, s:I, s:I, s:f, s:I, s:f, s:o}", "iterations",
                            (json_int_t)instance->n_iterations, "busy_s", (double)instance->busy_ps * 1e-12, "finished",
                            (json_int_t)instance->n_finished, "preemptions", (json_int_t)instance->n_preemptions,
                            "mean_batch", instance->mean_batch, "peak_batch", (json_int_t)instance->peak_batch,
                            "mean_kv_share", instance->mean_kv_share, "devices", devices(instance)));
    }
    return list;
}

/* What faults have cost; only where there were some. */
static json_t *recovery(const struct serving_recovery *recovery)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "faults", (json_int_t)recovery->n_faults, "lost_devices",
        (json_int_t)recovery->n_lost_devices, "requests_that_lost_kv", (json_int_t)recovery->n_requests, "lost_tokens",
        (json_int_t)recovery->lost_tokens, "tokens_kept_on_host", (json_int_t)recovery->kept_tokens,
        "recomputed_tokens", (json_int_t)recovery->recomputed_tokens, "stop_s", (double)recovery->stop_ps * 1e-12,
        "recompute_s", (double)recovery->recompute_ps * 1e-12, "stop_energy_j",
        (double)recovery->stop_energy_fj * 1e-15, "recompute_energy_j", (double)recovery->recompute_energy_fj * 1e-15);
}

static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        bug("JSON: '%s' cannot be set: out of memory or not UTF-8", key);
}

static json_t *ledgers(const struct serving_devices *devices)
{
    json_t *list = json_array();
    for (int d = 0; d < devices->n; d++) {
        json_t *object = summary_device_json(&devices->device[d]);
        set(object, "instance", json_integer(devices->instance[d]));
        json_array_append_new(list, object);
    }
    return list;
}

/* What went over links to the host, instance by instance; only where something did. */
static json_t *links(const struct serving_devices *devices)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < devices->n_instances; i++)
        if (devices->host[i].count)
            json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:I, s:f}", "instance", (json_int_t)i, "count",
                                                  (json_int_t)devices->host[i].count, "busy_ps",
                                                  (json_int_t)devices->host[i].busy_ps, "bytes",
                                                  (json_int_t)devices->host[i].bytes, "energy_j",
                                                  joules(run_entry_energy_fj(&devices->host[i]))));
    return list;
}

static json_t *fault_list(const struct serving_faults *faults)
{
    json_t *list = json_array();
    for (int i = 0; i < faults->n; i++) {
        const struct serving_fault *told = &faults->fault[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I}", "device", told->device, "kind",
                            told->kind, "factor", told->factor, "instance", (json_int_t)told->instance, "at_ps",
                            (json_int_t)told->at_ps, "virtual_time_ps", (json_int_t)told->struck_ps, "stop_ps",
                            (json_int_t)told->stop_ps, "stop_energy_j", joules(told->stop_energy_fj),
                            "requests_that_lost_kv", (json_int_t)told->n_requests, "lost_tokens",
                            (json_int_t)told->lost_tokens, "tokens_kept_on_host", (json_int_t)told->kept_tokens));
    }
    return list;
}

enum status serving_json_write(const char *path, const struct serving_summary *summary,
                               const struct serving_devices *devices, const struct serving_faults *faults,
                               struct fault *fault)
{
    json_t *root = json_pack(
        "{s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:o, s:o, s:f, s:f, s:I, s:I, s:o}", "requests",
        (json_int_t)summary->n_requests, "prompt_tokens", (json_int_t)summary->prompt_tokens, "output_tokens",
        (json_int_t)summary->output_tokens, "virtual_time_s", (double)summary->end_ps * 1e-12, "queue_s",
        spread(&summary->queue_s), "ttft_s", spread(&summary->ttft_s), "tpot_s", spread(&summary->tpot_s), "itl_s",
        spread(&summary->itl_s), "e2e_s", spread(&summary->e2e_s), "requests_per_s", summary->requests_per_s,
        "output_tokens_per_s", summary->output_tokens_per_s, "total_tokens_per_s", summary->total_tokens_per_s,
        "slo_share", summary->has_slo ? number(summary->slo_share) : json_null(), "goodput_requests_per_s",
        summary->has_slo ? number(summary->goodput_requests_per_s) : json_null(), "energy_j",
        (double)summary->energy_fj * 1e-15, "energy_per_output_token_j", summary->energy_per_output_token_j,
        "preemptions", (json_int_t)summary->n_preemptions, "recomputed_tokens", (json_int_t)summary->recomputed_tokens,
        "instances", instances(summary));
    if (root && summary->recovery.n_faults)
        json_object_set_new(root, "recovery", recovery(&summary->recovery));
    if (!root)
        bug("a summary that is no JSON");
    if (devices) {
        set(root, "device", ledgers(devices));
        set(root, "host", links(devices));
    }
    if (faults && faults->n)
        set(root, "fault", fault_list(faults));
    int bad = json_dump_file(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
    json_decref(root);
    return bad ? fault_set(fault, STATUS_IO, "%s: cannot write", path) : STATUS_OK;
}
