#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cluster/sum.h"
#include "mpi/world.h"
#include "suites.h"

Suite *suite_cluster(void);

static struct comm *the_world;

void world_set(struct comm *comm)
{
    the_world = comm;
}

struct comm *world(void)
{
    return the_world;
}

int all_ranks(int condition)
{
    struct fault fault = FAULT_NONE;
    if (!condition)
        fault_set(&fault, STATUS_FAILED, "no");
    return agree(world(), 0, &fault) == STATUS_OK;
}

START_TEST(agree_takes_the_lowest_rank)
{
    int rank = comm_rank(world()), size = comm_size(world());
    struct fault fault = FAULT_NONE;
    if (rank >= size / 2)
        fault_set(&fault, STATUS_IO, "fault of %d", rank);
    enum status status = agree(world(), 0, &fault);
    char expected[64];
    snprintf(expected, sizeof expected, "fault of %d", size / 2);
    ck_all(status == STATUS_IO && strcmp(fault.text, expected) == 0);
}
END_TEST

START_TEST(agree_without_fault)
{
    struct fault fault = FAULT_NONE;
    ck_all(agree(world(), 1, &fault) == STATUS_OK && fault.text[0] == '\0');
}
END_TEST

START_TEST(same_finds_a_difference)
{
    struct fault fault = FAULT_NONE;
    ck_all(comm_same(world(), 42, "value", &fault) == STATUS_OK);
    enum status status = comm_same(world(), (uint64_t)comm_rank(world()), "value", &fault);
    ck_all(status == (comm_size(world()) > 1 ? STATUS_FAILED : STATUS_OK));
}
END_TEST

START_TEST(text_goes_to_all)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    char words[] = "a text", *text = comm_rank(world()) == 0 ? words : NULL;
    ck_all(comm_broadcast_text(world(), arena, &text, &fault) == STATUS_OK && strcmp(text, "a text") == 0);
    arena_free(arena);
}
END_TEST

START_TEST(records_of_different_sizes)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    int rank = comm_rank(world()), size = comm_size(world()), ok = 1;
    char mine[64], *all = NULL;
    size_t *sizes = arena_array(arena, (size_t)size, sizeof *sizes);
    memset(mine, 'a' + rank, sizeof mine);
    ok &= comm_gather_varying(world(), arena, mine, (size_t)(3 * rank), &all, sizes, &fault) == STATUS_OK;
    for (int r = 0; rank == 0 && r < size; r++)
        for (int i = 0; i < 3 * r; i++)
            ok &= *all++ == 'a' + r;
    ck_all(ok);
    arena_free(arena);
}
END_TEST

/* Fills the vector of device d. */
static void fill(float *vector, int d, size_t n, uint64_t seed)
{
    struct rng_key key = rng_key(seed, RNG_TEST, (uint32_t)d);
    for (size_t i = 0; i < n; i++)
        vector[i] = (float)((rng_uniform(key, 0, i) - 0.5) * (i % 7 == 0 ? 1e6 : 1));
}

/* The sum must be ((v0 + v1) + v2) + ... to the last bit, whoever holds which device. */
static int sum_is_exact(int n_devices, size_t n, uint64_t seed, int scatter)
{
    int rank = comm_rank(world()), size = comm_size(world()), local = 0, ok = 1, failed = 0;
    int *home = calloc((size_t)n_devices, sizeof *home);
    void **vectors = calloc((size_t)n_devices, sizeof *vectors);
    float *expected = calloc(n + 1, sizeof *expected), *one = calloc(n + 1, sizeof *one);
    for (int d = 0; d < n_devices; d++) {
        home[d] = scatter ? (int)rng_below(rng_key(seed, RNG_TEST, 99), 0, (uint64_t)d, (uint64_t)size) : d % size;
        fill(one, d, n, seed);
        for (size_t i = 0; i < n; i++)
            expected[i] = d == 0 ? one[i] : expected[i] + one[i];
        if (home[d] == rank) {
            vectors[local] = calloc(n + 1, sizeof(float));
            fill(vectors[local++], d, n, seed);
        }
    }
    uint64_t start_ps = (uint64_t)(1000 + rank), latest_ps = 0;
    for (int d = 0; d < n_devices; d++)
        latest_ps = (uint64_t)(1000 + home[d]) > latest_ps ? (uint64_t)(1000 + home[d]) : latest_ps;
    struct sum *sum = sum_new(world(), home, n_devices);
    struct fault fault = FAULT_NONE;
    if (local)
        ok &= sum_run(sum, vectors, n, 4, &start_ps, &failed, &fault) == STATUS_OK && start_ps == latest_ps;
    for (int k = 0; k < local; k++) {
        ok &= memcmp(vectors[k], expected, n * sizeof *expected) == 0;
        free(vectors[k]);
    }
    sum_free(sum);
    free(home);
    free(vectors);
    free(expected);
    free(one);
    return ok;
}

START_TEST(sum_in_device_order)
{
    static const size_t lengths[] = {1, 2, 5, 64, 1000, 4099};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int n_devices = 1; n_devices <= 9; n_devices++)
            for (int scatter = 0; scatter < 2; scatter++)
                ck_all(sum_is_exact(n_devices, lengths[i], 17 * i + (uint64_t)n_devices, scatter));
}
END_TEST

START_TEST(a_fault_reaches_every_holder)
{
    int size = comm_size(world()), rank = comm_rank(world()), failed = rank == size - 1;
    int *home = calloc((size_t)size, sizeof *home);
    for (int d = 0; d < size; d++)
        home[d] = d;
    float value[4] = {1, 2, 3, 4};
    void *vectors[] = {value};
    uint64_t start_ps = 1;
    struct fault fault = FAULT_NONE;
    struct sum *sum = sum_new(world(), home, size);
    enum status status = sum_run(sum, vectors, 4, 4, &start_ps, &failed, &fault);
    ck_all(status == STATUS_OK && failed);
    sum_free(sum);
    free(home);
}
END_TEST

Suite *suite_cluster(void)
{
    Suite *suite = suite_create("cluster");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, agree_takes_the_lowest_rank);
    tcase_add_test(tcase, agree_without_fault);
    tcase_add_test(tcase, same_finds_a_difference);
    tcase_add_test(tcase, text_goes_to_all);
    tcase_add_test(tcase, records_of_different_sizes);
    tcase_add_test(tcase, sum_in_device_order);
    tcase_add_test(tcase, a_fault_reaches_every_holder);
    suite_add_tcase(suite, tcase);
    return suite;
}
