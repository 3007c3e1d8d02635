#include "report/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "report/output.h"

enum { MAX_EVENT = 1280, TAIL_BYTES = 1024, PS_PER_US = 1000000 };

/* Where an event stands. */
struct place {
    uint32_t device, step;
    int engine;
    uint64_t ps;
};

struct trace {
    const struct plan *plans;
    int n_plans;
    const struct run *run;
    struct output output;
    uint64_t max_bytes, bytes;
    size_t n_events, n_left_out;
    uint32_t last_step;
    uint64_t (*engine_end_ps)[N_ENGINES]; /* [n_devices] */
    int n_channels;                       /* of any program */
    uint64_t *sent, *received;            /* [N_PROGRAMS][n_channels] messages so far */
    int n_faults;                         /* of the run's, told so far */
    struct place cut;                     /* of the first event left out */
};

/* Text within JSON's quotes. Names are the program's own: what is not printable ASCII or UTF-8 becomes a blank. */
static void quote(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text && *text && n + 3 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            out[n++] = '\\';
        out[n++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    out[n] = '\0';
}

static void put(struct trace *trace, const char *text)
{
    fputs(text, trace->output.file);
    trace->bytes += strlen(text);
}

static void put_metadata(struct trace *trace, int device, int engine, const char *kind, const char *key,
                         const char *value)
{
    char text[MAX_EVENT], quoted[MAX_EVENT / 2];
    quote(quoted, sizeof quoted, value);
    snprintf(text, sizeof text, "%s{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"%s\",\"args\":{\"%s\":\"%s\"}}",
             trace->bytes ? ",\n" : "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", device + 1, engine + 1, kind,
             key, quoted);
    put(trace, text);
}

static void put_order(struct trace *trace, int device, int engine, const char *kind)
{
    char text[MAX_EVENT];
    snprintf(text, sizeof text, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"%s\",\"args\":{\"sort_index\":%d}}",
             device + 1, engine + 1, kind, engine < 0 ? device : engine);
    put(trace, text);
}

static int uses_engine(const struct trace *trace, int device, int engine)
{
    for (int k = 0; k < trace->n_plans; k++)
        for (int p = 0; p < N_PROGRAMS; p++) {
            const struct program *const *programs = (const struct program *const *)trace->plans[k].programs;
            for (int i = 0; programs[p] && i < programs[p][device].n_instrs; i++)
                if ((int)programs[p][device].instrs[i].engine == engine)
                    return 1;
        }
    return 0;
}

static void put_device(struct trace *trace, int d)
{
    const struct run_device *device = &trace->run->device[d];
    char labels[256];
    snprintf(labels, sizeof labels, "%s %s, node %d", device->kind, device->profile, device->node);
    put_metadata(trace, d, -1, "process_name", "name", device->name);
    put_metadata(trace, d, -1, "process_labels", "labels", labels);
    put_order(trace, d, -1, "process_sort_index");
    for (int e = 0; e < N_ENGINES; e++)
        if (uses_engine(trace, d, e)) {
            put_metadata(trace, d, e, "thread_name", "name", engine_name(e));
            put_order(trace, d, e, "thread_sort_index");
        }
}

static int count_channels(const struct plan *plan)
{
    int n = 0;
    for (int p = 0; p < N_PROGRAMS; p++)
        for (int d = 0; plan->programs[p] && d < plan->n_devices; d++)
            for (int i = 0; i < plan->programs[p][d].n_instrs; i++)
                if (plan->programs[p][d].instrs[i].channel >= n)
                    n = plan->programs[p][d].instrs[i].channel + 1;
    return n;
}

static void check_plans(const struct trace *trace)
{
    int n_devices = trace->run->n_devices;
    for (int k = 0; k < trace->n_plans; k++)
        if (trace->plans[k].n_devices != n_devices || n_devices == 0)
            bug("a trace of %d devices of a plan for %d", n_devices, trace->plans[k].n_devices);
}

enum status trace_open(const char *path, const struct plan *plans, int n_plans, const struct run *run,
                       uint64_t max_bytes, struct trace **trace, struct fault *fault)
{
    struct trace *new = calloc(1, sizeof *new);
    if (!new)
        bug("out of memory");
    *new = (struct trace){.plans = plans, .n_plans = n_plans, .run = run, .max_bytes = max_bytes};
    check_plans(new);
    new->engine_end_ps = calloc((size_t)run->n_devices + 1, sizeof *new->engine_end_ps);
    for (int k = 0; k < n_plans; k++)
        if (count_channels(&plans[k]) > new->n_channels)
            new->n_channels = count_channels(&plans[k]);
    new->sent = calloc((size_t) new->n_channels *N_PROGRAMS + 1, sizeof *new->sent);
    new->received = calloc((size_t) new->n_channels *N_PROGRAMS + 1, sizeof *new->received);
    if (!new->engine_end_ps || !new->sent || !new->received)
        bug("out of memory");
    if (output_open(&new->output, path, fault) != STATUS_OK) {
        trace_close(new, fault);
        return fault->status;
    }
    for (int d = 0; d < run->n_devices; d++)
        put_device(new, d);
    *trace = new;
    return STATUS_OK;
}

static const struct instr *instr_of(const struct trace *trace, const struct mark *mark)
{
    const struct plan *plan = mark->plan < trace->n_plans ? &trace->plans[mark->plan] : NULL;
    if (!plan || mark->device >= (uint32_t)plan->n_devices || mark->program >= N_PROGRAMS ||
        mark->instr >= (uint32_t)plan->programs[mark->program][mark->device].n_instrs)
        bug("a mark of device %" PRIu32 ", plan %d, program %d, instruction %" PRIu32 ", which does not exist",
            mark->device, mark->plan, mark->program, mark->instr);
    return &plan->programs[mark->program][mark->device].instrs[mark->instr];
}

static int print_event(char *text, size_t size, const struct mark *mark, const struct instr *instr)
{
    char name[MAX_EVENT / 4], algorithm[64];
    const struct cost *cost = &instr->cost;
    wide_uint energy_fj = 0;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        energy_fj += cost->energy_fj[p];
    quote(name, sizeof name, instr->name);
    quote(algorithm, sizeof algorithm, instr->algorithm);
    return snprintf(text, size,
                    ",\n{\"ph\":\"X\",\"pid\":%" PRIu32 ",\"tid\":%d,\"ts\":%" PRIu64 ".%06" PRIu64 ",\"dur\":%" PRIu64
                    ".%06" PRIu64 ",\"name\":\"%s\",\"cat\":\"%s\",\"args\":{\"program\":\"%s\",\"step\":%" PRIu32
                    ",\"phase\":\"%s\",\"op\":\"%s\",\"class\":\"%s\",\"bytes\":%" PRIu64 ",\"flops\":%" PRIu64
                    ",\"energy_fj\":%" PRIu64 "%s%s%s}}",
                    mark->device + 1, (int)instr->engine + 1, mark->start_ps / PS_PER_US, mark->start_ps % PS_PER_US,
                    cost->time_ps / PS_PER_US, cost->time_ps % PS_PER_US, name,
                    kernel_class_name(op_class(instr->op->kind)), program_name((int)mark->program), mark->step,
                    phase_name(instr->phase), op_name(instr->op->kind), kernel_class_name(op_class(instr->op->kind)),
                    cost->bytes, cost->flops, (uint64_t)energy_fj, *algorithm ? ",\"algorithm\":\"" : "", algorithm,
                    *algorithm ? "\"" : "");
}

static void expect_free(struct trace *trace, const struct mark *mark, const struct instr *instr)
{
    uint64_t *end_ps = &trace->engine_end_ps[mark->device][instr->engine];
    if (mark->start_ps < *end_ps)
        bug("trace: %s starts on engine %s of device %" PRIu32 " at %" PRIu64 " ps, which is busy until %" PRIu64 " ps",
            instr->name, engine_name(instr->engine), mark->device, mark->start_ps, *end_ps);
    *end_ps = mark->start_ps + instr->cost.time_ps;
}

/* The k-th message of a channel goes from its k-th send, which comes first, to its k-th receive: an arrow from the
 * start of the one to within the other. Returns 0 for other instructions. */
static int print_flow(const struct trace *trace, char *text, size_t size, const struct mark *mark,
                      const struct instr *instr)
{
    int is_send = instr->op->kind == OP_SEND;
    if (!is_send && instr->op->kind != OP_RECV)
        return 0;
    size_t at = (size_t)mark->program * (size_t)trace->n_channels + (size_t)instr->channel;
    uint64_t k = is_send ? trace->sent[at] : trace->received[at];
    if (!is_send && k >= trace->sent[at])
        return 0; /* its send is not in the trace */
    uint64_t at_ps = mark->start_ps + (is_send ? 0 : instr->cost.time_ps / 2);
    return snprintf(text, size,
                    ",\n{\"ph\":\"%s\",\"id\":\"%d.%d.%" PRIu64 "\",\"pid\":%" PRIu32 ",\"tid\":%d,\"ts\":%" PRIu64
                    ".%06" PRIu64 ",\"name\":\"message\",\"cat\":\"message\"}",
                    is_send ? "s" : "f\",\"bp\":\"e", mark->program, instr->channel, k, mark->device + 1,
                    (int)instr->engine + 1, at_ps / PS_PER_US, at_ps % PS_PER_US);
}

static void count_message(struct trace *trace, const struct mark *mark, const struct instr *instr)
{
    size_t at = (size_t)mark->program * (size_t)trace->n_channels + (size_t)instr->channel;
    if (instr->op->kind == OP_SEND)
        trace->sent[at]++;
    if (instr->op->kind == OP_RECV)
        trace->received[at]++;
}

/* Is there room for n more bytes? From the first event on for which there is none all are left out. */
static int has_room(struct trace *trace, int n, const struct place *place)
{
    if (trace->n_left_out == 0 && trace->bytes + (uint64_t)n + TAIL_BYTES <= trace->max_bytes)
        return 1;
    if (trace->n_left_out++ == 0)
        trace->cut = *place;
    return 0;
}

static uint32_t device_named(const struct run *run, const char *name)
{
    for (int d = 0; d < run->n_devices; d++)
        if (strcmp(run->device[d].name, name) == 0)
            return (uint32_t)d;
    bug("a fault of device '%s', which the run does not have", name);
}

/* Those of the run up to this time that have not been told. */
static void add_faults(struct trace *trace, uint64_t until_ps)
{
    char text[MAX_EVENT], action[MAX_EVENT / 4];
    for (; trace->n_faults < trace->run->n_faults; trace->n_faults++) {
        const struct run_fault *fault = &trace->run->fault[trace->n_faults];
        if (fault->time_ps > until_ps)
            return;
        const struct place place = {device_named(trace->run, fault->device), (uint32_t)fault->step, ENGINE_COMPUTE,
                                    fault->time_ps};
        quote(action, sizeof action, fault->action);
        int n = snprintf(text, sizeof text,
                         ",\n{\"ph\":\"i\",\"s\":\"p\",\"pid\":%" PRIu32 ",\"tid\":%d,\"ts\":%" PRIu64 ".%06" PRIu64
                         ",\"name\":\"%s %s\",\"cat\":\"fault\",\"args\":{\"step\":%" PRIu32 ",\"action\":\"%s\"}}",
                         place.device + 1, place.engine + 1, place.ps / PS_PER_US, place.ps % PS_PER_US, fault->device,
                         fault->kind, place.step, action);
        if (has_room(trace, n, &place))
            put(trace, text);
    }
}

static void add_mark(struct trace *trace, const struct mark *mark)
{
    const struct place place = {mark->device, mark->step, (int)instr_of(trace, mark)->engine, mark->start_ps};
    char text[MAX_EVENT];
    const struct instr *instr = instr_of(trace, mark);
    expect_free(trace, mark, instr);
    int n = trace->n_left_out ? 0 : print_event(text, sizeof text, mark, instr);
    if (n > 0 && n < (int)sizeof text)
        n += print_flow(trace, text + n, sizeof text - (size_t)n, mark, instr);
    if (n >= (int)sizeof text)
        bug("trace: the event of %s does not fit", instr->name);
    if (!has_room(trace, n, &place))
        return;
    put(trace, text);
    count_message(trace, mark, instr);
    trace->n_events++;
    if (mark->step > trace->last_step)
        trace->last_step = mark->step;
}

struct event {
    struct mark mark;
    int is_receive;
};

/* In time order over all devices, so that a cut leaves every device with the same stretch of time; a message is sent
 * before it is received. */
static int by_time(const void *left, const void *right)
{
    const struct event *x = left, *y = right;
    const struct mark *a = &x->mark, *b = &y->mark;
    const uint64_t keys[][2] = {{a->start_ps, b->start_ps}, {(uint64_t)x->is_receive, (uint64_t)y->is_receive},
                                {a->device, b->device},     {a->plan, b->plan},
                                {a->program, b->program},   {a->instr, b->instr}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

enum status trace_marks(struct trace *trace, const struct mark *marks, size_t n, struct fault *fault)
{
    if (n == 0)
        return STATUS_OK;
    struct event *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return fault_set(fault, STATUS_FAILED, "%s: out of memory for %zu marks", trace->output.path, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct event){marks[i], instr_of(trace, &marks[i])->op->kind == OP_RECV};
    qsort(sorted, n, sizeof *sorted, by_time);
    for (size_t i = 0; i < n; i++) {
        add_faults(trace, sorted[i].mark.start_ps);
        add_mark(trace, &sorted[i].mark);
    }
    free(sorted);
    if (ferror(trace->output.file))
        return fault_set(fault, STATUS_IO, "%s: cannot be written: is the disk full?", trace->output.path);
    return STATUS_OK;
}

size_t trace_written(const struct trace *trace)
{
    return trace->n_events;
}

size_t trace_left_out(const struct trace *trace)
{
    return trace->n_left_out;
}

static void put_cut(struct trace *trace)
{
    char text[MAX_EVENT];
    const struct place *cut = &trace->cut;
    snprintf(text, sizeof text,
             ",\n{\"ph\":\"i\",\"s\":\"g\",\"pid\":%" PRIu32 ",\"tid\":%d,\"ts\":%" PRIu64 ".%06" PRIu64
             ",\"name\":\"trace truncated\",\"args\":{\"step\":%" PRIu32 ",\"reason\":\"size cap of %" PRIu64
             " bytes\",\"events_left_out\":%zu}}",
             cut->device + 1, cut->engine + 1, cut->ps / PS_PER_US, cut->ps % PS_PER_US, cut->step, trace->max_bytes,
             trace->n_left_out);
    put(trace, text);
}

static void put_tail(struct trace *trace)
{
    char text[MAX_EVENT], job[256];
    quote(job, sizeof job, trace->run->name);
    if (trace->n_left_out)
        put_cut(trace);
    snprintf(text, sizeof text,
             "\n],\n\"otherData\":{\"job\":\"%s\",\"clock\":\"virtual time, microseconds\",\"steps_of_run\":%" PRId64
             ",\"last_step\":%" PRIu32 ",\"events\":%zu,\"truncated\":",
             job, trace->run->steps, trace->last_step, trace->n_events);
    put(trace, text);
    if (trace->n_left_out)
        snprintf(text, sizeof text,
                 "{\"step\":%" PRIu32 ",\"events_left_out\":%zu,\"reason\":\"size cap of %" PRIu64 " bytes\"}}}\n",
                 trace->cut.step, trace->n_left_out, trace->max_bytes);
    else
        snprintf(text, sizeof text, "false}}\n");
    put(trace, text);
}

/* From the plain temporary file into out, which zlib heads with no time and no name: equal traces give equal bytes. */
static enum status compress_into(FILE *plain, struct output *out, struct fault *fault)
{
    char block[1 << 16];
    size_t n;
    int failed = fflush(plain) != 0 || fseek(plain, 0, SEEK_SET) != 0;
    gzFile gz = gzdopen(dup(fileno(out->file)), "wb6");
    if (!gz)
        return fault_set(fault, STATUS_IO, "%s: cannot be compressed", out->path);
    while (!failed && (n = fread(block, 1, sizeof block, plain)) > 0)
        failed = gzwrite(gz, block, (unsigned)n) != (int)n;
    failed |= ferror(plain) != 0;
    failed |= gzclose(gz) != Z_OK;
    return failed ? fault_set(fault, STATUS_IO, "%s: cannot be written: is the disk full?", out->path) : STATUS_OK;
}

static enum status finish_compressed(struct trace *trace, const char *packed_path, struct fault *fault)
{
    struct output packed;
    enum status status = output_open(&packed, packed_path, fault);
    if (status == STATUS_OK)
        status = compress_into(trace->output.file, &packed, fault);
    if (status == STATUS_OK)
        status = output_finish(&packed, fault);
    if (status == STATUS_OK)
        unlink(trace->output.path);
    output_close(&packed);
    return status;
}

static enum status finish(struct trace *trace, struct fault *fault)
{
    char *packed_path;
    if (asprintf(&packed_path, "%s.gz", trace->output.path) < 0)
        bug("out of memory");
    add_faults(trace, UINT64_MAX);
    put_tail(trace);
    enum status status;
    if (trace->bytes >= TRACE_GZIP_BYTES)
        status = finish_compressed(trace, packed_path, fault);
    else {
        status = output_finish(&trace->output, fault);
        if (status == STATUS_OK)
            unlink(packed_path);
    }
    free(packed_path);
    return status;
}

enum status trace_close(struct trace *trace, struct fault *fault)
{
    if (fault->status == STATUS_OK)
        finish(trace, fault);
    output_close(&trace->output);
    free(trace->engine_end_ps);
    free(trace->sent);
    free(trace->received);
    free(trace);
    return fault->status;
}

enum status trace_write(const char *path, const struct plan *plans, int n_plans, const struct run *run,
                        const struct mark *marks, size_t n_marks, uint64_t max_bytes, struct fault *fault)
{
    struct trace *trace = NULL;
    trace_open(path, plans, n_plans, run, max_bytes, &trace, fault);
    if (!trace)
        return fault->status;
    trace_marks(trace, marks, n_marks, fault);
    return trace_close(trace, fault);
}
