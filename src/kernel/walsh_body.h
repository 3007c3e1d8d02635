/* walsh_body.h - the transform of walsh.h for one type; walsh.c includes it once for each.
 *
 * WALSH(name): adds the type to a name; WALSH_REAL: the type.
 */

enum {
    WALSH(width) = 32 / sizeof(WALSH_REAL),
    WALSH(block) = L1_BYTES / sizeof(WALSH_REAL),
    WALSH(group) = L2_BYTES / sizeof(WALSH_REAL),
    WALSH(strip) = STRIP_BYTES / sizeof(WALSH_REAL)
};

typedef WALSH_REAL WALSH(vector) __attribute__((vector_size(32)));

KERNEL_INLINE WALSH(vector) WALSH(load)(const WALSH_REAL *from)
{
    WALSH(vector) x;
    memcpy(&x, from, sizeof x);
    return x;
}

KERNEL_INLINE void WALSH(store)(WALSH_REAL *to, WALSH(vector) x)
{
    memcpy(to, &x, sizeof x);
}

/* Two levels of four vectors that lie h elements apart; `within`: after the levels inside of each. */
KERNEL_INLINE void WALSH(butterfly)(WALSH_REAL *x, size_t h, int within)
{
    WALSH(vector) v[4];
    for (size_t i = 0; i < 4; i++)
        v[i] = within ? WALSH(within)(WALSH(load)(x + i * h)) : WALSH(load)(x + i * h);
    WALSH(vector) sum01 = v[0] + v[1], difference01 = v[0] - v[1], sum23 = v[2] + v[3], difference23 = v[2] - v[3];
    WALSH(store)(x, sum01 + sum23);
    WALSH(store)(x + h, difference01 + difference23);
    WALSH(store)(x + 2 * h, sum01 - sum23);
    WALSH(store)(x + 3 * h, difference01 - difference23);
}

/* The levels h, 2h, ... below n, of n elements; h a multiple of the vector's width. */
KERNEL_INLINE void WALSH(levels)(WALSH_REAL *x, size_t h, size_t n)
{
    for (; 4 * h <= n; h *= 4)
        for (size_t i = 0; i < n; i += 4 * h)
            for (size_t j = i; j < i + h; j += WALSH(width))
                WALSH(butterfly)(x + j, h, 0);
    for (size_t j = 0; 2 * h <= n && j < h; j += WALSH(width)) {
        WALSH(vector) a = WALSH(load)(x + j), b = WALSH(load)(x + j + h);
        WALSH(store)(x + j, a + b);
        WALSH(store)(x + j + h, a - b);
    }
}

static void WALSH(scalar)(size_t n, WALSH_REAL *x)
{
    for (size_t h = 1; h < n; h *= 2)
        for (size_t i = 0; i < n; i += 2 * h)
            for (size_t j = i; j < i + h; j++) {
                WALSH_REAL a = x[j], b = x[j + h];
                x[j] = a + b;
                x[j + h] = a - b;
            }
}

/* All levels of one block. */
KERNEL_CLONES
static void WALSH(small)(size_t n, WALSH_REAL *x)
{
    if (n < 4 * WALSH(width)) {
        WALSH(scalar)(n, x);
        return;
    }
    for (size_t i = 0; i < n; i += 4 * WALSH(width))
        WALSH(butterfly)(x + i, WALSH(width), 1);
    WALSH(levels)(x, 4 * WALSH(width), n);
}

/* The levels between `rows` blocks of `columns` elements. */
KERNEL_CLONES
static void WALSH(cross)(WALSH_REAL *x, size_t rows, size_t columns)
{
    WALSH_REAL strip[STRIP_ROWS * WALSH(strip)] __attribute__((aligned(64)));
    if (rows <= DIRECT_ROWS) {
        WALSH(levels)(x, columns, rows * columns);
        return;
    }
    for (size_t first = 0; first < columns; first += WALSH(strip)) {
        for (size_t r = 0; r < rows; r++)
            memcpy(strip + r * WALSH(strip), x + r * columns + first, STRIP_BYTES);
        WALSH(levels)(strip, WALSH(strip), rows * WALSH(strip));
        for (size_t r = 0; r < rows; r++)
            memcpy(x + r * columns + first, strip + r * WALSH(strip), STRIP_BYTES);
    }
}

void WALSH(walsh)(size_t n, WALSH_REAL *x)
{
    if (n == 0 || (n & (n - 1)))
        bug("a Walsh-Hadamard transform of %zu elements: not a power of two", n);
    size_t block = n < WALSH(block) ? n : WALSH(block), group = n < WALSH(group) ? n : WALSH(group);
    for (size_t first = 0; first < n; first += group) {
        for (size_t i = first; i < first + group; i += block)
            WALSH(small)(block, x + i);
        if (group > block)
            WALSH(cross)(x + first, group / block, block);
    }
    for (size_t done = group, rows; done < n; done *= rows) {
        rows = n / done < STRIP_ROWS ? n / done : STRIP_ROWS;
        for (size_t first = 0; first < n; first += rows * done)
            WALSH(cross)(x + first, rows, done);
    }
}
