#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/grid.h"

/* The classic formats: CDF-1, CDF-2 (64-bit offsets), CDF-5 (64-bit sizes); everything big-endian, padded to four
 * bytes. Source: NetCDF Classic and 64-bit Offset File Formats (Unidata), the grammar of the header. */
struct netcdf3 {
    FILE *file;
    int64_t size;
    int version;
    int64_t n_records, record_bytes;
    int64_t n_dims;
    struct {
        const char *name;
        int64_t length; /* 0: the unlimited one */
    } * dim;
};

enum { NC_BYTE = 1, NC_CHAR, NC_SHORT, NC_INT, NC_FLOAT, NC_DOUBLE, NC_UBYTE, NC_USHORT, NC_UINT, NC_INT64, NC_UINT64 };
enum { TAG_DIMENSION = 10, TAG_VARIABLE = 11, TAG_ATTRIBUTE = 12 };

static int type_bytes(int64_t type)
{
    static const int bytes[] = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
    return type >= NC_BYTE && type <= NC_UINT64 ? bytes[type] : 0;
}

static enum status damaged(const struct grid *grid, const char *what, struct fault *fault)
{
    return fault_set(fault, STATUS_IO, "%s: damaged netCDF-3 header: %s", grid->path, what);
}

static enum status read_bytes(struct grid *grid, void *to, size_t n, struct fault *fault)
{
    struct netcdf3 *nc = grid->state;
    return fread(to, 1, n, nc->file) == n ? STATUS_OK : damaged(grid, "it ends too early", fault);
}

static uint64_t big_endian(const unsigned char *bytes, int n)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

static enum status read_integer(struct grid *grid, int n, int64_t *value, struct fault *fault)
{
    unsigned char bytes[8];
    enum status status = read_bytes(grid, bytes, (size_t)n, fault);
    if (status == STATUS_OK)
        *value = (int64_t)big_endian(bytes, n);
    return status;
}

/* Counts are 32-bit, 64-bit in CDF-5; none can exceed the file. */
static enum status read_count(struct grid *grid, int64_t *value, struct fault *fault)
{
    struct netcdf3 *nc = grid->state;
    enum status status = read_integer(grid, nc->version == 5 ? 8 : 4, value, fault);
    if (status == STATUS_OK && (*value < 0 || *value > nc->size))
        status = damaged(grid, "an impossible count", fault);
    return status;
}

static enum status read_name(struct grid *grid, const char **name, struct fault *fault)
{
    int64_t length = 0;
    enum status status = read_count(grid, &length, fault);
    if (status != STATUS_OK)
        return status;
    char *text = arena_take(grid->arena, (size_t)length + 4);
    status = read_bytes(grid, text, (size_t)((length + 3) / 4 * 4), fault);
    text[length] = '\0';
    *name = text;
    return status;
}

/* Tag and count before a list; the tag 0 with count 0 stands for an absent list. */
static enum status read_list_head(struct grid *grid, int tag, int64_t *n, struct fault *fault)
{
    int64_t found = 0;
    enum status status = read_integer(grid, 4, &found, fault);
    if (status == STATUS_OK)
        status = read_count(grid, n, fault);
    if (status == STATUS_OK && found != tag && (found != 0 || *n != 0))
        status = damaged(grid, "a list has the wrong tag", fault);
    return status;
}

static double decode(const unsigned char *bytes, int type)
{
    uint64_t bits = big_endian(bytes, type_bytes(type));
    union {
        uint32_t bits;
        float value;
    } single = {(uint32_t)bits};
    union {
        uint64_t bits;
        double value;
    } twice = {bits};
    switch (type) {
    case NC_BYTE:
        return (int8_t)bits;
    case NC_SHORT:
        return (int16_t)bits;
    case NC_INT:
        return (int32_t)bits;
    case NC_INT64:
        return (double)(int64_t)bits;
    case NC_FLOAT:
        return single.value;
    case NC_DOUBLE:
        return twice.value;
    default:
        return (double)bits;
    }
}

static enum status read_attribute(struct grid *grid, struct grid_variable *variable, struct fault *fault)
{
    const char *name;
    int64_t type = 0, n = 0;
    enum status status = read_name(grid, &name, fault);
    if (status == STATUS_OK)
        status = read_integer(grid, 4, &type, fault);
    if (status == STATUS_OK)
        status = read_count(grid, &n, fault);
    if (status != STATUS_OK)
        return status;
    int bytes = type_bytes(type);
    if (bytes == 0 || n > ((struct netcdf3 *)grid->state)->size / bytes)
        return damaged(grid, "an attribute of unknown type or size", fault);
    char *value = arena_take(grid->arena, (size_t)(n * bytes) + 9);
    status = read_bytes(grid, value, (size_t)((n * bytes + 3) / 4 * 4), fault);
    if (status != STATUS_OK)
        return status;
    value[n * bytes] = '\0';
    if (type == NC_CHAR)
        grid_text_attribute(grid, variable, name, value);
    else if (variable && n == 1)
        grid_number_attribute(variable, name, decode((const unsigned char *)value, (int)type));
    return STATUS_OK;
}

static enum status read_attributes(struct grid *grid, struct grid_variable *variable, struct fault *fault)
{
    int64_t n = 0;
    enum status status = read_list_head(grid, TAG_ATTRIBUTE, &n, fault);
    for (int64_t i = 0; i < n && status == STATUS_OK; i++)
        status = read_attribute(grid, variable, fault);
    return status;
}

static enum status read_dimensions(struct grid *grid, struct fault *fault)
{
    struct netcdf3 *nc = grid->state;
    enum status status = read_list_head(grid, TAG_DIMENSION, &nc->n_dims, fault);
    if (status != STATUS_OK)
        return status;
    if (nc->n_dims > 4096)
        return damaged(grid, "too many dimensions", fault);
    nc->dim = arena_array(grid->arena, (size_t)nc->n_dims + 1, sizeof *nc->dim);
    for (int64_t i = 0; i < nc->n_dims && status == STATUS_OK; i++) {
        status = read_name(grid, &nc->dim[i].name, fault);
        if (status == STATUS_OK)
            status = read_integer(grid, nc->version == 5 ? 8 : 4, &nc->dim[i].length, fault);
        if (status == STATUS_OK && (nc->dim[i].length < 0 || nc->dim[i].length > INT32_MAX))
            status = damaged(grid, "an impossible dimension", fault);
    }
    return status;
}

static enum status read_shape(struct grid *grid, struct grid_variable *v, struct fault *fault)
{
    struct netcdf3 *nc = grid->state;
    int64_t n_dims = 0, id = 0;
    enum status status = read_count(grid, &n_dims, fault);
    if (status == STATUS_OK && n_dims > GRID_MAX_DIMS)
        return fault_set(fault, STATUS_USAGE, "%s: %s: expected at most %d dimensions, found %lld", grid->path, v->name,
                         GRID_MAX_DIMS, (long long)n_dims);
    for (int64_t d = 0; d < n_dims && status == STATUS_OK; d++) {
        status = read_integer(grid, nc->version == 5 ? 8 : 4, &id, fault);
        if (status != STATUS_OK || id < 0 || id >= nc->n_dims)
            return damaged(grid, "a dimension that does not exist", fault);
        v->dim[d] = nc->dim[id].name;
        v->dims[d] = nc->dim[id].length ? nc->dim[id].length : nc->n_records;
        v->is_record |= d == 0 && nc->dim[id].length == 0;
        if (__builtin_mul_overflow(v->n_values, v->dims[d], &v->n_values))
            return damaged(grid, "an impossible shape", fault);
    }
    v->n_dims = (int)n_dims;
    return status;
}

/* Bytes of a variable, or of one record of it, as they lie in the file. */
static int64_t stored_bytes(const struct grid_variable *v)
{
    int64_t n = v->n_values;
    if (v->is_record)
        n = v->dims[0] > 0 ? n / v->dims[0] : 0;
    return n * type_bytes(v->type);
}

static enum status read_variable(struct grid *grid, struct grid_variable *v, struct fault *fault)
{
    struct netcdf3 *nc = grid->state;
    const char *name = "";
    int64_t type = 0, ignored = 0;
    enum status status = read_name(grid, &name, fault);
    *v = grid_variable(name);
    if (status == STATUS_OK)
        status = read_shape(grid, v, fault);
    if (status == STATUS_OK)
        status = read_attributes(grid, v, fault);
    if (status == STATUS_OK)
        status = read_integer(grid, 4, &type, fault);
    if (status == STATUS_OK)
        status = read_integer(grid, nc->version == 5 ? 8 : 4, &ignored, fault);
    if (status == STATUS_OK)
        status = read_integer(grid, nc->version == 1 ? 4 : 8, &v->place, fault);
    if (status == STATUS_OK && (type_bytes(type) == 0 || v->place < 0 || v->place > nc->size))
        status = damaged(grid, "a variable of unknown type or place", fault);
    v->type = (int)type;
    v->is_text = type == NC_CHAR;
    if (v->unsigned_range == 1)
        v->unsigned_range = type == NC_BYTE ? 256 : type == NC_SHORT ? 65536 : type == NC_INT ? 4294967296.0 : 0;
    return status;
}

static enum status read_variables(struct grid *grid, struct fault *fault)
{
    struct netcdf3 *nc = grid->state;
    int64_t n = 0, n_record = 0, single_bytes = 0;
    enum status status = read_list_head(grid, TAG_VARIABLE, &n, fault);
    if (status != STATUS_OK)
        return status;
    if (n > 65536)
        return damaged(grid, "too many variables", fault);
    grid->variable = arena_array(grid->arena, (size_t)n + 1, sizeof *grid->variable);
    for (int64_t i = 0; i < n && status == STATUS_OK; i++) {
        struct grid_variable *v = &grid->variable[i];
        status = read_variable(grid, v, fault);
        if (status != STATUS_OK)
            return status;
        grid->n_variables++;
        int64_t bytes = stored_bytes(v);
        if (bytes < 0 || bytes > nc->size)
            return damaged(grid, "a variable larger than the file", fault);
        if (v->is_record) {
            n_record++;
            single_bytes = bytes;
            nc->record_bytes += (bytes + 3) / 4 * 4;
        }
    }
    /* A record variable alone is not padded. */
    if (n_record == 1)
        nc->record_bytes = single_bytes;
    return status;
}

/* One record (or all of a variable without records) of raw bytes into doubles or characters. */
static enum status read_part(struct grid *grid, const struct grid_variable *v, int64_t record, int64_t n,
                             double *values, char *text, struct fault *fault)
{
    struct netcdf3 *nc = grid->state;
    int bytes = type_bytes(v->type);
    unsigned char *raw = malloc((size_t)(n * bytes) + 1);
    if (!raw)
        return fault_set(fault, STATUS_FAILED, "%s: %s: does not fit into memory", grid->path, v->name);
    enum status status = STATUS_OK;
    if (fseeko(nc->file, v->place + record * nc->record_bytes, SEEK_SET) != 0 ||
        fread(raw, (size_t)bytes, (size_t)n, nc->file) != (size_t)n)
        status = fault_set(fault, STATUS_IO, "%s: %s: the file ends too early: truncated", grid->path, v->name);
    for (int64_t i = 0; status == STATUS_OK && values && i < n; i++)
        values[i] = decode(raw + i * bytes, v->type);
    if (status == STATUS_OK && text)
        memcpy(text, raw, (size_t)n);
    free(raw);
    return status;
}

static enum status read_whole(struct grid *grid, const struct grid_variable *v, double *values, char *text,
                              struct fault *fault)
{
    int64_t n_parts = v->is_record ? v->dims[0] : 1, n = n_parts > 0 ? v->n_values / n_parts : 0;
    enum status status = STATUS_OK;
    for (int64_t p = 0; p < n_parts && status == STATUS_OK; p++)
        status = read_part(grid, v, p, n, values ? values + p * n : NULL, text ? text + p * n : NULL, fault);
    return status;
}

static enum status read_numbers(struct grid *grid, const struct grid_variable *variable, double *values,
                                struct fault *fault)
{
    return read_whole(grid, variable, values, NULL, fault);
}

static enum status read_text(struct grid *grid, const struct grid_variable *variable, int64_t n, const char **text,
                             struct fault *fault)
{
    int64_t length = n > 0 ? variable->n_values / n : 0;
    char *all = arena_take(grid->arena, (size_t)variable->n_values + 1);
    enum status status = read_whole(grid, variable, NULL, all, fault);
    for (int64_t i = 0; i < n && status == STATUS_OK; i++) {
        char *one = arena_take(grid->arena, (size_t)length + 1);
        memcpy(one, all + i * length, (size_t)length);
        for (int64_t c = length - 1; c >= 0 && (one[c] == ' ' || one[c] == '\0'); c--)
            one[c] = '\0';
        text[i] = one;
    }
    return status;
}

static void close_file(struct grid *grid)
{
    struct netcdf3 *nc = grid->state;
    fclose(nc->file);
}

static enum status read_header(struct grid *grid, struct fault *fault)
{
    struct netcdf3 *nc = grid->state;
    unsigned char magic[4] = {0};
    enum status status = read_bytes(grid, magic, 4, fault);
    if (status == STATUS_OK && (memcmp(magic, "CDF", 3) != 0 || (magic[3] != 1 && magic[3] != 2 && magic[3] != 5)))
        return fault_set(fault, STATUS_IO, "%s: not a netCDF-3 file", grid->path);
    nc->version = magic[3];
    if (status == STATUS_OK)
        status = read_integer(grid, nc->version == 5 ? 8 : 4, &nc->n_records, fault);
    if (status == STATUS_OK && (nc->n_records < 0 || nc->n_records > nc->size))
        status = damaged(grid, "an impossible number of records", fault);
    if (status == STATUS_OK)
        status = read_dimensions(grid, fault);
    if (status == STATUS_OK)
        status = read_attributes(grid, NULL, fault);
    return status == STATUS_OK ? read_variables(grid, fault) : status;
}

enum status grid_open_netcdf3(const char *path, struct arena *arena, struct grid *grid, struct fault *fault)
{
    struct netcdf3 *nc = arena_take(arena, sizeof *nc);
    struct stat info;
    *grid = (struct grid){.path = path,
                          .arena = arena,
                          .title = "",
                          .source = "",
                          .history = "",
                          .state = nc,
                          .read = read_numbers,
                          .read_text = read_text,
                          .close = close_file};
    nc->file = fopen(path, "rb");
    if (!nc->file)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    nc->size = fstat(fileno(nc->file), &info) == 0 ? (int64_t)info.st_size : 0;
    enum status status = read_header(grid, fault);
    if (status != STATUS_OK)
        close_file(grid);
    return status;
}
