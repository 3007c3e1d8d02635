#include "command/output.h"

#include <sys/stat.h>

const char *output_path(struct arena *arena, const struct job *job, const char *name)
{
    return arena_printf(arena, "%s/%s", job->output.directory, name);
}

enum status output_prepare(struct arena *arena, const struct job *job, const char *name, int force, struct fault *fault)
{
    struct stat info;
    const char *directory = job->output.directory, *result = output_path(arena, job, name);
    for (const char *slash = directory; *slash; slash++)
        if (*slash == '/' && slash != directory)
            mkdir(arena_printf(arena, "%.*s", (int)(slash - directory), directory), 0777);
    mkdir(directory, 0777);
    if (stat(directory, &info) != 0 || !S_ISDIR(info.st_mode))
        return fault_set(fault, STATUS_IO, "%s: cannot make this output directory", directory);
    if (!force && stat(result, &info) == 0)
        return fault_set(fault, STATUS_USAGE, "%s exists: give another --output, or --force to replace it", result);
    return STATUS_OK;
}
