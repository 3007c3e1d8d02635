#include "study/execute.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/progress.h"
#include "report/wall.h"
#include "study/metric.h"
#include "study/pool.h"

enum { MAX_WORDS = 256, MAX_TAIL = 1 << 16 };

enum point_state { POINT_WAITS, POINT_RUNS, POINT_ENDED };

struct running_point {
    enum point_state state;
    int lock; /* descriptor; -1 */
    struct stamp stamp;
};

struct executor {
    const struct execution *execution;
    struct arena *arena;
    struct execution_told *told;
    struct fault *fault;
    struct progress progress;
    const char *program;
    int64_t first, n, next, n_ended;
    int told_busy;
    struct running_point *point; /* [n] from the first */
};

const char *execution_folder(const struct execution *execution, int64_t number, struct arena *arena)
{
    return arena_printf(arena, "%s/points/%04" PRId64, execution->output, number);
}

static const struct study_point *point_of(const struct executor *executor, int64_t i)
{
    return &executor->execution->points->point[executor->first - 1 + i];
}

static const char *folder_of(const struct executor *executor, int64_t i)
{
    return execution_folder(executor->execution, executor->first + i, executor->arena);
}

static int exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static enum status make_folder(struct executor *executor, const char *folder)
{
    char *path = arena_string(executor->arena, folder);
    struct stat info;
    for (char *slash = path + 1; *slash; slash++)
        if (*slash == '/') {
            *slash = '\0';
            mkdir(path, 0777);
            *slash = '/';
        }
    mkdir(path, 0777);
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return fault_set(executor->fault, STATUS_IO, "%s: cannot make this folder: %s", folder, strerror(errno));
    return STATUS_OK;
}

/* ---- the command line of a run ---- */

static const char **launcher_words(const struct executor *executor, const struct study_point *point, int *n)
{
    const char **argv = arena_array(executor->arena, MAX_WORDS, sizeof *argv);
    char *words = arena_string(executor->arena, executor->execution->launcher), *save = NULL;
    *n = 0;
    if (point->ranks == 1)
        return argv;
    for (char *word = strtok_r(words, " ", &save); word && *n < MAX_WORDS / 2; word = strtok_r(NULL, " ", &save)) {
        char *mark = strstr(word, "{ranks}");
        argv[(*n)++] = mark ? arena_printf(executor->arena, "%.*s%" PRId64 "%s", (int)(mark - word), word, point->ranks,
                                           mark + strlen("{ranks}"))
                            : word;
    }
    return argv;
}

/* A run that failed is not gone on with: its checkpoint may be the reason. Wall times of a run that goes on from the
 * middle mean nothing. */
static int can_resume(const struct executor *executor, const struct stamp *before, const struct study_point *point,
                      const char *folder)
{
    if ((before->state != STAMP_STARTED && before->state != STAMP_STOPPED) || before->hash != point->hash ||
        executor->execution->force || study_is_over_ranks(executor->execution->study))
        return 0;
    return exists(arena_printf(executor->arena, "%s/checkpoint.h5", folder)) ||
           exists(arena_printf(executor->arena, "%s/checkpoint.prev.h5", folder));
}

static void fill_child(struct executor *executor, int64_t i, int resumes, struct pool_child *child)
{
    const struct execution *execution = executor->execution;
    const struct study_point *point = point_of(executor, i);
    const char *folder = folder_of(executor, i);
    int n;
    const char **argv = launcher_words(executor, point, &n);
    argv[n++] = executor->program;
    argv[n++] = execution->points->serves ? "serve" : "train";
    argv[n++] = execution->points->job;
    for (int o = 0; o < point->n_overrides; o++) {
        argv[n++] = "--set";
        argv[n++] = point->override[o];
    }
    argv[n++] = "--output";
    argv[n++] = folder;
    argv[n++] = "--force"; /* what lies there is of a run that did not end, or of another job */
    if (execution->timing_only)
        argv[n++] = "--timing-only";
    if (!study_is_over_ranks(execution->study)) /* its wall time is on stderr */
        argv[n++] = "--quiet";
    if (resumes) {
        argv[n++] = "--resume";
        argv[n++] = "auto";
    }
    *child = (struct pool_child){
        .argv = argv,
        .out = arena_printf(executor->arena, "%s/stdout.txt", folder),
        .err = arena_printf(executor->arena, "%s/stderr.txt", folder),
        .stop_signal = point->ranks > 1 ? SIGUSR1 : SIGTERM, /* mpirun passes USR1 on, and ends its ranks at TERM */
        .kept_fd = executor->point[i].lock,
    };
}

/* ---- how a run ended ---- */

/* The end of a file, ended by NUL. */
static char *tail_of(const char *path, struct arena *arena)
{
    char *text = arena_take(arena, MAX_TAIL + 1);
    FILE *file = fopen(path, "r");
    if (!file)
        return text;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fseek(file, size > MAX_TAIL ? size - MAX_TAIL : 0, SEEK_SET);
    text[fread(text, 1, MAX_TAIL, file)] = '\0';
    fclose(file);
    return text;
}

/* The program's own last message; without one (from a launcher) the first line that says something. */
static const char *message_of(char *text, struct arena *arena)
{
    const char *own = NULL, *first = "";
    char *save = NULL;
    for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        if (strncmp(line, "polyrank: ", 10) == 0)
            own = line + 10;
        if (!*first && strspn(line, " -") != strlen(line))
            first = line;
    }
    return arena_printf(arena, "%.800s", own ? own : first);
}

/* Of another job, or of a run that is done and needs them no more. */
static void drop_checkpoints(const struct executor *executor, const char *folder)
{
    unlink(arena_printf(executor->arena, "%s/checkpoint.h5", folder));
    unlink(arena_printf(executor->arena, "%s/checkpoint.prev.h5", folder));
}

/* With a checkpoint, or by a signal that asks to stop; mpirun tells signals as 128 + n. */
static int was_stopped(int exit_status)
{
    return exit_status == STATUS_REQUEUE || exit_status == 128 + SIGTERM || exit_status == 128 + SIGINT ||
           exit_status == 128 + SIGUSR1;
}

static void judge(struct executor *executor, int64_t i, const struct pool_end *end)
{
    struct stamp *stamp = &executor->point[i].stamp;
    struct fault damaged = FAULT_NONE;
    double value[MAX_METRICS];
    char *text = tail_of(arena_printf(executor->arena, "%s/stderr.txt", folder_of(executor, i)), executor->arena);
    double wall_s = end->wall_s;
    wall_find(text, &wall_s);
    stamp->exit_status = end->exit_status < 0 ? 128 + end->signal : end->exit_status;
    stamp->message = "";
    if (stamp->exit_status == 0 &&
        metric_read(folder_of(executor, i), executor->execution->points->serves, executor->arena, value, &damaged)) {
        stamp->state = STAMP_FAILED;
        stamp->message = arena_string(executor->arena, damaged.text);
        stamp->exit_status = (int)damaged.status;
    } else if (stamp->exit_status == 0) {
        stamp->wall_s[stamp->n_wall++] = wall_s;
        stamp->state = stamp->n_wall < executor->execution->study->repeats ? STAMP_STARTED : STAMP_DONE;
    } else if (was_stopped(stamp->exit_status)) {
        stamp->state = STAMP_STOPPED;
        stamp->message = stamp->exit_status == STATUS_REQUEUE
                             ? message_of(text, executor->arena)
                             : arena_string(executor->arena, strsignal(stamp->exit_status - 128));
    } else {
        stamp->state = STAMP_FAILED;
        stamp->message =
            end->signal ? arena_string(executor->arena, strsignal(end->signal)) : message_of(text, executor->arena);
    }
}

static void count_end(struct executor *executor, const struct stamp *stamp)
{
    struct execution_told *told = executor->told;
    char note[64];
    told->n_run++;
    told->n_failed += stamp->state == STAMP_FAILED;
    told->n_stopped += stamp->state == STAMP_STOPPED;
    if (stamp->state != STAMP_DONE) {
        told->last_message = stamp->message;
        told->last_exit = stamp->exit_status;
    }
    if (stamp->state == STAMP_FAILED && !executor->execution->quiet)
        fprintf(stderr, "%spolyrank: point %" PRId64 " failed with exit status %d: %s\n",
                executor->progress.to_terminal ? "\r\033[K" : "", stamp->point, stamp->exit_status, stamp->message);
    snprintf(note, sizeof note, "%" PRId64 " failed", told->n_failed);
    progress_show(&executor->progress, (uint64_t)++executor->n_ended, note);
}

static void ended(void *state, int64_t ticket, const struct pool_end *end)
{
    struct executor *executor = state;
    struct running_point *point = &executor->point[ticket];
    judge(executor, ticket, end);
    stamp_write(folder_of(executor, ticket), &point->stamp, executor->fault);
    if (point->stamp.state == STAMP_STARTED) { /* once more */
        point->state = POINT_WAITS;
        return;
    }
    if (point->stamp.state == STAMP_DONE)
        drop_checkpoints(executor, folder_of(executor, ticket));
    point->state = POINT_ENDED;
    close(point->lock);
    point->lock = -1;
    count_end(executor, &point->stamp);
}

/* ---- which point is next ---- */

/* 1: ours now; 0: somebody else's. */
static int take_lock(struct executor *executor, int64_t i)
{
    struct running_point *point = &executor->point[i];
    if (point->lock >= 0)
        return 1;
    point->lock =
        open(arena_printf(executor->arena, "%s/.lock", folder_of(executor, i)), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (point->lock < 0)
        fault_set(executor->fault, STATUS_IO, "%s/.lock: cannot be made: %s", folder_of(executor, i), strerror(errno));
    else if (flock(point->lock, LOCK_EX | LOCK_NB) == 0)
        return 1;
    if (point->lock >= 0)
        close(point->lock);
    point->lock = -1;
    return 0;
}

static int is_done(struct executor *executor, int64_t i, const struct stamp *stamp)
{
    double value[MAX_METRICS];
    struct fault damaged = FAULT_NONE;
    struct arena *arena = arena_new();
    int done =
        stamp->state == STAMP_DONE && stamp->hash == point_of(executor, i)->hash && !executor->execution->force &&
        metric_read(folder_of(executor, i), executor->execution->points->serves, arena, value, &damaged) == STATUS_OK;
    arena_free(arena);
    return done;
}

/* Starts point i unless it is done meanwhile or somebody else runs it. */
static int prepare(struct executor *executor, int64_t i, struct pool_child *child)
{
    struct running_point *point = &executor->point[i];
    struct stamp before;
    if (make_folder(executor, folder_of(executor, i)) != STATUS_OK || !take_lock(executor, i))
        return 0;
    stamp_read(folder_of(executor, i), executor->arena, &before);
    if (point->stamp.n_wall == 0 && is_done(executor, i, &before)) {
        point->state = POINT_ENDED;
        close(point->lock);
        point->lock = -1;
        executor->told->n_skipped++;
        return 0;
    }
    const char *folder = folder_of(executor, i);
    int resumes = can_resume(executor, &before, point_of(executor, i), folder);
    if (!resumes)
        drop_checkpoints(executor, folder);
    point->stamp.state = STAMP_STARTED;
    point->stamp.point = executor->first + i;
    point->stamp.hash = point_of(executor, i)->hash;
    point->stamp.message = "";
    if (stamp_write(folder, &point->stamp, executor->fault) != STATUS_OK)
        return 0;
    fill_child(executor, i, resumes, child);
    point->state = POINT_RUNS;
    return 1;
}

static enum pool_next next(void *state, struct pool_child *child, int64_t *ticket)
{
    struct executor *executor = state;
    int n_busy = 0;
    for (int64_t k = 0; k < executor->n && executor->fault->status == STATUS_OK; k++) {
        int64_t i = (executor->next + k) % executor->n;
        if (executor->point[i].state != POINT_WAITS)
            continue;
        if (prepare(executor, i, child)) {
            executor->next = i;
            *ticket = i;
            return POOL_START;
        }
        n_busy += executor->point[i].state == POINT_WAITS;
    }
    if (n_busy == 0 || executor->fault->status != STATUS_OK)
        return POOL_NOTHING;
    if (!executor->told_busy++)
        fprintf(stderr, "polyrank: %d points are run by another sweep: waiting for them\n", n_busy);
    return POOL_LATER;
}

static enum status find_program(struct executor *executor)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return fault_set(executor->fault, STATUS_FAILED, "/proc/self/exe: %s", strerror(errno));
    path[n] = '\0';
    executor->program = arena_string(executor->arena, path);
    return STATUS_OK;
}

/* Points that are done are counted at once: progress is that of the others. */
static void skip_done(struct executor *executor)
{
    for (int64_t i = 0; i < executor->n; i++) {
        struct stamp stamp;
        struct arena *arena = arena_new();
        stamp_read(folder_of(executor, i), arena, &stamp);
        executor->point[i].lock = -1;
        if (is_done(executor, i, &stamp)) {
            executor->point[i].state = POINT_ENDED;
            executor->told->n_skipped++;
        }
        arena_free(arena);
    }
}

enum status execute(const struct execution *execution, int64_t first, int64_t last, struct arena *arena,
                    struct execution_told *told, struct fault *fault)
{
    struct executor executor = {
        .execution = execution, .arena = arena, .told = told, .fault = fault, .first = first, .n = last - first + 1};
    const struct pool_work work = {&executor, next, ended};
    *told = (struct execution_told){.last_message = ""};
    executor.point = arena_array(arena, (size_t)executor.n, sizeof *executor.point);
    if (find_program(&executor) != STATUS_OK)
        return fault->status;
    skip_done(&executor);
    progress_start(&executor.progress, "sweep", "points", (uint64_t)(executor.n - told->n_skipped), 1,
                   execution->quiet);
    pool_run(execution->n_slots, execution->max_wall_s, &work, &told->stopped, fault);
    progress_end(&executor.progress);
    for (int64_t i = 0; i < executor.n; i++)
        if (executor.point[i].lock >= 0)
            close(executor.point[i].lock);
    return fault->status;
}
