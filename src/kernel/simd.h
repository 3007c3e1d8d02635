/* simd.h - vectors of sixteen floats, and one source for every instruction set.
 *
 * A v16 is sixteen explicit lanes whatever the processor: one register with AVX-512, two with AVX2, four with SSE2.
 * Sums over lanes follow one tree, so that a sum does not depend on the width of the registers; with and without fused
 * multiply-add results still differ in the last bit.
 *
 * KERNEL_CLONES before a function compiles it once per instruction set; the loader picks. It is empty where that does
 * not work: other compilers, other processors, and under address sanitizers (the resolvers run before the sanitizer is
 * ready). Functions in this header must be inlined into the clones, hence KERNEL_INLINE.
 */
#ifndef KERNEL_SIMD_H
#define KERNEL_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__) && !defined(KERNEL_NO_CLONES)
#define KERNEL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define KERNEL_HAS_CLONES 1
#else
#define KERNEL_CLONES
#define KERNEL_HAS_CLONES 0
#endif

#define KERNEL_INLINE static inline __attribute__((always_inline))

/* No v16 crosses a call that is not inlined, so that the warning about its calling convention says nothing here. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

enum { LANES = 16 };

typedef float v16 __attribute__((vector_size(64)));
typedef int32_t v16i __attribute__((vector_size(64)));
typedef uint32_t v16u __attribute__((vector_size(64)));
typedef float v8 __attribute__((vector_size(32)));
typedef float v4 __attribute__((vector_size(16)));

/* Local. Sixteen floats from or to any address. */
KERNEL_INLINE v16 v16_load(const float *from)
{
    v16 x;
    memcpy(&x, from, sizeof x);
    return x;
}

KERNEL_INLINE void v16_store(float *to, v16 x)
{
    memcpy(to, &x, sizeof x);
}

/* Local. The first n < 16 floats, zeros behind; and storing only n. */
KERNEL_INLINE v16 v16_load_part(const float *from, size_t n)
{
    v16 x = {0};
    memcpy(&x, from, n * sizeof *from);
    return x;
}

KERNEL_INLINE void v16_store_part(float *to, v16 x, size_t n)
{
    memcpy(to, &x, n * sizeof *to);
}

/* Local. The same value in every lane. A loop, because GCC 12 takes a vector constructor apart before it makes the
 * clones, and sets lane by lane; of this it makes one broadcast. */
KERNEL_INLINE v16 v16_set(float x)
{
    float lane[LANES];
    v16 all;
    for (int i = 0; i < LANES; i++)
        lane[i] = x;
    memcpy(&all, lane, sizeof all);
    return all;
}

/* Local. Lane by lane: mask (0 or -1) ? a : b. */
KERNEL_INLINE v16 v16_select(v16i mask, v16 a, v16 b)
{
    return (v16)((mask & (v16i)a) | (~mask & (v16i)b));
}

/* Local. The larger of each lane; b where a is not a number. */
KERNEL_INLINE v16 v16_max(v16 a, v16 b)
{
    return v16_select(a > b, a, b);
}

KERNEL_INLINE v16 v16_abs(v16 x)
{
    return (v16)((v16u)x & 0x7fffffffu);
}

/* Local. The sign bits of x, everything else 0. */
KERNEL_INLINE v16u v16_sign(v16 x)
{
    return (v16u)x & 0x80000000u;
}

/* Local. x in the first n lanes, 0 behind. */
KERNEL_INLINE v16 v16_first(v16 x, size_t n)
{
    const v16i lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return n >= LANES ? x : v16_select(lane < (int32_t)n, x, v16_set(0));
}

/* Local. Sum and maximum of the lanes, halves to halves. */
KERNEL_INLINE float v16_sum(v16 x)
{
    v8 eight = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
               __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
    v4 four = __builtin_shufflevector(eight, eight, 0, 1, 2, 3) + __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
    v4 two = four + __builtin_shufflevector(four, four, 2, 3, 0, 1);
    return two[0] + two[1];
}

KERNEL_INLINE float v16_largest(v16 x)
{
    x = v16_max(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    x = v16_max(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    x = v16_max(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    return x[0] > x[1] ? x[0] : x[1];
}

/* Local. n rounded up to whole vectors. */
KERNEL_INLINE size_t lanes_up(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

#endif
