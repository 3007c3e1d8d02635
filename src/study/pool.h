/* pool.h - a few child processes at a time, until there is no more to run or a signal says stop.
 *
 * The pool owns the signals while it runs: on TERM, INT or USR1 it starts nothing more and passes one signal on to each
 * child, so that it can finish its step and leave; the second time it sends TERM, the third KILL. Children are process
 * groups of their own (a Ctrl-C reaches them through the pool only), have no stdin, and get TERM when the pool's
 * process dies.
 */
#ifndef STUDY_POOL_H
#define STUDY_POOL_H

#include <stdint.h>

#include "base/status.h"

struct pool_child {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *out, *err;   /* files that stdout and stderr replace */
    int stop_signal;         /* the first that is passed on */
    int kept_fd;             /* open in the child although it is closed on exec elsewhere; -1: none */
};

struct pool_end {
    int exit_status; /* -1: ended by a signal */
    int signal;
    double wall_s;
};

enum pool_next { POOL_START, POOL_LATER, POOL_NOTHING };

struct pool_work {
    void *state;
    /* The next child: POOL_START fills it in, with a ticket that `ended` gets; POOL_LATER: ask again soon. */
    enum pool_next (*next)(void *state, struct pool_child *child, int64_t *ticket);
    void (*ended)(void *state, int64_t ticket, const struct pool_end *end);
};

/* Local. Runs at most `n_slots` children at a time; returns when the last has ended. *stopped becomes 1 after a signal,
 * or when `max_wall_s` seconds (0: no limit) have passed, which is taken for a signal.
 * Fault STATUS_FAILED when no process can be started (those that run are waited for). */
enum status pool_run(int n_slots, double max_wall_s, const struct pool_work *work, int *stopped, struct fault *fault);

#endif
