/* Ledgers of serving runs: whatever the machine, the policies and the faults, they sum to what the run tells, exactly.
 */
#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "folder.h"
#include "report/compare.h"
#include "report/roof.h"
#include "report/serving_read.h"
#include "report/serving_result.h"
#include "report/subject.h"
#include "report/validity.h"
#include "scheduler/serve.h"
#include "scheduler/serve_ledger.h"

Suite *suite_serving_ledger(void);

enum { CASES = 24, TEXT = 4096 };

/* What a random job has, so that all of it occurs. */
struct seen {
    int n_swapped, n_handed_over, n_lost, n_slowed, n_waited_for_host, n_pims;
};

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *text, const char *format, ...)
{
    va_list args;
    size_t n = strlen(text);
    va_start(args, format);
    vsnprintf(text + n, TEXT - n, format, args);
    va_end(args);
}

static void random_machine(char *text, struct dice *d, int n_gpus, int pims_each)
{
    append(text, "name: random\ncluster:\n  name: random\n  iteration_overhead_s: %d us\n  devices:\n",
           (int)below(d, 2) * 200);
    append(text, "    - {kind: gpu, profile: a100-80g, count: %d, memory_bytes: %d GiB}\n", n_gpus, 14 / n_gpus + 1);
    if (pims_each)
        append(text, "    - {kind: hbm-pim, profile: attacc-%s, count: %d}\n", below(d, 2) ? "bank" : "buffer",
               n_gpus * pims_each);
    append(text, "  links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}\n");
}

static void random_faults(char *text, struct dice *d, int n_gpus, int pims_each, int instances)
{
    append(text, "faults:\n");
    if (pims_each > 1)
        append(text, "  - {device: hbm-pim%d, at: %d ms, kind: fails, instance: %d}\n",
               (int)below(d, (uint64_t)(n_gpus * pims_each)), 100 + (int)below(d, 300),
               (int)below(d, (uint64_t)instances));
    append(text, "  - {device: gpu0, at: %d ms, kind: degrades, factor: 0.5, instance: %d}\n", 50 + (int)below(d, 500),
           (int)below(d, (uint64_t)instances));
}

/* Small requests, and now and then more of them than the KV cache has room for. */
static void random_job(char *text, struct dice *d)
{
    static const char *const batching[] = {"chunked", "prefill-first", "static"};
    int n_gpus = 1 + (int)below(d, 2), pims_each = (int)below(d, 3), instances = 1 + (int)below(d, 2);
    int is_split = instances > 1 && below(d, 2), is_full = pims_each == 0 && below(d, 2);
    *text = '\0';
    random_machine(text, d, n_gpus, pims_each);
    append(text,
           "decoder: {model: llama-7b}\nplacement: {numerics: fp16}\nserve:\n  requests: 40\n  arrivals: poisson\n");
    append(text, "  rate_per_s: %d\n  input_tokens: %d\n  output_tokens: %d\n  seed: %d\n", is_full ? 2000 : 60,
           is_full ? 400 : 40, is_full ? 300 : 12, (int)below(d, 1000));
    append(text, "  batching: %s\n  preemption: %s\n  instances: %d\n  prefill_instances: %d\n  recovery_s: %d ms\n",
           batching[below(d, 3)], below(d, 2) ? "swap" : "recompute", instances, is_split, 1 + (int)below(d, 20));
    if (!is_split && below(d, 2))
        random_faults(text, d, n_gpus, pims_each, instances);
}

static void expect_sums(const struct serve_result *result, struct seen *seen)
{
    const struct serving_summary *sum = &result->serving.summary;
    const struct serving_devices *devices = &result->devices;
    int d = 0;
    for (uint32_t i = 0; i < sum->n_instances; i++) {
        const struct serving_instance_summary *instance = &sum->instance[i];
        wide_uint energy_fj[N_ENERGY_PARTS], idle_fj;
        serving_devices_energy(devices, i, energy_fj, &idle_fj);
        ck_assert(idle_fj == instance->idle_energy_fj);
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            ck_assert_msg(energy_fj[p] == instance->energy_fj[p], "instance %u, part %d: %g J and %g J", i, p,
                          joules(energy_fj[p]), joules(instance->energy_fj[p]));
        for (uint32_t k = 0; k < instance->n_devices; k++, d++) {
            const struct run_device *device = &devices->device[d];
            ck_assert_uint_eq(devices->instance[d], i);
            ck_assert_str_eq(device->name, instance->device_name[k]);
            ck_assert_uint_eq(serving_devices_busy_ps(device), instance->device_busy_ps[k]);
            ck_assert_uint_eq(device->ledger.end_ps, sum->end_ps - sum->first_arrival_ps);
            ledger_validate(&device->ledger);
            seen->n_waited_for_host += device->ledger.wait_ps[CLASS_HOST_COPY] > 0;
            seen->n_pims += strcmp(device->kind, "hbm-pim") == 0 && device->ledger.entry[CLASS_ATTENTION].flops > 0;
        }
        seen->n_swapped += instance->n_swaps > 0 && devices->host[i].bytes > 0;
    }
    ck_assert_int_eq(d, devices->n);
}

static void count_faults(const struct serve_result *result, struct seen *seen)
{
    uint64_t stop_ps = 0;
    ck_assert_uint_eq((uint64_t)result->faults.n, result->serving.summary.recovery.n_faults);
    for (int f = 0; f < result->faults.n; f++) {
        stop_ps += result->faults.fault[f].stop_ps;
        seen->n_lost += result->faults.fault[f].stop_ps > 0;
        seen->n_slowed += result->faults.fault[f].stop_ps == 0;
    }
    ck_assert_uint_eq(stop_ps, result->serving.summary.recovery.stop_ps);
}

/* No kernel is faster than its device can be. */
static void expect_below_roofs(const struct subject *subject)
{
    for (int d = 0; d < subject->serving.devices.n; d++) {
        const struct run_device *device = &subject->serving.devices.device[d];
        struct roof roof;
        ck_assert(roof_of(&subject->job, device->kind, device->profile, &roof));
        for (int c = CLASS_GEMM; c <= CLASS_ATTENTION; c++) {
            const struct ledger_entry *entry = &device->ledger.entry[c];
            if (!entry->flops)
                continue;
            double rate = (double)entry->flops / ((double)entry->busy_ps * 1e-12);
            double most = roof_at(&roof, (double)entry->flops / (double)entry->bytes, 1);
            ck_assert_msg(rate <= most, "%s of %s: %g of %g FLOP/s", kernel_class_name((enum kernel_class)c),
                          device->profile, rate, most);
        }
    }
}

/* The result as a file, and its checks. */
static void expect_valid(const struct serve *serve, const struct serve_result *result, const char *path,
                         struct arena *arena)
{
    struct fault fault = FAULT_NONE;
    struct subject subject;
    struct validity validity;
    const struct serving_file file = {.title = serve->job->name,
                                      .config = job_print(arena, serve->job),
                                      .summary = &result->serving.summary,
                                      .record = result->serving.record,
                                      .devices = &result->devices,
                                      .faults = &result->faults};
    serving_result_write(path, &file, &fault);
    subject_open(path, arena, &subject, &fault);
    expect_ok(&fault);
    validity_check(&subject, arena, &validity);
    for (int i = 0; i < validity.n; i++)
        ck_assert_msg(validity.check[i].holds, "%s: %s", validity.check[i].what, validity.check[i].found);
    ck_assert(subject.has_job);
    expect_below_roofs(&subject);
}

static void serve_one(const char *text, struct serve_result *result, const char *path, struct arena *arena)
{
    struct fault fault = FAULT_NONE;
    struct job job;
    struct serve serve;
    struct comm *alone = comm_alone();
    job_parse(arena, "random", text, NULL, 0, &job, &fault);
    ck_assert_msg(fault.status == STATUS_OK, "%s\n%s", fault.text, text);
    serve_open(alone, &job, 1, NULL, arena, &serve, &fault);
    ck_assert_msg(fault.status == STATUS_OK, "%s\n%s", fault.text, text);
    serve_run(&serve, &(struct serve_options){.quiet = 1}, &(struct serve_sink){.state = NULL}, result, &fault);
    ck_assert_msg(fault.status == STATUS_OK, "%s\n%s", fault.text, text);
    expect_valid(&serve, result, path, arena);
    serve_close(&serve);
    comm_close(alone, 0);
}

START_TEST(ledgers_sum_to_what_the_run_tells)
{
    struct seen seen = {.n_lost = 0};
    struct folder folder;
    folder_open(&folder);
    const char *path = folder_file(&folder, "serving.h5");
    for (uint32_t c = 0; c < CASES; c++) {
        struct dice d = dice(8100 + c);
        struct arena *arena = arena_new();
        struct serve_result result;
        char text[TEXT];
        random_job(text, &d);
        serve_one(text, &result, path, arena);
        expect_sums(&result, &seen);
        count_faults(&result, &seen);
        seen.n_handed_over += strstr(text, "prefill_instances: 1") && result.devices.host[1].bytes > 0;
        arena_free(arena);
    }
    ck_assert_msg(seen.n_swapped && seen.n_handed_over && seen.n_lost && seen.n_slowed && seen.n_waited_for_host &&
                      seen.n_pims,
                  "%d swapped, %d handed over, %d lost, %d slowed, %d waited for the host, %d PIM devices",
                  seen.n_swapped, seen.n_handed_over, seen.n_lost, seen.n_slowed, seen.n_waited_for_host, seen.n_pims);
    folder_close(&folder);
}
END_TEST

/* ---- by hand ---- */

/* Two devices; an iteration of 100 ps of which the host takes 10, a swap of 5, a stretch of 200 after a start at 50. */
START_TEST(the_rest_of_the_time_is_waiting_or_idle)
{
    struct arena *arena = arena_new();
    struct serve_ledger ledger;
    struct ledger instructions[2] = {{.compute_ps = {[CLASS_GEMM] = 60}, .wait_ps = {[CLASS_COLLECTIVE] = 20}},
                                     {.compute_ps = {[CLASS_ATTENTION] = 7}}};
    const uint64_t wait_mw[2] = {3, 2}, idle_mw[2] = {1, 1};
    const struct cost link = {.time_ps = 5, .bytes = 64, .energy_fj = {[ENERGY_LINK] = 11}};
    const struct serve_stretch stretch = {instructions, wait_mw, idle_mw, NULL, 250};
    serve_ledger_init(&ledger, 2, 50, arena);
    serve_ledger_iteration(&ledger, 100, 10);
    serve_ledger_host(&ledger, &link, 5);
    serve_ledger_close(&ledger, &stretch);
    const struct ledger *first = &ledger.device[0], *second = &ledger.device[1];
    ck_assert_uint_eq(first->wait_ps[CLASS_COLLECTIVE], 20);
    ck_assert_uint_eq(first->wait_ps[CLASS_HOST_COPY], 15);
    ck_assert_uint_eq(first->wait_ps[CLASS_TRANSFER], 105 - 60 - 20 - 15);
    ck_assert_uint_eq(first->idle_ps, 200 - 105);
    ck_assert(first->wait_energy_fj == 3 * 45 && first->idle_energy_fj == 95);
    ck_assert_uint_eq(second->wait_ps[CLASS_TRANSFER], 105 - 7 - 15);
    ck_assert(second->wait_energy_fj == 2 * 98);
    ck_assert(ledger.host.energy_fj[ENERGY_LINK] == 11 && ledger.host.bytes == 64 && ledger.host.count == 1);
    /* Then the second one is lost: it is idle without power. */
    const uint8_t lost[2] = {0, 1};
    const uint64_t left_mw[2] = {3, 0}, left_idle_mw[2] = {1, 0};
    const struct ledger none[2] = {{.end_ps = 0}, {.end_ps = 0}};
    const struct serve_stretch last = {none, left_mw, left_idle_mw, lost, 300};
    serve_ledger_iteration(&ledger, 30, 0);
    serve_ledger_close(&ledger, &last);
    ck_assert_uint_eq(ledger.device[0].idle_ps, 95 + 20);
    ck_assert_uint_eq(ledger.device[1].idle_ps, 95 + 50);
    ck_assert(ledger.device[1].wait_energy_fj == 2 * 98 && ledger.device[1].idle_energy_fj == 95);
    for (int d = 0; d < 2; d++) {
        ledger.device[d].entry[CLASS_GEMM].busy_ps = ledger.device[d].compute_ps[CLASS_GEMM];
        ledger.device[d].entry[CLASS_ATTENTION].busy_ps = ledger.device[d].compute_ps[CLASS_ATTENTION];
        ck_assert_uint_eq(ledger.device[d].end_ps, 250);
        ledger_validate(&ledger.device[d]);
    }
    arena_free(arena);
}
END_TEST

/* Int8 elements are half as long as fp16: twice as many in a column, each for a multiplication and an addition. */
START_TEST(processing_units_have_a_roof)
{
    static const char text[] = "name: x\ncluster:\n  name: x\n  devices:\n    - {kind: gpu, profile: a100-80g}\n"
                               "    - {kind: hbm-pim, profile: attacc-bank, stacks: 5}\n  links: {host: pcie4}\n"
                               "decoder: {model: llama-7b}\nplacement: {numerics: fp16}\nserve: {requests: 1}\n";
    static const char *const overrides[] = {"serve.kv_numerics=int8", "cluster.devices[1].stacks=10",
                                            "cluster.devices[1].power_limit=false"};
    struct arena *arena = arena_new();
    struct roof plain, other;
    struct fault fault = FAULT_NONE;
    struct job job;
    job_parse(arena, "x", text, NULL, 0, &job, &fault);
    expect_ok(&fault);
    ck_assert(roof_of(&job, "hbm-pim", "attacc-bank", &plain));
    ck_assert_double_eq(plain.peak_flop_per_s, plain.bytes_per_s); /* 2 FLOP for an element of 2 bytes */
    for (int i = 0; i < 3; i++) {
        job_parse(arena, "x", text, &overrides[i], 1, &job, &fault);
        expect_ok(&fault);
        ck_assert(roof_of(&job, "hbm-pim", "attacc-bank", &other));
        ck_assert_double_eq_tol(other.peak_flop_per_s, (i < 2 ? 2 : 1.5) * plain.peak_flop_per_s,
                                1e-9 * plain.peak_flop_per_s);
        ck_assert_double_eq_tol(other.bytes_per_s,
                                (i == 0   ? 1
                                 : i == 1 ? 2
                                          : 1.5) *
                                    plain.bytes_per_s,
                                1e-9 * plain.bytes_per_s);
    }
    arena_free(arena);
}
END_TEST

/* ---- comparison ---- */

static double ratio_of(const struct comparison *comparison, const char *name)
{
    for (int q = 0; q < comparison->n_quantities; q++)
        if (strcmp(comparison->quantity[q].name, name) == 0)
            return compare_ratio(&comparison->quantity[q], 1);
    ck_abort_msg("no quantity '%s'", name);
}

/* A run against itself, then against one twice as fast at twice the energy. */
START_TEST(ratios_above_one_are_better)
{
    struct arena *arena = arena_new();
    struct serving_instance_summary instance = {.busy_ps = 1};
    struct serving_run runs[2] = {{.title = "a", .config = "serve:\n  seed: 1\n"},
                                  {.title = "b", .config = "serve:\n  seed: 2\n"}};
    const char *const paths[] = {"a", "b"};
    struct comparison comparison;
    const char **keys;
    for (int r = 0; r < 2; r++) {
        struct serving_summary *sum = &runs[r].summary;
        *sum = (struct serving_summary){.n_requests = 5,
                                        .end_ps = (uint64_t)4000000000000 >> r,
                                        .prompt_tokens = 50,
                                        .output_tokens = 20,
                                        .output_tokens_per_s = 5 << r,
                                        .energy_fj = (wide_uint)8000000000000000 << r,
                                        .energy_per_output_token_j = 0.4 * (1 << r),
                                        .ttft_s = {5, 0.2, 0.2, 0.3, 0.3, r ? 0.2 : 0.4, 0.5},
                                        .n_instances = 1,
                                        .instance = &instance};
    }
    compare_serving(&comparison, runs, paths, 2, arena);
    ck_assert(ratio_of(&comparison, "virtual time") == 2);
    ck_assert(ratio_of(&comparison, "generated tokens") == 2);
    ck_assert(ratio_of(&comparison, "energy") == 0.5);
    ck_assert(ratio_of(&comparison, "energy per generated token") == 0.5);
    ck_assert(ratio_of(&comparison, "TTFT p99") == 2);
    ck_assert(ratio_of(&comparison, "TTFT p50") == 1);
    ck_assert(isnan(ratio_of(&comparison, "TPOT p50"))); /* none */
    ck_assert(isnan(ratio_of(&comparison, "requests")));
    ck_assert_int_eq(compare_differences(&comparison, 1, 1, arena, &keys), 0);
    ck_assert_int_eq(compare_differences(&comparison, 1, 0, arena, &keys), 1);
    ck_assert_str_eq(keys[0], "serve.seed");
    runs[1].summary.prompt_tokens++;
    ck_assert_int_eq(compare_differences(&comparison, 1, 1, arena, &keys), 1);
    ck_assert_str_eq(keys[0], "prompt tokens");
    arena_free(arena);
}
END_TEST

Suite *suite_serving_ledger(void)
{
    Suite *suite = suite_create("serving_ledger");
    TCase *tcase = tcase_create("ledger");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, ledgers_sum_to_what_the_run_tells);
    tcase_add_test(tcase, the_rest_of_the_time_is_waiting_or_idle);
    tcase_add_test(tcase, processing_units_have_a_roof);
    tcase_add_test(tcase, ratios_above_one_are_better);
    suite_add_tcase(suite, tcase);
    return suite;
}
