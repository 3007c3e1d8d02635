#include "kernel/gauss.h"

#include "base/status.h"
#include "kernel/dropout.h"
#include "kernel/simd8.h"

enum { WORDS = GAUSS_GROUP / 2, BATCH_GROUPS = 8 };

/* Natural logarithm of u in (0, 1): u = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh((m - 1) / (m + 1)). */
KERNEL_INLINE v8 v8_log(v8 u)
{
    v8u bits = (v8u)u - 0x3f3504f3u;
    v8 e = __builtin_convertvector((v8i)bits >> 23, v8);
    v8 m = (v8)((bits & 0x007fffffu) + 0x3f3504f3u);
    v8 s = (m - v8_set(1)) / (m + v8_set(1)), s2 = s * s;
    v8 p = v8_set(1.0f / 9) * s2 + v8_set(1.0f / 7);
    p = p * s2 + v8_set(1.0f / 5);
    p = p * s2 + v8_set(1.0f / 3);
    p = p * s2 + v8_set(1);
    return v8_set(2) * s * p + e * v8_set(0.693147181f);
}

/* sin and cos of an angle in [-pi/4, pi/4]: Taylor, error below 4e-7. */
KERNEL_INLINE v8 small_sin(v8 a)
{
    v8 a2 = a * a, p = v8_set(-1.0f / 5040) * a2 + v8_set(1.0f / 120);
    p = p * a2 + v8_set(-1.0f / 6);
    return a + a * a2 * p;
}

KERNEL_INLINE v8 small_cos(v8 a)
{
    v8 a2 = a * a, p = v8_set(1.0f / 40320) * a2 + v8_set(-1.0f / 720);
    p = p * a2 + v8_set(1.0f / 24);
    p = p * a2 + v8_set(-0.5f);
    return v8_set(1) + a2 * p;
}

/* Eight words of a group. A quarter turn is taken off the angle first: v = quarter / 4 + rest, rest in [-1/8, 1/8). */
KERNEL_INLINE void half_group(const uint32_t *words, float *to)
{
    v8u word;
    memcpy(&word, words, sizeof word);
    v8 u = (__builtin_convertvector((v8i)(word >> 16), v8) + v8_set(0.5f)) * v8_set(0x1p-16f);
    v8 radius = v8_sqrt(v8_set(-2) * v8_log(u));
    v8i turn = (v8i)(word & 0xffffu), quarter = (turn + 0x2000) >> 14;
    v8 angle = __builtin_convertvector(turn - (quarter << 14), v8) * v8_set(6.28318531f * 0x1p-16f);
    v8 s = small_sin(angle), c = small_cos(angle);
    v8i odd = -(quarter & 1);
    v8u sin_sign = (v8u)(quarter & 2) << 30, cos_sign = (v8u)((quarter + 1) & 2) << 30;
    v8_store(to, radius * (v8)((v8u)v8_select(odd, s, c) ^ cos_sign));
    v8_store(to + WORDS, radius * (v8)((v8u)v8_select(odd, c, s) ^ sin_sign));
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
            for (size_t half = 0; half < WORDS; half += LANES8)
                half_group(words + g * WORDS + half, to + i + g * GAUSS_GROUP + half);
    }
}
