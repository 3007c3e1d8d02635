/* results_print.c - the table of a study for people. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/table.h"
#include "study/axis.h"
#include "study/results.h"

enum {
    MAX_ROWS = 100, /* of more the file has the rest */
    MAX_TOLD = 14,  /* metrics */
    MESSAGE_WIDTH = 200
};

static int ends_with(const char *key, const char *end)
{
    size_t n = strlen(key), m = strlen(end);
    return n >= m && strcmp(key + n - m, end) == 0;
}

const char *results_axis_name(const struct study *study, int a)
{
    const char *key = study->axis[a].key, *name = key + strlen(key);
    for (int is_shared = 1; is_shared && name > key;) {
        name--;
        while (name > key && name[-1] != '.')
            name--;
        is_shared = 0;
        for (int b = 0; b < study->n_axes; b++)
            is_shared |= b != a && ends_with(study->axis[b].key, name);
    }
    return name;
}

static void add_columns(struct text_table *table, const struct study_results *results)
{
    int n;
    const struct metric *told = metrics(&n);
    const struct study *study = results->study;
    text_table_column(table, ALIGN_RIGHT, "point", NULL);
    if (results->n_objectives)
        text_table_column(table, ALIGN_LEFT, "front", NULL);
    for (int a = 0; a < study->n_axes; a++)
        text_table_column(table, results_axis_is_number(&study->axis[a]) ? ALIGN_RIGHT : ALIGN_LEFT,
                          results_axis_name(study, a), NULL);
    if (study->replicas > 1)
        text_table_column(table, ALIGN_RIGHT, "ok", NULL);
    for (int c = 0; c < results->n_metrics && c < MAX_TOLD; c++) {
        const struct metric *metric = &told[results->metric[c]];
        text_table_column(table, ALIGN_RIGHT, metric->name, strcmp(metric->unit, "1") ? metric->unit : NULL);
    }
}

const char *results_axis_shown(const struct study_axis *axis, const char *value)
{
    const char *slash = axis->kind == VALUE_FILE ? strrchr(value, '/') : NULL;
    return slash ? slash + 1 : value;
}

static void add_row(struct text_table *table, const struct study_results *results, const struct study_group *group)
{
    const struct study *study = results->study;
    const struct study_row *row = group->first;
    text_table_row(table);
    text_table_cell(table, "%" PRId64, row->point->number);
    if (results->n_objectives)
        text_table_cell(table, "%s", group->on_front ? "*" : "");
    for (int a = 0; a < study->n_axes; a++)
        text_table_cell(table, "%s", results_axis_shown(&study->axis[a], row->point->value[a]));
    if (study->replicas > 1)
        text_table_cell(table, "%" PRId64 "/%" PRId64, group->n_ok, study->replicas);
    for (int c = 0; c < results->n_metrics && c < MAX_TOLD; c++) {
        double value = group->mean[results->metric[c]], spread = group->deviation[results->metric[c]];
        if (group->n_ok == 0)
            text_table_cell(table, "%s", c == 0 && study->replicas == 1 ? row_state_name(row->state) : "-");
        else if (isnan(value))
            text_table_cell(table, "%s", "-");
        else if (study->replicas > 1 && !isnan(spread))
            text_table_cell(table, "%.5g +- %.2g", value, spread);
        else
            text_table_cell(table, "%.6g", value);
    }
}

/* The groups in a given order. */
static void print_groups(const struct study_results *results, const int64_t *order, int64_t n, FILE *out,
                         struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    add_columns(table, results);
    for (int64_t i = 0; i < n; i++)
        add_row(table, results, &results->group[order[i]]);
    text_table_print(table, out, TABLE_WIDTH);
}

struct ranked {
    double value;
    int64_t group;
};

static int compare(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    if (left->value != right->value)
        return left->value < right->value ? -1 : 1;
    return left->group < right->group ? -1 : left->group > right->group;
}

/* Best first in the first objective. */
static void print_front(const struct study_results *results, FILE *out, struct arena *arena)
{
    int n_metrics;
    const struct metric *told = metrics(&n_metrics);
    struct ranked *ranked = arena_array(arena, (size_t)results->n_groups, sizeof *ranked);
    int64_t *order = arena_array(arena, (size_t)results->n_groups, sizeof *order), n = 0;
    for (int64_t g = 0; g < results->n_groups; g++)
        if (results->group[g].on_front)
            ranked[n++] =
                (struct ranked){results->objective[0].sign * results->group[g].mean[results->objective[0].metric], g};
    qsort(ranked, (size_t)n, sizeof *ranked, compare);
    for (int64_t i = 0; i < n; i++)
        order[i] = ranked[i].group;
    fprintf(out, "\nPareto front of");
    for (int o = 0; o < results->n_objectives; o++)
        fprintf(out, "%s %s (%s)", o ? "," : "", told[results->objective[o].metric].name,
                results->objective[o].sign > 0 ? "less is better" : "more is better");
    fprintf(out, ": %" PRId64 " of %" PRId64 " points\n", n, results->n_groups);
    if (n > 0)
        print_groups(results, order, n < MAX_ROWS ? n : MAX_ROWS, out, arena);
}

static int went_alike(const struct study_row *a, const struct study_row *b)
{
    return a->state == b->state && a->exit_status == b->exit_status && strcmp(a->message, b->message) == 0;
}

/* Neighbours that failed alike are told once. */
static void print_failures(const struct study_results *results, FILE *out)
{
    int n = 0;
    for (int64_t i = 0, end; i < results->n; i = end) {
        const struct study_row *row = &results->row[i];
        for (end = i + 1; end < results->n && went_alike(row, &results->row[end]);)
            end++;
        if (row->state == ROW_OK || (row->state == ROW_MISSING && !*row->message))
            continue;
        if (n++ == 0)
            fputc('\n', out);
        if (n > MAX_ROWS)
            continue;
        fprintf(out, "  point%s %" PRId64, end > i + 1 ? "s" : "", row->point->number);
        if (end > i + 1)
            fprintf(out, " to %" PRId64, results->row[end - 1].point->number);
        fprintf(out, " %s, exit status %d: %.*s\n", row_state_name(row->state), row->exit_status, MESSAGE_WIDTH,
                row->message);
    }
    if (n > MAX_ROWS)
        fprintf(out, "  ... and %d more\n", n - MAX_ROWS);
}

void results_print(const struct study_results *results, FILE *out, struct arena *arena)
{
    const struct study *study = results->study;
    int64_t shown = results->n_groups < MAX_ROWS ? results->n_groups : MAX_ROWS;
    int64_t *order = arena_array(arena, (size_t)shown, sizeof *order);
    fprintf(out, "Study %s: %" PRId64 " points, %" PRId64 " ok", study->name, results->n, results->n_state[ROW_OK]);
    for (int s = ROW_FAILED; s >= ROW_MISSING; s--)
        if (results->n_state[s])
            fprintf(out, ", %" PRId64 " %s", results->n_state[s], row_state_name((enum row_state)s));
    fputs("\n\n", out);
    for (int64_t i = 0; i < shown; i++)
        order[i] = i;
    print_groups(results, order, shown, out, arena);
    if (shown < results->n_groups)
        fprintf(out, "  ... and %" PRId64 " more in study.csv\n", results->n_groups - shown);
    if (results->n_metrics > MAX_TOLD)
        fprintf(out, "  ... and %d more metrics in study.csv\n", results->n_metrics - MAX_TOLD);
    print_failures(results, out);
    if (results->n_objectives)
        print_front(results, out, arena);
}
