#include "study/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct timespec NAP = {0, 100 * 1000 * 1000};

struct running {
    pid_t pid; /* 0: free */
    int64_t ticket;
    int stop_signal;
    double start_s;
};

struct pool {
    const struct pool_work *work;
    int n_slots, n_running;
    struct running *slot;
    int n_signals; /* that said stop */
    sigset_t watched, before;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void say_and_leave(const char *what, const char *name)
{
    dprintf(STDERR_FILENO, "polyrank: %s: %s: %s\n", name, what, strerror(errno));
    _exit(127);
}

static void open_as(const char *path, int flags, int fd)
{
    int opened = open(path, flags, 0666);
    if (opened < 0 || dup2(opened, fd) < 0)
        say_and_leave("cannot be opened", path);
    close(opened);
}

static _Noreturn void be_child(const struct pool *pool, const struct pool_child *child, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before the line above */
        _exit(128 + SIGTERM);
    open_as("/dev/null", O_RDONLY, STDIN_FILENO);
    open_as(child->err, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
    open_as(child->out, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    if (child->kept_fd >= 0)
        fcntl(child->kept_fd, F_SETFD, 0);
    sigprocmask(SIG_SETMASK, &pool->before, NULL);
    execvp(child->argv[0], (char *const *)(uintptr_t)child->argv);
    say_and_leave("cannot be started", child->argv[0]);
    _exit(127);
}

static enum status start(struct pool *pool, const struct pool_child *child, int64_t ticket, struct fault *fault)
{
    struct running *slot = pool->slot;
    while (slot->pid)
        slot++;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        be_child(pool, child, parent);
    if (pid < 0)
        return fault_set(fault, STATUS_FAILED, "no process can be started: %s", strerror(errno));
    setpgid(pid, pid); /* whoever comes first */
    *slot = (struct running){pid, ticket, child->stop_signal, now_s()};
    pool->n_running++;
    return STATUS_OK;
}

static void reap(struct pool *pool)
{
    for (int i = 0; i < pool->n_slots; i++) {
        struct running *slot = &pool->slot[i];
        int status;
        if (!slot->pid || waitpid(slot->pid, &status, WNOHANG) != slot->pid)
            continue;
        struct pool_end end = {WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                               now_s() - slot->start_s};
        slot->pid = 0;
        pool->n_running--;
        pool->work->ended(pool->work->state, slot->ticket, &end);
    }
}

static void stop(struct pool *pool)
{
    pool->n_signals++;
    for (int i = 0; i < pool->n_slots; i++)
        if (pool->slot[i].pid)
            kill(pool->slot[i].pid, pool->n_signals == 1   ? pool->slot[i].stop_signal
                                    : pool->n_signals == 2 ? SIGTERM
                                                           : SIGKILL);
}

/* Fills free slots; 0 when there is nothing left to start. */
static int fill(struct pool *pool, struct fault *fault)
{
    while (pool->n_running < pool->n_slots && pool->n_signals == 0 && fault->status == STATUS_OK) {
        struct pool_child child;
        int64_t ticket;
        enum pool_next next = pool->work->next(pool->work->state, &child, &ticket);
        if (next != POOL_START)
            return next == POOL_LATER;
        start(pool, &child, ticket, fault);
    }
    return pool->n_signals == 0 && fault->status == STATUS_OK;
}

enum status pool_run(int n_slots, double max_wall_s, const struct pool_work *work, int *stopped, struct fault *fault)
{
    double end_s = max_wall_s > 0 ? now_s() + max_wall_s : INFINITY;
    struct pool pool = {.work = work, .n_slots = n_slots, .slot = calloc((size_t)n_slots, sizeof *pool.slot)};
    if (!pool.slot)
        bug("out of memory for %d processes", n_slots);
    sigemptyset(&pool.watched);
    sigaddset(&pool.watched, SIGTERM);
    sigaddset(&pool.watched, SIGINT);
    sigaddset(&pool.watched, SIGUSR1);
    sigaddset(&pool.watched, SIGCHLD);
    sigprocmask(SIG_BLOCK, &pool.watched, &pool.before);
    for (;;) {
        int more = fill(&pool, fault);
        if (!more && pool.n_running == 0)
            break;
        int got = sigtimedwait(&pool.watched, NULL, &NAP);
        int is_late = pool.n_signals == 0 && now_s() > end_s;
        if (got == SIGTERM || got == SIGINT || got == SIGUSR1 || is_late)
            stop(&pool);
        reap(&pool);
    }
    *stopped = pool.n_signals > 0;
    sigprocmask(SIG_SETMASK, &pool.before, NULL);
    free(pool.slot);
    return fault->status;
}
