/* rng.h - counter-based random numbers (Philox 4x32-10).
 *
 * A number is a pure function of a key (seed, purpose, place) and a counter (step, element): it depends on what it is
 * for, never on rank, thread, device or the numbers drawn before.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; constants table 2 there.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

enum rng_purpose {
    RNG_INIT = 1, /* initial weights; place = tensor number */
    RNG_SHUFFLE,  /* order of samples; place = epoch */
    RNG_DROPOUT,  /* masks; place = site in the graph */
    RNG_SYNTH,    /* synthetic data */
    RNG_TEST,     /* property tests */
    RNG_PROGRAM,  /* programming of cells; place = number of the matrix, step = when it was written */
    RNG_READ,     /* read noise of crossbars; place = number of the matrix */
    RNG_STUCK,    /* cells that do not take what is written; place = number of the matrix */
    RNG_DRIFT,    /* how fast each cell drifts; place = number of the matrix */
    RNG_FASTFOOD, /* random projections; place = site in the graph */
    RNG_PROBE,    /* probes of a low-rank approximation; place = matrix */
    RNG_TOKEN,    /* sampling of tokens; place = number of the request */
    RNG_ARRIVAL,  /* gaps between requests; place = 0, step = attempt, element = request */
    RNG_LENGTH,   /* lengths of requests; place = 0 prompts, 1 answers, 2 lines of a trace; element = request */
    RNG_SEARCH,   /* points of a search for a minimum; place = which search, step = cloud */
    RNG_STUDY,    /* values of a study's samples; place = hash of the key, step = 0 values, 1 order of strata */
    RNG_COLUMN    /* columns that a fault makes stick; place = number of the matrix, element = column */
};

struct rng_key {
    uint32_t word[2];
    uint32_t place;
};

/* Local. The key of one stream: `seed` of the job, what for, and where. */
struct rng_key rng_key(uint64_t seed, enum rng_purpose purpose, uint32_t place);

/* Local. The four 32-bit words of block (step, index). */
void rng_block(struct rng_key key, uint32_t step, uint64_t index, uint32_t out[4]);

/* Local. Element `i` of the stream: uniform in [0, 1) with 53 bits, never 1. */
double rng_uniform(struct rng_key key, uint32_t step, uint64_t i);

/* Local. Element `i` of the stream: standard normal (Box-Muller). */
double rng_normal(struct rng_key key, uint32_t step, uint64_t i);

/* Local. Elements 2 * pair and 2 * pair + 1 of the same stream, in half the time. */
void rng_normal_pair(struct rng_key key, uint32_t step, uint64_t pair, double out[2]);

/* Local. Element `i`: integer in [0, n), n > 0, without modulo bias that matters (64-bit multiply-shift). */
uint64_t rng_below(struct rng_key key, uint32_t step, uint64_t i, uint64_t n);

/* Local. A permutation of 0..n-1 (Fisher-Yates). */
void rng_permutation(struct rng_key key, uint32_t step, uint32_t n, uint32_t *order);

#endif
