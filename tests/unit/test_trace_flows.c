/* Messages in traces are arrows; traces go on under another plan, with the fault between them. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "report/trace_read.h"
#include "trace_bench.h"

Suite *suite_trace_flows(void);

/* Devices that send each other messages, several runs of them: each arrow joins a send and the receive of the same
 * message, and starts within the one and ends within the other. */
enum { N_MESSAGES = 5 };

static void message_bench(struct bench *b, struct dice *d, struct arena *arena)
{
    memset(b, 0, sizeof *b);
    b->plan.n_devices = 2;
    b->run = (struct run){.name = "flows", .steps = N_BENCH_STEPS, .n_devices = 2};
    b->run.device = arena_array(arena, 2, sizeof *b->run.device);
    for (int p = 0; p < N_PROGRAMS; p++)
        b->plan.programs[p] = b->program[p];
    for (int i = 0; i < 2; i++) {
        struct program *program = &b->program[PROGRAM_LOW][i];
        b->run.device[i] = (struct run_device){.name = i ? "reram0" : "systolic0", .kind = "k", .profile = "p"};
        program->n_instrs = N_MESSAGES;
        program->instrs = arena_array(arena, N_MESSAGES, sizeof *program->instrs);
        b->op[i][0].kind = OP_SEND;
        b->op[i][1].kind = OP_RECV;
    }
    for (int m = 0; m < N_MESSAGES; m++) {
        int from = (int)below(d, 2);
        for (int i = 0; i < 2; i++)
            b->program[PROGRAM_LOW][i].instrs[m] = (struct instr){.op = &b->op[i][i != from],
                                                                  .engine = i == from ? ENGINE_SEND : ENGINE_RECEIVE,
                                                                  .name = "m",
                                                                  .channel = m,
                                                                  .cost = {.time_ps = 1000}};
    }
    for (uint32_t k = 0; k < N_BENCH_STEPS; k++)
        for (uint32_t m = 0; m < N_MESSAGES; m++)
            for (uint32_t i = 0; i < 2; i++) { /* received at once, or a little later */
                int is_receive = b->program[PROGRAM_LOW][i].instrs[m].op->kind == OP_RECV;
                uint64_t start_ps = (k * N_MESSAGES + m) * 10000 + (is_receive ? below(d, 3) * 1500 : 0);
                mark_list_add(&b->marks, &(struct mark){start_ps, k + 1, i, m, PROGRAM_LOW, 0});
            }
}

/* The event of this kind and id, exactly one. */
static json_t *find_flow(json_t *events, const char *kind, const char *id)
{
    json_t *found = NULL, *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        const char *its = json_string_value(json_object_get(event, "id"));
        if (its && strcmp(its, id) == 0 && strcmp(json_string_value(json_object_get(event, "ph")), kind) == 0) {
            ck_assert_ptr_null(found);
            found = event;
        }
    }
    ck_assert_msg(found != NULL, "no arrow %s %s", kind, id);
    return found;
}

static void check_flow(const struct bench *b, json_t *events, uint32_t k, int m)
{
    char id[32];
    snprintf(id, sizeof id, "%d.%d.%u", PROGRAM_LOW, m, k);
    json_t *from = find_flow(events, "s", id), *to = find_flow(events, "f", id);
    int sender = b->program[PROGRAM_LOW][0].instrs[m].op->kind == OP_SEND ? 0 : 1;
    ck_assert_int_eq(json_integer_value(json_object_get(from, "pid")), sender + 1);
    ck_assert_int_eq(json_integer_value(json_object_get(to, "pid")), 2 - sender);
    ck_assert_int_eq(json_integer_value(json_object_get(from, "tid")), ENGINE_SEND + 1);
    ck_assert_int_eq(json_integer_value(json_object_get(to, "tid")), ENGINE_RECEIVE + 1);
    ck_assert_str_eq(json_string_value(json_object_get(to, "bp")), "e");
    for (size_t i = 0; i < b->marks.n; i++) {
        const struct mark *mark = &b->marks.mark[i];
        if (mark->step != k + 1 || mark->instr != (uint32_t)m)
            continue;
        json_t *end = (int)mark->device == sender ? from : to;
        double at_us = json_number_value(json_object_get(end, "ts")), start_us = (double)mark->start_ps * 1e-6;
        ck_assert(at_us >= start_us - 1e-9 && at_us < start_us + 1000e-6);
    }
    ck_assert(json_number_value(json_object_get(from, "ts")) < json_number_value(json_object_get(to, "ts")));
}

/* The instructions that each event of the file stands for are those of the plan of its mark, and faults stand between
 * the runs before and after them. */
START_TEST(test_trace_of_several_plans)
{
    struct dice d = dice(900 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct trace_content content;
    struct bench one, other;
    message_bench(&one, &d, arena);
    message_bench(&other, &d, arena);
    uint64_t later_ps = (N_BENCH_STEPS + 1) * N_MESSAGES * 10000;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < N_MESSAGES; i++)
            other.program[PROGRAM_LOW][k].instrs[i].cost.time_ps = 700;
    for (size_t i = 0; i < other.marks.n; i++) {
        struct mark mark = other.marks.mark[i];
        mark.start_ps += later_ps;
        mark.step += N_BENCH_STEPS;
        mark.plan = 1;
        mark_list_add(&one.marks, &mark);
    }
    struct plan plans[] = {one.plan, other.plan};
    struct run_fault told[] = {
        {.device = "reram0", .kind = "degrades", .action = "goes \"on\"", .time_ps = later_ps - 1},
        {.device = "systolic0", .kind = "fails", .action = "", .time_ps = 10 * later_ps}};
    one.run.fault = told;
    one.run.n_faults = 2;
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json");
    trace_write(path, plans, 2, &one.run, one.marks.mark, one.marks.n, 1 << 30, &fault);
    trace_read(path, arena, &content, &fault);
    expect_ok(&fault);
    ck_assert_uint_eq(content.n, one.marks.n);
    for (size_t i = 0; i < content.n; i++)
        ck_assert_uint_eq(content.event[i].time_ps, content.event[i].start_ps < later_ps ? 1000 : 700);
    char *text = read_text(path, NULL);
    const char *first = strstr(text, "\"name\":\"reram0 degrades\",\"cat\":\"fault\""),
               *last = strstr(text, "\"name\":\"systolic0 fails\"");
    ck_assert(first && last && strstr(first, "goes \\\"on\\\""));
    ck_assert(strstr(first, "\"ph\":\"X\"") && !strstr(last, "\"ph\":\"X\""));
    size_t before = 0;
    for (const char *at = text; (at = strstr(at, "\"ph\":\"X\"")) && at < first; at++)
        before++;
    ck_assert_uint_eq(before, one.marks.n / 2);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *events = json_object_get(json, "traceEvents");
    for (uint32_t k = 0; k < 2 * N_BENCH_STEPS; k++)
        for (int m = 0; m < N_MESSAGES; m++) {
            char id[32];
            snprintf(id, sizeof id, "%d.%d.%u", PROGRAM_LOW, m, k);
            find_flow(events, "s", id);
            find_flow(events, "f", id);
        }
    json_decref(json);
    free(text);
    trace_content_release(&content);
    mark_list_release(&one.marks);
    mark_list_release(&other.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

START_TEST(test_trace_flows)
{
    struct dice d = dice(800 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct bench b;
    message_bench(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json");
    trace_write(path, &b.plan, 1, &b.run, b.marks.mark, b.marks.n, 1 << 30, &fault);
    expect_ok(&fault);
    char *text = read_text(path, NULL);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *events = json_object_get(json, "traceEvents");
    for (uint32_t k = 0; k < N_BENCH_STEPS; k++)
        for (int m = 0; m < N_MESSAGES; m++)
            check_flow(&b, events, k, m);
    json_decref(json);
    free(text);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

Suite *suite_trace_flows(void)
{
    Suite *suite = suite_create("trace_flows");
    TCase *tcase = tcase_create("trace_flows");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_trace_flows, 0, 5);
    tcase_add_loop_test(tcase, test_trace_of_several_plans, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}
