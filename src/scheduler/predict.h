/* predict.h - what the steps of a run will cost, before it runs: the numbers of the switch's pay-off test. */
#ifndef SCHEDULER_PREDICT_H
#define SCHEDULER_PREDICT_H

#include "scheduler/switch.h"
#include "scheduler/training.h"

/* Collective. Runs PROGRAM_TRAIN, PROGRAM_LOW and PROGRAM_HANDOVER of a plan for the training's machine (adapters of
 * this width) without tensors, each three times on clocks of their own, and takes the last run less the one before.
 *
 * Energy of a run: its instructions', and what all devices of the machine spend meanwhile on waiting and idling.
 *
 * A trial of k steps: the two arms run side by side on different devices, so beyond k full steps it takes a handover
 * and what k low steps last longer; its energy is that of the instructions of the handover and of k low steps, and
 * waiting power of all devices for the longer time. What the trial's devices spare in stand-by power is not deducted.
 *
 * Programs are priced as they stand; a step's cost does not depend on the data. */
enum status predict_costs(const struct training *training, const struct plan *plan, int64_t trial_steps,
                          struct switch_costs *costs, struct fault *fault);

/* Collective. The same of a plan with adapters of this width, which is not kept: of the plan of now when it has them,
 * else of one made for them (a handover programs all matrices). Fault STATUS_USAGE: there is none. */
enum status predict_costs_of_width(const struct training *training, int64_t width, int64_t trial_steps,
                                   struct switch_costs *costs, struct fault *fault);

#endif
