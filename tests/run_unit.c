/* run_unit.c - runs all unit suites; CK_RUN_SUITE and CK_RUN_CASE choose. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/blas.h"
#include "suites.h"

int main(int argc, char **argv)
{
    (void)argc;
    blas_select(argv);
    if (getenv("CK_RUN_SUITE") && getenv("CK_RUN_SUITE")[0] == '\0')
        unsetenv("CK_RUN_SUITE");
    setenv("CK_DEFAULT_TIMEOUT", "60", 0); /* ends a hang; a loaded machine or a sanitizer is no hang */
    SRunner *runner = srunner_create(NULL);
    for (int i = 0; suites[i]; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner), run = srunner_ntests_run(runner);
    printf("unit: %d passed, %d failed\n", run - failed, failed);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
