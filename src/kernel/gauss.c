#include "kernel/gauss.h"

#include <math.h>

#include "base/status.h"
#include "kernel/dropout.h"
#include "kernel/simd.h"

enum { WORDS = GAUSS_GROUP / 2, BATCH_GROUPS = 8 };

/* Natural logarithm of u in (0, 1): u = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh((m - 1) / (m + 1)). */
KERNEL_INLINE v16 v16_log(v16 u)
{
    v16u bits = (v16u)u - 0x3f3504f3u;
    v16 e = __builtin_convertvector((v16i)bits >> 23, v16);
    v16 m = (v16)((bits & 0x007fffffu) + 0x3f3504f3u);
    v16 s = (m - v16_set(1)) / (m + v16_set(1)), s2 = s * s;
    v16 p = v16_set(1.0f / 9) * s2 + v16_set(1.0f / 7);
    p = p * s2 + v16_set(1.0f / 5);
    p = p * s2 + v16_set(1.0f / 3);
    p = p * s2 + v16_set(1);
    return v16_set(2) * s * p + e * v16_set(0.693147181f);
}

/* sin and cos of an angle in [-pi/4, pi/4]: Taylor, error below 4e-7. */
KERNEL_INLINE v16 small_sin(v16 a)
{
    v16 a2 = a * a, p = v16_set(-1.0f / 5040) * a2 + v16_set(1.0f / 120);
    p = p * a2 + v16_set(-1.0f / 6);
    return a + a * a2 * p;
}

KERNEL_INLINE v16 small_cos(v16 a)
{
    v16 a2 = a * a, p = v16_set(1.0f / 40320) * a2 + v16_set(-1.0f / 720);
    p = p * a2 + v16_set(1.0f / 24);
    p = p * a2 + v16_set(-0.5f);
    return v16_set(1) + a2 * p;
}

KERNEL_INLINE v16 v16_sqrt(v16 x)
{
    float lane[LANES];
    v16_store(lane, x);
    for (int i = 0; i < LANES; i++)
        lane[i] = sqrtf(lane[i]);
    return v16_load(lane);
}

/* A quarter turn is taken off the angle first: v = quarter / 4 + rest, rest in [-1/8, 1/8). */
KERNEL_INLINE void one_group(const uint32_t *words, float *to)
{
    v16u word;
    memcpy(&word, words, sizeof word);
    v16 u = (__builtin_convertvector((v16i)(word >> 16), v16) + v16_set(0.5f)) * v16_set(0x1p-16f);
    v16 radius = v16_sqrt(v16_set(-2) * v16_log(u));
    v16i turn = (v16i)(word & 0xffffu), quarter = (turn + 0x2000) >> 14;
    v16 angle = __builtin_convertvector(turn - (quarter << 14), v16) * v16_set(6.28318531f * 0x1p-16f);
    v16 s = small_sin(angle), c = small_cos(angle);
    v16i odd = (quarter & 1) != 0;
    v16u sin_sign = (v16u)(quarter & 2) << 30, cos_sign = (v16u)((quarter + 1) & 2) << 30;
    v16_store(to, radius * (v16)((v16u)v16_select(odd, s, c) ^ cos_sign));
    v16_store(to + LANES, radius * (v16)((v16u)v16_select(odd, c, s) ^ sin_sign));
}

KERNEL_CLONES
void gauss_fill(struct rng_key key, uint32_t step, uint64_t first, size_t n, float *to)
{
    _Alignas(64) uint32_t buffer[BATCH_GROUPS * WORDS + DROPOUT_SLACK];
    struct dropout stream = {.key = key, .step = step};
    if (first % GAUSS_GROUP || n % GAUSS_GROUP)
        bug("normal numbers come in groups of %d", GAUSS_GROUP);
    for (size_t i = 0; i < n; i += BATCH_GROUPS * GAUSS_GROUP) {
        size_t groups = (n - i) / GAUSS_GROUP;
        groups = groups < BATCH_GROUPS ? groups : BATCH_GROUPS;
        const uint32_t *words = dropout_words(&stream, (first + i) / 2, groups * WORDS, buffer);
        for (size_t g = 0; g < groups; g++)
            one_group(words + g * WORDS, to + i + g * GAUSS_GROUP);
    }
}
