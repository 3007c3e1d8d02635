/* test_launcher.c - the environment of launchers and batch systems. */
#include <stdio.h>
#include <stdlib.h>

#include "base/launcher.h"
#include "base/rng.h"
#include "suites.h"

Suite *suite_launcher(void);

static const char *const all[] = {"OMPI_COMM_WORLD_SIZE",
                                  "PMI_SIZE",
                                  "SLURM_STEP_NUM_TASKS",
                                  "MPI_LOCALNRANKS",
                                  "PALS_SIZE",
                                  "FLUX_JOB_SIZE",
                                  "PMIX_RANK",
                                  "PMI_RANK",
                                  "PMI_FD",
                                  "PALS_RANKID",
                                  "FLUX_TASK_RANK",
                                  "SLURM_JOB_END_TIME"};

static void nothing_set(void)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        unsetenv(all[i]);
}

START_TEST(no_launcher_says_nothing)
{
    const char *variable = NULL;
    ck_assert_int_eq(launcher_size(&variable), 0);
    ck_assert_ptr_null(variable);
    ck_assert(launcher_end_time_s() == 0);
}
END_TEST

START_TEST(the_largest_size_counts)
{
    const char *variable = NULL;
    setenv("PMIX_RANK", "0", 1);
    ck_assert_int_eq(launcher_size(&variable), 1);
    ck_assert_ptr_null(variable);
    setenv("SLURM_STEP_NUM_TASKS", "4", 1);
    setenv("OMPI_COMM_WORLD_SIZE", "9", 1);
    setenv("PMI_SIZE", "2", 1);
    ck_assert_int_eq(launcher_size(&variable), 9);
    ck_assert_str_eq(variable, "OMPI_COMM_WORLD_SIZE");
}
END_TEST

START_TEST(what_is_no_number_counts_as_not_told)
{
    static const char *const odd[] = {"", "x", "12x", "-3", "1e9", "99999999999999999999", "12 "};
    const char *variable = NULL;
    setenv("PMI_SIZE", odd[_i], 1);
    setenv("SLURM_JOB_END_TIME", odd[_i], 1);
    ck_assert_int_eq(launcher_size(&variable), 0);
    ck_assert(launcher_end_time_s() == 0);
}
END_TEST

START_TEST(times_are_read)
{
    const struct rng_key key = rng_key(11, RNG_TEST, 0);
    for (uint64_t i = 0; i < 200; i++) {
        char text[32];
        uint32_t end = 1 + (uint32_t)rng_below(key, 0, i, UINT32_MAX - 1);
        snprintf(text, sizeof text, "%u", end);
        setenv("SLURM_JOB_END_TIME", text, 1);
        ck_assert(launcher_end_time_s() == end);
    }
}
END_TEST

Suite *suite_launcher(void)
{
    Suite *suite = suite_create("launcher");
    TCase *tcase = tcase_create("environment");
    tcase_add_checked_fixture(tcase, nothing_set, nothing_set);
    tcase_add_test(tcase, no_launcher_says_nothing);
    tcase_add_test(tcase, the_largest_size_counts);
    tcase_add_loop_test(tcase, what_is_no_number_counts_as_not_told, 0, 7);
    tcase_add_test(tcase, times_are_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
