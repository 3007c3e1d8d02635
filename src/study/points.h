/* points.h - the points of a study: which runs it stands for, in a fixed order.
 *
 * Points are the product of the combinations of the grid, the places of the zipped lists, the samples, the counts of a
 * scaling study and the replicas; what is named later varies faster. A point's values depend on the study alone: the
 * same samples whatever else varies, and a key that is added does not change the draws of another.
 */
#ifndef STUDY_POINTS_H
#define STUDY_POINTS_H

#include "config/study.h"

struct study_point {
    int64_t number;           /* from 1 */
    const char *const *value; /* [n_axes] as --set takes them */
    const double *x;          /* [n_axes] the same as numbers in base units; NaN: no number */
    int64_t group;            /* from 0; its points differ in their seed alone */
    int64_t series;           /* from 0; scaling: its points differ in their count alone */
    uint64_t seed;            /* of the run */
    int64_t ranks;            /* MPI ranks of the run */
    int n_overrides;          /* of the job: "key=value" */
    const char *const *override;
    uint64_t hash; /* of everything that the run's result depends on: the resolved job, the version, how it is run */
};

struct study_points {
    int64_t n, n_groups, n_series;
    int serves; /* the job serves a decoder; else it trains */
    const char *job;
    struct study_point *point;
};

/* What the command line adds to a study. */
struct study_extra {
    int n_overrides;
    const char *const *override;
    int timing_only;
};

/* Local. Makes all points and reads the job of each with its overrides, so that what cannot be read is refused before
 * anything runs. Fault STATUS_USAGE "study.yaml:12: point 3: ..."; STATUS_IO. */
enum status study_points(const struct study *study, const struct study_extra *extra, struct arena *arena,
                         struct study_points *points, struct fault *fault);

#endif
