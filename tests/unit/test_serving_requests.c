/* Request traces: what is read, what is refused, and made-up arrivals. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/statistics.h"
#include "folder.h"
#include "serving/arrivals.h"
#include "store/requests.h"

Suite *suite_serving_requests(void);

static enum status parse(const char *text, const struct requests_options *options, struct arena *arena,
                         struct requests *requests, struct fault *fault)
{
    size_t size = strlen(text);
    char *copy = arena_take(arena, size + 1);
    memcpy(copy, text, size);
    *fault = FAULT_NONE;
    return requests_parse("t", copy, size, options, arena, requests, fault);
}

static void expect_request(const struct requests *requests, size_t i, uint64_t arrival_ps, uint32_t prompt,
                           uint32_t output)
{
    ck_assert_uint_eq(requests->request[i].arrival_ps, arrival_ps);
    ck_assert_uint_eq(requests->request[i].prompt_tokens, prompt);
    ck_assert_uint_eq(requests->request[i].output_tokens, output);
}

START_TEST(azure_dates_keep_their_fractions)
{
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault;
    parse("TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n"
          "2023-11-16 18:15:50.9951690,396,109\n2023-11-16 18:16:00,1,1",
          NULL, arena, &requests, &fault);
    expect_ok(&fault);
    ck_assert_uint_eq(requests.n, 3);
    expect_request(&requests, 0, 0, 374, 44);
    expect_request(&requests, 1, UINT64_C(4314579000000), 396, 109);
    expect_request(&requests, 2, UINT64_C(13319410000000), 1, 1);
    ck_assert_uint_eq(requests.request[2].line, 4);
    arena_free(arena);
}
END_TEST

START_TEST(our_columns_come_in_any_order_and_unit)
{
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault;
    parse("id,output_toks,arrival_ns,input_toks\n0,5,46926808,9\n1,6,347938951,8\n", NULL, arena, &requests, &fault);
    expect_ok(&fault);
    expect_request(&requests, 0, UINT64_C(46926808000), 9, 5);
    expect_request(&requests, 1, UINT64_C(347938951000), 8, 6);
    parse("arrival_s,prompt_tokens,generated_tokens\n0.0,1,2\n0.285059,3,4\n1e3,5,6\n1000.0000000000019,7,8\n", NULL,
          arena, &requests, &fault);
    expect_ok(&fault);
    expect_request(&requests, 1, UINT64_C(285059000000), 3, 4);
    expect_request(&requests, 2, UINT64_C(1000000000000000), 5, 6);
    expect_request(&requests, 3, UINT64_C(1000000000000001), 7, 8);
    arena_free(arena);
}
END_TEST

START_TEST(mooncake_lines_keep_their_hashes)
{
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault;
    parse("{\"timestamp\": 0, \"input_length\": 513, \"output_length\": 3, \"hash_ids\": [0, 77]}\n"
          "{\"timestamp\": 27.5, \"input_length\": 10, \"output_length\": 4}\n\n",
          NULL, arena, &requests, &fault);
    expect_ok(&fault);
    ck_assert_uint_eq(requests.n, 2);
    ck_assert_uint_eq(requests.hash_tokens, 512);
    expect_request(&requests, 0, 0, 513, 3);
    expect_request(&requests, 1, UINT64_C(27500000000), 10, 4);
    ck_assert_uint_eq(requests.request[0].n_hashes, 2);
    ck_assert_uint_eq(requests.request[0].hash[1], 77);
    ck_assert_uint_eq(requests.request[1].n_hashes, 0);
    arena_free(arena);
}
END_TEST

#define HEAD "arrival_s,input_tokens,output_tokens\n"
#define LINE(rest) "{\"timestamp\": 5, \"input_length\": 10, " rest "}\n"

static const struct {
    const char *text, *message;
} malformed[] = {
    {"", "t: the file is empty"},
    {HEAD, "t: a header, but no requests"},
    {"arrival_s,input_tokens\n1,2\n",
     "t:1: there is no column of answer lengths (GeneratedTokens, output_tokens, output_toks or generated_tokens)"},
    {"arrival_s,arrival_ns,input_tokens,output_tokens\n1,1,2,3\n",
     "t:1:11: a second column of arrivals (TIMESTAMP, or arrival_s, _ms, _us, _ns, _ps); the first is arrival_s"},
    {HEAD "0,0,5\n", "t:2:3: expected a number of tokens from 1 to 16777216, found \"0\""},
    {HEAD "0,5,0\n", "t:2:5: expected a number of tokens from 1 to 16777216, found \"0\""},
    {HEAD "0,5,-1\n", "t:2:5: expected a number of tokens from 1 to 16777216, found \"-1\""},
    {HEAD "0,5.5,1\n", "t:2:3: expected a number of tokens from 1 to 16777216, found \"5.5\""},
    {HEAD "0,,1\n", "t:2:3: expected a number of tokens from 1 to 16777216, found \"\""},
    {HEAD "0,99999999999999999999,1\n",
     "t:2:3: expected a number of tokens from 1 to 16777216, found \"99999999999999999999\""},
    {HEAD "-1,5,1\n", "t:2:1: expected a time from 0 to 10000000 s, found \"-1\""},
    {HEAD "x,5,1\n", "t:2:1: expected a time from 0 to 10000000 s, found \"x\""},
    {HEAD ".,5,1\n", "t:2:1: expected a time from 0 to 10000000 s, found \".\""},
    {HEAD "1e9,5,1\n", "t:2:1: expected a time from 0 to 10000000 s, found \"1e9\""},
    {HEAD "10000000.1,5,1\n", "t:2:1: expected a time from 0 to 10000000 s, found \"10000000.1\""},
    {HEAD "99999999999999999999999,5,1\n",
     "t:2:1: expected a time from 0 to 10000000 s, found \"99999999999999999999999\""},
    {HEAD "2,5,1\n1.5,5,1\n",
     "t:3:1: expected no arrival before that of the line above (sort the file), found \"1.5\""},
    {HEAD "2,5,1,7\n", "t:2: expected 3 fields as in the first line, found 4"},
    {"TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,1,1\n",
     "t:2:1: expected a date and time such as 2023-11-16 18:15:46.680, found \"soon\""},
    {"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n2023-11-16 18:15:45,1,1\n",
     "t:3:1: expected a time within 10000000 s after the first, found \"2023-11-16 18:15:45\""},
    {"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.5,1,1\n2023-11-16 18:15:46.4,1,1\n",
     "t:3:1: expected no arrival before that of the line above (sort the file), found \"2023-11-16 18:15:46.4\""},
    {"{\"timestamp\": 5\n", "t:1:15: expected a JSON object on one line: '}' expected near end of file"},
    {LINE("\"output_length\": 0"), "t:1:38: output_length: expected a number of tokens from 1 to 16777216, found 0"},
    {LINE("\"output_length\": 1.5"),
     "t:1:38: output_length: expected a number of tokens from 1 to 16777216, found 1.5"},
    {"{\"timestamp\": 5, \"output_length\": 3}",
     "t:1:1: input_length: expected a number of tokens from 1 to 16777216, found nothing"},
    {"{\"timestamp\": -5, \"input_length\": 3, \"output_length\": 3}",
     "t:1:2: timestamp: expected a number of milliseconds from 0 to 10000000000, found -5"},
    {LINE("\"output_length\": 1, \"hash_ids\": [1, 2]"),
     "t:1:58: hash_ids: expected 1 ids (one for each 512 tokens of input_length begun), found 2"},
    {LINE("\"output_length\": 1, \"hash_ids\": [-1]"), "t:1:58: hash_ids: expected whole numbers from 0 up, found -1"},
    {LINE("\"output_length\": 1, \"hash_ids\": 7"), "t:1:58: hash_ids: expected a list of whole numbers, found 7"},
    {LINE("\"output_length\": 1") "[1]\n", "t:2:1: expected a JSON object"},
    {LINE("\"output_length\": 1") "{\"timestamp\": 4, \"input_length\": 3, \"output_length\": 3}",
     "t:2: timestamp: expected no arrival before that of the line above (sort the file)"},
};

START_TEST(a_malformed_trace_is_refused)
{
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault;
    ck_assert_int_eq(parse(malformed[_i].text, NULL, arena, &requests, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, malformed[_i].message);
    arena_free(arena);
}
END_TEST

START_TEST(options_choose_and_stretch)
{
    static const char text[] = HEAD "1,5,1\n2,500,1\n4,5,3\n6,5,4\n";
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault;
    struct requests_options options = {.limit = 3, .longest_total = 100, .rate_scale = 2};
    parse(text, &options, arena, &requests, &fault);
    expect_ok(&fault);
    ck_assert_uint_eq(requests.n, 2);
    ck_assert_uint_eq(requests.n_left_out, 1);
    expect_request(&requests, 0, UINT64_C(500000000000), 5, 1);
    expect_request(&requests, 1, UINT64_C(2000000000000), 5, 3);
    ck_assert_double_eq_tol(requests_rate(&requests), 1 / 1.5, 1e-12);
    options = (struct requests_options){.longest_total = 3};
    ck_assert_int_eq(parse(text, &options, arena, &requests, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, "t: no request is left: all 4 have more than 3 tokens");
    options = (struct requests_options){.rate_scale = 1e-9};
    ck_assert_int_eq(parse(text, &options, arena, &requests, &fault), STATUS_USAGE);
    options = (struct requests_options){.rate_scale = -1};
    ck_assert_int_eq(parse(text, &options, arena, &requests, &fault), STATUS_USAGE);
    arena_free(arena);
}
END_TEST

START_TEST(files_that_are_not_there_are_told)
{
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault = FAULT_NONE;
    ck_assert_int_eq(requests_read("/nowhere/trace.csv", NULL, arena, &requests, &fault), STATUS_IO);
    fault = FAULT_NONE;
    ck_assert_int_eq(requests_read("/tmp", NULL, arena, &requests, &fault), STATUS_IO);
    arena_free(arena);
}
END_TEST

/* Mean and variation of gaps within five standard errors. */
START_TEST(gaps_have_their_mean_and_variation)
{
    static const double cvs[] = {0.2, 0.7, 1, 1.5, 3};
    enum { N = 100000 };
    double *gap = malloc(N * sizeof *gap);
    for (size_t c = 0; c <= sizeof cvs / sizeof *cvs; c++) {
        int poisson = c == sizeof cvs / sizeof *cvs;
        double cv = poisson ? 1 : cvs[c];
        struct arrivals arrivals = {.n = N,
                                    .seed = 5,
                                    .process = poisson ? ARRIVAL_POISSON : ARRIVAL_GAMMA,
                                    .rate_per_s = 20,
                                    .cv = cv,
                                    .prompt_tokens = 7,
                                    .output_tokens = 9};
        struct arena *arena = arena_new();
        struct requests requests;
        struct fault fault = FAULT_NONE;
        arrivals_make(&arrivals, arena, &requests, &fault);
        expect_ok(&fault);
        for (size_t i = 0; i < N; i++)
            gap[i] = (double)(requests.request[i].arrival_ps - (i ? requests.request[i - 1].arrival_ps : 0)) * 1e-12;
        struct moments moments = statistics_moments(gap, N);
        ck_assert_double_eq_tol(moments.mean, 0.05, 5 * 0.05 * cv / sqrt(N));
        /* Variance of a gamma's sample variance: sigma^4 (2 + 6 cv^2) / n. */
        double variance = 0.0025 * cv * cv;
        ck_assert_double_eq_tol(moments.variance, variance, 5 * variance * sqrt((2 + 6 * cv * cv) / N));
        arena_free(arena);
    }
    free(gap);
}
END_TEST

START_TEST(more_requests_and_another_rate_change_nothing_else)
{
    struct arena *arena = arena_new();
    struct requests few, many, fast;
    struct fault fault = FAULT_NONE;
    struct arrivals arrivals = {.n = 50,
                                .seed = 3,
                                .rate_per_s = 2,
                                .lengths = LENGTHS_UNIFORM,
                                .least_prompt_tokens = 3,
                                .most_prompt_tokens = 5,
                                .least_output_tokens = 10,
                                .most_output_tokens = 1000};
    arrivals_make(&arrivals, arena, &few, &fault);
    arrivals.n = 500;
    arrivals_make(&arrivals, arena, &many, &fault);
    arrivals.rate_per_s = 8;
    arrivals_make(&arrivals, arena, &fast, &fault);
    expect_ok(&fault);
    int seen[6] = {0};
    for (size_t i = 0; i < 500; i++) {
        const struct request *a = &many.request[i], *b = &fast.request[i];
        if (i < 50)
            ck_assert_mem_eq(a, &few.request[i], sizeof *a);
        ck_assert_uint_eq(a->prompt_tokens, b->prompt_tokens);
        ck_assert_uint_eq(a->output_tokens, b->output_tokens);
        ck_assert(a->arrival_ps / 4 <= b->arrival_ps + i && b->arrival_ps <= a->arrival_ps / 4 + i + 1);
        ck_assert(a->prompt_tokens >= 3 && a->prompt_tokens <= 5 && a->output_tokens >= 10 && a->output_tokens <= 1000);
        seen[a->prompt_tokens]++;
    }
    ck_assert(seen[3] > 100 && seen[4] > 100 && seen[5] > 100);
    struct arrivals sampled = {.n = 200, .process = ARRIVAL_AT_ONCE, .lengths = LENGTHS_SAMPLED, .sample_of = &few};
    arrivals_make(&sampled, arena, &many, &fault);
    expect_ok(&fault);
    for (size_t i = 0; i < 200; i++) {
        size_t from = 0;
        while (from < 50 && (few.request[from].prompt_tokens != many.request[i].prompt_tokens ||
                             few.request[from].output_tokens != many.request[i].output_tokens))
            from++;
        ck_assert_uint_lt(from, 50);
        ck_assert_uint_eq(many.request[i].arrival_ps, 0);
    }
    arena_free(arena);
}
END_TEST

START_TEST(arrivals_out_of_range_are_refused)
{
    const struct arrivals wrong[] = {
        {.n = 0, .rate_per_s = 1, .prompt_tokens = 1, .output_tokens = 1},
        {.n = 1, .rate_per_s = 0, .prompt_tokens = 1, .output_tokens = 1},
        {.n = 1, .rate_per_s = NAN, .prompt_tokens = 1, .output_tokens = 1},
        {.n = 1, .rate_per_s = 1, .prompt_tokens = 0, .output_tokens = 1},
        {.n = 1, .rate_per_s = 1, .prompt_tokens = 1, .output_tokens = 0},
        {.n = 1, .rate_per_s = 1, .process = ARRIVAL_GAMMA, .prompt_tokens = 1, .output_tokens = 1},
        {.n = 1, .rate_per_s = 1, .lengths = LENGTHS_SAMPLED},
        {.n = 1, .rate_per_s = 1, .lengths = LENGTHS_UNIFORM, .least_prompt_tokens = 5, .most_prompt_tokens = 4},
        {.n = 3, .rate_per_s = 1e-9, .prompt_tokens = 1, .output_tokens = 1},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct requests requests;
        struct fault fault = FAULT_NONE;
        ck_assert_int_eq(arrivals_make(&wrong[i], arena, &requests, &fault), STATUS_USAGE);
        ck_assert_uint_gt(strlen(fault.text), 10);
    }
    arena_free(arena);
}
END_TEST

Suite *suite_serving_requests(void)
{
    Suite *suite = suite_create("serving_requests");
    TCase *tcase = tcase_create("requests");
    tcase_add_test(tcase, azure_dates_keep_their_fractions);
    tcase_add_test(tcase, our_columns_come_in_any_order_and_unit);
    tcase_add_test(tcase, mooncake_lines_keep_their_hashes);
    tcase_add_loop_test(tcase, a_malformed_trace_is_refused, 0, sizeof malformed / sizeof *malformed);
    tcase_add_test(tcase, options_choose_and_stretch);
    tcase_add_test(tcase, files_that_are_not_there_are_told);
    tcase_add_test(tcase, gaps_have_their_mean_and_variation);
    tcase_add_test(tcase, more_requests_and_another_rate_change_nothing_else);
    tcase_add_test(tcase, arrivals_out_of_range_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
