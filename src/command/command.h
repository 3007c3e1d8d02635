/* command.h - the verbs of the program.
 *
 * main parses nothing but the verb: it looks the verb up in commands(), runs it and turns its fault into one message
 * and the exit status. A verb marked ON_ONE runs on rank 0 only (the others wait); the others are collective.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <argp.h>

#include "base/status.h"

struct comm;

/* ON_ALL_STOPPABLE: TERM, INT and USR1 ask the verb to stop (cluster/interrupt.h), from the first moment on. */
enum where { ON_ONE, ON_ALL, ON_ALL_STOPPABLE };

struct command {
    const char *name;
    const char *summary; /* one line of `polyrank --help` */
    enum where where;
    /* argv[0] is the verb. `comm` is NULL for ON_ONE verbs. */
    enum status (*run)(struct comm *comm, int argc, char **argv, struct fault *fault);
};

/* Local. The table of verbs, ended by a NULL name. */
const struct command *commands(void);

enum status command_train(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_serve(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_plan(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_check(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_data(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_model(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_devices(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_cost(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_reproduce(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_compare(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_report(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_contrast(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_sweep(struct comm *comm, int argc, char **argv, struct fault *fault);
enum status command_slurm(struct comm *comm, int argc, char **argv, struct fault *fault);

/* Local. Parses the options of a verb with argp, without argp's own exits and messages: an unknown or ambiguous option,
 * a missing or superfluous argument becomes a fault (STATUS_USAGE) that names the nearest known option. --help (-h)
 * prints the verb's help, usage line "polyrank VERB ARGS", to stdout and sets *done: the verb then returns STATUS_OK at
 * once.
 *
 * `argp->parser` gets `input` as state->input; it must return 0 for what it took, ARGP_ERR_UNKNOWN for the rest, and
 * EINVAL after it has set the fault itself (keep a pointer to the fault in the input struct). Positional arguments come
 * as ARGP_KEY_ARG; too many of them: return ARGP_ERR_UNKNOWN. argp->args_doc is the usage ("JOB"), argp->doc the text.
 */
enum status options_parse(const struct argp *argp, int argc, char **argv, void *input, int *done, struct fault *fault);

#endif
