/* interrupt.h - signals that ask a run to stop: TERM, INT, USR1.
 *
 * The handler only counts; the run looks at the count after each step and all ranks agree. The third signal to a
 * process has its usual effect and ends it.
 */
#ifndef CLUSTER_INTERRUPT_H
#define CLUSTER_INTERRUPT_H

/* Local. Catches them from here on. */
void interrupts_watch(void);

/* Local. How many have come to this process. */
int interrupts_caught(void);

#endif
