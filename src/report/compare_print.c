/* A comparison as tables and as CSV. */
#include <math.h>
#include <string.h>

#include "report/compare.h"
#include "report/output.h"
#include "report/table.h"

static const char *name_of(const struct comparison *comparison, int r)
{
    return comparison->run ? comparison->run[r].name : comparison->serving[r].title;
}

static void value_cell(struct text_table *table, double value)
{
    if (isnan(value))
        text_table_cell(table, "-");
    else if (value == floor(value) && fabs(value) < 1e9)
        text_table_cell(table, "%.0f", value);
    else
        text_table_cell(table, "%.5g", value);
}

static void ratio_cell(struct text_table *table, const struct quantity *quantity, int run)
{
    double ratio = compare_ratio(quantity, run);
    if (isnan(ratio))
        text_table_cell(table, "-");
    else
        text_table_cell(table, "%.3f", ratio);
}

/* Does a run have no phase or mode that another has? */
static int is_dashed(const struct comparison *comparison)
{
    for (int i = 0; i < comparison->n_quantities; i++) {
        const struct quantity *quantity = &comparison->quantity[i];
        for (int r = 0; r < comparison->n_runs && (strstr(quantity->name, "phase ") || strstr(quantity->name, " mode"));
             r++)
            if (isnan(quantity->value[r]))
                return 1;
    }
    return 0;
}

static int is_known(const struct comparison *comparison, const struct quantity *quantity)
{
    for (int r = 0; r < comparison->n_runs; r++)
        if (!isnan(quantity->value[r]))
            return 1;
    return 0;
}

static void print_table(FILE *out, const struct comparison *comparison, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "quantity", NULL);
    text_table_column(table, ALIGN_LEFT, "unit", NULL);
    text_table_column(table, ALIGN_RIGHT, "base", NULL);
    for (int r = 1; r < comparison->n_runs; r++) {
        text_table_column(table, ALIGN_RIGHT, arena_printf(arena, "run %d", r), NULL);
        text_table_column(table, ALIGN_RIGHT, arena_printf(arena, comparison->run ? "base/run %d" : "ratio %d", r),
                          NULL);
    }
    for (int i = 0; i < comparison->n_quantities; i++) {
        const struct quantity *quantity = &comparison->quantity[i];
        if (quantity->is_detail || !is_known(comparison, quantity))
            continue;
        text_table_row(table);
        text_table_cell(table, "%s", quantity->name);
        text_table_cell(table, "%s", strcmp(quantity->unit, "1") == 0 ? "" : quantity->unit);
        value_cell(table, quantity->value[0]);
        for (int r = 1; r < comparison->n_runs; r++) {
            value_cell(table, quantity->value[r]);
            ratio_cell(table, quantity, r);
        }
    }
    text_table_print(table, out, TABLE_WIDTH);
}

static void print_keys(FILE *out, const char *before, const char *const *keys, int n, int max)
{
    if (n == 0)
        return;
    fputs(before, out);
    for (int i = 0; i < n && i < max; i++)
        fprintf(out, "%s%s", i ? ", " : " ", keys[i]);
    if (n > max)
        fprintf(out, ", and %d more", n - max);
    fputc('\n', out);
}

static void print_differences(FILE *out, const struct comparison *comparison, struct arena *arena)
{
    for (int r = 1; r < comparison->n_runs; r++) {
        const char **keys;
        int n = compare_differences(comparison, r, 1, arena, &keys);
        print_keys(out,
                   arena_printf(arena, "\nwarning: run %d was not %s.\n  different:", r,
                                comparison->run
                                    ? "tested on the base's data; errors are not comparable"
                                    : "asked for what the base was; latencies and energies are of other work"),
                   keys, n, 64);
        n = compare_differences(comparison, r, 0, arena, &keys);
        print_keys(out, arena_printf(arena, "\nrun %d differs from the base in:", r), keys, n, 16);
    }
}

static void print_run(FILE *out, const struct run *run)
{
    fprintf(out, "(%s%s%s%s)\n", run->name ? run->name : "unnamed", run->placement_text ? "; " : "",
            run->placement_text ? run->placement_text : "", run->timing_only ? "; timing only" : "");
}

static void print_runs(FILE *out, const struct comparison *comparison)
{
    for (int r = 0; r < comparison->n_runs; r++) {
        char label[16];
        snprintf(label, sizeof label, r ? "run %d" : "base", r);
        fprintf(out, "%-7s %s  ", label, comparison->path[r]);
        if (comparison->run)
            print_run(out, &comparison->run[r]);
        else
            fprintf(out, "(%s; %s)\n", comparison->serving[r].title ? comparison->serving[r].title : "unnamed",
                    comparison->serving[r].model ? comparison->serving[r].model : "-");
    }
}

void compare_print(FILE *out, const struct comparison *comparison, struct arena *arena)
{
    print_runs(out, comparison);
    fputc('\n', out);
    print_table(out, comparison, arena);
    if (comparison->run)
        fputs(
            "\nbase/run is the base's value over the run's (speed-up, energy ratio, ratio of errors): above 1 the run "
            "is better.\n",
            out);
    else
        fputs("\nRatios are above 1 where the run is better: time, latency and energy of the base over the run's, "
              "throughput of\nthe run over the base's.\n",
              out);
    fputs("Times of parts are means over the devices of a run; energies are of all its devices, working, waiting and "
          "idle.\n",
          out);
    if (comparison->run)
        fputs("Phases are told with the handovers and evaluations in them.\n", out);
    if (comparison->run && is_dashed(comparison))
        fputs("A dash: the run has no such phase, mode or handover. A run that cannot switch has no phases: all its "
              "steps "
              "are\nin its virtual time and energy.\n",
              out);
    print_differences(out, comparison, arena);
}

/* RFC 4180. */
static void put_field(FILE *out, const char *text, const char *end)
{
    if (!text)
        text = "";
    if (!strpbrk(text, ",\"\r\n")) {
        fprintf(out, "%s%s", text, end);
        return;
    }
    fputc('"', out);
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, out);
    fprintf(out, "\"%s", end);
}

static void put_number(FILE *out, double value, const char *end)
{
    if (isnan(value))
        fputs(end, out);
    else
        fprintf(out, "%.17g%s", value, end);
}

static void put_row(FILE *out, const struct comparison *comparison, const struct quantity *quantity, int r)
{
    put_field(out, quantity->name, ",");
    put_field(out, quantity->unit, ",");
    fprintf(out, "%d,", r);
    put_field(out, comparison->path[r], ",");
    put_field(out, name_of(comparison, r), ",");
    put_number(out, quantity->value[r], ",");
    put_number(out, compare_ratio(quantity, r), "\n");
}

enum status compare_write_csv(const char *path, const struct comparison *comparison, struct fault *fault)
{
    struct output output;
    if (output_open(&output, path, fault) != STATUS_OK)
        return fault->status;
    fprintf(output.file, "quantity,unit,run,file,job,value,%s\n", comparison->run ? "base_over_run" : "ratio");
    for (int i = 0; i < comparison->n_quantities; i++)
        for (int r = 0; r < comparison->n_runs; r++)
            put_row(output.file, comparison, &comparison->quantity[i], r);
    output_finish(&output, fault);
    output_close(&output);
    return fault->status;
}
