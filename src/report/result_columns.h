/* result_columns.h - a group of a result file as a table: columns over one scale, for the writers and readers of the
 * parts that not every run has.
 *
 * After the first fault nothing more is written or read, so that calls in a row need no checks of their own.
 */
#ifndef REPORT_RESULT_COLUMNS_H
#define REPORT_RESULT_COLUMNS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/wide.h"
#include "store/h5.h"

struct columns {
    struct h5 *file;
    struct arena *arena;
    struct fault *fault;
    const char *group, *scale; /* "/phase", "/phase/phase" */
    int64_t n;                 /* rows */
};

/* Local. A table of n rows in a group; `scale` is the name of its dimension there. Writes nothing. */
struct columns columns_of(struct h5 *file, struct arena *arena, struct fault *fault, const char *group,
                          const char *scale, int64_t n);

/* Local. Has there been a fault? */
int columns_failed(const struct columns *c);

/* Local. "/phase/NAME". */
const char *columns_path(const struct columns *c, const char *name);

/* Local. Writes the scale, which counts from `first`; columns of numbers [n] and of names. */
void columns_put_scale(struct columns *c, int64_t first, const char *long_name);
void columns_put(struct columns *c, const char *name, enum h5_type type, const void *values, const char *units,
                 const char *long_name);
void columns_put_names(struct columns *c, const char *name, const char *const *names, const char *long_name);

/* Local. The scale as names of the rows; a further axis of the group, with names along it. */
void columns_put_name_scale(struct columns *c, const char *const *names, const char *long_name);
void columns_put_axis(struct columns *c, const char *axis, int64_t n, const char *const *names, const char *long_name);

/* Axes of a table behind the rows. */
struct columns_axes {
    int n;               /* 0 to 2 */
    const char *name[2]; /* columns_put_axis */
    int64_t length[2];
};

/* Local. Numbers [n, lengths of the axes]. Energies in fJ stand as NAME_j in joules (the exact value rounded once), and
 * exactly as NAME_whole_j and NAME_rest_fj. */
void columns_put_table(struct columns *c, const char *name, const struct columns_axes *axes, enum h5_type type,
                       const void *values, const char *units, const char *long_name);
void columns_put_energies(struct columns *c, const char *name, const struct columns_axes *axes,
                          const wide_uint *energy_fj, const char *long_name);

/* Local. Reads the number of rows from the scale; 0 when the file has none. */
void columns_find(struct columns *c);

/* Local. A column of the table, in the arena; NULL after a fault. Fault STATUS_USAGE: another length. */
void *columns_get(struct columns *c, const char *name, enum h5_type type);
const char *const *columns_get_names(struct columns *c, const char *name);

/* Local. The same of a table; its energies in fJ. */
void *columns_get_table(struct columns *c, const char *name, const struct columns_axes *axes, enum h5_type type);
const wide_uint *columns_get_energies(struct columns *c, const char *name, const struct columns_axes *axes);

/* Local. Fault STATUS_USAGE when an axis of the file has other names than this program's n. */
void columns_check_axis(struct columns *c, const char *axis, int n, const char *const *expected);

#endif
