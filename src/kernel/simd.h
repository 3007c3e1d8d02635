/* simd.h - vectors of floats as wide as the processor's registers, and one source for every instruction set.
 *
 * A vn is one register: 16 floats with AVX-512, 8 with AVX2, 4 with SSE2 and others. Kernels are written on vn; what
 * happens to an element does not depend on where in a register it stands. A sum over a row goes to sixteen sums,
 * element i to sum i % LANES, whatever the register: a struct v16 holds them, in V16_PARTS registers, and v16_sum adds
 * them along one tree. So a sum does not depend on the width of the registers; with and without fused multiply-add
 * results still differ in the last bit. (Vectors of sixteen floats proper, wider than the register, GCC keeps in
 * memory, and reads back what it has just written in pieces.)
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

/* No vector crosses a call that is not inlined, so that the warning about its calling convention says nothing here. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#if defined(__AVX512F__)
enum { LANES = 16, VN_FLOATS = 16, V16_PARTS = LANES / VN_FLOATS };
#elif defined(__AVX2__)
enum { LANES = 16, VN_FLOATS = 8, V16_PARTS = LANES / VN_FLOATS };
#else
enum { LANES = 16, VN_FLOATS = 4, V16_PARTS = LANES / VN_FLOATS };
#endif

typedef float vn __attribute__((vector_size(4 * VN_FLOATS)));
typedef int32_t vni __attribute__((vector_size(4 * VN_FLOATS)));
typedef uint32_t vnu __attribute__((vector_size(4 * VN_FLOATS)));
typedef float v8 __attribute__((vector_size(32)));
typedef float v4 __attribute__((vector_size(16)));
typedef int32_t vi4 __attribute__((vector_size(16)));

/* Local. The same value in every lane. A loop, because GCC 12 sets a vector constructor lane by lane; of this it makes
 * one broadcast. */
KERNEL_INLINE vn vn_set(float x)
{
    vn all;
    for (int i = 0; i < VN_FLOATS; i++)
        all[i] = x; /* cppcheck-suppress uninitvar ; every lane is set */
    return all;
}

/* Local. From or to any address. */
KERNEL_INLINE vn vn_load(const float *from)
{
    vn x;
    memcpy(&x, from, sizeof x);
    return x;
}

KERNEL_INLINE void vn_store(float *to, vn x)
{
    memcpy(to, &x, sizeof x);
}

/* Local. Elements `at` .. of a row of n, zeros behind the last; and storing those that the row has. Nothing beyond the
 * row is touched. */
KERNEL_INLINE vn vn_load_row(const float *row, size_t at, size_t n)
{
    vn x = {0};
    if (at + VN_FLOATS <= n)
        return vn_load(row + at);
    if (at < n)
        memcpy(&x, row + at, (n - at) * sizeof *row);
    return x;
}

KERNEL_INLINE void vn_store_row(float *row, size_t at, size_t n, vn x)
{
    if (at + VN_FLOATS <= n)
        vn_store(row + at, x);
    else if (at < n)
        memcpy(row + at, &x, (n - at) * sizeof *row);
}

/* Local. Lane by lane: mask (0 or -1) ? a : b; the larger, b where a is not a number; |x|; sign bits. */
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

/* Local. x in the first n lanes, 0 behind; n may be more than there are. */
KERNEL_INLINE vn vn_first(vn x, size_t n)
{
    static const int32_t window[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    vni mask;
    memcpy(&mask, window + LANES - (n < LANES ? n : LANES), sizeof mask);
    return (vn)(mask & (vni)x);
}

/* Sixteen sums or maxima: lane l is lane l % VN_FLOATS of part l / VN_FLOATS. */
struct v16 {
    vn part[V16_PARTS];
};

KERNEL_INLINE struct v16 v16_set(float x)
{
    struct v16 all;
    for (int i = 0; i < V16_PARTS; i++)
        all.part[i] = vn_set(x);
    return all;
}

/* Local. Sum and maximum of the lanes, halves to halves. */
KERNEL_INLINE v4 v4_max(v4 a, v4 b)
{
    vi4 mask = a > b;
    return (v4)((mask & (vi4)a) | (~mask & (vi4)b));
}

#if defined(__AVX512F__)
#define V16_FOUR(f, x) /* f of the first half and the second, twice */                                                 \
    f(f(V4_OF(x->part[0], 0), V4_OF(x->part[0], 8)), f(V4_OF(x->part[0], 4), V4_OF(x->part[0], 12)))
#elif defined(__AVX2__)
#define V16_FOUR(f, x) f(f(V4_OF(x->part[0], 0), V4_OF(x->part[1], 0)), f(V4_OF(x->part[0], 4), V4_OF(x->part[1], 4)))
#else
#define V16_FOUR(f, x) f(f(x->part[0], x->part[2]), f(x->part[1], x->part[3]))
#endif
#define V4_OF(x, i) __builtin_shufflevector(x, x, i, (i) + 1, (i) + 2, (i) + 3)

KERNEL_INLINE v4 v4_add(v4 a, v4 b)
{
    return a + b;
}

KERNEL_INLINE float v16_sum(const struct v16 *x)
{
    v4 four = V16_FOUR(v4_add, x), two = four + __builtin_shufflevector(four, four, 2, 3, 0, 1);
    return two[0] + two[1];
}

KERNEL_INLINE float v16_largest(const struct v16 *x)
{
    v4 four = V16_FOUR(v4_max, x), two = v4_max(four, __builtin_shufflevector(four, four, 2, 3, 0, 1));
    return two[0] > two[1] ? two[0] : two[1];
}

/* Local. n rounded up to whole sixteens. */
KERNEL_INLINE size_t lanes_up(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

#endif
