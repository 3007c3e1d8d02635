#include "model/metrics.h"

#include <math.h>

static const double SMALLEST_RELATIVE = 1e-3;

void metric_add(struct metric_row *row, double prediction, double observation)
{
    double error = prediction - observation;
    row->count += 1;
    row->absolute += fabs(error);
    row->square += error * error;
    row->observed += observation;
    row->observed_square += observation * observation;
    if (fabs(observation) > SMALLEST_RELATIVE) {
        row->relative += fabs(error / observation);
        row->relative_count += 1;
    }
}

static void row_merge(struct metric_row *to, const struct metric_row *from)
{
    to->count += from->count;
    to->absolute += from->absolute;
    to->square += from->square;
    to->relative += from->relative;
    to->relative_count += from->relative_count;
    to->observed += from->observed;
    to->observed_square += from->observed_square;
}

void metric_merge(struct metric_sums *to, const struct metric_sums *from)
{
    if (from->n_horizons) /* 0: a device that took no part */
        to->n_horizons = from->n_horizons;
    for (int h = 0; h < from->n_horizons; h++)
        row_merge(&to->row[h], &from->row[h]);
    to->loss_sum += from->loss_sum;
    to->loss_count += from->loss_count;
}

struct metric_row metric_total(const struct metric_sums *sums)
{
    struct metric_row total = {0};
    for (int h = 0; h < sums->n_horizons; h++)
        row_merge(&total, &sums->row[h]);
    return total;
}

double metric_mae(const struct metric_row *row)
{
    return row->absolute / row->count;
}

double metric_rmse(const struct metric_row *row)
{
    return sqrt(row->square / row->count);
}

double metric_mape_percent(const struct metric_row *row)
{
    return 100 * row->relative / row->relative_count;
}

double metric_nse(const struct metric_row *row)
{
    double spread = row->observed_square - row->observed * row->observed / row->count;
    return spread > 0 ? 1 - row->square / spread : NAN;
}
