#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/data.h"
#include "report/table.h"
#include "store/calendar.h"
#include "store/dataset.h"

struct info_input {
    const char *path;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct info_input *input = state->input;
    if (key != ARGP_KEY_ARG || input->path)
        return ARGP_ERR_UNKNOWN;
    input->path = arg;
    return 0;
}

static const struct argp argp = {
    NULL, parse, "FILE", "Says what a data set holds: shapes, times, stations, and each variable's range.",
    NULL, NULL,  NULL};

static void print_text(const char *label, const char *text)
{
    if (text[0])
        printf("%-10s %s\n", label, text);
}

static void print_step(const struct dataset *dataset)
{
    int64_t step_s = dataset_step_s(dataset), irregular = 0;
    for (int64_t r = 1; r < dataset_n_rows(dataset); r++)
        irregular += dataset_time(dataset, r) - dataset_time(dataset, r - 1) != step_s;
    if (step_s >= 28 * 86400 && step_s % 86400 != 0)
        printf(", step about %.1f d", (double)step_s / 86400);
    else if (step_s > 0 && step_s % 86400 == 0)
        printf(", step %lld d", (long long)(step_s / 86400));
    else if (step_s > 0 && step_s % 3600 == 0)
        printf(", step %lld h", (long long)(step_s / 3600));
    else if (step_s > 0 && step_s % 60 == 0)
        printf(", step %lld min", (long long)(step_s / 60));
    else if (step_s > 0)
        printf(", step %lld s", (long long)step_s);
    if (irregular)
        printf(" (%lld other steps)", (long long)irregular);
}

static void print_rows(const struct dataset *dataset)
{
    char from[32], to[32];
    int64_t n = dataset_n_rows(dataset);
    printf("%-10s %lld", "rows", (long long)n);
    if (dataset_time(dataset, 0) == DATASET_NO_TIME) {
        printf(", no time stamps\n");
        return;
    }
    printf(", %s .. %s", calendar_print(from, sizeof from, dataset_time(dataset, 0), 0),
           calendar_print(to, sizeof to, dataset_time(dataset, n - 1), 0));
    print_step(dataset);
    printf("\n");
}

static void print_extent(const char *name, const double *degrees, int64_t n)
{
    double low = degrees[0], high = degrees[0];
    for (int64_t s = 1; s < n; s++) {
        low = fmin(low, degrees[s]);
        high = fmax(high, degrees[s]);
    }
    printf(", %s %g .. %g", name, low, high);
}

static enum status print_stations(struct dataset *dataset, struct fault *fault)
{
    int64_t n = dataset_n_stations(dataset), edges = 0;
    printf("%-10s %lld, %s .. %s", "stations", (long long)n, dataset_station(dataset, 0),
           dataset_station(dataset, n - 1));
    if (dataset_latitude(dataset) && dataset_longitude(dataset)) {
        print_extent("latitude", dataset_latitude(dataset), n);
        print_extent("longitude", dataset_longitude(dataset), n);
    } else {
        printf(", no coordinates");
    }
    printf("\n");
    if (!dataset_has_adjacency(dataset))
        return STATUS_OK;
    float *weight = malloc((size_t)(n * n) * sizeof *weight);
    if (!weight)
        return fault_set(fault, STATUS_FAILED, "the adjacency of %lld stations does not fit into memory", (long long)n);
    enum status status = dataset_read_adjacency(dataset, weight, fault);
    for (int64_t i = 0; i < n * n && status == STATUS_OK; i++)
        edges += weight[i] != 0;
    free(weight);
    if (status == STATUS_OK)
        printf("%-10s %lld edges\n", "adjacency", (long long)edges);
    return status;
}

static enum status add_variable(struct dataset *dataset, int v, struct text_table *table, struct fault *fault)
{
    const struct dataset_variable *variable = dataset_variable(dataset, v);
    const struct dataset_rows all = {0, dataset_n_rows(dataset) - 1};
    struct dataset_statistics s;
    enum status status = dataset_statistics(dataset, v, &all, 1, NULL, &s, fault);
    if (status != STATUS_OK)
        return status;
    text_table_row(table);
    text_table_cell(table, "%s", variable->name);
    text_table_cell(table, "%s", variable->units);
    text_table_cell(table, "%s", variable->is_static ? "stations" : "time, stations");
    if (s.count == 0) {
        for (int i = 0; i < 4; i++)
            text_table_cell(table, "-");
    } else {
        text_table_cell(table, "%.5g", s.min);
        text_table_cell(table, "%.5g", s.mean);
        text_table_cell(table, "%.5g", s.max);
        text_table_cell(table, "%.5g", s.is_constant ? 0 : s.sd);
    }
    text_table_cell(table, "%.2f", 100.0 * (double)s.missing / (double)(s.count + s.missing));
    text_table_cell(table, "%s", variable->long_name);
    return STATUS_OK;
}

static enum status print_variables(struct dataset *dataset, struct arena *arena, struct fault *fault)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "variable", NULL);
    text_table_column(table, ALIGN_LEFT, "units", NULL);
    text_table_column(table, ALIGN_LEFT, "over", NULL);
    text_table_column(table, ALIGN_RIGHT, "min", NULL);
    text_table_column(table, ALIGN_RIGHT, "mean", NULL);
    text_table_column(table, ALIGN_RIGHT, "max", NULL);
    text_table_column(table, ALIGN_RIGHT, "sd", NULL);
    text_table_column(table, ALIGN_RIGHT, "missing", "%");
    text_table_column(table, ALIGN_LEFT, "meaning", NULL);
    for (int v = 0; v < dataset_n_variables(dataset); v++) {
        enum status status = add_variable(dataset, v, table, fault);
        if (status != STATUS_OK)
            return status;
    }
    printf("\n");
    text_table_print(table, stdout, TABLE_WIDTH);
    return STATUS_OK;
}

enum status data_info(struct arena *arena, int argc, char **argv, struct fault *fault)
{
    struct info_input input = {NULL};
    struct dataset *dataset;
    int done;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.path)
        return fault_set(fault, STATUS_USAGE, "data info: expected a file");
    status = dataset_open(input.path, &dataset, fault);
    if (status != STATUS_OK)
        return status;
    print_text("file", input.path);
    print_text("title", dataset_title(dataset));
    print_text("source", dataset_source(dataset));
    print_rows(dataset);
    status = print_stations(dataset, fault);
    if (status == STATUS_OK)
        status = print_variables(dataset, arena, fault);
    dataset_close(dataset);
    return status;
}
