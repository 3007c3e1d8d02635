/* safetensors_set.c - the tensors of one file or of several with an index, by name. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/json_file.h"
#include "store/safetensors_private.h"

enum { MAX_FILES = 4096 };

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct safetensor *)a)->name, ((const struct safetensor *)b)->name);
}

const struct safetensor *tensor_set_find(const struct tensor_set *set, const char *name)
{
    const struct safetensor key = {.name = name};
    return set->n ? bsearch(&key, set->tensor, (size_t)set->n, sizeof *set->tensor, compare_names) : NULL;
}

void tensor_set_close(struct tensor_set *set)
{
    for (int i = 0; i < set->n_files; i++)
        raw_close(&set->file[i]);
    set->n_files = 0;
}

enum status tensor_set_open(const char *path, struct arena *arena, struct tensor_set *out, struct fault *fault)
{
    struct tensor_set set = {.path = arena_string(arena, path), .file = arena_take(arena, sizeof *set.file)};
    enum status status = raw_open(set.path, &set.file[0], fault);
    if (status != STATUS_OK)
        return status;
    set.n_files = 1;
    status = safetensors_header(&set.file[0], arena, &set.tensor, &set.n, fault);
    if (status != STATUS_OK) {
        tensor_set_close(&set);
        return status;
    }
    qsort(set.tensor, (size_t)set.n, sizeof *set.tensor, compare_names);
    *out = set;
    return STATUS_OK;
}

/* ---- several files ---- */

struct shard {
    const char *name;
    int64_t n;
    struct safetensor *tensor;
};

struct index {
    struct arena *arena;
    struct tensor_set set;
    const json_t *map; /* name of a tensor -> name of its file */
    struct shard *shard;
    struct fault *fault;
};

/* The files that the map names, each once, in the order of their first mention. */
static enum status list_files(struct index *index)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)index->map, tensor, value)
    {
        const char *name = json_string_value(value);
        int known = 0;
        if (!name || !name[0] || strchr(name, '/'))
            return fault_set(index->fault, STATUS_USAGE,
                             "%s: weight_map: %.200s: expected the name of a file beside the index, found %.200s",
                             index->set.path, tensor, name ? name : "something else");
        for (int i = 0; i < index->set.n_files && !known; i++)
            known = strcmp(index->shard[i].name, name) == 0;
        if (known)
            continue;
        if (index->set.n_files == MAX_FILES)
            return fault_set(index->fault, STATUS_USAGE, "%s: weight_map: expected at most %d files", index->set.path,
                             MAX_FILES);
        index->shard[index->set.n_files].name = arena_string(index->arena, name);
        index->set.file[index->set.n_files++].descriptor = -1;
    }
    return STATUS_OK;
}

static enum status open_shard(struct index *index, int i)
{
    struct shard *shard = &index->shard[i];
    const char *slash = strrchr(index->set.path, '/');
    int folder = slash ? (int)(slash + 1 - index->set.path) : 0;
    const char *path = arena_printf(index->arena, "%.*s%s", folder, index->set.path, shard->name);
    enum status status = raw_open(path, &index->set.file[i], index->fault);
    if (status == STATUS_OK)
        status = safetensors_header(&index->set.file[i], index->arena, &shard->tensor, &shard->n, index->fault);
    return status;
}

/* All tensors of all files in one table; each must be mapped to its own file, which also tells apart equal names. */
static enum status gather(struct index *index)
{
    struct tensor_set *set = &index->set;
    int64_t room = (int64_t)json_object_size(index->map);
    set->tensor = arena_array(index->arena, (size_t)room + 1, sizeof *set->tensor);
    for (int i = 0; i < set->n_files; i++)
        for (int64_t t = 0; t < index->shard[i].n; t++) {
            const struct safetensor *tensor = &index->shard[i].tensor[t];
            const char *file = json_string_value(json_object_get(index->map, tensor->name));
            if (!file || strcmp(file, index->shard[i].name) != 0)
                return fault_set(index->fault, STATUS_USAGE,
                                 "%s: %.200s: expected the file that holds it, %.200s, in weight_map, found %.200s",
                                 set->path, tensor->name, index->shard[i].name, file ? file : "none");
            if (set->n == room)
                bug("%s: more tensors than names", set->path);
            set->tensor[set->n++] = *tensor;
        }
    qsort(set->tensor, (size_t)set->n, sizeof *set->tensor, compare_names);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)index->map, name, value)
    {
        if (!tensor_set_find(set, name))
            return fault_set(index->fault, STATUS_USAGE, "%s: %.200s: expected it in %.200s, which does not have it",
                             set->path, name, json_string_value(value));
    }
    return STATUS_OK;
}

enum status tensor_set_open_index(const char *path, struct arena *arena, struct tensor_set *out, struct fault *fault)
{
    json_t *root;
    enum status status = json_file_read(path, &root, fault);
    if (status != STATUS_OK)
        return status;
    struct index index = {.arena = arena, .map = json_object_get(root, "weight_map"), .fault = fault};
    index.set.path = arena_string(arena, path);
    index.set.file = arena_array(arena, MAX_FILES, sizeof *index.set.file);
    index.shard = arena_array(arena, MAX_FILES, sizeof *index.shard);
    if (!json_is_object(index.map) || json_object_size(index.map) == 0)
        status =
            fault_set(fault, STATUS_USAGE, "%s: expected \"weight_map\", an object of tensors and their files", path);
    if (status == STATUS_OK)
        status = list_files(&index);
    for (int i = 0; i < index.set.n_files && status == STATUS_OK; i++)
        status = open_shard(&index, i);
    if (status == STATUS_OK)
        status = gather(&index);
    json_decref(root);
    if (status == STATUS_OK)
        *out = index.set;
    else
        tensor_set_close(&index.set);
    return status;
}
