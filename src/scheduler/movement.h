/* movement.h - how far weights move in a window of steps: the numbers that the tests of the mode switch want.
 *
 * The weights are those of the first GPU, as fetched to rank 0 at the start and at the end of a window; rank 0
 * computes, all ranks learn. No virtual time passes: as losses are, this is read out, not emulated.
 */
#ifndef SCHEDULER_MOVEMENT_H
#define SCHEDULER_MOVEMENT_H

#include "scheduler/switch.h"
#include "scheduler/training.h"

struct movement;

/* Local. Policy hpt watches Wq and Wv of one layer, safe every weight that the low-parameter mode gives an adapter. All
 * borrowed; memory in the training's arena but for the snapshot, which movement_close releases. */
struct movement *movement_open(const struct training *training, struct executor *executor,
                               const struct switch_config *config);
void movement_close(struct movement *movement);

/* Collective. A window starts here. */
enum status movement_begin(struct movement *movement, struct fault *fault);

/* Collective. A window ends here and the next one starts. Fills in what of `wants` (SWITCH_WANTS_) speaks of weights:
 * displacement (over all watched matrices), relative_displacement (memory of `movement`, until the next call), captured
 * and captured_own by randomized low-rank approximation (kernel/lowrank.h). Everything is NaN when no window was begun.
 */
enum status movement_end(struct movement *movement, int wants, struct switch_window *numbers, struct fault *fault);

/* Local. Saves or restores the weights at the start of the window; they are rank 0's, elsewhere nothing happens. */
void movement_archive(struct movement *movement, struct archive *archive);

#endif
