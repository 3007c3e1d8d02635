/* metrics.h - sums of errors per horizon, in data units; from them MAE, RMSE, MAPE and NSE.
 *
 * Sums are doubles added sample by sample in order; merging in a fixed order (by device) gives the same bytes for every
 * number of ranks.
 */
#ifndef MODEL_METRICS_H
#define MODEL_METRICS_H

#include <stdint.h>

enum { METRIC_MAX_HORIZON = 512 };

struct metric_row {
    double count;
    double absolute, square; /* of prediction - observation */
    double relative,
        relative_count; /* |error| / |observation| where |observation| > 1e-3 (MAPE is undefined at zero) */
    double observed, observed_square; /* for NSE */
};

struct metric_sums {
    int n_horizons;
    struct metric_row row[METRIC_MAX_HORIZON];
    double loss_sum, loss_count;
};

/* Local. Adds one pair. */
void metric_add(struct metric_row *row, double prediction, double observation);

/* Local. to += from, row by row. */
void metric_merge(struct metric_sums *to, const struct metric_sums *from);

/* Local. The sum of all horizons' rows. */
struct metric_row metric_total(const struct metric_sums *sums);

/* Local. NaN when nothing was counted. NSE = 1 - sum of squares / (variance of the observations * n). */
double metric_mae(const struct metric_row *row);
double metric_rmse(const struct metric_row *row);
double metric_mape_percent(const struct metric_row *row);
double metric_nse(const struct metric_row *row);

#endif
