/* blas.h - makes the BLAS library use the kernels that this processor deserves.
 *
 * OpenBLAS picks its kernels when it is loaded, by a list of processors that it knew when it was made. An AVX-512
 * processor younger than the library is taken for an AVX2 one, at half the speed. The library reads OPENBLAS_CORETYPE
 * only while it is loaded, so that the program must set it and start again.
 */
#ifndef KERNEL_BLAS_H
#define KERNEL_BLAS_H

/* Local. Call first in main, before MPI_Init: the process may be replaced by itself (same process id, same open files,
 * so that launchers do not notice). That happens once, and only if the processor has AVX-512 (f, dq, bw, vl), OpenBLAS
 * chose a kernel without it, and the user has not set OPENBLAS_CORETYPE; never under valgrind. Also keeps a threaded
 * OpenBLAS to one thread unless OPENBLAS_NUM_THREADS says otherwise: every rank has a core of its own. If the program
 * cannot be started again it goes on as it is; kernel_blas_name (kernel/run.h) tells what is used. */
void blas_select(char **argv);

#endif
