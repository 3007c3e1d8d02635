/* Traces keep the format's rules and tell the ledger's times, whole, capped and compressed. */
#include <check.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "plan/clock.h"
#include "report/trace_read.h"
#include "trace_bench.h"

Suite *suite_trace(void);

static void bench_program(struct bench *b, struct dice *d, struct arena *arena, int device)
{
    struct program *program = &b->program[PROGRAM_TRAIN][device];
    program->n_instrs = N_BENCH_INSTRS;
    program->instrs = arena_array(arena, N_BENCH_INSTRS, sizeof *program->instrs);
    program->waits = arena_array(arena, N_BENCH_INSTRS, sizeof *program->waits);
    for (int i = 0; i < N_BENCH_INSTRS; i++) {
        static const enum op_kind kinds[N_ENGINES] = {OP_LINEAR, OP_LOAD, OP_ALLREDUCE, OP_RECV, OP_UPDATE};
        struct instr *instr = &program->instrs[i];
        int engine = (int)below(d, N_ENGINES);
        b->op[device][i].kind = kinds[engine];
        *instr =
            (struct instr){.op = &b->op[device][i],
                           .engine = engine,
                           .phase = i * PROGRAM_PHASES / N_BENCH_INSTRS,
                           .name = arena_printf(arena, "instr \"%d\\\n", i),
                           .algorithm = engine == ENGINE_SEND ? "ring" : NULL,
                           .cost = {.time_ps = 1 + below(d, 3000000), .energy_fj = {below(d, 1000), below(d, 1000)}}};
        if (i) {
            program->waits[program->n_waits] = (struct wait){(int)below(d, (uint64_t)i), 0};
            instr->first_wait = program->n_waits++;
            instr->n_waits = 1;
        }
    }
}

static void bench_run(struct bench *b, struct arena *arena, int device)
{
    const struct program *programs[N_PROGRAMS];
    for (int p = 0; p < N_PROGRAMS; p++)
        programs[p] = &b->program[p][device];
    const struct program *program = programs[PROGRAM_TRAIN];
    struct clock clock;
    clock_init(&clock, programs, arena);
    for (uint32_t step = 1; step <= N_BENCH_STEPS; step++) {
        clock_begin(&clock, PROGRAM_TRAIN);
        for (int i = 0; i < program->n_instrs; i++) {
            uint64_t start_ps = clock_start_ps(&clock, program, PROGRAM_TRAIN, i);
            clock_run(&clock, program, PROGRAM_TRAIN, i, start_ps);
            mark_list_add(&b->marks, &(struct mark){start_ps, step, (uint32_t)device, (uint32_t)i, PROGRAM_TRAIN, 0});
        }
    }
    uint64_t end_ps = clock_end_ps(&clock);
    b->run.end_ps = end_ps > b->run.end_ps ? end_ps : b->run.end_ps;
    clock_ledger(&clock, programs, end_ps, 100, 50, &b->run.device[device].ledger);
}

static void bench_init(struct bench *b, struct dice *d, struct arena *arena)
{
    memset(b, 0, sizeof *b);
    b->plan.n_devices = N_BENCH_DEVICES;
    b->run = (struct run){.name = "trace", .steps = N_BENCH_STEPS, .n_devices = N_BENCH_DEVICES};
    b->run.device = arena_array(arena, N_BENCH_DEVICES, sizeof *b->run.device);
    for (int p = 0; p < N_PROGRAMS; p++)
        b->plan.programs[p] = b->program[p];
    for (int i = 0; i < N_BENCH_DEVICES; i++) {
        b->run.device[i].name = arena_printf(arena, "gpu%d", i);
        b->run.device[i].kind = "gpu";
        b->run.device[i].profile = "h200";
        bench_program(b, d, arena, i);
        bench_run(b, arena, i);
    }
}

/* What the format's rules need to know while the events go by. Times in ps. */
struct track {
    uint64_t end_ps, busy_ps[N_KERNEL_CLASSES];
    int is_named;
};

struct seen {
    struct track track[N_BENCH_DEVICES][N_ENGINES];
    int is_named[N_BENCH_DEVICES];
    size_t events, instants;
};

/* The decimal text of a member, exactly: jansson's doubles would hide a lost picosecond. */
static uint64_t member_ps(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    ck_assert_ptr_nonnull(at);
    char *end;
    uint64_t whole = strtoull(at + strlen(key), &end, 10);
    ck_assert_msg(*end == '.' && strspn(end + 1, "0123456789") == 6, "no fixed-point time: %s", line);
    return whole * 1000000 + strtoull(end + 1, NULL, 10);
}

static void check_event(struct seen *seen, const char *line, json_t *event)
{
    json_t *args = json_object_get(event, "args");
    const char *class = json_string_value(json_object_get(args, "class"));
    int64_t device = json_integer_value(json_object_get(event, "pid")) - 1;
    int64_t engine = json_integer_value(json_object_get(event, "tid")) - 1;
    struct track *track = &seen->track[device][engine];
    uint64_t start_ps = member_ps(line, "\"ts\":"), duration_ps = member_ps(line, "\"dur\":");
    ck_assert_msg(track->is_named && seen->is_named[device], "a track without a name: %s", line);
    ck_assert_msg(start_ps >= track->end_ps, "events overlap: %s", line);
    ck_assert_double_eq_tol(json_number_value(json_object_get(event, "ts")), (double)start_ps * 1e-6, 1e-6);
    ck_assert(json_is_integer(json_object_get(args, "step")) && json_is_string(json_object_get(args, "phase")));
    ck_assert(json_is_integer(json_object_get(args, "bytes")) && json_is_integer(json_object_get(args, "energy_fj")));
    track->end_ps = start_ps + duration_ps;
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        if (strcmp(class, kernel_class_name(c)) == 0)
            track->busy_ps[c] += duration_ps;
    seen->events++;
}

static void check_line(struct seen *seen, char *line)
{
    size_t length = strlen(line);
    if (length && line[length - 1] == ',')
        line[length - 1] = '\0';
    json_t *event = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(event != NULL, "no JSON: %s", line);
    const char *kind = json_string_value(json_object_get(event, "ph"));
    const char *name = json_string_value(json_object_get(event, "name"));
    int64_t pid = json_integer_value(json_object_get(event, "pid")),
            tid = json_integer_value(json_object_get(event, "tid"));
    ck_assert(pid >= 1 && pid <= N_BENCH_DEVICES && tid >= 0 && tid <= N_ENGINES);
    if (*kind == 'M' && strcmp(name, "process_name") == 0)
        seen->is_named[pid - 1]++;
    else if (*kind == 'M' && strcmp(name, "thread_name") == 0)
        seen->track[pid - 1][tid - 1].is_named++;
    else if (*kind == 'X')
        check_event(seen, line, event);
    else if (*kind == 'i')
        seen->instants++;
    json_decref(event);
}

/* Checks a trace file by the format's rules; returns its otherData. */
static json_t *check_trace(const char *path, struct seen *seen)
{
    char *text = read_text(path, NULL), *rest = text, *line;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    memset(seen, 0, sizeof *seen);
    ck_assert_msg(json != NULL, "%s is no JSON", path);
    ck_assert_str_eq(json_string_value(json_object_get(json, "displayTimeUnit")), "ns");
    ck_assert(json_is_array(json_object_get(json, "traceEvents")));
    strsep(&rest, "\n");
    while ((line = strsep(&rest, "\n")) && *line == '{')
        check_line(seen, line);
    json_t *other = json_incref(json_object_get(json, "otherData"));
    json_decref(json);
    free(text);
    return other;
}

START_TEST(test_trace_whole)
{
    struct dice d = dice(500 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct bench b;
    struct seen seen;
    bench_init(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json"), *packed = folder_file(&folder, "trace.json.gz");
    fclose(fopen(packed, "w")); /* an older one, now wrong */
    trace_write(path, &b.plan, 1, &b.run, b.marks.mark, b.marks.n, 1 << 30, &fault);
    expect_ok(&fault);
    ck_assert_int_ne(access(packed, F_OK), 0);
    json_t *other = check_trace(path, &seen);
    ck_assert(json_is_false(json_object_get(other, "truncated")));
    ck_assert_int_eq(json_integer_value(json_object_get(other, "last_step")), N_BENCH_STEPS);
    ck_assert_uint_eq(seen.events, b.marks.n);
    ck_assert_uint_eq(seen.instants, 0);
    for (int i = 0; i < N_BENCH_DEVICES; i++)
        for (int c = 0; c < N_KERNEL_CLASSES; c++) {
            uint64_t busy_ps = 0;
            for (int e = 0; e < N_ENGINES; e++)
                busy_ps += seen.track[i][e].busy_ps[c];
            ck_assert_uint_eq(busy_ps, b.run.device[i].ledger.entry[c].busy_ps);
            ck_assert_uint_eq(seen.track[i][ENGINE_COMPUTE].busy_ps[c], b.run.device[i].ledger.compute_ps[c]);
        }
    json_decref(other);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

START_TEST(test_trace_capped)
{
    struct dice d = dice(600);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct bench b;
    struct seen seen;
    bench_init(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json");
    uint64_t cap = 8000 + 3000 * (uint64_t)_i;
    trace_write(path, &b.plan, 1, &b.run, b.marks.mark, b.marks.n, cap, &fault);
    expect_ok(&fault);
    size_t size;
    free(read_text(path, &size));
    ck_assert_uint_le(size, cap);
    json_t *other = check_trace(path, &seen), *cut = json_object_get(other, "truncated");
    ck_assert(seen.events > 0 && seen.events < b.marks.n);
    ck_assert_uint_eq(seen.instants, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(cut, "events_left_out")),
                     (json_int_t)(b.marks.n - seen.events));
    ck_assert_int_ge(json_integer_value(json_object_get(cut, "step")), 1);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(cut, "reason")), "size cap"));
    json_decref(other);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

static int same_event(const struct bench *b, const struct mark *mark, const struct trace_event *event)
{
    const struct instr *instr = &b->program[mark->program][mark->device].instrs[mark->instr];
    return event->start_ps == mark->start_ps && event->time_ps == instr->cost.time_ps && event->step == mark->step &&
           event->device == mark->device && event->engine == instr->engine && event->program == mark->program &&
           event->class == op_class(instr->op->kind);
}

START_TEST(test_trace_reads_back)
{
    struct dice d = dice(650);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct trace_content content;
    struct bench b;
    bench_init(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json");
    trace_write(path, &b.plan, 1, &b.run, b.marks.mark, b.marks.n, _i ? 9000 : 1 << 30, &fault);
    trace_read(path, arena, &content, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(content.is_truncated, _i);
    ck_assert(_i ? content.n < b.marks.n : content.n == b.marks.n);
    ck_assert_int_eq(content.n_devices, N_BENCH_DEVICES);
    ck_assert_str_eq(content.device_name[1], "gpu1");
    for (size_t i = 0; i < content.n; i++) {
        int n = 0;
        for (size_t k = 0; k < b.marks.n; k++)
            n += same_event(&b, &b.marks.mark[k], &content.event[i]);
        ck_assert_int_eq(n, 1);
    }
    trace_content_release(&content);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* A cut or changed file is refused or, where a digit of a time was changed, read; never a crash. */
START_TEST(test_trace_damaged)
{
    struct dice d = dice(660 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct trace_content content;
    struct bench b;
    size_t size;
    bench_init(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json");
    trace_write(path, &b.plan, 1, &b.run, b.marks.mark, b.marks.n, 1 << 30, &fault);
    expect_ok(&fault);
    char *text = read_text(path, &size);
    size_t cut = _i % 2 ? size : below(&d, size - 200); /* the end of the last line matters to nobody */
    if (_i % 2)
        text[below(&d, size)] ^= (char)(1 << below(&d, 7));
    FILE *out = fopen(path, "wb");
    fwrite(text, 1, cut, out);
    fclose(out);
    free(text);
    enum status status = trace_read(path, arena, &content, &fault);
    ck_assert(status == STATUS_USAGE || (_i % 2 && status == STATUS_OK));
    if (status == STATUS_OK)
        trace_content_release(&content);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* Many runs of the same marks, later and later: large enough to be compressed, in parts as a streaming writer gets
 * them. */
START_TEST(test_trace_compressed)
{
    struct dice d = dice(700);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct bench b;
    struct seen seen;
    struct trace *trace;
    bench_init(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json"), *packed = folder_file(&folder, "trace.json.gz");
    trace_open(path, &b.plan, 1, &b.run, 1 << 30, &trace, &fault);
    expect_ok(&fault);
    for (int k = 0; k < 40; k++) {
        trace_marks(trace, b.marks.mark, b.marks.n, &fault);
        for (size_t i = 0; i < b.marks.n; i++)
            b.marks.mark[i].start_ps += b.run.end_ps;
    }
    ck_assert_uint_eq(trace_written(trace), 40 * b.marks.n);
    ck_assert_uint_eq(trace_left_out(trace), 0);
    trace_close(trace, &fault);
    expect_ok(&fault);
    ck_assert_int_ne(access(path, F_OK), 0);
    json_decref(check_trace(packed, &seen));
    ck_assert_uint_eq(seen.events, 40 * b.marks.n);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

Suite *suite_trace(void)
{
    Suite *suite = suite_create("trace");
    TCase *tcase = tcase_create("trace");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_trace_whole, 0, 10);
    tcase_add_loop_test(tcase, test_trace_capped, 0, 5);
    tcase_add_test(tcase, test_trace_compressed);
    tcase_add_loop_test(tcase, test_trace_reads_back, 0, 2);
    tcase_add_loop_test(tcase, test_trace_damaged, 0, 40);
    suite_add_tcase(suite, tcase);
    return suite;
}
