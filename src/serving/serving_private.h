/* serving_private.h - a run under way: serving.c (its course), service_archive.c (saved and restored), recovery.c (the
 * loss of a device). */
#ifndef SERVING_SERVING_PRIVATE_H
#define SERVING_SERVING_PRIVATE_H

#include "serving/batching.h"
#include "serving/events.h"
#include "serving/histogram.h"
#include "serving/router.h"

struct service {
    const struct serving_config *config;
    const struct requests *requests;
    struct serving_sink sink;
    struct hearing hearing;
    struct fault *fault;
    struct arena *arena; /* of the run, not of the result */
    struct pool pool;
    struct instance *instance;
    uint32_t n_instances;
    int functional;
    struct router entry, decode; /* for arrivals; for the second half of a split */
    struct queue central;
    struct events events;
    uint32_t *touched, n_touched; /* instances that may have something to do now */
    uint8_t *is_touched;
    struct histogram *itl;
    struct served *record;
    size_t next_arrival, n_finished;
    uint32_t n_in_system;
    uint64_t now_ps;
    uint64_t wake_ps; /* an instant that is wanted; UINT64_MAX: none */
    wide_uint in_system_ps;
};

/* Local. Every change of an instance begins here: its usage is integrated up to now. */
struct instance *service_touch(struct service *service, uint32_t instance);

/* Local. check.c: can this request be served on an engine that is instance i? */
enum status serving_check_request(const struct serving_config *config, const struct requests *requests, size_t request,
                                  const struct serving_engine *engine, size_t i, struct fault *fault);

#endif
