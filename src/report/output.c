#include "report/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status output_open(struct output *output, const char *path, struct fault *fault)
{
    *output = (struct output){.path = strdup(path)};
    if (!output->path || asprintf(&output->temporary, "%s.tmp", path) < 0)
        bug("out of memory");
    output->file = fopen(output->temporary, "w+");
    if (!output->file) {
        fault_set(fault, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
        free(output->temporary);
        output->temporary = NULL; /* what may lie there is another's */
        output_close(output);
        return fault->status;
    }
    return STATUS_OK;
}

/* A rename survives a crash when its folder is on disk, too. File systems that cannot sync a folder are left alone. */
static void sync_folder(const char *path)
{
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        slash[slash == folder] = '\0';
    FILE *handle = folder ? fopen(slash ? folder : ".", "r") : NULL;
    if (handle) {
        fsync(fileno(handle));
        fclose(handle);
    }
    free(folder);
}

enum status output_finish(struct output *output, struct fault *fault)
{
    int failed = fflush(output->file) != 0 || ferror(output->file) || fsync(fileno(output->file)) != 0;
    if (failed)
        return fault_set(fault, STATUS_IO, "%s: cannot be written: %s", output->path, strerror(errno));
    failed = fclose(output->file) != 0;
    output->file = NULL;
    if (failed || rename(output->temporary, output->path) != 0)
        return fault_set(fault, STATUS_IO, "%s: cannot be written: %s", output->path, strerror(errno));
    free(output->temporary);
    output->temporary = NULL;
    sync_folder(output->path);
    return STATUS_OK;
}

void output_close(struct output *output)
{
    if (output->file)
        fclose(output->file);
    if (output->temporary)
        unlink(output->temporary);
    free(output->temporary);
    free(output->path);
    *output = (struct output){.file = NULL};
}
