/* serving_csv.h - one row for each request, written when the request ends, so that a run that is stopped leaves rows.
 *
 * Columns: snake_case with the unit at the end; docs/serving.md lists them. The file is its own from the first row on
 * (no temporary name) and every row is flushed. Times in seconds with twelve decimals are exact.
 */
#ifndef REPORT_SERVING_CSV_H
#define REPORT_SERVING_CSV_H

#include "base/archive.h"
#include "base/status.h"
#include "store/rows.h"
#include "store/served.h"

struct serving_csv {
    struct rows rows;
    uint64_t n_rows;
};

/* Local. Creates the file (replaces one that is there) and writes the header. Fault STATUS_IO. */
enum status serving_csv_open(struct serving_csv *csv, const char *path, struct fault *fault);

/* Local. Saves how far the file is; restores: opens it, cut back to that (store/rows.h). */
enum status serving_csv_archive(struct serving_csv *csv, const char *path, struct archive *archive,
                                struct fault *fault);

/* Local. One row. `csv` is a struct serving_csv: this is a `finished` of struct serving_sink. Fault STATUS_IO. */
enum status serving_csv_row(void *csv, const struct served *record, struct fault *fault);

/* Local. Closes; STATUS_IO when any write has failed. Also after a fault. */
enum status serving_csv_close(struct serving_csv *csv, struct fault *fault);

#endif
