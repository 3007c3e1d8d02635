/* choose.h - placement.policy auto: what each placement of a job would take, and the one that takes least.
 *
 * A placement is priced by a timing-only run of the whole job: the same programs, costs and clocks as the run itself.
 * Policies that switch by tests are priced at the earliest step at which they can switch; safe's pay-off test is made.
 * A width of adapters that is left to a test is priced as the widest that it may choose.
 */
#ifndef SCHEDULER_CHOOSE_H
#define SCHEDULER_CHOOSE_H

#include "scheduler/train.h"

/* Local. Runs the job under a placement ("gpu-only" "hpt") timing-only, in this process alone. A placement that cannot
 * be (no device of a kind, no memory, no switch) gives candidate->problem, in the arena, and no fault.
 * priced->switch_step: the last step before low-parameter steps, or -1; priced->adapter_width. */
void choose_price(const struct job *job, const char *policy, struct arena *arena, struct run_candidate *candidate,
                  struct run_choice *priced);

/* Collective. training_open; with policy auto it first sets job->placement.chosen on all ranks, and then the training's
 * choice on rank 0. The first candidate (gpu-only) wins a tie. Fault STATUS_USAGE when neither can be. All ranks return
 * the same status. */
enum status choose_open(struct comm *comm, struct job *job, int timing_only, struct arena *arena,
                        struct training *training, struct fault *fault);

#endif
