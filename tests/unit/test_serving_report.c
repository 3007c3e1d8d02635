/* What a serving run leaves: rows as requests end, a file that reads back, tables. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "folder.h"
#include "report/serving_csv.h"
#include "report/serving_read.h"
#include "report/serving_result.h"
#include "report/serving_tables.h"
#include "report/subject.h"
#include "report/validity.h"
#include "serving_toy.h"
#include "store/csv.h"
#include "store/h5.h"

Suite *suite_serving_report(void);

enum { N = 200, INSTANCES = 2, MOST_SAMPLES = 4096, TABLE_WIDTH_MOST = 120 };

struct told {
    struct arena *arena;
    struct toy toy[INSTANCES];
    struct serving_engine engine[INSTANCES];
    struct serving_csv csv;
    struct serving_result result;
    struct serving_sample sample[MOST_SAMPLES];
    size_t n_samples;
    struct run_device device[INSTANCES];
    uint32_t instance_of[INSTANCES];
    struct ledger_entry host[INSTANCES];
    struct serving_fault fault[2];
    struct serving_devices devices;
    struct serving_faults faults;
    struct serving_file file;
};

static enum status keep_sample(void *state, const struct serving_sample *sample, struct fault *fault)
{
    struct told *told = state;
    (void)fault;
    ck_assert_uint_lt(told->n_samples, MOST_SAMPLES);
    told->sample[told->n_samples++] = *sample;
    return STATUS_OK;
}

static enum status keep_row(void *state, const struct served *record, struct fault *fault)
{
    struct told *told = state;
    return told->csv.rows.path ? serving_csv_row(&told->csv, record, fault) : STATUS_OK;
}

/* Ledgers that sum to what the engines told: a third of static power while waiting, a fifth of it over the host's link.
 */
static void make_up_ledgers(struct told *told)
{
    const struct serving_summary *sum = &told->result.summary;
    uint64_t span_ps = sum->end_ps - sum->first_arrival_ps;
    for (uint32_t i = 0; i < INSTANCES; i++) {
        const struct serving_instance_summary *instance = &sum->instance[i];
        struct run_device *device = &told->device[i];
        struct ledger *ledger = &device->ledger;
        *device = (struct run_device){"toy", "gpu", "a100-80g", 0, 100, 1000, {.end_ps = span_ps}};
        told->instance_of[i] = i;
        ledger->compute_ps[CLASS_GEMM] = instance->device_busy_ps[0];
        ledger->wait_ps[CLASS_TRANSFER] = instance->busy_ps - instance->device_busy_ps[0];
        ledger->idle_ps = span_ps - instance->busy_ps;
        ledger->idle_energy_fj = instance->idle_energy_fj;
        ledger->entry[CLASS_GEMM] = (struct ledger_entry){.count = 7 + i, .busy_ps = instance->device_busy_ps[0]};
        memcpy(ledger->entry[CLASS_GEMM].energy_fj, instance->energy_fj, sizeof instance->energy_fj);
        wide_uint *own_fj = &ledger->entry[CLASS_GEMM].energy_fj[ENERGY_STATIC], whole_fj = *own_fj;
        ledger->wait_energy_fj = whole_fj / 3;
        told->host[i] = (struct ledger_entry){.count = 2, .busy_ps = 40, .bytes = 900};
        told->host[i].energy_fj[ENERGY_STATIC] = whole_fj / 5;
        *own_fj = whole_fj - whole_fj / 3 - whole_fj / 5;
        ledger->entry[CLASS_GEMM].flops = 1000;
        ledger->entry[CLASS_GEMM].bytes = 500;
    }
    told->devices = (struct serving_devices){INSTANCES, told->device, told->instance_of, told->host, INSTANCES};
}

/* Two faults of the second instance. */
static void make_up_faults(struct told *told)
{
    struct serving_summary *sum = &told->result.summary;
    told->fault[0] = (struct serving_fault){"toy", "degrades", 0.25, 1, 1000000, 1000005, 0, 0, 0, 0, 0};
    told->fault[1] = (struct serving_fault){"toy", "fails", 0, 1, 2000000, 2000000, 77, 1234, 3, 40, 5};
    told->faults = (struct serving_faults){2, told->fault, 1};
    sum->recovery = sum->instance[1].recovery = (struct serving_recovery){2, 1, 3, 40, 5, 31, 77, 11, 1234, 99};
}

static void run(struct told *told, const char *csv_path)
{
    struct fault fault = FAULT_NONE;
    struct requests requests;
    *told = (struct told){.arena = arena_new()};
    struct arrivals arrivals = {.n = N,
                                .seed = 4,
                                .rate_per_s = 50000,
                                .lengths = LENGTHS_UNIFORM,
                                .least_prompt_tokens = 1,
                                .most_prompt_tokens = 100,
                                .least_output_tokens = 1,
                                .most_output_tokens = 20};
    struct serving_config config = serving_defaults();
    config.max_batch = 8;
    config.sample_ps = 10000000;
    config.slo.ttft_ps = 4000000;
    for (int i = 0; i < INSTANCES; i++) {
        told->toy[i] = toy_usual();
        told->engine[i] = toy_engine(&told->toy[i], 400);
    }
    arrivals_make(&arrivals, told->arena, &requests, &fault);
    if (csv_path)
        serving_csv_open(&told->csv, csv_path, &fault);
    struct serving_sink sink = {.state = told, .finished = keep_row, .sample = keep_sample};
    serving_run(&config, &requests, told->engine, INSTANCES, &sink, told->arena, &told->result, &fault);
    expect_ok(&fault);
    if (csv_path)
        serving_csv_close(&told->csv, &fault);
    expect_ok(&fault);
    make_up_ledgers(told);
    make_up_faults(told);
    told->file = (struct serving_file){.devices = &told->devices,
                                       .faults = &told->faults,
                                       .title = "a run",
                                       .model = "toy",
                                       .config = "name: toy\n",
                                       .summary = &told->result.summary,
                                       .record = told->result.record,
                                       .n_samples = told->n_samples,
                                       .sample = told->sample};
}

static uint64_t exact_ps(const char *cell)
{
    uint64_t value = 0;
    for (const char *c = cell; *c; c++)
        value = *c == '.' ? value : 10 * value + (uint64_t)(*c - '0');
    return value;
}

START_TEST(rows_tell_every_request_exactly)
{
    struct folder folder;
    struct told *told = malloc(sizeof *told);
    struct csv csv;
    struct fault fault = FAULT_NONE;
    folder_open(&folder);
    const char *path = folder_file(&folder, "requests.csv");
    run(told, path);
    csv_read(path, told->arena, &csv, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(csv.n_rows, N + 1);
    ck_assert_int_eq(csv.n_columns, 18);
    ck_assert_str_eq(csv_cell(&csv, 0, 11), "ttft_s");
    uint64_t before_ps = 0;
    for (int64_t row = 1; row <= N; row++) {
        const struct served *record = &told->result.record[atoi(csv_cell(&csv, row, 0))];
        ck_assert_uint_eq((uint64_t)atoi(csv_cell(&csv, row, 3)), record->prompt_tokens);
        ck_assert_uint_eq(exact_ps(csv_cell(&csv, row, 9)), record->arrival_ps);
        ck_assert_uint_eq(exact_ps(csv_cell(&csv, row, 11)), served_ttft_ps(record));
        ck_assert_uint_eq(exact_ps(csv_cell(&csv, row, 15)), served_e2e_ps(record));
        ck_assert_uint_eq(exact_ps(csv_cell(&csv, row, 16)), record->finish_ps);
        ck_assert_int_eq(csv_cell(&csv, row, 12)[0] == '\0', record->output_tokens == 1);
        ck_assert_int_eq(atoi(csv_cell(&csv, row, 17)), record->meets_slo);
        ck_assert_uint_ge(record->finish_ps, before_ps); /* as they end */
        before_ps = record->finish_ps;
    }
    arena_free(told->arena);
    folder_close(&folder);
    free(told);
}
END_TEST

START_TEST(rows_that_cannot_be_written_are_told)
{
    struct serving_csv csv;
    struct fault fault = FAULT_NONE;
    ck_assert_int_eq(serving_csv_open(&csv, "/nowhere/requests.csv", &fault), STATUS_IO);
    serving_csv_close(&csv, &fault);
    fault = FAULT_NONE;
    struct served record = {.output_tokens = 2};
    serving_csv_open(&csv, "/dev/full", &fault);
    for (int i = 0; i < 1000; i++)
        serving_csv_row(&csv, &record, &fault);
    ck_assert_int_eq(fault.status, STATUS_IO);
    serving_csv_close(&csv, &fault);
}
END_TEST

static void expect_file(const struct told *told, struct h5 *file, struct fault *fault)
{
    const struct serving_summary *sum = &told->result.summary;
    static uint64_t value[MOST_SAMPLES];
    static double time_s[N];
    double number, table[5][6];
    int64_t whole;
    const char *names[H5_MAX_DIMS];
    h5_read(file, "/request/finish_ps", H5_UINT64, N, value, fault);
    h5_read(file, "/request/tpot_s", H5_FLOAT64, N, time_s, fault);
    expect_ok(fault);
    for (int i = 0; i < N; i++) {
        const struct served *record = &told->result.record[i];
        ck_assert_uint_eq(value[i], record->finish_ps);
        ck_assert(record->output_tokens == 1 ? isnan(time_s[i]) : time_s[i] == (double)served_tpot_ps(record) * 1e-12);
    }
    h5_get_double(file, "/", "output_tokens_per_s", &number, fault);
    h5_get_int(file, "/", "n_meet_slo", &whole, fault);
    ck_assert_double_eq(number, sum->output_tokens_per_s);
    ck_assert_int_eq(whole, (int64_t)sum->n_meet_slo);
    h5_read(file, "/summary/time_s", H5_FLOAT64, 30, table, fault);
    ck_assert_double_eq(table[1][4], sum->ttft_s.p99);
    ck_assert_double_eq(table[4][0], sum->e2e_s.mean);
    h5_dimension_names(file, "/summary/time_s", told->arena, names, fault);
    ck_assert_str_eq(names[0], "metric");
    ck_assert_str_eq(names[1], "statistic");
    h5_read(file, "/sample/output_tokens", H5_UINT64, (int64_t)told->n_samples, value, fault);
    uint64_t made = 0;
    for (size_t i = 0; i < told->n_samples; i++)
        made += value[i];
    ck_assert_uint_eq(made, sum->output_tokens);
    h5_read(file, "/device/compute_ps", H5_UINT64, (int64_t)INSTANCES * N_KERNEL_CLASSES, value, fault);
    ck_assert_uint_eq(value[N_KERNEL_CLASSES + CLASS_GEMM], sum->instance[1].device_busy_ps[0]);
    h5_dimension_names(file, "/device/energy_j", told->arena, names, fault);
    ck_assert_str_eq(names[0], "device");
    ck_assert_str_eq(names[1], "class");
    ck_assert_str_eq(names[2], "part");
    h5_read(file, "/fault/virtual_time_ps", H5_UINT64, 2, value, fault);
    ck_assert_uint_eq(value[0], 1000005);
    expect_ok(fault);
}

START_TEST(the_file_reads_back)
{
    struct folder folder;
    struct told *told = malloc(sizeof *told);
    struct fault fault = FAULT_NONE;
    struct h5 *file = NULL;
    folder_open(&folder);
    const char *path = folder_file(&folder, "serving.h5"), *again = folder_file(&folder, "again.h5");
    run(told, NULL);
    ck_assert_uint_gt(told->n_samples, 10);
    serving_result_write(path, &told->file, &fault);
    expect_ok(&fault);
    h5_open(path, &file, &fault);
    expect_ok(&fault);
    expect_file(told, file, &fault);
    h5_close(file);
    serving_result_write(again, &told->file, &fault);
    size_t size[2];
    char *bytes[2] = {read_text(path, &size[0]), read_text(again, &size[1])};
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
    ck_assert_int_eq(serving_result_write("/nowhere/serving.h5", &told->file, &fault), STATUS_IO);
    arena_free(told->arena);
    folder_close(&folder);
    free(told);
}
END_TEST

/* Lines of the tables are no wider than a report and end without blanks; the numbers are those of the summary. */
static void expect_same_summary(const struct serving_summary *a, const struct serving_summary *b)
{
    ck_assert_uint_eq(a->n_requests, b->n_requests);
    ck_assert_uint_eq(a->end_ps, b->end_ps);
    ck_assert_uint_eq(a->first_arrival_ps, b->first_arrival_ps);
    ck_assert(a->energy_fj == b->energy_fj && a->n_instances == b->n_instances);
    ck_assert(memcmp(&a->ttft_s, &b->ttft_s, sizeof a->ttft_s) == 0);
    ck_assert(a->has_slo == b->has_slo && a->slo_share == b->slo_share);
    for (size_t i = 0; i < a->n_instances; i++) {
        const struct serving_instance_summary *x = &a->instance[i], *y = &b->instance[i];
        ck_assert(x->busy_ps == y->busy_ps && x->n_evictions == y->n_evictions &&
                  x->kv_peak_blocks == y->kv_peak_blocks);
        ck_assert(x->peak_batch == y->peak_batch && x->mean_batch == y->mean_batch && x->n_devices == y->n_devices);
        ck_assert(memcmp(x->energy_fj, y->energy_fj, sizeof x->energy_fj) == 0 &&
                  x->idle_energy_fj == y->idle_energy_fj);
        ck_assert_str_eq(x->device_name[0], y->device_name[0]);
        ck_assert_uint_eq(x->device_busy_ps[0], y->device_busy_ps[0]);
        ck_assert(memcmp(&x->recovery, &y->recovery, sizeof x->recovery) == 0);
    }
    ck_assert(memcmp(&a->recovery, &b->recovery, sizeof a->recovery) == 0);
}

static void expect_same_hardware(const struct told *told, const struct serving_run *read)
{
    ck_assert_int_eq(read->devices.n, INSTANCES);
    ck_assert_int_eq((int)read->devices.n_instances, INSTANCES);
    for (int d = 0; d < INSTANCES; d++) {
        const struct run_device *a = &told->device[d], *b = &read->devices.device[d];
        ck_assert_str_eq(a->name, b->name);
        ck_assert_str_eq(a->profile, b->profile);
        ck_assert_uint_eq(a->memory_bytes, b->memory_bytes);
        ck_assert_uint_eq(read->devices.instance[d], (unsigned)d);
        ck_assert(memcmp(&a->ledger, &b->ledger, sizeof a->ledger) == 0);
        ck_assert(memcmp(&told->host[d], &read->devices.host[d], sizeof told->host[d]) == 0);
    }
    ck_assert_int_eq(read->faults.n, 2);
    ck_assert_int_eq(read->faults.n_to_come, 1);
    for (int f = 0; f < 2; f++) {
        const struct serving_fault *a = &told->fault[f], *b = &read->faults.fault[f];
        ck_assert_str_eq(a->device, b->device);
        ck_assert_str_eq(a->kind, b->kind);
        ck_assert(a->factor == b->factor && a->instance == b->instance && a->at_ps == b->at_ps);
        ck_assert(a->struck_ps == b->struck_ps && a->stop_ps == b->stop_ps && a->stop_energy_fj == b->stop_energy_fj);
        ck_assert(a->n_requests == b->n_requests && a->lost_tokens == b->lost_tokens &&
                  a->kept_tokens == b->kept_tokens);
    }
}

static int is_same_record(const struct served *a, const struct served *b)
{
    return a->request == b->request && a->instance == b->instance && a->decode_instance == b->decode_instance &&
           a->prompt_tokens == b->prompt_tokens && a->output_tokens == b->output_tokens &&
           a->prefix_tokens == b->prefix_tokens && a->preemptions == b->preemptions && a->swaps == b->swaps &&
           a->recomputed_tokens == b->recomputed_tokens && a->arrival_ps == b->arrival_ps &&
           a->scheduled_ps == b->scheduled_ps && a->first_token_ps == b->first_token_ps &&
           a->finish_ps == b->finish_ps && a->itl_max_ps == b->itl_max_ps && a->itl_p99_ps == b->itl_p99_ps &&
           a->meets_slo == b->meets_slo;
}

static int is_same_sample(const struct serving_sample *a, const struct serving_sample *b)
{
    return a->instance == b->instance && a->start_ps == b->start_ps && a->end_ps == b->end_ps &&
           a->running == b->running && a->waiting == b->waiting && a->kv_share == b->kv_share &&
           a->kv_tokens == b->kv_tokens && a->prefill_tokens == b->prefill_tokens &&
           a->output_tokens == b->output_tokens && a->busy_ps == b->busy_ps;
}

START_TEST(the_file_is_understood)
{
    struct folder folder;
    struct told *told = malloc(sizeof *told);
    struct fault fault = FAULT_NONE;
    struct serving_run read;
    folder_open(&folder);
    const char *path = folder_file(&folder, "serving.h5");
    run(told, NULL);
    serving_result_write(path, &told->file, &fault);
    serving_result_read(path, told->arena, &read, &fault);
    expect_ok(&fault);
    expect_same_summary(&told->result.summary, &read.summary);
    expect_same_hardware(told, &read);
    ck_assert_str_eq(read.title, "a run");
    ck_assert_str_eq(read.config, "name: toy\n");
    for (size_t i = 0; i < N; i++)
        ck_assert(is_same_record(&told->result.record[i], &read.record[i]));
    ck_assert_uint_eq(read.n_samples, told->n_samples);
    for (size_t i = 0; i < read.n_samples; i++)
        ck_assert(is_same_sample(&told->sample[i], &read.sample[i]));
    arena_free(told->arena);
    folder_close(&folder);
    free(told);
}
END_TEST

static int failures(const struct subject *subject, struct arena *arena)
{
    struct validity validity;
    int n = 0;
    validity_check(subject, arena, &validity);
    for (int i = 0; i < validity.n; i++)
        n += !validity.check[i].holds;
    ck_assert_int_eq(validity_holds(&validity), n == 0);
    ck_assert_int_ge(validity.n, 7);
    return n;
}

/* A run passes; any number that is changed makes it fail. */
START_TEST(validity_sees_what_is_wrong)
{
    struct folder folder;
    struct told *told = malloc(sizeof *told);
    struct fault fault = FAULT_NONE;
    struct subject subject;
    folder_open(&folder);
    const char *path = folder_file(&folder, "serving.h5"), *csv = folder_file(&folder, "requests.csv");
    run(told, csv);
    serving_result_write(path, &told->file, &fault);
    subject_open(folder.path, told->arena, &subject, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(failures(&subject, told->arena), 0);
    struct serving_run *serving = &subject.serving;
    struct served kept = serving->record[7];
    serving->record[7].finish_ps = kept.first_token_ps - 1;
    ck_assert_int_ge(failures(&subject, told->arena), 1);
    serving->record[7] = kept;
    serving->record[7].output_tokens++;
    ck_assert_int_ge(failures(&subject, told->arena), 1);
    serving->record[7] = kept;
    serving->summary.ttft_s.p90 *= 1.001;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    serving->summary.ttft_s.p90 /= 1.001;
    serving->summary.energy_fj += serving->summary.energy_fj / 1000;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    serving->told_energy_j = joules(serving->summary.energy_fj);
    ck_assert_int_eq(failures(&subject, told->arena), 0);
    serving->sample[3].output_tokens++;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    serving->sample[3].output_tokens--;
    serving->summary.instance[1].device_busy_ps[0] = serving->summary.end_ps + 1;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    serving->summary.instance[1].device_busy_ps[0] = 0;
    ck_assert_int_eq(failures(&subject, told->arena), 0);
    struct ledger *ledger = &serving->devices.device[0].ledger;
    ledger->entry[CLASS_GEMM].energy_fj[ENERGY_DRAM]++; /* a femtojoule */
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    ledger->entry[CLASS_GEMM].energy_fj[ENERGY_DRAM]--;
    serving->devices.host[1].energy_fj[ENERGY_STATIC]--;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    serving->devices.host[1].energy_fj[ENERGY_STATIC]++;
    ledger->wait_ps[CLASS_NORM]++;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    ledger->wait_ps[CLASS_NORM]--;
    ledger->entry[CLASS_NORM].flops = 1;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    ledger->entry[CLASS_NORM].flops = 0;
    serving->faults.fault[1].stop_ps++;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    serving->faults.fault[1].stop_ps--;
    serving->faults.fault[0].struck_ps = 2000001;
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    serving->faults.fault[0].struck_ps = 1000005;
    ck_assert_int_eq(failures(&subject, told->arena), 0);
    FILE *file = fopen(csv, "a");
    fputs("0,0,0,1,1,\n", file);
    fclose(file);
    ck_assert_int_eq(failures(&subject, told->arena), 1);
    arena_free(told->arena);
    folder_close(&folder);
    free(told);
}
END_TEST

START_TEST(tables_fit_and_tell)
{
    struct told *told = malloc(sizeof *told);
    char *text = NULL, expected[128];
    size_t size;
    run(told, NULL);
    FILE *out = open_memstream(&text, &size);
    serving_tables_print(&told->result.summary, &told->devices, &told->faults, told->arena, out);
    fclose(out);
    const struct serving_summary *sum = &told->result.summary;
    snprintf(expected, sizeof expected, "Served 200 requests, %llu prompt tokens, %llu generated tokens, in ",
             (unsigned long long)sum->prompt_tokens, (unsigned long long)sum->output_tokens);
    ck_assert_ptr_nonnull(strstr(text, expected));
    snprintf(expected, sizeof expected, "%.3f", 1e3 * sum->ttft_s.p99);
    ck_assert_ptr_nonnull(strstr(text, expected));
    ck_assert_ptr_nonnull(strstr(text, "goodput"));
    ck_assert_ptr_nonnull(strstr(text, "degrades to 25 %"));
    ck_assert_ptr_nonnull(strstr(text, "1 fault of the job came after the end of the run"));
    ck_assert_ptr_nonnull(strstr(text, "1: toy"));
    ck_assert_ptr_nonnull(strstr(text, "links to the host"));
    ck_assert_ptr_nonnull(strstr(text, "100.0"));
    for (const char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        ck_assert_int_le(end - line, TABLE_WIDTH_MOST);
        ck_assert(end == line || end[-1] != ' ');
    }
    free(text);
    arena_free(told->arena);
    free(told);
}
END_TEST

Suite *suite_serving_report(void)
{
    Suite *suite = suite_create("serving_report");
    TCase *tcase = tcase_create("report");
    tcase_add_test(tcase, rows_tell_every_request_exactly);
    tcase_add_test(tcase, rows_that_cannot_be_written_are_told);
    tcase_add_test(tcase, the_file_reads_back);
    tcase_add_test(tcase, tables_fit_and_tell);
    tcase_add_test(tcase, the_file_is_understood);
    tcase_add_test(tcase, validity_sees_what_is_wrong);
    suite_add_tcase(suite, tcase);
    return suite;
}
