#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store/calendar.h"
#include "store/csv.h"
#include "store/requests_private.h"

enum column { COLUMN_ARRIVAL, COLUMN_PROMPT, COLUMN_OUTPUT, N_COLUMNS };

enum { EXPONENT_DATE = 1 }; /* the arrivals are dates */

struct spelling {
    const char *name;
    enum column column;
    int exponent; /* of the arrivals' unit in seconds */
};

static const struct spelling spellings[] = {
    {"TIMESTAMP", COLUMN_ARRIVAL, EXPONENT_DATE},
    {"arrival_s", COLUMN_ARRIVAL, 0},
    {"arrival_ms", COLUMN_ARRIVAL, -3},
    {"arrival_us", COLUMN_ARRIVAL, -6},
    {"arrival_ns", COLUMN_ARRIVAL, -9},
    {"arrival_ps", COLUMN_ARRIVAL, -12},
    {"ContextTokens", COLUMN_PROMPT, 0},
    {"input_tokens", COLUMN_PROMPT, 0},
    {"input_toks", COLUMN_PROMPT, 0},
    {"prompt_tokens", COLUMN_PROMPT, 0},
    {"GeneratedTokens", COLUMN_OUTPUT, 0},
    {"output_tokens", COLUMN_OUTPUT, 0},
    {"output_toks", COLUMN_OUTPUT, 0},
    {"generated_tokens", COLUMN_OUTPUT, 0},
};

static const char *const wanted[N_COLUMNS] = {
    "of arrivals (TIMESTAMP, or arrival_s, _ms, _us, _ns, _ps)",
    "of prompt lengths (ContextTokens, input_tokens, input_toks or prompt_tokens)",
    "of answer lengths (GeneratedTokens, output_tokens, output_toks or generated_tokens)",
};

struct layout {
    int64_t place[N_COLUMNS]; /* -1: not found */
    int exponent;
};

static enum status read_header(const struct csv *csv, struct layout *layout, struct fault *fault)
{
    *layout = (struct layout){.place = {-1, -1, -1}};
    for (int64_t c = 0; c < csv->n_columns; c++)
        for (size_t s = 0; s < sizeof spellings / sizeof *spellings; s++) {
            if (strcasecmp(csv_cell(csv, 0, c), spellings[s].name) != 0)
                continue;
            enum column column = spellings[s].column;
            if (layout->place[column] >= 0)
                return fault_set(fault, STATUS_USAGE, "%s:1:%u: a second column %s; the first is %s", csv->path,
                                 csv->column[c], wanted[column], csv_cell(csv, 0, layout->place[column]));
            layout->place[column] = c;
            if (column == COLUMN_ARRIVAL)
                layout->exponent = spellings[s].exponent;
        }
    for (int column = 0; column < N_COLUMNS; column++)
        if (layout->place[column] < 0)
            return fault_set(fault, STATUS_USAGE, "%s:1: there is no column %s", csv->path, wanted[column]);
    return STATUS_OK;
}

/* "2023-11-16 18:15:46.6805900": the calendar knows whole seconds, the fraction is read here. */
static int date_time(const char *text, int64_t *second, uint64_t *fraction_ps)
{
    int64_t last_s;
    const char *point = strchr(text, '.');
    *fraction_ps = 0;
    if (calendar_parse(text, second, &last_s) || last_s != *second)
        return 0;
    uint64_t place_ps = PS_PER_S;
    for (const char *c = point ? point + 1 : ""; *c >= '0' && *c <= '9'; c++)
        *fraction_ps += (uint64_t)(*c - '0') * (place_ps /= 10);
    return 1;
}

static enum status read_arrival(const struct csv *csv, const struct layout *layout, int64_t row, int64_t first_s,
                                uint64_t *arrival_ps, struct fault *fault)
{
    int64_t place = layout->place[COLUMN_ARRIVAL], second;
    const char *cell = csv_cell(csv, row, place);
    if (layout->exponent != EXPONENT_DATE) {
        if (!requests_time(cell, layout->exponent, arrival_ps))
            return csv_expected(csv, row, place, "a time from 0 to 10000000 s", fault);
        return STATUS_OK;
    }
    if (!date_time(cell, &second, arrival_ps))
        return csv_expected(csv, row, place, "a date and time such as 2023-11-16 18:15:46.680", fault);
    if (second < first_s || second - first_s > (int64_t)REQUESTS_LATEST_S)
        return csv_expected(csv, row, place, "a time within 10000000 s after the first", fault);
    *arrival_ps += (uint64_t)(second - first_s) * PS_PER_S;
    return STATUS_OK;
}

static enum status read_tokens(const struct csv *csv, int64_t row, int64_t place, uint32_t *tokens, struct fault *fault)
{
    const char *cell = csv_cell(csv, row, place);
    uint64_t number = 0;
    size_t digits = strspn(cell, "0123456789");
    for (size_t i = 0; i < digits && number <= REQUESTS_MOST_TOKENS; i++)
        number = 10 * number + (uint64_t)(cell[i] - '0');
    if (cell[digits] || number < 1 || number > REQUESTS_MOST_TOKENS)
        return csv_expected(csv, row, place, "a number of tokens from 1 to 16777216", fault);
    *tokens = (uint32_t)number;
    return STATUS_OK;
}

static enum status read_row(const struct csv *csv, const struct layout *layout, int64_t row, int64_t first_s,
                            struct request *request, struct fault *fault)
{
    *request = (struct request){.line = (uint32_t)csv->line[row]};
    if (read_arrival(csv, layout, row, first_s, &request->arrival_ps, fault) != STATUS_OK ||
        read_tokens(csv, row, layout->place[COLUMN_PROMPT], &request->prompt_tokens, fault) != STATUS_OK)
        return fault->status;
    return read_tokens(csv, row, layout->place[COLUMN_OUTPUT], &request->output_tokens, fault);
}

enum status requests_parse_csv(const char *path, char *text, size_t size, size_t limit, struct arena *arena,
                               struct requests *requests, struct fault *fault)
{
    struct csv csv;
    struct layout layout;
    if (csv_parse(path, text, size, arena, &csv, fault) != STATUS_OK || read_header(&csv, &layout, fault) != STATUS_OK)
        return fault->status;
    if (csv.n_rows < 2)
        return fault_set(fault, STATUS_USAGE, "%s: a header, but no requests", path);
    size_t n = (size_t)csv.n_rows - 1;
    n = limit && limit < n ? limit : n;
    struct request *request = arena_array(arena, n, sizeof *request);
    int64_t first_s = 0;
    uint64_t first_ps = 0;
    if (layout.exponent == EXPONENT_DATE &&
        !date_time(csv_cell(&csv, 1, layout.place[COLUMN_ARRIVAL]), &first_s, &first_ps))
        return csv_expected(&csv, 1, layout.place[COLUMN_ARRIVAL], "a date and time such as 2023-11-16 18:15:46.680",
                            fault);
    for (size_t i = 0; i < n; i++) {
        int64_t row = (int64_t)i + 1;
        if (read_row(&csv, &layout, row, first_s, &request[i], fault) != STATUS_OK)
            return fault->status;
        if (request[i].arrival_ps < (i ? request[i - 1].arrival_ps + first_ps : first_ps))
            return csv_expected(&csv, row, layout.place[COLUMN_ARRIVAL],
                                "no arrival before that of the line above (sort the file)", fault);
        request[i].arrival_ps -= first_ps;
    }
    *requests = (struct requests){.path = requests->path, .n = n, .request = request};
    return STATUS_OK;
}
