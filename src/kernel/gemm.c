#include "kernel/gemm.h"

#include <cblas.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "kernel/blas.h"
#include "kernel/run.h"

static blasint blas_size(size_t n)
{
    if (n > INT_MAX)
        bug("a matrix dimension of %zu is more than BLAS can count", n);
    return (blasint)n;
}

void gemm_f32(enum gemm_layout layout, size_t m, size_t n, size_t k, const float *a, const float *b, int accumulate,
              float *c)
{
    int a_transposed = layout == GEMM_A_TRANSPOSED, b_transposed = layout == GEMM_B_TRANSPOSED;
    cblas_sgemm(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans,
                blas_size(m), blas_size(n), blas_size(k), 1, a, blas_size(a_transposed ? m : k), b,
                blas_size(b_transposed ? k : n), accumulate ? 1 : 0, c, blas_size(n));
}

void gemm_f64(enum gemm_layout layout, size_t m, size_t n, size_t k, const double *a, const double *b, int accumulate,
              double *c)
{
    int a_transposed = layout == GEMM_A_TRANSPOSED, b_transposed = layout == GEMM_B_TRANSPOSED;
    cblas_dgemm(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans,
                blas_size(m), blas_size(n), blas_size(k), 1, a, blas_size(a_transposed ? m : k), b,
                blas_size(b_transposed ? k : n), accumulate ? 1 : 0, c, blas_size(n));
}

void gemm_peak_product(size_t n, const float *a, const float *b, float *c)
{
    gemm_f32(GEMM_PLAIN, n, n, n, a, b, 0, c);
}

const char *kernel_blas_name(void)
{
    return openblas_get_config();
}

/* OpenBLAS's AVX-512 kernels, by the names it gives them. */
static int core_is_wide(const char *core)
{
    static const char *const wide[] = {"SkylakeX", "Cooperlake", "Sapphirerapids", "Zen4", "Zen5"};
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (strcasecmp(core, wide[i]) == 0)
            return 1;
    return 0;
}

static int cpu_is_wide(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

/* valgrind puts its own library in front of all others and does not follow AVX-512. */
static int under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "/vgpreload_");
}

void blas_select(char **argv)
{
    if (!getenv("OPENBLAS_NUM_THREADS")) {
        setenv("OPENBLAS_NUM_THREADS", "1", 0);
        openblas_set_num_threads(1);
    }
    if (getenv("OPENBLAS_CORETYPE") || under_valgrind() || !cpu_is_wide() || core_is_wide(openblas_get_corename()))
        return;
    /* Set, the variable is also what keeps the second start from a third. */
    setenv("OPENBLAS_CORETYPE", "SKYLAKEX", 1);
    execv("/proc/self/exe", argv);
    unsetenv("OPENBLAS_CORETYPE");
}
