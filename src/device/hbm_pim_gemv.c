#include "device/hbm_pim_gemv.h"

#include <math.h>

#include "base/status.h"
#include "device/hbm_pim_private.h"

enum { BITS = 8 };

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static uint64_t whole(double value)
{
    return value <= 0 ? 0 : (uint64_t)llround(value);
}

static int64_t cycles_of(const struct hbm_pim_profile *pim, double seconds)
{
    return (int64_t)ceil(seconds * 1e12 / (double)pim->clock_ps);
}

/* What one vector means to a channel and to its stack when the columns are cut into `pieces`. */
struct share {
    struct hbm_pim_work work;
    int64_t macs, transfers, unit, outside; /* cycles */
    double unit_ops, stack_bytes;           /* of a stack */
};

static struct share share_of(const struct hbm_pim_profile *pim, const struct hbm_pim_gemv *gemv, int64_t pieces)
{
    int64_t rows = ceil_div(gemv->out, pim->stacks);
    struct share share = {.work = hbm_pim_work(pim, ceil_div(rows, pim->channels / pieces), ceil_div(gemv->in, pieces),
                                               gemv->element_bytes)};
    share.unit_ops = (double)(rows * (pieces - 1 + gemv->unit_ops));
    share.stack_bytes = (double)((gemv->in + rows) * gemv->element_bytes);
    share.macs = hbm_pim_phase_cycles(pim, share.work.macs, 1);
    share.transfers = share.work.queries_in * pim->move_same_cycles + share.work.scores_out * pim->move_cycles;
    share.unit = cycles_of(pim, share.unit_ops / pim->softmax_ops_per_s);
    share.outside = cycles_of(pim, share.stack_bytes / pim->external_bytes_per_s);
    return share;
}

/* One vector among others; the way of the first one in and of the last one out. */
static int64_t stream_cycles(const struct share *share)
{
    return most(most(share->macs, share->transfers), most(share->unit, share->outside));
}

static int64_t fill_cycles(const struct hbm_pim_profile *pim, const struct share *share)
{
    int64_t out = share->work.scores_out / share->work.chunks * pim->move_cycles;
    return share->outside + share->work.queries_in * pim->move_same_cycles + pim->rcd_cycles + out + share->unit;
}

static uint64_t time_ps(const struct hbm_pim_profile *pim, const struct hbm_pim_gemv *gemv, const struct share *share)
{
    return hbm_pim_refreshed_ps(pim, gemv->vectors * stream_cycles(share)) +
           (uint64_t)fill_cycles(pim, share) * pim->clock_ps;
}

int64_t hbm_pim_gemv_pieces(const struct hbm_pim_profile *pim, const struct hbm_pim_gemv *gemv)
{
    int64_t best = 1;
    uint64_t best_ps = 0;
    if (gemv->vectors < 1 || gemv->in < 1 || gemv->out < 1)
        bug("a product of %lld vectors with a weight [%lld, %lld]", (long long)gemv->vectors, (long long)gemv->out,
            (long long)gemv->in);
    for (int64_t pieces = 1; pieces <= pim->channels; pieces *= 2) {
        if (pim->channels % pieces)
            break;
        struct share share = share_of(pim, gemv, pieces);
        uint64_t ps = time_ps(pim, gemv, &share);
        if (best_ps == 0 || ps < best_ps) {
            best_ps = ps;
            best = pieces;
        }
    }
    return best;
}

void hbm_pim_gemv_cost(const struct hbm_pim_profile *pim, const struct hbm_pim_gemv *gemv, struct cost *cost)
{
    struct share share = share_of(pim, gemv, hbm_pim_gemv_pieces(pim, gemv));
    double vectors = (double)gemv->vectors, channels = (double)pim->stacks * pim->channels, column = pim->column_bytes,
           units = hbm_pim_units(pim), lanes = column / gemv->element_bytes;
    double macs = vectors * channels * (double)share.work.macs, read = macs * units * column;
    double rows = (double)ceil_div(share.work.macs, pim->row_bytes / pim->column_bytes) * vectors * channels * units;
    double moved = (double)(share.work.queries_in + share.work.scores_out) * vectors * channels * column;
    double outside = vectors * (double)((gemv->in * pim->stacks + gemv->out) * gemv->element_bytes);
    double ops = vectors * pim->stacks * share.unit_ops;
    *cost = (struct cost){.time_ps = time_ps(pim, gemv, &share),
                          .flops = (uint64_t)(2 * vectors * (double)gemv->in * (double)gemv->out + ops),
                          .bytes = (uint64_t)read};
    cost->energy_fj[ENERGY_DRAM] =
        whole(BITS * (rows * pim->row_bytes * pim->row_fj_per_bit + read * hbm_pim_column_fj_per_bit(pim) +
                      moved * hbm_pim_wire_fj_per_bit(pim) + outside * pim->interface_fj_per_bit));
    cost->energy_fj[ENERGY_COMPUTE] = whole(macs * units * lanes * pim->mac_fj + ops * pim->softmax_fj_per_op);
    cost->energy_fj[ENERGY_SRAM] = whole((read + moved) * pim->buffer_fj_per_byte);
}

void hbm_pim_unit_cost(const struct hbm_pim_profile *pim, int64_t elements, int ops, int element_bytes,
                       struct cost *cost)
{
    if (elements < 1 || ops < 1)
        bug("%lld elements of %d operations", (long long)elements, ops);
    double all = (double)elements * ops;
    *cost = (struct cost){
        .time_ps = (uint64_t)ceil(1e12 * (double)ceil_div(elements, pim->stacks) * ops / pim->softmax_ops_per_s),
        .flops = (uint64_t)all};
    cost->energy_fj[ENERGY_COMPUTE] = whole(all * pim->softmax_fj_per_op);
    cost->energy_fj[ENERGY_SRAM] = whole(3.0 * (double)elements * element_bytes * pim->buffer_fj_per_byte);
}
