#include "store/measured_run.h"

#include <string.h>
#include <strings.h>

#include "store/csv.h"
#include "store/requests_private.h"

enum column { COLUMN_QUEUE, COLUMN_TTFT, COLUMN_E2E, N_COLUMNS };

static const char *const names[N_COLUMNS] = {"queue_ms", "ttft_from_queue_ms", "e2e_from_queue_ms"};

static enum status find_columns(const struct csv *csv, int64_t *place, struct fault *fault)
{
    for (int column = 0; column < N_COLUMNS; column++) {
        place[column] = -1;
        for (int64_t c = 0; c < csv->n_columns; c++)
            if (strcasecmp(csv_cell(csv, 0, c), names[column]) == 0)
                place[column] = c;
        if (place[column] < 0)
            return fault_set(fault, STATUS_USAGE, "%s:1: there is no column %s of a measured run", csv->path,
                             names[column]);
    }
    return STATUS_OK;
}

static enum status read_record(const struct csv *csv, int64_t row, const int64_t *place, const struct request *request,
                               struct served *record, struct fault *fault)
{
    uint64_t time_ps[N_COLUMNS];
    for (int column = 0; column < N_COLUMNS; column++)
        if (!requests_time(csv_cell(csv, row, place[column]), -3, &time_ps[column]))
            return csv_expected(csv, row, place[column], "a time in ms, not negative", fault);
    if (time_ps[COLUMN_TTFT] == 0 || time_ps[COLUMN_TTFT] < time_ps[COLUMN_QUEUE])
        return csv_expected(csv, row, place[COLUMN_TTFT], "a time to the first token above 0 and not below queue_ms",
                            fault);
    if (time_ps[COLUMN_E2E] < time_ps[COLUMN_TTFT] ||
        (request->output_tokens > 1 && time_ps[COLUMN_E2E] == time_ps[COLUMN_TTFT]))
        return csv_expected(csv, row, place[COLUMN_E2E], "a time to the last token after ttft_from_queue_ms", fault);
    *record = (struct served){
        .request = (uint32_t)(row - 1),
        .prompt_tokens = request->prompt_tokens,
        .output_tokens = request->output_tokens,
        .arrival_ps = request->arrival_ps,
        .seen_ps = request->arrival_ps,
        .scheduled_ps = request->arrival_ps + time_ps[COLUMN_QUEUE],
        .first_token_ps = request->arrival_ps + time_ps[COLUMN_TTFT],
        .finish_ps = request->arrival_ps + time_ps[COLUMN_E2E],
    };
    return STATUS_OK;
}

enum status measured_run_read(const char *path, struct arena *arena, struct measured_run *run, struct fault *fault)
{
    struct csv csv;
    int64_t place[N_COLUMNS];
    struct measured_run found = {.record = NULL};
    enum status status = requests_read(path, NULL, arena, &found.requests, fault);
    if (status == STATUS_OK)
        status = csv_read(path, arena, &csv, fault);
    if (status == STATUS_OK)
        status = find_columns(&csv, place, fault);
    if (status != STATUS_OK)
        return status;
    if (csv.n_rows != (int64_t)found.requests.n + 1)
        return fault_set(fault, STATUS_USAGE, "%s: expected a request on each of its %lld rows, found %zu", path,
                         (long long)csv.n_rows - 1, found.requests.n);
    found.record = arena_array(arena, found.requests.n, sizeof *found.record);
    for (size_t i = 0; i < found.requests.n && status == STATUS_OK; i++)
        status = read_record(&csv, (int64_t)i + 1, place, &found.requests.request[i], &found.record[i], fault);
    if (status == STATUS_OK)
        *run = found;
    return status;
}
