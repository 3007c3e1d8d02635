/* hbm_pim_cost.c - time and energy of attention in HBM-PIM, in integers. */
#include <limits.h>
#include <math.h>

#include "base/status.h"
#include "device/hbm_pim_channel.h"
#include "device/hbm_pim_private.h"

enum { SOFTMAX_OPS = 5, BITS = 8 };

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static uint64_t whole(double value)
{
    return value <= 0 ? 0 : (uint64_t)llround(value);
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static struct hbm_pim_work work_of(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head)
{
    if (head->queries < 1)
        bug("a head without queries");
    return hbm_pim_work(pim, head->tokens, head->width, head->element_bytes);
}

/* Close, activate, first MAC: from the last MAC of a row to the first of the next in the same bank. */
static int64_t switch_cycles(const struct hbm_pim_profile *pim)
{
    return pim->rtp_cycles + pim->rp_cycles + pim->rcd_cycles;
}

static int64_t refresh_loss(const struct hbm_pim_profile *pim)
{
    if (pim->placement == HBM_PIM_BANK)
        return pim->rfc_cycles + 1 - pim->rp_cycles;
    return pim->rtp_short_cycles + 1 + pim->rfc_cycles + pim->rcd_cycles - hbm_pim_mac_interval(pim);
}

uint64_t hbm_pim_refreshed_ps(const struct hbm_pim_profile *pim, int64_t cycles)
{
    uint64_t left = (uint64_t)(pim->refi_cycles - refresh_loss(pim)), period = (uint64_t)pim->refi_cycles;
    return ((uint64_t)cycles * period + left - 1) / left * pim->clock_ps;
}

static int64_t weight_cycles(const struct hbm_pim_profile *pim)
{
    return pim->placement == HBM_PIM_BUFFER ? pim->move_same_cycles : pim->move_cycles;
}

uint64_t hbm_pim_softmax_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head)
{
    double ops = (double)(SOFTMAX_OPS * head->tokens * head->queries);
    return (uint64_t)ceil(1e12 * ops * pim->channels / pim->softmax_ops_per_s);
}

static int64_t softmax_cycles(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head)
{
    return (int64_t)(hbm_pim_softmax_ps(pim, head) / pim->clock_ps + 1);
}

static void step(struct hbm_pim_channel *channel, int64_t first, int64_t macs, int64_t repeat, int64_t transfers,
                 int64_t cycles)
{
    hbm_pim_channel_step(channel, &(struct hbm_pim_step){.first = first,
                                                         .macs = macs,
                                                         .repeat = repeat,
                                                         .transfers = transfers,
                                                         .transfer_cycles = cycles,
                                                         .barrier = 1});
}

/* A phase in `steps` steps of `each` MACs (the last takes the rest); what a step makes leaves beside the next one, and
 * after the last. */
static void phase(struct hbm_pim_channel *channel, int64_t first, int64_t macs, int64_t steps, int64_t each,
                  int64_t repeat, int64_t transfers)
{
    int64_t cycles = channel->pim->move_cycles;
    for (int64_t i = 0; i < steps; i++)
        step(channel, first + i * each, i + 1 < steps ? each : macs - i * each, repeat, i ? transfers : 0, cycles);
    step(channel, 0, 0, 0, transfers, cycles);
}

uint64_t hbm_pim_head_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head)
{
    struct hbm_pim_work work = work_of(pim, head);
    struct hbm_pim_profile calm = *pim; /* refresh is a share of the time, see the header */
    struct hbm_pim_channel channel;
    int64_t queries = head->queries;
    calm.refi_cycles = INT_MAX;
    hbm_pim_channel_start(&channel, &calm);
    step(&channel, 0, 0, 0, work.queries_in * queries, pim->move_same_cycles);
    phase(&channel, 0, work.macs, work.chunks, HBM_PIM_TOKENS_PER_CHUNK * work.columns, queries,
          work.scores_out / work.chunks * queries);
    hbm_pim_channel_wait(&channel, softmax_cycles(pim, head));
    step(&channel, 0, 0, 0, work.weights_in * queries, weight_cycles(pim));
    int64_t turn = channel.row_columns * HBM_PIM_BANKS_IN_TURN_MAX, values = ceil_div(work.macs, turn) * turn;
    phase(&channel, values, work.macs, work.columns, work.macs / work.columns, queries,
          work.results_out / work.columns * queries);
    return hbm_pim_refreshed_ps(pim, hbm_pim_channel_end(&channel));
}

int64_t hbm_pim_phase_cycles(const struct hbm_pim_profile *pim, int64_t macs, int queries)
{
    int64_t per_row = pim->row_bytes / pim->column_bytes, rows = ceil_div(macs, per_row),
            rest = macs - (rows - 1) * per_row, interval = hbm_pim_mac_interval(pim),
            lost = switch_cycles(pim) - interval, in_turn = pim->placement == HBM_PIM_BANK_GROUP ? 4 : 16;
    int64_t open = pim->rcd_cycles + (rest * queries - 1) * interval + pim->rtp_cycles; /* of the last row */
    int64_t switches = pim->placement == HBM_PIM_BANK ? rows : (rows - 1) % in_turn == 0;
    return macs * queries * interval + switches * lost + (switches ? most(0, pim->ras_cycles - open) : 0);
}

uint64_t hbm_pim_stream_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head)
{
    struct hbm_pim_work work = work_of(pim, head);
    int64_t macs = 2 * hbm_pim_phase_cycles(pim, work.macs, head->queries);
    int64_t transfers = (work.queries_in * pim->move_same_cycles + work.weights_in * weight_cycles(pim) +
                         (work.scores_out + work.results_out) * pim->move_cycles) *
                        head->queries;
    return hbm_pim_refreshed_ps(pim, most(most(macs, transfers), softmax_cycles(pim, head)));
}

uint64_t hbm_pim_fill_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head)
{
    struct hbm_pim_work work = work_of(pim, head);
    int64_t start = most(pim->rcd_cycles, work.queries_in * pim->move_same_cycles * head->queries),
            end = work.results_out / work.columns * pim->move_cycles * head->queries;
    return (uint64_t)(start + end) * pim->clock_ps;
}

double hbm_pim_wire_fj_per_bit(const struct hbm_pim_profile *pim)
{
    if (pim->placement == HBM_PIM_BUFFER)
        return 0;
    return pim->via_fj_per_bit + pim->channel_fj_per_bit + (pim->placement == HBM_PIM_BANK ? pim->group_fj_per_bit : 0);
}

double hbm_pim_column_fj_per_bit(const struct hbm_pim_profile *pim)
{
    if (pim->placement == HBM_PIM_BANK)
        return pim->array_fj_per_bit;
    if (pim->placement == HBM_PIM_BANK_GROUP)
        return pim->array_fj_per_bit + pim->group_fj_per_bit;
    return pim->array_fj_per_bit + pim->group_fj_per_bit + pim->channel_fj_per_bit + pim->via_fj_per_bit;
}

void hbm_pim_head_cost(const struct hbm_pim_profile *pim, const struct hbm_pim_head *head, struct cost *cost)
{
    struct hbm_pim_work work = work_of(pim, head);
    int64_t rows = ceil_div(work.macs, pim->row_bytes / pim->column_bytes), units = hbm_pim_units(pim),
            lanes = pim->column_bytes / head->element_bytes;
    double queries = head->queries, macs = 2.0 * (double)work.macs * queries, column = pim->column_bytes,
           elements = (double)head->tokens * queries, ops = SOFTMAX_OPS * elements,
           vector = 2.0 * (double)head->width * head->element_bytes * queries; /* query and result, bytes */
    double opened = 2.0 * (double)(rows * units) * pim->row_bytes, read = macs * (double)units * column;
    double moved = (double)(work.queries_in + work.scores_out + work.weights_in + work.results_out) * queries * column;
    *cost = (struct cost){.time_ps = hbm_pim_head_ps(pim, head),
                          .flops = (uint64_t)(4.0 * elements * (double)head->width + ops),
                          .bytes = (uint64_t)read};
    cost->energy_fj[ENERGY_DRAM] =
        whole(BITS * (opened * pim->row_fj_per_bit + read * hbm_pim_column_fj_per_bit(pim) +
                      moved * hbm_pim_wire_fj_per_bit(pim) + vector * pim->interface_fj_per_bit));
    cost->energy_fj[ENERGY_COMPUTE] =
        whole(macs * (double)(units * lanes) * pim->mac_fj + ops * pim->softmax_fj_per_op);
    cost->energy_fj[ENERGY_SRAM] =
        whole((macs * (double)units * column + 2 * elements * head->element_bytes + moved) * pim->buffer_fj_per_byte);
}

static uint64_t external_ps(const struct hbm_pim_profile *pim, uint64_t bytes)
{
    return (uint64_t)ceil(1e12 * (double)bytes / (pim->external_bytes_per_s * pim->stacks));
}

static double external_fj(const struct hbm_pim_profile *pim, double bytes, double rows)
{
    double way = pim->array_fj_per_bit + pim->group_fj_per_bit + pim->channel_fj_per_bit + pim->via_fj_per_bit +
                 pim->interface_fj_per_bit;
    return BITS * (bytes * way + rows * pim->row_bytes * pim->row_fj_per_bit);
}

void hbm_pim_append_cost(const struct hbm_pim_profile *pim, uint64_t vectors, int64_t width, int element_bytes,
                         struct cost *cost)
{
    if (!vectors)
        bug("an append of nothing");
    struct hbm_pim_work one = hbm_pim_work(pim, 1, width, element_bytes);
    uint64_t bytes = vectors * 2 * (uint64_t)(one.columns * hbm_pim_width_ways(pim) * pim->column_bytes);
    double rows = 2.0 * (double)vectors * hbm_pim_width_ways(pim);
    *cost =
        (struct cost){.time_ps = external_ps(pim, bytes) + (uint64_t)(pim->ras_cycles + pim->rp_cycles) * pim->clock_ps,
                      .bytes = bytes};
    cost->energy_fj[ENERGY_DRAM] = whole(external_fj(pim, (double)bytes, rows));
}

void hbm_pim_stream_bytes_cost(const struct hbm_pim_profile *pim, uint64_t bytes, struct cost *cost)
{
    if (!bytes)
        bug("a transfer of nothing");
    *cost = (struct cost){.time_ps = external_ps(pim, bytes), .bytes = bytes};
    cost->energy_fj[ENERGY_DRAM] = whole(external_fj(pim, (double)bytes, ceil((double)bytes / pim->row_bytes)));
}

uint64_t hbm_pim_token_bytes(const struct hbm_pim_profile *pim, int64_t layers, int64_t heads, int64_t width,
                             int element_bytes)
{
    struct hbm_pim_work one = hbm_pim_work(pim, 1, width, element_bytes);
    return 2 * (uint64_t)(layers * heads * one.columns * hbm_pim_width_ways(pim) * pim->column_bytes);
}

uint64_t hbm_pim_capacity_tokens(const struct hbm_pim_profile *pim, int64_t layers, int64_t heads, int64_t width,
                                 int element_bytes)
{
    return (uint64_t)pim->stacks * hbm_pim_stack_bytes(pim) /
           hbm_pim_token_bytes(pim, layers, heads, width, element_bytes);
}

uint64_t hbm_pim_static_mw(const struct hbm_pim_profile *pim)
{
    double refresh_mw = pim->refresh_fj * pim->channels / ((double)pim->refi_cycles * (double)pim->clock_ps);
    return whole(pim->stacks * (pim->idle_mw + refresh_mw));
}
