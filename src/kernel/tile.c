#include "kernel/tile.h"

#include <stdint.h>
#include <string.h>

#include "kernel/simd.h"

/* The register file decides the tile: 32 vectors of 16 floats hold 6 x 4 of them, 16 registers 6 x 2. A file compiled
 * for one instruction set (KERNEL_ISAS) has its tile; the plain one has all of them. */
#if defined(__AVX512F__)
#define TILE(name) tile16_##name
#define TILE_TARGET
#define TILE_FLOATS 16
#define TILE_VECTORS 4
#include "kernel/tile_body.h"

void tile_multiply(const struct tile_product *product)
{
    tile16_multiply(product);
}

#elif defined(__AVX2__)
#define TILE(name) tile8_##name
#define TILE_TARGET
#define TILE_FLOATS 8
#define TILE_VECTORS 2
#include "kernel/tile_body.h"

void tile_multiply(const struct tile_product *product)
{
    tile8_multiply(product);
}

#else
#if KERNEL_HAS_CLONES
#define TILE(name) tile16_##name
#define TILE_TARGET __attribute__((target("arch=x86-64-v4")))
#define TILE_FLOATS 16
#define TILE_VECTORS 4
#include "kernel/tile_body.h"
#undef TILE
#undef TILE_TARGET
#undef TILE_FLOATS
#undef TILE_VECTORS

#define TILE(name) tile8_##name
#define TILE_TARGET __attribute__((target("arch=x86-64-v3")))
#define TILE_FLOATS 8
#define TILE_VECTORS 2
#include "kernel/tile_body.h"
#undef TILE
#undef TILE_TARGET
#undef TILE_FLOATS
#undef TILE_VECTORS
#endif

#define TILE(name) tile4_##name
#define TILE_TARGET
#define TILE_FLOATS 4
#define TILE_VECTORS 2
#include "kernel/tile_body.h"

#if KERNEL_HAS_CLONES
void tile_multiply(const struct tile_product *product)
{
    if (__builtin_cpu_supports("x86-64-v4"))
        tile16_multiply(product);
    else if (__builtin_cpu_supports("x86-64-v3"))
        tile8_multiply(product);
    else
        tile4_multiply(product);
}
#else
void tile_multiply(const struct tile_product *product)
{
    tile4_multiply(product);
}
#endif
#endif

#if KERNEL_HAS_CLONES
const char *tile_isa_name(void)
{
    if (__builtin_cpu_supports("x86-64-v4"))
        return "x86-64-v4 (AVX-512)";
    return __builtin_cpu_supports("x86-64-v3") ? "x86-64-v3 (AVX2, FMA)" : "x86-64 (SSE2)";
}
#else
const char *tile_isa_name(void)
{
    return "as compiled";
}
#endif

KERNEL_CLONES
void tile_transpose(size_t n, size_t depth, const float *from, size_t from_row, float *to, size_t to_row)
{
    const size_t width = lanes_up(n);
    for (size_t k = 0; k < depth; k++) {
        float *row = to + k * to_row;
        for (size_t j = 0; j < n; j++)
            row[j] = from[j * from_row + k];
        for (size_t j = n; j < width; j++)
            row[j] = 0;
    }
}

KERNEL_CLONES
void tile_copy(size_t n, size_t depth, const float *from, size_t from_row, float *to, size_t to_row)
{
    const size_t whole = n / VN_FLOATS * VN_FLOATS, width = lanes_up(n);
    for (size_t k = 0; k < depth; k++, from += from_row, to += to_row) {
        size_t j = 0;
        for (; j < whole; j += VN_FLOATS)
            vn_store(to + j, vn_load(from + j));
        if (j < n) {
            vn_store(to + j, vn_load_row(from, j, n));
            j += VN_FLOATS;
        }
        for (; j < width; j += VN_FLOATS)
            vn_store(to + j, vn_set(0));
    }
}
