#include "base/status.h"
#include "kernel/ops.h"
#include "kernel/simd.h"

/* Sixteen elements: the loss of each, its derivative, and whether it counts. A target that does not count may be
 * anything, not a number included: it is left out by selection, not by multiplication. */
struct lanes {
    v16 loss, slope, counted;
};

KERNEL_INLINE struct lanes loss_lanes(enum loss_kind kind, float delta, v16 y, v16 t, v16 mask)
{
    const v16 zero = v16_set(0);
    v16i counts = mask != zero;
    v16 r = v16_select(counts, y - t, zero), a = v16_abs(r);
    struct lanes lanes = {.counted = v16_select(counts, v16_set(1), zero)};
    if (kind == LOSS_MSE) {
        lanes.loss = r * r;
        lanes.slope = r + r;
        return lanes;
    }
    v16 sign = (v16)((v16u)v16_set(1) | v16_sign(r));
    sign = v16_select(r == zero, zero, sign);
    if (kind == LOSS_MAE) {
        lanes.loss = a;
        lanes.slope = v16_select(r == r, sign, r);
        return lanes;
    }
    v16i outside = a > v16_set(delta);
    lanes.loss = v16_select(outside, v16_set(delta) * (a - v16_set(0.5f * delta)), v16_set(0.5f) * r * r);
    lanes.slope = v16_select(outside, v16_set(delta) * sign, r);
    return lanes;
}

KERNEL_INLINE void loss_all(enum loss_kind kind, float delta, size_t n, const float *y, const float *t,
                            const float *mask, float *sums, float *dy)
{
    double sum[LANES] = {0};
    double count[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        size_t some = n - i < LANES ? n - i : LANES;
        v16 here = v16_set(1);
        if (mask)
            here = some < LANES ? v16_load_part(mask + i, some) : v16_load(mask + i);
        else if (some < LANES)
            here = v16_load_part((const float[LANES]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, some);
        struct lanes lanes = loss_lanes(kind, delta, some < LANES ? v16_load_part(y + i, some) : v16_load(y + i),
                                        some < LANES ? v16_load_part(t + i, some) : v16_load(t + i), here);
        for (int l = 0; l < LANES; l++) {
            sum[l] += (double)lanes.loss[l];
            count[l] += (double)lanes.counted[l];
        }
        if (dy && some < LANES)
            v16_store_part(dy + i, lanes.slope, some);
        else if (dy)
            v16_store(dy + i, lanes.slope);
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
