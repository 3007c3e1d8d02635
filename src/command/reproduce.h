/* reproduce.h - measured against predicted errors of crossbar reads (docs/reram.md). */
#ifndef COMMAND_REPRODUCE_H
#define COMMAND_REPRODUCE_H

#include <stdint.h>
#include <stdio.h>

/* One experiment: the mean square error of reads in integer units of weight times input, against its formula. */
struct reram_experiment {
    const char *name;
    double measured, predicted; /* mean square errors */
    double signal;              /* mean square of the exact results */
    double tolerance;           /* by which measured / predicted may be off 1 */
};

/* Local. The i-th experiment with `columns` results of 128 lines and 16 reads; 0 after the last. A pure function of
 * seed and columns. Formulas: docs/reram.md section 3. */
int reram_experiment(int i, uint64_t seed, int64_t columns, struct reram_experiment *experiment);

#endif
