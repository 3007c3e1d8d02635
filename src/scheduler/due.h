/* due.h - the faults of a training job, in the order in which they strike. */
#ifndef SCHEDULER_DUE_H
#define SCHEDULER_DUE_H

#include <string.h>

#include "scheduler/training.h"

/* A fault of the job on its way. */
struct due {
    uint64_t at_ps;
    int number, device; /* in the job's list; in the machine */
};

static inline int due_is(const struct job_fault *fault, const char *kind)
{
    return strcmp(fault->kind, kind) == 0;
}

/* Local. Fault STATUS_USAGE: a fault of the job whose device the machine does not have, has lost before, or that cannot
 * have a fault of this kind. */
enum status due_check(const struct training *training, struct fault *fault);

/* Local. All of them, [job->n_faults] in the training's arena; after due_check. */
struct due *due_list(const struct training *training);

#endif
