/* version.h - what this program is made of. */
#ifndef COMMAND_VERSION_H
#define COMMAND_VERSION_H

#include <stdio.h>

struct comm;

/* Local. Version, compiler, MPI, HDF5, BLAS and the kernels in use. */
void version_print(const struct comm *comm, FILE *out);

#endif
