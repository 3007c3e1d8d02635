/* run_mpi.c - runs all MPI suites in one launch (CK_NOFORK: forking under MPI does not work). Verdicts are agreed on by
 * all ranks (suites use all_ranks) so that none is left waiting; rank 0 tells. */
#include <stdio.h>
#include <stdlib.h>

#include "mpi/world.h"
#include "suites.h"

int main(int argc, char **argv)
{
    struct fault fault = FAULT_NONE;
    struct comm *comm = NULL;
    if (comm_open(&argc, &argv, 1, &comm, &fault) != STATUS_OK) {
        fprintf(stderr, "%s\n", fault.text);
        return EXIT_FAILURE;
    }
    world_set(comm);
    SRunner *runner = srunner_create(NULL);
    srunner_set_fork_status(runner, CK_NOFORK);
    for (int i = 0; suites[i]; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, comm_rank(comm) == 0 ? CK_NORMAL : CK_SILENT);
    int failed = srunner_ntests_failed(runner), run = srunner_ntests_run(runner);
    if (comm_rank(comm) == 0)
        printf("mpi at %d ranks: %d passed, %d failed\n", comm_size(comm), run - failed, failed);
    srunner_free(runner);
    comm_close(comm, 0);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
