#include "command/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *output_path(struct arena *arena, const struct job *job, const char *name)
{
    return arena_printf(arena, "%s/%s", job->output.directory, name);
}

/* A run of before may be on its way out: a killed rank's others live a moment longer. Where folders cannot be locked
 * nothing is. The lock is the process's, until it ends. */
static enum status lock(const char *directory, struct fault *fault)
{
    enum { TRIES = 200 };
    const struct timespec pause = {0, 100000000};
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;
    for (int i = 0; descriptor >= 0 && i < TRIES; i++) {
        error = flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
        if (error != EWOULDBLOCK)
            return STATUS_OK;
        nanosleep(&pause, NULL);
    }
    if (error != EWOULDBLOCK)
        return STATUS_OK;
    close(descriptor);
    return fault_set(fault, STATUS_USAGE, "%s: another run works there: wait for its end, or give another --output",
                     directory);
}

static enum status make_folder(struct arena *arena, const char *directory, struct fault *fault)
{
    struct stat info;
    for (const char *slash = directory; *slash; slash++)
        if (*slash == '/' && slash != directory)
            mkdir(arena_printf(arena, "%.*s", (int)(slash - directory), directory), 0777);
    mkdir(directory, 0777);
    if (stat(directory, &info) != 0 || !S_ISDIR(info.st_mode))
        return fault_set(fault, STATUS_IO, "%s: cannot make this output directory", directory);
    return STATUS_OK;
}

enum status output_prepare(struct arena *arena, const struct job *job, const char *name, int force, struct fault *fault)
{
    struct stat info;
    const char *directory = job->output.directory, *result = output_path(arena, job, name);
    enum status status = make_folder(arena, directory, fault);
    if (status == STATUS_OK)
        status = lock(directory, fault);
    if (status == STATUS_OK && !force && stat(result, &info) == 0)
        status = fault_set(fault, STATUS_USAGE, "%s exists: give another --output, or --force to replace it", result);
    return status;
}
