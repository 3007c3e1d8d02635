/* Paged KV: whatever sequences do, each block belongs to exactly those who hold it, and none is lost. */
#include <check.h>

#include "folder.h"
#include "serving/kv_cache.h"

Suite *suite_serving_kv(void);

enum { SEQUENCES = 24, NAMES = 40, CASES = 40, STEPS = 400 };

struct world {
    struct arena *arena;
    struct pool pool;
    struct kv_cache cache;
    struct kv_table table[SEQUENCES];
    uint64_t name[SEQUENCES][NAMES]; /* of its blocks; families share the first few */
    uint32_t n_named[SEQUENCES];
    const struct kv_table *tables[SEQUENCES];
};

static void open_world(struct world *w, struct dice *d, uint64_t capacity_blocks)
{
    *w = (struct world){.arena = arena_new()};
    pool_init(&w->pool, w->arena);
    kv_cache_init(&w->cache, capacity_blocks * 16, 16, &w->pool);
    for (int s = 0; s < SEQUENCES; s++) {
        uint64_t family = below(d, 3), shared = below(d, NAMES);
        w->tables[s] = &w->table[s];
        for (uint32_t i = 0; i < NAMES; i++)
            w->name[s][i] = i < shared ? 1000 * (family + 1) + i : 100000 * (uint64_t)(s + 1) + i;
    }
}

static void close_world(struct world *w)
{
    kv_cache_release(&w->cache);
    arena_free(w->arena);
}

static void begin(struct world *w, struct dice *d, int s)
{
    uint32_t kept, most = (uint32_t)below(d, NAMES), match = kv_match(&w->cache, w->name[s], most, &kept);
    uint32_t want = match + 1 + (uint32_t)below(d, 6), available = kv_available(&w->cache);
    if (want - match + kept > available)
        return;
    kv_take(&w->cache, &w->table[s], w->name[s], match);
    w->n_named[s] = match;
    ck_assert_uint_eq(kv_available(&w->cache), w->cache.capacity ? available - kept : available);
    ck_assert_int_eq(kv_extend(&w->cache, &w->table[s], want), 1);
}

static void step(struct world *w, struct dice *d)
{
    int s = (int)below(d, SEQUENCES);
    struct kv_table *table = &w->table[s];
    uint64_t choice = below(d, 10);
    if (table->n == 0) {
        begin(w, d, s);
    } else if (choice < 5) {
        uint32_t before = table->n, want = before + (uint32_t)below(d, 4), available = kv_available(&w->cache);
        int done = kv_extend(&w->cache, table, want);
        ck_assert_int_eq(done, want - before <= available);
        ck_assert_uint_eq(table->n, done ? want : before);
    } else if (choice < 8) {
        for (; w->n_named[s] < table->n && w->n_named[s] < NAMES; w->n_named[s]++)
            kv_name(&w->cache, table, w->n_named[s], w->name[s][w->n_named[s]]);
    } else {
        kv_release(&w->cache, table);
    }
}

START_TEST(blocks_are_owned_by_those_who_hold_them)
{
    struct dice d = dice(500 + (uint32_t)_i);
    struct world *w = malloc(sizeof *w);
    open_world(w, &d, _i % 4 == 0 ? 0 : 20 + below(&d, 200));
    for (int i = 0; i < STEPS; i++) {
        step(w, &d);
        const char *broken = kv_broken(&w->cache, w->tables, SEQUENCES);
        ck_assert_msg(!broken, "case %d, step %d: %s", _i, i, broken);
    }
    for (int s = 0; s < SEQUENCES; s++)
        kv_release(&w->cache, &w->table[s]);
    ck_assert_uint_eq(w->cache.n_used, 0);
    ck_assert_ptr_null(kv_broken(&w->cache, w->tables, SEQUENCES));
    close_world(w);
    free(w);
}
END_TEST

START_TEST(broken_books_are_seen)
{
    struct dice d = dice(1);
    struct world *w = malloc(sizeof *w);
    open_world(w, &d, 50);
    ck_assert_int_eq(kv_extend(&w->cache, &w->table[0], 5), 1);
    ck_assert_int_eq(kv_extend(&w->cache, &w->table[1], 5), 1);
    uint32_t kept = w->table[0].block[2];
    w->table[0].block[2] = w->table[1].block[0];
    ck_assert_ptr_nonnull(kv_broken(&w->cache, w->tables, SEQUENCES));
    w->table[0].block[2] = kept;
    ck_assert_ptr_null(kv_broken(&w->cache, w->tables, SEQUENCES));
    w->cache.n_used--;
    ck_assert_ptr_nonnull(kv_broken(&w->cache, w->tables, SEQUENCES));
    w->cache.n_used++;
    w->table[1].n--;
    ck_assert_ptr_nonnull(kv_broken(&w->cache, w->tables, SEQUENCES));
    w->table[1].n++;
    close_world(w);
    free(w);
}
END_TEST

/* A released prefix is found again; when room is needed the longest unused goes, its tail first. */
START_TEST(the_tail_of_the_oldest_prefix_goes_first)
{
    struct dice d = dice(2);
    struct world *w = malloc(sizeof *w);
    uint64_t a[4] = {1, 2, 3, 4}, b[4] = {11, 12, 13, 14};
    uint32_t kept;
    open_world(w, &d, 8);
    for (int s = 0; s < 2; s++) {
        ck_assert_int_eq(kv_extend(&w->cache, &w->table[s], 4), 1);
        for (uint32_t i = 0; i < 4; i++)
            kv_name(&w->cache, &w->table[s], i, s ? b[i] : a[i]);
        kv_release(&w->cache, &w->table[s]);
    }
    ck_assert_uint_eq(w->cache.n_kept, 8);
    ck_assert_uint_eq(kv_available(&w->cache), 8);
    ck_assert_int_eq(kv_extend(&w->cache, &w->table[2], 3), 1);
    ck_assert_uint_eq(w->cache.n_evictions, 3);
    ck_assert_uint_eq(kv_match(&w->cache, a, 4, &kept), 1);
    ck_assert_uint_eq(kv_match(&w->cache, b, 4, &kept), 4);
    ck_assert_uint_eq(kept, 4);
    ck_assert_int_eq(kv_extend(&w->cache, &w->table[2], 9), 0);
    ck_assert_uint_eq(w->table[2].n, 3);
    kv_release(&w->cache, &w->table[2]);
    close_world(w);
    free(w);
}
END_TEST

START_TEST(names_chain_from_the_first_token)
{
    uint32_t prompt[64], other[64];
    uint64_t mine[4], theirs[4];
    for (uint32_t i = 0; i < 64; i++)
        prompt[i] = other[i] = i * i % 31;
    other[20] = 7777;
    struct request a = {.prompt_tokens = 64, .prompt = prompt}, b = {.prompt_tokens = 64, .prompt = other};
    ck_assert_uint_eq(prefix_blocks(&a, 0, 16), 4);
    prefix_names(&a, 0, 16, mine);
    prefix_names(&b, 0, 16, theirs);
    ck_assert_uint_eq(mine[0], theirs[0]);
    for (int i = 1; i < 4; i++)
        ck_assert_uint_ne(mine[i], theirs[i]); /* blocks 2 and 3 hold the same tokens, after other ones */
    ck_assert_uint_ne(mine[1], mine[2]);
}
END_TEST

START_TEST(hashes_of_a_trace_name_smaller_and_larger_blocks)
{
    const uint64_t ids[3] = {5, 9, 4}, others[3] = {5, 9, 6};
    struct request a = {.prompt_tokens = 1100, .n_hashes = 3, .hash = ids};
    struct request b = {.prompt_tokens = 1100, .n_hashes = 3, .hash = others};
    uint64_t mine[80], theirs[80];
    ck_assert_uint_eq(prefix_blocks(&a, 512, 16), 68);
    prefix_names(&a, 512, 16, mine);
    prefix_names(&b, 512, 16, theirs);
    for (int i = 0; i < 68; i++)
        ck_assert_int_eq(mine[i] == theirs[i], i < 64);
    ck_assert_uint_eq(prefix_blocks(&a, 512, 1024), 1);
    prefix_names(&a, 512, 1024, mine);
    prefix_names(&b, 512, 1024, theirs);
    ck_assert_uint_eq(mine[0], theirs[0]);
    struct request nothing = {.prompt_tokens = 1100};
    ck_assert_uint_eq(prefix_blocks(&nothing, 512, 16), 0);
}
END_TEST

Suite *suite_serving_kv(void)
{
    Suite *suite = suite_create("serving_kv");
    TCase *tcase = tcase_create("kv");
    tcase_add_loop_test(tcase, blocks_are_owned_by_those_who_hold_them, 0, CASES);
    tcase_add_test(tcase, broken_books_are_seen);
    tcase_add_test(tcase, the_tail_of_the_oldest_prefix_goes_first);
    tcase_add_test(tcase, names_chain_from_the_first_token);
    tcase_add_test(tcase, hashes_of_a_trace_name_smaller_and_larger_blocks);
    suite_add_tcase(suite, tcase);
    return suite;
}
