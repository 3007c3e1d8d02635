/* archive.h - the state of a run as named arrays: one walk over a structure both saves and restores it.
 *
 * A room that has state gives one function that names each of its fields:
 *
 *     void clock_archive(struct clock *clock, struct archive *archive)
 *     {
 *         archive_field(archive, "idle_ps", &clock->idle_ps);
 *         archive_array(archive, "wait_ps", clock->wait_ps, N_KERNEL_CLASSES);
 *     }
 *
 * Saving copies the values into a list of entries; restoring reads them back from a source by the same names and fails
 * when one is missing or has another type or length. After a fault everything else is left as it is: ask
 * archive_status() at the end. What an entry is written to is not known here (store/state.h).
 */
#ifndef BASE_ARCHIVE_H
#define BASE_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/wide.h"

enum archive_type {
    ARCHIVE_U8,
    ARCHIVE_I32,
    ARCHIVE_U32,
    ARCHIVE_I64,
    ARCHIVE_U64,
    ARCHIVE_F32,
    ARCHIVE_F64,
    ARCHIVE_I16,
    N_ARCHIVE_TYPES
};

struct archive_entry {
    const char *name; /* "devices/003/clock/idle_ps" */
    enum archive_type type;
    uint64_t n;
    const void *values;
};

/* Where a restored archive comes from. */
struct archive_source {
    void *state;
    /* Type and length of an entry; fault when there is none. */
    enum status (*look)(void *state, const char *name, enum archive_type *type, uint64_t *n, struct fault *fault);
    enum status (*read)(void *state, const struct archive_entry *entry, void *values, struct fault *fault);
};

struct archive;

/* Local. An archive to save into, and one to restore from; both in the arena, which also gets what is restored with a
 * length of its own. */
struct archive *archive_new(struct arena *arena);
struct archive *archive_from(const struct archive_source *source, struct arena *arena);

/* Local. */
int archive_restores(const struct archive *archive);
struct arena *archive_arena(const struct archive *archive);

/* Local. STATUS_OK, or the first fault met (which is passed on). */
enum status archive_status(const struct archive *archive, struct fault *fault);

/* Local. Has a fault been met? */
int archive_has_failed(const struct archive *archive);

/* Local. What was restored makes no sense: a fault, unless there is one already. */
void archive_refuse(struct archive *archive, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. The saved entries by name. */
const struct archive_entry *archive_entries(struct archive *archive, size_t *n);

/* Local. Names from here on begin with this part, until archive_leave. */
void archive_enter(struct archive *archive, const char *format, ...) __attribute__((format(printf, 2, 3)));
void archive_leave(struct archive *archive);

/* Local. n values, stride bytes apart. A value is copied as it is, bit by bit. */
void archive_put(struct archive *archive, const char *name, enum archive_type type, void *values, size_t n,
                 size_t stride);

/* Local. The same for memory that is large and stays as it is until the archive is written: it is not copied. */
void archive_memory(struct archive *archive, const char *name, enum archive_type type, void *values, size_t n);

/* Local. Saves a length, or tells the one that was saved: 0 after a fault. */
size_t archive_count(struct archive *archive, const char *name, size_t n);

/* Local. 128-bit sums, as pairs of low and high half. */
void archive_wide(struct archive *archive, const char *name, wide_uint *values, size_t n, size_t stride);

/* Local. n strings, stride bytes apart; restored ones live in the arena. NULL comes back as "". */
void archive_texts(struct archive *archive, const char *name, const char **values, size_t n, size_t stride);

/* The type of what a pointer points to; other types do not compile. */
#define ARCHIVE_TYPE(pointer)                                                                                          \
    _Generic(*(pointer), uint8_t                                                                                       \
             : ARCHIVE_U8, int16_t                                                                                     \
             : ARCHIVE_I16, int32_t                                                                                    \
             : ARCHIVE_I32, uint32_t                                                                                   \
             : ARCHIVE_U32, int64_t                                                                                    \
             : ARCHIVE_I64, uint64_t                                                                                   \
             : ARCHIVE_U64, float                                                                                      \
             : ARCHIVE_F32, double                                                                                     \
             : ARCHIVE_F64)

/* One value; n in a row; n of an array of structures, from the member of the first one. */
#define archive_field(archive, name, pointer)                                                                          \
    archive_put(archive, name, ARCHIVE_TYPE(pointer), pointer, 1, sizeof *(pointer))
#define archive_array(archive, name, pointer, n)                                                                       \
    archive_put(archive, name, ARCHIVE_TYPE(pointer), pointer, n, sizeof *(pointer))
#define archive_column(archive, name, pointer, n, stride)                                                              \
    archive_put(archive, name, ARCHIVE_TYPE(pointer), pointer, n, stride)

/* Local. Bytes of one value. */
size_t archive_type_bytes(enum archive_type type);

#endif
