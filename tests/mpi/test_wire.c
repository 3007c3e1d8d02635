/* Messages between ranks: whatever the order in which they are sent and asked for, each arrives once, whole, in its
 * run. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cluster/wire.h"
#include "mpi/world.h"

Suite *suite_wire(void);

enum { CASES = 6, RUNS = 5, MAX_CHANNELS = 48, MOST_BYTES = 1 << 20 };

/* Who sends how much to whom over which channel: the same on all ranks. */
struct traffic {
    struct rng_key key;
    int n_channels;
    int sender[MAX_CHANNELS], receiver[MAX_CHANNELS];
    size_t max_bytes[MAX_CHANNELS];
};

static uint64_t draw(const struct traffic *traffic, uint32_t what, uint64_t i, uint64_t n)
{
    return rng_below(traffic->key, what, i, n);
}

/* Of any order of magnitude; often nothing, or all there is room for. */
static size_t some_bytes(const struct traffic *traffic, uint32_t what, uint64_t i, size_t most)
{
    uint64_t shape = draw(traffic, what, 2 * i, 8);
    if (shape < 2)
        return shape ? most : 0;
    uint64_t magnitude = (uint64_t)1 << draw(traffic, what, 2 * i + 1, 21);
    return (size_t)(draw(traffic, what + 1, i, magnitude) % (most + 1));
}

static void traffic_init(struct traffic *traffic, uint64_t seed)
{
    uint64_t size = (uint64_t)comm_size(world());
    *traffic = (struct traffic){.key = rng_key(seed, RNG_TEST, 400)};
    traffic->n_channels = size > 1 ? 1 + (int)draw(traffic, 0, 0, MAX_CHANNELS) : 0;
    for (int c = 0; c < traffic->n_channels; c++) {
        traffic->sender[c] = (int)draw(traffic, 1, (uint64_t)c, size);
        traffic->receiver[c] = (int)draw(traffic, 2, (uint64_t)c, size - 1);
        traffic->receiver[c] += traffic->receiver[c] >= traffic->sender[c];
        traffic->max_bytes[c] = some_bytes(traffic, 3, (uint64_t)c, MOST_BYTES);
    }
}

static uint64_t number_of(int run, int channel)
{
    return (uint64_t)run * MAX_CHANNELS + (uint64_t)channel;
}

/* Some messages tell of a fault and bring no data. */
static struct wire_header header_of(const struct traffic *traffic, int run, int channel)
{
    uint64_t number = number_of(run, channel);
    return (struct wire_header){.start_ps = draw(traffic, 10, number, UINT64_MAX),
                                .failed = draw(traffic, 11, number, 5) == 0};
}

static size_t bytes_of(const struct traffic *traffic, int run, int channel)
{
    if (header_of(traffic, run, channel).failed)
        return 0;
    return some_bytes(traffic, 12, number_of(run, channel), traffic->max_bytes[channel]);
}

static void fill(unsigned char *data, size_t bytes, uint64_t number)
{
    uint64_t state = number * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (size_t i = 0; i < bytes; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        data[i] = (unsigned char)(state >> 56);
    }
}

static void send_one(const struct traffic *traffic, struct wire *wire, int run, int channel, unsigned char *buffer)
{
    struct wire_header header = header_of(traffic, run, channel);
    size_t bytes = bytes_of(traffic, run, channel);
    fill(buffer, bytes, number_of(run, channel));
    wire_send(wire, traffic->receiver[channel], channel, &header, buffer, bytes);
    memset(buffer, 0xee, bytes); /* it was copied */
}

/* 1: it was here and has been used. *ok: it was what was sent. */
static int receive_one(const struct traffic *traffic, struct wire *wire, int run, int channel, unsigned char *buffer,
                       int *ok)
{
    struct wire_header header = {0, 0}, again = {0, 0}, expected = header_of(traffic, run, channel);
    const void *data = NULL, *same = NULL;
    if (!wire_arrived(wire, traffic->sender[channel], channel, &header, &data))
        return 0;
    size_t bytes = bytes_of(traffic, run, channel);
    fill(buffer, bytes, number_of(run, channel));
    *ok &= header.start_ps == expected.start_ps && header.failed == expected.failed;
    *ok &= bytes == 0 || memcmp(data, buffer, bytes) == 0;
    *ok &= wire_arrived(wire, traffic->sender[channel], channel, &again, &same) && same == data;
    *ok &= again.start_ps == expected.start_ps && again.failed == expected.failed;
    wire_taken(wire, channel);
    return 1;
}

/* One run on this rank: its channels in an order of its own, sends and receipts mixed; what has not come yet is asked
 * for again, and waited for when all is sent. */
static int run_once(const struct traffic *traffic, struct wire *wire, int run, unsigned char *buffer)
{
    int rank = comm_rank(world()), open = 0, ok = 1;
    uint32_t order[MAX_CHANNELS];
    char missing[MAX_CHANNELS] = {0};
    struct fault fault = FAULT_NONE;
    struct rng_key key = rng_key((uint64_t)run, RNG_TEST, 401 + (uint32_t)rank);
    rng_permutation(key, 0, (uint32_t)traffic->n_channels, order);
    for (int i = 0; i < traffic->n_channels; i++) {
        int c = (int)order[i];
        if (traffic->sender[c] == rank)
            send_one(traffic, wire, run, c, buffer);
        if (traffic->receiver[c] == rank)
            open += missing[c] = !receive_one(traffic, wire, run, c, buffer, &ok);
    }
    while (open) { /* also after a wrong message: the others wait for what is to come */
        if (wire_wait(wire, &fault) != STATUS_OK)
            return 0;
        int before = open;
        for (int i = 0; i < traffic->n_channels; i++) {
            int c = (int)order[i];
            if (missing[c] && receive_one(traffic, wire, run, c, buffer, &ok)) {
                missing[c] = 0;
                open--;
            }
        }
        ok &= open < before; /* wire_wait has waited for something */
    }
    return ok;
}

/* No rank waits for the others between runs: fast ones are runs ahead. */
START_TEST(every_message_arrives_once)
{
    struct traffic traffic;
    unsigned char *buffer = malloc(MOST_BYTES);
    int ok = 1;
    traffic_init(&traffic, (uint64_t)_i);
    struct wire *wire = wire_new(world(), traffic.n_channels, traffic.max_bytes);
    for (int run = 0; run < RUNS; run++)
        ok &= run_once(&traffic, wire, run, buffer);
    ck_all(ok);
    wire_free(wire);
    free(buffer);
}
END_TEST

/* A later set of channels gets nothing of an earlier one. */
START_TEST(wires_follow_each_other)
{
    unsigned char *buffer = malloc(MOST_BYTES);
    int ok = 1;
    for (uint64_t seed = 100; seed < 106; seed++) {
        struct traffic traffic;
        traffic_init(&traffic, seed);
        struct wire *wire = wire_new(world(), traffic.n_channels, traffic.max_bytes);
        ok &= run_once(&traffic, wire, (int)(seed % 3), buffer);
        ck_all(ok); /* all has arrived where it was sent to */
        wire_free(wire);
    }
    free(buffer);
}
END_TEST

/* All ranks but the last tell it of a fault and send no data, though there is room for some. */
START_TEST(a_fault_travels_without_data)
{
    int rank = comm_rank(world()), size = comm_size(world()), last = size - 1, ok = 1;
    size_t *max_bytes = calloc((size_t)size, sizeof *max_bytes);
    for (int c = 0; c < size; c++)
        max_bytes[c] = 4096;
    struct wire *wire = wire_new(world(), size, max_bytes);
    struct wire_header header = {.start_ps = 7u + (uint64_t)rank, .failed = 1};
    if (rank != last)
        wire_send(wire, last, rank, &header, NULL, 0);
    struct fault fault = FAULT_NONE;
    for (int c = 0; rank == last && c < last; c++) {
        const void *data;
        while (!wire_arrived(wire, c, c, &header, &data))
            if (wire_wait(wire, &fault) != STATUS_OK)
                ck_abort_msg("%s", fault.text);
        ok &= header.failed == 1 && header.start_ps == 7u + (uint64_t)c;
        wire_taken(wire, c);
    }
    ck_all(ok);
    wire_free(wire);
    free(max_bytes);
}
END_TEST

START_TEST(nothing_pending_is_freed)
{
    size_t max_bytes[3] = {0, 1, MOST_BYTES};
    wire_free(NULL);
    wire_free(wire_new(world(), 0, max_bytes));
    wire_free(wire_new(world(), 3, max_bytes));
    ck_all(1);
}
END_TEST

Suite *suite_wire(void)
{
    Suite *suite = suite_create("wire");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, every_message_arrives_once, 0, CASES);
    tcase_add_test(tcase, wires_follow_each_other);
    tcase_add_test(tcase, a_fault_travels_without_data);
    tcase_add_test(tcase, nothing_pending_is_freed);
    suite_add_tcase(suite, tcase);
    return suite;
}
