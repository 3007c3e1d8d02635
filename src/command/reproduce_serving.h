/* reproduce_serving.h - polyrank reproduce serving: a measured run of an inference engine, replayed and compared. */
#ifndef COMMAND_REPRODUCE_SERVING_H
#define COMMAND_REPRODUCE_SERVING_H

#include "base/status.h"

/* Local. argv as command_reproduce gets it. */
enum status reproduce_serving(int argc, char **argv, struct fault *fault);

#endif
