#include "command/cost_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum status cost_table_price(struct cost_table *priced, const struct table *table, struct arena *arena,
                             struct fault *fault)
{
    priced->table = *table;
    enum status status = cost_layout(table, &priced->layout, fault);
    if (status != STATUS_OK)
        return status;
    priced->rows = arena_array(arena, priced->table.n_rows + 1, sizeof *priced->rows);
    for (size_t i = 0; status == STATUS_OK && i < priced->table.n_rows; i++)
        status = cost_row_price(&priced->table, priced->layout, i, &priced->rows[i], arena, fault);
    return status;
}

static double error_of(const struct cost_row *row)
{
    return row->predicted / row->measured - 1.0;
}

static void write_field(const char *text, FILE *out)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

void cost_table_write(const struct cost_table *priced, FILE *out)
{
    const struct table *table = &priced->table;
    for (size_t i = 0; i < table->n_columns; i++) {
        write_field(table->header[i], out);
        fputc(',', out);
    }
    fputs("device,class,predicted,predicted_unit,error\n", out);
    for (size_t r = 0; r < table->n_rows; r++) {
        const struct cost_row *row = &priced->rows[r];
        for (size_t i = 0; i < table->n_columns; i++) {
            write_field(table->cells[r * table->n_columns + i], out);
            fputc(',', out);
        }
        if (row->verdict == ROW_PRICED) {
            fprintf(out, "%s,", row->device);
            write_field(row->class, out);
            fprintf(out, ",%.6g,%s,%.4f\n", row->predicted, row->unit, error_of(row));
        } else {
            fputs(row->verdict == ROW_FAILED ? ",failed: " : ",outside: ", out);
            for (const char *c = row->reason; *c; c++)
                fputc(*c == ',' || *c == '"' ? ';' : *c, out);
            fputs(",,,\n", out);
        }
    }
}

/* Rows with the same key, in order of appearance. */
struct group {
    const struct cost_row *first;
    size_t n;
    double *errors;
    double bias;
};

static int same_group(const struct cost_row *a, const struct cost_row *b)
{
    if (a->verdict != b->verdict)
        return 0;
    if (a->verdict != ROW_PRICED)
        return strcmp(a->reason, b->reason) == 0;
    return strcmp(a->device, b->device) == 0 && strcmp(a->class, b->class) == 0 && a->condition == b->condition;
}

static size_t make_groups(const struct cost_table *priced, struct group **groups, struct arena *arena)
{
    size_t n_rows = priced->table.n_rows, n = 0;
    *groups = arena_array(arena, n_rows + 1, sizeof **groups);
    size_t *group_of = arena_array(arena, n_rows + 1, sizeof *group_of);
    for (size_t r = 0; r < n_rows; r++) {
        size_t g = 0;
        while (g < n && !same_group((*groups)[g].first, &priced->rows[r]))
            g++;
        if (g == n)
            (*groups)[n++].first = &priced->rows[r];
        (*groups)[g].n++;
        group_of[r] = g;
    }
    for (size_t g = 0; g < n; g++) {
        (*groups)[g].errors = arena_array(arena, (*groups)[g].n, sizeof(double));
        (*groups)[g].n = 0;
    }
    for (size_t r = 0; r < n_rows; r++) {
        struct group *group = &(*groups)[group_of[r]];
        double error = priced->rows[r].verdict == ROW_PRICED ? error_of(&priced->rows[r]) : 0.0;
        group->errors[group->n++] = fabs(error);
        group->bias += error;
    }
    return n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->first->verdict != ROW_PRICED || y->first->verdict != ROW_PRICED)
        return (x->first->verdict > y->first->verdict) - (x->first->verdict < y->first->verdict);
    int order = strcmp(x->first->device, y->first->device);
    if (order == 0)
        order = strcmp(x->first->class, y->first->class);
    return order ? order : (int)x->first->condition - (int)y->first->condition;
}

static double mean(const double *values, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

static void print_group(struct group *group, FILE *out)
{
    qsort(group->errors, group->n, sizeof(double), by_value);
    fprintf(out, "%-10s  %-32s %6zu  %6.1f  %6.1f  %6.1f  %6.1f  %+6.1f\n", group->first->device, group->first->class,
            group->n, 100.0 * mean(group->errors, group->n), 100.0 * group->errors[(group->n - 1) / 2],
            100.0 * group->errors[(group->n - 1) * 9 / 10], 100.0 * group->errors[group->n - 1],
            100.0 * group->bias / (double)group->n);
}

static void print_conditions(const struct cost_table *priced, FILE *out)
{
    int used[N_CONDITIONS] = {0}, any = 0;
    for (size_t r = 0; r < priced->table.n_rows; r++)
        if (priced->rows[r].verdict == ROW_PRICED)
            used[priced->rows[r].condition]++;
    for (int i = CONDITION_PLAIN + 1; i < N_CONDITIONS; i++) {
        if (!used[i])
            continue;
        const struct condition *how = condition_of((enum condition_id)i);
        fprintf(out, "%s%6d rows: %s", any++ ? "" : "\nconditions of the measurements:\n", used[i], how->text);
        if (how->extra_us > 0)
            fprintf(out, ", %+g us", how->extra_us);
        if (how->cast_ps > 0)
            fprintf(out, ", %g ps per element of A", how->cast_ps);
        if (how->attention_share > 0)
            fprintf(out, ", %g of the peak rate", how->attention_share);
        if (how->slow_network > 0)
            fprintf(out, ", %g of the network's bandwidth", how->slow_network);
        fprintf(out, " (%s)\n", how->evidence);
    }
}

static void print_others(const struct group *groups, size_t n, enum verdict verdict, const char *title, FILE *out)
{
    int any = 0;
    for (size_t g = 0; g < n; g++)
        if (groups[g].first->verdict == verdict)
            fprintf(out, "%s%6zu rows: %s\n", any++ ? "" : title, groups[g].n, groups[g].first->reason);
}

void cost_table_summary(const struct cost_table *priced, struct arena *arena, FILE *out)
{
    struct group *groups;
    size_t n = make_groups(priced, &groups, arena), n_priced = 0, n_failed = 0;
    double sum = 0.0, most = 0.0;
    qsort(groups, n, sizeof *groups, by_name);
    fprintf(out, "%-10s  %-32s %6s  %6s  %6s  %6s  %6s  %6s\n", "device", "class", "rows", "mean %", "median", "p90",
            "max", "bias");
    for (size_t g = 0; g < n; g++)
        if (groups[g].first->verdict == ROW_PRICED)
            print_group(&groups[g], out);
    for (size_t r = 0; r < priced->table.n_rows; r++) {
        n_failed += priced->rows[r].verdict == ROW_FAILED;
        if (priced->rows[r].verdict != ROW_PRICED)
            continue;
        double error = fabs(error_of(&priced->rows[r]));
        n_priced++;
        sum += error;
        most = fmax(most, error);
    }
    print_conditions(priced, out);
    print_others(groups, n, ROW_OUTSIDE, "\nnot covered:\n", out);
    print_others(groups, n, ROW_FAILED, "\nfailed:\n", out);
    fprintf(out, "\nrows %zu, mean %.2f %%, max %.1f %%, failed %zu\n", n_priced,
            n_priced ? 100.0 * sum / (double)n_priced : 0.0, 100.0 * most, n_failed);
}
