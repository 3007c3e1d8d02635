/* low.h - the low-parameter mode of placement `hpt`: its step, its evaluation, the handover and the way
 * back, as programs. */
#ifndef SCHEDULER_LOW_H
#define SCHEDULER_LOW_H

#include "config/job.h"
#include "graph/graph.h"
#include "model/family.h"
#include "plan/program.h"
#include "scheduler/machine.h"
#include "scheduler/matrices.h"

struct low_request {
    const struct job *job;
    const struct model_config *config; /* of the full model, with the adapters of the low mode */
    const struct machine *machine;
    const struct optimiser *optimiser;
    const struct graph *full; /* of a training step on the first GPU */
    int first_gpu;
    const struct matrices *held; /* [n_devices] what crossbars hold already; NULL: nothing that would be of use */
    struct arena *arena;
};

/* Local. Fills PROGRAM_LOW, PROGRAM_LOW_EVALUATE, PROGRAM_HANDOVER and PROGRAM_RETURN of the plan, and PROGRAM_REPAIR
 * where something is held but not all; PROGRAM_TRAIN must be there. matrices[n_devices], in the arena: what each device
 * holds in crossbars. Fault STATUS_USAGE: no device of a kind that the mode needs, matrices or tensors that do not fit,
 * micro-batches that do not divide the minibatch. */
enum status low_build(const struct low_request *request, struct plan *plan, struct matrices **matrices,
                      struct fault *fault);

#endif
