/* hbm_pim.c - how heads lie in HBM-PIM and how many commands they take. */
#include "device/hbm_pim.h"

#include <stdio.h>

#include "base/status.h"

static const struct placement {
    int token_ways, width_ways, units;
    int buffer_places; /* of the buffer die that scores come from and weights go to */
    int partials;      /* transfers of the result per column group */
} placements[N_HBM_PIM_PLACEMENTS] = {
    [HBM_PIM_BANK] = {16, 4, 64, 8, 8},
    [HBM_PIM_BANK_GROUP] = {16, 1, 16, 8, 2},
    [HBM_PIM_BUFFER] = {2, 1, 2, 1, 1},
};

static const struct placement *placement_of(const struct hbm_pim_profile *pim)
{
    if (pim->placement < 0 || pim->placement >= N_HBM_PIM_PLACEMENTS)
        bug("placement %d", pim->placement);
    return &placements[pim->placement];
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

const char *hbm_pim_problem(const struct hbm_pim_profile *pim, char *text, size_t size)
{
    const struct {
        const char *name;
        double value, least, most;
    } limits[] = {
        {"placement", pim->placement, 0, N_HBM_PIM_PLACEMENTS - 1},
        {"stacks", pim->stacks, 1, 1024},
        {"channels", pim->channels, 1, 1024},
        {"banks", pim->banks, 64, 64}, /* the mapping above is of 2 pseudo-channels x 2 ranks x 4 groups x 4 banks */
        {"bank_bytes", (double)pim->bank_bytes, 1024, 1e12},
        {"row_bytes", pim->row_bytes, 32, 65536},
        {"column_bytes", pim->column_bytes, 32, 32},
        {"clock_ps", (double)pim->clock_ps, 1, 1e6},
        {"rcd_cycles", pim->rcd_cycles, 1, 1000},
        {"rp_cycles", pim->rp_cycles, 1, 1000},
        {"ras_cycles", pim->ras_cycles, 1, 1000},
        {"rtp_cycles", pim->rtp_cycles, 1, 1000},
        {"rtp_short_cycles", pim->rtp_short_cycles, 1, pim->rtp_cycles},
        {"rfc_cycles", pim->rfc_cycles, 1, 1e6},
        {"refi_cycles", pim->refi_cycles, 2.0 * pim->rfc_cycles, 1e9},
        {"mac_cycles", pim->mac_cycles, 1, 1000},
        {"mac_limited_cycles", pim->mac_limited_cycles, pim->mac_cycles, 1000},
        {"move_cycles", pim->move_cycles, 1, 1000},
        {"move_same_cycles", pim->move_same_cycles, 1, 1000},
        {"queue", pim->queue, 2, 1024},
        {"power_limited", pim->power_limited, 0, 1},
        {"external_bytes_per_s", pim->external_bytes_per_s, 1, 1e15},
        {"softmax_ops_per_s", pim->softmax_ops_per_s, 1, 1e18},
        {"row_fj_per_bit", pim->row_fj_per_bit, 0, 1e9},
        {"array_fj_per_bit", pim->array_fj_per_bit, 1e-3, 1e9},
        {"group_fj_per_bit", pim->group_fj_per_bit, 0, 1e9},
        {"channel_fj_per_bit", pim->channel_fj_per_bit, 0, 1e9},
        {"via_fj_per_bit", pim->via_fj_per_bit, 0, 1e9},
        {"interface_fj_per_bit", pim->interface_fj_per_bit, 0, 1e9},
        {"mac_fj", pim->mac_fj, 1e-3, 1e9},
        {"softmax_fj_per_op", pim->softmax_fj_per_op, 1e-3, 1e9},
        {"buffer_fj_per_byte", pim->buffer_fj_per_byte, 0, 1e9},
        {"refresh_fj", pim->refresh_fj, 0, 1e12},
        {"idle_mw", pim->idle_mw, 0, 1e9},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (!(limits[i].value >= limits[i].least && limits[i].value <= limits[i].most)) {
            snprintf(text, size, "%s: expected %g to %g, found %g", limits[i].name, limits[i].least, limits[i].most,
                     limits[i].value);
            return text;
        }
    if (pim->row_bytes % pim->column_bytes) {
        snprintf(text, size, "row_bytes: expected a multiple of %d, found %d", pim->column_bytes, pim->row_bytes);
        return text;
    }
    return NULL;
}

int hbm_pim_token_ways(const struct hbm_pim_profile *pim)
{
    return placement_of(pim)->token_ways;
}

int hbm_pim_width_ways(const struct hbm_pim_profile *pim)
{
    return placement_of(pim)->width_ways;
}

int hbm_pim_units(const struct hbm_pim_profile *pim)
{
    return placement_of(pim)->units;
}

int64_t hbm_pim_mac_interval(const struct hbm_pim_profile *pim)
{
    if (pim->placement == HBM_PIM_BUFFER)
        return pim->move_cycles;
    return pim->power_limited ? pim->mac_limited_cycles : pim->mac_cycles;
}

struct hbm_pim_work hbm_pim_work(const struct hbm_pim_profile *pim, int64_t tokens, int64_t width, int element_bytes)
{
    const struct placement *placement = placement_of(pim);
    if (tokens < 1 || width < 1 || element_bytes < 1 || pim->column_bytes % element_bytes)
        bug("a head of %lld tokens, width %lld, %d bytes", (long long)tokens, (long long)width, element_bytes);
    int64_t lanes = pim->column_bytes / element_bytes, ways = placement->token_ways,
            x = ceil_div(width, placement->width_ways * lanes),
            chunks = ceil_div(tokens, HBM_PIM_TOKENS_PER_CHUNK * ways);
    return (struct hbm_pim_work){
        .macs = ceil_div(tokens, ways) * x,
        .columns = x,
        .queries_in = placement->width_ways * x,
        .chunks = chunks,
        .scores_out = placement->buffer_places * chunks,
        .weights_in = placement->buffer_places * ceil_div(tokens, ways * lanes),
        .results_out = placement->partials * x,
    };
}

int hbm_pim_channels(const struct hbm_pim_profile *pim)
{
    return pim->stacks * pim->channels;
}

uint64_t hbm_pim_stack_bytes(const struct hbm_pim_profile *pim)
{
    return (uint64_t)pim->channels * (uint64_t)pim->banks * pim->bank_bytes;
}

int64_t hbm_pim_token_step(const struct hbm_pim_profile *pim)
{
    return placement_of(pim)->token_ways;
}
