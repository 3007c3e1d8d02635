/* trace_read.h - a trace of report/trace.h read back: who did what when.
 *
 * Reads traces as this program writes them, one event to a line, plain or compressed.
 */
#ifndef REPORT_TRACE_READ_H
#define REPORT_TRACE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct trace_event {
    uint64_t start_ps, time_ps;
    uint32_t step;
    uint16_t device, engine, class, program; /* class: enum kernel_class; program: enum program_id */
};

struct trace_content {
    size_t n;
    struct trace_event *event; /* [n] in the order of the file; from malloc: trace_content_release */
    int n_devices;
    const char **device_name; /* [n_devices]; in the arena */
    int is_truncated;         /* the file's size was capped */
};

/* Local. Faults STATUS_IO: cannot be read; STATUS_USAGE "path:line: expected ...": another kind of file, or damaged. */
enum status trace_read(const char *path, struct arena *arena, struct trace_content *content, struct fault *fault);

/* Local. */
void trace_content_release(struct trace_content *content);

#endif
