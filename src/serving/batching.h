/* batching.h - which sequences an iteration holds: admission, chunks, preemption. Rules: docs/serving.md. */
#ifndef SERVING_BATCHING_H
#define SERVING_BATCHING_H

#include "serving/instance.h"

/* Local. Forms the next iteration of an idle instance: admits from the queue, preempts when KV runs out, gives each
 * sequence its chunk and fills instance->iteration and ->work. n_work 0: nothing can run now. The time of swaps is left
 * in instance->move_ps, their energy counted. */
enum status batching_form(struct instance *instance, uint64_t now_ps, struct fault *fault);

/* Local. Would the head of another queue be admitted at once? For ROUTER_CENTRAL. */
int batching_has_room(const struct instance *instance, const struct sequence *sequence);

/* Local. Tokens of the prompt that an admission now would find in the cache. */
uint32_t batching_cached_tokens(const struct instance *instance, const struct sequence *sequence);

/* Local. Has the instance anything in its queue or among its running? */
int batching_has_work(const struct instance *instance);

#endif
