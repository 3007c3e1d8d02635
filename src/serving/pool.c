#include "serving/pool.h"

static int class_of(size_t bytes)
{
    int class = 0;
    for (size_t size = POOL_LEAST_BYTES; size < bytes; size *= 2)
        class ++;
    if (class >= POOL_CLASSES)
        bug("an array of %zu bytes", bytes);
    return class;
}

void pool_init(struct pool *pool, struct arena *arena)
{
    *pool = (struct pool){.arena = arena};
}

void *pool_take(struct pool *pool, size_t bytes)
{
    if (bytes == 0)
        return NULL;
    int class = class_of(bytes);
    struct pool_link *link = pool->free[class];
    if (!link)
        return arena_take(pool->arena, (size_t)POOL_LEAST_BYTES << class);
    pool->free[class] = link->next;
    return link;
}

void pool_give(struct pool *pool, void *array, size_t bytes)
{
    if (!array)
        return;
    int class = class_of(bytes);
    struct pool_link *link = array;
    link->next = pool->free[class];
    pool->free[class] = link;
}
