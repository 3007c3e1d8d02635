/* safetensors.c - the header of one file, and reading from it. */
#include "store/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/half.h"
#include "store/safetensors_private.h"

enum { MAX_HEADER_BYTES = 100 << 20, BLOCK_VALUES = 1 << 16 };

static const struct {
    const char *name;
    int bits;
    enum safetensor_type type;
} dtypes[] = {{"F32", 32, SAFETENSOR_F32},     {"F16", 16, SAFETENSOR_F16},      {"BF16", 16, SAFETENSOR_BF16},
              {"F64", 64, SAFETENSOR_OTHER},   {"I64", 64, SAFETENSOR_OTHER},    {"U64", 64, SAFETENSOR_OTHER},
              {"I32", 32, SAFETENSOR_OTHER},   {"U32", 32, SAFETENSOR_OTHER},    {"I16", 16, SAFETENSOR_OTHER},
              {"U16", 16, SAFETENSOR_OTHER},   {"I8", 8, SAFETENSOR_OTHER},      {"U8", 8, SAFETENSOR_OTHER},
              {"BOOL", 8, SAFETENSOR_OTHER},   {"F8_E4M3", 8, SAFETENSOR_OTHER}, {"F8_E5M2", 8, SAFETENSOR_OTHER},
              {"F8_E8M0", 8, SAFETENSOR_OTHER}};

/* A header being read. */
struct reading {
    const struct raw *raw;
    struct arena *arena;
    int64_t data; /* where the data begin in the file */
    struct fault *fault;
};

static enum status wrong(const struct reading *r, const char *name, const char *expected)
{
    return fault_set(r->fault, STATUS_USAGE, "%s: %.200s: expected %s", r->raw->path, name, expected);
}

static enum status read_dtype(const struct reading *r, const json_t *entry, struct safetensor *tensor, int *bits)
{
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    if (!text)
        return wrong(r, tensor->name, "a dtype");
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, text) == 0) {
            tensor->dtype = dtypes[i].name;
            tensor->type = dtypes[i].type;
            *bits = dtypes[i].bits;
            return STATUS_OK;
        }
    return fault_set(r->fault, STATUS_USAGE, "%s: %.200s: dtype: expected F32, F16 or BF16, found %.40s", r->raw->path,
                     tensor->name, text);
}

static enum status read_shape(const struct reading *r, const json_t *entry, struct safetensor *tensor)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return wrong(r, tensor->name, "a shape");
    if (json_array_size(shape) > SAFETENSOR_MAX_DIMS)
        return fault_set(r->fault, STATUS_USAGE, "%s: %.200s: shape: expected at most %d dimensions, found %zu",
                         r->raw->path, tensor->name, SAFETENSOR_MAX_DIMS, json_array_size(shape));
    tensor->n_dims = (int)json_array_size(shape);
    tensor->n_values = 1;
    for (int d = 0; d < tensor->n_dims; d++) {
        const json_t *dim = json_array_get(shape, (size_t)d);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return wrong(r, tensor->name, "a shape of whole numbers of at least 0");
        tensor->dims[d] = json_integer_value(dim);
        if (__builtin_mul_overflow(tensor->n_values, tensor->dims[d], &tensor->n_values))
            return wrong(r, tensor->name, "a shape whose values can be counted: its product overflows");
    }
    return STATUS_OK;
}

static enum status read_range(const struct reading *r, const json_t *entry, int bits, struct safetensor *tensor)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    int64_t bytes, room = r->raw->size - r->data;
    if (json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)))
        return wrong(r, tensor->name, "data_offsets of two whole numbers");
    int64_t begin = json_integer_value(json_array_get(offsets, 0));
    int64_t end = json_integer_value(json_array_get(offsets, 1));
    if (begin < 0 || end < begin || end > room)
        return fault_set(r->fault, STATUS_USAGE,
                         "%s: %.200s: data_offsets: expected a range within the %" PRId64
                         " bytes of data, found %" PRId64 " .. %" PRId64,
                         r->raw->path, tensor->name, room, begin, end);
    if (__builtin_mul_overflow(tensor->n_values, (int64_t)(bits / 8), &bytes) || bytes != end - begin)
        return fault_set(r->fault, STATUS_USAGE,
                         "%s: %.200s: data_offsets: expected as many bytes as the shape has %s values (%" PRId64
                         " values), found %" PRId64 " bytes",
                         r->raw->path, tensor->name, tensor->dtype, tensor->n_values, end - begin);
    tensor->begin = r->data + begin;
    tensor->end = r->data + end;
    return STATUS_OK;
}

static enum status read_tensor(const struct reading *r, const char *name, const json_t *entry,
                               struct safetensor *tensor)
{
    int bits = 0;
    *tensor = (struct safetensor){.name = arena_string(r->arena, name), .raw = r->raw};
    if (!json_is_object(entry))
        return wrong(r, name, "an object with dtype, shape and data_offsets");
    enum status status = read_dtype(r, entry, tensor, &bits);
    if (status == STATUS_OK)
        status = read_shape(r, entry, tensor);
    if (status == STATUS_OK)
        status = read_range(r, entry, bits, tensor);
    return status;
}

static int compare_begin(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Some programs fill the end of the file with zeros up to a multiple of something. */
static int is_padding(const struct reading *r, int64_t from)
{
    enum { MOST = 64 };
    unsigned char bytes[MOST], some = 0;
    int64_t n = r->raw->size - from;
    struct fault ignored = FAULT_NONE;
    if (n >= MOST || raw_read(r->raw, from, n, bytes, "padding", &ignored) != STATUS_OK)
        return 0;
    for (int64_t i = 0; i < n; i++)
        some |= bytes[i];
    return some == 0;
}

/* The tensors, which it sorts, fill the data from the first byte to the last, each byte belongs to one of them. */
static enum status check_ranges(const struct reading *r, struct safetensor *tensors, int64_t n)
{
    int64_t at = r->data;
    qsort(tensors, (size_t)n, sizeof *tensors, compare_begin);
    for (int64_t i = 0; i < n; at = tensors[i++].end)
        if (tensors[i].begin != at)
            return fault_set(r->fault, STATUS_USAGE,
                             "%s: %.200s: data_offsets: expected the data from byte %" PRId64 " on, found byte %" PRId64
                             ": %s",
                             r->raw->path, tensors[i].name, at - r->data, tensors[i].begin - r->data,
                             tensors[i].begin < at ? "tensors overlap" : "a gap");
    if (!is_padding(r, at))
        return fault_set(r->fault, STATUS_USAGE,
                         "%s: expected %" PRId64 " bytes of data, as the header has it, found %" PRId64, r->raw->path,
                         at - r->data, r->raw->size - r->data);
    return STATUS_OK;
}

static enum status take_header(const struct reading *r, json_t *header, struct safetensor **out, int64_t *n_out)
{
    const char *name;
    json_t *entry;
    int64_t n = 0;
    struct safetensor *tensors = arena_array(r->arena, json_object_size(header) + 1, sizeof *tensors);
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (read_tensor(r, name, entry, &tensors[n]) != STATUS_OK)
            return r->fault->status;
        n++;
    }
    enum status status = check_ranges(r, tensors, n);
    if (status == STATUS_OK) {
        *out = tensors;
        *n_out = n;
    }
    return status;
}

enum status safetensors_header(const struct raw *raw, struct arena *arena, struct safetensor **tensors, int64_t *n,
                               struct fault *fault)
{
    unsigned char length[8];
    json_error_t error;
    enum status status = raw_read(raw, 0, 8, length, "length of the header", fault);
    if (status != STATUS_OK)
        return status;
    uint64_t bytes = raw_u64(length);
    if (bytes < 2 || bytes > MAX_HEADER_BYTES || (int64_t)bytes > raw->size - 8)
        return fault_set(fault, STATUS_USAGE,
                         "%s: length of the header: expected 2 .. %" PRId64 " bytes, found %" PRIu64, raw->path,
                         raw->size - 8 < MAX_HEADER_BYTES ? raw->size - 8 : (int64_t)MAX_HEADER_BYTES, bytes);
    char *text = malloc(bytes);
    if (!text)
        return fault_set(fault, STATUS_FAILED, "%s: a header of %" PRIu64 " bytes does not fit into memory", raw->path,
                         bytes);
    json_t *header = NULL;
    status = raw_read(raw, 8, (int64_t)bytes, text, "header", fault);
    if (status == STATUS_OK && !(header = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error)))
        status = fault_set(fault, STATUS_USAGE, "%s: header: not JSON: %s", raw->path, error.text);
    if (status == STATUS_OK && !json_is_object(header))
        status = fault_set(fault, STATUS_USAGE, "%s: header: expected an object of tensors", raw->path);
    const struct reading reading = {raw, arena, 8 + (int64_t)bytes, fault};
    if (status == STATUS_OK)
        status = take_header(&reading, header, tensors, n);
    json_decref(header);
    free(text);
    return status;
}

enum status safetensor_read(const struct safetensor *tensor, int64_t first, int64_t n, float *values,
                            struct fault *fault)
{
    if (first < 0 || n < 0 || first > tensor->n_values || n > tensor->n_values - first)
        bug("%s has no values %" PRId64 " + %" PRId64, tensor->name, first, n);
    if (tensor->type == SAFETENSOR_OTHER)
        return fault_set(fault, STATUS_USAGE, "%s: %.200s: dtype: expected F32, F16 or BF16, found %s",
                         tensor->raw->path, tensor->name, tensor->dtype);
    int64_t width = tensor->type == SAFETENSOR_F32 ? 4 : 2;
    for (int64_t done = 0; done < n;) {
        int64_t part = n - done < BLOCK_VALUES ? n - done : BLOCK_VALUES;
        /* Two-byte values wait in the upper half of their place and are widened from the first on. */
        unsigned char *bytes = (unsigned char *)(values + done) + (4 - width) * part;
        enum status status =
            raw_read(tensor->raw, tensor->begin + width * (first + done), width * part, bytes, tensor->name, fault);
        if (status != STATUS_OK)
            return status;
        for (int64_t i = 0; i < part; i++) {
            const unsigned char *at = bytes + width * i;
            float value = tensor->type == SAFETENSOR_F32   ? raw_f32(at)
                          : tensor->type == SAFETENSOR_F16 ? half_widen(raw_u16(at))
                                                           : bfloat_widen(raw_u16(at));
            values[done + i] = value;
        }
        done += part;
    }
    return STATUS_OK;
}

char *safetensor_shape(const struct safetensor *tensor, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "[");
    for (int d = 0; d < tensor->n_dims && at < size; d++)
        at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, d ? ", " : "", tensor->dims[d]);
    if (at < size)
        snprintf(text + at, size - at, "]");
    return text;
}

int safetensors_is(const char *path)
{
    unsigned char start[9];
    struct raw raw;
    struct fault ignored = FAULT_NONE;
    if (raw_open(path, &raw, &ignored) != STATUS_OK)
        return 0;
    int is = raw.size >= 10 && raw_read(&raw, 0, sizeof start, start, "start", &ignored) == STATUS_OK &&
             start[8] == '{' && raw_u64(start) <= (uint64_t)MAX_HEADER_BYTES;
    raw_close(&raw);
    return is;
}
