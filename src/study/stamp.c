#include "study/stamp.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "report/output.h"
#include "store/json_file.h"

static const char schema[] = "polyrank-point";

static const char *const states[] = {[STAMP_NONE] = "none",
                                     [STAMP_STARTED] = "started",
                                     [STAMP_STOPPED] = "stopped",
                                     [STAMP_FAILED] = "failed",
                                     [STAMP_DONE] = "done"};

static const char *path_of(const char *folder, struct arena *arena)
{
    return arena_printf(arena, "%s/point.json", folder);
}

static void take(const json_t *root, struct arena *arena, struct stamp *stamp)
{
    const char *found_schema = NULL, *state = NULL, *hash = NULL, *message = NULL;
    json_int_t point = 0, exit_status = 0;
    json_t *wall = NULL;
    if (json_unpack((json_t *)(uintptr_t)root, "{s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "schema", &found_schema, "state",
                    &state, "hash", &hash, "message", &message, "point", &point, "exit_status", &exit_status, "wall_s",
                    &wall) != 0 ||
        strcmp(found_schema, schema) != 0 || sscanf(hash, "%" SCNx64, &stamp->hash) != 1)
        return;
    stamp->point = point;
    stamp->exit_status = (int)exit_status;
    stamp->message = arena_string(arena, message);
    for (size_t i = 0; i < json_array_size(wall) && i < STAMP_MAX_REPEATS; i++)
        stamp->wall_s[stamp->n_wall++] = json_number_value(json_array_get(wall, i));
    for (size_t s = 0; s < sizeof states / sizeof *states; s++)
        if (strcmp(state, states[s]) == 0)
            stamp->state = (enum stamp_state)s;
}

void stamp_read(const char *folder, struct arena *arena, struct stamp *stamp)
{
    struct fault ignored = FAULT_NONE;
    json_t *root;
    *stamp = (struct stamp){.state = STAMP_NONE, .message = ""};
    if (json_file_read(path_of(folder, arena), &root, &ignored) != STATUS_OK)
        return;
    take(root, arena, stamp);
    json_decref(root);
}

enum status stamp_write(const char *folder, const struct stamp *stamp, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct output output;
    json_t *wall = json_array();
    for (int i = 0; i < stamp->n_wall; i++)
        json_array_append_new(wall, json_real(stamp->wall_s[i]));
    json_t *root = json_pack("{s:s, s:s, s:o, s:s+, s:I, s:I, s:o}", "schema", schema, "state", states[stamp->state],
                             "hash", json_sprintf("%016" PRIx64, stamp->hash), "message", stamp->message, "", "point",
                             (json_int_t)stamp->point, "exit_status", (json_int_t)stamp->exit_status, "wall_s", wall);
    if (!root)
        bug("a stamp that is no JSON");
    if (output_open(&output, path_of(folder, arena), fault) == STATUS_OK) {
        if (json_dumpf(root, output.file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) != 0 || fputc('\n', output.file) < 0)
            fault_set(fault, STATUS_IO, "%s/point.json: cannot be written", folder);
        else
            output_finish(&output, fault);
    }
    output_close(&output);
    json_decref(root);
    arena_free(arena);
    return fault->status;
}
