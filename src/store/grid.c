#include "store/grid.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct grid_variable grid_variable(const char *name)
{
    return (struct grid_variable){
        .name = name, .scale = 1, .n_values = 1, .units = "", .long_name = "", .standard_name = "", .calendar = ""};
}

void grid_text_attribute(struct grid *grid, struct grid_variable *variable, const char *name, const char *text)
{
    const char **to = NULL;
    if (!variable && strcasecmp(name, "title") == 0)
        to = &grid->title;
    else if (!variable && strcasecmp(name, "source") == 0)
        to = &grid->source;
    else if (!variable && strcasecmp(name, "history") == 0)
        to = &grid->history;
    else if (variable && strcmp(name, "units") == 0)
        to = &variable->units;
    else if (variable && strcmp(name, "long_name") == 0)
        to = &variable->long_name;
    else if (variable && strcmp(name, "standard_name") == 0)
        to = &variable->standard_name;
    else if (variable && strcmp(name, "calendar") == 0)
        to = &variable->calendar;
    else if (variable && strcmp(name, "_Unsigned") == 0 && strcasecmp(text, "true") == 0)
        variable->unsigned_range = 1;
    if (to)
        *to = arena_string(grid->arena, text);
}

void grid_number_attribute(struct grid_variable *variable, const char *name, double value)
{
    if (strcmp(name, "scale_factor") == 0)
        variable->scale = value;
    else if (strcmp(name, "add_offset") == 0)
        variable->offset = value;
    else if ((strcmp(name, "_FillValue") == 0 || strcmp(name, "missing_value") == 0) && variable->n_fills < 2)
        variable->fill[variable->n_fills++] = value;
}

struct grid_variable *grid_find(const struct grid *grid, const char *name)
{
    for (int i = 0; i < grid->n_variables; i++)
        if (strcmp(grid->variable[i].name, name) == 0)
            return &grid->variable[i];
    return NULL;
}

char *grid_list(const struct grid *grid, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < grid->n_variables; i++) {
        const struct grid_variable *v = &grid->variable[i];
        char shape[200] = "";
        for (int d = 0; d < v->n_dims; d++) {
            size_t at = strlen(shape);
            snprintf(shape + at, sizeof shape - at, "%s%.30s%s%lld", d ? ", " : "", v->dim[d] ? v->dim[d] : "",
                     v->dim[d] ? "=" : "", (long long)v->dims[d]);
        }
        int n = snprintf(text + used, size - used, "%s%.60s [%s]", i ? ", " : "", v->name, shape);
        if (n < 0 || (size_t)n >= size - used) {
            snprintf(text + (used < size - 8 ? used : size - 8), 8, ", ...");
            break;
        }
        used += (size_t)n;
    }
    return text;
}
