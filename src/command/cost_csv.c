#include "command/cost_csv.h"

#include <stdio.h>

#include "command/cost_systolic.h"
#include "command/cost_table.h"

static enum status open_table(const char *path, FILE **out, struct fault *fault)
{
    *out = fopen(path, "w");
    return *out ? STATUS_OK : fault_set(fault, STATUS_IO, "%s: cannot be written: %m", path);
}

static enum status close_table(const char *path, FILE *out, struct fault *fault)
{
    int failed = ferror(out);
    if (fclose(out) != 0 || failed)
        return fault_set(fault, STATUS_IO, "%s: cannot be written completely", path);
    return STATUS_OK;
}

static enum status write_table(const struct cost_table *priced, const char *path, struct fault *fault)
{
    FILE *out;
    enum status status = open_table(path, &out, fault);
    if (status != STATUS_OK)
        return status;
    cost_table_write(priced, out);
    return close_table(path, out, fault);
}

/* A table of simulated arrays: the predictions, or how many rows are equal and (to stderr) how long it took. */
static enum status cost_simulated(const struct table *table, const char *output, int summary, struct arena *arena,
                                  struct fault *fault)
{
    enum status status = STATUS_OK;
    if (output || !summary) {
        FILE *out = stdout;
        if (output)
            status = open_table(output, &out, fault);
        if (status == STATUS_OK)
            status = systolic_table_price(table, 0, out, NULL, arena, fault);
        if (output && status == STATUS_OK)
            status = close_table(output, out, fault);
    }
    if (summary && status == STATUS_OK)
        status = systolic_table_price(table, 1, stdout, stderr, arena, fault);
    return status;
}

enum status cost_csv(const char *path, const char *output, int summary, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct cost_table priced;
    struct table table;
    enum status status = table_read(&table, path, arena, fault);
    if (status == STATUS_OK && systolic_table_matches(&table)) {
        status = cost_simulated(&table, output, summary, arena, fault);
        arena_free(arena);
        return status;
    }
    if (status == STATUS_OK)
        status = cost_table_price(&priced, &table, arena, fault);
    if (status == STATUS_OK && output)
        status = write_table(&priced, output, fault);
    if (status == STATUS_OK && summary)
        cost_table_summary(&priced, arena, stdout);
    else if (status == STATUS_OK && !output)
        cost_table_write(&priced, stdout);
    arena_free(arena);
    return status;
}
