#include "study/series.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "report/output.h"
#include "report/result_columns.h"
#include "report/table.h"
#include "study/csv.h"

static int is_weak(const struct study *study)
{
    return strcmp(study->kind, "weak-scaling") == 0;
}

const char *series_stem(const struct study *study)
{
    return study_is_over_ranks(study) ? "wall" : "scaling";
}

struct study_series series_of(const struct study_results *results, int64_t i, struct arena *arena)
{
    int n, time_metric;
    const struct study *study = results->study;
    struct fault fault = FAULT_NONE;
    metrics(&n);
    if (metric_find("virtual_time_s", METRIC_TRAIN | METRIC_SERVE, arena, &time_metric, &fault))
        bug("%s", fault.text);
    n = (int)(results->n / results->points->n_series);
    struct study_series series = {.n = n, .row = &results->row[i * n]};
    series.count = arena_array(arena, (size_t)n, sizeof *series.count);
    series.time_s = arena_array(arena, (size_t)n, sizeof *series.time_s);
    series.place = arena_array(arena, (size_t)n, sizeof *series.place);
    for (int k = 0; k < n; k++) {
        const struct study_row *row = &series.row[k];
        series.count[k] = row->point->x[study->n_axes - 1];
        series.time_s[k] = study_is_over_ranks(study) ? row->wall_s : row->metric[time_metric];
    }
    scaling_analyse(n, series.count, series.time_s, is_weak(study), series.place, &series.fit);
    return series;
}

const char *series_title(const struct study_results *results, const struct study_series *series, struct arena *arena)
{
    const char *title = "";
    for (int a = 0; a < results->study->n_axes - 1; a++)
        if (results->study->axis[a].group != AXIS_ALONG)
            title = arena_printf(arena, "%s%s%s %s", title, *title ? ", " : "", results_axis_name(results->study, a),
                                 results_axis_shown(&results->study->axis[a], series->row->point->value[a]));
    return title;
}

/* ---- for people ---- */

static void cell(struct text_table *table, const char *format, double value)
{
    if (isnan(value)) {
        text_table_cell(table, "%s", "-");
        return;
    }
    char text[64];
    snprintf(text, sizeof text, format[0] == '4' ? "%.4f" : format[0] == '2' ? "%.2f" : "%.5g", value);
    text_table_cell(table, "%s", text);
}

static void print_fit(const struct study_series *series, int weak, FILE *out)
{
    const struct scaling_fit *fit = &series->fit;
    if (isnan(fit->serial_fraction)) {
        fputs("  too few runs for a fit\n", out);
        return;
    }
    if (weak)
        fprintf(out, "  Gustafson: serial fraction %.4f", fit->serial_fraction);
    else if (isinf(fit->limit))
        fprintf(out, "  Amdahl: serial fraction %.4f, no limit", fit->serial_fraction);
    else if (fit->limit <= 1)
        fprintf(out, "  Amdahl: serial fraction %.4f, no speed-up", fit->serial_fraction);
    else
        fprintf(out, "  Amdahl: serial fraction %.4f, speed-up at most %.4g", fit->serial_fraction, fit->limit);
    fprintf(out, "; the law misses a time by at most %.1f %%\n", 100 * fit->worst);
}

static void print_series(const struct study_results *results, const struct study_series *series, FILE *out,
                         struct arena *arena)
{
    const struct study *study = results->study;
    struct text_table *table = text_table_new(arena);
    int over_ranks = study_is_over_ranks(study), weak = is_weak(study);
    const char *title = series_title(results, series, arena);
    text_table_column(table, ALIGN_RIGHT, over_ranks ? "ranks" : "count", NULL);
    text_table_column(table, ALIGN_RIGHT, over_ranks ? "wall time" : "virtual time", "s");
    text_table_column(table, ALIGN_RIGHT, weak ? "scaled speed-up" : "speed-up", NULL);
    text_table_column(table, ALIGN_RIGHT, "efficiency", "%");
    text_table_column(table, ALIGN_RIGHT, "Karp-Flatt", NULL);
    text_table_column(table, ALIGN_RIGHT, weak ? "by Gustafson" : "by Amdahl", "s");
    for (int k = 0; k < series->n; k++) {
        const struct scaling_place *place = &series->place[k];
        text_table_row(table);
        text_table_cell(table, "%.0f", series->count[k]);
        cell(table, "g", series->time_s[k]);
        cell(table, "2", place->speed_up);
        cell(table, "2", 100 * place->efficiency);
        cell(table, "4", place->karp_flatt);
        cell(table, "g", place->fitted);
    }
    if (*title)
        fprintf(out, "  %s\n", title);
    text_table_print(table, out, TABLE_WIDTH);
    print_fit(series, weak, out);
}

void series_print(const struct study_results *results, FILE *out, struct arena *arena)
{
    const struct study *study = results->study;
    const char *what = is_weak(study) ? "Weak" : "Strong";
    if (study_is_over_ranks(study))
        fprintf(out,
                "\n%s scaling over ranks of the emulator: wall time of this machine (%ld cores), not reproducible\n",
                what, sysconf(_SC_NPROCESSORS_ONLN));
    else
        fprintf(out, "\n%s scaling over %s: virtual time\n", what, study->over);
    for (int64_t i = 0; i < results->points->n_series; i++) {
        struct study_series series = series_of(results, i, arena);
        if (i > 0)
            fputc('\n', out);
        print_series(results, &series, out, arena);
    }
}

/* ---- files ---- */

static void put_counts(const struct study_results *results, FILE *out, struct arena *arena)
{
    const struct study *study = results->study;
    fprintf(out, "series,%s,%s,speed_up,efficiency,karp_flatt,%s", study_is_over_ranks(study) ? "ranks" : "count",
            study_is_over_ranks(study) ? "wall_time_s" : "virtual_time_s",
            is_weak(study) ? "gustafson_time_s" : "amdahl_time_s");
    csv_put_axis_names(out, study, study->n_axes - 1, arena);
    fputc('\n', out);
    for (int64_t i = 0; i < results->points->n_series; i++) {
        struct study_series series = series_of(results, i, arena);
        for (int k = 0; k < series.n; k++) {
            const struct scaling_place *place = &series.place[k];
            fprintf(out, "%" PRId64, i + 1);
            csv_put_number(out, series.count[k]);
            csv_put_number(out, series.time_s[k]);
            csv_put_number(out, place->speed_up);
            csv_put_number(out, place->efficiency);
            csv_put_number(out, place->karp_flatt);
            csv_put_number(out, place->fitted);
            csv_put_axes(out, study, study->n_axes - 1, series.row[k].point);
            fputc('\n', out);
        }
    }
}

static void put_fits(const struct study_results *results, FILE *out, struct arena *arena)
{
    const struct study *study = results->study;
    fputs("series,law,serial_fraction,speed_up_limit,largest_deviation", out);
    fputs(",series_title\n", out);
    for (int64_t i = 0; i < results->points->n_series; i++) {
        struct study_series series = series_of(results, i, arena);
        fprintf(out, "%" PRId64 ",%s", i + 1, is_weak(study) ? "gustafson" : "amdahl");
        csv_put_number(out, series.fit.serial_fraction);
        csv_put_number(out, series.fit.limit);
        csv_put_number(out, series.fit.worst);
        csv_put_text(out, series_title(results, &series, arena));
        fputc('\n', out);
    }
}

enum status series_write_csv(const struct study_results *results, const char *folder, struct arena *arena,
                             struct fault *fault)
{
    static void (*const put[])(const struct study_results *, FILE *, struct arena *) = {put_counts, put_fits};
    static const char *const ends[] = {".csv", "_fit.csv"};
    for (int f = 0; f < 2 && fault->status == STATUS_OK; f++) {
        struct output output;
        if (output_open(&output, arena_printf(arena, "%s/%s%s", folder, series_stem(results->study), ends[f]), fault) ==
            STATUS_OK) {
            put[f](results, output.file, arena);
            output_finish(&output, fault);
        }
        output_close(&output);
    }
    return fault->status;
}

void series_put(struct h5 *file, const struct study_results *results, struct arena *arena, struct fault *fault)
{
    enum { N_COLUMNS = 6 };
    static const char *const names[N_COLUMNS] = {"series",     "speed_up",      "efficiency",
                                                 "karp_flatt", "fitted_time_s", "serial_fraction"};
    static const char *const units[N_COLUMNS] = {"1", "1", "1", "1", "s", "1"};
    static const char *const meanings[N_COLUMNS] = {
        "number of the series",           "speed-up against its first count",
        "speed-up / growth of the count", "serial fraction by Karp and Flatt",
        "virtual time by the fitted law", "serial fraction of the fitted law (strong: Amdahl, weak: Gustafson)"};
    if (!study_is_scaling(results->study) || study_is_over_ranks(results->study) || fault->status)
        return;
    struct columns c = columns_of(file, arena, fault, "/scaling", "point", results->n);
    double *column[N_COLUMNS];
    for (int f = 0; f < N_COLUMNS; f++)
        column[f] = arena_array(arena, (size_t)c.n, sizeof *column[f]);
    for (int64_t i = 0, at = 0; i < results->points->n_series; i++) {
        struct study_series series = series_of(results, i, arena);
        for (int k = 0; k < series.n; k++, at++) {
            const struct scaling_place *place = &series.place[k];
            const double values[N_COLUMNS] = {(double)(i + 1),   place->speed_up, place->efficiency,
                                              place->karp_flatt, place->fitted,   series.fit.serial_fraction};
            for (int f = 0; f < N_COLUMNS; f++)
                column[f][at] = values[f];
        }
    }
    columns_put_scale(&c, 1, "number of the point");
    for (int f = 0; f < N_COLUMNS; f++)
        columns_put(&c, names[f], H5_FLOAT64, column[f], units[f], meanings[f]);
}

enum status series_check(const struct study_results *results, struct fault *fault)
{
    int n_metrics, n = (int)(results->n / results->points->n_series);
    const struct metric *table = metrics(&n_metrics);
    if (!study_is_over_ranks(results->study) || is_weak(results->study))
        return STATUS_OK;
    for (int64_t i = 0; i < results->n; i++) {
        const struct study_row *row = &results->row[i], *first = &results->row[i / n * n];
        for (int m = 0; m < n_metrics && row->state == ROW_OK && first->state == ROW_OK; m++)
            if (row->metric[m] != first->metric[m] && !(isnan(row->metric[m]) && isnan(first->metric[m])))
                return fault_set(fault, STATUS_INVALID,
                                 "%s is %.17g on %" PRId64 " ranks and %.17g on %" PRId64
                                 ": results must not depend on the number of ranks",
                                 table[m].name, first->metric[m], first->point->ranks, row->metric[m],
                                 row->point->ranks);
    }
    return STATUS_OK;
}
