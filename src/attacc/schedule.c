#include "attacc/schedule.h"

#include "base/status.h"
#include "device/hbm_pim_channel.h"

enum {
    LONGEST = 4096,        /* tokens that the distance of heads in memory is made for */
    BYTES_OF_REGION = 64,  /* see the header */
    VALUES_AT = 8 << 20,   /* byte of a bank where values begin */
    RUNS_OF_WEIGHTS = 2,   /* in a pair: to one pseudo-channel, then to the other */
    PLACES_OF_SOFTMAX = 2, /* cycles between the softmax command and the first weight */
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A list of `each` commands on `heads` channels (the channel changes fastest), dealt in `slices` equal slices. */
struct dealt {
    int64_t each, heads, slices;
};

static int64_t slice_size(const struct dealt *dealt)
{
    return dealt->each * dealt->heads / dealt->slices;
}

static int64_t issued(const struct dealt *dealt)
{
    return slice_size(dealt) * dealt->slices;
}

/* Commands of slice i on the first channel. */
static int64_t slice_of_first(const struct dealt *dealt, int64_t i)
{
    int64_t size = slice_size(dealt);
    return ceil_div((i + 1) * size, dealt->heads) - ceil_div(i * size, dealt->heads);
}

struct attacc_counts attacc_stack_counts(const struct hbm_pim_profile *pim, int64_t heads, int64_t tokens,
                                         int64_t width, int element_bytes)
{
    struct hbm_pim_work work = hbm_pim_work(pim, tokens, width, element_bytes);
    struct attacc_counts counts = {0};
    int64_t full = pim->channels, iterations = ceil_div(heads, full);
    if (heads < 1)
        bug("attention without heads");
    for (int64_t i = 0; i < iterations; i += 2) {
        int64_t x = least(full, heads - i * full), y = heads - (i + 1) * full;
        if (y <= 0) { /* alone */
            counts.mac += 2 * work.macs * x;
            counts.scores_and_results += (work.scores_out + work.results_out) * x;
            counts.queries += work.queries_in * x;
            counts.weights += work.weights_in * x;
            counts.softmax += x;
            continue;
        }
        y = least(full, y);
        struct dealt queries = {work.queries_in, y, work.chunks},
                     weights = {work.weights_in, x, ceil_div(work.chunks, 2)},
                     weights_y = {work.weights_in, y, ceil_div(work.columns, 2)};
        counts.mac += work.macs * (3 * x + y) + (i == 0 ? x : 0);
        counts.scores_and_results += work.scores_out * (x + y) + 2 * work.results_out * x;
        counts.queries += work.queries_in * x + issued(&queries);
        counts.weights += issued(&weights) + issued(&weights_y);
        counts.softmax += x + y;
    }
    return counts;
}

/* One head after another on the first channel. */
struct trace {
    struct hbm_pim_channel channel;
    struct hbm_pim_work work;
    int64_t tokens_each; /* tokens of one of token_ways */
    int64_t head_columns;
    int64_t weight_cycles; /* between transfers of weights */
    int64_t host_cycles;   /* between transfers of queries */
};

static void trace_start(struct trace *trace, const struct hbm_pim_profile *pim, int64_t tokens, int64_t width,
                        int element_bytes)
{
    hbm_pim_channel_start(&trace->channel, pim);
    trace->work = hbm_pim_work(pim, tokens, width, element_bytes);
    trace->tokens_each = ceil_div(tokens, hbm_pim_token_ways(pim));
    trace->head_columns = LONGEST * width / BYTES_OF_REGION / pim->column_bytes;
    trace->host_cycles = pim->move_same_cycles;
    trace->weight_cycles = pim->placement == HBM_PIM_BUFFER ? pim->move_same_cycles : pim->move_cycles;
}

static void step(struct trace *trace, int64_t first, int64_t macs, int64_t transfers, int64_t cycles, int barrier)
{
    hbm_pim_channel_step(
        &trace->channel,
        &(struct hbm_pim_step){
            .first = first, .macs = macs, .transfers = transfers, .transfer_cycles = cycles, .barrier = barrier});
}

/* Slice `i` of weights on the first channel: they come in runs to the bank groups. */
static void weights_slice(struct trace *trace, const struct dealt *weights, int64_t i)
{
    int64_t size = slice_size(weights), before = ceil_div(i * size, weights->heads), slice = slice_of_first(weights, i),
            run = ceil_div(trace->work.weights_in, RUNS_OF_WEIGHTS);
    if (slice)
        hbm_pim_channel_step(&trace->channel, &(struct hbm_pim_step){.transfers = slice,
                                                                     .transfer_cycles = trace->weight_cycles,
                                                                     .run = run,
                                                                     .run_done = before % run});
    step(trace, 0, 0, 0, 0, 1);
}

/* Score of iteration i in chunks; the scores of the chunk before move meanwhile, and slices of the other head's query
 * or (from the middle on) of its weights. */
static void score(struct trace *trace, int64_t i, const struct dealt *queries, const struct dealt *weights)
{
    const struct hbm_pim_work *work = &trace->work;
    int64_t first = i * trace->head_columns, scores = work->scores_out / work->chunks,
            move = trace->channel.pim->move_cycles, from = weights ? work->chunks - weights->slices : 0;
    for (int64_t s = 0; s < work->chunks; s++) {
        int64_t tokens = least(HBM_PIM_TOKENS_PER_CHUNK, trace->tokens_each - s * HBM_PIM_TOKENS_PER_CHUNK);
        step(trace, first + s * HBM_PIM_TOKENS_PER_CHUNK * work->columns, tokens * work->columns, s ? scores : 0, move,
             0);
        if (queries)
            step(trace, 0, 0, slice_of_first(queries, s), trace->host_cycles, 1);
        else if (weights && s >= from)
            weights_slice(trace, weights, s - from);
        else
            step(trace, 0, 0, 0, 0, 1);
    }
    step(trace, 0, 0, scores, move, 0);
}

static void context(struct trace *trace, int64_t i, const struct dealt *weights)
{
    const struct hbm_pim_work *work = &trace->work;
    int64_t first = VALUES_AT / trace->channel.pim->column_bytes + i * trace->head_columns,
            results = work->results_out / work->columns, move = trace->channel.pim->move_cycles;
    int64_t from = weights ? work->columns - weights->slices : work->columns;
    for (int64_t s = 0; s < work->columns; s++) {
        step(trace, first + s * trace->tokens_each, trace->tokens_each, s ? results : 0, move, 0);
        if (weights && s >= from)
            weights_slice(trace, weights, s - from);
        else
            step(trace, 0, 0, 0, 0, 1);
    }
    step(trace, 0, 0, results, move, 0);
}

static void alone(struct trace *trace, int64_t i)
{
    step(trace, 0, 0, trace->work.queries_in, trace->host_cycles, 1);
    score(trace, i, NULL, NULL);
    step(trace, 0, 0, trace->work.weights_in, trace->weight_cycles, 1);
    context(trace, i, NULL);
}

static void pair(struct trace *trace, int64_t i, int64_t heads_x, int64_t heads_y)
{
    const struct hbm_pim_work *work = &trace->work;
    int64_t half = ceil_div(work->chunks, 2);
    struct dealt queries = {work->queries_in, heads_y, work->chunks}, weights = {work->weights_in, heads_x, half},
                 weights_y = {work->weights_in, heads_y, ceil_div(work->columns, 2)};
    step(trace, i * trace->head_columns, i == 0, work->queries_in, trace->host_cycles, 1);
    score(trace, i, &queries, NULL);
    score(trace, i + 1, NULL, &weights);
    context(trace, i, &weights_y);
    context(trace, i, NULL);
}

int64_t attacc_stack_cycles(const struct hbm_pim_profile *pim, int64_t heads, int64_t tokens, int64_t width,
                            int element_bytes)
{
    struct trace trace;
    int64_t full = pim->channels, iterations = ceil_div(heads, full);
    if (heads < 1)
        bug("attention without heads");
    trace_start(&trace, pim, tokens, width, element_bytes);
    for (int64_t i = 0; i < iterations; i += 2)
        if (i + 1 < iterations)
            pair(&trace, i, full, full);
        else
            alone(&trace, i);
    return hbm_pim_channel_end(&trace.channel);
}

int64_t attacc_score_cycles(const struct hbm_pim_profile *pim, int64_t tokens, int64_t width, int element_bytes)
{
    struct trace trace;
    trace_start(&trace, pim, tokens, width, element_bytes);
    step(&trace, 0, 0, trace.work.queries_in, trace.host_cycles, 1);
    score(&trace, 0, NULL, NULL);
    return hbm_pim_channel_end(&trace.channel);
}

int64_t attacc_context_cycles(const struct hbm_pim_profile *pim, int64_t tokens, int64_t width, int element_bytes)
{
    struct trace trace;
    trace_start(&trace, pim, tokens, width, element_bytes);
    hbm_pim_channel_wait(&trace.channel, PLACES_OF_SOFTMAX + 1);
    step(&trace, 0, 0, trace.work.weights_in, trace.weight_cycles, 1);
    context(&trace, 0, NULL);
    return hbm_pim_channel_end(&trace.channel);
}
