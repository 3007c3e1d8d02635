/* tile.h - products of matrices that are small in one direction or another: our own loop beside BLAS.
 *
 * Attention heads (57 x 57 x 16), thin layers and many rows: cases where packing, calling and a second pass over the
 * result cost BLAS as much as the product. Every element is one chain of multiply-adds over the depth, in order,
 * whatever the tile: a row's result depends on nothing but that row and b.
 */
#ifndef KERNEL_TILE_H
#define KERNEL_TILE_H

#include <stddef.h>

/* c[i,j] = start[i,j] + sum over k of a[i,k] * b[k,j], i < rows, j < columns, k < depth. */
struct tile_product {
    size_t rows, columns, depth;
    const float *a; /* a[i,k] = a[i * a_row + k * a_step] */
    size_t a_row, a_step;
    const float *b; /* b[k,j] = b[k * b_row + j], readable to lanes_up(columns) */
    size_t b_row;
    const float *start; /* NULL: 0; start[i,j] = start[i * start_row + j]: a bias has start_row 0; may be c */
    size_t start_row;
    float *c; /* c[i,j] = c[i * c_row + j] */
    size_t c_row;
    int relu;   /* negative results become 0 */
    int padded; /* rows of c and start have room for lanes_up(columns): the rest is written with whatever b's rest gives
                 */
};

/* Local. Computes c. a, b and c must not overlap. */
void tile_multiply(const struct tile_product *product);

/* Local. to[k * to_row + j] = from[j * from_row + k], j < n, k < depth; columns n .. lanes_up(n) - 1 become 0. */
void tile_transpose(size_t n, size_t depth, const float *from, size_t from_row, float *to, size_t to_row);

/* Local. to[k * to_row + j] = from[k * from_row + j], j < n, k < depth; columns n .. lanes_up(n) - 1 become 0. */
void tile_copy(size_t n, size_t depth, const float *from, size_t from_row, float *to, size_t to_row);

/* Local. Name of the instruction set that tile_multiply and the clones of simd.h run with. */
const char *tile_isa_name(void);

#endif
