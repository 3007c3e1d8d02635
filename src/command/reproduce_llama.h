/* reproduce_llama.h - token ids, texts and logits of a decoder against a reference's, on machines with the KV cache cut
 * in all ways. */
#ifndef COMMAND_REPRODUCE_LLAMA_H
#define COMMAND_REPRODUCE_LLAMA_H

#include "base/status.h"

struct comm;

/* Collective. argv[0] is the verb, argv[1] "llama". */
enum status reproduce_llama(struct comm *comm, int argc, char **argv, struct fault *fault);

#endif
