#include "command/replay_tables.h"

#include "report/table.h"
#include "serving/deviation.h"

static void cells(struct text_table *table, const struct serving_spread *spread, double scale)
{
    text_table_cell(table, "%.3f", spread->mean * scale);
    text_table_cell(table, "%.3f", spread->p50 * scale);
    text_table_cell(table, "%.3f", spread->p90 * scale);
    text_table_cell(table, "%.3f", spread->p99 * scale);
}

static double percent(double emulated, double measured)
{
    return 100 * (emulated - measured) / measured;
}

static void add_metric(struct text_table *table, enum deviation_metric metric, const struct replay_pair *pair)
{
    const struct deviation deviation = deviation_of(metric, pair->measured, pair->emulated, pair->n);
    const struct serving_spread *m = &deviation.measured, *e = &deviation.emulated;
    if (deviation.n == 0)
        return;
    text_table_row(table);
    text_table_cell(table, "%s", deviation_metric_name(metric));
    text_table_cell(table, "measured [ms]");
    cells(table, m, 1e3);
    text_table_row(table);
    text_table_cell(table, "%s", "");
    text_table_cell(table, "emulated [ms]");
    cells(table, e, 1e3);
    text_table_row(table);
    text_table_cell(table, "%s", "");
    text_table_cell(table, "error [%%]");
    text_table_cell(table, "%+.1f", percent(e->mean, m->mean));
    text_table_cell(table, "%+.1f", percent(e->p50, m->p50));
    text_table_cell(table, "%+.1f", percent(e->p90, m->p90));
    text_table_cell(table, "%+.1f", percent(e->p99, m->p99));
    text_table_cell(table, "%.1f", 100 * deviation.mean_error);
    text_table_cell(table, "%.1f", 100 * deviation.max_error);
}

void replay_table_print(const char *title, const struct replay_pair *pair, struct arena *arena, FILE *out)
{
    if (pair->n == 0)
        return;
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "metric", NULL);
    text_table_column(table, ALIGN_LEFT, "", NULL);
    text_table_column(table, ALIGN_RIGHT, "mean", NULL);
    text_table_column(table, ALIGN_RIGHT, "p50", NULL);
    text_table_column(table, ALIGN_RIGHT, "p90", NULL);
    text_table_column(table, ALIGN_RIGHT, "p99", NULL);
    text_table_column(table, ALIGN_RIGHT, "mean |error|", "%");
    text_table_column(table, ALIGN_RIGHT, "max |error|", "%");
    for (int metric = 0; metric < N_DEVIATION_METRICS; metric++)
        add_metric(table, (enum deviation_metric)metric, pair);
    fprintf(out, "%s: %zu requests\n\n", title, pair->n);
    text_table_print(table, out, TABLE_WIDTH);
    fputc('\n', out);
}

struct replay_pair replay_part(const struct replay_pair *pair, size_t first, size_t end)
{
    return (struct replay_pair){pair->measured + first, pair->emulated + first, end - first};
}

struct replay_pair replay_queued(const struct replay_pair *pair, int queued, struct arena *arena)
{
    struct served *measured = arena_array(arena, pair->n + 1, sizeof *measured);
    struct served *emulated = arena_array(arena, pair->n + 1, sizeof *emulated);
    size_t n = 0;
    for (size_t i = 0; i < pair->n; i++)
        if ((served_queue_ps(&pair->measured[i]) > REPLAY_QUEUE_PS) == queued) {
            measured[n] = pair->measured[i];
            emulated[n++] = pair->emulated[i];
        }
    return (struct replay_pair){measured, emulated, n};
}
