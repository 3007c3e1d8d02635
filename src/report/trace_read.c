#include "report/trace_read.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "kernel/op.h"
#include "plan/program.h"

enum { MAX_LINE = 8192, MAX_DEVICES = 1 << 14 };

struct reading {
    gzFile file;
    const char *path;
    struct arena *arena;
    struct trace_content *content;
    struct fault *fault;
    size_t max, line;
    int max_devices, has_tail;
};

static enum status refuse(struct reading *r, const char *expected)
{
    return fault_set(r->fault, STATUS_USAGE, "%s:%zu: expected %s: not a trace of this program, or damaged", r->path,
                     r->line, expected);
}

static int class_of(const char *name)
{
    for (int c = 0; name && c < N_KERNEL_CLASSES; c++)
        if (strcmp(kernel_class_name(c), name) == 0)
            return c;
    return -1;
}

static int program_of(const char *name)
{
    for (int p = 0; name && p < N_PROGRAMS; p++)
        if (strcmp(program_name(p), name) == 0)
            return p;
    return -1;
}

/* Microseconds with six decimals; exact up to 2^53 ps (2.5 virtual hours), rounded to the nearest beyond. */
static int picoseconds(const json_t *value, uint64_t *time_ps)
{
    double time_us = json_number_value(value);
    if (!json_is_number(value) || !(time_us >= 0) || time_us > 1e12)
        return 0;
    *time_ps = (uint64_t)(time_us * 1e6 + 0.5);
    return 1;
}

static struct trace_event *new_event(struct reading *r)
{
    struct trace_content *content = r->content;
    if (content->n == r->max) {
        r->max = r->max ? 2 * r->max : 1024;
        struct trace_event *larger = realloc(content->event, r->max * sizeof *larger);
        if (!larger)
            bug("out of memory");
        content->event = larger;
    }
    return &content->event[content->n++];
}

static enum status take_work(struct reading *r, const json_t *object, json_int_t device, json_int_t engine)
{
    const json_t *args = json_object_get(object, "args");
    int class = class_of(json_string_value(json_object_get(args, "class")));
    int program = program_of(json_string_value(json_object_get(args, "program")));
    json_int_t step = json_integer_value(json_object_get(args, "step"));
    struct trace_event event = {.device = (uint16_t)device, .engine = (uint16_t)engine, .step = (uint32_t)step};
    if (class < 0 || program < 0 || step < 0 || step > UINT32_MAX || engine < 0 || engine >= N_ENGINES)
        return refuse(r, "an instruction with program, step, class and engine");
    if (!picoseconds(json_object_get(object, "ts"), &event.start_ps) ||
        !picoseconds(json_object_get(object, "dur"), &event.time_ps))
        return refuse(r, "a time and a duration in microseconds");
    event.class = (uint16_t) class;
    event.program = (uint16_t)program;
    *new_event(r) = event;
    return STATUS_OK;
}

static void take_name(struct reading *r, json_int_t device, const char *name)
{
    struct trace_content *content = r->content;
    if (device >= r->max_devices) {
        int max = r->max_devices ? 2 * r->max_devices : 64;
        max = max > (int)device ? max : (int)device + 1;
        const char **larger = arena_array(r->arena, (size_t)max, sizeof *larger);
        if (content->n_devices)
            memcpy(larger, content->device_name, (size_t)content->n_devices * sizeof *larger);
        content->device_name = larger;
        r->max_devices = max;
    }
    content->device_name[device] = arena_string(r->arena, name);
    if (device >= content->n_devices)
        content->n_devices = (int)device + 1;
}

static enum status take_event(struct reading *r, const json_t *object)
{
    const char *kind = json_string_value(json_object_get(object, "ph"));
    json_int_t device = json_integer_value(json_object_get(object, "pid")) - 1;
    json_int_t engine = json_integer_value(json_object_get(object, "tid")) - 1;
    if (!kind || device < 0 || device >= MAX_DEVICES)
        return refuse(r, "an event with ph and pid");
    if (strcmp(kind, "X") == 0)
        return take_work(r, object, device, engine);
    const char *what = json_string_value(json_object_get(object, "name"));
    const char *name = json_string_value(json_object_get(json_object_get(object, "args"), "name"));
    if (strcmp(kind, "M") == 0 && what && name && strcmp(what, "process_name") == 0)
        take_name(r, device, name);
    return STATUS_OK;
}

/* The head and the tail of the file are the lines that are no event. */
static enum status take_line(struct reading *r, char *line)
{
    size_t n = strlen(line);
    if (n == MAX_LINE - 1)
        return refuse(r, "lines of an event each");
    while (n && (line[n - 1] == '\n' || line[n - 1] == ','))
        line[--n] = '\0';
    if (r->line == 1)
        return strncmp(line, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", 39) == 0 ? STATUS_OK
                                                                                       : refuse(r, "a trace");
    if (strncmp(line, "\"otherData\":", 12) == 0) {
        r->has_tail = 1;
        r->content->is_truncated = strstr(line, "\"truncated\":false") == NULL;
        return STATUS_OK;
    }
    if (n == 0 || strcmp(line, "]") == 0)
        return STATUS_OK;
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    enum status status = object ? take_event(r, object) : refuse(r, "an event in JSON");
    json_decref(object);
    return status;
}

enum status trace_read(const char *path, struct arena *arena, struct trace_content *content, struct fault *fault)
{
    char line[MAX_LINE];
    int problem = Z_OK;
    *content = (struct trace_content){.n = 0};
    struct reading r = {.path = path, .arena = arena, .content = content, .fault = fault, .file = gzopen(path, "rb")};
    if (!r.file)
        return fault_set(fault, STATUS_IO, "%s: cannot be read: %s", path, strerror(errno));
    while (fault->status == STATUS_OK && gzgets(r.file, line, sizeof line)) {
        r.line++;
        take_line(&r, line);
    }
    if (fault->status == STATUS_OK) {
        gzerror(r.file, &problem);
        if (problem != Z_OK && problem != Z_STREAM_END)
            fault_set(fault, STATUS_IO, "%s: damaged or cut short", path);
        else if (!r.has_tail)
            refuse(&r, "\"otherData\" at the end");
    }
    gzclose(r.file);
    if (fault->status != STATUS_OK)
        trace_content_release(content);
    return fault->status;
}

void trace_content_release(struct trace_content *content)
{
    free(content->event);
    *content = (struct trace_content){.n = 0};
}
