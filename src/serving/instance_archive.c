/* instance_archive.c - an instance, saved and restored: queues, the running, KV, the iteration under way, totals. */
#include "serving/instance.h"

static void archive_usage(struct usage *usage, struct archive *archive)
{
    archive_field(archive, "since_ps", &usage->since_ps);
    archive_field(archive, "sample_ps", &usage->sample_ps);
    archive_wide(archive, "running", &usage->running, 1, sizeof usage->running);
    archive_wide(archive, "waiting", &usage->waiting, 1, sizeof usage->waiting);
    archive_wide(archive, "kv_blocks", &usage->kv_blocks, 1, sizeof usage->kv_blocks);
    archive_wide(archive, "missing_blocks", &usage->missing_blocks, 1, sizeof usage->missing_blocks);
    archive_wide(archive, "sampled_running", &usage->sampled_running, 1, sizeof usage->sampled_running);
    archive_wide(archive, "sampled_waiting", &usage->sampled_waiting, 1, sizeof usage->sampled_waiting);
    archive_wide(archive, "sampled_blocks", &usage->sampled_blocks, 1, sizeof usage->sampled_blocks);
    archive_field(archive, "prefill_tokens", &usage->prefill_tokens);
    archive_field(archive, "output_tokens", &usage->output_tokens);
    archive_field(archive, "busy_ps", &usage->busy_ps);
}

static void archive_recovery(struct serving_recovery *recovery, struct archive *archive)
{
    archive_field(archive, "n_faults", &recovery->n_faults);
    archive_field(archive, "n_lost_devices", &recovery->n_lost_devices);
    archive_field(archive, "n_requests", &recovery->n_requests);
    archive_field(archive, "lost_tokens", &recovery->lost_tokens);
    archive_field(archive, "kept_tokens", &recovery->kept_tokens);
    archive_field(archive, "recomputed_tokens", &recovery->recomputed_tokens);
    archive_field(archive, "stop_ps", &recovery->stop_ps);
    archive_field(archive, "recompute_ps", &recovery->recompute_ps);
    archive_wide(archive, "stop_energy_fj", &recovery->stop_energy_fj, 1, sizeof recovery->stop_energy_fj);
    archive_wide(archive, "recompute_energy_fj", &recovery->recompute_energy_fj, 1,
                 sizeof recovery->recompute_energy_fj);
}

/* What is told at the end is found at the end: means, peaks of the cache. */
static void archive_total(struct serving_instance_summary *total, struct archive *archive)
{
    archive_field(archive, "n_iterations", &total->n_iterations);
    archive_field(archive, "busy_ps", &total->busy_ps);
    archive_field(archive, "prefill_tokens", &total->prefill_tokens);
    archive_field(archive, "output_tokens", &total->output_tokens);
    archive_field(archive, "n_finished", &total->n_finished);
    archive_field(archive, "n_preemptions", &total->n_preemptions);
    archive_field(archive, "n_swaps", &total->n_swaps);
    archive_field(archive, "prefix_queried_tokens", &total->prefix_queried_tokens);
    archive_field(archive, "prefix_hit_tokens", &total->prefix_hit_tokens);
    archive_field(archive, "kv_blocks", &total->kv_blocks);
    archive_field(archive, "peak_batch", &total->peak_batch);
    archive_wide(archive, "energy_fj", total->energy_fj, N_ENERGY_PARTS, sizeof *total->energy_fj);
    archive_wide(archive, "idle_energy_fj", &total->idle_energy_fj, 1, sizeof total->idle_energy_fj);
    archive_array(archive, "device_busy_ps", total->device_busy_ps, total->n_devices);
    archive_enter(archive, "recovery");
    archive_recovery(&total->recovery, archive);
    archive_leave(archive);
}

/* Its cost is counted already; what its end needs is who makes a token, and which. */
static void archive_iteration(struct instance *instance, const struct roll *roll, struct archive *archive)
{
    struct serving_iteration *iteration = &instance->iteration;
    size_t n = instance->is_busy ? iteration->n_work : 0;
    n = archive_count(archive, "n_work", n);
    if (n > instance->config->max_batch) {
        archive_refuse(archive, "%zu sequences in an iteration", n);
        return;
    }
    iteration->n_work = (uint32_t)n;
    iteration->work = instance->work;
    archive_field(archive, "number", &iteration->number);
    archive_field(archive, "start_ps", &iteration->start_ps);
    archive_field(archive, "n_decodes", &iteration->n_decodes);
    archive_field(archive, "n_tokens_made", &iteration->n_tokens_made);
    archive_field(archive, "decode_context_tokens", &iteration->decode_context_tokens);
    archive_field(archive, "prefill_tokens", &iteration->prefill_tokens);
    roll_archive_list(roll, instance->worker, n, "worker", archive);
    archive_column(archive, "makes_token", &instance->work->makes_token, n, sizeof *instance->work);
    n = iteration->n_tokens_made <= n ? iteration->n_tokens_made : 0;
    archive_array(archive, "token", instance->token, n);
    archive_array(archive, "ends", instance->ends, n);
}

static void archive_lists(struct instance *instance, const struct roll *roll, struct archive *archive)
{
    queue_archive(&instance->waiting, roll, instance->pool, "waiting", archive);
    queue_archive(&instance->inbox, roll, instance->pool, "inbox", archive);
    size_t n = archive_count(archive, "n_running", instance->n_running);
    if (n > instance->config->max_batch) {
        archive_refuse(archive, "%zu sequences run", n);
        n = 0;
    }
    instance->n_running = (uint32_t)n;
    roll_archive_list(roll, instance->running, n, "running", archive);
    instance->n_running = archive_has_failed(archive) ? 0 : instance->n_running;
}

void instance_archive(struct instance *instance, const struct roll *roll, struct archive *archive)
{
    archive_field(archive, "n_coming", &instance->n_coming);
    archive_field(archive, "port_ps", &instance->port_ps);
    archive_field(archive, "load", &instance->load);
    archive_field(archive, "blocked_at", &instance->blocked_at);
    archive_field(archive, "watermark", &instance->watermark);
    archive_field(archive, "is_busy", &instance->is_busy);
    archive_field(archive, "start_ps", &instance->start_ps);
    archive_field(archive, "end_ps", &instance->end_ps);
    archive_field(archive, "n_left", &instance->n_left);
    archive_field(archive, "phase_ps", &instance->phase_ps);
    archive_field(archive, "phase_busy_ps", &instance->phase_busy_ps);
    archive_wide(archive, "batch_ps", &instance->batch_ps, 1, sizeof instance->batch_ps);
    archive_lists(instance, roll, archive);
    archive_enter(archive, "iteration");
    archive_iteration(instance, roll, archive);
    archive_leave(archive);
    archive_enter(archive, "usage");
    archive_usage(&instance->usage, archive);
    archive_leave(archive);
    archive_enter(archive, "total");
    archive_total(&instance->total, archive);
    archive_leave(archive);
    archive_enter(archive, "cache");
    kv_cache_archive(&instance->cache, archive);
    archive_leave(archive);
}
