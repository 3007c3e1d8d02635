/* recovery.h - faults of the emulated hardware while requests are served, from within `control` (serving.h).
 *
 * The loss of a device takes all KV of its instance with it: each shard has part of the tokens of all sequences, each
 * group some heads of them, so that no sequence's KV stays whole (KV whose device is left is of no use without the
 * rest). The sequences go back to the queue and are computed once more when it is their turn: prompt and answer so far,
 * as after a preemption by recompute, so that tokens do not change. Copies on the host (preemption by swap) are whole.
 */
#ifndef SERVING_RECOVERY_H
#define SERVING_RECOVERY_H

#include "serving/serving.h"

struct serving_loss {
    const struct serving_engine *engine; /* of the instance from now on; borrowed */
    int keeps_host;                      /* what is on the host stays and comes back; 0: it is computed once more */
    uint64_t time_ps;                    /* the instance does nothing for so long; above 0 */
    wide_uint energy_fj[N_ENERGY_PARTS]; /* of that time */
};

/* Local. Is the instance between iterations? Only then can it lose a device. */
int service_can_change(const struct service *service, uint32_t instance);

/* Local. There shall be an instant at at_ps (later than now), as long as requests are not served. One at a time. */
void service_wake(struct service *service, uint64_t at_ps);

/* Local. What faults have cost an instance up to now. */
struct serving_recovery service_recovery(const struct service *service, uint32_t instance);

/* Local. Counts a fault of an instance. */
void service_note_fault(struct service *service, uint32_t instance);

/* Local. An instance without prefill/decode split loses a device. Fault STATUS_DEVICE when a request that has not ended
 * has no room any more. */
enum status service_lose(struct service *service, uint32_t instance, const struct serving_loss *loss,
                         struct fault *fault);

#endif
