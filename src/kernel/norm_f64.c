#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernel/dropout.h"
#include "kernel/ops.h"

static double masked(double mask, double value)
{
    return mask > 0 ? mask * value : 0;
}

KERNEL_F64(norm_f64)
{
    size_t n = (size_t)op->in;
    if (in[1] && !out[1])
        bug("norm of a sum without a place for it");
    for (size_t t = 0; t < (size_t)op->rows; t++) {
        double *s = out[1] ? out[1] + t * n : NULL, *stats = out[2] + 2 * t, mean = 0, variance = 0;
        const double *row = in[1] && s ? s : in[0] + t * n;
        for (size_t c = 0; in[1] && s && c < n; c++)
            s[c] = in[0][t * n + c] + masked(dropout_factor(op, context, t, c), in[1][t * n + c]);
        for (size_t c = 0; c < n; c++)
            mean += row[c] / (double)n;
        for (size_t c = 0; c < n; c++)
            variance += (row[c] - mean) * (row[c] - mean) / (double)n;
        stats[0] = mean;
        stats[1] = 1 / sqrt(variance + op->eps);
        for (size_t c = 0; c < n; c++)
            out[0][t * n + c] = (row[c] - mean) * stats[1] * in[2][c] + in[3][c];
    }
}

KERNEL_F64(norm_bwd_f64)
{
    size_t n = (size_t)op->in;
    double *dgamma = out[2], *dbeta = out[3];
    for (size_t c = 0; c < n; c++) {
        if (dgamma)
            dgamma[c] = 0;
        if (dbeta)
            dbeta[c] = 0;
    }
    for (size_t t = 0; t < (size_t)op->rows; t++) {
        const double *dy = in[0] + t * n, *s = in[1] + t * n, *stats = in[2] + 2 * t, *gamma = in[3];
        double mean_g = 0, mean_g_unit = 0;
        for (size_t c = 0; c < n; c++) {
            double unit = (s[c] - stats[0]) * stats[1];
            mean_g += dy[c] * gamma[c] / (double)n;
            mean_g_unit += dy[c] * gamma[c] * unit / (double)n;
            if (dgamma)
                dgamma[c] += dy[c] * unit;
            if (dbeta)
                dbeta[c] += dy[c];
        }
        for (size_t c = 0; c < n; c++) {
            double unit = (s[c] - stats[0]) * stats[1];
            double fresh = (dy[c] * gamma[c] - mean_g - unit * mean_g_unit) * stats[1];
            if (op->dropout > 0 && out[1])
                out[1][t * n + c] = masked(dropout_factor(op, context, t, c), fresh);
            out[0][t * n + c] = fresh + (op->accumulate ? out[0][t * n + c] : 0);
        }
    }
}
