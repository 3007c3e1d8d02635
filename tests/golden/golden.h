/* golden.h - files of reference tensors: reading them, comparing with them, telling what came out.
 *
 * Layout of the files, and the tolerances: docs/models.md. Everything ends with check_golden's counts; an unreadable file ends
 * the program with a message, as a test that cannot run has failed.
 */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <stdint.h>

#include "base/arena.h"
#include "kernel/op.h"
#include "store/h5.h"

/* What is compared, each with its own tolerance on max|c - golden| / max(max|golden|, floor). X(enum, name, tolerance) */
#define GOLDEN_KINDS(X)                            \
    X(OUTPUT_F64, "outputs f64", 1e-9)             \
    X(GRADIENT_F64, "gradients f64", 1e-9)         \
    X(SGD_F64, "sgd f64", 1e-9)                    \
    X(ADAM_F64, "adam f64", 1e-9)                  \
    X(OFFSET_F64, "layernorm_offset f64", 1e-7)    \
    X(OUTPUT_F32, "outputs f32", 1e-4)             \
    X(GRADIENT_F32, "gradients f32", 1e-4)         \
    X(SGD_F32, "sgd f32", 1e-4)                    \
    X(ADAM_F32, "adam f32", 1e-4)                  \
    X(ADAM_LOSS_F32, "adam losses f32", 1e-3)

enum golden_kind {
#define X(id, name, tolerance) id,
    GOLDEN_KINDS(X)
#undef X
    N_GOLDEN_KINDS
};

struct golden {
    struct h5 *file;
    const char *name;        /* of the file, for messages */
    struct arena *arena;     /* of this file */
    double worst[N_GOLDEN_KINDS];
    int compared[N_GOLDEN_KINDS];
    int failures;            /* of the check that runs now */
    int passed, failed, skipped;
    char *skips;             /* "lora (why), ..." */
};

/* Local. A path within the file. */
char *golden_path(struct golden *golden, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. All values of a dataset, which must have `elements` of them (any number when elements is 0). */
double *golden_read(struct golden *golden, const char *path, int64_t elements);
int64_t golden_elements(struct golden *golden, const char *path);
void golden_dims(struct golden *golden, const char *path, int n_dims, int64_t *dims);
int64_t golden_int(struct golden *golden, const char *object, const char *attribute);
double golden_double(struct golden *golden, const char *object, const char *attribute);
const char **golden_list(struct golden *golden, const char *group, int *n);

/* Local. Compares; prints a line when the error is beyond the tolerance. Not-a-number is beyond every tolerance. */
void golden_compare(struct golden *golden, enum golden_kind kind, const char *what, const double *computed,
                    const double *expected, int64_t n, double floor);

/* Local. Closes one check: passed unless something failed since the last one. */
void golden_close_check(struct golden *golden);
void golden_skip(struct golden *golden, const char *what, const char *why);

/* Local. A file of a model, and the file of single ops. */
int golden_is_model(struct golden *golden);
void golden_check_model(struct golden *golden);
int golden_is_ops(struct golden *golden);
void golden_check_ops(struct golden *golden);

/* Local. Ends the program: the file is not what its layout promises. */
_Noreturn void golden_die(const struct golden *golden, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
