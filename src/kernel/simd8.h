/* simd8.h - vectors of eight floats, for kernels that compare and select.
 *
 * Where registers are narrower than the sixteen lanes of simd.h, the compiler takes comparisons and selections of v16
 * apart, lane by lane; of eight lanes it makes single instructions from AVX2 on. Everything else is as in simd.h.
 */
#ifndef KERNEL_SIMD8_H
#define KERNEL_SIMD8_H

#include <math.h>

#include "kernel/simd.h"

typedef int32_t v8i __attribute__((vector_size(32)));
typedef uint32_t v8u __attribute__((vector_size(32)));

enum { LANES8 = 8 };

/* Local. Eight floats from or to any address. */
KERNEL_INLINE v8 v8_load(const float *from)
{
    v8 x;
    memcpy(&x, from, sizeof x);
    return x;
}

KERNEL_INLINE void v8_store(float *to, v8 x)
{
    memcpy(to, &x, sizeof x);
}

/* Local. The same value in every lane; a loop for the reason given at v16_set. */
KERNEL_INLINE v8 v8_set(float x)
{
    float lane[LANES8];
    v8 all;
    for (int i = 0; i < LANES8; i++)
        lane[i] = x;
    memcpy(&all, lane, sizeof all);
    return all;
}

/* Local. Lane by lane: mask (0 or -1) ? a : b. */
KERNEL_INLINE v8 v8_select(v8i mask, v8 a, v8 b)
{
    return (v8)((mask & (v8i)a) | (~mask & (v8i)b));
}

/* Local. b where a is not a number. */
KERNEL_INLINE v8 v8_max(v8 a, v8 b)
{
    return v8_select(a > b, a, b);
}

KERNEL_INLINE v8 v8_min(v8 a, v8 b)
{
    return v8_select(a < b, a, b);
}

KERNEL_INLINE v8 v8_abs(v8 x)
{
    return (v8)((v8u)x & 0x7fffffffu);
}

KERNEL_INLINE v8 v8_sqrt(v8 x)
{
    float lane[LANES8];
    memcpy(lane, &x, sizeof lane);
    for (int i = 0; i < LANES8; i++)
        lane[i] = sqrtf(lane[i]);
    memcpy(&x, lane, sizeof x);
    return x;
}

#endif
