#include "command/version.h"

#include "cluster/comm.h"
#include "kernel/run.h"
#include "store/library.h"

void version_print(const struct comm *comm, FILE *out)
{
    char mpi[256], hdf5[64];
    fprintf(out, "polyrank %s\n", POLYRANK_VERSION);
    fprintf(out, "compiler  %s\n", __VERSION__);
    fprintf(out, "MPI       %s\n", comm_library(comm, mpi, sizeof mpi));
    fprintf(out, "HDF5      %s\n", library_version(hdf5, sizeof hdf5));
    fprintf(out, "BLAS      %s\n", kernel_blas_name());
    fprintf(out, "kernels   %s\n", kernel_isa_name());
    fprintf(out, "floats    IEEE 754, %s-endian\n", __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "little" : "big");
}
