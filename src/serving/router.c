#include "serving/router.h"

#include "serving/batching.h"

uint32_t router_choose(struct router *router, const struct instance *instance)
{
    if (router->policy == ROUTER_ROUND_ROBIN) {
        uint32_t chosen = router->first + router->next;
        router->next = (router->next + 1) % router->n;
        return chosen;
    }
    uint32_t best = router->first;
    for (uint32_t i = router->first + 1; i < router->first + router->n; i++)
        if (instance[i].load < instance[best].load)
            best = i;
    return best;
}

int64_t router_taker(const struct router *router, const struct instance *instance, const struct sequence *sequence)
{
    int64_t best = -1;
    for (uint32_t i = router->first; i < router->first + router->n; i++)
        if (!instance[i].is_busy && (best < 0 || instance[i].load < instance[best].load) &&
            batching_has_room(&instance[i], sequence))
            best = i;
    return best;
}
