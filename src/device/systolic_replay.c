#include "device/systolic_replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"
#include "device/systolic_stream.h"

/* A buffer is fetched in a hundred lines. */
enum { LINES = 100, HIT_CYCLES = 1 };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t parts(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

/* A read buffer: half of it is a window over the operand's lines that only moves forward, cyclically, while the other
 * half is fetched. */
struct reader {
    struct stream stream;
    int64_t line_words, n_lines, window, step; /* lines in the window; lines that a move goes on */
    int64_t rate, fill_cycles, move_cycles;
    int64_t from;     /* first line of the window */
    int64_t ready;    /* cycle of the last request to memory */
    int64_t requests; /* to memory, `rate` words each */
    int resident;     /* the window holds the whole operand */
};

static struct reader reader_of(struct stream stream, uint64_t size, uint64_t rate)
{
    int64_t words = (int64_t)size, half = words / 2;
    struct reader reader = {.stream = stream, .line_words = parts(words, LINES), .rate = (int64_t)rate};
    reader.n_lines = stream.words / reader.line_words + 1;
    reader.window = parts(half, reader.line_words);
    reader.resident = reader.n_lines <= reader.window;
    reader.step = smaller(reader.window, reader.n_lines - reader.window);
    reader.move_cycles = parts(half, reader.rate);
    reader.fill_cycles = smaller(reader.move_cycles, parts(stream.slots, reader.rate));
    reader.requests = reader.fill_cycles;
    reader.ready = -1;
    return reader;
}

static int64_t lines_ahead(const struct reader *reader, int64_t line)
{
    return line - reader->from + (line < reader->from ? reader->n_lines : 0);
}

/* Cycles that a line asking for `range` at `now` is late (below 0: early). A late window counts its lag twice. */
static int64_t reader_serve(struct reader *reader, struct range range, int64_t now)
{
    if (reader->resident || range.n == 0)
        return 0;
    int64_t first = range.first / reader->line_words, last = (range.first + range.n - 1) / reader->line_words;
    int64_t ahead = lines_ahead(reader, last), late = HIT_CYCLES;
    if (ahead < reader->window && lines_ahead(reader, first) <= ahead)
        return 0;
    for (int64_t line = first; line <= last; line++)
        while (lines_ahead(reader, line) >= reader->window) {
            reader->from = (reader->from + reader->step) % reader->n_lines;
            reader->ready += reader->move_cycles + 1;
            reader->requests += reader->move_cycles;
            int64_t lag = reader->ready - (now + late);
            late += lag > 0 ? 2 * lag : lag;
        }
    return late - HIT_CYCLES;
}

/* A read buffer without prefetch: a set of words that is emptied when it is full. */
struct set {
    struct stream stream;
    uint32_t *entered; /* in which filling of the set a word entered; NULL: the set is never full */
    uint32_t filling;
    int64_t n, most, reads;
};

static struct set set_of(struct stream stream, uint64_t size, struct arena *arena)
{
    struct set set = {.stream = stream, .filling = 1, .most = (int64_t)(size / LINES) * (LINES / 2)};
    if (set.most < 1)
        bug("a buffer of %" PRIu64 " words", size);
    if (stream.words < set.most) /* every word is asked for, and none ever leaves */
        set.reads = stream.words;
    else
        set.entered = arena_array(arena, (size_t)stream.words, sizeof *set.entered);
    return set;
}

static void set_serve(struct set *set, struct range range)
{
    for (int64_t w = range.first; set->entered && w < range.first + range.n; w++) {
        if (set->entered[w] == set->filling)
            continue;
        set->entered[w] = set->filling;
        set->reads++;
        if (++set->n == set->most)
            set->n = 0, set->filling++;
    }
}

/* The write buffer: words gather in rows of `rate` words; half of the buffer is drained while the other half fills. */
struct writer {
    int64_t size, half, rate;
    int64_t free;          /* words */
    int64_t open;          /* words in the open row */
    int64_t rows, drained; /* closed rows, and those of them that left */
    int64_t busy_until, last_drain, words_out;
    struct partial {
        int64_t row, words;
    } * partial; /* rows closed before they were full, oldest first */
    size_t first_partial, n_partial, room;
};

static struct writer writer_of(uint64_t size, uint64_t rate)
{
    int64_t words = (int64_t)size;
    return (struct writer){.size = words, .half = words / 2, .rate = (int64_t)rate, .free = words};
}

static void remember_partial(struct writer *writer)
{
    if (writer->n_partial == writer->room) {
        writer->room = 2 * writer->room + 64;
        writer->partial = realloc(writer->partial, writer->room * sizeof *writer->partial);
        if (!writer->partial)
            bug("no memory for %zu rows of a write buffer", writer->room);
    }
    writer->partial[writer->n_partial++] = (struct partial){writer->rows, writer->open};
}

static void close_row(struct writer *writer)
{
    if (writer->open == 0)
        return;
    remember_partial(writer);
    writer->rows++;
    writer->open = 0;
}

/* Sends the next rows, one per cycle from `at` on. Only the last one's empty slots are not counted. */
static void drain(struct writer *writer, int64_t at)
{
    int64_t rows = smaller(parts(writer->half, writer->rate), writer->rows - writer->drained), words;
    words = rows * writer->rate;
    writer->drained += rows;
    while (writer->first_partial < writer->n_partial && writer->partial[writer->first_partial].row < writer->drained) {
        const struct partial *partial = &writer->partial[writer->first_partial++];
        if (partial->row == writer->drained - 1)
            words -= writer->rate - partial->words;
    }
    if (writer->first_partial == writer->n_partial)
        writer->first_partial = writer->n_partial = 0;
    writer->busy_until = at + rows - 1;
    if (writer->busy_until > writer->last_drain)
        writer->last_drain = writer->busy_until;
    writer->words_out += words;
    writer->free += words;
}

/* Takes `n` results at `now`; returns by how many cycles the line is late. Between two events (a wait, a drain) words
 * only gather. */
static int64_t writer_serve(struct writer *writer, int64_t n, int64_t now)
{
    int64_t cycle = now;
    while (n > 0) {
        int draining = cycle < writer->busy_until;
        int64_t until = draining ? writer->free : writer->free - (writer->size - writer->half) + 1;
        int64_t taken = smaller(n, until < 1 ? 1 : until);
        n -= taken;
        writer->free -= taken;
        writer->open += taken;
        writer->rows += writer->open / writer->rate;
        writer->open %= writer->rate;
        if (draining && writer->free <= 0) {
            cycle = writer->busy_until;
        } else if (!draining && writer->free < writer->size - writer->half) {
            close_row(writer);
            drain(writer, cycle);
        }
    }
    return cycle - now;
}

/* The rest, from `at` on; a drain under way goes on beside it. */
static void writer_finish(struct writer *writer, int64_t at)
{
    close_row(writer);
    while (writer->drained < writer->rows) {
        drain(writer, at);
        at = writer->busy_until + 1;
    }
    free(writer->partial);
}

static void check(const struct systolic_product *product, const struct systolic_buffers *buffers)
{
    if (!product->m || !product->n || !product->k || !product->rows || !product->cols)
        bug("a product of size 0");
    if (buffers->ifmap_words < LINES || buffers->filter_words < LINES || buffers->ofmap_words < 2)
        bug("buffers of less than %d words", LINES);
    if (!buffers->unlimited_reads && (!buffers->ifmap_rate || !buffers->filter_rate || !buffers->ofmap_rate))
        bug("buffers without bandwidth");
}

/* Lines of all folds with limited reads. Returns the cycle in which the last line was done. */
static int64_t replay_lines(const struct mapping *map, struct reader *ifmap, struct reader *filter,
                            struct writer *writer, int64_t *stall)
{
    int64_t now = 0, last = 0;
    for (int64_t c = 0; c < map->col_folds; c++)
        for (int64_t r = 0; r < map->row_folds; r++)
            for (int64_t l = 0; l < map->line_cycles; l++) {
                int64_t late = reader_serve(ifmap, stream_range(&ifmap->stream, map, r, c, l), now);
                int64_t late_filter = reader_serve(filter, stream_range(&filter->stream, map, r, c, l), now);
                int64_t late_result = writer_serve(writer, mapping_results(map, r, c, l), now);
                last = now + late_result;
                if (late < late_filter)
                    late = late_filter;
                if (late < late_result)
                    late = late_result;
                *stall += late;
                now += 1 + late;
            }
    return last;
}

static int64_t count_lines(const struct mapping *map, struct set *ifmap, struct set *filter, struct writer *writer,
                           int64_t *stall)
{
    int64_t now = 0, last = 0;
    for (int64_t c = 0; c < map->col_folds; c++)
        for (int64_t r = 0; r < map->row_folds; r++)
            for (int64_t l = 0; l < map->line_cycles; l++) {
                set_serve(ifmap, stream_range(&ifmap->stream, map, r, c, l));
                set_serve(filter, stream_range(&filter->stream, map, r, c, l));
                int64_t late = writer_serve(writer, mapping_results(map, r, c, l), now);
                last = now + late;
                *stall += late;
                now += 1 + late;
            }
    return last;
}

static void replay_limited(const struct mapping *map, const struct systolic_buffers *buffers, struct arena *arena,
                           struct systolic_replay *replay)
{
    struct reader ifmap = reader_of(stream_ifmap(map, arena), buffers->ifmap_words, buffers->ifmap_rate);
    struct reader filter = reader_of(stream_filter(map, arena), buffers->filter_words, buffers->filter_rate);
    struct writer writer = writer_of(buffers->ofmap_words, buffers->ofmap_rate);
    int64_t last = replay_lines(map, &ifmap, &filter, &writer, &replay->stall_cycles);
    writer_finish(&writer, last);
    int64_t fill = ifmap.fill_cycles > filter.fill_cycles ? ifmap.fill_cycles : filter.fill_cycles;
    replay->total_cycles = (uint64_t)last;
    replay->overall_cycles = (uint64_t)(writer.last_drain + fill);
    replay->ifmap_dram_words = (uint64_t)(ifmap.requests * ifmap.rate);
    replay->filter_dram_words = (uint64_t)(filter.requests * filter.rate);
    replay->ofmap_dram_words = (uint64_t)writer.words_out;
}

static void replay_unlimited(const struct mapping *map, const struct systolic_buffers *buffers, struct arena *arena,
                             struct systolic_replay *replay)
{
    struct set ifmap = set_of(stream_ifmap(map, arena), buffers->ifmap_words, arena);
    struct set filter = set_of(stream_filter(map, arena), buffers->filter_words, arena);
    struct writer writer = writer_of(buffers->ofmap_words, (uint64_t)map->cols);
    int64_t last = count_lines(map, &ifmap, &filter, &writer, &replay->stall_cycles);
    writer_finish(&writer, last);
    replay->total_cycles = (uint64_t)last;
    replay->ifmap_dram_words = (uint64_t)ifmap.reads;
    replay->filter_dram_words = (uint64_t)filter.reads;
    replay->ofmap_dram_words = (uint64_t)writer.words_out;
}

void systolic_replay(const struct systolic_product *product, const struct systolic_buffers *buffers,
                     struct systolic_replay *replay)
{
    check(product, buffers);
    struct mapping map = mapping_of(product);
    struct arena *arena = arena_new();
    memset(replay, 0, sizeof *replay);
    if (buffers->unlimited_reads)
        replay_unlimited(&map, buffers, arena, replay);
    else
        replay_limited(&map, buffers, arena, replay);
    arena_free(arena);
}
