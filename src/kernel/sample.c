#include "kernel/sample.h"

#include <math.h>

#include "base/rng.h"

static int32_t largest(int64_t n, const double *x)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[best]) && !isnan(x[i])))
            best = i;
    return (int32_t)best;
}

/* Descending by share, ascending by number among equals: a heap sort, since equal shares must not depend on a library.
 */
static int comes_before(const double *share, uint32_t a, uint32_t b)
{
    return share[a] != share[b] ? share[a] > share[b] : a < b;
}

static void sift(const double *share, uint32_t *heap, int64_t n, int64_t i)
{
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && comes_before(share, heap[child], heap[child + 1]))
            child++;
        if (!comes_before(share, heap[i], heap[child]))
            return;
        uint32_t swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
    }
}

static void sort_by_share(const double *share, uint32_t *order, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (int64_t i = n / 2; i-- > 0;)
        sift(share, order, n, i);
    for (int64_t end = n - 1; end > 0; end--) {
        uint32_t swap = order[0];
        order[0] = order[end];
        order[end] = swap;
        sift(share, order, end, 0);
    }
}

/* Logits become shares of 1. */
static void softmax(int64_t n, double *x, double temperature)
{
    double top = x[largest(n, x)], sum = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = isnan(x[i]) ? 0 : exp((x[i] - top) / temperature);
        sum += x[i];
    }
    for (int64_t i = 0; i < n; i++)
        x[i] /= sum;
}

int32_t sample_token(int64_t n, double *logits, uint32_t *order, const struct batch_part *part, uint64_t seed)
{
    int32_t best = largest(n, logits);
    if (!(part->temperature > 0) || !isfinite(logits[best]))
        return best;
    softmax(n, logits, (double)part->temperature);
    sort_by_share(logits, order, n);
    double kept = 0, below = 0;
    int64_t n_kept = 0;
    while (n_kept < n && (n_kept == 0 || kept < (double)part->top_p))
        kept += logits[order[n_kept++]];
    struct rng_key key = rng_key(seed, RNG_TOKEN, part->request);
    double at = kept * rng_uniform(key, 0, (uint64_t)(part->context + part->tokens));
    for (int64_t i = 0; i < n_kept; i++) {
        below += logits[order[i]];
        if (at < below)
            return (int32_t)order[i];
    }
    return (int32_t)order[n_kept - 1];
}
