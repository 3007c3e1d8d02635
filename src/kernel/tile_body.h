/* tile_body.h - the multiplication of tile.h for one width of vectors; tile.c includes it once for each.
 *
 * TILE(name): suffixes a name; TILE_TARGET: function attribute; TILE_FLOATS: floats in a vector; TILE_VECTORS: vectors
 * in a row of the largest tile. Tiles of 6 rows keep 6 * TILE_VECTORS sums in registers, narrow ones 12 rows.
 */

typedef float TILE(vector) __attribute__((vector_size(4 * TILE_FLOATS)));
typedef int32_t TILE(mask) __attribute__((vector_size(4 * TILE_FLOATS)));

KERNEL_INLINE TILE_TARGET TILE(vector) TILE(load)(const float *from, size_t n)
{
    TILE(vector) x = {0};
    if (n >= TILE_FLOATS)
        memcpy(&x, from, sizeof x);
    else
        memcpy(&x, from, n * sizeof *from);
    return x;
}

KERNEL_INLINE TILE_TARGET void TILE(store)(float *to, TILE(vector) x, size_t n)
{
    if (n >= TILE_FLOATS)
        memcpy(to, &x, sizeof x);
    else
        memcpy(to, &x, n * sizeof *to);
}

/* Sums of a tile from `start` on, rows of which may be read for `room` floats; NULL: from 0. */
KERNEL_INLINE TILE_TARGET void TILE(begin)(TILE(vector) sum[12][TILE_VECTORS], const float *start, size_t start_row,
                                           size_t room, const int rows, const int vectors)
{
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 12
        for (int v = 0; v < vectors; v++)
            sum[r][v] = start ? TILE(load)(start + (size_t)r * start_row + (size_t)v * TILE_FLOATS,
                                           room - (size_t)v * TILE_FLOATS)
                              : (TILE(vector)){0};
}

KERNEL_INLINE TILE_TARGET void TILE(end)(TILE(vector) sum[12][TILE_VECTORS], float *c, size_t c_row, size_t room,
                                         const int rows, const int vectors)
{
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 12
        for (int v = 0; v < vectors; v++)
            TILE(store)
    (c + (size_t)r * c_row + (size_t)v * TILE_FLOATS, sum[r][v], room - (size_t)v * TILE_FLOATS);
}

/* One tile at (i, j); `room` floats of a row of c may be touched. What is the same for the whole tile is asked once:
 * short products would spend a third of their time on it. */
KERNEL_INLINE TILE_TARGET void TILE(tile)(const struct tile_product *p, size_t i, size_t j, size_t room, const int rows,
                                          const int vectors)
{
    TILE(vector) sum[12][TILE_VECTORS];
    const size_t whole = (size_t)vectors * TILE_FLOATS, depth = p->depth;
    const float *a = p->a + i * p->a_row, *b = p->b + j, *start = p->start ? p->start + i * p->start_row + j : NULL;
    const size_t a_row = p->a_row, a_step = p->a_step, b_row = p->b_row;
    if (!start)
        TILE(begin)(sum, NULL, 0, whole, rows, vectors);
    else if (room >= whole)
        TILE(begin)(sum, start, p->start_row, whole, rows, vectors);
    else
        TILE(begin)(sum, start, p->start_row, room, rows, vectors);
    for (size_t k = 0; k < depth; k++, a += a_step, b += b_row) {
        TILE(vector) row[TILE_VECTORS];
#pragma GCC unroll 12
        for (int v = 0; v < vectors; v++)
            memcpy(&row[v], b + (size_t)v * TILE_FLOATS, sizeof row[v]);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 12
            for (int v = 0; v < vectors; v++)
                sum[r][v] += a[(size_t)r * a_row] * row[v];
    }
    if (p->relu) {
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 12
            for (int v = 0; v < vectors; v++) /* not a number stays */
                sum[r][v] = (TILE(vector))(~(sum[r][v] <= 0.0f) & (TILE(mask))sum[r][v]);
    }
    float *c = p->c + i * p->c_row + j;
    if (room >= whole)
        TILE(end)(sum, c, p->c_row, whole, rows, vectors);
    else
        TILE(end)(sum, c, p->c_row, room, rows, vectors);
}

/* All rows of one stripe of columns. */
KERNEL_INLINE TILE_TARGET void TILE(stripe)(const struct tile_product *p, size_t j, size_t room, const int vectors)
{
    size_t i = 0;
    if (2 * vectors <= TILE_VECTORS)
        for (; i + 12 <= p->rows; i += 12)
            TILE(tile)(p, i, j, room, 12, vectors);
    for (; i + 6 <= p->rows; i += 6)
        TILE(tile)(p, i, j, room, 6, vectors);
    for (; i + 3 <= p->rows; i += 3)
        TILE(tile)(p, i, j, room, 3, vectors);
    for (; i < p->rows; i++)
        TILE(tile)(p, i, j, room, 1, vectors);
}

/* One function per width: together they would be more than the register allocator does well. */
TILE_TARGET __attribute__((noinline)) static void TILE(stripe_full)(const struct tile_product *p, size_t j, size_t room)
{
    TILE(stripe)(p, j, room, TILE_VECTORS);
}

TILE_TARGET __attribute__((noinline)) static void TILE(stripe_three)(const struct tile_product *p, size_t j,
                                                                     size_t room)
{
    TILE(stripe)(p, j, room, 3 < TILE_VECTORS ? 3 : 1);
}

TILE_TARGET __attribute__((noinline)) static void TILE(stripe_two)(const struct tile_product *p, size_t j, size_t room)
{
    TILE(stripe)(p, j, room, 2 < TILE_VECTORS ? 2 : 1);
}

TILE_TARGET __attribute__((noinline)) static void TILE(stripe_one)(const struct tile_product *p, size_t j, size_t room)
{
    TILE(stripe)(p, j, room, 1);
}

TILE_TARGET static void TILE(multiply)(const struct tile_product *p)
{
    const size_t width = p->padded ? lanes_up(p->columns) : p->columns;
    for (size_t j = 0; j < width; j += TILE_VECTORS * TILE_FLOATS) {
        size_t room = width - j, vectors = (room + TILE_FLOATS - 1) / TILE_FLOATS;
        if (vectors >= TILE_VECTORS)
            TILE(stripe_full)(p, j, room);
        else if (vectors == 3)
            TILE(stripe_three)(p, j, room);
        else if (vectors == 2)
            TILE(stripe_two)(p, j, room);
        else
            TILE(stripe_one)(p, j, room);
    }
}
