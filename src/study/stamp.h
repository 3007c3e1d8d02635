/* stamp.h - how a point went, beside its results: point.json.
 *
 * It is written before a run starts and replaced when it has ended. A point is done when its stamp says so for the same
 * hash of everything that the result depends on (study_point.hash).
 */
#ifndef STUDY_STAMP_H
#define STUDY_STAMP_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum stamp_state {
    STAMP_NONE,    /* no stamp, or one of other content */
    STAMP_STARTED, /* runs, or was killed with the study */
    STAMP_STOPPED, /* by a signal or a limit; goes on from its checkpoint when there is one */
    STAMP_FAILED,
    STAMP_DONE
};

enum { STAMP_MAX_REPEATS = 100 };

struct stamp {
    enum stamp_state state;
    int64_t point;
    uint64_t hash;
    int exit_status; /* of the run; 128 + n: ended by signal n */
    const char *message;
    int n_wall;
    double wall_s[STAMP_MAX_REPEATS]; /* of each repetition */
};

/* Local. The stamp in a folder; STAMP_NONE when there is none, or none that can be read. */
void stamp_read(const char *folder, struct arena *arena, struct stamp *stamp);

/* Local. Replaces it. Fault STATUS_IO. */
enum status stamp_write(const char *folder, const struct stamp *stamp, struct fault *fault);

#endif
