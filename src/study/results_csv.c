/* results_csv.c - the table of a study as CSV: numbers with all their digits, units in the header. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/output.h"
#include "study/axis.h"
#include "study/csv.h"
#include "study/results.h"

void csv_put_number(FILE *out, double value)
{
    char text[64] = "";
    for (int digits = 15; digits <= 17 && !isnan(value); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fprintf(out, ",%s", text);
}

void csv_put_text(FILE *out, const char *text)
{
    fputc(',', out);
    if (!strpbrk(text, ",\"\r\n")) {
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

void csv_put_axis_names(FILE *out, const struct study *study, int n, struct arena *arena)
{
    for (int a = 0; a < n; a++) {
        const char *unit = axis_unit(&study->axis[a], arena);
        csv_put_text(out, *unit ? arena_printf(arena, "%s [%s]", study->axis[a].key, unit) : study->axis[a].key);
    }
}

void csv_put_axes(FILE *out, const struct study *study, int n, const struct study_point *point)
{
    for (int a = 0; a < n; a++)
        if (results_axis_is_number(&study->axis[a]))
            csv_put_number(out, point->x[a]);
        else
            csv_put_text(out, point->value[a]);
}

static void put_rows(const struct study_results *results, FILE *out, struct arena *arena)
{
    const struct study *study = results->study;
    int n;
    const struct metric *table = metrics(&n);
    fputs("point,state,exit_status", out);
    csv_put_axis_names(out, study, study->n_axes, arena);
    fputs(",seed", out);
    for (int c = 0; c < results->n_metrics; c++)
        csv_put_text(out, table[results->metric[c]].name);
    fputs(results->n_objectives ? ",pareto,message\n" : ",message\n", out);
    for (int64_t i = 0; i < results->n; i++) {
        const struct study_row *row = &results->row[i];
        fprintf(out, "%" PRId64 ",%s,%d", row->point->number, row_state_name(row->state), row->exit_status);
        csv_put_axes(out, study, study->n_axes, row->point);
        fprintf(out, ",%" PRIu64, row->point->seed);
        for (int c = 0; c < results->n_metrics; c++)
            csv_put_number(out, row->metric[results->metric[c]]);
        if (results->n_objectives)
            fprintf(out, ",%d", results->group[row->point->group].on_front);
        csv_put_text(out, row->message);
        fputc('\n', out);
    }
}

static void put_means(const struct study_results *results, FILE *out, struct arena *arena)
{
    static const char *const statistics[] = {"mean", "deviation", "min", "max"};
    const struct study *study = results->study;
    int n;
    const struct metric *table = metrics(&n);
    fputs("first_point,n_ok", out);
    csv_put_axis_names(out, study, study->n_axes, arena);
    for (int c = 0; c < results->n_metrics; c++)
        for (int s = 0; s < 4; s++)
            fprintf(out, ",%s_%s", table[results->metric[c]].name, statistics[s]);
    fputs(results->n_objectives ? ",pareto\n" : "\n", out);
    for (int64_t g = 0; g < results->n_groups; g++) {
        const struct study_group *group = &results->group[g];
        const double *const column[] = {group->mean, group->deviation, group->min, group->max};
        fprintf(out, "%" PRId64 ",%" PRId64, group->first->point->number, group->n_ok);
        csv_put_axes(out, study, study->n_axes, group->first->point);
        for (int c = 0; c < results->n_metrics; c++)
            for (int s = 0; s < 4; s++)
                csv_put_number(out, column[s][results->metric[c]]);
        if (results->n_objectives)
            fprintf(out, ",%d", group->on_front);
        fputc('\n', out);
    }
}

static enum status write(const struct study_results *results, const char *path,
                         void (*put)(const struct study_results *, FILE *, struct arena *), struct arena *arena,
                         struct fault *fault)
{
    struct output output;
    if (output_open(&output, path, fault) == STATUS_OK) {
        put(results, output.file, arena);
        output_finish(&output, fault);
    }
    output_close(&output);
    return fault->status;
}

enum status results_write_csv(const struct study_results *results, const char *folder, struct arena *arena,
                              struct fault *fault)
{
    enum status status = write(results, arena_printf(arena, "%s/study.csv", folder), put_rows, arena, fault);
    if (status == STATUS_OK && results->study->replicas > 1)
        status = write(results, arena_printf(arena, "%s/means.csv", folder), put_means, arena, fault);
    return status;
}
