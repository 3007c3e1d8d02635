#include <check.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "folder.h"
#include "model/tokenizer.h"
#include "model_files.h"

Suite *suite_tokenizer(void);

/* Scores fall with the number: pieces that come first are merged first. */
static const char *const some_pieces[] = {" ",  "a",  "b",   "c",    "\xc3\xa9", "ab",  "bc",
                                          " a", "aa", "abc", " abc", "aab",      "abab"};
enum { N_SOME = sizeof some_pieces / sizeof *some_pieces, FIRST = 259 };

static struct tokenizer some_tokenizer(struct arena *arena)
{
    struct tokenizer tokenizer;
    struct fault fault = FAULT_NONE;
    struct bytes b = make_tokenizer(6, N_SOME, some_pieces);
    save(&b, "tok.bin");
    OK(tokenizer_read("tok.bin", arena, &tokenizer, &fault));
    return tokenizer;
}

static void expect_tokens(const struct tokenizer *tokenizer, const char *text, size_t length, int n_expected,
                          const int *expected)
{
    struct arena *arena = arena_new();
    int32_t *tokens;
    int64_t n;
    tokenizer_encode(tokenizer, text, length, 1, arena, &tokens, &n);
    ck_assert_msg(n == n_expected, "%s: expected %d tokens, found %lld", text, n_expected, (long long)n);
    for (int i = 0; i < n_expected; i++)
        ck_assert_msg(tokens[i] == expected[i], "%s: token %d: expected %d, found %d", text, i, expected[i], tokens[i]);
    arena_free(arena);
}

START_TEST(pairs_are_merged_by_score)
{
    struct arena *arena = arena_new();
    struct tokenizer tokenizer = some_tokenizer(arena);
    ck_assert_int_eq(tokenizer.pieces.n, FIRST + N_SOME);
    expect_tokens(&tokenizer, "", 0, 1, (int[]){1});
    /* " ", a -> " a" has the lower number than a, b -> "ab"? No: "ab" is 264, " a" 266: ab first, then nothing with "
     * ". */
    expect_tokens(&tokenizer, "ab", 2, 3, (int[]){1, 259, 264});
    /* ab (264), then abc (268), then " abc" (269). */
    expect_tokens(&tokenizer, "abc", 3, 2, (int[]){1, 269});
    /* The leftmost of equal scores: ab ab -> abab. */
    expect_tokens(&tokenizer, "abab", 4, 3, (int[]){1, 259, 271});
    /* aa (267) loses to " a" (266), after which a stays. */
    expect_tokens(&tokenizer, "aa", 2, 3, (int[]){1, 266, 260});
    arena_free(arena);
}
END_TEST

START_TEST(bytes_without_a_piece_become_byte_tokens)
{
    struct arena *arena = arena_new();
    struct tokenizer tokenizer = some_tokenizer(arena);
    expect_tokens(&tokenizer, "\xc3\xa9", 2, 3, (int[]){1, 259, 263});
    expect_tokens(&tokenizer, "\xc3\xa8", 2, 4, (int[]){1, 259, 0xc3 + 3, 0xa8 + 3});
    expect_tokens(&tokenizer, "\n", 1, 3, (int[]){1, 259, 13});
    expect_tokens(&tokenizer, "\0c", 2, 4, (int[]){1, 259, 3, 262});
    /* Four bytes at most make a character; a lone continuation is one. */
    expect_tokens(&tokenizer, "\xa9\xa9\xa9\xa9\xa9", 5, 7,
                  (int[]){1, 259, 0xa9 + 3, 0xa9 + 3, 0xa9 + 3, 0xa9 + 3, 0xa9 + 3});
    arena_free(arena);
}
END_TEST

/* Whatever the bytes: decoding an encoded text gives the text. */
START_TEST(texts_come_back)
{
    static const char letters[] = "abc abab\n\xc3\xa9\xff\x80";
    struct arena *arena = arena_new();
    struct tokenizer tokenizer = some_tokenizer(arena);
    struct dice d = dice(71);
    for (int trial = 0; trial < 300; trial++) {
        char text[40];
        int32_t *tokens;
        int64_t n;
        size_t length = below(&d, sizeof text), n_back;
        for (size_t i = 0; i < length; i++)
            text[i] = letters[below(&d, sizeof letters)]; /* the last is a NUL */
        tokenizer_encode(&tokenizer, text, length, trial % 2, arena, &tokens, &n);
        ck_assert_int_le(n, (int64_t)length + 2);
        const char *back = tokenizer_text(&tokenizer, tokens, n, arena, &n_back);
        int space = trial % 2 == 0 && length > 0; /* without BOS the space before a text stays */
        ck_assert_uint_eq(n_back, length + (size_t)space);
        ck_assert_mem_eq(back + space, text, length);
    }
    arena_free(arena);
}
END_TEST

/* A text of many merges: the same as merging the naive way, pair by pair. */
START_TEST(merging_is_that_of_the_naive_way)
{
    struct arena *arena = arena_new();
    struct tokenizer tokenizer = some_tokenizer(arena);
    struct dice d = dice(72);
    for (int trial = 0; trial < 50; trial++) {
        int32_t naive[64], *tokens;
        int64_t n, n_naive = 0;
        char text[60];
        size_t length = 1 + below(&d, sizeof text);
        naive[n_naive++] = FIRST;
        for (size_t i = 0; i < length; i++) {
            text[i] = "abc"[below(&d, 3)];
            naive[n_naive++] = FIRST + 1 + (text[i] - 'a');
        }
        for (;;) {
            int64_t best_at = -1;
            int best = -1;
            for (int64_t i = 0; i + 1 < n_naive; i++) {
                char joined[32];
                snprintf(joined, sizeof joined, "%.*s%.*s", tokenizer.pieces.length[naive[i]],
                         tokenizer.pieces.piece[naive[i]], tokenizer.pieces.length[naive[i + 1]],
                         tokenizer.pieces.piece[naive[i + 1]]);
                for (int p = 0; p < N_SOME; p++)
                    if (strcmp(joined, some_pieces[p]) == 0 && (best < 0 || p < best)) {
                        best = p;
                        best_at = i;
                    }
            }
            if (best < 0)
                break;
            naive[best_at] = FIRST + best;
            memmove(naive + best_at + 1, naive + best_at + 2, (size_t)(--n_naive - best_at - 1) * sizeof *naive);
        }
        tokenizer_encode(&tokenizer, text, length, 0, arena, &tokens, &n);
        ck_assert_int_eq(n, n_naive);
        ck_assert_mem_eq(tokens, naive, (size_t)n * sizeof *tokens);
    }
    arena_free(arena);
}
END_TEST

START_TEST(decoding_drops_one_space_after_bos_and_the_marks)
{
    struct arena *arena = arena_new();
    struct tokenizer tokenizer = some_tokenizer(arena);
    size_t n;
    ck_assert_str_eq(tokenizer_text(&tokenizer, (int32_t[]){1, 259, 269, 13, 2}, 5, arena, &n), " abc\n");
    ck_assert_str_eq(tokenizer_text(&tokenizer, (int32_t[]){1, 269, 269, 1, 266}, 5, arena, &n), "abc abca");
    ck_assert_str_eq(tokenizer_text(&tokenizer, (int32_t[]){269}, 1, arena, &n), " abc");
    tokenizer_text(&tokenizer, (int32_t[]){3, 258}, 2, arena, &n);
    ck_assert_uint_eq(n, 2);
    arena_free(arena);
}
END_TEST

/* ---- the tokenizer of a published model ---- */

static const char *real_file(const char *name, struct arena *arena)
{
    const char *where = getenv("POLYRANK_TEST_DATA");
    static const char *const folders[] = {"", "model/", "../model/"};
    for (int i = 0; where && i < 3; i++) {
        const char *path = arena_printf(arena, "%s/%s%s", where, folders[i], name);
        if (access(path, R_OK) == 0)
            return path;
    }
    fprintf(stderr, "tokenizer: %s: skipped, set POLYRANK_TEST_DATA to the folder that has it\n", name);
    return NULL;
}

static void check_golden(const struct tokenizer *tokenizer, const json_t *row, struct arena *arena)
{
    const json_t *ids = json_object_get(row, "token_ids");
    const char *prompt = json_string_value(json_object_get(row, "prompt"));
    const char *text = json_string_value(json_object_get(row, "text"));
    int64_t n_prompt = json_integer_value(json_object_get(row, "n_prompt_tokens")), n;
    int32_t *tokens, *all = arena_array(arena, json_array_size(ids), sizeof *all);
    size_t length;
    tokenizer_encode(tokenizer, prompt, strlen(prompt), 1, arena, &tokens, &n);
    ck_assert_int_eq(n, n_prompt);
    for (size_t i = 0; i < json_array_size(ids); i++)
        all[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(tokens[i] == all[i], "\"%s\", token %lld: expected %d, found %d", prompt, (long long)i, all[i],
                      tokens[i]);
    const char *found = tokenizer_text(tokenizer, all, (int64_t)json_array_size(ids), arena, &length);
    ck_assert_str_eq(found, text);
}

START_TEST(the_published_texts_and_tokens_are_reproduced)
{
    struct arena *arena = arena_new();
    const char *path = real_file("stories_tok512.bin", arena);
    const char *golden = path ? real_file("stories260K_golden.json", arena) : NULL;
    if (golden) {
        struct fault fault = FAULT_NONE;
        struct tokenizer tokenizer;
        json_t *rows = json_load_file(golden, 0, NULL);
        OK(tokenizer_read(path, arena, &tokenizer, &fault));
        ck_assert_uint_ge(json_array_size(rows), 6);
        for (size_t i = 0; i < json_array_size(rows); i++)
            check_golden(&tokenizer, json_array_get(rows, i), arena);
        json_decref(rows);
    }
    arena_free(arena);
}
END_TEST

/* ---- bad files ---- */

static void refuse(struct bytes *b, enum status status, const char *text)
{
    struct arena *arena = arena_new();
    struct tokenizer tokenizer;
    struct fault fault;
    save(b, "bad.bin");
    REFUSED(tokenizer_read("bad.bin", arena, &tokenizer, &fault), status, text);
    arena_free(arena);
}

START_TEST(malformed_tokenizers_are_refused)
{
    struct bytes b = {0};
    put(&b, "ab", 2);
    refuse(&b, STATUS_USAGE, "expected 4 ..");
    put_i32(&b, 5);
    refuse(&b, STATUS_USAGE, "no pieces");
    put_i32(&b, -1);
    put_piece(&b, 0, "x");
    refuse(&b, STATUS_USAGE, "longest piece: expected 1 ..");
    b = make_tokenizer(6, 0, NULL);
    put_piece(&b, NAN, "x");
    refuse(&b, STATUS_USAGE, "piece 259: score: expected a finite number, found nan");
    b = make_tokenizer(6, 0, NULL);
    put_piece(&b, INFINITY, "x");
    refuse(&b, STATUS_USAGE, "piece 259: score");
    b = make_tokenizer(6, 0, NULL);
    put_piece(&b, 0, "longerthan6");
    refuse(&b, STATUS_USAGE, "piece 259: length: expected 0 .. 6, found 11");
    b = make_tokenizer(6, 0, NULL);
    put_f32(&b, 0);
    put_i32(&b, -3);
    refuse(&b, STATUS_USAGE, "piece 259: length: expected 0 .. 6, found -3");
    b = make_tokenizer(6, 0, NULL);
    put_f32(&b, 0);
    put_i32(&b, 6);
    put(&b, "abc", 3);
    refuse(&b, STATUS_IO, "truncated: piece 259: expected 6 bytes, found 3");
    b = make_tokenizer(6, 0, NULL);
    put(&b, "abc", 3);
    refuse(&b, STATUS_IO, "truncated: piece 259");
    put_i32(&b, 5);
    for (int i = 0; i < 300; i++)
        put_piece(&b, 0, "same");
    refuse(&b, STATUS_USAGE, "piece 3: expected \"<0x00>\", found \"same\"");
    put_i32(&b, 5);
    put_piece(&b, 0, "one");
    refuse(&b, STATUS_USAGE, "expected at least 259 pieces");
    b = make_tokenizer(6, 0, NULL);
    for (size_t n = 1; n < b.n; n++) { /* cut anywhere: never accepted with fewer than all bytes' pieces */
        struct bytes part = {0};
        put(&part, b.at, n);
        struct fault fault = FAULT_NONE;
        struct tokenizer tokenizer;
        struct arena *arena = arena_new();
        save(&part, "cut.bin");
        ck_assert_int_ne(tokenizer_read("cut.bin", arena, &tokenizer, &fault), STATUS_OK);
        ck_assert_str_ne(fault.text, "");
        arena_free(arena);
        n += 12;
    }
    free(b.at);
}
END_TEST

START_TEST(marks_out_of_range_are_refused)
{
    struct arena *arena = arena_new();
    struct tokenizer good = some_tokenizer(arena), other;
    struct fault fault;
    REFUSED(tokenizer_new("t", &good.pieces, -1, 2, arena, &other, &fault), STATUS_USAGE, "BOS and EOS in 0 .. 271");
    REFUSED(tokenizer_new("t", &good.pieces, 1, 272, arena, &other, &fault), STATUS_USAGE, "found 1 and 272");
    arena_free(arena);
}
END_TEST

Suite *suite_tokenizer(void)
{
    Suite *suite = suite_create("tokenizer");
    TCase *all = tcase_create("tokenizer");
    tcase_add_checked_fixture(all, model_folder_enter, model_folder_leave);
    tcase_add_test(all, pairs_are_merged_by_score);
    tcase_add_test(all, bytes_without_a_piece_become_byte_tokens);
    tcase_add_test(all, texts_come_back);
    tcase_add_test(all, merging_is_that_of_the_naive_way);
    tcase_add_test(all, decoding_drops_one_space_after_bos_and_the_marks);
    tcase_add_test(all, the_published_texts_and_tokens_are_reproduced);
    tcase_add_test(all, malformed_tokenizers_are_refused);
    tcase_add_test(all, marks_out_of_range_are_refused);
    suite_add_tcase(suite, all);
    return suite;
}
