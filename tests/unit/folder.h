/* folder.h - a folder of a test's own, the files in it, and seeded dice. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/rng.h"
#include "base/status.h"

struct dice {
    struct rng_key key;
    uint64_t n;
};

static inline struct dice dice(uint32_t place)
{
    return (struct dice){rng_key(777, RNG_TEST, place), 0};
}

static inline uint64_t below(struct dice *d, uint64_t n)
{
    return rng_below(d->key, 1, d->n++, n);
}

static inline double normal(struct dice *d)
{
    return rng_normal(d->key, 2, d->n++);
}

/* A folder of this test's own and files in it. */
struct folder {
    char path[64], *file[8];
    int n;
};

static inline void folder_open(struct folder *folder)
{
    *folder = (struct folder){.n = 0};
    snprintf(folder->path, sizeof folder->path, "/tmp/polyrank-report-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder->path));
}

static inline const char *folder_file(struct folder *folder, const char *name)
{
    ck_assert_int_gt(asprintf(&folder->file[folder->n], "%s/%s", folder->path, name), 0);
    return folder->file[folder->n++];
}

static inline void folder_close(struct folder *folder)
{
    for (int i = 0; i < folder->n; i++) {
        unlink(folder->file[i]);
        free(folder->file[i]);
    }
    ck_assert_msg(rmdir(folder->path) == 0, "something is left in %s", folder->path);
}

static inline char *read_text(const char *path, size_t *size)
{
    gzFile file = gzopen(path, "rb"); /* reads plain files as they are */
    ck_assert_msg(file != NULL, "%s", path);
    size_t max = 1 << 16, n = 0;
    char *text = malloc(max);
    for (int got; (got = gzread(file, text + n, (unsigned)(max - n - 1))) > 0;) {
        n += (size_t)got;
        if (max - n < 2)
            text = realloc(text, max *= 2);
    }
    gzclose(file);
    text[n] = '\0';
    if (size)
        *size = n;
    return text;
}

static inline void expect_ok(const struct fault *fault)
{
    ck_assert_msg(fault->status == STATUS_OK, "%s", fault->text);
}

#endif
