/* progress.h - how far a long run has come, on stderr: one line that is rewritten on a terminal, a sparse line in a
 * log. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

struct progress {
    const char *what; /* "train" */
    const char *unit; /* "samples" */
    uint64_t total;   /* steps */
    double units_per_step;
    double start_s, last_s;
    uint64_t first; /* steps that were done before the start */
    int to_terminal, quiet, shown;
};

/* Local. `quiet` shows nothing. */
void progress_start(struct progress *progress, const char *what, const char *unit, uint64_t total,
                    double units_per_step, int quiet);

/* Local. The run goes on from a checkpoint: so many steps are done and count for no rate. */
void progress_skip(struct progress *progress, uint64_t done);

/* Local. After `done` steps; `note` is a short text ("loss 0.123"). Prints at most every 0.2 s on a terminal, every 10
 * s elsewhere. */
void progress_show(struct progress *progress, uint64_t done, const char *note);

/* Local. Ends the line. */
void progress_end(struct progress *progress);

#endif
