#include "report/validity.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/breakdown.h"

struct checking {
    struct arena *arena;
    struct validity *validity;
};

static void add(struct checking *c, const char *what, int holds, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add(struct checking *c, const char *what, int holds, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->validity->n == MAX_VALIDITY_CHECKS)
        bug("more than %d checks", MAX_VALIDITY_CHECKS);
    c->validity->check[c->validity->n++] = (struct validity_check){what, arena_string(c->arena, text), holds};
}

/* Sums of many doubles are compared, not bits. */
static int is_near(double a, double b)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* ---- training ---- */

static void check_times(struct checking *c, const struct run *run)
{
    int bad = -1;
    for (int d = 0; d < run->n_devices; d++) {
        const struct ledger *ledger = &run->device[d].ledger;
        wide_uint sum_ps = (wide_uint)ledger->idle_ps + ledger->off_ps;
        for (int k = 0; k < N_KERNEL_CLASSES; k++)
            sum_ps += (wide_uint)ledger->compute_ps[k] + ledger->wait_ps[k];
        if (sum_ps != ledger->end_ps || ledger->end_ps != run->end_ps)
            bad = d;
    }
    add(c, "times of each device sum to the run's", bad < 0 && run->n_devices > 0, "%s%s, %" PRIu64 " ps",
        bad < 0 ? "all devices" : "not those of ", bad < 0 ? "" : run->device[bad].name, run->end_ps);
}

static void check_energies(struct checking *c, const struct run *run, double told_j)
{
    wide_uint class_fj = 0, part_fj = 0;
    for (int d = 0; d < run->n_devices; d++) {
        struct breakdown classes, parts;
        breakdown_energy_by_class(&run->device[d].ledger, &classes);
        breakdown_energy_by_part(&run->device[d].ledger, &parts);
        class_fj += breakdown_sum(&classes);
        part_fj += breakdown_sum(&parts);
    }
    add(c, "energies by class and by part sum to the run's",
        is_near(joules(class_fj), told_j) && is_near(joules(part_fj), told_j) && told_j > 0, "%.9g J, %.9g J, %.9g J",
        joules(class_fj), joules(part_fj), told_j);
}

/* Arithmetic that takes no time or no energy. */
static void check_free(struct checking *c, const struct run_device *device, int n)
{
    const char *free_of_cost = NULL;
    for (int d = 0; d < n; d++)
        for (int k = 0; k < N_KERNEL_CLASSES; k++) {
            const struct ledger_entry *entry = &device[d].ledger.entry[k];
            if ((entry->flops || entry->bytes) && (!entry->busy_ps || !run_entry_energy_fj(entry)))
                free_of_cost = arena_printf(c->arena, "%s of %s", kernel_class_name(k), device[d].name);
        }
    add(c, "no work without time and energy", !free_of_cost, "%s", free_of_cost ? free_of_cost : "all kernels");
}

static void check_costs(struct checking *c, const struct run *run)
{
    uint64_t flops = 0;
    for (int d = 0; d < run->n_devices; d++)
        for (int k = 0; k < N_KERNEL_CLASSES; k++)
            flops += run->device[d].ledger.entry[k].flops;
    check_free(c, run->device, run->n_devices);
    add(c, "arithmetic of the devices sums to the run's", flops == run->flops, "%" PRIu64 " and %" PRIu64 " FLOP",
        flops, run->flops);
}

static void check_curve(struct checking *c, const struct run *run)
{
    int bad = -1;
    for (int i = 1; i < run->n_steps; i++)
        if (run->step[i].step <= run->step[i - 1].step || run->step[i].time_ps < run->step[i - 1].time_ps ||
            run->step[i].energy_j < run->step[i - 1].energy_j)
            bad = i;
    uint64_t last_ps = run->n_steps ? run->step[run->n_steps - 1].time_ps : 0;
    double last_j = run->n_steps ? run->step[run->n_steps - 1].energy_j : 0, all_j = run_energy_j(run);
    add(c, "steps, time and energy never go back", bad < 0 && last_ps <= run->end_ps && last_j <= all_j,
        "%d steps, the last ends at %" PRIu64 " ps and %.9g J", run->n_steps, last_ps, last_j);
}

static void check_phases(struct checking *c, const struct run *run)
{
    int64_t next = run->n_phases ? run->phase[0].first_step : 0;
    int is_whole = run->n_phases == 0 || next <= 1;
    wide_uint sum_ps = 0, sum_fj = 0;
    for (int p = 0; p < run->n_phases; p++) {
        is_whole &= run->phase[p].first_step == next && run->phase[p].last_step >= next;
        next = run->phase[p].last_step + 1;
        sum_ps += run->phase[p].time_ps;
        sum_fj += run->phase[p].energy_fj;
    }
    if (run->n_phases)
        add(c, "energies of the phases sum to the run's", is_near(joules(sum_fj), run_energy_j(run)), "%.9g J, %.9g J",
            joules(sum_fj), run_energy_j(run));
    if (run->n_phases)
        add(c, "phases follow each other without a gap", is_whole && next - 1 == run->steps && sum_ps <= run->end_ps,
            "%d phases, steps to %" PRId64 " of %" PRId64, run->n_phases, next - 1, run->steps);
}

static void check_verdicts(struct checking *c, const struct run *run)
{
    int n = 0, bad = 0;
    for (int i = 0; i < run->mode_switch.n_records; i++)
        for (int k = 0; k < run->mode_switch.record[i].n_numbers; k++) {
            const struct run_switch_number *number = &run->mode_switch.record[i].number[k];
            int holds = strcmp(number->relation, "<") == 0    ? number->value < number->threshold
                        : strcmp(number->relation, ">") == 0  ? number->value > number->threshold
                        : strcmp(number->relation, ">=") == 0 ? number->value >= number->threshold
                                                              : 1;
            bad += holds != (number->holds != 0);
            n++;
        }
    if (n)
        add(c, "verdicts of the switch follow from their numbers", bad == 0, "%d of %d", n - bad, n);
}

static void check_wear(struct checking *c, const struct run *run)
{
    uint64_t device_writes = 0, matrix_writes = 0;
    for (int i = 0; i < run->n_cells; i++)
        device_writes += run->cells[i].cell_writes;
    for (int m = 0; m < run->n_matrices; m++)
        matrix_writes += run->matrix[m].cell_writes;
    if (run->n_matrices)
        add(c, "writes of the matrices sum to those of the devices", device_writes == matrix_writes,
            "%" PRIu64 " and %" PRIu64 " cells", matrix_writes, device_writes);
}

static void check_training(struct checking *c, const struct subject *subject)
{
    const struct run *run = &subject->run;
    check_times(c, run);
    check_energies(c, run, subject->told_energy_j);
    check_costs(c, run);
    check_curve(c, run);
    check_phases(c, run);
    check_verdicts(c, run);
    check_wear(c, run);
}

/* ---- serving ---- */

static int by_value(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

double validity_percentile(const double *sorted, size_t n, double percent)
{
    if (n == 0)
        return NAN;
    double rank = percent / 100 * (double)(n - 1);
    size_t below = (size_t)rank;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
}

static void check_requests(struct checking *c, const struct serving_run *run)
{
    const struct serving_summary *sum = &run->summary;
    uint64_t prompt = 0, output = 0, made = 0;
    size_t bad = 0;
    for (size_t i = 0; i < sum->n_requests; i++) {
        const struct served *r = &run->record[i];
        bad +=
            r->arrival_ps > r->scheduled_ps || r->scheduled_ps > r->first_token_ps || r->first_token_ps > r->finish_ps;
        prompt += r->prompt_tokens;
        output += r->output_tokens;
    }
    for (size_t i = 0; i < sum->n_instances; i++)
        made += sum->instance[i].output_tokens;
    add(c, "each request arrives, starts, answers and ends in this order", bad == 0, "%zu of %zu requests",
        sum->n_requests - bad, sum->n_requests);
    add(c, "tokens of the requests sum to the run's", prompt == sum->prompt_tokens && output == sum->output_tokens,
        "%" PRIu64 " and %" PRIu64 " generated", output, sum->output_tokens);
    add(c, "tokens of the instances sum to the run's", made == sum->output_tokens,
        "%" PRIu64 " and %" PRIu64 " generated", made, sum->output_tokens);
}

/* The percentiles told are those of the requests. */
static void check_percentiles(struct checking *c, const struct serving_run *run)
{
    const struct serving_summary *sum = &run->summary;
    const struct serving_spread *spreads[] = {&sum->queue_s, &sum->ttft_s, &sum->tpot_s, &sum->e2e_s};
    double *value = calloc(sum->n_requests + 1, sizeof *value);
    int bad = 0;
    if (!value)
        bug("out of memory");
    for (int m = 0; m < 4; m++) {
        size_t n = 0;
        for (size_t i = 0; i < sum->n_requests; i++) {
            const struct served *r = &run->record[i];
            const uint64_t times[] = {served_queue_ps(r), served_ttft_ps(r), served_tpot_ps(r), served_e2e_ps(r)};
            if (m != 2 || r->output_tokens > 1)
                value[n++] = (double)times[m] * 1e-12;
        }
        qsort(value, n, sizeof *value, by_value);
        bad += n != spreads[m]->n || !is_near(validity_percentile(value, n, 50), spreads[m]->p50) ||
               !is_near(validity_percentile(value, n, 90), spreads[m]->p90) ||
               !is_near(validity_percentile(value, n, 99), spreads[m]->p99);
    }
    free(value);
    add(c, "percentiles told are those of the requests", bad == 0, "%d of 4 latencies", 4 - bad);
}

static void check_serving_energy(struct checking *c, const struct serving_run *run)
{
    const struct serving_summary *sum = &run->summary;
    double sum_j = joules(sum->energy_fj);
    add(c, "energies of instances and parts sum to the run's", is_near(sum_j, run->told_energy_j) && sum_j > 0,
        "%.9g J and %.9g J", sum_j, run->told_energy_j);
    uint64_t span_ps = sum->end_ps - sum->first_arrival_ps;
    uint32_t n = 0, bad = 0;
    for (size_t i = 0; i < sum->n_instances; i++)
        for (uint32_t d = 0; d < sum->instance[i].n_devices; d++, n++)
            bad += sum->instance[i].device_busy_ps[d] > span_ps;
    add(c, "no device works longer than the run lasts", bad == 0, "%u of %u devices", n - bad, n);
}

/* Exactly, part by part: instructions, waiting, idle and links to the host are all that an instance takes. */
static void check_ledgers(struct checking *c, const struct serving_run *run)
{
    const struct serving_summary *sum = &run->summary;
    uint32_t n_bad = 0, n_late = 0;
    for (uint32_t i = 0; i < sum->n_instances; i++) {
        wide_uint energy_fj[N_ENERGY_PARTS], idle_fj;
        serving_devices_energy(&run->devices, i, energy_fj, &idle_fj);
        int is_bad = idle_fj != sum->instance[i].idle_energy_fj;
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            is_bad |= energy_fj[p] != sum->instance[i].energy_fj[p];
        n_bad += (uint32_t)is_bad;
    }
    for (int d = 0; d < run->devices.n; d++) {
        const struct ledger *ledger = &run->devices.device[d].ledger;
        wide_uint sum_ps = ledger->idle_ps;
        for (int k = 0; k < N_KERNEL_CLASSES; k++)
            sum_ps += (wide_uint)ledger->compute_ps[k] + ledger->wait_ps[k];
        n_late += sum_ps != ledger->end_ps || ledger->end_ps != sum->end_ps - sum->first_arrival_ps;
    }
    add(c, "energies by device and kernel class sum to those of the instances", n_bad == 0 && run->devices.n > 0,
        "%zu of %zu instances, to the femtojoule", sum->n_instances - n_bad, sum->n_instances);
    add(c, "times of each device sum to the run's", n_late == 0 && run->devices.n > 0, "%d of %d devices",
        run->devices.n - (int)n_late, run->devices.n);
    check_free(c, run->devices.device, run->devices.n);
}

/* Faults in order within the run; their stops are those of the instances. */
static void check_faults(struct checking *c, const struct serving_run *run)
{
    const struct serving_summary *sum = &run->summary;
    uint64_t stop_ps = 0, lost = 0, last_ps = 0;
    int is_ordered = 1;
    for (int f = 0; f < run->faults.n; f++) {
        const struct serving_fault *fault = &run->faults.fault[f];
        is_ordered &= fault->struck_ps >= last_ps && fault->struck_ps >= fault->at_ps &&
                      fault->struck_ps + fault->stop_ps <= sum->end_ps;
        last_ps = fault->struck_ps;
        stop_ps += fault->stop_ps;
        lost += fault->lost_tokens;
    }
    if (run->faults.n || sum->recovery.n_faults)
        add(c, "faults come in order, and their costs sum to those of the instances",
            is_ordered && (uint64_t)run->faults.n == sum->recovery.n_faults && stop_ps == sum->recovery.stop_ps &&
                lost == sum->recovery.lost_tokens,
            "%d faults, stops of %" PRIu64 " ps, %" PRIu64 " tokens of KV lost", run->faults.n, stop_ps, lost);
}

static void check_samples(struct checking *c, const struct serving_run *run)
{
    uint64_t output = 0;
    for (size_t i = 0; i < run->n_samples; i++)
        output += run->sample[i].output_tokens;
    if (run->n_samples)
        add(c, "tokens over time sum to the run's", output == run->summary.output_tokens,
            "%" PRIu64 " and %" PRIu64 " generated", output, run->summary.output_tokens);
}

/* requests.csv beside serving.h5: as many rows, the same tokens. */
static void check_csv(struct checking *c, const struct subject *subject)
{
    char line[1024];
    size_t rows = 0;
    uint64_t output = 0;
    FILE *file = fopen(subject_path(subject, c->arena, "requests.csv"), "r");
    if (!file)
        return;
    int is_known = fgets(line, sizeof line, file) &&
                   strncmp(line, "request,instance,decode_instance,prompt_tokens,output_tokens,", 60) == 0;
    while (is_known && fgets(line, sizeof line, file)) {
        unsigned long long tokens = 0;
        is_known = sscanf(line, "%*u,%*u,%*u,%*u,%llu,", &tokens) == 1;
        output += tokens;
        rows++;
    }
    fclose(file);
    const struct serving_summary *sum = &subject->serving.summary;
    add(c, "requests.csv has the same requests", is_known && rows == sum->n_requests && output == sum->output_tokens,
        "%zu rows, %" PRIu64 " generated tokens%s", rows, output, is_known ? "" : ", unreadable");
}

void validity_check(const struct subject *subject, struct arena *arena, struct validity *validity)
{
    *validity = (struct validity){.n = 0};
    struct checking c = {arena, validity};
    if (subject->kind == SUBJECT_TRAINING) {
        check_training(&c, subject);
        return;
    }
    check_requests(&c, &subject->serving);
    check_percentiles(&c, &subject->serving);
    check_serving_energy(&c, &subject->serving);
    check_ledgers(&c, &subject->serving);
    check_faults(&c, &subject->serving);
    check_samples(&c, &subject->serving);
    check_csv(&c, subject);
}

int validity_holds(const struct validity *validity)
{
    for (int i = 0; i < validity->n; i++)
        if (!validity->check[i].holds)
            return 0;
    return 1;
}
