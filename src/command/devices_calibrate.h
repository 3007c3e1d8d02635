/* devices_calibrate.h - polyrank devices --calibrate: a cluster file from a measured run of an inference engine. */
#ifndef COMMAND_DEVICES_CALIBRATE_H
#define COMMAND_DEVICES_CALIBRATE_H

#include <stdint.h>

#include "base/status.h"

struct calibrate_request {
    const char *run, *profile, *model, *out; /* out NULL: the cluster goes to stdout after the tables */
    int64_t max_batch, token_budget;
    double train_share; /* of the requests, the first by arrival */
    int synchronous;    /* the engine does not schedule ahead */
    int force;          /* replace an existing file */
};

/* Local. Prints what was found and its errors on the requests that were fitted and on the others. */
enum status devices_calibrate(const struct calibrate_request *request, struct fault *fault);

#endif
