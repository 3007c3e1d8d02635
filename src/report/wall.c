#include "report/wall.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/table.h"

static wide_uint nanoseconds(double seconds)
{
    return seconds > 0 ? (wide_uint)llround(seconds * 1e9) : 0;
}

static void add_row(struct text_table *table, const struct wall_section *section, uint64_t tenths)
{
    double spread_s = 0.5 * (section->max_s - section->min_s);
    text_table_row(table);
    text_table_cell(table, "%s", section->name);
    text_table_cell(table, "%.4f", section->min_s);
    text_table_cell(table, "%.4f", section->avg_s);
    text_table_cell(table, "%.4f", section->max_s);
    text_table_cell(table, "%.1f", section->avg_s > 0 ? 100 * spread_s / section->avg_s : 0.0);
    text_table_percent(table, tenths);
}

static struct wall_section other_section(const struct wall_section *section, int n, double total_s)
{
    double rest_s = total_s;
    for (int i = 0; i < n; i++)
        rest_s -= section[i].avg_s;
    if (rest_s < 0)
        rest_s = 0;
    return (struct wall_section){"other", rest_s, rest_s, rest_s};
}

static void add_columns(struct text_table *table)
{
    text_table_column(table, ALIGN_LEFT, "Section", NULL);
    text_table_column(table, ALIGN_RIGHT, "min", "s");
    text_table_column(table, ALIGN_RIGHT, "avg", "s");
    text_table_column(table, ALIGN_RIGHT, "max", "s");
    text_table_column(table, ALIGN_RIGHT, "varavg", "%");
    text_table_column(table, ALIGN_RIGHT, "total", "%");
}

static void add_total(struct text_table *table, double total_s, const uint64_t *tenths, int n)
{
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "total");
    text_table_cell(table, "%s", "");
    text_table_cell(table, "%.4f", total_s);
    text_table_cell(table, "%s", "");
    text_table_cell(table, "%s", "");
    text_table_percent_total(table, tenths, n);
}

struct wall_section wall_section(const char *name, const double *first_s, size_t stride_bytes, int n_ranks)
{
    struct wall_section section = {.name = name, .min_s = *first_s, .max_s = *first_s};
    for (int r = 0; r < n_ranks; r++) {
        double value_s = *(const double *)(const void *)((const char *)first_s + (size_t)r * stride_bytes);
        section.avg_s += value_s / n_ranks;
        section.min_s = fmin(section.min_s, value_s);
        section.max_s = fmax(section.max_s, value_s);
    }
    return section;
}

void wall_print(FILE *out, const struct wall_section *section, int n, double total_s, int n_ranks, int64_t n_steps)
{
    struct arena *arena = arena_new();
    struct text_table *table = text_table_new(arena);
    wide_uint *part = arena_array(arena, (size_t)n + 1, sizeof *part);
    uint64_t *tenths = arena_array(arena, (size_t)n + 1, sizeof *tenths);
    struct wall_section other = other_section(section, n, total_s);
    for (int i = 0; i < n; i++)
        part[i] = nanoseconds(section[i].avg_s);
    part[n] = nanoseconds(other.avg_s);
    apportion_percent(part, n + 1, tenths);
    add_columns(table);
    for (int i = 0; i < n; i++)
        add_row(table, &section[i], tenths[i]);
    add_row(table, &other, tenths[n]);
    add_total(table, total_s, tenths, n + 1);
    fprintf(out, "Wall time of %.4g s on %d rank%s for %" PRId64 " step%s\n", total_s, n_ranks, n_ranks == 1 ? "" : "s",
            n_steps, n_steps == 1 ? "" : "s");
    text_table_print(table, out, TABLE_WIDTH);
    arena_free(arena);
}

int wall_find(const char *text, double *seconds)
{
    int found = 0;
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        double read = 0;
        if (sscanf(line, "Wall time of %lf s on", &read) == 1 ||
            sscanf(line, "polyrank: %*u tokens in %*u iterations, %lf s of wall time", &read) == 1) {
            *seconds = read;
            found = 1;
        }
    }
    return found;
}
