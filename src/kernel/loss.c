#include "base/status.h"
#include "kernel/ops.h"
#include "kernel/simd.h"

/* A register of elements: the loss of each, its derivative, and whether it counts. A target that does not count may be
 * anything, not a number included: it is left out by selection, not by multiplication. */
struct lanes {
    vn loss, slope, counted;
};

KERNEL_INLINE struct lanes loss_lanes(enum loss_kind kind, float delta, vn y, vn t, vn mask)
{
    const vn zero = vn_set(0);
    vni counts = mask != zero;
    vn r = vn_select(counts, y - t, zero), a = vn_abs(r);
    struct lanes lanes = {.counted = vn_select(counts, vn_set(1), zero)};
    if (kind == LOSS_MSE) {
        lanes.loss = r * r;
        lanes.slope = r + r;
        return lanes;
    }
    vn sign = (vn)((vnu)vn_set(1) | vn_sign(r));
    sign = vn_select(r == zero, zero, sign);
    if (kind == LOSS_MAE) {
        lanes.loss = a;
        lanes.slope = vn_select(r == r, sign, r);
        return lanes;
    }
    vni outside = a > vn_set(delta);
    lanes.loss = vn_select(outside, vn_set(delta) * (a - vn_set(0.5f * delta)), vn_set(0.5f) * r * r);
    lanes.slope = vn_select(outside, vn_set(delta) * sign, r);
    return lanes;
}

KERNEL_INLINE void loss_all(enum loss_kind kind, float delta, size_t n, const float *y, const float *t,
                            const float *mask, float *sums, float *dy)
{
    double sum[LANES] = {0};
    double count[LANES] = {0};
    for (size_t i = 0; i < n; i += VN_FLOATS) {
        struct lanes lanes = loss_lanes(kind, delta, vn_load_row(y, i, n), vn_load_row(t, i, n),
                                        mask ? vn_load_row(mask, i, n) : vn_first(vn_set(1), n - i));
        float loss[VN_FLOATS], counted[VN_FLOATS];
        memcpy(loss, &lanes.loss, sizeof loss);
        memcpy(counted, &lanes.counted, sizeof counted);
        for (size_t l = 0, lane = i % LANES; l < VN_FLOATS; l++, lane++) {
            sum[lane] += (double)loss[l];
            count[lane] += (double)counted[l];
        }
        if (dy)
            vn_store_row(dy, i, n, lanes.slope);
    }
    double loss_sum = 0, counted = 0;
    for (int l = 0; l < LANES; l++) {
        loss_sum += sum[l];
        counted += count[l];
    }
    sums[0] = (float)loss_sum;
    sums[1] = (float)counted;
}

KERNEL_CLONES
static void loss_mse(size_t n, const float *y, const float *t, const float *mask, float *sums, float *dy)
{
    loss_all(LOSS_MSE, 0, n, y, t, mask, sums, dy);
}

KERNEL_CLONES
static void loss_mae(size_t n, const float *y, const float *t, const float *mask, float *sums, float *dy)
{
    loss_all(LOSS_MAE, 0, n, y, t, mask, sums, dy);
}

KERNEL_CLONES
static void loss_huber(float delta, size_t n, const float *y, const float *t, const float *mask, float *sums, float *dy)
{
    loss_all(LOSS_HUBER, delta, n, y, t, mask, sums, dy);
}

KERNEL_F32(loss_f32)
{
    (void)context;
    size_t n = (size_t)(op->samples * op->out);
    switch (op->loss) {
    case LOSS_MSE:
        loss_mse(n, in[0], in[1], in[2], out[0], out[1]);
        break;
    case LOSS_MAE:
        loss_mae(n, in[0], in[1], in[2], out[0], out[1]);
        break;
    case LOSS_HUBER:
        loss_huber((float)op->huber_delta, n, in[0], in[1], in[2], out[0], out[1]);
        break;
    default:
        bug("loss %d does not exist", (int)op->loss);
    }
}
