/* matrices.h - the frozen matrices that a device holds in its crossbars: their numbers, copies and whether they fit. */
#ifndef SCHEDULER_MATRICES_H
#define SCHEDULER_MATRICES_H

#include "graph/graph.h"
#include "scheduler/machine.h"

/* One matrix: rows of a parameter, from element `offset` on. */
struct matrix {
    const char *name; /* of the parameter */
    int64_t offset, out, in;
    uint64_t units; /* crossbars of one copy */
    uint32_t site;  /* number in the whole model, whatever device holds it: keys its random numbers */
};

struct matrices { /* of one device */
    int n, max;
    struct matrix *matrix;
    uint64_t units_needed, units_total; /* of one copy of all; what the device has */
    int64_t replicas;                   /* copies that fit: each takes a share of the rows */
    int fits;                           /* as many as were asked for */
};

/* Local. Finds the frozen products of a device's part and numbers their matrices. Fault STATUS_USAGE "reram0 needs
 * 9236 crossbars of 4032: ...". `replicas` 0: as many copies as fit, else so many (fault when they do not fit). */
enum status matrices_find(const struct machine *machine, int device, const struct graph *part, int64_t replicas,
                          struct arena *arena, struct matrices *matrices, struct fault *fault);

/* Local. Writes number, copies and site of each frozen product's matrix into its op. A matrix that matrices_find has
 * not seen is a bug(). */
void matrices_number(const struct matrices *matrices, struct graph *part);

/* Local. Number of the matrix that is the same one, rows and all; -1: it is not there. */
int matrices_find_same(const struct matrices *matrices, const struct matrix *matrix);

/* Local. Number of the matrix that a node multiplies with. */
int matrices_of(const struct matrices *matrices, const struct graph *part, const struct node *node);

#endif
