#include "study/pareto.h"

#include <math.h>
#include <stdlib.h>

#include "base/status.h"

/* A point with objectives that are all to be small; missing ones are infinite, so that an order exists. */
struct candidate {
    double value[PARETO_MAX_OBJECTIVES];
    int64_t index;
};

static int compare(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;
    for (int j = 0; j < PARETO_MAX_OBJECTIVES; j++)
        if (left->value[j] != right->value[j])
            return left->value[j] < right->value[j] ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static int beats(const struct candidate *a, const struct candidate *b)
{
    int is_better = 0;
    for (int j = 0; j < PARETO_MAX_OBJECTIVES; j++) {
        if (a->value[j] > b->value[j])
            return 0;
        is_better |= a->value[j] < b->value[j];
    }
    return is_better;
}

/* In ascending order only points of the front found so far can beat the next one: what is beaten by a beaten point is
 * beaten by the beater, too. With two objectives the last one found has the smallest second value. */
static void sweep(struct candidate *sorted, int64_t n, int n_objectives, uint8_t *on_front)
{
    int64_t n_front = 0;
    for (int64_t i = 0; i < n; i++) {
        int is_beaten = 0;
        for (int64_t f = n_objectives == 2 && n_front > 0 ? n_front - 1 : 0; f < n_front && !is_beaten; f++)
            is_beaten = beats(&sorted[f], &sorted[i]);
        if (is_beaten)
            continue;
        on_front[sorted[i].index] = 1;
        sorted[n_front++] = sorted[i]; /* n_front <= i: nothing unread is lost */
    }
}

void pareto_front(int64_t n, int n_objectives, const double *value, const int *sign, uint8_t *on_front)
{
    struct candidate *sorted = calloc((size_t)n + 1, sizeof *sorted);
    int64_t n_complete = 0;
    if (!sorted || n_objectives < 1 || n_objectives > PARETO_MAX_OBJECTIVES)
        bug("no room for a front of %d objectives", n_objectives);
    for (int64_t i = 0; i < n; i++) {
        struct candidate *candidate = &sorted[n_complete];
        int is_complete = 1;
        *candidate = (struct candidate){.index = i};
        for (int j = 0; j < n_objectives; j++) {
            candidate->value[j] = sign[j] * value[i * n_objectives + j];
            is_complete &= !isnan(candidate->value[j]);
        }
        on_front[i] = 0;
        n_complete += is_complete;
    }
    qsort(sorted, (size_t)n_complete, sizeof *sorted, compare);
    sweep(sorted, n_complete, n_objectives, on_front);
    free(sorted);
}
