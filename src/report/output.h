/* output.h - a text file that appears complete or not at all: written under path.tmp, then renamed. */
#ifndef REPORT_OUTPUT_H
#define REPORT_OUTPUT_H

#include <stdio.h>

#include "base/status.h"

struct output {
    FILE *file; /* to be written */
    char *path, *temporary;
};

/* Local. Creates path.tmp; STATUS_IO, with nothing to close, when it cannot be made. */
enum status output_open(struct output *output, const char *path, struct fault *fault);

/* Local. Flushes to disk and renames; STATUS_IO (and no file) when any write so far has failed. */
enum status output_finish(struct output *output, struct fault *fault);

/* Local. Drops what is not finished; always the last call. */
void output_close(struct output *output);

#endif
