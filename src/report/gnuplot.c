#include "report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCRIPT_NAME "script"
#define COMPLAINT_NAME "complaint"

struct folder {
    struct arena *arena;
    char *path;
};

static const char *within(const struct folder *folder, const char *name)
{
    return arena_printf(folder->arena, "%s/%s", folder->path, name);
}

static enum status make_folder(struct folder *folder, struct fault *fault)
{
    const char *where = getenv("TMPDIR");
    char *path = arena_printf(folder->arena, "%s/polyrank-report.XXXXXX", where && *where ? where : "/tmp");
    if (!mkdtemp(path))
        return fault_set(fault, STATUS_IO, "%s: cannot be made: %s", path, strerror(errno));
    folder->path = path;
    return STATUS_OK;
}

static void remove_folder(const struct folder *folder, int n)
{
    if (!folder->path)
        return;
    unlink(within(folder, SCRIPT_NAME));
    unlink(within(folder, COMPLAINT_NAME));
    for (int i = 0; i < n; i++)
        unlink(within(folder, arena_printf(folder->arena, "%d", i)));
    rmdir(folder->path);
}

static enum status write_script(const struct folder *folder, const char *script, struct fault *fault)
{
    const char *path = within(folder, SCRIPT_NAME);
    FILE *file = fopen(path, "w");
    int failed = !file || fputs(script, file) == EOF;
    if (file)
        failed |= fclose(file) != 0;
    return failed ? fault_set(fault, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno)) : STATUS_OK;
}

/* The whole file as text in the arena; NULL when it cannot be read. */
static const char *read_text(const struct folder *folder, const char *name)
{
    struct stat status;
    FILE *file = fopen(within(folder, name), "r");
    if (!file)
        return NULL;
    char *text = NULL;
    if (fstat(fileno(file), &status) == 0) {
        text = arena_take(folder->arena, (size_t)status.st_size + 1);
        text[fread(text, 1, (size_t)status.st_size, file)] = '\0';
    }
    fclose(file);
    return text;
}

static int start(const struct folder *folder, pid_t *pid)
{
    char *const arguments[] = {arena_string(folder->arena, "gnuplot"),
                               arena_string(folder->arena, "--default-settings"),
                               arena_string(folder->arena, SCRIPT_NAME), NULL};
    const char *search = getenv("PATH");
    char *const environment[] = {
        arena_printf(folder->arena, "PATH=%s", search ? search : "/usr/local/bin:/usr/bin:/bin"),
        arena_string(folder->arena, "LC_ALL=C"), NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        bug("out of memory");
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, within(folder, COMPLAINT_NAME), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addchdir_np(&actions, folder->path);
    int problem = posix_spawnp(pid, "gnuplot", &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Waits for the child until the limit, then ends it: 0 when it had to. */
static int wait_for(pid_t pid, double limit_s, int *how)
{
    const struct timespec pause = {0, 5000000};
    double end_s = now_s() + limit_s;
    for (;;) {
        pid_t got = waitpid(pid, how, WNOHANG);
        if (got == pid)
            return 1;
        if (got < 0 && errno != EINTR)
            bug("waiting for gnuplot: %s", strerror(errno));
        if (now_s() > end_s)
            break;
        nanosleep(&pause, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, how, 0);
    return 0;
}

/* Its first line that says something ("line 12: undefined variable: x"). */
static const char *complaint_of(const struct folder *folder)
{
    const char *text = read_text(folder, COMPLAINT_NAME);
    while (text && *text) {
        text += strspn(text, " \t\n^");
        size_t n = strcspn(text, "\n");
        if (n > 2)
            return arena_printf(folder->arena, "%.*s", n < 200 ? (int)n : 200, text);
        text += n;
    }
    return "without a message";
}

static enum status run_in(const struct folder *folder, int n, double limit_s, const char **content, struct fault *fault)
{
    pid_t pid;
    int how, problem = start(folder, &pid);
    if (problem && problem != ENOENT)
        return fault_set(fault, STATUS_FAILED, "gnuplot cannot be run: %s", strerror(problem));
    if (!problem && !wait_for(pid, limit_s, &how))
        return fault_set(fault, STATUS_FAILED, "gnuplot took longer than %g s and was ended", limit_s);
    /* POSIX lets a child that cannot be run end with 127 instead. */
    if (problem || (WIFEXITED(how) && WEXITSTATUS(how) == 127))
        return fault_set(fault, STATUS_FAILED,
                         "gnuplot is not installed, which draws the plots: `make bootstrap` installs it (package "
                         "gnuplot-nox); --no-page prints the tables without it");
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
        return fault_set(fault, STATUS_FAILED, "gnuplot failed: %s", complaint_of(folder));
    for (int i = 0; i < n; i++) {
        content[i] = read_text(folder, arena_printf(folder->arena, "%d", i));
        if (!content[i] || !*content[i])
            return fault_set(fault, STATUS_FAILED, "gnuplot has not drawn plot %d: %s", i, complaint_of(folder));
    }
    return STATUS_OK;
}

enum status gnuplot_run(const char *script, int n, double limit_s, struct arena *arena, const char **content,
                        struct fault *fault)
{
    struct folder folder = {arena, NULL};
    enum status status = make_folder(&folder, fault);
    if (status == STATUS_OK)
        status = write_script(&folder, script, fault);
    if (status == STATUS_OK)
        status = run_in(&folder, n, limit_s, content, fault);
    remove_folder(&folder, n);
    return status;
}
