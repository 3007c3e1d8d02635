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

/* Local. Reads the number of rows from the scale; 0 when the file has none. */
void columns_find(struct columns *c);

/* Local. A column of the table, in the arena; NULL after a fault. Fault STATUS_USAGE: another length. */
void *columns_get(struct columns *c, const char *name, enum h5_type type);
const char *const *columns_get_names(struct columns *c, const char *name);

#endif
