/* serve_private.h - inside of a serving job: serve.c (opening, run), serve_requests.c (what is served). */
#ifndef SCHEDULER_SERVE_PRIVATE_H
#define SCHEDULER_SERVE_PRIVATE_H

#include "scheduler/serve.h"

/* Local. Trace, prompts or made-up requests. */
enum status serve_read_requests(struct serve *serve, struct fault *fault);

/* Local. The weights of the model's file. */
struct decoder_source serve_weights(const struct serve *serve);

/* Local. Timing-only engines of this process alone, [serve.instances] each. */
enum status serve_open_alone(const struct serve *serve, struct serve_engine **engines, struct comm **alone,
                             struct fault *fault);
void serve_close_alone(const struct serve *serve, struct serve_engine **engines, struct comm **alone);

#endif
