/* handover.h - a prefill/decode split: KV goes from the instance that prefilled to the one that decodes.
 *
 * The decode instance takes the KV over as soon as it has a place among its running and the blocks, in order of arrival
 * of the requests, and nobody who was preempted waits there. With static batching it takes
 * KV over only while nothing runs. Until the KV has arrived its blocks at the prefill
 * instance stay taken. Ports at both ends take one transfer at a time.
 */
#ifndef SERVING_HANDOVER_H
#define SERVING_HANDOVER_H

#include "serving/events.h"
#include "serving/instance.h"

/* Local. A prefilled sequence enters the inbox of a decode instance. */
void handover_offer(struct instance *to, struct sequence *sequence);

/* Local. Starts what transfers can start at now_ps; each becomes an event. `instance` are all of them. */
enum status handover_start(struct instance *instance, struct instance *to, uint64_t now_ps, struct events *events,
                           struct fault *fault);

/* Local. The KV has arrived: the sequence runs at `to`, its blocks at the source are released. */
void handover_end(struct instance *instance, struct instance *to, struct sequence *sequence);

#endif
