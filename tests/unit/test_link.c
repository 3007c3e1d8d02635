#include <check.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/rng.h"
#include "device/catalogue.h"
#include "device/link.h"

Suite *suite_link(void);

enum { N_CASES = 3000 };

static struct rng_key key(uint32_t place)
{
    return rng_key(2, RNG_TEST, place);
}

static uint64_t size_of(uint32_t place, uint64_t i, double most)
{
    return (uint64_t)exp2(rng_uniform(key(place), 0, i) * log2(most));
}

static struct fabric fabric_of(const char *inside, const char *between, unsigned devices_per_node)
{
    return (struct fabric){*catalogue_link(inside), *catalogue_link(between), devices_per_node};
}

/* Some fabric for every case: generations, nodes of 1, 2, 4, 8. */
static struct fabric random_fabric(uint64_t i)
{
    static const char *const inside[] = {"nvlink2", "nvlink3", "nvlink4", "pcie3", "pcie4", "pcie5"};
    static const char *const between[] = {"ib-hdr", "ib-ndr"};
    struct fabric fabric = fabric_of(inside[i % 6], between[i / 6 % 2], 1u << (i / 12 % 4));
    fabric.inside.peer_kernels = i % 5 == 0;
    return fabric;
}

START_TEST(a_message_takes_overhead_latency_and_bandwidth)
{
    for (size_t l = 0; catalogue_link_name(l); l++) {
        const struct link_profile *link = catalogue_link(catalogue_link_name(l));
        struct cost tiny, huge;
        link_transfer_cost(link, 1, &tiny);
        link_transfer_cost(link, 1ull << 34, &huge);
        ck_assert_uint_ge(tiny.time_ps, link->overhead_ps + link->latency_ps);
        ck_assert_double_eq_tol((double)(1ull << 34) / ((double)huge.time_ps * 1e-12),
                                link->bandwidth_bytes_per_s * link->message_efficiency,
                                0.01 * link->bandwidth_bytes_per_s);
        ck_assert_uint_eq(huge.bytes, 1ull << 34);
        ck_assert_uint_eq(huge.energy_fj[ENERGY_LINK], (uint64_t)(8.0 * 0x1p34 * link->fj_per_bit));
    }
}
END_TEST

START_TEST(the_cheapest_candidate_is_chosen)
{
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct fabric fabric = random_fabric(i);
        enum collective kind = (enum collective)(i % N_COLLECTIVES);
        unsigned n = (unsigned)(2 + size_of(1, i, 256));
        uint64_t bytes = size_of(2, i, 1e10);
        const char *chosen = NULL, *name;
        struct cost best, candidate;
        fabric_collective_cost(&fabric, kind, n, bytes, &chosen, &best);
        ck_assert_ptr_nonnull(chosen);
        int met = 0;
        for (unsigned c = 0; c < fabric_collective_candidates(); c++) {
            if (!fabric_collective_candidate(&fabric, kind, n, bytes, c, &name, &candidate))
                continue;
            ck_assert_uint_ge(candidate.time_ps, best.time_ps);
            ck_assert_uint_gt(candidate.energy_fj[ENERGY_LINK], 0);
            met += strcmp(name, chosen) == 0 && candidate.time_ps == best.time_ps;
        }
        ck_assert_int_ge(met, 1);
    }
}
END_TEST

/* Fractions of the vector that must enter or leave a port at least. */
static double least_port(enum collective kind, double p)
{
    return kind == COLLECTIVE_ALLREDUCE || kind == COLLECTIVE_BROADCAST ? 1.0 : (p - 1.0) / p;
}

START_TEST(no_collective_beats_the_ports_or_loses_bytes)
{
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct fabric fabric = random_fabric(i);
        enum collective kind = (enum collective)(i % N_COLLECTIVES);
        unsigned n = (unsigned)(2 + size_of(3, i, 64));
        uint64_t bytes = 64 + size_of(4, i, 1e10);
        struct cost cost;
        fabric_collective_cost(&fabric, kind, n, bytes, NULL, &cost);
        double rate = fabric.inside.bandwidth_bytes_per_s;
        if (n > fabric.devices_per_node)
            rate = fabric.between.bandwidth_bytes_per_s + (fabric.devices_per_node > 1 ? rate : 0.0);
        ck_assert_double_ge((double)cost.time_ps, 1e12 * least_port(kind, n) * (double)bytes / rate);
        /* Everybody but one must get or give at least its part once. */
        double least =
            kind == COLLECTIVE_ALLTOALL ? (double)(n - 1) * (double)bytes : (double)(n - 1) / n * (double)bytes;
        ck_assert_double_ge((double)cost.bytes, 0.999 * least);
        double cheap = fmin(fabric.inside.fj_per_bit, fabric.between.fj_per_bit),
               dear = fmax(fabric.inside.fj_per_bit, fabric.between.fj_per_bit);
        ck_assert_double_ge((double)cost.energy_fj[ENERGY_LINK], 7.999 * cheap * (double)(cost.bytes - 1));
        ck_assert_double_le((double)cost.energy_fj[ENERGY_LINK], 8.001 * dear * (double)(cost.bytes + 1));
        for (int part = 0; part < N_ENERGY_PARTS; part++)
            ck_assert(part == ENERGY_LINK || cost.energy_fj[part] == 0);
    }
}
END_TEST

START_TEST(time_grows_with_bytes)
{
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct fabric fabric = random_fabric(i);
        enum collective kind = (enum collective)(i % N_COLLECTIVES);
        unsigned n = (unsigned)(2 + size_of(5, i, 64));
        uint64_t bytes = size_of(6, i, 1e10);
        struct cost once, twice;
        fabric_collective_cost(&fabric, kind, n, bytes, NULL, &once);
        fabric_collective_cost(&fabric, kind, n, 2 * bytes, NULL, &twice);
        ck_assert_uint_ge(twice.time_ps, once.time_ps);
        ck_assert_double_le((double)twice.time_ps, 2.0 * (double)once.time_ps + 1.0);
    }
}
END_TEST

START_TEST(a_ring_of_many_devices_approaches_twice_the_vector)
{
    struct fabric fabric = fabric_of("nvlink3", "ib-hdr", 1024);
    const double bytes = 1e12, n = 256;
    const char *algorithm;
    struct cost cost;
    fabric_collective_cost(&fabric, COLLECTIVE_ALLREDUCE, (unsigned)n, (uint64_t)bytes, &algorithm, &cost);
    ck_assert_str_eq(algorithm, "ring, bulk");
    double port_s = 2.0 * bytes * (n - 1) / n / (fabric.inside.bandwidth_bytes_per_s * fabric.inside.efficiency);
    ck_assert_double_eq_tol((double)cost.time_ps * 1e-12 / port_s, 1.0, 1e-3);
    ck_assert_double_eq_tol((double)cost.bytes, 2.0 * (n - 1) * bytes, 1.0);
}
END_TEST

START_TEST(small_vectors_use_low_latency_and_switches_help_large_ones)
{
    struct fabric hopper = fabric_of("nvlink4", "ib-ndr", 8);
    const char *algorithm;
    struct cost with, without;
    fabric_collective_cost(&hopper, COLLECTIVE_ALLREDUCE, 8, 1024, &algorithm, &with);
    ck_assert_str_eq(algorithm, "ring, low latency");
    fabric_collective_cost(&hopper, COLLECTIVE_ALLREDUCE, 8, 1u << 30, &algorithm, &with);
    ck_assert_str_eq(algorithm, "in switch, bulk");
    hopper.inside.switch_reduces = 0;
    fabric_collective_cost(&hopper, COLLECTIVE_ALLREDUCE, 8, 1u << 30, &algorithm, &without);
    ck_assert_uint_lt(with.time_ps, without.time_ps);
}
END_TEST

START_TEST(nodes_help_when_links_inside_are_faster)
{
    struct fabric nodes = fabric_of("nvlink3", "ib-hdr", 8), flat = fabric_of("nvlink3", "ib-hdr", 1);
    struct cost a, b;
    fabric_collective_cost(&nodes, COLLECTIVE_ALLREDUCE, 32, 1u << 28, NULL, &a);
    fabric_collective_cost(&flat, COLLECTIVE_ALLREDUCE, 32, 1u << 28, NULL, &b);
    ck_assert_uint_lt(a.time_ps, b.time_ps);
}
END_TEST

Suite *suite_link(void)
{
    Suite *suite = suite_create("link");
    TCase *tcase = tcase_create("link");
    tcase_add_test(tcase, a_message_takes_overhead_latency_and_bandwidth);
    tcase_add_test(tcase, the_cheapest_candidate_is_chosen);
    tcase_add_test(tcase, no_collective_beats_the_ports_or_loses_bytes);
    tcase_add_test(tcase, time_grows_with_bytes);
    tcase_add_test(tcase, a_ring_of_many_devices_approaches_twice_the_vector);
    tcase_add_test(tcase, small_vectors_use_low_latency_and_switches_help_large_ones);
    tcase_add_test(tcase, nodes_help_when_links_inside_are_faster);
    suite_add_tcase(suite, tcase);
    return suite;
}
