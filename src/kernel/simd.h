/* simd.h - vectors of sixteen floats, and one source for every instruction set.
 *
 * A v16 is sixteen explicit lanes whatever the processor: one register with AVX-512, two with AVX2, four with SSE2.
 * Sums over lanes follow one tree, so that a sum does not depend on the width of the registers; with and without fused
 * multiply-add results still differ in the last bit.
 *
 * The files of this room are compiled once per instruction set (Makefile: KERNEL_ISAS), and kernel_run_f32 picks; not
 * for other compilers and processors, and not under sanitizers: there is one set then. (The attribute target_clones
 * does the same within a file, but GCC takes wide vectors apart before it makes the clones.) KERNEL_CLONES marks the
 * functions that gain from it. Functions in this header must be inlined, hence KERNEL_INLINE.
 */
#ifndef KERNEL_SIMD_H
#define KERNEL_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KERNEL_CLONES
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__) && !defined(KERNEL_NO_CLONES)
#define KERNEL_HAS_CLONES 1
#else
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
/* The widest register, vn: V16_PARTS of them are a v16. GCC compares vectors wider than a register lane by lane and
 * keeps what lives over a loop in memory, so comparisons, integer work and sums over loops are written on vn. V16_EACH
 * is f, a function of vn, on all parts of x, V16_EACH_2 on those of x and y. */
#if defined(__AVX512F__)
enum { V16_PARTS = 1, VN_FLOATS = 16 };
#define V16_PART(x, i) (x)
#define V16_EACH(f, x) f(x)
#define V16_EACH_2(f, x, y) f(x, y)
#elif defined(__AVX2__)
enum { V16_PARTS = 2, VN_FLOATS = 8 };
#define V16_PART(x, i)                                                                                                 \
    __builtin_shufflevector(x, x, 8 * (i), 8 * (i) + 1, 8 * (i) + 2, 8 * (i) + 3, 8 * (i) + 4, 8 * (i) + 5,            \
                            8 * (i) + 6, 8 * (i) + 7)
#define V16_EACH(f, x) v16_join(f(V16_PART(x, 0)), f(V16_PART(x, 1)))
#define V16_EACH_2(f, x, y) v16_join(f(V16_PART(x, 0), V16_PART(y, 0)), f(V16_PART(x, 1), V16_PART(y, 1)))
#else
enum { V16_PARTS = 4, VN_FLOATS = 4 };
#define V16_PART(x, i) __builtin_shufflevector(x, x, 4 * (i), 4 * (i) + 1, 4 * (i) + 2, 4 * (i) + 3)
#define V16_EACH(f, x) v16_join(f(V16_PART(x, 0)), f(V16_PART(x, 1)), f(V16_PART(x, 2)), f(V16_PART(x, 3)))
#define V16_EACH_2(f, x, y)                                                                                            \
    v16_join(f(V16_PART(x, 0), V16_PART(y, 0)), f(V16_PART(x, 1), V16_PART(y, 1)), f(V16_PART(x, 2), V16_PART(y, 2)),  \
             f(V16_PART(x, 3), V16_PART(y, 3)))
#endif

typedef float vn __attribute__((vector_size(4 * VN_FLOATS)));
typedef int32_t vni __attribute__((vector_size(4 * VN_FLOATS)));
typedef uint32_t vnu __attribute__((vector_size(4 * VN_FLOATS)));

#if defined(__AVX2__) && !defined(__AVX512F__)
KERNEL_INLINE v16 v16_join(v8 low, v8 high)
{
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
#elif !defined(__AVX512F__)
KERNEL_INLINE v16 v16_join(v4 a, v4 b, v4 c, v4 d)
{
    v8 low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
    v8 high = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
#endif

/* Local. Of one register: the same value in every lane; mask (0 or -1) ? a : b; the larger, b where a is not a number;
 * |x|; sign bits. */
KERNEL_INLINE vn vn_set(float x)
{
    vn all;
    for (int i = 0; i < VN_FLOATS; i++)
        all[i] = x;
    return all;
}

KERNEL_INLINE vn vn_select(vni mask, vn a, vn b)
{
    return (vn)((mask & (vni)a) | (~mask & (vni)b));
}

KERNEL_INLINE vn vn_max(vn a, vn b)
{
    return vn_select(a > b, a, b);
}

KERNEL_INLINE vn vn_abs(vn x)
{
    return (vn)((vnu)x & 0x7fffffffu);
}

KERNEL_INLINE vnu vn_sign(vn x)
{
    return (vnu)x & 0x80000000u;
}

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
    return V16_EACH_2(vn_max, a, b);
}

KERNEL_INLINE v16 v16_abs(v16 x)
{
    return V16_EACH(vn_abs, x);
}

/* Local. The sign bits of x, everything else 0. */
KERNEL_INLINE v16u v16_sign(v16 x)
{
    return (v16u)x & 0x80000000u;
}

/* Local. x in the first n lanes, 0 behind. */
KERNEL_INLINE v16 v16_first(v16 x, size_t n)
{
    if (n >= LANES)
        return x;
    for (size_t i = n; i < LANES; i++)
        x[i] = 0;
    return x;
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

/* A v16 that lives over a loop: a sum, a maximum. */
struct v16_kept {
    vn part[V16_PARTS];
};

KERNEL_INLINE struct v16_kept v16_keep(float x)
{
    struct v16_kept kept;
    for (int i = 0; i < V16_PARTS; i++)
        kept.part[i] = vn_set(x);
    return kept;
}

KERNEL_INLINE v16 v16_kept(const struct v16_kept *kept)
{
    v16 x;
    memcpy(&x, kept->part, sizeof x);
    return x;
}

/* Local. kept += x; kept += x * y; the larger of each lane, what was kept where x is not a number. */
KERNEL_INLINE void v16_add(struct v16_kept *kept, v16 x)
{
    struct v16_kept other;
    memcpy(other.part, &x, sizeof x);
    for (int i = 0; i < V16_PARTS; i++)
        kept->part[i] += other.part[i];
}

KERNEL_INLINE void v16_add_product(struct v16_kept *kept, v16 x, v16 y)
{
    struct v16_kept left, right;
    memcpy(left.part, &x, sizeof x);
    memcpy(right.part, &y, sizeof y);
    for (int i = 0; i < V16_PARTS; i++)
        kept->part[i] += left.part[i] * right.part[i];
}

KERNEL_INLINE void v16_raise(struct v16_kept *kept, v16 x)
{
    struct v16_kept other;
    memcpy(other.part, &x, sizeof x);
    for (int i = 0; i < V16_PARTS; i++)
        kept->part[i] = vn_max(other.part[i], kept->part[i]);
}

/* Local. n rounded up to whole vectors. */
KERNEL_INLINE size_t lanes_up(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

#endif
