/* cost_systolic_rows.c - tables of SCALE-Sim runs: every row priced anew and compared. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "command/cost_systolic.h"
#include "device/systolic_replay.h"

static const char *const header[] = {"id",
                                     "suite",
                                     "name",
                                     "M",
                                     "N",
                                     "K",
                                     "rows",
                                     "cols",
                                     "dataflow",
                                     "mode",
                                     "ifmap_kb",
                                     "filter_kb",
                                     "ofmap_kb",
                                     "ifmap_bw",
                                     "filter_bw",
                                     "ofmap_bw",
                                     "overall_cycles",
                                     "total_cycles",
                                     "stall_cycles",
                                     "overall_util_pct",
                                     "mapping_eff_pct",
                                     "compute_util_pct",
                                     "avg_ifmap_sram_bw",
                                     "avg_filter_sram_bw",
                                     "avg_ofmap_sram_bw",
                                     "avg_ifmap_dram_bw",
                                     "avg_filter_dram_bw",
                                     "avg_ofmap_dram_bw",
                                     "ifmap_sram_start",
                                     "ifmap_sram_stop",
                                     "ifmap_sram_reads",
                                     "filter_sram_start",
                                     "filter_sram_stop",
                                     "filter_sram_reads",
                                     "ofmap_sram_start",
                                     "ofmap_sram_stop",
                                     "ofmap_sram_writes",
                                     "ifmap_dram_start",
                                     "ifmap_dram_stop",
                                     "ifmap_dram_reads",
                                     "filter_dram_start",
                                     "filter_dram_stop",
                                     "filter_dram_reads",
                                     "ofmap_dram_start",
                                     "ofmap_dram_stop",
                                     "ofmap_dram_writes",
                                     "demand_lines",
                                     "compute_cycles",
                                     "seconds",
                                     NULL};

/* COMPUTE: the array alone; CALC: reads never stall; USER: all buffers limited. */
enum mode { MODE_COMPUTE, MODE_CALC, MODE_USER, N_MODES };
static const char *const mode_names[N_MODES] = {"COMPUTE", "CALC", "USER"};

/* What is compared, and in which modes at least. The stall cycles may be negative in principle; all else may not. */
#define QUANTITIES(X)                                                                                                  \
    X(compute_cycles, MODE_COMPUTE)                                                                                    \
    X(demand_lines, MODE_COMPUTE)                                                                                      \
    X(ifmap_sram_reads, MODE_COMPUTE)                                                                                  \
    X(filter_sram_reads, MODE_COMPUTE)                                                                                 \
    X(ofmap_sram_writes, MODE_COMPUTE)                                                                                 \
    X(total_cycles, MODE_COMPUTE)                                                                                      \
    X(stall_cycles, MODE_COMPUTE)                                                                                      \
    X(ifmap_dram_reads, MODE_CALC)                                                                                     \
    X(filter_dram_reads, MODE_CALC)                                                                                    \
    X(ofmap_dram_writes, MODE_CALC)                                                                                    \
    X(overall_cycles, MODE_USER)

enum quantity {
#define X(name, mode) QUANTITY_##name,
    QUANTITIES(X)
#undef X
        N_QUANTITIES
};

static const char *const quantity_names[N_QUANTITIES] = {
#define X(name, mode) #name,
    QUANTITIES(X)
#undef X
};

static const enum mode quantity_modes[N_QUANTITIES] = {
#define X(name, mode) mode,
    QUANTITIES(X)
#undef X
};

struct run {
    const char *suite;
    enum mode mode;
    double value[N_QUANTITIES];
    double error; /* largest relative one of the compared quantities */
    int equal;
    double ideal_cycles[2]; /* of the memory mode ideal, USER only: memory shared; ports of their own */
    double wall_s, simulated_s;
};

int systolic_table_matches(const struct table *table)
{
    return table_has_header(table, header);
}

static enum status whole(const struct table *table, size_t row, const char *column, uint64_t most, uint64_t *value,
                         struct fault *fault)
{
    double number;
    enum status status = table_number(table, row, column, &number, fault);
    if (status != STATUS_OK)
        return status;
    if (!(number >= 1 && number <= (double)most) || number != floor(number))
        return fault_set(fault, STATUS_USAGE, "%s:%zu: %s: expected a whole number from 1 to %" PRIu64 ", found '%s'",
                         table->path, table->lines[row], column, most, table_cell(table, row, column));
    *value = (uint64_t)number;
    return STATUS_OK;
}

static enum status word(const struct table *table, size_t row, const char *column, const char *const *words, int n,
                        int *index, struct fault *fault)
{
    const char *text = table_cell(table, row, column);
    for (*index = 0; *index < n; ++*index)
        if (strcmp(text, words[*index]) == 0)
            return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "%s:%zu: %s: '%s' is not known", table->path, table->lines[row], column,
                     text);
}

static enum status read_row(const struct table *table, size_t row, struct systolic_product *product,
                            struct systolic_buffers *buffers, struct run *run, struct fault *fault)
{
    static const char *const dataflows[N_SYSTOLIC_DATAFLOWS] = {
#define X(dataflow, name) name,
        SYSTOLIC_DATAFLOWS(X)
#undef X
    };
    struct {
        const char *column;
        uint64_t most, *value;
    } fields[] = {
        {"M", 1000000, &product->m},
        {"N", 1000000, &product->n},
        {"K", 1000000, &product->k},
        {"rows", 4096, &product->rows},
        {"cols", 4096, &product->cols},
        {"ifmap_kb", 1000000, &buffers->ifmap_words},
        {"filter_kb", 1000000, &buffers->filter_words},
        {"ofmap_kb", 1000000, &buffers->ofmap_words},
        {"ifmap_bw", 1000000, &buffers->ifmap_rate},
        {"filter_bw", 1000000, &buffers->filter_rate},
        {"ofmap_bw", 1000000, &buffers->ofmap_rate},
    };
    int dataflow = 0, mode = 0;
    enum status status = word(table, row, "dataflow", dataflows, N_SYSTOLIC_DATAFLOWS, &dataflow, fault);
    if (status == STATUS_OK)
        status = word(table, row, "mode", mode_names, N_MODES, &mode, fault);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && status == STATUS_OK; i++)
        status = whole(table, row, fields[i].column, fields[i].most, fields[i].value, fault);
    if (status == STATUS_OK)
        status = table_number(table, row, "seconds", &run->simulated_s, fault);
    buffers->ifmap_words *= 1024;
    buffers->filter_words *= 1024;
    buffers->ofmap_words *= 1024;
    buffers->unlimited_reads = mode == MODE_CALC;
    product->dataflow = (enum systolic_dataflow)dataflow;
    run->mode = (enum mode)mode;
    run->suite = table_cell(table, row, "suite");
    return status;
}

static void predict(const struct systolic_product *product, const struct systolic_buffers *buffers, struct run *run)
{
    struct systolic_counts counts;
    struct systolic_replay replay = {0};
    systolic_count(product, &counts);
    uint64_t folds = counts.row_folds * counts.col_folds;
    /* SCALE-Sim counts a row and a column too many for each fold of output stationary. */
    uint64_t extra = product->dataflow == SYSTOLIC_OS ? folds * (product->rows + product->cols) : 0;
    replay.total_cycles = counts.line_cycles - 1;
    if (run->mode != MODE_COMPUTE)
        systolic_replay(product, buffers, &replay);
    run->value[QUANTITY_compute_cycles] = (double)(counts.line_cycles - 1);
    run->value[QUANTITY_demand_lines] = (double)counts.line_cycles;
    run->value[QUANTITY_ifmap_sram_reads] = (double)counts.ifmap_reads;
    run->value[QUANTITY_filter_sram_reads] = (double)counts.filter_reads;
    run->value[QUANTITY_ofmap_sram_writes] = (double)(counts.ofmap_writes + extra);
    run->value[QUANTITY_total_cycles] = (double)replay.total_cycles;
    run->value[QUANTITY_stall_cycles] = (double)replay.stall_cycles;
    run->value[QUANTITY_overall_cycles] = (double)replay.overall_cycles;
    run->value[QUANTITY_ifmap_dram_reads] = (double)replay.ifmap_dram_words;
    run->value[QUANTITY_filter_dram_reads] = (double)replay.filter_dram_words;
    run->value[QUANTITY_ofmap_dram_writes] = (double)replay.ofmap_dram_words;
}

/* The same machine in mode ideal, with a memory as fast as the three ports together: words of a byte, a cycle of a
 * picosecond. */
static double ideal_cycles(const struct systolic_product *product, const struct systolic_buffers *buffers,
                           int own_ports)
{
    struct systolic array = {.dataflow = product->dataflow, .memory = SYSTOLIC_IDEAL, .own_ports = own_ports};
    array.profile = (struct systolic_profile){
        .arrays = 1,
        .rows = product->rows,
        .cols = product->cols,
        .clock_hz = 1e12,
        .ifmap_kib = buffers->ifmap_words / 1024,
        .filter_kib = buffers->filter_words / 1024,
        .ofmap_kib = buffers->ofmap_words / 1024,
        .dram_bytes_per_s = 1e12 * (double)(buffers->ifmap_rate + buffers->filter_rate + buffers->ofmap_rate),
        .int8_fj_per_mac = 1,
        .sram_bank_bytes = 1,
    };
    struct systolic_gemm gemm = {.batch = 1,
                                 .m = product->m,
                                 .n = product->n,
                                 .k = product->k,
                                 .math = SYSTOLIC_INT8,
                                 .operand_bytes = 1,
                                 .result_bytes = 1};
    struct cost cost;
    systolic_gemm_cost(&array, &gemm, &cost);
    return (double)cost.time_ps;
}

static enum status compare(const struct table *table, size_t row, struct run *run, struct fault *fault)
{
    run->equal = 1;
    run->error = 0;
    for (int q = 0; q < N_QUANTITIES; q++) {
        double told;
        if (run->mode < quantity_modes[q])
            continue;
        enum status status = table_number(table, row, quantity_names[q], &told, fault);
        if (status != STATUS_OK)
            return status;
        if (told != run->value[q])
            run->equal = 0;
        run->error = fmax(run->error, fabs(run->value[q] - told) / fmax(told, 1));
    }
    return STATUS_OK;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static enum status price_row(const struct table *table, size_t row, struct run *run, struct fault *fault)
{
    struct systolic_product product = {0};
    struct systolic_buffers buffers = {0};
    enum status status = read_row(table, row, &product, &buffers, run, fault);
    if (status != STATUS_OK)
        return status;
    double start_s = now_s();
    predict(&product, &buffers, run);
    run->wall_s = now_s() - start_s;
    for (int ports = 0; ports < 2 && run->mode == MODE_USER; ports++)
        run->ideal_cycles[ports] = ideal_cycles(&product, &buffers, ports);
    return compare(table, row, run, fault);
}

static void write_runs(const struct table *table, const struct run *runs, FILE *out)
{
    fprintf(out, "line,mode");
    for (int q = 0; q < N_QUANTITIES; q++)
        fprintf(out, ",%s", quantity_names[q]);
    fprintf(out, ",equal\n");
    for (size_t r = 0; r < table->n_rows; r++) {
        fprintf(out, "%zu,%s", table->lines[r], mode_names[runs[r].mode]);
        for (int q = 0; q < N_QUANTITIES; q++)
            if (runs[r].mode < quantity_modes[q])
                fprintf(out, ",");
            else
                fprintf(out, ",%.0f", runs[r].value[q]);
        fprintf(out, ",%d\n", runs[r].equal);
    }
}

/* The first row of each suite stands for it. */
static int is_first_of_suite(const struct run *runs, size_t row)
{
    for (size_t r = 0; r < row; r++)
        if (strcmp(runs[r].suite, runs[row].suite) == 0)
            return 0;
    return 1;
}

struct tally {
    size_t rows, equal;
    double most_error, wall_s, simulated_s;
};

static struct tally tally_of(const struct run *runs, size_t n, enum mode mode, const char *suite)
{
    struct tally tally = {0};
    for (size_t r = 0; r < n; r++) {
        if (runs[r].mode != mode || (suite && strcmp(runs[r].suite, suite) != 0))
            continue;
        tally.rows++;
        tally.equal += (size_t)runs[r].equal;
        tally.most_error = fmax(tally.most_error, runs[r].error);
        tally.wall_s += runs[r].wall_s;
        tally.simulated_s += runs[r].simulated_s;
    }
    return tally;
}

static void print_times(const struct run *runs, size_t n, FILE *times)
{
    fprintf(times, "%-8s  %6s  %14s  %14s  %8s\n", "mode", "rows", "simulator us", "here us", "ratio");
    for (int m = 0; m < N_MODES; m++) {
        struct tally t = tally_of(runs, n, (enum mode)m, NULL);
        if (t.rows > 0)
            fprintf(times, "%-8s  %6zu  %14.1f  %14.1f  %8.0f\n", mode_names[m], t.rows,
                    1e6 * t.simulated_s / (double)t.rows, 1e6 * t.wall_s / (double)t.rows, t.simulated_s / t.wall_s);
    }
}

/* How far mode ideal is from the simulator, in the rows that do and that do not stall there. Nothing fails by it. */
static void print_ideal(const struct run *runs, size_t n, int own_ports, int stalled, FILE *out)
{
    size_t rows = 0, near = 0, far = 0;
    double sum = 0, bias = 0;
    for (size_t r = 0; r < n; r++) {
        if (runs[r].mode != MODE_USER || (runs[r].value[QUANTITY_stall_cycles] > 0) != stalled)
            continue;
        double error = runs[r].ideal_cycles[own_ports] / runs[r].value[QUANTITY_overall_cycles] - 1;
        rows++;
        sum += fabs(error);
        bias += error;
        near += fabs(error) <= 0.05;
        far += fabs(error) > 0.20;
    }
    if (rows > 0)
        fprintf(out,
                "ideal, %-13s, %-14s: %5zu rows, mean %5.1f %%, bias %+6.1f %%, within 5 %%: %zu, beyond 20 %%: %zu\n",
                own_ports ? "own ports" : "shared memory", stalled ? "with stalls" : "without stalls", rows,
                100 * sum / (double)rows, 100 * bias / (double)rows, near, far);
}

static size_t print_summary(const struct run *runs, size_t n, FILE *out)
{
    size_t failed = 0;
    double sum = 0, most = 0;
    fprintf(out, "%-8s  %-12s  %6s  %6s  %8s\n", "mode", "suite", "rows", "equal", "max %");
    for (int m = 0; m < N_MODES; m++)
        for (size_t r = 0; r < n; r++) {
            if (!is_first_of_suite(runs, r))
                continue;
            struct tally t = tally_of(runs, n, (enum mode)m, runs[r].suite);
            if (t.rows > 0)
                fprintf(out, "%-8s  %-12s  %6zu  %6zu  %8.2f\n", mode_names[m], runs[r].suite, t.rows, t.equal,
                        100 * t.most_error);
        }
    for (size_t r = 0; r < n; r++) {
        failed += !runs[r].equal;
        sum += runs[r].error;
        most = fmax(most, runs[r].error);
    }
    fprintf(out, "\n");
    for (int i = 0; i < 4; i++)
        print_ideal(runs, n, i / 2, i % 2, out);
    fprintf(out, "\nrows %zu, mean %.2f %%, max %.1f %%, failed %zu\n", n, n ? 100 * sum / (double)n : 0, 100 * most,
            failed);
    return failed;
}

enum status systolic_table_price(const struct table *table, int summary, FILE *out, FILE *times, struct arena *arena,
                                 struct fault *fault)
{
    size_t n = table->n_rows;
    struct run *runs = arena_array(arena, n + 1, sizeof *runs);
    enum status status = STATUS_OK;
    for (size_t r = 0; r < n && status == STATUS_OK; r++)
        status = price_row(table, r, &runs[r], fault);
    if (status != STATUS_OK)
        return status;
    if (times)
        print_times(runs, n, times);
    if (!summary) {
        write_runs(table, runs, out);
        return STATUS_OK;
    }
    size_t failed = print_summary(runs, n, out);
    if (failed > 0)
        return fault_set(fault, STATUS_INVALID, "%s: %zu of %zu rows are not equal", table->path, failed, n);
    return STATUS_OK;
}
