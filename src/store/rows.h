/* rows.h - a text file that grows row by row while a run goes on, and is cut back to what a checkpoint knows of it.
 *
 * The file is its own from the first row on (no temporary name): a run that is stopped leaves what it has written.
 * A checkpoint holds the length of the file and a hash of its content so far; a run that goes on compares both and
 * drops what was written later.
 */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include <stdint.h>
#include <stdio.h>

#include "base/archive.h"
#include "base/status.h"

struct rows {
    FILE *file;                       /* NULL: not open */
    const char *path;                 /* borrowed */
    uint64_t saved_bytes, saved_hash; /* at the last checkpoint */
};

/* Local. Creates the file; replaces one that is there. Fault STATUS_IO, as of all functions here. */
enum status rows_open(struct rows *rows, const char *path, struct fault *fault);

/* Local. Has everything that was written come to the system? */
enum status rows_flush(struct rows *rows, struct fault *fault);

/* Local. Saves: brings the rows to the disk first. Restores: opens `path`, whose beginning must be what was saved, cuts
 * it back and goes on behind it. Faults of the file go to `fault`, those of the archive stay with it. */
enum status rows_archive(struct rows *rows, const char *path, struct archive *archive, struct fault *fault);

/* Local. Also after a fault, and when it was never opened. */
enum status rows_close(struct rows *rows, struct fault *fault);

#endif
