#include "device/systolic_stream.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t parts(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

struct mapping mapping_of(const struct systolic_product *product)
{
    int64_t m = (int64_t)product->m, n = (int64_t)product->n, k = (int64_t)product->k;
    int64_t rows = (int64_t)product->rows, cols = (int64_t)product->cols;
    struct mapping map = {.rows = rows, .cols = cols, .dataflow = product->dataflow};
    if (product->dataflow == SYSTOLIC_OS)
        map.down = m, map.across = n, map.steps = k, map.line_cycles = k + rows + cols - 2;
    else if (product->dataflow == SYSTOLIC_WS)
        map.down = k, map.across = n, map.steps = m, map.line_cycles = 2 * rows + cols + m - 2;
    else
        map.down = k, map.across = m, map.steps = n, map.line_cycles = 2 * rows + cols + n - 2;
    map.row_folds = parts(map.down, rows);
    map.col_folds = parts(map.across, cols);
    return map;
}

/* Words of a streamed operand in line `l` of a fold that is `used` wide: column c asks for step l - c. */
static int64_t diagonal_words(int64_t l, int64_t steps, int64_t used)
{
    return larger(smaller(l, used - 1) - larger(0, l - (steps - 1)) + 1, 0);
}

/* Goes along the anti-diagonals of the stack; within one, from the lowest fold that it crosses upwards. */
static void number_words(struct stream *stream, struct arena *arena)
{
    int64_t folds = parts(stream->extent, stream->width), lines = stream->steps + stream->width - 1, place = 0;
    int64_t rows = folds * stream->steps;
    stream->start = arena_array(arena, (size_t)(folds * lines), sizeof *stream->start);
    for (int64_t d = 0; d < rows + stream->width - 1; d++)
        for (int64_t f = smaller(folds - 1, d / stream->steps); f >= 0 && d - f * stream->steps < lines; f--) {
            int64_t l = d - f * stream->steps;
            stream->start[f * lines + l] = place;
            place += diagonal_words(l, stream->steps, smaller(stream->width, stream->extent - f * stream->width));
        }
}

static struct stream streamed(int64_t steps, int64_t width, int64_t extent, int64_t offset, int by_row_fold,
                              struct arena *arena)
{
    struct stream stream = {.by_row_fold = by_row_fold,
                            .steps = steps,
                            .width = width,
                            .extent = extent,
                            .offset = offset,
                            .words = steps * extent,
                            .slots = steps * parts(extent, width) * width};
    number_words(&stream, arena);
    return stream;
}

static struct stream stationary(const struct mapping *map)
{
    return (struct stream){.stationary = 1,
                           .steps = map->down,
                           .width = map->cols,
                           .extent = map->across,
                           .words = map->down * map->across,
                           .slots = map->down * map->col_folds * map->cols};
}

struct stream stream_ifmap(const struct mapping *map, struct arena *arena)
{
    if (map->dataflow == SYSTOLIC_IS)
        return stationary(map);
    return streamed(map->steps, map->rows, map->down, map->dataflow == SYSTOLIC_OS ? 0 : map->rows, 1, arena);
}

struct stream stream_filter(const struct mapping *map, struct arena *arena)
{
    if (map->dataflow == SYSTOLIC_WS)
        return stationary(map);
    if (map->dataflow == SYSTOLIC_OS)
        return streamed(map->steps, map->cols, map->across, 0, 0, arena);
    return streamed(map->steps, map->rows, map->down, map->rows, 1, arena);
}

struct range stream_range(const struct stream *stream, const struct mapping *map, int64_t row_fold, int64_t col_fold,
                          int64_t line)
{
    struct range none = {0, 0};
    if (stream->stationary) {
        int64_t row = row_fold * map->rows + map->rows - 1 - line; /* the lowest row of the array is loaded first */
        if (line >= map->rows || row >= stream->steps)
            return none;
        int64_t used = smaller(stream->width, stream->extent - col_fold * stream->width);
        return (struct range){col_fold * stream->steps * stream->width + row * used, used};
    }
    int64_t fold = stream->by_row_fold ? row_fold : col_fold, l = line - stream->offset;
    if (l < 0 || l >= stream->steps + stream->width - 1)
        return none;
    int64_t used = smaller(stream->width, stream->extent - fold * stream->width);
    return (struct range){stream->start[fold * (stream->steps + stream->width - 1) + l],
                          diagonal_words(l, stream->steps, used)};
}

int64_t mapping_results(const struct mapping *map, int64_t row_fold, int64_t col_fold, int64_t line)
{
    int64_t used = smaller(map->cols, map->across - col_fold * map->cols);
    if (map->dataflow != SYSTOLIC_OS) {
        int64_t l = line - (2 * map->rows - 1);
        return l < 0 ? 0 : diagonal_words(l, map->steps, used);
    }
    /* Results move down: row r, column c leaves in line steps - 1 + (rows - 1 - r) + c. */
    int64_t l = line - (map->steps - 1), used_rows = smaller(map->rows, map->down - row_fold * map->rows);
    int64_t first = larger(0, l - (map->rows - 1)), last = smaller(used - 1, used_rows - map->rows + l);
    return larger(last - first + 1, 0);
}
