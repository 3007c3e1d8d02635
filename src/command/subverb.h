/* subverb.h - verbs that have verbs of their own: polyrank data import, polyrank model info. */
#ifndef COMMAND_SUBVERB_H
#define COMMAND_SUBVERB_H

#include "base/arena.h"
#include "base/status.h"

struct subverb {
    const char *name, *summary;
    /* argv[0] is "data import". */
    enum status (*run)(struct arena *arena, int argc, char **argv, struct fault *fault);
};

struct subverbs {
    const char *verb;    /* "data" */
    const char *purpose; /* one sentence of its --help */
    const struct subverb *list;
    int n;
};

/* Local. Runs the one that argv[1] names (argv[0] is the verb), or prints help. Fault STATUS_USAGE names the nearest.
 */
enum status subverbs_run(const struct subverbs *verbs, int argc, char **argv, struct fault *fault);

/* Local. A copy of the words of a command line, as parsing may move them. */
char **subverb_copy_words(struct arena *arena, int argc, char **argv);

#endif
