#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "store/requests_private.h"

struct lines {
    const char *path;
    const char *text; /* of this line, for columns */
    uint32_t number;
};

/* JSON knows no places of values: the column of a key is where its name stands first in the line. */
static enum status expected(const struct lines *line, const char *key, const char *what, const json_t *found,
                            struct fault *fault)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *place = strstr(line->text, quoted);
    char *value = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    fault_set(fault, STATUS_USAGE, "%s:%u:%lld: %s: expected %s, found %.60s", line->path, line->number,
              (long long)(place ? place - line->text + 1 : 1), key, what, value ? value : "nothing");
    free(value);
    return fault->status;
}

static enum status read_timestamp(const struct lines *line, const json_t *object, uint64_t *arrival_ps,
                                  struct fault *fault)
{
    const json_t *value = json_object_get(object, "timestamp");
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0) || !(number <= REQUESTS_LATEST_S * 1e3))
        return expected(line, "timestamp", "a number of milliseconds from 0 to 10000000000", value, fault);
    *arrival_ps = json_is_integer(value) ? (uint64_t)json_integer_value(value) * UINT64_C(1000000000)
                                         : (uint64_t)(number * 1e9 + 0.5);
    return STATUS_OK;
}

static enum status read_length(const struct lines *line, const json_t *object, const char *key, uint32_t *tokens,
                               struct fault *fault)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 1 || number > REQUESTS_MOST_TOKENS)
        return expected(line, key, "a number of tokens from 1 to 16777216", value, fault);
    *tokens = (uint32_t)number;
    return STATUS_OK;
}

static enum status read_hashes(const struct lines *line, const json_t *object, struct arena *arena,
                               struct request *request, struct fault *fault)
{
    const json_t *list = json_object_get(object, "hash_ids");
    if (!list)
        return STATUS_OK;
    char what[96];
    uint32_t n = (request->prompt_tokens + REQUESTS_HASH_TOKENS - 1) / REQUESTS_HASH_TOKENS;
    if (!json_is_array(list))
        return expected(line, "hash_ids", "a list of whole numbers", list, fault);
    if (json_array_size(list) != n) {
        snprintf(what, sizeof what, "%u ids (one for each %d tokens of input_length begun)", n, REQUESTS_HASH_TOKENS);
        json_t *size = json_integer((json_int_t)json_array_size(list));
        expected(line, "hash_ids", what, size, fault);
        json_decref(size);
        return fault->status;
    }
    uint64_t *hash = arena_array(arena, n, sizeof *hash);
    for (uint32_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return expected(line, "hash_ids", "whole numbers from 0 up", id, fault);
        hash[i] = (uint64_t)json_integer_value(id);
    }
    request->hash = hash;
    request->n_hashes = n;
    return STATUS_OK;
}

static enum status read_object(const struct lines *line, const json_t *object, struct arena *arena,
                               struct request *request, struct fault *fault)
{
    *request = (struct request){.line = line->number};
    if (read_timestamp(line, object, &request->arrival_ps, fault) != STATUS_OK ||
        read_length(line, object, "input_length", &request->prompt_tokens, fault) != STATUS_OK ||
        read_length(line, object, "output_length", &request->output_tokens, fault) != STATUS_OK)
        return fault->status;
    return read_hashes(line, object, arena, request, fault);
}

static enum status read_line(const struct lines *line, struct arena *arena, struct request *request,
                             struct fault *fault)
{
    json_error_t error;
    json_t *object = json_loads(line->text, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        return fault_set(fault, STATUS_USAGE, "%s:%u:%d: expected a JSON object on one line: %s", line->path,
                         line->number, error.column > 0 ? error.column : 1, error.text);
    if (!json_is_object(object))
        fault_set(fault, STATUS_USAGE, "%s:%u:1: expected a JSON object", line->path, line->number);
    else
        read_object(line, object, arena, request, fault);
    json_decref(object);
    return fault->status;
}

static size_t count_lines(const char *text)
{
    size_t n = 1;
    for (const char *c = text; (c = strchr(c, '\n')); c++)
        n++;
    return n;
}

static int is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

enum status requests_parse_jsonl(const char *path, char *text, size_t size, size_t limit, struct arena *arena,
                                 struct requests *requests, struct fault *fault)
{
    size_t most = count_lines(text), n = 0;
    struct request *request = arena_array(arena, limit && limit < most ? limit : most, sizeof *request);
    struct lines line = {.path = path};
    char *end = text + size;
    for (char *at = text; at < end && !(limit && n == limit) && !is_blank(at);) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        *stop = '\0';
        line.text = at;
        line.number++;
        if (read_line(&line, arena, &request[n], fault) != STATUS_OK)
            return fault->status;
        if (n && request[n].arrival_ps < request[n - 1].arrival_ps)
            return fault_set(fault, STATUS_USAGE,
                             "%s:%u: timestamp: expected no arrival before that of the line above (sort the file)",
                             path, line.number);
        n++;
        at = stop + 1;
    }
    int has_hashes = 0;
    for (size_t i = 0; i < n; i++)
        has_hashes |= request[i].n_hashes > 0;
    *requests = (struct requests){
        .path = requests->path, .n = n, .request = request, .hash_tokens = has_hashes ? REQUESTS_HASH_TOKENS : 0};
    return STATUS_OK;
}
