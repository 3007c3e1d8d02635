#include "serving/router.h"

#include "serving/batching.h"

/* Tokens that the instance would still have to compute, but for those that every other would have to as well. Handed
 * over KV needs no cache. */
static int64_t burden(const struct router *router, const struct instance *instance, const struct sequence *s)
{
    int64_t load = (int64_t)instance->load;
    if (router->policy == ROUTER_PREFIX && instance->role != ROLE_DECODE)
        load -= batching_cached_tokens(instance, s);
    return load;
}

uint32_t router_choose(struct router *router, const struct instance *instance, const struct sequence *s)
{
    if (router->policy == ROUTER_ROUND_ROBIN) {
        uint32_t chosen = router->first + router->next;
        router->next = (router->next + 1) % router->n;
        return chosen;
    }
    uint32_t best = router->first;
    int64_t least = burden(router, &instance[best], s);
    for (uint32_t i = router->first + 1; i < router->first + router->n; i++) {
        int64_t here = burden(router, &instance[i], s);
        if (here < least) {
            best = i;
            least = here;
        }
    }
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

void router_archive(struct router *router, struct archive *archive)
{
    archive_field(archive, "next", &router->next);
}
