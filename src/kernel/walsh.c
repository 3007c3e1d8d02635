#include "kernel/walsh.h"

#include "base/status.h"
#include "kernel/simd.h"

/* Blocks of L1_BYTES are transformed at once, then groups of them up to L2_BYTES, then everything. A strip is
 * STRIP_BYTES of each of up to STRIP_ROWS blocks, copied together: blocks lie a power of two apart, so that in place
 * they would fight for the same few lines of the cache. Up to DIRECT_ROWS are one butterfly and stay where they are. */
enum { L1_BYTES = 1 << 14, L2_BYTES = 1 << 18, STRIP_BYTES = 256, STRIP_ROWS = 64, DIRECT_ROWS = 4 };

/* Vectors of 32 bytes: wider ones are taken apart through memory where registers are that wide. */
typedef double v4d __attribute__((vector_size(32)));

/* The levels within a vector: each element plus or minus its partner. */
KERNEL_INLINE v8 within_f32(v8 x)
{
    const v8 sign1 = {1, -1, 1, -1, 1, -1, 1, -1}, sign2 = {1, 1, -1, -1, 1, 1, -1, -1};
    const v8 sign4 = {1, 1, 1, 1, -1, -1, -1, -1};
    x = __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6) + x * sign1;
    x = __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5) + x * sign2;
    return __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3) + x * sign4;
}

KERNEL_INLINE v4d within_f64(v4d x)
{
    const v4d sign1 = {1, -1, 1, -1}, sign2 = {1, 1, -1, -1};
    x = __builtin_shufflevector(x, x, 1, 0, 3, 2) + x * sign1;
    return __builtin_shufflevector(x, x, 2, 3, 0, 1) + x * sign2;
}

#define WALSH(name) name##_f32
#define WALSH_REAL float
#include "kernel/walsh_body.h"
#undef WALSH
#undef WALSH_REAL

#define WALSH(name) name##_f64
#define WALSH_REAL double
#include "kernel/walsh_body.h"
