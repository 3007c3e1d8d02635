/* router.h - which instance gets a request. */
#ifndef SERVING_ROUTER_H
#define SERVING_ROUTER_H

#include "serving/instance.h"

/* The instances first .. first + n - 1 are served by one router. */
struct router {
    enum router_policy policy;
    uint32_t first, n;
    uint32_t next; /* round robin: offset of the next one */
};

/* Local. The instance for the next request: in turn, or that with the least load (then the lowest number), or the least
 * load less what it has cached of the prompt. Central queues have no say here: ROUTER_CENTRAL chooses the least load.
 */
uint32_t router_choose(struct router *router, const struct instance *instance, const struct sequence *sequence);

/* Local. For ROUTER_CENTRAL: among the instances between iterations that have room for the request now the one with
 * the least load, then the lowest number; -1 when none has. */
int64_t router_taker(const struct router *router, const struct instance *instance, const struct sequence *sequence);

/* Local. Saves or restores whose turn it is. */
void router_archive(struct router *router, struct archive *archive);

#endif
