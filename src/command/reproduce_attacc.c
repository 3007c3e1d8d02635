/* reproduce_attacc.c - tables of AttAcc's public simulator against our equations. */
#include "command/reproduce_attacc.h"

#include <math.h>
#include <string.h>

#include "attacc/schedule.h"

enum { MAX_LINES = 160 };

static const double exact = 1e-6, priced = 0.01, cycles_each = 0.03, cycles_mean = 0.005;
enum { EXACT_FROM = 512 };

/* Errors of one column or kind of rows; `judged`: some row has to meet a tolerance. */
struct line {
    const char *name, *group;
    size_t rows, worst; /* worst: line of the file */
    double sum, most;
    int judged;
};

struct verdict {
    struct line lines[MAX_LINES];
    size_t n_lines, rows, failed;
    double sum, most; /* over what is judged, or over everything when nothing is */
    size_t n;
    size_t n_stated;
    double stated_sum, stated_most;
    size_t counted, wrong_counts; /* rows with counts of commands */
};

static double error_of(double got, double want)
{
    if (want == 0)
        return got == 0 ? 0 : INFINITY;
    return fabs(got / want - 1);
}

static struct line *line_of(struct verdict *verdict, const char *name, const char *group)
{
    for (size_t i = 0; i < verdict->n_lines; i++)
        if (strcmp(verdict->lines[i].name, name) == 0 && strcmp(verdict->lines[i].group, group) == 0)
            return &verdict->lines[i];
    if (verdict->n_lines == MAX_LINES)
        bug("more than %d lines", MAX_LINES);
    verdict->lines[verdict->n_lines] = (struct line){.name = name, .group = group};
    return &verdict->lines[verdict->n_lines++];
}

/* One error. `tolerance` < 0: stated only. Returns 1 when it is too large. */
static int judge(struct verdict *verdict, struct line *line, size_t at, double error, double tolerance)
{
    line->sum += error;
    line->judged |= tolerance >= 0;
    if (!line->rows++ || error > line->most) {
        line->most = error;
        line->worst = at;
    }
    if (tolerance < 0) {
        verdict->n_stated++;
        verdict->stated_sum += error;
        verdict->stated_most = fmax(verdict->stated_most, error);
        return 0;
    }
    verdict->n++;
    verdict->sum += error;
    verdict->most = fmax(verdict->most, error);
    return !(error <= tolerance);
}

static enum status finish(const struct verdict *verdict, FILE *out, struct fault *fault)
{
    fprintf(out, "%-20s  %-18s %6s  %12s  %12s  %s\n", "column", "rows of", "rows", "mean %", "max %", "worst in line");
    for (size_t i = 0; i < verdict->n_lines; i++) {
        const struct line *line = &verdict->lines[i];
        fprintf(out, "%-20s  %-18s %6zu  %12.4g  %12.4g  %zu%s\n", line->name, line->group, line->rows,
                100 * line->sum / (double)line->rows, 100 * line->most, line->worst, line->judged ? "" : "  stated");
    }
    if (verdict->n_stated)
        fprintf(out, "\nstated, not judged: %zu values, mean %.4g %%, max %.4g %%\n", verdict->n_stated,
                100 * verdict->stated_sum / (double)verdict->n_stated, 100 * verdict->stated_most);
    if (verdict->counted)
        fprintf(out, "\ncounts of commands: %zu of %zu rows exact\n", verdict->counted - verdict->wrong_counts,
                verdict->counted);
    int judged = verdict->n > 0;
    size_t n = judged ? verdict->n : verdict->n_stated;
    fprintf(out, "\nrows %zu, mean %.4g %%, max %.4g %%, failed %zu\n", verdict->rows,
            n ? 100 * (judged ? verdict->sum : verdict->stated_sum) / (double)n : 0.0,
            100 * (judged ? verdict->most : verdict->stated_most), verdict->failed);
    if (verdict->failed)
        return fault_set(fault, STATUS_INVALID, "%zu of %zu rows are outside of their tolerance", verdict->failed,
                         verdict->rows);
    return STATUS_OK;
}

/* 1e-6 without PIM; 1 % for time and energy with PIM on fresh cycles; the rest is stated. */
static double tolerance_of(const struct attacc_config *config, const char *source, const struct attacc_column *column)
{
    if (config->machine != ATTACC_DGX_PIM)
        return exact;
    if (strcmp(source, "fresh") != 0)
        return -1;
    int time = strcmp(column->name, "g_time (ms)") == 0, energy = strcmp(column->group, "energy") == 0;
    return time || energy ? priced : -1;
}

static enum status configurations(const struct table *table, struct verdict *verdict, struct fault *fault)
{
    size_t n;
    const struct attacc_column *columns = attacc_columns(&n);
    for (size_t row = 0; row < table->n_rows; row++) {
        struct attacc_config config;
        struct hbm_pim_profile pim;
        struct attacc_output output;
        enum status status = attacc_row_config(table, row, &config, &pim, fault);
        if (status != STATUS_OK)
            return status;
        attacc_run(&config, &output);
        int failed = 0;
        for (size_t i = 0; i < n; i++) {
            double want;
            status = attacc_cell(table, row, columns[i].name, &want, fault);
            if (status != STATUS_OK)
                return status;
            double error = error_of(attacc_column_value(&output, &columns[i]), want);
            double tolerance = tolerance_of(&config, table_cell(table, row, "ramulator_source"), &columns[i]);
            struct line *line = line_of(verdict, columns[i].name, attacc_machine_name(config.machine));
            failed |= judge(verdict, line, table->lines[row], error, tolerance);
        }
        verdict->failed += (size_t)failed;
        verdict->rows++;
    }
    return STATUS_OK;
}

/* The columns of commands, exact. */
static enum status check_counts(const struct table *table, size_t row, const struct attacc_counts *counts,
                                const char *softmax, int *failed, struct fault *fault)
{
    const struct {
        const char *column;
        int64_t value;
    } commands[] = {{"mac", counts->mac},
                    {"wrgb", counts->queries},
                    {"mvsb", counts->scores_and_results},
                    {"mvgb", counts->weights},
                    {softmax, counts->softmax}};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        double want;
        enum status status = attacc_cell(table, row, commands[i].column, &want, fault);
        if (status != STATUS_OK)
            return status;
        *failed |= want != (double)commands[i].value;
    }
    return STATUS_OK;
}

struct stack {
    struct hbm_pim_profile pim;
    int64_t heads, tokens, width;
    int bytes;
};

static enum status read_stack(const struct table *table, size_t row, int one_head, struct stack *stack,
                              struct fault *fault)
{
    double heads = 1, tokens, width, bytes;
    enum status status = attacc_row_stack(table, row, &stack->pim, fault);
    if (status == STATUS_OK && !one_head)
        status = attacc_cell(table, row, "nhead", &heads, fault);
    if (status == STATUS_OK)
        status = attacc_cell(table, row, "L", &tokens, fault);
    if (status == STATUS_OK)
        status = attacc_cell(table, row, "dhead", &width, fault);
    if (status == STATUS_OK)
        status = attacc_cell(table, row, "dbyte", &bytes, fault);
    if (status != STATUS_OK)
        return status;
    if (!(heads >= 1 && heads <= 1e6 && tokens >= 1 && tokens <= 1e7 && width >= 1 && width <= 1e5) ||
        (bytes != 1 && bytes != 2))
        return fault_set(fault, STATUS_USAGE, "%s:%zu: expected heads, tokens and width from 1 on and 1 or 2 bytes",
                         table->path, table->lines[row]);
    stack->heads = (int64_t)heads;
    stack->tokens = (int64_t)tokens;
    stack->width = (int64_t)width;
    stack->bytes = (int)bytes;
    return STATUS_OK;
}

static enum status check_cycles(const struct table *table, size_t row, const char *column, int64_t cycles,
                                double tolerance, struct verdict *verdict, int *failed, struct fault *fault)
{
    double want;
    const char *group = table_cell(table, row, strcmp(column, "cycle") == 0 ? "pim_type" : "pim");
    enum status status = attacc_cell(table, row, column, &want, fault);
    if (status != STATUS_OK)
        return status;
    *failed |=
        judge(verdict, line_of(verdict, column, group), table->lines[row], error_of((double)cycles, want), tolerance);
    return STATUS_OK;
}

static enum status one_head_row(const struct table *table, size_t row, const struct stack *stack,
                                struct verdict *verdict, int *failed, struct fault *fault)
{
    const struct hbm_pim_profile *pim = &stack->pim;
    int at_banks = pim->placement == HBM_PIM_BANK && stack->tokens >= EXACT_FROM;
    enum status status = check_cycles(table, row, "cycles_attention",
                                      attacc_stack_cycles(pim, 1, stack->tokens, stack->width, stack->bytes),
                                      at_banks ? 0 : cycles_each, verdict, failed, fault);
    if (status == STATUS_OK)
        status = check_cycles(table, row, "cycles_score_only",
                              attacc_score_cycles(pim, stack->tokens, stack->width, stack->bytes), cycles_each, verdict,
                              failed, fault);
    if (status == STATUS_OK)
        status = check_cycles(table, row, "cycles_context_only",
                              attacc_context_cycles(pim, stack->tokens, stack->width, stack->bytes), cycles_each,
                              verdict, failed, fault);
    return status;
}

static enum status stacks(const struct table *table, int one_head, struct verdict *verdict, struct fault *fault)
{
    for (size_t row = 0; row < table->n_rows; row++) {
        struct stack stack;
        int failed = 0, wrong = 0;
        enum status status = read_stack(table, row, one_head, &stack, fault);
        if (status != STATUS_OK)
            return status;
        struct attacc_counts counts =
            attacc_stack_counts(&stack.pim, stack.heads, stack.tokens, stack.width, stack.bytes);
        status = check_counts(table, row, &counts, one_head ? "sfm" : "softmax", &wrong, fault);
        if (status == STATUS_OK && one_head)
            status = one_head_row(table, row, &stack, verdict, &failed, fault);
        else if (status == STATUS_OK)
            status = check_cycles(table, row, "cycle",
                                  attacc_stack_cycles(&stack.pim, stack.heads, stack.tokens, stack.width, stack.bytes),
                                  cycles_each, verdict, &failed, fault);
        if (status != STATUS_OK)
            return status;
        verdict->counted++;
        verdict->wrong_counts += (size_t)wrong;
        verdict->failed += (size_t)(failed | wrong);
        verdict->rows++;
    }
    verdict->failed += verdict->n && verdict->sum / (double)verdict->n > cycles_mean;
    return STATUS_OK;
}

enum status attacc_table(const struct table *table, FILE *out, struct fault *fault)
{
    struct verdict verdict = {0};
    enum status status;
    int one_head = attacc_is_one_head(table);
    if (attacc_is_configurations(table))
        status = configurations(table, &verdict, fault);
    else if (one_head || attacc_is_stacks(table))
        status = stacks(table, one_head, &verdict, fault);
    else
        return fault_set(
            fault, STATUS_USAGE,
            "%s: expected a table of the AttAcc simulator: configurations with their 51 columns, cycles of "
            "one head, or cycles of stacks (docs/attacc.md)",
            table->path);
    return status == STATUS_OK ? finish(&verdict, out, fault) : status;
}
