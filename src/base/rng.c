#include "base/rng.h"

#include <math.h>

enum { ROUNDS = 10 };

__extension__ typedef unsigned __int128 wide;

struct rng_key rng_key(uint64_t seed, enum rng_purpose purpose, uint32_t place)
{
    /* The purpose goes into the high key word by an odd multiplier: distinct purposes never share a key of one seed. */
    struct rng_key key = {{(uint32_t)seed, (uint32_t)(seed >> 32) ^ (uint32_t)purpose * 0x9E3779B1u}, place};
    return key;
}

void rng_block(struct rng_key key, uint32_t step, uint64_t index, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = step, c3 = key.place;
    uint32_t k0 = key.word[0], k1 = key.word[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static double unit_interval(uint32_t high, uint32_t low)
{
    uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return (double)bits * 0x1p-53;
}

double rng_uniform(struct rng_key key, uint32_t step, uint64_t i)
{
    uint32_t word[4];
    rng_block(key, step, i / 2, word);
    return i % 2 ? unit_interval(word[2], word[3]) : unit_interval(word[0], word[1]);
}

void rng_normal_pair(struct rng_key key, uint32_t step, uint64_t pair, double out[2])
{
    uint32_t word[4];
    rng_block(key, step, pair, word);
    double radius = sqrt(-2.0 * log(1.0 - unit_interval(word[0], word[1])));
    double angle = 6.283185307179586476925 * unit_interval(word[2], word[3]);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

double rng_normal(struct rng_key key, uint32_t step, uint64_t i)
{
    double pair[2];
    rng_normal_pair(key, step, i / 2, pair);
    return pair[i % 2];
}

uint64_t rng_below(struct rng_key key, uint32_t step, uint64_t i, uint64_t n)
{
    uint32_t word[4];
    rng_block(key, step, i, word);
    uint64_t bits = (uint64_t)word[0] << 32 | word[1];
    return (uint64_t)(((wide)bits * n) >> 64);
}

void rng_permutation(struct rng_key key, uint32_t step, uint32_t n, uint32_t *order)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = (uint32_t)rng_below(key, step, i, i), swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}
