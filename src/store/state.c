#include "store/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/h5.h"

static const char title[] = "polyrank checkpoint";

static enum h5_type type_of(enum archive_type type)
{
    static const enum h5_type types[N_ARCHIVE_TYPES] = {
        [ARCHIVE_U8] = H5_UINT8,   [ARCHIVE_I32] = H5_INT32,   [ARCHIVE_U32] = H5_UINT32,  [ARCHIVE_I64] = H5_INT64,
        [ARCHIVE_U64] = H5_UINT64, [ARCHIVE_F32] = H5_FLOAT32, [ARCHIVE_F64] = H5_FLOAT64, [ARCHIVE_I16] = H5_INT16};
    return types[type];
}

/* ---- writing ---- */

struct state_writer {
    struct arena *arena;
    struct h5 *file;
    const char *path, *previous;
};

char *state_previous(struct arena *arena, const char *path)
{
    size_t length = strlen(path);
    if (length > 3 && strcmp(path + length - 3, ".h5") == 0)
        length -= 3;
    return arena_printf(arena, "%.*s.prev.h5", (int)length, path);
}

static enum status write_head(struct h5 *file, const struct state_head *head, struct fault *fault)
{
    enum status status = h5_set_string(file, "/", "title", title, fault);
    const struct {
        const char *name;
        int64_t value;
    } number[] = {{"schema_version", STATE_SCHEMA_VERSION},
                  {"plan_hash", (int64_t)head->plan_hash},
                  {"arithmetic_hash", (int64_t)head->arithmetic_hash},
                  {"input_hash", head->input_hash},
                  {"progress", head->progress},
                  {"total", head->total},
                  {"virtual_time_ps", (int64_t)head->virtual_ps}};
    if (status == STATUS_OK)
        status = h5_set_string(file, "/", "kind", head->kind, fault);
    for (size_t i = 0; i < sizeof number / sizeof *number && status == STATUS_OK; i++)
        status = h5_set_int(file, "/", number[i].name, number[i].value, fault);
    return status == STATUS_OK ? h5_write_text(file, "job", head->job, fault) : status;
}

static const char *object_of(struct arena *arena, const char *name)
{
    return arena_printf(arena, "state/%s", name);
}

enum status state_create(const char *path, const struct state_head *head, const struct archive_entry *entries,
                         size_t n_entries, struct state_writer **out, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct state_writer *writer = arena_take(arena, sizeof *writer);
    *writer = (struct state_writer){
        .arena = arena, .path = arena_string(arena, path), .previous = state_previous(arena, path)};
    enum status status = h5_create(path, &writer->file, fault);
    if (status == STATUS_OK)
        status = write_head(writer->file, head, fault);
    for (size_t i = 0; i < n_entries && status == STATUS_OK; i++)
        status = h5_make_plain(writer->file, object_of(arena, entries[i].name), type_of(entries[i].type),
                               (int64_t)entries[i].n, fault);
    if (status != STATUS_OK) {
        state_abandon(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

enum status state_write(struct state_writer *writer, const struct archive_entry *entry, uint64_t first, uint64_t n,
                        const void *values, struct fault *fault)
{
    const int64_t start = (int64_t)first, count = (int64_t)n;
    return n ? h5_write_slab(writer->file, object_of(writer->arena, entry->name), type_of(entry->type), 1, &start,
                             &count, values, fault)
             : STATUS_OK;
}

/* A second name for the file that is there: it loses the first one when the new file takes it. Where the file system
 * has no second names it is moved. */
static enum status keep_previous(const struct state_writer *writer, struct fault *fault)
{
    if (access(writer->path, F_OK) != 0)
        return STATUS_OK;
    if (unlink(writer->previous) != 0 && errno != ENOENT)
        return fault_set(fault, STATUS_IO, "%s: cannot be replaced: %s", writer->previous, strerror(errno));
    if (link(writer->path, writer->previous) == 0 || rename(writer->path, writer->previous) == 0)
        return STATUS_OK;
    return fault_set(fault, STATUS_IO, "%s: cannot be kept as %s: %s", writer->path, writer->previous, strerror(errno));
}

enum status state_finish(struct state_writer *writer, struct fault *fault)
{
    enum status status = h5_complete(writer->file, fault);
    if (status == STATUS_OK)
        status = keep_previous(writer, fault);
    if (status == STATUS_OK)
        status = h5_place(writer->file, fault);
    else
        h5_abandon(writer->file);
    arena_free(writer->arena);
    return status;
}

void state_abandon(struct state_writer *writer)
{
    if (!writer)
        return;
    h5_abandon(writer->file);
    arena_free(writer->arena);
}

/* ---- reading ---- */

struct state_file {
    struct arena *arena;
    struct h5 *file;
    struct state_head head;
    struct state_identity identity;
};

static int has_title(struct h5 *file)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    const char *text = "";
    int has = h5_has_attribute(file, "/", "title") &&
              h5_get_string(file, "/", "title", arena, &text, &fault) == STATUS_OK && strcmp(text, title) == 0;
    arena_free(arena);
    return has;
}

int state_is(const char *path)
{
    struct fault fault = FAULT_NONE;
    struct h5 *file = NULL;
    int is = h5_open(path, &file, &fault) == STATUS_OK && has_title(file);
    h5_close(file);
    return is;
}

static enum status read_number(struct h5 *file, const char *name, int64_t *value, enum status status,
                               struct fault *fault)
{
    return status == STATUS_OK ? h5_get_int(file, "/", name, value, fault) : status;
}

static enum status read_head(struct state_file *state, struct fault *fault)
{
    struct h5 *file = state->file;
    struct state_head *head = &state->head;
    int64_t schema = 0, plan = 0, arithmetic = 0, input = 0, virtual = 0, n = 0;
    const char *const *job = NULL;
    enum status status = read_number(file, "schema_version", &schema, STATUS_OK, fault);
    if (status == STATUS_OK && schema != STATE_SCHEMA_VERSION)
        return fault_set(fault, STATUS_USAGE,
                         "%s: expected a checkpoint of schema %d, found %lld: it was written by "
                         "another version of polyrank",
                         h5_path(file), STATE_SCHEMA_VERSION, (long long)schema);
    status = read_number(file, "plan_hash", &plan, status, fault);
    status = read_number(file, "arithmetic_hash", &arithmetic, status, fault);
    status = read_number(file, "input_hash", &input, status, fault);
    status = read_number(file, "progress", &head->progress, status, fault);
    status = read_number(file, "total", &head->total, status, fault);
    status = read_number(file, "virtual_time_ps", &virtual, status, fault);
    head->plan_hash = (uint64_t)plan;
    head->arithmetic_hash = (uint64_t)arithmetic;
    head->input_hash = (uint32_t)input;
    head->virtual_ps = (uint64_t) virtual;
    if (status == STATUS_OK)
        status = h5_get_string(file, "/", "kind", state->arena, &head->kind, fault);
    if (status == STATUS_OK)
        status = h5_read_strings(file, "job", state->arena, &n, &job, fault);
    if (status == STATUS_OK && n != 1)
        return fault_set(fault, STATUS_IO, "%s: job: expected one text, found %lld", h5_path(file), (long long)n);
    if (status == STATUS_OK)
        head->job = job[0];
    return status;
}

static enum status identify(const char *path, struct state_identity *identity, struct fault *fault)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    *identity = (struct state_identity){(uint64_t)info.st_ino, (uint64_t)info.st_size, (uint64_t)info.st_mtim.tv_sec,
                                        (uint64_t)info.st_mtim.tv_nsec};
    return STATUS_OK;
}

static enum status open_head(const char *path, struct state_file *state, struct fault *fault)
{
    enum status status = h5_open_verified(path, &state->file, fault);
    if (status == STATUS_OK && !has_title(state->file))
        status = fault_set(fault, STATUS_USAGE, "%s: expected a checkpoint, found another file", path);
    return status == STATUS_OK ? read_head(state, fault) : status;
}

enum status state_open(const char *path, struct state_file **file, struct fault *fault)
{
    return state_open_verified(path, NULL, file, fault);
}

enum status state_open_verified(const char *path, const struct state_identity *verified, struct state_file **out,
                                struct fault *fault)
{
    struct state_identity identity;
    enum status status = identify(path, &identity, fault);
    if (status == STATUS_OK && !(verified && memcmp(&identity, verified, sizeof identity) == 0))
        status = h5_verify_sealed(path, fault);
    if (status != STATUS_OK)
        return status;
    struct arena *arena = arena_new();
    struct state_file *state = arena_take(arena, sizeof *state);
    state->arena = arena;
    state->identity = identity;
    status = open_head(path, state, fault);
    if (status == STATUS_OK)
        *out = state;
    else
        state_close(state);
    return status;
}

const struct state_identity *state_identity(const struct state_file *file)
{
    return &file->identity;
}

void state_close(struct state_file *file)
{
    if (!file)
        return;
    h5_close(file->file);
    arena_free(file->arena);
}

const struct state_head *state_head(const struct state_file *file)
{
    return &file->head;
}

/* 0: of no type that is saved. */
static int type_in_file(const struct h5_shape *shape, enum archive_type *type)
{
    static const struct {
        enum h5_kind kind;
        int bytes, is_signed;
    } known[N_ARCHIVE_TYPES] = {[ARCHIVE_U8] = {H5_KIND_INTEGER, 1, 0},  [ARCHIVE_I32] = {H5_KIND_INTEGER, 4, 1},
                                [ARCHIVE_U32] = {H5_KIND_INTEGER, 4, 0}, [ARCHIVE_I64] = {H5_KIND_INTEGER, 8, 1},
                                [ARCHIVE_U64] = {H5_KIND_INTEGER, 8, 0}, [ARCHIVE_F32] = {H5_KIND_FLOAT, 4, 0},
                                [ARCHIVE_F64] = {H5_KIND_FLOAT, 8, 0},   [ARCHIVE_I16] = {H5_KIND_INTEGER, 2, 1}};
    for (int t = 0; t < N_ARCHIVE_TYPES; t++)
        if (shape->kind == known[t].kind && shape->element_bytes == known[t].bytes &&
            (shape->kind == H5_KIND_FLOAT || shape->is_signed == known[t].is_signed)) {
            *type = (enum archive_type)t;
            return 1;
        }
    return 0;
}

static enum status look(void *state, const char *name, enum archive_type *type, uint64_t *n, struct fault *fault)
{
    struct state_file *file = state;
    struct arena *arena = arena_new();
    struct h5_shape shape;
    const char *object = object_of(arena, name);
    enum status status = h5_shape(file->file, object, &shape, fault);
    if (status == STATUS_OK && !type_in_file(&shape, type))
        status =
            fault_set(fault, STATUS_IO, "%s: %s: expected numbers, found another type", h5_path(file->file), object);
    if (status == STATUS_OK)
        *n = (uint64_t)shape.n_values;
    arena_free(arena);
    return status;
}

static enum status read_entry(void *state, const struct archive_entry *entry, void *values, struct fault *fault)
{
    struct state_file *file = state;
    struct arena *arena = arena_new();
    enum status status =
        h5_read(file->file, object_of(arena, entry->name), type_of(entry->type), (int64_t)entry->n, values, fault);
    arena_free(arena);
    return status;
}

struct archive_source state_source(struct state_file *file)
{
    return (struct archive_source){file, look, read_entry};
}
