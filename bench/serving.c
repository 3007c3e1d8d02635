/* serving.c - how many generated tokens a second the serving emulator schedules on one core, with an engine that costs
 * next to nothing: the price of queueing, batching, paged KV, records and percentiles alone.
 */
#include <stdio.h>
#include <time.h>

#include "serving/arrivals.h"
#include "serving/serving.h"

static enum status iterate(void *state, const struct serving_iteration *iteration, struct serving_cost *cost,
                           struct fault *fault)
{
    (void)state;
    (void)fault;
    cost->time_ps =
        UINT64_C(5000000000) + 1000 * iteration->decode_context_tokens + 1000000 * iteration->prefill_tokens;
    cost->energy_fj[ENERGY_COMPUTE] = cost->time_ps;
    cost->busy_ps[0] = cost->time_ps;
    return STATUS_OK;
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int run(const char *name, const struct serving_config *config, const struct requests *requests,
               uint64_t capacity_tokens, size_t n_instances)
{
    static const char *const device[] = {"device"};
    struct serving_engine engine[8];
    struct serving_result result;
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    for (size_t i = 0; i < n_instances; i++)
        engine[i] = (struct serving_engine){
            .kv_capacity_tokens = capacity_tokens, .n_devices = 1, .device_name = device, .iterate = iterate};
    double start_s = cpu_s();
    if (serving_run(config, requests, engine, n_instances, NULL, arena, &result, &fault) != STATUS_OK) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    double took_s = cpu_s() - start_s;
    const struct serving_summary *sum = &result.summary;
    double tokens = (double)sum->output_tokens, iterations = (double)sum->n_iterations;
    printf("  %-34s %8.2f million tokens/s  %6.2f us an iteration of %5.1f  %7llu preemptions  %4.1f s\n", name,
           1e-6 * tokens / took_s, 1e6 * took_s / iterations, sum->instance[0].mean_batch,
           (unsigned long long)sum->n_preemptions, took_s);
    arena_free(arena);
    return 0;
}

int main(void)
{
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault = FAULT_NONE;
    struct arrivals arrivals = {.n = 40000,
                                .seed = 1,
                                .rate_per_s = 60,
                                .lengths = LENGTHS_UNIFORM,
                                .least_prompt_tokens = 100,
                                .most_prompt_tokens = 1500,
                                .least_output_tokens = 50,
                                .most_output_tokens = 450};
    if (arrivals_make(&arrivals, arena, &requests, &fault) != STATUS_OK) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    struct serving_config config = serving_defaults();
    config.max_batch = 64;
    int failed = run("chunked, batch 64", &config, &requests, 0, 1);
    config.batching = BATCHING_PREFILL_FIRST;
    failed |= run("prefill first, batch 64", &config, &requests, 0, 1);
    config.batching = BATCHING_CHUNKED;
    config.max_batch = 256;
    failed |= run("chunked, batch 256", &config, &requests, 0, 1);
    config.max_batch = 64;
    failed |= run("chunked, batch 64, little KV", &config, &requests, 40000, 1);
    config.router = ROUTER_LEAST_LOADED;
    failed |= run("four instances, least loaded", &config, &requests, 0, 4);
    config.max_batch = 1;
    failed |= run("batch 1", &config, &requests, 0, 1);
    arena_free(arena);
    return failed;
}
