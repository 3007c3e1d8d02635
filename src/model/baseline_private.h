/* baseline_private.h - what the files of the baselines share. */
#ifndef MODEL_BASELINE_PRIVATE_H
#define MODEL_BASELINE_PRIVATE_H

#include "model/baseline.h"

struct baseline_work {
    const struct baseline_problem *problem;
    double *mean, *sd; /* [stations] of the training rows */
    double *phase;     /* [period_rows][stations] means of the training rows of each phase of the season; NULL: none */
    int64_t ar_order;  /* 0: no AR */
    double *ar;        /* [stations][ar_order + 1]: newest row first, then the intercept */
    int64_t var_order; /* 0: no VAR */
    double *var;       /* [var_order * stations][stations]: newest row first */
    double *history;   /* [max order + horizon][stations]: scratch of a prediction, z-scores */
};

/* Local. The z-score of a value, 0 (the mean) where it is missing. */
double baseline_score(const struct baseline_work *work, int64_t row, int64_t station);

/* Local. 1 when the value is there. */
int baseline_present(const struct baseline_problem *problem, int64_t row, int64_t station);

/* Local. Fits the AR of every station, the VAR. Orders become 0 when the training rows do not allow a fit.
 * Fault STATUS_FAILED when memory is short. */
enum status baseline_fit_ar(struct baseline_work *work, struct fault *fault);
enum status baseline_fit_var(struct baseline_work *work, struct fault *fault);

#endif
